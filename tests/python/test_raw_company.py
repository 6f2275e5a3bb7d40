"""The company with every table has what it is for: every table, every way to break the contract, every kind of row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import PLAIN_RULES, World
from raw_company import COUNTED, WHITE_SPACE, RawCompany, is_needed, write_raw_company

from orchestration.contract import Contract, RawColumn, RawTable
from orchestration.landing.csv_files import FileDialect, csv_rows, inspect_csv
from orchestration.landing.discover import RawFile
from orchestration.landing.land import land

pytestmark = pytest.mark.xdist_group("raw_company")

EXCEPT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
REJECTED_ROWS = ("build", "--select", "+rejected_rows", "+repaired_values", *EXCEPT_TESTS)


def test_the_same_code_writes_the_same_files(raw_company: RawCompany, contract: Contract, tmp_path: Path) -> None:
    again = write_raw_company(tmp_path, contract)
    assert again.broken == raw_company.broken
    assert contents(again.folder) == contents(raw_company.folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_table_comes_as_csv_as_a_batch_and_as_parquet(
    raw_company: RawCompany, contract: Contract, tmp_path: Path
) -> None:
    landing = land(raw_company.folder, tmp_path, contract, PLAIN_RULES)
    assert not landing.absent_tables
    for table in contract.tables:
        files = [landed for landed in landing.files if landed.table == table]
        assert sorted(landed.file_format for landed in files) == ["csv", "csv", "parquet"]
        assert all(landed.rows for landed in files)
        assert any("/" in landed.file_name for landed in files)
        assert any(landed.ignored_columns for landed in files)


@pytest.fixture(scope="module")
def world(build_world: Callable[..., World], raw_company: RawCompany) -> World:
    return build_world(raw_company.folder, "raw_company", raw_company.as_of, REJECTED_ROWS)


def reason_codes(table: RawTable) -> Iterator[str]:
    """The reasons for which a row of the table can be rejected."""
    yield from ("malformed_row", "missing_key")
    if set(table.required_columns) - set(table.key):
        yield "missing_value"
    needed = [column for column in table.columns if is_needed(table, column)]
    if any(column.data_type != "text" for column in needed):
        yield "unparseable_value"
    if table.name not in COUNTED and any(column.data_type in ("timestamp", "date") for column in needed):
        yield "implausible_date"
    if any(
        column.values or column.minimum is not None or column.scale or column.sign or column.seed for column in needed
    ):
        yield "out_of_domain"
    if table.references:
        yield "unknown_reference"


@pytest.mark.worlds
def test_rows_of_every_table_are_rejected_for_every_reason_that_there_is(world: World, contract: Contract) -> None:
    rows = world.rows("select distinct table_name, reason_code from quality.rejected_rows")
    assert set(rows) == {(table.name, code) for table in contract.tables.values() for code in reason_codes(table)}


@pytest.mark.worlds
def test_a_row_that_breaks_one_rule_is_rejected_for_it(world: World, raw_company: RawCompany) -> None:
    # the key itself: what is published of it may be a pattern
    tables = {row.table for row in raw_company.broken}
    keys = (
        f"select '{name}', reason_code, row_key from staging.base_{name} where row_status = 'rejected'"
        for name in tables
    )
    rows = world.rows(" union all ".join(keys))
    assert {(row.table, row.reason_code, row.row_key) for row in raw_company.broken} <= set(rows)


@pytest.mark.worlds
def test_what_a_column_need_not_hold_is_left_out_and_told(world: World, raw_company: RawCompany) -> None:
    rows = world.rows("select table_name, column_name, kind from quality.repaired_values")
    assert {(entry.table, entry.column, entry.kind) for entry in raw_company.left_out} <= set(rows)


@pytest.mark.worlds
def test_rows_of_every_table_are_accepted_and_superseded(world: World, contract: Contract) -> None:
    for table in contract.tables:
        statuses = dict(world.rows(f"select row_status, count(*) from staging.base_{table} group by 1"))
        assert statuses["accepted"] > 20 and statuses["superseded"] > 5, table


@pytest.mark.worlds
@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("customers", "is_deleted"),
        ("customers", "birth_date is null"),
        ("customers", "registered_at > timestamp '2024-04-01 04:00'"),
        ("erasure_requests", "customer_id in (select customer_id from staging.base_customers)"),
        ("consents", "not is_granted"),
        ("orders", "status = 'cancelled'"),
        ("orders", "refund_amount = order_amount and refunded_at is not null"),
        ("orders", "refund_amount > 0 and refunded_at is null"),
        ("orders", "refund_amount > order_amount"),
        ("orders", "order_amount = 0"),
        ("orders", "cost_amount is null"),
        ("orders", "ordered_at > timestamp '2024-04-01 04:00'"),
        ("orders", "cast(ordered_at as date) = date '2024-02-29'"),
        ("orders", "customer_id not in (select customer_id from staging.base_customers where customer_id is not null)"),
        (
            "order_items",
            "product_id not in (select product_id from staging.base_products where product_id is not null)",
        ),
        ("order_items", "quantity <> round(quantity)"),
        ("memberships", "status = 'closed'"),
    ],
)
def test_there_are_accepted_rows_of_every_kind(world: World, table: str, kind: str) -> None:
    [(count,)] = world.rows(f"select count(*) from staging.base_{table} where row_status = 'accepted' and {kind}")
    assert count > 2


def in_domain(column: RawColumn, value: Decimal) -> bool:
    return (column.minimum is None or value >= column.minimum) and (column.maximum is None or value <= column.maximum)


@pytest.mark.worlds
def test_numbers_are_what_python_makes_of_their_texts(world: World, contract: Contract) -> None:
    wrong, seen = [], 0
    for file in (file for file in world.landing.files if file.file_format == "csv"):
        table = contract.tables[file.table]
        found = csv_rows(
            inspect_csv(
                RawFile(table.name, file.file_name, world.settings.raw_dir / file.file_name, "csv"),
                table,
                FileDialect("*"),
            )
        )
        texts = pa.Table.from_batches(found.batches, found.schema)
        for column in (column for column in table.columns if column.data_type == "number"):
            judged = f"select row_number, {column.name} from staging.base_{table.name}"
            base = dict(world.rows(f"{judged} where file_name = '{file.file_name}'"))
            for number, text in zip(texts["_row_number"].to_pylist(), texts[column.name].to_pylist(), strict=True):
                expected = amount(text)
                # other spellings have tests of their own
                if expected is None:
                    continue
                # a value outside its domain is left out where it may be
                expected = expected if column.required or in_domain(column, expected) else None
                seen += 1
                wrong += [(table.name, text, base[number])] if base[number] != expected else []
    assert not wrong
    assert seen > 5_000


def amount(text: str | None) -> Decimal | None:
    """A number as the contract means it; None where the text is none, or no decimal(18, 4)."""
    text = (text or "").strip(WHITE_SPACE)
    _, _, exponent = text.lower().partition("e")
    # Python reads these, the contract does not
    if not text.isascii() or "_" in text or (exponent.isdigit() and int(exponent) > 19):
        return None
    try:
        value = Decimal(text).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < Decimal(10) ** 14 else None
