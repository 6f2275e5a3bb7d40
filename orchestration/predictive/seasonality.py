"""How much more, or less, is bought in a month of the year, or in the days of an event, than the model alone expects.

What events make of their days (events.py) is taken out first: a festival that moves would spoil the index of the months
that it was in. For each month of the past the repeat purchases that came are held against those that the model expects
of the customers acquired so far. A straight trend is taken out where there are two years to see it, since over time a
model errs in one direction. What is left is shrunk towards no season (empirical Bayes on log ratios): by the noise of
counts, by how much the same month differs between years, and by how much the months differ at all. Months that do not
differ by more than noise get an index of 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from orchestration.predictive.arrays import Floats
from orchestration.predictive.btyd import BtydFit, expected_repeat_purchases
from orchestration.predictive.empirical_bayes import between_variance
from orchestration.predictive.events import (
    Days,
    Effect,
    Occurrence,
    days_of_event,
    estimate_events,
    factors_of_events,
)

# with a trend, a year is needed for the trend and one for the season
_DAYS_FOR_TREND = 730
# standard deviation of a month's log ratio between years where there is one year only, and the least of it where
# there are more
_YEARLY_NOISE = 0.1
_LEAST_YEARLY_NOISE = 0.03
_LOWEST, _HIGHEST = 0.2, 5.0
# a month in which fewer purchases are expected says nothing of the season
_MIN_EXPECTED = 5.0


@dataclass(frozen=True, eq=False)
class Activity:
    """Customers by the day of their first purchase, and repeat purchases by their day."""

    first_days: Days
    new_customers: Floats
    repeat_days: Days
    repeat_purchases: Floats

    def until(self, day: date) -> Activity:
        """Leave out what came after that day."""
        end = np.datetime64(day, "D")
        first, repeat = self.first_days <= end, self.repeat_days <= end
        return Activity(
            self.first_days[first], self.new_customers[first], self.repeat_days[repeat], self.repeat_purchases[repeat]
        )


@dataclass(frozen=True, eq=False)
class Season:
    """What a day is worth: the index of its month times those of the events that it is in.

    `month_index` has twelve factors, January first; the mean of past days, weighted by expected purchases, is 1.
    `month_errors` are standard deviations of the log of a factor in a year to come: what shrinking leaves open, and
    what the same month differs by between years. Nothing is said of deviations, 0, where no season is known.
    """

    month_index: Floats
    month_errors: Floats
    events: Mapping[str, Effect] = field(default_factory=dict)
    calendar: Sequence[Occurrence] = ()

    @classmethod
    def none(cls) -> Season:
        """Every day is a day."""
        return cls(np.ones(12), np.zeros(12))

    @property
    def is_known(self) -> bool:
        """Whether a day may differ from another."""
        return bool((self.month_index != 1).any()) or any(effect.index != 1 for effect in self.events.values())

    def factors(self, days: Days) -> Floats:
        """What each of the days is worth."""
        return self.month_index[_month_of_year(days)] * factors_of_events(days, _logs(self.events), self.calendar)

    def length(self, as_of: date, days: int) -> float:
        """Length of the `days` after `as_of`, each as long as the season says."""
        return float(self.factors(_following(as_of, days)).sum())

    def relative_error(self, as_of: date, days: int) -> float:
        """Standard deviation of that length, as a share of it; months and events err each on their own."""
        following = _following(as_of, days)
        factors = self.factors(following)
        of_months = np.bincount(_month_of_year(following), weights=factors, minlength=12) * self.month_errors
        of_events = [
            factors[days_of_event(event, following, self.calendar)].sum() * effect.error
            for event, effect in self.events.items()
        ]
        return float(np.sqrt(np.sum(of_months**2) + np.sum(np.square(of_events))) / factors.sum())


def estimate_season(
    fit: BtydFit, activity: Activity, as_of: date, minimum_days: int, calendar: Sequence[Occurrence] = ()
) -> Season:
    """The season as it is known on a day; none with less than `minimum_days` of history."""
    activity = activity.until(as_of)
    if not activity.first_days.size:
        return Season.none()
    begin, end = activity.first_days.min().astype("datetime64[D]"), np.datetime64(as_of, "D")
    length = int((end - begin).astype(np.int64)) + 1
    if length < minimum_days:
        return Season.none()
    days = begin + np.arange(length)
    expected_of_days, actual_of_days = _by_day(fit, activity, begin, length)
    events = estimate_events(days, expected_of_days, actual_of_days, calendar)
    months = days.astype("datetime64[M]").astype(np.int64)
    place = months - months[0]
    with_events = expected_of_days * factors_of_events(days, _logs(events), calendar)
    expected, actual = np.bincount(place, weights=with_events), np.bincount(place, weights=actual_of_days)
    month_of_year = (months[0] + np.arange(expected.size)) % 12
    exposure = np.bincount(month_of_year, weights=expected, minlength=12)
    total = np.bincount(month_of_year, weights=np.bincount(place, weights=expected_of_days), minlength=12).sum()
    usable = expected >= _MIN_EXPECTED
    if not usable.any():
        return Season.none()
    logs, errors = _shrunk_logs(
        np.log((actual[usable] + 0.5) / (expected[usable] + 0.5)),
        1 / (actual[usable] + 0.5),
        month_of_year[usable],
        np.flatnonzero(usable) if length >= _DAYS_FOR_TREND else None,
    )
    index = np.clip(np.exp(logs), _LOWEST, _HIGHEST)
    return Season(index * total / (exposure @ index), errors, events, calendar)


def _logs(events: Mapping[str, Effect]) -> dict[str, float]:
    return {event: float(np.log(effect.index)) for event, effect in events.items()}


def _following(as_of: date, days: int) -> Days:
    return np.datetime64(as_of, "D") + np.arange(1, days + 1)


def _by_day(fit: BtydFit, activity: Activity, begin: np.datetime64, length: int) -> tuple[Floats, Floats]:
    """Repeat purchases of each day: expected of those who had come before, and actual."""
    came = _placed(activity.first_days, activity.new_customers, begin, length)
    actual = _placed(activity.repeat_days, activity.repeat_purchases, begin, length)
    by_age = np.diff(expected_repeat_purchases(fit, np.arange(length, dtype=np.float64)), prepend=0.0)
    return np.convolve(came, by_age)[:length], actual


def _placed(days: Days, counts: Floats, begin: np.datetime64, length: int) -> Floats:
    places = (days.astype("datetime64[D]") - begin).astype(np.int64)
    inside = (places >= 0) & (places < length)
    return np.bincount(places[inside], weights=np.asarray(counts, np.float64)[inside], minlength=length)


def _shrunk_logs(
    ratios: Floats, count_noise: Floats, month_of_year: NDArray[np.int64], time: Floats | None
) -> tuple[Floats, Floats]:
    """Log index of the twelve months of the year, with errors, from log ratios of months and the variance of counts."""
    yearly = _YEARLY_NOISE**2
    for _ in range(20):
        weights = 1 / (count_noise + yearly)
        means, of_month, residuals, spare = _fitted(ratios, weights, month_of_year, time)
        if spare < 6:
            break
        # of the scatter between years, what counts do not explain
        found = max(_LEAST_YEARLY_NOISE**2, yearly + float((weights @ residuals**2 - spare) / weights.sum()))
        if abs(found - yearly) < 1e-9:
            break
        yearly = found
    seen = of_month > 0
    noise = 1 / of_month[seen]
    level = np.average(means[seen], weights=of_month[seen])
    between = between_variance(means[seen], noise)
    kept = between / (between + noise)
    logs, variances = np.zeros(12), np.full(12, between + yearly)
    logs[seen] = (means[seen] - level) * kept
    variances[seen] = kept * noise + yearly
    return logs, np.sqrt(variances)


def _fitted(
    ratios: Floats, weights: Floats, month_of_year: NDArray[np.int64], time: Floats | None
) -> tuple[Floats, Floats, Floats, int]:
    """Weighted mean of each month of the year beside a trend, its weight, the residuals and their freedom."""
    of_month = np.bincount(month_of_year, weights=weights, minlength=12)
    safe = np.where(of_month > 0, of_month, 1.0)

    def centred(values: Floats) -> tuple[Floats, Floats]:
        means = np.bincount(month_of_year, weights=weights * values, minlength=12) / safe
        return means, values - means[month_of_year]

    means, residuals = centred(ratios)
    spare = ratios.size - int((of_month > 0).sum())
    if time is not None and spare > 0:
        mean_time, moved = centred(np.asarray(time, dtype=np.float64))
        slope = float((weights * moved) @ residuals / ((weights * moved) @ moved))
        means, residuals, spare = means - slope * mean_time, residuals - slope * moved, spare - 1
    return means, of_month, residuals, spare


def _month_of_year(days: Days) -> NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12
