"""How a customer first bought: the channel and the store of the first order, and the category most was spent on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from oracle.order_history import Order


@dataclass(frozen=True)
class Line:
    """A line of an order; no category where the product has none or is not known."""

    number: int
    amount: Decimal
    category: str | None


Lines = Mapping[str, Sequence[Line]]


def read_lines(order_items: pd.DataFrame, products: pd.DataFrame) -> Lines:
    """The lines of each order, by its id.

    `order_items`: order_id, line_number, product_id, line_amount. `products`: product_id, category.
    """
    categories = dict(zip(products["product_id"], products["category"], strict=True))
    lines: dict[str, list[Line]] = defaultdict(list)
    for row in order_items.to_dict("records"):
        category = categories.get(row["product_id"])
        known = None if pd.isna(category) else category
        lines[row["order_id"]].append(Line(row["line_number"], Decimal(str(row["line_amount"])), known))
    return lines


def first_purchase(orders: Iterable[Order], lines: Lines) -> dict[str, str | None]:
    """The dimensions of the first of a customer's orders that is valid; empty where none is."""
    valid = [order for order in orders if order.is_valid]
    if not valid:
        return {}
    first = min(valid, key=lambda order: (order.ordered_at, order.order_id))
    return {
        "first_channel": first.channel,
        "first_store": first.store_id,
        "first_category": _category(lines.get(first.order_id, ())),
    }


def _category(lines: Sequence[Line]) -> str | None:
    amounts: dict[str, Decimal] = {}
    for line in sorted(lines, key=lambda line: line.number):
        if line.category is not None:
            amounts[line.category] = amounts.get(line.category, Decimal(0)) + line.amount
    # of equal amounts the first, which is that of the lowest line
    return max(amounts, key=lambda category: amounts[category], default=None)
