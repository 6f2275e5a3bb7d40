"""The form of a landing Parquet file: what a reader of any engine finds in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable

# what stands in every landing file behind the columns of the contract, which are all VARCHAR
LANDED_COLUMNS = {
    "_extra": "VARCHAR",
    "_unparsed_row": "VARCHAR",
    "_file_name": "VARCHAR",
    "_row_number": "BIGINT",
    "_first_seen_at": "TIMESTAMP",
}


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


def landing_columns(table: RawTable) -> dict[str, str]:
    """The columns of a landing file of the table, in their order, with their types."""
    return dict.fromkeys(table.column_names, "VARCHAR") | LANDED_COLUMNS


def write_landing_file(
    connection: duckdb.DuckDBPyConnection, table: RawTable, source: RowSource, provenance: Provenance, target: Path
) -> int:
    """Write the rows as landing Parquet and return how many were written."""
    beside = {
        "_extra": source.extra,
        "_unparsed_row": source.unparsed_row,
        "_file_name": sql.text(provenance.file_name),
        "_row_number": source.row_number,
        "_first_seen_at": sql.text(provenance.first_seen_at.isoformat(sep=" ")),
    }
    expressions = {name: source.columns.get(name) for name in table.column_names} | beside
    select_list = ", ".join(
        f"cast({expressions[name] or 'null'} as {kind}) as {sql.identifier(name)}"
        for name, kind in landing_columns(table).items()
    )
    result = connection.execute(
        f"copy (select {select_list} from {source.relation}) to {sql.text(target)} (format parquet)"
    )
    return result.fetchall()[0][0]
