"""Which native reader knows a file, by what its header has."""

from __future__ import annotations

import codecs
import gzip
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from orchestration.contract import RawTable

from .broken_files import BrokenFileError
from .export_files import CSV, GZIP, LINES, Head, export_format, heads
from .mapping import Source
from .mapping_sql import header_key
from .raw_file import RawFile

_HEAD_BYTES = 1 << 18
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def recognised(path: Path, name: str, readers: Sequence[Source], table: RawTable | None = None) -> list[Source]:
    """The native readers that know a file: at most one, or one for each sheet of a workbook, which it then names.

    None knows a file that has what the contract requires of the table that it is called by.
    """
    form = export_format(name)
    if form is None or not readers:
        return []
    try:
        with _head_of(path, form) as (head_path, head_form):
            start = _start(head_path) if head_form in (CSV, LINES) else b""
            if b"\0" in start and not start.startswith(tuple(_MARKS)):
                return []
            found = heads(RawFile("", name, head_path, head_form), _likely_encoding(start), None, ())
    except (BrokenFileError, OSError, UnicodeError, EOFError, zlib.error):
        return []
    if table is not None and any(_has_required(record, table) for head in found for record in head.records):
        return []
    by_sheet: dict[str | None, tuple[int, Source]] = {}
    for head in found:
        for reader in readers:
            known = _known(head, reader)
            if known > by_sheet.get(head.sheet, (0, None))[0]:
                sheets = (head.sheet,) if head.sheet is not None else ()
                by_sheet[head.sheet] = known, replace(reader, sheets=sheets)
    return [source for _, source in by_sheet.values()]


def _has_required(record: Sequence[str], table: RawTable) -> bool:
    names = {header_key(cell) for cell in record}
    return all(column.name in names for column in table.columns if column.required)


def _known(head: Head, reader: Source) -> int:
    """How many columns of a record tell the reader; 0 where one that it needs is not there."""
    for record in head.records:
        names = {header_key(cell) for cell in record}
        if all(any(header_key(name) in names for name in alternatives) for alternatives in reader.recognise):
            return len(reader.recognise)
    return 0


def _start(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(_HEAD_BYTES)


@contextmanager
def _head_of(path: Path, form: str) -> Iterator[tuple[Path, str]]:
    if form != GZIP:
        yield path, form
        return
    with tempfile.NamedTemporaryFile() as head, gzip.open(path) as packed:
        start = packed.read(_HEAD_BYTES)
        # a line that is cut may be cut inside a character
        head.write(start[: start.rfind(b"\n") + 1] or start)
        head.flush()
        yield Path(head.name), CSV


def _likely_encoding(start: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"
