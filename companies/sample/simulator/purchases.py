"""Purchase days: the buy-till-you-die process, and the extra days that campaigns and the programme add.

Base process of a person with rate lambda, after each base purchase day D, the first too:
    a bad ticket comes with probability q
    the person drops out with probability p0, or p0 + (1 - p0) * bad_ticket_dropout after a bad ticket
    else P(next base purchase day <= D + d) = 1 - exp(-lambda * (S(D + d) - S(D)))
so that P(next <= D + d) = (1 - p) * (1 - exp(-lambda * (S(D + d) - S(D)))) with p as Latents.mean_dropout says.
This is MBG/NBD (Batislam, Denizel, Filiztekin 2007) in seasonal time, on whole days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import LAST_DAY, NEVER, PurchaseParameters
from .people import Latents
from .season import Season

BASE, CAMPAIGN, PROGRAMME = 0, 1, 2


@dataclass(frozen=True)
class PurchaseDays:
    """Valid purchase days, one row per person and day, sorted by both.

    Attributes:
        person: place of the person.
        day: day number, up to LAST_DAY.
        source: BASE, CAMPAIGN or PROGRAMME.
        has_bad_ticket: whether a bad ticket follows; at base purchases only.
    """

    person: np.ndarray
    day: np.ndarray
    source: np.ndarray
    has_bad_ticket: np.ndarray

    def joined(self, person: np.ndarray, day: np.ndarray, source: int) -> PurchaseDays:
        """These days and others of a source; a day that is there already stays as it is."""
        persons = np.concatenate([self.person, person])
        days = np.concatenate([self.day, day])
        sources = np.concatenate([self.source, np.full(len(person), source)])
        bad = np.concatenate([self.has_bad_ticket, np.zeros(len(person), dtype=bool)])
        order = np.lexsort((sources, days, persons))
        persons, days = persons[order], days[order]
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = (persons[1:] != persons[:-1]) | (days[1:] != days[:-1])
        return PurchaseDays(persons[is_first], days[is_first], sources[order][is_first], bad[order][is_first])

    def where(self, condition: np.ndarray) -> PurchaseDays:
        """The days for which the condition holds."""
        return PurchaseDays(
            self.person[condition], self.day[condition], self.source[condition], self.has_bad_ticket[condition]
        )

    def first_after(self, persons: int, day: np.ndarray) -> np.ndarray:
        """Per person the place of the first row later than their `day`, shape (persons,)."""
        keys = self.person.astype(np.int64) * (NEVER + 1) + self.day
        return np.searchsorted(keys, np.arange(persons) * (NEVER + 1) + np.minimum(day, NEVER), side="right")

    def counted(self, persons: int, after: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Days of each person later than `after` and up to `until`, shape (persons,)."""
        return self.first_after(persons, until) - self.first_after(persons, after)


def draw_base_days(
    parameters: PurchaseParameters, latents: Latents, first_day: np.ndarray, season: Season, random: np.random.Generator
) -> tuple[PurchaseDays, np.ndarray]:
    """The base purchase days up to LAST_DAY, and the day at which each person dropped out (NEVER: not by then)."""
    drops_out_on = np.full(len(first_day), NEVER)
    active = np.flatnonzero(first_day <= LAST_DAY)
    current = first_day[active]
    persons, days, bads = [], [], []
    while len(active):
        bad = random.random(len(active)) < latents.bad_ticket[active]
        persons.append(active)
        days.append(current)
        bads.append(bad)
        dropout = dropout_after(latents.dropout[active], bad, parameters.bad_ticket_dropout)
        drops_out = random.random(len(active)) < dropout
        drops_out_on[active[drops_out]] = current[drops_out]
        active, current = active[~drops_out], current[~drops_out]
        wait = random.standard_exponential(len(active)) / latents.rate[active]
        following = season.day_at(season.elapsed[current] + wait)
        comes = following <= LAST_DAY
        active, current = active[comes], following[comes]
    person, day = _concatenated(persons), _concatenated(days)
    order = np.lexsort((day, person))
    source = np.full(len(order), BASE)
    return PurchaseDays(person[order], day[order], source, _concatenated(bads).astype(bool)[order]), drops_out_on


def dropout_after(dropout: np.ndarray, has_bad_ticket: np.ndarray, effect: float) -> np.ndarray:
    """Probability to drop out after a purchase, with or without a bad ticket."""
    return np.where(has_bad_ticket, dropout + (1 - dropout) * effect, dropout)


def draw_days_at_rate(
    rate: np.ndarray, after: np.ndarray, until: np.ndarray, season: Season, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Days at a rate per day of operational time, later than `after` and up to `until`.

    A day d has one with probability 1 - exp(-rate * s(d)), each for itself. Arrays of one value per row; returns
    the place of the row and the day, of which some may come twice.
    """
    begins = season.elapsed[np.minimum(after, LAST_DAY)]
    spans = np.maximum(season.between(after, until), 0)
    numbers = random.poisson(rate * spans)
    rows = np.repeat(np.arange(len(rate)), numbers)
    # 1 - u is never 0, which would be the day itself
    elapsed = begins[rows] + (1 - random.random(len(rows))) * spans[rows]
    return rows, np.clip(season.day_at(elapsed), after[rows] + 1, np.minimum(until[rows], LAST_DAY))


def draw_spend(parameters: PurchaseParameters, spend_rate: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Spend of purchase days in whole cents, at least 100: Gamma(spend_shape) / rate of the person."""
    return np.maximum(np.rint(random.gamma(parameters.spend_shape, 1 / spend_rate) * 100), 100).astype(np.int64)


def _concatenated(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.array([], dtype=np.int64)
