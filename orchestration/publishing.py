"""What the publications of all engines share: tables, what is told of a version, its id, which one to go back to."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from orchestration.errors import PublicationError

# schemas of models whose tables are published under the same names
BUILT_SCHEMAS = ("marts", "quality")
# seeds that say what codes are called are published too, away from those that are of no use to readers
LABELS = "labels"
PUBLISHED_SCHEMAS = (*BUILT_SCHEMAS, LABELS)
PUBLICATIONS = ("quality", "publications")
BOARDS_FOLDER = "dashboards"

PUBLICATION_COLUMNS = {
    "publication_id": "VARCHAR",
    "published_at": "TIMESTAMP",
    "as_of_date": "DATE",
    "code_version": "VARCHAR",
    "tables": "BIGINT",
    "rows": "BIGINT",
    "tests_passed": "BIGINT",
    "tests_warned": "BIGINT",
    "duration_seconds": "DOUBLE",
    "company_id": "VARCHAR",
    # JSON objects by raw table, so that a table of the contract more changes no column
    "files_by_table": "VARCHAR",
    "rows_by_table": "VARCHAR",
    "revenue_by_table": "VARCHAR",
}

Table = tuple[str, str]
"""Schema and name."""


@dataclass(frozen=True)
class PublishedTable:
    """A published table, to be copied: types and comments by column, and its rows in batches, whenever asked."""

    table: Table
    columns: Mapping[str, str]
    comment: str | None
    comments: Mapping[str, str | None]
    rows: Callable[[], Iterator[Sequence[tuple[Any, ...]]]]


def built_as(table: Table) -> Table:
    """The table of the build that a published one is a copy of, its schema as dbt_project.yml names it."""
    schema, name = table
    return ("seeds" if schema == LABELS else schema), name


@dataclass(frozen=True)
class TableFigures:
    """What a build has of a raw table; `revenue` in the reporting currency, None for a table without amounts sold."""

    files: int = 0
    rows_read: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    rows_superseded: int = 0
    revenue: Decimal | None = None
    rows_filtered: int = 0

    @property
    def rows_judged(self) -> int:
        """The rows that no rule of a mapping left out: of so many a share may be rejected."""
        return self.rows_read - self.rows_filtered


@dataclass(frozen=True)
class PublicationFacts:
    """What the refresh knows of the build that it publishes; `started_at` carries its zone, `tables` are raw ones."""

    as_of_date: date | None
    code_version: str
    tests_passed: int
    tests_warned: int
    started_at: datetime
    company_id: str | None = None
    tables: Mapping[str, TableFigures] = field(default_factory=dict)


@dataclass(frozen=True)
class Publication:
    """One row of quality.publications. `published_at` is UTC without a zone; `rows` are those of all its tables.

    What is told by table is of the raw tables: files, accepted rows, and revenue of those that have one. Release 0.1.0
    told neither company nor tables.
    """

    publication_id: str
    published_at: datetime
    as_of_date: date | None
    code_version: str
    tables: int
    rows: int
    tests_passed: int
    tests_warned: int
    duration_seconds: float
    company_id: str | None = None
    files_by_table: Mapping[str, int] = field(default_factory=dict)
    rows_by_table: Mapping[str, int] = field(default_factory=dict)
    revenue_by_table: Mapping[str, float] = field(default_factory=dict)

    def values(self) -> tuple[object, ...]:
        """The values of PUBLICATION_COLUMNS."""
        return tuple(
            json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for value in asdict(self).values()
        )

    def to_json(self) -> str:
        """The publication as a JSON object that `from_json` reads."""
        return json.dumps(asdict(self), default=json_value, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Publication:
        """Read what `to_json` wrote; ValueError, KeyError or TypeError if it is something else, as read_publication."""
        return read_publication(json.loads(text))


Beside = Callable[[Path, Path, Publication], None]
"""Writes what readers find beside the tables into the folder of a version, from its database file."""


@dataclass(frozen=True)
class Event:
    """A line of the ledger: which version became the published one, when (UTC, no zone), and in place of which."""

    kind: Literal["published", "rolled_back"]
    at: datetime
    publication_id: str
    replaced: str | None
    publication: Publication | None = None


def describe(
    publication_id: str, facts: PublicationFacts, counts: Mapping[Table, int], earlier: Sequence[Publication]
) -> Publication:
    """What is told of a version that is published now: the rows of its tables, and those of quality.publications."""
    return Publication(
        publication_id=publication_id,
        published_at=datetime.now(UTC).replace(tzinfo=None),
        as_of_date=facts.as_of_date,
        code_version=facts.code_version,
        tables=len(counts) + 1,
        rows=sum(counts.values()) + len(earlier) + 1,
        tests_passed=facts.tests_passed,
        tests_warned=facts.tests_warned,
        # a clock that was set back in between
        duration_seconds=max(round((datetime.now(UTC) - facts.started_at).total_seconds(), 1), 0.0),
        company_id=facts.company_id,
        files_by_table={name: table.files for name, table in facts.tables.items() if table.files},
        rows_by_table={name: table.rows_accepted for name, table in facts.tables.items() if table.files},
        revenue_by_table={
            name: float(table.revenue)
            for name, table in facts.tables.items()
            if table.files and table.revenue is not None
        },
    )


def last_of_company(events: Sequence[Event], company_id: str) -> Publication | None:
    """What was published or rolled back to last of the versions of a company; None if it has none."""
    publications = {event.publication_id: event.publication for event in events if event.publication is not None}
    for event in reversed(events):
        publication = publications.get(event.publication_id)
        if publication is not None and publication.company_id == company_id:
            return publication
    return None


def new_id(is_taken: Callable[[str], bool]) -> str:
    """An id that sorts by time, of a version that does not exist."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    while True:
        publication_id = f"{moment}-{secrets.token_hex(2)}"
        if not is_taken(publication_id):
            return publication_id


def rollback_target(
    events: Sequence[Event], published: str, kept: Sequence[str], to: str | None, where: str | Path
) -> str:
    """The version to roll back to: the one named, else the one before the published; PublicationError if it is none."""
    if to == published:
        raise PublicationError(f"{to} is already the published version.")
    if to is not None and to not in kept:
        raise PublicationError(f"There is no version {to} in {where}; kept are {', '.join(kept)}.")
    to = to or _predecessor(events, published, kept)
    if to is None:
        raise PublicationError(f"There is no version before {published}; kept are {', '.join(kept)}.")
    return to


def _predecessor(events: Sequence[Event], publication_id: str, kept: Sequence[str]) -> str | None:
    """The version that this one replaced when it was published, or the newest before that which is still kept."""
    replaced = {event.publication_id: event.replaced for event in events if event.kind == "published"}
    before = replaced.pop(publication_id, None)
    while before is not None and before not in kept:
        before = replaced.pop(before, None)
    return before


def outdated(events: Sequence[Event], published: str | None, kept: Sequence[str], keep: int) -> list[str]:
    """All of the kept versions but the published one and the `keep` that were published or rolled back to last."""
    last_published = {event.publication_id: position for position, event in enumerate(events)}
    newest_first = sorted(kept, key=lambda name: (last_published.get(name, -1), name), reverse=True)
    return [name for name in newest_first[keep:] if name != published]


def json_value(value: Any) -> str:
    """A day or moment as JSON holds it; for `json.dumps`."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the ledger")


class WrittenByNewerError(ValueError):
    """What a newer release of the project has written, which knows more than this one; the text is what is unknown."""


_LARGEST = 2**63 - 1


def read_publication(values: Any) -> Publication:
    """A publication from the values of its JSON object.

    Raises:
        WrittenByNewerError: it says what this release does not know.
        ValueError, KeyError, TypeError: it is none.
    """
    refuse_unknown(values, [field.name for field in fields(Publication)])
    for name in ("publication_id", "code_version", "published_at"):
        _expect(name, isinstance(values[name], str))
    for name in ("tables", "rows", "tests_passed", "tests_warned"):
        _expect(name, type(values[name]) is int and abs(values[name]) <= _LARGEST)
    _expect("duration_seconds", _is_number(values["duration_seconds"]))
    _expect("company_id", isinstance(values.get("company_id"), str | None))
    for name in ("files_by_table", "rows_by_table", "revenue_by_table"):
        told = values.get(name, {})
        _expect(name, isinstance(told, dict) and all(_is_number(value) for value in told.values()))
    as_of_date = values["as_of_date"] and date.fromisoformat(values["as_of_date"])
    return Publication(**{**values, "as_of_date": as_of_date, "published_at": naive_moment(values["published_at"])})


def refuse_unknown(values: Any, known: Sequence[str]) -> None:
    """WrittenByNewerError if a JSON object has a field that is not known; TypeError if it is none."""
    if not isinstance(values, dict):
        raise TypeError(f"expected an object, found {type(values).__name__}")
    unknown = [name for name in values if name not in known]
    if unknown:
        raise WrittenByNewerError(unknown[0])


def naive_moment(text: str) -> datetime:
    """A moment of UTC without a zone; ValueError or TypeError if it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(f"{text} has a zone")
    return moment


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _LARGEST


def _expect(name: str, is_so: bool) -> None:
    if not is_so:
        raise ValueError(f"{name} is not what it should be")
