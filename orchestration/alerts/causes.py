"""What there is to alert of, from errors, from the events of Dagster's runs, and from whoever finds data stale.

Nothing of a person comes in: a cause holds names of the project, counts, shares and days. Of errors that quote no rows
it holds the first line too, without paths and without what stands in quotes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.dead_runs import MESSAGE
from orchestration.errors import Fact, StickinessError
from orchestration.masking import MASK, masked
from orchestration.settings import FINDINGS

if TYPE_CHECKING:
    from dagster import DagsterEvent, EventLogEntry
    from dagster._utils.error import SerializableErrorInfo

FAILED, REFUSED, STALE, WARNING = "failed", "refused", "stale", "warning"
RUN_KINDS = (FAILED, REFUSED)
"""The kinds that are of a run."""

_JOBS_THAT_PUBLISH = ("", "refresh", "refit")

ALERT = "alert"
"""The metadata of a failed step that says what an alert of it may say."""

PUBLISHED = "published"
"""The asset whose materialization is a publication."""

MACHINE, UNEXPECTED = "Machine", "unexpected"
_CHECK_EVALUATION = "ASSET_CHECK_EVALUATION"
_INTERRUPTED = "DagsterExecutionInterruptedError"
# as Dagster's run monitoring words it
_TOO_LONG = "Exceeded maximum runtime"
# errors whose first line is of the project, its settings or the machine, and not of what rows hold
_QUOTED_KINDS = (
    MACHINE,
    "SettingsError",
    "SeedError",
    "ContractError",
    "ProjectError",
    "WarehouseError",
    "WarehouseLockedError",
    "RawFolderError",
    "BuildError",
    "PublicationError",
)
_SAID = 200
_QUOTED = re.compile(r'"[^"\n]*"|“[^”\n]*”|\'[^\'\n]*\'|`[^`\n]*`')
_PATH = re.compile(r"(?<![\w.])/(?:[^/\s:;,()]+/?)+")
# files of the project, and the one of the company; others may be called after somebody
_OWN_FILE = re.compile(r"/(?:seeds/\w+\.csv|company\.yml|dbt_project\.yml|profiles\.yml|raw\.yml)$")


@dataclass(frozen=True)
class Cause:
    """Something that people are told of once.

    Attributes:
        kind: FAILED, REFUSED, STALE or WARNING.
        company: id of the company, empty where it is not known.
        facts: what is wrong.
        at: when that was seen, UTC with its zone.
        job: Dagster's job, of a run; empty for what failed before there was one.
        step: the step that failed, empty where there is none.
        run_id: the run, empty where there is none.
        said: the first line of the error, where it may be shown.
    """

    kind: str
    company: str
    facts: tuple[Fact, ...]
    at: datetime
    job: str = ""
    step: str = ""
    run_id: str = ""
    said: str = ""

    @property
    def ends_with_a_publication(self) -> bool:
        """Whether the next publication makes it good; Dagster's own jobs, of chosen assets, begin with `__`."""
        return self.kind in RUN_KINDS and (self.job in _JOBS_THAT_PUBLISH or self.job.startswith("__"))

    @property
    def key(self) -> str:
        """The same for what is wrong again: figures and days do not count, since they change each night."""
        names = sorted(
            [fact.code, *(value for name, value in sorted(fact.values.items()) if name in _NAMES)]
            for fact in self.facts
        )
        what = [self.kind, self.company, self.job, self.step, names, re.sub(r"\d+", "0", self.said)]
        return f"{self.kind}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]}"

    def to_json(self) -> dict[str, Any]:
        """The cause as JSON holds it."""
        return {
            **{name: getattr(self, name) for name in ("kind", "company", "job", "step", "run_id", "said")},
            "at": self.at.isoformat(),
            "facts": _facts_json(self.facts),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Cause:
        """What `to_json` gave; KeyError, TypeError or ValueError for anything else."""
        texts = {name: str(values[name]) for name in ("kind", "company", "job", "step", "run_id", "said")}
        return Cause(facts=_facts_from(values["facts"]), at=datetime.fromisoformat(values["at"]), **texts)


# the values that say what is wrong, and not how much
_NAMES = ("table", "test", "error")


@dataclass(frozen=True)
class Stale:
    """Data that should have come.

    Attributes:
        table: the raw table, or PUBLISHED for the publication.
        newest: the last day or moment (UTC, with its zone) that there is; None if nothing ever came.
        expected: by when more should have come.
    """

    table: str
    newest: date | datetime | None
    expected: date | datetime


@dataclass(frozen=True)
class RunNews:
    """What a finished run has to tell.

    Attributes:
        cause: why it failed; None if it did not, or if somebody ended it.
        publication_id: what it published; None if nothing.
        warnings: names of the checks that did not pass in a run that published.
    """

    cause: Cause | None = None
    publication_id: str | None = None
    warnings: tuple[str, ...] = ()


def told_of(error: BaseException) -> dict[str, Any]:
    """The metadata of a step that failed by an error of this project, or by the machine."""
    is_known = isinstance(error, StickinessError)
    kind = type(error).__name__ if is_known else MACHINE
    return {ALERT: {"kind": kind, "facts": _facts_json(error.facts if is_known else ())}}


def of_error(error: BaseException, text: str | None, company: str, at: datetime, folders: Iterable[Path]) -> Cause:
    """The cause of a refresh that failed without a run, by an error that a person is told of as `text`, if expected."""
    if text is None:
        return Cause(FAILED, company, (Fact(UNEXPECTED, {"error": type(error).__name__}),), at)
    told = told_of(error)[ALERT]
    return _cause(told["kind"], _facts_from(told["facts"]), text, folders, company=company, at=at)


def of_stale(stale: Sequence[Stale], company: str, at: datetime) -> list[Cause]:
    """A cause for each table."""
    return [
        Cause(
            STALE,
            company,
            (Fact(f"stale_{_shape(one)}", {"table": one.table, **_days(one)}),),
            at,
        )
        for one in stale
    ]


def of_warnings(names: Iterable[str], company: str, at: datetime) -> list[Cause]:
    """A cause for each check that warns."""
    return [Cause(WARNING, company, (Fact("check_warns", {"test": name}),), at) for name in sorted(set(names))]


def of_run(
    entries: Sequence[EventLogEntry], run_id: str, job: str, company: str, at: datetime, folders: Iterable[Path]
) -> RunNews:
    """What the events of a finished run say; RunNews() of a run that somebody ended.

    Args:
        entries: failures, materializations and evaluated checks of the run.
        run_id: the run.
        job: its job.
        company: id of the company, empty where it is not known.
        at: when the run ended.
        folders: folders whose names no alert shows.
    """
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    run = {"company": company, "at": at, "job": job, "run_id": run_id}
    failures = [event for event in events if event.is_step_failure]
    ended = [event for event in events if event.is_run_failure]
    if any(_TOO_LONG in (event.message or "") for event in ended):
        return RunNews(Cause(FAILED, facts=(Fact("run_too_long"),), **run))
    if failures:
        return RunNews(_of_step(failures[0], folders, run))
    if ended:
        return RunNews(Cause(FAILED, facts=(_of_end(ended[-1]),), **run))
    return _of_good_run(events)


def _of_step(event: DagsterEvent, folders: Iterable[Path], run: Mapping[str, Any]) -> Cause | None:
    data = event.step_failure_data
    step = event.step_key or ""
    told = data.user_failure_data
    if told is not None:
        entry = (told.metadata or {}).get(ALERT)
        known = entry.value if entry is not None else {"kind": UNEXPECTED, "facts": []}
        facts = _facts_from(known["facts"])
        return _cause(known["kind"], facts, told.description or "", folders, step=step, **run)
    kinds = _kinds(data.error)
    if _INTERRUPTED in kinds:
        return None
    return Cause(FAILED, facts=(Fact(UNEXPECTED, {"error": kinds[-1]}),), step=step, **run)


def _of_end(event: DagsterEvent) -> Fact:
    """Of a run that failed outside its steps: its process has gone, or it did not get as far as a step."""
    if event.message == MESSAGE:
        return Fact("run_killed")
    kind = _kinds(getattr(event.event_specific_data, "error", None))[-1]
    return Fact(kind) if kind in _QUOTED_KINDS else Fact(UNEXPECTED, {"error": kind})


def _kinds(error: SerializableErrorInfo | None) -> list[str]:
    """The names of an error and of what caused it, the first cause last; a dash where there is none."""
    kinds = []
    while error is not None:
        kinds.append(error.cls_name or "-")
        error = error.cause
    return kinds or ["-"]


def _of_good_run(events: Iterable[DagsterEvent]) -> RunNews:
    publication_id, warnings = None, set()
    for event in events:
        if event.event_type_value == _CHECK_EVALUATION:
            check = event.event_specific_data
            if not check.passed:
                warnings.add(check.check_name)
        elif event.is_step_materialization and event.asset_key and event.asset_key.path == [PUBLISHED]:
            told = event.materialization.metadata
            publication_id = str(told["publication_id"].value)
            # tests over several models are no checks of Dagster's
            warnings.update(told["warnings"].value if "warnings" in told else ())
    return RunNews(None, publication_id, tuple(sorted(warnings)))


def _cause(kind: str, facts: tuple[Fact, ...], text: str, folders: Iterable[Path], **run: Any) -> Cause:
    is_refused = any(fact.code in FINDINGS for fact in facts)
    if facts:
        return Cause(REFUSED if is_refused else FAILED, facts=facts, **run)
    said = first_line(text, folders) if kind in _QUOTED_KINDS else ""
    return Cause(FAILED, facts=(Fact(kind),), said=said, **run)


def first_line(text: str, folders: Iterable[Path] = ()) -> str:
    """The first line of an error without folders, names of files, what it quotes and what looks personal, cut short."""
    lines = text.strip().splitlines()
    line = lines[0] if lines else ""
    for folder in sorted({str(folder) for folder in folders}, key=len, reverse=True):
        line = line.replace(folder, "…")
    line = _PATH.sub(_shown_path, _QUOTED.sub('"…"', line)).replace("……", "…")
    line = masked(line, MASK).strip()
    return line if len(line) <= _SAID else f"{line[: _SAID - 1]}…"


def _shown_path(path: re.Match[str]) -> str:
    own = _OWN_FILE.search(path[0])
    return f"…{own[0]}" if own else "…"


def _shape(stale: Stale) -> str:
    return "never_came" if stale.newest is None else "since"


def _days(stale: Stale) -> dict[str, str]:
    days = {"expected": stale.expected, **({} if stale.newest is None else {"newest": stale.newest})}
    return {name: _moment_text(value) for name, value in days.items()}


def _moment_text(value: date | datetime) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _facts_json(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    return [{"code": fact.code, "values": dict(fact.values)} for fact in facts]


def _facts_from(values: Iterable[Mapping[str, Any]]) -> tuple[Fact, ...]:
    return tuple(Fact(str(value["code"]), dict(value["values"])) for value in values)
