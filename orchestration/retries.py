"""What an automatic run tries again by itself, and after how long: what may pass without anybody doing anything.

A run that somebody started tells its error at once: there is somebody to read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from orchestration.faults import may_pass

WAITS = (60.0, 300.0, 900.0)
"""Seconds before each new attempt of an automatic run."""

_Done = TypeVar("_Done")


def patiently(do: Callable[[], _Done], waits: Sequence[float]) -> _Done:
    """What `do` returns, asked again after each of the waits (seconds) as long as its error may pass by itself."""
    for seconds in waits:
        try:
            return do()
        except Exception as error:
            if not may_pass(error):
                raise
        time.sleep(seconds)
    return do()
