"""The tables of a published file, with their comments, as they are copied elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import duckdb

from orchestration.duckdb_sql import identifier
from orchestration.publishing import PublishedTable, Table

_ROWS_OF_BATCH = 10_000


def published_tables(connection: duckdb.DuckDBPyConnection) -> list[PublishedTable]:
    """Every table of the file that is attached as `published`, to be read while the connection is open."""
    comments = {
        (schema, table): comment
        for schema, table, comment in connection.execute(
            "SELECT schema_name, table_name, comment FROM duckdb_tables() "
            "WHERE database_name = 'published' ORDER BY ALL"
        ).fetchall()
    }
    columns: dict[Table, dict[str, tuple[str, str | None]]] = {table: {} for table in comments}
    for schema, table, column, kind, comment in connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = 'published' AND NOT internal ORDER BY schema_name, table_name, column_index"
    ).fetchall():
        columns.setdefault((schema, table), {})[column] = (kind, comment)
    return [
        PublishedTable(
            table,
            {name: kind for name, (kind, _) in columns[table].items()},
            comment,
            {name: said for name, (_, said) in columns[table].items()},
            _reader(connection, table),
        )
        for table, comment in comments.items()
    ]


def _reader(connection: duckdb.DuckDBPyConnection, table: Table) -> Callable[[], Iterator[list[tuple[Any, ...]]]]:
    return partial(_rows, connection, table)


def _rows(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    # the file is one version, whatever is published meanwhile
    with connection.cursor() as cursor:
        found = cursor.execute(f"FROM {identifier('published', *table)}")
        while batch := found.fetchmany(_ROWS_OF_BATCH):
            yield batch
