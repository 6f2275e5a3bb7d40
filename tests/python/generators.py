"""Random companies as raw rows, made to sit on the edges of the definitions.

One body, `draw_company`, asks a `Choices` for every decision. Hypothesis answers in property tests (and can then
shrink); NumPy answers where size or speed matters. Days fall on month ends, leap days, changes of the clock and the
borders of the windows before the as-of date more often than chance would have it; clocks fall on local midnight.
"""

import csv
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Option = TypeVar("Option")
Rows = list[dict[str, Any]]

CUSTOMER_COLUMNS = [
    "customer_id",
    "registered_at",
    "birth_date",
    "gender",
    "region",
    "income_band",
    "acquisition_channel",
    "country",
]
ORDER_COLUMNS = [
    "order_id",
    "customer_id",
    "ordered_at",
    "status",
    "order_amount",
    "cost_amount",
    "refund_amount",
    "refunded_at",
    "shipping_amount",
    "tax_amount",
    "channel",
    "store_id",
]
ORDER_ITEM_COLUMNS = ["order_id", "line_number", "product_id", "quantity", "line_amount"]
PRODUCT_COLUMNS = ["product_id", "category"]

# how far before the as-of date a first purchase likes to be: the borders of every window and horizon
DAYS_BEFORE = (0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 179, 180, 181, 364, 365, 366)
# days to the next purchase: the same day, the borders of horizons and lapses, a long pause
GAPS = (0, 1, 7, 29, 30, 31, 60, 90, 91, 179, 180, 181, 210, 364, 365, 366, 500)
CLOCKS = (time(0, 0), time(23, 59, 59), time(23, 59, 59, 999999), time(12, 0), time(8, 30))
# amounts that tie, that are nothing, and that sit on the border of a high-value customer
AMOUNTS = tuple(Decimal(text) for text in ("0.00", "0.01", "19.99", "20.00", "20.00", "99.95", "4999.99", "5000.00"))
# two of a category, and one without
PRODUCTS = (
    {"product_id": "bag", "category": "bags"},
    {"product_id": "boot", "category": "shoes"},
    {"product_id": "sandal", "category": "shoes"},
    {"product_id": "gift", "category": None},
)
LINE_AMOUNTS = tuple(Decimal(text) for text in ("0.00", "10.00", "10.00", "20.00"))
STATUSES = ("placed", "paid", "shipped", "completed")
COMPANY_SIZES = (0, 1, 2, 5, 12, 30, 30, 60)


class Choices(Protocol):
    """Where a random company gets its decisions from."""

    def one_of(self, options: Sequence[Option]) -> Option: ...

    def integer(self, lowest: int, highest: int) -> int: ...


@dataclass(frozen=True)
class HypothesisChoices:
    """Decisions drawn by Hypothesis."""

    draw: Callable[[st.SearchStrategy], Any]

    def one_of(self, options: Sequence[Option]) -> Option:
        return self.draw(st.sampled_from(options))

    def integer(self, lowest: int, highest: int) -> int:
        return self.draw(st.integers(lowest, highest))


@dataclass(frozen=True)
class NumpyChoices:
    """Decisions drawn from a seeded NumPy generator."""

    generator: np.random.Generator

    def one_of(self, options: Sequence[Option]) -> Option:
        return options[int(self.generator.integers(len(options)))]

    def integer(self, lowest: int, highest: int) -> int:
        return int(self.generator.integers(lowest, highest + 1))


@dataclass(frozen=True)
class Calendar:
    """When and where random companies live: the as-of date, the business time zone, days on which its clock changes."""

    as_of: date
    business_timezone: str = "UTC"
    clock_changes: tuple[date, ...] = ()

    def utc(self, day: date, clock: time) -> datetime:
        """The moment at which clocks in the business time zone show `clock` on `day`, as UTC without an offset."""
        local = datetime.combine(day, clock, tzinfo=ZoneInfo(self.business_timezone))
        return local.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Company:
    """Raw rows of one company: moments are UTC without an offset, money is Decimal, null is None."""

    customers: Rows = field(default_factory=list)
    orders: Rows = field(default_factory=list)
    order_items: Rows = field(default_factory=list)

    @property
    def customers_frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.customers, columns=CUSTOMER_COLUMNS, dtype=object)

    @property
    def orders_frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.orders, columns=ORDER_COLUMNS, dtype=object)

    @property
    def order_items_frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.order_items, columns=ORDER_ITEM_COLUMNS, dtype=object)

    @property
    def products_frame(self) -> pd.DataFrame:
        return pd.DataFrame(PRODUCTS, columns=PRODUCT_COLUMNS, dtype=object)


def companies(
    calendar: Calendar, region: str = "r", sizes: Sequence[int] = COMPANY_SIZES
) -> st.SearchStrategy[Company]:
    """Strategy for random companies, all of one region."""

    @st.composite
    def company(draw: Callable[[st.SearchStrategy], Any]) -> Company:
        return draw_company(HypothesisChoices(draw), calendar, region, sizes)

    return company()


def random_company(number: int, calendar: Calendar, region: str = "r", sizes: Sequence[int] = COMPANY_SIZES) -> Company:
    """The random company of this number: the same number gives the same company."""
    return draw_company(NumpyChoices(np.random.default_rng(number)), calendar, region, sizes)


def collect_companies(count: int, calendar: Calendar, number: int) -> list[Company]:
    """`count` companies as Hypothesis draws them, one region each (`r00`, `r01`, ...); the same number, the same ones.

    A build takes too long for one per example, so one Hypothesis run gathers its examples and one build holds them all.
    A single example that is a list of companies would not do: the first example Hypothesis tries is the simplest there
    is, here a list of empty companies. `.example()` is for the prompt only and is not reproducible.
    """
    gathered: list[Company] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(companies(calendar))
    def gather(company: Company) -> None:
        gathered.append(company)

    gather()
    return [in_region(company, f"r{place:02d}") for place, company in enumerate(gathered[:count])]


def in_region(company: Company, region: str) -> Company:
    """The same company in another region, with the region before every id."""

    def prefixed(rows: Rows, *ids: str) -> Rows:
        return [row | {name: f"{region}-{row[name]}" for name in ids} for row in rows]

    customers = [
        row | {"region": None if row["region"] is None else region}
        for row in prefixed(company.customers, "customer_id")
    ]
    return Company(
        customers, prefixed(company.orders, "order_id", "customer_id"), prefixed(company.order_items, "order_id")
    )


def join_companies(parts: Iterable[Company]) -> Company:
    """One company with the rows of all; their ids must differ."""
    parts = list(parts)
    return Company(
        [row for part in parts for row in part.customers],
        [row for part in parts for row in part.orders],
        [row for part in parts for row in part.order_items],
    )


def draw_company(choices: Choices, calendar: Calendar, region: str, sizes: Sequence[int] = COMPANY_SIZES) -> Company:
    """A random company of one of the sizes (customers), its ids unique within it."""
    company = Company()
    for place in range(choices.one_of(sizes)):
        _add_customer(company, f"c{place:03d}", choices, calendar, region)
    return company


def _add_customer(company: Company, customer_id: str, choices: Choices, calendar: Calendar, region: str) -> None:
    kind = choices.one_of(("member", "member", "member", "member", "guest", "unregistered", "late"))
    is_prospect = kind != "guest" and choices.one_of((False, False, False, False, True))
    orders = [] if is_prospect else _draw_orders(customer_id, choices, calendar)
    company.orders.extend(orders)
    for order in orders:
        company.order_items.extend(_order_items(order["order_id"]))
    if kind == "guest":
        return
    company.customers.append(
        {
            "customer_id": customer_id,
            "registered_at": _draw_registration(kind, orders, choices, calendar),
            "birth_date": choices.one_of((None, date(2000, 2, 29), date(1959, 12, 31), *_birthdays(calendar.as_of))),
            "gender": choices.one_of((None, "female", "male", "other", "unknown")),
            "region": choices.one_of((region, region, region, region, None)),
            "income_band": choices.one_of((None, "low", "high")),
            "acquisition_channel": choices.one_of((None, "store", "web")),
            "country": _spun((None, "CN", "CN", "SG"), f"country of {customer_id}"),
        }
    )


def _birthdays(as_of: date) -> list[date]:
    """Whoever turned 25 on the as-of date (or on the 28th), and those a day or two younger."""
    day = as_of.replace(year=as_of.year - 25, day=min(as_of.day, 28))
    return [day + timedelta(days=days) for days in range(3)]


def _draw_registration(kind: str, orders: Rows, choices: Choices, calendar: Calendar) -> datetime | None:
    if kind == "unregistered":
        return None
    if kind == "late":
        # the last moment that is in time, the first that is not, and well after
        days_late, clock = choices.one_of(((0, time(23, 59, 59, 999999)), (1, time(0, 0)), (20, time(12, 0))))
        return calendar.utc(calendar.as_of + timedelta(days=days_late), clock)
    if orders and choices.one_of((True, False)):
        return orders[0]["ordered_at"] + timedelta(hours=choices.one_of((-1, 0, 1, 24 * 40)))
    return calendar.utc(_draw_day(choices, calendar), choices.one_of(CLOCKS))


def _draw_orders(customer_id: str, choices: Choices, calendar: Calendar) -> Rows:
    day = _draw_day(choices, calendar)
    rows: Rows = []
    for number in range(choices.one_of((1, 1, 1, 2, 2, 3, 4, 5, 9))):
        if number:
            day += timedelta(days=choices.one_of((*GAPS, choices.integer(1, 60), choices.integer(1, 60))))
        if day > calendar.as_of + timedelta(days=60):
            break
        rows.append(_draw_order(f"{customer_id}-{number}", customer_id, day, choices, calendar))
    return rows


def _draw_day(choices: Choices, calendar: Calendar) -> date:
    """A day in the 26 months before the as-of date, or just after it."""
    special = (
        *(calendar.as_of - timedelta(days=days) for days in DAYS_BEFORE),
        calendar.as_of + timedelta(days=1),
        *_month_borders(calendar.as_of),
        *calendar.clock_changes,
    )
    if choices.one_of((True, False)):
        return choices.one_of(special)
    return calendar.as_of - timedelta(days=choices.integer(0, 790))


def _month_borders(as_of: date) -> list[date]:
    """Last days of the months of the 18 months before `as_of`, and the days after them: leap days are among them."""
    firsts = pd.date_range(end=as_of, periods=18, freq="MS")
    return [each.date() - timedelta(days=back) for each in firsts for back in (0, 1)]


def _draw_order(order_id: str, customer_id: str, day: date, choices: Choices, calendar: Calendar) -> dict[str, Any]:
    amount = choices.one_of((*AMOUNTS, Decimal(choices.integer(1, 30_000)) / 100))
    fate = choices.one_of(FATES)
    order = {
        "order_id": order_id,
        "customer_id": customer_id,
        "ordered_at": calendar.utc(day, choices.one_of(CLOCKS)),
        "status": choices.one_of(STATUSES),
        "order_amount": amount,
        "cost_amount": choices.one_of((None, None, Decimal("0.00"), Decimal("12.34"))),
        "refund_amount": None,
        "refunded_at": None,
        "shipping_amount": None,
        "tax_amount": None,
        "channel": _spun((None, "store", "web", "app"), f"channel of {order_id}"),
        "store_id": _spun((None, "s1", "s2", "s3", "s4"), f"store of {order_id}"),
    }
    return order | fate(order, day, calendar)


def _order_items(order_id: str) -> Rows:
    """None to three lines, the last first, with amounts that are often equal."""
    return [
        {
            "order_id": order_id,
            "line_number": number,
            "product_id": _spun((*(row["product_id"] for row in PRODUCTS), "never listed"), f"{number} of {order_id}"),
            "quantity": Decimal(1),
            "line_amount": _spun(LINE_AMOUNTS, f"amount of {number} of {order_id}"),
        }
        for number in range(_spun((0, 1, 2, 3), f"lines of {order_id}"), 0, -1)
    ]


def _spun(options: Sequence[Option], name: str) -> Option:
    """An option that the name alone decides: it takes no decision away from what is drawn after it."""
    return options[zlib.crc32(name.encode()) % len(options)]


Fate = Callable[[dict[str, Any], date, Calendar], dict[str, Any]]


def _refunded(share: str, when: Callable[[date, Calendar], datetime | None], status: str = "returned") -> Fate:
    def fate(order: dict[str, Any], day: date, calendar: Calendar) -> dict[str, Any]:
        refund = (order["order_amount"] * Decimal(share)).quantize(Decimal("0.01"))
        return {"status": status, "refund_amount": refund, "refunded_at": when(day, calendar)}

    return fate


def _kept(_order: dict[str, Any], _day: date, _calendar: Calendar) -> dict[str, Any]:
    return {}


def _with_status(status: str) -> Fate:
    return lambda _order, _day, _calendar: {"status": status}


def _paid_back_more(order: dict[str, Any], day: date, calendar: Calendar) -> dict[str, Any]:
    return {"refund_amount": order["order_amount"] + Decimal("5.00"), "refunded_at": _soon(day, calendar)}


def _nothing_paid_back(_order: dict[str, Any], day: date, calendar: Calendar) -> dict[str, Any]:
    return {"refund_amount": Decimal("0.00"), "refunded_at": _soon(day, calendar)}


def _soon(day: date, calendar: Calendar) -> datetime:
    return calendar.utc(day + timedelta(days=3), time(10, 0))


def _just_in_time(day: date, calendar: Calendar) -> datetime:
    return calendar.utc(max(day, calendar.as_of), time(23, 59, 59, 999999))


def _just_too_late(day: date, calendar: Calendar) -> datetime:
    return calendar.utc(max(day, calendar.as_of) + timedelta(days=1), time(0, 0))


def _returned_but_for(left: str) -> Fate:
    """What is left is shipping and tax, of 3.00 together, and `left` beyond them."""

    def fate(order: dict[str, Any], day: date, calendar: Calendar) -> dict[str, Any]:
        refund = max(order["order_amount"] - Decimal("3.00") - Decimal(left), Decimal(0))
        charges = {"shipping_amount": Decimal("2.00"), "tax_amount": Decimal("1.00")}
        return charges | {"status": "returned", "refund_amount": refund, "refunded_at": _soon(day, calendar)}

    return fate


def _nobody_knows_when(_day: date, _calendar: Calendar) -> None:
    return None


FATES: tuple[Fate, ...] = (
    *([_kept] * 14),
    _with_status("cancelled"),
    _refunded("1", _soon, status="cancelled"),
    # sent back, but no money has been returned: still a purchase
    _with_status("returned"),
    _refunded("0.5", _soon),
    _refunded("0.5", _just_too_late),
    _refunded("0.5", _nobody_knows_when),
    _refunded("1", _soon),
    _refunded("1", _just_in_time),
    _refunded("1", _just_too_late),
    _refunded("1", _nobody_knows_when),
    _paid_back_more,
    _nothing_paid_back,
    _returned_but_for("0.00"),
    _returned_but_for("0.01"),
)


def write_raw_folder(company: Company, folder: Path, variables: dict[str, Any] | None = None) -> Path:
    """Write the tables and, for `variables`, company.yml of the raw contract; return the folder.

    Moments are spelled in every way that the contract allows, in turn: without an offset, with Z, with an offset.
    """
    given = variables or {}
    zone = ZoneInfo(given.get("timestamps_without_offset") or given.get("business_timezone", "UTC"))
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "customers.csv", CUSTOMER_COLUMNS, company.customers, zone)
    _write_csv(folder / "orders.csv", ORDER_COLUMNS, company.orders, zone)
    _write_csv(folder / "order_items.csv", ORDER_ITEM_COLUMNS, company.order_items, zone)
    _write_csv(folder / "products.csv", PRODUCT_COLUMNS, list(PRODUCTS), zone)
    if variables:
        lines = [
            f"{name}: {str(value).lower() if isinstance(value, bool) else value}\n" for name, value in variables.items()
        ]
        (folder / "company.yml").write_text("".join(lines), encoding="utf-8")
    return folder


def _write_csv(path: Path, columns: Sequence[str], rows: Rows, zone: ZoneInfo) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for place, row in enumerate(rows):
            writer.writerow([_as_text(row[column], place, zone) for column in columns])


def _as_text(value: Any, place: int, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _spelled(value, place, zone)
    return str(value)


def _spelled(moment: datetime, place: int, zone: ZoneInfo) -> str:
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    # the second of two moments of a night that clocks show alike has to name its offset
    if place % 3 == 0 and not local.fold:
        return local.replace(tzinfo=None).isoformat()
    if place % 3 < 2:
        return f"{moment.isoformat()}Z"
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Kolkata")).isoformat()
