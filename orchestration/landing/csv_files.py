r"""How a CSV file becomes rows. Python's csv module is the one parser; DuckDB only writes the Parquet.

Between the two lies a plain text file without quoting: fields end with one control character and rows with a newline;
where a value holds one of these it is escaped, and SQL undoes it. Quoted CSV would be the obvious way, but DuckDB 2.0.0
with strict_mode takes some quoted newlines for ends of rows, or returns no row at all and no error.
"""

import csv
import fnmatch
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from operator import itemgetter
from pathlib import Path

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable

from .broken_files import BrokenFileError, FileProblem
from .discover import RawFile
from .encodings import canonical_encoding, detect_encoding
from .header import Header, match_header, matched_columns, shown_cells
from .landing_file import Provenance, RowSource, write_landing_file

DELIMITERS = (",", ";", "\t", "|")
_HEADER_CHARACTERS = 1 << 20
_DELIMITER_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)  # what Excel writes and reads as a first line

_FIELD_END = "\x1f"
_ESCAPE = "\x10"
_ESCAPES = {_ESCAPE: _ESCAPE + "0", "\n": _ESCAPE + "1", "\r": _ESCAPE + "2", _FIELD_END: _ESCAPE + "3"}
_READER_LINE_BYTES = 2_000_000  # the longest row that DuckDB reads without being told
_READER_BUFFER_BYTES = 32_000_000


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
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0\ufeff'):
            raise ValueError(
                f"The delimiter {self.delimiter!r} of the files {self.path_glob} is none; expected one character such "
                "as a comma, a semicolon, a tab or |."
            )

    def matches(self, file_name: str) -> bool:
        return fnmatch.fnmatchcase(file_name, self.path_glob)


class Flaw(Enum):
    """What is wrong with the quotes of a record."""

    UNCLOSED = "a quote is never closed"
    STRAY = "text follows a closing quote"


Record = tuple[list[str], list[str], Flaw | None]


@dataclass(frozen=True)
class CsvPlan:
    """How to read one CSV file. `header` is None where the file holds no record at all."""

    file: RawFile
    encoding: str | None = None
    delimiter: str | None = None
    header: Header | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class CsvFacts:
    """What the parser counted while it read one CSV file."""

    rows: int
    malformed_rows: int
    ignored_columns: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass
class _Tally:
    """What is counted while a file is read; row numbers are 1-based, 0 means none."""

    rows: int = 0
    malformed_rows: int = 0
    unclosed_at: int = 0
    stray_quotes: int = 0
    first_stray_at: int = 0
    has_escapes: bool = False
    longest_line_bytes: int = _READER_LINE_BYTES

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
    with _open_text(file.path, encoding) as handle:
        head = handle.read(_HEADER_CHARACTERS)
    delimiter = dialect.delimiter or _announced_delimiter(head)
    cells, flaw, delimiter = _best_header(head, (delimiter,) if delimiter else DELIMITERS, table)
    is_cut = len(head) == _HEADER_CHARACTERS
    if cells is None and not is_cut:
        return CsvPlan(file, notices=(f"{file.name} holds blank lines only: no header, no rows.",))
    if cells is None or flaw is Flaw.UNCLOSED or (is_cut and not re.search(r"[\r\n]", head)):
        raise BrokenFileError(_endless_header(file.name, cells or (), table))
    header = match_header(file.name, cells, table)
    return CsvPlan(file, encoding, delimiter, header, tuple(notices))


def _endless_header(file_name: str, cells: Sequence[str], table: RawTable) -> FileProblem:
    return FileProblem(
        file_name,
        f"a header with the columns of the table {table.name} in the first row",
        f"no end of the first row (a quote is not closed, or there is no line break): {shown_cells(cells)}",
        "Export the file again as CSV with a header row; double every quote inside a value.",
    )


def _open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    return path.open(encoding=encoding, newline="")


def _text_lines(handle: Iterator[str]) -> Iterator[str]:
    """Yield physical lines with their ends; without byte order mark and Excel's line that names the delimiter."""
    first = next(handle, "").lstrip("\ufeff")
    return chain([first] if first and not _DELIMITER_LINE.fullmatch(first) else [], handle)


def _announced_delimiter(head: str) -> str | None:
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
        records = read_records(_text_lines(io.StringIO(head, newline="")), delimiter)
        first = next(((cells, flaw) for cells, lines, flaw in records if not _is_blank(cells, lines, 0)), None)
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

    A record whose quotes are flawed is read as Python's csv module reads it when it is not strict.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    lines_of_record: list[str] = []
    at_end = False

    def tapped() -> Iterator[str]:
        nonlocal at_end
        for line in lines:
            lines_of_record.append(line)
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


def _is_blank(fields: Sequence[str], record_lines: Sequence[str], cell_count: int) -> bool:
    """Tell a blank line from a row; spaces alone are a value only where a row has one cell."""
    return not fields or (len(fields) == 1 and cell_count != 1 and not "".join(record_lines).strip())


def land_csv(
    connection: duckdb.DuckDBPyConnection,
    plan: CsvPlan,
    table: RawTable,
    provenance: Provenance,
    target: Path,
) -> CsvFacts:
    """Write the rows of the file to `target` (Parquet), by way of a work file of the same name that ends in .txt.

    Raises:
        OSError: the file cannot be read, or the work file not be written.
        UnicodeDecodeError: the file changed after it was inspected.
    """
    if plan.header is None:
        nothing = RowSource("(select 1) as nothing where false", {}, "0")
        write_landing_file(connection, table, nothing, provenance, target)
        return CsvFacts(0, 0, (), plan.notices)
    layout = _Layout(plan.header, table)
    tally = _Tally()
    work_file = target.with_suffix(".txt")
    with _open_text(plan.file.path, plan.encoding) as source, work_file.open("w", encoding="utf-8", newline="") as sink:
        sink.writelines(_work_lines(layout, read_records(_text_lines(source), plan.delimiter), tally))
    written = write_landing_file(connection, table, _work_rows(work_file, table, tally), provenance, target)
    work_file.unlink()
    if written != tally.rows:
        raise RuntimeError(f"{plan.file.name}: {tally.rows} rows were parsed, but {written} were written")
    notices = (*plan.notices, *_quote_notices(plan.file.name, tally))
    return CsvFacts(tally.rows, tally.malformed_rows, layout.ignored_columns(), notices)


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


class _Layout:
    """Picks from the fields of a record what a row of the work file holds: contract columns, unparsed row, extras."""

    def __init__(self, header: Header, table: RawTable) -> None:
        self._cell_count = header.cell_count
        self._extras = header.extras
        self._filled: set[str] = set()
        named = [*header.positions.values(), *(extra.position for extra in header.extras if extra.is_named)]
        self._least_count = max(named, default=-1) + 1  # blank header cells at the end need no field
        empty, extra = self._cell_count, self._cell_count + 1  # two fields that row() appends
        self._picked = itemgetter(*(header.positions.get(name, empty) for name in table.column_names), empty, extra)
        self._no_values = ("",) * len(table.columns)

    @property
    def cell_count(self) -> int:
        return self._cell_count

    def row(self, fields: list[str]) -> Sequence[str] | None:
        """Return the row, or None: the fields do not fit the header. Changes `fields`."""
        count = len(fields)
        if count != self._cell_count:
            if count < self._least_count or any(fields[self._cell_count :]):
                return None
            del fields[self._cell_count :]
            fields.extend([""] * (self._cell_count - count))
        extra = self._extra_json(fields) if self._extras else ""
        fields.append("")
        fields.append(extra)
        return self._picked(fields)

    def unparsed(self, text: str) -> Sequence[str]:
        return (*self._no_values, text, "")

    def ignored_columns(self) -> tuple[str, ...]:
        """Return the columns outside the contract; those without a name only where a row filled them."""
        return tuple(extra.name for extra in self._extras if extra.is_named or extra.name in self._filled)

    def _extra_json(self, fields: Sequence[str]) -> str:
        values = {extra.name: fields[extra.position] or None for extra in self._extras if extra.is_named}
        for extra in self._extras:
            if not extra.is_named and fields[extra.position]:
                values[extra.name] = fields[extra.position]
                self._filled.add(extra.name)
        return json.dumps(values, ensure_ascii=False, separators=(",", ":")) if values else ""


def _work_lines(layout: _Layout, records: Iterator[Record], tally: _Tally) -> Iterator[str]:
    """Yield one line of the work file per row, its number first; skips the header."""
    next(fields for fields, lines, _ in records if not _is_blank(fields, lines, 0))
    number = 0
    for fields, lines, flaw in records:
        if _is_blank(fields, lines, layout.cell_count):
            continue
        number += 1
        row = None if flaw is Flaw.UNCLOSED else layout.row(fields)
        if row is None:
            row = layout.unparsed(_without_line_end("".join(lines)))
            tally.malformed_rows += 1
        if flaw is not None:
            tally.note_flaw(flaw, number)
        # only a record of several lines can hold a line end in a value
        if len(lines) > 1 or _ESCAPE in lines[0] or _FIELD_END in lines[0]:
            row = [_escaped(value) for value in row]
            tally.has_escapes = True
        line = f"{number}{_FIELD_END}{_FIELD_END.join(row)}\n"
        if len(line) * 4 > _READER_LINE_BYTES:
            tally.longest_line_bytes = max(tally.longest_line_bytes, len(line.encode()))
        yield line
    tally.rows = number


def _without_line_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text[:-1] if text.endswith(("\r", "\n")) else text


def _work_rows(work_file: Path, table: RawTable, tally: _Tally) -> RowSource:
    names = [*table.column_names, "_unparsed_row", "_extra"]
    types = {"_row_number": "BIGINT", **dict.fromkeys(names, "VARCHAR")}
    columns = ", ".join(f"{sql.text(name)}: {sql.text(data_type)}" for name, data_type in types.items())
    relation = (
        f"read_csv({sql.file(work_file)}, auto_detect = false, header = false, skip = 0, "
        f"columns = {{{columns}}}, delim = chr({ord(_FIELD_END)}), quote = '', escape = '', comment = '', "
        f"nullstr = '', new_line = '\\n', encoding = 'utf-8', null_padding = false, ignore_errors = false, "
        f"max_line_size = {tally.longest_line_bytes + 1}, "
        f"buffer_size = {max(_READER_BUFFER_BYTES, tally.longest_line_bytes + 2)})"
    )
    text_of = _unescaped if tally.has_escapes else sql.identifier
    return RowSource(
        relation,
        {name: text_of(name) for name in table.column_names},
        row_number=sql.identifier("_row_number"),
        extra=text_of("_extra"),
        unparsed_row=text_of("_unparsed_row"),
    )


def _escaped(value: str) -> str:
    for character, code in _ESCAPES.items():  # the escape character comes first
        value = value.replace(character, code)
    return value


def _unescaped(name: str) -> str:
    """Return the SQL that undoes `_escaped` on a column."""
    expression = sql.identifier(name)
    # the escape character itself comes last: what it stands for must not be taken for the start of another escape
    for character, code in reversed(_ESCAPES.items()):
        expression = f"replace({expression}, {sql.text(code)}, chr({ord(character)}))"
    return expression
