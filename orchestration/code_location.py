"""What Dagster runs: the assets of a refresh, the job that makes them all, and its nightly schedule."""

from pathlib import Path
from zoneinfo import ZoneInfo

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    Definitions,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
    in_process_executor,
    schedule,
)
from dagster_dbt import DbtProject

from orchestration.assets.dbt_models import build_dbt_models, dbt_resource
from orchestration.assets.publication import build_published
from orchestration.assets.raw_tables import build_raw_tables
from orchestration.assets.refresh import RefreshConfig
from orchestration.contract import load_contract
from orchestration.project import load_manifest
from orchestration.settings import build_target, scheduled_time_zone
from orchestration.warehouse import business_yesterday

refresh_job = define_asset_job(
    "refresh",
    selection=AssetSelection.all(),
    executor_def=in_process_executor,
    description="Lands the raw folder, builds and tests every model, and publishes the marts.",
)


def build_schedule(time_zone: str) -> ScheduleDefinition:
    """The refresh at two at night in the zone, as of the day that has just ended there."""

    @schedule(
        name="nightly_refresh",
        job=refresh_job,
        cron_schedule="0 2 * * *",
        execution_timezone=time_zone,
        default_status=DefaultScheduleStatus.STOPPED,
    )
    def nightly_refresh(context: ScheduleEvaluationContext) -> RunRequest:
        yesterday = business_yesterday(context.scheduled_execution_time, ZoneInfo(time_zone))
        return RunRequest(
            run_key=yesterday.isoformat(),
            run_config={"resources": {"refresh": {"config": {"as_of": yesterday.isoformat()}}}},
        )

    return nightly_refresh


def build_definitions(root: Path) -> Definitions:
    """Everything that Dagster runs for the project in `root`, on the target that the environment names."""
    target = build_target()
    manifest = load_manifest(root, target)
    project = DbtProject(project_dir=root, target=target)
    dbt_models = build_dbt_models(project, manifest)
    return Definitions(
        assets=[
            build_raw_tables(load_contract(root), target),
            dbt_models,
            build_published(dbt_models, manifest, target),
        ],
        jobs=[refresh_job],
        schedules=[build_schedule(scheduled_time_zone(root=root))],
        resources={"dbt": dbt_resource(project), "refresh": RefreshConfig(root=str(root))},
    )
