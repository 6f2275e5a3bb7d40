"""The loyalty programme: one offer to each customer, and what membership adds.

The offer comes on the first valid purchase day on or after the launch and is accepted with
    P = accept_limit / (1 + exp(-(accept_intercept + accept_purchases * ln(n) + accept_value * ln(m / 100 CNY))))
where n counts the customer's purchase days so far, that one included, and m is the mean spend of them. From the day
after, while the base process is alive, there are extra purchase days at rate_effect * lambda * s(day). There is no
dropout at these.

P is multiplied by accept_multiplier. Where the offer is repeated, it comes again on each later valid purchase day until
it is accepted. For who accepts, the acceptance is drawn too that would have followed, had this one not been: the other
potential outcome of joining now is to join then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import NEVER, Config, ProgrammeParameters, day_number
from .people import People
from .purchases import PurchaseDays, draw_days_at_rate
from .random_streams import stream
from .season import Season


@dataclass(frozen=True)
class Offers:
    """Per person, shape (persons,); NEVER for those who accept none.

    Attributes:
        enrolled_on: day of the offer that was accepted.
        deferred_on: of a member, the day on which a later offer would have been accepted instead of that one.
    """

    enrolled_on: np.ndarray
    deferred_on: np.ndarray

    @property
    def is_member(self) -> np.ndarray:
        """Whether the person ever enrols."""
        return self.enrolled_on < NEVER


def draw_offers(config: Config, chunk: int, people: People, days: PurchaseDays, spend: np.ndarray) -> Offers:
    """Who is offered membership when, and who accepts. `spend` is in cents, one value per purchase day."""
    if config.programme.is_offer_repeated:
        return _draw_repeated_offers(config, chunk, people, days, spend)
    parameters, random = config.programme, stream(config.seed, chunk, "offers")
    launch = np.full(people.count, day_number(parameters.launch) - 1)
    begins = days.first_after(people.count, np.full(people.count, -1))
    place = days.first_after(people.count, launch)
    ends = days.first_after(people.count, np.full(people.count, NEVER))
    is_offered = (place < ends) & ~people.is_guest
    total = np.concatenate([[0.0], np.cumsum(spend)]) / 100
    following = np.where(is_offered, place + 1, begins)
    purchases = np.maximum(following - begins, 1)
    value = np.where(is_offered, (total[following] - total[begins]) / purchases, 100.0)
    accepts = is_offered & (random.random(people.count) < _acceptance(parameters, purchases, value))
    enrolled_on = np.full(people.count, NEVER)
    enrolled_on[accepts] = days.day[place[accepts]]
    return Offers(enrolled_on, np.full(people.count, NEVER))


def _draw_repeated_offers(config: Config, chunk: int, people: People, days: PurchaseDays, spend: np.ndarray) -> Offers:
    """An offer on each purchase day since the launch; the first two that would be accepted."""
    random = stream(config.seed, chunk, "repeated offers")
    begins = days.first_after(people.count, np.full(people.count, -1))[days.person]
    total = np.concatenate([[0.0], np.cumsum(spend)]) / 100
    rows = np.arange(len(days.person))
    purchases = rows - begins + 1
    value = (total[rows + 1] - total[begins]) / purchases
    is_offered = (days.day >= day_number(config.programme.launch)) & ~people.is_guest[days.person]
    accepts = is_offered & (random.random(len(rows)) < _acceptance(config.programme, purchases, value))
    accepted = days.where(accepts)
    enrolled_on, deferred_on = np.full(people.count, NEVER), np.full(people.count, NEVER)
    place = accepted.first_after(people.count, np.full(people.count, -1))
    ends = accepted.first_after(people.count, np.full(people.count, NEVER))
    enrolled_on[place < ends] = accepted.day[place[place < ends]]
    deferred_on[place + 1 < ends] = accepted.day[place[place + 1 < ends] + 1]
    return Offers(enrolled_on, deferred_on)


def _acceptance(parameters: ProgrammeParameters, purchases: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Probability to accept an offer, at so many purchase days with that mean spend in CNY."""
    log_odds = (
        parameters.accept_intercept
        + parameters.accept_purchases * np.log(purchases)
        + parameters.accept_value * np.log(value / 100)
    )
    return parameters.accept_multiplier * parameters.accept_limit / (1 + np.exp(-log_odds))


def draw_extra_days(
    config: Config, chunk: int, people: People, offers: Offers, drops_out_on: np.ndarray, season: Season
) -> tuple[np.ndarray, np.ndarray]:
    """Person and day of the purchases that membership adds, up to LAST_DAY or the day of dropping out."""
    members = np.flatnonzero(offers.is_member)
    rows, days = draw_days_at_rate(
        config.programme.rate_effect * people.latents.rate[members],
        offers.enrolled_on[members],
        np.maximum(drops_out_on[members], offers.enrolled_on[members]),
        season,
        stream(config.seed, chunk, "programme extras"),
    )
    return members[rows], days
