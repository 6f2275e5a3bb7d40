"""Names and texts as DuckDB SQL spells them."""

import glob
from collections.abc import Iterable
from pathlib import Path


def identifier(*parts: str) -> str:
    """A quoted name; several parts are joined by dots: `identifier("marts", "orders")` is `"marts"."orders"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def text(value: str | Path) -> str:
    """A text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def file(path: Path) -> str:
    """A literal for a file to be read, and only it: DuckDB takes `*`, `?` and `[` in a path for a pattern."""
    return text(glob.escape(str(path)))


def file_list(paths: Iterable[Path]) -> str:
    """A list of files to be read."""
    return "[" + ", ".join(file(path) for path in paths) + "]"
