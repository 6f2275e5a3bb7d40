"""Lifecycle stages, how customers move between them, and the growth of the active base."""

from collections import Counter
from datetime import date, timedelta

import pandas as pd

from oracle.business_days import add_months, last_day_of_month
from oracle.cadence import Cadence, cadence_of, cadence_status, population_mean_interval, prior_of
from oracle.order_history import Customer, Facts
from oracle.repurchase import ratio
from oracle.seeds import Seeds

NOT_YET = "none"
AT_RISK_CADENCES = ("overdue", "lapsed")
STAGE_COLUMNS = ["customer_id", "lifecycle_stage"]
TRANSITION_COLUMNS = ["month", "from_stage", "to_stage", "customers"]
GROWTH_COLUMNS = [
    "month",
    "new_customers",
    "retained_customers",
    "reactivated_customers",
    "churned_customers",
    "active_customers",
    "quick_ratio",
]
REACTIVATION_COLUMNS = [
    "month",
    "dimension",
    "dimension_value",
    "lapsed_customers",
    "reactivated_customers",
    "reactivation_rate",
]


def stages_on(facts: Facts, day: date, seeds: Seeds) -> dict[str, str]:
    """The stage at the end of `day` of every customer that existed then."""
    mean_interval = population_mean_interval(customer.purchase_days_until(day) for customer in facts.buyers)
    prior = prior_of(facts, mean_interval)
    return {
        customer.customer_id: _stage(customer, day, prior, facts, seeds)
        for customer in facts.customers
        if customer.exists_on(day)
    }


def _stage(customer: Customer, day: date, prior: Cadence | None, facts: Facts, seeds: Seeds) -> str:
    variables = facts.variables
    days = customer.purchase_days_until(day)
    if not days:
        return "prospect"
    if _came_back(days, day, facts):
        return "reactivated"
    if (day - days[0]).days <= variables.new_customer_days:
        return "new"
    since_last = (day - days[-1]).days
    if since_last >= variables.lapsed_days:
        return "lapsed"
    cadence = cadence_of(days, prior)
    if cadence_status(cadence, since_last, seeds) in AT_RISK_CADENCES:
        return "at_risk"
    return "loyal" if len(days) >= variables.loyal_purchase_days else "developing"


def _came_back(days: list[date], day: date, facts: Facts) -> bool:
    """Whether one of the purchase days is recent and followed a long pause."""
    return any(
        (day - later).days <= facts.variables.reactivated_customer_days
        and (later - earlier).days >= facts.variables.lapsed_days
        for earlier, later in zip(days, days[1:], strict=False)
    )


def customer_lifecycle(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per customer: the stage as of the date."""
    return pd.DataFrame(list(stages_on(facts, facts.as_of, seeds).items()), columns=STAGE_COLUMNS, dtype=object)


def lifecycle_transitions(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per month and pair of stages, at the end of the month before and at its own end (or the as-of date)."""
    rows = []
    for month, previous_end, end in facts.snapshots:
        before = stages_on(facts, previous_end, seeds)
        after = stages_on(facts, end, seeds)
        moves = Counter((before.get(customer_id, NOT_YET), stage) for customer_id, stage in after.items())
        rows += [(month, *move, count) for move, count in sorted(moves.items())]
    return pd.DataFrame(rows, columns=TRANSITION_COLUMNS, dtype=object)


def growth_accounting(facts: Facts) -> pd.DataFrame:
    """One row per month from the first purchase on. Active means a purchase in the calendar month."""
    rows = []
    if facts.first_purchase_on is None:
        return pd.DataFrame(rows, columns=GROWTH_COLUMNS, dtype=object)
    for month in facts.months:
        active = _active_in(facts, month)
        active_before = _active_in(facts, add_months(month, -1))
        new = {customer.customer_id for customer in facts.buyers if customer.purchase_days[0] >= month} & active
        retained = active & active_before
        churned = active_before - active
        reactivated = active - new - active_before
        rows.append(
            (
                month,
                len(new),
                len(retained),
                len(reactivated),
                len(churned),
                len(active),
                ratio(len(new) + len(reactivated), len(churned)),
            )
        )
    return pd.DataFrame(rows, columns=GROWTH_COLUMNS, dtype=object)


def _active_in(facts: Facts, month: date) -> set[str]:
    last = last_day_of_month(month)
    return {customer.customer_id for customer in facts.buyers if customer.purchase_days_in(month, last)}


def reactivation_monthly(facts: Facts) -> pd.DataFrame:
    """One row per month from the first purchase on and dimension value with customers that had lapsed at its start.

    The whole always has its row. Reactivated are those of the lapsed who bought in the month.
    """
    rows = []
    if facts.first_purchase_on is None:
        return pd.DataFrame(rows, columns=REACTIVATION_COLUMNS, dtype=object)
    for month in facts.months:
        day_before = month - timedelta(days=1)
        lapsed: Counter[tuple[str, str]] = Counter({("all", "all"): 0})
        reactivated: Counter[tuple[str, str]] = Counter()
        for customer in facts.buyers:
            days = customer.purchase_days_until(day_before)
            if days and (day_before - days[-1]).days >= facts.variables.lapsed_days:
                cuts = facts.dimension_values(customer)
                lapsed.update(cuts)
                reactivated.update(cuts if customer.purchase_days_in(month, last_day_of_month(month)) else ())
        rows += [
            (month, *cut, count, reactivated[cut], ratio(reactivated[cut], count)) for cut, count in lapsed.items()
        ]
    return pd.DataFrame(rows, columns=REACTIVATION_COLUMNS, dtype=object)
