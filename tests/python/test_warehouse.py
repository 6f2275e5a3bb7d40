"""The build database before a build: what the models find in it, and who may write to the warehouse."""

import fcntl
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.contract import Contract, RawColumn, RawTable
from orchestration.engines.duckdb.build import build_database, open_build, register
from orchestration.errors import WarehouseError, WarehouseLockedError
from orchestration.landing.judging import Repair
from orchestration.landing.land import LandedFile, Landing
from orchestration.landing.landing_file import landing_columns
from orchestration.run_tables import business_yesterday
from orchestration.settings import Settings
from orchestration.warehouse_lock import warehouse_lock

DEFAULTS = {"company_name": "Company", "business_timezone": "UTC", "active_days": 90}
CONTRACT = Contract(
    {
        "orders": RawTable(
            "orders",
            ("order_id",),
            (RawColumn("order_id", "text"), RawColumn("order", "text"), RawColumn("amount", "number")),
        ),
        "tickets": RawTable("tickets", ("ticket_id",), (RawColumn("ticket_id", "text"),)),
    }
)
STARTED_AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
SEEN_AT = datetime(2026, 11, 20, 8)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    # quotes, brackets and an equals sign, as folders of people have them
    return tmp_path / "o'hara=1 [new]" / "dw"


def landed(warehouse: Path, name: str, *order_ids: str) -> LandedFile:
    parquet = warehouse / "landing" / "orders" / f"{name}.parquet"
    parquet.parent.mkdir(parents=True, exist_ok=True)
    held = {"order_id": "id", "_file_name": f"'{name}'", "_row_number": "1", "_first_seen_at": f"TIMESTAMP '{SEEN_AT}'"}
    kinds = landing_columns(CONTRACT.tables["orders"])
    columns = ", ".join(f'CAST({held.get(column, "NULL")} AS {kind}) AS "{column}"' for column, kind in kinds.items())
    rows = ", ".join(f"('{order_id}')" for order_id in order_ids)
    escaped = str(parquet).replace("'", "''")
    # landing keeps a column for itself, which no warehouse reads
    duckdb.execute(
        f"COPY (SELECT {columns}, ['x'] AS _repairs FROM (VALUES {rows}) AS v(id)) TO '{escaped}' (FORMAT parquet)"
    )
    return LandedFile(
        table="orders",
        file_name=name,
        rows=len(order_ids),
        file_format="csv",
        encoding="utf-8",
        delimiter=";",
        ignored_columns=("shoe size", "colour"),
        missing_columns=(),
        malformed_rows=0,
        first_seen_at=SEEN_AT,
        parquet=parquet,
    )


def registered(warehouse: Path, *files: LandedFile, **settings: object) -> Path:
    landing = Landing(files=files, absent_tables=(), notices=())
    chosen = Settings(root=warehouse, raw_dir=warehouse, warehouse=warehouse, defaults=DEFAULTS, **settings)
    register(landing, chosen, CONTRACT, build_database(chosen.warehouse), "run-1", STARTED_AT)
    return build_database(chosen.warehouse)


def ask(build_db: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(build_db)) as connection:
        return connection.execute(query).fetchall()


def test_a_raw_table_shows_the_rows_of_all_its_files(warehouse: Path) -> None:
    build_db = registered(warehouse, landed(warehouse, "a.csv", "O1", "O2"), landed(warehouse, "b.csv", "O3"))
    assert ask(build_db, "SELECT order_id, _file_name FROM raw.orders ORDER BY ALL") == [
        ("O1", "a.csv"),
        ("O2", "a.csv"),
        ("O3", "b.csv"),
    ]


def test_a_folder_whose_name_looks_like_a_pattern_is_that_folder_alone(tmp_path: Path) -> None:
    landed(tmp_path / "dw2", "a.csv", "of another warehouse")
    build_db = registered(tmp_path / "dw*", landed(tmp_path / "dw*", "a.csv", "O1"))
    assert ask(build_db, "SELECT order_id FROM raw.orders") == [("O1",)]


def test_an_absent_table_is_empty_and_has_the_columns_and_types_of_a_landed_one(warehouse: Path) -> None:
    build_db = registered(warehouse, landed(warehouse, "a.csv", "O1"))
    assert ask(build_db, "SELECT count(*) FROM raw.tickets") == [(0,)]
    added = [
        *((name, "VARCHAR") for name in ("_row_key", "_masked_key", "_failure", "_reason", "_raw_row", "_masked_row")),
        ("_file_name", "VARCHAR"),
        ("_file_order", "VARCHAR"),
        ("_row_number", "BIGINT"),
        ("_first_seen_at", "TIMESTAMP"),
    ]
    described = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'raw'"
    in_order = "ORDER BY ordinal_position"
    assert ask(build_db, f"{described} AND table_name = 'tickets' {in_order}") == [("ticket_id", "VARCHAR"), *added]
    assert ask(build_db, f"{described} AND table_name = 'orders' {in_order}") == [
        ("order_id", "VARCHAR"),
        ("order", "VARCHAR"),
        ("amount", "DECIMAL(18,4)"),
        *added,
    ]


def test_what_was_repaired_is_registered(warehouse: Path) -> None:
    repair = Repair("amount", "currency_sign", 3, "¥5")
    build_db = registered(warehouse, replace(landed(warehouse, "a.csv", "O1"), repairs=(repair,)))
    assert ask(build_db, "FROM operations.value_repairs") == [("orders", "a.csv", "amount", "currency_sign", 3, "¥5")]


def test_a_second_run_forgets_the_files_of_the_first(warehouse: Path) -> None:
    registered(warehouse, landed(warehouse, "a.csv", "O1"))
    build_db = registered(warehouse, landed(warehouse, "b.csv", "O2"))
    assert ask(build_db, "SELECT order_id FROM raw.orders") == [("O2",)]
    assert ask(build_db, "SELECT file_name FROM operations.raw_files") == [("b.csv",)]


def test_the_run_parameters_are_one_row(warehouse: Path) -> None:
    build_db = registered(warehouse, variables={"company_name": 'O\'Hara "小店"'}, as_of=date(2026, 11, 1))
    [row] = ask(
        build_db,
        "SELECT run_id, started_at, requested_as_of_date, yesterday, company_key FROM operations.run_parameters",
    )
    assert row[:4] == ("run-1", datetime(2026, 11, 22, 23, 30), date(2026, 11, 1), date(2026, 11, 21))
    # a name, and a hash of the folder that the rows come from
    assert re.fullmatch(r'O\'Hara "小店" [0-9a-f]{12}', row[4])


def test_what_the_company_sets_is_recorded_as_text_and_nothing_else(warehouse: Path) -> None:
    variables = {"company_name": 'O\'Hara "小店"', "default_margin_rate": 0.125, "active_days": 120}
    build_db = registered(warehouse, variables=variables)
    assert ask(build_db, "SELECT * FROM operations.company_settings ORDER BY ALL") == [
        ("active_days", "120"),
        ("company_name", 'O\'Hara "小店"'),
        ("default_margin_rate", "0.125"),
    ]
    assert ask(registered(warehouse), "SELECT * FROM operations.company_settings") == []


def test_yesterday_is_the_day_before_the_business_day_that_the_run_starts_in(warehouse: Path) -> None:
    # 23:30 UTC on the 22nd is 07:30 on the 23rd in Shanghai
    build_db = registered(warehouse, variables={"business_timezone": "Asia/Shanghai"})
    assert ask(build_db, "SELECT yesterday FROM operations.run_parameters") == [(date(2026, 11, 22),)]


@pytest.mark.parametrize(
    ("zone", "yesterday"),
    [("UTC", date(2026, 11, 21)), ("Asia/Shanghai", date(2026, 11, 22)), ("America/New_York", date(2026, 11, 21))],
)
def test_the_business_day_ends_at_the_zones_midnight(zone: str, yesterday: date) -> None:
    assert business_yesterday(STARTED_AT, ZoneInfo(zone)) == yesterday


def test_each_landed_file_is_told_with_what_the_reader_found(warehouse: Path) -> None:
    build_db = registered(warehouse, landed(warehouse, "a.csv", "O1", "O2"))
    assert ask(build_db, "SELECT * FROM operations.raw_files") == [
        ("orders", "a.csv", 2, 0, "csv", "utf-8", ";", "shoe size, colour", None, 0, 0, 0, None, SEEN_AT)
    ]


def test_without_files_the_operations_tables_are_there_all_the_same(warehouse: Path) -> None:
    build_db = registered(warehouse)
    assert ask(build_db, "SELECT count(*) FROM operations.raw_files") == [(0,)]
    assert ask(build_db, "SELECT count(*) FROM operations.run_parameters") == [(1,)]


def test_what_dbt_built_before_stays(warehouse: Path) -> None:
    build_db = registered(warehouse)
    ask(build_db, "CREATE SCHEMA marts; CREATE TABLE marts.orders AS SELECT 1 AS n")
    registered(warehouse)
    assert ask(build_db, "SELECT n FROM marts.orders") == [(1,)]


def test_a_registration_that_fails_leaves_the_one_before(warehouse: Path) -> None:
    good = landed(warehouse, "a.csv", "O1")
    build_db = registered(warehouse, good)
    gone = landed(warehouse, "b.csv", "O2")
    gone.parquet.unlink()
    with pytest.raises(WarehouseError, match="A landed file .* cannot be read.* rm -f .*b.csv.parquet"):
        registered(warehouse, gone)
    assert ask(build_db, "SELECT order_id FROM raw.orders") == [("O1",)]


def test_a_build_database_that_is_none_is_told_with_what_to_do(warehouse: Path) -> None:
    build_db = warehouse / "build" / "warehouse.duckdb"
    build_db.parent.mkdir(parents=True)
    build_db.write_text("not a database, but long enough to be read as the header of one" * 100)
    with pytest.raises(WarehouseError, match="is damaged.*move it away and try again: mv "), open_build(build_db):
        pass


def held_by_another(build_db: Path, *command: str) -> subprocess.Popen:
    """Another process that has the build database open; `command` follows Python's own in its command line."""
    build_db.parent.mkdir(parents=True)
    code = "import duckdb, sys, time; c = duckdb.connect(sys.argv[-1]); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, *command, str(build_db)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["notebook"], r"Process {pid} \(.*\) has .*warehouse.duckdb open\. Close it; .*read_only=True"),
        (["/project/.venv/bin/dbt", "build"], r"dbt has .* open \(process {pid}: .*\).* or end it: kill {pid}$"),
        (
            ["/project/orchestration/dbt_process.py", "build"],
            r"dbt has .* open .*a refresh started ends within seconds",
        ),
    ],
)
def test_who_has_the_build_database_open_is_named(warehouse: Path, command: list[str], told: str) -> None:
    build_db = warehouse / "build" / "warehouse.duckdb"
    process = held_by_another(build_db, *command)
    try:
        with pytest.raises(WarehouseError, match=told.format(pid=process.pid)), open_build(build_db):
            pass
    finally:
        process.kill()
        process.wait()


# The lock


def test_a_warehouse_that_another_process_holds_is_refused_at_once(warehouse: Path) -> None:
    warehouse.mkdir(parents=True)
    with (warehouse / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(WarehouseLockedError, match="Another refresh or rollback of the warehouse .* is running"):
            warehouse_lock(warehouse).__enter__()


def test_who_holds_the_lock_may_take_it_again_and_gives_it_back_at_the_outer_end(warehouse: Path) -> None:
    def is_free() -> bool:
        with (warehouse / ".lock").open("w") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

    with warehouse_lock(warehouse):
        with warehouse_lock(warehouse):
            assert not is_free()
        assert not is_free()
    assert is_free()


def test_a_warehouse_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="cannot be written to"), warehouse_lock(tmp_path / "file" / "dw"):
        pass
