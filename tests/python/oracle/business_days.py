"""Days and months as the business sees them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd


def local_moment(moment: datetime, zone: ZoneInfo) -> datetime:
    """What clocks in `zone` show at a moment given as UTC without an offset."""
    return pd.Timestamp(moment).to_pydatetime(warn=False).replace(tzinfo=UTC).astimezone(zone)


def business_day(moment: datetime | None, zone: ZoneInfo) -> date | None:
    """The local date in `zone` of a moment given as UTC without an offset; None for no moment."""
    return None if pd.isna(moment) else local_moment(moment, zone).date()


def month_of(day: date) -> date:
    """The first day of the month of `day`."""
    return day.replace(day=1)


def add_months(month: date, months: int) -> date:
    """The first day of the month that is `months` after that of `month`."""
    index = month.year * 12 + month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def last_day_of_month(day: date) -> date:
    """The last day of the month of `day`."""
    return add_months(day, 1) - timedelta(days=1)


def months_between(earlier: date, later: date) -> int:
    """Calendar months from the month of `earlier` to the month of `later`."""
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def months_from_to(first: date, last: date) -> list[date]:
    """The first days of all months from that of `first` to that of `last`, both included; empty where last < first."""
    return [add_months(first, step) for step in range(months_between(first, last) + 1)]


def period_start(day: date, grain: str) -> date:
    """The first day of the month, quarter or year of `day`. Raises KeyError for another grain."""
    months = {"month": 1, "quarter": 3, "year": 12}[grain]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def newest_day_with_orders(moments: Sequence[datetime], today: date, zone: ZoneInfo) -> date | None:
    """The newest day with an order (UTC without an offset), up to `today`, that is no slip; None where there is none.

    Orders are slips where more than 30 days lie before them, and they are five or fewer, and one in 1,000 or fewer of
    all up to `today`.
    """
    counts = Counter(day for moment in moments if (day := business_day(moment, zone)) <= today)
    days = sorted(counts)
    for day, following in pairwise(days):
        after = sum(counts[each] for each in days if each > day)
        if (following - day).days > 30 and after <= 5 and after / counts.total() <= 0.001:
            return day
    return max(days, default=None)
