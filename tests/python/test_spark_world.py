"""The comparison of two engines finds what differs, and only that."""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import spark_world
from spark_world import Table, agree, base_models, compare_tables, find_server, published_models, report

from orchestration.settings import ROOT
from tools import spark_cluster

COLUMNS = ("id", "day", "amount")
ROWS = [("a", date(2024, 2, 29), Decimal("1.0000")), ("b", None, Decimal("2.5000"))]


def differences(rows: list[tuple[Any, ...]], columns: tuple[str, ...] = COLUMNS) -> list[str]:
    return compare_tables(Table(COLUMNS, ROWS), Table(columns, rows), ["id"]).differences


@pytest.mark.parametrize(
    "one",
    [
        None,
        True,
        7,
        "text",
        date(2024, 2, 29),
        datetime(2024, 2, 29, 1, 2, 3, 4),
        Decimal("12.3400"),
        0.25,
        float("inf"),
        float("nan"),
    ],
)
def test_a_value_agrees_with_itself_and_with_no_null(one: Any) -> None:
    assert agree(one, one)
    assert agree(one, None) is agree(None, one) is (one is None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("12.3400"), Decimal("12.3449")),
        (Decimal("-12.34"), Decimal("-12.3400")),
        # below 1 the tolerance is absolute
        (0.0, 9e-10),
        (1e-12, 2e-12),
        (1e12, 1e12 + 500),
    ],
)
def test_numbers_agree_within_their_tolerance(one: Any, other: Any) -> None:
    assert agree(one, other)
    assert agree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, False),
        (1, 2),
        ("text", "Text"),
        ("text", "text "),
        ("", None),
        ("é", "e\u0301"),
        (date(2024, 2, 29), date(2024, 3, 1)),
        (datetime(2024, 2, 29), datetime(2024, 2, 29, 0, 0, 0, 1)),
        (Decimal("12.3400"), Decimal("12.3450")),
        (Decimal(0), Decimal("-0.005")),
        (0.0, 1.1e-9),
        (1e12, 1e12 + 1100),
        (float("inf"), float("-inf")),
        (float("nan"), 0.0),
        # of other types
        (1, True),
        (1, 1.0),
        (1.0, Decimal(1)),
        ("2024-02-29", date(2024, 2, 29)),
        (date(2024, 2, 29), datetime(2024, 2, 29)),
    ],
)
def test_other_values_do_not_agree(one: Any, other: Any) -> None:
    assert not agree(one, other)
    assert not agree(other, one)


def test_rows_may_come_in_any_order() -> None:
    assert not differences(ROWS[::-1])


def test_a_cell_that_differs_is_named_with_its_key() -> None:
    [said] = differences([ROWS[0], ("b", date(2024, 1, 1), Decimal("2.50"))])
    assert said == "{'id': 'b'}: day is datetime.date(2024, 1, 1), expected None"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS[:1], "{'id': 'b'}: 0 rows; expected 1, and one of each key"),
        ([*ROWS, ("c", None, None)], "{'id': 'c'}: 1 rows; expected 0, and one of each key"),
        ([*ROWS, ROWS[0]], "{'id': 'a'}: 2 rows; expected 1, and one of each key"),
    ],
)
def test_rows_missing_added_or_doubled_are_differences(rows: list[tuple[Any, ...]], said: str) -> None:
    assert differences(rows) == [said]


def test_a_key_may_be_null() -> None:
    rows = [(None, None, None)]
    assert not compare_tables(Table(COLUMNS, rows), Table(COLUMNS, rows), ["id"]).differences


@pytest.mark.parametrize(
    "columns", [("id", "amount", "day"), ("id", "day"), (*COLUMNS, "more"), ("id", "day", "Amount")]
)
def test_columns_and_their_order_must_be_the_same(columns: tuple[str, ...]) -> None:
    [said] = differences([], columns)
    assert said == f"columns {', '.join(columns)}; expected id, day, amount"


def test_decimals_that_differ_behind_the_cent_are_counted() -> None:
    found = compare_tables(Table(COLUMNS, ROWS), Table(COLUMNS, [ROWS[0], ("b", None, Decimal("2.5001"))]), ["id"])
    assert not found.differences
    assert found.decimals_apart == 1
    assert report("world", {"mart": found}).splitlines()[1].split() == ["mart", "2", "0", "1"]


def test_only_the_first_differences_are_shown() -> None:
    rows = [(f"{number}", None, None) for number in range(12)]
    found = compare_tables(Table(COLUMNS, rows), Table(COLUMNS, []), ["id"])
    assert len(found.differences) == 12
    assert str(found).splitlines()[-1] == "and 7 more"


def test_every_published_table_and_every_base_table_is_compared() -> None:
    folders = [ROOT / "models" / layer for layer in ("marts", "quality", "staging/raw/base")]
    files = {path.stem for folder in folders for path in folder.rglob("*.sql")}
    assert {model.name for model in (*published_models(), *base_models())} == files


def test_without_java_the_tests_are_skipped_and_say_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("STICKINESS_SPARK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(spark_cluster, "CLUSTER_DIR", tmp_path / "none runs")
    monkeypatch.setattr(spark_world, "missing_packages", lambda: [])
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with (
        pytest.raises(pytest.skip.Exception, match="no Spark server, and none can be started: .*Java"),
        find_server("test", tmp_path),
    ):
        pass


def test_without_the_packages_the_tests_are_skipped_and_say_which(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spark_world, "missing_packages", lambda: ["pyhive"])
    with (
        pytest.raises(pytest.skip.Exception, match="pyhive not installed: python tools/bootstrap.py"),
        find_server("test", tmp_path),
    ):
        pass
