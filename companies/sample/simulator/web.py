"""Sessions of the web shop, whose funnel has known step probabilities by traffic source.

For every order on the web there is the session that ended in it, and before it as many others from the same source
as it takes to get one purchase: geometric with the probability of the whole funnel. The others stop at a step with
the probabilities of the steps, given that they do not end in a purchase. Shares of steps thus converge to the step
probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .identities import BY_DEVICE, Identities
from .orders import AS_OF_SECOND, CANCELLED, WEB, OrderLines, Orders
from .people import People
from .products import products
from .random_streams import pick, stream
from .tables import DAY_SECONDS, NONE

EVENTS = ("page_view", "search", "view_item", "click", "add_to_cart", "begin_checkout", "purchase")
PAGE_VIEW, SEARCH, VIEW_ITEM, CLICK, ADD_TO_CART, BEGIN_CHECKOUT, PURCHASE = range(7)
PAGES = ("/", "/search", "/product", "/story", "/cart", "/checkout", "/thanks")
_PAGE_OF_EVENT = (0, 1, 2, 3, 4, 5, 6)
# how far a session went
_LANDED, _VIEWED, _CARTED, _CHECKED_OUT, _BOUGHT = range(5)
_BEFORE_ORDER_DAYS = 21
_STRANGERS_PER_CUSTOMER = 3


@dataclass(frozen=True)
class WebEvents:
    """Events, sorted by time; integer arrays, times in local seconds.

    Attributes:
        session: place of the session within the chunk; `sessions` are counted.
        device: number of the device, below zero for strangers': -1 - number.
        person: who is logged in, NONE for nobody.
        product, order: places, NONE for none.
        engagement: tenths of a second.
        source: place of the traffic source in the config.
    """

    sessions: int
    session: np.ndarray
    device: np.ndarray
    person: np.ndarray
    occurred: np.ndarray
    event: np.ndarray
    product: np.ndarray
    order: np.ndarray
    engagement: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.session)

    @property
    def page(self) -> np.ndarray:
        """Place in PAGES."""
        return np.array(_PAGE_OF_EVENT)[self.event]


def draw_web_events(
    config: Config,
    chunk: int,
    people: People,
    orders: Orders,
    lines: OrderLines,
    identities: Identities,
    registered_second: np.ndarray,
) -> WebEvents:
    """The sessions that ended in an order on the web, and those that did not."""
    parameters, random = config.web, stream(config.seed, chunk, "web")
    bought = np.flatnonzero((orders.channel == WEB) & (orders.status != CANCELLED) & ~people.is_guest[orders.person])
    bought_source = pick(random, tuple(s.share for s in parameters.sources), len(bought))
    conversion = np.array([s.conversion for s in parameters.sources])
    others = np.repeat(np.arange(len(bought)), random.geometric(conversion[bought_source]) - 1)
    source = np.concatenate([bought_source, bought_source[others]])
    order = np.concatenate([bought, np.full(len(others), NONE)])
    anchor = np.concatenate([bought, bought[others]])
    sessions = len(source)
    step = np.where(order >= 0, _BOUGHT, _steps_without_purchase(config, random, source))
    person = orders.person[anchor]
    is_known = (order >= 0) | (random.random(sessions) < parameters.known_share)
    # a customer has one device or two; the first is the one that the till may know
    is_first_device = (random.random(sessions) < 0.75) | (identities.link[person] == BY_DEVICE)
    own_device = 2 * people.till_numbers[person] + np.where(is_first_device, 0, 1)
    stranger = random.integers(0, max(_STRANGERS_PER_CUSTOMER * people.count, 1), sessions)
    first_stranger = people.first_customer * _STRANGERS_PER_CUSTOMER * 2
    device = np.where(is_known, own_device, -1 - first_stranger - stranger)
    logs_in = random.random(sessions) < np.where(order >= 0, 0.8, parameters.login_share)
    logs_in = is_known & (logs_in | ((order >= 0) & (identities.link[person] == BY_DEVICE)))
    numbers = _event_numbers(random, step)
    session, event = _events_of(numbers)
    gap = random.integers(4, 90, len(session))
    elapsed = np.cumsum(gap) - gap
    starts = np.cumsum(numbers.sum(axis=1)) - numbers.sum(axis=1)
    elapsed -= elapsed[starts][session] if sessions else 0
    last = np.zeros(sessions, dtype=np.int64)
    np.maximum.at(last, session, elapsed)
    earlier = random.integers(0, _BEFORE_ORDER_DAYS, sessions) * DAY_SECONDS + random.integers(600, 4 * 3_600, sessions)
    until = orders.second[anchor] - last
    # before the shop opened nobody visited it
    begins = np.where(until > earlier, until - earlier, (random.random(sessions) * until).astype(np.int64))
    begins = np.where(order >= 0, until, begins)
    occurred = np.minimum(begins[session] + elapsed, AS_OF_SECOND)
    # before they register nobody can log in; in a session that ends in an order they do so to check out
    logged_in = logs_in[session] & (occurred > registered_second[person[session]])
    logged_in &= (order[session] < 0) | (event >= BEGIN_CHECKOUT)
    first_line = np.full(len(orders), NONE)
    first_line[lines.order[::-1]] = lines.product[::-1]
    seen = np.searchsorted(products().popularity, random.random(sessions) * products().popularity[-1], side="right")
    product = np.where(order >= 0, first_line[anchor], seen)
    has_product = np.isin(event, (VIEW_ITEM, ADD_TO_CART))
    places = np.lexsort((event, session, occurred))
    engagement = np.rint(random.gamma(1.5, 120, len(session))).astype(np.int64)
    columns = (
        session,
        device[session],
        np.where(logged_in, person[session], NONE),
        occurred,
        event,
        np.where(has_product, product[session], NONE),
        np.where(event == PURCHASE, order[session], NONE),
        engagement,
        source[session],
    )
    return WebEvents(sessions, *(column[places] for column in columns))


def _steps_without_purchase(config: Config, random: np.random.Generator, source: np.ndarray) -> np.ndarray:
    """How far sessions go that do not end in a purchase."""
    steps = np.zeros(len(source), dtype=np.int64)
    for place, s in enumerate(config.web.sources):
        weights = (
            1 - s.view,
            s.view * (1 - s.cart),
            s.view * s.cart * (1 - s.checkout),
            s.view * s.cart * s.checkout * (1 - s.purchase),
        )
        rows = np.flatnonzero(source == place)
        steps[rows] = pick(random, weights, len(rows))
    return steps


def _event_numbers(random: np.random.Generator, step: np.ndarray) -> np.ndarray:
    """How many events of each kind a session has, shape (sessions, kinds)."""
    count = len(step)
    views = step >= _VIEWED
    return np.stack(
        [
            # who lands and goes no further looks around at times; else it is a bounce
            1 + (~views & (random.random(count) < 0.3)),
            views & (random.random(count) < 0.2),
            np.where(views, 1 + random.poisson(0.4, count), 0),
            views & (random.random(count) < 0.15),
            step >= _CARTED,
            step >= _CHECKED_OUT,
            step >= _BOUGHT,
        ],
        axis=1,
    ).astype(np.int64)


def _events_of(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Session and kind of every event, the kinds of a session in the order of EVENTS."""
    cells = np.repeat(np.arange(numbers.size), numbers.ravel())
    return cells // numbers.shape[1], cells % numbers.shape[1]
