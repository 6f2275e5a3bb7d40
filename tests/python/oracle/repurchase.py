"""Who comes back: repurchase rates, cohorts, time to the second purchase."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

import pandas as pd

from oracle.business_days import last_day_of_month, month_of
from oracle.kaplan_meier import kaplan_meier
from oracle.order_history import Customer, Facts
from oracle.seeds import Seeds

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


def ratio(numerator: int, denominator: int) -> float | None:
    """A share from 0 to 1; None where there is nothing to take a share of."""
    return numerator / denominator if denominator else None


def repurchase_rates(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per month end and as-of date, window, and dimension value with buyers; the whole always has its row."""
    rows = []
    for _, _, day in facts.snapshots:
        for window in seeds.repurchase_windows:
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


def cohort_repurchase(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per cohort and horizon; what an immature cohort did is null."""
    rows = []
    for month, members in cohorts(facts).items():
        for horizon in seeds.repurchase_horizons:
            is_mature = last_day_of_month(month) + timedelta(days=horizon) <= facts.as_of
            repeat = sum(_came_back_within(customer, horizon) for customer in members) if is_mature else None
            rate = repeat / len(members) if repeat is not None else None
            rows.append((month, horizon, len(members), repeat, rate, is_mature))
    return pd.DataFrame(rows, columns=COHORT_REPURCHASE_COLUMNS, dtype=object)


def _came_back_within(customer: Customer, days: int) -> bool:
    return len(customer.purchase_days) > 1 and (customer.purchase_days[1] - customer.purchase_days[0]).days <= days


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
