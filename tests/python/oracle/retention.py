"""Who stays: cohort retention and monthly retention, computed a second time from the definitions alone."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pandas as pd

from oracle.business_days import add_months, last_day_of_month, months_between, months_from_to
from oracle.order_history import Facts
from oracle.repurchase import cohorts, ratio

COHORT_RETENTION_COLUMNS = [
    "cohort_month",
    "months_since_first",
    "cohort_customers",
    "retained_customers",
    "retention_rate",
    "net_revenue",
    "cumulative_net_revenue_per_customer",
    "is_complete",
]
RETENTION_COLUMNS = [
    "month",
    "dimension",
    "dimension_value",
    "active_customers",
    "retained_customers",
    "retention_rate",
    "churn_rate",
]


def cohort_retention(facts: Facts) -> pd.DataFrame:
    """One row per cohort and month since, up to the as-of date's month, finished or not."""
    rows = []
    for cohort_month, members in cohorts(facts).items():
        cumulative = Decimal(0)
        for step in range(months_between(cohort_month, facts.as_of) + 1):
            first = add_months(cohort_month, step)
            last = last_day_of_month(first)
            days_of = [(customer, customer.purchase_days_in(first, last)) for customer in members]
            retained = sum(1 for _, days in days_of if days)
            revenue = sum((customer.revenue_on[day] for customer, days in days_of for day in days), Decimal(0))
            cumulative += revenue
            rows.append(
                (
                    cohort_month,
                    step,
                    len(members),
                    retained,
                    retained / len(members),
                    revenue,
                    cumulative / len(members),
                    last <= facts.as_of,
                )
            )
    return pd.DataFrame(rows, columns=COHORT_RETENTION_COLUMNS, dtype=object)


def retention_monthly(facts: Facts) -> pd.DataFrame:
    """One row per month start and dimension value with active customers; the whole always has its row."""
    rows = []
    if facts.first_purchase_on is None:
        return pd.DataFrame(rows, columns=RETENTION_COLUMNS, dtype=object)
    active_days = timedelta(days=facts.variables.active_days)
    one_day = timedelta(days=1)
    for month in months_from_to(add_months(facts.first_purchase_on, 1), facts.as_of):
        is_over = month + active_days - one_day <= facts.as_of
        active: Counter[tuple[str, str]] = Counter({("all", "all"): 0})
        retained: Counter[tuple[str, str]] = Counter()
        for customer in facts.buyers:
            if customer.purchase_days_in(month - active_days, month - one_day):
                cuts = facts.dimension_values(customer)
                active.update(cuts)
                if customer.purchase_days_in(month, month + active_days - one_day):
                    retained.update(cuts)
        for cut, count in active.items():
            rate = ratio(retained[cut], count) if is_over else None
            churn = None if rate is None else ratio(count - retained[cut], count)
            rows.append((month, *cut, count, retained[cut] if is_over else None, rate, churn))
    return pd.DataFrame(rows, columns=RETENTION_COLUMNS, dtype=object)
