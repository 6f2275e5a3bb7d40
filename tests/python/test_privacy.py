"""Planted personal values: wherever they stand, nobody finds them in what is published, said or raised."""

from __future__ import annotations

import csv
import hmac
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import PLAIN_RULES, STARTED_AT, Dbt, World

from orchestration.contract import Contract
from orchestration.engines.duckdb.build import build_database, register
from orchestration.errors import SettingsError, StickinessError
from orchestration.landing.broken_files import RawFolderError
from orchestration.landing.land import LandedFile, Landing, land
from orchestration.landing.masking import create_macros
from orchestration.masking import looks_personal, masked, may_be_personal, pattern_of, printable
from orchestration.settings import ROOT, WAREHOUSE_DIR, load_settings
from orchestration.summary import rejection_lines, rejections, repair_lines, repairs
from orchestration.value_rules import value_rules

NAMES = ("王秀英", "Annabella Quirk")
EMAILS = ("annabella@quirk.example", "秀英@例子.公司")
PHONES = ("13812345678", "+86 139 1234 5678", "１３７１２３４５６７８", "010-87654321")
ADDRESS = "幸福路88号501室"
PLANTED = (*NAMES, *EMAILS, *PHONES, ADDRESS)
# parts by which each would be known
TRACES = (*PLANTED, "annabella@", "Quirk", "秀英", "幸福路", "39 1234 5678", "87654321")
KEY = "only a test knows this key"

CUSTOMERS = (
    *("customer_id", "registered_at", "birth_date", "gender", "country", "region", "city", "occupation"),
    *("income_band", "acquisition_channel", "referred_by_customer_id", "full_name", "email", "phone", "is_deleted"),
)
CLEAN = ("c1", "2026-01-01", "1990-02-03", "female", "CN", "North", "Bonn", "cook", "low", "web", "c2")
PERSON = (NAMES[0], EMAILS[0], PHONES[0])


def table(header: Sequence[str], *rows: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


def damaged_customers() -> str:
    """Sound rows, and rows that stand in wrong columns, of a file with columns outside the contract."""
    header = (*CUSTOMERS, "nickname", "家庭住址", EMAILS[0])
    sound = (*CLEAN, *PERSON, "no", NAMES[1], ADDRESS, EMAILS[1])
    return table(
        header,
        sound,
        # one cell short and one too many, in front: rejected for its key, accepted with it, and of no length that fits
        ("", *CLEAN[2:], *PERSON, "no", NAMES[1], ADDRESS, "", ""),
        ("c3", *CLEAN[2:], *PERSON, "no", NAMES[1], ADDRESS, "", ""),
        ("c4", "x", *CLEAN[1:], *PERSON, NAMES[1], ADDRESS, ""),
        ("c5", "2026-01-01", *CLEAN[3:], PHONES[3], *PERSON, "no", NAMES[1], ADDRESS, ""),
        (*sound, NAMES[0]),
        # in each coded column and in ids
        ("c6", "2026-01-01", "", NAMES[0], "", "", "", "", "", "", "", "", "", "", NAMES[1], "", "", ""),
        ("c7", "2026-01-01", "", PHONES[1], "", "", PHONES[0], "", EMAILS[0], PHONES[2], *[""] * 8),
        (NAMES[1], NAMES[0], EMAILS[1], PHONES[0], *[""] * 14),
        (EMAILS[0], *CLEAN[1:], *PERSON, "no", "", "", ""),
        (PHONES[1], *[""] * 17),
    )


FILES = {
    "customers.csv": damaged_customers(),
    "orders.csv": table(
        ("order_id", "customer_id", "ordered_at", "status", "order_amount", "channel", "收货人"),
        ("o1", "c1", "2026-02-01", "paid", "10", "web", NAMES[0]),
        ("o2", EMAILS[0], "2026-02-02", "completed", "20", PHONES[0], NAMES[0]),
        ("o3", PHONES[1], "2026-02-02", EMAILS[0], "20", EMAILS[1], NAMES[0]),
        (EMAILS[1], "c1", "2026-02-02", "completed", PHONES[1], PHONES[3], ADDRESS),
        (PHONES[0], "c1", PHONES[1], "completed", "5", f"call {PHONES[1]}", ""),
        (PHONES[2], "c1", "2026-02-02", "completed", "-5", "web", ADDRESS),
        ("o7", "c1", "2026-02-02", "paid", "10", "web", NAMES[1], ADDRESS),
    ),
    "order_items.csv": table(
        ("order_id", "line_number", "product_id", "quantity", "line_amount", "note"),
        (EMAILS[0], "1", "p1", "1", "10", ADDRESS),
        ("o9", "1", EMAILS[1], PHONES[0], "10", NAMES[0]),
    ),
    "memberships.csv": table(
        ("member_id", "customer_id", "enrolled_at", "tier", "updated_at"),
        ("m1", "c1", "2026-01-01", PHONES[0], "2026-01-01"),
        ("m2", EMAILS[0], "2026-01-01", EMAILS[1], "2026-01-01"),
    ),
    "survey_responses.csv": table(
        ("response_id", "survey_type", "score", "comment", "channel", "responded_at"),
        ("r1", "nps", "9", f"{NAMES[0]} {EMAILS[0]}", "web", "2026-02-01"),
        ("r2", NAMES[0], "9", ADDRESS, "web", "2026-02-01"),
        ("r3", "nps", PHONES[0], NAMES[1], EMAILS[0], "2026-02-01"),
        (NAMES[1], "nps", NAMES[1], ADDRESS, NAMES[0], "2026-02-01"),
    ),
    "social_mentions.csv": table(
        ("mention_id", "platform", "author_handle", "posted_at", "text"),
        ("s1", NAMES[0], NAMES[1], "2026-02-01", ADDRESS),
        ("s2", "weibo", NAMES[1], NAMES[0], EMAILS[0]),
    ),
    "customer_identities.csv": table(
        ("source_system", "source_id", "customer_id", "email", "phone", "recorded_at"),
        ("news", EMAILS[0], "c1", EMAILS[0], PHONES[0], "2026-02-01"),
        ("news", "77", EMAILS[0], EMAILS[1], PHONES[1], NAMES[0]),
    ),
}
SELECTED = ("customers", "orders", "customer_identities", "referrals", "survey_responses", "rejected_rows")
SELECTED += ("repaired_values", "key_conflicts", "row_reconciliation")


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def traces(text: str | bytes) -> list[str]:
    """The planted values, and parts of them, that are found in a text or in the bytes of a file."""
    held = text if isinstance(text, bytes) else text.encode()
    return [trace for trace in TRACES if trace.encode() in held]


def landed_rows(file: LandedFile, columns: str) -> list[tuple]:
    return duckdb.sql(f"select {columns} from read_parquet('{file.parquet}') order by _row_number").fetchall()


@pytest.fixture
def landed(tmp_path: Path, contract: Contract) -> Callable[..., Landing]:
    def put(files: dict[str, str], **rules: object) -> Landing:
        raw = write(tmp_path / "raw", files)
        return land(raw, tmp_path / "landing", contract, replace(PLAIN_RULES, nobody_ids=(), **rules))

    return put


# What looks personal


@pytest.mark.parametrize(
    "text",
    [
        *EMAILS,
        *PHONES,
        "mail me: ann@x.cn!",
        "ann＠example．com",
        "an\u200bn@exa\u200bmple.com",
        "/p?mail=ann%40example.com",
        "ann @ example.com",
        "138 1234 5678",
        "138-1234-5678",
        "8613812345678",
        "电话13812345678，谢谢",
        "١٣٨١٢٣٤٥٦٧٨",
        "１38１2345６７８",
        "𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
        "138\u200b12345678",
        "(202) 555-0123",
        "202-555-0123",
        "+49 (170) 123-4567",
        "0086 138 1234 5678",
        "11010519900307881X",
        "1.3812345678E10",
        "1.3812345678e+10",
    ],
)
def test_an_address_or_a_number_is_known_in_every_spelling(text: str) -> None:
    with duckdb.connect() as connection:
        create_macros(connection)
        found = "select _looks_personal(t), _may_be_personal(t), _pattern_of(t) from (select ? as t)"
        assert connection.execute(found, [text]).fetchone() == (True, True, pattern_of(text))
    assert looks_personal(text) and may_be_personal(text)
    assert not any(character.isdecimal() and character != "9" for character in masked(text))


@pytest.mark.parametrize("text", ["Sample 2\n13812345678", "VIP 1\t13812345678", "VIP 1\u202813812345678"])
def test_a_break_parts_a_number_from_what_stands_before_it(text: str) -> None:
    with duckdb.connect() as connection:
        create_macros(connection)
        assert connection.execute("select _looks_personal(?)", [text]).fetchone() == (True,)
    assert looks_personal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("17850", "o-2026-1", "ORD0000123456", "6901234567892", "123456789012345678", "1764500000", "@ann"),
        *("2026-03-08", "2026-03-08T10:00:00+08:00", "2026-03-08 10:00:00.123456 +0800", "1.23457E+17", "-0.01"),
        *("1,234,567.89", "12345678901.25", "100 %", "A@", "20260308101112", "v1.0.3", "1000-1999"),
        # chance writes numbers of phones into ids of machines
        *("67fbb189-3794-4244-94b2-0123456789ab", "ab13812345678" + "c" * 51),
    ],
)
def test_ids_amounts_and_dates_are_not_taken_for_them(text: str) -> None:
    with duckdb.connect() as connection:
        create_macros(connection)
        assert connection.execute("select _looks_personal(?)", [text]).fetchone() == (False,)
    assert not looks_personal(text)
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Annabella@quirk.example", "Aa+@a+.a+"),
        ("王秀英 13", "字+ 9+"),
        ("A1b", "A9a"),
        ("Ünïcødé e\u0301", "Aa+ a"),
        ("\x1b[2J\u202ex", "?[9A?a"),
        ("", ""),
        ("é" * 500, "a+"),
        ("a1" * 100, "a9" * 29 + "a…"),
    ],
)
def test_a_pattern_keeps_signs_and_no_letter(text: str, pattern: str) -> None:
    with duckdb.connect() as connection:
        create_macros(connection)
        assert connection.execute("select _pattern_of(?)", [text]).fetchone() == (pattern,)
    assert pattern_of(text) == pattern


# What is landed


def test_nothing_planted_is_in_what_landing_shows(landed: Callable[..., Landing]) -> None:
    landing = landed(FILES)
    shown = "_failure, _reason, _masked_row, coalesce(_masked_key, case when _failure is not null then _row_key end)"
    for file in landing.files:
        rows = landed_rows(file, shown)
        assert traces(repr(rows)) == [], file.table
        assert traces(repr((file.repairs, file.key_conflicts, file.ignored_columns))) == [], file.table
        # the whole row stays for those who run it
        whole = landed_rows(file, "_failure, _raw_row")
        assert all(row is not None for failure, row in whole if failure)
    assert traces("\n".join(landing.notices)) == []
    # of o1 and o2
    assert any("warning: 1 of 2 ids of customers in orders (50.0%) look like" in notice for notice in landing.notices)


def test_a_name_in_the_free_text_of_a_row_that_is_out_of_step_is_left_out(landed: Callable[..., Landing]) -> None:
    # city, occupation and channel moved to the left by one; the phone number in is_deleted tells it
    rows = [("c1", "Bonn", "cook", NAMES[0], *PERSON), ("c2", "Bonn", "cook", "web", NAMES[0], "a@b.cn", "555")]
    text = table(
        ("customer_id", "city", "occupation", "acquisition_channel", "full_name", "email", "is_deleted"), *rows
    )
    [file] = landed({"customers.csv": text}).files
    assert landed_rows(file, "city, occupation, acquisition_channel") == [(None, None, None), ("Bonn", "cook", "web")]
    assert {repair.kind for repair in file.repairs} == {"personal_data", "unparseable_value"}


@pytest.mark.parametrize(
    ("full_name", "email", "phone", "city"),
    [
        # all to the left by one, all to the right
        (EMAILS[0], PHONES[0], "no", None),
        ("w", NAMES[0], EMAILS[0], None),
        # what people type
        (EMAILS[0], EMAILS[0], PHONES[0], "Bonn"),
        (NAMES[0], PHONES[0], PHONES[0], "Bonn"),
        (NAMES[0], "none", "-", "Bonn"),
        (NAMES[0], "", EMAILS[0], "Bonn"),
    ],
)
def test_a_row_is_out_of_step_where_name_address_and_number_are_one_column_off(
    landed: Callable[..., Landing], full_name: str, email: str, phone: str, city: str | None
) -> None:
    header = ("customer_id", "city", "full_name", "email", "phone")
    [file] = landed({"customers.csv": table(header, ("c1", "Bonn", full_name, email, phone))}).files
    assert landed_rows(file, "city") == [(city,)]


@pytest.mark.parametrize("name", ["customers.csv", "orders.csv", "survey_responses.csv"])
@pytest.mark.parametrize(
    "first",
    [
        (*CLEAN, *PERSON),
        PERSON,
        ("Emil", "Phone", *NAMES),
        ("email", *PERSON, "phone"),
        ("email", *NAMES),
        (f"{ADDRESS}\n{NAMES[0]}",),
    ],
)
def test_the_first_person_of_a_file_without_header_is_not_told(
    landed: Callable[..., Landing], name: str, first: Sequence[str]
) -> None:
    """So is a file of one table under the name of another, and one whose first quote is never closed."""
    with pytest.raises(RawFolderError) as caught:
        landed({name: table(first, ("c2", *CLEAN[1:], *PERSON))})
    text = str(caught.value)
    assert traces(text) == [] and "Emil" not in text
    assert "a first row that is no header" in text
    assert f"columns of the table {name[:-4]}: " in text and "customer_id" in text


def test_a_header_that_is_never_closed_tells_nobody(landed: Callable[..., Landing]) -> None:
    with pytest.raises(RawFolderError) as caught:
        landed({"customers.csv": f'c1,"{NAMES[0]},{EMAILS[0]}\nc2,{NAMES[1]}'})
    assert traces(str(caught.value)) == []


def test_a_parquet_that_is_a_table_of_text_tells_nobody(landed: Callable[..., Landing]) -> None:
    with pytest.raises(RawFolderError) as caught:
        landed({"customers.parquet": f"Quirk,{NAMES[0]},{EMAILS[0]}"})
    assert traces(str(caught.value)) == []


# Ids


def test_ids_that_are_addresses_are_warned_of_with_their_share(landed: Callable[..., Landing]) -> None:
    ids = ("c1", "c2", EMAILS[0], PHONES[0])
    orders = [(f"o{place}", who, "2026-02-01", "paid", "1") for place, who in enumerate(ids)]
    header = ("order_id", "customer_id", "ordered_at", "status", "order_amount")
    [notice] = landed({"orders.csv": table(header, *orders)}).notices
    assert notice.startswith("warning: 2 of 4 ids of customers in orders (50.0%) look like e-mail addresses")
    assert "hash_customer_ids: true" in notice and traces(notice) == []


def test_hashed_ids_are_alike_in_every_table(landed: Callable[..., Landing]) -> None:
    """By RFC 2104 as Python has it; an id of another system keeps the system before it."""

    def of(text: str) -> str:
        return hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()

    files = {
        "customers.csv": table(("customer_id", "referred_by_customer_id"), (EMAILS[0], "王"), ("'7", "")),
        "orders.csv": table(
            ("order_id", "customer_id", "ordered_at", "status", "order_amount"),
            ("o1", EMAILS[0], "2026-02-01", "paid", "1"),
            ("o2", "7.0", "2026-02-01", "paid", "1"),
            ("o3", "pos:77", "2026-02-01", "paid", "1"),
            ("o4", "", "2026-02-01", "paid", "1"),
            (PHONES[0], "7", "2026-02-01", "paid", "1"),
        ),
        "order_items.csv": table(
            ("order_id", "line_number", "product_id", "quantity", "line_amount"), (PHONES[0], "1", "p1", "1", "1")
        ),
        "customer_identities.csv": table(
            ("source_system", "source_id", "customer_id", "recorded_at"), ("pos", "77", EMAILS[0], "2026-02-01")
        ),
    }
    landing = landed(files, id_key=KEY)
    customers, orders, items, identities = landing.files
    assert landed_rows(customers, "customer_id, referred_by_customer_id, _row_key") == [
        (of(EMAILS[0]), of("王"), of(EMAILS[0])),
        (of("7"), None, of("7")),
    ]
    assert [row[0] for row in landed_rows(orders, "customer_id")] == [
        of(EMAILS[0]),
        of("7"),
        "pos:" + of("77"),
        None,
        of("7"),
    ]
    # an id of another kind only where it is itself an address or a number
    assert [row[0] for row in landed_rows(orders, "order_id")] == ["o1", "o2", "o3", "o4", of(PHONES[0])]
    assert landed_rows(items, "order_id, product_id") == [(of(PHONES[0]), "p1")]
    assert landed_rows(identities, "source_system || ':' || source_id, customer_id") == [
        ("pos:" + of("77"), of(EMAILS[0]))
    ]
    assert landing.notices == ()
    assert KEY not in (landing.files[0].parquet.parents[1] / "manifest.json").read_text()


def test_ids_are_hashed_with_a_key_or_not_at_all(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {"company.yml": "hash_customer_ids: true\n"})
    with pytest.raises(SettingsError, match=r"hash_customer_ids is true, but STICKINESS_ID_KEY.*is not set"):
        load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_ID_KEY": " "})
    settings = load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_ID_KEY": KEY})
    assert value_rules(settings).id_key == KEY
    assert KEY not in repr(settings) + repr(value_rules(settings))
    (raw / "company.yml").write_text("company_name: Shop\n")
    assert load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_ID_KEY": KEY}).id_key is None


# Terminals


def test_no_terminal_obeys_what_a_file_says() -> None:
    hostile = "a\x1b[2J\x07\r\u202eb\u2066c\x9bd\u200be\ufefff"
    assert printable(hostile) == "a�[2J���b�c�d�e�f"
    assert printable("名 é 👩‍👧\n\tx") == "名 é 👩‍👧\n\tx"
    assert str(StickinessError(hostile)) == printable(hostile)


# What is built and published


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, dbt: Dbt, contract: Contract) -> World:
    """The planted files, with hashed ids, landed and built as far as they reach."""
    raw = write(tmp_path_factory.mktemp("planted") / "raw", FILES | {"company.yml": "hash_customer_ids: true\n"})
    warehouse = tmp_path_factory.mktemp("planted_warehouse")
    environ = {"STICKINESS_RAW_DIR": str(raw), WAREHOUSE_DIR: str(warehouse), "STICKINESS_ID_KEY": KEY}
    settings = replace(load_settings(environ), as_of=date(2026, 3, 31))
    landing = land(settings.raw_dir, settings.landing_dir, contract, value_rules(settings), settings.dialects)
    register(landing, settings, contract, build_database(warehouse), "test", STARTED_AT)
    selected = [f"+{name}" for name in SELECTED]
    no_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    return World(settings, landing, dbt.invoke(warehouse, "build", "--select", *selected, *no_tests))


@pytest.mark.worlds
@pytest.mark.long
@pytest.mark.xdist_group("raw_contract")
def test_nothing_planted_is_found_in_what_is_published_or_said(planted: World, tmp_path: Path) -> None:
    tables = planted.rows(
        "select table_schema, table_name from information_schema.tables where table_schema in ('marts', 'quality')"
    )
    assert {name for _, name in tables} >= set(SELECTED)
    copy = tmp_path / "copy.duckdb"
    with duckdb.connect(str(copy), config={"storage_compatibility_version": "v1.5.0"}) as connection:
        connection.execute("set force_compression = 'uncompressed'")
        connection.execute(f"attach '{build_database(planted.settings.warehouse)}' as build (read_only)")
        for schema, name in tables:
            connection.execute(f"create table {schema}_{name} as from build.{schema}.{name}")
            rows = connection.execute(f"from {schema}_{name}").fetchall()
            assert traces(repr(rows)) == [], f"{schema}.{name}"
    assert traces(copy.read_bytes()) == []
    # it would find them: the build has the whole rows
    assert set(PLANTED) <= set(traces(repr(planted.rows("select raw_row from staging.base_customers")) + str(FILES)))
    assert planted.rows("select count(*) > 10 from quality.rejected_rows") == [(True,)]

    def ask(query: str) -> Iterable[tuple]:
        return planted.rows(query.replace("{quality}", "quality"))

    told = [*planted.landing.notices, *rejection_lines(rejections(ask), {}), *repair_lines(repairs(ask))]
    assert len(told) > 5 and traces("\n".join(told)) == []
    log = ROOT / "logs" / "dbt.log"
    assert not log.exists() or traces(log.read_bytes()) == []


@pytest.mark.worlds
@pytest.mark.long
@pytest.mark.xdist_group("raw_contract")
def test_an_order_is_its_customers_though_ids_are_hashed(planted: World) -> None:
    """Order o2 is of the customer whose id is an address; o1 and a row of each other system are c1's."""
    [(order, customer)] = planted.rows(
        "select orders.customer_id, customers.customer_id from marts.orders "
        "join marts.customers using (customer_id) where order_id = 'o2'"
    )
    assert order == customer == hmac.new(KEY.encode(), EMAILS[0].encode(), "sha256").hexdigest()
    shown = planted.rows("select raw_row from quality.rejected_rows where table_name = 'customers' and row_key = ''")
    assert json.loads(shown[0][0])["email"] in ("9+", "a+", "a+@a+.a+")
