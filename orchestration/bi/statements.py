"""The tables and views of the copy, as PostgreSQL spells them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from orchestration.bi.meanings import Meaning

_KINDS = {
    "bigint": "bigint",
    "boolean": "boolean",
    "date": "date",
    "double": "double precision",
    "float": "real",
    "hugeint": "numeric(38, 0)",
    "int": "integer",
    "integer": "integer",
    "smallint": "smallint",
    "string": "text",
    "timestamp": "timestamp with time zone",
    "timestamp with time zone": "timestamp with time zone",
    "tinyint": "smallint",
    "varchar": "text",
}
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


def kind(published: str) -> str:
    """The type of PostgreSQL for one of the published file; what it does not know becomes text."""
    name = published.lower()
    decimal = _DECIMAL.fullmatch(name)
    return f"numeric({decimal[1]}, {decimal[2]})" if decimal else _KINDS.get(name, "text")


def converter(published: str) -> Callable[[object], object] | None:
    """What makes a value of the file one of PostgreSQL; None where both have the same."""
    name = published.lower()
    if name == "timestamp":
        return _with_zone
    if kind(name) == "text":
        # a list or a struct, as a BI tool can read it
        return _json if name.endswith("]") or name.startswith("struct(") else _text
    return None


def _with_zone(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _text(value: object) -> object:
    # the one character that PostgreSQL has no place for
    return None if value is None else str(value).replace("\0", "\ufffd")


def _json(value: object) -> object:
    return None if value is None else _text(json.dumps(value, ensure_ascii=False, default=str))


def names(columns: Sequence[str]) -> Composed:
    """Columns in a list."""
    return SQL(", ").join(map(Identifier, columns))


def create_table(schema: str, table: str, columns: Mapping[str, str]) -> Composed:
    """A table with the columns of a published one."""
    typed = SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(kind(of))) for name, of in columns.items())
    return SQL("create table {} ({})").format(Identifier(schema, table), typed)


def primary_key(schema: str, table: str, key: Sequence[str]) -> Composed:
    """The key of a table."""
    return SQL("alter table {} add primary key ({})").format(Identifier(schema, table), names(key))


def copy_in(schema: str, table: str, columns: Sequence[str]) -> Composed:
    """What takes the rows of a table."""
    return SQL("copy {} ({}) from stdin").format(Identifier(schema, table), names(columns))


def comments(schema: str, relation: str, is_view: bool, text: str | None, columns: Mapping[str, str]) -> Composed:
    """What is shown beside a relation and its columns, as one statement after the other."""
    what, name = SQL("view" if is_view else "table"), Identifier(schema, relation)
    statements: list[Composable] = [SQL("comment on {} {} is {};").format(what, name, Literal(text or None))]
    for column, said in columns.items():
        place = Identifier(schema, relation, column)
        statements.append(SQL("comment on column {} is {};").format(place, Literal(said or None)))
    return SQL(" ").join(statements)


def view(schema: str, source: str, table: str, called: Mapping[str, str]) -> Composed:
    """A view of a table that gives columns these names."""
    selected = [SQL("{} as {}").format(Identifier(column), Identifier(name)) for column, name in called.items()]
    return SQL("create view {} as select {} from {}").format(
        Identifier(schema, table), SQL(", ").join(selected), Identifier(source, table)
    )


def aggregates_view(
    schema: str, source: str, table: str, columns: Sequence[str], meaning: Meaning, least_customers: int
) -> Composed:
    """A view of cells without those of few customers, and without the next smallest of their breakdown.

    The smaller cell alone could be told as the difference of the whole and the others.
    """
    sizes = SQL(", ").join(SQL("coalesce({}, 0)").format(Identifier(column)) for column in meaning.customers)
    partition = SQL("partition by {}").format(names(meaning.within)) if meaning.within else SQL("")
    is_small = SQL('"cell size" < {}').format(Literal(least_customers))
    and_smallness = SQL(", ").join([*map(Identifier, meaning.within), is_small])
    return SQL(
        "create view {view} with (security_barrier) as "
        'with sized as (select *, least({sizes}) as "cell size" from {table}), '
        'ranked as (select *, bool_or("cell size" < {least}) over ({partition}) as "has small cells", '
        'row_number() over (partition by {and_smallness} order by "cell size", {key}) as "place by size" from sized) '
        'select {columns} from ranked where "cell size" >= {least} and not ("has small cells" and "place by size" = 1)'
    ).format(
        view=Identifier(schema, table),
        sizes=sizes,
        table=Identifier(source, table),
        least=Literal(least_customers),
        partition=partition,
        and_smallness=and_smallness,
        key=names(meaning.key or columns),
        columns=names(columns),
    )
