"""Tiers of members over time: upgrades after orders, a review on the first day of 2025, a few closed memberships.

The tier after an order is the highest that trailing spend reached since enrolment or the review; trailing spend is
what the customer paid in the 365 days before, that order included. The review sets the tier to what trailing spend
is then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from .config import AS_OF_DAY, Config, day_number
from .orders import AS_OF_SECOND, Orders
from .people import People
from .programme import Offers
from .random_streams import stream
from .tables import DAY_SECONDS, NONE

TIERS = ("member", "silver", "gold", "platinum", "diamond")
STATUSES = ("active", "closed")
_REVIEW_SECOND = day_number(date(2025, 1, 1)) * DAY_SECONDS + 1_800
_TRAILING_SECONDS = 365 * DAY_SECONDS
# larger than any time
_SPAN = 2 * AS_OF_SECOND


@dataclass(frozen=True)
class Memberships:
    """Versions of memberships, sorted by person and time; times in local seconds.

    Attributes:
        person: who is a member.
        enrolled: the same in all versions of a member.
        tier: place in TIERS.
        is_closed: whether the version closes the membership.
        since: from when the version holds.
    """

    person: np.ndarray
    enrolled: np.ndarray
    tier: np.ndarray
    is_closed: np.ndarray
    since: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def enrolment_seconds(config: Config, chunk: int, people: People, offers: Offers, orders: Orders) -> np.ndarray:
    """When each person enrolled, shape (persons,): minutes after the first valid order of that day; else NONE."""
    delay = stream(config.seed, chunk, "enrolment").integers(60, 1_200, people.count)
    enrolled = np.full(people.count, NONE)
    that_day = np.flatnonzero(orders.is_valid & (orders.day == offers.enrolled_on[orders.person]))
    # from the last to the first, so that the first stays
    enrolled[orders.person[that_day[::-1]]] = orders.second[that_day[::-1]]
    return np.where(enrolled >= 0, enrolled + delay, NONE)


def draw_memberships(config: Config, chunk: int, people: People, orders: Orders, enrolled: np.ndarray) -> Memberships:
    """The versions up to the as-of date; `enrolled` as enrolment_seconds gives it."""
    rows = np.flatnonzero(orders.is_valid & (enrolled[orders.person] >= 0))
    rows = rows[np.lexsort((orders.second[rows], orders.person[rows]))]
    person, second = orders.person[rows], orders.second[rows]
    keys = person.astype(np.int64) * _SPAN + second
    spent = np.concatenate([[0.0], np.cumsum(orders.amount[rows])]) / 100

    def level(of: np.ndarray, at: np.ndarray) -> np.ndarray:
        until = np.searchsorted(keys, of.astype(np.int64) * _SPAN + at, side="right")
        after = np.searchsorted(keys, of.astype(np.int64) * _SPAN + np.maximum(at - _TRAILING_SECONDS, 0), side="right")
        return np.searchsorted(config.programme.tier_amounts, spent[until] - spent[after], side="right") - 1

    members = np.flatnonzero(enrolled >= 0)
    reviewed = members[enrolled[members] < _REVIEW_SECOND]
    later = second > enrolled[person]
    review = np.full(len(reviewed), _REVIEW_SECOND)
    event_person = np.concatenate([members, person[later], reviewed])
    event_second = np.concatenate([enrolled[members], second[later] + 60, review])
    event_level = np.concatenate(
        [np.zeros(len(members), dtype=np.int64), level(person[later], second[later]), level(reviewed, review)]
    )
    order = np.lexsort((event_second, event_person))
    event_person, event_second, event_level = event_person[order], event_second[order], event_level[order]
    # the highest level so far, begun anew at the review: spans of one member before and after it
    span = np.cumsum(_differs(event_person * 2 + (event_second >= _REVIEW_SECOND)))
    tier = np.maximum.accumulate(span * 10 + event_level) - span * 10
    is_version = _differs(event_person) | _differs(tier)
    versions = (
        event_person[is_version],
        tier[is_version],
        np.zeros(int(is_version.sum()), dtype=bool),
        event_second[is_version],
    )
    closing = _closings(config, chunk, orders, members, versions)
    columns = [np.concatenate(parts) for parts in zip(versions, closing, strict=True)]
    order = np.lexsort((columns[3], columns[0]))
    person, tier, is_closed, since = (column[order] for column in columns)
    return Memberships(person, enrolled[person], tier, is_closed, since)


def _closings(
    config: Config, chunk: int, orders: Orders, members: np.ndarray, versions: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    """Closing versions of some of those who have not bought for 60 days: nothing that a member does comes after it."""
    random = stream(config.seed, chunk, "closings")
    size = int(max(members.max(initial=0), orders.person.max(initial=0))) + 1
    last_day, last_tier, last_since = (
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, np.int64),
    )
    np.maximum.at(last_day, orders.person, orders.day)
    # sorted by time, the last assignment stays
    last_tier[versions[0]], last_since[versions[0]] = versions[1], versions[3]
    closes = random.random(len(members)) < config.programme.closed_share
    drawn = random.random(len(members))
    closing = members[closes & (last_day[members] <= AS_OF_DAY - 60)]
    begins = np.maximum((last_day[closing] + 1) * DAY_SECONDS, last_since[closing] + 1)
    share = drawn[np.searchsorted(members, closing)]
    since = begins + (share * (AS_OF_SECOND - begins)).astype(np.int64)
    return closing, last_tier[closing], np.ones(len(closing), dtype=bool), since


def _differs(values: np.ndarray) -> np.ndarray:
    """Whether a value is not the one before it; true for the first."""
    differs = np.ones(len(values), dtype=bool)
    differs[1:] = values[1:] != values[:-1]
    return differs
