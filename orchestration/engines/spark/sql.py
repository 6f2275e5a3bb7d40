"""Names and values as Spark SQL spells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_KINDS = {"VARCHAR": "string", "BIGINT": "bigint", "TIMESTAMP": "timestamp", "DATE": "date", "DOUBLE": "double"}


def identifier(*parts: str) -> str:
    """A quoted name; several parts are joined by dots: `identifier("marts", "orders")`."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def text(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def kind(duckdb_kind: str) -> str:
    """What Spark calls a type that DuckDB calls `VARCHAR`, `DECIMAL(18, 6)` and so on."""
    return _KINDS.get(duckdb_kind, duckdb_kind.lower())


def rows(kinds: Mapping[str, str], values: Sequence[tuple[object, ...]]) -> str:
    """A query that yields the rows, in columns of these names and types (as DuckDB calls them).

    Numbers, days and moments (UTC, no zone) are given as Python has them.
    """
    names = ", ".join(identifier(name) for name in kinds)
    typed = ", ".join(
        f"cast({identifier(name)} as {kind(given)}) as {identifier(name)}" for name, given in kinds.items()
    )
    if not values:
        nulls = ", ".join("null" for _ in kinds)
        return f"select {typed} from values ({nulls}) as given({names}) where false"
    lines = ", ".join("(" + ", ".join(_value(value) for value in row) + ")" for row in values)
    return f"select {typed} from values {lines} as given({names})"


def _value(value: object) -> str:
    # as text, which the cast around the column reads exactly: a float of Spark's own would be rounded first
    return "null" if value is None else text(str(value))


def path(folder: str) -> str:
    """A path or URI to be read, and only it: Spark takes `*`, `{` and some others for patterns."""
    return "".join("\\" + character if character in "\\*?[]{}," else character for character in folder)
