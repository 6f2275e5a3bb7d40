"""The one process behind `make dev`: it starts the code server, the daemon and the web server, and ends with them.

Each child has a process group of its own, to which its runs and their dbt belong. A signal ends them in order: they are
asked first, and killed after a while. Where this process is itself killed, its lock is released, and every process
below it ends by that (`orchestration.lifeline`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from orchestration.lifeline import SERVER, SERVER_HOME, SERVER_SOCKETS
from orchestration.warehouse_lock import server_lock

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SECONDS_BETWEEN_LOOKS = 0.2
# dbt has ten of them to stop when its run is interrupted
_SECONDS_TO_END = 15.0


def supervise(
    commands: Mapping[str, Sequence[str]],
    home: Path,
    working_directory: Path,
    *,
    parent: int | None = None,
    seconds_to_end: float = _SECONDS_TO_END,
) -> int:
    """Run commands side by side until one of them ends or this process is told to; returns the exit status.

    Args:
        commands: what to run, by name.
        home: folder of Dagster, which has one server at a time.
        working_directory: where the commands run.
        parent: number of the process that started this one, where it is to end with it.
        seconds_to_end: how long what is asked to end may take before it is killed.

    Raises:
        WarehouseLockedError: another server is there.
    """
    told = threading.Event()
    with server_lock(home), _sockets() as sockets, _told_by_signals(told):
        environ = {
            **os.environ,
            SERVER: str(os.getpid()),
            SERVER_HOME: str(home),
            SERVER_SOCKETS: str(sockets),
            # where Dagster puts the sockets of its own
            "TMPDIR": str(sockets),
        }
        children: dict[str, subprocess.Popen] = {}
        try:
            for name, command in commands.items():
                children[name] = subprocess.Popen(
                    [part.replace("{sockets}", str(sockets)) for part in command],
                    cwd=working_directory,
                    env=environ,
                    start_new_session=True,
                )
            ended = _wait(children, told, parent)
        finally:
            _end(children.values(), seconds_to_end)
    if ended is None:
        return 0
    print(f"The {ended} ended with status {children[ended].returncode}, and the rest with it.", file=sys.stderr)
    return 1


def _wait(children: Mapping[str, subprocess.Popen], told: threading.Event, parent: int | None) -> str | None:
    """The name of the child that ended; None where this process is to end."""
    while not told.wait(_SECONDS_BETWEEN_LOOKS):
        if parent is not None and os.getppid() != parent:
            return None
        for name, child in children.items():
            if child.poll() is not None:
                return name
    return None


def _end(children: Collection[subprocess.Popen], seconds: float) -> None:
    """Ask every process of the children's groups to end, and kill what is left after a while."""
    groups = [child.pid for child in children]
    for sign, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        for group in groups:
            _signal(group, sign)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for child in children:
                child.poll()
            if not any([_signal(group, 0) for group in groups]):
                return
            time.sleep(0.05)


def _signal(group: int, sign: int) -> bool:
    """Send a signal to a group; False where no process is in it."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    # a system that tells of a group of ended processes alone by this
    except PermissionError:
        return False
    return True


@contextlib.contextmanager
def _told_by_signals(told: threading.Event) -> Iterator[None]:
    # set even where they are ignored, as SIGINT is in what a shell starts by `&`
    before = {sign: signal.signal(sign, lambda *_: told.set()) for sign in _SIGNALS}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@contextlib.contextmanager
def _sockets() -> Iterator[Path]:
    """A folder that is the owner's alone; its path is short, as the path of a socket must be."""
    folder = Path(tempfile.mkdtemp(prefix="stickiness-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
