"""What a mapping says: how the columns of an export of any form become columns of the raw contract."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from orchestration.contract import Contract, RawTable
from orchestration.errors import SettingsError

ORDER, FIRST, LINE = "order", "first", "line"
PER = (ORDER, FIRST, LINE)
"""What a column of one row per order is worth: what all lines agree on, what the first that says it says, the sum."""

POINT, COMMA = "1,234.50", "1.234,50"
NUMBER_FORMATS = (POINT, COMMA)
EPOCHS = ("epoch_s", "epoch_ms", "epoch_us")


@dataclass(frozen=True)
class Condition:
    """What may hold of a row: that a cell is one of the texts, is none of them, or that all cells are (not) empty.

    Attributes:
        headers: of one cell the names that its column may have; of several, for `empty`, the columns.
        texts: what is compared with, without regard to case, width and marks of spreadsheets.
        negated: whether the cell must be none of the texts, or not all of the cells empty.
        empty: whether emptiness is asked.
    """

    headers: tuple[str, ...]
    texts: tuple[str, ...] = ()
    negated: bool = False
    empty: bool = False


@dataclass(frozen=True)
class Filter:
    """A rule by which rows are left out, counted under its name."""

    name: str
    condition: Condition


@dataclass(frozen=True)
class Rule:
    """One way to fill a column; exactly one of headers, first_of, constant and position says from what.

    Attributes:
        headers: names that the column of the export may have; the first that the header has is read.
        first_of: columns of the export of which the first that is filled counts, row by row.
        constant: the value of every row.
        position: the place of the line in its order, from 1.
        values: what each text of the export is called in the contract; a text that is not listed rejects the row.
        dates: formats of strptime, or one of EPOCHS.
        number: one of NUMBER_FORMATS.
        lowercase: whether upper case is lowered, as of an address that is an id.
        times: names of the column that an amount is multiplied by: a quantity.
        minus: names of the column that is then taken off; empty counts as 0.
        where: what must hold for the rule to count.
    """

    headers: tuple[str, ...] = ()
    first_of: tuple[str, ...] = ()
    constant: str | None = None
    position: bool = False
    values: tuple[tuple[str, str], ...] | None = None
    dates: tuple[str, ...] = ()
    number: str | None = None
    lowercase: bool = False
    times: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    where: Condition | None = None

    @property
    def all_headers(self) -> tuple[str, ...]:
        return (*self.headers, *self.first_of, *self.times, *self.minus, *(self.where.headers if self.where else ()))


@dataclass(frozen=True)
class ColumnMapping:
    """How a column of the contract is filled: by the first rule that holds; `per` is one of PER or empty."""

    name: str
    rules: tuple[Rule, ...]
    per: str = ""


@dataclass(frozen=True)
class TableMapping:
    """How rows of an export become rows of a table.

    Attributes:
        table: the table of the contract.
        columns: its columns that are filled.
        filters: which rows are left out.
        one_row_per: the column whose value several lines share that are one row; the first line is it.
        lines_of: the column whose value the lines of one order share, each of which is a row.
    """

    table: str
    columns: tuple[ColumnMapping, ...]
    filters: tuple[Filter, ...] = ()
    one_row_per: str | None = None
    lines_of: str | None = None

    @property
    def group(self) -> str | None:
        return self.one_row_per or self.lines_of


@dataclass(frozen=True)
class Source:
    """Files of one form, and the tables that they fill.

    Attributes:
        origin: where the mapping stands, for messages.
        files: pattern of the names of the files, relative to the raw folder; empty for a reader.
        reader: name of a native reader; empty for a mapping of the company.
        title: what people call its files.
        why_unread: why a file that is recognised is not read, where it fills no table.
        recognise: columns that tell a file of the reader, each with its alternatives.
        encoding: of a CSV file; None: recognised.
        delimiter: of a CSV file; None: recognised.
        header_row: which record is the header, from 1; None: the first that has what is needed.
        sheets: names that the sheet of a workbook may have; none: the one that has what is needed.
        time_zone: of times that name none; None: that of the company.
        number: one of NUMBER_FORMATS; None: as the contract reads numbers.
        nothing: texts that stand for an empty cell.
        currency: names of the column that says in which currency the amounts of a row are.
        tables: what the files fill.
    """

    origin: str
    tables: tuple[TableMapping, ...]
    files: str = ""
    reader: str = ""
    title: str = ""
    why_unread: str = ""
    recognise: tuple[tuple[str, ...], ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    sheets: tuple[str, ...] = ()
    time_zone: str | None = None
    number: str | None = None
    nothing: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()

    def matches(self, file_name: str) -> bool:
        return bool(self.files) and fnmatch.fnmatchcase(file_name, self.files)

    @property
    def used_headers(self) -> frozenset[str]:
        """Every name of a column that one of the tables may read."""
        return frozenset((*self.currency, *(name for table in self.tables for name in headers_of(table))))


@dataclass(frozen=True)
class Mapped:
    """One table of a source: what a file is read by."""

    source: Source
    table: TableMapping

    @property
    def fingerprint(self) -> str:
        """A name for everything of the mapping that decides which rows a file becomes."""
        said = {**asdict(self.source), "origin": None, "files": None, "title": None}
        text = json.dumps([said, self.table.table], ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def headers_of(table: TableMapping) -> Iterator[str]:
    """Every name of a column of the export that a table may read."""
    for column in table.columns:
        for rule in column.rules:
            yield from rule.all_headers
    for rule in table.filters:
        yield from rule.condition.headers


def check_source(source: Source, contract: Contract) -> None:
    """Check that a mapping fits the contract.

    Raises:
        SettingsError: it names a table or column that there is not, or leaves a required column out.
    """
    for mapping in source.tables:
        table = contract.tables.get(mapping.table)
        if table is None:
            hint = _nearest(mapping.table, contract.tables)
            raise SettingsError(f'{source.origin} fills "{mapping.table}", which is no table of the contract.{hint}')
        _check_table(f"{source.origin}, table {table.name},", mapping, table)


def _check_table(where: str, mapping: TableMapping, table: RawTable) -> None:
    mapped = {column.name: column for column in mapping.columns}
    for name in mapped:
        if name not in table.column_names:
            hint = _nearest(name, table.column_names)
            raise SettingsError(f'{where} fills "{name}", which is no column of the table.{hint}')
    needed = [column.name for column in table.columns if column.required or column.name in table.key]
    missing = [name for name in needed if name not in mapped]
    if missing:
        raise SettingsError(
            f"{where} fills no {', '.join(missing)}, which every row of the table needs. Say from which column of the "
            f"export it comes, or give it a constant."
        )
    if mapping.group is not None and mapping.group not in mapped:
        raise SettingsError(
            f'{where} groups by "{mapping.group}", which it does not fill.{_nearest(mapping.group, mapped)}'
        )
    for column in mapping.columns:
        if column.per and mapping.group is None:
            raise SettingsError(f"{where} says per of {column.name}; expected one_row_per or lines_of beside columns.")
        if any(rule.position for rule in column.rules) and mapping.lines_of is None:
            raise SettingsError(f"{where} says position of {column.name}; expected lines_of beside columns.")


def _nearest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else f" There are {', '.join(known)}."
