"""Memberships, tiers and points of a loyalty programme, one moment, one movement and one queue at a time."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import ceil, inf, sqrt
from statistics import NormalDist
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from oracle.business_days import add_months, business_day, last_day_of_month, month_of, months_from_to

ZERO = Decimal(0)
DIRECTIONS = {"earned": "earn", "redeemed": "redeem", "expired": "expire", "adjusted": "adjust"}


def share(part: Decimal | int, whole: Decimal | int) -> float | None:
    """A part of a whole; None where there is nothing to take a part of."""
    return float(part) / float(whole) if whole else None


@dataclass(frozen=True)
class Version:
    """A version of a membership as the raw table has it; moments in UTC without an offset."""

    member_id: str
    customer_id: str
    enrolled_at: datetime
    tier: str
    status: str | None
    updated_at: datetime


@dataclass(frozen=True)
class Movement:
    """A movement of points as the raw table has it; moments in UTC without an offset."""

    points_transaction_id: str
    member_id: str
    type: str
    points: Decimal
    occurred_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class Programme:
    """Everything that is known of a loyalty programme by the end of a day.

    Attributes:
        aliases: customers for whom other ids stand.
        point_value: worth of a point.
        usage_target: share of issued points that should be redeemed.
    """

    versions: Sequence[Version]
    movements: Sequence[Movement]
    as_of: date
    zone: ZoneInfo
    tier_ranks: Mapping[str, int]
    aliases: Mapping[str, str] = field(default_factory=dict)
    point_value: Decimal = Decimal("0.01")
    usage_target: float = 0.5

    def day(self, moment: datetime) -> date:
        found = business_day(moment, self.zone)
        assert found is not None
        return found

    def end_of(self, day: date) -> datetime:
        """The first moment in UTC after a business day."""
        local = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)

    @property
    def versions_of(self) -> dict[str, list[Version]]:
        """What is known of each member by the as-of date."""
        found: dict[str, list[Version]] = defaultdict(list)
        for version in self.versions:
            if max(self.day(version.updated_at), self.day(version.enrolled_at)) <= self.as_of:
                found[version.member_id].append(version)
        return dict(found)

    @property
    def known_movements(self) -> dict[str, list[Movement]]:
        """The movements of each member by the as-of date, in order: at one moment what leaves comes first."""
        found: dict[str, list[Movement]] = defaultdict(list)
        for movement in self.movements:
            if self.day(movement.occurred_at) <= self.as_of:
                found[movement.member_id].append(movement)
        for movements in found.values():
            movements.sort(key=lambda each: (each.occurred_at, each.points >= 0, each.points_transaction_id))
        return dict(found)

    def customer_of(self, version: Version) -> str:
        return self.aliases.get(version.customer_id, version.customer_id)

    def customers(self) -> dict[str, str]:
        """The customer of each member on the as-of date."""
        end = self.end_of(self.as_of)
        held = {member: holding(versions, end) for member, versions in self.versions_of.items()}
        return {member: self.customer_of(version) for member, version in held.items() if version}


def holding(versions: Iterable[Version], before: datetime) -> Version | None:
    """The version that holds just before a moment: the newest of those written, and about an enrolment, by then."""
    effective = [version for version in versions if max(version.updated_at, version.enrolled_at) < before]
    return max(effective, key=lambda version: version.updated_at, default=None)


def memberships(programme: Programme) -> pd.DataFrame:
    """One row per member and period, by asking at each moment at which something may change what holds."""
    rows = []
    for member_id, versions in programme.versions_of.items():
        moments = sorted({max(version.updated_at, version.enrolled_at) for version in versions})
        periods: list[dict[str, Any]] = []
        for moment in moments:
            version = holding(versions, moment + timedelta(microseconds=1))
            assert version is not None
            facts = {
                "customer_id": programme.customer_of(version),
                "tier": version.tier,
                "tier_rank": programme.tier_ranks[version.tier],
                "status": version.status or "active",
                "enrolled_on": programme.day(version.enrolled_at),
            }
            if periods and all(periods[-1][name] == value for name, value in facts.items()):
                periods[-1]["held"].add(version.updated_at)
                continue
            if periods:
                periods[-1]["valid_to"] = moment
            periods.append({"valid_from": moment, "valid_to": None, "held": {version.updated_at}, **facts})
        for number, period in enumerate(periods, start=1):
            versions_held = len(period.pop("held"))
            ends = period["valid_to"]
            rows.append(
                {
                    "member_id": member_id,
                    "period_number": number,
                    "valid_from_on": programme.day(period["valid_from"]),
                    "valid_to_on": programme.day(ends) if ends else None,
                    "is_current": ends is None,
                    "versions": versions_held,
                    **period,
                }
            )
    return pd.DataFrame(rows, dtype=object)


def programme_months(programme: Programme) -> list[date]:
    """The months from the first membership or movement to the as-of date."""
    days = [
        programme.day(max(version.updated_at, version.enrolled_at))
        for versions in programme.versions_of.values()
        for version in versions
    ]
    days += [programme.day(move.occurred_at) for moves in programme.known_movements.values() for move in moves]
    return months_from_to(min(days), programme.as_of) if days else []


def tiers_on(programme: Programme, day: date) -> dict[str, str]:
    """The tier of each customer with an open membership at the end of a day."""
    found: dict[str, list[Version]] = defaultdict(list)
    for versions in programme.versions_of.values():
        version = holding(versions, programme.end_of(day))
        if version and (version.status or "active") == "active":
            found[programme.customer_of(version)].append(version)
    chosen = {}
    for customer_id, versions in found.items():
        latest = max(version.updated_at for version in versions)
        chosen[customer_id] = min((v for v in versions if v.updated_at == latest), key=lambda v: v.member_id).tier
    return chosen


def tier_moves(programme: Programme) -> dict[date, Counter[tuple[str, str]]]:
    """By month the customers of each pair of tiers: at the end of the month before, and of it or on the as-of date."""
    before: dict[str, str] = {}
    moves = {}
    for month in programme_months(programme):
        after = tiers_on(programme, min(last_day_of_month(month), programme.as_of))
        everybody = before.keys() | after.keys()
        moves[month] = Counter((before.get(each, "none"), after.get(each, "closed")) for each in everybody)
        before = after
    return moves


def tier_transitions(programme: Programme) -> pd.DataFrame:
    rows = []
    for month, moves in tier_moves(programme).items():
        for (from_tier, to_tier), customers in moves.items():
            base = None
            if from_tier != "none":
                base = sum(count for (tier, _), count in moves.items() if tier == from_tier)
            rows.append(
                {
                    "month": month,
                    "from_tier": from_tier,
                    "to_tier": to_tier,
                    "customers": customers,
                    "from_customers": base,
                    "share_of_from_tier": None if base is None else share(customers, base),
                    "is_complete": last_day_of_month(month) <= programme.as_of,
                }
            )
    return pd.DataFrame(rows, dtype=object)


def tier_monthly(programme: Programme) -> pd.DataFrame:
    rows = []
    for month, moves in tier_moves(programme).items():
        everybody = sum(count for (_, to_tier), count in moves.items() if to_tier != "closed")
        for tier, rank in programme.tier_ranks.items():
            others = [other for other in programme.tier_ranks if other != tier]
            members = sum(count for (_, to_tier), count in moves.items() if to_tier == tier)
            rows.append(
                {
                    "month": month,
                    "tier": tier,
                    "tier_rank": rank,
                    "members_before": sum(count for (from_tier, _), count in moves.items() if from_tier == tier),
                    "joined": moves["none", tier],
                    "moved_in": sum(moves[other, tier] for other in others),
                    "moved_out": sum(moves[tier, other] for other in others),
                    "members_left": moves[tier, "closed"],
                    "members": members,
                    "all_members": everybody,
                    "share": share(members, everybody),
                    "is_complete": last_day_of_month(month) <= programme.as_of,
                }
            )
    return pd.DataFrame(rows, dtype=object)


def points_movements(programme: Programme) -> pd.DataFrame:
    customers = programme.customers()
    rows = []
    for member_id, movements in programme.known_movements.items():
        balance = ZERO
        for number, movement in enumerate(movements, start=1):
            missing = max(-(balance + movement.points), ZERO) - max(-balance, ZERO)
            balance += movement.points
            rows.append(
                {
                    "points_transaction_id": movement.points_transaction_id,
                    "member_id": member_id,
                    "customer_id": customers.get(member_id),
                    "type": movement.type,
                    "points": movement.points,
                    "occurred_at": movement.occurred_at,
                    "occurred_on": programme.day(movement.occurred_at),
                    "expires_on": _expiry_day(programme, movement),
                    "movement_number": number,
                    "balance_after": balance,
                    "is_overdrawn": missing > 0,
                    "overdrawn_points": max(missing, ZERO),
                }
            )
    return pd.DataFrame(rows, dtype=object)


def _expiry_day(programme: Programme, movement: Movement) -> date | None:
    return programme.day(movement.expires_at) if movement.points > 0 and movement.expires_at else None


@dataclass
class Lot:
    """Points that came at once, those that are left of them, and what became of the others: (movement, points)."""

    movement: Movement
    left: Decimal
    uses: list[tuple[Movement, Decimal]] = field(default_factory=list)


def lots_of(movements: Sequence[Movement]) -> tuple[list[Lot], Decimal]:
    """The lots of one member after all movements, oldest first, and what the member owes."""
    lots: list[Lot] = []
    queue: deque[Lot] = deque()
    debts: deque[list[Any]] = deque()
    for movement in movements:
        if movement.points > 0:
            lot = Lot(movement, movement.points)
            lots.append(lot)
            while debts and lot.left > 0:
                _use(lot, debts)
            if lot.left > 0:
                queue.append(lot)
        elif movement.points < 0:
            debts.append([movement, -movement.points])
            while queue and debts:
                _use(queue[0], debts)
                if queue[0].left == 0:
                    queue.popleft()
    return lots, sum((debt for _, debt in debts), ZERO)


def _use(lot: Lot, debts: deque[list[Any]]) -> None:
    movement, wanted = debts[0]
    taken = min(lot.left, wanted)
    lot.left -= taken
    lot.uses.append((movement, taken))
    debts[0][1] -= taken
    if debts[0][1] == 0:
        debts.popleft()


def points_balances(programme: Programme) -> pd.DataFrame:
    customers, movements = programme.customers(), programme.known_movements
    rows = []
    for member_id in customers.keys() | movements.keys():
        moves = movements.get(member_id, [])
        lots, owed = lots_of(moves)
        by_type = {
            kind: sum((move.points for move in moves if move.type == kind), ZERO) for kind in DIRECTIONS.values()
        }
        past = sum((lot.left for lot in lots if _is_past(programme, lot, programme.as_of)), ZERO)
        outstanding = sum((lot.left for lot in lots), ZERO) - past - owed
        left = [(_days_to_expiry(programme, lot), lot.left) for lot in lots]

        def expiring(first: float, last: float, left: list[tuple[int | None, Decimal]] = left) -> Decimal:
            return sum((points for days, points in left if days is not None and first <= days <= last), ZERO)

        rows.append(
            {
                "member_id": member_id,
                "customer_id": customers.get(member_id),
                "movements": len(moves),
                "last_movement_on": programme.day(moves[-1].occurred_at) if moves else None,
                "points_issued": by_type["earn"],
                "points_redeemed": -by_type["redeem"],
                "points_expired": -by_type["expire"],
                "points_adjusted": by_type["adjust"],
                "points_outstanding": outstanding,
                "overdrawn_points": owed,
                "points_past_expiry": past,
                "points_expiring_30d": expiring(1, 30),
                "points_expiring_90d": expiring(1, 90),
                "points_expiring_later": expiring(91, inf),
                "points_without_expiry": sum((points for days, points in left if days is None), ZERO),
                "liability_amount": _money(outstanding * programme.point_value),
            }
        )
    return pd.DataFrame(rows, dtype=object)


def _is_past(programme: Programme, lot: Lot, day: date) -> bool:
    expires_on = _expiry_day(programme, lot.movement)
    return expires_on is not None and expires_on <= day


def _days_to_expiry(programme: Programme, lot: Lot) -> int | None:
    expires_on = _expiry_day(programme, lot.movement)
    return None if expires_on is None else (expires_on - programme.as_of).days


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


def points_monthly(programme: Programme) -> pd.DataFrame:
    moves = [
        (month_of(programme.day(move.occurred_at)), move.type, move.points)
        for movements in programme.known_movements.values()
        for move in movements
    ]

    def moved(name: str, first: date, last: date) -> Decimal:
        sign = -1 if name in ("redeemed", "expired") else 1
        return sign * sum((p for month, kind, p in moves if kind == DIRECTIONS[name] and first <= month <= last), ZERO)

    rows = []
    for month in programme_months(programme):
        year = add_months(month, -11)
        to_date = {name: moved(name, date.min, month) for name in DIRECTIONS}
        past = _past_expiry(programme, min(last_day_of_month(month), programme.as_of))
        outstanding = sum((points for each, _, points in moves if each <= month), ZERO) - past
        usage = share(to_date["redeemed"], to_date["earned"])
        rows.append(
            {
                "month": month,
                **{f"points_{name}": moved(name, month, month) for name in DIRECTIONS},
                "points_outstanding": outstanding,
                "points_past_expiry": past,
                **{f"points_{name}_to_date": points for name, points in to_date.items()},
                "points_earned_12m": moved("earned", year, month),
                "points_redeemed_12m": moved("redeemed", year, month),
                "usage_rate": usage,
                "usage_rate_12m": share(moved("redeemed", year, month), moved("earned", year, month)),
                "breakage_rate": share(to_date["expired"], to_date["earned"]),
                "liability_amount": _money(outstanding * programme.point_value),
                "is_below_target": None if usage is None else usage < programme.usage_target,
                "is_complete": last_day_of_month(month) <= programme.as_of,
            }
        )
    return pd.DataFrame(rows, dtype=object)


def _past_expiry(programme: Programme, day: date) -> Decimal:
    """Points that are past their day at the end of `day`, from the movements that were known then alone."""
    points = ZERO
    for movements in programme.known_movements.values():
        lots, _ = lots_of([move for move in movements if programme.day(move.occurred_at) <= day])
        points += sum((lot.left for lot in lots if _is_past(programme, lot, day)), ZERO)
    return points


State = tuple[int, int]
PERIOD = 30


@dataclass
class Followed:
    """Points of one member in one state on one day of the past, and what became of them after so many periods."""

    member_id: str
    points: Decimal
    periods: int
    outcome: str


def _state(programme: Programme, movements: Sequence[Movement], expires_on: date, day: date) -> State:
    """How long the member had been quiet at the end of `day`, and the periods that were left, a begun one counted."""
    active = [programme.day(move.occurred_at) for move in movements if move.type in ("earn", "redeem")]
    quiet = min(((day - each).days for each in active if each <= day), default=9_999)
    return next(band for band, most in ((1, 30), (2, 90), (3, 180), (4, inf)) if quiet <= most), ceil(
        (expires_on - day).days / PERIOD
    )


def _past_of(programme: Programme) -> dict[State, list[Followed]]:
    """Every state in which points have been, by walking each lot's points from one end of a period to the next."""
    found: dict[State, list[Followed]] = defaultdict(list)
    for member_id, movements in programme.known_movements.items():
        for lot in lots_of(movements)[0]:
            expires_on, came = _expiry_day(programme, lot.movement), programme.day(lot.movement.occurred_at)
            if expires_on is None:
                continue
            ends: list[tuple[date | None, str, Decimal]] = [(None, "", lot.left)]
            ends += [(max(programme.day(use.occurred_at), came), use.type, points) for use, points in lot.uses]
            for went, kind, points in ends:
                outcome = "redeemed" if kind == "redeem" else "taken"
                if went is None or went > expires_on:
                    went, outcome = (expires_on, "expired") if expires_on <= programme.as_of else (None, "open")
                day = programme.as_of - timedelta(days=PERIOD)
                while day >= came and points > 0:
                    if went is None or went > day:
                        state = _state(programme, movements, expires_on, day)
                        # open points are known to have been there to the as-of date, at which a period ends
                        periods = ceil(((went or programme.as_of) - day).days / PERIOD)
                        found[state].append(Followed(member_id, points, periods, outcome))
                    day -= timedelta(days=PERIOD)
    return found


def _limit(past: Mapping[State, Sequence[Followed]], state: State) -> float | None:
    """The share of points in a state that is redeemed, period by period of what is left of them."""
    there, redeemed = 1.0, 0.0
    for period in range(1, state[1] + 1):
        shares = _shares(past.get(state, []), period)
        if shares is None:
            left = state[1] - period
            alike = [_at_period(followed, periods - left) for (_, periods), followed in past.items() if periods > left]
            there_of, redeemed_of, taken_of = (sum((counts[n] for counts in alike), ZERO) for n in range(3))
            shares = _ratios((there_of, redeemed_of, taken_of))
        if shares is None:
            return None
        redeemed += there * shares[0]
        there = max(there * (1 - shares[0] - shares[1]), 0.0)
    return min(redeemed, 1.0)


def _at_period(followed: Sequence[Followed], period: int) -> tuple[Decimal, Decimal, Decimal]:
    """Points at risk in a period, those redeemed in it and those taken in it."""
    there = sum((each.points for each in followed if each.periods >= period), ZERO)
    gone = [each for each in followed if each.periods == period]
    redeemed = sum((each.points for each in gone if each.outcome == "redeemed"), ZERO)
    return there, redeemed, sum((each.points for each in gone if each.outcome == "taken"), ZERO)


def _shares(followed: Sequence[Followed], period: int) -> tuple[float, float] | None:
    return _ratios(_at_period(followed, period))


def _ratios(counts: tuple[Decimal, Decimal, Decimal]) -> tuple[float, float] | None:
    there, redeemed, taken = counts
    return (float(redeemed / there), float(taken / there)) if there else None


def _alike(points: Iterable[tuple[str, float]]) -> float:
    """Members with equally many points who would tell as much (Kish)."""
    by_member: dict[str, float] = defaultdict(float)
    for member_id, each in points:
        by_member[member_id] += each
    squares = sum(each * each for each in by_member.values())
    return sum(by_member.values()) ** 2 / squares if squares else 1.0


def _wilson(share_: float, number: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.975)
    middle, root = share_ + z * z / (2 * number), share_ * (1 - share_) / number + (z / number) ** 2 / 4
    half, scale = z * sqrt(root), 1 + z * z / number
    return (middle - half) / scale, (middle + half) / scale


def _expected(
    programme: Programme, past: Mapping[State, Sequence[Followed]], open_lots: Sequence[tuple[str, Lot]]
) -> tuple[float, float, tuple[float, float]] | None:
    """The share of open lots that will be redeemed, the members who tell as much, and the interval; None if unknown."""
    moves = programme.known_movements
    by_member: dict[str, list[tuple[float, float]]] = defaultdict(list)
    known: dict[State, tuple[float | None, float]] = {}
    error = 0.0
    for member_id, lot in open_lots:
        expires_on = _expiry_day(programme, lot.movement)
        if expires_on is None:
            return None
        state = _state(programme, moves[member_id], expires_on, programme.as_of)
        if state not in known:
            like_it = _alike((each.member_id, float(each.points)) for each in past.get(state, []))
            known[state] = _limit(past, state), like_it
        rate, like_it = known[state]
        if rate is None:
            return None
        by_member[member_id].append((float(lot.left), float(lot.left) * rate))
        error += float(lot.left) * sqrt(rate * (1 - rate) / like_it)
    totals = {member: tuple(map(sum, zip(*each, strict=True))) for member, each in by_member.items()}
    points, redeemed = (sum(total[n] for total in totals.values()) for n in (0, 1))
    variance = error**2 + sum(gone * max(had - gone, 0.0) for had, gone in totals.values())
    number = _alike((member, total[0]) for member, total in totals.items())
    if variance > 0:
        number = redeemed * (points - redeemed) / variance
    return redeemed / points, number, _wilson(redeemed / points, number)


def points_liability(programme: Programme) -> pd.DataFrame:
    lots = [(member, lot) for member, moves in programme.known_movements.items() for lot in lots_of(moves)[0]]
    settled = [lot for _, lot in lots if _is_past(programme, lot, programme.as_of)]
    buckets: dict[tuple[str, bool, date | None], list[tuple[str, Lot]]] = defaultdict(list)
    for member, lot in lots:
        if lot.left > 0:
            expires_on = _expiry_day(programme, lot.movement)
            name = "no expiry" if expires_on is None else f"{expires_on:%Y-%m}"
            is_past = _is_past(programme, lot, programme.as_of)
            buckets[name, is_past, expires_on and month_of(expires_on)].append((member, lot))
    past = _past_of(programme)
    rows = []
    for (name, is_past, month), open_lots in buckets.items():
        left = sum((lot.left for _, lot in open_lots), ZERO)
        outstanding = ZERO if is_past else left
        there, redeemed = _fate(programme, settled, month)
        found = None if is_past else _expected(programme, past, open_lots)
        shares = (0.0, 0.0, 0.0) if is_past else found and (found[0], *found[2])
        points = None if shares is None else [_money(outstanding * Decimal(each)) for each in shares]
        amounts = None if points is None else [_money(each * programme.point_value) for each in points]
        ends = ("", "_low", "_high")
        rows.append(
            {
                "expiry_bucket": name,
                "is_past_expiry": is_past,
                "expiry_month": month,
                "lots": len(open_lots),
                "outstanding_points": outstanding,
                "past_expiry_points": left - outstanding,
                "expected_redemption_rate": found and found[0],
                "effective_members": found and found[1],
                **{f"expected_redeemed_points{end}": points and points[n] for n, end in enumerate(ends)},
                "expected_breakage_points": None if points is None else outstanding - points[0],
                "liability_amount": _money(outstanding * programme.point_value),
                **{f"expected_liability_amount{end}": amounts and amounts[n] for n, end in enumerate(ends)},
                "settled_points": there or None,
                "settled_redeemed_points": redeemed if there else None,
            }
        )
    return pd.DataFrame(rows, dtype=object)


def _fate(programme: Programme, settled: Sequence[Lot], month: date | None) -> tuple[Decimal, Decimal]:
    """Points of settled lots that were there as long before the end of their month as it is to that of `month`.

    Returns them, and those of them that were redeemed after.
    """
    if month is None:
        return ZERO, ZERO
    days_left = timedelta(days=max((last_day_of_month(month) - programme.as_of).days, 0))
    there = redeemed = ZERO
    for lot in settled:
        expires_on = _expiry_day(programme, lot.movement)
        assert expires_on is not None
        looked_at_on = last_day_of_month(expires_on) - days_left
        if programme.day(lot.movement.occurred_at) > looked_at_on:
            continue
        later = [(use, points) for use, points in lot.uses if programme.day(use.occurred_at) > looked_at_on]
        there += lot.left + sum((points for _, points in later), ZERO)
        redeemed += sum((points for use, points in later if use.type == "redeem"), ZERO)
    return there, redeemed
