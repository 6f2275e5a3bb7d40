"""The lock on the warehouse folder: one refresh or rollback at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from orchestration.errors import WarehouseError, WarehouseLockedError

_held: set[Path] = set()


@contextlib.contextmanager
def warehouse_lock(warehouse: Path) -> Iterator[None]:
    """Keep every other process out of the warehouse folder; who already holds it in this process goes on.

    Raises:
        WarehouseLockedError: another process holds it.
        WarehouseError: the folder cannot be made or written to.
    """
    path = warehouse.resolve() / ".lock"
    if path in _held:
        yield
        return
    try:
        warehouse.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
    except OSError as error:
        raise WarehouseError(unwritable(warehouse, error)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WarehouseLockedError(
                f"Another refresh or rollback of the warehouse {warehouse} is running. Wait until it has ended, or "
                f"give this one another warehouse folder."
            ) from error
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)


def unwritable(warehouse: Path, error: OSError) -> str:
    """What a person is told whose warehouse folder cannot be made or written to."""
    return (
        f"The warehouse folder {warehouse} cannot be written to ({error.strerror}). Set STICKINESS_WAREHOUSE_DIR "
        f"(make run WAREHOUSE=<folder>) to a folder that can."
    )
