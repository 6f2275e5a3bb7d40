"""Trying again for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.5


def succeeds(attempt: Callable[[], bool], seconds: float) -> bool:
    """Whether an attempt succeeds, made once at least, and again until so many seconds have passed."""
    end = time.monotonic() + seconds
    while not attempt():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
