"""Who brought whom, and what is said in public, against their definitions."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from oracle.comparison import assert_frames_equal
from oracle.seeds import seed_rows
from oracle.service import AsOf, Phrase, Purchases, ambassadors, referrals, social_mentions_daily

from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("engagement")]

AS_OF = date(2025, 3, 30)
ZONE = ZoneInfo("America/New_York")
COMPANY_FILE = "business_timezone: America/New_York\ntimestamps_without_offset: UTC\n"
MODELS = (
    "build",
    "--select",
    "+referrals",
    "+ambassadors",
    "+social_mentions_daily",
    "--indirect-selection",
    "cautious",
    "--exclude-resource-type",
    "unit_test",
)
PEOPLE = 600
MENTIONS = 800
HANDLES = ("@mei", "@ana", "李雷", "@ mei", None, None)
TEXTS = (
    "Great service, but LATE",
    "late again",
    "非常不满意",
    "满意",
    "好用，推荐！",
    "不好用",
    "chocolate",
    "👍",
    "Wouldn’t recommend",
    "Never late… not bad",
    "……",
    None,
)
Row = dict[str, Any]
Tables = dict[str, list[Row]]


def utc(day: date, seconds: float) -> datetime:
    """So many seconds after local midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)
    return midnight + timedelta(seconds=seconds)


def one(random: np.random.Generator, options: Any) -> Any:
    return options[int(random.integers(len(options)))]


def moment(random: np.random.Generator) -> datetime:
    """On any of 400 days, often about the as-of date, the change of the clock and midnight."""
    days = AS_OF - timedelta(days=int(random.integers(0, 400)))
    special = [AS_OF + timedelta(days=step) for step in (-1, 0, 0, 1)] + [date(2025, 3, 9), date(2024, 11, 3)]
    seconds = one(random, (0, 1, 82_799.999999, int(random.integers(0, 80_000))))
    return utc(one(random, special) if random.random() < 0.3 else days, seconds)


def draw(random: np.random.Generator) -> Tables:
    people = [f"c{number:04d}" for number in range(PEOPLE)]
    # some bring many
    stars = people[:40]
    others = ["nobody", "guest0", "till:1", "till:2", "till:999"]
    customers = []
    for number, customer in enumerate(people):
        brought_by = one(random, (None, one(random, stars), one(random, people), customer, one(random, others)))
        registered_at = None if number % 29 == 0 else moment(random)
        customers.append(
            {"customer_id": customer, "registered_at": registered_at, "referred_by_customer_id": brought_by}
        )
    # circles of two to five
    place = 100
    for size in (2, 3, 4, 5, 2):
        circle = customers[place : place + size]
        for row, following in zip(circle, circle[1:] + circle[:1], strict=True):
            row["referred_by_customer_id"] = following["customer_id"]
            row["registered_at"] = utc(date(2024, 5, 5), 3_600)
        place += size
    # somebody who was brought into a circle, and is in none
    customers[place]["referred_by_customer_id"] = customers[100]["customer_id"]
    identities = [
        {"source_system": "till", "source_id": f"{number}", "customer_id": people[number], "recorded_at": utc(AS_OF, 0)}
        for number in (1, 2)
    ]
    return {
        "customers": customers,
        "customer_identities": identities,
        "orders": draw_orders(random, [*people, "guest0", "till:2"]),
        "social_mentions": draw_mentions(random, people),
    }


def draw_orders(random: np.random.Generator, people: list[str]) -> list[Row]:
    rows = []
    for customer in people:
        for number in range(int(random.integers(0, 4))):
            amount = Decimal(int(random.integers(0, 50_000))) / 100
            refund = one(random, (None, None, None, amount, Decimal("0.5") * amount))
            order = {"order_id": f"{customer}-{number}", "customer_id": customer, "ordered_at": moment(random)}
            order |= {"status": one(random, ("completed", "completed", "cancelled")), "order_amount": amount}
            rows.append(order | {"refund_amount": refund})
    return rows


def draw_mentions(random: np.random.Generator, people: list[str]) -> list[Row]:
    platforms = ("weibo", "xiaohongshu", "wechat", "other")
    rows = []
    for number in range(MENTIONS):
        row = {"mention_id": f"m{number:05d}", "platform": one(random, platforms), "posted_at": moment(random)}
        row |= {"author_handle": one(random, HANDLES), "customer_id": one(random, (None, None, one(random, people)))}
        rows.append(row | {"text": one(random, TEXTS), "like_count": one(random, (None, 0, 1, 250))})
    return rows


def write(tables: Tables, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "company.yml").write_text(COMPANY_FILE, encoding="utf-8")
    for table, rows in tables.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def seed(name: str) -> list[dict[str, str]]:
    return seed_rows(ROOT / "seeds", name)


@dataclass(frozen=True)
class Built:
    """The company, and what was built of it."""

    tables: Tables
    world: Any

    @property
    def frame(self) -> AsOf:
        aliases = {f"till:{row['source_id']}": row["customer_id"] for row in self.tables["customer_identities"]}
        return AsOf(AS_OF, ZONE, aliases)

    @property
    def purchases(self) -> dict[str, Purchases]:
        """Of valid orders: not cancelled, free or paid back in full; a refund here has no date and counts at once."""
        frame = self.frame
        spent: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for order in self.tables["orders"]:
            amount, refund = order["order_amount"], order["refund_amount"] or Decimal(0)
            is_valid = order["status"] != "cancelled" and refund < amount
            if is_valid and frame.knows(order["ordered_at"]):
                spent[frame.customer(order["customer_id"])][frame.day(order["ordered_at"])] += amount - refund
        return {customer: Purchases(sorted(days), days) for customer, days in spent.items()}

    @property
    def buyers_of_anything(self) -> set[str]:
        """Everybody with an order of any status, who is a customer for it."""
        frame = self.frame
        ordered = [order for order in self.tables["orders"] if frame.knows(order["ordered_at"])]
        return {frame.customer(order["customer_id"]) for order in ordered}

    @property
    def referrals(self) -> pd.DataFrame:
        return referrals(self.tables["customers"], self.purchases, self.buyers_of_anything, self.frame)


@pytest.fixture(scope="module")
def built(build_world: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Built:
    tables = draw(np.random.default_rng(20250330))
    folder = write(tables, tmp_path_factory.mktemp("engagement") / "raw")
    return Built(tables, build_world(folder, "engagement", AS_OF, MODELS))


def test_referrals_agree_with_their_definition(built: Built) -> None:
    expected = built.referrals
    assert_frames_equal(
        built.world.mart("referrals"), expected, ["customer_id"], money=["net_revenue"], name="referrals"
    )
    # every reason not to count one, and both ends of one that counts
    flags = [
        "is_self_referral",
        "is_circular",
        "is_earlier_customer",
        "is_counted",
        "is_converted",
        "is_referrer_known",
    ]
    assert {flag: set(expected[flag]) for flag in flags} == dict.fromkeys(flags, {True, False})
    assert expected["is_circular"].sum() >= 16


def test_ambassadors_agree_with_their_definition(built: Built) -> None:
    levels = sorted(
        (int(row["from_converted_referrals"]), row["ambassador_level"]) for row in seed("ambassador_levels")
    )
    expected = ambassadors(built.referrals, built.purchases, levels)
    assert_frames_equal(
        built.world.mart("ambassadors"),
        expected,
        ["customer_id"],
        money=["referred_net_revenue", "own_net_revenue"],
        ratios=["conversion_rate", "conversion_rate_low", "conversion_rate_high"],
        name="ambassadors",
    )
    assert set(expected["ambassador_level"]) == {None, *(level for _, level in levels)}


def test_social_mentions_agree_with_their_definition(built: Built) -> None:
    phrases = [Phrase(row["phrase"], row["topic"], row["sentiment"]) for row in seed("feedback_phrases")]
    expected = social_mentions_daily(built.tables["social_mentions"], phrases, built.frame)
    actual = built.world.mart("social_mentions_daily")
    assert_frames_equal(actual, expected, ["mentioned_on", "platform"], name="social_mentions_daily")
    assert expected["positive_mentions"].sum() and expected["negative_mentions"].sum()
    assert (expected["authors"] < expected["mentions"]).any()


def test_no_handle_and_no_text_reaches_a_mart(built: Built) -> None:
    hidden = [text for text in (*HANDLES, *TEXTS) if text]
    for mart in ("referrals", "ambassadors", "social_mentions_daily"):
        cells = {str(cell) for row in built.world.mart(mart).itertuples() for cell in row}
        assert not [text for text in hidden if any(text in cell for cell in cells)]
