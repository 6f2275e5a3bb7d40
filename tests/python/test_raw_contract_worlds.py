"""Bad input, landed and built: nothing stops the refresh, nothing is lost, and each rejected row says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import MODELS_ONLY, Dbt, World, build_into

from orchestration.contract import Contract
from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("raw_contract")]

ORDERS_HEADER = "order_id,customer_id,ordered_at,status,order_amount,refund_amount,updated_at,note\n"
ORDERS = ORDERS_HEADER + "\n".join(
    [
        # the same key three times: the greatest updated_at wins, not the last row
        "o1,c1,2026-01-05,paid,10,,2026-01-05,",
        "o1,c1,2026-01-05,completed,11,,2026-01-07,",
        "o1,c1,2026-01-05,shipped,12,,2026-01-06,",
        # a newer version that is broken does not hide the sound one
        "o2,c1,2026-01-06,completed,20,,2026-01-06,",
        "o2,c1,2026-01-06,completed,twenty,,2026-01-08,",
        # no updated_at on either: the later row wins
        "o3,c1,2026-01-07,completed,30,,,",
        "o3,c1,2026-01-07,completed,31,,,",
        # an empty key, and an empty value that is required
        ",c1,2026-01-08,completed,40,,,",
        "o5,,2026-01-08,completed,40,,,",
        # a status, a number, a date and an amount that are none
        'o6,c1,2026-01-08,done,40,,,"kept, too"',
        "o7,c1,2026-01-08,completed,12abc,,,",
        "o8,c1,2026-02-30,completed,40,,,",
        "o9,c1,2026-01-08,completed,-1,,,",
        # a customer whom no other table knows
        "o10,stranger,2026-01-09,completed,50,,,",
        # a customer who stands for nobody
        "o14,Guest,2026-01-09,completed,50,,,",
        # offsets: both are half past four in the afternoon of the 8th, UTC
        "o11,c2,2026-01-09T00:30:00+08:00,completed,60,,,",
        "o12,c2,2026-01-08T11:30:00-05:00,completed,70,,,",
        # white space around, a decimal with an exponent
        " o13 , c2 ,2026-01-10 , completed , 8e1 ,,,",
    ]
)
ITEMS = "\n".join(
    [
        "order_id,line_number,product_id,quantity,line_amount",
        "o1,1,p1,1,11",
        "o1,2,p1,-1,11",
        "nowhere,1,p1,1,5",
        # its order was rejected
        "o6,1,p1,1,40",
        "o2,1,p2,2,20,surplus",
        "o2,one,p2,2,20",
    ]
)
RESPONSES = "\n".join(
    [
        "response_id,customer_id,survey_type,score,comment,responded_at",
        "r1,c1,nps,10,,2026-01-09",
        "r2,c1,nps,11,my number is 555-0100,2026-01-09",
        "r3,c1,csat,0,,2026-01-09",
        "r4,c1,ces,7,,2026-01-09",
        "r5,c1,nps,7.5,,2026-01-09",
    ]
)
CUSTOMERS = "\n".join(
    [
        "customer_id,full_name,email,birth_date,gender",
        "c1,张伟,zhang@example.com,1990-02-29,male",
        "c2,李娜,li@example.com,1990-02-28,female",
        ",王芳,wang@example.com,1991-03-31,female",
    ]
)
POINTS = "\n".join(
    [
        "points_transaction_id,member_id,type,points,occurred_at",
        "t1,m1,earn,100,2026-01-09",
        "t2,m1,redeem,100,2026-01-09",
        "t3,m1,expire,-5.0,2026-01-09",
        "t4,unknown,earn,1,2026-01-09",
    ]
)
MEMBERSHIPS = "\n".join(
    [
        "member_id,customer_id,enrolled_at,tier,updated_at",
        "m1,c1,2025-01-01,silver,2025-01-01",
        "m1,c1,2025-01-01,gold,2025-06-01",
        "m2,c2,2025-01-01,wooden,2025-01-01",
        # the same version again
        "m1,c1,2025-01-01,gold,2025-06-01",
    ]
)


ORDERS_AND_REJECTED = (*MODELS_ONLY, "--select", "+orders", "+order_items", "+rejected_rows")


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def zoo(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = write(
        tmp_path_factory.mktemp("raw") / "zoo",
        orders=ORDERS,
        order_items=ITEMS,
        survey_responses=RESPONSES,
        customers=CUSTOMERS,
        points_transactions=POINTS,
        memberships=MEMBERSHIPS,
    )
    return build_world(folder, "zoo")


def rejected(world: World, table: str) -> dict[str, tuple[str, str]]:
    rows = world.rows(f"select row_key, reason_code, reason from quality.rejected_rows where table_name = '{table}'")
    return {key: (code, reason) for key, code, reason in rows}


def test_the_version_with_the_greatest_updated_at_wins_then_the_later_row(zoo: World) -> None:
    amounts = dict(zoo.rows("select order_id, order_amount from marts.orders"))
    assert amounts["o1"] == Decimal(11)
    assert amounts["o2"] == Decimal(20)
    assert amounts["o3"] == Decimal(31)


def test_an_order_that_breaks_the_contract_is_rejected_with_its_reason(zoo: World) -> None:
    reasons = rejected(zoo, "orders")
    assert {key: code for key, (code, _) in reasons.items()} == {
        "o2": "unparseable_value",
        "": "missing_key",
        "o5": "missing_value",
        "o6": "out_of_domain",
        "o7": "unparseable_value",
        "o8": "unparseable_value",
        "o9": "out_of_domain",
        "o14": "missing_value",
    }
    assert reasons["o5"][1] == "customer_id is required and is empty"
    assert reasons["o6"][1] == (
        'status holds "done"; expected one of placed, paid, shipped, completed, cancelled, returned'
    )
    assert reasons["o7"][1] == 'order_amount holds "12abc", which is no number'
    assert reasons["o8"][1] == 'ordered_at holds "2026-02-30", which is no timestamp'
    assert reasons["o9"][1] == 'order_amount holds "-1"; expected 0 to 1,000,000,000,000'


def test_a_rejected_row_is_kept_whole_and_shown_without_columns_outside_the_contract(zoo: World) -> None:
    [(shown, file_name, row_number)] = zoo.rows(
        "select raw_row, file_name, row_number from quality.rejected_rows "
        "where table_name = 'orders' and row_key = 'o6'"
    )
    [(whole,)] = zoo.rows("select raw_row from staging.base_orders where row_key = 'o6'")
    found, shown = (
        {name: text for name, text in json.loads(row).items() if text is not None} for row in (whole, shown)
    )
    assert shown == {name: text for name, text in found.items() if name != "note"}
    assert found == {
        "order_id": "o6",
        "customer_id": "c1",
        "ordered_at": "2026-01-08",
        "status": "done",
        "order_amount": "40",
        "note": "kept, too",
    }
    assert (file_name, row_number) == ("orders.csv", 10)


def test_an_order_of_an_unknown_customer_is_kept_and_the_customer_is_a_guest(zoo: World) -> None:
    customers = dict(zoo.rows("select customer_id, is_guest from marts.customers"))
    assert customers == {"c1": False, "c2": False, "stranger": True}


def test_what_cannot_be_read_in_an_optional_column_costs_the_value_alone(zoo: World) -> None:
    # 1990 had no 29 February
    assert zoo.rows("select birth_date from staging.stg_customers where customer_id = 'c1'") == [(None,)]
    repaired = "select table_name, column_name, kind, kind_zh, values_repaired, example from quality.repaired_values"
    assert zoo.rows(repaired) == [
        ("customers", "birth_date", "unparseable_value", "已置空：取值无法解析", 1, "9+-9+-9+")
    ]


def test_an_offset_is_converted_to_utc(zoo: World) -> None:
    times = dict(zoo.rows("select order_id, cast(ordered_at as varchar) from marts.orders"))
    assert times["o11"] == times["o12"] == "2026-01-08 16:30:00"


def test_white_space_around_a_value_does_not_count(zoo: World) -> None:
    [row] = zoo.rows("select customer_id, status, order_amount from marts.orders where order_id = 'o13'")
    assert row == ("c2", "completed", Decimal(80))


def test_a_line_needs_an_accepted_order_and_a_quantity_and_as_many_fields_as_the_header(zoo: World) -> None:
    assert {key: code for key, (code, _) in rejected(zoo, "order_items").items()} == {
        # a line that does not fit the header has no key
        None: "malformed_row",
        "o1|2": "out_of_domain",
        "nowhere|1": "unknown_reference",
        # its order was rejected
        "o6|1": "unknown_reference",
        "o2|one": "unparseable_value",
    }
    # a line without columns may hold anything, so its pattern is shown
    [(line,)] = zoo.rows("select raw_row from quality.rejected_rows where reason_code = 'malformed_row'")
    assert line == "a9,9,a9,9,9+,a+"
    [(whole,)] = zoo.rows("select raw_row from staging.base_order_items where reason_code = 'malformed_row'")
    assert whole == "o2,1,p2,2,20,surplus"
    assert zoo.rows("select order_id, line_number from marts.order_items") == [("o1", 1)]


def test_a_score_lies_on_the_scale_of_its_survey(zoo: World) -> None:
    reasons = rejected(zoo, "survey_responses")
    assert {key: code for key, (code, _) in reasons.items()} == {
        "r2": "out_of_domain",
        "r3": "out_of_domain",
        "r5": "unparseable_value",
    }
    assert reasons["r2"][1] == 'score holds "11"; expected 0 to 10 for nps, 1 to 5 for csat, 1 to 7 for ces'


def test_personal_data_of_a_rejected_row_is_masked_and_kept_in_the_build(zoo: World) -> None:
    [(shown,)] = zoo.rows("select raw_row from quality.rejected_rows where table_name = 'customers'")
    assert "王芳" not in shown and "wang@example.com" not in shown and "1991" not in shown
    assert json.loads(shown)["gender"] == "female"
    [(whole,)] = zoo.rows("select raw_row from staging.base_customers where row_status = 'rejected'")
    assert json.loads(whole)["full_name"] == "王芳"
    [(comment,)] = zoo.rows("select raw_row from quality.rejected_rows where row_key = 'r2'")
    assert "555-0100" not in comment


def test_points_have_the_sign_of_their_type_and_a_known_member(zoo: World) -> None:
    codes = {key: code for key, (code, _) in rejected(zoo, "points_transactions").items()}
    assert codes == {"t2": "out_of_domain", "t4": "unknown_reference"}


def test_every_version_of_a_membership_counts_and_its_tier_is_one_of_the_seed(zoo: World) -> None:
    assert zoo.rows("select tier from staging.stg_memberships order by updated_at") == [("silver",), ("gold",)]
    assert rejected(zoo, "memberships")["m2|2025-01-01"] == (
        "out_of_domain",
        'tier holds "wooden"; expected a value of the seed loyalty_tiers',
    )
    assert zoo.rows("select loyalty_tier from marts.customers where customer_id = 'c1'") == [("gold",)]


def test_every_row_read_is_accounted_for(zoo: World) -> None:
    rows = zoo.rows(
        "select table_name, rows_read, rows_accepted, rows_rejected, rows_superseded, rows_filtered, is_balanced "
        "from quality.row_reconciliation where rows_read > 0"
    )
    assert {row[0]: row[1:] for row in rows} == {
        "orders": (18, 7, 8, 3, 0, True),
        "order_items": (6, 1, 5, 0, 0, True),
        "survey_responses": (5, 2, 3, 0, 0, True),
        "customers": (3, 2, 1, 0, 0, True),
        "points_transactions": (4, 2, 2, 0, 0, True),
        "memberships": (4, 2, 1, 1, 0, True),
    }


def test_a_missing_table_is_an_empty_table(zoo: World) -> None:
    assert "tickets" in zoo.landing.absent_tables
    assert zoo.rows("select count(*) from staging.stg_tickets") == [(0,)]


def test_a_later_batch_heals_a_row_that_knew_no_target(tmp_path: Path, dbt: Dbt, contract: Contract) -> None:
    raw = tmp_path / "raw"
    write(
        raw / "order_items" / "load_date=2026-01-01",
        part="order_id,line_number,product_id,quantity,line_amount\no1,1,p1,1,9",
    )
    write(
        raw / "orders" / "load_date=2026-01-01",
        part="order_id,customer_id,ordered_at,status,order_amount\no0,c1,2026-01-01,paid,9",
    )
    before = build_into(tmp_path / "warehouse", raw, dbt, contract, arguments=ORDERS_AND_REJECTED)
    assert rejected(before, "order_items") == {
        "o1|1": ("unknown_reference", 'order_id holds "o1", which no accepted row of orders has')
    }
    write(
        raw / "orders" / "load_date=2026-01-02",
        part="order_id,customer_id,ordered_at,status,order_amount\no1,c1,2026-01-02,paid,9",
    )
    after = build_into(tmp_path / "warehouse", raw, dbt, contract, arguments=ORDERS_AND_REJECTED)
    assert rejected(after, "order_items") == {}
    assert after.rows("select order_id from marts.order_items") == [("o1",)]


def test_a_hundred_thousand_bad_rows_are_all_kept(tmp_path: Path, build_world: Callable[..., World]) -> None:
    lines = [f"o{number},c1,2026-13-01,paid,{number}" for number in range(100_000)]
    raw = write(tmp_path / "raw", orders="\n".join(["order_id,customer_id,ordered_at,status,order_amount", *lines]))
    world = build_world(raw, "bad", arguments=ORDERS_AND_REJECTED)
    assert world.rows("select count(*), count(distinct row_key) from quality.rejected_rows") == [(100_000, 100_000)]
    assert world.rows("select count(*) from marts.orders") == [(0,)]


def test_an_as_of_date_before_all_data_gives_empty_marts(tmp_path: Path, build_world: Callable[..., World]) -> None:
    raw = write(tmp_path / "raw", orders=ORDERS, customers="customer_id,registered_at\nc9,2020-01-01\nc1,2026-01-01")
    world = build_world(raw, "before", date(2021, 5, 5), MODELS_ONLY)
    assert world.as_of == date(2021, 5, 5)
    assert world.rows("select count(*) from marts.orders") == [(0,)]
    # a customer who had registered by then is a prospect; one who had not is not there
    assert world.rows("select customer_id, lifecycle_stage, stage_since from marts.customer_lifecycle") == [
        ("c9", "prospect", date(2020, 1, 1))
    ]


@pytest.mark.xdist_group("empty")
def test_without_any_table_every_mart_is_there_and_empty(empty_world: World) -> None:
    assert len(empty_world.landing.absent_tables) == 19
    # yesterday, by the clock of the run
    assert empty_world.as_of == date(2026, 6, 30)
    marts = {name for (name,) in empty_world.rows("select table_name from duckdb_tables() where schema_name = 'marts'")}
    assert marts == {path.stem for path in (ROOT / "models" / "marts").rglob("*.sql")}
    filled = {name for name in marts if empty_world.rows(f"select count(*) from marts.{name}") != [(0,)]}
    # the hours of the week are always 168
    assert filled == {"purchase_times"}
