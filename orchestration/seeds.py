"""What Python reads of the seeds, from the files that dbt reads too; an error tells file, row and remedy."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TypeVar

from orchestration.errors import SeedError
from orchestration.predictive.events import Occurrence
from orchestration.predictive.fit_limits import Horizons, Limits
from orchestration.settings import ROOT

T = TypeVar("T")


class Row:
    """One row of a seed, that knows where it stands."""

    def __init__(self, place: str, values: Mapping[str, str | None]) -> None:
        self.place = place
        self._values = values

    def text(self, column: str) -> str:
        """The value of a column; SeedError where the file has no such column or the cell is empty."""
        value = self._values.get(column)
        if not value:
            raise SeedError(f"{self.place}: {column} is missing; give it a value.")
        return value.strip()

    def whole(self, column: str) -> int:
        """A whole number above 0."""
        return self._parsed(column, lambda text: int(text) if int(text) > 0 else None, "a whole number above 0")

    def day(self, column: str) -> date:
        """A day as ISO 8601 writes it."""
        return self._parsed(column, date.fromisoformat, "a day such as 2025-01-29")

    def boolean(self, column: str) -> bool:
        """`true` or `false`, as dbt reads them."""
        return self._parsed(column, {"true": True, "false": False}.get, "true or false")

    def _parsed(self, column: str, parse: Callable[[str], T | None], expected: str) -> T:
        text = self.text(column)
        try:
            value = parse(text.lower())
        except ValueError:
            value = None
        if value is None:
            raise SeedError(f"{self.place}: {column} is {text!r}; expected {expected}.")
        return value


def prediction_horizons(root: Path = ROOT) -> Horizons:
    """Horizons of the predictions, ascending. SeedError where the seed has none, or one twice."""
    found: dict[int, bool] = {}
    for row in _rows(root, "prediction_horizons"):
        days = row.whole("horizon_days")
        if days in found:
            raise SeedError(f"{row.place}: the horizon of {days} days is listed twice; delete one of the rows.")
        found[days] = row.boolean("is_for_churn")
    if not found:
        raise SeedError(f"{_path(root, 'prediction_horizons')}: no rows; expected one for each horizon.")
    return Horizons(tuple(sorted(found)), tuple(sorted(days for days, is_for_churn in found.items() if is_for_churn)))


def model_limits(root: Path = ROOT) -> Limits:
    """Limits of the models. SeedError unless the seed has one row of whole numbers above 0."""
    rows = list(_rows(root, "model_limits"))
    if len(rows) != 1:
        raise SeedError(f"{_path(root, 'model_limits')}: {len(rows)} rows; expected one.")
    return Limits(**{name: rows[0].whole(name) for name in Limits.__dataclass_fields__})


def holiday_calendar(country: str, root: Path = ROOT) -> tuple[Occurrence, ...]:
    """The occurrences of the events of a country, event by event; none of a country that the seed does not have."""
    events = {row.text("event") for row in _rows(root, "holiday_countries") if row.text("country") == country}
    found = []
    for row in _rows(root, "holidays"):
        one = Occurrence(row.text("event"), row.day("first_on"), row.day("last_on"))
        if one.last_on < one.first_on:
            raise SeedError(f"{row.place}: last_on is before first_on; exchange them.")
        if one.event in events:
            found.append(one)
    return tuple(sorted(found, key=lambda one: (one.event, one.first_on)))


def unreliability_labels(root: Path = ROOT) -> dict[str, str]:
    """Why a prediction is missing or not to be relied on: the English words by code, with the limits filled in."""
    labels = {row.text("reason_code"): row.text("label_en") for row in _rows(root, "unreliability_reasons")}
    for name, limit in asdict(model_limits(root)).items():
        labels = {code: label.replace(f"{{{name}}}", str(limit)) for code, label in labels.items()}
    return labels


def words_for_nothing(root: Path = ROOT) -> dict[str, bool]:
    """What stands for no value: the words, each with whether it does so in free text too."""
    # dbt reads NULL of a seed as no value, so that the seed cannot hold it
    words = {"NULL": True, "null": True}
    return words | {row.text("word"): row.boolean("in_free_text") for row in _rows(root, "words_for_nothing")}


def lost_values(root: Path = ROOT) -> tuple[str, ...]:
    """What a spreadsheet writes over a value that it lost."""
    return tuple(row.text("word") for row in _rows(root, "words_for_nothing") if row.boolean("is_lost_value"))


def nobody_ids(root: Path = ROOT) -> tuple[str, ...]:
    """The customer ids that stand for nobody."""
    return tuple(row.text("customer_id") for row in _rows(root, "nobody_ids"))


def _rows(root: Path, seed: str) -> Iterator[Row]:
    path = _path(root, seed)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for values in reader:
                yield Row(f"{path}, line {reader.line_num}", values)
    except OSError as error:
        raise SeedError(f"{path} cannot be read: {error.strerror}. Restore it from the repository.") from error


def _path(root: Path, seed: str) -> Path:
    return root / "seeds" / f"{seed}.csv"
