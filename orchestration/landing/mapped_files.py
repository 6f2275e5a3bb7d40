"""How an export becomes rows of a table of the contract: its header is found, and its mapping is applied."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from orchestration import duckdb_sql as sql
from orchestration.contract import RawTable

from .broken_files import BrokenFileError, FileProblem
from .csv_files import FileDialect
from .encodings import detect_encoding
from .export_files import (
    CSV,
    GZIP,
    LINES,
    WORKBOOK,
    Head,
    Opened,
    check_workbook,
    export_rows,
    heads,
    unpacked,
)
from .file_limits import FileLimits
from .file_rows import Feed, FileRows, ReaderFacts
from .header import Header, plain_header, shown_cells, shown_name, source_columns
from .mapping import COMMA, Mapped, headers_of
from .mapping_sql import CELLS, FILTERED, can_fill, header_key, mapped_rows_sql, reads_cells
from .raw_file import RawFile
from .values import ValueRules

_BATCH_ROWS = 50_000
_LEAST_NAMES = 2  # with so many known names a record is a header, whose cells are nobody's data


@dataclass(frozen=True)
class MappedPlan:
    """How to read one table of one export."""

    opened: Opened
    mapped: Mapped
    table: RawTable
    header: Header
    folder: Path

    @property
    def encoding(self) -> str | None:
        return self.opened.encoding

    @property
    def delimiter(self) -> str | None:
        return self.opened.head.delimiter


@dataclass(frozen=True)
class _Need:
    """A column of the export without which a table cannot be filled: its names, and what they are for."""

    names: tuple[str, ...]
    purpose: str

    def is_met(self, found: Mapping[str, int]) -> bool:
        return any(header_key(name) in found for name in self.names)


def inspect_mapped(
    file: RawFile, table: RawTable, dialect: FileDialect, limits: FileLimits, folder: Path
) -> MappedPlan:
    """Check that an export can be read and has the columns that its mapping needs; `folder` is for what is unpacked.

    Raises:
        BrokenFileError: it cannot, or has not.
    """
    mapped = file.mapped
    assert mapped is not None
    source = mapped.source
    if file.file_format == GZIP:
        file = replace(file, path=unpacked(file.path, file.name, folder, limits), file_format=CSV)
    if file.file_format == WORKBOOK:
        check_workbook(file, limits)
    is_text = file.file_format in (CSV, LINES)
    encoding = detect_encoding(file.name, file.path, source.encoding or dialect.encoding) if is_text else None
    needs = list(_needs(mapped, table))
    looked_at = heads(file, encoding, source.delimiter or dialect.delimiter, source.sheets, whole=True)
    head, record = _best_header(looked_at, needs, source.used_headers, source.header_row)
    cells = head.records[record - 1] if record else ()
    found = _places(cells)
    known = {header_key(name) for name in source.used_headers}
    needs += _needs_of_found(mapped, table, found)
    problems = list(_problems(file.name, cells, needs, found, len(known & set(found)) >= _LEAST_NAMES, table))
    problems += _repeated(file.name, cells, {*headers_of(mapped.table), *source.currency})
    problems += _several_sheets(file.name, looked_at, needs)
    if problems:
        raise BrokenFileError(*problems)
    columns = source_columns(cells, table)
    used = {place for name, place in found.items() if name in known}
    filled = {column.name for column in mapped.table.columns if any(can_fill(rule, found) for rule in column.rules)}
    header = Header(
        len(cells),
        {},
        tuple(column for column in columns if column.position not in used),
        tuple(name for name in table.column_names if name not in filled),
    )
    opened = Opened(file, encoding, head, record, columns, _commas(mapped, found))
    return MappedPlan(opened, mapped, table, header, folder)


def _commas(mapped: Mapped, found: Mapping[str, int]) -> frozenset[int]:
    """The places of columns whose numbers have a decimal comma by the mapping of the table."""
    rules = [rule for column in mapped.table.columns for rule in column.rules]
    names = [
        name
        for rule in rules
        if (rule.number or mapped.source.number) == COMMA
        for name in (*rule.headers, *rule.first_of, *rule.times, *rule.minus)
    ]
    return frozenset(found[key] for name in names if (key := header_key(name)) in found)


def _needs(mapped: Mapped, table: RawTable) -> Iterator[_Need]:
    """What the file must have at least."""
    mapping = mapped.table
    for column in mapping.columns:
        raw = table.column(column.name)
        if raw.required or column.name in table.key or column.name == mapping.group:
            purpose = f"the column {column.name} of {table.name}"
            for rule in column.rules:
                for names in (rule.headers or rule.first_of, rule.times):
                    if names:
                        yield _Need(names, purpose)
                if rule.where is not None and not rule.where.empty:
                    yield _Need(rule.where.headers, purpose)
    for rule in mapping.filters:
        # of several columns that must be empty, one is enough to tell
        yield _Need(rule.condition.headers, f"the filter {rule.name} of {table.name}")


def _needs_of_found(mapped: Mapped, table: RawTable, found: Mapping[str, int]) -> Iterator[_Need]:
    """What must be there because something else is: else an amount would be another one without a word."""
    is_reader = bool(mapped.source.reader)
    for column in mapped.table.columns:
        for rule in column.rules:
            if reads_cells(rule, found):
                # exports of a platform may lack what they take off
                for names in (rule.times, () if is_reader else rule.minus):
                    if names:
                        yield _Need(names, f"the column {column.name} of {table.name}")
    if mapped.source.currency and not is_reader:
        yield _Need(mapped.source.currency, "the currency of the amounts")


def _places(cells: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, cell in enumerate(cells):
        places.setdefault(header_key(cell), place)
    return places


def _best_header(
    found: Sequence[Head], needs: Sequence[_Need], names: frozenset[str], header_row: int | None
) -> tuple[Head, int]:
    """The record that has most of what is needed, then most known names; 0 where there is no record."""
    known = {header_key(name) for name in names}
    best, best_score = (found[0], 0), (-1, -1)
    for head in found:
        for place, record in enumerate(head.records, start=1):
            if header_row is not None and place != header_row:
                continue
            places = _places(record)
            score = (sum(need.is_met(places) for need in needs), len(known & set(places)))
            if score > best_score:
                best, best_score = (head, place), score
    return best


def _problems(
    file_name: str,
    cells: Sequence[str],
    needs: Sequence[_Need],
    found: Mapping[str, int],
    are_names: bool,
    table: RawTable,
) -> Iterator[FileProblem]:
    shown = shown_cells([plain_header(cell) for cell in cells], table, are_names=are_names) if cells else "no row"
    missing = {need.names: need for need in needs if not need.is_met(found)}
    for names, need in missing.items():
        # a record without known names may be somebody's data
        close = [hint for name in names for hint in _nearest(name, cells)] if are_names else []
        hint = f" The nearest is {shown_name(close[0])}: if it is the same, add it to the names." if close else ""
        yield FileProblem(
            file_name,
            f"a header with the column {' or '.join(names)}, for {need.purpose}",
            f"the header {shown}" if are_names else f"no header with known columns; its best row has {shown}",
            f"Export it with that column, or say in the mapping what it is called.{hint}",
        )


def _repeated(file_name: str, cells: Sequence[str], names: Iterable[str]) -> Iterator[FileProblem]:
    counts = Counter(map(header_key, cells))
    for name in sorted(name for name in names if counts[header_key(name)] > 1):
        action = "Remove or rename all but one, so that it is clear which holds the value."
        yield FileProblem(file_name, f"the column {name} once", f"it {counts[header_key(name)]} times", action)


def _several_sheets(file_name: str, found: Sequence[Head], needs: Sequence[_Need]) -> Iterator[FileProblem]:
    sheets = [
        head.sheet
        for head in found
        if head.sheet is not None and any(all(n.is_met(_places(record)) for n in needs) for record in head.records)
    ]
    if len(sheets) > 1:
        yield FileProblem(
            file_name,
            "one sheet that has the columns",
            f"{len(sheets)}: {', '.join(map(shown_name, sheets[:10]))}",
            "Name the one to read by `sheet` in the mapping; another mapping of the same file may name another one.",
        )


def _nearest(name: str, cells: Sequence[str]) -> list[str]:
    named = {header_key(cell): plain_header(cell) for cell in cells}
    return [named[key] for key in difflib.get_close_matches(header_key(name), named, n=1, cutoff=0.5)]


def mapped_rows(plan: MappedPlan, limits: FileLimits, rules: ValueRules) -> FileRows:
    """The rows of the table, without those that a rule leaves out; amounts must be in the reporting currency.

    Reading them raises what reading the file raises.
    """
    source_rows = export_rows(plan.opened, limits)
    feed = Feed(source_rows)
    found = _places(plan.opened.head.records[plan.opened.record - 1])
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"set temp_directory = {sql.text(plan.folder / 'mapping')}")
    connection.register(CELLS, pa.RecordBatchReader.from_batches(source_rows.schema, iter(feed)))
    query, extras = mapped_rows_sql(plan.mapped, plan.table, found, plan.opened.columns, rules)
    reader = connection.sql(query).to_arrow_reader(_BATCH_ROWS)
    names = [name for name in reader.schema.names if name != FILTERED]
    schema = pa.schema([reader.schema.field(name) for name in names])
    filtered: Counter[str] = Counter()

    def batches() -> Iterator[pa.RecordBatch]:
        with connection:
            try:
                for batch in reader:
                    yield _kept(batch, names, filtered)
            except (duckdb.Error, pa.ArrowException) as error:
                raise feed.error or error from None

    def facts() -> ReaderFacts:
        read = source_rows.facts()
        ignored = tuple(shown_name(column.name) for column in plan.header.extras if column.is_named)
        return ReaderFacts(read.rows, read.malformed_rows, ignored, read.notices, dict(filtered))

    return FileRows(schema, batches(), facts, extras)


def _kept(batch: pa.RecordBatch, names: Sequence[str], filtered: Counter[str]) -> pa.RecordBatch:
    """The rows that no rule leaves out; the others are counted."""
    rules = batch.column(batch.schema.get_field_index(FILTERED))
    if rules.null_count < len(rules):
        for entry in pc.value_counts(rules.drop_null()).to_pylist():
            filtered[entry["values"]] += entry["counts"]
        batch = batch.filter(pc.is_null(rules))
    return batch.select(names)
