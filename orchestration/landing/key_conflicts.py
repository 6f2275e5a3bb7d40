"""Rows of one file that have the same key and are of different things: lines landed as orders, ids that were rounded.

The newest row of a key wins, which is right for versions and loses rows for anything else. So a file that has such rows
is told of.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable

from .masking import shown_key
from .values import business_day

_VERSION = "updated_at"


@dataclass(frozen=True)
class KeyConflicts:
    """How many keys of a file stand in rows of different things, in how many rows, and the first, fit to be shown."""

    keys: int = 0
    rows: int = 0
    example: str | None = None


def key_conflicts(
    connection: duckdb.DuckDBPyConnection, table: RawTable, landed: Path, business_timezone: str
) -> KeyConflicts:
    """Count the keys whose sound rows in a landing file cannot be versions of one thing.

    They differ in a required id, or in the business day of a required time; or, where `updated_at` does not tell which
    is newer, in a required amount.
    """
    differences = list(_differences(table, business_timezone))
    if not differences:
        return KeyConflicts()
    key = ", ".join(map(sql.identifier, table.key))
    found = connection.execute(
        f"""
        with
        sound as (
            select *, hash({key}) as key_hash
            from read_parquet({sql.file(landed)})
            where _failure is null
        ),
        -- numbers are grouped faster than texts, and few keys stand twice
        repeated as (
            select key_hash from sound group by key_hash having count(*) > 1
        )
        select count(*), coalesce(sum(key_rows), 0), arg_min(example, first_row)
        from (
            select count(*) as key_rows, min(_row_number) as first_row, arg_min(_row_key, _row_number) as example
            from sound
            where key_hash in (select key_hash from repeated)
            group by {key}
            having count(*) > 1 and ({" or ".join(differences)})
        )
        """
    )
    keys, rows, example = found.fetchall()[0]
    return KeyConflicts(keys, int(rows), None if example is None else shown_key(table, example))


def conflict_notices(file_name: str, table: RawTable, found: KeyConflicts) -> tuple[str, ...]:
    """A sentence about the file, where it has such keys."""
    if not found.keys:
        return ()
    key = " and ".join(table.key)
    keys = f"1 {key} stands" if found.keys == 1 else f"{found.keys:,} different values of {key} stand"
    return (
        f"{file_name}: {keys} in {found.rows:,} rows of different things (first: {found.example}), and only the newest "
        f"row of each key counts. See quality.key_conflicts. Lines of an order belong into order_items; ids that a "
        f"spreadsheet has rounded have to be exported again, as text.",
    )


def _differences(table: RawTable, business_timezone: str) -> Iterator[str]:
    """Conditions over the rows of a key."""
    needed = [column for column in table.columns if column.required and column.name not in table.key]
    for column in needed:
        name = sql.identifier(column.name)
        if column.is_id or column.data_type == "date":
            yield f"count(distinct {name}) > 1"
        elif column.data_type == "timestamp" and column.name != _VERSION:
            yield f"count(distinct {business_day(name, business_timezone)}) > 1"
    amounts = [f"count(distinct {sql.identifier(column.name)}) > 1" for column in needed if column.is_money]
    if amounts:
        versions = f"count(distinct {_VERSION})" if _VERSION in table.column_names else "0"
        yield f"({versions} < count(*) and ({' or '.join(amounts)}))"
