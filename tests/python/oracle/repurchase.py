"""Who comes back: repurchase rates, cohorts, time to the second purchase, retention."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from oracle.business_days import add_months, last_day_of_month, month_of, months_between, months_from_to
from oracle.facts import Customer, Facts
from oracle.kaplan_meier import kaplan_meier
from oracle.variables import COHORT_HORIZONS, REPURCHASE_WINDOWS

REPURCHASE_COLUMNS = [
    "as_of_date",
    "window_days",
    "dimension",
    "dimension_value",
    "buyers",
    "repeat_buyers",
    "repurchase_rate",
]
COHORT_REPURCHASE_COLUMNS = [
    "cohort_month",
    "horizon_days",
    "cohort_customers",
    "repeat_customers",
    "repurchase_rate",
    "is_mature",
]
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
SECOND_PURCHASE_COLUMNS = [
    "dimension",
    "dimension_value",
    "days",
    "at_risk",
    "events",
    "censored",
    "repurchase_probability",
    "repurchase_probability_low",
    "repurchase_probability_high",
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


def ratio(numerator: int, denominator: int) -> float | None:
    """A share from 0 to 1; None where there is nothing to take a share of."""
    return numerator / denominator if denominator else None


def repurchase_rates(facts: Facts) -> pd.DataFrame:
    """One row per month end and as-of date, window, and dimension value with buyers; the whole always has its row."""
    rows = []
    for _, _, day in facts.snapshots:
        for window in REPURCHASE_WINDOWS:
            buyers: Counter[tuple[str, str]] = Counter({("all", "all"): 0})
            repeat_buyers: Counter[tuple[str, str]] = Counter()
            for customer in facts.buyers:
                purchases = len(customer.purchase_days_in(day - timedelta(days=window - 1), day))
                if purchases:
                    cuts = facts.dimension_values(customer)
                    buyers.update(cuts)
                    repeat_buyers.update(cuts if purchases >= 2 else ())
            rows += [
                (day, window, *cut, count, repeat_buyers[cut], ratio(repeat_buyers[cut], count))
                for cut, count in buyers.items()
            ]
    return pd.DataFrame(rows, columns=REPURCHASE_COLUMNS, dtype=object)


def cohorts(facts: Facts) -> dict[date, list[Customer]]:
    """Customers by the month of their first purchase."""
    members: dict[date, list[Customer]] = defaultdict(list)
    for customer in facts.buyers:
        members[month_of(customer.purchase_days[0])].append(customer)
    return dict(sorted(members.items()))


def cohort_repurchase(facts: Facts) -> pd.DataFrame:
    """One row per cohort and horizon; what an immature cohort did is null."""
    rows = []
    for month, members in cohorts(facts).items():
        for horizon in COHORT_HORIZONS:
            is_mature = last_day_of_month(month) + timedelta(days=horizon) <= facts.as_of
            repeat = sum(_came_back_within(customer, horizon) for customer in members) if is_mature else None
            rate = repeat / len(members) if repeat is not None else None
            rows.append((month, horizon, len(members), repeat, rate, is_mature))
    return pd.DataFrame(rows, columns=COHORT_REPURCHASE_COLUMNS, dtype=object)


def _came_back_within(customer: Customer, days: int) -> bool:
    return len(customer.purchase_days) > 1 and (customer.purchase_days[1] - customer.purchase_days[0]).days <= days


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


def time_to_second_purchase(facts: Facts) -> pd.DataFrame:
    """One row per dimension value and day on which a second purchase or a censoring falls."""
    durations: dict[tuple[str, str], list[tuple[int, bool]]] = defaultdict(list)
    for customer in facts.buyers:
        first, *later = customer.purchase_days
        end = later[0] if later else facts.as_of
        for cut in facts.dimension_values(customer):
            durations[cut].append(((end - first).days, bool(later)))
    rows = [
        (*cut, step.duration, step.at_risk, step.events, step.censored, 1 - step.survival, step.ci_low, step.ci_high)
        for cut, observed in durations.items()
        for step in _of_the_event(observed)
    ]
    return pd.DataFrame(rows, columns=SECOND_PURCHASE_COLUMNS, dtype=object)


def _of_the_event(observed: Iterable[tuple[int, bool]]):
    """Steps whose interval is that of the event, 1 - S, so that low and high change places."""
    for step in kaplan_meier(observed):
        if step.ci_low is None or step.ci_high is None:
            yield step
        else:
            yield step._replace(ci_low=1 - step.ci_high, ci_high=1 - step.ci_low)


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
