"""What counts as of a date: orders with their validity and money, customers with their purchase days."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from oracle.business_days import business_day, last_day_of_month, months_from_to
from oracle.first_purchases import Lines, first_purchase
from oracle.variables import Variables

# columns of customers that nothing is counted by
NO_DIMENSIONS = ("customer_id", "registered_at", "birth_date")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Order:
    """An order whose business day has come. Money is net of the refund known as of the date."""

    order_id: str
    customer_id: str
    ordered_on: date
    is_valid: bool
    net_revenue: Decimal
    margin_amount: Decimal
    ordered_at: datetime
    channel: str | None
    store_id: str | None


@dataclass
class Customer:
    """A customer that exists as of the date, with the purchase days (ascending) and the money of each."""

    customer_id: str
    registered_on: date | None
    first_order_on: date | None
    attributes: Mapping[str, str]
    purchase_days: list[date] = field(default_factory=list)
    orders_on: dict[date, int] = field(default_factory=dict)
    revenue_on: dict[date, Decimal] = field(default_factory=dict)
    margin_on: dict[date, Decimal] = field(default_factory=dict)

    def purchase_days_in(self, first: date, last: date) -> list[date]:
        """Purchase days from `first` to `last`, both included."""
        return self.purchase_days[bisect_left(self.purchase_days, first) : bisect_right(self.purchase_days, last)]

    def purchase_days_until(self, day: date) -> list[date]:
        """Purchase days up to `day`, included."""
        return self.purchase_days[: bisect_right(self.purchase_days, day)]

    def exists_on(self, day: date) -> bool:
        """Whether the customer was registered or had ordered (an order of any status) by the end of `day`.

        Someone without a date of registration exists from the first order on, or always where there is no order.
        """
        if self.registered_on is None and self.first_order_on is None:
            return True
        return any(known is not None and known <= day for known in (self.registered_on, self.first_order_on))


@dataclass(frozen=True)
class Facts:
    """Everything that counts as of `as_of`. `dimensions` are those of customers, after 'all'.

    `fitted_rates` is the gamma distribution of the purchase rates that a fit has found: shape, and rate in days.
    """

    as_of: date
    variables: Variables
    orders: tuple[Order, ...]
    customers: tuple[Customer, ...]
    dimensions: tuple[str, ...]
    fitted_rates: tuple[float, float] | None = None

    @property
    def buyers(self) -> list[Customer]:
        """Customers with at least one purchase day."""
        return [customer for customer in self.customers if customer.purchase_days]

    @property
    def first_purchase_on(self) -> date | None:
        """The first purchase day of the company; None where nobody bought."""
        return min((customer.purchase_days[0] for customer in self.buyers), default=None)

    @property
    def months(self) -> list[date]:
        """First days of the months from the company's first purchase to the as-of date; the latter's month at least."""
        return months_from_to(self.first_purchase_on or self.as_of, self.as_of)

    @property
    def snapshots(self) -> list[tuple[date, date, date]]:
        """For each month: its first day, the day before that, and its last day or the as-of date if that is earlier."""
        return [(month, month - timedelta(days=1), min(last_day_of_month(month), self.as_of)) for month in self.months]

    def dimension_values(self, customer: Customer) -> list[tuple[str, str]]:
        """The cuts that a customer belongs to: the whole, and one value of each dimension."""
        return [("all", "all"), *((name, customer.attributes[name]) for name in self.dimensions)]


def read_facts(
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    as_of: date,
    variables: Variables,
    dimensions: Sequence[str] | None = None,
    lines: Lines | None = None,
) -> Facts:
    """Facts as of the end of the business day `as_of`, from accepted raw rows.

    `orders`: order_id, customer_id, ordered_at, status, order_amount; refund_amount, refunded_at, shipping_amount,
    tax_amount, cost_amount, channel and store_id may be absent. `customers`: customer_id; registered_at and the
    attributes may be absent. Moments are UTC without an offset. `dimensions`: those of the first purchase, and columns
    of `customers`; all of the latter where none are given. Raises ValueError where an id occurs twice.
    """
    for frame, key in ((orders, "order_id"), (customers, "customer_id")):
        if frame[key].duplicated().any():
            twice = frame.loc[frame[key].duplicated(), key].iloc[0]
            raise ValueError(f"{key} {twice!r} occurs twice; expected one row each")
    counted = tuple(
        order for row in orders.to_dict("records") if (order := _read_order(row, as_of, variables)) is not None
    )
    if dimensions is None:
        dimensions = [name for name in customers.columns if name not in NO_DIMENSIONS]
    people = _read_customers(counted, customers, as_of, variables, dimensions, lines or {})
    return Facts(as_of, variables, counted, people, tuple(dimensions))


def as_decimal(value: Any) -> Decimal | None:
    """A money value as Decimal; None for null."""
    return None if pd.isna(value) else Decimal(str(value))


def _read_order(row: Mapping[str, Any], as_of: date, variables: Variables) -> Order | None:
    ordered_on = business_day(row["ordered_at"], variables.zone)
    if ordered_on is None or ordered_on > as_of:
        return None
    amount = as_decimal(row["order_amount"]) or Decimal(0)
    refund = known_refund(row, as_of, variables)
    net_revenue = amount - refund
    cost = as_decimal(row.get("cost_amount"))
    margin = net_revenue * variables.default_margin_rate if cost is None else net_revenue - cost
    is_valid = _counts(row, amount, refund, variables)
    channel, store_id = (None if pd.isna(row.get(name)) else row[name] for name in ("channel", "store_id"))
    return Order(
        row["order_id"],
        row["customer_id"],
        ordered_on,
        is_valid,
        net_revenue,
        margin,
        row["ordered_at"],
        channel,
        store_id,
    )


def known_refund(row: Mapping[str, Any], as_of: date, variables: Variables) -> Decimal:
    """What of an order was paid back by the end of `as_of`; a refund without a date was."""
    refunded_on = business_day(row.get("refunded_at"), variables.zone)
    if refunded_on is not None and refunded_on > as_of:
        return Decimal(0)
    return as_decimal(row.get("refund_amount")) or Decimal(0)


def _counts(row: Mapping[str, Any], amount: Decimal, refund: Decimal, variables: Variables) -> bool:
    """Whether an order is valid: one that was paid (or may be free), and was neither cancelled nor undone."""
    if amount == 0 and not variables.free_orders_are_purchases:
        return False
    left = amount - refund
    if row["status"] == "returned" and refund > 0:
        for_nothing = sum(as_decimal(row.get(name)) or Decimal(0) for name in ("shipping_amount", "tax_amount"))
        return left > for_nothing
    return row["status"] != "cancelled" and (left > 0 or amount == 0)


def _read_customers(
    orders: tuple[Order, ...],
    customers: pd.DataFrame,
    as_of: date,
    variables: Variables,
    dimensions: Sequence[str],
    lines: Lines,
) -> tuple[Customer, ...]:
    orders_of: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        orders_of[order.customer_id].append(order)
    known = {row["customer_id"]: row for row in customers.to_dict("records")}
    people = []
    for customer_id in sorted(known.keys() | orders_of.keys()):
        row = known.get(customer_id, {})
        own = orders_of.get(customer_id, [])
        known_of = row | first_purchase(own, lines)
        attributes = {name: UNKNOWN if pd.isna(known_of.get(name)) else str(known_of[name]) for name in dimensions}
        customer = Customer(
            customer_id,
            registered_on=business_day(row.get("registered_at"), variables.zone),
            first_order_on=min((order.ordered_on for order in own), default=None),
            attributes=attributes,
        )
        if customer.exists_on(as_of):
            _add_purchases(customer, own)
            people.append(customer)
    return tuple(people)


def _add_purchases(customer: Customer, orders: list[Order]) -> None:
    for order in orders:
        if order.is_valid:
            day = order.ordered_on
            customer.orders_on[day] = customer.orders_on.get(day, 0) + 1
            customer.revenue_on[day] = customer.revenue_on.get(day, Decimal(0)) + order.net_revenue
            customer.margin_on[day] = customer.margin_on.get(day, Decimal(0)) + order.margin_amount
    customer.purchase_days = sorted(customer.orders_on)
