"""Tickets: bad ones, which follow purchases and cost some of them the customer, and questions, which cost nothing.

Every bad ticket is a complaint and every complaint is a bad ticket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .orders import AS_OF_SECOND, Orders
from .people import People
from .random_streams import pick, stream
from .tables import NONE

CATEGORIES = ("quality", "delivery", "returns", "payment", "product_question", "membership", "other")
CHANNELS = ("wechat", "phone", "app", "email", "store")
PRIORITIES = ("low", "normal", "high", "urgent")
_QUESTION_CATEGORIES = (0.05, 0.20, 0.10, 0.12, 0.30, 0.15, 0.08)
_BAD_CATEGORIES = (0.34, 0.30, 0.22, 0.06, 0.0, 0.02, 0.06)
_CHANNEL_SHARES = (0.45, 0.25, 0.15, 0.10, 0.05)


@dataclass(frozen=True)
class Tickets:
    """Tickets opened up to the as-of date, sorted by time; integer arrays, times in local seconds.

    Attributes:
        person: who asks, NONE for somebody unknown.
        order: place of the order that it follows, NONE for none.
        responded, resolved: NONE where that has not happened by the as-of date.
    """

    person: np.ndarray
    order: np.ndarray
    is_bad: np.ndarray
    opened: np.ndarray
    responded: np.ndarray
    resolved: np.ndarray
    reopened: np.ndarray
    category: np.ndarray
    channel: np.ndarray
    priority: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def draw_tickets(config: Config, chunk: int, people: People, orders: Orders) -> Tickets:
    """The tickets that follow orders, and those of strangers."""
    parameters, random = config.tickets, stream(config.seed, chunk, "tickets")
    bad = np.flatnonzero(orders.has_bad_ticket)
    asks = random.random(len(orders)) < parameters.question_share
    questions = np.flatnonzero(asks & orders.is_valid & ~orders.has_bad_ticket & ~people.is_guest[orders.person])
    strangers = round(parameters.stranger_share * people.registered)
    followed = np.concatenate([bad, questions])
    order = np.concatenate([followed, np.full(strangers, NONE)])
    count = len(order)
    is_bad = np.arange(count) < len(bad)
    # within 20 hours: before most customers would come again
    opened = np.concatenate(
        [
            orders.second[followed] + random.integers(3_600, 72_000, len(followed)),
            random.integers(0, AS_OF_SECOND, strangers),
        ]
    )
    noise = np.exp(parameters.spread * random.standard_normal((2, count)))
    kind = is_bad.astype(int)
    responded = opened + (np.array(parameters.response_hours)[kind] * noise[0] * 3_600).astype(np.int64)
    resolved = responded + (np.array(parameters.resolution_hours)[kind] * noise[1] * 3_600).astype(np.int64)
    is_unresolved = random.random(count) < np.array(parameters.unresolved_share)[kind]
    reopened = random.poisson(np.array(parameters.reopened)[kind])
    category = np.where(is_bad, pick(random, _BAD_CATEGORIES, count), pick(random, _QUESTION_CATEGORIES, count))
    priority = np.where(is_bad, 2 + pick(random, (0.7, 0.3), count), pick(random, (0.25, 0.6, 0.15), count))
    channel = pick(random, _CHANNEL_SHARES, count)
    columns = (
        np.concatenate([orders.person[followed], np.full(strangers, NONE)]),
        order,
        is_bad,
        opened,
        np.where(responded > AS_OF_SECOND, NONE, responded),
        np.where(is_unresolved | (resolved > AS_OF_SECOND), NONE, resolved),
        reopened,
        category,
        channel,
        priority,
    )
    places = np.argsort(opened, kind="stable")
    places = places[opened[places] <= AS_OF_SECOND]
    return Tickets(*(column[places] for column in columns))
