"""How a Parquet file becomes rows, in the types that it has."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable
from orchestration.masking import MASK, masked

from .broken_files import BrokenFileError, FileProblem
from .file_limits import NO_OTHER_LIMITS, FileLimits
from .file_rows import ROW_NUMBER, FileRows, ReaderFacts, extra_name
from .header import Header, match_header, shown_name
from .raw_file import RawFile
from .values import as_text

_MAGIC = b"PAR1"
_LEAST_BYTES = 12  # the magic twice and the length of the footer
_FILE_ROW_NUMBER = "file_row_number"
_BATCH_ROWS = 100_000
_OPTIONS = "hive_partitioning = false"
# other types (nested ones, 128 bits) reach landing as text
_SHARED_TYPE = re.compile(
    r"VARCHAR|BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)"
    r"|DATE|TIMESTAMP( WITH TIME ZONE)?"
)


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


def inspect_parquet(
    connection: duckdb.DuckDBPyConnection, file: RawFile, table: RawTable, limits: FileLimits = NO_OTHER_LIMITS
) -> ParquetPlan:
    """Check that the file is Parquet and that its columns fit the table.

    Raises:
        BrokenFileError: it is no Parquet, the columns do not fit, or it holds more than the limits allow.
    """
    _check_magic(file)
    path = sql.file(file.path)
    try:
        schema = connection.execute(f"select name, num_children from parquet_schema({path})").fetchall()
        groups = connection.execute(f"select num_rows from parquet_file_metadata({path})").fetchall()
        sizes = f"select sum(greatest(total_uncompressed_size, total_compressed_size)) from parquet_metadata({path})"
        unpacked = connection.execute(sizes).fetchall()[0][0]
        _columns(connection, file)
    except duckdb.Error as error:
        raise _broken(file, f"a file whose metadata cannot be read ({_first_line(error)})") from error
    limits.check_rows(file.name, sum(rows for (rows,) in groups))
    limits.check_bytes(file.name, int(unpacked or 0))
    return ParquetPlan(
        file, match_header(file.name, _top_level_names(schema), table, are_names=True), sum(rows for (rows,) in groups)
    )


def parquet_rows(plan: ParquetPlan, limits: FileLimits = NO_OTHER_LIMITS) -> FileRows:
    """The rows of the file, every value in the type that the file gives it where DuckDB and Arrow share that type.

    Reading them raises BrokenFileError where the file is damaged behind its metadata, or unpacks to more than the
    limits allow.
    """
    # a database of its own: rows are read while another one judges them
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    try:
        reader = connection.sql(_query(connection, plan)).to_arrow_reader(_BATCH_ROWS)
    except duckdb.Error as error:
        raise _broken(plan.file, _unreadable(error)) from error
    read = size = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal read, size
        try:
            with connection:
                for batch in reader:
                    read += batch.num_rows
                    # one long value that every row repeats is small in the file and in its metadata
                    size += batch.nbytes
                    limits.check_bytes(plan.file.name, size)
                    yield batch
        except (duckdb.OutOfMemoryException, MemoryError):
            raise
        except (pa.ArrowException, duckdb.Error, OSError) as error:
            raise _broken(plan.file, _unreadable(error)) from error
        if read != plan.rows:
            raise _broken(plan.file, f"{read} rows, where the metadata of the file says {plan.rows}")

    facts = ReaderFacts(plan.rows, ignored_columns=tuple(shown_name(extra.name) for extra in plan.header.extras))
    return FileRows(reader.schema, batches(), lambda: facts, plan.header.extras)


def _unreadable(error: Exception) -> str:
    return f"a file that cannot be read to its end ({_first_line(error)})"


def _query(connection: duckdb.DuckDBPyConnection, plan: ParquetPlan) -> str:
    columns = _columns(connection, plan.file)
    numbered = all(column.name.lower() != _FILE_ROW_NUMBER for column in columns)
    options = f"{_OPTIONS}, {_FILE_ROW_NUMBER} = true" if numbered else _OPTIONS
    header = plan.header
    picked = {name: _cell(columns[position]) for name, position in header.positions.items()}
    picked |= {extra_name(place): _text(columns[extra.position]) for place, extra in enumerate(header.extras)}
    picked[ROW_NUMBER] = f"{_FILE_ROW_NUMBER} + 1" if numbered else "row_number() over ()"
    select_list = ", ".join(f"{expression} as {sql.identifier(name)}" for name, expression in picked.items())
    return f"select {select_list} from read_parquet({sql.file(plan.file.path)}, {options})"


def _cell(column: _Column) -> str:
    name = sql.identifier(column.name)
    if column.data_type.startswith("TIMESTAMP_"):
        return f"cast({name} as timestamp)"
    return name if _SHARED_TYPE.fullmatch(column.data_type) else _text(column)


def _text(column: _Column) -> str:
    return as_text(sql.identifier(column.name), column.data_type)


def _columns(connection: duckdb.DuckDBPyConnection, file: RawFile) -> list[_Column]:
    described = connection.execute(f"describe select * from read_parquet({sql.file(file.path)}, {_OPTIONS})").fetchall()
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
        # the first bytes of a file of text may be somebody's name
        raise _broken(file, f"a file of {size} bytes that does not begin with {_MAGIC!r}")
    if end != _MAGIC:
        raise _broken(file, f"a file that does not end with {_MAGIC!r}: it is cut off or not finished")


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
    """What is said of the file, without a value that it quotes, which may hold quotes itself."""
    said = str(error).strip().splitlines()[0]
    return masked(re.sub(r"'.*'|\".*\"", MASK, said))
