"""What a publication calls to have its boards beside its tables, whatever becomes of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.dbt_project import CUSTOM_FOLDER
from orchestration.errors import shown
from orchestration.publishing import BOARDS_FOLDER, Beside, Publication
from orchestration.settings import Settings


def board_writer(settings: Settings, manifest: Mapping[str, Any], warnings: list[str]) -> Beside:
    """A function that writes the boards of a version into its folder, and appends to `warnings` what went wrong."""

    def write(folder: Path, database: Path, publication: Publication) -> None:
        try:
            warnings.extend(_write(folder / BOARDS_FOLDER, database, publication, settings, manifest))
        # the data is published without boards sooner than not at all
        except Exception as error:
            shutil.rmtree(folder / BOARDS_FOLDER, ignore_errors=True)
            warnings.append(f"boards: none could be made ({type(error).__name__}: {shown(str(error), 300)})")

    return write


def _write(
    folder: Path, database: Path, publication: Publication, settings: Settings, manifest: Mapping[str, Any]
) -> list[str]:
    # Altair takes a second to import, which only a publication should wait for
    from orchestration.boards.labels import mart_labels
    from orchestration.boards.pages import Site
    from orchestration.boards.reference import table_facts
    from orchestration.boards.site import Boards, render_site

    company, currency = (str(settings.variable(name)) for name in ("company_name", "reporting_currency"))
    boards = Boards(
        folders=(settings.root / BOARDS_FOLDER, settings.root / CUSTOM_FOLDER / BOARDS_FOLDER),
        labels=mart_labels(manifest),
        facts=table_facts(manifest, currency),
    )
    site = Site(
        company=company,
        currency=currency,
        as_of="–" if publication.as_of_date is None else publication.as_of_date.isoformat(),
        published_at=f"{publication.published_at:%Y-%m-%d %H:%M}",
        publication_id=publication.publication_id,
        code_version=publication.code_version,
    )
    return render_site(database, folder, boards, site)
