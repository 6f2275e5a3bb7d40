"""The history of a warehouse: `publications.jsonl`, one line for each publication and each rollback."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Publication:
    """One row of quality.publications. `published_at` is UTC without a zone; `rows` are those of all its tables."""

    publication_id: str
    published_at: datetime
    as_of_date: date | None
    code_version: str
    tables: int
    rows: int
    tests_passed: int
    tests_warned: int
    duration_seconds: float

    def to_json(self) -> str:
        """The publication as a JSON object that `from_json` reads."""
        return json.dumps(asdict(self), default=_text, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Publication:
        """Read what `to_json` wrote; ValueError, KeyError or TypeError if it is something else."""
        return _publication(json.loads(text))


@dataclass(frozen=True)
class Event:
    """A line of the ledger: which version became the published one, when (UTC, no zone), and in place of which."""

    kind: Literal["published", "rolled_back"]
    at: datetime
    publication_id: str
    replaced: str | None
    publication: Publication | None = None


class Ledger:
    """The events of a warehouse, oldest first; events are added, never changed."""

    def __init__(self, warehouse: Path) -> None:
        self._path = warehouse / "publications.jsonl"

    def events(self) -> list[Event]:
        """Every event. A last line that a crash has cut off is passed over."""
        if not self._path.exists():
            return []
        events = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                events.append(_event(json.loads(line)))
        return events

    def publications(self) -> list[Publication]:
        """Every publication, whether or not its version is still kept."""
        return [event.publication for event in self.events() if event.publication is not None]

    def append(self, event: Event) -> None:
        """Add an event, on disk when this returns."""
        written = self._path.read_bytes() if self._path.exists() else b""
        cut_off = written != b"" and not written.endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as ledger:
            ledger.write("\n" if cut_off else "")
            ledger.write(json.dumps(asdict(event), default=_text) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the ledger")


def _event(line: Mapping[str, Any]) -> Event:
    publication = line["publication"] and _publication(line["publication"])
    return Event(**{**line, "at": datetime.fromisoformat(line["at"]), "publication": publication})


def _publication(values: Mapping[str, Any]) -> Publication:
    as_of_date = values["as_of_date"] and date.fromisoformat(values["as_of_date"])
    published_at = datetime.fromisoformat(values["published_at"])
    return Publication(**{**values, "as_of_date": as_of_date, "published_at": published_at})
