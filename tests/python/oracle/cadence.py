"""How often a customer buys, and whether the next purchase is late by that customer's own rhythm.

Intervals between purchase days are exponential with a rate of the customer's own, drawn from a gamma distribution: that
of a fit, where there is one; else the population's mean interval stands for `cadence_prior_intervals` intervals that
everybody is given beforehand.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

import pandas as pd

from oracle.order_history import Facts
from oracle.seeds import Seeds

UNKNOWN_STATUS = "unknown"
HUNDRED_YEARS = 36_500
CADENCE_COLUMNS = [
    "customer_id",
    "purchase_days",
    "median_interval_days",
    "expected_interval_days",
    "next_purchase_on",
    "purchase_due_probability",
    "cadence_status",
]


@dataclass(frozen=True)
class Cadence:
    """Posterior of one customer: `alpha` counts intervals, `beta` is their sum in days."""

    alpha: float
    beta: float

    @property
    def expected_interval_days(self) -> float:
        return self.beta / self.alpha

    @property
    def median_days_to_next(self) -> float:
        """Days after the last purchase by which the next has come with probability one half."""
        return self.beta * (2 ** (1 / self.alpha) - 1)

    def probability_by(self, days: int) -> float:
        """Probability that the next purchase comes within `days` after the last."""
        return 1 - (self.beta / (self.beta + days)) ** self.alpha


def population_mean_interval(histories: Iterable[Sequence[date]]) -> float | None:
    """Mean days between neighbouring purchase days over all customers; None where nobody has bought twice."""
    total = intervals = 0
    for days in histories:
        if len(days) > 1:
            total += (days[-1] - days[0]).days
            intervals += len(days) - 1
    return total / intervals if intervals else None


def prior_of(facts: Facts, mean_interval: float | None) -> Cadence | None:
    """What everybody is given beforehand; None where there is no fit and the population has no interval to lean on."""
    if facts.fitted_rates is not None:
        return Cadence(*facts.fitted_rates)
    intervals = facts.variables.cadence_prior_intervals
    return Cadence(intervals, intervals * mean_interval) if mean_interval else None


def cadence_of(days: Sequence[date], prior: Cadence | None) -> Cadence | None:
    """Cadence after the purchase days `days`; None where there is nothing to lean on."""
    if prior is None:
        return None
    alpha = prior.alpha + len(days) - 1
    return Cadence(alpha, prior.beta + (days[-1] - days[0]).days) if alpha else None


def cadence_status(cadence: Cadence | None, days_since_last: int, seeds: Seeds) -> str:
    """The last band whose probability has been reached; 'unknown' without a cadence."""
    if cadence is None:
        return UNKNOWN_STATUS
    probability = cadence.probability_by(days_since_last)
    return [status for start, status in seeds.cadence_bands if start <= probability][-1]


def customer_cadence(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per customer with a purchase. The next is expected on the first day its probability reaches one half."""
    mean_interval = population_mean_interval(customer.purchase_days for customer in facts.buyers)
    prior = prior_of(facts, mean_interval)
    rows = []
    for customer in facts.buyers:
        days = customer.purchase_days
        gaps = [(later - earlier).days for earlier, later in zip(days, days[1:], strict=False)]
        cadence = cadence_of(days, prior)
        next_days = math.ceil(cadence.median_days_to_next) if cadence else None
        since_last = (facts.as_of - days[-1]).days
        rows.append(
            (
                customer.customer_id,
                len(days),
                median(gaps) if gaps else None,
                cadence.expected_interval_days if cadence else None,
                days[-1] + timedelta(days=next_days) if next_days is not None and next_days <= HUNDRED_YEARS else None,
                cadence.probability_by(since_last) if cadence else None,
                cadence_status(cadence, since_last, seeds),
            )
        )
    return pd.DataFrame(rows, columns=CADENCE_COLUMNS, dtype=object)
