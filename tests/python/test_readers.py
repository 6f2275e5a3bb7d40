"""Native readers: exports of platforms, recognised by their headers, land as rows worked by hand."""

import csv
import gzip
import io
from dataclasses import replace
from pathlib import Path

import pytest
from exports import CONTRACT, RULES, Exports

from orchestration.contract import Contract
from orchestration.landing.land import land
from orchestration.landing.mapping import Source, check_source
from orchestration.landing.recognise import recognised
from orchestration.settings import ROOT
from orchestration.sources_file import read_readers

FILES = ROOT / "tests" / "exports"
READERS = read_readers(ROOT)
IN_EURO = replace(RULES, reporting_currency="EUR", business_timezone="Europe/Berlin")
ORDER_COLUMNS = "order_id, customer_id, ordered_at, status, order_amount"


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path, READERS)


def put(exports: Exports, name: str, as_name: str | None = None) -> None:
    exports.put(as_name or f"导出 {name}", (FILES / name).read_bytes())


def test_every_reader_has_a_line_in_the_documentation_and_a_file_that_it_alone_knows() -> None:
    documented = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    known = {reader.reader: 0 for reader in READERS}
    for path in FILES.iterdir():
        (found,) = recognised(path, path.name, READERS)
        assert path.name.startswith(found.reader)
        known[found.reader] += 1
    # that of items is a sheet of the workbook of a test below
    assert {name for name, files in known.items() if not files} == {"qianniu_items"}
    assert [name for name in known if f"`{name}`" not in documented] == []


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.reader)
def test_a_reader_fits_the_contract_and_is_left_out_where_somebody_has_narrowed_it(
    reader: Source, tmp_path: Path
) -> None:
    check_source(reader, CONTRACT)
    exports = Exports(tmp_path, (reader,))
    exports.put("c.csv", "x,y\n")
    narrowed = Contract({"coupons": CONTRACT.tables["coupons"]})
    assert land(exports.raw, exports.landing, narrowed, RULES, sources=(reader,)).files == ()


def test_a_folder_of_known_exports_needs_nothing_and_the_run_says_by_what_it_was_read(exports: Exports) -> None:
    put(exports, "shopify_orders.csv", "orders.csv")
    put(exports, "youzan_orders.csv", "2026/有赞.csv")
    put(exports, "jingdong_orders.csv", "2026/京东.csv")
    exports.put("2026/notes.csv", "a,b\n1,2\n")
    exports.rules = IN_EURO
    landing = exports.land()
    assert [(file.table, file.file_name) for file in landing.files] == [
        ("orders", "2026/京东.csv"),
        ("orders", "2026/有赞.csv"),
        ("orders", "orders.csv"),
        ("order_items", "2026/京东.csv"),
        ("order_items", "orders.csv"),
    ]
    assert "orders.csv was read as orders of Shopify (readers/shopify_orders.yml)." in landing.notices
    assert landing.unread == ("2026/notes.csv is no export that a mapping or a native reader knows, and was not read.",)


def test_a_mapping_of_the_company_goes_before_a_reader(exports: Exports) -> None:
    put(exports, "youzan_customers.csv", "c.csv")
    columns = "columns: { customer_id: 客户昵称 }"
    exports.put("company.yml", f"sources:\n  - files: c.csv\n    tables:\n      customers:\n        {columns}\n")
    assert exports.rows("customers", "customer_id") == [("小王",), ("小李",)]


# Shopify: values of an order stand on its first line, or on all; the address is the customer


def test_orders_of_shopify(exports: Exports) -> None:
    put(exports, "shopify_orders.csv")
    exports.rules = IN_EURO
    # 17:09:34 at -03:00 is 20:09:34 UTC; 23:30 at +01:00 is 22:30 UTC
    assert exports.rows("orders", ORDER_COLUMNS) == [
        ("#1001", "ann@example.com", "2025-10-02 20:09:34", "shipped", "44.7"),
        ("#1002", "+4930123456", "2025-11-30 22:30:00", "paid", "10"),
        ("#1003", "bob@example.com", "2025-12-01 09:00:00", "cancelled", "7"),
        ("#1004", "bob@example.com", "2025-12-03 09:00:00", "returned", "7"),
        ("#1005", "bob@example.com", "2025-12-04 09:00:00", "placed", "7"),
    ]
    amounts = exports.rows("orders", "discount_amount, shipping_amount, tax_amount, refund_amount")
    assert amounts[:2] == [("5", "4.9", "3.19", "0"), ("0", "0", "1.6", "4")]
    # dollars; a status that the mapping does not know; nobody's order, as of a till
    assert [(number, failure) for number, failure, _ in exports.rejected("orders")] == [
        ("7", "other_currency:order_amount"),
        ("8", "unmapped_value:status"),
        ("9", "missing_value:customer_id"),
    ]
    # 2 × 19.90 - 5.00; a line without a code of its product has the name
    assert exports.rows("order_items", "order_id, line_number, product_id, quantity, line_amount")[:3] == [
        ("#1001", "1", "TEA-1", "2", "34.8"),
        ("#1001", "2", "Cup", "1", "5"),
        ("#1002", "1", "TEA-1", "1", "10"),
    ]
    assert exports.fates("orders") == (9, 8, 1)
    assert exports.fates("order_items") == (9, 9, 0)


def test_orders_of_shopify_whose_values_stand_on_every_line_count_once(exports: Exports) -> None:
    put(exports, "shopify_orders_repeated.csv")
    exports.rules = IN_EURO
    assert exports.rows("orders", ORDER_COLUMNS) == [
        ("#1001", "ann@example.com", "2025-10-02 20:09:34", "shipped", "44.7")
    ]
    assert exports.rows("order_items", "line_number, line_amount") == [("1", "34.8"), ("2", "5")]


def test_customers_of_shopify_are_those_of_its_orders(exports: Exports) -> None:
    put(exports, "shopify_customers.csv")
    assert exports.rows("customers", "customer_id, email, phone, city, country") == [
        ("ann@example.com", "Ann@Example.com", "+4930999", "Berlin", "DE"),
        ("+4930123456", None, "+4930123456", "Bonn", None),
    ]
    assert exports.fates("customers") == (3, 2, 1)


# 有赞: a tab before ids, a name of a column twice, hidden phones


def test_orders_of_youzan(exports: Exports) -> None:
    put(exports, "youzan_orders.csv")
    # local time is Shanghai's; who has no phone that can be read is known by the nickname
    assert exports.rows("orders", f"{ORDER_COLUMNS}, refund_amount, channel, store_id") == [
        ("E20260102080000001", "18612345678", "2026-01-02 00:00:00", "completed", "80", "0", "小程序", "总店"),
        ("E20260102080000002", "小李", "2026-01-02 16:30:00", "completed", "1200", "1200", "微商城", "总店"),
        ("E20260102080000003", "小李", "2026-01-04 01:00:00", "placed", "50", None, "微商城", "总店"),
        ("E20260102080000004", "13712345678", "2026-01-05 01:00:00", "cancelled", "50", None, "微商城", "总店"),
    ]
    assert [(number, failure) for number, failure, _ in exports.rejected("orders")] == [
        ("5", "unmapped_value:status"),
        ("6", "missing_value:customer_id"),
    ]


def test_customers_of_youzan(exports: Exports) -> None:
    put(exports, "youzan_customers.csv")
    assert exports.rows("customers", "customer_id, registered_at, birth_date, gender, full_name, phone") == [
        ("18612345678", "2025-11-30 23:00:00", "1990-05-01", "female", "王芳", "18612345678"),
        ("小李", "2025-12-02 04:00:00", None, "unknown", None, None),
    ]
    assert exports.fates("customers") == (3, 2, 1)


# 千牛: GBK and ="…" in the old file, one workbook of several sheets in the new


QIANNIU = [
    ("1234567890123456789", "tb王", "2026-01-02 00:00:00", "completed", "128"),
    ("1234567890123456790", "tb李", "2026-01-03 15:59:59", "placed", "60"),
    ("1234567890123456791", "tb王", "2026-01-04 01:00:00", "paid", "60"),
    ("1234567890123456792", "tb王", "2026-01-05 01:00:00", "shipped", "60"),
    ("1234567890123456793", "tb赵", "2026-01-06 01:00:00", "cancelled", "60"),
]


def test_orders_of_qianniu_from_the_old_file(exports: Exports) -> None:
    put(exports, "qianniu_orders.csv", "ExportOrderList202601.csv")
    assert exports.file("orders").encoding == "gb18030"
    assert exports.rows("orders", ORDER_COLUMNS) == QIANNIU
    assert exports.rows("orders", "shipping_amount")[0] == ("8",)
    # a spreadsheet has saved the file
    assert [failure for _, failure, _ in exports.rejected("orders")] == ["destroyed_id:order_id"]


def test_orders_and_items_of_qianniu_from_the_new_workbook(exports: Exports) -> None:
    lines = list(csv.reader(io.StringIO((FILES / "qianniu_orders.csv").read_text(encoding="gbk"))))
    orders = [[cell.removeprefix('="').removesuffix('"') for cell in line] for line in lines[:-1]]
    items = [
        ["子订单编号", "主订单编号", "商品标题", "商家编码", "购买数量", "买家应付货款"],
        ["1234567890123456001", "1234567890123456789", "茶", "T1", 2, 100],
        ["1234567890123456002", "1234567890123456789", "杯", "", 1, 20],
    ]
    exports.put_workbook("订单.xlsx", {"订单报表": orders, "销售明细": items, "发货报表": [["物流单号"], ["1"]]})
    assert [(file.table, file.file_name) for file in exports.land().files] == [
        ("orders", "订单.xlsx [订单报表]"),
        ("order_items", "订单.xlsx [销售明细]"),
    ]
    assert exports.rows("orders", ORDER_COLUMNS) == QIANNIU
    assert exports.rows("order_items", "order_id, line_number, product_id, quantity, line_amount") == [
        ("1234567890123456789", "1", "T1", "2", "100"),
        ("1234567890123456789", "2", "杯", "1", "20"),
    ]


def test_an_export_of_qianniu_without_a_buyer_is_one_clear_error(exports: Exports) -> None:
    content = (FILES / "qianniu_orders.csv").read_text(encoding="gbk").replace("买家会员名", "买家名")
    exports.put("ExportOrderList.csv", content)
    (problem,) = exports.problems()
    assert problem.expected == "a header with the column 买家会员名 or 买家昵称, for the column customer_id of orders"
    assert "The nearest is 买家名" in problem.action


# 抖店 and 拼多多: nothing tells the buyer


@pytest.mark.parametrize(("name", "title"), [("doudian", "抖店"), ("pinduoduo", "拼多多")])
def test_an_export_without_a_buyer_is_told_apart_and_says_what_it_lacks(
    exports: Exports, name: str, title: str
) -> None:
    put(exports, f"{name}_orders.csv", "orders.csv")
    landing = exports.land()
    assert landing.files == ()
    assert landing.unread == (
        f"orders.csv holds orders of {title} (readers/{name}_orders.yml) and was not read: it names no buyer, so it "
        "tells sales and no repurchase. If your export has a key of the buyer, map it in company.yml.",
    )


# 京东: the amounts of an order on each line, and orders to be sent that nobody has paid


def test_orders_of_jingdong(exports: Exports) -> None:
    put(exports, "jingdong_orders.csv")
    assert exports.rows("orders", ORDER_COLUMNS) == [
        ("270000000001", "jd_ann", "2026-01-02 00:00:00", "completed", "139.7"),
        ("270000000002", "jd_bob", "2026-01-02 23:59:59", "placed", "55.9"),
        ("270000000003", "jd_bob", "2026-01-04 00:00:00", "paid", "55.9"),
        ("270000000004", "jd_bob", "2026-01-05 00:00:00", "cancelled", "55.9"),
    ]
    assert exports.rows("order_items", "order_id, line_number, product_id, quantity, line_amount")[:2] == [
        ("270000000001", "1", "100001", "2", "99.8"),
        ("270000000001", "2", "100002", "1", "49.9"),
    ]
    assert exports.fates("orders") == (5, 4, 1)


def test_a_file_that_has_what_the_contract_requires_is_none_of_a_platform(exports: Exports) -> None:
    exports.put("customers.csv", "customer_id,email,客户手机号,成为客户时间\nc1,a@example.com,13800000001,2026-01-02\n")
    assert exports.rows("customers", "customer_id") == [("c1",)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("other.csv.gz", gzip.compress(b"a,b\n" * 1_000)[:-20]),
        ("notes.json", b"[" * 200_000),
        ("book.xlsx", b"PK\x03\x04 and no more"),
    ],
    ids=["cut gzip", "deep json", "no workbook"],
)
def test_a_damaged_file_that_nobody_maps_stops_nothing(exports: Exports, name: str, content: bytes) -> None:
    exports.put("orders.csv", "order_id,customer_id,ordered_at,status,order_amount\no1,c,2026-01-02,paid,5\n")
    exports.put(name, content)
    landing = exports.land()
    assert [file.table for file in landing.files] == ["orders"]
    assert [sentence for sentence in landing.unread if name in sentence]
