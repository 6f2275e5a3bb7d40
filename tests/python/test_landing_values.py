"""What one cell of a raw file is read as: every type of column, every type of cell, worked by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import duckdb_sql as sql
from orchestration.contract import Contract, RawColumn
from orchestration.landing.values import ValueRules, value_sql

RULES = ValueRules(
    business_timezone="Asia/Shanghai",
    timestamps_without_offset="Asia/Shanghai",
    words_for_nothing=("NULL", r"\N", "NaN", "None", "N/A", "#N/A", "——", "-", "无"),
    words_in_free_text=("NULL", r"\N", "NaN", "nan", "#N/A"),
    nobody_ids=("guest", "0", "anonymous", "散客"),
    latest_day=date(2036, 3, 31),
    reporting_currency="CNY",
)
ID = RawColumn("order_id", "text")
CUSTOMER_ID = RawColumn("customer_id", "text")
REFERRER = RawColumn("referred_by_customer_id", "text")
PHONE = RawColumn("phone", "text")
CODE = RawColumn("status", "text", values=("placed", "completed", "none"))
TIER = RawColumn("tier", "text", seed="loyalty_tiers")
TEXT = RawColumn("comment", "text")
AMOUNT = RawColumn("order_amount", "number")
QUANTITY = RawColumn("quantity", "number")
INTEGER = RawColumn("score", "integer")
BOOLEAN = RawColumn("is_deleted", "boolean")
DATE = RawColumn("birth_date", "date")
TIME = RawColumn("ordered_at", "timestamp")

UNPARSEABLE, IMPLAUSIBLE, DESTROYED = "unparseable_value", "implausible_date", "destroyed_id"


def in_zone(zone: str) -> ValueRules:
    """The rules of a company there."""
    return replace(RULES, business_timezone=zone, timestamps_without_offset=zone)


@dataclass(frozen=True)
class Reading:
    """What became of a cell."""

    value: Any
    problem: str | None = None
    repair: str | None = None
    text: str | None = None


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def readings(
    database: duckdb.DuckDBPyConnection,
    column: RawColumn,
    cells: Iterable[str],
    cell_type: str = "VARCHAR",
    rules: ValueRules = RULES,
) -> list[Reading]:
    """Read cells given as SQL, in one query."""
    read = value_sql(column, "cell", cell_type, rules, value_as="value")
    rows = ", ".join(f"({place}, {cell})" for place, cell in enumerate(cells))
    found = database.execute(
        f"""
        with
        cells as (select place, cast(cell as {cell_type}) as cell from (values {rows}) as given(place, cell)),
        read as (select *, {read.value} as value from cells)
        select value, {read.problem or "null"}, {read.repair or "null"}, {read.text}
        from read
        order by place
        """
    )
    return [Reading(*row) for row in found.fetchall()]


def texts(
    database: duckdb.DuckDBPyConnection, column: RawColumn, cells: Iterable[str], rules: ValueRules = RULES
) -> list[Reading]:
    """Read cells of text."""
    return readings(database, column, [sql.text(cell) for cell in cells], rules=rules)


def check(found: list[Reading], expected: dict[str, Any]) -> None:
    """Compare value, problem and repair; a bare value stands for one without either."""
    wanted = [one if isinstance(one, tuple) else (one, None, None) for one in expected.values()]
    got = [(one.value, one.problem, one.repair) for one in found]
    assert dict(zip(expected, got, strict=True)) == dict(zip(expected, wanted, strict=True))


def repaired(value: Any, kind: str) -> tuple[Any, None, str]:
    return value, None, kind


def refused(problem: str) -> tuple[None, str, None]:
    return None, problem, None


def check_texts(
    database: duckdb.DuckDBPyConnection, column: RawColumn, expected: dict[str, Any], rules: ValueRules = RULES
) -> None:
    check(texts(database, column, expected, rules), expected)


def check_cells(
    database: duckdb.DuckDBPyConnection,
    column: RawColumn,
    cell_type: str,
    expected: dict[str, Any],
    rules: ValueRules = RULES,
) -> None:
    check(readings(database, column, expected, cell_type, rules), expected)


# ---- ids ----

IDS = {
    "17850": "17850",
    " 17850 ": "17850",
    "\u00a017850\u3000": "17850",
    "01234": "01234",
    "-1": "-1",
    "Hal": "Hal",
    "hal": "hal",
    "O'Brien": "O'Brien",
    "till:8841": "till:8841",
    "#1001": "#1001",
    "客户7": "客户7",
    "v1.0": "v1.0",
    "1.50": "1.50",
    "1.0.0": "1.0.0",
    "1E5": "1E5",
    "1E-5": "1E-5",
    '5"': '5"',
    "17850.0": repaired("17850", "id_from_number"),
    "17850.00 ": repaired("17850", "id_from_number"),
    "-17850.0": repaired("-17850", "id_from_number"),
    "9007199254740991.0": repaired("9007199254740991", "id_from_number"),
    "'17850": repaired("17850", "spreadsheet_mark"),
    "'17850.0": repaired("17850", "id_from_number"),
    "'hal": repaired("hal", "spreadsheet_mark"),
    '="17850"': repaired("17850", "spreadsheet_mark"),
    '"17850"': repaired("17850", "spreadsheet_mark"),
    "\t17850": "17850",
    "hal\u200b": repaired("hal", "invisible_characters"),
    "\u202ahal\u202c": repaired("hal", "invisible_characters"),
    "\ufeffhal": repaired("hal", "invisible_characters"),
    "h\u00adal": repaired("hal", "invisible_characters"),
    "１７８５０": repaired("17850", "full_width"),
    "ＡＢ－１": repaired("AB-1", "full_width"),
    "1.23457E+17": refused(DESTROYED),
    "1.23457e+17": refused(DESTROYED),
    "1.2345678901234568E17": refused(DESTROYED),
    "1E+3": refused(DESTROYED),
    '="1.23457E+17"': refused(DESTROYED),
    "9007199254740992.0": refused(DESTROYED),
    "123456789012345678.0": refused(DESTROYED),
    "123456789012345678": "123456789012345678",
    "": None,
    "  ": None,
    "\u200b": None,
    "'": None,
    '=""': None,
    "NULL": None,
    "null": None,
    " None ": None,
    "'NaN": None,
    r"\N": None,
    "——": None,
    "－": None,
    "guest": "guest",
    "0": "0",
}


def test_an_id_in_every_spelling(database: duckdb.DuckDBPyConnection) -> None:
    check_texts(database, ID, IDS)


def test_a_customer_who_is_nobody_is_no_customer(database: duckdb.DuckDBPyConnection) -> None:
    nobody = {"guest": None, "Guest": None, "0": None, "0.0": None, "０": None, "散客": None, "'anonymous": None}
    for column in (CUSTOMER_ID, REFERRER):
        check_texts(database, column, nobody | {"00": "00", "guest7": "guest7"})
        check_cells(database, column, "BIGINT", {"0": None, "7": "7", "null": None})
        check_cells(database, column, "DOUBLE", {"0::double": None, "'nan'::double": None})


def test_a_phone_number_is_repaired_as_an_id_is(database: duckdb.DuckDBPyConnection) -> None:
    check_texts(
        database,
        PHONE,
        {
            "13800138001.0": repaired("13800138001", "id_from_number"),
            "+86 138 0013 8001": "+86 138 0013 8001",
            "1.38001E+10": refused(DESTROYED),
        },
    )
    check_cells(database, PHONE, "DOUBLE", {"13800138001": repaired("13800138001", "id_from_number")})


def test_ids_of_other_types_than_text(database: duckdb.DuckDBPyConnection) -> None:
    for whole in ("TINYINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT"):
        check_cells(database, ID, whole, {"17": "17", "null": None})
    check_cells(
        database,
        ID,
        "DOUBLE",
        {
            "17850": repaired("17850", "id_from_number"),
            "-3": repaired("-3", "id_from_number"),
            "1.5": "1.5",
            "9007199254740991": repaired("9007199254740991", "id_from_number"),
            "9007199254740992": refused(DESTROYED),
            "1.23457e17": refused(DESTROYED),
            "'nan'": None,
            "'inf'": refused(UNPARSEABLE),
            "null": None,
        },
    )
    check_cells(database, ID, "FLOAT", {"17": repaired("17", "id_from_number"), "16777216": refused(DESTROYED)})
    check_cells(
        database,
        ID,
        "DECIMAL(38,10)",
        {
            "17850": repaired("17850", "id_from_number"),
            "12345678901234567890": repaired("12345678901234567890", "id_from_number"),
        },
    )
    check_cells(database, ID, "DECIMAL(18,0)", {"17850": "17850"})
    check_cells(database, ID, "BLOB", {"'17850.0'": repaired("17850", "id_from_number"), r"'\xFF'": r"\xFF"})
    check_cells(
        database, ID, "UUID", {"'00000000-0000-0000-0000-00000000000a'": "00000000-0000-0000-0000-00000000000a"}
    )
    check_cells(database, ID, "BOOLEAN", {"true": "true"})
    check_cells(database, ID, "INTEGER[]", {"[1, 2]": "[1, 2]"})


# ---- codes and free text ----


def test_codes(database: duckdb.DuckDBPyConnection) -> None:
    check_texts(
        database,
        CODE,
        {
            "completed": "completed",
            " completed ": "completed",
            "completed\u200b": repaired("completed", "invisible_characters"),
            "'completed": repaired("completed", "spreadsheet_mark"),
            "Completed": repaired("completed", "letter_case"),
            "done": "done",
            "NULL": None,
            "——": None,
            "none": "none",
        },
    )
    check_texts(database, TIER, {"Gold": "Gold", "gold\u200b": repaired("gold", "invisible_characters"), "None": None})


def test_free_text(database: duckdb.DuckDBPyConnection) -> None:
    family = "👨\u200d👩\u200d👧"
    check_texts(
        database,
        TEXT,
        {
            "well made": "well made",
            " well\nmade\u3000": "well\nmade",
            "满意": "满意",
            family: family,
            f" {family}": family,
            "north\u200b": repaired("north", "invisible_characters"),
            "\u202anorth\u202c": repaired("north", "invisible_characters"),
            "\u200dnorth": repaired("north", "invisible_characters"),
            "no\u200brth": repaired("north", "invisible_characters"),
            '="north"': repaired("north", "spreadsheet_mark"),
            "'t Hooft": "'t Hooft",
            "ＡＢＣ": "ＡＢＣ",
            "None": "None",
            "Nan": "Nan",
            "nan": None,
            "NULL": None,
            " NULL ": None,
            "无": "无",
            "-": "-",
            "": None,
            "\u200b": None,
        },
    )
    check_cells(database, TEXT, "DOUBLE", {"'nan'::double": None, "1.5::double": "1.5"})
    check_cells(database, TEXT, "BIGINT", {"3": "3"})


# ---- numbers ----

NUMBERS = {
    "7": Decimal(7),
    " 7.00\u00a0": Decimal(7),
    "-7.5": Decimal("-7.5"),
    "+7": Decimal(7),
    ".5": Decimal("0.5"),
    "7.": Decimal(7),
    "0.12345": Decimal("0.1235"),
    "1e3": Decimal(1000),
    "1.5E-2": Decimal("0.015"),
    "99999999999999": Decimal(99999999999999),
    "100000000000000": refused(UNPARSEABLE),
    "1E+25": refused(UNPARSEABLE),
    "1,234.50": repaired(Decimal("1234.5"), "thousands_separator"),
    "1,234,567": repaired(Decimal(1234567), "thousands_separator"),
    "1,23,456.00": repaired(Decimal(123456), "thousands_separator"),
    "1,234": refused(UNPARSEABLE),
    "1,5": refused(UNPARSEABLE),
    "1.234,50": refused(UNPARSEABLE),
    "12,34.5": refused(UNPARSEABLE),
    "１２３": repaired(Decimal(123), "full_width"),
    "7．50": repaired(Decimal("7.5"), "full_width"),
    "'7.5": repaired(Decimal("7.5"), "spreadsheet_mark"),
    '="7.5"': repaired(Decimal("7.5"), "spreadsheet_mark"),
    "7\u200b": repaired(Decimal(7), "invisible_characters"),
    "NaN": None,
    "N/A": None,
    "-": None,
    "——": None,
    "": None,
    "inf": refused(UNPARSEABLE),
    "12abc": refused(UNPARSEABLE),
    "5%": refused(UNPARSEABLE),
    "(7.00)": refused(UNPARSEABLE),
    "1_000": refused(UNPARSEABLE),
    "0x10": refused(UNPARSEABLE),
}


def test_numbers(database: duckdb.DuckDBPyConnection) -> None:
    check_texts(database, QUANTITY, NUMBERS | {"¥7.00": refused(UNPARSEABLE)})


def test_a_currency_sign_is_read_where_it_is_that_of_the_company(database: duckdb.DuckDBPyConnection) -> None:
    yuan = dict.fromkeys(
        ("¥7.00", "￥7.00", "¥ 7.00", "CNY 7.00", "7.00元", "7.00 CNY"), repaired(Decimal(7), "currency_sign")
    )
    yuan |= {
        "-¥7.00": repaired(Decimal(-7), "currency_sign"),
        "¥1,234.50": repaired(Decimal("1234.5"), "thousands_separator"),
    }
    check_texts(database, AMOUNT, NUMBERS | yuan | {"$7.00": refused(UNPARSEABLE), "USD 7.00": refused(UNPARSEABLE)})
    dollars = replace(RULES, reporting_currency="USD")
    check_texts(
        database, AMOUNT, {"$7.00": repaired(Decimal(7), "currency_sign"), "¥7.00": refused(UNPARSEABLE)}, dollars
    )


def test_numbers_of_other_types_than_text(database: duckdb.DuckDBPyConnection) -> None:
    check_cells(
        database,
        AMOUNT,
        "DOUBLE",
        {
            "40.1": Decimal("40.1"),
            "1234567890123.45": Decimal("1234567890123.45"),
            "99999999999999": Decimal(99999999999999),
            "1e14": refused(UNPARSEABLE),
            "'nan'": None,
            "'inf'": refused(UNPARSEABLE),
            "'-inf'": refused(UNPARSEABLE),
            "null": None,
        },
    )
    check_cells(
        database, AMOUNT, "FLOAT", {"12345.67": Decimal("12345.67"), "'nan'": None, "1e15": refused(UNPARSEABLE)}
    )
    check_cells(database, AMOUNT, "BIGINT", {"7": Decimal(7), "100000000000000": refused(UNPARSEABLE)})
    check_cells(database, AMOUNT, "DECIMAL(38,10)", {"0.12345": Decimal("0.1235"), "1e20": refused(UNPARSEABLE)})
    check_cells(database, AMOUNT, "DECIMAL(18,4)", {"7.5": Decimal("7.5")})
    check_cells(database, AMOUNT, "BOOLEAN", {"true": refused(UNPARSEABLE), "null": None})
    check_cells(database, AMOUNT, "DATE", {"date '2026-01-01'": refused(UNPARSEABLE)})
    check_cells(database, AMOUNT, "BLOB", {"'7.5'": Decimal("7.5")})


def test_whole_numbers(database: duckdb.DuckDBPyConnection) -> None:
    check_texts(
        database,
        INTEGER,
        {
            "7": 7,
            "+7": 7,
            "3.0": 3,
            "3.": 3,
            "３": repaired(3, "full_width"),
            "'3": repaired(3, "spreadsheet_mark"),
            "1,234.0": repaired(1234, "thousands_separator"),
            "3.5": refused(UNPARSEABLE),
            "1e3": refused(UNPARSEABLE),
            "999999999999999999": 999999999999999999,
            "9999999999999999999": refused(UNPARSEABLE),
            "NaN": None,
        },
    )
    check_cells(
        database, INTEGER, "DOUBLE", {"3": 3, "3.5": refused(UNPARSEABLE), "'nan'": None, "1e17": refused(UNPARSEABLE)}
    )
    check_cells(
        database, INTEGER, "DECIMAL(38,10)", {"3": 3, "3.5": refused(UNPARSEABLE), "1e20": refused(UNPARSEABLE)}
    )
    check_cells(database, INTEGER, "UBIGINT", {"3": 3, "18446744073709551615": refused(UNPARSEABLE)})
    check_cells(database, INTEGER, "BOOLEAN", {"true": refused(UNPARSEABLE)})


def test_booleans(database: duckdb.DuckDBPyConnection) -> None:
    true = dict.fromkeys(("true", "True", "T", "yes", "Y", "1", "1.0", " true ", "是"), True)
    false = dict.fromkeys(("false", "FALSE", "f", "no", "N", "0", "0.0", "否"), False)
    others = {"１": repaired(True, "full_width"), "'1": repaired(True, "spreadsheet_mark"), "NaN": None, "": None}
    check_texts(database, BOOLEAN, true | false | others | {"2": refused(UNPARSEABLE), "maybe": refused(UNPARSEABLE)})
    numbers = {"1": True, "0": False, "2": refused(UNPARSEABLE), "null": None}
    for cell_type in ("BIGINT", "DOUBLE", "DECIMAL(38,10)"):
        check_cells(database, BOOLEAN, cell_type, numbers)
    check_cells(database, BOOLEAN, "DOUBLE", {"'nan'": None})
    check_cells(database, BOOLEAN, "BOOLEAN", {"true": True, "false": False, "null": None})
    check_cells(database, BOOLEAN, "DATE", {"date '2026-01-01'": refused(UNPARSEABLE)})


# ---- dates ----


def test_dates(database: duckdb.DuckDBPyConnection) -> None:
    day = date(1990, 5, 1)
    check_texts(
        database,
        DATE,
        {
            "1990-05-01": day,
            " 1990-05-01 ": day,
            "1990-05-01 00:00:00": day,
            "1990-05-01T00:00:00.000": day,
            "1990-05-01T00:00:00Z": day,
            "1990-05-01 00:00 +08:00": day,
            "1990-05-01 10:00:00": repaired(day, "time_cut_off"),
            "1990-05-01 10:00:00 UTC": repaired(day, "time_cut_off"),
            # clocks in China were an hour ahead in the summer of 1990
            "1990-04-30T15:00:00Z": repaired(day, "time_cut_off"),
            "1990/5/1": repaired(day, "date_spelling"),
            "1990.05.01": repaired(day, "date_spelling"),
            "1990年5月1日": repaired(day, "date_spelling"),
            "1990-5-1": repaired(day, "date_spelling"),
            "'1990-05-01": repaired(day, "spreadsheet_mark"),
            "１９９０-05-01": repaired(day, "full_width"),
            "1990-05-01\u200b": repaired(day, "invisible_characters"),
            "05/01/1990": refused(UNPARSEABLE),
            "1990-13-01": refused(UNPARSEABLE),
            "1990-02-30": refused(UNPARSEABLE),
            "0000-00-00": refused(UNPARSEABLE),
            "32994": refused(UNPARSEABLE),
            "19900501": refused(UNPARSEABLE),
            "1990-05": refused(UNPARSEABLE),
            "1899-12-31": refused(IMPLAUSIBLE),
            "1900-01-01": refused(IMPLAUSIBLE),
            "1900-01-01 00:00:00": refused(IMPLAUSIBLE),
            "1900-01-02": date(1900, 1, 2),
            "0001-01-01": refused(IMPLAUSIBLE),
            "9999-12-31": refused(IMPLAUSIBLE),
            "2036-03-31": date(2036, 3, 31),
            "2036-04-01": refused(IMPLAUSIBLE),
            "NULL": None,
            "": None,
        },
    )


def test_dates_of_other_types_than_text(database: duckdb.DuckDBPyConnection) -> None:
    days = {
        "date '1990-05-01'": date(1990, 5, 1),
        "date '1900-01-01'": refused(IMPLAUSIBLE),
        "date '9999-12-31'": refused(IMPLAUSIBLE),
        "null": None,
    }
    check_cells(database, DATE, "DATE", days | {"date 'infinity'": refused(IMPLAUSIBLE)})
    for cell_type in ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"):
        with_time = {"timestamp '1990-05-01 10:00:00'": repaired(date(1990, 5, 1), "time_cut_off")}
        check_cells(database, DATE, cell_type, with_time | {"timestamp '1990-05-01'": date(1990, 5, 1), "null": None})
    check_cells(
        database,
        DATE,
        "TIMESTAMP WITH TIME ZONE",
        {
            "timestamptz '1990-05-01 00:00:00+00'": date(1990, 5, 1),
            "timestamptz '1990-05-01 00:00:00+09'": date(1990, 5, 1),
            "timestamptz '1990-05-01 10:00:00+00'": repaired(date(1990, 5, 1), "time_cut_off"),
            "null": None,
        },
    )
    check_cells(database, DATE, "BIGINT", {"32994": refused(UNPARSEABLE)})


# ---- times ----


def test_times(database: duckdb.DuckDBPyConnection) -> None:
    morning = datetime(2026, 3, 8, 2)  # ten o'clock in Shanghai
    check_texts(
        database,
        TIME,
        {
            "2026-03-08T10:00:00": morning,
            "2026-03-08 10:00": morning,
            " 2026-03-08 10:00:00.000 ": morning,
            "2026-03-08t10:00:00": morning,
            "2026-03-08T10:00:00,5": morning.replace(microsecond=500000),
            "2026-03-08T02:00:00Z": morning,
            "2026-03-08 02:00:00 UTC": morning,
            "2026-03-08T02:00:00z": morning,
            "2026-03-08 10:00:00+08:00": morning,
            "2026-03-08 10:00:00 +0800": morning,
            "2026-03-07 21:00:00 -0500": morning,
            "2026-03-08T10:00+08": morning,
            "2026-03-08": datetime(2026, 3, 7, 16),
            "2026/3/8 10:00": repaired(morning, "date_spelling"),
            "2026/03/08 10:00:00": repaired(morning, "date_spelling"),
            "2026.3.8 10:00": repaired(morning, "date_spelling"),
            "2026年3月8日 10:00": repaired(morning, "date_spelling"),
            "2026-03-08 9:00": repaired(datetime(2026, 3, 8, 1), "date_spelling"),
            "'2026-03-08 10:00": repaired(morning, "spreadsheet_mark"),
            "２026-03-08 10:00": repaired(morning, "full_width"),
            "2026-03-08 10:00\u200b": repaired(morning, "invisible_characters"),
            "46089": refused(UNPARSEABLE),
            "46089.4166": refused(UNPARSEABLE),
            "03/08/2026 10:00": refused(UNPARSEABLE),
            "2026-03-08 10:00 AM": refused(UNPARSEABLE),
            "2026-03-08 10:00 CST": refused(UNPARSEABLE),
            "2026-03-08 24:00": refused(UNPARSEABLE),
            "2026-02-30": refused(UNPARSEABLE),
            "2026-02-30T10:00:00Z": refused(UNPARSEABLE),
            "合计": refused(UNPARSEABLE),
            "0001-01-01 00:00:00": refused(IMPLAUSIBLE),
            "1899-12-31T10:00:00Z": refused(IMPLAUSIBLE),
            "1900-01-01": refused(IMPLAUSIBLE),
            "1900-01-02 00:00:00": datetime(1900, 1, 1, 15, 54, 17),
            "9999-12-31T00:00:00Z": refused(IMPLAUSIBLE),
            # the last day is one of Shanghai
            "2036-03-31T15:59:59Z": datetime(2036, 3, 31, 15, 59, 59),
            "2036-03-31T16:00:00Z": refused(IMPLAUSIBLE),
            "NaT": refused(UNPARSEABLE),
            "NULL": None,
            "": None,
        },
    )


def test_times_without_an_offset_by_setting(database: duckdb.DuckDBPyConnection) -> None:
    cells = ["2026-03-08 10:00:00", "2026-03-08T10:00:00Z", "2026-03-08"]
    for zone, hours in {"Asia/Shanghai": (2, -8), "UTC": (10, 0), "Asia/Tokyo": (1, -9)}.items():
        found = texts(database, TIME, cells, replace(RULES, timestamps_without_offset=zone))
        day = datetime(2026, 3, 8).timestamp()
        wanted = [hours[0], 10, hours[1]]
        assert [(one.value.timestamp() - day) / 3600 for one in found] == wanted, zone


# local time -> UTC, where clocks are set forward and back
CLOCK_CHANGES = {
    "Europe/Berlin": {
        "2026-03-29 01:59:59": "2026-03-29 00:59:59",
        "2026-03-29 02:30:00": "2026-03-29 01:30:00",  # skipped: becomes 03:30 summer time
        "2026-03-29 03:00:00": "2026-03-29 01:00:00",
        "2026-10-25 01:59:59": "2026-10-24 23:59:59",
        "2026-10-25 02:00:00": "2026-10-25 00:00:00",  # twice: the first, in summer time
        "2026-10-25 02:59:59": "2026-10-25 00:59:59",
        "2026-10-25 03:00:00": "2026-10-25 02:00:00",
        "2026-10-25 12:00:00": "2026-10-25 11:00:00",
    },
    "America/New_York": {
        "2026-03-08 01:59:59": "2026-03-08 06:59:59",
        "2026-03-08 02:30:00": "2026-03-08 07:30:00",  # skipped: becomes 03:30 summer time
        "2026-03-08 03:00:00": "2026-03-08 07:00:00",
        "2026-11-01 00:59:59": "2026-11-01 04:59:59",
        "2026-11-01 01:30:00": "2026-11-01 05:30:00",  # twice: the first, in summer time
        "2026-11-01 02:00:00": "2026-11-01 07:00:00",
    },
    "Australia/Lord_Howe": {"2026-04-05 01:45:00": "2026-04-04 14:45:00"},  # clocks move by half an hour
}


@pytest.mark.parametrize("zone", CLOCK_CHANGES)
def test_a_local_time_when_clocks_change(database: duckdb.DuckDBPyConnection, zone: str) -> None:
    rules = in_zone(zone)
    wanted = {cell: datetime.fromisoformat(utc) for cell, utc in CLOCK_CHANGES[zone].items()}
    check_texts(database, TIME, wanted, rules)
    check_cells(database, TIME, "TIMESTAMP", {f"timestamp '{cell}'": utc for cell, utc in wanted.items()}, rules)


ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
)


@settings(max_examples=20, deadline=None)
@given(
    zone=st.sampled_from(ZONES), times=st.lists(st.datetimes(datetime(1975, 1, 1), datetime(2025, 1, 1)), min_size=1)
)
def test_a_local_time_is_in_utc_what_python_says(zone: str, times: list[datetime]) -> None:
    times = [one.replace(fold=0) for one in times]
    # the hours of a night in which clocks may change, beside any time
    nights = [one.replace(hour=hour, minute=30) for one in times for hour in (23, 0, 1, 2, 3)]
    cells = [f"timestamp '{one}'" for one in (*times, *nights)]
    with duckdb.connect(":memory:") as database:
        database.execute("set TimeZone = 'UTC'")
        found = readings(database, TIME, cells, "TIMESTAMP", in_zone(zone))
    local = [one.replace(tzinfo=ZoneInfo(zone)) for one in (*times, *nights)]
    assert [one.value for one in found] == [one.astimezone(ZoneInfo("UTC")).replace(tzinfo=None) for one in local]


def test_times_of_other_types_than_text(database: duckdb.DuckDBPyConnection) -> None:
    for cell_type in ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"):
        check_cells(
            database,
            TIME,
            cell_type,
            {
                "timestamp '2026-03-08 10:00:00'": datetime(2026, 3, 8, 2),
                "timestamp '1900-01-01'": refused(IMPLAUSIBLE),
                "timestamp '2036-04-01'": refused(IMPLAUSIBLE),
                "timestamp '2036-03-31 10:00:00'": datetime(2036, 3, 31, 2),
                "null": None,
            },
        )
    micro = datetime(2026, 1, 5, 2, 0, 0, 123456)
    check_cells(
        database,
        TIME,
        "TIMESTAMP",
        {"timestamp '2026-01-05 10:00:00.123456'": micro, "timestamp 'infinity'": refused(IMPLAUSIBLE)},
    )
    check_cells(
        database,
        TIME,
        "TIMESTAMP WITH TIME ZONE",
        {
            "timestamptz '2026-03-08 10:00:00+08'": datetime(2026, 3, 8, 2),
            "timestamptz '0001-01-01 00:00:00+00'": refused(IMPLAUSIBLE),
            "timestamptz 'infinity'": refused(IMPLAUSIBLE),
            "null": None,
        },
    )
    check_cells(
        database,
        TIME,
        "DATE",
        {"date '2026-03-08'": datetime(2026, 3, 7, 16), "date '9999-12-31'": refused(IMPLAUSIBLE)},
    )
    check_cells(database, TIME, "BIGINT", {"1767225600": refused(UNPARSEABLE), "null": None})
    check_cells(database, TIME, "DOUBLE", {"46089.5": refused(UNPARSEABLE)})


# ---- every cell ----

CELL_TYPES = {
    "VARCHAR": "'17850.0'",
    "BIGINT": "7",
    "UTINYINT": "1",
    "HUGEINT": "170141183460469231731687303715884105727",
    "FLOAT": "1.5",
    "DOUBLE": "1e300",
    "DECIMAL(38,10)": "7.5",
    "BOOLEAN": "true",
    "DATE": "date '2026-01-05'",
    "TIMESTAMP": "timestamp '2026-01-05 10:00:00'",
    "TIMESTAMP_NS": "timestamp '2026-01-05 10:00:00'",
    "TIMESTAMP WITH TIME ZONE": "timestamptz '2026-01-05 10:00:00+00'",
    "TIME": "time '10:00:00'",
    "INTERVAL": "interval 3 day",
    "BLOB": r"'\x00\xFF'",
    "UUID": "'00000000-0000-0000-0000-00000000000a'",
    "INTEGER[]": "[1, 2]",
    "STRUCT(a INTEGER)": "{'a': 1}",
    "MAP(VARCHAR, INTEGER)": "map {'a': 1}",
    "ENUM('a', 'b')": "'a'",
}


@pytest.mark.parametrize("cell_type", CELL_TYPES)
def test_a_cell_of_any_type_in_a_column_of_any_type_has_a_value_or_a_problem(
    database: duckdb.DuckDBPyConnection, contract: Contract, cell_type: str
) -> None:
    columns = {
        (column.data_type, column.reads_as_id, bool(column.values)): column
        for table in contract.tables.values()
        for column in table.columns
    }
    for column in columns.values():
        filled, empty = readings(database, column, [CELL_TYPES[cell_type], "null"], cell_type)
        assert (filled.value is None) != (filled.problem is None), (column, filled)
        assert filled.text
        assert empty == Reading(None)
