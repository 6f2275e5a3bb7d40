"""Companies that consist of purchases alone, real or simulated, and what is known of their customers on a day.

Written apart from the SQL that the product counts with, customer by customer where that is fast enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.fit_limits import Horizons, Limits
from orchestration.predictive.seasonality import Activity
from orchestration.predictive.snapshots import Outcome, Snapshot
from orchestration.settings import ROOT

CDNOW = ROOT / "companies" / "cdnow" / "data" / "CDNOW_master.txt"
# what the tests of the fits assume, whatever the seeds say
HORIZONS = Horizons(days=(30, 90, 180, 365), churn=(30, 90, 180))
LIMITS = Limits(minimum_customers=500, minimum_history_days=180, minimum_season_days=365, backtests_per_horizon=6)


@dataclass(frozen=True)
class Company:
    """A row per customer and purchase day: customer, day (datetime64), revenue."""

    purchases: pd.DataFrame

    @property
    def activity(self) -> Activity:
        first = self.purchases.groupby("customer").day.transform("min") == self.purchases.day
        new = self.purchases[first].day.value_counts().sort_index()
        repeat = self.purchases[~first].day.value_counts().sort_index()
        return Activity(
            new.index.to_numpy().astype("datetime64[D]"),
            new.to_numpy().astype(float),
            repeat.index.to_numpy().astype("datetime64[D]"),
            repeat.to_numpy().astype(float),
        )

    def until(self, day: date) -> Company:
        return Company(self.purchases[self.purchases.day <= pd.Timestamp(day)])

    def snapshot(self, day: date, as_of: date) -> Snapshot:
        """What was known on the day, with the outcomes of windows that have passed by `as_of`."""
        known = self.until(day).purchases
        of = known.groupby("customer")
        first, last = of.day.min(), of.day.max()
        x = of.size() - 1
        repeat_revenue = of.revenue.sum() - known.sort_values("day").groupby("customer").revenue.first()
        with np.errstate(invalid="ignore"):
            repeat_spend = (repeat_revenue / x).where(x > 0)
        now = pd.Timestamp(day)
        t_x, T = (last - first).dt.days, (now - first).dt.days

        def window(frm: int, to: int = 0) -> pd.DataFrame:
            age = (now - known.day).dt.days
            inside = known[(age < frm) & (age >= to)].groupby("customer").revenue.agg(["size", "sum"])
            return inside.reindex(x.index).fillna(0)

        days = {30: window(30), 90: window(90), 180: window(180, 90), 365: window(365)}
        columns = {
            "log_days_since_last_purchase": np.log1p(T - t_x),
            "log_tenure_days": np.log1p(T),
            "log_repeat_purchase_days": np.log1p(x),
            "log_overdue_ratio": np.log1p((T - t_x) / ((t_x + 90) / (x + 1))),
            "is_one_time_buyer": (x == 0).astype(float),
            "log_purchase_days_30d": np.log1p(days[30]["size"]),
            "log_purchase_days_90d": np.log1p(days[90]["size"]),
            "log_purchase_days_previous_90d": np.log1p(days[180]["size"]),
            "log_purchase_days_365d": np.log1p(days[365]["size"]),
            "log_net_revenue_365d": np.log1p(days[365]["sum"].clip(lower=0)),
            "log_spend_per_purchase_day": np.log1p((of.revenue.sum() / (x + 1)).clip(lower=0)),
        }
        inputs = np.column_stack([columns.get(name, x * 0.0) for name in CHURN_FEATURES]).astype(float)
        scores = _rfm_scores((T - t_x).to_numpy(), days[365]["size"].to_numpy(), days[365]["sum"].to_numpy())
        return Snapshot(
            date=day,
            x=x.to_numpy().astype(float),
            t_x=t_x.to_numpy().astype(float),
            T=T.to_numpy().astype(float),
            repeat_spend=repeat_spend.to_numpy().astype(float),
            inputs=inputs,
            r_score=scores[0],
            f_score=scores[1],
            m_score=scores[2],
            purchase_days_365d=days[365]["size"].to_numpy().astype(float),
            net_revenue_365d=days[365]["sum"].to_numpy().astype(float),
            outcomes={
                horizon: self.outcome(day, horizon, x.index)
                for horizon in HORIZONS.days
                if day + timedelta(days=horizon) <= as_of
            },
        )

    def outcome(self, day: date, horizon: int, customers: pd.Index) -> Outcome:
        after = (self.purchases.day - pd.Timestamp(day)).dt.days
        came = self.purchases[(after > 0) & (after <= horizon)].groupby("customer").revenue.agg(["size", "sum"])
        came = came.reindex(customers).fillna(0)
        return Outcome(came["size"].to_numpy().astype(float), came["sum"].to_numpy().astype(float))


def read_cdnow(file: Path = CDNOW) -> Company:
    """All 23,570 customers; orders of one day are one purchase."""
    orders = pd.read_csv(file, sep=r"\s+", header=0, names=["customer", "day", "cds", "revenue"])
    orders["day"] = pd.to_datetime(orders.day.astype(str), format="%Y%m%d")
    return Company(orders.groupby(["customer", "day"], as_index=False).revenue.sum())


def month_ends(first: date, last: date) -> list[date]:
    return [day.date() for day in pd.date_range(first, last, freq="ME")]


def simulate(
    seed: int,
    customers: int = 3000,
    start: date = date(2022, 1, 1),
    days: int = 900,
    acquisition_days: int = 600,
    r: float = 0.6,
    alpha: float = 60.0,
    a: float = 0.6,
    b: float = 2.0,
    season: np.ndarray | None = None,
    growth: float = 1.0,
) -> Company:
    """Simulate the MBG/NBD day by day: on each day a living customer buys with the chance of his or her rate.

    `season` multiplies every rate by a factor of the month, and over all days rates grow by the factor `growth`. After
    each purchase, the first too, a customer may leave.
    """
    random = np.random.default_rng(seed)
    month = (np.datetime64(start, "D") + np.arange(days)).astype("datetime64[M]").astype(int) % 12
    factor = growth ** np.linspace(0, 1, days) * (1.0 if season is None else np.asarray(season)[month])
    rate = random.gamma(r, 1 / alpha, customers)
    leaves = random.beta(a, b, customers)
    mean_spend = 20 * 3.5 / random.gamma(4.5, 1, customers)
    first = random.integers(0, acquisition_days, customers)
    who, when = [np.arange(customers)], [first]
    alive = random.random(customers) >= leaves
    for day in range(1, days):
        buys = np.flatnonzero(alive & (first < day) & (random.random(customers) < -np.expm1(-rate * factor[day])))
        who.append(buys)
        when.append(np.full(buys.size, day))
        alive[buys] &= random.random(buys.size) >= leaves[buys]
    customer, day = np.concatenate(who), np.concatenate(when)
    revenue = np.round(mean_spend[customer] * random.gamma(4, 0.25, customer.size), 2)
    frame = pd.DataFrame({"customer": customer, "day": pd.Timestamp(start) + pd.to_timedelta(day, unit="D")})
    frame["revenue"] = revenue
    return Company(frame.sort_values(["customer", "day"], ignore_index=True))


def _rfm_scores(recency: np.ndarray, frequency: np.ndarray, monetary: np.ndarray) -> list[np.ndarray]:
    buyers = frequency > 0
    scores = []
    for values in (-recency.astype(float), frequency, monetary):
        score = np.zeros(values.size)
        of_buyers = values[buyers]
        worse = np.searchsorted(np.sort(of_buyers), of_buyers, side="left")
        score[buyers] = np.minimum(5, 1 + np.floor(5 * worse / max(1, of_buyers.size)))
        scores.append(score)
    return scores
