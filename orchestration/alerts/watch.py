"""Whoever sees something that people should know of comes here; each is told once, and once more when it is over.

Nothing here stops a refresh: what goes wrong is returned as sentences for a person, and never raised.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.alerts import causes
from orchestration.alerts.causes import RUN_KINDS, STALE, WARNING, Cause, Stale
from orchestration.alerts.channels import Channel, Channels
from orchestration.alerts.digest import Shown, digest
from orchestration.alerts.sending import ChannelError, try_again
from orchestration.alerts.state import State, Told, open_state, write_log
from orchestration.alerts.texts import Message, Voice, alert, all_clear
from orchestration.engines.engine import Engine
from orchestration.engines.registry import load_engine
from orchestration.errors import SettingsError, StickinessError
from orchestration.publishing import Publication
from orchestration.settings import ROOT, Settings, build_target, company_folder, company_settings, warehouse_folder

if TYPE_CHECKING:
    from dagster import DagsterInstance, RunRecord

_RUNS_LOOKED_AT = 200


@dataclass(frozen=True)
class LogChannel:
    """The log of alerts in the warehouse, which there always is."""

    warehouse: Path
    name: str = "log"

    def send(self, message: Message) -> None:
        """Append the message; ChannelError where that cannot be done."""
        moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        try:
            write_log(self.warehouse, [f"{moment}  {message.title}", *(f"  {line}" for line in message.lines)])
        except OSError as error:
            raise ChannelError(str(error.strerror)) from None


@dataclass
class Desk:
    """What sends: the settings of the company if they can be read, its channels, and what people were told."""

    settings: Settings | None
    raw_dir: Path
    warehouse: Path
    target: str
    root: Path
    channels: Sequence[Channel]
    problems: Sequence[str]
    state: State
    remarks: list[str]
    silent: set[str] = field(default_factory=set)
    """Channels that have failed at this desk: each further try would hold up what tells for as long."""

    def __post_init__(self) -> None:
        if self.settings is None:
            return
        # an alert must go out, in the right language, though they cannot be read next time
        self.state.company = str(self.settings.variable("company_id"))
        self.state.voice = Voice(
            str(self.settings.variable("company_name")),
            str(self.settings.variable("language")),
            str(self.settings.variable("business_timezone")),
        )

    @property
    def company(self) -> str:
        """The id of the company; empty where it is not known."""
        return self.state.company

    @property
    def folders(self) -> list[Path]:
        """The folders whose names no alert shows."""
        return [self.raw_dir, self.warehouse, self.root, Path.home()]

    @property
    def engine(self) -> Engine | None:
        """Where the publication is; None where that cannot be told."""
        try:
            return load_engine(self.target, self.warehouse)
        except (StickinessError, ImportError):
            return None

    def open(self, found: Sequence[Cause]) -> None:
        """Note what is wrong; what people know already stays as it is."""
        for cause in found:
            told = self.state.told.setdefault(cause.key, Told(cause))
            told.has_ended = False

    def end(self, is_over: Callable[[Cause], bool]) -> None:
        """Note that causes of the company are over."""
        for told in self.state.told.values():
            if self._is_ours(told.cause) and is_over(told.cause):
                told.has_ended = True

    def send(self) -> None:
        """Tell each channel what it has not been told: what is wrong, and of what it was told that it is over."""
        published = self._published()
        ours = [told for told in self.state.told.values() if self._is_ours(told.cause)]
        for channel in self.channels:
            new = [told for told in ours if not told.has_ended and channel.name not in told.channels]
            over = [told for told in ours if told.has_ended and channel.name in told.channels]
            for entries, make in ((over, all_clear), (new, alert)):
                for group in _by_kind(entries):
                    message = make([told.cause for told in group], self.state.voice, published)
                    if not self.deliver(channel, message):
                        continue
                    for told in group:
                        told.tell(channel.name)
        self.remarks.extend(problem for problem in self.problems if problem not in self.remarks)
        # a channel that is configured no longer is not waited for
        names = {channel.name for channel in self.channels}
        for key, told in list(self.state.told.items()):
            if told.has_ended and not names.intersection(told.channels):
                del self.state.told[key]

    def send_digest(self, publication_id: str) -> None:
        """Send the digest of the publication to every channel but the log, where the company asks for it; once."""
        channels = [channel for channel in self.channels if not isinstance(channel, LogChannel)]
        settings = self.settings
        if settings is None or not channels or self.state.digest_of == publication_id:
            return
        if not settings.variable("alert_digest"):
            return
        engine, publication = self.engine, self._published()
        # another one may have been published meanwhile, which is told by itself
        if engine is None or publication is None or publication.publication_id != publication_id:
            return
        shown = Shown(str(settings.variable("reporting_currency")), int(settings.variable("active_days")))
        with engine.read_published() as ask:
            message = digest(ask, publication, self.state.voice, shown)
        self.state.digest_of = publication_id
        for channel in channels:
            self.deliver(channel, message)

    def deliver(self, channel: Channel, message: Message) -> bool:
        """Whether the channel has taken the message; why not is logged. One that has failed is not tried again here."""
        if channel.name in self.silent:
            return False
        try:
            try_again(lambda: channel.send(message))
        except ChannelError as error:
            self.remarks.append(f"An alert could not be sent by {channel.name}: {error}.")
            if not error.is_taken:
                self.silent.add(channel.name)
            return error.is_taken
        return True

    def _published(self) -> Publication | None:
        engine = self.engine
        try:
            return None if engine is None else engine.current()
        except StickinessError:
            return None

    def _is_ours(self, cause: Cause) -> bool:
        # what happened before anybody knew whose it is, is theirs who come first
        return cause.company in (self.company, "")


def follow_runs(
    instance: DagsterInstance,
    ended: Collection[str] = (),
    environ: Mapping[str, str] = os.environ,
    root: Path = ROOT,
) -> list[str]:
    """Tell people of every run that has ended since the last look; what to tell of the telling.

    It is called where a refresh of the command line ends, and every half minute by `make dev`, which by that sees runs
    whose process was killed, too. Whoever comes first tells.

    Args:
        instance: Dagster's, of the warehouse.
        ended: runs that have just ended; of a warehouse in which nobody has looked before, others are history.
        environ: the environment.
        root: folder of the project.
    """
    remarks: list[str] = []
    with _never_raised(remarks), _desk(remarks, environ, root) as desk:
        if desk is None:
            return remarks
        records = _finished(instance)
        seen = desk.state.runs_seen
        desk.state.runs_seen = [one.dagster_run.run_id for one in records]
        for record in records:
            run_id = record.dagster_run.run_id
            if run_id in ended if seen is None else run_id not in seen:
                # what goes wrong with one run must not lose the others, which are not looked at again
                with _never_raised(remarks):
                    _follow(instance, record, desk)
    return remarks


def tell_failure(
    error: BaseException, text: str | None, environ: Mapping[str, str] = os.environ, root: Path = ROOT
) -> list[str]:
    """Tell people of a refresh that failed without a run of Dagster, by an error.

    `text` is what a person is told of the error; None of one that nobody expected.
    """
    remarks: list[str] = []
    with _never_raised(remarks, known=text), _desk(remarks, environ, root) as desk:
        if desk is not None:
            desk.open([causes.of_error(error, text, desk.company, datetime.now(UTC), desk.folders)])
            desk.send()
    return remarks


def tell_stale(stale: Sequence[Stale], environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> list[str]:
    """Tell people which data is late, and of what they were told and which has come.

    Args:
        stale: all that is late now.
        environ: the environment.
        root: folder of the project.
    """
    remarks: list[str] = []
    with _never_raised(remarks), _desk(remarks, environ, root) as desk:
        if desk is not None:
            before = desk.state.to_json()
            _set(desk, STALE, causes.of_stale(stale, desk.company, datetime.now(UTC)))
            # it is asked every half minute: a channel that fails is tried again when there is something new
            if desk.state.to_json() != before:
                desk.send()
    return remarks


def _follow(instance: DagsterInstance, record: RunRecord, desk: Desk) -> None:
    """Tell of one run."""
    run = record.dagster_run
    ended_at = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
    news = causes.of_run(_entries(instance, run.run_id), run.run_id, run.job_name, desk.company, ended_at, desk.folders)
    if news.cause is not None:
        desk.open([news.cause])
    elif run.is_success:
        desk.end(
            lambda cause: cause.kind in RUN_KINDS and cause.job == run.job_name and not cause.ends_with_a_publication
        )
    if news.publication_id is not None:
        desk.end(lambda cause: cause.ends_with_a_publication)
        _set(desk, WARNING, causes.of_warnings(news.warnings, desk.company, ended_at))
    desk.send()
    if news.publication_id is not None:
        desk.send_digest(news.publication_id)


def _set(desk: Desk, kind: str, found: Sequence[Cause]) -> None:
    """Note that these are all the causes of a kind."""
    keys = {cause.key for cause in found}
    desk.end(lambda cause: cause.kind == kind and cause.key not in keys)
    desk.open(found)


def _finished(instance: DagsterInstance) -> list[RunRecord]:
    """The runs that have ended, the first to end first."""
    from dagster import DagsterRunStatus, RunsFilter

    finished = RunsFilter(statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
    records = instance.get_run_records(finished, limit=_RUNS_LOOKED_AT)
    return sorted(records, key=lambda record: (record.end_time or 0.0, record.storage_id))


def _entries(instance: DagsterInstance, run_id: str) -> list:
    from dagster import DagsterEventType

    kinds = {
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.RUN_FAILURE,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    return list(instance.all_logs(run_id, of_type=kinds))


def _by_kind(entries: Sequence[Told]) -> Iterator[list[Told]]:
    """The entries of which one message tells: those of a kind; of runs each its own, until they are over."""

    def group(told: Told) -> str:
        if told.cause.kind not in RUN_KINDS:
            return told.cause.kind
        return "over" if told.has_ended else told.cause.key

    for _, found in groupby(sorted(entries, key=group), key=group):
        yield list(found)


@contextlib.contextmanager
def _desk(remarks: list[str], environ: Mapping[str, str], root: Path) -> Iterator[Desk | None]:
    """The desk of the company that the environment names; None where there is nobody to tell and nothing to keep."""
    warehouse, target = warehouse_folder(environ, root), build_target(environ)
    channels = Channels.from_environ(environ)
    if not channels.usable and not warehouse.exists():
        yield None
        return
    try:
        settings = company_settings(environ, root)
    except (SettingsError, OSError):
        settings = None
    raw_dir = company_folder(environ, root)
    try:
        with open_state(warehouse, remarks) as state:
            usable = [LogChannel(warehouse), *channels.usable]
            yield Desk(settings, raw_dir, warehouse, target, root, usable, channels.problems, state, remarks)
    finally:
        _log(warehouse, remarks)


def _log(warehouse: Path, remarks: Sequence[str]) -> None:
    with contextlib.suppress(OSError):
        if remarks:
            moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
            write_log(warehouse, [f"{moment}  warning: {remark}" for remark in remarks])


@contextlib.contextmanager
def _never_raised(remarks: list[str], known: str | None = None) -> Iterator[None]:
    """Have an error remarked and not raised; one whose text is `known` has been told already."""
    try:
        yield
    except StickinessError as error:
        if str(error) != known:
            remarks.append(f"Alerts could not be sent: {error}")
    except OSError as error:
        remarks.append(f"Alerts could not be sent: {error.strerror}.")
    except Exception as error:
        # its text may hold what must not be shown
        remarks.append(f"Alerts could not be sent: a defect of the project, {type(error).__name__}.")
