"""What `make versions` shows: what the ledger knows of, which is the current version, which can come back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestration.errors import shown
from orchestration.publishing import Event, Publication

_HEADER = ("version", "published at (UTC)", "as of", "company", "tables", "")


def version_lines(events: Sequence[Event], current: str | None, kept: Collection[str]) -> list[str]:
    """A table of the publications, newest first; an empty list where nothing was ever published.

    Versions that are there although the ledger does not know them, since it was lost, come last, by name alone.
    """
    publications = [event.publication for event in events if event.publication is not None]
    there = {*kept, *([current] if current else [])}
    unknown = there - {publication.publication_id for publication in publications}
    if not (publications or unknown):
        return []
    rows = [
        _HEADER,
        *(_row(publication, current, kept) for publication in reversed(publications)),
        *((name, "-", "-", "-", "-", _state(name, current, kept)) for name in sorted(unknown, reverse=True)),
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(publication: Publication, current: str | None, kept: Collection[str]) -> tuple[str, ...]:
    name = publication.publication_id
    return (
        name,
        f"{publication.published_at:%Y-%m-%d %H:%M}",
        str(publication.as_of_date or "-"),
        shown(publication.company_id or "-"),
        str(publication.tables),
        _state(name, current, kept),
    )


def _state(name: str, current: str | None, kept: Collection[str]) -> str:
    return "current" if name == current else "kept" if name in kept else "deleted"
