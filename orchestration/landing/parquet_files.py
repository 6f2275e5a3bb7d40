"""How a Parquet file becomes rows: every column as text, in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable

from .broken_files import BrokenFileError, FileProblem
from .discover import RawFile
from .header import Header, match_header
from .landing_file import Provenance, RowSource, write_landing_file

_MAGIC = b"PAR1"
_LEAST_BYTES = 12  # the magic twice and the length of the footer
_ROW_NUMBER = "file_row_number"


@dataclass(frozen=True)
class ParquetPlan:
    """How to read one Parquet file; `rows` is what its metadata says."""

    file: RawFile
    header: Header
    rows: int


@dataclass(frozen=True)
class _Column:
    name: str  # as DuckDB calls it: a second column of a name gets a suffix
    data_type: str


def inspect_parquet(connection: duckdb.DuckDBPyConnection, file: RawFile, table: RawTable) -> ParquetPlan:
    """Check that the file is Parquet and that its columns fit the table.

    Raises:
        BrokenFileError: it is no Parquet, or the columns do not fit.
    """
    _check_magic(file)
    path = sql.file(file.path)
    try:
        schema = connection.execute(f"select name, num_children from parquet_schema({path})").fetchall()
        groups = connection.execute(f"select num_rows from parquet_file_metadata({path})").fetchall()
        _columns(connection, file, binary_as_string=True)
    except duckdb.Error as error:
        raise _broken(file, f"a file whose metadata cannot be read ({_first_line(error)})") from error
    return ParquetPlan(file, match_header(file.name, _top_level_names(schema), table), sum(rows for (rows,) in groups))


def land_parquet(
    connection: duckdb.DuckDBPyConnection, plan: ParquetPlan, table: RawTable, provenance: Provenance, target: Path
) -> None:
    """Write the rows of the file to `target` (Parquet).

    Raises:
        BrokenFileError: the file is damaged behind its metadata.
    """
    try:
        written = _write(connection, plan, table, provenance, target)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise _broken(plan.file, f"a file that cannot be read to its end ({_first_line(error)})") from error
    if written != plan.rows:
        raise _broken(plan.file, f"{written} rows, where the metadata of the file says {plan.rows}")


def _write(
    connection: duckdb.DuckDBPyConnection, plan: ParquetPlan, table: RawTable, provenance: Provenance, target: Path
) -> int:
    try:
        return write_landing_file(connection, table, _row_source(connection, plan, True), provenance, target)
    except duckdb.InvalidInputException as error:
        if "UTF8" not in str(error):
            raise
        # a binary column that is not text throughout: its bytes are decoded one by one
        return write_landing_file(connection, table, _row_source(connection, plan, False), provenance, target)


def _row_source(connection: duckdb.DuckDBPyConnection, plan: ParquetPlan, binary_as_string: bool) -> RowSource:
    columns = _columns(connection, plan.file, binary_as_string)
    numbered = all(column.name.lower() != _ROW_NUMBER for column in columns)
    options = _options(binary_as_string)
    if numbered:
        options += f", {_ROW_NUMBER} = true"
    header = plan.header
    extras = [f"{sql.text(extra.name)}, {_text(columns[extra.position])}" for extra in header.extras]
    return RowSource(
        f"read_parquet({sql.file(plan.file.path)}, {options})",
        {name: _text(columns[position]) for name, position in header.positions.items()},
        row_number=f"{_ROW_NUMBER} + 1" if numbered else "row_number() over ()",
        extra=f"cast(json_object({', '.join(extras)}) as varchar)" if extras else None,
    )


def _text(column: _Column) -> str:
    name = sql.identifier(column.name)
    as_text = f"cast({name} as varchar)"
    if column.data_type == "BLOB":
        as_text = f"coalesce(try(decode({name})), {as_text})"
    return f"nullif({as_text}, '')" if column.data_type in ("VARCHAR", "BLOB", "JSON") else as_text


def _options(binary_as_string: bool) -> str:
    return f"hive_partitioning = false, binary_as_string = {str(binary_as_string).lower()}"


def _columns(connection: duckdb.DuckDBPyConnection, file: RawFile, binary_as_string: bool) -> list[_Column]:
    relation = f"read_parquet({sql.file(file.path)}, {_options(binary_as_string)})"
    described = connection.execute(f"describe select * from {relation}").fetchall()
    return [_Column(name, data_type) for name, data_type, *_ in described]


def _top_level_names(schema: Sequence[tuple[str, int | None]]) -> list[str]:
    """Return the names of the columns from the elements of the schema, which are listed depth first, the root first."""

    def end_of(position: int) -> int:
        children, position = schema[position][1] or 0, position + 1
        for _ in range(children):
            position = end_of(position)
        return position

    names, position = [], 1
    while position < len(schema):
        names.append(schema[position][0])
        position = end_of(position)
    return names


def _check_magic(file: RawFile) -> None:
    size = file.path.stat().st_size
    if size == 0:
        raise _broken(file, "an empty file (0 bytes)")
    with file.path.open("rb") as handle:
        start = handle.read(len(_MAGIC))
        handle.seek(max(size - len(_MAGIC), 0))
        end = handle.read()
    if size < _LEAST_BYTES or start != _MAGIC:
        raise _broken(file, f"a file of {size} bytes that begins with {start!r}, not with {_MAGIC!r}")
    if end != _MAGIC:
        raise _broken(file, f"a file that ends with {end!r}, not with {_MAGIC!r}: it is cut off or not finished")


def _broken(file: RawFile, found: str) -> BrokenFileError:
    return BrokenFileError(
        FileProblem(
            file.name,
            f"a Parquet file with the columns of the table {file.table}",
            found,
            "Export or copy it again; if it is CSV text, give it the ending .csv.",
        )
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
