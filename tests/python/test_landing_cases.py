"""Exports that went through numbers and spreadsheets, landed and built: who bought what, worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import World

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("raw_contract")]

AS_OF = date(2026, 3, 31)
HEADER = "order_id,customer_id,ordered_at,status,order_amount"
MARTS = (
    *("build", "--select", "+customers", "+repurchase_rates", "+rejected_rows", "+repaired_values"),
    *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
)
NAN = "'nan'::double"


def csv_file(path: Path, header: str, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def parquet_file(path: Path, columns: str, *rows: str) -> None:
    """Write rows given as SQL; `columns` as names with types."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"create table given ({columns})")
        connection.execute(f"insert into given values {', '.join(f'({row})' for row in rows)}")
        connection.table("given").write_parquet(str(path))


@pytest.fixture(scope="module")
def floating(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    """A retailer whose ids went through pandas: floating point in one batch, whole numbers in another."""
    raw = tmp_path_factory.mktemp("floating")
    parquet_file(
        raw / "customers" / "a.parquet", "customer_id bigint, region varchar", "17850, 'north'", "13047, 'south'"
    )
    parquet_file(
        raw / "orders" / "a.parquet",
        "order_id bigint, customer_id double, ordered_at timestamp, status varchar, "
        "order_amount double, refund_amount double",
        "1001, 17850, '2026-01-05 10:00:00', 'completed', 100, 3",
        f"1002, 13047, '2026-01-06 10:00:00', 'completed', 40.1, {NAN}",
        f"1003, {NAN}, '2026-01-07 10:00:00', 'completed', 25, {NAN}",
        f"1004, {NAN}, '2026-02-07 10:00:00', 'completed', 35, {NAN}",
        f"1005, 13047, '2026-01-09 10:00:00', 'completed', 19.9, {NAN}",
    )
    csv_file(raw / "orders" / "b.csv", HEADER, "2001,17850,2026-02-05T10:00:00Z,completed,60")
    csv_file(
        raw / "orders" / "c.csv",
        HEADER,
        "3001,17850.0,2026-03-05T10:00:00Z,completed,5.0",
        *(
            f"{3002 + place},{word},2026-03-06T10:00:00Z,completed,7.0"
            for place, word in enumerate(("NaN", "NULL", r"\N", "None", "NULL"))
        ),
    )
    return build_world(raw, "floating", AS_OF, MARTS)


def test_an_id_is_one_customer_in_every_spelling(floating: World) -> None:
    assert floating.rows(
        "select customer_id, net_revenue, purchase_days, is_guest from marts.customers order by 1"
    ) == [
        ("13047", Decimal("60.00"), 2, False),
        ("17850", Decimal("162.00"), 3, False),
    ]
    assert floating.rows("select sum(net_revenue) from marts.customers") == [(Decimal("222.00"),)]
    total = f"dimension = 'all' and window_days = 90 and as_of_date = date '{AS_OF}'"
    assert floating.rows(f"select repeat_buyers, buyers from marts.repurchase_rates where {total}") == [(2, 2)]


def test_an_order_of_nobody_is_rejected_and_ids_from_numbers_are_reported(floating: World) -> None:
    assert floating.rows("select reason_code, count(*) from quality.rejected_rows group by 1") == [("missing_value", 7)]
    repaired = "select column_name, kind, values_repaired from quality.repaired_values"
    assert floating.rows(repaired) == [("customer_id", "id_from_number", 4)]


@pytest.fixture(scope="module")
def spreadsheets(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    """Orders as spreadsheets and shops export them, and customers as pandas does."""
    raw = tmp_path_factory.mktemp("spreadsheets")
    ids = ("hal", "hal\u200b", "\u202ahal\u202c", "\ufeffhal", "Hal", '"=""hal"""', "'hal")
    csv_file(
        raw / "orders" / "invisible.csv",
        HEADER,
        *(
            f"z{place},{who},2026-03-{place:02}T10:00:00Z,completed,{place + 4}"
            for place, who in enumerate(ids, start=1)
        ),
    )
    csv_file(
        raw / "orders" / "case.csv",
        "Order_ID,CUSTOMER_ID, Ordered_At ,Status,ORDER_AMOUNT,,",
        "k1,ian,2026-02-05T10:00:00Z,completed,5,,",
        "k2,ian,2026-03-05T10:00:00Z,Completed,6,,",
        'k3,ian,2026-03-06T10:00:00Z,completed,"1,234.50",,',
        "k4,ian,2026-03-07T10:00:00Z,completed,１２３,,",
        "k5,ian,2026/3/8 10:00,completed,7,,",
        "k6,ian,46089,completed,7,,",
        "k7,ian,2026-03-09T10:00:00Z,completed,¥7.00,,",
        "k8,ian,2026-03-10T10:00:00Z,completed,7.00\u00a0,,",
        "合计,,,,9999,,",
    )
    csv_file(
        raw / "orders" / "taobao.csv",
        HEADER,
        *(f"1.23457E+17,{who},2026-01-02T10:00:00Z,completed,100" for who in ("amy", "bea", "amy", "cat", "dee")),
    )
    csv_file(
        raw / "orders" / "dates.csv",
        HEADER,
        *(f"t{year},kim,{year}-01-01T00:00:00Z,completed,10" for year in ("0001", "1900", "2206")),
    )
    csv_file(
        raw / "customers" / "csv.csv",
        "customer_id,birth_date,is_deleted,region,registered_at",
        "y1,1990-05-01 00:00:00,,north,2026-01-01 09:00:00",
        "y2,1900-01-01,1.0,north,2026-01-01 09:00:00",
        "y3,someday,True,north,2026-01-01 09:00:00",
        "y4,1990-05-01,False,north,2026-01-01 09:00:00",
    )
    parquet_file(
        raw / "customers" / "pandas.parquet",
        "customer_id varchar, birth_date timestamp, is_deleted double, region varchar, registered_at timestamp",
        "'x1', '1990-05-01', 0, 'north', '2026-01-01 09:00:00'",
        "'x2', '1985-02-28', 0, 'south', '2026-01-01 09:00:00'",
        "'x3', null, 1, 'south', '2026-01-01 09:00:00'",
        f"'x4', null, {NAN}, 'south', '2026-01-01 09:00:00'",
    )
    return build_world(raw, "spreadsheets", AS_OF, MARTS)


def test_what_nobody_sees_makes_no_other_customer(spreadsheets: World) -> None:
    found = spreadsheets.rows("select customer_id, net_revenue from marts.customers where net_revenue > 0 order by 1")
    # 5 + 6 + 7 + 8 + 10 + 11; ian: 5 + 6 + 1234.50 + 123 + 7 + 7 + 7
    assert found == [("Hal", Decimal(9)), ("hal", Decimal(47)), ("ian", Decimal("1389.50"))]


def test_what_has_no_single_reading_is_rejected(spreadsheets: World) -> None:
    found = spreadsheets.rows("select file_name, row_key, reason_code from quality.rejected_rows order by 1, 2")
    assert found == [
        ("orders/case.csv", "k6", "unparseable_value"),
        ("orders/case.csv", "合计", "missing_value"),
        *[("orders/dates.csv", f"t{year}", "implausible_date") for year in ("0001", "1900", "2206")],
        *[("orders/taobao.csv", "1.23457E+17", "destroyed_id")] * 5,
    ]


def test_a_bad_optional_value_does_not_cost_the_row(spreadsheets: World) -> None:
    found = spreadsheets.rows(
        "select customer_id, cast(birth_date as varchar), is_deleted from staging.base_customers "
        "where row_status = 'accepted' order by 1"
    )
    assert found == [
        ("x1", "1990-05-01", False),
        ("x2", "1985-02-28", False),
        ("x3", None, True),
        ("x4", None, None),
        ("y1", "1990-05-01", None),
        ("y2", None, True),
        ("y3", None, True),
        ("y4", "1990-05-01", False),
    ]
    repaired = spreadsheets.rows(
        "select column_name, kind, values_repaired from quality.repaired_values "
        "where table_name = 'customers' order by kind"
    )
    assert repaired == [("birth_date", "implausible_date", 1), ("birth_date", "unparseable_value", 1)]
