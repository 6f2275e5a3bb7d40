"""A whole company with every table of the raw contract, sound rows and broken ones, made from the contract itself.

Customers and orders are those of `generators`, which sit on the edges of the definitions; the other tables refer to
them. Every table comes as CSV, as CSV in a batch of its own with a column outside the contract, and as Parquet with
typed columns. Each rule of the contract is broken once in each table that has it, and each type of value is spelled
in every way that comes to mind, allowed or not: what is made of them is for those to say who compare. The same code
makes the same company every time.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from generators import Calendar, in_region, join_companies, random_company

from orchestration.contract import Contract, RawColumn, RawTable
from orchestration.settings import ROOT

FRAME = Calendar(
    # not the last day of its month, which is thus not complete
    date(2024, 3, 30),
    "America/New_York",
    (date(2022, 11, 6), date(2023, 3, 12), date(2023, 11, 5), date(2024, 2, 29), date(2024, 3, 10)),
)
COMPANY_FILE = """\
company_name: 全部 & Co. "Every Table"
reporting_currency: USD
business_timezone: America/New_York
default_margin_rate: 0.275
high_value_annual_amount: 400.5
cadence_prior_intervals: 1.5
"""
BATCH = "load_date=2024-03-31/批次 2.csv"
TYPED = "typed.parquet"
EXTRA_COLUMN = "备注 note"
UNKNOWN = "nowhere"

REGIONS = ("North", 'South, "Lower"', "西部", "O'Hara", "back\\slash", "z")
CUSTOMERS_PER_REGION = 200
# half past one and half past two are the hours that a change of the clock repeats or leaves out
CLOCKS = (time(0), time(23, 59, 59, 999999), time(1, 30), time(2, 30), time(12, 5, 7, 120000))
# of tables that are neither customers nor orders
ROWS_PER_TABLE = 60

TEXTS = ("web", "store", "app", "Zürich", "上海市", "Ångström", "red", "blue")
ODD_TEXTS = (
    'say "hello"',
    "back\\slash \\n \\u0041 \\",
    "two\nlines",
    "carriage\r\nreturn",
    "a\ttab",
    "it's",
    "control \x01\x02\x0b\x0c\x10\x1b\x1f\x7f characters",
    "next\x85line separator\u2028 and\u2029 zero\u200bwidth \ufeff mark",
    "emoji 👩‍👩‍👧‍👦🇨🇳 \U0001f600",
    "e\u0301 is not é",
    "全角　空格",
    "\u2003em space around\u2003",
    "; drop table x; -- /* */",
    "{{ jinja }} {% raw %} ${spark.version} $1",
    "</script>&amp;/",
    '{"json": [1, null]}',
    "NULL",
    "null",
    "NaN",
    "%_*?[a-z]",
    "a|b",
    "x" * 5_000 + "长" * 5_000,
)
# tables whose far-off values (the year 1, amounts of 14 digits) would be all that a mart shows
COUNTED = (
    "customers",
    "orders",
    "order_items",
    "products",
    "memberships",
    "points_transactions",
    "survey_invitations",
    "survey_responses",
    "tickets",
    "social_mentions",
)
# what does not count around a value
WHITE_SPACE = " \t\n\r\u00a0\u3000"
SURROUNDINGS = (" ", "  \t", "\u00a0", "\u3000", "\n", " \r\n\u3000")

# written into a column of the type, one row each; whether a text is a value of the type is not said here
EDGES: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "2024-02-29",
        "2023-02-29",
        "2024-02-30T00:00:00",
        "2024-01-31T23:59",
        "2024-01-31 23:59:59Z",
        "2024-01-31t23:59:59z",
        "2024-01-31T23:59:59 Z",
        "2024-01-31T23:59+08:00",
        "2024-01-31 23:59-0500",
        "2024-01-31 23:59Z",
        "2024-01-31T23:59:59+08",
        "2024-01-31T23:59:59 +0545",
        "2024-01-31T23:59:59-17:59",
        "2024-01-31T23:59:59+18:00",
        "2024-01-31T23:59:59-00:00",
        *(f"2024-01-31T23:59:59.{'987654321'[:digits]}" for digits in range(1, 10)),
        *(f"2024-01-31T23:59:59.{'9' * digits}" for digits in range(1, 10)),
        "2024-01-31T23:59:59,25",
        "2024-01-31T23:59:59.0000005",
        "2024-01-31T23:59:59.0000004+02:00",
        "2024-01-31T23:59:59.1234567890123Z",
        "2024-01-31T23:59:59.",
        "2024-01-31T23:59:60",
        "2024-01-31T24:00:00",
        "2024-01-31T9:00",
        "2024-01-31T23",
        "2024-01-31T23:59:59+8",
        "2024-01-31T23:59:59 UTC",
        "2024-01-31T23:59:59 Europe/Berlin",
        "2024-01-31T23:59:59  +08:00",
        "2024-01-31  23:59:59",
        "2024-1-31",
        "20240131",
        "31.01.2024",
        "24-01-31",
        "2024-00-10",
        "2024-13-10",
        "2024-01-31T23:59:59\u2028",
        "２０２４-01-31",
        "now",
        "today",
        "epoch",
        "infinity",
        # hours that the clocks of the company have twice, or not at all
        "2023-11-05T05:30:00Z",
        "2023-11-05T06:30:00Z",
        "2024-03-10T06:59:59.999999Z",
        "2024-03-10T07:00:00Z",
    ),
    "date": (
        "2024-02-29",
        "2023-02-29",
        "1900-02-29",
        "2000-02-29",
        "2024-02-29T00:00:00",
        "2024-2-9",
        "20240229",
        "29/02/2024",
        "2024-02-29Z",
        "infinity",
        "epoch",
        "２０２４-02-29",
    ),
    "number": (
        "0",
        "-0",
        "-0.00001",
        "+5",
        "5.",
        ".5",
        "00012.50",
        "1e3",
        "1E+2",
        "1.25e-2",
        "12.34565",
        "0.00005",
        "0.00004999999999999999",
        "1.00015",
        "-1.00015",
        "1e-300",
        "1e400",
        "0e19",
        "0e999",
        "1.2345678901234567e+05",
        "1e",
        "e1",
        ".",
        "+",
        "1,5",
        "1,000",
        "1_000",
        "1 000",
        "0x1f",
        "NaN",
        "inf",
        "-Infinity",
        "12abc",
        "12d",
        "12f",
        "¥12",
        "--1",
        "１２",
        "12\u2028",
    ),
    "integer": (
        "0",
        "-0",
        "+5",
        "005",
        "5.",
        "5.0",
        "5.000000000000000000000",
        "5.5",
        "5e0",
        "1_000",
        "NaN",
        "five",
        "５",
        ".0",
    ),
    "boolean": (
        *("true", "TRUE", "t", "Yes", "y", "1", "false", "False", "f", "NO", "n", "0"),
        *("on", "off", "1.0", "2", "是", "ja", "tr\u00fce"),
    ),
    "text": ODD_TEXTS,
}
# written only into tables that no mart counts or sums: a first order in the year 1 would make 24,000 months, and beside
# an amount of 40 trillion others would be lost
FAR_EDGES: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "0001-01-01",
        "0001-01-01T00:00:00-05:00",
        "1582-10-10T12:00:00",
        "1500-02-29",
        "1883-11-18T12:00:00",
        "1969-12-31T23:59:59.999999Z",
        "1969-12-31T23:59:59.9999999Z",
        "2262-04-11T23:47:16.854775808",
        "9999-12-31T23:59:59.999999",
        "9999-12-31T23:59:59.999999+01:00",
    ),
    "number": (
        "999999999999.99994",
        "999999999999.99995",
        "1e12",
        "1000000000000.0001",
        "99999999999999.9999",
        "99999999999999.99994",
        "99999999999999.99995",
        "-99999999999999.9999",
        "100000000000000",
        "12345678901234.56785",
        "9.99999999999999999e13",
        "04.007884700031705235e13",
        "4804.313973e11",
        "0.1e14",
        "0.00000000000000000000000000000000000000001e45",
        "9" * 60,
    ),
    "integer": (
        "999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "9" * 60,
        "2147483648",
    ),
}
UNPARSEABLE = {
    "timestamp": "2024-02-30 10:00",
    "date": "2023-02-29",
    "number": "12abc",
    "integer": "7.5",
    "boolean": "maybe",
}

Row = dict[str, Any]
Change = tuple[str, dict[str, str | None]]


@dataclass(frozen=True)
class BrokenRow:
    """A row that breaks one rule of the contract; `row_key` as its base model has it."""

    table: str
    reason_code: str
    row_key: str


@dataclass(frozen=True)
class LeftOut:
    """A kind of value that a column which is not required cannot hold; as repaired_values has it."""

    table: str
    column: str
    kind: str


@dataclass(frozen=True)
class RawCompany:
    """A raw folder with every table, and what in it must be rejected or left out; other rows and values may be too."""

    folder: Path
    as_of: date
    broken: tuple[BrokenRow, ...]
    left_out: frozenset[LeftOut]


def write_raw_company(folder: Path, contract: Contract) -> RawCompany:
    """Write the company's files into `folder`, which need not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "company.yml").write_text(COMPANY_FILE, encoding="utf-8")
    company = _Company(contract)
    broken: list[BrokenRow] = []
    for table in contract.tables.values():
        broken.extend(_write_table(folder, company, table))
    left_out = frozenset(entry for table in contract.tables.values() for entry, _ in omissions(table))
    return RawCompany(folder, FRAME.as_of, tuple(broken), left_out)


class _Company:
    """The sound rows of every table, of values, not yet of texts."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.random = random.Random(20240330)
        self.rows: dict[str, list[Row]] = {}
        self._ids: dict[str, list[Any]] = {}
        drawn = join_companies(
            in_region(random_company(number, FRAME, sizes=(CUSTOMERS_PER_REGION,)), region)
            for number, region in enumerate(REGIONS)
        )
        self._ids["customer_id"] = sorted({row["customer_id"] for row in (*drawn.customers, *drawn.orders)})
        makers: dict[str, Callable[[RawTable], list[Row]]] = {
            "customers": lambda table: [self._customer(table, row) for row in drawn.customers],
            "orders": lambda table: [self._row(table) | _without(row, "channel", "store_id") for row in drawn.orders],
            "order_items": self._order_items,
            "memberships": self._memberships,
        }
        for table in contract.tables.values():
            self.rows[table.name] = makers.get(table.name, self._some_rows)(table)
            if len(table.key) == 1 and table.key[0] not in self._ids:
                self._ids[table.key[0]] = [row[table.key[0]] for row in self.rows[table.name]]

    def fresh_row(self, table: RawTable, name: str) -> Row:
        """A sound row of a key that no other row of the table has; `name` is part of it."""
        row = self._row(table)
        free = [part for part in table.key if part not in table.references]
        named = next((part for part in free if not _is_bound(table.column(part))), None)
        if named is not None and table.column(named).data_type == "text":
            return row | {named: name}
        return row | {free[0]: self.random.randrange(10_000, 10_000_000)}

    def _customer(self, table: RawTable, drawn: Row) -> Row:
        row = self._row(table) | _without(drawn, "country")
        return row | {"is_deleted": self.random.choice((None, False, False, False, False, False, False, True))}

    def _order_items(self, table: RawTable) -> list[Row]:
        rows = []
        for order in self.rows["orders"]:
            left = order["order_amount"]
            for line in range(1, self.random.choice((0, 1, 1, 2, 3)) + 1):
                amount = self.random.choice((left, (left / 2).quantize(Decimal("0.01")), Decimal("0.00")))
                left -= amount
                bought = {"order_id": order["order_id"], "line_number": line, "line_amount": amount}
                quantity = self.random.choice((Decimal(0), *[Decimal(1)] * 5, Decimal(3), Decimal("0.3333")))
                rows.append(self._row(table) | bought | {"quantity": quantity})
        return rows

    def _memberships(self, table: RawTable) -> list[Row]:
        rows = []
        for number, customer_id in enumerate(self._ids["customer_id"][::3]):
            member = {"member_id": f"m{number}", "customer_id": customer_id}
            for version in range(self.random.choice((1, 1, 2, 3))):
                begins = self._moment() + timedelta(seconds=version)
                rows.append(self._row(table) | member | {"updated_at": begins})
        self._ids["member_id"] = [row["member_id"] for row in rows]
        return rows

    def _some_rows(self, table: RawTable) -> list[Row]:
        drawn = [self._row(table) for _ in range(ROWS_PER_TABLE)]
        return list({tuple(row[part] for part in table.key): row for row in drawn}.values())

    def _row(self, table: RawTable) -> Row:
        row: Row = {}
        for column in table.columns:
            row[column.name] = self._value(table, column, row)
        for column in table.columns:
            # these depend on the value of another column, which may stand behind them
            if column.scale is not None:
                low, high = column.scale.ranges[row[column.scale.column]]
                row[column.name] = self.random.randint(int(low), int(high))
            elif column.sign is not None:
                signs = {"positive": (1,), "negative": (-1,)}
                allowed = signs.get(column.sign.signs.get(row[column.sign.column], ""), (1, -1))
                row[column.name] = self.random.choice(allowed) * Decimal(self.random.randint(1, 500_000)) / 100
        return row

    def _value(self, table: RawTable, column: RawColumn, row: Row) -> Any:
        is_own_key = table.key == (column.name,)
        if column.data_type == "text" and not is_own_key and (ids := self._ids.get(column.name)):
            known = self.random.choice(ids)
            may_be_unknown = column.name not in table.references
            guess = self.random.choice((known, known, known, known, f"{column.name} {UNKNOWN}"))
            return guess if may_be_unknown else known
        if is_own_key:
            return f"{table.name}-{len(self.rows)}-{self.random.getrandbits(40):010x}"
        if not column.required and self.random.random() < 0.2:
            return None
        if column.values:
            return self.random.choice(column.values)
        if column.seed:
            return self.random.choice(_seed_values(column))
        return self._free_value(column)

    def _free_value(self, column: RawColumn) -> Any:
        if column.data_type == "timestamp":
            return self._moment()
        if column.data_type == "date":
            return FRAME.as_of - timedelta(days=self.random.randint(0, 30_000))
        if column.data_type == "boolean":
            return self.random.choice((True, False))
        if column.data_type == "integer":
            return self.random.choice((0, 1, 2, 3, 1_000))
        if column.data_type == "number":
            return Decimal(self.random.choice((0, 1, self.random.randint(0, 5_000_000)))) / 10_000
        return self.random.choice(ODD_TEXTS if self.random.random() < 0.1 else TEXTS)

    def _moment(self) -> datetime:
        day = FRAME.as_of - timedelta(days=self.random.randint(-30, 790))
        if self.random.random() < 0.2:
            day = self.random.choice((*FRAME.clock_changes, date(2024, 1, 31), date(2023, 12, 31), FRAME.as_of))
        clock = self.random.choice(
            (time(0), time(23, 59, 59, 999999), time(1, 30), time(2, 30), time(12, 5, 7, 120000))
        )
        return FRAME.utc(day, clock)


def _seed_values(column: RawColumn) -> list[str]:
    with (ROOT / "seeds" / f"{column.seed}.csv").open(encoding="utf-8", newline="") as file:
        return [row[column.name] for row in csv.DictReader(file)]


def _is_bound(column: RawColumn) -> bool:
    return bool(column.values or column.seed or column.scale or column.sign)


def _write_table(folder: Path, company: _Company, table: RawTable) -> list[BrokenRow]:
    sound = company.rows[table.name]
    typed, plain = sound[::9], [row for place, row in enumerate(sound) if place % 9]
    half = len(plain) // 2
    spell = _Speller(company.random)
    first = [spell.row(row) for row in plain[:half]]
    second = [spell.row(row) for row in plain[half:]]
    # broken and odd rows stand among sound ones, newer and older versions in the other file too
    broken_texts, broken = _broken_rows(company, table, spell)
    first += broken_texts
    second += [spell.row(row) for row in _edge_rows(company, table)]
    for number, (_, change) in enumerate(omissions(table)):
        second.append(spell.row(company.fresh_row(table, f"left-out-{number}") | change))
    first += [spell.row(row) for row in _versions(company, table, plain[:60])]
    second += [spell.row(row) for row in _versions(company, table, plain[:30])]
    company.random.shuffle(first)
    company.random.shuffle(second)
    columns = list(table.column_names)
    _write_csv(folder / f"{table.name}.csv", columns, first, _malformed_lines(table))
    for place, row in enumerate(second):
        row[EXTRA_COLUMN] = ODD_TEXTS[place % len(ODD_TEXTS)] if place % 3 else ""
    in_another_order = [EXTRA_COLUMN, *reversed(columns)]
    _write_csv(folder / table.name / BATCH, in_another_order, second, ['"a quote, never closed\nanother line'])
    _write_parquet(folder / table.name / TYPED, table, typed)
    return broken


def _broken_rows(company: _Company, table: RawTable, spell: _Speller) -> tuple[list[dict[str, str]], list[BrokenRow]]:
    texts, broken = [], []
    for number, (reason_code, change) in enumerate(breakages(table)):
        row = spell.row(company.fresh_row(table, f"broken-{number}") | change)
        texts.append(row)
        key = "|".join(row[part].strip(WHITE_SPACE) for part in table.key)
        broken.append(BrokenRow(table.name, reason_code, key))
    return texts, broken


def breakages(table: RawTable) -> Iterator[Change]:
    """Every way in which one row breaks one rule of the table: the reason code, and the cells that do it."""
    for column in table.columns:
        if not is_needed(table, column):
            continue
        if column.name in table.key:
            yield "missing_key", {column.name: " \u3000"}
        elif column.required:
            yield "missing_value", {column.name: None}
        if column.data_type != "text":
            yield "unparseable_value", {column.name: UNPARSEABLE[column.data_type]}
        yield from (("out_of_domain", change) for change in _outside(column))
        if column.name in table.references:
            yield "unknown_reference", {column.name: UNKNOWN}


def is_needed(table: RawTable, column: RawColumn) -> bool:
    """Whether a row without a value of the column is rejected."""
    return column.required or column.name in table.key


def omissions(table: RawTable) -> Iterator[tuple[LeftOut, dict[str, str | None]]]:
    """Every way in which a value of a column that is not required is none, and the cells that do it."""
    for column in table.columns:
        if is_needed(table, column):
            continue
        if column.data_type != "text":
            yield (
                LeftOut(table.name, column.name, "unparseable_value"),
                {column.name: UNPARSEABLE[column.data_type]},
            )
        for change in _outside(column):
            yield LeftOut(table.name, column.name, "out_of_domain"), change


def _outside(column: RawColumn) -> Iterator[dict[str, str | None]]:
    if column.values:
        yield {column.name: f"{column.values[0]}s"}
    if column.seed:
        yield {column.name: "wooden"}
    if column.minimum is not None:
        yield {column.name: str(column.minimum - 1)}
    if column.maximum is not None:
        yield {column.name: str(column.maximum + 1)}
    if column.scale is not None:
        for kind, (low, high) in column.scale.ranges.items():
            yield {column.scale.column: kind, column.name: str(low - 1)}
            yield {column.scale.column: kind, column.name: str(high + 1)}
    if column.sign is not None:
        for kind, sign in column.sign.signs.items():
            yield {column.sign.column: kind, column.name: "-0.01" if sign == "positive" else "0.01"}
            yield {column.sign.column: kind, column.name: "0"}


def _edge_rows(company: _Company, table: RawTable) -> Iterator[Row]:
    # the marts count and sum what these hold
    counted = table.name in COUNTED
    for column in table.columns:
        if column.values or column.seed or column.name in table.references:
            continue
        edges = EDGES[column.data_type] + (() if counted else FAR_EDGES.get(column.data_type, ()))
        for number, edge in enumerate(edges):
            yield company.fresh_row(table, f"edge-{column.name}-{number}") | {column.name: edge}


def _versions(company: _Company, table: RawTable, rows: Sequence[Row]) -> Iterator[Row]:
    """Other versions of rows: older and newer ones, with the same moment, and with none."""
    for number, row in enumerate(rows):
        again = company.fresh_row(table, "again") | {part: row[part] for part in (*table.key, *table.references)}
        if "updated_at" in row and "updated_at" not in table.key:
            moment = row["updated_at"] or datetime(2024, 1, 1)
            changes = (timedelta(0), timedelta(days=1), timedelta(days=-1), timedelta(microseconds=1), None)
            change = changes[number % len(changes)]
            again["updated_at"] = None if change is None else moment + change
        yield again


def _malformed_lines(table: RawTable) -> list[str]:
    count = len(table.columns)
    return [
        ",".join(["x"] * (count + 2)),
        "too few" if count > 2 else "x,y,z",
        '"with ""quotes""",张伟' + "," * count + "x",
    ]


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[dict[str, str]], lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        file.writelines(f"{line}\n" for line in lines)


PARQUET_TYPES = {
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "boolean": "BOOLEAN",
    # as a data frame holds them
    "number": "DOUBLE",
    "integer": "DOUBLE",
}


def _write_parquet(path: Path, table: RawTable, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f'"{column.name}" {PARQUET_TYPES[column.data_type]}' for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create table rows_ ({columns})")
        connection.executemany(
            f"insert into rows_ values ({marks})", [[row[n] for n in table.column_names] for row in rows]
        )
        connection.table("rows_").write_parquet(str(path))


class _Speller:
    """Turns values into texts, each time in another of the ways that the contract allows; a text stays what it is."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator

    def row(self, row: Row) -> dict[str, str]:
        return {name: self._padded(self.text(value)) if value is not None else "" for name, value in row.items()}

    def text(self, value: Any) -> str:
        if isinstance(value, bool):
            return self._random.choice(("true", "T", "yes", "Y", "1") if value else ("false", "F", "no", "N", "0"))
        if isinstance(value, int):
            return self._random.choice((f"{value}", f"{value}.0", f"{value}.", f"{value:03d}"))
        if isinstance(value, Decimal):
            return self._random.choice((f"{value}", f"{value:f}", f"{value:E}", f"{value:e}", f"{value:f}000"))
        if isinstance(value, datetime):
            return self._random.choice(list(_spellings(value)))
        return str(value)

    def _padded(self, text: str) -> str:
        if self._random.random() > 0.03:
            return text
        return self._random.choice(SURROUNDINGS) + text + self._random.choice(SURROUNDINGS)


def _without(row: Row, *names: str) -> Row:
    """The row without columns whose odder values are made here."""
    return {name: value for name, value in row.items() if name not in names}


def _spellings(moment: datetime) -> Iterator[str]:
    """Every way to write a moment, given in UTC, that loses nothing."""
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(FRAME.business_timezone)).replace(tzinfo=None)
    # the second of two moments of a night that clocks show alike has to name its offset
    if FRAME.utc(local.date(), local.time()) == moment:
        yield from _local_spellings(local)
    yield f"{moment.isoformat(sep=' ')} Z"
    yield f"{moment.isoformat()}z".replace("T", "t")
    if moment.microsecond:
        yield f"{moment.isoformat()}000Z"
    for minutes in (-300, 330, 480):
        shown = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
        yield shown.isoformat()
        yield shown.strftime("%Y-%m-%d %H:%M:%S.%f%z")
        if shown.second == shown.microsecond == 0:
            yield shown.strftime("%Y-%m-%dT%H:%M") + f" {shown:%z}"
    if moment.second == moment.microsecond == 0:
        yield moment.strftime("%Y-%m-%dT%H:%MZ")


def _local_spellings(local: datetime) -> Iterator[str]:
    yield local.isoformat()
    if local.microsecond:
        yield local.isoformat(sep=" ").rstrip("0").replace(".", ",")
    if local.second == local.microsecond == 0:
        yield local.strftime("%Y-%m-%d %H:%M")
    if local.time() == time(0):
        yield f"{local:%Y-%m-%d}"
