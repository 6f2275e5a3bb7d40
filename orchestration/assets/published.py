"""The last step: the marts of a build that passed its tests become what readers see."""

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, MetadataValue, asset
from dagster_dbt import get_asset_key_for_model

from orchestration.asset_texts import DATA_OWNER, owners_of
from orchestration.assets.refresh import WRITER_POOL, RefreshConfig, raised_as_failure, tag_run
from orchestration.bi.follow import follow
from orchestration.boards.beside import board_writer
from orchestration.build_figures import ask_build, built_tables, files_seen_since
from orchestration.contract import load_contract
from orchestration.dbt_project import (
    code_version,
    primary_keys,
    published_models,
    published_nodes,
    read_json,
    relation,
    source_relation,
    target_folder,
)
from orchestration.dictionary import describe_published
from orchestration.engines.engine import Engine
from orchestration.engines.registry import load_engine
from orchestration.errors import PublicationError, StickinessError
from orchestration.failure_report import Outcome, outcome
from orchestration.figures import HEADLINE_MARTS, headline_figures, mart_figures
from orchestration.freshness import PUBLICATION_DUE, publication_policy
from orchestration.progress import announce
from orchestration.publication_guard import (
    Limits,
    allowed_lines,
    build_findings,
    judge,
    refuse,
    replaced_company,
    warning_lines,
)
from orchestration.publishing import Publication, PublicationFacts, last_of_company
from orchestration.run_tables import company_id
from orchestration.settings import REJECTED_ROWS, Settings
from orchestration.summary import change_lines, headline_kpis, kpi_table, rejection_lines, rejections


def build_published(
    dbt_models: AssetsDefinition, manifest: Mapping[str, Any], target: str, served: Settings
) -> AssetsDefinition:
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
        owners=owners_of(served, DATA_OWNER),
        freshness_policy=publication_policy(int(served.variable(PUBLICATION_DUE))),
    )
    def published(context: AssetExecutionContext, refresh: RefreshConfig) -> MaterializeResult:
        begin = time.monotonic()
        with raised_as_failure(context, refresh.waits):
            settings = refresh.settings()
            result = _outcome(manifest, settings)
            keys = primary_keys(manifest)
            engine = load_engine(settings.target, settings.warehouse)
            facts, is_as_of_asked_for = _facts(manifest, settings, result, engine)
            tag_run(context, settings, facts.as_of_date)
            last = last_of_company(engine.events(), company_id(settings))
            told = _guard(manifest, settings, engine, facts, last, is_as_of_asked_for)
            before = engine.current()
            replaced = replaced_company(before, company_id(settings))
            seen = 0 if last is None else files_seen_since(engine, manifest, last.published_at)
            board_warnings: list[str] = []
            publication = engine.publish(
                {table: keys.get(unique_id, ()) for unique_id, table in published_nodes(manifest).items()},
                facts,
                keep=int(settings.variable("publications_kept")),
                descriptions=describe_published(manifest, str(settings.variable("reporting_currency"))),
                beside=board_writer(settings, manifest, board_warnings),
            )
        announce("published", f"{publication.tables:>3} tables", time.monotonic() - begin)
        copied = follow(engine, before and before.publication_id, waits=refresh.waits)
        return MaterializeResult(
            metadata={
                "publication_id": publication.publication_id,
                **_figures(context, engine, manifest, publication, facts),
                **_headlines(context, engine, settings),
                "guard": told,
                "warnings": list(result.warnings),
                "boards": board_warnings,
                "changes": change_lines(publication, last, replaced, seen),
                "copy": copied,
            }
        )

    return published


def _figures(
    context: AssetExecutionContext,
    engine: Engine,
    manifest: Mapping[str, Any],
    publication: Publication,
    facts: PublicationFacts,
) -> dict[str, Any]:
    """What a publication came to, in numbers, so that the pages draw their history."""
    tables = facts.tables.values()
    headline = [name for name in published_models(manifest) if manifest["nodes"][name]["name"] in HEADLINE_MARTS]
    return {
        "as_of_date": str(publication.as_of_date),
        "dagster/row_count": publication.rows,
        "tables": publication.tables,
        "rows_read": sum(table.rows_read for table in tables),
        "rows_rejected": sum(table.rows_rejected for table in tables),
        "tests_passed": publication.tests_passed,
        "tests_warned": publication.tests_warned,
        **headline_figures(manifest, mart_figures(engine, manifest, headline, context.log.warning)),
    }


def _headlines(context: AssetExecutionContext, engine: Engine, settings: Settings) -> dict[str, Any]:
    """The headline numbers of what is published now, as a table in both languages."""
    currency, active_days = str(settings.variable("reporting_currency")), int(settings.variable("active_days"))
    try:
        with engine.read_published() as ask:
            return {"headline": MetadataValue.md(kpi_table(headline_kpis(ask, currency, active_days)))}
    # it is published, whatever becomes of what is told of it
    except StickinessError as error:
        context.log.warning(f"The headline numbers could not be read. {error}")
        return {}


def _guard(
    manifest: Mapping[str, Any],
    settings: Settings,
    engine: Engine,
    facts: PublicationFacts,
    last: Publication | None,
    is_as_of_asked_for: bool,
) -> list[str]:
    """What the guard says of a build that may be published; PublicationError where it may not."""
    limits = Limits.of(settings)
    contract = load_contract(settings.root)
    findings = build_findings(
        facts.tables, last, limits, contract, settings.allow, facts.as_of_date, is_as_of_asked_for
    )
    judgement = judge(findings, settings.allow)
    company = company_id(settings)
    if any(finding.name == REJECTED_ROWS for finding in judgement.refused):
        reasons = rejection_lines(
            rejections(ask_build(engine, manifest)), facts.tables, "quality.rejected_rows of the build"
        )
    else:
        reasons = []
    refuse(judgement, f"This build of {company} looks wrong, so it was not published.", last, reasons)
    return [*allowed_lines(judgement), *warning_lines(facts.tables, limits)]


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


def _facts(
    manifest: Mapping[str, Any], settings: Settings, result: Outcome, engine: Engine
) -> tuple[PublicationFacts, bool]:
    """What the publication tells of the build, and whether somebody asked for its as-of date."""
    as_of_date, started_at, requested = _read_run(manifest, engine)
    facts = PublicationFacts(
        as_of_date=as_of_date,
        code_version=code_version(settings.root),
        tests_passed=result.tests_passed,
        tests_warned=len(result.warnings),
        started_at=started_at,
        company_id=company_id(settings),
        tables=built_tables(engine, manifest),
    )
    return facts, requested is not None


def _read_run(manifest: Mapping[str, Any], engine: Engine) -> tuple[date | None, datetime, date | None]:
    """The as-of date that the models used, when the run started (UTC), and the as-of date that was asked for."""
    context = ".".join(relation(manifest, "run_context"))
    parameters = ".".join(source_relation(manifest, "operations", "run_parameters"))
    try:
        _, rows = engine.read_build(
            f"SELECT context.as_of_date, context.started_at, parameters.requested_as_of_date "
            f"FROM {context} AS context CROSS JOIN {parameters} AS parameters"
        )
    except StickinessError as error:
        raise PublicationError(f"The build does not say what it is a build of: {error}") from error
    if len(rows) != 1:
        raise PublicationError(f"run_context has {len(rows)} rows; expected one. Run the whole refresh.")
    as_of_date, started_at, requested = rows[0]
    return as_of_date, started_at.replace(tzinfo=UTC), requested
