"""The refit of a simulated company in memory, as of a day: the project's own functions on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

from companies.sample.simulator.config import FIRST_DAY, date_of, day_number
from orchestration.predictive.arrays import Floats
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.fit_limits import Horizons
from orchestration.predictive.refit import Options, Refit, refit
from orchestration.predictive.seasonality import Activity
from orchestration.predictive.snapshots import Outcome, Snapshot
from orchestration.predictive.tables import TABLES, Row
from orchestration.seeds import holiday_calendar, model_limits, prediction_horizons
from tools.coverage.simulated import Purchases, company_settings

FIT_ID = "fit"


def fit_predictions(purchases: Purchases, as_of: date) -> Refit:
    """Fit, backtest and choose the models of purchases and of their value on what was known by then.

    Churn is left out: none of the totals depends on it, and its challengers take most of the time.
    """
    days = prediction_horizons().days
    calendar = holiday_calendar(str(company_settings().variable("holiday_country")))
    options = Options(
        FIT_ID, "company", datetime(2000, 1, 1), Horizons(days, churn=()), model_limits(), calendar=calendar
    )
    return refit(snapshots(purchases, as_of, days), _month_ends(as_of), activity(purchases), as_of, options)


def store(connection: duckdb.DuckDBPyConnection, inputs: Mapping[str, str], result: Refit) -> None:
    """Make the two inputs of the models that come from a refit."""
    champions = [row for row in result.champions if row["target"] != "churn"]
    _make(connection, inputs["stg_model_parameters"], TABLES["parameters"], result.parameters)
    _make(connection, inputs["int_model_champions_current"], TABLES["champions"], champions)


def _make(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace table {table} ({declared})")
    connection.executemany(
        f"insert into {table} values ({', '.join('?' for _ in columns)})",
        [tuple(row[name] for name in columns) for row in rows],
    )


def snapshots(purchases: Purchases, as_of: date, horizons: tuple[int, ...]) -> Callable[[date], Snapshot]:
    """A function that gives the snapshot of a day, with the outcomes of the windows that have passed by `as_of`.

    Only what purchases and their value are predicted by is there: what churn is predicted by is 0.
    """
    person, day, revenue = purchases.person, purchases.day, purchases.net_revenue
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    place = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(person))))
    first = day[starts]

    def totals(rows: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        return (
            np.bincount(place[rows], minlength=len(starts)).astype(float),
            np.bincount(place[rows], weights=revenue[rows], minlength=len(starts)),
        )

    def load(on: date) -> Snapshot:
        now = day_number(on)
        known = first <= now
        numbers, amounts = totals(day <= now)
        last = np.zeros(len(starts), dtype=np.int64)
        np.maximum.at(last, place[day <= now], day[day <= now])
        x = numbers[known] - 1
        with np.errstate(invalid="ignore"):
            # as the marts store it
            repeat_spend = np.round((amounts - revenue[starts])[known] / np.where(x > 0, x, np.nan), 4)
        year = [values[known] for values in totals((day <= now) & (day > now - 365))]
        nothing = np.zeros(len(x))
        return Snapshot(
            date=on,
            x=x,
            t_x=(last - first)[known].astype(float),
            T=(now - first)[known].astype(float),
            repeat_spend=repeat_spend,
            inputs=np.zeros((len(x), len(CHURN_FEATURES))),
            r_score=nothing,
            f_score=nothing,
            m_score=nothing,
            purchase_days_365d=year[0],
            net_revenue_365d=year[1],
            outcomes={
                horizon: Outcome(*(values[known] for values in totals((day > now) & (day <= now + horizon))))
                for horizon in horizons
                if on + timedelta(days=horizon) <= as_of
            },
        )

    return load


def activity(purchases: Purchases) -> Activity:
    """Customers by the day of their first purchase, and repeat purchases by their day."""
    is_first = np.diff(purchases.person, prepend=-1) > 0
    (first_days, customers), (repeat_days, repeats) = (
        np.unique(purchases.day[rows], return_counts=True) for rows in (is_first, ~is_first)
    )
    epoch = np.datetime64(FIRST_DAY, "D")
    return Activity(epoch + first_days, customers.astype(float), epoch + repeat_days, repeats.astype(float))


def _month_ends(until: date) -> list[date]:
    """The month ends before a day, since the company began."""
    days = [date_of(day) for day in range(day_number(until))]
    return [day for day in days if (day + timedelta(days=1)).day == 1]
