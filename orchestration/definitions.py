"""What Dagster loads (`--module-name orchestration.definitions`): assets of a refresh, jobs, schedules, a sensor."""

from pathlib import Path

from dagster import AssetSelection, Definitions, define_asset_job, definitions, in_process_executor
from dagster_dbt import DbtProject

from orchestration.assets.dbt_models import build_dbt_models, dbt_resource
from orchestration.assets.model_fits import build_model_fits
from orchestration.assets.published import build_published
from orchestration.assets.raw_tables import build_files, build_raw_tables
from orchestration.assets.refresh import RefreshConfig
from orchestration.contract import load_contract
from orchestration.dbt_project import load_manifest
from orchestration.lifeline import end_with_starter
from orchestration.schedules import build_new_files_sensor, build_schedules
from orchestration.settings import ROOT, build_target, is_automatic, served_settings

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


def build_definitions(root: Path) -> Definitions:
    """Everything that Dagster runs for the project in `root`, on the target that the environment names."""
    target = build_target()
    manifest = load_manifest(root, target)
    project = DbtProject(project_dir=root, target=target)
    contract, served, is_running = load_contract(root), served_settings(root=root), is_automatic()
    dbt_models = build_dbt_models(project, manifest, served)
    model_fits = build_model_fits(contract, manifest, target, served)
    return Definitions(
        assets=[
            *build_files(contract, served),
            build_raw_tables(contract, target, served),
            *([model_fits] if model_fits else []),
            dbt_models,
            build_published(dbt_models, manifest, target, served),
        ],
        jobs=[refresh_job, refit_job],
        schedules=build_schedules(served, is_running=is_running),
        sensors=[build_new_files_sensor(contract, served, is_running=is_running)],
        resources={"dbt": dbt_resource(project), "refresh": RefreshConfig(root=str(root))},
    )


@definitions
def defs() -> Definitions:
    """The project that this file belongs to; parsed when Dagster asks for it, not on import."""
    # whatever loads this for Dagster, the code server and each of its runs, ends with what started it
    end_with_starter()
    return build_definitions(ROOT)
