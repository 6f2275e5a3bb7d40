"""`make pictures`: the pictures of the README and the tutorial, taken of the boards of a published warehouse.

They show the sample company, so publish that first (`make run`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.engines.registry import load_engine
from orchestration.errors import BoardError, StickinessError
from orchestration.settings import ROOT, build_target, warehouse_folder
from tools.browser import Page, find_chromium, open_browser

FOLDER = ROOT / "docs" / "pictures"
LANGUAGES = ("en", "zh")
# a page of pictures should open on a slow line
MOST_BYTES = 150_000


@dataclass(frozen=True)
class Picture:
    """What one picture shows, in each language.

    Attributes:
        name: its file without language and ending.
        board: name of the page.
        size: width and height of the window.
        tile: the tile that is shown; None: what the window shows.
        choices: values that are chosen before, by the id of the filter.
    """

    name: str
    board: str
    size: tuple[int, int]
    tile: str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)


PICTURES = (
    Picture("overview", "index", (1280, 890)),
    Picture("nps_by_region", "satisfaction", (1280, 900), "nps_by_group", {"nps_by_group-dimension": "region"}),
    Picture("churn_reasons", "value", (1280, 900), "reasons", {"reasons-risk_band": "medium"}),
)


def file_of(picture: Picture, language: str, folder: Path = FOLDER) -> Path:
    """Where a picture stands."""
    return folder / f"{picture.name}_{language}.png"


def take(page: Page, boards: Path, picture: Picture, language: str) -> bytes:
    """One picture, as PNG.

    Raises:
        BoardError: the page has errors, or the picture is too large.
    """
    page.errors.clear()
    page.open(f"{(boards / f'{picture.board}.html').as_uri()}?lang={language}&theme=light", *picture.size)
    for control, value in picture.choices.items():
        page.choose(control, value)
    taken = page.picture(picture.tile and f"#tile-{picture.tile}")
    if page.errors:
        raise BoardError(f"The page {picture.board} of {boards} has errors, so no picture was kept: {page.errors}")
    if len(taken) > MOST_BYTES:
        raise BoardError(
            f"The picture {picture.name} ({language}) has {len(taken):,} bytes; expected at most {MOST_BYTES:,}. "
            f"Give it a smaller window in tools/pictures.py."
        )
    return taken


def main(folder: Path = FOLDER) -> int:
    """Take every picture, and replace those in the folder only if all are good."""
    program, boards = find_chromium(), load_engine(build_target(), warehouse_folder()).boards()
    if program is None:
        raise BoardError("No Chromium was found, which takes the pictures. Install it: apt-get install chromium")
    if boards is None:
        raise BoardError(f"No boards are published in {warehouse_folder()}. Publish the sample company: make run")
    with open_browser(program) as page:
        taken = {
            file_of(p, language, folder): take(page, boards, p, language) for p in PICTURES for language in LANGUAGES
        }
    folder.mkdir(exist_ok=True)
    for file, content in taken.items():
        file.write_bytes(content)
        print(f"{file}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StickinessError as error:
        sys.exit(str(error))
