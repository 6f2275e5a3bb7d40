"""What Dagster runs: the assets of a refresh, the jobs that make them all, and their schedules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
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
from orchestration.assets.model_fits import build_model_fits
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

refit_job = define_asset_job(
    "refit",
    selection=AssetSelection.all(),
    executor_def=in_process_executor,
    config={"resources": {"refresh": {"config": {"refit": True}}}},
    description="A refresh that first fits the predictive models anew, backtests them and chooses the champions.",
)


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


def build_definitions(root: Path) -> Definitions:
    """Everything that Dagster runs for the project in `root`, on the target that the environment names."""
    target = build_target()
    manifest = load_manifest(root, target)
    project = DbtProject(project_dir=root, target=target)
    contract = load_contract(root)
    dbt_models = build_dbt_models(project, manifest)
    model_fits = build_model_fits(contract, manifest, target)
    return Definitions(
        assets=[
            build_raw_tables(contract, target),
            *([model_fits] if model_fits else []),
            dbt_models,
            build_published(dbt_models, manifest, target),
        ],
        jobs=[refresh_job, refit_job],
        schedules=build_schedules(scheduled_time_zone(root=root)),
        resources={"dbt": dbt_resource(project), "refresh": RefreshConfig(root=str(root))},
    )
