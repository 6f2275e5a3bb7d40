"""Who the persons of a chunk are: registered customers first, then guests of the stores' till, who never register.

Latent, per person:
    satisfaction   z ~ Normal(mean of the acquisition channel, 1); of guests Normal(0, 1)
    rate           purchases per day ~ Gamma(rate_shape, rate_scale) * exp(d * u - d^2 / 2), d = cohort_deviation,
        u ~ Normal(0, 1) for each month of first purchases
    dropout        p0 = dropout_floor + (1 - dropout_floor) * p1, after a purchase without a bad ticket, where
        logit(p1) = logit(Beta(dropout_a, dropout_b)) - satisfaction_tilt * z
    bad_ticket     q = min(limit, bad_ticket_share * exp(-bad_ticket_tilt * z))
    spend_rate     nu ~ Gamma(spend_mean_shape, 1 / spend_mean_scale); a purchase day's spend ~ Gamma(spend_shape, nu)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import AS_OF_DAY, FIRST_DAY, LAST_DAY, NEVER, Config, PeopleParameters, date_of
from .names import CITIES, GENDERS, INCOME_BANDS, OCCUPATIONS
from .random_streams import pick, stream
from .tables import NONE


@dataclass(frozen=True)
class Latents:
    """What drives a person, see above; arrays of doubles, shape (persons,)."""

    satisfaction: np.ndarray
    rate: np.ndarray
    dropout: np.ndarray
    bad_ticket: np.ndarray
    spend_rate: np.ndarray

    def mean_dropout(self, bad_ticket_dropout: float) -> np.ndarray:
        """Probability to drop out after a purchase, whether or not there will be a bad ticket."""
        return self.dropout + (1 - self.dropout) * self.bad_ticket * bad_ticket_dropout


@dataclass(frozen=True)
class People:
    """Attributes are integer arrays, shape (persons,): codes are places in the lists of names.py or the config.

    Attributes:
        registered: how many are registered; the persons from there on are guests.
        first_customer: number of the first customer; customers are numbered on.
        till_numbers: number of the person in the stores' till, whether or not it knows them.
        phone_numbers: eleven digits, of one person alone.
        channel: acquisition channel; NONE for guests.
        registered_day: for guests the day of the first purchase.
        first_day: of the first base purchase, NEVER for those who do not buy.
        birth_day: day number, negative.
        referrer: place of who brought the person, NONE for nobody.
    """

    registered: int
    first_customer: int
    till_numbers: np.ndarray
    phone_numbers: np.ndarray
    latents: Latents
    channel: np.ndarray
    registered_day: np.ndarray
    first_day: np.ndarray
    birth_day: np.ndarray
    gender: np.ndarray
    city: np.ndarray
    income_band: np.ndarray
    occupation: np.ndarray
    is_english: np.ndarray
    may_be_sent: np.ndarray
    is_deleted: np.ndarray
    referrer: np.ndarray

    @property
    def count(self) -> int:
        """Registered customers and guests."""
        return len(self.channel)

    @property
    def is_guest(self) -> np.ndarray:
        """Whether a person is a guest."""
        return np.arange(self.count) >= self.registered

    @property
    def customer_numbers(self) -> np.ndarray:
        """Number of the customer; NONE for guests."""
        return np.where(self.is_guest, NONE, self.first_customer + np.arange(self.count))


def guests_of(config: Config, registered: int) -> int:
    """How many guests come with so many registered customers."""
    return round(config.people.guest_share * registered)


def draw_people(config: Config, chunk: int, registered: int, first_customer: int, first_person: int) -> People:
    """The persons of a chunk; `first_person` counts those of the chunks before, guests included."""
    parameters = config.people
    count = registered + guests_of(config, registered)
    is_guest = np.arange(count) >= registered
    random = stream(config.seed, chunk, "attributes")
    channel = np.where(is_guest, NONE, pick(random, tuple(c.share for c in parameters.channels), count))
    persons = first_person + np.arange(count)
    registered_day = _registration_days(parameters, stream(config.seed, chunk, "registration"), count)
    first_day = _first_purchase_days(config, chunk, registered_day, is_guest)
    latents = _draw_latents(config, chunk, channel, first_day)
    return People(
        registered=registered,
        first_customer=first_customer,
        # both multipliers have no factor in common with the modulus, so no number comes twice
        till_numbers=(persons * 48_271 + 1_234_567) % 10_000_000,
        phone_numbers=13_000_000_000 + (persons * 7_368_787 + 811_538_467) % 6_000_000_000,
        latents=latents,
        channel=channel,
        registered_day=registered_day,
        first_day=first_day,
        birth_day=-random.integers(18 * 365, 75 * 365, count),
        gender=pick(random, tuple(share for _, share in GENDERS), count),
        city=pick(random, tuple(share for *_, share in CITIES), count),
        income_band=pick(random, tuple(share for _, share in INCOME_BANDS), count),
        occupation=pick(random, tuple(share for _, share in OCCUPATIONS), count),
        is_english=random.random(count) < parameters.english_share,
        may_be_sent=(random.random(count) < parameters.marketing_share) & ~is_guest,
        is_deleted=(random.random(count) < parameters.deleted_share) & ~is_guest,
        referrer=_draw_referrers(config, chunk, channel, registered_day, first_day, latents.satisfaction, registered),
    )


def _registration_days(parameters: PeopleParameters, random: np.random.Generator, count: int) -> np.ndarray:
    per_day = 1 + parameters.growth * np.arange(AS_OF_DAY + 1) / AS_OF_DAY
    per_day *= (1 - parameters.opening_share) / per_day.sum()
    per_day[: parameters.opening_days] += parameters.opening_share / parameters.opening_days
    return pick(random, per_day, count)


def _first_purchase_days(config: Config, chunk: int, registered_day: np.ndarray, is_guest: np.ndarray) -> np.ndarray:
    parameters, random = config.people, stream(config.seed, chunk, "first purchase")
    count = len(registered_day)
    delay = random.geometric(1 / parameters.first_purchase_days, count)
    delay[random.random(count) < parameters.same_day_share] = 0
    is_buyer = random.random(count) < parameters.buyer_share
    days = np.where(is_guest, registered_day, np.where(is_buyer, registered_day + delay, NEVER))
    return np.where(days > LAST_DAY, NEVER, days)


def _draw_latents(config: Config, chunk: int, channel: np.ndarray, first_day: np.ndarray) -> Latents:
    parameters, random, count = config.purchases, stream(config.seed, chunk, "latents"), len(channel)
    means = np.array([*(c.satisfaction for c in config.people.channels), 0.0])
    satisfaction = means[channel] + random.standard_normal(count)
    tilted = np.clip(random.beta(parameters.dropout_a, parameters.dropout_b, count), 1e-9, 1 - 1e-9)
    log_odds = np.log(tilted / (1 - tilted)) - parameters.satisfaction_tilt * satisfaction
    bad_ticket = parameters.bad_ticket_share * np.exp(-parameters.bad_ticket_tilt * satisfaction)
    rate = random.gamma(parameters.rate_shape, parameters.rate_scale, count) * _cohort_factors(config, first_day)
    return Latents(
        satisfaction=satisfaction,
        rate=np.maximum(rate, 1e-12),
        dropout=parameters.dropout_floor + (1 - parameters.dropout_floor) / (1 + np.exp(-log_odds)),
        bad_ticket=np.minimum(bad_ticket, parameters.bad_ticket_limit),
        spend_rate=random.gamma(parameters.spend_mean_shape, 1 / parameters.spend_mean_scale, count),
    )


def _cohort_factors(config: Config, first_day: np.ndarray) -> np.ndarray:
    """By how much the cohort of each person buys more often than others; the same in every chunk."""
    deviation = config.purchases.cohort_deviation
    first_month, last_month = (np.datetime64(day, "M") for day in (FIRST_DAY, date_of(LAST_DAY)))
    drawn = stream(config.seed, 0, "cohorts").standard_normal(int((last_month - first_month).astype(int)) + 1)
    months = (np.datetime64(FIRST_DAY, "D") + np.minimum(first_day, LAST_DAY)).astype("datetime64[M]")
    return np.exp(deviation * drawn - deviation**2 / 2)[(months - first_month).astype(np.int64)]


def _draw_referrers(
    config: Config,
    chunk: int,
    channel: np.ndarray,
    registered_day: np.ndarray,
    first_day: np.ndarray,
    satisfaction: np.ndarray,
    registered: int,
) -> np.ndarray:
    """Who brought those of the channel `referral`: a customer who had bought by then, the satisfied more often."""
    random = stream(config.seed, chunk, "referrers")
    buyers = np.flatnonzero(first_day[:registered] <= AS_OF_DAY)
    buyers = buyers[np.argsort(first_day[buyers], kind="stable")]
    weights = np.cumsum(np.exp(config.people.referral_tilt * satisfaction[buyers]))
    names = [c.name for c in config.people.channels]
    referred = np.flatnonzero(channel == names.index("referral")) if "referral" in names else np.array([], dtype=int)
    # first purchase on a day before, so that nobody refers themselves
    candidates = np.searchsorted(first_day[buyers], registered_day[referred], side="left")
    totals = np.concatenate([[0.0], weights])[candidates]
    places = np.searchsorted(weights, random.random(len(referred)) * totals, side="right")
    referrer = np.full(len(channel), NONE)
    has_any = candidates > 0
    referrer[referred[has_any]] = buyers[np.minimum(places, candidates - 1)[has_any]]
    return referrer
