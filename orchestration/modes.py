"""Who may read what of a warehouse: the owner alone, but for what is published."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PRIVATE_UMASK = 0o077
_OPEN_FOLDER, _PRIVATE_FOLDER, _PRIVATE_FILE = 0o755, 0o700, 0o600
_OTHERS = 0o077

# folders of a warehouse that hold rows of persons, or what was said of them
PRIVATE = ("landing", "build", "check", "dagster")
# folders of the project where dbt by hand writes what it ran and found
PRIVATE_OF_PROJECT = ("target", "logs")


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """While this lasts, what this process and those that it starts make is their owner's alone."""
    before = os.umask(_PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def make_open(folder: Path) -> None:
    """Make a folder, and those above it, that others may read and pass; one that is there stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(_OPEN_FOLDER)
    # a file of that name is an error as ever
    folder.mkdir(exist_ok=True)


def make_private(folder: Path) -> None:
    """Make a folder that is its owner's alone, in one that others may pass.

    Raises:
        OSError: it cannot be made.
    """
    make_open(folder.parent)
    folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def mend(warehouse: Path, root: Path) -> None:
    """Take from others what earlier releases, or programs with other habits, have let them read."""
    folders = [*(warehouse / name for name in PRIVATE), *(root / name for name in PRIVATE_OF_PROJECT)]
    for folder in folders:
        if folder.is_dir() and not folder.is_symlink():
            _close(folder)


def _close(folder: Path) -> None:
    # the folder first: from then on nobody comes to what is in it
    _narrow(folder, _PRIVATE_FOLDER)
    for parent, folders, files in os.walk(folder):
        for name in folders:
            _narrow(Path(parent, name), _PRIVATE_FOLDER)
        for name in files:
            _narrow(Path(parent, name), _PRIVATE_FILE)


def _narrow(path: Path, mode: int) -> None:
    # gone meanwhile, or another owner's, whose own affair it is
    with contextlib.suppress(OSError):
        if not path.is_symlink() and path.stat().st_mode & _OTHERS:
            path.chmod(mode)
