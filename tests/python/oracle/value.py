"""What cohorts are expected to be worth, added up from their customers."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import exp, hypot, sqrt
from typing import Any

import pandas as pd
from scipy import stats

from oracle.business_days import month_of
from oracle.order_history import Facts

Z_95 = stats.norm.ppf(0.975)


@dataclass(frozen=True)
class Spread:
    """How far totals may be off: the variance per unit expected, and standard deviations of logs.

    `relative_error` is of what all customers share, `cohort_error` of what a cohort has beside that.
    """

    dispersion: float
    relative_error: float
    cohort_error: float
    backtest_windows: int

    def bounds(self, total: float, is_of_all: bool) -> tuple[float, float]:
        """The 95% interval of a total; never below zero."""
        chance = Z_95 * sqrt(self.dispersion * total)
        error = self.relative_error if is_of_all else hypot(self.relative_error, self.cohort_error)
        factor = exp(Z_95 * error)
        return max(0.0, total - hypot(total - total / factor, chance)), total + hypot(total * factor - total, chance)


@dataclass
class _Cohort:
    customers: int = 0
    historic_net_revenue: Decimal = Decimal(0)
    purchases: list[float] = field(default_factory=list)
    value: Decimal = Decimal(0)


def cohort_clv(
    facts: Facts, predictions: Mapping[str, Mapping[str, Any]], spreads: Mapping[tuple[str, int], Spread]
) -> pd.DataFrame:
    """One row per horizon and month of first purchase, and for all.

    Args:
        facts: customers and what each has brought.
        predictions: of each customer, expected_purchases_<horizon>d and predicted_clv_<horizon>d.
        spreads: of totals, by target (`purchases` or `clv`) and horizon; the horizons are those named here.
    """
    cohorts: dict[tuple[str, int], _Cohort] = defaultdict(_Cohort)
    horizons = sorted({horizon for _, horizon in spreads})
    for customer in facts.buyers:
        month = month_of(customer.purchase_days[0])
        predicted = predictions[customer.customer_id]
        for horizon in horizons:
            for name in ("all", f"{month:%Y-%m}"):
                cohort = cohorts[name, horizon]
                cohort.customers += 1
                cohort.historic_net_revenue += sum(customer.revenue_on.values(), Decimal(0))
                cohort.purchases.append(predicted[f"expected_purchases_{horizon}d"])
                cohort.value += predicted[f"predicted_clv_{horizon}d"]
    return pd.DataFrame([_row(*key, cohort, spreads) for key, cohort in cohorts.items()], dtype=object)


def _row(name: str, horizon: int, cohort: _Cohort, spreads: Mapping[tuple[str, int], Spread]) -> dict[str, Any]:
    purchases = sum(cohort.purchases)
    purchases_low, purchases_high = spreads["purchases", horizon].bounds(purchases, name == "all")
    clv_low, clv_high = spreads["clv", horizon].bounds(float(cohort.value), name == "all")
    return {
        "cohort": name,
        "horizon_days": horizon,
        "customers": cohort.customers,
        "historic_net_revenue": cohort.historic_net_revenue,
        "predicted_purchases": purchases,
        "predicted_purchases_low": purchases_low,
        "predicted_purchases_high": purchases_high,
        "predicted_clv": cohort.value,
        "predicted_clv_low": clv_low,
        "predicted_clv_high": clv_high,
        "backtest_windows": spreads["purchases", horizon].backtest_windows,
        "is_interval_wide": spreads["purchases", horizon].backtest_windows < 2,
    }
