"""The history of a warehouse: `publications.jsonl`, one line for each publication and each rollback.

A line that a crash has cut off is passed over, since what it would have said is found out from the version. Any other
damage stops everything that would go by the ledger: a history with holes would delete the wrong versions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from orchestration.errors import PublicationError, quoted, shown
from orchestration.faults import aside
from orchestration.publishing import (
    Event,
    Publication,
    WrittenByNewerError,
    json_value,
    naive_moment,
    read_publication,
    refuse_unknown,
)

# what every line begins with, and so every one that was cut off
_BEGIN = b'{"kind": "'
_KINDS = ("published", "rolled_back")


class Ledger:
    """The events of a warehouse, oldest first; events are added, never changed."""

    def __init__(self, warehouse: Path) -> None:
        self._path = warehouse / "publications.jsonl"

    def events(self) -> list[Event]:
        """Every event.

        Raises:
            PublicationError: the ledger is damaged, or a newer release has written it.
        """
        events, damaged = [], []
        for number, line in enumerate(self._lines(), start=1):
            try:
                events.append(_event(line))
            except WrittenByNewerError as error:
                raise PublicationError(
                    f"{self._path}, line {number} says {shown(str(error))}, which this release does not know: a newer "
                    f"release of the project has published here. Use that one, or another warehouse folder: make run "
                    f"WAREHOUSE=<folder>"
                ) from error
            # RecursionError: brackets in brackets
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if not _is_cut_off(line, error):
                    damaged.append(number)
        if damaged:
            raise PublicationError(self._what_to_take_out(damaged))
        return events

    def publications(self) -> list[Publication]:
        """Every publication, whether or not its version is still kept; raises what `events` raises."""
        return [event.publication for event in self.events() if event.publication is not None]

    def append(self, event: Event) -> None:
        """Add an event, on disk when this returns; OSError if it cannot be written."""
        written = self._path.read_bytes() if self._path.exists() else b""
        cut_off = written != b"" and not written.endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as ledger:
            ledger.write("\n" if cut_off else "")
            ledger.write(json.dumps(asdict(event), default=json_value) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())

    def _lines(self) -> list[bytes]:
        try:
            return self._path.read_bytes().removesuffix(b"\n").split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PublicationError(
                f"{self._path} cannot be read ({error.strerror}); expected the history of what was published. Move it "
                f"away and try again, which forgets that history: {aside(self._path)}"
            ) from error

    def _what_to_take_out(self, damaged: Sequence[int]) -> str:
        lines = "; ".join(_ranges(damaged))
        count = f"line {damaged[0]} is" if len(damaged) == 1 else f"{len(damaged)} lines, the first {damaged[0]}, are"
        return (
            f"{self._path} is damaged: {count} no record of a publication. What is published stays. Take out what is "
            f"damaged and try again; the file as it is stays beside it, with .damaged after its name: "
            f"LC_ALL=C sed -i.damaged '{lines}' {quoted(self._path)}"
        )


def _event(line: bytes) -> Event:
    values: Any = json.loads(line)
    refuse_unknown(values, [field.name for field in fields(Event)])
    if values["kind"] not in _KINDS:
        raise WrittenByNewerError(f"{values['kind']}")
    if not (isinstance(values["publication_id"], str) and isinstance(values["replaced"], str | None)):
        raise TypeError("an id is no text")
    publication = values["publication"] and read_publication(values["publication"])
    if values["kind"] == "published" and publication is None:
        raise ValueError("a publication without what was published")
    return Event(**{**values, "at": naive_moment(values["at"]), "publication": publication})


def _is_cut_off(line: bytes, error: Exception) -> bool:
    """Whether a crash explains the line: the beginning of one, or room for one that a lost power has left empty."""
    rest = line.strip(b"\0")
    begun = rest[: len(_BEGIN)]
    return rest.isascii() and isinstance(error, json.JSONDecodeError) and begun == _BEGIN[: len(begun)]


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    """Line numbers as sed takes them to be deleted: 3d, or 5,9d."""
    first = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number == last + 1:
            last = number
            continue
        yield f"{first}d" if first == last else f"{first},{last}d"
        if number is not None:
            first = last = number
