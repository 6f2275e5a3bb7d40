"""What dbt finds on Spark before it builds: the landed rows as views, and the run's parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from orchestration.contract import Contract, RawTable
from orchestration.engines.spark import sql
from orchestration.engines.spark.connection import LANDING_URI, Session, SparkSettings, session
from orchestration.errors import WarehouseError
from orchestration.landing.land import LandedFile, Landing
from orchestration.landing.landing_file import landing_columns
from orchestration.predictive import tables
from orchestration.run_tables import RunTable, run_tables
from orchestration.settings import Settings

# as `_mirror_name` makes them
_MIRRORED = re.compile(r"[0-9a-f]{40}-\d{8}T\d{12}\.parquet")


@dataclass(frozen=True)
class Folder:
    """The landed files of one table as Spark finds them, and whether they are all that the folder holds."""

    uri: str
    names: tuple[str, ...]
    has_others: bool

    @property
    def path(self) -> str:
        """What Spark reads: the folder, or a pattern that only the files match."""
        if not self.has_others:
            return sql.path(self.uri)
        return f"{sql.path(self.uri)}/{{{','.join(sql.path(name) for name in self.names)}}}"


def register(
    spark: SparkSettings, landing: Landing, settings: Settings, contract: Contract, run_id: str, started_at: datetime
) -> None:
    """Put the landed rows and the run's parameters where the dbt models read them, replacing those of the last run.

    `started_at` carries its zone. Landed files that Spark's workers find elsewhere are brought there first.

    Raises:
        SparkError: Spark cannot be reached, or cannot read the landed files.
        WarehouseError: the landed files cannot be brought to where Spark's workers look for them.
    """
    folders = place_landing(landing.files, contract.tables, settings.landing_dir, spark.landing_uri)
    raw, operations = spark.build_schema("raw"), spark.build_schema("operations")
    statements = [_raw_table(spark, table.name, _raw_query(table, folders)) for table in contract.tables.values()]
    statements += [_run_table(operations, table) for table in run_tables(landing.files, settings, run_id, started_at)]
    predictive = spark.build_schema(tables.SCHEMA)
    statements += [[_created(predictive, name, kinds)] for name, kinds in tables.TABLES.items()]
    with session(spark) as opened:
        for schema in (raw, operations, predictive):
            opened.execute(f"create schema if not exists {sql.identifier(schema)}")
        opened.for_each(statements, _execute_in_order)


def write_predictive(
    spark: SparkSettings, rows: Mapping[str, Sequence[Mapping[str, object]]], *, replace: bool
) -> None:
    """Append rows to tables of the schema `predictive`, or put them in the place of what is there.

    Spark has no transaction over tables: what is appended is only found by the rows of `fits`, so give that table last.

    Raises:
        SparkError: Spark cannot be reached.
    """
    with session(spark) as opened:
        for name, given in rows.items():
            table, kinds = sql.identifier(spark.build_schema(tables.SCHEMA), name), tables.TABLES[name]
            if replace:
                opened.execute(f"delete from {table}")
            if given:
                values = [tuple(row[column] for column in kinds) for row in given]
                opened.execute(f"insert into {table} {sql.rows(kinds, values)}")


def _created(schema: str, name: str, kinds: Mapping[str, str]) -> str:
    columns = ", ".join(f"{sql.identifier(column)} {sql.kind(kind)}" for column, kind in kinds.items())
    return f"create table if not exists {sql.identifier(schema, name)} ({columns}) using iceberg"


def _raw_table(spark: SparkSettings, name: str, query: str) -> list[str]:
    schema = spark.build_schema("raw")
    if spark.in_session_catalog:
        return [f"create or replace view {spark.view_name(schema, name)} as {query}"]
    # a view in another catalog cannot read files, so the rows are copied
    table = sql.identifier(schema, name)
    return [f"drop table if exists {table}", f"create table {table} using iceberg as {query}"]


def _execute_in_order(opened: Session, statements: Sequence[str]) -> None:
    for statement in statements:
        opened.execute(statement)


def _raw_query(table: RawTable, folders: Mapping[str, Folder]) -> str:
    """The rows of a raw table as landed; no rows, of the same columns, where there is no file."""
    kinds = landing_columns(table)
    if table.name not in folders:
        return sql.rows(kinds, [])
    # a moment in the files has no zone, which Spark takes for another type
    columns = ", ".join(
        f"cast({sql.identifier(name)} as {sql.kind(kind)}) as {sql.identifier(name)}" for name, kind in kinds.items()
    )
    return f"select {columns} from parquet.{sql.identifier(folders[table.name].path)}"


def _run_table(schema: str, table: RunTable) -> list[str]:
    name, rows = sql.identifier(schema, table.name), sql.rows(table.columns, table.rows)
    # not replaced: the metastore refuses a column of another type in the place of one that was there
    return [f"drop table if exists {name} purge", f"create table {name} using iceberg as {rows}"]


def place_landing(
    files: Sequence[LandedFile], tables: Iterable[str], landing_dir: Path, uri: str | None
) -> dict[str, Folder]:
    """Where Spark's workers find the landed files, by table, once the files are there; no table without a file.

    Args:
        files: what is landed.
        tables: every table that could have been landed.
        landing_dir: the folder on this machine that the files are in, in a folder for each table.
        uri: that folder as the workers see it, or another place that is to hold the same files. None: the path is the
            same there as here.

    Raises:
        WarehouseError: the files cannot be copied to the URI.
    """
    by_table = {table: [landed for landed in files if landed.table == table] for table in tables}
    try:
        filesystem, root = url_to_fs(uri or f"file://{landing_dir}")
        if _is_folder(filesystem, root, landing_dir):
            place = _in_place
        else:
            place = _mirror
            # it may remember what another run has found there
            filesystem.invalidate_cache()
        here = (uri or f"file://{landing_dir}").rstrip("/")
        placed = {
            table: place(filesystem, f"{root}/{table}", f"{here}/{table}", landed) for table, landed in by_table.items()
        }
    # every kind of storage has errors of its own
    except Exception as error:
        raise WarehouseError(
            f"The landed files could not be copied to {uri} ({type(error).__name__}: {error}). Check that "
            f"{LANDING_URI} is a folder that you may write to, and that the Python package for that kind of storage is "
            f"installed."
        ) from error
    return {table: folder for table, folder in placed.items() if folder.names}


def _is_folder(filesystem: AbstractFileSystem, root: str, folder: Path) -> bool:
    return isinstance(filesystem, LocalFileSystem) and Path(root).resolve() == folder.resolve()


def _in_place(filesystem: AbstractFileSystem, root: str, uri: str, files: Sequence[LandedFile]) -> Folder:
    names = [landed.parquet.name for landed in files]
    return Folder(uri, tuple(names), has_others=not set(_sizes(filesystem, root)) <= set(names))


def _mirror(filesystem: AbstractFileSystem, root: str, uri: str, files: Sequence[LandedFile]) -> Folder:
    """Copy the files that a folder lacks, and delete there what was landed once and no longer is."""
    wanted = {_mirror_name(landed): landed.parquet for landed in files}
    there = _sizes(filesystem, root)
    if wanted:
        filesystem.makedirs(root, exist_ok=True)
    for name, parquet in wanted.items():
        # another size: the copy was cut off
        if there.get(name) != parquet.stat().st_size:
            filesystem.put_file(str(parquet), f"{root}/{name}")
    for name in there.keys() - wanted.keys():
        if _MIRRORED.fullmatch(name):
            filesystem.rm_file(f"{root}/{name}")
    others = [name for name in there.keys() - wanted.keys() if not _MIRRORED.fullmatch(name)]
    return Folder(uri, tuple(wanted), has_others=bool(others))


def _mirror_name(landed: LandedFile) -> str:
    # the name here does not tell when the file was first seen, which its rows do
    return f"{landed.parquet.stem}-{landed.first_seen_at:%Y%m%dT%H%M%S%f}.parquet"


def _sizes(filesystem: AbstractFileSystem, folder: str) -> dict[str, int]:
    """The size of every file and folder of a folder by name; nothing if there is no such folder."""
    if not filesystem.exists(folder):
        return {}
    return {
        str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]: entry["size"]
        for entry in filesystem.ls(folder, detail=True)
        # object stores list the folder itself
        if str(entry["name"]).strip("/") != folder.strip("/")
    }
