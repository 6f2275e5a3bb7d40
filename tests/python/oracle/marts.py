"""Every mart that is computed twice, and how its columns are compared."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from oracle import cadence, lifecycle, orders, products, repurchase, retention, rfm, value
from oracle.comparison import assert_frames_equal
from oracle.order_history import Facts
from oracle.seeds import Seeds


@dataclass(frozen=True)
class Mart:
    """How to compute a mart, its key, and which columns are money, means of money, and ratios; the rest is exact."""

    compute: Callable[..., pd.DataFrame]
    keys: tuple[str, ...]
    money: tuple[str, ...] = ()
    means: tuple[str, ...] = ()
    ratios: tuple[str, ...] = ()

    def assert_equal(self, actual: pd.DataFrame, expected: pd.DataFrame, name: str) -> None:
        """Raise AssertionError with the first differing rows."""
        assert_frames_equal(
            actual, expected, self.keys, money=self.money, means=self.means, ratios=self.ratios, name=name
        )


def _without_seeds(compute: Callable[[Facts], pd.DataFrame]) -> Callable[[Facts, Seeds], pd.DataFrame]:
    return lambda facts, _seeds: compute(facts)


MARTS: dict[str, Mart] = {
    "customers": Mart(_without_seeds(orders.customers), ("customer_id",), money=("net_revenue",)),
    "orders": Mart(_without_seeds(orders.orders), ("order_id",), money=("net_revenue", "margin_amount")),
    "purchase_frequency": Mart(
        _without_seeds(orders.purchase_frequency),
        ("period_grain", "period_start", "dimension", "dimension_value"),
        money=("net_revenue",),
        means=("average_order_value",),
        ratios=("purchase_days_per_buyer", "orders_per_buyer"),
    ),
    "customer_clv": Mart(
        _without_seeds(orders.customer_clv), ("customer_id",), money=("historic_net_revenue", "historic_margin")
    ),
    "repurchase_rates": Mart(
        repurchase.repurchase_rates,
        ("as_of_date", "window_days", "dimension", "dimension_value"),
        ratios=("repurchase_rate",),
    ),
    "cohort_repurchase": Mart(
        repurchase.cohort_repurchase, ("cohort_month", "horizon_days"), ratios=("repurchase_rate",)
    ),
    "cohort_retention": Mart(
        _without_seeds(retention.cohort_retention),
        ("cohort_month", "months_since_first"),
        money=("net_revenue",),
        means=("cumulative_net_revenue_per_customer",),
        ratios=("retention_rate",),
    ),
    "time_to_second_purchase": Mart(
        _without_seeds(repurchase.time_to_second_purchase),
        ("dimension", "dimension_value", "days"),
        ratios=("repurchase_probability", "repurchase_probability_low", "repurchase_probability_high"),
    ),
    "retention_monthly": Mart(
        _without_seeds(retention.retention_monthly),
        ("month", "dimension", "dimension_value"),
        ratios=("retention_rate", "churn_rate"),
    ),
    "customer_rfm": Mart(rfm.customer_rfm, ("customer_id",), money=("monetary",)),
    "rfm_segment_transitions": Mart(rfm.rfm_segment_transitions, ("month", "from_segment", "to_segment")),
    "customer_cadence": Mart(
        cadence.customer_cadence,
        ("customer_id",),
        ratios=("median_interval_days", "expected_interval_days", "purchase_due_probability"),
    ),
    "customer_lifecycle": Mart(lifecycle.customer_lifecycle, ("customer_id",)),
    "lifecycle_transitions": Mart(lifecycle.lifecycle_transitions, ("month", "from_stage", "to_stage")),
    "growth_accounting": Mart(_without_seeds(lifecycle.growth_accounting), ("month",), ratios=("quick_ratio",)),
    "reactivation_monthly": Mart(
        _without_seeds(lifecycle.reactivation_monthly),
        ("month", "dimension", "dimension_value"),
        ratios=("reactivation_rate",),
    ),
}

# these need the raw rows of products, order lines and orders as well, and have a random company of their own
BASKET_MARTS: dict[str, Mart] = {
    "order_items": Mart(
        products.order_items,
        ("order_id", "line_number"),
        money=("quantity", "line_amount", "discount_amount", "unit_cost"),
    ),
    "product_performance": Mart(
        products.product_performance,
        ("product_id",),
        money=("quantity", "line_amount", "discount_amount", "margin_amount"),
        ratios=("repurchase_rate", "repurchase_rate_low", "repurchase_rate_high"),
    ),
    "purchase_times": Mart(
        products.purchase_times, ("iso_weekday", "hour_of_day"), money=("net_revenue",), ratios=("order_share",)
    ),
}

# reads what was predicted of each customer, which is computed a second time elsewhere, and what the backtests found
COHORT_CLV = Mart(
    value.cohort_clv,
    ("cohort", "horizon_days"),
    money=("historic_net_revenue", "predicted_clv"),
    means=("predicted_clv_low", "predicted_clv_high"),
    ratios=("predicted_purchases", "predicted_purchases_low", "predicted_purchases_high"),
)


def compute_marts(facts: Facts, seeds: Seeds) -> dict[str, pd.DataFrame]:
    """All marts by name."""
    return {name: mart.compute(facts, seeds) for name, mart in MARTS.items()}
