"""The form of a landing Parquet file: what a reader of any engine finds in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration import sql
from orchestration.contract import RawTable


@dataclass(frozen=True)
class Provenance:
    """What landing writes beside every row of a file; `first_seen_at` is UTC without a zone."""

    file_name: str
    first_seen_at: datetime


@dataclass(frozen=True)
class RowSource:
    """SQL that yields the rows of a file: a relation, and an expression for each column that is not all null."""

    relation: str
    columns: Mapping[str, str]
    row_number: str
    extra: str | None = None
    unparsed_row: str | None = None


def write_landing_file(
    connection: duckdb.DuckDBPyConnection, table: RawTable, source: RowSource, provenance: Provenance, target: Path
) -> int:
    """Write the rows as landing Parquet and return how many were written."""
    no_text = "cast(null as varchar)"
    expressions = [
        *((source.columns.get(name, no_text), name) for name in table.column_names),
        (source.extra or no_text, "_extra"),
        (source.unparsed_row or no_text, "_unparsed_row"),
        (sql.text(provenance.file_name), "_file_name"),
        (f"cast({source.row_number} as bigint)", "_row_number"),
        (f"timestamp {sql.text(provenance.first_seen_at.isoformat(sep=' '))}", "_first_seen_at"),
    ]
    select_list = ", ".join(f"{expression} as {sql.identifier(name)}" for expression, name in expressions)
    result = connection.execute(
        f"copy (select {select_list} from {source.relation}) to {sql.text(target)} (format parquet)"
    )
    return result.fetchall()[0][0]
