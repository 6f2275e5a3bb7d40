"""The random companies hold the cases that they are made for."""

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from generators import (
    CUSTOMER_COLUMNS,
    ORDER_COLUMNS,
    Calendar,
    Company,
    collect_companies,
    join_companies,
    random_company,
    write_raw_folder,
)
from oracle.business_days import business_day
from oracle.order_history import Facts, read_facts
from oracle.variables import Variables

SHANGHAI = Calendar(date(2024, 2, 29), "Asia/Shanghai")


def facts_of(company: Company, frame: Calendar) -> Facts:
    variables = Variables(business_timezone=frame.business_timezone)
    return read_facts(company.orders_frame, company.customers_frame, frame.as_of, variables)


@pytest.fixture(scope="module")
def parts() -> list[Company]:
    return collect_companies(60, SHANGHAI, number=7)


@pytest.fixture(scope="module")
def joined(parts: list[Company]) -> Company:
    # what Hypothesis draws depends on which modules are loaded, which rare cases must not
    return join_companies([*parts, random_company(number=7, calendar=SHANGHAI, region="r60", sizes=(2000,))])


@pytest.fixture(scope="module")
def facts(joined: Company) -> Facts:
    return facts_of(joined, SHANGHAI)


def test_some_companies_are_empty_some_hold_one_customer_and_some_many(parts: list[Company]) -> None:
    sizes = {len({row["customer_id"] for row in [*part.customers, *part.orders]}) for part in parts}
    assert {0, 1} <= sizes
    assert max(sizes) >= 30


def test_the_same_number_gives_the_same_companies() -> None:
    assert collect_companies(5, SHANGHAI, number=3) == collect_companies(5, SHANGHAI, number=3)
    assert random_company(3, SHANGHAI) == random_company(3, SHANGHAI)
    assert random_company(3, SHANGHAI) != random_company(4, SHANGHAI)


def test_ids_of_joined_companies_are_unique(joined: Company) -> None:
    assert joined.orders_frame["order_id"].is_unique
    assert joined.customers_frame["customer_id"].is_unique


def _refund_in_part(row: dict[str, Any]) -> bool:
    return row["refund_amount"] is not None and 0 < row["refund_amount"] < row["order_amount"]


def _refund_in_full(row: dict[str, Any]) -> bool:
    return row["refund_amount"] is not None and row["refund_amount"] == row["order_amount"] > 0


def _refunded_on(row: dict[str, Any]) -> date:
    return business_day(row["refunded_at"], SHANGHAI_ZONE) or date.min


SHANGHAI_ZONE = Variables(business_timezone="Asia/Shanghai").zone


@pytest.mark.parametrize(
    "is_case",
    [
        pytest.param(lambda row: row["status"] == "cancelled", id="cancelled"),
        pytest.param(lambda row: row["order_amount"] == 0, id="costs_nothing"),
        pytest.param(lambda row: row["order_amount"] == 0 and (row["refund_amount"] or 0) > 0, id="nothing_refunded"),
        pytest.param(lambda row: row["status"] == "returned" and row["refund_amount"] is None, id="returned_unpaid"),
        pytest.param(lambda row: _refund_in_part(row) and row["refunded_at"] is None, id="part_refunded_sometime"),
        pytest.param(lambda row: _refund_in_part(row) and _refunded_on(row) > SHANGHAI.as_of, id="part_refunded_later"),
        pytest.param(lambda row: _refund_in_full(row) and row["refunded_at"] is None, id="refunded_sometime"),
        pytest.param(lambda row: _refund_in_full(row) and _refunded_on(row) > SHANGHAI.as_of, id="refunded_later"),
        pytest.param(lambda row: _refund_in_full(row) and _refunded_on(row) == SHANGHAI.as_of, id="refunded_in_time"),
        pytest.param(lambda row: (row["refund_amount"] or 0) > row["order_amount"] > 0, id="refunded_too_much"),
        pytest.param(lambda row: row["ordered_at"].time() == time(16, 0), id="at_local_midnight"),
        pytest.param(lambda row: row["ordered_at"].time() == time(15, 59, 59), id="just_before_local_midnight"),
        pytest.param(lambda row: row["ordered_at"] == datetime(2024, 2, 29, 16, 0), id="just_after_the_as_of_date"),
        pytest.param(
            lambda row: business_day(row["ordered_at"], SHANGHAI_ZONE) == SHANGHAI.as_of, id="on_the_leap_day"
        ),
    ],
)
def test_orders_hold_the_case(joined: Company, is_case: Callable[[dict[str, Any]], bool]) -> None:
    assert any(is_case(row) for row in joined.orders)


def test_customers_hold_guests_prospects_latecomers_and_people_without_a_date(joined: Company, facts: Facts) -> None:
    known = {row["customer_id"] for row in joined.customers}
    existing = {person.customer_id: person for person in facts.customers}
    assert any(customer_id not in known for customer_id in existing)
    assert any(not person.purchase_days for person in existing.values())
    assert any(customer_id not in existing for customer_id in known)
    assert any(person.registered_on and person.registered_on > SHANGHAI.as_of for person in existing.values())
    assert any(person.registered_on is None and customer_id in known for customer_id, person in existing.items())


@pytest.mark.parametrize("gap", [1, 30, 31, 90, 179, 180, 181, 365, 366])
def test_gaps_between_purchases_sit_on_the_borders(facts: Facts, gap: int) -> None:
    gaps = {
        (later - earlier).days
        for person in facts.customers
        for earlier, later in zip(person.purchase_days, person.purchase_days[1:], strict=False)
    }
    assert gap in gaps


@pytest.mark.parametrize("days_before", [0, 29, 30, 31, 90, 179, 180, 181, 364, 365, 366])
def test_purchases_sit_on_the_borders_of_the_windows(facts: Facts, days_before: int) -> None:
    border = SHANGHAI.as_of - timedelta(days=days_before)
    assert any(border in person.purchase_days for person in facts.customers)


def test_some_customers_order_twice_on_a_day(facts: Facts) -> None:
    assert any(count > 1 for person in facts.customers for count in person.orders_on.values())


def test_local_midnight_follows_the_clock_changes() -> None:
    new_york = Calendar(date(2024, 11, 17), "America/New_York")
    assert new_york.utc(date(2024, 3, 10), time(0, 0)) == datetime(2024, 3, 10, 5, 0)
    assert new_york.utc(date(2024, 3, 11), time(0, 0)) == datetime(2024, 3, 11, 4, 0)


def test_the_raw_folder_reads_back_as_the_rows_that_were_written(tmp_path: Path) -> None:
    company = join_companies([random_company(1, SHANGHAI, sizes=(40,))])
    folder = write_raw_folder(company, tmp_path / "raw", {"business_timezone": "Asia/Shanghai"})
    assert (folder / "company.yml").read_text() == "business_timezone: Asia/Shanghai\n"
    for name, columns, rows in (
        ("orders", ORDER_COLUMNS, company.orders),
        ("customers", CUSTOMER_COLUMNS, company.customers),
    ):
        with (folder / f"{name}.csv").open(newline="") as file:
            read = list(csv.DictReader(file))
        assert list(read[0]) == columns
        assert [{column: _text(row[column]) for column in columns} for row in rows] == [
            {column: _utc(text) if column.endswith("_at") else text for column, text in row.items()} for row in read
        ]


def _text(value: object) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)


def _utc(text: str) -> str:
    if not text:
        return ""
    moment = datetime.fromisoformat(text)
    local = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI_ZONE)
    return local.astimezone(UTC).replace(tzinfo=None).isoformat()
