"""The last step: the marts of a build that passed its tests become what readers see."""

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, asset
from dagster_dbt import get_asset_key_for_model

from orchestration.assets.refresh import WRITER_POOL, RefreshConfig, raised_as_failure
from orchestration.dbt_project import code_version, primary_keys, published_models, read_json, relation, target_folder
from orchestration.engines.engine import Engine
from orchestration.engines.registry import load_engine
from orchestration.errors import PublicationError, StickinessError
from orchestration.failure_report import Outcome, outcome
from orchestration.progress import announce
from orchestration.publishing import PublicationFacts
from orchestration.settings import Settings


def build_published(dbt_models: AssetsDefinition, manifest: Mapping[str, Any], target: str) -> AssetsDefinition:
    """The published version, which stands behind every mart and every check on one."""
    models = published_models(manifest)
    deps = [get_asset_key_for_model([dbt_models], manifest["nodes"][unique_id]["name"]) for unique_id in models]

    @asset(
        name="published",
        deps=deps,
        pool=WRITER_POOL,
        group_name="publication",
        kinds={"python", target},
        description="What BI, dashboards and activation read.",
    )
    def published(context: AssetExecutionContext, refresh: RefreshConfig) -> MaterializeResult:
        begin = time.monotonic()
        with raised_as_failure():
            settings = refresh.settings()
            result = _outcome(manifest, settings)
            keys = primary_keys(manifest)
            engine = load_engine(settings.target, settings.warehouse)
            publication = engine.publish(
                {table: keys.get(unique_id, ()) for unique_id, table in models.items()},
                _facts(manifest, settings, result, engine),
                keep=int(settings.variable("publications_kept")),
            )
        announce("published", f"{publication.tables:>3} tables", time.monotonic() - begin)
        return MaterializeResult(
            metadata={
                "publication_id": publication.publication_id,
                "tables": publication.tables,
                "dagster/row_count": publication.rows,
            }
        )

    return published


def _outcome(manifest: Mapping[str, Any], settings: Settings) -> Outcome:
    """What the last build came to; PublicationError unless it built all that is published and passed its tests."""
    path = target_folder(settings.warehouse) / "run_results.json"
    if not path.exists():
        raise PublicationError("Nothing has been built that could be published. Run the whole refresh.")
    result = outcome(manifest, read_json(path))
    not_built = sorted(
        manifest["nodes"][unique_id]["name"]
        for unique_id in published_models(manifest)
        if unique_id not in result.succeeded
    )
    if result.failed or not_built:
        why = "had failures" if result.failed else f"did not build {', '.join(not_built)}"
        raise PublicationError(f"The last build {why}, so it is not published. Run the whole refresh.")
    return result


def _facts(manifest: Mapping[str, Any], settings: Settings, result: Outcome, engine: Engine) -> PublicationFacts:
    as_of_date, started_at = _read_run(manifest, engine)
    return PublicationFacts(
        as_of_date=as_of_date,
        code_version=code_version(settings.root),
        tests_passed=result.tests_passed,
        tests_warned=len(result.warnings),
        started_at=started_at,
    )


def _read_run(manifest: Mapping[str, Any], engine: Engine) -> tuple[date | None, datetime]:
    """The as-of date that the models used, and when the run started (UTC)."""
    try:
        _, rows = engine.read_build(f"SELECT as_of_date, started_at FROM {'.'.join(relation(manifest, 'run_context'))}")
    except StickinessError as error:
        raise PublicationError(f"The build does not say what it is a build of: {error}") from error
    if len(rows) != 1:
        raise PublicationError(f"run_context has {len(rows)} rows; expected one. Run the whole refresh.")
    as_of_date, started_at = rows[0]
    return as_of_date, started_at.replace(tzinfo=UTC)
