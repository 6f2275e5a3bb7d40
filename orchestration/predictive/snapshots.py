"""What was known of every customer on a day, and what came after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orchestration.predictive.arrays import Floats, alike
from orchestration.predictive.churn_features import CHURN_FEATURES


@dataclass(frozen=True)
class Outcome:
    """What came in the days after a snapshot, one value per customer in the order of the snapshot."""

    purchases: Floats  # purchase days
    net_revenue: Floats  # reporting currency; below zero where refunds prevail

    @property
    def churned(self) -> NDArray[np.bool_]:
        """True for a customer without a purchase day in the window."""
        return self.purchases == 0


@dataclass(frozen=True)
class Snapshot:
    """Every customer with a purchase by `date` as known at the end of that day (int_customer_features).

    All arrays have one value per customer, in one order, which may be any. Days are counted from the first purchase
    day. `outcomes` holds, by horizon in days, what int_customer_outcomes_counted tells: only windows that have fully
    passed.
    """

    date: date
    x: Floats  # repeat purchase days
    t_x: Floats  # days from the first to the last purchase day
    T: Floats  # days from the first purchase day to the date
    repeat_spend: Floats  # net revenue per repeat purchase day; nan without one
    inputs: Floats  # customers x CHURN_FEATURES
    r_score: Floats  # 0 (no purchase in 365 days) to 5, and so f and m
    f_score: Floats
    m_score: Floats
    purchase_days_365d: Floats
    net_revenue_365d: Floats
    outcomes: Mapping[int, Outcome]

    def __post_init__(self) -> None:
        """ValueError if the arrays are not of one length, or the inputs are not those of CHURN_FEATURES, all known."""
        columns = (self.x, self.t_x, self.T, self.repeat_spend, self.r_score, self.f_score, self.m_score)
        columns += (self.purchase_days_365d, self.net_revenue_365d)
        columns += tuple(values for one in self.outcomes.values() for values in (one.purchases, one.net_revenue))
        if any(values.shape != (self.customers,) for values in columns):
            raise ValueError(f"the columns of the snapshot of {self.date} differ in length")
        if self.inputs.shape != (self.customers, len(CHURN_FEATURES)):
            raise ValueError(f"the inputs of the snapshot of {self.date} are not those of CHURN_FEATURES")
        if not np.isfinite(self.inputs).all():
            raise ValueError(f"the inputs of the snapshot of {self.date} have gaps")

    @property
    def customers(self) -> int:
        return len(self.x)

    @property
    def history_days(self) -> int:
        """Days since the company's first purchase."""
        return int(self.T.max()) if self.customers else 0

    @cached_property
    def alike(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One customer of each history (x, t_x, T), and which of them each customer is like."""
        return alike(self.x, self.t_x, self.T)

    @cached_property
    def cohorts(self) -> NDArray[np.int64]:
        """Month of the first purchase of each customer, as the months since January 1970."""
        days = np.datetime64(self.date, "D") - np.asarray(self.T).astype(np.int64)
        return days.astype("datetime64[M]").astype(np.int64)

    @property
    def recency_days(self) -> Floats:
        """Days since the last purchase day."""
        return self.T - self.t_x


def window_end(day: date, days: int) -> date:
    """The last day of the window of that many days after the day."""
    return day + timedelta(days=days)
