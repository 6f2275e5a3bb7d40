"""CDNOW as the papers on buy-till-you-die models use it: every purchase, and the sample of 2,357 customers.

The purchases are those of `companies/cdnow`. The sample is a selection of its customers: `cdnow_sample_ids.txt` lists
their ids in the order of the sample, from `CDNOW_sample.txt` of the package lifetimes (MIT).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestration.settings import ROOT

MASTER = ROOT / "companies" / "cdnow" / "data" / "CDNOW_master.txt"
SAMPLE_IDS = Path(__file__).with_name("cdnow_sample_ids.txt")
# the calibration period of the papers, and the end of the data: 39 weeks each
CALIBRATED_UNTIL = date(1997, 9, 30)
LAST_DAY = date(1998, 6, 30)

Floats = NDArray[np.float64]
# of a customer, the days of purchase in order and what each brought
Purchases = dict[int, dict[date, float]]


@dataclass(frozen=True, eq=False)
class Base:
    """Customers, those of the sample in its order: x, t_x and T in days, and the mean spend of the repeat purchases."""

    x: Floats
    t_x: Floats
    T: Floats
    spend: Floats


def master_purchases() -> Purchases:
    """Purchases by customer and day; those of one day are one purchase."""
    purchases: Purchases = defaultdict(dict)
    for line in MASTER.read_text(encoding="ascii").splitlines()[1:]:
        customer, day_text, _, dollars = line.split()
        day, of_customer = date.fromisoformat(day_text), purchases[int(customer)]
        of_customer[day] = of_customer.get(day, 0.0) + float(dollars)
    return {customer: dict(sorted(days.items())) for customer, days in sorted(purchases.items())}


def sample_purchases() -> Purchases:
    """The purchases of the customers of the sample."""
    purchases = master_purchases()
    return {int(customer): purchases[int(customer)] for customer in SAMPLE_IDS.read_text(encoding="ascii").split()}


def base_until(purchases: Purchases, end: date) -> Base:
    """What is known of the customers by the end of a day."""
    rows = []
    for bought in purchases.values():
        days = [day for day in bought if day <= end]
        if days:
            repeats = [bought[day] for day in days[1:]]
            spend = sum(repeats) / len(repeats) if repeats else float("nan")
            rows.append((len(repeats), (days[-1] - days[0]).days, (end - days[0]).days, spend))
    return Base(*np.array(rows, dtype=np.float64).T)


def repeats_between(purchases: Purchases, after: date, until: date) -> int:
    """Purchases after the first one of each customer, in a stretch of days."""
    return sum(after < day <= until for bought in purchases.values() for day in list(bought)[1:])
