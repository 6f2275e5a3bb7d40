"""The build database: what dbt finds in it before it builds, and who may use the warehouse folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration.contract import Contract, RawTable
from orchestration.landing import LandedFile, Landing
from orchestration.landing.landing_file import landing_columns
from orchestration.predictive import tables
from orchestration.problems import WarehouseError, WarehouseLockedError
from orchestration.settings import Settings, is_count
from orchestration.sql import file_list, identifier

RUN_COLUMNS = {
    "run_id": "VARCHAR",
    "started_at": "TIMESTAMP",
    "requested_as_of_date": "DATE",
    "yesterday": "DATE",
    "company_key": "VARCHAR",
}

RAW_FILE_COLUMNS = {
    "table_name": "VARCHAR",
    "file_name": "VARCHAR",
    "rows_read": "BIGINT",
    "file_format": "VARCHAR",
    "encoding": "VARCHAR",
    "delimiter": "VARCHAR",
    "ignored_columns": "VARCHAR",
    "missing_columns": "VARCHAR",
    "malformed_rows": "BIGINT",
    "first_seen_at": "TIMESTAMP",
}

_held: set[Path] = set()


@contextlib.contextmanager
def warehouse_lock(warehouse: Path) -> Iterator[None]:
    """Keep every other process out of the warehouse folder; who already holds it in this process goes on.

    Raises:
        WarehouseLockedError: another process holds it.
        WarehouseError: the folder cannot be made or written to.
    """
    path = warehouse.resolve() / ".lock"
    if path in _held:
        yield
        return
    try:
        warehouse.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
    except OSError as error:
        raise WarehouseError(unwritable(warehouse, error)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WarehouseLockedError(
                f"Another refresh or rollback of the warehouse {warehouse} is running. Wait until it has ended, or "
                f"give this one another warehouse folder."
            ) from error
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)


def unwritable(warehouse: Path, error: OSError) -> str:
    """What a person is told whose warehouse folder cannot be made or written to."""
    return (
        f"The warehouse folder {warehouse} cannot be written to ({error.strerror}). Set STICKINESS_WAREHOUSE_DIR "
        f"(make run WAREHOUSE=<folder>) to a folder that can."
    )


def register(
    landing: Landing, settings: Settings, contract: Contract, build_db: Path, run_id: str, started_at: datetime
) -> None:
    """Put the landed rows and the run's parameters where the dbt models read them, replacing those of the last run.

    `started_at` carries its zone. The database is closed when this returns, so that dbt can open it.

    Raises:
        WarehouseError: the build database is held by another process or cannot be opened.
    """
    with open_build(build_db) as connection:
        connection.execute("BEGIN")
        fill(connection, landing, settings, contract, run_id, started_at)
        connection.execute("COMMIT")


def fill(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    settings: Settings,
    contract: Contract,
    run_id: str,
    started_at: datetime,
) -> None:
    """The same in a build database that is open."""
    _register_raw_tables(connection, landing, contract)
    connection.execute("CREATE SCHEMA IF NOT EXISTS operations")
    kinds, values = run_parameters(settings, run_id, started_at)
    _write_table(connection, "run_parameters", kinds, [values])
    _write_table(connection, "raw_files", RAW_FILE_COLUMNS, raw_files(landing.files))
    _create_predictive_tables(connection)


@contextlib.contextmanager
def open_build(build_db: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the build database, in UTC, and close it again; `WarehouseError` if that cannot be done."""
    try:
        build_db.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(build_db), read_only=read_only)
        connection.execute("SET TimeZone = 'UTC'")
    except (duckdb.Error, OSError) as error:
        raise WarehouseError(_why_not_opened(build_db, str(error))) from error
    try:
        yield connection
    finally:
        connection.close()


def _why_not_opened(build_db: Path, error: str) -> str:
    if "lock" in error.lower():
        return (
            f"Another program has {build_db} open. Close it; to look at results, open published/marts.duckdb instead."
        )
    return (
        f"The build database {build_db} cannot be opened: {error.splitlines()[0]} "
        f"It is only working space: move it away and refresh again."
    )


def _register_raw_tables(connection: duckdb.DuckDBPyConnection, landing: Landing, contract: Contract) -> None:
    connection.execute("DROP SCHEMA IF EXISTS raw CASCADE")
    connection.execute("CREATE SCHEMA raw")
    for table in contract.tables.values():
        files = [landed.parquet for landed in landing.files if landed.table == table.name]
        connection.execute(f"CREATE VIEW {identifier('raw', table.name)} AS {raw_table_query(table, files)}")


def raw_table_query(table: RawTable, files: Sequence[Path]) -> str:
    """The rows of a raw table as landed; no rows, of the same columns, where no file has any."""
    columns = landing_columns(table)
    if not files:
        empty = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in columns.items())
        return f"SELECT {empty} WHERE false"
    names = ", ".join(identifier(name) for name in columns)
    # a folder above the warehouse may be called a=b, which is no column of ours
    return f"SELECT {names} FROM read_parquet({file_list(files)}, hive_partitioning = false)"


def run_parameters(settings: Settings, run_id: str, started_at: datetime) -> tuple[dict[str, str], tuple[object, ...]]:
    """The columns of operations.run_parameters with their types, and its one row; `started_at` carries its zone."""
    zone = ZoneInfo(str(settings.variable("business_timezone")))
    values = {
        "run_id": run_id,
        "started_at": _naive_utc(started_at),
        "requested_as_of_date": settings.as_of,
        "yesterday": business_yesterday(started_at, zone),
        "company_key": company_key(settings),
        **{name: settings.variables.get(name) for name in settings.defaults},
    }
    kinds = RUN_COLUMNS | {name: _variable_type(name, default) for name, default in settings.defaults.items()}
    return kinds, tuple(values[name] for name in kinds)


def company_key(settings: Settings) -> str:
    """Tells whose fits are whose where several companies are refreshed into one warehouse, whatever they are called."""
    source = hashlib.sha256(str(settings.raw_dir.resolve()).encode()).hexdigest()
    return f"{settings.variable('company_name')} {source[:12]}"


def _variable_type(name: str, default: object) -> str:
    if isinstance(default, str):
        return "VARCHAR"
    return "BIGINT" if is_count(name) else "DECIMAL(18, 6)"


def business_yesterday(moment: datetime, zone: ZoneInfo) -> date:
    """The business day before the one that `moment` (with its zone) falls in."""
    return moment.astimezone(zone).date() - timedelta(days=1)


def raw_files(files: Sequence[LandedFile]) -> list[tuple[object, ...]]:
    """The rows of operations.raw_files, whose columns are RAW_FILE_COLUMNS."""
    return [
        (
            landed.table,
            landed.file_name,
            landed.rows,
            landed.file_format,
            landed.encoding,
            landed.delimiter,
            ", ".join(landed.ignored_columns) or None,
            ", ".join(landed.missing_columns) or None,
            landed.malformed_rows,
            landed.first_seen_at,
        )
        for landed in files
    ]


def _write_table(
    connection: duckdb.DuckDBPyConnection, name: str, kinds: dict[str, str], rows: Sequence[tuple[object, ...]]
) -> None:
    table = identifier("operations", name)
    columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in kinds.items())
    connection.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
    if rows:
        marks = ", ".join("?" for _ in kinds)
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [list(row) for row in rows])


def _create_predictive_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(tables.SCHEMA)}")
    for name, kinds in tables.TABLES.items():
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in kinds.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {identifier(tables.SCHEMA, name)} ({columns})")


def write_predictive(build_db: Path, rows: Mapping[str, Sequence[Mapping[str, object]]], *, replace: bool) -> None:
    """Append rows to tables of the schema `predictive`, or put them in the place of what is there, all or nothing.

    Raises:
        WarehouseError: the build database is held by another process or cannot be opened.
    """
    with open_build(build_db) as connection:
        connection.execute("BEGIN")
        for name, given in rows.items():
            table, kinds = identifier(tables.SCHEMA, name), tables.TABLES[name]
            if replace:
                connection.execute(f"DELETE FROM {table}")
            if given:
                names = ", ".join(identifier(column) for column in kinds)
                marks = ", ".join("?" for _ in kinds)
                values = [[row[column] for column in kinds] for row in given]
                connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
        connection.execute("COMMIT")


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
