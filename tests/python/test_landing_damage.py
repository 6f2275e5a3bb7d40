"""What spreadsheets do to a company's rows is undone when they land, or reported: it never changes a value silently.

Marts are made of the landed rows alone, so rows that land alike give the same marts.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from conftest import MODELS_ONLY, Dbt, build_into
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.contract import Contract
from orchestration.landing.land import land
from orchestration.landing.values import ValueRules
from orchestration.seeds import lost_values, nobody_ids, words_for_nothing

ZONE = "Asia/Shanghai"
MARTS = ("orders", "customers", "customer_lifecycle", "repurchase_rates", "customer_rfm", "retention_monthly")
WORDS = words_for_nothing()
RULES = ValueRules(
    business_timezone=ZONE,
    timestamps_without_offset=ZONE,
    words_for_nothing=tuple(WORDS),
    words_in_free_text=tuple(word for word, in_free_text in WORDS.items() if in_free_text),
    lost_values=lost_values(),
    nobody_ids=nobody_ids(),
    latest_day=date(2036, 1, 1),
    reporting_currency="CNY",
)

Damage = Callable[[str], str]
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


def wide(text: str) -> str:
    return text.translate(WIDE)


# what can be undone for sure, whatever the cell holds
UNDONE: dict[str, Damage] = {
    "apostrophe": lambda text: f"'{text}",
    "formula": lambda text: f'="{text}"',
    "tab": lambda text: f"\t{text}",
    "spaces": lambda text: f"\u00a0{text} \u3000",
    "zero width": lambda text: f"{text}\u200b",
    "byte order mark": lambda text: f"\ufeff{text}",
    "direction": lambda text: f"\u202a{text}\u202c",
    "full width": wide,
}
UNDONE_IN_TEXT = {name: UNDONE[name] for name in ("formula", "spaces", "zero width", "byte order mark", "direction")}
BY_KIND: dict[str, dict[str, Damage]] = {
    "id": UNDONE,
    "whole id": UNDONE | {"number": lambda text: f"{text}.0", "typed number": lambda text: f"'{text}.00"},
    "code": UNDONE | {"capitals": str.upper},
    "text": UNDONE_IN_TEXT,
    "number": UNDONE
    | {
        "thousands": lambda text: f"{float(text):,.2f}",
        "currency": lambda text: f"¥{text}",
        "exponent": lambda text: f"{float(text):.6E}",
    },
    "boolean": UNDONE | {"number": {"true": "1.0", "false": "0.0"}.__getitem__, "capital": str.title},
    "date": UNDONE
    | {
        "midnight": lambda text: f"{text} 00:00:00",
        "midnight in UTC": lambda text: f"{text}T00:00:00Z",
        "time": lambda text: f"{text} 10:00:00",
        "time in UTC": lambda text: f"{text} 10:00:00 UTC",
        "slashes": lambda text: text.replace("-0", "-").replace("-", "/"),
    },
    "time": UNDONE
    | {"slashes": lambda text: text.replace("-0", "-").replace("-", "/", 2), "T": lambda text: text.replace(" ", "T")},
}
# what is lost, or has two readings
LOST: dict[str, dict[str, Damage]] = {
    "long id": {
        "exponent": lambda text: f"{int(text):.5E}",
        "Java": lambda text: f"{int(text) / 1e17}E17",
        "number": lambda text: f"{text}.0",
    },
    "number": {"note": lambda text: f"{text} or so", "decimal comma": lambda text: text.replace(".", ",")},
    "boolean": {"word": lambda text: f"{text}?"},
    "date": {
        "serial": lambda text: str(date.fromisoformat(text).toordinal() - 693594),
        "month first": lambda text: f"{text[5:7]}/{text[8:]}/{text[:4]}",
    },
    "time": {
        "serial": lambda text: str(date.fromisoformat(text[:10]).toordinal() - 693594),
        "no date": lambda text: "1900-01-01 00:00:00",
    },
}
ERROR = {"error": lambda text: "#REF!"}
LOST = {kind: ERROR | LOST.get(kind, {}) for kind in BY_KIND} | {"long id": ERROR | LOST["long id"]}
NOTHING = ("NaN", "NULL", r"\N", "None", "#N/A", "——", " ", "\u200b")
NOTHING_IN_TEXT = ("NaN", "NULL", r"\N", "#N/A", " ", "\u200b")

# the kinds of cells of each column; the first columns are required
COLUMNS = {
    "orders": {
        "order_id": ("whole id", "long id", "id"),
        "customer_id": ("whole id", "id"),
        "ordered_at": ("time",),
        "status": ("code",),
        "order_amount": ("number",),
        "refund_amount": ("number",),
        "refunded_at": ("time",),
        "coupon_id": ("whole id", "long id", "id"),
        "channel": ("text",),
    },
    "customers": {
        "customer_id": ("whole id", "id"),
        "birth_date": ("date",),
        "is_deleted": ("boolean",),
        "registered_at": ("time",),
        "referred_by_customer_id": ("whole id", "id"),
        "region": ("text",),
    },
}
REQUIRED = {"orders": 5, "customers": 1}
VALUES: dict[str, st.SearchStrategy[str]] = {
    "whole id": st.integers(1, 10**9).map(str),
    "long id": st.integers(2**53, 9 * 10**17).map(str),
    "id": st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,3}-[0-9]{1,3}", fullmatch=True),
    "code": st.sampled_from(("placed", "paid", "completed", "returned")),
    "text": st.sampled_from(("north", "北京", "São Paulo", "'t Hooft", "小程序 app")),
    "number": st.decimals(1001, 9999, places=2).filter(lambda value: value % 1 != 0).map(str),
    "boolean": st.sampled_from(("true", "false")),
    "date": st.dates(date(1950, 1, 1), date(2010, 1, 1)).map(str),
    "time": st.datetimes().map(
        lambda moment: f"{moment.replace(year=2020 + moment.year % 6, day=1):%Y-%m-%d %H:%M:%S}"
    ),
}


@dataclass(frozen=True)
class Cell:
    """One cell before and after damage; `is_lost` where the value cannot be told from what is left."""

    sound: str
    damaged: str
    is_lost: bool


@st.composite
def cells(draw: st.DrawFn, kinds: tuple[str, ...], is_required: bool) -> Cell:
    kind = draw(st.sampled_from(kinds))
    if not is_required and draw(st.booleans()):
        return Cell("", draw(st.sampled_from(("", *(NOTHING_IN_TEXT if kind == "text" else NOTHING)))), False)
    sound = draw(VALUES[kind])
    how = draw(st.sampled_from(("not", "undone", "undone", "lost")))
    if how == "lost" and kind in LOST:
        return Cell(sound, draw(st.sampled_from(list(LOST[kind].values())))(sound), True)
    undone = BY_KIND.get(kind, UNDONE)
    return Cell(sound, sound if how == "not" else draw(st.sampled_from(list(undone.values())))(sound), False)


def tables() -> st.SearchStrategy[dict[str, list[dict[str, Cell]]]]:
    rows = {
        table: st.fixed_dictionaries(
            {name: cells(kinds, place < REQUIRED[table]) for place, (name, kinds) in enumerate(columns.items())}
        )
        for table, columns in COLUMNS.items()
    }
    return st.fixed_dictionaries({table: st.lists(row, min_size=1, max_size=8) for table, row in rows.items()})


def write(folder: Path, company: dict[str, list[dict[str, Cell]]], part: str, settings: str = "") -> Path:
    folder.mkdir()
    if settings:
        (folder / "company.yml").write_text(settings, encoding="utf-8")
    for table, rows in company.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS[table])
            writer.writerows([getattr(row[name], part) for name in COLUMNS[table]] for row in rows)
    return folder


def landed_rows(raw: Path, contract: Contract) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of each table in the order of the file, with what is reported of each."""
    landing = land(raw, raw.with_name(f"{raw.name}_landed"), contract, RULES)
    with duckdb.connect() as connection:
        for file in landing.files:
            found = connection.execute(f"select * from read_parquet('{file.parquet}') order by _row_number")
            names = [name for name, *_ in found.description]
            yield file.table, [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.nightly
@settings(max_examples=2, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(company=tables())
def test_the_marts_of_a_damaged_company_are_those_of_the_sound_one(
    dbt: Dbt, contract: Contract, company: dict[str, list[dict[str, Cell]]]
) -> None:
    """Of a company whose damage can be undone: the cells that lost their value stay as they were."""
    company = {
        table: [
            {name: replace(cell, damaged=cell.sound) if cell.is_lost else cell for name, cell in row.items()}
            for row in rows
        ]
        for table, rows in company.items()
    }
    arguments = (*MODELS_ONLY, "--select", *(f"+{mart}" for mart in MARTS))
    with TemporaryDirectory() as folder:
        sound, damaged = (
            build_into(
                Path(folder) / f"{part}_warehouse",
                write(
                    Path(folder) / part,
                    company,
                    part,
                    settings=f"timestamps_without_offset: {ZONE}\nreporting_currency: CNY\n",
                ),
                dbt,
                contract,
                date(2026, 1, 1),
                arguments,
            )
            for part in ("sound", "damaged")
        )
        for mart in MARTS:
            rows = [sorted(map(repr, world.rows(f"from marts.{mart}"))) for world in (sound, damaged)]
            assert rows[0] == rows[1], mart
        assert len(sound.rows("from marts.customers")) > 0


@settings(max_examples=15, deadline=None, phases=(Phase.generate,))
@given(company=tables())
def test_damage_is_undone_or_reported(contract: Contract, company: dict[str, list[dict[str, Cell]]]) -> None:
    with TemporaryDirectory() as folder:
        sound = dict(landed_rows(write(Path(folder) / "sound", company, "sound"), contract))
        damaged = dict(landed_rows(write(Path(folder) / "damaged", company, "damaged"), contract))
    for table, rows in company.items():
        for row, before, after in zip(rows, sound[table], damaged[table], strict=True):
            assert before["_failure"] is None, (row, before["_reason"])
            lost = [name for name, cell in row.items() if cell.is_lost]
            if set(lost) & set(list(COLUMNS[table])[: REQUIRED[table]]):
                assert after["_failure"], row
                continue
            assert after["_failure"] is None, (row, after["_reason"])
            reported = {repair["column_name"] for repair in after["_repairs"] or ()}
            for name in row:
                if name in lost:
                    assert after[name] is None and name in reported, (name, row[name], after[name])
                else:
                    assert after[name] == before[name], (name, row[name], before[name], after[name])
