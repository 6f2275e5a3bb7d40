"""A company whose past is known day by day, and the features of its customers, worked out from the raw rows alone.

Facts fall on the edges of the windows, at the first and the last moment of a business day. Nothing here has a history
that the contract does not keep: a refund comes on the day of its order, and no status changes later.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]

ZONE = ZoneInfo("Asia/Shanghai")
COMPANY_FILE = "business_timezone: Asia/Shanghai\n"
AS_OF = date(2025, 11, 17)
# a month end: what comes after it may change, what was known on it does not
CUT = date(2025, 5, 31)
FIRST_DAY = date(2023, 1, 1)
CUSTOMERS = 150
HORIZONS = (30, 90, 180, 365)
WINDOWS = (30, 90, 180, 365)
CLOCKS = (time(0), time(23, 59, 59, 999999), time(12, 30))


@dataclass
class Past:
    """Raw rows; moments are local times of the business."""

    orders: list[Row] = field(default_factory=list)
    tickets: list[Row] = field(default_factory=list)
    survey_responses: list[Row] = field(default_factory=list)
    memberships: list[Row] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        """Write the raw folder of the company."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "company.yml").write_text(COMPANY_FILE, encoding="utf-8")
        for name in ("orders", "tickets", "survey_responses", "memberships"):
            rows = getattr(self, name)
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows({key: _as_text(value) for key, value in row.items()} for row in rows)
        return folder

    def until(self, day: date) -> Past:
        """What had happened by the end of a day."""
        return Past(
            [row for row in self.orders if row["ordered_at"].date() <= day],
            [row for row in self.tickets if row["opened_at"].date() <= day],
            [row for row in self.survey_responses if row["responded_at"].date() <= day],
            [row for row in self.memberships if row["updated_at"].date() <= day],
        )

    def followed_by(self, later: Past, day: date) -> Past:
        """This past up to a day, and another one from the day after it."""
        known, told = self.until(day), later.until(day)
        return Past(
            *(
                getattr(known, name) + [row for row in getattr(later, name) if row not in getattr(told, name)]
                for name in ("orders", "tickets", "survey_responses", "memberships")
            )
        )


def _as_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=ZONE).astimezone(UTC).isoformat()
    return value


def past_company(seed: int) -> Past:
    """A company; those of two seeds have nothing in common but the ids of customers."""
    chance = random.Random(seed)
    customers = [f"c{number:03d}" for number in range(CUSTOMERS)]
    past = Past()
    for customer in customers:
        first = FIRST_DAY + timedelta(days=chance.randrange((AS_OF - FIRST_DAY).days + 20))
        days = [first] + [_day(chance, first) for _ in range(chance.choice((0, 0, 1, 2, 5, 20)))]
        for day in days:
            past.orders.append(_order(f"{seed}-{len(past.orders)}", customer, day, chance))
    for number in range(500):
        moment = _moment(_day(chance, FIRST_DAY), chance)
        past.tickets.append(
            {
                "ticket_id": f"{seed}-{number}",
                "customer_id": chance.choice((None, *customers, *customers[:20])),
                "opened_at": moment,
                "is_complaint": chance.choice(("true", "false", None)),
            }
        )
        past.survey_responses.append(
            {
                "response_id": f"{seed}-{number}",
                "customer_id": chance.choice((None, *customers, *customers[:20])),
                "survey_type": chance.choice(("nps", "nps", "nps", "csat")),
                "score": chance.randint(1, 5) if number % 7 else 0,
                "responded_at": _moment(_day(chance, FIRST_DAY), chance),
            }
        )
        if past.survey_responses[-1]["survey_type"] == "csat":
            past.survey_responses[-1]["score"] = 5
    for number, customer in enumerate((*customers[::2], *customers[:10])):
        day = _day(chance, FIRST_DAY)
        for version in range(chance.randint(1, 3)):
            updated_at = _moment(day + timedelta(days=version * chance.choice((1, 30, 200))), chance)
            past.memberships.append(
                {
                    "member_id": f"{seed}-{number}",
                    "customer_id": customer,
                    "enrolled_at": datetime.combine(FIRST_DAY, time(9)),
                    "tier": "member",
                    "status": "active" if version == 0 else chance.choice(("active", "closed", None)),
                    "updated_at": updated_at + timedelta(microseconds=version),
                }
            )
    return past


def _day(chance: random.Random, first: date) -> date:
    """A day from `first` on, often on the edge of a window before or after a feature date."""
    edge = chance.choice((CUT, CUT, AS_OF, date(2024, 12, 31), date(2024, 2, 29)))
    days = chance.choice((0, *WINDOWS)) * chance.choice((-1, 1)) + chance.choice((-1, 0, 1))
    anywhere = FIRST_DAY + timedelta(days=chance.randrange((AS_OF - FIRST_DAY).days + 20))
    return max(first, chance.choice((edge + timedelta(days=days), anywhere)))


def _moment(day: date, chance: random.Random) -> datetime:
    return datetime.combine(day, chance.choice(CLOCKS))


def _order(order_id: str, customer: str, day: date, chance: random.Random) -> Row:
    amount = chance.choice((Decimal("0"), Decimal("20"), Decimal(chance.randint(1, 90_000)) / 100))
    refund = chance.choice((None, None, None, amount, amount / 2, amount + 5))
    moment = _moment(day, chance)
    return {
        "order_id": order_id,
        "customer_id": customer,
        "ordered_at": moment,
        "order_amount": amount,
        "status": chance.choice(("completed",) * 6 + ("cancelled",)),
        "refund_amount": refund,
        "refunded_at": None if refund is None else moment,
    }


@dataclass(frozen=True)
class Purchases:
    """Net revenue of each purchase day by customer."""

    of: dict[str, dict[date, Decimal]]

    @classmethod
    def found(cls, past: Past) -> Purchases:
        """The purchase days of a past."""
        of: dict[str, dict[date, Decimal]] = {}
        for order in past.orders:
            amount, refund = order["order_amount"], order["refund_amount"] or Decimal(0)
            # what was free, or paid back in full, is no purchase
            if order["status"] == "cancelled" or refund >= amount:
                continue
            days = of.setdefault(order["customer_id"], {})
            day = order["ordered_at"].date()
            days[day] = days.get(day, Decimal(0)) + amount - refund
        return cls(of)

    def within(self, customer: str, after: date, until: date) -> tuple[int, Decimal]:
        """Purchase days and net revenue after one day and up to another."""
        found = [revenue for day, revenue in self.of[customer].items() if after < day <= until]
        return len(found), sum(found, Decimal(0))


def features_on(past: Past, day: date) -> dict[str, Row]:
    """The features of every customer on a day, by customer, as int_customer_features defines them."""
    known = past.until(day)
    purchases = Purchases.found(known)
    rows: dict[str, Row] = {}
    for customer, days in purchases.of.items():
        first, last, repeats = min(days), max(days), len(days) - 1
        before = {window: purchases.within(customer, day - timedelta(days=window), day) for window in WINDOWS}
        to_date = sum(days.values(), Decimal(0))
        answers = [
            row
            for row in known.survey_responses
            if row["customer_id"] == customer
            and row["survey_type"] == "nps"
            and row["responded_at"].date() > day - timedelta(days=365)
        ]
        answer = max(answers, key=lambda row: (row["responded_at"], row["response_id"]), default=None)
        tickets = [row for row in known.tickets if row["customer_id"] == customer]
        rows[customer] = {
            "first_purchase_on": first,
            "last_purchase_on": last,
            "repeat_purchase_days": repeats,
            "recency_days_btyd": (last - first).days,
            "tenure_days": (day - first).days,
            "days_since_last_purchase": (day - last).days,
            "mean_interval_days": (last - first).days / repeats if repeats else None,
            "purchase_days_30d": before[30][0],
            "purchase_days_90d": before[90][0],
            "purchase_days_previous_90d": before[180][0] - before[90][0],
            "purchase_days_365d": before[365][0],
            "net_revenue_90d": before[90][1],
            "net_revenue_previous_90d": before[180][1] - before[90][1],
            "net_revenue_365d": before[365][1],
            "net_revenue_to_date": to_date,
            "repeat_net_revenue_per_purchase_day": _rounded((to_date - days[first]) / repeats) if repeats else None,
            "nps_score": answer["score"] if answer else None,
            "nps_answered_on": answer["responded_at"].date() if answer else None,
            "tickets_180d": len(_opened_within(tickets, day, 180)),
            "complaints_90d": sum(row["is_complaint"] == "true" for row in _opened_within(tickets, day, 90)),
            "is_programme_member": _is_member(known.memberships, customer),
        }
    _add_scores(rows)
    return rows


def _opened_within(tickets: Iterable[Row], day: date, days: int) -> list[Row]:
    return [row for row in tickets if row["opened_at"].date() > day - timedelta(days=days)]


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"))


def _is_member(memberships: Sequence[Row], customer: str) -> bool:
    latest: dict[str, Row] = {}
    for row in sorted(memberships, key=lambda row: row["updated_at"]):
        if row["customer_id"] == customer:
            latest[row["member_id"]] = row
    return any(row["status"] in ("active", None) for row in latest.values())


def _add_scores(rows: dict[str, Row]) -> None:
    buyers = {customer: row for customer, row in rows.items() if row["purchase_days_365d"]}
    goodness = {
        "r_score": lambda row: -row["days_since_last_purchase"],
        "f_score": lambda row: row["purchase_days_365d"],
        "m_score": lambda row: row["net_revenue_365d"],
    }
    for score, good in goodness.items():
        values = [good(row) for row in buyers.values()]
        for row in rows.values():
            row[score] = 0
        for row in buyers.values():
            worse = sum(value < good(row) for value in values)
            row[score] = min(5, 1 + 5 * worse // len(buyers))


def outcomes_of(past: Past, day: date, as_of: date) -> dict[tuple[str, int], tuple[int, Decimal]]:
    """What every customer of a day bought in each horizon that has passed, by customer and horizon."""
    purchases = Purchases.found(past.until(as_of))
    customers = Purchases.found(past.until(day)).of
    return {
        (customer, horizon): purchases.within(customer, day, day + timedelta(days=horizon))
        for customer in customers
        for horizon in HORIZONS
        if day + timedelta(days=horizon) <= as_of
    }


def churn_inputs_of(row: Row) -> dict[str, float]:
    """The inputs of a supervised model, from the features of a customer."""
    purchases = row["repeat_purchase_days"] + 1
    interval = (row["recency_days_btyd"] + 90) / purchases
    return {
        "log_days_since_last_purchase": math.log1p(row["days_since_last_purchase"]),
        "log_tenure_days": math.log1p(row["tenure_days"]),
        "log_repeat_purchase_days": math.log(purchases),
        "log_overdue_ratio": math.log1p(row["days_since_last_purchase"] / interval),
        "is_one_time_buyer": float(purchases == 1),
        "log_purchase_days_30d": math.log1p(row["purchase_days_30d"]),
        "log_purchase_days_90d": math.log1p(row["purchase_days_90d"]),
        "log_purchase_days_previous_90d": math.log1p(row["purchase_days_previous_90d"]),
        "log_purchase_days_365d": math.log1p(row["purchase_days_365d"]),
        "log_net_revenue_365d": math.log1p(max(0.0, float(row["net_revenue_365d"]))),
        "log_spend_per_purchase_day": math.log1p(max(0.0, float(row["net_revenue_to_date"]) / purchases)),
        "nps_score_or_zero": float(row["nps_score"] or 0),
        "has_nps_score": float(row["nps_score"] is not None),
        "log_tickets_180d": math.log1p(row["tickets_180d"]),
        "is_programme_member": float(row["is_programme_member"]),
    }
