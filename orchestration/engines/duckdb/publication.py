"""Publishing a build: a copy of its marts that readers can rely on, put in place in one atomic step.

A version is made in `versions/<id>.tmp`, checked, renamed to `versions/<id>`, and becomes the published one when the
link `published` is replaced. Whatever stops a publication on the way leaves the link, and so every reader, where they
were; the next one finishes or removes what is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.engines.duckdb.publication_ledger import Ledger
from orchestration.engines.duckdb.write_published_files import (
    DATABASE_FILE,
    FACTS_FILE,
    make_version,
    rename_database,
    sync_path,
)
from orchestration.errors import PublicationError
from orchestration.modes import make_open
from orchestration.publishing import (
    Event,
    Publication,
    PublicationFacts,
    Table,
    new_id,
    outdated,
    rollback_target,
)


def publish(
    build_db: Path,
    warehouse: Path,
    facts: PublicationFacts,
    tables: Mapping[Table, Sequence[str]] | None = None,
    keep: int = 5,
) -> Publication:
    """Publish the tables of the build, and keep the last `keep` versions that were published.

    Args:
        build_db: the DuckDB file of the build; opened for reading only.
        warehouse: the folder that versions, link and ledger live in.
        facts: what quality.publications says of this build.
        tables: what to publish, each with the key that its rows are sorted by (empty: by all columns); None: everything
            in the schemas marts and quality.
        keep: versions to keep, this one among them; at least 1.

    Raises:
        PublicationError: nothing was published; what was published before still is.
    """
    _refuse_folder(warehouse)
    recover(warehouse)
    ledger, replaced = Ledger(warehouse), current_id(warehouse)
    with _raised_as_publication_error(warehouse):
        publication_id = new_id(lambda name: (warehouse / "versions" / name).exists())
        folder = warehouse / "versions" / f"{publication_id}.tmp"
        publication = make_version(build_db, folder, publication_id, facts, tables, ledger.publications())
        complete(folder, warehouse / "versions" / publication_id)
        switch(warehouse, publication_id)
        ledger.append(Event("published", publication.published_at, publication_id, replaced, publication))
        prune(warehouse, keep)
    return publication


def rollback(warehouse: Path, to: str | None = None) -> Publication:
    """Publish again the version that the published one replaced, or the one named; once more goes one further back.

    Raises:
        PublicationError: there is no such version; what is published stays so.
    """
    _refuse_folder(warehouse)
    recover(warehouse)
    replaced = current_id(warehouse)
    if replaced is None:
        raise PublicationError(f"Nothing is published in {warehouse}, so there is nothing to roll back. Refresh first.")
    to = rollback_target(Ledger(warehouse).events(), replaced, kept_versions(warehouse), to, warehouse / "versions")
    publication = _read_facts(warehouse / "versions" / to)
    switch(warehouse, to)
    Ledger(warehouse).append(Event("rolled_back", datetime.now(UTC).replace(tzinfo=None), to, replaced))
    return publication


def current(warehouse: Path) -> Publication | None:
    """What is published now; None if nothing is."""
    publication_id = current_id(warehouse)
    return None if publication_id is None else _read_facts(warehouse / "versions" / publication_id)


def current_id(warehouse: Path) -> str | None:
    """Id of what is published now; None if nothing is."""
    link = warehouse / "published"
    return Path(os.readlink(link)).name if link.is_symlink() and link.exists() else None


def kept_versions(warehouse: Path) -> list[str]:
    """Ids of the whole versions that are kept, oldest first."""
    whole = (path.parent.name for path in (warehouse / "versions").glob(f"*/{FACTS_FILE}"))
    return sorted(name for name in whole if not name.endswith(".tmp"))


def published_database(warehouse: Path) -> Path:
    """Where readers find the published tables."""
    return warehouse / "published" / DATABASE_FILE


def complete(folder: Path, version: Path) -> None:
    """Give a finished version its name."""
    folder.rename(version)
    sync_path(version.parent)


def switch(warehouse: Path, publication_id: str) -> None:
    """Point `published` to another version; a reader finds either the old one or the new one."""
    _refuse_folder(warehouse)
    link = warehouse / "published.tmp"
    link.unlink(missing_ok=True)
    # relative, so that the warehouse folder can be moved
    link.symlink_to(Path("versions") / publication_id)
    os.replace(link, warehouse / "published")
    sync_path(warehouse)


def prune(warehouse: Path, keep: int) -> None:
    """Delete all but the `keep` versions that were published last; one that was rolled back to counts from then."""
    for name in outdated(Ledger(warehouse).events(), current_id(warehouse), kept_versions(warehouse), max(keep, 1)):
        _delete_version(warehouse / "versions" / name)


def upgrade(warehouse: Path) -> None:
    """Have the versions that an earlier release has published under the names of this one too.

    Raises:
        PublicationError: a version cannot be written to.
    """
    for name in kept_versions(warehouse):
        version = warehouse / "versions" / name
        try:
            rename_database(version)
        # another process has deleted it
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PublicationError(
                f"The version {version} could not be given its file {DATABASE_FILE}: {error}. Check that the disk is "
                f"not full and that the folder can be written to, then try again."
            ) from error


def recover(warehouse: Path) -> None:
    """Finish or remove what a publication that was stopped, or an earlier release, has left."""
    upgrade(warehouse)
    versions, ledger = warehouse / "versions", Ledger(warehouse)
    make_open(versions)
    for leftover in versions.glob("*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    events = ledger.events()
    known = {event.publication_id for event in events}
    published = current_id(warehouse)
    if published is not None and published not in known:
        # stopped between the switch and the ledger
        publication = _read_facts(versions / published)
        replaced = events[-1].publication_id if events else None
        ledger.append(Event("published", publication.published_at, published, replaced, publication))
    newest = max((event.at for event in events), default=None)
    for name in kept_versions(warehouse):
        # stopped before the switch. An older version that the ledger does not know can be rolled back to by name
        unknown = name not in known and name != published
        if unknown and newest is not None and _read_facts(versions / name).published_at > newest:
            _delete_version(versions / name)


def _refuse_folder(warehouse: Path) -> None:
    published = warehouse / "published"
    if published.exists() and not published.is_symlink():
        raise PublicationError(
            f"{published} is not a link to a version, as a publication makes it. It was left alone and nothing was "
            f"published: move it away, then refresh again."
        )


@contextlib.contextmanager
def _raised_as_publication_error(warehouse: Path) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise PublicationError(
            f"The build could not be published to {warehouse}: {error}. Check that the disk is not full and that the "
            f"folder can be written to, then refresh again."
        ) from error


def _delete_version(version: Path) -> None:
    # renamed first, so that half a version is never taken for one. What cannot be deleted now is deleted next time.
    with contextlib.suppress(OSError):
        doomed = version.with_name(f"{version.name}.tmp")
        version.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _read_facts(version: Path) -> Publication:
    try:
        return Publication.from_json((version / FACTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublicationError(
            f"{version / FACTS_FILE} cannot be read ({type(error).__name__}): the version {version.name} is not whole. "
            f"Delete that folder, then refresh again."
        ) from error
