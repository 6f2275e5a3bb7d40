"""The site of a version: a page for each board file, and what all pages share. A board that fails becomes its error."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from orchestration.boards.grammar import Board, board_files, read_board
from orchestration.boards.labels import MartLabels
from orchestration.boards.pages import STATIC, Link, Site, board_page, error_page
from orchestration.boards.queries import Answer, ask, check, open_published
from orchestration.boards.reference import REFERENCE, REFERENCE_PAGE, TITLE, Facts, read_tables, reference_page
from orchestration.errors import BoardError, StickinessError

INDEX = "index.html"
ASSETS = "assets"
VEGA = "vega.js"


@dataclass(frozen=True)
class Boards:
    """How the boards of a publication are made.

    Attributes:
        folders: where board files are.
        labels: labels of the columns of marts.
        facts: what the reference of tables says beside the dictionary; None: there is no reference.
    """

    folders: tuple[Path, ...]
    labels: MartLabels
    facts: Facts | None = None


def render_site(database: Path, folder: Path, boards: Boards, site: Site) -> list[str]:
    """Write the boards of a published database file to a folder; return what went wrong, for a person.

    Raises:
        OSError: a page cannot be written.
    """
    folder.mkdir(parents=True)
    warnings = []
    pages = []
    paths = board_files(*boards.folders)
    for place, path in enumerate(paths):
        if path.stem == REFERENCE:
            warnings.append(f"board {REFERENCE}: {path.name} has the name of the page of tables; rename the file")
            continue
        try:
            _check_name(path, paths[:place])
            pages.append((path, read_board(path)))
        except BoardError as error:
            pages.append((path, str(error)))
    pages.sort(key=lambda page: (page[1].order if isinstance(page[1], Board) else 1_000, page[0].stem))
    links: list[Link] = []
    for path, board in pages:
        links.append(_link(path, board, {link.href.lower() for link in links}))
    table_links = {}
    if boards.facts is not None:
        links.append(Link(REFERENCE_PAGE, TITLE))
        table_links = {name: f"{REFERENCE_PAGE}#{name}" for name in boards.facts.tables}
        warnings += _write_reference(database, folder, boards.facts, site, links)
    for link, (path, board) in zip(links, pages, strict=False):
        try:
            if isinstance(board, str):
                raise BoardError(board)
            text = board_page(board, _answers(database, board), boards.labels, site, links, link.href, table_links)
        # whatever is wrong with a board, the data is published
        except Exception as error:
            told = _told(path.name, error)
            warnings.append(f"board {path.stem}: {told}")
            text = error_page(path.stem, told, site, links, link.href)
        (folder / link.href).write_text(text, encoding="utf-8")
    _write_assets(folder / ASSETS)
    return warnings


def _write_reference(database: Path, folder: Path, facts: Facts, site: Site, links: Sequence[Link]) -> list[str]:
    """Write the page of the tables, or one with the error, which is returned."""
    warnings = []
    try:
        text = reference_page(read_tables(database, facts), facts, site, links)
    except Exception as error:
        warnings.append(f"{REFERENCE}: {_told(REFERENCE_PAGE, error)}")
        text = error_page(REFERENCE, _told(REFERENCE_PAGE, error), site, links, REFERENCE_PAGE)
    (folder / REFERENCE_PAGE).write_text(text, encoding="utf-8")
    return warnings


def _told(where: str, error: Exception) -> str:
    return str(error) if isinstance(error, StickinessError) else f"{where}: {type(error).__name__}: {error}"


def _check_name(path: Path, before: Sequence[Path]) -> None:
    """BoardError if the page of a board would take the place of another, also where case makes no difference."""
    stem = path.stem.lower()
    if f"{stem}.html" == INDEX:
        raise BoardError(f"{path.name}: {INDEX} is the page of the first board; expected another name. Rename {path}.")
    same = next((other for other in before if other.stem.lower() == stem), None)
    if same is not None:
        raise BoardError(f"{path.name}: {same} is a board of this name; expected another name. Rename {path}.")


def _link(path: Path, board: Board | str, taken: Collection[str]) -> Link:
    title = board.title if isinstance(board, Board) else {"en": path.stem, "zh": path.stem}
    name, number = path.stem, 1
    while f"{name}.html".lower() in taken:
        number += 1
        name = f"{path.stem}-{number}"
    return Link(f"{name}.html" if taken else INDEX, title)


def _answers(database: Path, board: Board) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    with open_published(database) as connection:
        for tile in board.tiles:
            if tile.query in answers:
                check(board.name, tile, answers[tile.query])
            else:
                answers[tile.query] = ask(connection, board.name, tile)
    return answers


def _write_assets(folder: Path) -> None:
    folder.mkdir()
    for name in ("boards.js", "reference.js", "boards.css"):
        shutil.copyfile(STATIC / name, folder / name)
    write_vega(folder / VEGA)


def write_vega(place: Path) -> None:
    """Write Vega, Vega-Lite and vega-embed as one script. Making it takes seconds, so it is kept beside the package."""
    kept = Path(sys.prefix) / "share" / "stickiness" / f"vega-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError):
        shutil.copyfile(kept, place)
        return
    import vl_convert

    place.write_text(vl_convert.javascript_bundle(), encoding="utf-8")
    # where the environment cannot be written to, it is made each time
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}.tmp")
        shutil.copyfile(place, unfinished)
        os.replace(unfinished, kept)
