"""Names and texts as DuckDB SQL spells them."""

from collections.abc import Iterable
from pathlib import Path


def identifier(*parts: str) -> str:
    """A quoted name; several parts are joined by dots: `identifier("marts", "orders")` is `"marts"."orders"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def text(value: str | Path) -> str:
    """A text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def text_list(values: Iterable[str | Path]) -> str:
    """A list of text literals."""
    return "[" + ", ".join(text(value) for value in values) + "]"
