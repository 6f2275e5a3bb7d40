"""The ids of the stores' till: whose they are, what links them, and the few that must not be linked.

links, as truth/identities.parquet names them:
    customer_id     the till knows the customer's id
    email, phone    it knows what the master system has on file, in another spelling
    anonymous_id    it knows the device on which the customer logged in on the web
    transitive      it knows a phone that a WeChat account has too, whose e-mail address the master system has on file
    none            a guest, whom nobody else knows
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import AS_OF_DAY, Config
from .orders import STORE, WEB, Orders
from .people import People
from .random_streams import pick, stream
from .tables import NONE

LINKS = ("none", "customer_id", "email", "phone", "anonymous_id", "transitive")
NO_LINK, BY_CUSTOMER_ID, BY_EMAIL, BY_PHONE, BY_DEVICE, TRANSITIVE = range(6)
_GUEST_WITH_PHONE, _GUEST_WITH_PLACEHOLDER = 0.6, 0.05
_CONFLICT_FROM_DAY, _CONFLICT_CUSTOMERS_UNTIL = 300, 250


@dataclass(frozen=True)
class Identities:
    """What the till knows, per person; shape (persons,).

    Attributes:
        link: place in LINKS; of registered customers without an id of the till, too, `none`.
        recorded: when the till first saw them in local seconds, NONE for who has no row in customer_identities.
        has_placeholder: guests for whom a clerk typed the usual number.
        shares_phone_with: for a customer whose phone on file is another customer's, that customer; else NONE.
        gives_phone_of: for a guest who gives such a phone, the customer; else NONE.
        at_till: per order, whether it carries the id of the till; shape (orders,).
        ordered_at_till: places of the persons who have such an order.
    """

    link: np.ndarray
    recorded: np.ndarray
    has_placeholder: np.ndarray
    shares_phone_with: np.ndarray
    gives_phone_of: np.ndarray
    at_till: np.ndarray
    ordered_at_till: np.ndarray

    @property
    def needs_email(self) -> np.ndarray:
        """Whether the e-mail address must be on file for the link to work."""
        return (self.link == BY_EMAIL) | (self.link == TRANSITIVE)

    @property
    def needs_phone(self) -> np.ndarray:
        """Whether the phone must be on file, for the link or for the conflict."""
        is_shared = np.zeros(len(self.link), dtype=bool)
        is_shared[self.shares_phone_with[self.shares_phone_with >= 0]] = True
        return (self.link == BY_PHONE) | is_shared | (self.shares_phone_with >= 0)


def draw_identities(config: Config, chunk: int, people: People, orders: Orders) -> Identities:
    """Who has an id of the till, and which orders carry it."""
    parameters, random = config.identities, stream(config.seed, chunk, "identities")
    count = people.count
    first_store = _first_second(orders, count, orders.channel == STORE)
    has_web_order = _first_second(orders, count, (orders.channel == WEB) & orders.is_valid) >= 0
    is_linked = (random.random(count) < parameters.linked_share) & ~people.is_guest & (first_store >= 0)
    drawn = 1 + pick(random, tuple(share for _, share in parameters.links), count)
    drawn = np.where((drawn == BY_DEVICE) & ~has_web_order, BY_PHONE, drawn)
    link = np.where(is_linked, drawn, NO_LINK)
    kind = random.random(count)
    is_told = kind < _GUEST_WITH_PHONE + _GUEST_WITH_PLACEHOLDER
    is_seen = is_linked | (people.is_guest & is_told & (first_store >= 0))
    shares, gives = _draw_conflicts(config, random, people, is_linked, first_store)
    is_seen |= gives >= 0
    carries = random.random(len(orders)) < parameters.order_share
    at_till = people.is_guest[orders.person] | (is_linked[orders.person] & (orders.channel == STORE) & carries)
    return Identities(
        link=link,
        recorded=np.where(is_seen, first_store - 120, NONE),
        has_placeholder=people.is_guest & (kind < _GUEST_WITH_PLACEHOLDER) & (gives < 0),
        shares_phone_with=shares,
        gives_phone_of=gives,
        at_till=at_till,
        ordered_at_till=np.unique(orders.person[at_till]),
    )


def _draw_conflicts(
    config: Config, random: np.random.Generator, people: People, is_linked: np.ndarray, first_store: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of customers who share a phone, each with a guest who gives it when both are known."""
    shares, gives = np.full(people.count, NONE), np.full(people.count, NONE)
    is_early = people.registered_day <= _CONFLICT_CUSTOMERS_UNTIL
    customers = random.permutation(np.flatnonzero(~people.is_guest & ~is_linked & is_early))
    is_late = (people.first_day >= _CONFLICT_FROM_DAY) & (people.first_day <= AS_OF_DAY) & (first_store >= 0)
    guests = random.permutation(np.flatnonzero(people.is_guest & is_late))
    conflicts = min(config.identities.conflicts_per_chunk, len(guests), len(customers) // 2)
    for number in range(conflicts):
        one, other = customers[2 * number], customers[2 * number + 1]
        shares[other] = one
        gives[guests[number]] = one
    return shares, gives


def _first_second(orders: Orders, persons: int, condition: np.ndarray) -> np.ndarray:
    """Time of each person's first order for which the condition holds, NONE for none; orders are sorted by time."""
    first = np.full(persons, NONE)
    rows = np.flatnonzero(condition)[::-1]
    first[orders.person[rows]] = orders.second[rows]
    return first
