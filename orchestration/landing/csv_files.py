"""How a CSV file becomes rows of texts. Python's csv module is the one parser."""

import csv
import fnmatch
import io
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from orchestration.contract import RawTable
from orchestration.errors import shown

from .broken_files import BrokenFileError, FileProblem
from .encodings import canonical_encoding, detect_encoding, line_ends_before
from .file_limits import NO_OTHER_LIMITS, RECORD_CHARACTERS, FileLimits
from .file_rows import ROW_NUMBER, UNPARSED_ROW, FileRows, ReaderFacts, extra_name
from .header import Header, match_header, matched_columns, shown_cells, shown_name
from .raw_file import RawFile

_NO_COLUMNS = pa.schema([(ROW_NUMBER, pa.int64())])
DELIMITERS = (",", ";", "\t", "|")
_INVISIBLE_DELIMITERS = "\t\x01\x1f"  # the second is Hive's, the third ASCII's own
_HEADER_CHARACTERS = 1 << 20
_DELIMITER_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)  # what Excel writes and reads as a first line

_LINE_BYTES = 4 * RECORD_CHARACTERS  # a character has four bytes at most
_BLOCK_CHARACTERS = 1_000_000  # what is parsed at once: bounds the memory, whatever the file is
_LONGEST_UNQUOTED = 8 * _BLOCK_CHARACTERS  # a block ends with a line, which may be long


@dataclass(frozen=True)
class FileDialect:
    """What is declared about the CSV files whose relative posix path matches `path_glob`; None: detect it.

    Raises:
        ValueError: the encoding is unknown, or the delimiter is not one character.
    """

    path_glob: str
    encoding: str | None = None
    delimiter: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                canonical_encoding(self.encoding)
            except LookupError:
                raise ValueError(
                    f"The encoding {self.encoding!r} of the files {self.path_glob} is unknown; expected a name such as "
                    "utf-8, gb18030, utf-16-le or cp1252."
                ) from None
        if self.delimiter is not None and not is_delimiter(self.delimiter):
            raise ValueError(
                f"The delimiter {self.delimiter!r} of the files {self.path_glob} is none; expected one character such "
                "as a comma, a semicolon, a tab or |."
            )

    def matches(self, file_name: str) -> bool:
        return fnmatch.fnmatchcase(file_name, self.path_glob)


def is_delimiter(value: object) -> bool:
    """Whether a value is one character that can stand between the fields of a row: no part of a word, quote or line."""
    return (
        isinstance(value, str)
        and len(value) == 1
        and not value.isalnum()
        and value not in '"\ufeff'
        and (shown(value) == value or value in _INVISIBLE_DELIMITERS)
    )


class Flaw(Enum):
    """What is wrong with the quotes of a record."""

    UNCLOSED = "a quote is never closed"
    STRAY = "text follows a closing quote"


Block = tuple[list[pa.Array], list[str | None] | None]
Record = tuple[list[str], list[str], Flaw | None]


@dataclass(frozen=True)
class CsvPlan:
    """How to read one CSV file; `header` is None where the file holds no record at all, `header_record` its place."""

    file: RawFile
    encoding: str | None = None
    delimiter: str | None = None
    header: Header | None = None
    notices: tuple[str, ...] = ()
    header_record: int = 1


@dataclass
class _Tally:
    """What is counted while a file is read; row numbers are 1-based, 0 means none."""

    rows: int = 0
    malformed_rows: int = 0
    unclosed_at: int = 0
    stray_quotes: int = 0
    first_stray_at: int = 0
    filled: set[int] = field(default_factory=set)  # positions of columns without a name that a row filled

    def note_flaw(self, flaw: Flaw, number: int) -> None:
        if flaw is Flaw.UNCLOSED:
            self.unclosed_at = number
        else:
            self.stray_quotes += 1
            self.first_stray_at = self.first_stray_at or number


def dialect_of(file_name: str, dialects: Sequence[FileDialect]) -> FileDialect:
    """Return what is declared about the file: of the dialects that match it, the first that says something."""
    matching = [dialect for dialect in dialects if dialect.matches(file_name)]
    return FileDialect(
        file_name,
        next((dialect.encoding for dialect in matching if dialect.encoding is not None), None),
        next((dialect.delimiter for dialect in matching if dialect.delimiter is not None), None),
    )


def inspect_csv(file: RawFile, table: RawTable, dialect: FileDialect) -> CsvPlan:
    """Check that the file is text and that its header fits the table.

    Raises:
        BrokenFileError: it is no text, or the header does not fit.
    """
    if file.path.stat().st_size == 0:
        return CsvPlan(file, notices=(f"{file.name} is empty: no header, no rows.",))
    encoding = detect_encoding(file.name, file.path, dialect.encoding)
    notices = []
    if encoding == "gb18030" and dialect.encoding is None:
        notices.append(
            f"{file.name} is not in UTF-8; it was read as GB18030 (GBK). Declare its encoding if that is wrong."
        )
    with open_text(file.path, encoding) as handle:
        head = handle.read(_HEADER_CHARACTERS)
    delimiter = dialect.delimiter or announced_delimiter(head)
    cells, flaw, delimiter = _best_header(head, (delimiter,) if delimiter else DELIMITERS, table)
    is_cut = len(head) == _HEADER_CHARACTERS
    if cells is None and not is_cut:
        return CsvPlan(file, notices=(f"{file.name} holds blank lines only: no header, no rows.",))
    if cells is None or flaw is Flaw.UNCLOSED or (is_cut and not re.search(r"[\r\n]", head)):
        raise BrokenFileError(_endless_header(file.name, cells or (), table))
    header = match_header(file.name, cells, table)
    return CsvPlan(file, encoding, delimiter, header, tuple(notices))


def _endless_header(file_name: str, cells: Sequence[str], table: RawTable) -> FileProblem:
    shown = shown_cells(cells, table, are_names=False)
    return FileProblem(
        file_name,
        f"a header with the columns of the table {table.name} in the first row",
        f"no end of the first row (a quote is not closed, or there is no line break): {shown}",
        "Export the file again as CSV with a header row; double every quote inside a value.",
    )


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_WatchedFile(path.open("rb", buffering=0)), encoding=encoding, newline="")


class EndlessError(Exception):
    """A line or a record is longer than any that is read; `line` is 1-based."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


class _WatchedFile(io.BufferedReader):
    """The bytes of a file, until a line does not end: to read it whole would take as much memory as it has bytes."""

    _run = 0
    _place = 0

    def read1(self, size: int = -1, /) -> bytes:
        data = super().read1(size)
        self._place += len(data)
        if b"\n" in data or b"\r" in data:
            self._run = 0
        else:
            self._run += len(data)
            if self._run > _LINE_BYTES:
                line = line_ends_before(Path(self.raw.name), self._place - self._run) + 1
                raise EndlessError(line, "a line that does not end")
        return data


def text_lines(handle: Iterator[str]) -> Iterator[str]:
    """Yield physical lines with their ends; without byte order mark and Excel's line that names the delimiter."""
    first = next(handle, "").lstrip("\ufeff")
    return chain([first] if first and not _DELIMITER_LINE.fullmatch(first) else [], handle)


def announced_delimiter(head: str) -> str | None:
    first = next(io.StringIO(head, newline=""), "").lstrip("\ufeff")
    match = _DELIMITER_LINE.fullmatch(first)
    return match.group(1) if match else None


def _best_header(
    head: str, delimiters: Sequence[str], table: RawTable
) -> tuple[list[str] | None, Flaw | None, str | None]:
    """Return the first record as the delimiter splits it that finds most columns of the table (then: most cells)."""
    best: tuple[list[str] | None, Flaw | None, str | None] = (None, None, None)
    best_score = (-1, -1)
    for delimiter in delimiters:
        records = read_records(text_lines(io.StringIO(head, newline="")), delimiter)
        first = next(((cells, flaw) for cells, lines, flaw in records if not is_blank(cells, lines, 0)), None)
        if first is None:
            continue
        cells, flaw = first
        matched = matched_columns(cells, table)
        score = (matched, 0 if matched else len(cells))
        if score > best_score:
            best, best_score = (cells, flaw, delimiter), score
    return best


def read_records(lines: Iterator[str], delimiter: str) -> Iterator[Record]:
    """Yield every record as (fields, physical lines, flaw); the lists are valid until the next record.

    A record whose quotes are flawed is read as Python's csv module reads it when it is not strict. Of `_Lines`, one
    that is longer than RECORD_CHARACTERS raises EndlessError.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    lines_of_record: list[str] = []
    at_end = False

    def tapped() -> Iterator[str]:
        nonlocal at_end
        left = RECORD_CHARACTERS
        for line in lines:
            left = (left if lines_of_record else RECORD_CHARACTERS) - len(line)
            lines_of_record.append(line)
            if left < 0 and isinstance(lines, _Lines):
                many = len(lines_of_record) > 1
                what = "a quote that opens there and is not closed" if many else "a line that does not end"
                raise EndlessError(lines.taken - len(lines_of_record) + 1, what)
            yield line
        at_end = True

    source = tapped()
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        flaw = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = next(csv.reader(chain(tuple(lines_of_record), source), delimiter=delimiter))
            flaw = Flaw.UNCLOSED if at_end else Flaw.STRAY
        yield fields, lines_of_record, flaw
        lines_of_record.clear()


def is_blank(fields: Sequence[str], record_lines: Sequence[str], cell_count: int) -> bool:
    """Tell a blank line from a row; spaces alone are a value only where a row has one cell."""
    return not fields or (len(fields) == 1 and cell_count != 1 and not "".join(record_lines).strip())


def csv_rows(plan: CsvPlan, limits: FileLimits = NO_OTHER_LIMITS) -> FileRows:
    """The rows of the file, every value as text; an empty one stands for no value.

    Reading them raises OSError where the file cannot be read, UnicodeDecodeError where it changed after it was
    inspected, and BrokenFileError where it has more rows than the limits allow, or a record without end.
    """
    if plan.header is None:
        return FileRows(_NO_COLUMNS, iter(()), lambda: ReaderFacts(0, notices=plan.notices))
    header, tally = plan.header, _Tally()
    names = [*header.positions, *(extra_name(place) for place in range(len(header.extras)))]
    positions = [*header.positions.values(), *(extra.position for extra in header.extras)]
    schema = pa.schema(
        [(name, pa.string()) for name in names] + [(ROW_NUMBER, pa.int64()), (UNPARSED_ROW, pa.string())]
    )

    def facts() -> ReaderFacts:
        ignored = tuple(
            shown_name(extra.name) for extra in header.extras if extra.is_named or extra.position in tally.filled
        )
        notices = (*plan.notices, *_quote_notices(plan.file.name, tally))
        return ReaderFacts(tally.rows, tally.malformed_rows, ignored, notices)

    def batches() -> Iterator[pa.RecordBatch]:
        for columns, unparsed in _until_endless(plan, _blocks(plan, tally)):
            limits.check_rows(plan.file.name, tally.rows, at_least=True)
            rows = len(columns[0])
            numbers = pa.array(range(tally.rows - rows + 1, tally.rows + 1), pa.int64())
            beside = pa.nulls(rows, pa.string()) if unparsed is None else pa.array(unparsed, pa.string())
            tally.filled.update(extra.position for extra in header.extras if _is_filled(columns[extra.position]))
            arrays = [columns[position] for position in positions]
            yield pa.RecordBatch.from_arrays([*arrays, numbers, beside], schema=schema)

    return FileRows(schema, batches(), facts, header.extras)


def _is_filled(column: pa.Array) -> bool:
    return pc.any(pc.greater(pc.binary_length(column), 0)).as_py() is True


def _until_endless(plan: CsvPlan, blocks: Iterator[Block]) -> Iterator[Block]:
    try:
        yield from blocks
    except EndlessError as error:
        raise BrokenFileError(_endless(plan.file, error)) from None


def _endless(file: RawFile, error: EndlessError) -> FileProblem:
    return FileProblem(
        file.name,
        f"rows of at most {RECORD_CHARACTERS / 1_000_000:g} million characters",
        f"in line {error.line} {error.what}",
        f"Look at line {error.line}: close the quote or end the line, and double every quote inside a value.",
    )


def _quote_notices(file_name: str, tally: _Tally) -> Iterator[str]:
    if tally.stray_quotes:
        count = "1 row has" if tally.stray_quotes == 1 else f"{tally.stray_quotes} rows have"
        yield (
            f"{file_name}: {count} text after a closing quote (first: row {tally.first_stray_at}). Such a value may "
            "lack a quote; an export should double every quote inside a value."
        )
    if tally.unclosed_at:
        yield (
            f"{file_name}: the quote opened in row {tally.unclosed_at} is never closed; everything from there to the "
            "end of the file is one unreadable row."
        )


class _Lines:
    """Physical lines: one by one, or a block of them that may be given back."""

    def __init__(self, handle: io.TextIOWrapper) -> None:
        self._handle = handle
        self._ahead: deque[str] = deque(text_lines(iter([handle.readline()])))
        self.taken = 0 if self._ahead else 1
        """Lines that were given and not given back, with that of Excel, which is not."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._handle)
        self.taken += 1
        return line

    @property
    def has_ahead(self) -> bool:
        return bool(self._ahead)

    def block(self) -> list[str]:
        """Lines of about _BLOCK_CHARACTERS; none at the end."""
        if self._ahead:
            lines = list(self._ahead)
            self._ahead.clear()
        else:
            lines = self._handle.readlines(_BLOCK_CHARACTERS)
        self.taken += len(lines)
        return lines

    def give_back(self, lines: Sequence[str]) -> None:
        self._ahead.extend(lines)
        self.taken -= len(lines)


def _blocks(plan: CsvPlan, tally: _Tally) -> Iterator[Block]:
    """Yield the columns of rows as long as the header, without the header.

    Beside them, of each row, its text where it does not fit the header; None: all do.
    """
    assert plan.header is not None and plan.encoding is not None and plan.delimiter is not None
    count = plan.header.cell_count
    with open_text(plan.file.path, plan.encoding) as handle:
        lines = _Lines(handle)
        records = (fields for fields, held, _ in read_records(lines, plan.delimiter) if not is_blank(fields, held, 0))
        next(islice(records, plan.header_record - 1, None))
        while block := lines.block():
            columns = _unquoted_columns(block, plan.delimiter, count) or _plain_columns(block, plan.delimiter, count)
            unparsed = None
            if columns is None:
                lines.give_back(block)
                fields, unparsed = _any_fields(lines, plan, tally)
                columns = _columns_of(fields, count)
            else:
                tally.rows += len(block)
            if len(columns[0]):
                yield columns, unparsed


def _columns_of(fields: Sequence[str], cell_count: int) -> list[pa.Array]:
    return [pa.array(fields[position::cell_count], pa.string()) for position in range(cell_count)]


def _unquoted_columns(block: Sequence[str], delimiter: str, cell_count: int) -> list[pa.Array] | None:
    """The columns of lines that are one row each, where no quote stands in them; None where a line is anything else.

    Without a quote all readers agree on what a field is, so the fastest one reads.
    """
    text = "".join(block)
    # it takes a byte order mark off
    if '"' in text or text.startswith("\ufeff") or not delimiter.isascii() or len(text) > _LONGEST_UNQUOTED:
        return None
    names = [str(position) for position in range(cell_count)]
    try:
        table = pa_csv.read_csv(
            pa.py_buffer(text.encode()),
            pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=_LONGEST_UNQUOTED * 4),
            pa_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        ).combine_chunks()
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    # it leaves out blank lines, which may be rows of a file of one column
    if len(table) != len(block):
        return None
    return [column.chunk(0) for column in table.columns]


def _plain_columns(block: Sequence[str], delimiter: str, cell_count: int) -> list[pa.Array] | None:
    """The columns of lines that are one sound row each; None where a line is anything else."""
    # one flat list: lists of many lists keep the garbage collector busy for as long as the parser
    found: list[str] = []
    try:
        for fields in csv.reader(block, delimiter=delimiter, strict=True):
            if len(fields) != cell_count:
                return None
            found += fields
    except csv.Error:
        return None
    return _columns_of(found, cell_count) if len(found) == cell_count * len(block) else None


def _any_fields(lines: _Lines, plan: CsvPlan, tally: _Tally) -> tuple[list[str], list[str | None]]:
    """The same of the lines ahead, whatever they hold, and of those that the last of them goes on into."""
    header = plan.header
    assert header is not None and plan.delimiter is not None
    found: list[str] = []
    unparsed: list[str | None] = []
    nothing = [""] * header.cell_count
    least = _least_count(header)
    for fields, held, flaw in read_records(lines, plan.delimiter):
        if not is_blank(fields, held, header.cell_count):
            tally.rows += 1
            row = None if flaw is Flaw.UNCLOSED else _fitted(fields, header.cell_count, least)
            found += nothing if row is None else row
            unparsed.append(_without_line_end("".join(held)) if row is None else None)
            tally.malformed_rows += row is None
            if flaw is not None:
                tally.note_flaw(flaw, tally.rows)
        if not lines.has_ahead:
            break
    return found, unparsed


def _least_count(header: Header) -> int:
    """Fields that a row needs: blank header cells at the end need none."""
    named = [*header.positions.values(), *(extra.position for extra in header.extras if extra.is_named)]
    return max(named, default=-1) + 1


def _fitted(fields: list[str], cell_count: int, least_count: int) -> list[str] | None:
    """The fields as a row as long as the header, or None: they do not fit it."""
    count = len(fields)
    if count == cell_count:
        return fields
    if count < least_count or any(fields[cell_count:]):
        return None
    return fields[:cell_count] + [""] * (cell_count - count)


def _without_line_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text[:-1] if text.endswith(("\r", "\n")) else text
