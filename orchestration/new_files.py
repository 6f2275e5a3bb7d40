"""Whether new files of a raw folder have come to rest: what the sensor of Dagster asks every minute.

A file that is still being copied grows, or gets a new time; so does a folder into which more files come. A folder is at
rest when names, sizes and times of its files have stayed as they are for a while.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from orchestration.landing.discover import RawFile


@dataclass(frozen=True)
class Watched:
    """What the sensor remembers of the folder from one look to the next.

    Attributes:
        done: the state that needs no run: as it was at the first look, or when a run was last asked for.
        seen: the state at the last look.
        since: when that state was first seen, in seconds since 1970.
    """

    done: str
    seen: str
    since: float

    @staticmethod
    def from_cursor(cursor: str | None) -> Watched | None:
        """What `to_cursor` wrote; None where it is something else, or nothing."""
        try:
            return Watched(**json.loads(cursor or ""))
        except (ValueError, TypeError):
            return None

    def to_cursor(self) -> str:
        """The text that Dagster keeps, also while no server runs."""
        return json.dumps(asdict(self))


def state_of(files: Iterable[RawFile]) -> str:
    """A hash of the names, sizes and times of files; one that goes away meanwhile is left out."""
    digest = hashlib.sha256()
    for file in files:
        try:
            status = file.path.stat()
        except OSError:
            continue
        digest.update(f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def look(before: Watched | None, state: str, now: float, rest_seconds: float) -> tuple[Watched, bool]:
    """What to remember after a look at the folder, and whether a run is due.

    Args:
        before: what was remembered; None at the first look, which asks for no run.
        state: the state of the folder now.
        now: seconds since 1970.
        rest_seconds: for how long the folder must have stayed as it is.
    """
    if before is None:
        return Watched(state, state, now), False
    if state != before.seen:
        return replace(before, seen=state, since=now), False
    if state == before.done or now - before.since < rest_seconds:
        return before, False
    return replace(before, done=state), True
