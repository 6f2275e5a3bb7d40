"""What a board file may say: read and checked before any query runs. docs/boards.md tells the same to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import BoardError, shown

LANGUAGES = ("en", "zh")
FORMATS = ("percent", "integer", "number", "decimal", "score", "money", "date", "month", "quarter", "text", "figure")
WIDTHS = ("third", "half", "full")
DEFAULT_SMALL = 30
SUFFIX = ".yml"


@dataclass(frozen=True)
class Kind:
    """A chart of the vocabulary: the roles that columns play in it."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    width: str = "half"


_INTERVAL = ("low", "high")
KINDS = {
    "kpi": Kind(("value",), (*_INTERVAL, "n", "period", "mature", "target"), "third"),
    "line": Kind(("x", "y"), (*_INTERVAL, "series", "n", "mature", "target")),
    "bars": Kind(("category", "y"), (*_INTERVAL, "n", "mature", "target")),
    "area": Kind(("x", "y", "series"), ("n", "mature"), "full"),
    "heat": Kind(("x", "y", "value"), ("n", "mature"), "full"),
    "survival": Kind(("x", "y"), (*_INTERVAL, "series", "n")),
    "funnel": Kind(("stage", "y"), ("n",)),
    "distribution": Kind(("x", "y"), ("series", "n")),
    "calibration": Kind(("predicted", "observed"), (*_INTERVAL, "series", "n")),
    "forest": Kind(("category", "effect"), (*_INTERVAL, "n", "mature")),
    "table": Kind((), ("n", "mature"), "full"),
}
# what a chart takes beside columns
OPTIONS = {"better": ("up", "down")}

Text = Mapping[str, str]
"""The same text by language."""


@dataclass(frozen=True)
class Filter:
    """A control of the page: one value of a column, or a range of it from one value to another."""

    column: str
    kind: str
    default: str | None = None


@dataclass(frozen=True)
class Tile:
    """A query on published marts and the chart that shows its rows."""

    id: str
    title: Text
    text: Text
    marts: tuple[str, ...]
    query: str
    kind: str
    roles: Mapping[str, str | float]
    bars: tuple[str, ...] = ()
    better: str = "up"
    filters: tuple[Filter, ...] = ()
    labels: Mapping[str, Text] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    small: int = DEFAULT_SMALL
    width: str = "half"


@dataclass(frozen=True)
class Board:
    """A page of tiles."""

    name: str
    title: Text
    text: Text
    tiles: tuple[Tile, ...]
    order: int = 100
    filters: tuple[Filter, ...] = ()


def board_files(*folders: Path) -> list[Path]:
    """The board files of the folders that there are, by name; of one name, that of the earlier folder first."""
    paths = [path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return sorted(paths, key=lambda path: path.name.lower())


def read_board(path: Path) -> Board:
    """Read a board file.

    Raises:
        BoardError: it is no board; the message names the file, the tile, what was found and what was expected.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BoardError(f"{path.name} cannot be read as YAML: {shown(str(error), 300)}") from error
    return _Reader(path.name).board(path.stem, content)


class _Reader:
    """Turns the content of one file into a board; knows where it is, so that an error can say so."""

    def __init__(self, where: str) -> None:
        self._where = where

    def board(self, name: str, content: Any) -> Board:
        """The board that the content describes."""
        found = self._mapping(content, "the file", ("title", "text", "tiles"), ("order", "filters"))
        tiles = tuple(self._tile(entry, place) for place, entry in enumerate(self._list(found["tiles"], "tiles"), 1))
        ids = [tile.id for tile in tiles]
        for tile_id in ids:
            if ids.count(tile_id) > 1:
                self._fail(f"the tile id {tile_id} stands {ids.count(tile_id)} times", "each id once")
        return Board(
            name=name,
            title=self._text(found["title"], "title"),
            text=self._text(found["text"], "text"),
            tiles=tiles,
            order=self._whole(found.get("order", 100), "order"),
            filters=self._filters(found.get("filters", [])),
        )

    def _tile(self, content: Any, place: int) -> Tile:
        name = content.get("id") if isinstance(content, dict) else None
        inner = _Reader(f"{self._where}, tile {name if isinstance(name, str) else place}")
        return inner._checked_tile(content)

    def _checked_tile(self, content: Any) -> Tile:
        needed, allowed = ("id", "title", "text", "marts", "query", "chart"), ("filters", "labels", "formats", "small")
        found = self._mapping(content, "the tile", needed, (*allowed, "width"))
        kind, roles, options = self._chart(found["chart"])
        width = found.get("width", KINDS[kind].width)
        self._one_of(width, WIDTHS, "width")
        formats = self._mapping(found.get("formats", {}), "formats")
        for column, wanted in formats.items():
            self._one_of(wanted, FORMATS, f"the format of {column}")
        labels = self._mapping(found.get("labels", {}), "labels")
        return Tile(
            id=self._name(found["id"], "id"),
            title=self._text(found["title"], "title"),
            text=self._text(found["text"], "text"),
            marts=tuple(self._name(mart, "a mart") for mart in self._list(found["marts"], "marts")),
            query=self._query(found["query"]),
            kind=kind,
            roles=roles,
            filters=self._filters(found.get("filters", [])),
            labels={column: self._text(label, f"the label of {column}") for column, label in labels.items()},
            formats=formats,
            small=self._whole(found.get("small", DEFAULT_SMALL), "small"),
            width=width,
            **options,
        )

    def _chart(self, content: Any) -> tuple[str, dict[str, str | float], dict[str, Any]]:
        if not isinstance(content, dict) or "kind" not in content:
            self._fail(f"chart is {_seen(content)}", f"a mapping with kind, one of {', '.join(KINDS)}")
        self._one_of(content["kind"], tuple(KINDS), "chart kind")
        kind = KINDS[content["kind"]]
        extra = ("bars",) if content["kind"] == "table" else ("better",) if content["kind"] == "kpi" else ()
        found = self._mapping(content, "chart", ("kind", *kind.required), (*kind.optional, *extra))
        roles = {}
        for role in (*kind.required, *kind.optional):
            if role in found:
                number = role == "target" and type(found[role]) in (int, float)
                roles[role] = float(found[role]) if number else self._name(found[role], role)
        if ("low" in roles) != ("high" in roles):
            self._fail("an interval with one end", "low and high, or neither")
        options: dict[str, Any] = {}
        if "bars" in found:
            options["bars"] = tuple(self._name(column, "bars") for column in self._list(found["bars"], "bars"))
        if "better" in found:
            self._one_of(found["better"], OPTIONS["better"], "better")
            options["better"] = found["better"]
        return content["kind"], roles, options

    def _filters(self, content: Any) -> tuple[Filter, ...]:
        filters = []
        for entry in self._list(content, "filters"):
            found = self._mapping(entry, "a filter", (), ("select", "range", "default"))
            kinds = [kind for kind in ("select", "range") if kind in found]
            if len(kinds) != 1:
                self._fail(f"a filter with {' and '.join(kinds) or 'neither select nor range'}", "one of select, range")
            if kinds[0] == "range" and "default" in found:
                self._fail("a range with a default", "a range alone; it begins with everything")
            default = found.get("default")
            column = self._name(found[kinds[0]], kinds[0])
            filters.append(Filter(column, kinds[0], None if default is None else str(default)))
        return tuple(filters)

    def _query(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip().lower().startswith(("select", "with")):
            self._fail(f"query is {_seen(value)}", "one SELECT on tables of marts or quality")
        return value.strip().rstrip(";")

    def _text(self, value: Any, what: str) -> Text:
        found = self._mapping(value, what, LANGUAGES)
        for language in LANGUAGES:
            if not isinstance(found[language], str) or not found[language].strip():
                self._fail(f"{what} in {language} is {_seen(found[language])}", "a text")
        return {language: " ".join(found[language].split()) for language in LANGUAGES}

    def _mapping(
        self, value: Any, what: str, needed: Sequence[str] = (), allowed: Sequence[str] | None = None
    ) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            self._fail(f"{what} is {_seen(value)}", "a mapping")
        missing = [key for key in needed if key not in value]
        if missing:
            self._fail(f"{what} lacks {', '.join(missing)}", f"{', '.join(needed)}")
        known = (*needed, *(allowed or ()))
        unknown = [key for key in value if key not in known]
        if unknown and known:
            self._fail(f"{what} has {_seen(unknown[0])}", f"only {', '.join(known)}")
        return value

    def _list(self, value: Any, what: str) -> list[Any]:
        if not isinstance(value, list):
            self._fail(f"{what} is {_seen(value)}", "a list")
        return value

    def _name(self, value: Any, what: str) -> str:
        if not isinstance(value, str) or not value.isidentifier():
            self._fail(f"{what} is {_seen(value)}", "a name of letters, digits and _")
        return value

    def _whole(self, value: Any, what: str) -> int:
        if type(value) is not int or value < 0:
            self._fail(f"{what} is {_seen(value)}", "a whole number, not below 0")
        return value

    def _one_of(self, value: Any, known: Sequence[str], what: str) -> None:
        if value not in known:
            self._fail(f"{what} is {_seen(value)}", f"one of {', '.join(known)}")

    def _fail(self, found: str, expected: str) -> None:
        raise BoardError(f"{self._where}: {found}; expected {expected}.")


def _seen(value: Any) -> str:
    return shown(str(value), 80) if value is not None else "empty"
