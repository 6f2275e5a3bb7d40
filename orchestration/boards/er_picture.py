"""The picture of tables and the keys between them: where each box stands and how each line runs; a template draws it.

Columns from the left: tables that refer to others, those that are referred to (customers and orders above the rest),
tables that refer to both of these and codes, the codes, and tables that refer to codes alone. Lines therefore run
between neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestration.boards.keys import ForeignKey

_WIDTH, _GAP = 192, 44
_HEAD, _ROW, _BELOW = 26, 18, 14
_HEADING = 26
_MARGIN = 10
# how far a line between boxes of one column leaves it
_BULGE = 36
_FIRST = ("customers", "orders")


@dataclass(frozen=True)
class PictureTable:
    """What the picture needs to know of a table."""

    group: str
    key: Sequence[str]
    is_codes: bool = False


@dataclass(frozen=True)
class Row:
    """A column of a table in its box, `y` the middle of its line."""

    name: str
    y: int
    is_key: bool
    is_foreign: bool


@dataclass(frozen=True)
class Box:
    """A table."""

    name: str
    x: int
    y: int
    height: int
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """The line of a column."""
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True)
class Heading:
    """The name of a group above its boxes."""

    group: str
    x: int
    y: int


@dataclass(frozen=True)
class Line:
    """A foreign key, from the column that refers to the one that is referred to."""

    key: ForeignKey
    path: str


@dataclass(frozen=True)
class Picture:
    """Everything to be drawn, in pixels."""

    width: int
    height: int
    box_width: int
    headings: tuple[Heading, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(keys: Sequence[ForeignKey], tables: Mapping[str, PictureTable], groups: Sequence[str]) -> Picture:
    """The picture of the tables that take part in a key.

    Args:
        keys: the foreign keys.
        tables: all tables of the keys, by name.
        groups: the groups, in the order in which they stand below each other.
    """
    headings, boxes, x, height = [], {}, _MARGIN, 0
    for names in _columns(keys, tables):
        if not names:
            continue
        y, above = _MARGIN, None
        for name in sorted(names, key=lambda name: _place(name, tables[name], groups)):
            group = tables[name].group
            if group != above:
                headings.append(Heading(group, x, y + _HEADING - 10))
                y, above = y + _HEADING, group
            boxes[name] = _box(name, x, y, tables[name].key, keys)
            y += boxes[name].height + _BELOW
        height = max(height, y)
        x += _WIDTH + _GAP
    lines = tuple(Line(key, _path(boxes[key.table], boxes[key.to], key)) for key in keys)
    return Picture(x - _GAP + _BULGE + _MARGIN, height, _WIDTH, tuple(headings), tuple(boxes.values()), lines)


def _columns(keys: Sequence[ForeignKey], tables: Mapping[str, PictureTable]) -> Iterator[list[str]]:
    codes = {name for key in keys for name in (key.table, key.to) if tables[name].is_codes}
    referred = {key.to for key in keys} - codes
    to_tables = {key.table for key in keys if key.to not in codes} - referred - codes
    to_codes = {key.table for key in keys if key.to in codes} - referred - codes
    for names in (to_tables - to_codes, referred, to_tables & to_codes, codes, to_codes - to_tables):
        yield list(names)


def _place(name: str, table: PictureTable, groups: Sequence[str]) -> tuple[int, int, int, str]:
    order = groups.index(table.group) if table.group in groups else len(groups)
    return (
        0 if name in _FIRST else 1,
        order,
        _FIRST.index(name) if name in _FIRST else len(_FIRST),
        name,
    )


def _box(name: str, x: int, y: int, key: Sequence[str], keys: Sequence[ForeignKey]) -> Box:
    foreign = {found.column for found in keys if found.table == name}
    referred = {found.to_column for found in keys if found.to == name}
    names = [*key, *sorted((foreign | referred) - set(key))]
    rows = tuple(
        Row(column, y + _HEAD + place * _ROW + _ROW // 2, column in key, column in foreign)
        for place, column in enumerate(names)
    )
    return Box(name, x, y, _HEAD + len(names) * _ROW + 4, rows)


def _path(table: Box, to: Box, key: ForeignKey) -> str:
    """A curve from side to side, or around the outside between boxes of one column."""
    begin, end = table.row(key.column).y, to.row(key.to_column).y
    if table.x == to.x:
        side = table.x + _WIDTH
        return f"M {side} {begin} C {side + _BULGE} {begin} {side + _BULGE} {end} {side} {end}"
    left, right = (table.x + _WIDTH, to.x) if table.x < to.x else (table.x, to.x + _WIDTH)
    middle = (left + right) // 2
    return f"M {left} {begin} C {middle} {begin} {middle} {end} {right} {end}"
