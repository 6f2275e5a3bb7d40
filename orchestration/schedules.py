"""When Dagster runs the jobs by itself: each night, each month, and when new files have come to rest."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dagster import (
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    schedule,
    sensor,
)

from orchestration.assets.refresh import AS_OF_TAG, COMPANY_TAG
from orchestration.contract import Contract
from orchestration.errors import StickinessError
from orchestration.landing.discover import discover
from orchestration.new_files import Watched, look, state_of
from orchestration.run_tables import business_yesterday, company_id
from orchestration.settings import Settings

FILES_REST = "files_rest_seconds"
_SECONDS_BETWEEN_LOOKS = 60


def build_schedules(served: Settings, *, is_running: bool) -> list[ScheduleDefinition]:
    """The refresh of every night and the refit of every month, each as of the day that has just ended in the zone.

    `is_running` is whether they run without anybody turning them on in Dagster's pages.
    """
    status = DefaultScheduleStatus.RUNNING if is_running else DefaultScheduleStatus.STOPPED
    return [
        build_schedule(
            "nightly_refresh",
            "refresh",
            "0 2 * * *",
            served,
            status,
            "Every night at 2 o'clock of the business time zone: a refresh as of the day that has ended.",
            {},
        ),
        build_schedule(
            "monthly_refit",
            "refit",
            "0 4 1 * *",
            served,
            status,
            "On the first of each month at 4 o'clock of the business time zone: a refresh that fits the predictive "
            "models anew, as of the last day of the month that has ended.",
            {"refit": True},
        ),
    ]


def build_schedule(
    name: str,
    job_name: str,
    cron: str,
    served: Settings,
    status: DefaultScheduleStatus,
    description: str,
    config: Mapping[str, Any],
) -> ScheduleDefinition:
    """A schedule in the business time zone that runs the job as of the day that has just ended there."""
    zone = business_zone(served)

    @schedule(
        name=name,
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone=zone.key,
        default_status=status,
        description=description,
    )
    def scheduled(context: ScheduleEvaluationContext) -> RunRequest:
        yesterday = business_yesterday(context.scheduled_execution_time, zone)
        return automatic_run(served, yesterday, yesterday.isoformat(), config)

    return scheduled


def build_new_files_sensor(contract: Contract, served: Settings, *, is_running: bool) -> SensorDefinition:
    """Refreshes when files of the raw folder are new or changed, and have come to rest."""
    rest_seconds = int(served.variable(FILES_REST))

    @sensor(
        name="new_files",
        job_name="refresh",
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=DefaultSensorStatus.RUNNING if is_running else DefaultSensorStatus.STOPPED,
        description=f"Looks at the raw folder every minute. When files are new or changed, and names, sizes and times "
        f"have stayed as they are for {rest_seconds} seconds ({FILES_REST}), it asks for a refresh as of yesterday.",
    )
    def new_files(context: SensorEvaluationContext) -> SensorResult:
        return look_for_new_files(contract, served, context.cursor, datetime.now(UTC))

    return new_files


def look_for_new_files(contract: Contract, served: Settings, cursor: str | None, now: datetime) -> SensorResult:
    """What the sensor answers to a look at the raw folder; `now` carries its zone."""
    try:
        state = state_of(discover(served.raw_dir, contract, served.follow_links, served.sources).files)
    except StickinessError as error:
        return SensorResult(skip_reason=SkipReason(str(error)), cursor=cursor)
    watched, is_due = look(Watched.from_cursor(cursor), state, now.timestamp(), float(served.variable(FILES_REST)))
    if is_due:
        yesterday = business_yesterday(now, business_zone(served))
        # the same files may come back after others, and then are new again
        run_key = f"{state[:16]} {watched.since:.0f}"
        return SensorResult(run_requests=[automatic_run(served, yesterday, run_key)], cursor=watched.to_cursor())
    why = "The files are as they were." if watched.seen == watched.done else "New files are not at rest yet."
    return SensorResult(skip_reason=SkipReason(why), cursor=watched.to_cursor())


def automatic_run(served: Settings, as_of: date, run_key: str, config: Mapping[str, Any] | None = None) -> RunRequest:
    """A run as of a day that tries again by itself what may pass."""
    asked = {"as_of": as_of.isoformat(), "is_automatic": True, **(config or {})}
    return RunRequest(
        run_key=run_key,
        run_config={"resources": {"refresh": {"config": asked}}},
        tags={COMPANY_TAG: company_id(served), AS_OF_TAG: as_of.isoformat()},
    )


def business_zone(served: Settings) -> ZoneInfo:
    """The zone whose midnight ends a business day."""
    return ZoneInfo(str(served.variable("business_timezone")))
