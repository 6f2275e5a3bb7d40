"""Coupons: welcome coupons, those of campaigns, public ones. A coupon changes the discount shown, not what is paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from .campaigns import Assignments
from .config import AS_OF_DAY, NEVER, Config, day_number
from .orders import AS_OF_SECOND, Orders
from .people import People
from .random_streams import stream
from .tables import DAY_SECONDS, NONE

# first and last day of the public coupon of each year, in cents
PUBLIC = tuple((date(year, 11, 1), date(year, 11, 20), 1_500) for year in (2023, 2024, 2025))
_WELCOME_SHARE, _WELCOME_DAYS, _WELCOME_CENTS = 0.30, 60, 1_000
_CAMPAIGN_DAYS = 30
_USED_SHARE, _PUBLIC_USED_SHARE = 0.6, 0.15


@dataclass(frozen=True)
class Coupons:
    """Coupons of customers, and what was redeemed of them and of the public ones; local seconds and cents.

    Attributes:
        person, campaign, issued, expires, face: one value per coupon; campaign NONE for welcome coupons.
        used_coupon: place of the coupon redeemed; those below zero are public, -1 the first.
        used_order: place of its order.
        used_face: what it was worth.
    """

    person: np.ndarray
    campaign: np.ndarray
    issued: np.ndarray
    expires: np.ndarray
    face: np.ndarray
    used_coupon: np.ndarray
    used_order: np.ndarray
    used_face: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def draw_coupons(
    config: Config, chunk: int, people: People, assignments: Assignments, orders: Orders, registered_second: np.ndarray
) -> Coupons:
    """Who gets coupons, and in which orders they are redeemed: at most one in each."""
    random = stream(config.seed, chunk, "coupons")
    welcomed = np.flatnonzero(random.random(people.registered) < _WELCOME_SHARE)
    faces = np.array([round((c.coupon_amount or 0) * 100) for c in config.campaigns.campaigns])
    sent = np.flatnonzero(assignments.is_treated & (faces[assignments.campaign] > 0))
    begins = assignments.day[sent] * DAY_SECONDS + 9 * 3_600 + 300
    issued = np.concatenate([registered_second[welcomed] + 60, begins])
    days = np.concatenate([np.full(len(welcomed), _WELCOME_DAYS), np.full(len(sent), _CAMPAIGN_DAYS)])
    person = np.concatenate([welcomed, assignments.person[sent]])
    campaign = np.concatenate([np.full(len(welcomed), NONE), assignments.campaign[sent]])
    face = np.concatenate([np.full(len(welcomed), _WELCOME_CENTS), faces[assignments.campaign[sent]]])
    place = np.lexsort((person, issued))
    place = place[issued[place] <= AS_OF_SECOND]
    person, campaign, issued, face = person[place], campaign[place], issued[place], face[place]
    expires = issued + days[place] * DAY_SECONDS
    used_coupon, used_order = _first_orders(orders, person, issued, expires)
    uses = random.random(len(used_coupon)) < _USED_SHARE
    used_coupon, used_order = used_coupon[uses], used_order[uses]
    # the coupon that was issued first is redeemed
    used_order, first = np.unique(used_order, return_index=True)
    used_coupon = used_coupon[first]
    public_coupon, public_order = _public_uses(random, people, orders, used_order)
    return Coupons(
        person=person,
        campaign=campaign,
        issued=issued,
        expires=expires,
        face=face,
        used_coupon=np.concatenate([used_coupon, public_coupon]),
        used_order=np.concatenate([used_order, public_order]),
        used_face=np.concatenate([face[used_coupon], np.array([row[2] for row in PUBLIC])[-1 - public_coupon]]),
    )


def _first_orders(
    orders: Orders, person: np.ndarray, issued: np.ndarray, expires: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the coupons that the owner has a chance to use, and of the first order that is one."""
    span = (NEVER + 400) * DAY_SECONDS
    valid = np.flatnonzero(orders.is_valid)
    valid = valid[np.lexsort((orders.second[valid], orders.person[valid]))]
    keys = orders.person[valid].astype(np.int64) * span + orders.second[valid]
    found = np.searchsorted(keys, person.astype(np.int64) * span + issued, side="right")
    is_used = found < np.searchsorted(keys, person.astype(np.int64) * span + expires, side="right")
    return np.flatnonzero(is_used), valid[found[is_used]]


def _public_uses(
    random: np.random.Generator, people: People, orders: Orders, taken: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    draws = random.random(len(orders)) < _PUBLIC_USED_SHARE
    is_free = orders.is_valid & ~people.is_guest[orders.person] & draws
    is_free[taken] = False
    coupons, places = [], []
    for number, (first, last, _) in enumerate(PUBLIC):
        used = np.flatnonzero(
            is_free & (orders.day >= day_number(first)) & (orders.day <= min(day_number(last), AS_OF_DAY))
        )
        coupons.append(np.full(len(used), -1 - number))
        places.append(used)
    return np.concatenate(coupons), np.concatenate(places)
