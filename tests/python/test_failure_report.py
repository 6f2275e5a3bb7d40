"""The report of a failed build: what failed, what it means, which rows, and no personal data."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.contract import Contract, RawColumn, RawTable
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.failure_report import describe_failures, is_personal, outcome, personal_columns

PERSONAL = frozenset({"full_name", "email", "phone", "birth_date", "comment", "author_handle", "text"})
MODEL = "model.shop.orders"
TEST = "test.shop.order_amounts_are_positive"


@pytest.fixture
def build_db(tmp_path: Path) -> Path:
    path = tmp_path / "build" / "warehouse.duckdb"
    path.parent.mkdir()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(
            "CREATE TABLE marts.orders AS SELECT 'O' || range AS order_id, -range::DECIMAL(9, 2) AS order_amount, "
            "'ada@example.com' AS email, 'ask ada@example.com' AS note, DATE '1990-01-02' AS birth_date, "
            "NULL AS phone FROM range(1, 8)"
        )
    return path


def manifest(**test: object) -> dict:
    described = {
        "name": "order_amounts_are_positive",
        "resource_type": "test",
        "description": "An order costs something.\nAsk the shop for the orders below.",
        "attached_node": MODEL,
        "depends_on": {"nodes": [MODEL]},
        "test_metadata": {"kwargs": {}},
        "original_file_path": "models/marts/orders.yml",
        **test,
    }
    model = {"name": "orders", "resource_type": "model", "original_file_path": "models/marts/orders.sql"}
    return {"nodes": {MODEL: model, TEST: described}, "sources": {"source.shop.raw.orders": {"name": "raw orders"}}}


def result(**values: object) -> dict:
    return {"unique_id": TEST, "status": "fail", "failures": 7, "message": "Got 7 results", "timing": [], **values}


def report(build_db: Path, *results: dict, nodes: dict | None = None) -> str:
    engine = DuckDbEngine(build_db.parent.parent)
    return describe_failures(nodes or manifest(), {"results": list(results)}, engine.read_build, PERSONAL)


def test_a_failed_test_is_told_with_its_meaning_its_model_and_the_number_of_rows(build_db: Path) -> None:
    text = report(build_db, result(compiled_code="select order_id from marts.orders order by order_id"))
    assert text.splitlines() == [
        "The test order_amounts_are_positive of orders failed.",
        "  meaning: An order costs something. Ask the shop for the orders below.",
        "  found:   7 rows",
        "  up to 5 of the rows:",
        "    order_id=O1",
        "    order_id=O2",
        "    order_id=O3",
        "    order_id=O4",
        "    order_id=O5",
        "  see:     models/marts/orders.yml",
    ]


def test_one_row_is_told_as_one(build_db: Path) -> None:
    assert "  found:   1 row\n" in report(build_db, result(failures=1, compiled_code="select 1 as n"))


def test_personal_columns_are_masked_and_so_are_addresses_in_other_texts(build_db: Path) -> None:
    query = "select order_id, order_amount, email, note, birth_date, phone from marts.orders where order_id = 'O1'"
    text = report(build_db, result(compiled_code=query))
    assert "order_id=O1, order_amount=-1.00, email=***, note=ask ***, birth_date=***, phone=null" in text
    assert "ada@example.com" not in text
    assert "1990" not in text


def test_a_test_of_a_personal_column_shows_only_counts(build_db: Path) -> None:
    nodes = manifest(test_metadata={"name": "unique", "kwargs": {"column_name": "phone"}})
    query = "select '+49 170 1234567' as unique_field, 2 as n_records"
    text = report(build_db, result(compiled_code=query), nodes=nodes)
    assert "unique_field=***, n_records=2" in text
    assert "1234567" not in text


@pytest.mark.parametrize(
    "column", ["email", "EMAIL", "contact_email", "email_text", "full_name", "raw_row", "_raw_row"]
)
def test_columns_named_after_personal_data_are_personal(column: str) -> None:
    assert is_personal(column, PERSONAL)


@pytest.mark.parametrize("column", ["order_id", "context", "emailed_count", "name", "commented_on", ""])
def test_columns_that_only_look_alike_are_not(column: str) -> None:
    assert not is_personal(column, PERSONAL)


def test_a_query_that_ends_in_a_comment_or_a_semicolon_still_shows_its_rows(build_db: Path) -> None:
    assert "order_id=O1" in report(build_db, result(compiled_code="select 'O1' as order_id -- why"))
    assert "order_id=O1" in report(build_db, result(compiled_code="select 'O1' as order_id;\n"))


def test_long_values_are_cut_and_line_breaks_flattened(build_db: Path) -> None:
    text = report(build_db, result(compiled_code="select repeat('x', 100) as a, 'one' || chr(10) || 'two' as b"))
    assert f"a={'x' * 59}…, b=one two" in text


def test_rows_that_cannot_be_read_any_more_are_left_out(build_db: Path) -> None:
    text = report(build_db, result(compiled_code="select * from marts.no_such_table"))
    assert "found:   7 rows" in text
    assert "up to" not in text


def test_a_missing_build_leaves_out_the_rows_and_is_not_created(tmp_path: Path) -> None:
    text = report(tmp_path / "none.duckdb", result(compiled_code="select 1"))
    assert "found:   7 rows" in text
    assert not (tmp_path / "none.duckdb").exists()


def test_a_test_over_several_models_names_them_all(build_db: Path) -> None:
    nodes = manifest(attached_node=None, depends_on={"nodes": [MODEL, "source.shop.raw.orders"]})
    text = report(build_db, result(), nodes=nodes)
    assert "The test order_amounts_are_positive of orders and raw orders failed." in text


def test_a_failed_model_is_told_with_what_the_database_said_and_where_its_file_is(build_db: Path) -> None:
    message = (
        "Runtime Error in model orders (models/marts/orders.sql)\n"
        "  Constraint Error: NOT NULL constraint failed: orders.customer_id\n"
        "  \n"
        "  compiled code at target/run/shop/models/marts/orders.sql"
    )
    text = report(build_db, result(unique_id=MODEL, status="error", failures=None, message=message))
    assert text.splitlines() == [
        "The model orders could not be built.",
        "  found:   Constraint Error: NOT NULL constraint failed: orders.customer_id",
        "  see:     models/marts/orders.sql",
    ]


def test_a_contract_that_a_model_breaks_is_shown_column_by_column(build_db: Path) -> None:
    message = (
        "Compilation Error in model orders (models/marts/orders.sql)\n"
        "  This model has an enforced contract that failed.\n"
        "  | column_name | definition_type | contract_type |\n"
        "  | order_id    | VARCHAR         | INTEGER       |\n"
    )
    text = report(build_db, result(unique_id=MODEL, status="error", message=message))
    assert "found:   This model has an enforced contract that failed." in text
    assert "| order_id    | VARCHAR         | INTEGER       |" in text


@pytest.mark.parametrize(
    "message",
    [
        "Conversion Error: Could not convert string 'ada@example.com' to INT32",
        "Conversion Error: Could not convert string 'Ada Lovelace' to INT32",
        'Constraint Error: Duplicate key "full_name: Ada Lovelace" violates primary key constraint.',
        "Could not parse Ada.Lovelace+shop@mail.example.org",
    ],
)
def test_messages_of_the_database_show_no_values_of_rows(build_db: Path, message: str) -> None:
    text = report(build_db, result(unique_id=MODEL, status="error", message=message))
    assert "***" in text
    assert "Ada" not in text
    assert "ada@" not in text


def test_of_a_message_of_spark_the_stack_and_the_query_are_left_out(build_db: Path) -> None:
    message = (
        "Runtime Error in model orders (models/marts/orders.sql)\n  Database Error\n"
        "    org.apache.hive.service.cli.HiveSQLException: Error running query: [DIVIDE_BY_ZERO] Division by zero.\n"
        "    == SQL (line 1, position 8) ==\n    select 1/0\n"
        "    \tat org.apache.spark.sql.hive.thriftserver.Errors$.error(Errors.scala:43)\n    Caused by: more\n"
    )
    text = report(build_db, result(unique_id=MODEL, status="error", message=message))
    assert "[DIVIDE_BY_ZERO] Division by zero." in text
    assert "select 1/0" not in text
    assert "Errors.scala" not in text and "Caused by" not in text


def test_a_test_that_could_not_be_run_says_so(build_db: Path) -> None:
    text = report(build_db, result(status="error", failures=None, message="Binder Error: no column amount"))
    assert "The test order_amounts_are_positive of orders could not be run." in text
    assert "found:   Binder Error: no column amount" in text


def test_what_did_not_run_for_it_is_counted(build_db: Path) -> None:
    skipped = [{"unique_id": MODEL, "status": "skipped", "message": None}] * 3
    assert report(build_db, result(), *skipped).endswith("3 more did not run because of this.")


def test_an_outcome_counts_what_passed_warned_and_failed() -> None:
    results = [
        {"unique_id": MODEL, "status": "success"},
        {"unique_id": TEST, "status": "warn"},
        {"unique_id": "test.shop.gone.1234", "status": "pass"},
        {"unique_id": "test.shop.other", "status": "fail"},
        {"unique_id": "model.shop.later", "status": "skipped"},
    ]
    found = outcome(manifest(), {"results": results})
    assert found.succeeded == {MODEL}
    assert (found.tests_passed, found.skipped, found.warnings) == (1, 1, ("order_amounts_are_positive",))
    assert [failed["unique_id"] for failed in found.failed] == ["test.shop.other"]


def test_the_personal_columns_are_those_that_the_raw_contract_marks() -> None:
    columns = (RawColumn("id", "text"), RawColumn("email", "text", personal=True))
    assert personal_columns(Contract({"customers": RawTable("customers", ("id",), columns)})) == {"email"}


def test_numbers_and_days_of_rows_are_readable(build_db: Path) -> None:
    query = f"select {Decimal('12.50')} as amount, date '{date(2026, 1, 2)}' as ordered_on, null as channel, true as ok"
    assert "amount=12.50, ordered_on=2026-01-02, channel=null, ok=True" in report(build_db, result(compiled_code=query))
