"""The rows of a tile, asked of a published database file that nothing can be written to."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orchestration.boards.grammar import LANGUAGES, Tile
from orchestration.duckdb_sql import identifier, text
from orchestration.errors import BoardError, shown

MAX_ROWS = 5_000
# ids of persons and what they own, and texts that quote raw rows
_OF_PERSONS = re.compile(
    r"(?:^|_)(?:customer|member|identity|order|response|invitation|ticket|points_transaction|source)_id$"
    r"|^(?:raw_row|row_key|example|example_key|linked_through|full_name|email|phone|birth_date)$"
)

ROLES_OF_TYPES = {"DATE": "date", "TIMESTAMP": "date", "VARCHAR": "text", "BOOLEAN": "truth"}


@dataclass(frozen=True)
class Column:
    """A column of an answer; `kind` is one of date, text, truth, number, whole."""

    name: str
    kind: str


@dataclass(frozen=True)
class Answer:
    """What a query gave: columns and rows, the values ready for JSON."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]

    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]


@contextlib.contextmanager
def open_published(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read a version and nothing else: no file, no network, no setting, no column of persons."""
    # a query cannot go past the views, since it does not know this name
    hidden = f"published_{secrets.token_hex(16)}"
    with _opened(database, hidden) as connection:
        _make_views(connection, hidden)
        _close_doors(connection)
        yield connection


@contextlib.contextmanager
def open_catalog(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a whole version, attached as `published`, for what the project itself asks of its tables."""
    with _opened(database, "published") as connection:
        connection.execute("USE published")
        _close_doors(connection)
        yield connection


@contextlib.contextmanager
def _opened(database: Path, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH {text(database)} AS {name} (READ_ONLY)")
        yield connection
    except duckdb.Error as error:
        raise BoardError(f"{database} cannot be read: {shown(str(error), 300)}") from error
    finally:
        connection.close()


def _close_doors(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _make_views(connection: duckdb.DuckDBPyConnection, hidden: str) -> None:
    """A view of each published table, under its own name, without the columns of persons."""
    tables = connection.execute(
        "select schema_name, table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = $hidden group by all",
        {"hidden": hidden},
    ).fetchall()
    for schema, table, names in tables:
        columns = ", ".join(identifier(name) for name in names if not _OF_PERSONS.search(name))
        place = f"{identifier(schema)}.{identifier(table)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
        if columns:
            connection.execute(f"CREATE VIEW {place} AS SELECT {columns} FROM {hidden}.{place}")


def ask(connection: duckdb.DuckDBPyConnection, board: str, tile: Tile) -> Answer:
    """The rows of a tile.

    Raises:
        BoardError: the query fails, reads a column of persons or gives more than MAX_ROWS rows, or a column of
            the chart is missing.
    """
    answer = _run(connection, f"{board}.yml, tile {tile.id}", tile.query)
    check(board, tile, answer)
    return answer


def _run(connection: duckdb.DuckDBPyConnection, where: str, query: str) -> Answer:
    try:
        kinds = [statement.type for statement in connection.extract_statements(query)]
        if kinds != [duckdb.StatementType.SELECT]:
            raise BoardError(f"{where}: the query is more than one statement, or writes; expected one SELECT.")
        cursor = connection.execute(query)
        columns = tuple(Column(name, _kind(str(kind))) for name, kind, *_ in cursor.description)
        rows = cursor.fetchmany(MAX_ROWS + 1)
    except duckdb.Error as error:
        raise BoardError(f"{where}: the query fails: {shown(str(error), 400)}{_hint(query)}") from error
    if len(rows) > MAX_ROWS:
        raise BoardError(
            f"{where}: the query gives more than {MAX_ROWS:,} rows; expected at most that many. Aggregate, or add a "
            f"condition to its where."
        )
    return Answer(columns, [[_plain(value) for value in row] for row in rows])


def _hint(query: str) -> str:
    of_persons = next((word for word in re.findall(r"\w+", query.lower()) if _OF_PERSONS.search(word)), None)
    return "" if of_persons is None else f" Boards see no column with ids or texts of persons, such as {of_persons}."


def check(board: str, tile: Tile, answer: Answer) -> None:
    """BoardError unless an answer has what the chart of a tile needs."""
    where = f"{board}.yml, tile {tile.id}"
    names = answer.names()
    wanted = [column for column in tile.roles.values() if isinstance(column, str)]
    for column in (*wanted, *tile.bars, *(a_filter.column for a_filter in tile.filters)):
        if column not in names:
            raise BoardError(f"{where}: the query gives no column {column}; expected it among {', '.join(names)}.")
    for name in names:
        if name.endswith("_en") and f"{name[:-3]}_zh" not in names:
            raise BoardError(f"{where}: the query gives {name} alone; expected {name[:-3]}_zh beside it.")


def coded(names: list[str]) -> list[str]:
    """The columns that have their labels beside them in both languages."""
    return [name for name in names if all(f"{name}_{language}" in names for language in LANGUAGES)]


def _kind(type_name: str) -> str:
    upper = type_name.upper()
    if upper in ROLES_OF_TYPES:
        return ROLES_OF_TYPES[upper]
    return "whole" if upper.endswith(("INT", "INTEGER")) else "number"


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        # neither NaN nor infinity is JSON; twelve digits are more than anybody reads
        return float(f"{value:.12g}") if abs(value) != float("inf") and value == value else None
    return value
