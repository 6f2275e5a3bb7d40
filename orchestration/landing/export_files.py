"""The files of an export, of any form, as rows of texts under the names of their columns."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration import duckdb_sql as sql

from .broken_files import BrokenFileError, FileProblem
from .csv_files import (
    DELIMITERS,
    CsvPlan,
    EndlessError,
    announced_delimiter,
    csv_rows,
    is_blank,
    open_text,
    read_records,
    text_lines,
)
from .file_limits import FileLimits
from .file_rows import ROW_NUMBER, UNPARSED_ROW, Feed, FileRows, ReaderFacts, extra_name
from .header import ExtraColumn, Header, shown_name
from .parquet_files import ParquetPlan, parquet_rows
from .raw_file import RawFile

CSV, GZIP, WORKBOOK, LINES, PARQUET = "csv", "csv.gz", "xlsx", "jsonl", "parquet"
ENDINGS = {
    ".csv.gz": GZIP,
    ".csv": CSV,
    ".tsv": CSV,
    ".txt": CSV,
    ".xlsx": WORKBOOK,
    ".jsonl": LINES,
    ".ndjson": LINES,
    ".json": LINES,
    ".parquet": PARQUET,
}
_HEAD_RECORDS = 20
_HEAD_LINES = 1_000
_SHEETS_SHOWN = 30
_HEAD_CHARACTERS = 1 << 18
_BATCH_ROWS = 20_000
_CHUNK_BYTES = 1 << 20
_WHOLE_BELOW = 2**53  # whole numbers below are exact in floating point


def export_format(name: str) -> str | None:
    """The form of a file by the end of its name; None: no form that exports are read in."""
    lower = name.lower()
    return next((form for ending, form in ENDINGS.items() if lower.endswith(ending)), None)


@dataclass(frozen=True)
class Head:
    """The first records of a file, or of a sheet, as one delimiter splits them; one of them is the header."""

    records: tuple[tuple[str, ...], ...]
    delimiter: str | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class Opened:
    """How the rows of a file are read, once its header is found.

    Attributes:
        file: the file, unpacked.
        encoding: of a file of text.
        head: its first records.
        record: the place of the header, from 1.
        columns: those of the header.
        commas: places of columns whose texts have a decimal comma; a cell that is a number is written so, too.
    """

    file: RawFile
    encoding: str | None
    head: Head
    record: int
    columns: tuple[ExtraColumn, ...]
    commas: frozenset[int] = frozenset()


def unpacked(path: Path, file_name: str, folder: Path, limits: FileLimits) -> Path:
    """Unpack a gzip file into a folder.

    Raises:
        BrokenFileError: it is none, or holds more than the limits allow.
    """
    target = folder / f"{len(list(folder.iterdir()))}.unpacked"
    size = 0
    try:
        with gzip.open(path, "rb") as packed, target.open("wb") as plain:
            while chunk := packed.read(_CHUNK_BYTES):
                size += len(chunk)
                limits.check_bytes(file_name, size)
                plain.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise _broken(file_name, "a gzip file (.csv.gz) that is whole", "a file that is none, or is cut off") from None
    return target


def heads(
    file: RawFile, encoding: str | None, delimiter: str | None, sheets: Sequence[str], *, whole: bool = False
) -> list[Head]:
    """The first records of a file, once for each way in which it may be read.

    Args:
        file: the file, unpacked.
        encoding: of a file of text.
        delimiter: the only one to try, where one is stated.
        sheets: names that the sheet of a workbook may have; none: any that is not hidden.
        whole: whether the names of JSON lines are those of all lines.

    Raises:
        BrokenFileError: it is no such file.
    """
    if file.file_format == WORKBOOK:
        return _workbook_heads(file, sheets)
    if file.file_format == PARQUET:
        try:
            return [Head((tuple(pq.read_schema(file.path).names),))]
        except (pa.ArrowException, OSError):
            raise _broken(file.name, "a Parquet file", "a file that is none, or is damaged") from None
    assert encoding is not None
    with open_text(file.path, encoding) as handle:
        if file.file_format == LINES:
            return [_json_head(file.name, _lines_that_end(file.name, islice(handle, None if whole else _HEAD_LINES)))]
        text = handle.read(_HEAD_CHARACTERS)
    announced = delimiter or announced_delimiter(text)
    return [_csv_head(text, split) for split in ((announced,) if announced else DELIMITERS)]


def _lines_that_end(file_name: str, lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from lines
    except EndlessError as error:
        raise _broken(file_name, "a JSON object in each line", str(error)) from None


def _csv_head(text: str, delimiter: str) -> Head:
    records = read_records(text_lines(io.StringIO(text, newline="")), delimiter)
    filled = (tuple(fields) for fields, lines, _ in records if not is_blank(fields, lines, 0))
    return Head(tuple(islice(filled, _HEAD_RECORDS)), delimiter)


def _json_head(file_name: str, lines: Iterable[str]) -> Head:
    names: dict[str, None] = {}
    for line in lines:
        try:
            entry = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            names |= dict.fromkeys(name for name in entry if name and _is_text(name))
    if not names:
        raise _broken(file_name, "a JSON object in each line", "no line that is one")
    return Head((tuple(names),))


def _is_text(name: str) -> bool:
    """Whether a name is none that only JSON can spell: half of a surrogate pair."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _workbook_heads(file: RawFile, sheets: Sequence[str]) -> list[Head]:
    from python_calamine import SheetVisibleEnum

    workbook = _workbook(file)
    visible = {sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible}
    names = [
        name
        for name in workbook.sheet_names
        if (name in sheets or name.strip() in sheets if sheets else name in visible)
    ]
    if not names:
        found = ", ".join(map(shown_name, workbook.sheet_names[:_SHEETS_SHOWN]))
        raise _broken(file.name, f"a sheet {' or '.join(sheets)}" if sheets else "a sheet", f"the sheets {found}")
    return [Head(_first_records(file, workbook, name), None, name) for name in names]


def _first_records(file: RawFile, workbook: Any, sheet: str) -> tuple[tuple[str, ...], ...]:
    rows = islice(_filled_rows(file, workbook, sheet), _HEAD_RECORDS)
    return tuple(tuple(map(_cell_text, row)) for row in rows)


def _workbook(file: RawFile) -> Any:
    # most companies have no workbook, and it takes a while to load
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return CalamineWorkbook.from_path(str(file.path))
    except (CalamineError, OSError):
        raise _broken(
            file.name, "an Excel workbook (.xlsx)", "a file that is none, is damaged or has a password"
        ) from None


def _filled_rows(file: RawFile, workbook: Any, sheet: str) -> Iterator[list[Any]]:
    from python_calamine import CalamineError

    try:
        for row in workbook.get_sheet_by_name(sheet).iter_rows():
            if any(cell != "" for cell in row):
                yield row
    except CalamineError:
        raise _broken(file.name, "an Excel workbook (.xlsx)", "a file that is damaged") from None


def _cell_text(cell: object, comma: bool = False) -> str:
    """A cell of a workbook as a CSV would hold it; of a number so large that digits are lost, what shows it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        text = str(int(cell)) if cell.is_integer() and abs(cell) < _WHOLE_BELOW else repr(cell)
        return text.replace(".", ",") if comma else text
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, int | timedelta) else ""


def check_workbook(file: RawFile, limits: FileLimits) -> None:
    """Raise BrokenFileError where a workbook unpacks to more than the limits allow, or is none."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            limits.check_bytes(file.name, sum(entry.file_size for entry in archive.infolist()))
    except zipfile.BadZipFile:
        raise _broken(file.name, "an Excel workbook (.xlsx)", "a file that is none, or is damaged") from None


def export_rows(opened: Opened, limits: FileLimits) -> FileRows:
    """All rows of a file as texts, in columns `_extra_<n>` in the order of its header."""
    form = opened.file.file_format
    header = Header(len(opened.columns), {}, opened.columns, ())
    if form == WORKBOOK:
        return _workbook_rows(opened, limits)
    if form == LINES:
        return _line_rows(opened, limits)
    if form == PARQUET:
        rows = pq.read_metadata(opened.file.path).num_rows
        limits.check_rows(opened.file.name, rows)
        types = pq.read_schema(opened.file.path).types
        numbers = [
            place for place in opened.commas if pa.types.is_floating(types[place]) or pa.types.is_decimal(types[place])
        ]
        return _with_unparsed(parquet_rows(ParquetPlan(opened.file, header, rows), limits), numbers)
    plan = CsvPlan(opened.file, opened.encoding, opened.head.delimiter, header, header_record=opened.record)
    return csv_rows(plan, limits)


def _with_unparsed(rows: FileRows, commas: Sequence[int]) -> FileRows:
    """The same rows, all of which fit the header; numbers at the places `commas` get a decimal comma."""
    schema = rows.schema.append(pa.field(UNPARSED_ROW, pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows.batches:
            columns = list(batch.columns)
            for place in commas:
                at = batch.schema.get_field_index(extra_name(place))
                columns[at] = pc.replace_substring(columns[at], ".", ",")
            yield pa.RecordBatch.from_arrays([*columns, pa.nulls(batch.num_rows, pa.string())], schema=schema)

    return replace(rows, schema=schema, batches=batches())


def _schema(columns: Sequence[ExtraColumn]) -> pa.Schema:
    names = [extra_name(place) for place in range(len(columns))]
    return pa.schema([(name, pa.string()) for name in names] + [(ROW_NUMBER, pa.int64()), (UNPARSED_ROW, pa.string())])


def _workbook_rows(opened: Opened, limits: FileLimits) -> FileRows:
    schema, count, read = _schema(opened.columns), len(opened.columns), 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal read
        filled = _filled_rows(opened.file, _workbook(opened.file), str(opened.head.sheet))
        rows = islice(filled, opened.record, None)
        while batch := list(islice(rows, _BATCH_ROWS)):
            texts = [
                pa.array([_cell_text(row[place], place in opened.commas) for row in batch], pa.string())
                for place in range(count)
            ]
            numbers = pa.array(range(read + 1, read + len(batch) + 1), pa.int64())
            read += len(batch)
            limits.check_rows(opened.file.name, read, at_least=True)
            yield pa.RecordBatch.from_arrays([*texts, numbers, pa.nulls(len(batch), pa.string())], schema=schema)

    return FileRows(schema, batches(), lambda: ReaderFacts(read), opened.columns)


def _line_rows(opened: Opened, limits: FileLimits) -> FileRows:
    """JSON lines: every line is parsed where it is judged, one that is no object is kept as it stands."""
    read = malformed = 0
    lines_schema = pa.schema([("line", pa.string()), (ROW_NUMBER, pa.int64())])

    def lines() -> Iterator[pa.RecordBatch]:
        nonlocal read
        with open_text(opened.file.path, str(opened.encoding)) as handle:
            endings = _lines_that_end(opened.file.name, handle)
            while block := list(islice(endings, _BATCH_ROWS)):
                texts = [line.rstrip("\r\n").lstrip("\ufeff") for line in block if line.strip()]
                numbers = range(read + 1, read + len(texts) + 1)
                read += len(texts)
                limits.check_rows(opened.file.name, read, at_least=True)
                yield pa.RecordBatch.from_arrays([pa.array(texts), pa.array(numbers, pa.int64())], schema=lines_schema)

    connection = duckdb.connect(":memory:")
    connection.execute("set enable_progress_bar = false")
    feed = Feed(FileRows(lines_schema, lines(), lambda: ReaderFacts(read), ()))
    connection.register("lines", pa.RecordBatchReader.from_batches(lines_schema, iter(feed)))
    names = opened.head.records[0]
    cells = [
        f"{_json_cell(_path(name), place in opened.commas)} as {extra_name(place)}" for place, name in enumerate(names)
    ]
    is_object = "json_valid(line) and json_type(line) = 'OBJECT'"
    reader = connection.sql(
        f"""
        select {", ".join(cells)}, {ROW_NUMBER}, case when entry is null then line end as {UNPARSED_ROW}
        from (select *, case when {is_object} then cast(line as json) end as entry from lines)
        """
    ).to_arrow_reader(_BATCH_ROWS)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal malformed
        with connection:
            try:
                for batch in reader:
                    malformed += batch.num_rows - batch.column(batch.schema.get_field_index(UNPARSED_ROW)).null_count
                    yield batch
            except (duckdb.Error, pa.ArrowException) as error:
                raise feed.error or error from None

    return FileRows(reader.schema, batches(), lambda: ReaderFacts(read, malformed), opened.columns)


def _json_cell(path: str, comma: bool) -> str:
    text = f"json_extract_string(entry, {sql.text(path)})"
    if not comma:
        return text
    return f"case when json_type(entry, {sql.text(path)}) = 'DOUBLE' then replace({text}, '.', ',') else {text} end"


def _path(name: str) -> str:
    return '$."' + name.replace('"', '\\"') + '"'


def _broken(file_name: str, expected: str, found: str) -> BrokenFileError:
    return BrokenFileError(FileProblem(file_name, expected, found, "Export it again, and copy the whole file."))
