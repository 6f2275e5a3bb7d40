"""What people have been told: a small file in the warehouse's folder, so that they are told once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orchestration.alerts.causes import Cause
from orchestration.alerts.texts import LANGUAGES, Voice
from orchestration.modes import make_open

STATE_FILE, LOCK_FILE, LOG_FILE = "alerts.json", ".alerts.lock", "alerts.log"
_FORMAT = 1
_PRIVATE = 0o600
# what could not be written, by path: else each look of this process would tell the same again
_UNWRITTEN: dict[Path, str] = {}


@dataclass
class Told:
    """A cause, the names of the channels that were told of it, and whether it has ended."""

    cause: Cause
    channels: list[str] = field(default_factory=list)
    has_ended: bool = False

    def tell(self, channel: str) -> None:
        """Note that a channel has taken the alert, or the all-clear."""
        if self.has_ended:
            self.channels.remove(channel)
        else:
            self.channels.append(channel)


@dataclass
class State:
    """What people were told.

    Attributes:
        told: of what, by the key of the cause.
        runs_seen: ids of the runs that were looked at; None until somebody has looked.
        digest_of: the publication of the last digest.
        company: id of the company, for when its settings cannot be read; empty where they never could.
        voice: how it is written to then.
        is_new: whether there was no such file.
    """

    told: dict[str, Told] = field(default_factory=dict)
    runs_seen: list[str] | None = None
    digest_of: str = ""
    company: str = ""
    voice: Voice = Voice()
    is_new: bool = True

    def to_json(self) -> str:
        """The state as JSON that `from_json` reads."""
        document = {
            "format": _FORMAT,
            "told": [
                {"cause": one.cause.to_json(), "channels": one.channels, "has_ended": one.has_ended}
                for one in self.told.values()
            ],
            "runs_seen": self.runs_seen,
            "digest_of": self.digest_of,
            "company": self.company,
            "voice": asdict(self.voice),
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> State:
        """What `to_json` wrote; ValueError, KeyError or TypeError if it is something else."""
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise ValueError("another format")
        told = [
            Told(Cause.from_json(one["cause"]), [str(name) for name in one["channels"]], bool(one["has_ended"]))
            for one in document["told"]
        ]
        runs = document["runs_seen"]
        runs = None if runs is None else [str(run_id) for run_id in runs]
        voice = Voice(**document["voice"])
        if voice.language not in LANGUAGES:
            raise ValueError("another language")
        by_key = {one.cause.key: one for one in told}
        return State(by_key, runs, str(document["digest_of"]), str(document["company"]), voice, is_new=False)


@contextlib.contextmanager
def open_state(warehouse: Path, remarks: list[str]) -> Iterator[State]:
    """The state, which nobody else changes meanwhile; it is written at the end.

    Args:
        warehouse: made where it is missing.
        remarks: takes a sentence where the file was damaged, or could not be locked or written.
    """
    path = warehouse / STATE_FILE
    with _locked(warehouse, remarks):
        state = _read(path, remarks)
        before = state.to_json()
        try:
            yield state
        finally:
            if state.is_new or path in _UNWRITTEN or state.to_json() != before:
                _write(path, state, remarks)


@contextlib.contextmanager
def _locked(warehouse: Path, remarks: list[str]) -> Iterator[None]:
    """Have the state to ourselves; where the folder takes no lock, people are told all the same."""
    with contextlib.ExitStack() as stack:
        try:
            make_open(warehouse)
            descriptor = os.open(warehouse / LOCK_FILE, os.O_RDWR | os.O_CREAT, _PRIVATE)
            lock = stack.enter_context(os.fdopen(descriptor, "r+"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            remarks.append(f"{warehouse} takes no lock ({error.strerror}), so people may be told twice.")
        yield


def write_log(warehouse: Path, lines: list[str]) -> None:
    """Append lines to the log of alerts.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(warehouse / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE)
    with os.fdopen(descriptor, "a", encoding="utf-8") as log:
        log.write("".join(f"{line}\n" for line in lines))


def _read(path: Path, remarks: list[str]) -> State:
    try:
        return State.from_json(_UNWRITTEN[path] if path in _UNWRITTEN else path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return State()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        remarks.append(f"{path} could not be read, so it is begun anew; people may be told again what they know.")
        return State()


def _write(path: Path, state: State, remarks: list[str]) -> None:
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        unfinished.unlink(missing_ok=True)
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8"
        ) as file:
            file.write(state.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        _UNWRITTEN.pop(path, None)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        if path not in _UNWRITTEN:
            remarks.append(
                f"{path} could not be written ({error.strerror}), so people may be told again what they know."
            )
        _UNWRITTEN[path] = state.to_json()
