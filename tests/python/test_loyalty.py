"""The marts of the loyalty programme against a second computation, on memberships and points made at random."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from conftest import World
from oracle import loyalty
from oracle.comparison import assert_frames_equal
from oracle.loyalty import Movement, Programme, Version
from oracle.seeds import seed_rows

from orchestration.settings import ROOT

ZONE = ZoneInfo("Asia/Shanghai")
AS_OF = date(2026, 3, 15)
FIRST_DAY = date(2024, 10, 20)
CUSTOMERS, MEMBERS = 90, 130
POINT_VALUE, USAGE_TARGET = Decimal("0.0125"), 0.4
TIER_RANKS = {row["tier"]: int(row["tier_rank"]) for row in seed_rows(ROOT / "seeds", "loyalty_tiers")}
TIERS = tuple(TIER_RANKS)
# at the turn of days, months and years; 7:59 and 8:00 in Shanghai are the turn of the day in UTC
CLOCKS = (time(0), time(23, 59, 59, 999999), time(7, 59), time(8), time(12, 30))
TURNS = tuple(
    date.fromisoformat(day)
    for day in ("2024-12-31", "2025-01-01", "2025-02-28", "2025-03-01", "2026-02-28", "2026-03-15", "2026-03-16")
)
LOYALTY = ("build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")
SELECTED = ("--select", "+path:models/marts/loyalty", "+int_memberships_current")

pytestmark = [pytest.mark.worlds, pytest.mark.long, pytest.mark.xdist_group("loyalty")]


class RandomProgramme:
    """A programme with what may come: ties, overdrafts, corrections, memberships closed and reopened, the future."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.customers = [f"c{number:03d}" for number in range(CUSTOMERS)]
        self.aliases = {f"pos:{number}": self.customers[number] for number in range(0, CUSTOMERS, 9)}
        self.versions = [version for number in range(MEMBERS) for version in self._versions(f"m{number:03d}")]
        members = sorted({version.member_id for version in self.versions})
        self.movements = [move for member_id in members for move in self._movements(member_id)]
        # the ids tell nothing of the order
        self.random.shuffle(self.movements)

    def moment(self, first: date = FIRST_DAY) -> datetime:
        """A moment in UTC, often on an edge, sometimes after the as-of date."""
        days = (AS_OF - first).days + 25
        day = first + timedelta(days=self.random.randrange(max(days, 1)))
        if self.random.random() < 0.25:
            day = self.random.choice(TURNS)
        local = datetime.combine(day, self.random.choice(CLOCKS), ZONE)
        return local.astimezone(UTC).replace(tzinfo=None)

    def _versions(self, member_id: str) -> Iterator[Version]:
        enrolled_at = self.moment()
        customer_id = self.random.choice([*self.customers, *self.aliases])
        moments = {enrolled_at + self.random.choice((timedelta(0), timedelta(hours=3), timedelta(days=-2)))}
        moments |= {self.moment(enrolled_at.date()) for _ in range(self.random.choice((0, 0, 1, 2, 4, 7)))}
        # a member of one version, and others
        tier = self.random.choice(TIERS)
        for moment in sorted(moments):
            if self.random.random() < 0.5:
                tier = self.random.choice(TIERS)
            if self.random.random() < 0.05:
                customer_id = self.random.choice(self.customers)
            corrected = enrolled_at + timedelta(days=self.random.choice((-40, 10, 40)))
            yield Version(
                member_id,
                customer_id,
                corrected if self.random.random() < 0.1 else enrolled_at,
                tier,
                self.random.choice(("active", "active", "active", "closed", None)),
                moment,
            )

    def _movements(self, member_id: str) -> Iterator[Movement]:
        # some members live beyond their means
        spends = self.random.choice((0.2, 0.5, 0.8))
        moments = [self.moment() for _ in range(self.random.choice((0, 1, 5, 20, 40)))]
        for number, moment in enumerate(moments):
            again = self.random.choice(moments) if self.random.random() < 0.2 else moment
            kind = self.random.choice(("redeem", "expire")) if self.random.random() < spends else "earn"
            if self.random.random() < 0.1:
                kind = "adjust"
            points = Decimal(self.random.choice((1, 5, 10, 25, 100))) * self.random.choice((1, 1, Decimal("0.5")))
            if kind in ("redeem", "expire"):
                points = -points
            elif kind == "adjust":
                points *= self.random.choice((-1, 0, 1))
            lives = self.random.choice((None, 30, 90, 180, 365, 400))
            expires_at = again + timedelta(days=lives) if lives and self.random.random() < 0.9 else None
            name = f"{self.random.randrange(10**6):06d}-{member_id}-{number}"
            yield Movement(name, member_id, kind, points, again, expires_at)

    @property
    def known(self) -> Programme:
        return Programme(
            self.versions, self.movements, AS_OF, ZONE, TIER_RANKS, self.aliases, POINT_VALUE, USAGE_TARGET
        )

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "company.yml").write_text(
            f"business_timezone: {ZONE.key}\ntimestamps_without_offset: UTC\n"
            f"point_value: {POINT_VALUE}\npoints_usage_target: {USAGE_TARGET}\n",
            encoding="utf-8",
        )
        write_rows(folder / "customers.csv", [{"customer_id": customer_id} for customer_id in self.customers])
        write_rows(folder / "customer_identities.csv", list(self._identities()))
        write_rows(folder / "memberships.csv", [vars(version) for version in self.versions])
        write_rows(folder / "points_transactions.csv", [vars(movement) for movement in self.movements])

    def _identities(self) -> Iterator[dict[str, Any]]:
        for alias, customer_id in self.aliases.items():
            system, source_id = alias.split(":")
            yield {
                "source_system": system,
                "source_id": source_id,
                "customer_id": customer_id,
                "recorded_at": datetime(2024, 10, 1),
            }


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows)


@pytest.fixture(scope="module")
def drawn() -> RandomProgramme:
    return RandomProgramme(20260315)


@pytest.fixture(scope="module")
def programme(drawn: RandomProgramme) -> Programme:
    return drawn.known


@pytest.fixture(scope="module")
def world(drawn: RandomProgramme, build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("raw") / "loyalty"
    drawn.write(folder)
    return build_world(folder, "loyalty", AS_OF, (*LOYALTY, *SELECTED))


COMPARED: dict[str, tuple[Callable[[Programme], pd.DataFrame], list[str], dict[str, list[str]]]] = {
    "memberships": (loyalty.memberships, ["member_id", "period_number"], {}),
    "tier_monthly": (loyalty.tier_monthly, ["month", "tier"], {"ratios": ["share"]}),
    "tier_transitions": (
        loyalty.tier_transitions,
        ["month", "from_tier", "to_tier"],
        {"ratios": ["share_of_from_tier"]},
    ),
    "points_movements": (loyalty.points_movements, ["points_transaction_id"], {}),
    "points_balances": (loyalty.points_balances, ["member_id"], {}),
    "points_monthly": (
        loyalty.points_monthly,
        ["month"],
        {"ratios": ["usage_rate", "usage_rate_12m", "breakage_rate"]},
    ),
    "points_liability": (
        loyalty.points_liability,
        ["expiry_bucket", "is_past_expiry"],
        {
            "ratios": ["expected_redemption_rate", "effective_members"],
        },
    ),
}


@pytest.mark.parametrize("mart", COMPARED)
def test_a_loyalty_mart_holds_what_the_definitions_give(world: World, programme: Programme, mart: str) -> None:
    compute, keys, rules = COMPARED[mart]
    assert_frames_equal(world.mart(mart), compute(programme), keys, name=mart, **rules)


def test_every_test_of_the_loyalty_marts_was_run_and_holds(world: World) -> None:
    checks = {name for name in world.statuses if name.startswith("assert_")}
    assert {"assert_points_are_all_accounted_for", "assert_tiers_hold_every_current_member"} <= checks
    assert set(world.statuses.values()) <= {"success", "pass"}


def test_the_random_programme_has_what_is_hard(world: World, programme: Programme) -> None:
    """Without these the comparison above would prove little."""
    movements = loyalty.points_movements(programme)
    assert movements.is_overdrawn.sum() > 50
    assert movements.duplicated(["member_id", "occurred_at"]).sum() > 50
    assert len(programme.movements) - len(movements) > 20
    periods = loyalty.memberships(programme)
    assert (periods.versions > 1).sum() > 20
    assert (periods.groupby("member_id").customer_id.nunique() > 1).sum() > 2
    transitions = loyalty.tier_transitions(programme)
    assert {"none", "closed"} <= {*transitions.from_tier, *transitions.to_tier}
    liability = loyalty.points_liability(programme)
    assert liability.is_past_expiry.any() and (liability.expiry_bucket == "no expiry").any()
    assert liability.expected_redemption_rate.notna().sum() > 5
    # the month of the as-of date has both
    assert liability.expiry_bucket.duplicated().any()


def test_marts_of_the_programme_are_empty_without_one(empty_world: World) -> None:
    marts = [*COMPARED, "programme_effect"]
    assert {mart: len(empty_world.mart(mart)) for mart in marts} == dict.fromkeys(marts, 0)
