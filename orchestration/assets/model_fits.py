"""The fits of the predictive models: done when they are asked for or there are none, kept from refresh to refresh."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    multi_asset,
)

from orchestration.asset_texts import DATA_OWNER, owners_of
from orchestration.assets.dbt_models import DbtCli, build_ahead
from orchestration.assets.refresh import WRITER_POOL, RefreshConfig, raised_as_failure
from orchestration.contract import Contract
from orchestration.engines.engine import Engine
from orchestration.engines.registry import load_engine
from orchestration.predictive import tables
from orchestration.predictive.errors import WORSE_THAN_BASELINE
from orchestration.progress import announce, remark
from orchestration.refitting import (
    FEATURE_MODELS,
    BuildTables,
    build_tables,
    is_due,
    refused_ahead,
    run_refit,
    store,
    stored_champions,
)
from orchestration.run_tables import company_key
from orchestration.seeds import unreliability_labels
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.predictive.refit import Refit

CHECK = "champion_beats_the_recency_baseline"
CHAMPIONS = AssetKey([tables.SCHEMA, "champions"])


def build_model_fits(
    contract: Contract, manifest: Mapping[str, Any], target: str, served: Settings
) -> AssetsDefinition | None:
    """One asset for each table of the schema `predictive`; None if the project reads none of them."""
    described = {
        source["name"]: source["description"]
        for source in manifest["sources"].values()
        if source["source_name"] == tables.SCHEMA
    }
    if not described:
        return None
    raw_tables = [AssetKey(["raw", name]) for name in contract.tables]
    specs = [
        AssetSpec(
            [tables.SCHEMA, name],
            deps=raw_tables,
            description=described.get(name),
            group_name="predictive",
            kinds={"python", target},
            owners=owners_of(served, DATA_OWNER),
        )
        for name in tables.TABLES
    ]
    check = AssetCheckSpec(
        CHECK,
        asset=CHAMPIONS,
        description="A champion that predicts worse than the days since the last purchase alone is unreliable.",
    )

    @multi_asset(specs=specs, check_specs=[check], name="model_fits", pool=WRITER_POOL)
    def model_fits(context: AssetExecutionContext, dbt: DbtCli, refresh: RefreshConfig) -> Iterator[Any]:
        begin = time.monotonic()
        with raised_as_failure(context, refresh.waits):
            settings = refresh.settings()
            engine = load_engine(settings.target, settings.warehouse)
            names = build_tables(manifest)
            done, refusal = None, None
            if is_due(engine, names, settings):
                # a refusal is stored only where there are champions, of whom it says that they are not to be relied on
                champions = stored_champions(engine, names, company_key(settings), settings.as_of)
                refusal = None if champions else refused_ahead(engine, manifest, settings)
                if refusal is None:
                    done = fit_models(engine, names, dbt, manifest, settings, context.run.run_id)
            champions = stored_champions(engine, names, company_key(settings), settings.as_of)
        what, reasons = outcome(done, refusal, champions, unreliability_labels())
        announce("model fits", what, time.monotonic() - begin)
        for reason in reasons:
            remark(reason)
        yield from (MaterializeResult(asset_key=[tables.SCHEMA, name]) for name in tables.TABLES)
        yield check_result(champions)

    return model_fits


def fit_models(
    engine: Engine,
    names: BuildTables,
    dbt: DbtCli,
    manifest: Mapping[str, Any],
    settings: Settings,
    run_id: str,
) -> "Refit":
    """Build the features of past month ends, fit and backtest on them, and store what came of it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    engine.write_predictive({tables.REFIT_REQUESTS: [{"requested_at": now}]}, replace=True)
    try:
        build_ahead(dbt, manifest, settings, [FEATURE_MODELS[name] for name in ("churn_inputs", "outcomes")])
        result = run_refit(engine, names, settings, f"{now:%Y%m%dT%H%M%S}-{run_id[:8]}", now)
    finally:
        engine.write_predictive({tables.REFIT_REQUESTS: []}, replace=True)
    store(engine, result)
    return result


def outcome(
    done: "Refit | None",
    refusal: str | None,
    champions: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, str],
) -> tuple[str, list[str]]:
    """What became of the fits: fitted, kept or refused; and in words why they were, or what is not reliable and why."""
    if done is not None:
        refusal = done.fit["reason_code"]
        # a target that got no model has a row without one
        champions = {row["target"]: row for row in done.champions} or champions
    if refusal is not None:
        return "refused", [labels.get(refusal, refusal)]
    reasons: dict[str, list[str]] = {}
    for target, row in sorted(champions.items()):
        if row["unreliable_reason"] is not None:
            reasons.setdefault(row["unreliable_reason"], []).append(target)
    said = [f"{' and '.join(of)} not reliable: {labels.get(code, code)}" for code, of in reasons.items()]
    return "kept" if done is None else "fitted", said


def check_result(champions: Mapping[str, Mapping[str, Any]]) -> AssetCheckResult:
    """The check on what is used now; it passes where there is no champion."""
    worse = sorted(name for name, row in champions.items() if row["unreliable_reason"] == WORSE_THAN_BASELINE)
    return AssetCheckResult(
        passed=not worse,
        asset_key=CHAMPIONS,
        check_name=CHECK,
        severity=AssetCheckSeverity.ERROR,
        description=explain(worse) if worse else None,
        metadata={name: f"{row['model_name']} of {row['parameters_fit_id']}" for name, row in champions.items()},
    )


def explain(worse: Sequence[str]) -> str:
    """What to do about champions that are worse than the baseline."""
    return (
        f"In the last backtests the model of {' and '.join(worse)} was worse than the days since the last purchase "
        f"alone. Its earlier parameters are kept, and customer_clv or customer_churn_risk say is_reliable = false. "
        f"See model_backtests for the cuts at which it failed: a gap or a change in the data, or a new season?"
    )
