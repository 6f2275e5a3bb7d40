"""What the machine refuses, whoever asks: told by its kind, with the one thing that mends it.

A disk that is full is met by dbt, by Dagster, by landing and by the publication, each with an error of its own. All
come here, so that a person reads the same words whatever was at work.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestration.errors import StickinessError, quoted, shown

_FULL = re.compile(
    r"no space left on device|database or disk is full|disk quota exceeded|file too large|failed to offload data block",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(r"read-only file system|permission denied|readonly database", re.IGNORECASE)
_MEMORY = re.compile(r"out of memory|could not allocate|failed to allocate|cannot allocate memory", re.IGNORECASE)
_DAMAGED = re.compile(
    r"corrupt database|computed checksum|not a valid duckdb database|"
    r"failed to deserialize|serialization error",
    re.IGNORECASE,
)
_BUSY = re.compile(r"database (table )?is locked", re.IGNORECASE)

_ERRNOS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _READ_ONLY),
    errno.ENOMEM: _MEMORY,
}
# another process has the file of the build open
_HELD = re.compile(r"could not set lock on file|conflicting lock", re.IGNORECASE)
_SAID = 300
_DATABASES = ("duckdb", "_duckdb", "sqlalchemy")
# bytes: what SQLite needs beside a database to open it
_TRIED = 65_536


def fault_of(error: BaseException, warehouse: Path) -> str | None:
    """What a person is told of an error, or of what caused it, if the machine is at fault; None if the project is."""
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, OSError) and cause.errno in _ERRNOS:
            return _told(_ERRNOS[cause.errno], _of_system(cause), warehouse)
        if isinstance(cause, MemoryError):
            return _told(_MEMORY, text or "Python got no more", warehouse)
        # of all that runs here, only Dagster keeps SQLite databases
        if isinstance(cause, sqlite3.Error) or type(cause).__module__.startswith("alembic."):
            return dagster_fault(warehouse, text)
        # the texts of others are read only where they come from a database
        if type(cause).__module__.partition(".")[0] in _DATABASES:
            told = fault_in(text, warehouse)
            if told is not None:
                return told
    return None


def fault_in(text: str, warehouse: Path) -> str | None:
    """The same of what a database, or a program that has asked one, says; None if it says nothing of the machine."""
    for kind in (_FULL, _READ_ONLY, _MEMORY, _BUSY, _DAMAGED):
        found = kind.search(text)
        if found:
            line = text[text.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0]
            return _told(kind, line, warehouse)
    return None


def may_pass(error: BaseException) -> bool:
    """Whether an error, or what caused it, may be over in a while: a full disk, a locked file, an absent server."""
    for cause in _causes(error):
        if isinstance(cause, StickinessError) and cause.may_pass:
            return True
        if isinstance(cause, OSError) and _ERRNOS.get(cause.errno) is _FULL:
            return True
        from_database = type(cause).__module__.partition(".")[0] in ("sqlite3", *_DATABASES)
        if from_database and may_pass_in(str(cause)):
            return True
    return False


def may_pass_in(text: str) -> bool:
    """The same of what a database, or a program that has asked one, says."""
    return any(kind.search(text) for kind in (_FULL, _BUSY, _HELD))


def _of_system(error: OSError) -> str:
    return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)


def dagster_fault(warehouse: Path, text: str) -> str:
    """What a person is told whose Dagster cannot work with its databases, of which SQLite says this."""
    home = warehouse / "dagster"
    return (
        fault_in(text, warehouse)
        or _why_not_written(home, warehouse)
        or f"Dagster's databases in {home} cannot be read ({_line(text)}). They hold the history of runs and nothing "
        f"else: move them away and try again: {aside(home)}"
    )


def _why_not_written(folder: Path, warehouse: Path) -> str | None:
    """The fault that writing to a folder meets; SQLite has one error for a full disk and for a damaged file."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_TRIED))
            file.flush()
    except OSError as error:
        return fault_of(error, warehouse)
    return None


def aside(path: Path) -> str:
    """The command that moves away what is in the way or damaged, and loses nothing."""
    return f"mv {quoted(path)} {quoted(path.with_name(f'{path.name}.aside'))}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _told(kind: re.Pattern[str], text: str, warehouse: Path) -> str:
    said, folder = _line(text), quoted(warehouse)
    if kind is _FULL:
        return (
            f"The disk is full ({said}). What was half written has been removed; make room and try again. How much "
            f"there is, and who has it: df -h {folder} && du -sh {folder}/*"
        )
    if kind is _READ_ONLY:
        return (
            f"The warehouse folder {warehouse} cannot be written to ({said}). Give the user that runs the refresh the "
            f"right to, or set another with STICKINESS_WAREHOUSE_DIR: make run WAREHOUSE=<folder>"
        )
    if kind is _MEMORY:
        return (
            f"There is too little memory ({said}). Close other programs or take a machine with more, then try again: "
            f"make run"
        )
    if kind is _BUSY:
        return (
            f"Another program has a database of {warehouse / 'dagster'} open and locked ({said}). End it, then try "
            f"again; who it is says: lsof {folder}/dagster/history/*.db"
        )
    build = warehouse / "build"
    return (
        f"The build database is damaged ({said}). It is working space and is made anew: move it away and try again: "
        f"{aside(build)}"
    )


def _line(text: str) -> str:
    lines = text.strip().splitlines() or ["no more was said"]
    return shown(lines[0], _SAID)
