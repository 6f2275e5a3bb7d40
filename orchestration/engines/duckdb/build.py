"""The build database: what dbt finds in it before it builds, and how it is opened."""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.contract import Contract, RawTable
from orchestration.duckdb_sql import file_list, identifier
from orchestration.errors import BuildDatabaseBusyError, WarehouseError, shown
from orchestration.faults import aside, fault_of
from orchestration.landing.damage import damaged_files, told_damage
from orchestration.landing.land import Landing
from orchestration.landing.landing_file import landing_columns
from orchestration.modes import make_private
from orchestration.predictive import tables
from orchestration.processes import command_of
from orchestration.run_tables import RunTable, run_tables
from orchestration.settings import Settings

_HOLDER = re.compile(r"\(PID (\d+)\)")
# a program of that name, or the module that starts it for a refresh
_DBT = re.compile(r"(^|[\s/])dbt(_process\.py)?(\s|$)")

_COMMAND_SHOWN = 120


def build_database(warehouse: Path) -> Path:
    """The DuckDB file that dbt builds in; profiles.yml names the same."""
    return warehouse / "build" / "warehouse.duckdb"


def register(
    landing: Landing, settings: Settings, contract: Contract, build_db: Path, run_id: str, started_at: datetime
) -> None:
    """Put the landed rows and the run's parameters where the dbt models read them, replacing those of the last run.

    `started_at` carries its zone. The database is closed when this returns, so that dbt can open it.

    Raises:
        WarehouseError: the build database is held by another process, or it or a landed file cannot be used.
    """
    with open_build(build_db) as connection:
        try:
            connection.execute("BEGIN")
            fill(connection, landing, settings, contract, run_id, started_at)
            connection.execute("COMMIT")
        except duckdb.Error as error:
            damage = told_damage(damaged_files(landed.parquet for landed in landing.files))
            raise WarehouseError(damage or _why_not_used(build_db, error)) from error


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
    for table in run_tables(landing.files, settings, run_id, started_at):
        _write_table(connection, table)
    _create_predictive_tables(connection)


@contextlib.contextmanager
def open_build(build_db: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the build database, in UTC, and close it again; `WarehouseError` if that cannot be done."""
    try:
        make_private(build_db.parent)
        connection = duckdb.connect(str(build_db), read_only=read_only)
        connection.execute("SET TimeZone = 'UTC'")
    except (duckdb.Error, OSError) as error:
        raise _not_opened(build_db, error) from error
    try:
        yield connection
    finally:
        connection.close()


def _not_opened(build_db: Path, error: Exception) -> WarehouseError:
    if "conflicting lock" in str(error).lower():
        return BuildDatabaseBusyError(_who_has_it(build_db, str(error)))
    return WarehouseError(_why_not_used(build_db, error))


def _why_not_used(build_db: Path, error: Exception) -> str:
    """What a person is told whose build database cannot be read or written."""
    return fault_of(error, build_db.parent.parent) or (
        f"The build database {build_db} cannot be used: {shown(str(error).splitlines()[0], 300)}. It is working space "
        f"and is made anew: move it away and try again: {aside(build_db.parent)}"
    )


def _who_has_it(build_db: Path, error: str) -> str:
    """What a person is told where another process has the build database open; DuckDB gives its number."""
    found = _HOLDER.search(error)
    pid = int(found[1]) if found else None
    command = command_of(pid) if pid is not None else ""
    is_dbt = _DBT.search(command)
    command = textwrap.shorten(command, _COMMAND_SHOWN, placeholder=" …")
    if is_dbt:
        return (
            f"dbt has {build_db} open (process {pid}: {command}). One that was started by hand ends with its command; "
            f"one that a refresh started ends within seconds of it. Try again then, or end it: kill {pid}"
        )
    who = f"Process {pid} ({command})" if command else "Another program"
    return (
        f"{who} has {build_db} open. Close it; to look at results, open published/stickiness.duckdb with "
        f"read_only=True instead."
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


def _write_table(connection: duckdb.DuckDBPyConnection, table: RunTable) -> None:
    name = identifier("operations", table.name)
    columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in table.columns.items())
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
    if table.rows:
        marks = ", ".join("?" for _ in table.columns)
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", [list(row) for row in table.rows])


def _create_predictive_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(tables.SCHEMA)}")
    for name, kinds in tables.TABLES.items():
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in kinds.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {identifier(tables.SCHEMA, name)} ({columns})")


def write_predictive(build_db: Path, rows: Mapping[str, Sequence[Mapping[str, object]]], *, replace: bool) -> None:
    """Append rows to tables of the schema `predictive`, or put them in the place of what is there, all or nothing.

    Raises:
        WarehouseError: the build database is held by another process or cannot be used.
    """
    with open_build(build_db) as connection:
        try:
            _write_predictive(connection, rows, replace)
        except duckdb.Error as error:
            raise WarehouseError(_why_not_used(build_db, error)) from error


def _write_predictive(
    connection: duckdb.DuckDBPyConnection, rows: Mapping[str, Sequence[Mapping[str, object]]], replace: bool
) -> None:
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
