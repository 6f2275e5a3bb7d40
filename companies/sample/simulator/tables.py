"""Tables as columns of numbers, made into texts only when DuckDB writes them: a chunk stays small in memory.

A number below zero is null in every column but `points`; ids, labels and moments are numbers until they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from .config import FIRST_DAY

# seconds from midnight UTC to midnight in Shanghai, which has no summer time
ZONE_SECONDS = 8 * 3600
DAY_SECONDS = 86_400
NONE = -1
_EPOCH = np.datetime64(FIRST_DAY.isoformat(), "s")


@dataclass(frozen=True)
class Column:
    """Values of a column: `sql` makes them of the arrays, which stand in it as {0}, {1}."""

    sql: str
    arrays: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def take(self, places: np.ndarray) -> Column:
        """The values at these places."""
        return Column(self.sql, tuple(array[places] for array in self.arrays))


Table = dict[str, Column]


def ids(prefix: str, numbers: np.ndarray, width: int = 7) -> Column:
    """Ids such as C0000001."""
    # lpad would cut longer numbers off
    zeros = f"repeat('0', {width} - length(cast({{0}} as varchar)))"
    text = f"'{prefix}' || {zeros} || cast({{0}} as varchar)"
    return Column(f"case when {{0}} >= 0 then {text} end", (numbers,))


def either(condition: np.ndarray, one: Column, other: Column) -> Column:
    """`one` where the condition holds, else `other`; each of a single array."""
    sql = f"case when {{2}} then {one.sql} else {other.sql.replace('{0}', '{1}')} end"
    return Column(sql, (one.arrays[0], other.arrays[0], condition))


def labels(names: Sequence[str], codes: np.ndarray) -> Column:
    """Texts of a list, by their place in it."""
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    # braces would be taken for a place to fill
    return Column(f"case when {{0}} >= 0 then ([{listed}])[{{0}} + 1] end", (codes,))


def moments(seconds: np.ndarray) -> Column:
    """Moments in UTC, from seconds of local time since the midnight that begins FIRST_DAY."""
    times = (_EPOCH + (seconds - ZONE_SECONDS).astype("timedelta64[s]")).astype("datetime64[us]")
    times[seconds < 0] = np.datetime64("NaT")
    return Column("{0}", (times,))


def dates(days: np.ndarray) -> Column:
    """Dates, from day numbers; the least integer is null."""
    times = (_EPOCH + (days * DAY_SECONDS).astype("timedelta64[s]")).astype("datetime64[us]")
    times[days == np.iinfo(np.int64).min] = np.datetime64("NaT")
    return Column("cast({0} as date)", (times,))


def money(cents: np.ndarray) -> Column:
    """Amounts, from whole cents."""
    return Column("case when {0} >= 0 then cast({0} / 100 as decimal(18, 2)) end", (cents,))


def counts(numbers: np.ndarray) -> Column:
    """Whole numbers that are not negative."""
    return Column("case when {0} >= 0 then cast({0} as bigint) end", (numbers,))


def signed(numbers: np.ndarray) -> Column:
    """Whole numbers of either sign."""
    return Column("cast({0} as bigint)", (numbers,))


def decimals(numbers: np.ndarray) -> Column:
    """Numbers with four decimals; NaN is null."""
    return Column("cast({0} as decimal(18, 4))", (numbers,))


def doubles(numbers: np.ndarray) -> Column:
    """Numbers as they are; NaN is null."""
    return Column("{0}", (numbers,))


def flags(values: np.ndarray) -> Column:
    """Booleans."""
    return Column("{0}", (values.astype(bool),))


def texts(values: Sequence[str | None] | np.ndarray) -> Column:
    """Texts as they are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return Column("cast({0} as varchar)", (array,))


def rows_in(table: Table) -> int:
    """How many rows a table has."""
    return len(next(iter(table.values())))


def take(table: Table, places: np.ndarray) -> Table:
    """The rows at these places, in that order."""
    return {name: column.take(places) for name, column in table.items()}


def select_of(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """A query of the rows of a table; its arrays are registered in the connection as `numbers`."""
    arrays: dict[str, np.ndarray] = {}
    columns = []
    for place, (name, column) in enumerate(table.items()):
        sources = [f"c{place}_{number}" for number in range(len(column.arrays))]
        arrays.update(zip(sources, (np.ascontiguousarray(array) for array in column.arrays), strict=True))
        sql = column.sql
        for number, source in enumerate(sources):
            sql = sql.replace(f"{{{number}}}", source)
        columns.append(f'{sql} as "{name}"')
    connection.register("numbers", arrays)
    return f"select {', '.join(columns)} from numbers"


def create_table(connection: duckdb.DuckDBPyConnection, name: str, table: Table) -> None:
    """Make a table of a database, without a file."""
    connection.execute(f"create table {name} as {select_of(connection, table)}")
    connection.unregister("numbers")


class ParquetWriter:
    """Writes tables as Parquet, by a DuckDB connection of its own."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        # one thread writes the same bytes every time; the memory of a chunk is all that is needed
        self.connection.execute("set threads = 1")

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def write(self, path: Path, table: Table) -> None:
        """Write a Parquet file; its folder is made where it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection.sql(select_of(self.connection, table)).write_parquet(str(path), compression="zstd")
        self.connection.unregister("numbers")

    def rows(self, table: Table) -> Iterator[dict[str, Any]]:
        """The rows as Python values; moments in UTC, without a zone."""
        names = list(table)
        values = self.connection.execute(select_of(self.connection, table)).fetchall()
        self.connection.unregister("numbers")
        return (dict(zip(names, row, strict=True)) for row in values)

    def join_files(self, folder: Path, path: Path) -> None:
        """Write the Parquet files of a folder, in the order of their names, as one file."""
        files = sorted(str(file) for file in folder.glob("*.parquet"))
        self.connection.read_parquet(files).write_parquet(str(path), compression="zstd")
