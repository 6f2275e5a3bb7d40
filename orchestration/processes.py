"""Which process is which: whether one is still there that was there before, and what it runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

_PROC = Path("/proc")
_STATE, _START = 0, 19
"""Fields of /proc/<pid>/stat behind the name of the program."""


def start_of(pid: int) -> str | None:
    """When a process began, as a text that no other process of this number has; None where it has ended.

    Not a time of day: a clock that is set must not make a living process look like another one.
    """
    if sys.platform.startswith("linux"):
        fields = _stat(pid)
        if fields is None:
            return None
        return f"{fields[_START]}@{(_PROC / 'sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}"
    state, _, began = _ps(pid, "stat=,lstart=").strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def began_at(pid: int) -> float | None:
    """When a process began, by the clock as it is set now, in seconds since 1970; None where it has ended."""
    began = start_of(pid)
    if began is None:
        return None
    if sys.platform.startswith("linux"):
        [boot] = re.findall(r"^btime (\d+)$", (_PROC / "stat").read_text(encoding="ascii"), re.MULTILINE)
        return int(boot) + int(began.partition("@")[0]) / os.sysconf("SC_CLK_TCK")
    return time.mktime(time.strptime(began, "%a %b %d %H:%M:%S %Y"))


def command_of(pid: int) -> str:
    """The command line of a process as far as it can be told, on one line."""
    if sys.platform.startswith("linux"):
        try:
            told = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            told = ""
    else:
        told = _ps(pid, "command=")
    # no control characters: the line is for a terminal
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", told).strip()


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the name of the program stands in brackets and may hold spaces and brackets
    fields = text.rpartition(")")[2].split()
    # a process that has ended stays in the list until its parent has looked
    return None if fields[_STATE] in "ZX" else fields


def _ps(pid: int, columns: str) -> str:
    environ = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(
        # whole lines, however wide the terminal
        ["ps", "-ww", "-o", columns, "-p", str(pid)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
