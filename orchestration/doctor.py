"""What on this machine, in the raw folder or in the warehouse would stop a refresh: `make doctor`.

Each check looks at one thing and names the one command that mends it. Nothing is changed, but that the raw folder of a
company of companies/ is made where a refresh would make it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from orchestration.alerts.channels import Channels
from orchestration.bi.bi_settings import DSN, BiSettings
from orchestration.company import COMPANY_FILE
from orchestration.contract import load_contract
from orchestration.dagster_store import check_dagster_store
from orchestration.engines.registry import ADAPTERS, load_engine
from orchestration.errors import StickinessError, quoted
from orchestration.landing.discover import discover
from orchestration.serving.pages import WEB_PORT, listen
from orchestration.settings import TARGET, Settings, build_target, load_settings, warehouse_folder
from orchestration.warehouse_lock import holder_of, is_locked

_GIGABYTE = 1_000_000_000
# the sample takes a third of the first; a version that is published stands beside the build and the versions kept
_ROOM_NEEDED, _ROOM_WISHED = 1 * _GIGABYTE, 5 * _GIGABYTE
_ORDERS = "orders"
_SECONDS_FOR_A_PROGRAM = 10


class State(Enum):
    """What a check came to. `WRONG` stops a refresh; `LOOK` does not, but something will be missing."""

    WELL = "ok"
    UNUSED = "-"
    LOOK = "look"
    WRONG = "WRONG"


@dataclass(frozen=True)
class Finding:
    """What one check saw, and the command that mends it where something is to be mended."""

    subject: str
    state: State
    text: str
    remedy: str = ""

    def lines(self) -> list[str]:
        """The finding as a person reads it."""
        lines = [f"{self.state.value:<7}{self.subject:<12}{self.text}"]
        return [*lines, f"{'':<19}{self.remedy}"] if self.remedy else lines


def examine(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Every finding, in the order in which a refresh would meet what they are about."""
    yield Finding("Python", State.WELL, f"{platform.python_version()} in {sys.prefix}")
    yield from _company(environ)
    try:
        warehouse, target = warehouse_folder(environ), build_target(environ)
    except StickinessError as error:
        yield Finding("warehouse", State.WRONG, str(error))
        return
    yield _disk(warehouse)
    yield _warehouse(warehouse)
    yield _published(warehouse, target)
    yield _port(environ)
    yield _copy(environ)
    yield from _alerts(environ)
    yield from _programs(target)
    yield _fonts()


def _company(environ: Mapping[str, str]) -> Iterator[Finding]:
    """The settings, company.yml among them, and the files of the raw folder."""
    try:
        settings = load_settings(environ)
    except StickinessError as error:
        yield Finding("settings", State.WRONG, str(error))
        return
    own = _count(len(settings.variables), "setting")
    yield Finding("settings", State.WELL, f"{settings.variable('company_name')}, {own} of its own in {COMPANY_FILE}")
    try:
        yield from _raw_folder(settings)
    except StickinessError as error:
        yield Finding("raw folder", State.WRONG, str(error))


def _raw_folder(settings: Settings) -> Iterator[Finding]:
    found = discover(settings.raw_dir, load_contract(settings.root), settings.follow_links, settings.sources)
    tables = list(dict.fromkeys(file.table for file in found.files))
    for problem in found.problems:
        text = f"{problem.file_name}: expected {problem.expected}; found {problem.found}. {problem.action}"
        yield Finding("raw folder", State.WRONG, text)
    if _ORDERS not in tables:
        text = f"{settings.raw_dir} has no file of the table {_ORDERS}: every mart would be empty"
        yield Finding("raw folder", State.WRONG, text, "make doctor RAW=<folder>")
    else:
        text = f"{_count(len(found.files), 'file')} of {_count(len(tables), 'table')} in {settings.raw_dir}"
        yield Finding("raw folder", State.WELL, text)
    for sentence in found.read_as:
        yield Finding("raw folder", State.WELL, sentence)
    for sentence in (*found.unread, *found.unused):
        yield Finding("raw folder", State.LOOK, sentence)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that there is."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _disk(warehouse: Path) -> Finding:
    free = shutil.disk_usage(_nearest(warehouse)).free
    state = State.WRONG if free < _ROOM_NEEDED else State.LOOK if free < _ROOM_WISHED else State.WELL
    text = f"{free / _GIGABYTE:.1f} GB free for {warehouse}"
    if state is State.WELL:
        return Finding("disk", state, text)
    return Finding(
        "disk",
        state,
        f"{text}; a refresh of the sample takes {_ROOM_NEEDED / _GIGABYTE:.0f} GB",
        f"df -h {quoted(_nearest(warehouse))}; another place: make run WAREHOUSE=<folder>",
    )


def _warehouse(warehouse: Path) -> Finding:
    """Whether a refresh could write there now."""
    place = _nearest(warehouse)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        text = f"{place} is no folder that you may write to"
        return Finding("warehouse", State.WRONG, text, "make run WAREHOUSE=<folder>")
    if not warehouse.exists():
        return Finding("warehouse", State.WELL, f"{warehouse} will be made by the first refresh")
    try:
        check_dagster_store(warehouse)
    except StickinessError as error:
        return Finding("warehouse", State.WRONG, str(error))
    if is_locked(warehouse):
        who = holder_of(warehouse)
        return Finding(
            "warehouse", State.LOOK, f"{warehouse} is in use{f' ({who})' if who else ''}: wait until it ends"
        )
    return Finding("warehouse", State.WELL, f"{warehouse} can be written to")


def _published(warehouse: Path, target: str) -> Finding:
    try:
        engine = load_engine(target, warehouse)
        publication = engine.current()
    except StickinessError as error:
        return Finding("published", State.WRONG, str(error))
    except ImportError as error:
        return Finding("published", State.WRONG, f"the packages of the target {target} are missing ({error.name})")
    if publication is None:
        return Finding("published", State.UNUSED, "nothing yet", "make run")
    text = f"{publication.publication_id}, as of {publication.as_of_date}, {publication.tables} tables"
    return Finding("published", State.WELL, text)


def _port(environ: Mapping[str, str]) -> Finding:
    try:
        with listen(environ) as listening:
            port = listening.getsockname()[1]
    except StickinessError as error:
        return Finding("pages", State.LOOK, str(error), f"{WEB_PORT}=3100 make dev")
    return Finding("pages", State.WELL, f"make dev can serve them on port {port}")


def _copy(environ: Mapping[str, str]) -> Finding:
    """The settings of the copy in PostgreSQL; whether the server takes them, only a copy shows."""
    try:
        settings = BiSettings.from_environ(environ)
    except StickinessError as error:
        return Finding("BI copy", State.LOOK, str(error))
    if settings is None:
        return Finding("BI copy", State.UNUSED, f"none is made; {DSN} asks for one (docs/bi.md)")
    return Finding("BI copy", State.WELL, f"is made in the schema {settings.schema}")


def _alerts(environ: Mapping[str, str]) -> Iterator[Finding]:
    """The channels by name; whether they take a message, only an alert shows."""
    channels = Channels.from_environ(environ)
    for problem in channels.problems:
        yield Finding("alerts", State.LOOK, problem)
    if channels.usable:
        yield Finding("alerts", State.WELL, f"are sent by {', '.join(channel.name for channel in channels.usable)}")
    elif not channels.problems:
        yield Finding("alerts", State.UNUSED, "are only logged; docs/operations.md says how to have them sent")


def _programs(target: str) -> Iterator[Finding]:
    """What a trial cluster on this machine would need, of each target that has one."""
    for name, adapter in ADAPTERS.items():
        if adapter.trial_program is None:
            continue
        program, package = adapter.trial_program
        found, why = shutil.which(program), f"{TARGET}={name} on this machine needs it"
        if found is not None:
            yield Finding(program, State.WELL, found)
        elif name == target:
            yield Finding(program, State.LOOK, f"not installed; {why}", f"apt-get install {package}")
        else:
            yield Finding(program, State.UNUSED, f"not installed; only {why}")


def _fonts() -> Finding:
    """Labels in Chinese need a font that has its signs, in whatever shows them."""
    lister = shutil.which("fc-list")
    if lister is None:
        return Finding("fonts", State.UNUSED, "this machine lists none; where boards are read, Chinese needs a font")
    try:
        listed = subprocess.run(
            [lister, ":lang=zh", "family"], capture_output=True, text=True, timeout=_SECONDS_FOR_A_PROGRAM, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return Finding("fonts", State.UNUSED, f"{lister} did not answer")
    families = sorted({line.split(",")[0] for line in listed.stdout.splitlines() if line.strip()})
    if families:
        return Finding("fonts", State.WELL, f"Chinese: {families[0]}")
    return Finding("fonts", State.LOOK, "none has Chinese signs", "apt-get install fonts-noto-cjk")
