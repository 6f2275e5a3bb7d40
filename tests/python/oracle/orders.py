"""Orders, purchase frequency, and what a customer was worth so far."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import product

import pandas as pd

from oracle.business_days import business_day, period_start
from oracle.order_history import Facts, known_refund

ORDER_COLUMNS = [
    "order_id",
    "customer_id",
    "ordered_on",
    "is_valid",
    "net_revenue",
    "margin_amount",
    "purchase_number",
    "days_since_previous_purchase",
]
CUSTOMER_COLUMNS = [
    "customer_id",
    "registered_on",
    "first_purchase_on",
    "last_purchase_on",
    "purchase_days",
    "orders",
    "net_revenue",
]
WARNING_COLUMNS = ["warning_code", "as_of_date", "orders", "first_ordered_on", "newest_ordered_on"]
FREQUENCY_COLUMNS = [
    "period_grain",
    "period_start",
    "dimension",
    "dimension_value",
    "buyers",
    "purchase_days",
    "orders",
    "net_revenue",
    "purchase_days_per_buyer",
    "orders_per_buyer",
    "average_order_value",
]
VALUE_COLUMNS = [
    "customer_id",
    "repeat_purchase_days",
    "recency_days_btyd",
    "tenure_days",
    "historic_net_revenue",
    "historic_margin",
]


def orders(facts: Facts) -> pd.DataFrame:
    """One row per order up to the as-of date. Orders of one day share the number of their purchase day."""
    days_of = {customer.customer_id: customer.purchase_days for customer in facts.customers}
    rows = []
    for order in facts.orders:
        number = gap = None
        if order.is_valid:
            days = days_of[order.customer_id]
            place = days.index(order.ordered_on)
            number = place + 1
            gap = (days[place] - days[place - 1]).days if place else None
        rows.append(
            (
                order.order_id,
                order.customer_id,
                order.ordered_on,
                order.is_valid,
                order.net_revenue,
                order.margin_amount,
                number,
                gap,
            )
        )
    return pd.DataFrame(rows, columns=ORDER_COLUMNS, dtype=object)


def customers(facts: Facts) -> pd.DataFrame:
    """One row per customer that exists. A registration that is still to come is null."""
    rows = [
        (
            customer.customer_id,
            customer.registered_on if customer.registered_on and customer.registered_on <= facts.as_of else None,
            customer.purchase_days[0] if customer.purchase_days else None,
            customer.purchase_days[-1] if customer.purchase_days else None,
            len(customer.purchase_days),
            sum(customer.orders_on.values()),
            sum(customer.revenue_on.values(), Decimal(0)),
        )
        for customer in facts.customers
    ]
    return pd.DataFrame(rows, columns=CUSTOMER_COLUMNS, dtype=object)


def order_warnings(facts: Facts, raw: pd.DataFrame) -> pd.DataFrame:
    """A row of orders after the as-of date, and one of returned orders that count for want of a refund.

    `raw`: the rows that the facts were read from.
    """
    rows = raw.to_dict("records")
    days = [business_day(row["ordered_at"], facts.variables.zone) for row in rows]
    unpaid = {
        row["order_id"]
        for row in rows
        if row["status"] == "returned" and known_refund(row, facts.as_of, facts.variables) == 0
    }
    found = {
        "after_as_of_date": [day for day in days if day > facts.as_of],
        "returned_without_refund": [
            order.ordered_on for order in facts.orders if order.is_valid and order.order_id in unpaid
        ],
    }
    return pd.DataFrame(
        [
            (code, facts.as_of, len(days), min(days, default=None), max(days, default=None))
            for code, days in found.items()
        ],
        columns=WARNING_COLUMNS,
        dtype=object,
    )


@dataclass
class _Purchases:
    buyers: set[str] = field(default_factory=set)
    purchase_days: int = 0
    orders: int = 0
    net_revenue: Decimal = Decimal(0)


def purchase_frequency(facts: Facts) -> pd.DataFrame:
    """One row per month, quarter or year and dimension value with a purchase."""
    periods: dict[tuple[str, date, str, str], _Purchases] = defaultdict(_Purchases)
    for customer in facts.buyers:
        for day in customer.purchase_days:
            for grain, cut in product(("month", "quarter", "year"), facts.dimension_values(customer)):
                period = periods[grain, period_start(day, grain), *cut]
                period.buyers.add(customer.customer_id)
                period.purchase_days += 1
                period.orders += customer.orders_on[day]
                period.net_revenue += customer.revenue_on[day]
    rows = [
        (
            *key,
            len(period.buyers),
            period.purchase_days,
            period.orders,
            period.net_revenue,
            period.purchase_days / len(period.buyers),
            period.orders / len(period.buyers),
            period.net_revenue / period.orders,
        )
        for key, period in sorted(periods.items())
    ]
    return pd.DataFrame(rows, columns=FREQUENCY_COLUMNS, dtype=object)


def customer_clv(facts: Facts) -> pd.DataFrame:
    """One row per customer with a purchase: days and money to date; nothing predicted."""
    rows = [
        (
            customer.customer_id,
            len(customer.purchase_days) - 1,
            (customer.purchase_days[-1] - customer.purchase_days[0]).days,
            (facts.as_of - customer.purchase_days[0]).days,
            sum(customer.revenue_on.values(), Decimal(0)),
            sum(customer.margin_on.values(), Decimal(0)),
        )
        for customer in facts.buyers
    ]
    return pd.DataFrame(rows, columns=VALUE_COLUMNS, dtype=object)
