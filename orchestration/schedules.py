"""When Dagster runs the jobs by itself: the nightly refresh and the monthly refit."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    schedule,
)

from orchestration.run_tables import business_yesterday


def build_schedules(time_zone: str) -> list[ScheduleDefinition]:
    """The refresh of every night and the refit of every month, each as of the day that has just ended in the zone."""
    return [
        build_schedule("nightly_refresh", "refresh", "0 2 * * *", time_zone, {}),
        build_schedule("monthly_refit", "refit", "0 4 1 * *", time_zone, {"refit": True}),
    ]


def build_schedule(
    name: str, job_name: str, cron: str, time_zone: str, config: Mapping[str, Any]
) -> ScheduleDefinition:
    """A schedule in the zone that runs the job as of the day that has just ended there."""

    @schedule(
        name=name,
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=DefaultScheduleStatus.STOPPED,
    )
    def scheduled(context: ScheduleEvaluationContext) -> RunRequest:
        yesterday = business_yesterday(context.scheduled_execution_time, ZoneInfo(time_zone))
        return RunRequest(
            run_key=yesterday.isoformat(),
            run_config={"resources": {"refresh": {"config": {"as_of": yesterday.isoformat(), **config}}}},
        )

    return scheduled
