"""Points as the shop's system books them, member by member.

An order earns a point per CNY, which can be used for expiry_days. Redemptions use the oldest points that have not
expired. What is left of a lot is booked as expired at two o'clock in the night after its date, for most lots: the
system misses some. A few redemptions, whose ids are in the truth, take more than there is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from .config import Config
from .orders import AS_OF_SECOND, Orders
from .random_streams import stream
from .tables import DAY_SECONDS, NONE

TYPES = ("earn", "redeem", "expire", "adjust")
EARN, REDEEM, EXPIRE, ADJUST = range(4)
_GOODWILL, _CORRECTION, _OVERDRAWN_BY = 50, 20, 50
_NIGHTLY_RUN = 2 * 3_600


@dataclass(frozen=True)
class Points:
    """Movements, sorted by time; integer arrays, times in local seconds.

    Attributes:
        person: the member.
        expires: of points that do, else NONE.
        order: place of the order, NONE for none.
        is_overdrawn: whether the movement makes the balance negative.
    """

    person: np.ndarray
    type: np.ndarray
    points: np.ndarray
    occurred: np.ndarray
    expires: np.ndarray
    order: np.ndarray
    is_overdrawn: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


# type, points, occurred, expires, order
_Row = tuple[int, int, int, int, int]


@dataclass
class _Lot:
    left: int
    expires: int
    is_booked: bool


@dataclass
class _Account:
    """The points of one member."""

    rows: list[_Row] = field(default_factory=list)
    lots: deque[_Lot] = field(default_factory=deque)

    @property
    def balance(self) -> int:
        return sum(row[1] for row in self.rows)

    def usable(self, now: int) -> int:
        return sum(lot.left for lot in self.lots if lot.expires > now)

    def add(self, type_: int, points: int, now: int, expires: int, order: int, is_booked: bool) -> None:
        self.rows.append((type_, points, now, NONE if expires > 2 * AS_OF_SECOND else expires, order))
        self.lots.append(_Lot(points, expires, is_booked))

    def use(self, type_: int, points: int, now: int, order: int) -> None:
        self.rows.append((type_, -points, now, NONE, order))
        for lot in self.lots:
            if lot.expires > now:
                taken = min(points, lot.left)
                lot.left -= taken
                points -= taken

    def expire(self, now: int) -> None:
        """Book what the nightly runs up to `now` find."""
        for lot in self.lots:
            run = (lot.expires // DAY_SECONDS + 1) * DAY_SECONDS + _NIGHTLY_RUN
            if lot.is_booked and lot.left and run <= now:
                self.rows.append((EXPIRE, -lot.left, run, NONE, NONE))
                lot.left = 0
        self.lots = deque(lot for lot in self.lots if lot.left and (lot.is_booked or lot.expires > now))


def draw_points(config: Config, chunk: int, orders: Orders, enrolled: np.ndarray, is_closed: np.ndarray) -> Points:
    """All movements up to the as-of date; `enrolled` in local seconds by person, NONE for who is no member."""
    parameters, random = config.programme, stream(config.seed, chunk, "points")
    rows = np.flatnonzero(orders.is_valid & (enrolled[orders.person] >= 0) & (orders.second > enrolled[orders.person]))
    rows = rows[np.lexsort((orders.second[rows], orders.person[rows]))]
    redeems = random.random(len(rows)) < parameters.redeem_share
    share = random.random(len(rows))
    is_booked = random.random(len(rows)) < parameters.expiry_booked_share
    members = np.flatnonzero(enrolled >= 0)
    adjusts = random.random(len(members)) < parameters.adjust_share
    adjusted_at = enrolled[members] + (random.random(len(members)) * (AS_OF_SECOND - enrolled[members])).astype(
        np.int64
    )
    is_goodwill = random.random(len(members)) < 0.6
    begins = np.searchsorted(orders.person[rows], members, side="left")
    ends = np.searchsorted(orders.person[rows], members, side="right")
    accounts: list[_Account] = []
    for place in range(len(members)):
        account = _Account()
        adjustment = (int(adjusted_at[place]), bool(is_goodwill[place])) if adjusts[place] else None
        for row in range(begins[place], ends[place]):
            order = int(rows[row])
            now = int(orders.second[order])
            if adjustment and adjustment[0] < now:
                _adjust(account, *adjustment)
                adjustment = None
            account.expire(now - 60)
            usable = account.usable(now - 30) // parameters.redeem_step
            if redeems[row] and usable:
                steps = 1 + int(share[row] * usable)
                account.use(REDEEM, steps * parameters.redeem_step, now - 30, order)
            earned = int(orders.amount[order]) // 100
            account.add(EARN, earned, now, now + parameters.expiry_days * DAY_SECONDS, order, bool(is_booked[row]))
        if adjustment:
            _adjust(account, *adjustment)
        account.expire(AS_OF_SECOND)
        accounts.append(account)
    overdrawn = _overdraw(config, random, accounts, is_closed[members])
    return _joined(members, accounts, overdrawn)


def _adjust(account: _Account, now: int, is_goodwill: bool) -> None:
    account.expire(now)
    if is_goodwill:
        # goodwill never expires
        account.add(ADJUST, _GOODWILL, now, 4 * AS_OF_SECOND, NONE, False)
    elif account.usable(now) >= _CORRECTION:
        account.use(ADJUST, _CORRECTION, now, NONE)


def _overdraw(config: Config, random: np.random.Generator, accounts: list[_Account], is_closed: np.ndarray) -> set[int]:
    """Take more than there is from a few accounts, after all else that happens to them."""
    chosen: set[int] = set()
    for place in random.permutation(len(accounts)):
        if len(chosen) == config.programme.overdrawn_per_chunk:
            break
        account = accounts[place]
        if is_closed[place] or not account.rows:
            continue
        now = max(row[2] for row in account.rows) + 3_600
        if account.balance > 0 and now <= AS_OF_SECOND:
            account.rows.append((REDEEM, -(account.balance + _OVERDRAWN_BY), now, NONE, NONE))
            chosen.add(int(place))
    return chosen


def _joined(members: np.ndarray, accounts: list[_Account], overdrawn: set[int]) -> Points:
    numbers = [len(account.rows) for account in accounts]
    values = np.array([row for account in accounts for row in account.rows], dtype=np.int64).reshape(-1, 5)
    person = np.repeat(members, numbers)
    is_overdrawn = np.zeros(len(person), dtype=bool)
    ends = np.cumsum(numbers, dtype=np.int64)
    for place in overdrawn:
        is_overdrawn[ends[place] - 1] = True
    order = np.lexsort((person, values[:, 2]))
    type_, points, occurred, expires, shop_order = values[order].T
    return Points(person[order], type_, points, occurred, expires, shop_order, is_overdrawn[order])
