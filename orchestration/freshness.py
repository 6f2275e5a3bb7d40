"""When new files, and the next publication, are due: Dagster's freshness policies, and the events that they look at.

A policy looks at when its asset was last materialised. The table raw/orders is written by every refresh, whatever is in
the folder, so that says nothing of the company's exports. The asset files/orders stands for these: its event is dated
at the moment at which landing first saw the newest content of the table (`first_seen_at` of raw_files).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.alerts.causes import PUBLISHED, Stale
from orchestration.contract import Contract
from orchestration.errors import SettingsError, shown
from orchestration.landing.land import LandedFile
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance, FreshnessPolicy

NEW_FILES_DUE = "new_files_due"
PUBLICATION_DUE = "publication_due_hours"
NONE = "none"
# a file that comes a little later than the day before is not late
GRACE = timedelta(hours=6)
_MOST_DAYS = 3650


def parse_new_files_due(text: str, tables: Collection[str]) -> dict[str, int]:
    """The days within which new content of a table is due, by table, from `orders 1, tickets 7`.

    Raises:
        SettingsError: the text names no table of the contract, or no whole number of days.
    """
    if text.strip() == NONE:
        return {}
    due: dict[str, int] = {}
    for entry in text.split(","):
        name, _, days = entry.strip().partition(" ")
        number = days.strip()
        if name not in tables or name in due or not (number.isdecimal() and 0 < int(number) <= _MOST_DAYS):
            raise SettingsError(
                f'{NEW_FILES_DUE} has "{shown(entry.strip())}"; expected {NONE}, or tables of the raw contract, each '
                f"once with the days within which new content is due, from 1 to {_MOST_DAYS}, such as `orders 1, "
                f"tickets 7`. Correct it in company.yml, or remove the line for the default."
            )
        due[name] = int(number)
    return due


def new_files_due(contract: Contract, served: Settings) -> dict[str, int]:
    """What the company expects, as `parse_new_files_due` gives it.

    Raises:
        SettingsError: its setting says nothing that can be due.
    """
    return parse_new_files_due(str(served.variable(NEW_FILES_DUE)), contract.tables)


def new_files_policy(days: int) -> FreshnessPolicy:
    """Warns where the content that was due has not come, and fails where it is missing for the second time."""
    from dagster import FreshnessPolicy

    due = timedelta(days=days)
    return FreshnessPolicy.time_window(fail_window=2 * due + GRACE, warn_window=due + GRACE)


def publication_policy(hours: int) -> FreshnessPolicy:
    """Fails where the last publication is older than the hours."""
    from dagster import FreshnessPolicy

    return FreshnessPolicy.time_window(fail_window=timedelta(hours=hours))


def files_key(table: str) -> AssetKey:
    """The asset that stands for the files of a raw table."""
    from dagster import AssetKey

    return AssetKey(["files", table])


def newest_content(files: Iterable[LandedFile]) -> dict[str, datetime]:
    """When the newest content of each table was first seen, UTC without a zone; nothing of a table without a file."""
    newest: dict[str, datetime] = {}
    for landed in files:
        newest[landed.table] = max(landed.first_seen_at, newest.get(landed.table, landed.first_seen_at))
    return newest


def report_new_files(instance: DagsterInstance, newest: Mapping[str, datetime]) -> list[str]:
    """Report to Dagster the tables whose newest content it does not know of, dated when it was first seen.

    Returns the tables. Of content that comes back, as where an older export is put in place again, nothing is reported.
    """
    reported = []
    for table, seen_at in newest.items():
        moment = seen_at.replace(tzinfo=UTC).timestamp()
        known = instance.get_latest_materialization_event(files_key(table))
        if known is None or known.timestamp < moment:
            _report(instance, table, moment)
            reported.append(table)
    return reported


def late(instance: DagsterInstance, contract: Contract, served: Settings, now: datetime) -> list[Stale]:
    """What is late at a moment (with its zone), by the bounds of the policies; what never came is not.

    Raises:
        SettingsError: a setting of the company says nothing that can be due.
    """
    from dagster import AssetKey

    files = new_files_due(contract, served)
    due = {files_key(table): (table, timedelta(days=days) + GRACE) for table, days in files.items()}
    due[AssetKey([PUBLISHED])] = (PUBLISHED, timedelta(hours=int(served.variable(PUBLICATION_DUE))))
    found = []
    for key, (name, room) in due.items():
        event = instance.get_latest_materialization_event(key)
        newest = None if event is None else datetime.fromtimestamp(event.timestamp, UTC)
        if newest is not None and now > newest + room:
            found.append(Stale(name, newest, newest + room))
    return found


def _report(instance: DagsterInstance, table: str, moment: float) -> None:
    # report_runless_asset_event dates what it reports at the moment of the call
    from dagster import AssetMaterialization, DagsterEvent, DagsterEventType, MetadataValue
    from dagster._core.events import StepMaterializationData
    from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

    materialization = AssetMaterialization(
        files_key(table), metadata={"first_seen_at": MetadataValue.timestamp(moment)}
    )
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        event_specific_data=StepMaterializationData(materialization),
        job_name=RUNLESS_JOB_NAME,
    )
    instance.report_dagster_event(event, run_id=RUNLESS_RUN_ID, timestamp=moment)
