"""The history of a warehouse: `publications.jsonl`, one line for each publication and each rollback."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.publishing import Event, Publication, json_value, read_publication


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
            ledger.write(json.dumps(asdict(event), default=json_value) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())


def _event(line: Mapping[str, Any]) -> Event:
    publication = line["publication"] and read_publication(line["publication"])
    return Event(**{**line, "at": datetime.fromisoformat(line["at"]), "publication": publication})
