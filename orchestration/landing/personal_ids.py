"""Ids of customers that are e-mail addresses or phone numbers, and so would stand in every mart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable

from .masking import LOOKS_PERSONAL, is_hashed


@dataclass(frozen=True)
class PersonalIds:
    """How many ids of customers a file has, and how many of them are an address or a number."""

    ids: int = 0
    personal: int = 0


def personal_ids(
    connection: duckdb.DuckDBPyConnection, table: RawTable, landed: Path, id_key: str | None
) -> PersonalIds:
    """Count them in the sound rows of a landing file; none are where ids are hashed."""
    # the columns whose ids are hashed where there is a key
    columns = [sql.identifier(column.name) for column in table.columns if is_hashed(column, "")]
    if id_key is not None or not columns:
        return PersonalIds()
    ids = " + ".join(f"count({column})" for column in columns)
    personal = " + ".join(f"count(*) filter ({LOOKS_PERSONAL}({column}))" for column in columns)
    query = f"select {ids}, {personal} from read_parquet({sql.file(landed)}) where _failure is null"
    return PersonalIds(*connection.execute(query).fetchall()[0])


def personal_id_notices(found: Iterable[tuple[str, PersonalIds]]) -> Iterator[str]:
    """A warning for each table whose files, given with its name, have such ids."""
    tables: dict[str, PersonalIds] = {}
    for table, counted in found:
        before = tables.get(table, PersonalIds())
        tables[table] = PersonalIds(before.ids + counted.ids, before.personal + counted.personal)
    for table, counted in tables.items():
        if counted.personal:
            yield (
                f"warning: {counted.personal:,} of {counted.ids:,} ids of customers in {table} "
                f"({counted.personal / counted.ids:.1%}) look like e-mail addresses or phone numbers, and marts "
                f"publish ids. Export ids that are nobody's address, or set hash_customer_ids: true in company.yml."
            )
