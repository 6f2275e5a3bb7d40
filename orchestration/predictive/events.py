"""How much more, or less, is bought in the days of an event, such as a festival that moves from month to month.

The repeat purchases of an occurrence are held against what the other days of the same months let expect, so that the
level of a month has no part in it. The mean of an event's occurrences is drawn to no effect: by the noise of counts, by
how much occurrences of an event differ, and by how large the effect is beside both. Each event is judged by itself: a
festival that halves the trade of a fortnight says nothing of the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from orchestration.predictive.arrays import Floats
from orchestration.predictive.empirical_bayes import between_variance, with_prior

Days = NDArray[np.datetime64]

# standard deviation between occurrences of the log of an event's factor, and how many occurrences that is worth
_BETWEEN_OCCURRENCES = 0.1
_PRIOR_OCCURRENCES = 4.0
# fewer purchases expected say nothing of an occurrence, nor of the days that it is held against
_MIN_EXPECTED = 5.0
# each event is measured with the others taken out; where they share days this settles within a few rounds
_ROUNDS = 10
_LOWEST, _HIGHEST = 0.2, 5.0


@dataclass(frozen=True)
class Occurrence:
    """The days of an event in one year, both ends among them."""

    event: str
    first_on: date
    last_on: date


@dataclass(frozen=True)
class Effect:
    """The factor of an event, and the standard deviation of its log at the next occurrence."""

    index: float
    error: float


def estimate_events(days: Days, expected: Floats, actual: Floats, calendar: Sequence[Occurrence]) -> dict[str, Effect]:
    """The effect of each event that has an occurrence in `days`, from purchases by day; `days` follow one another.

    Where no occurrence has purchases enough to tell, the event is left out.
    """
    within = [one for one in calendar if one.first_on <= days[-1].item() and one.last_on >= days[0].item()]
    measured: dict[str, list[tuple[float, float]]] = {}
    logs: dict[str, float] = {}
    events = sorted({one.event for one in within})
    for _ in range(_ROUNDS):
        for event in events:
            others = {other: log for other, log in logs.items() if other != event}
            found = _measured(event, days, expected * factors_of_events(days, others, within), actual, within)
            if found:
                measured[event] = found
                logs[event] = _mean(found, _BETWEEN_OCCURRENCES**2)[0]
    return _shrunk(measured)


def factors_of_events(days: Days, logs: Mapping[str, float], calendar: Sequence[Occurrence]) -> Floats:
    """What events make of each day, from the log of each event's factor; an event without one changes nothing."""
    total = np.zeros(days.size)
    for event, log in logs.items():
        total[days_of_event(event, days, calendar)] += log
    return np.exp(total)


def days_of_event(event: str, days: Days, calendar: Sequence[Occurrence]) -> NDArray[np.bool_]:
    """Which of the days are in an occurrence of the event."""
    inside = np.zeros(days.size, dtype=np.bool_)
    for one in calendar:
        if one.event == event:
            inside |= _days_of(one, days)
    return inside


def _days_of(one: Occurrence, days: Days) -> NDArray[np.bool_]:
    return (days >= np.datetime64(one.first_on, "D")) & (days <= np.datetime64(one.last_on, "D"))


def _measured(
    event: str, days: Days, expected: Floats, actual: Floats, calendar: Sequence[Occurrence]
) -> list[tuple[float, float]]:
    """Of each occurrence that has purchases enough: log(actual / what other days of its months say), its variance."""
    of_event = days_of_event(event, days, calendar)
    months = days.astype("datetime64[M]")
    found = []
    for one in calendar:
        inside = _days_of(one, days)
        if one.event != event or not inside.any():
            continue
        came, base, noise = 0.0, 0.0, 0.0
        for month in np.unique(months[inside]):
            here, beside = inside & (months == month), (months == month) & ~of_event
            if expected[beside].sum() < _MIN_EXPECTED:
                continue
            purchases = actual[beside].sum() + 0.5
            of_month = expected[here].sum() * purchases / (expected[beside].sum() + 0.5)
            came, base, noise = came + actual[here].sum(), base + of_month, noise + of_month**2 / purchases
        if base >= _MIN_EXPECTED:
            found.append((float(np.log((came + 0.5) / (base + 0.5))), 1 / (came + 0.5) + noise / base**2))
    return found


def _mean(occurrences: Sequence[tuple[float, float]], between: float) -> tuple[float, float]:
    """Mean of an event's occurrences, weighted by their noise, and the variance of it."""
    values, noise = np.array(occurrences).T
    weights = 1 / (noise + between)
    return float(weights @ values / weights.sum()), float(1 / weights.sum())


def _shrunk(measured: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, Effect]:
    if not measured:
        return {}
    values, noise = np.array([one for of_event in measured.values() for one in of_event]).T
    groups = np.repeat(np.arange(len(measured)), [len(of_event) for of_event in measured.values()])
    freedom = values.size - len(measured)
    between = with_prior(_BETWEEN_OCCURRENCES**2, _PRIOR_OCCURRENCES, between_variance(values, noise, groups), freedom)
    effects = {}
    for event, occurrences in measured.items():
        mean, variance = _mean(occurrences, between)
        # the most likely variance of an effect of which one estimate is known: what its square has beyond the noise
        kept = max(0.0, 1 - variance / mean**2) if mean else 0.0
        index = float(np.clip(np.exp(kept * mean), _LOWEST, _HIGHEST))
        effects[event] = Effect(index, float(np.sqrt(kept * variance + between)))
    return effects
