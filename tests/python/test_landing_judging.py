"""What landing makes of a row by the rules that need the row alone: hand-worked rows of the contract's own tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.contract import Contract, RawColumn, RawTable, load_contract
from orchestration.landing import land as land_module
from orchestration.landing.judging import Repair
from orchestration.landing.land import LandedFile, Landing, land
from orchestration.landing.landing_file import file_order
from orchestration.landing.values import ValueRules
from orchestration.settings import ROOT

RULES = ValueRules(
    "UTC",
    "UTC",
    words_for_nothing=("NULL", "NaN"),
    nobody_ids=("guest",),
    latest_day=date.max,
    words_in_free_text=("NULL",),
    reporting_currency="CNY",
)
CONTRACT = load_contract(ROOT)
ORDERS = "order_id,customer_id,ordered_at,status,order_amount,refund_amount,updated_at"
ONE_OF = "one of placed, paid, shipped, completed, cancelled, returned"

Land = Callable[..., Landing]


@pytest.fixture
def landed(tmp_path: Path) -> Land:
    """Land files, given by name as text: `landed({"orders.csv": ...}, rules=RULES, contract=CONTRACT)`."""

    def put(files: dict[str, str], rules: ValueRules = RULES, contract: Contract = CONTRACT) -> Landing:
        for name, text in files.items():
            path = tmp_path / "raw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return land(tmp_path / "raw", tmp_path / "landing", contract, rules)

    return put


def read(file: LandedFile, columns: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from read_parquet('{file.parquet}') order by _row_number").fetchall()


def rows(landing: Landing, columns: str) -> list[tuple[Any, ...]]:
    return [row for file in landing.files for row in read(file, columns)]


def order(**cells: str) -> str:
    """A line of orders that is in order but for the cells given."""
    sound = dict(zip(ORDERS.split(","), ("o1", "ann", "2026-03-01", "paid", "10", "", ""), strict=True))
    return ",".join((sound | cells).values())


def orders(*lines: str) -> dict[str, str]:
    return {"orders.csv": "\n".join([ORDERS, *lines, ""])}


def texts(**cells: str | None) -> str:
    """The raw row of an order as it is kept: every column of the contract, and what else the file has."""
    every = dict.fromkeys(CONTRACT.tables["orders"].column_names)
    return json.dumps(every | cells, separators=(",", ":"), ensure_ascii=False)


def test_a_rejected_row_is_kept_whole_and_says_why(landed: Land) -> None:
    # a missing value comes before one out of its domain; a key of white space is none; 0 is in the domain of an amount
    found = rows(
        landed(
            orders(
                order(order_amount="0"),
                "o2,ann,2026-03-01,paid,10,,,extra",
                order(order_id="  "),
                order(order_id="o4", customer_id=""),
                order(order_id="o5", ordered_at="2026-02-30"),
                order(order_id="o6", order_amount="ten"),
                order(order_id="o7", status="lost"),
                order(order_id="o8", order_amount="-0.01"),
                order(order_id="o9", customer_id="", order_amount="-1"),
            )
        ),
        "_row_key, _failure, _reason",
    )
    assert found == [
        ("o1", None, None),
        (None, "malformed_row", "the line has more or fewer fields than the header"),
        ("", "missing_key:order_id", "order_id is part of the key and is empty"),
        ("o4", "missing_value:customer_id", "customer_id is required and is empty"),
        ("o5", "unparseable_value:ordered_at", 'ordered_at holds "2026-02-30", which is no timestamp'),
        ("o6", "unparseable_value:order_amount", 'order_amount holds "ten", which is no number'),
        ("o7", "out_of_domain:status", f'status holds "lost"; expected {ONE_OF}'),
        ("o8", "out_of_domain:order_amount", 'order_amount holds "-0.01"; expected 0 to 1,000,000,000,000'),
        ("o9", "missing_value:customer_id", "customer_id is required and is empty"),
    ]


def test_the_raw_row_is_kept_of_rejected_rows_with_the_columns_outside_the_contract(landed: Land) -> None:
    lines = [f"{ORDERS},note,", order() + ",gift,", order(order_id="o2", order_amount=" ten ") + ",gift,x", "o3,ann"]
    found = rows(landed({"orders.csv": "\n".join(lines)}), "_raw_row, _masked_row")
    sound = {"customer_id": "ann", "ordered_at": "2026-03-01", "status": "paid"}
    # what is shown has the columns of the contract alone, and of a line its pattern
    assert found == [
        (None, None),
        (
            texts(order_id="o2", **sound, order_amount="ten", note="gift", column_9="x"),
            texts(order_id="o2", **sound, order_amount="ten"),
        ),
        ("o3,ann", "a9,a+"),
    ]


def test_of_a_row_that_other_tables_may_reject_the_text_is_kept_where_it_says_more_than_the_values(
    landed: Land,
) -> None:
    lines = [
        "order_id,line_number,product_id,quantity,line_amount,gift",
        "o1,1.0,p1,2,3.50,",
        "'o1,2,p1,2,3.50,",
        "o1,3,p1,2,3.50,yes",
    ]
    found = rows(landed({"order_items.csv": "\n".join(lines)}), "_failure, json(_raw_row)")
    kept = [
        text and {name: value for name, value in json.loads(text).items() if value is not None} for _, text in found
    ]
    assert kept == [
        None,
        {"order_id": "'o1", "line_number": "2", "product_id": "p1", "quantity": "2", "line_amount": "3.50"},
        {
            "order_id": "o1",
            "line_number": "3",
            "product_id": "p1",
            "quantity": "2",
            "line_amount": "3.50",
            "gift": "yes",
        },
    ]


def test_personal_data_is_masked_wherever_a_rejected_row_is_shown(landed: Land) -> None:
    # columns outside the contract, and a line without columns, may hold anything
    header = "customer_id,birth_date,gender,full_name,email,is_deleted,nickname"
    lines = [
        header,
        "c1,1990-02-28,female,Ann Lee,ann@example.com,No,",
        ",1990-02-28,male,Bob Ray,,,Bobby",
        "c4,1990-01-01,male,Dan,Poe,dan@example.com,no,,x",
    ]
    every = dict.fromkeys(CONTRACT.tables["customers"].column_names)
    held = {"birth_date": "1990-02-28", "gender": "male", "full_name": "Bob Ray"}
    raw = json.dumps(every | held | {"nickname": "Bobby"}, separators=(",", ":"))
    masked = json.dumps(every | held | {"birth_date": "9+-9+-9+", "full_name": "Aa+ Aa+"}, separators=(",", ":"))
    assert rows(landed({"customers.csv": "\n".join(lines)}), "full_name, is_deleted, _raw_row, _masked_row") == [
        ("Ann Lee", False, None, None),
        ("Bob Ray", None, raw, masked),
        (None, None, lines[3], "a9,9+-9+-9+,a+,Aa+,Aa+,a+@a+.a+,a+,,a"),
    ]


def test_what_a_required_personal_column_holds_is_not_told(landed: Land) -> None:
    born = RawColumn("born_on", "date", required=True, personal=True)
    contract = Contract({"pets": RawTable("pets", ("pet_id",), (RawColumn("pet_id", "text", required=True), born))})
    found = rows(landed({"pets.csv": "pet_id,born_on\np1,1990-02-30\n"}, contract=contract), "_reason, _masked_row")
    assert found == [('born_on holds "9+-9+-9+", which is no date', '{"pet_id":"p1","born_on":"9+-9+-9+"}')]


@pytest.mark.parametrize(
    ("held", "utc"),
    [
        ("2026-03-01 08:15:30.25", datetime(2026, 3, 1, 8, 15, 30, 250_000)),
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01T08:00Z", datetime(2026, 3, 1, 8)),
        ("2026-03-01T08:00:00+08:00", datetime(2026, 3, 1)),
        ("2026-03-01 08:00:00 +08", datetime(2026, 3, 1)),
        ("2026-03-01T08:00:00-0330", datetime(2026, 3, 1, 11, 30)),
        ("2025-12-31T23:30:00-01:00", datetime(2026, 1, 1, 0, 30)),
        ("2024-02-29T12:00:00", datetime(2024, 2, 29, 12)),
        ("2026-02-29T12:00:00", None),
        ("2026-03-01T24:00:00", None),
        ("03/01/2026", None),
    ],
)
def test_a_timestamp_is_utc_in_a_landing_file(landed: Land, held: str, utc: datetime | None) -> None:
    [(value, failure)] = rows(landed(orders(order(ordered_at=held))), "ordered_at, _failure")
    assert (value, failure) == (utc, None if utc else "unparseable_value:ordered_at")


@pytest.mark.parametrize(
    ("held", "amount"),
    [
        (" 12.50 ", Decimal("12.5")),
        ("1.25e2", Decimal(125)),
        (".5", Decimal("0.5")),
        ('"1,000"', None),
        ("$10", None),
        ("Infinity", None),
    ],
)
def test_an_amount_is_a_decimal_number(landed: Land, held: str, amount: Decimal | None) -> None:
    [(value, failure)] = rows(landed(orders(order(order_amount=held))), "order_amount, _failure")
    assert (value, failure) == (amount, None if amount is not None else "unparseable_value:order_amount")


def test_the_key_of_a_line_is_its_value_and_not_its_spelling(landed: Land) -> None:
    # 1.5 is no whole number; line 0 is in the domain, line -1 is not
    lines = ["o1,1", "o1,1.0", "o2,1.5", "o2,0", "o2,-1", ",1"]
    text = "order_id,line_number,product_id,quantity,line_amount\n" + "".join(f"{line},p1,1,1\n" for line in lines)
    assert rows(landed({"order_items.csv": text}), "line_number, _row_key, _failure") == [
        (1, "o1|1", None),
        (1, "o1|1.0", None),
        (None, "o2|1.5", "unparseable_value:line_number"),
        (0, "o2|0", None),
        (-1, "o2|-1", "out_of_domain:line_number"),
        (1, "|1", "missing_key:order_id"),
    ]


def test_a_score_lies_on_the_scale_of_its_survey_type(landed: Land) -> None:
    # nps 0 to 10, csat 1 to 5, ces 1 to 7, ends included; an unknown kind of survey is the fault, not its score
    scores = ["nps,0", "nps,10.0", "nps,11", "nps,-1", "nps,9.5", "csat,0", "csat,5", "csat,7", "ces,7", "ces,8"]
    scores.append("stars,99")
    lines = [f"r{number},{score},2026-01-09,Ann Lee was rude\n" for number, score in enumerate(scores)]
    found = rows(
        landed({"survey_responses.csv": "response_id,survey_type,score,responded_at,comment\n" + "".join(lines)}),
        "survey_type || ',' || score, _failure, _reason, json_extract_string(_masked_row, 'comment')",
    )
    scale = "0 to 10 for nps, 1 to 5 for csat, 1 to 7 for ces"
    outside = "out_of_domain:score"
    assert found == [
        ("nps,0", None, None, None),
        ("nps,10", None, None, None),
        ("nps,11", outside, f'score holds "11"; expected {scale}', "Aa+ Aa+ a+ a+"),
        ("nps,-1", outside, f'score holds "-1"; expected {scale}', "Aa+ Aa+ a+ a+"),
        (None, "unparseable_value:score", 'score holds "9.9", which is no integer', "Aa+ Aa+ a+ a+"),
        ("csat,0", outside, f'score holds "0"; expected {scale}', "Aa+ Aa+ a+ a+"),
        ("csat,5", None, None, None),
        ("csat,7", outside, f'score holds "7"; expected {scale}', "Aa+ Aa+ a+ a+"),
        ("ces,7", None, None, None),
        ("ces,8", outside, f'score holds "8"; expected {scale}', "Aa+ Aa+ a+ a+"),
        (
            "stars,99",
            "out_of_domain:survey_type",
            'survey_type holds "a+"; expected one of nps, csat, ces',
            "Aa+ Aa+ a+ a+",
        ),
    ]


def test_points_have_the_sign_of_their_kind_of_movement(landed: Land) -> None:
    # 0 is neither above nor below
    sound = ["earn,5", "redeem,-5", "expire,-5", "adjust,5", "adjust,-5"]
    broken = ["earn,0", "earn,-5", "redeem,0", "redeem,5", "expire,5"]
    lines = [f"t{number},m1,{movement},2026-01-09\n" for number, movement in enumerate(sound + broken)]
    header = "points_transaction_id,member_id,type,points,occurred_at\n"
    found = rows(landed({"points_transactions.csv": header + "".join(lines)}), "_failure, _reason")
    assert found[: len(sound)] == [(None, None)] * len(sound)
    assert {failure for failure, _ in found[len(sound) :]} == {"out_of_domain:points"}
    assert found[len(sound)][1] == (
        'points holds "0"; expected -1,000,000,000,000 to 1,000,000,000,000, positive for earn, negative for redeem, '
        "negative for expire"
    )


def test_an_amount_above_its_maximum_is_rejected(landed: Land) -> None:
    columns = (
        RawColumn("item_id", "text", required=True),
        RawColumn("quantity", "number", required=True, minimum=Decimal(0), maximum=Decimal(1_000_000)),
        RawColumn("weight", "number", maximum=Decimal(100)),
    )
    contract = Contract({"items": RawTable("items", ("item_id",), columns)})
    landing = landed(
        {"items.csv": "item_id,quantity,weight\ni1,1000000,100\ni2,6901234567892,1\ni3,1,101\n"}, contract=contract
    )
    assert rows(landing, "quantity, weight, _reason") == [
        (Decimal(1_000_000), Decimal(100), None),
        (Decimal(6_901_234_567_892), Decimal(1), 'quantity holds "6901234567892"; expected 0 to 1,000,000'),
        (Decimal(1), None, None),
    ]
    assert landing.files[0].repairs == (Repair("weight", "out_of_domain", 1, "101"),)


# Optional columns, and what was repaired


def test_what_cannot_be_in_an_optional_column_costs_the_value_and_not_the_row(landed: Land) -> None:
    landing = landed(
        orders(
            order(order_id="o1", refund_amount="x", updated_at="soon"),
            order(order_id="o2", refund_amount="-5"),
            order(order_id="o3", refund_amount="y"),
            order(order_id="o4", refund_amount="7"),
        )
    )
    assert rows(landing, "order_id, refund_amount, updated_at, _failure") == [
        ("o1", None, None, None),
        ("o2", None, None, None),
        ("o3", None, None, None),
        ("o4", Decimal(7), None, None),
    ]
    assert landing.files[0].repairs == (
        Repair("refund_amount", "out_of_domain", 1, "-5"),
        Repair("refund_amount", "unparseable_value", 2, "x"),
        Repair("updated_at", "unparseable_value", 1, "soon"),
    )


def test_repairs_of_rejected_rows_and_white_space_are_not_counted(landed: Land) -> None:
    landing = landed(orders(order(customer_id=" ann\t"), order(order_id="o2", refund_amount="x", status="lost")))
    assert landing.files[0].repairs == ()


def test_an_id_that_was_a_number_is_the_id_and_counts_as_a_repair(landed: Land) -> None:
    landing = landed(orders(order(order_id="1", customer_id="17850"), order(order_id="2.0", customer_id="17850.0")))
    assert rows(landing, "order_id, customer_id, _row_key") == [("1", "17850", "1"), ("2", "17850", "2")]
    assert landing.files[0].repairs == (
        Repair("customer_id", "id_from_number", 1, "17850.0"),
        Repair("order_id", "id_from_number", 1, "2.0"),
    )


def test_the_example_of_a_personal_column_is_masked(landed: Land) -> None:
    landing = landed({"customers.csv": "customer_id,birth_date,city\nc1,soon,\ufeffBonn\n"})
    kinds = {repair.column_name: repair.example for repair in landing.files[0].repairs}
    assert kinds["birth_date"] == "a+"


def test_a_word_for_nothing_is_no_value_and_nobody_is_no_customer(landed: Land) -> None:
    lines = [order(customer_id="NULL"), order(customer_id="guest"), order(order_amount="NaN", order_id="o2")]
    assert rows(landed(orders(*lines)), "_failure") == [
        ("missing_value:customer_id",),
        ("missing_value:customer_id",),
        ("missing_value:order_amount",),
    ]


# Typed files


def test_typed_values_land_as_they_are(landed: Land, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    duckdb.sql(
        f"""
        copy (
            select
                1::bigint as order_id, 17850::double as customer_id, timestamptz '2026-03-01 08:00:00+08' as ordered_at,
                'paid' as status, 12.3457::double as order_amount, 1.5::decimal(9, 2) as refund_amount,
                null::timestamp as refunded_at, date '2026-03-02' as updated_at
        ) to '{tmp_path}/raw/orders.parquet' (format parquet)
        """
    )
    landing = landed({})
    columns = "order_id, customer_id, ordered_at, order_amount, refund_amount, refunded_at, updated_at, _failure"
    assert rows(landing, columns) == [
        (
            *("1", "17850", datetime(2026, 3, 1), Decimal("12.3457"), Decimal("1.5")),
            *(None, datetime(2026, 3, 2), None),
        )
    ]
    described = duckdb.sql(f"describe select * from read_parquet('{landing.files[0].parquet}')").fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    assert {kinds[name] for name in ("ordered_at", "refunded_at", "updated_at")} == {"TIMESTAMP"}
    assert {kinds[name] for name in ("order_amount", "refund_amount", "tax_amount")} == {"DECIMAL(18,4)"}


def test_a_million_rows_are_not_needed_to_keep_the_order_of_rows(landed: Land) -> None:
    count = 30_000
    lines = [order(order_id=f"o{number}") for number in range(count)]
    # every kind of line, so that the parser changes its pace
    lines[7_000] = "o7000,ann"
    lines[20_000] = order(order_id='"o\n20000"')
    found = rows(landed(orders(*lines)), "_row_number, coalesce(order_id, _raw_row)")
    expected = [f"o{number}" for number in range(count)]
    expected[7_000], expected[20_000] = "o7000,ann", "o\n20000"
    assert found == list(enumerate(expected, start=1))


# Once


def test_rows_are_judged_again_where_the_rules_or_the_contract_change_and_only_then(
    landed: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = orders(order(customer_id="NULL"))
    landed(files)
    judged: list[str] = []
    write = land_module.write_judged

    def counted(connection: Any, table: RawTable, *arguments: Any) -> int:
        judged.append(table.name)
        return write(connection, table, *arguments)

    monkeypatch.setattr(land_module, "write_judged", counted)
    landed(files)
    landed(files, rules=replace(RULES, latest_day=date(2030, 1, 1)))
    assert judged == []
    tables = dict(CONTRACT.tables)
    described = tuple(replace(column, description="other words") for column in tables["orders"].columns)
    tables["orders"] = replace(tables["orders"], columns=described)
    landed(files, contract=Contract(tables))
    assert judged == []
    assert rows(landed(files, rules=replace(RULES, words_for_nothing=())), "customer_id") == [("NULL",)]
    assert judged == ["orders"]
    stricter = tuple(
        replace(column, minimum=Decimal(11)) if column.name == "order_amount" else column for column in described
    )
    tables["orders"] = replace(tables["orders"], columns=stricter)
    [(failure,)] = rows(
        landed(files, rules=replace(RULES, words_for_nothing=()), contract=Contract(tables)), "_failure"
    )
    assert failure == "out_of_domain:order_amount"


def test_the_latest_day_is_ten_years_after_the_file_was_first_seen(landed: Land) -> None:
    landing = landed(orders(order()))
    seen = landing.files[0].first_seen_at.date()
    in_nine, in_eleven = f"{seen.year + 9}-06-30", f"{seen.year + 11}-06-30"
    found = rows(landed(orders(order(ordered_at=in_nine), order(ordered_at=in_eleven))), "_failure")
    assert found == [(None,), ("implausible_date:ordered_at",)]


# The order of files


@pytest.mark.parametrize(
    "names",
    [
        ["batch-9.csv", "batch-10.csv"],
        ["orders/load_date=2026-01-09/2.csv", "orders/load_date=2026-01-10/1.csv"],
        ["orders/1/9.csv", "orders/1/10.csv", "orders/2/1.csv", "orders/10/1.csv"],
        ["a.csv", "b.csv"],
        ["a-1.csv", "a.csv", "a1.csv", "a2.csv", "b0.csv"],
        ["v1.9.csv", "v1.10.csv"],
        ["20260109.csv", "20260110.csv", "202601090.csv"],
    ],
)
def test_files_stand_in_the_order_of_their_paths_and_numbers(names: list[str]) -> None:
    assert sorted(reversed(names), key=file_order) == names


def test_a_value_that_a_spreadsheet_lost_is_reported_where_its_row_is_kept(landed: Land) -> None:
    rules = replace(RULES, words_for_nothing=("#REF!", "NaN"), lost_values=("#REF!",))
    lines = [
        order(order_id="o1", refund_amount=" #ref! "),
        order(order_id="o2", refund_amount="NaN"),
        order(order_id="o3", order_amount="#REF!"),
        order(order_id="#REF!"),
    ]
    landing = landed(orders(*lines), rules)
    assert rows(landing, "_row_key, refund_amount, _failure") == [
        ("o1", None, None),
        ("o2", None, None),
        ("o3", None, "missing_value:order_amount"),
        ("#REF!", None, "missing_key:order_id"),
    ]
    assert landing.files[0].repairs == (Repair("refund_amount", "lost_value", 1, "#ref!"),)


def test_a_number_of_too_many_digits_is_out_of_its_domain_and_no_word(landed: Land) -> None:
    found = rows(landed(orders(order(order_amount="1" * 15), order(order_amount="9" * 40))), "_failure, _reason")
    assert [failure for failure, _ in found] == ["out_of_domain:order_amount"] * 2
    assert found[0][1] == 'order_amount holds "9+"; expected 0 to 1,000,000,000,000'


def test_the_least_whole_number_rejects_its_row_alone(landed: Land, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    duckdb.sql(
        f"""
        copy (
            select 'o' || i as order_id, if(i = 1, (-9223372036854775808)::bigint, i) as line_number, 'p' as product_id,
                1::decimal(9, 2) as quantity, 5::decimal(9, 2) as line_amount
            from range(1, 3) as r(i)
        ) to '{tmp_path}/raw/order_items.parquet' (format parquet)
        """
    )
    assert rows(landed({}), "_failure") == [("out_of_domain:line_number",), (None,)]


def test_a_name_with_an_at_sign_is_kept_and_an_address_in_its_place_is_not(landed: Land) -> None:
    lines = ["product_id,product_name", "p1,Yoga@Home", "p2,ann@example.com"]
    landing = landed({"products.csv": "\n".join(lines)})
    assert rows(landing, "product_name") == [("Yoga@Home",), (None,)]


def test_a_phone_number_in_the_place_of_an_amount_is_not_shown(landed: Land) -> None:
    found = rows(landed(orders(order(order_amount="+8613812345678"))), "_reason, _masked_row")
    assert "138" not in str(found)


def test_a_row_in_other_signs_than_ascii_keeps_how_it_is_shown(landed: Land) -> None:
    items = "order_id,line_number,product_id,quantity,line_amount\n138–1234–5678,1,p1,2,3.50\n"
    ((masked_row, masked_key),) = rows(landed({"order_items.csv": items}), "_masked_row, _masked_key")
    assert "138" not in masked_row + masked_key
