"""Orders and their lines, made of purchase days.

A valid purchase day has one order, or two that share its spend. What the customer pays, order_amount, is that
spend: lines and shipping together; prices include tax, so tax_amount is a part of the lines. Cancelled and fully
refunded orders come on top and are no purchases: valid purchase days are exactly those of purchases.py. Times are
seconds of local time since FIRST_DAY began.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .config import AS_OF_DAY, Config
from .people import People
from .products import products
from .purchases import PurchaseDays
from .random_streams import pick, stream
from .tables import DAY_SECONDS, NONE

CHANNELS = ("store", "mini_program", "app", "web")
STORE, WEB = 0, 3
STATUSES = ("placed", "paid", "shipped", "completed", "cancelled", "returned")
PLACED, PAID, SHIPPED, COMPLETED, CANCELLED, RETURNED = range(6)
AS_OF_SECOND = (AS_OF_DAY + 1) * DAY_SECONDS - 1
STORES = 24
# what comes after an order on its day, such as an enrolment, has this long
LAST_ORDER_SECOND = DAY_SECONDS - 3600

_FREE_SHIPPING_CENTS = 8_800
_SHIPPING_CENTS = 800
_TAX_RATE = 0.13
_CHANNEL_SHARES = (0.43, 0.31, 0.19, 0.07)


@dataclass(frozen=True)
class Orders:
    """Orders up to the as-of date, sorted by time; integer arrays, shape (orders,), money in cents.

    Attributes:
        person: place of who bought.
        day, second: business day and local time.
        is_valid: whether it counts as a purchase.
        purchase_source: BASE, CAMPAIGN or PROGRAMME of purchases.py; NONE where it does not count.
        has_bad_ticket: whether a bad ticket follows.
        amount: what the customer pays.
        refund, refunded_second: NONE where there is none.
        discount: on the whole order, other than of coupons; NONE where there is none.
    """

    person: np.ndarray
    day: np.ndarray
    second: np.ndarray
    is_valid: np.ndarray
    purchase_source: np.ndarray
    has_bad_ticket: np.ndarray
    status: np.ndarray
    channel: np.ndarray
    store: np.ndarray
    amount: np.ndarray
    discount: np.ndarray
    shipping: np.ndarray
    refund: np.ndarray
    refunded_second: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    @property
    def net(self) -> np.ndarray:
        """Net revenue in cents; 0 where the order does not count."""
        return np.where(self.is_valid, self.amount - np.maximum(self.refund, 0), 0)

    @property
    def tax(self) -> np.ndarray:
        """Tax within the lines, in cents."""
        return np.rint((self.amount - self.shipping) * _TAX_RATE / (1 + _TAX_RATE)).astype(np.int64)


@dataclass(frozen=True)
class OrderLines:
    """Lines, by order and number; `order` is the place of the order, money in cents."""

    order: np.ndarray
    number: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    amount: np.ndarray
    discount: np.ndarray

    def cost_by_order(self, orders: int) -> np.ndarray:
        """Cost of the lines of each order in cents, shape (orders,)."""
        cost = self.quantity * products().unit_cost[self.product]
        return np.bincount(self.order, weights=cost, minlength=orders).astype(np.int64)


def draw_orders(config: Config, chunk: int, people: People, days: PurchaseDays, spend: np.ndarray) -> Orders:
    """The orders of the purchase days so far, and those that do not count. `spend` in cents, one value per day."""
    valid = _valid_orders(config, stream(config.seed, chunk, "orders"), people, days, spend)
    void = _void_orders(config, stream(config.seed, chunk, "void orders"), people, valid)
    columns = [np.concatenate([getattr(part, field.name) for part in (valid, void)]) for field in fields(Orders)]
    order = np.lexsort((columns[0], columns[2]))
    return Orders(*(column[order] for column in columns))


def _valid_orders(
    config: Config, random: np.random.Generator, people: People, days: PurchaseDays, spend: np.ndarray
) -> Orders:
    parameters = config.purchases
    is_past = days.day <= AS_OF_DAY
    days, spend = days.where(is_past), spend[is_past]
    count = len(spend)
    # the smaller share of a purchase day goes into a second order
    is_split = (random.random(count) < parameters.two_orders_share) & (spend >= 4_000)
    second_amount = np.where(is_split, np.rint(spend * random.uniform(0.2, 0.5, count)), 0).astype(np.int64)
    first_second = _clock(random, count)
    again = np.flatnonzero(is_split)
    later = first_second[again] + random.integers(300, 3_600, len(again))
    rows = np.concatenate([np.arange(count), again])
    amount = np.concatenate([spend - second_amount, second_amount[again]])
    clock = np.concatenate([first_second, np.minimum(later, LAST_ORDER_SECOND)])
    # the ticket belongs to the first order of its day
    bad = np.concatenate([days.has_bad_ticket, np.zeros(len(again), dtype=bool)])
    return _orders_of(
        config, random, people, days.person[rows], days.day[rows], clock, amount, days.source[rows], bad, True
    )


def _void_orders(config: Config, random: np.random.Generator, people: People, valid: Orders) -> Orders:
    """Cancelled orders and fully refunded ones, a few days around an order of the same person."""
    parameters = config.purchases
    drawn = random.random(len(valid))
    cancelled = np.flatnonzero(drawn < parameters.cancelled_share)
    refunded = np.flatnonzero(drawn > 1 - parameters.refunded_share)
    rows = np.concatenate([cancelled, refunded])
    day = valid.day[rows] + random.integers(-3, 4, len(rows))
    # nobody orders before they registered; a refund must be paid back by the as-of date, or the order would count
    # until then
    latest = np.where(np.arange(len(rows)) < len(cancelled), AS_OF_DAY, AS_OF_DAY - 21)
    is_kept = (day >= people.registered_day[valid.person[rows]]) & (day <= latest)
    rows, day = rows[is_kept], day[is_kept]
    count, kept_cancelled = len(rows), int(is_kept[: len(cancelled)].sum())
    amount = np.maximum(np.rint(valid.amount[rows] * random.uniform(0.4, 1.6, count)), 500).astype(np.int64)
    source, bad = np.full(count, NONE), np.zeros(count, dtype=bool)
    orders = _orders_of(
        config, random, people, valid.person[rows], day, _clock(random, count), amount, source, bad, False
    )
    is_cancelled = np.arange(count) < kept_cancelled
    refunded_second = (day + random.integers(2, 20, count)) * DAY_SECONDS + random.integers(36_000, 72_000, count)
    changes = {
        "status": np.where(is_cancelled, CANCELLED, RETURNED),
        "refund": np.where(is_cancelled, NONE, amount),
        "refunded_second": np.where(is_cancelled, NONE, refunded_second),
    }
    return Orders(**{field.name: changes.get(field.name, getattr(orders, field.name)) for field in fields(Orders)})


def _orders_of(
    config: Config,
    random: np.random.Generator,
    people: People,
    person: np.ndarray,
    day: np.ndarray,
    clock: np.ndarray,
    amount: np.ndarray,
    source: np.ndarray,
    bad: np.ndarray,
    is_valid: bool,
) -> Orders:
    count = len(person)
    channel = np.where(people.is_guest[person], STORE, pick(random, _CHANNEL_SHARES, count))
    # each person goes to two stores of the city
    store = np.where(channel == STORE, (people.city[person] * 2 + random.integers(0, 2, count)) % STORES, NONE)
    pays_shipping = (channel != STORE) & (amount < _FREE_SHIPPING_CENTS) & (amount >= 3 * _SHIPPING_CENTS)
    discounted = random.random(count) < 0.15
    discount = np.rint(amount * random.uniform(0.05, 0.25, count)).astype(np.int64)
    age = AS_OF_DAY - day
    status = np.select(
        [age <= 0, age <= 1, age <= 4], [random.integers(PLACED, SHIPPED, count), PAID, SHIPPED], COMPLETED
    )
    refund, refunded_second = np.full(count, NONE), np.full(count, NONE)
    if is_valid:
        refund_day = day + random.integers(1, 11, count)
        is_refunded = (random.random(count) < config.purchases.partial_refund_share) & (refund_day <= AS_OF_DAY)
        part = np.rint(amount * random.uniform(0.1, 0.6, count)).astype(np.int64)
        refund = np.where(is_refunded, part, NONE)
        refunded_at = refund_day * DAY_SECONDS + random.integers(36_000, 72_000, count)
        refunded_second = np.where(is_refunded, refunded_at, NONE)
    return Orders(
        person=person,
        day=day,
        second=day * DAY_SECONDS + clock,
        is_valid=np.full(count, is_valid),
        purchase_source=source,
        has_bad_ticket=bad,
        status=np.where((channel == STORE) & (status != COMPLETED), COMPLETED, status),
        channel=channel,
        store=store,
        amount=amount,
        discount=np.where(discounted, discount, NONE),
        shipping=np.where(pays_shipping, _SHIPPING_CENTS, 0),
        refund=refund,
        refunded_second=refunded_second,
    )


def _clock(random: np.random.Generator, count: int) -> np.ndarray:
    """Seconds of the day from 08:30 to 23:00, most in the early evening."""
    hour = random.triangular(8.5, 19.0, 23.0, count)
    return np.minimum((hour * 3600).astype(np.int64), LAST_ORDER_SECOND)


def draw_lines(config: Config, chunk: int, orders: Orders) -> OrderLines:
    """One to four lines per order, whose amounts add up to order_amount without shipping."""
    random = stream(config.seed, chunk, "lines")
    goods = orders.amount - orders.shipping
    wanted = 1 + pick(random, (0.45, 0.30, 0.16, 0.09), len(orders))
    numbers = np.maximum(np.minimum(wanted, goods // 800), 1)
    order = np.repeat(np.arange(len(orders)), numbers)
    starts = np.cumsum(numbers) - numbers
    number = np.arange(len(order)) - starts[order]
    weight = random.uniform(0.5, 1.5, len(order))
    total = np.bincount(order, weights=weight, minlength=len(orders))
    amount = np.floor(goods[order] * weight / total[order]).astype(np.int64)
    # what rounding leaves goes to the first line
    amount[starts] += goods - np.bincount(order, weights=amount, minlength=len(orders)).astype(np.int64)
    product = products().pick(amount, random)
    quantity = np.maximum(np.rint(amount / products().price[product]), 1).astype(np.int64)
    discount = np.maximum(quantity * products().price[product] - amount, 0)
    return OrderLines(order, number + 1, product, quantity, amount, discount)
