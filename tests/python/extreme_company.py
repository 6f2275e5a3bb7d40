"""A company whose numbers are the least and the greatest that the raw contract and the settings let through."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from orchestration.contract import Contract
from orchestration.settings import ROOT

AS_OF = date(2026, 3, 31)
LARGEST = Decimal(10) ** 12
# the greatest with decimals, which a double does not hold
JUST_BELOW = LARGEST - Decimal("0.0001")
SMALLEST = Decimal("0.0001")
CUSTOMERS = [f"c{number:02}" for number in range(36)]
# of the first customer, on one day
WHOLESALE_ORDERS = 150
# of the first member, all still open
OPEN_LOTS = 200
MONTHS = [date(2025, month, 5) for month in range(1, 13)] + [date(2026, month, 5) for month in (1, 2, 3)]

Row = dict[str, Any]


def write_extreme_company(folder: Path, contract: Contract) -> Path:
    """Write its raw folder: CSV files of the tables that have numbers, and a company.yml of greatest settings."""
    folder.mkdir(parents=True)
    (folder / "company.yml").write_text(yaml.safe_dump(greatest_settings()), encoding="utf-8")
    rows: dict[str, Iterable[Row]] = {
        "customers": [{"customer_id": name, "referred_by_customer_id": "c00"} for name in CUSTOMERS],
        "products": [
            {"product_id": "dear", "category": "a", "unit_cost": LARGEST},
            {"product_id": "free", "category": "b", "unit_cost": 0},
            {"product_id": "unknown", "category": "c"},
        ],
        "orders": orders(),
        "order_items": order_items(),
        "memberships": memberships(),
        "points_transactions": points_transactions(),
        "survey_responses": survey_responses(contract),
        **{name: of_bounds(contract, name, **fixed) for name, fixed in PLAIN_TABLES.items()},
    }
    for name, of_table in rows.items():
        _write(folder / f"{name}.csv", contract.tables[name].column_names, of_table)
    return folder


def greatest_settings() -> dict[str, Any]:
    """Every setting that is a number, at the greatest that a company may set; a window of the seed stays as it is."""
    settings = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]["settings"]
    greatest = {name: entry["maximum"] for name, entry in settings.items() if "maximum" in entry}
    del greatest["kpi_repurchase_days"]
    # else orders of the least amount would not count, nor their costs
    return greatest | {"free_orders_are_purchases": True}


# what their rows hold beside the numbers; of several values each row has the next
PLAIN_TABLES: dict[str, Mapping[str, Any]] = {
    "campaigns": {"channel": "email", "started_at": "2025-06-01"},
    "coupons": {"issued_at": "2025-06-01"},
    "coupon_redemptions": {"coupon_id": "coupons 0", "customer_id": "c01", "redeemed_at": "2025-07-01"},
    "tickets": {"customer_id": CUSTOMERS, "opened_at": "2025-08-01", "resolved_at": "2025-08-02"},
    "web_events": {"session_id": "s", "occurred_at": "2026-03-01", "event_name": "page_view"},
    "social_mentions": {"platform": "weibo", "posted_at": "2026-03-01", "text": "好"},
}


def of_bounds(contract: Contract, name: str, **fixed: Any) -> Iterator[Row]:
    """Rows of a table, in turn with all its numbers at their minimum and at their maximum."""
    table = contract.tables[name]
    [key] = table.key
    for number in range(2 * len(CUSTOMERS)):
        row: Row = {key: f"{name} {number}"}
        for column, value in fixed.items():
            row[column] = value[number % len(value)] if isinstance(value, list) else value
        for column in table.columns:
            if column.maximum is not None:
                row[column.name] = (column.minimum, column.maximum)[number % 2]
        yield row


def orders() -> Iterator[Row]:
    """The first customer buys wholesale on one day; each other once a month, with other extremes each time."""
    for number in range(WHOLESALE_ORDERS):
        amounts = {"order_amount": LARGEST, "discount_amount": LARGEST, "cost_amount": 0}
        yield _order(f"w{number:03}", "c00", date(2026, 3, 5), **amounts)
    later = datetime.combine(AS_OF, datetime.min.time()) + timedelta(days=30)
    kinds: list[Row] = [
        # the cost is not known: the margin is the default rate's
        {"order_amount": LARGEST, "shipping_amount": LARGEST, "tax_amount": LARGEST},
        {"order_amount": JUST_BELOW},
        {"order_amount": 0, "discount_amount": LARGEST, "cost_amount": LARGEST},
        # paid back in full, but only after the as-of date
        {"order_amount": LARGEST, "refund_amount": LARGEST, "refunded_at": later, "cost_amount": LARGEST},
        {"order_amount": LARGEST, "refund_amount": SMALLEST},
        {"order_amount": SMALLEST, "cost_amount": LARGEST, "discount_amount": 0, "shipping_amount": 0, "tax_amount": 0},
        {"order_amount": LARGEST, "refund_amount": 0},
    ]
    for place, customer in enumerate(CUSTOMERS[1:]):
        for month, day in enumerate(MONTHS):
            yield _order(f"{customer}-{month:02}", customer, day, **kinds[(place + month) % len(kinds)])


def _order(order_id: str, customer_id: str, day: date, **amounts: Any) -> Row:
    return {"order_id": order_id, "customer_id": customer_id, "ordered_at": day, "status": "completed"} | amounts


def order_items() -> Iterator[Row]:
    """Three lines of each order: a loss of 10^18 by the line's own cost, another by the product's, and none."""
    most = Decimal(10) ** 6
    for order in orders():
        lines: list[Row] = [
            {"product_id": "free", "quantity": most, "unit_cost": LARGEST, "line_amount": LARGEST},
            {"product_id": "dear", "quantity": most, "line_amount": 0, "discount_amount": LARGEST},
            # the default rate's margin
            {"product_id": "unknown", "quantity": 0, "line_amount": LARGEST, "discount_amount": 0},
            {"product_id": "dear", "quantity": SMALLEST, "unit_cost": 0, "line_amount": JUST_BELOW},
        ]
        for number, line in enumerate(lines, start=1):
            yield {"order_id": order["order_id"], "line_number": number} | line


def memberships() -> Iterator[Row]:
    for number, customer in enumerate(CUSTOMERS[:12]):
        enrolled = date(2024, 12, 1) if number < 4 else date(2025, number, 20)
        yield {
            "member_id": f"m{number}",
            "customer_id": customer,
            "enrolled_at": enrolled,
            "tier": "member",
            "updated_at": enrolled,
        }


def points_transactions() -> Iterator[Row]:
    """m0 keeps 200 of the greatest, m1 and m2 redeem all that they earn but the last, m3 overdraws, m4 lets expire."""
    moves: list[tuple[str, str, Decimal, date, date | None]] = []
    moves += [("m0", "earn", LARGEST, date(2026, 1, 5), date(2027, 1, 5))] * OPEN_LOTS
    for member in ("m1", "m2"):
        for day in MONTHS:
            moves.append((member, "earn", JUST_BELOW, day, day + timedelta(days=365)))
            if day != MONTHS[-1]:
                moves.append((member, "redeem", -JUST_BELOW, day + timedelta(days=10), None))
    for day in MONTHS:
        moves.append(("m3", "redeem", -LARGEST, day, None))
        moves.append(("m3", "adjust", -LARGEST, day, None))
        moves.append(("m4", "earn", LARGEST, day, day + timedelta(days=30)))
        moves.append(("m4", "expire", -LARGEST, day + timedelta(days=60), None))
        moves.append(("m5", "adjust", LARGEST, day, None))
        moves.append(("m5", "earn", SMALLEST, day, None))
    for number, (member, kind, points, day, expires) in enumerate(moves):
        yield {
            "points_transaction_id": f"p{number:04}",
            "member_id": member,
            "type": kind,
            "points": points,
            "occurred_at": day,
            "expires_at": expires,
        }


def survey_responses(contract: Contract) -> Iterator[Row]:
    """Either end of each scale at either end of the weights, of every customer in every month."""
    table = contract.tables["survey_responses"]
    scale, weight = table.column("score").scale, table.column("weight")
    assert scale is not None
    number = 0
    for kind, ends in scale.ranges.items():
        for day in MONTHS:
            for place, customer in enumerate(CUSTOMERS):
                number += 1
                yield {
                    "response_id": f"r{number}",
                    "customer_id": customer,
                    "survey_type": kind,
                    "score": ends[place % 2],
                    "weight": (weight.minimum, weight.maximum, weight.maximum, SMALLEST)[place % 4],
                    "responded_at": day + timedelta(days=1),
                }


def _write(path: Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        # a Decimal may print an exponent
        writer.writerows(
            {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in row.items()} for row in rows
        )
