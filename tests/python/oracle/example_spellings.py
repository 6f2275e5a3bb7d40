"""Short spellings for examples worked by hand."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pandas as pd

from oracle.first_purchases import Lines
from oracle.order_history import Facts, read_facts
from oracle.seeds import Seeds
from oracle.variables import Variables

BANDS = ((0.0, "early"), (0.5, "due"), (0.8, "overdue"), (0.95, "lapsed"))
# what the examples were worked with, whatever the defaults of the project are
SETTINGS = {
    "business_timezone": "UTC",
    "default_margin_rate": Decimal("0.30"),
    "free_orders_are_purchases": False,
    "high_value_annual_amount": Decimal("5000"),
    "top_value_share": Decimal("0.2"),
    "cadence_prior_intervals": 2,
    "active_days": 90,
    "new_customer_days": 30,
    "reactivated_customer_days": 30,
    "lapsed_days": 180,
    "loyal_purchase_days": 4,
}
# every cell is its own segment, named by its scores
SEEDS = Seeds(
    {cell: "".join(map(str, cell)) for cell in product(range(1, 6), repeat=3)},
    BANDS,
    repurchase_windows=(30, 60, 90, 180, 365),
    repurchase_horizons=(30, 60, 90, 180, 365),
)
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
    orders: list[dict[str, Any]],
    as_of: str,
    customers: list[dict[str, Any]] | None = None,
    dimensions: Sequence[str] | None = None,
    lines: Lines | None = None,
    **variables: Any,
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
    settings = Variables(**{**SETTINGS, **variables})
    return read_facts(orders_frame, customers_frame, day(as_of), settings, dimensions, lines)


def rows(frame: pd.DataFrame, *columns: str, **where: Any) -> list[tuple]:
    """The rows whose columns have the values of `where`, as tuples of `columns`, or of all columns."""
    for column, value in where.items():
        frame = frame.loc[[cell == value for cell in frame[column]]]
    return list(frame[list(columns or frame.columns)].itertuples(index=False, name=None))
