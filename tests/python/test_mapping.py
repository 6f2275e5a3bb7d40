"""Mappings: exports of any form become rows of the contract, as a company.yml says it."""

import csv
import gzip
import io
import json
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from exports import CONTRACT, Exports

from orchestration.company_file import read_company_file
from orchestration.errors import SettingsError
from orchestration.landing.mapping import check_source
from orchestration.settings import ROOT, read_company_settings

SHOP = """
sources:
  - files: "*订单*"
    tables:
      orders:
        one_row_per: order_id
        columns:
          order_id: [订单编号, 订单号]
          customer_id: { first_of: [会员, 手机] }
          ordered_at: 下单时间
          status: { from: 状态, values: { 交易成功: completed, "买家已付款，等待卖家发货": paid } }
          order_amount: { from: 行金额, number: "1,234.50", per: line }
          shipping_amount: 运费
          channel: { constant: taobao }
        filters:
          total row: { column: [订单编号, 订单号], is: 合计 }
      order_items:
        lines_of: order_id
        columns:
          order_id: [订单编号, 订单号]
          line_number: { position: true }
          product_id: 商品
          quantity: 数量
          line_amount: { from: 行金额, number: "1,234.50" }
        filters:
          total row: { column: [订单编号, 订单号], is: 合计 }
"""
HEADER = ["订单编号", "会员", "手机", "下单时间", "状态", "行金额", "运费", "商品", "数量"]
LINES = [
    ["A1", "wang", "", "2026-01-02 08:00:00", "交易成功", "¥1,234.50", "5", "p1", "1"],
    ["A1", "", "", "", "", "1,000", "", "p2", "2"],
    ["A2", "", "18612345678", "2026/1/3 9:00", "买家已付款,等待卖家发货", "10.1", "", "p1", "1"],
    ["合计", "", "", "", "", "2,244.60", "", "", "4"],
]
# A1 is 1,234.50 + 1,000 and has its shipping once; eight o'clock in Shanghai is midnight UTC
ORDERS = [
    ("A1", "wang", "2026-01-02 00:00:00", "completed", "2234.5", "5", "taobao"),
    ("A2", "18612345678", "2026-01-03 01:00:00", "paid", "10.1", None, "taobao"),
]
ITEMS = [("A1", "1", "p1", "1", "1234.5"), ("A1", "2", "p2", "2", "1000"), ("A2", "1", "p1", "1", "10.1")]
ORDER_COLUMNS = "order_id, customer_id, ordered_at, status, order_amount, shipping_amount, channel"
ITEM_COLUMNS = "order_id, line_number, product_id, quantity, line_amount"


def csv_text(lines: list[list[str]], delimiter: str = ",") -> str:
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in line] for line in lines]
    return "".join(delimiter.join(line) + "\r\n" for line in quoted)


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path)


def orders(columns: str, more: str = "", table: str = "", files: str = "o.*") -> str:
    """A company.yml with one mapping of orders: what is not given comes from columns of the contract's own names."""
    given = {line.split(":")[0].strip() for line in columns.strip().splitlines()}
    plain = [f"{name}: {name}" for name in ("order_id", "customer_id", "ordered_at", "status", "order_amount")]
    lines = [line for line in plain if line.split(":")[0] not in given] + columns.strip().splitlines()
    body = "\n".join(f"          {line.strip()}" for line in lines)
    head = "".join(f"    {line.strip()}\n" for line in more.strip().splitlines() if line.strip())
    beside = "".join(f"        {line.strip()}\n" for line in table.strip().splitlines() if line.strip())
    return f"sources:\n  - files: '{files}'\n{head}    tables:\n      orders:\n{beside}        columns:\n{body}\n"


# Forms of files


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_csv_of_lines_fills_orders_and_their_items(exports: Exports, encoding: str, delimiter: str) -> None:
    exports.put("company.yml", SHOP)
    exports.put("我的订单.csv", csv_text([HEADER, *LINES], delimiter), encoding)
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS
    assert exports.rows("order_items", ITEM_COLUMNS) == ITEMS
    # four lines: two orders, one further line, one total row
    assert exports.fates("orders") == (4, 2, 2)
    assert exports.fates("order_items") == (4, 3, 1)
    notices = exports.land().notices
    assert "我的订单.csv: 1 row was left out of orders by the rule: one row per order_id." in notices
    assert "我的订单.csv: 1 row was left out of order_items by the rule: total row." in notices


def test_a_gzip_file_is_read_as_what_is_in_it(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv.gz", gzip.compress(csv_text([HEADER, *LINES]).encode()))
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS


def test_a_gzip_file_that_is_cut_off_is_an_error(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv.gz", gzip.compress(csv_text([HEADER, *LINES]).encode())[:-12])
    assert {problem.found for problem in exports.problems()} == {"a file that is none, or is cut off"}


def test_of_a_workbook_the_sheet_with_the_header_is_read_whatever_stands_above_it(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    # a spreadsheet keeps a number as a number and a time as a time
    first = ["A1", "wang", "", datetime(2026, 1, 2, 8), "交易成功", 1234.5, 5, "p1", 1]
    exports.put_workbook("订单.xlsx", {"说明": [["导出说明"]], "明细": [["店铺", "甲"], [], HEADER, first, *LINES[1:]]})
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS
    assert exports.rows("order_items", ITEM_COLUMNS) == ITEMS
    assert exports.fates("order_items") == (4, 3, 1)


def test_the_sheet_that_a_mapping_names_is_read_and_told(exports: Exports) -> None:
    exports.put("company.yml", SHOP.replace('"*订单*"', '"*订单*"\n    sheet: [旧表, 新表]'))
    other = [["B9", *line[1:]] for line in LINES[:1]]
    exports.put_workbook("订单.xlsx", {"另一张": [HEADER, *other], "新表": [HEADER, *LINES]})
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS
    exports.put_workbook("订单.xlsx", {"另一张": [HEADER, *other]})
    assert exports.problems()[0].expected == "a sheet 旧表 or 新表"
    assert exports.problems()[0].found == "the sheets 另一张"


def test_ids_of_a_workbook_are_whole_or_rejected(exports: Exports) -> None:
    exports.put("company.yml", orders("order_amount: { constant: 1 }"))
    header = ["order_id", "customer_id", "ordered_at", "status"]
    ids = [1234567890123456, 12345678901234567890, "12345678901234567890"]
    exports.put_workbook("o.xlsx", {"x": [header, *([key, 7, "2026-01-02", "paid"] for key in ids)]})
    assert exports.rows("orders", "order_id, customer_id") == [
        ("1234567890123456", "7"),
        ("12345678901234567890", "7"),
    ]
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["destroyed_id:order_id"]


def test_json_lines_give_their_values_exactly_and_a_line_that_is_none_is_rejected(exports: Exports) -> None:
    exports.put("company.yml", orders("order_amount: amount"))
    entry = {"order_id": 9007199254740993, "customer_id": "c", "ordered_at": "2026-01-02T00:00:00Z", "status": "paid"}
    lines = [json.dumps(entry)[:-1] + ', "amount": 0.1}', "[1]", '{"order_id": "half', json.dumps({"order_id": "no"})]
    exports.put("o.jsonl", "\n".join(lines) + "\n")
    assert exports.rows("orders", "order_id, ordered_at, order_amount") == [
        ("9007199254740993", "2026-01-02 00:00:00", "0.1")
    ]
    rejected = exports.rejected("orders")
    assert [(number, failure) for number, failure, _ in rejected] == [
        ("2", "malformed_row"),
        ("3", "malformed_row"),
        ("4", "missing_value:customer_id"),
    ]
    assert exports.file("orders").malformed_rows == 2


def test_parquet_is_read_by_the_same_mapping(exports: Exports) -> None:
    exports.put("company.yml", orders("order_amount: 金额"))
    select = "select 1 as order_id, 'c' as customer_id, timestamp '2026-01-02 08:00' as ordered_at, 'paid' as status"
    duckdb.sql(f"copy ({select}, cast(12.5 as decimal(9, 2)) as 金额) to '{exports.raw / 'o.parquet'}'")
    assert exports.rows("orders", "order_id, ordered_at, order_amount") == [("1", "2026-01-02 00:00:00", "12.5")]


def test_a_form_that_nothing_reads_is_an_error_where_a_mapping_names_it(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.pdf", "x")
    assert exports.problems()[0].found.startswith("a file that ends in .pdf")


# Headers


def test_columns_may_be_added_moved_and_renamed_to_another_name_that_is_listed(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    header = ["备注", "订单号 ", *reversed(HEADER[1:])]
    exports.put("订单.csv", csv_text([header, *([["x", line[0], *reversed(line[1:])] for line in LINES])]))
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS
    assert exports.file("orders").ignored_columns == ("备注",)


def test_a_missing_column_is_one_clear_error_with_the_nearest_name(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv", csv_text([[*HEADER[:3], "下单的时间", *HEADER[4:]], *LINES]))
    (problem,) = exports.problems()
    assert problem.file_name == "订单.csv"
    assert problem.expected == "a header with the column 下单时间, for the column ordered_at of orders"
    assert problem.found == "the header 订单编号, 会员, 手机, 下单的时间, 状态, 行金额, 运费, 商品, 数量"
    assert "The nearest is 下单的时间" in problem.action


def test_a_column_that_is_read_and_stands_twice_is_an_error(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv", csv_text([[*HEADER, "状态"], *([*line, ""] for line in LINES)]))
    assert [problem.expected for problem in exports.problems()] == ["the column 状态 once"]


def test_a_column_that_nothing_reads_may_stand_twice(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv", csv_text([[*HEADER, "分销员", "分销员"], *([*line, "", ""] for line in LINES)]))
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS


def test_a_header_row_that_is_named_is_the_header(exports: Exports) -> None:
    plain = "order_id,customer_id,ordered_at,status,order_amount\n"
    exports.put("o.csv", f"{plain}order_id,customer_id,ordered_at,status,order_amount\no1,c,2026-01-02,paid,1\n")
    exports.put("company.yml", orders("", "header_row: 2"))
    assert exports.fates("orders") == (1, 1, 0)
    exports.put("company.yml", orders(""))
    assert exports.fates("orders") == (2, 2, 0)


# Values


def test_a_text_that_the_mapping_does_not_list_rejects_the_row_with_it(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv", csv_text([HEADER, [*LINES[0][:4], "交易异常", *LINES[0][5:]], LINES[2]]))
    assert exports.rows("orders", "order_id") == [("A2",)]
    expected = 'status holds "交易异常"; expected one of the values that its mapping lists'
    assert exports.rejected("orders") == [("1", "unmapped_value:status", expected)]
    assert exports.fates("orders") == (2, 2, 0)


def test_it_does_so_in_a_column_that_is_not_required_too(exports: Exports) -> None:
    exports.put("company.yml", orders("channel: { from: 来源, values: { 小程序: wechat } }"))
    body = "o1,c,2026-01-02,paid,1,小程序\no2,c,2026-01-02,paid,1,\no3,c,2026-01-02,paid,1,快手\n"
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,order_amount,来源\n" + body)
    assert exports.rows("orders", "order_id, channel") == [("o1", "wechat"), ("o2", None)]
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["unmapped_value:channel"]


def test_values_are_found_whatever_their_width_case_and_marks(exports: Exports) -> None:
    exports.put("company.yml", orders('status: { from: s, values: { "Paid (A，B)": paid, "": placed } }'))
    cells = ['"ＰＡＩＤ （A,B）"', '" paid (a,b)\t"', '"=""Paid (A，B)"""', ""]
    body = "".join(f"o{place},c,2026-01-02,1,{cell}\n" for place, cell in enumerate(cells))
    exports.put("o.csv", "order_id,customer_id,ordered_at,order_amount,s\n" + body)
    assert exports.rows("orders", "order_id, status") == [
        ("o0", "paid"),
        ("o1", "paid"),
        ("o2", "paid"),
        ("o3", "placed"),
    ]


@pytest.mark.parametrize(
    ("number", "cells"),
    [
        ("1,234.50", {"1,234": "1234", "¥1,234.50": "1234.5", "12,345,678元": "12345678", "1,5": None, "7": "7"}),
        ("1.234,50", {"1.234": "1234", "1.234,50": "1234.5", "0,5": "0.5", "1.5": None, "12.345.678,9": "12345678.9"}),
    ],
)
def test_numbers_are_read_as_their_format_says(exports: Exports, number: str, cells: dict[str, str | None]) -> None:
    exports.put("company.yml", orders("order_amount: a", f'number: "{number}"'))
    body = "".join(f'o{place};c;2026-01-02;paid;"{cell}"\n' for place, cell in enumerate(cells))
    exports.put("o.csv", "order_id;customer_id;ordered_at;status;a\n" + body)
    landed = exports.rows("orders", "_failure, order_amount", "true")
    assert [amount if failure is None else None for failure, amount in landed] == list(cells.values())


@pytest.mark.parametrize(
    ("date", "cells"),
    [
        ("'%d/%m/%Y %H:%M'", {"03/01/2026 09:30": "2026-01-03 01:30:00", "2026-01-03 09:30": "2026-01-03 01:30:00"}),
        ("['%m/%d/%Y', '%d.%m.%Y']", {"01/03/2026": "2026-01-02 16:00:00", "3.1.2026": "2026-01-02 16:00:00"}),
        ("epoch_ms", {"1767400200000": "2026-01-03 00:30:00"}),
        ("epoch_us", {"1767400200000001": "2026-01-03 00:30:00.000001"}),
        ("'%d/%m/%Y'", {"31/02/2026": None, "gestern": None}),
    ],
)
def test_dates_are_read_by_their_formats(exports: Exports, date: str, cells: dict[str, str | None]) -> None:
    exports.put("company.yml", orders(f"ordered_at: {{ from: t, date: {date} }}"))
    body = "".join(f"o{place},c,paid,1,{cell}\n" for place, cell in enumerate(cells))
    exports.put("o.csv", "order_id,customer_id,status,order_amount,t\n" + body)
    assert [when for (when,) in exports.rows("orders", "ordered_at", "true")] == list(cells.values())


def test_times_are_of_the_zone_that_the_mapping_names_unless_they_name_another(exports: Exports) -> None:
    exports.put("company.yml", orders("ordered_at: t", "time_zone: America/New_York"))
    # in November and July New York is five and four hours behind UTC
    cells = {
        "2026-11-30 20:00:00": "2026-12-01 01:00:00",
        "2026/7/1 20:00": "2026-07-02 00:00:00",
        "2025-10-02 17:09:34 -0300": "2025-10-02 20:09:34",
        "2026-01-02T00:00:00Z": "2026-01-02 00:00:00",
    }
    body = "".join(f"o{place},c,paid,1,{cell}\n" for place, cell in enumerate(cells))
    exports.put("o.csv", "order_id,customer_id,status,order_amount,t\n" + body)
    assert [when for (when,) in exports.rows("orders", "ordered_at")] == list(cells.values())


def test_hidden_digits_and_ciphers_are_no_key_and_words_for_nothing_are_empty(exports: Exports) -> None:
    exports.put(
        "company.yml", orders("customer_id: { first_of: [会员, 手机], lowercase: true }", 'nothing: ["(not set)"]')
    )
    body = "o1,186******05,Ann@X.cn\no2,##abc,\no3,(not set),b\no4,186******05,\n"
    exports.put(
        "o.csv",
        "order_id,会员,手机,ordered_at,status,order_amount\n" + body.replace("\n", ",2026-01-02,paid,1\n"),
    )
    assert exports.rows("orders", "order_id, customer_id") == [("o1", "ann@x.cn"), ("o3", "b")]
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["missing_value:customer_id"] * 2


def test_the_first_rule_whose_condition_holds_fills_a_column(exports: Exports) -> None:
    rules = (
        "status: [{ where: { any_filled: [Cancelled at] }, constant: cancelled }, "
        "{ where: { column: Paid, is_not: ['yes', paid] }, constant: placed }, "
        "{ from: State, values: { sent: shipped } }]"
    )
    exports.put("company.yml", orders(rules))
    body = "o1,2026-01-03,no,?\no2,,no,?\no3,,YES,sent\no4,,paid,lost\n".replace("\n", ",c,2026-01-02,1\n")
    exports.put("o.csv", "order_id,Cancelled at,Paid,State,customer_id,ordered_at,order_amount\n" + body)
    assert exports.rows("orders", "order_id, status") == [("o1", "cancelled"), ("o2", "placed"), ("o3", "shipped")]
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["unmapped_value:status"]


def test_an_amount_may_be_a_price_times_a_quantity_less_a_discount(exports: Exports) -> None:
    exports.put("company.yml", orders("order_amount: { from: 单价, times: 数量, minus: 优惠 }", 'number: "1,234.50"'))
    # 3 × 0.1 - 0.05; 1,000 × 2; nothing to multiply with; no number to take off
    lines = ["0.1,3,0.05", '"¥1,000.00",2,', "5,,", "5,1,free"]
    body = "".join(f"o{place},c,2026-01-02,paid,{line}\n" for place, line in enumerate(lines))
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,单价,数量,优惠\n" + body)
    assert exports.rows("orders", "order_id, order_amount") == [("o0", "0.25"), ("o1", "2000")]
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["unparseable_value:order_amount"] * 2


def test_an_amount_in_another_currency_is_rejected(exports: Exports) -> None:
    exports.put("company.yml", orders("shipping_amount: s", "currency: [Währung, Currency]"))
    body = "o1,c,2026-01-02,paid,1,,cny\no2,c,2026-01-02,paid,1,2,USD\no3,c,2026-01-02,paid,1,2,\n"
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,order_amount,s,Currency\n" + body)
    assert [key for (key,) in exports.rows("orders", "order_id")] == ["o1", "o3"]
    expected = 'order_amount holds "1 USD"; expected an amount in the reporting currency'
    assert exports.rejected("orders") == [("2", "other_currency:order_amount", expected)]


# Lines of one order

PER = "order_amount: {{ from: 金额, per: {0} }}\nchannel: {{ from: 渠道, per: {1} }}"


@pytest.mark.parametrize(
    ("per", "lines", "expected"),
    [
        # repeated on every line, only on the first, or on a later one: it counts once
        ("order", ["10,a", "10,a"], ("10", "a")),
        ("order", ["10,a", ","], ("10", "a")),
        ("order", [",", "10,a"], ("10", "a")),
        ("first", ["10,a", "12,b"], ("10", "a")),
        ("line", ["0.1,a", "0.2,a"], ("0.3", "a")),
        ("line", ["¥0.1,a", "-0.05,a"], ("0.05", "a")),
        ("order", ["10,a", "12,a"], "conflicting_values:order_amount"),
        ("line", ["10,a", "zwölf,a"], "unparseable_value:order_amount"),
        # as the contract reads a number: separators that are some for sure, a line with nothing
        ("line", ['"1,234.50",a', "100,a", '"2,000.00",a'], ("3334.5", "a")),
        ("line", ["100,a", "-,a", "——,a", " ,a"], ("100", "a")),
        # and no other: each of these would be another amount without its sign, unit or currency
        ("line", ["100,a", '"1,000",a'], "unparseable_value:order_amount"),
        ("line", ["100,a", "(30.00),a"], "unparseable_value:order_amount"),
        ("line", ["100,a", "30.00-,a"], "unparseable_value:order_amount"),
        ("line", ["100,a", "US$5,a"], "unparseable_value:order_amount"),
        ("line", ["100,a", "1.2万,a"], "unparseable_value:order_amount"),
        ("line", ["100,a", "10%,a"], "unparseable_value:order_amount"),
    ],
)
def test_values_of_an_order_count_as_its_mapping_says(
    exports: Exports, per: str, lines: list[str], expected: tuple[str, str] | str
) -> None:
    exports.put(
        "company.yml", orders(PER.format(per, "order" if per == "line" else per), table="one_row_per: order_id")
    )
    body = "".join(f"o1,c,2026-01-02,paid,{line}\n" for line in [*lines, "7,z"]).replace(
        "o1,c,2026-01-02,paid,7", "o2,c,2026-01-02,paid,7"
    )
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,金额,渠道\n" + body)
    assert exports.fates("orders") == (len(lines) + 1, 2, len(lines) - 1)
    if isinstance(expected, tuple):
        assert exports.rows("orders", "order_amount, channel") == [expected, ("7", "z")]
    else:
        assert [failure for _, failure, _ in exports.rejected("orders")] == [expected]


def test_lines_of_an_order_need_not_stand_together_and_a_line_without_order_is_a_row_of_its_own(
    exports: Exports,
) -> None:
    exports.put("company.yml", orders("", table="one_row_per: order_id"))
    body = 'o1,c,2026-01-02,paid,1\n,c,2026-01-02,paid,2\no2,c,2026-01-02,paid,3\n="o1",,,,\n,c,2026-01-02,paid,2\n'
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,order_amount\n" + body)
    assert exports.rows("orders", "order_id, order_amount") == [("o1", "1"), ("o2", "3")]
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["missing_key:order_id"] * 2
    assert exports.fates("orders") == (5, 4, 1)


def test_a_line_that_does_not_fit_the_header_is_rejected_and_never_filtered(exports: Exports) -> None:
    exports.put("company.yml", orders("", table="one_row_per: order_id\nfilters: { empty: { all_empty: order_id } }"))
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,order_amount\no1,c,2026-01-02,paid,1\no2,c\n,,,,\n")
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["malformed_row"]
    assert exports.fates("orders") == (3, 2, 1)
    assert exports.file("orders").malformed_rows == 1


# What is landed once


def test_a_file_is_landed_anew_where_its_mapping_changes_and_not_where_its_place_in_the_list_does(
    exports: Exports,
) -> None:
    exports.put("o.csv", "order_id,customer_id,ordered_at,status,order_amount\no1,c,2026-01-02,paid,1\n")
    exports.put("company.yml", orders("channel: { constant: a }"))
    first = exports.file("orders").parquet
    exports.put("company.yml", "# a comment\n" + orders("channel: { constant: a }", files="o.csv"))
    assert exports.file("orders").parquet == first
    exports.put("company.yml", orders("channel: { constant: b }"))
    assert exports.rows("orders", "channel") == [("b",)]
    assert not first.exists()


def test_a_mapping_that_concerns_no_file_is_told(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    (notice,) = exports.land().notices
    assert notice.endswith("entry 1 of sources (*订单*) concerns no file.")


def test_a_file_that_two_mappings_bring_to_one_table_is_an_error(exports: Exports) -> None:
    exports.put("company.yml", SHOP + SHOP.removeprefix("\nsources:\n"))
    exports.put("订单.csv", csv_text([HEADER, *LINES]))
    assert {problem.expected for problem in exports.problems()} == {
        "one mapping to the table orders",
        "one mapping to the table order_items",
    }


def test_a_file_of_the_contract_stands_beside_those_that_are_mapped(exports: Exports) -> None:
    exports.put("company.yml", SHOP)
    exports.put("订单.csv", csv_text([HEADER, *LINES]))
    exports.put("orders.csv", "order_id,customer_id,ordered_at,status,order_amount\no1,c,2026-01-02,paid,1\n")
    assert [row[0] for row in exports.rows("orders", "order_id")] == ["o1", "A1", "A2"]


# What a mapping may say


def documented(form: str, naming: str = "") -> str:
    """The first block of a form in the documentation that has a text."""
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    return next(block for part in text.split(f"```{form}\n")[1:] if naming in (block := part.split("```")[0]))


@pytest.mark.parametrize(
    ("naming", "name", "lines"),
    [
        (
            "问卷",
            "问卷/1.csv",
            [
                [
                    "序号",
                    "提交答卷时间",
                    "所用时间",
                    "来源",
                    "来源详情",
                    "来自IP",
                    "1、您有多大可能把我们推荐给朋友？",
                    "2、请说说原因",
                ],
                ["1", "2026/1/2 8:00:00", "10秒", "链接", "c1", "1.2.3.4", "9", "好┋快"],
            ],
        ),
        (
            "SurveyMonkey",
            "SurveyMonkey 1.csv",
            [
                ["Respondent ID", "Collector ID", "End Date", "Email Address", "Custom Data 1"]
                + ["How likely is it that you would recommend us\n to a friend?", "Why?"],
                ["", "", "", "", "", "Response", "Open-Ended Response"],
                ["1", "7", "01/02/2026 08:00:00 AM", "a@x.cn", "c1", "9", "好┋快"],
            ],
        ),
    ],
)
def test_the_surveys_of_the_documentation_land(
    exports: Exports, naming: str, name: str, lines: list[list[str]]
) -> None:
    exports.put("company.yml", documented("yaml", naming))
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    exports.put(name, text.getvalue())
    columns = "response_id, survey_type, responded_at, score, comment, customer_id"
    assert exports.rows("survey_responses", columns) == [("1", "nps", "2026-01-02 00:00:00", "9", "好┋快", "c1")]
    assert exports.rejected("survey_responses") == []


def test_the_example_of_the_documentation_lands_as_it_says(exports: Exports) -> None:
    exports.put("导出订单.csv", documented("csv"))
    exports.put("company.yml", documented("yaml"))
    assert exports.rows("orders", ORDER_COLUMNS) == ORDERS[:1]
    assert exports.rows("order_items", ITEM_COLUMNS) == ITEMS[:2]
    assert exports.land().unread == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("sources: 1\n", "sets sources to a whole number; expected a list of entries"),
        ("sources:\n  - {files: a.csv}\n", "entry 1 of sources has no tables"),
        ("sources:\n  - {fils: a.csv}\n", 'entry 1 of sources has the unknown key "fils"; expected files,'),
        ("sources:\n  - {tables: {}}\n", "entry 1 of sources has no path"),
        (orders("", "time_zone: Shanghai"), 'sets time_zone to "Shanghai"'),
        (orders("", 'number: "1 234"'), 'sets number to "1 234"; expected the example "1,234.50" or "1.234,50"'),
        (orders("", "encoding: klingon"), 'sets encoding to "klingon"'),
        (orders("", "header_row: 0"), "sets header_row to 0 (whole number); expected a whole number from 1"),
        (orders("status: { form: x }"), 'column status has the unknown key "form"'),
        (orders("status: { from: x, constant: y }"), "has from and constant; expected one of from, first_of"),
        (orders("status: { from: x, where: { column: y, is: yes } }"), "holds True (yes/no value); expected a text"),
        (orders("status: {}"), "says nothing of where its value comes from"),
        (orders("status: { from: x, values: { a: 2026-01-02 } }"), "sets the value of a to"),
        (orders("ordered_at: { from: x, date: YYYY }"), 'sets date to "YYYY"'),
        (orders("status: { from: x, per: each }"), 'sets per to "each"; expected order or first or line'),
        (orders("status: [{ constant: x }, { constant: y }]"), "a rule before the last has no where"),
        (orders("", table="filters: { f: { column: x } }"), "filter f is no condition; expected column with is"),
        (orders("", table="one_row_per: a\n lines_of: b"), "has one_row_per and lines_of; expected one of them"),
    ],
)
def test_a_mapping_that_says_something_wrong_is_told_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "company.yml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        read_company_file(path, read_company_settings(ROOT))
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            orders("").replace("      orders:", "      order:"),
            'fills "order", which is no table of the contract. Did you mean orders?',
        ),
        (orders("order_amout: x"), 'fills "order_amout", which is no column of the table. Did you mean order_amount?'),
        (orders("").replace("          status: status\n", ""), "fills no status, which every row of the table needs"),
        (orders("", table="one_row_per: store_id"), 'groups by "store_id", which it does not fill'),
        (orders("status: { from: x, per: first }"), "says per of status; expected one_row_per or lines_of"),
        (orders("status: { position: true }"), "says position of status; expected lines_of"),
    ],
)
def test_a_mapping_that_does_not_fit_the_contract_is_told(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "company.yml"
    path.write_text(content, encoding="utf-8")
    (source,) = read_company_file(path, read_company_settings(ROOT)).sources
    with pytest.raises(SettingsError) as refused:
        check_source(source, CONTRACT)
    assert said in str(refused.value)


# What must not become another amount without a word

PLAIN = "order_id,customer_id,ordered_at,status,order_amount"


def test_a_product_is_exact_and_a_factor_that_is_no_number_rejects_the_row(exports: Exports) -> None:
    exports.put("company.yml", orders("order_amount: { from: 单价, times: 数量 }"))
    factors = ["0.00005,10000", "3.33333,3000", "(5),2", "US$5,2", "5,2件"]
    rows = "".join(f"o{place},c,2026-01-02,paid,{row}\n" for place, row in enumerate(factors))
    exports.put("o.csv", f"order_id,customer_id,ordered_at,status,单价,数量\n{rows}")
    assert exports.rows("orders", "order_id, order_amount") == [("o0", "0.5"), ("o1", "9999.99")]
    assert [row for row, _, _ in exports.rejected("orders")] == ["3", "4", "5"]


def test_a_cell_that_is_a_number_has_no_format(exports: Exports) -> None:
    exports.put("company.yml", orders("order_amount: 金额", more='number: "1.234,50"'))
    header = ["order_id", "customer_id", "ordered_at", "status", "金额"]
    cells = [12.345, 0.125, 12.5, "1.234,50"]
    rows = [[f"o{place}", "c", "2026-01-02", "paid", cell] for place, cell in enumerate(cells)]
    expected = [("o0", "12.345"), ("o1", "0.125"), ("o2", "12.5"), ("o3", "1234.5")]
    book = exports.put_workbook("o.xlsx", {"a": [header, *rows]})
    assert exports.rows("orders", "order_id, order_amount") == expected
    book.unlink()
    exports.put("o.jsonl", "\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in rows))
    assert exports.rows("orders", "order_id, order_amount") == expected


def test_several_sheets_that_could_be_meant_are_told(exports: Exports) -> None:
    exports.put("company.yml", orders(""))
    header = PLAIN.split(",")
    month = [header, ["o1", "c", "2026-01-02", "paid", 5]]
    exports.put_workbook("o.xlsx", {"1月": month, "2月": month, "说明": [["a", "b"]]})
    [problem] = exports.problems()
    assert problem.expected == "one sheet that has the columns" and problem.found == "2: 1月, 2月"
    exports.put("company.yml", orders("", more="sheet: 2月"))
    assert exports.rows("orders", "order_id, order_amount") == [("o1", "5")]


def test_a_key_that_comes_late_among_json_lines_is_read(exports: Exports) -> None:
    exports.put("company.yml", orders("refund_amount: refund"))
    entry = {"order_id": "o", "customer_id": "c", "ordered_at": "2026-01-02", "status": "returned", "order_amount": 5}
    lines = [{**entry, "order_id": f"o{place}"} for place in range(1_002)]
    lines[-1] |= {"refund": 2, "": 1}
    exports.put("o.jsonl", "\n".join(map(json.dumps, lines)))
    assert exports.rows("orders", "order_id, refund_amount", "refund_amount is not null") == [("o1001", "2")]


@pytest.mark.parametrize(
    ("columns", "more", "table", "header", "missing"),
    [
        ("order_amount: { from: 金额, minus: 优惠 }", "", "", "金额,优惠金额", "优惠, for the column order_amount"),
        ("cost_amount: { from: 成本, times: 件数 }", "", "", "order_amount,成本", "件数, for the column cost_amount"),
        ("", "currency: Currency", "", "order_amount,Währung", "Currency, for the currency of the amounts"),
        ("", "", "filters: { blank: { all_empty: [会员] } }", "order_amount,会员名", "会员, for the filter blank"),
    ],
    ids=["discount", "quantity", "currency", "filter"],
)
def test_a_renamed_column_that_changes_what_rows_mean_is_told(
    exports: Exports, columns: str, more: str, table: str, header: str, missing: str
) -> None:
    exports.put("company.yml", orders(columns, more=more, table=table))
    exports.put("o.csv", f"order_id,customer_id,ordered_at,status,{header}\no1,c,2026-01-02,paid,10,5\n")
    assert [problem.expected.startswith(f"a header with the column {missing}") for problem in exports.problems()] == [
        True
    ]


def test_a_cell_with_nothing_to_see_is_empty_wherever_it_is_asked_for(exports: Exports) -> None:
    mapping = orders("customer_id: { first_of: [会员, 手机] }")
    rules = ["{ where: { any_filled: 取消时间 }, constant: cancelled }", "{ constant: paid }"]
    listed = "".join(f"\n            - {rule}" for rule in rules)
    exports.put("company.yml", mapping.replace("status: status", f"status:{listed}"))
    rows = ['o1,"\t",m1,2026-01-02,5,"\t"', 'o2,"=""""",m2,2026-01-02,5,-', "o3,v3,m3,2026-01-02,5,2026-01-03"]
    rows += ['o4,"\t##abc",m4,2026-01-02,5,']
    exports.put("o.csv", "\n".join(["order_id,会员,手机,ordered_at,order_amount,取消时间", *rows, ""]))
    assert exports.rows("orders", "order_id, customer_id, status") == [
        ("o1", "m1", "paid"),
        ("o2", "m2", "paid"),
        ("o3", "v3", "cancelled"),
        ("o4", "m4", "paid"),
    ]


def test_rows_whose_key_is_none_are_no_lines_of_one_order(exports: Exports) -> None:
    exports.put("company.yml", orders("", table="one_row_per: order_id"))
    ids = ["-", "-", "1.23457E+17", "1.23457E+17", "o1"]
    exports.put("o.csv", "\n".join([PLAIN, *(f"{key},c,2026-01-02,paid,5" for key in ids), ""]))
    assert exports.fates("orders") == (5, 5, 0)
    assert [row for row, _, _ in exports.rejected("orders")] == ["1", "2", "3", "4"]


def test_a_count_in_another_unit_than_the_mapping_says_rejects_its_row(exports: Exports) -> None:
    exports.put("company.yml", orders("ordered_at: { from: t, date: epoch_s }"))
    counts = ["1767400200", "1767400200000", "1767400200000000"]
    rows = [f"o{place},c,{count},paid,5" for place, count in enumerate(counts)]
    exports.put("o.csv", "\n".join(["order_id,customer_id,t,status,order_amount", *rows, ""]))
    assert exports.rows("orders", "order_id, ordered_at") == [("o0", "2026-01-03 00:30:00")]
    assert [row for row, _, _ in exports.rejected("orders")] == ["2", "3"]


def test_a_file_without_known_columns_is_told_without_what_it_holds(exports: Exports) -> None:
    exports.put("company.yml", orders("customer_id: 会员名"))
    exports.put("o.csv", "o1,会员王芳,2026-01-02,paid,5\no2,会员李雷,2026-01-02,paid,5\n")
    assert not [problem for problem in exports.problems() if "王芳" in f"{problem.found} {problem.action}"]
