"""A refit, from the build to the schema `predictive`: whether one is due, what it reads, and what it leaves.

Fits themselves are in `predictive`, which knows arrays only; here the engine is asked for them. What needs SciPy is
imported where it is used: most refreshes fit nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestration.dbt_project import relation, source_relation
from orchestration.engines.engine import Engine
from orchestration.predictive import tables
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.errors import HISTORY_TOO_SHORT, TOO_FEW_CUSTOMERS
from orchestration.predictive.snapshots import Outcome, Snapshot
from orchestration.run_tables import company_key
from orchestration.seeds import holiday_calendar, model_limits, prediction_horizons
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.predictive.refit import Refit
    from orchestration.predictive.seasonality import Activity

CHAMPION_COLUMNS = (
    "target",
    "model_name",
    "parameters_fit_id",
    "is_seasonal",
    "is_reliable",
    "unreliable_reason",
    "fit_id",
)


@dataclass(frozen=True)
class BuildTables:
    """Names of the tables of the build that a refit reads, as the engine's SQL writes them."""

    features: str
    churn_inputs: str
    outcomes: str
    feature_dates: str
    purchase_days: str
    fits: str
    champions: str


# the model behind each table
FEATURE_MODELS = {
    "features": "int_customer_features",
    "churn_inputs": "int_churn_inputs_prepared",
    "outcomes": "int_customer_outcomes_counted",
    "feature_dates": "int_feature_dates_listed",
    "purchase_days": "int_purchase_days_numbered",
}


def build_tables(manifest: Mapping[str, Any]) -> BuildTables:
    """Where a refit finds what it reads."""
    models = {name: relation(manifest, model) for name, model in FEATURE_MODELS.items()}
    sources = {name: source_relation(manifest, tables.SCHEMA, name) for name in ("fits", "champions")}
    return BuildTables(**{name: ".".join(table) for name, table in (models | sources).items()})


def is_due(engine: Engine, names: BuildTables, settings: Settings) -> bool:
    """Whether to fit: asked for, or no parameters of this company and its model by the as-of date."""
    if settings.refit or settings.full_refresh:
        return True
    champions = stored_champions(engine, names, company_key(settings), settings.as_of)
    return not champions or champions["purchases"]["model_name"] != settings.variable("btyd_model")


def refused_ahead(engine: Engine, manifest: Mapping[str, Any], settings: Settings) -> str | None:
    """The reason why a fit would be refused, where the raw orders tell it without building anything; else None.

    Customers and days are counted as many as there can be: customers whose identities are linked, refunded orders and
    those after the run's own day count. So a fit that is refused here would be refused later as well.
    """
    orders = ".".join(source_relation(manifest, "raw", "orders"))
    day = "CAST(ordered_at AS date)"
    # the as-of date is that of the last order, a cancelled one too
    is_valid = "status <> 'cancelled'"
    until = f" AND {day} <= DATE '{settings.as_of + timedelta(days=1)}'" if settings.as_of else ""
    _, ((customers, first, last),) = engine.read_build(
        f"SELECT count(DISTINCT CASE WHEN {is_valid} THEN customer_id END), min(CASE WHEN {is_valid} THEN {day} END), "
        f"max({day}) FROM {orders} WHERE _failure IS NULL{until}"
    )
    limits = model_limits()
    if customers < limits.minimum_customers:
        return TOO_FEW_CUSTOMERS
    # a business day may be the one before or after that of the moment in UTC, at either end
    days = ((settings.as_of or last) - first).days
    return HISTORY_TOO_SHORT if days + 2 < limits.minimum_history_days else None


def feature_dates(engine: Engine, names: BuildTables) -> tuple[date, list[date]]:
    """The as-of date of the build, and the past month ends whose features it has, in order."""
    _, rows = engine.read_build(f"SELECT as_of_date, is_as_of FROM {names.feature_dates} ORDER BY as_of_date")
    (as_of,) = [day for day, is_as_of in rows if is_as_of]
    return as_of, [day for day, is_as_of in rows if not is_as_of]


def stored_champions(
    engine: Engine, names: BuildTables, company_key: str, as_of: date | None
) -> Mapping[str, dict[str, object]]:
    """By target, what the company's newest refit as of the day or earlier (None: of any day) has chosen."""
    until = f"AND fits.as_of_date <= DATE '{as_of}' " if as_of else ""
    columns, rows = engine.read_build(
        f"SELECT {', '.join('champions.' + name for name in CHAMPION_COLUMNS)}, fits.company_key "
        f"FROM {names.champions} AS champions INNER JOIN {names.fits} AS fits ON champions.fit_id = fits.fit_id "
        f"WHERE fits.company_key IS NOT NULL AND champions.model_name IS NOT NULL {until}"
        "ORDER BY fits.as_of_date, fits.fitted_at, fits.fit_id"
    )
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    # compared here: engines differ in how they quote a text
    return {row["target"]: row for row in found if row.pop("company_key") == company_key}


def load_activity(engine: Engine, names: BuildTables) -> Activity:
    """Purchase days of the whole company by day: first ones and repeats."""
    from orchestration.predictive.seasonality import Activity

    columns = engine.read_columns(
        "SELECT purchase_on, sum(CASE WHEN purchase_number = 1 THEN 1 ELSE 0 END) AS new_customers, "
        "sum(CASE WHEN purchase_number = 1 THEN 0 ELSE 1 END) AS repeat_purchases "
        f"FROM {names.purchase_days} GROUP BY purchase_on ORDER BY purchase_on"
    )
    days = columns["purchase_on"]
    first, repeat = columns["new_customers"], columns["repeat_purchases"]
    return Activity(days[first > 0], first[first > 0], days[repeat > 0], repeat[repeat > 0])


def snapshot_loader(engine: Engine, names: BuildTables) -> Callable[[date], Snapshot]:
    """A function that reads the snapshot of a day; customers are in the order of their ids."""

    def load(day: date) -> Snapshot:
        inputs = ", ".join(f"inputs.{name}" for name in CHURN_FEATURES)
        columns = engine.read_columns(
            "SELECT features.repeat_purchase_days, features.recency_days_btyd, features.tenure_days, "
            "features.repeat_net_revenue_per_purchase_day, features.r_score, features.f_score, features.m_score, "
            f"features.purchase_days_365d, features.net_revenue_365d, {inputs} "
            f"FROM {names.features} AS features INNER JOIN {names.churn_inputs} AS inputs "
            "ON features.customer_id = inputs.customer_id AND features.as_of_date = inputs.as_of_date "
            f"WHERE features.as_of_date = DATE '{day}' ORDER BY features.customer_id"
        )
        return Snapshot(
            date=day,
            x=columns["repeat_purchase_days"],
            t_x=columns["recency_days_btyd"],
            T=columns["tenure_days"],
            repeat_spend=columns["repeat_net_revenue_per_purchase_day"],
            inputs=np.column_stack([columns[name] for name in CHURN_FEATURES]),
            r_score=columns["r_score"],
            f_score=columns["f_score"],
            m_score=columns["m_score"],
            purchase_days_365d=columns["purchase_days_365d"],
            net_revenue_365d=columns["net_revenue_365d"],
            outcomes=_load_outcomes(engine, names, day),
        )

    return load


def _load_outcomes(engine: Engine, names: BuildTables, day: date) -> dict[int, Outcome]:
    columns = engine.read_columns(
        f"SELECT horizon_days, purchase_days, net_revenue FROM {names.outcomes} "
        f"WHERE as_of_date = DATE '{day}' ORDER BY horizon_days, customer_id"
    )
    of = {int(days): columns["horizon_days"] == days for days in np.unique(columns["horizon_days"])}
    return {days: Outcome(columns["purchase_days"][rows], columns["net_revenue"][rows]) for days, rows in of.items()}


def run_refit(engine: Engine, names: BuildTables, settings: Settings, fit_id: str, fitted_at: datetime) -> Refit:
    """The refit on the features that are built."""
    from orchestration.predictive.refit import Options, Previous, refit

    as_of, dates = feature_dates(engine, names)
    key = company_key(settings)
    return refit(
        load=snapshot_loader(engine, names),
        dates=dates,
        activity=load_activity(engine, names),
        as_of=as_of,
        options=Options(
            fit_id=fit_id,
            company_key=key,
            fitted_at=fitted_at,
            horizons=prediction_horizons(),
            limits=model_limits(),
            btyd_model=str(settings.variable("btyd_model")),
            calendar=holiday_calendar(str(settings.variable("holiday_country"))),
        ),
        previous=Previous(champions=stored_champions(engine, names, key, as_of)),
    )


def store(engine: Engine, result: Refit) -> None:
    """Append what a refit found. The fits come last: nothing is read of a fit that is not there."""
    engine.write_predictive(
        {
            "parameters": result.parameters,
            "steps": result.steps,
            "backtests": result.backtests,
            "champions": result.champions,
            tables.FITS: [result.fit],
        }
    )
