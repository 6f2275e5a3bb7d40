"""The raw folder of CDNOW, from the published file beside this one.

What the file holds, where it is from, and what was decided is in the README.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("data") / "CDNOW_master.txt"

# the file tells how many CDs were bought, not which
PRODUCT_ID = "cd"


class Purchase(NamedTuple):
    """One line of the file; the amount is USD, as the file writes it."""

    order_id: str
    customer_id: str
    day: date
    cds: str
    amount: str


def read_purchases(source: Path) -> Iterator[Purchase]:
    """The purchases in the file's order, which numbers them; ValueError for a line that is no purchase."""
    lines = source.read_text(encoding="ascii").splitlines()
    # the first line names the columns
    for number, line in enumerate(lines[1:], start=1):
        customer_id, day, cds, amount = line.split()
        # date.fromisoformat reads 19970101, the file's form
        yield Purchase(f"cdnow-{number:06}", customer_id, date.fromisoformat(day), cds, amount)


def prepare(raw_dir: Path) -> None:
    """Write orders.csv, order_items.csv and products.csv into `raw_dir`."""
    raw_dir.mkdir(parents=True, exist_ok=True)
    purchases = list(read_purchases(SOURCE))
    write_table(
        raw_dir / "orders.csv",
        ("order_id", "customer_id", "ordered_at", "status", "channel", "order_amount"),
        (
            (
                purchase.order_id,
                purchase.customer_id,
                f"{purchase.day}T00:00:00",
                "completed",
                "online",
                purchase.amount,
            )
            for purchase in purchases
        ),
    )
    write_table(
        raw_dir / "order_items.csv",
        ("order_id", "line_number", "product_id", "quantity", "line_amount"),
        ((purchase.order_id, 1, PRODUCT_ID, purchase.cds, purchase.amount) for purchase in purchases),
    )
    write_table(
        raw_dir / "products.csv",
        ("product_id", "product_name"),
        [(PRODUCT_ID, "CD")],
    )


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file in UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
