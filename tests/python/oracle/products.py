"""What was sold, how often the same customer bought it again, and at which hours orders came."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from oracle.business_days import local_moment
from oracle.order_history import Facts, Order
from oracle.service import wilson

LINE_COLUMNS = [
    "order_id",
    "line_number",
    "product_id",
    "customer_id",
    "ordered_on",
    "is_valid",
    "quantity",
    "line_amount",
    "discount_amount",
    "unit_cost",
]
DESCRIBED_BY = ("product_name", "category", "subcategory", "brand")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Basket:
    """The raw rows of products and order lines, beside what counts of the orders."""

    facts: Facts
    products: tuple[Row, ...]
    lines: tuple[Row, ...]

    @property
    def known_lines(self) -> list[tuple[Row, Order]]:
        """Lines whose order was placed by the as-of date, with that order."""
        orders = {order.order_id: order for order in self.facts.orders}
        return [(line, orders[line["order_id"]]) for line in self.lines if line["order_id"] in orders]

    def unit_cost(self, line: Row) -> Decimal | None:
        """The cost that the line names, else the one of its product, else None."""
        if line["unit_cost"] is not None:
            return line["unit_cost"]
        costs = {product["product_id"]: product["unit_cost"] for product in self.products}
        return costs.get(line["product_id"])


def order_items(basket: Basket) -> pd.DataFrame:
    """One row per line of a known order, whether the order counts or not."""
    rows = [
        (
            line["order_id"],
            line["line_number"],
            line["product_id"],
            order.customer_id,
            order.ordered_on,
            order.is_valid,
            line["quantity"],
            line["line_amount"],
            line["discount_amount"] or Decimal(0),
            basket.unit_cost(line),
        )
        for line, order in basket.known_lines
    ]
    return pd.DataFrame(rows, columns=LINE_COLUMNS, dtype=object)


@dataclass
class _Sales:
    orders: set[str] = field(default_factory=set)
    days_of: dict[str, set[date]] = field(default_factory=lambda: defaultdict(set))
    quantity: Decimal = Decimal(0)
    line_amount: Decimal = Decimal(0)
    discount_amount: Decimal = Decimal(0)
    margin_amount: Decimal = Decimal(0)

    def add(self, line: Row, order: Order, unit_cost: Decimal | None, default_margin_rate: Decimal) -> None:
        amount = line["line_amount"]
        self.orders.add(order.order_id)
        self.days_of[order.customer_id].add(order.ordered_on)
        self.quantity += line["quantity"]
        self.line_amount += amount
        self.discount_amount += line["discount_amount"] or Decimal(0)
        is_known = unit_cost is not None
        self.margin_amount += amount - line["quantity"] * unit_cost if is_known else amount * default_margin_rate

    @property
    def days(self) -> list[date]:
        return sorted(day for days in self.days_of.values() for day in days)


def product_performance(basket: Basket) -> pd.DataFrame:
    """One row per product of the products table or of a line that counts."""
    sales: dict[str, _Sales] = defaultdict(_Sales)
    for line, order in basket.known_lines:
        if order.is_valid:
            cost = basket.unit_cost(line)
            sales[line["product_id"]].add(line, order, cost, basket.facts.variables.default_margin_rate)
    described = {product["product_id"]: product for product in basket.products}
    rows = []
    for product_id in sorted(described.keys() | sales.keys()):
        sold = sales.get(product_id, _Sales())
        customers = len(sold.days_of)
        repeat_customers = sum(len(days) > 1 for days in sold.days_of.values())
        rate, low, high = wilson(repeat_customers, customers)
        rows.append(
            {"product_id": product_id}
            | {name: described.get(product_id, {}).get(name) for name in DESCRIBED_BY}
            | {
                "orders": len(sold.orders),
                "customers": customers,
                "repeat_customers": repeat_customers,
                "repurchase_rate": rate,
                "repurchase_rate_low": low,
                "repurchase_rate_high": high,
                "quantity": sold.quantity,
                "line_amount": sold.line_amount,
                "discount_amount": sold.discount_amount,
                "margin_amount": sold.margin_amount,
                "first_sold_on": sold.days[0] if sold.days else None,
                "last_sold_on": sold.days[-1] if sold.days else None,
            }
        )
    return pd.DataFrame(rows, dtype=object)


def purchase_times(basket: Basket) -> pd.DataFrame:
    """One row per weekday (1 = Monday) and hour of the business's clock, with the valid orders placed in it."""
    placed: dict[tuple[int, int], list[Order]] = defaultdict(list)
    for order in basket.facts.orders:
        if order.is_valid:
            moment = local_moment(order.ordered_at, basket.facts.variables.zone)
            placed[moment.isoweekday(), moment.hour].append(order)
    total = sum(map(len, placed.values()))
    rows = [
        {
            "iso_weekday": weekday,
            "hour_of_day": hour,
            "orders": len(placed[weekday, hour]),
            "customers": len({order.customer_id for order in placed[weekday, hour]}),
            "net_revenue": sum((order.net_revenue for order in placed[weekday, hour]), Decimal(0)),
            "total_orders": total,
            "order_share": len(placed[weekday, hour]) / total if total else None,
        }
        for weekday in range(1, 8)
        for hour in range(24)
    ]
    return pd.DataFrame(rows, dtype=object)
