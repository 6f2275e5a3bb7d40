"""The seeds that the metrics need, read as they are: an edit of a seed is an edit of the definition."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

RfmCell = tuple[int, int, int]


@dataclass(frozen=True)
class Dimension:
    """What is counted by. `applies_to`: customers, surveys, tickets."""

    name: str
    label_en: str
    label_zh: str
    applies_to: frozenset[str]


@dataclass(frozen=True)
class Seeds:
    """What a business user decides.

    `rfm_segments`: name of each (r, f, m) score. `cadence_bands`: (from_probability 0 to 1, status), ascending.
    `age_bands`: (from_age in whole years, band), ascending. `repurchase_windows` and `repurchase_horizons`: days.
    `dimensions`: as they are listed.
    """

    rfm_segments: Mapping[RfmCell, str]
    cadence_bands: tuple[tuple[float, str], ...]
    age_bands: tuple[tuple[int, str], ...] = ()
    repurchase_windows: tuple[int, ...] = ()
    repurchase_horizons: tuple[int, ...] = ()
    dimensions: tuple[Dimension, ...] = ()

    def dimensions_of(self, counted: str) -> list[str]:
        """The dimensions of `customers`, `surveys` or `tickets`, without `all`."""
        return [each.name for each in self.dimensions if counted in each.applies_to and each.name != "all"]


def read_seeds(folder: Path) -> Seeds:
    """Read the files of the fields of `Seeds`.

    Raises FileNotFoundError where one is missing, ValueError where an RFM cell is missing or named twice, or where the
    bands do not start at probability 0.
    """
    return Seeds(
        _rfm_segments(folder / "rfm_segments.csv"),
        _cadence_bands(folder / "cadence_bands.csv"),
        tuple(sorted((int(row["from_age"]), row["age_band"]) for row in seed_rows(folder, "age_bands"))),
        tuple(int(row["window_days"]) for row in seed_rows(folder, "repurchase_windows")),
        tuple(int(row["horizon_days"]) for row in seed_rows(folder, "repurchase_horizons")),
        tuple(_dimension(row) for row in seed_rows(folder, "dimensions")),
    )


def age_band(birth_date: date | None, as_of: date, seeds: Seeds) -> str | None:
    """The band of the age in whole years on `as_of`; None where the birth date is not known."""
    if birth_date is None:
        return None
    had_birthday = (as_of.month, as_of.day) >= (birth_date.month, birth_date.day)
    age = as_of.year - birth_date.year - (not had_birthday)
    return [band for start, band in seeds.age_bands if start <= age][-1]


def seed_rows(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a seed, every value a text."""
    return _rows(folder / f"{name}.csv")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _dimension(row: dict[str, str]) -> Dimension:
    flags = {name: row[f"applies_to_{name}"].lower() == "true" for name in ("customers", "surveys", "tickets")}
    applies_to = frozenset(name for name, applies in flags.items() if applies)
    return Dimension(row["dimension"], row["label_en"], row["label_zh"], applies_to)


def _rfm_segments(path: Path) -> dict[RfmCell, str]:
    segments: dict[RfmCell, str] = {}
    for row in _rows(path):
        cell = (int(row["r_score"]), int(row["f_score"]), int(row["m_score"]))
        if cell in segments:
            raise ValueError(f"{path.name}: cell {cell} is named twice; expected each of the 125 cells once")
        segments[cell] = row["rfm_segment"]
    missing = [(r, f, m) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6) if (r, f, m) not in segments]
    if missing or len(segments) != 125:
        raise ValueError(
            f"{path.name}: {len(segments)} cells, missing {missing[:3]}; expected the 125 cells of the scores 1 to 5"
        )
    return segments


def _cadence_bands(path: Path) -> tuple[tuple[float, str], ...]:
    bands = sorted((float(row["from_probability"]), row["cadence_status"]) for row in _rows(path))
    if not bands or bands[0][0] != 0:
        raise ValueError(f"{path.name}: the first band starts at {bands[:1]}; expected one with from_probability 0")
    return tuple(bands)
