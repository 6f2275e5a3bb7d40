"""How a process comes to its end with the one that it works for, however that one ended, kill -9 included."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestration.warehouse_lock import holder_of, is_locked

PARENT = "STICKINESS_PARENT_PROCESS"
"""Number of the process that starts the one which reads this, and with which it ends."""
SERVER = "STICKINESS_SERVER_PROCESS"
"""Number of the supervisor of `make dev`: everything below it ends with it."""
SERVER_HOME = "STICKINESS_SERVER_HOME"
"""Folder whose lock the supervisor holds as long as it lives."""
SERVER_SOCKETS = "STICKINESS_SERVER_SOCKETS"
"""Folder of sockets that goes with the supervisor."""

_SECONDS_BETWEEN_LOOKS = 0.5
_watched = False


def end_with_starter(environ: Mapping[str, str] = os.environ) -> None:
    """Kill this process as soon as the process that it works for has ended, from a thread that looks twice a second.

    That is the supervisor of `make dev`, the code server that started a run, and the run that started dbt. A process
    that works for nobody, as the command line does, is left alone. To call it again does nothing.
    """
    global _watched
    ended = _endings(environ)
    if ended and not _watched:
        _watched = True
        threading.Thread(target=_look, args=(ended, environ), name="lifeline", daemon=True).start()


def _endings(environ: Mapping[str, str]) -> list[Callable[[], bool]]:
    """What would mean that the process this one works for has ended."""
    ended: list[Callable[[], bool]] = []
    if environ.get(SERVER) and environ.get(SERVER_HOME):
        server, home = int(environ[SERVER]), Path(environ[SERVER_HOME])
        ended.append(lambda: not _serves(server, home))
    if environ.get(PARENT):
        parent = int(environ[PARENT])
        ended.append(lambda: os.getppid() != parent)
    starter = multiprocessing.parent_process()
    if starter is not None:
        ended.append(lambda: not starter.is_alive())
    return ended


def _serves(server: int, home: Path) -> bool:
    holder = holder_of(home)
    # another server may have taken the place of the one that has ended
    return is_locked(home) and (holder is None or holder.pid == server)


def _look(ended: list[Callable[[], bool]], environ: Mapping[str, str]) -> None:
    while not any(happened() for happened in ended):
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if environ.get(SERVER_SOCKETS):
        shutil.rmtree(environ[SERVER_SOCKETS], ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)
