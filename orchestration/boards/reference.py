"""The reference of the published tables: what each one and each of its columns means, and which refers to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.boards.er_picture import Picture, PictureTable, draw
from orchestration.boards.grammar import LANGUAGES, Text
from orchestration.boards.keys import ForeignKey, foreign_keys
from orchestration.boards.pages import Link, Site, render, script_json
from orchestration.boards.queries import open_catalog
from orchestration.boards.strings import GROUPS, STRINGS
from orchestration.dbt_project import published_models
from orchestration.dictionary import describe_published
from orchestration.publishing import LABELS

REFERENCE = "reference"
REFERENCE_PAGE = f"{REFERENCE}.html"
TITLE: Text = dict(zip(LANGUAGES, STRINGS["reference"], strict=True))

_COLUMNS = """
    select
        columns.schema_name,
        columns.table_name,
        columns.column_name,
        coalesce(dictionary.data_type, lower(columns.data_type)),
        dictionary.label_en,
        dictionary.label_zh,
        dictionary.definition,
        dictionary.grain,
        dictionary.unit,
        dictionary.key_position
    from duckdb_columns() as columns
    left join quality.dictionary as dictionary
        on columns.table_name = dictionary.mart and columns.column_name = dictionary.column_name
    where columns.database_name = 'published' and not columns.internal
    order by columns.schema_name, columns.table_name, columns.column_index
"""


@dataclass(frozen=True)
class TableFacts:
    """What the project says of a table beside its columns; a table of labels has no label itself."""

    group: str
    definition: str
    label: Text | None = None


@dataclass(frozen=True)
class Facts:
    """What the project says of its tables, by name, and of the keys between them."""

    tables: Mapping[str, TableFacts]
    keys: Sequence[ForeignKey] = ()


@dataclass(frozen=True)
class ReferenceColumn:
    """A published column; None where nobody says it."""

    name: str
    data_type: str
    label: Text | None
    definition: str | None
    unit: str | None
    key_position: int | None


@dataclass(frozen=True)
class ReferenceTable:
    """A published table, with its columns in their order."""

    schema: str
    name: str
    grain: str | None
    facts: TableFacts
    columns: list[ReferenceColumn] = field(default_factory=list)

    def key(self) -> list[str]:
        """The columns of the primary key, in their order."""
        places = [(column.key_position, column.name) for column in self.columns if column.key_position is not None]
        return [name for _, name in sorted(places)]


def table_facts(manifest: Mapping[str, Any], currency: str) -> Facts:
    """What the project says of the tables that it publishes."""
    groups = {
        table: str(manifest["nodes"][unique_id].get("group") or table[0])
        for unique_id, table in published_models(manifest).items()
    }
    tables = {
        table[1]: TableFacts(
            group=groups.get(table, table[0]),
            definition=described.definition,
            label=_both(described.label_en, described.label_zh),
        )
        for table, described in describe_published(manifest, currency).items()
    }
    return Facts(tables, foreign_keys(manifest))


def read_tables(database: Path, facts: Facts) -> list[ReferenceTable]:
    """The tables of a published file, by schema and name.

    Raises:
        BoardError: the file cannot be read, or has no dictionary.
    """
    tables: dict[tuple[str, str], ReferenceTable] = {}
    with open_catalog(database) as connection:
        rows = connection.execute(_COLUMNS).fetchall()
    for schema, name, column, data_type, label_en, label_zh, definition, grain, unit, key_position in rows:
        told = facts.tables.get(name, TableFacts(schema, ""))
        table = tables.setdefault((schema, name), ReferenceTable(schema, name, grain, told))
        label = _both(label_en, label_zh)
        table.columns.append(ReferenceColumn(column, data_type, label, definition, unit, key_position))
    return list(tables.values())


def reference_page(tables: Sequence[ReferenceTable], facts: Facts, site: Site, links: Sequence[Link]) -> str:
    """The page of the tables.

    Args:
        tables: the published tables.
        facts: what the project says of them.
        site: what the page says of the publication.
        links: every page of the site.
    """
    by_group = _by_group(tables)
    keys = _published_keys(tables, facts.keys)
    data = {
        "title": TITLE,
        # the page has neither charts nor filters; the script of the boards has its language and colours
        **{"filters": [], "filterLabels": {}, "sets": [], "tiles": []},
    }
    return render(
        "reference.html",
        title=TITLE,
        groups=by_group,
        group_titles={group: _group_title(group) for group in by_group},
        columns=sum(len(table.columns) for table in tables),
        tables=len(tables),
        keys=keys,
        keys_of={(key.table, key.column): key for key in keys},
        picture=_picture(tables, keys),
        units={unit.removeprefix("unit_"): unit for unit in STRINGS if unit.startswith("unit_")},
        data=script_json(data),
        site=site,
        links=links,
        here=REFERENCE_PAGE,
    )


def _by_group(tables: Sequence[ReferenceTable]) -> dict[str, list[ReferenceTable]]:
    """The tables of each group: the groups of the project in their order, then those of the company's own."""
    found = {table.facts.group for table in tables}
    order = [*(group for group in GROUPS if group in found), *sorted(found - set(GROUPS))]
    return {group: [table for table in tables if table.facts.group == group] for group in order}


def _group_title(group: str) -> Text:
    return dict(zip(LANGUAGES, GROUPS.get(group, (group, group)), strict=True))


def _published_keys(tables: Sequence[ReferenceTable], keys: Sequence[ForeignKey]) -> list[ForeignKey]:
    """The keys both ends of which are published."""
    columns = {(table.name, column.name) for table in tables for column in table.columns}
    return [key for key in keys if {(key.table, key.column), (key.to, key.to_column)} <= columns]


def _picture(tables: Sequence[ReferenceTable], keys: Sequence[ForeignKey]) -> Picture:
    known = {table.name: PictureTable(table.facts.group, table.key(), table.schema == LABELS) for table in tables}
    return draw(keys, known, list(GROUPS))


def _both(label_en: str | None, label_zh: str | None) -> Text | None:
    return {"en": label_en, "zh": label_zh} if label_en and label_zh else None
