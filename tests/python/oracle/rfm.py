"""RFM scores, segments, and how customers move between them."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd

from oracle.order_history import Customer, Facts
from oracle.seeds import Seeds
from oracle.variables import RFM_WINDOW_DAYS

NO_SEGMENT = "none"
RFM_COLUMNS = [
    "customer_id",
    "recency_days",
    "frequency",
    "monetary",
    "r_score",
    "f_score",
    "m_score",
    "rfm_segment",
    "is_high_value",
    "is_top_value",
]
MIGRATION_COLUMNS = ["month", "from_segment", "to_segment", "customers"]


class Rfm(NamedTuple):
    """A customer with a purchase in the window, on a day. Recency is in days, monetary in the reporting currency."""

    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal
    r_score: int
    f_score: int
    m_score: int


def scores(values: Sequence[Any], *, fewer_is_better: bool = False) -> list[int]:
    """The score of each value: least(5, 1 + floor(5 x strictly worse / all))."""
    ordered = sorted(values)
    count = len(ordered)

    def strictly_worse(value: Any) -> int:
        return count - bisect_right(ordered, value) if fewer_is_better else bisect_left(ordered, value)

    return [min(5, 1 + 5 * strictly_worse(value) // count) for value in values]


def rfm_on(facts: Facts, day: date) -> list[Rfm]:
    """RFM of everyone with a purchase in the 365 days that end on `day`."""
    window: list[tuple[Customer, list[date]]] = []
    for customer in facts.buyers:
        days = customer.purchase_days_in(day - timedelta(days=RFM_WINDOW_DAYS - 1), day)
        if days:
            window.append((customer, days))
    recency = [(day - days[-1]).days for _, days in window]
    frequency = [len(days) for _, days in window]
    monetary = [sum((customer.revenue_on[each] for each in days), Decimal(0)) for customer, days in window]
    ids = [customer.customer_id for customer, _ in window]
    columns = (scores(recency, fewer_is_better=True), scores(frequency), scores(monetary))
    return [Rfm(*row) for row in zip(ids, recency, frequency, monetary, *columns, strict=True)]


def customer_rfm(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per customer with a purchase in the 365 days up to the as-of date."""
    buyers = rfm_on(facts, facts.as_of)
    amounts = sorted(rfm.monetary for rfm in buyers)
    rows = [
        (
            *rfm,
            _segment(rfm, seeds),
            rfm.monetary >= facts.variables.high_value_annual_amount,
            rfm.monetary > 0
            and len(amounts) - bisect_right(amounts, rfm.monetary) < facts.variables.top_value_share * len(amounts),
        )
        for rfm in buyers
    ]
    return pd.DataFrame(rows, columns=RFM_COLUMNS, dtype=object)


def rfm_segment_transitions(facts: Facts, seeds: Seeds) -> pd.DataFrame:
    """One row per month and pair of segments, at the end of the month before and at its own end (or the as-of date)."""
    rows = []
    for month, previous_end, end in facts.snapshots:
        before = {rfm.customer_id: _segment(rfm, seeds) for rfm in rfm_on(facts, previous_end)}
        after = {rfm.customer_id: _segment(rfm, seeds) for rfm in rfm_on(facts, end)}
        moves = Counter(
            (before.get(customer_id, NO_SEGMENT), after.get(customer_id, NO_SEGMENT))
            for customer_id in before.keys() | after.keys()
        )
        rows += [(month, *move, count) for move, count in sorted(moves.items())]
    return pd.DataFrame(rows, columns=MIGRATION_COLUMNS, dtype=object)


def _segment(rfm: Rfm, seeds: Seeds) -> str:
    return seeds.rfm_segments[rfm.r_score, rfm.f_score, rfm.m_score]
