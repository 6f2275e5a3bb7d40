"""Short spellings for examples worked by hand."""

from datetime import date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pandas as pd

from oracle.order_history import Facts, read_facts
from oracle.seeds import Seeds
from oracle.variables import Variables

BANDS = ((0.0, "early"), (0.5, "due"), (0.8, "overdue"), (0.95, "lapsed"))
# every cell is its own segment, named by its scores
SEEDS = Seeds({cell: "".join(map(str, cell)) for cell in product(range(1, 6), repeat=3)}, BANDS)
# nobody is ever late
NEVER_LATE = Seeds(SEEDS.rfm_segments, ((0.0, "early"),))


def day(text: str) -> date:
    return date.fromisoformat(text)


def order(customer_id: str, moment: str, amount: str = "10.00", **fields: Any) -> dict[str, Any]:
    """A raw order at an ISO moment in UTC; other columns by name, moments among them as ISO text, money as text."""
    if fields.get("refunded_at"):
        fields["refunded_at"] = datetime.fromisoformat(fields["refunded_at"])
    return {
        "customer_id": customer_id,
        "ordered_at": datetime.fromisoformat(moment),
        "status": "completed",
        "order_amount": Decimal(amount),
    } | fields


def purchases(**days_of: str) -> list[dict[str, Any]]:
    """One order of 10.00 at each of the days, written with blanks between them, of each customer."""
    return [order(customer_id, each) for customer_id, days in days_of.items() for each in days.split()]


def customer(customer_id: str, registered_at: str | None = None, **fields: Any) -> dict[str, Any]:
    """A raw customer, registered at an ISO moment in UTC or at a time nobody knows."""
    registered = datetime.fromisoformat(registered_at) if registered_at else None
    return {"customer_id": customer_id, "registered_at": registered} | fields


def facts_of(
    orders: list[dict[str, Any]], as_of: str, customers: list[dict[str, Any]] | None = None, **variables: Any
) -> Facts:
    """Facts as of a day; orders are numbered o1, o2, ... as they stand."""
    numbered = [{"order_id": f"o{place}"} | row for place, row in enumerate(orders, start=1)]
    orders_frame = pd.DataFrame(numbered, dtype=object)
    customers_frame = pd.DataFrame(customers or [], dtype=object)
    for frame, columns in (
        (orders_frame, ["order_id", "customer_id", "ordered_at", "status", "order_amount"]),
        (customers_frame, ["customer_id"]),
    ):
        for column in columns:
            if column not in frame.columns:
                frame[column] = None
    return read_facts(orders_frame, customers_frame, day(as_of), Variables(**variables))


def rows(frame: pd.DataFrame, *columns: str, **where: Any) -> list[tuple]:
    """The rows whose columns have the values of `where`, as tuples of `columns`, or of all columns."""
    for column, value in where.items():
        frame = frame.loc[[cell == value for cell in frame[column]]]
    return list(frame[list(columns or frame.columns)].itertuples(index=False, name=None))
