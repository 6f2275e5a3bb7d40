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

from orchestration.descriptions import Descriptions
from orchestration.engines.duckdb.publication_ledger import Ledger
from orchestration.engines.duckdb.write_published_files import (
    DATABASE_FILE,
    FACTS_FILE,
    make_version,
    rename_database,
    sync_path,
)
from orchestration.errors import PublicationError, shown
from orchestration.faults import aside, fault_of
from orchestration.modes import make_open
from orchestration.publishing import (
    Beside,
    Event,
    Publication,
    PublicationFacts,
    Table,
    WrittenByNewerError,
    new_id,
    outdated,
    rollback_target,
)

ROLLBACK = ".venv/bin/python -m orchestration.cli rollback"


def publish(
    build_db: Path,
    warehouse: Path,
    facts: PublicationFacts,
    tables: Mapping[Table, Sequence[str]] | None = None,
    keep: int = 5,
    descriptions: Descriptions | None = None,
    beside: Beside | None = None,
) -> Publication:
    """Publish the tables of the build, and keep the last `keep` versions that were published.

    Args:
        build_db: the DuckDB file of the build; opened for reading only.
        warehouse: the folder that versions, link and ledger live in.
        facts: what quality.publications says of this build.
        tables: what to publish, each with the key that its rows are sorted by (empty: by all columns); None: everything
            in the schemas marts and quality.
        keep: versions to keep, this one among them; at least 1.
        descriptions: what the tables and their columns mean.
        beside: adds files to the version's folder before anybody reads it.

    Raises:
        PublicationError: nothing was published; what was published before still is.
    """
    with _raised_as_publication_error(warehouse):
        recover(warehouse)
        ledger, replaced = Ledger(warehouse), current_id(warehouse)
        publication_id = new_id(lambda name: (warehouse / "versions" / name).exists())
        version = warehouse / "versions" / publication_id
        folder = version.with_name(f"{publication_id}.tmp")
        with _removed_if_it_fails(warehouse, folder):
            earlier = ledger.publications()
            publication = make_version(
                build_db, folder, publication_id, facts, tables, earlier, descriptions or {}, beside
            )
            complete(folder, version)
        with _removed_if_it_fails(warehouse, version):
            switch(warehouse, publication_id)
            event = Event("published", publication.published_at, publication_id, replaced, publication)
            _append_or_switch_back(warehouse, event, replaced)
        prune(warehouse, keep)
    return publication


def rollback(warehouse: Path, to: str | None = None) -> Publication:
    """Publish again the version that the published one replaced, or the one named; once more goes one further back.

    Raises:
        PublicationError: there is no such version; what is published stays so.
    """
    with _raised_as_publication_error(warehouse):
        recover(warehouse)
        replaced, kept = current_id(warehouse), kept_versions(warehouse)
        if replaced is None and (to is None or to not in kept):
            raise PublicationError(_nothing_to_roll_back(warehouse, kept))
        if replaced is not None:
            to = rollback_target(Ledger(warehouse).events(), replaced, kept, to, warehouse / "versions")
        publication = _facts_of(warehouse, str(to))
        switch(warehouse, str(to))
        event = Event("rolled_back", datetime.now(UTC).replace(tzinfo=None), str(to), replaced)
        _append_or_switch_back(warehouse, event, replaced)
    return publication


def _nothing_to_roll_back(warehouse: Path, kept: Sequence[str]) -> str:
    nothing = f"Nothing is published in {warehouse}, so there is nothing to roll back."
    if not kept:
        return f"{nothing} Refresh first."
    return f"{nothing} Kept are {', '.join(kept)}; to publish one: {ROLLBACK} --to {kept[-1]}"


def _append_or_switch_back(warehouse: Path, event: Event, before: str | None) -> None:
    """Write the event to the ledger, or else point `published` to where it pointed: what is not told is not done."""
    try:
        Ledger(warehouse).append(event)
    except OSError:
        if before is None:
            (warehouse / "published").unlink()
        else:
            switch(warehouse, before)
        raise


def current(warehouse: Path) -> Publication | None:
    """What is published now; None if nothing is."""
    publication_id = current_id(warehouse)
    return None if publication_id is None else _facts_of(warehouse, publication_id)


def current_id(warehouse: Path) -> str | None:
    """Id of what is published now; None if nothing is, or if its version is gone.

    Raises:
        PublicationError: `published` is something else than a link to a version.
    """
    link = warehouse / "published"
    if not link.is_symlink():
        if link.exists():
            raise PublicationError(_in_the_way(link, "is no link", "a link to a version, as a publication makes it"))
        return None
    target = Path(os.readlink(link))
    if (warehouse / target).parent.resolve() != (warehouse / "versions").resolve():
        found = f"is a link to {shown(str(target), 200)}"
        raise PublicationError(_in_the_way(link, found, "a link to a folder of versions/, as a publication makes it"))
    return target.name if link.is_dir() else None


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
    current_id(warehouse)
    link = warehouse / "published.tmp"
    if link.is_dir() and not link.is_symlink():
        raise PublicationError(_in_the_way(link, "is a folder", "a link that a publication makes and removes"))
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

    It looks first whether there can be a publication at all, so that nobody waits for a build that cannot be published.

    Raises:
        PublicationError: what is published or its history is not what it should be, or a version cannot be written to.
    """
    current_id(warehouse)
    Ledger(warehouse).events()
    versions = warehouse / "versions"
    if (versions.exists() or versions.is_symlink()) and not versions.is_dir():
        raise PublicationError(_in_the_way(versions, "is no folder", "the folder of the published versions"))
    for name in kept_versions(warehouse):
        version = warehouse / "versions" / name
        try:
            rename_database(version)
        # another process has deleted it
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PublicationError(
                f"The version {version} could not be given its file {DATABASE_FILE}: "
                f"{fault_of(error, warehouse) or error}"
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
        publication = _facts_of(warehouse, published)
        replaced = events[-1].publication_id if events else None
        ledger.append(Event("published", publication.published_at, published, replaced, publication))
    newest = max((event.at for event in events), default=None)
    for name in kept_versions(warehouse):
        # stopped before the switch. An older version that the ledger does not know can be rolled back to by name
        unknown = name not in known and name != published
        if unknown and newest is not None and _read_facts(versions / name).published_at > newest:
            _delete_version(versions / name)


def _in_the_way(path: Path, found: str, expected: str) -> str:
    return (
        f"{path} {found}; expected {expected}. It was left alone and nothing was published: move it away and try "
        f"again: {aside(path)}"
    )


@contextlib.contextmanager
def _removed_if_it_fails(warehouse: Path, folder: Path) -> Iterator[None]:
    """Leave nothing of a version that nobody will read: where the disk is full, it would stay so."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        # interrupted after the switch, it is what readers see
        if current_id(warehouse) != folder.name:
            shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _raised_as_publication_error(warehouse: Path) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError, MemoryError) as error:
        why = fault_of(error, warehouse) or f"{error}. If it happens again, build from nothing: make run FULL_REFRESH=1"
        raise PublicationError(f"The build could not be published to {warehouse}: {why}") from error


def _delete_version(version: Path) -> None:
    # renamed first, so that half a version is never taken for one. What cannot be deleted now is deleted next time.
    with contextlib.suppress(OSError):
        doomed = version.with_name(f"{version.name}.tmp")
        version.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _facts_of(warehouse: Path, name: str) -> Publication:
    """What is told of a version, by itself or else by the ledger, which has a copy."""
    try:
        return _read_facts(warehouse / "versions" / name)
    except PublicationError:
        for publication in reversed(Ledger(warehouse).publications()):
            if publication.publication_id == name:
                return publication
        raise


def _read_facts(version: Path) -> Publication:
    try:
        return Publication.from_json((version / FACTS_FILE).read_text(encoding="utf-8"))
    except WrittenByNewerError as error:
        raise PublicationError(
            f"{version / FACTS_FILE} says {shown(str(error))}, which this release does not know: a newer release of "
            f"the project has published it. Use that one, or another warehouse folder: make run WAREHOUSE=<folder>"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PublicationError(
            f"{version / FACTS_FILE} cannot be read ({type(error).__name__}), so the version {version.name} is not "
            f"whole. Move it away and try again: {aside(version)}"
        ) from error
