"""What a refit reads of the build: snapshots of past month ends and the company's activity."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np

from orchestration.engines import Engine
from orchestration.predictive.features import CHURN_FEATURES
from orchestration.predictive.refit import Previous
from orchestration.predictive.seasonality import Activity
from orchestration.predictive.snapshots import Outcome, Snapshot
from orchestration.predictive.stored import BuildTables, stored_champions


def load_activity(engine: Engine, tables: BuildTables) -> Activity:
    """Purchase days of the whole company by day: first ones and repeats."""
    columns = engine.read_columns(
        "SELECT purchase_on, sum(CASE WHEN purchase_number = 1 THEN 1 ELSE 0 END) AS new_customers, "
        "sum(CASE WHEN purchase_number = 1 THEN 0 ELSE 1 END) AS repeat_purchases "
        f"FROM {tables.purchase_days} GROUP BY purchase_on ORDER BY purchase_on"
    )
    days = columns["purchase_on"]
    first, repeat = columns["new_customers"], columns["repeat_purchases"]
    return Activity(days[first > 0], first[first > 0], days[repeat > 0], repeat[repeat > 0])


def snapshot_loader(engine: Engine, tables: BuildTables) -> Callable[[date], Snapshot]:
    """A function that reads the snapshot of a day; customers are in the order of their ids."""

    def load(day: date) -> Snapshot:
        inputs = ", ".join(f"inputs.{name}" for name in CHURN_FEATURES)
        columns = engine.read_columns(
            "SELECT features.repeat_purchase_days, features.recency_days_btyd, features.tenure_days, "
            "features.repeat_net_revenue_per_purchase_day, features.r_score, features.f_score, features.m_score, "
            f"features.purchase_days_365d, features.net_revenue_365d, {inputs} "
            f"FROM {tables.features} AS features INNER JOIN {tables.churn_inputs} AS inputs "
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
            outcomes=_load_outcomes(engine, tables, day),
        )

    return load


def _load_outcomes(engine: Engine, tables: BuildTables, day: date) -> dict[int, Outcome]:
    columns = engine.read_columns(
        f"SELECT horizon_days, purchase_days, net_revenue FROM {tables.outcomes} "
        f"WHERE as_of_date = DATE '{day}' ORDER BY horizon_days, customer_id"
    )
    of = {int(days): columns["horizon_days"] == days for days in np.unique(columns["horizon_days"])}
    return {days: Outcome(columns["purchase_days"][rows], columns["net_revenue"][rows]) for days, rows in of.items()}


def load_previous(engine: Engine, tables: BuildTables, company_key: str, as_of: date) -> Previous:
    """What a new refit starts from."""
    return Previous(champions=stored_champions(engine, tables, company_key, as_of))
