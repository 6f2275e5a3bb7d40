"""Two frames, row by row, with a message that shows where they part."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd

SHOWN = 5
CENT_OF_A_CENT = Decimal("0.0001")
RATIO_TOLERANCE = 1e-9
# half of the last place of a mean kept to four decimals, and a little for the binary fraction
MEAN_TOLERANCE = 0.5e-4 + 1e-9

Cell = Any
Row = dict[str, Cell]


def assert_frames_equal(
    actual: pd.DataFrame,
    expected: pd.DataFrame,
    keys: Sequence[str],
    *,
    money: Sequence[str] = (),
    means: Sequence[str] = (),
    ratios: Sequence[str] = (),
    name: str = "frame",
) -> None:
    """Raise AssertionError unless both frames hold the same keys with the same values in the columns of `expected`.

    Further columns of `actual` and the order of rows do not matter. All nulls are one null, equal to nothing else.
    `money` agrees exactly at four decimals; `means`, quotients of money, may be rounded to four decimals or not;
    `ratios` agree to 1e-9, absolute and, above 1, relative; everything else is exact.
    """
    _assert_columns(actual, expected, name)
    rules = dict.fromkeys(money, _same_money) | dict.fromkeys(means, _same_mean) | dict.fromkeys(ratios, _same_ratio)
    actual_rows = _rows_by_key(actual, expected.columns, keys, f"{name}, actual")
    expected_rows = _rows_by_key(expected, expected.columns, keys, f"{name}, expected")
    _assert_keys(actual_rows, expected_rows, keys, name)
    compared = [column for column in expected.columns if column not in keys]
    differing = []
    for key, row in expected_rows.items():
        columns = [column for column in compared if not rules.get(column, _same)(actual_rows[key][column], row[column])]
        if columns:
            differing.append(_describe(key, keys, actual_rows[key], row, columns))
    if differing:
        _fail(f"{name}: {len(differing)} of {len(expected_rows)} rows differ", differing)


def _assert_columns(actual: pd.DataFrame, expected: pd.DataFrame, name: str) -> None:
    missing = [column for column in expected.columns if column not in actual.columns]
    if missing:
        raise AssertionError(f"{name}: columns {missing} are missing; found {list(actual.columns)}")


def _rows_by_key(frame: pd.DataFrame, columns: Sequence[str], keys: Sequence[str], name: str) -> dict[tuple, Row]:
    rows: dict[tuple, Row] = {}
    values = zip(*(frame[column] for column in columns), strict=True)
    for cells in values:
        row = {column: plain(cell) for column, cell in zip(columns, cells, strict=True)}
        key = tuple(row[column] for column in keys)
        if key in rows:
            raise AssertionError(f"{name}: two rows with {_named(keys, key)}; expected one row per {', '.join(keys)}")
        rows[key] = row
    return rows


def _assert_keys(actual: dict, expected: dict, keys: Sequence[str], name: str) -> None:
    missing = [key for key in expected if key not in actual]
    surplus = [key for key in actual if key not in expected]
    if missing or surplus:
        lines = [f"missing  {_named(keys, key)}: {_others(expected[key], keys)}" for key in missing[:SHOWN]]
        lines += [f"surplus  {_named(keys, key)}: {_others(actual[key], keys)}" for key in surplus[:SHOWN]]
        _fail(
            f"{name}: {len(missing)} of {len(expected)} expected rows are missing, {len(surplus)} are surplus",
            lines,
            shown=2 * SHOWN,
        )


def _describe(key: tuple, keys: Sequence[str], actual: Row, expected: Row, columns: Sequence[str]) -> str:
    values = "; ".join(f"{column} is {actual[column]!r}, expected {expected[column]!r}" for column in columns)
    return f"{_named(keys, key)}: {values}"


def _named(keys: Sequence[str], key: tuple) -> str:
    return ", ".join(f"{column}={cell}" for column, cell in zip(keys, key, strict=True))


def _others(row: Row, keys: Sequence[str]) -> str:
    return ", ".join(f"{column}={cell!r}" for column, cell in row.items() if column not in keys)


def _fail(title: str, lines: Sequence[str], shown: int = SHOWN) -> None:
    raise AssertionError("\n  ".join([title, *lines[:shown]]))


def plain(cell: Any) -> Cell:
    """A cell as a plain Python value: None for any null, int for a whole number, date for a midnight without a zone."""
    if cell is None or (not isinstance(cell, (list, dict, np.ndarray)) and pd.isna(cell)):
        return None
    if isinstance(cell, np.datetime64):
        cell = pd.Timestamp(cell)
    if isinstance(cell, datetime):
        return cell.date() if cell.tzinfo is None and cell.time() == time() else cell
    if isinstance(cell, date | str):
        return cell
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    if isinstance(cell, np.integer):
        return int(cell)
    if isinstance(cell, float | np.floating):
        return int(cell) if float(cell).is_integer() else float(cell)
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else cell
    return cell


def _when_both_known(agree: Callable[[Cell, Cell], bool]) -> Callable[[Cell, Cell], bool]:
    def same(actual: Cell, expected: Cell) -> bool:
        if actual is None or expected is None:
            return actual is expected
        return agree(actual, expected)

    return same


def _quantised(cell: Cell) -> Decimal:
    return Decimal(str(cell)).quantize(CENT_OF_A_CENT, rounding=ROUND_HALF_UP)


@_when_both_known
def _same(actual: Cell, expected: Cell) -> bool:
    return isinstance(actual, bool) == isinstance(expected, bool) and actual == expected


@_when_both_known
def _same_money(actual: Cell, expected: Cell) -> bool:
    return _quantised(actual) == _quantised(expected)


@_when_both_known
def _same_mean(actual: Cell, expected: Cell) -> bool:
    return abs(float(actual) - float(expected)) <= MEAN_TOLERANCE


@_when_both_known
def _same_ratio(actual: Cell, expected: Cell) -> bool:
    return abs(float(actual) - float(expected)) <= RATIO_TOLERANCE * max(1.0, abs(float(expected)))
