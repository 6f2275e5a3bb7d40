"""Boards as HTML: the page, and the data that its script reads, escaped wherever a value of somebody else's stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from orchestration.boards.charts import Shown, specification
from orchestration.boards.grammar import LANGUAGES, Board, Text, Tile
from orchestration.boards.labels import MartLabels, format_of, label_of
from orchestration.boards.queries import Answer, Column, coded
from orchestration.boards.strings import STRINGS

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
# what ends a script, opens a comment, or ends a line of JavaScript
_IN_SCRIPT = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Site:
    """What every page says of the publication."""

    company: str
    currency: str
    as_of: str
    published_at: str
    publication_id: str
    code_version: str


@dataclass(frozen=True)
class Link:
    """A board in the navigation."""

    href: str
    title: Text


def script_json(value: Any) -> str:
    """A value as JSON that can stand inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(str.maketrans(_IN_SCRIPT))


def board_page(
    board: Board,
    answers: Mapping[str, Answer],
    labels: MartLabels,
    site: Site,
    links: Sequence[Link],
    here: str,
    table_links: Mapping[str, str] | None = None,
) -> str:
    """The page of a board.

    Args:
        board: the board.
        answers: the answer of each query, by its text.
        labels: labels of the columns of marts.
        site: what the page says of the publication.
        links: every board of the site.
        here: the href of this one.
        table_links: where the reference tells of a table, by its name.

    Raises:
        BoardError: a column has no label.
    """
    place_of = {query: place for place, query in enumerate(dict.fromkeys(tile.query for tile in board.tiles))}
    data = {
        "name": board.name,
        "title": board.title,
        "currency": site.currency,
        "filters": [asdict(a_filter) for a_filter in board.filters],
        "filterLabels": _filter_labels(board, answers, labels),
        "sets": [_data_set(answers[query]) for query in place_of],
        "tiles": [_tile(board.name, tile, answers[tile.query], place_of[tile.query], labels) for tile in board.tiles],
    }
    values = {"board": board, "data": script_json(data), "table_links": table_links or {}}
    return render("board.html", **values, site=site, links=links, here=here)


def error_page(name: str, message: str, site: Site, links: Sequence[Link], here: str) -> str:
    """The page that stands in for a board that could not be made."""
    return render("error.html", name=name, message=message, site=site, links=links, here=here)


def _data_set(answer: Answer) -> dict[str, Any]:
    """The rows of an answer; a code and its labels are one cell, the place of the three in a list of them."""
    names = answer.names()
    codes: dict[str, list[list[Any]]] = {name: [] for name in coded(names)}
    labels = _label_columns(names)
    columns = [name for name in names if name not in labels]
    seen: dict[str, dict[tuple[Any, ...], int]] = {name: {} for name in codes}
    rows = []
    for row in answer.rows:
        values = dict(zip(names, row, strict=True))
        for name in codes:
            triple = (values[name], *(values[f"{name}_{language}"] for language in LANGUAGES))
            if triple not in seen[name]:
                seen[name][triple] = len(codes[name])
                codes[name].append(list(triple))
            values[name] = seen[name][triple]
        rows.append([values[name] for name in columns])
    return {"columns": columns, "codes": codes, "rows": rows}


def _label_columns(names: list[str]) -> set[str]:
    """The columns that only say what the codes of another one are called."""
    return {f"{name}_{language}" for name in coded(names) for language in LANGUAGES}


def _tile(board: str, tile: Tile, answer: Answer, place: int, labels: MartLabels) -> dict[str, Any]:
    names = answer.names()
    hidden = _label_columns(names)
    columns = [column for column in answer.columns if column.name not in hidden]
    # a column with labels is what they say, whatever its codes are
    columns = [Column(column.name, "text") if column.name in coded(names) else column for column in columns]
    formats = {column.name: format_of(tile, column) for column in columns}
    shown = Shown({column.name: column.kind for column in columns}, formats)
    return {
        "id": tile.id,
        "kind": tile.kind,
        "title": tile.title,
        "set": place,
        "roles": tile.roles,
        "bars": tile.bars,
        "better": tile.better,
        "small": tile.small,
        "filters": [asdict(a_filter) for a_filter in tile.filters],
        "columns": {
            column.name: {
                "label": label_of(board, tile, column.name, labels),
                "format": formats[column.name],
                "kind": column.kind,
            }
            for column in columns
        },
        "spec": specification(tile, shown),
    }


def _filter_labels(board: Board, answers: Mapping[str, Answer], labels: MartLabels) -> dict[str, Text]:
    """The label of each filter of the board: that of the first tile which has the column."""
    found = {}
    for a_filter in board.filters:
        for tile in board.tiles:
            if a_filter.column in answers[tile.query].names():
                found.setdefault(a_filter.column, label_of(board.name, tile, a_filter.column, labels))
    return found


def render(template: str, **values: Any) -> str:
    """A page of a template, every value escaped that is no JSON of `script_json`."""
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    strings = {name: dict(zip(LANGUAGES, both, strict=True)) for name, both in STRINGS.items()}
    environment.globals.update(strings=strings, strings_json=script_json(strings))
    return environment
