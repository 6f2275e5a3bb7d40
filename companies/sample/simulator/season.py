"""How much is bought on a day, relative to an ordinary day.

    s(day) = base * (1 + mild_amplitude * sin(2 pi * day of year / 365))
             + november_peak * exp(-|day - 11 November| / november_decay_days)      from 1 to 20 November
             + gift_peak                                          from 20 to 7 days before a Spring Festival
    times festival_dip from 6 days before a Spring Festival to 7 days after it
    times the factor of the month, where month_factors has one

The mean of a year is about 1. Operational time S(day) is the sum of s up to and with that day.
"""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np

from .config import FIRST_DAY, LAST_DAY, SeasonParameters


class Season:
    """The days 0 to LAST_DAY.

    Attributes:
        rates: s, shape (LAST_DAY + 1,).
        elapsed: S, the same shape.
    """

    def __init__(self, parameters: SeasonParameters) -> None:
        days = [FIRST_DAY + timedelta(days=day) for day in range(LAST_DAY + 1)]
        self.rates = np.array([_rate(day, parameters) for day in days])
        self.elapsed = np.cumsum(self.rates)

    def between(self, after: np.ndarray, until: np.ndarray) -> np.ndarray:
        """S(until) - S(after): the operational time of the days after `after` up to and with `until`."""
        return self.elapsed[np.minimum(until, LAST_DAY)] - self.elapsed[np.minimum(after, LAST_DAY)]

    def day_at(self, elapsed: np.ndarray) -> np.ndarray:
        """The first day on which S is at least `elapsed`; LAST_DAY + 1 where that is later than LAST_DAY."""
        return np.searchsorted(self.elapsed, elapsed, side="left")


def _rate(day: date, parameters: SeasonParameters) -> float:
    rate = parameters.base * (1 + parameters.mild_amplitude * math.sin(2 * math.pi * day.timetuple().tm_yday / 365))
    if day.month == 11 and day.day <= 20:
        rate += parameters.november_peak * math.exp(-abs(day.day - 11) / parameters.november_decay_days)
    if any(-20 <= (day - festival).days <= -7 for festival in parameters.festivals):
        rate += parameters.gift_peak
    if any(-6 <= (day - festival).days <= 7 for festival in parameters.festivals):
        rate *= parameters.festival_dip
    month = 12 * (day.year - FIRST_DAY.year) + day.month - FIRST_DAY.month
    return rate * parameters.month_factors[month] if month < len(parameters.month_factors) else rate
