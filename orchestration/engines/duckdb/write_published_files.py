"""The files of a version: a copy of the build's marts as a DuckDB file and as Parquet, checked against the build."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from orchestration.descriptions import (
    DICTIONARY,
    DICTIONARY_COLUMNS,
    Descriptions,
    comment,
    dictionary_rows,
    of_columns,
)
from orchestration.duckdb_sql import file, identifier, text
from orchestration.errors import PublicationError
from orchestration.publishing import (
    BOARDS_FOLDER,
    BUILT_SCHEMAS,
    PUBLICATION_COLUMNS,
    PUBLICATIONS,
    PUBLISHED_SCHEMAS,
    Beside,
    Publication,
    PublicationFacts,
    Table,
    built_as,
    describe,
)

# DuckDB 2.0 writes files that 1.5 cannot open, unless it is told to
STORAGE_VERSION = "v1.5.0"

DATABASE_FILE = "stickiness.duckdb"
# what it was called when its schema `marts` was ambiguous beside it; a second name until the next minor version
OLD_DATABASE_FILE = "marts.duckdb"
PARQUET_FOLDER = "parquet"
FACTS_FILE = "publication.json"
_SPILL_FOLDER = "spill"
READ_ONLY, PASSABLE = 0o444, 0o755


def make_version(
    build_db: Path,
    folder: Path,
    publication_id: str,
    facts: PublicationFacts,
    tables: Mapping[Table, Sequence[str]] | None,
    earlier: Sequence[Publication],
    descriptions: Descriptions,
    beside: Beside | None = None,
) -> Publication:
    """Fill a new folder with a whole version that is checked and on disk.

    Args:
        build_db: the DuckDB file of the build; opened for reading only.
        folder: the folder to make.
        publication_id: id of the version.
        facts: what quality.publications says of this build.
        tables: what to copy, each with the key that its rows are sorted by (empty: by all columns); None: everything in
            the schemas marts and quality.
        earlier: the publications before this one, which quality.publications lists too.
        descriptions: what quality.dictionary and the comments say; where there are none, there is no dictionary.
        beside: adds files to the folder.

    Raises:
        PublicationError: the build lacks a table, or a copy differs from it.
        duckdb.Error, OSError: it could not be written.
    """
    folder.mkdir(parents=True)
    with _connection(folder) as connection:
        counts = copy_tables(connection, build_db, folder, tables)
        if descriptions:
            own = {table: descriptions[table] for table in (DICTIONARY, PUBLICATIONS)}
            descriptions = own | of_columns(descriptions, _columns(connection, "published"))
            counts[DICTIONARY] = add_table(connection, DICTIONARY, DICTIONARY_COLUMNS, dictionary_rows(descriptions))
        publication = describe(publication_id, facts, counts, earlier)
        rows = (known.values() for known in (*earlier, publication))
        counts[PUBLICATIONS] = add_table(connection, PUBLICATIONS, PUBLICATION_COLUMNS, rows)
        add_comments(connection, descriptions)
        write_parquet(connection, folder, list(counts))
        verify(connection, folder, counts)
    if beside is not None:
        beside(folder, folder / DATABASE_FILE, publication)
    (folder / FACTS_FILE).write_text(publication.to_json(), encoding="utf-8")
    write_protect(folder)
    name_again(folder / DATABASE_FILE, folder / OLD_DATABASE_FILE)
    sync(folder)
    let_readers_in(folder)
    return publication


def copy_tables(
    connection: duckdb.DuckDBPyConnection, build_db: Path, folder: Path, tables: Mapping[Table, Sequence[str]] | None
) -> dict[Table, int]:
    """Copy the tables into the version's database, sorted; return how many rows each has in the build."""
    # views of the build name its database, so it must have the name that it was built under
    source = build_db.stem
    connection.execute(f"ATTACH {text(build_db)} AS {identifier(source)} (READ_ONLY)")
    wanted = _wanted(_tables_in(connection, source), tables, build_db)
    database = text(folder / DATABASE_FILE)
    connection.execute(f"ATTACH {database} AS published (STORAGE_VERSION {text(STORAGE_VERSION)})")
    for schema in PUBLISHED_SCHEMAS:
        connection.execute(f"CREATE SCHEMA published.{identifier(schema)}")
    for table, key in wanted.items():
        order = ", ".join(identifier(column) for column in key) or "ALL"
        connection.execute(
            f"CREATE TABLE {identifier('published', *table)} AS FROM {identifier(source, *built_as(table))} "
            f"ORDER BY {order}"
        )
    return {table: _count(connection, identifier(source, *built_as(table))) for table in wanted}


def _tables_in(connection: duckdb.DuckDBPyConnection, database: str) -> list[Table]:
    return connection.execute(
        f"SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = {text(database)} "
        f"ORDER BY ALL"
    ).fetchall()


def _columns(connection: duckdb.DuckDBPyConnection, database: str) -> dict[Table, list[str]]:
    found: dict[Table, list[str]] = {}
    for schema, table, column in connection.execute(
        f"SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE database_name = {text(database)} "
        f"AND NOT internal ORDER BY schema_name, table_name, column_index"
    ).fetchall():
        found.setdefault((schema, table), []).append(column)
    return found


def _wanted(
    found: Sequence[Table], tables: Mapping[Table, Sequence[str]] | None, build_db: Path
) -> dict[Table, Sequence[str]]:
    every = [table for table in found if table[0] in BUILT_SCHEMAS]
    wanted = dict(tables) if tables is not None else dict.fromkeys(every, ())
    for written in (PUBLICATIONS, DICTIONARY):
        wanted.pop(written, None)
    missing = sorted(".".join(table) for table in wanted if built_as(table) not in found)
    if missing:
        raise PublicationError(f"The build {build_db} lacks {', '.join(missing)}. Refresh again, with FULL_REFRESH=1.")
    if not wanted:
        raise PublicationError(f"The build {build_db} has no table in the schemas {' and '.join(BUILT_SCHEMAS)}.")
    return dict(sorted(wanted.items()))


def add_table(
    connection: duckdb.DuckDBPyConnection, table: Table, kinds: Mapping[str, str], rows: Iterable[Sequence[object]]
) -> int:
    """Add a table that no model makes to the version's database; return its number of rows."""
    columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in kinds.items())
    marks = ", ".join("?" for _ in kinds)
    relation = identifier("published", *table)
    connection.execute(f"CREATE TABLE {relation} ({columns})")
    given = [list(row) for row in rows]
    connection.begin()
    connection.executemany(f"INSERT INTO {relation} VALUES ({marks})", given)
    connection.commit()
    return len(given)


def add_comments(connection: duckdb.DuckDBPyConnection, descriptions: Descriptions) -> None:
    """Say beside each table and column of the version's database what it means."""
    statements = []
    for table, described in descriptions.items():
        relation = identifier("published", *table)
        statements.append(f"COMMENT ON TABLE {relation} IS {text(comment(described))}")
        for column in described.columns:
            name = f"{relation}.{identifier(column.name)}"
            statements.append(f"COMMENT ON COLUMN {name} IS {text(comment(column))}")
    # one by one, each would be written to disk before the next
    connection.execute("; ".join(["BEGIN", *statements, "COMMIT"]))


def write_parquet(connection: duckdb.DuckDBPyConnection, folder: Path, tables: Sequence[Table]) -> None:
    """Write each table of the version's database as a Parquet file too."""
    for table in tables:
        path = parquet_file(folder, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"COPY {identifier('published', *table)} TO {text(path)} (FORMAT parquet, COMPRESSION zstd)")


def parquet_file(folder: Path, table: Table) -> Path:
    """Where a version has a table as Parquet."""
    schema, name = table
    return folder / PARQUET_FOLDER / schema / f"{name}.parquet"


def verify(connection: duckdb.DuckDBPyConnection, folder: Path, counts: Mapping[Table, int]) -> None:
    """Check, in the finished files, that no table has gained or lost a row on the way."""
    # written out and opened again, as a reader will
    connection.execute("DETACH published")
    connection.execute(f"ATTACH {text(folder / DATABASE_FILE)} AS published (READ_ONLY)")
    for table, expected in counts.items():
        path = parquet_file(folder, table)
        copies = {DATABASE_FILE: identifier("published", *table), path.name: f"read_parquet({file(path)})"}
        for where, relation in copies.items():
            found = _count(connection, relation)
            if found != expected:
                raise PublicationError(
                    f"{where} has {found} rows of {'.'.join(table)}, the build has {expected}. The version was not "
                    f"published. Check that the disk is not full, and refresh again."
                )


def name_again(path: Path, name: Path) -> None:
    """Give a file a second name: a hard link, or a copy where the file system has no links.

    Raises:
        OSError: neither can be made.
    """
    with contextlib.suppress(FileExistsError):
        try:
            os.link(path, name)
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError:
            unfinished = name.with_name(f"{name.name}.tmp")
            unfinished.unlink(missing_ok=True)
            shutil.copyfile(path, unfinished)
            unfinished.chmod(path.stat().st_mode)
            os.replace(unfinished, name)


def write_protect(version: Path) -> None:
    """Let everybody read the files of a version and nobody write: a connection that may write locks readers out."""
    tables, boards = (version / PARQUET_FOLDER).rglob("*.parquet"), (version / BOARDS_FOLDER).rglob("*.*")
    for path in (*version.glob("*.duckdb"), *version.glob(FACTS_FILE), *tables, *boards):
        path.chmod(READ_ONLY)


def let_readers_in(version: Path) -> None:
    """Let everybody pass the folders of a version that is whole, whatever the umask of who made it."""
    for path in [*version.rglob("*"), version]:
        if path.is_dir():
            path.chmod(PASSABLE)


def rename_database(version: Path) -> None:
    """Give a version of an earlier release, whose database has its old name alone, today's name and modes.

    Raises:
        OSError: a file can be neither linked nor copied.
    """
    old, new = version / OLD_DATABASE_FILE, version / DATABASE_FILE
    if old.exists() and not new.exists():
        # the name last: where it is, all is done
        write_protect(version)
        name_again(old, new)


def sync(folder: Path) -> None:
    """Have the version on disk before anything points to it."""
    shutil.rmtree(folder / _SPILL_FOLDER, ignore_errors=True)
    for path in [*folder.rglob("*"), folder]:
        sync_path(path)


def sync_path(path: Path) -> None:
    """Have a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]


@contextlib.contextmanager
def _connection(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own that spills beside the version, not wherever the process happens to run."""
    connection = duckdb.connect(config={"temp_directory": str(folder / _SPILL_FOLDER)})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()
