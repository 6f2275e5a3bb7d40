"""Landing: a company's files become rows, exactly, whatever program wrote them."""

import csv
import glob
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from conftest import PLAIN_RULES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.contract import Contract, RawColumn, RawTable, Reference
from orchestration.landing import land as land_module
from orchestration.landing.broken_files import RawFolderError
from orchestration.landing.csv_files import FileDialect, _plain_columns, _unquoted_columns, csv_rows, inspect_csv
from orchestration.landing.discover import RawFile
from orchestration.landing.land import Landing, clear_landing, land


def contract_table(name: str, required: str, optional: str, **references: Reference) -> RawTable:
    columns = [RawColumn(column, "text", required=True) for column in required.split()]
    columns += [RawColumn(column, "text") for column in optional.split()]
    return RawTable(name, (columns[0].name,), tuple(columns), references)


CONTRACT = Contract(
    {
        table.name: table
        for table in (
            contract_table("customers", "customer_id", "full_name city"),
            # of a table with a reference, landing keeps the raw row wherever it says more than the values
            contract_table(
                "orders", "order_id customer_id", "amount note", customer_id=Reference("customers", "customer_id")
            ),
            contract_table("tickets", "ticket_id opened_at", "comment"),
        )
    }
)
ANY_DIALECT = FileDialect("*")
ORDERS_HEADER = "order_id,customer_id,amount,note\n"


class Company:
    """A raw folder in the making, and what landing makes of it."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self.landing = folder / "landing"
        self.raw.mkdir()

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def put_parquet(self, name: str, select: str, options: str = "compression snappy") -> Path:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        literal = str(path).replace("'", "''")
        READER.execute(f"copy ({select}) to '{literal}' (format parquet, {options})")
        return path

    def land(self, *dialects: FileDialect) -> Landing:
        return land(self.raw, self.landing, CONTRACT, PLAIN_RULES, dialects)

    def refused(self, *dialects: FileDialect) -> RawFolderError:
        with pytest.raises(RawFolderError) as caught:
            self.land(*dialects)
        return caught.value

    def rows(self, table: str = "orders", columns: str | None = None, dialects=()) -> list[tuple]:
        landed = self.land(*dialects)
        columns = columns or ", ".join(CONTRACT.tables[table].column_names)
        return [row for file in landed.files if file.table == table for row in landed_rows(file.parquet, columns)]

    def cells(self, file_name: str, *columns: str, dialect: FileDialect = ANY_DIALECT) -> list[tuple]:
        """What the reader of CSV finds, before anything is made of it."""
        table = CONTRACT.tables[file_name.split(".")[0].split("/")[0]]
        plan = inspect_csv(RawFile(table.name, file_name, self.raw / file_name, "csv"), table, dialect)
        rows = csv_rows(plan)
        read = pa.Table.from_batches(rows.batches, rows.schema)
        assert rows.facts().rows == read.num_rows
        return list(zip(*(read[column].to_pylist() for column in columns), strict=True))

    def landed_parquet(self) -> list[Path]:
        return sorted(self.landing.rglob("*.parquet"))


READER = duckdb.connect()


def landed_rows(parquet: Path, columns: str) -> list[tuple]:
    """Columns of a landing file, and two made of its raw rows: the columns outside the contract, and whole lines."""
    literal = glob.escape(str(parquet)).replace("'", "''")
    of_contract = json.dumps(dict.fromkeys(CONTRACT.tables["orders"].column_names))
    made = f"""
        case when _failure = 'malformed_row' then _raw_row end as _unparsed_row,
        case
            when _failure = 'malformed_row' or _raw_row is null then null
            else nullif(json_merge_patch(_raw_row, '{of_contract}'), '{{}}')
        end as _extra
    """
    rows = f"select *, {made} from read_parquet('{literal}')"
    return READER.execute(f"select {columns} from ({rows if columns != '*' else rows.replace(made, '1')})").fetchall()


def only(found):
    (one,) = found
    return one


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


# Which files count


def test_a_table_may_be_a_file_of_either_format_and_a_folder_of_both_at_once(company):
    company.put("orders.csv", "order_id,customer_id\nfrom csv,c\n")
    company.put_parquet("orders.parquet", "select 'from parquet' as order_id, 'c' as customer_id")
    company.put("orders/a.csv", "order_id,customer_id\nfrom a batch,c\n")
    company.put_parquet("orders/b.parquet", "select 'from b batch' as order_id, 'c' as customer_id")
    assert company.rows(columns="order_id") == [("from csv",), ("from parquet",), ("from a batch",), ("from b batch",)]


def test_files_come_by_table_in_contract_order_and_then_by_path(company):
    company.put("tickets.csv", "ticket_id,opened_at\n")
    for name in ("orders/2026-10.csv", "orders/2026-9.csv", "orders/10/x.csv", "orders/1.csv", "orders/1/2/y.csv"):
        company.put(name, ORDERS_HEADER)
    company.put("customers.csv", "customer_id\n")
    assert [file.file_name for file in company.land().files] == [
        "customers.csv",
        "orders/1.csv",
        "orders/1/2/y.csv",
        "orders/10/x.csv",
        "orders/2026-10.csv",
        "orders/2026-9.csv",
        "tickets.csv",
    ]


def test_a_folder_named_like_a_partition_adds_no_column_and_overwrites_none(company):
    company.put("orders/amount=9/part-0.csv", "order_id,customer_id,amount\n1,c,5\n")
    select = "select '2' as order_id, 'c' as customer_id, '6' as amount"
    company.put_parquet("orders/amount=9/load_date=2026-11-21/part-0.parquet", select)
    assert company.rows(columns="order_id, amount, _extra") == [("2", "6", None), ("1", "5", None)]
    assert [file.ignored_columns for file in company.land().files] == [(), ()]


def test_extensions_may_be_in_any_case(company):
    company.put("customers.CSV", "customer_id\nc\n")
    company.put_parquet("orders/A.PARQUET", "select '1' as order_id, 'c' as customer_id")
    company.put("orders/b.Csv", ORDERS_HEADER)
    assert [(file.file_name, file.rows) for file in company.land().files] == [
        ("customers.CSV", 1),
        ("orders/A.PARQUET", 1),
        ("orders/b.Csv", 0),
    ]


def test_names_that_begin_with_a_dot_or_an_underscore_are_ignored_at_any_depth(company):
    for name in (".DS_Store", "_notes.txt", "orders/_SUCCESS", "orders/.part-0.parquet.crc", "orders/_tmp/x.json"):
        company.put(name, "x")
    company.put("orders/day/.x.csv", "broken")
    company.put("orders/day/part.csv", ORDERS_HEADER)
    landed = company.land()
    assert [file.file_name for file in landed.files] == ["orders/day/part.csv"]
    assert landed.notices == ()


@pytest.mark.parametrize("name", ["b.xlsx", "b.csv.gz", "b.json", "day/b.txt", "b"])
def test_another_kind_of_file_in_the_folder_of_a_table_is_an_error(company, name):
    company.put("orders/a.csv", ORDERS_HEADER)
    company.put(f"orders/{name}", "x")
    problem = only(company.refused().problems)
    assert problem.file_name == f"orders/{name}"
    assert "csv or .parquet" in problem.expected
    assert company.landed_parquet() == []


def test_an_unknown_name_at_the_top_is_a_notice_that_suggests_the_table(company):
    company.put("order.csv", "x")
    company.put("orders.xlsx", "x")
    company.put("Customers.csv", "x")
    company.put("ticket/x.csv", "x")
    company.put("orders.parquet/part-0.parquet", "x")
    company.put("weather.csv", "x")
    landed = company.land()
    assert landed.files == ()
    not_read = "is not a table of the raw contract and was not read"
    assert landed.notices == (
        f"Customers.csv {not_read}; did you mean customers.csv or customers.parquet?",
        f"order.csv {not_read}; did you mean orders?",
        f"orders.parquet {not_read}; did you mean a folder named orders?",
        f"orders.xlsx {not_read}; did you mean orders.csv or orders.parquet?",
        f"ticket {not_read}; did you mean tickets?",
        f"weather.csv {not_read}.",
    )


def test_documents_and_company_yml_are_silent(company):
    for name in ("company.yml", "README.txt", "readme", "LICENSE", "LICENSE-data.txt", "notes.md"):
        company.put(name, "x")
    assert company.land().notices == ()


@pytest.mark.parametrize("name", ["company.yaml", "Company.yml", "company.yml.txt"])
def test_settings_under_another_name_would_make_it_another_company_and_are_an_error(company, name):
    company.put("orders.csv", ORDERS_HEADER)
    company.put(name, "company_name: Lanting Tea")
    with pytest.raises(RawFolderError, match="Rename it to company.yml"):
        company.land()


def test_a_raw_folder_without_tables_is_allowed_and_an_empty_table_folder_is_an_absent_table(company):
    (company.raw / "orders" / "day").mkdir(parents=True)
    landed = company.land()
    assert landed.files == ()
    assert landed.absent_tables == ("customers", "orders", "tickets")


def test_tables_without_a_file_are_listed_in_contract_order(company):
    company.put("orders.csv", ORDERS_HEADER)
    assert company.land().absent_tables == ("customers", "tickets")


def test_a_raw_folder_that_does_not_exist_or_is_a_file_is_an_error(tmp_path):
    with pytest.raises(RawFolderError, match="nowhere does not exist"):
        land(tmp_path / "nowhere", tmp_path / "landing", CONTRACT, PLAIN_RULES)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RawFolderError, match="is a file, not a folder"):
        land(tmp_path / "file", tmp_path / "landing", CONTRACT, PLAIN_RULES)
    assert not (tmp_path / "landing").exists()


def test_a_link_to_nothing_is_an_error_and_a_link_in_a_circle_is_not_followed(company):
    company.put("orders/a.csv", ORDERS_HEADER)
    (company.raw / "orders" / "again").symlink_to(company.raw / "orders")
    assert len(company.land().files) == 1
    (company.raw / "orders" / "b.csv").symlink_to(company.raw / "nowhere.csv")
    assert only(company.refused().problems).file_name == "orders/b.csv"


@pytest.mark.parametrize(
    ("name", "other_name"),
    [
        ("it's [1]* 100%", "it's 1 100%"),
        ("订单 2026?", "订单 20261"),
        ('say "x" {0} ; --', "x"),
        ("back\\slash", "backslash"),
    ],
)
def test_file_names_may_hold_spaces_quotes_patterns_and_chinese(company, name, other_name):
    company.put(f"orders/{name}.csv", "order_id,customer_id\n1,c\n")
    company.put_parquet(f"orders/{name}.parquet", "select '2' as order_id, 'c' as customer_id")
    company.put_parquet(f"orders/{other_name}.parquet", "select '3' as order_id, 'c' as customer_id")
    found = company.rows(columns="_file_name, order_id")
    names = [f"orders/{name}.csv", f"orders/{name}.parquet", f"orders/{other_name}.parquet"]
    assert sorted(found) == sorted(zip(names, "123", strict=True))


def test_the_folders_themselves_may_hold_spaces_quotes_patterns_and_chinese(tmp_path):
    folder = tmp_path / "it's [a]* 公司"
    folder.mkdir()
    company = Company(folder)
    company.put("orders.csv", 'order_id,customer_id\n1,"a\nb"\n')
    company.put_parquet("orders.parquet", "select '2' as order_id, 'c' as customer_id")
    assert company.rows(columns="order_id, customer_id") == [("1", "a\nb"), ("2", "c")]


# What a landed row is


def test_a_landed_file_has_the_contract_columns_and_where_each_row_comes_from(company):
    company.put("orders.csv", "NOTE, amount ,Order_ID,customer_id,colour\nn1,1.50,1,c1,red\n,,2,c2,\n")
    file = only(company.land().files)
    described = READER.execute(f"describe select * from read_parquet('{file.parquet}')").fetchall()
    assert [(name, data_type) for name, data_type, *_ in described] == [
        ("order_id", "VARCHAR"),
        ("customer_id", "VARCHAR"),
        ("amount", "VARCHAR"),
        ("note", "VARCHAR"),
        ("_row_key", "VARCHAR"),
        ("_masked_key", "VARCHAR"),
        ("_failure", "VARCHAR"),
        ("_reason", "VARCHAR"),
        ("_raw_row", "VARCHAR"),
        ("_masked_row", "VARCHAR"),
        ("_file_name", "VARCHAR"),
        ("_file_order", "VARCHAR"),
        ("_row_number", "BIGINT"),
        ("_first_seen_at", "TIMESTAMP"),
        ("_repairs", "STRUCT(column_name VARCHAR, kind VARCHAR, held VARCHAR)[]"),
    ]
    columns = "order_id, customer_id, amount, note, _extra, _row_key, _file_name, _row_number, _first_seen_at"
    assert landed_rows(file.parquet, columns) == [
        ("1", "c1", "1.50", "n1", '{"colour":"red"}', "1", "orders.csv", 1, file.first_seen_at),
        ("2", "c2", None, None, None, "2", "orders.csv", 2, file.first_seen_at),
    ]


def test_the_facts_of_a_csv_file_are_reported(company):
    company.put("orders.csv", "order_id;customer_id;colour\n1;c;red\n2;c\n")
    file = only(company.land().files)
    assert (file.table, file.file_name, file.rows, file.file_format) == ("orders", "orders.csv", 2, "csv")
    assert (file.encoding, file.delimiter, file.malformed_rows) == ("utf-8", ";", 1)
    assert (file.ignored_columns, file.missing_columns) == (("colour",), ("amount", "note"))
    assert abs(datetime.now(UTC).replace(tzinfo=None) - file.first_seen_at).total_seconds() < 60


def test_control_characters_are_kept(company):
    note = "\x10\x1f\x101\x100\x10\x102\x1f\x103"
    company.put("orders.csv", ORDERS_HEADER + f'1,c,\x1f,"{note}\n{note}"\n\x10,c,\x101,{note}\n')
    cells = company.cells("orders.csv", "order_id", "customer_id", "amount", "note")
    assert cells == [("1", "c", "\x1f", f"{note}\n{note}"), ("\x10", "c", "\x101", note)]


def test_cells_are_read_exactly(company):
    company.put(
        "orders.csv",
        ORDERS_HEADER + '"NULL",NULL, 1.50 ,\\N\n1,"",,"say ""hi"", ok"\n\u20282\x85,\\,"a\\",\U0001f600\x0b\x1f\x10\n',
    )
    assert company.cells("orders.csv", "order_id", "customer_id", "amount", "note") == [
        ("NULL", "NULL", " 1.50 ", "\\N"),
        ("1", "", "", 'say "hi", ok'),
        ("\u20282\x85", "\\", "a\\", "\U0001f600\x0b\x1f\x10"),
    ]


# Encodings

CHINESE = "order_id,customer_id,note\n1,张三,您好，世界\n2,李四,€100 镕\n"
CHINESE_ROWS = [("1", "张三", "您好，世界"), ("2", "李四", "€100 镕")]
CHINESE_COLUMNS = "order_id, customer_id, note"


@pytest.mark.parametrize(
    ("codec", "reported"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("gb18030", "gb18030"),
    ],
)
def test_the_encoding_is_detected(company, codec, reported):
    company.put("orders.csv", CHINESE.encode(codec))
    assert company.rows(columns=CHINESE_COLUMNS) == CHINESE_ROWS
    assert only(company.land().files).encoding == reported


def test_utf_16_of_either_byte_order_is_detected_by_its_mark(company):
    company.put("orders/le.csv", b"\xff\xfe" + CHINESE.encode("utf-16-le"))
    company.put("orders/be.csv", b"\xfe\xff" + CHINESE.encode("utf-16-be"))
    assert company.rows(columns=CHINESE_COLUMNS) == CHINESE_ROWS * 2


def test_a_detected_gbk_file_is_noticed_and_a_declared_one_is_not(company):
    company.put("orders.csv", CHINESE.replace("€", "").encode("gbk"))
    assert "orders.csv is not in UTF-8; it was read as GB18030" in only(company.land().notices)
    landed = company.land(FileDialect("orders.csv", encoding="GBK"))
    assert landed.notices == ()
    assert only(landed.files).encoding == "gb18030"


def test_a_declared_encoding_is_used_where_the_pattern_matches(company):
    company.put("orders/fr.csv", "order_id,customer_id\n1,Zoé\n".encode("cp1252"))
    company.put("orders/cn.csv", "order_id,customer_id\n2,张三\n".encode("gbk"))
    company.put("orders/le.csv", "order_id,customer_id\n3,张三\n".encode("utf-16-le"))
    dialects = (FileDialect("orders/fr*", encoding="cp1252"), FileDialect("*/le.csv", encoding="utf-16-le"))
    assert company.rows(columns="customer_id", dialects=dialects) == [("张三",), ("Zoé",), ("张三",)]


def test_the_first_matching_dialect_that_says_something_wins(company):
    company.put("orders.csv", "order_id|customer_id\n1|Zoé\n".encode("cp1252"))
    dialects = [
        FileDialect("orders.*", delimiter="|"),
        FileDialect("*.csv", encoding="cp1252", delimiter=","),
        FileDialect("*", encoding="cp1251"),
    ]
    assert company.rows(columns="customer_id", dialects=dialects) == [("Zoé",)]


def test_a_declaration_that_concerns_no_file_is_noticed(company):
    company.put("orders.csv", ORDERS_HEADER)
    assert company.land(FileDialect("order/*.csv", encoding="gbk")).notices == (
        "What is declared about the CSV files order/*.csv concerns no file.",
    )


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-99", None), ("base64", None), (None, ""), (None, "||"), (None, '"'), (None, "\n")]
)
def test_a_declaration_that_makes_no_sense_is_refused(encoding, delimiter):
    with pytest.raises(ValueError, match=r"of the files orders\.csv"):
        FileDialect("orders.csv", encoding=encoding, delimiter=delimiter)


def test_a_declared_encoding_that_does_not_decode_is_an_error_with_the_byte_offset(company):
    # the header has 21 bytes and "1,Zo" 4: é is byte 25, in line 2
    company.put("orders.csv", "order_id,customer_id\n1,Zoé\n".encode("cp1252"))
    problem = only(company.refused(FileDialect("*.csv", encoding="utf-8")).problems)
    assert problem.expected == "text in utf-8, the encoding declared for this file"
    assert "0xE9 at byte offset 25 (line 2)" in problem.found


def test_the_byte_offset_of_a_fault_far_into_a_file_is_right(company):
    start = "order_id,customer_id\n" + "1,c张\n" * 400_000
    company.put("orders.csv", b"\xef\xbb\xbf" + start.encode() + b"2,\xe5\xbc")
    found = only(company.refused().problems).found
    assert f"0xE5 0xBC at byte offset {3 + len(start.encode()) + 2} (line 400002)" in found


def test_a_western_file_is_not_taken_for_chinese(company):
    # "Müller" and "Sánchez" decode as GB18030, to rare Chinese characters
    text = "order_id,customer_id\n1,Müller\n2,Sánchez\n".encode("cp1252")
    text.decode("gb18030")
    company.put("orders.csv", text)
    problem = only(company.refused().problems)
    assert "0xFC at byte offset 24 (line 2), which is no UTF-8" in problem.found
    assert "declare the encoding" in problem.action


def test_utf_8_with_a_damaged_character_is_not_taken_for_gbk(company):
    text = "order_id,customer_id\n1,张三丰好\n".encode().replace("丰好".encode(), "丰".encode()[:1] + "好好".encode())
    company.put("orders.csv", text)
    assert only(company.refused().problems).expected == "text in UTF-8, as most of the file is"


def test_a_second_byte_order_mark_is_no_part_of_the_header(company):
    company.put("orders.csv", b"\xef\xbb\xbf" * 2 + b'"order_id",customer_id\n1,c\n')
    assert company.rows(columns="order_id") == [("1",)]


# Delimiters, line ends, blank lines


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_finds_most_columns(company, delimiter):
    noise = "a,b;c\td|e".replace(delimiter, "-")
    company.put("orders.csv", f"{noise}{delimiter}order_id{delimiter}customer_id\n{noise}{delimiter}1{delimiter}c\n")
    extra = json.dumps({noise: noise}, separators=(",", ":"))
    assert company.rows(columns="order_id, customer_id, _extra") == [("1", "c", extra)]
    assert only(company.land().files).delimiter == delimiter


def test_a_declared_delimiter_is_used(company):
    company.put("orders.csv", "order_id^customer_id\n1^c,d\n")
    assert company.rows(columns="customer_id", dialects=[FileDialect("*", delimiter="^")]) == [("c,d",)]


def test_the_line_with_which_excel_names_the_delimiter_is_no_header(company):
    company.put("orders.csv", "\ufeffsep=;\r\norder_id;customer_id\r\n1;c\r\n")
    assert company.rows(columns="order_id, _row_number") == [("1", 1)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read_and_kept_inside_quotes(company, line_end):
    lines = [ORDERS_HEADER.strip(), '1,c,5,"a\nb\rc\r\nd"', "2,c,6,last"]
    company.put("orders.csv", line_end.join(lines))
    assert company.rows() == [("1", "c", "5", "a\nb\rc\r\nd"), ("2", "c", "6", "last")]


def test_blank_lines_are_no_rows_but_a_line_of_delimiters_is_one(company):
    company.put("orders.csv", "\n  \n" + ORDERS_HEADER + "\n1,c,5,x\n\r\n   \n\t\n,,,\n\n")
    assert company.rows(columns="order_id, note, _unparsed_row, _row_number") == [
        ("1", "x", None, 1),
        (None, None, None, 2),
    ]
    assert only(company.land().files).rows == 2


def test_in_a_file_of_one_column_spaces_are_a_value(company):
    company.put("customers.csv", '\n  \ncustomer_id\nc1\n\n  \n""\n')
    assert company.cells("customers.csv", "customer_id", "_row_number") == [("c1", 1), ("  ", 2), ("", 3)]


def test_very_long_values_are_kept(company):
    note = 'line "quoted",\r\n张 ' * 300_000
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n" + f'2,c,6,"{note.replace(chr(34), chr(34) * 2)}"\n3,c,7,y\n')
    assert company.rows(columns="order_id, note") == [("1", "x"), ("2", note.strip()), ("3", "y")]


# Headers


def test_a_file_of_no_bytes_has_no_rows_and_is_noticed(company):
    company.put("orders.csv", b"")
    company.put("orders/mark.csv", b"\xef\xbb\xbf")
    company.put("orders/blank.csv", b"\n  \r\n")
    landed = company.land()
    assert [(file.rows, file.encoding, file.delimiter, file.missing_columns) for file in landed.files] == [
        (0, None, None, ())
    ] * 3
    assert landed.notices == (
        "orders.csv is empty: no header, no rows.",
        "orders/blank.csv holds blank lines only: no header, no rows.",
        "orders/mark.csv holds blank lines only: no header, no rows.",
    )
    assert landed.absent_tables == ("customers", "tickets")
    assert company.rows(columns="*") == []


@pytest.mark.parametrize("header", ["order_id,customer_id", "order_id,customer_id\r\n", '"order_id","customer_id"\n\n'])
def test_a_header_alone_has_no_rows(company, header):
    company.put("orders.csv", header)
    landed = company.land()
    assert (only(landed.files).rows, landed.notices) == (0, ())
    assert company.rows() == []


def test_a_missing_required_column_is_an_error_that_says_what_was_found(company):
    company.put("orders.csv", "order_id,customerid,amount\n1,c,5\n")
    error = company.refused()
    problem = only(error.problems)
    assert problem.file_name == "orders.csv"
    assert problem.expected == "the required column customer_id of the table orders"
    assert problem.found == "a header without it: order_id, customerid, amount"
    assert "perhaps rename customerid to customer_id" in problem.action
    for part in (problem.file_name, problem.expected, problem.found, problem.action, str(company.raw)):
        assert part in str(error)


def test_a_column_twice_in_a_header_is_an_error(company):
    company.put("orders.csv", "order_id,customer_id,amount, ORDER_ID \n1,c,5,2\n")
    assert "order_id in columns 1, 4" in only(company.refused().problems).found


def test_a_header_without_end_is_an_error(company):
    company.put("orders.csv", 'order_id,"customer_id\n1,c\n')
    company.put("customers.csv", "x" * 1_100_000)
    assert [problem.found[:23] for problem in company.refused().problems] == ["no end of the first row"] * 2


def test_all_broken_files_are_reported_at_once_and_nothing_is_landed(company):
    company.put("customers.csv", "customer_id\nc1\n")
    company.put("orders/a.csv", "order_id\n1\n")
    company.put("orders/b.csv", "order_id,ORDER_ID\n1,1\n")
    company.put("orders/c.xlsx", "x")
    company.put("tickets.csv", b"PK\x03\x04 an Excel workbook")
    company.put("tickets.parquet", b"")
    error = company.refused()
    assert [problem.file_name for problem in error.problems] == [
        "orders/a.csv",
        "orders/b.csv",
        "orders/b.csv",
        "orders/c.xlsx",
        "tickets.csv",
        "tickets.parquet",
    ]
    assert str(error).startswith(f"5 files in the raw folder {company.raw} cannot be read")
    assert company.landed_parquet() == []


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00 workbook", "an Excel workbook"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\x1f\x8b\x08\x00", "a gzip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"PAR1 and more", "a Parquet file"),
        (b"order_id,customer_id\n1,\x00\n", "a NUL character at byte offset 23 (line 2)"),
        (CHINESE.encode("utf-16-le"), "a NUL character at byte offset 1 (line 1)"),
        (b"order_id,customer_id\n1,\xff\xff\n", "0xFF at byte offset 23 (line 2)"),
        (b"\xff\xfeo\x00r", "0x72 at byte offset 4"),
    ],
)
def test_a_csv_that_is_no_text_is_an_error(company, content, found):
    company.put("orders.csv", content)
    assert found in only(company.refused().problems).found


# Columns that the contract does not have


def test_extra_columns_are_kept_as_json_and_listed(company):
    company.put("orders.csv", 'order_id,颜色,customer_id,Note2,note2,NOTE2\n1,"红 ""x""",c,a,,"b\n\\"\n')
    ((extra,),) = company.rows(columns="_extra")
    assert extra == '{"颜色":"红 \\"x\\"","Note2":"a","note2_2":null,"NOTE2_3":"b\\n\\\\"}'
    assert only(company.land().files).ignored_columns == ("颜色", "Note2", "note2_2", "NOTE2_3")


def test_a_header_cell_without_name_is_ignored_unless_a_row_fills_it(company):
    company.put("orders/a.csv", ",order_id,customer_id, ,\n,1,c,,\n")
    company.put("orders/b.csv", ",order_id,customer_id,,\n0,1,c,,\n,2,c,,x\n")
    assert company.rows(columns="_extra, _unparsed_row") == [
        (None, None),
        ('{"column_1":"0"}', None),
        ('{"column_5":"x"}', None),
    ]
    assert [file.ignored_columns for file in company.land().files] == [(), ("column_1", "column_5")]


# Records that do not fit the header


def test_a_record_with_another_number_of_fields_is_kept_as_it_stands_and_counts(company):
    company.put(
        "orders.csv",
        ORDERS_HEADER.replace("\n", "\r\n") + '1,c,5,x\r\n2,c\r\n3,c,7,"y\n ""z""",more\r\n4,c,8,w\r\n5,,,,6',
    )
    assert company.rows(columns="order_id, _unparsed_row, _row_number") == [
        ("1", None, 1),
        (None, "2,c", 2),
        (None, '3,c,7,"y\n ""z""",more', 3),
        ("4", None, 4),
        (None, "5,,,,6", 5),
    ]
    file = only(company.land().files)
    assert (file.rows, file.malformed_rows) == (5, 3)


def test_empty_fields_beyond_the_header_are_accepted(company):
    company.put("orders.csv", ORDERS_HEADER + '1,c,5,x,,,\n2,c,6,y,""\n')
    assert company.rows() == [("1", "c", "5", "x"), ("2", "c", "6", "y")]


def test_header_cells_without_name_at_the_end_need_no_field(company):
    company.put("orders.csv", "order_id,customer_id,,\n1,c\n2,c,,\n3\n")
    assert company.rows(columns="order_id, _unparsed_row") == [("1", None), ("2", None), (None, "3")]


def test_a_quote_that_is_never_closed_makes_the_rest_one_row_and_loses_nothing(company):
    rest = '2,c,6,"open\n3,c,7,x\r\n4,c,8,y'
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n" + rest + "\n")
    landed = company.land()
    assert company.rows(columns="order_id, _unparsed_row") == [("1", None), (None, rest)]
    assert only(landed.files).malformed_rows == 1
    assert only(landed.notices).startswith("orders.csv: the quote opened in row 2 is never closed")


def test_a_last_value_whose_quote_is_not_closed_is_unreadable_though_its_fields_fit(company):
    company.put("orders.csv", ORDERS_HEADER + '1,c,5,"x')
    assert company.rows(columns="order_id, _unparsed_row") == [(None, '1,c,5,"x')]


def test_text_after_a_closing_quote_keeps_the_row_in_step_and_is_noticed(company):
    company.put("orders.csv", ORDERS_HEADER + '1,c,5,"a"b\n2,c,6,"He said "hi" to me"\n3,"c"d,"x\ny"z,"w\n"\n4,c,8,v\n')
    assert company.rows() == [
        ("1", "c", "5", "ab"),
        ("2", "c", "6", 'He said hi" to me"'),
        ("3", "cd", "x\nyz", "w"),
        ("4", "c", "8", "v"),
    ]
    assert only(company.land().notices).startswith("orders.csv: 3 rows have text after a closing quote (first: row 1)")


def test_a_hundred_thousand_bad_rows_are_landed_one_by_one(company):
    company.put("orders.csv", ORDERS_HEADER + "".join(f'{i},c\n{i},"c"d,5\n' for i in range(50_000)))
    file = only(company.land().files)
    assert (file.rows, file.malformed_rows) == (100_000, 100_000)
    assert landed_rows(file.parquet, "count(_unparsed_row), max(_row_number), min(_unparsed_row)") == [
        (100_000, 100_000, '0,"c"d,5')
    ]


# Parquet


def test_parquet_values_become_text(company):
    company.put_parquet(
        "orders.parquet",
        """
        select
            7::bigint as order_id, 'c'::blob as customer_id, 12.30::decimal(18, 2) as amount, '' as note,
            0.1::double as a_double, 0.1::float as a_float, 1e20::double as large, true as yes,
            date '2026-11-21' as day, timestamp '2026-11-21 10:00:00.123456' as local_time,
            timestamptz '2026-11-21 10:00:00+08' as zoned_time,
            null::integer as nothing, [1, 2] as list, 'ok' as "Ünnamed 'x'"
        """,
    )
    ((order_id, customer_id, amount, note, extra, number),) = company.rows(
        columns="order_id, customer_id, amount, note, _extra, _row_number"
    )
    assert (order_id, customer_id, amount, note, number) == ("7", "c", "12.30", None, 1)
    assert json.loads(extra) == {
        "a_double": "0.1",
        "a_float": "0.1",
        "large": "1e+20",
        "yes": "true",
        "day": "2026-11-21",
        "local_time": "2026-11-21 10:00:00.123456",
        "zoned_time": "2026-11-21 02:00:00+00",
        "nothing": None,
        "list": "[1, 2]",
        "Ünnamed 'x'": "ok",
    }


def test_the_facts_of_a_parquet_file_are_reported(company):
    company.put_parquet("orders.parquet", "select '1' as ORDER_ID, 'c' as \" Customer_Id \", 'red' as Colour")
    file = only(company.land().files)
    assert (file.table, file.file_name, file.rows, file.file_format) == ("orders", "orders.parquet", 1, "parquet")
    assert (file.encoding, file.delimiter, file.malformed_rows) == (None, None, 0)
    assert (file.ignored_columns, file.missing_columns) == (("Colour",), ("amount", "note"))


def test_rows_of_parquet_keep_their_order_over_row_groups(company):
    select = "select 300000 - i as order_id, 'c' as customer_id from range(300000) r(i)"
    company.put_parquet("orders.parquet", select, "row_group_size 20480")
    file = only(company.land().files)
    wrong = "count(*) filter (where cast(order_id as bigint) + _row_number != 300001)"
    found = landed_rows(file.parquet, f"count(*), min(_row_number), max(_row_number), {wrong}")
    assert found == [(300_000, 1, 300_000, 0)]


def test_binary_parquet_columns_are_text_where_they_can_be(company):
    values = "('\\xE5\\xBC\\xA0'::blob, 'c'::blob), ('\\xFF\\xFE'::blob, ''::blob)"
    company.put_parquet("orders.parquet", f"select * from (values {values}) v(order_id, customer_id)")
    assert company.rows(columns="order_id, customer_id") == [("张", "c"), ("\\xFF\\xFE", None)]


def test_a_parquet_column_named_like_the_readers_row_number_is_no_trouble(company):
    company.put_parquet(
        "orders.parquet",
        "select i as order_id, 'c' as customer_id, 'x' as file_row_number, 'y' as filename from range(1, 4) r(i)",
    )
    assert company.rows(columns="order_id, _row_number, _extra") == [
        (str(number), number, '{"file_row_number":"x","filename":"y"}') for number in (1, 2, 3)
    ]


def test_a_parquet_without_a_required_column_is_an_error(company):
    company.put_parquet("orders.parquet", "select 1 as id, {'customer_id': 2} as nested, [3] as list")
    problem = only(company.refused().problems)
    assert problem.expected == "the required columns order_id, customer_id of the table orders"
    assert problem.found == "a header without them: id, nested, list"


def test_a_column_twice_in_a_parquet_is_an_error(company):
    path = company.put_parquet("orders.parquet", "select 1 as order_id, 2 as order_xx, 3 as customer_id")
    path.write_bytes(path.read_bytes().replace(b"order_xx", b"Order_ID"))
    assert "order_id in columns 1, 2" in only(company.refused().problems).found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file (0 bytes)"),
        (b"order_id,customer_id\n1,c\n", "does not begin with"),
        (b"PAR1", "a file of 4 bytes"),
        (b"PAR1" + b"x" * 100, "it is cut off or not finished"),
        (b"PAR1" + b"x" * 100 + b"PAR1", "whose metadata cannot be read"),
    ],
)
def test_a_parquet_that_is_none_is_an_error(company, content, found):
    company.put("orders.parquet", content)
    problem = only(company.refused().problems)
    assert found in problem.found
    assert problem.expected == "a Parquet file with the columns of the table orders"


def test_a_parquet_that_is_damaged_behind_its_metadata_is_an_error_and_not_cached(company):
    path = company.put_parquet(
        "orders.parquet", "select hash(i)::varchar as order_id, md5(i::varchar) as customer_id from range(50000) r(i)"
    )
    content = bytearray(path.read_bytes())
    content[1000:200_000] = bytes(199_000)
    path.write_bytes(content)
    company.put("customers.csv", "customer_id\nc\n")
    for _ in range(2):
        assert only(company.refused().problems).file_name == "orders.parquet"
    assert [path.parent.name for path in company.landed_parquet()] == ["customers"]


# What is remembered between runs


def forbid_reading(monkeypatch):
    def refuse(*_):
        raise AssertionError("a file was read again")

    for reader in ("inspect_csv", "csv_rows", "inspect_parquet", "parquet_rows"):
        monkeypatch.setattr(land_module, reader, refuse)


def test_a_file_that_is_landed_is_not_read_again_and_its_facts_are_the_same(company, monkeypatch):
    company.put("orders.csv", 'order_id;customer_id;colour\n1;c;red\n2;c\n3;c;"open')
    company.put("orders/empty.csv", b"")
    company.put_parquet("customers.parquet", "select 'c' as customer_id")
    first = company.land()
    forbid_reading(monkeypatch)
    assert company.land() == first
    assert len(first.notices) == 2


def test_other_content_of_the_same_size_and_time_is_read(company):
    path = company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    status = path.stat()
    first = only(company.land().files)
    company.put("orders.csv", ORDERS_HEADER + "2,c,5,x\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert company.rows(columns="order_id") == [("2",)]
    assert not first.parquet.exists()


def test_another_dialect_or_contract_reads_the_file_again(company):
    company.put("orders.csv", "order_id,customer_id\n1,Zoé\n".encode("cp1252"))
    assert company.rows(columns="customer_id", dialects=[FileDialect("*", encoding="cp1252")]) == [("Zoé",)]
    assert company.rows(columns="customer_id", dialects=[FileDialect("*", encoding="cp1251")]) == [("Zoй",)]
    wider = Contract({"orders": contract_table("orders", "order_id customer_id", "amount note shop")})
    file = only(land(company.raw, company.landing, wider, PLAIN_RULES, [FileDialect("*", encoding="cp1251")]).files)
    assert landed_rows(file.parquet, "shop") == [(None,)]


def test_a_contract_that_requires_more_checks_landed_files_again(company):
    company.put("orders.csv", "order_id,customer_id\n1,c\n")
    company.land()
    stricter = Contract({"orders": contract_table("orders", "order_id customer_id amount", "note")})
    with pytest.raises(RawFolderError, match="the required column amount"):
        land(company.raw, company.landing, stricter, PLAIN_RULES)


def test_a_file_that_is_removed_leaves_the_landing_folder(company):
    company.put("orders/a.csv", ORDERS_HEADER + "1,c,5,x\n")
    gone = company.put("orders/b.csv", ORDERS_HEADER + "2,c,5,x\n")
    company.put("customers.csv", "customer_id\n")
    assert len(company.landed_parquet()) == 0 and len(company.land().files) == len(company.landed_parquet()) == 3
    gone.unlink()
    (company.raw / "customers.csv").unlink()
    landed = company.land()
    assert company.landed_parquet() == [only(landed.files).parquet]
    assert not (company.landing / "customers").exists()


def test_only_what_landing_wrote_is_ever_removed(company):
    company.put("orders.csv", ORDERS_HEADER)
    company.land()
    strange = [company.landing / "orders" / "mine.parquet", company.landing / "notes.txt"]
    for path in strange:
        path.write_text("mine")
    (company.raw / "orders.csv").unlink()
    company.land()
    clear_landing(company.landing)
    assert all(path.exists() for path in strange)


def test_a_failed_run_keeps_what_was_landed_before(company):
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    before = only(company.land().files)
    company.put("orders.csv", "broken\n")
    company.refused()
    assert landed_rows(before.parquet, "order_id") == [("1",)]


def test_first_seen_at_stays_with_the_content_of_a_file(company):
    path = company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    first = only(company.land().files)
    seen = first.first_seen_at
    assert landed_rows(first.parquet, "_first_seen_at") == [(seen,)]

    again = only(company.land(FileDialect("*", delimiter=",")).files)
    assert again.parquet != first.parquet
    assert (again.first_seen_at, landed_rows(again.parquet, "_first_seen_at")) == (seen, [(seen,)])

    company.put("orders.csv", ORDERS_HEADER + "1,c,6,x\n")
    changed = only(company.land().files).first_seen_at
    assert changed > seen

    path.unlink()
    company.land()
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    company.put("orders/copy.csv", ORDERS_HEADER + "1,c,5,x\n")
    returned, copy = company.land().files
    assert returned.first_seen_at == seen
    assert copy.first_seen_at > changed


def test_clearing_the_landing_reads_everything_again_but_keeps_first_seen_at(company, monkeypatch):
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    before = company.land()
    clear_landing(company.landing)
    assert company.landed_parquet() == []
    with monkeypatch.context() as patch:
        forbid_reading(patch)
        with pytest.raises(AssertionError, match="read again"):
            company.land()
    assert company.land() == before


def test_clearing_a_landing_that_does_not_exist_does_nothing(tmp_path):
    clear_landing(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"files": {"x": {}}, "first_seen": {}}', '{"files": [], "first_seen": 1}']
)
def test_a_damaged_manifest_is_no_cache(company, damage):
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    company.land()
    (company.landing / "manifest.json").write_text(damage)
    assert "every file was read again" in only(company.land().notices)
    assert company.rows(columns="order_id") == [("1",)]
    assert company.land().notices == ()


def test_the_manifest_of_an_older_version_still_tells_when_files_were_first_seen(company):
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    before = only(company.land().files)
    path = company.landing / "manifest.json"
    manifest = json.loads(path.read_text())
    facts = {name: value for name, value in only(manifest["files"].values()).items() if name != "repairs"}
    path.write_text(json.dumps(manifest | {"files": {"of another version": facts}}))
    landed = company.land()
    assert (only(landed.files).first_seen_at, landed.notices) == (before.first_seen_at, ())


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_landed_file_that_is_gone_or_cut_off_is_made_again(company, harm):
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    before = only(company.land().files)
    harm(before.parquet)
    assert company.rows(columns="order_id") == [("1",)]
    assert only(company.land().files) == before


def test_a_run_that_is_killed_leaves_nothing_half_done(company, monkeypatch):
    company.put("customers.csv", "customer_id\nc\n")
    company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    write = land_module.write_judged

    def killed_in_orders(connection, table, rows, rules, provenance, target):
        if table.name == "orders":
            target.write_bytes(b"PAR1 half")
            raise KeyboardInterrupt
        return write(connection, table, rows, rules, provenance, target)

    with monkeypatch.context() as patch:
        patch.setattr(land_module, "write_judged", killed_in_orders)
        with pytest.raises(KeyboardInterrupt):
            company.land()
    assert [path.parent.name for path in company.landed_parquet()] == ["customers"]
    (company.landing / ".incomplete").mkdir(exist_ok=True)
    (company.landing / ".incomplete" / "left-over.txt").write_text("personal data")
    assert company.rows(columns="order_id") == [("1",)]
    assert not (company.landing / ".incomplete").exists()


def test_a_file_that_changes_while_it_is_read_is_an_error(company, monkeypatch):
    path = company.put("orders.csv", ORDERS_HEADER + "1,c,5,x\n")
    inspect = land_module.inspect_csv

    def grow_meanwhile(*arguments):
        plan = inspect(*arguments)
        with path.open("a") as handle:
            handle.write("2,c,5,x\n")
        return plan

    with monkeypatch.context() as patch:
        patch.setattr(land_module, "inspect_csv", grow_meanwhile)
        assert only(company.refused().problems).found == "a file that changed while it was read"
    assert company.landed_parquet() == []
    assert company.rows(columns="order_id") == [("1",), ("2",)]


# Any table of texts

TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from('ab"",;\t|\n\r \\\'\x1f\x10\ufeff\u2028\x85\x0b张é€😀0N'),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)


@st.composite
def written_tables(draw):
    """One file as (columns, rows, encoding, content)."""
    names = draw(st.permutations(["order_id", "customer_id", "amount", "note"]))
    rows = draw(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=12))
    line_end = draw(st.sampled_from(["\r\n", "\n", "\r"]))
    # with QUOTE_MINIMAL a writer leaves a foreign line end bare
    quoting = csv.QUOTE_ALL if line_end != "\r\n" else draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(names)
    writer.writerows(rows)
    return names, rows, encoding, text.getvalue().encode(encoding)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(written_tables(), min_size=3, max_size=6))
def test_any_table_of_texts_is_read_as_the_same_texts_in_the_same_order(tmp_path_factory, tables):
    company = Company(tmp_path_factory.mktemp("company"))
    for number, (_, _, encoding, content) in enumerate(tables):
        company.put(f"orders/{number}.{encoding}.csv", content)
    landed = company.land(FileDialect("*.gb18030.csv", encoding="gb18030"))
    for file, (names, rows, encoding, _) in zip(landed.files, tables, strict=True):
        dialect = FileDialect("*", encoding="gb18030") if encoding == "gb18030" else ANY_DIALECT
        assert company.cells(file.file_name, *names, dialect=dialect) == rows
        assert company.cells(file.file_name, "_unparsed_row", dialect=dialect) == [(None,)] * len(rows)
        assert landed_rows(file.parquet, "_row_number") == [(number,) for number in range(1, len(rows) + 1)]
        assert (file.rows, file.malformed_rows) == (len(rows), 0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet='ab",\n\r ', max_size=60), min_size=3, max_size=6))
def test_whatever_a_file_holds_no_letter_of_it_is_lost(tmp_path_factory, bodies):
    company = Company(tmp_path_factory.mktemp("company"))
    for number, body in enumerate(bodies):
        company.put(f"orders/{number}.csv", ORDERS_HEADER + body)
    for file, body in zip(company.land().files, bodies, strict=True):
        found = landed_rows(file.parquet, "concat(order_id, customer_id, amount, note, _unparsed_row)")
        kept = "".join(text for (text,) in found)
        assert [letter for letter in kept if letter in "ab"] == [letter for letter in body if letter in "ab"]
        assert file.rows == len(found)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.lists(st.text("ab é\x0b\x85'\\\x00\u2028", max_size=2), min_size=1, max_size=4), max_size=5),
    cell_count=st.integers(1, 4),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(("\n", "\r\n", "\r")),
    is_ended=st.booleans(),
)
def test_lines_without_a_quote_are_read_alike_by_arrow_and_by_the_csv_module(
    rows, cell_count, delimiter, line_end, is_ended
):
    text = line_end.join(delimiter.join(row) for row in rows) + line_end * is_ended
    block = io.StringIO(text, newline="").readlines()
    by_arrow = _unquoted_columns(block, delimiter, cell_count) if block else None
    if by_arrow is not None:
        by_csv = _plain_columns(block, delimiter, cell_count)
        assert by_csv is not None
        assert [column.to_pylist() for column in by_arrow] == [column.to_pylist() for column in by_csv]


def test_lines_without_a_quote_are_read_by_arrow():
    columns = _unquoted_columns(["a;1\r\n", "乙; \r\n"], ";", 2)
    assert columns is not None and [column.to_pylist() for column in columns] == [["a", "乙"], ["1", " "]]
