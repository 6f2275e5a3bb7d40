"""The lock on the warehouse folder: one refresh or rollback at a time, and who it is.

That the file is locked is what keeps others out. Its text says who holds it: what is left there by a process that was
killed tells the next one which run has ended without a word.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from orchestration.errors import WarehouseError, WarehouseLockedError
from orchestration.faults import fault_of
from orchestration.modes import make_open
from orchestration.processes import start_of

LOCK_FILE = ".lock"
# somebody may hold it for an instant to see whether it is held
_ATTEMPTS, _SECONDS_BETWEEN = 3, 0.1


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, or held it when killed.

    Attributes:
        pid: number of the process.
        start: when that process began, as `processes.start_of` tells it.
        since: when the lock was taken, UTC.
        run_id: run of Dagster that the process works on; None where it has none.
    """

    pid: int
    start: str
    since: str
    run_id: str | None = None

    @staticmethod
    def this_process() -> Holder:
        """This process, from now on."""
        pid = os.getpid()
        return Holder(pid, start_of(pid) or "", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")

    def is_there(self) -> bool:
        """Whether the process still runs; another one that was given its number is not it."""
        return start_of(self.pid) == self.start

    def is_this_process(self) -> bool:
        """Whether it is this very process."""
        return self.pid == os.getpid() and self.is_there()

    def __str__(self) -> str:
        run = f", run {self.run_id}" if self.run_id else ""
        return f"process {self.pid}, since {self.since} UTC{run}"


class _HeldLock:
    """A lock of this process."""

    def __init__(self, file: TextIO, run_id: str | None) -> None:
        self._file = file
        self._holder = Holder.this_process()
        self.name_run(run_id)

    @property
    def run_id(self) -> str | None:
        return self._holder.run_id

    def name_run(self, run_id: str | None) -> None:
        """Say which run of Dagster holds the lock from now on."""
        self._holder = replace(self._holder, run_id=run_id)
        self._write(json.dumps(asdict(self._holder)))

    def clear(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        # what cannot be written, on a full disk, takes the name of the holder from the message and nothing else
        with contextlib.suppress(OSError):
            os.ftruncate(self._file.fileno(), 0)
            os.pwrite(self._file.fileno(), text.encode(), 0)


_held: dict[Path, _HeldLock] = {}


@contextlib.contextmanager
def warehouse_lock(warehouse: Path, run_id: str | None = None) -> Iterator[None]:
    """Keep every other process out of the warehouse folder; who already holds it in this process goes on.

    The lock names the run of Dagster `run_id` where one is given.

    Raises:
        WarehouseLockedError: another process holds it.
        WarehouseError: the folder cannot be made or written to.
    """
    with _locked(warehouse, run_id, _why_locked):
        yield


@contextlib.contextmanager
def server_lock(home: Path) -> Iterator[None]:
    """Be the one server over a folder of Dagster.

    Raises:
        WarehouseLockedError: another server is there.
        WarehouseError: the folder cannot be made or written to.
    """
    with _locked(home, None, _why_served):
        yield


@contextlib.contextmanager
def _locked(folder: Path, run_id: str | None, why_not: Callable[[Path], str]) -> Iterator[None]:
    path = folder.resolve() / LOCK_FILE
    if path in _held:
        before = _held[path].run_id
        _held[path].name_run(run_id or before)
        try:
            yield
        finally:
            _held[path].name_run(before)
        return
    try:
        make_open(folder)
        # opened for reading too and never emptied by that, since it may be another's
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise WarehouseError(unwritable(folder, error)) from error
    with file:
        if not _taken(file):
            raise WarehouseLockedError(why_not(folder))
        _held[path] = _HeldLock(file, run_id)
        try:
            yield
        finally:
            _held.pop(path).clear()


def holder_of(folder: Path) -> Holder | None:
    """Who holds the lock of a folder, or held it when killed; None where the lock does not say."""
    try:
        told = json.loads((folder / LOCK_FILE).read_bytes())
        holder = Holder(**told)
    # no file, empty as the lock of earlier releases, or damaged
    except (OSError, ValueError, TypeError):
        return None
    return holder if isinstance(holder.pid, int) and isinstance(holder.start, str) else None


def is_locked(folder: Path) -> bool:
    """Whether some process, which may be out of sight in another container, holds the lock of a folder."""
    try:
        with (folder / LOCK_FILE).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _taken(file: TextIO) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if attempt < _ATTEMPTS - 1:
                time.sleep(_SECONDS_BETWEEN)
    return False


def _why_locked(warehouse: Path) -> str:
    return (
        f"Another refresh or rollback of the warehouse {warehouse} is running{_who(warehouse)}. Wait until it has "
        f"ended, or give this one another warehouse folder."
    )


def _why_served(home: Path) -> str:
    return (
        f"make dev is running for the warehouse {home.parent} already{_who(home)}. Use its pages, or stop it first; "
        f"two would start every scheduled run twice."
    )


def _who(folder: Path) -> str:
    holder = holder_of(folder)
    return f" ({holder})" if holder and holder.is_there() else ""


def unwritable(warehouse: Path, error: OSError) -> str:
    """What a person is told whose warehouse folder cannot be made or written to."""
    return fault_of(error, warehouse) or (
        f"The warehouse folder {warehouse} cannot be written to ({error.strerror}). Set STICKINESS_WAREHOUSE_DIR "
        f"(make run WAREHOUSE=<folder>) to a folder that can."
    )
