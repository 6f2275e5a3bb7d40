"""In which encoding the text of a file is."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .broken_files import BrokenFileError, FileProblem

_CHUNK_BYTES = 1 << 20
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive, such as an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive (.gz)",
    b"\x28\xb5\x2f\xfd": "a zstd archive (.zst)",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\x00": "an SQLite database",
}
_CHINESE_ALIASES = {"gb2312", "gbk"}  # their superset decodes them, and what software calls by their names is larger
# text for Python alone, or for names of the internet: what they make of a line of CSV is no file that anybody has
_NOT_OF_FILES = {
    "idna",
    "punycode",
    "raw-unicode-escape",
    "raw_unicode_escape",
    "undefined",
    "unicode-escape",
    "unicode_escape",
}
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_LETTER = re.compile(rb"[A-Za-z]")
_EXPECTED_TEXT = "CSV text in UTF-8, in UTF-16 with a byte order mark, in GB18030 (GBK), or in a declared encoding"
_EXPORT_TEXT = "Export it again as CSV text in UTF-8."
_DECLARE = "Export it again in UTF-8, or declare the encoding of the file (for example cp1252)."


@dataclass(frozen=True)
class Fault:
    """The first place where a file is no text; `offset` counts bytes from 0, `line` is 1-based."""

    offset: int
    line: int
    found: bytes

    @property
    def is_nul(self) -> bool:
        return self.found == b"\0"

    def __str__(self) -> str:
        shown = "a NUL character" if self.is_nul else " ".join(f"0x{byte:02X}" for byte in self.found[:4])
        return f"{shown} at byte offset {self.offset} (line {self.line})"


def canonical_encoding(name: str) -> str:
    """Return Python's name of the encoding; GBK and GB2312 are read by their superset GB18030.

    Raises:
        LookupError: there is no such encoding of text files.
    """
    try:
        found = codecs.lookup(name).name
        "".encode(found)  # refuses codecs that are no text encoding, such as base64
    # a name with characters that no name has, and the codec whose work is to refuse
    except ValueError as error:
        raise LookupError(name) from error
    if found in _NOT_OF_FILES:
        raise LookupError(name)
    if found in _CHINESE_ALIASES:
        return "gb18030"
    return "utf-8" if found == "utf-8-sig" else found


def is_encoding(name: object) -> bool:
    """Whether a value names an encoding that a file may be declared to be in."""
    try:
        return isinstance(name, str) and bool(canonical_encoding(name))
    except LookupError:
        return False


def detect_encoding(file_name: str, path: Path, declared: str | None) -> str:
    """Return the encoding that decodes the whole file.

    Args:
        file_name: what messages call the file.
        path: the file.
        declared: the only encoding to try, where one is declared.

    Raises:
        BrokenFileError: the file is no text, or no text in that encoding.
    """
    with path.open("rb") as handle:
        start = handle.read(16)
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            raise _broken(file_name, _EXPECTED_TEXT, kind, _EXPORT_TEXT)
    if declared is not None:
        encoding = canonical_encoding(declared)
        return _verified(file_name, path, encoding, f"text in {encoding}, the encoding declared for this file")
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return _verified(file_name, path, encoding, f"text in {encoding}, as its byte order mark says")
    return _guessed(file_name, path)


def _verified(file_name: str, path: Path, encoding: str, expected: str) -> str:
    fault = find_fault(path, encoding)
    if fault is None:
        return encoding
    if fault.is_nul:
        raise _nul(file_name, fault)
    raise _broken(file_name, expected, f"{fault}, which is none", _DECLARE)


def _guessed(file_name: str, path: Path) -> str:
    fault = find_fault(path, "utf-8")
    if fault is None:
        return "utf-8"
    nul = find_fault(path, "latin-1")  # decodes every byte, so that its only fault is a NUL
    if nul is not None:
        raise _nul(file_name, nul)
    chinese_fault = find_fault(path, "gb18030")
    if _is_damaged_utf8(path):
        raise _broken(file_name, "text in UTF-8, as most of the file is", f"{fault}, which is none", _DECLARE)
    if chinese_fault is not None or not _looks_chinese(path):
        found = f"{fault}, which is no UTF-8, and the file as a whole does not read as GB18030 (GBK)"
        raise _broken(file_name, _EXPECTED_TEXT, found, _DECLARE)
    return "gb18030"


def _nul(file_name: str, fault: Fault) -> BrokenFileError:
    return _broken(
        file_name,
        _EXPECTED_TEXT,
        f"{fault}: not text, or UTF-16 without a byte order mark",
        f"{_EXPORT_TEXT} If it is UTF-16 without a mark, declare its encoding as utf-16-le or utf-16-be.",
    )


def _broken(file_name: str, expected: str, found: str, action: str) -> BrokenFileError:
    return BrokenFileError(FileProblem(file_name, expected, found, action))


def find_fault(path: Path, encoding: str) -> Fault | None:
    """Return the first place where the file does not decode or holds a NUL character, or None: it is text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    chunk_start, lines = 0, 1
    for chunk, is_last in _chunks(path):
        pending = decoder.getstate()[0]
        data = pending + chunk
        try:
            text = decoder.decode(chunk, is_last)
        except UnicodeDecodeError as error:
            position, found = error.start, data[error.start : error.end]
        else:
            if "\0" not in text:
                chunk_start += len(chunk)
                lines += _line_ends(chunk)
                continue
            position, found = data.index(b"\0"), b"\0"
        return Fault(chunk_start - len(pending) + position, lines + _line_ends(data[:position]), found)
    return None


def line_ends_before(path: Path, offset: int) -> int:
    """Count the ends of lines in the first bytes of the file."""
    count, left = 0, offset
    for chunk, _ in _chunks(path):
        count += _line_ends(chunk[: max(left, 0)])
        left -= len(chunk)
    return count


def _line_ends(data: bytes) -> int:
    return max(data.count(b"\n"), data.count(b"\r"))


def _chunks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield the bytes of the file in pieces; the last piece is empty and marked."""
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            yield chunk, False
        yield b"", True


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk, is_last in _chunks(path):
        yield decoder.decode(chunk, is_last)


def _is_damaged_utf8(path: Path) -> bool:
    """Tell UTF-8 with a few broken bytes from another encoding, where UTF-8 sequences are chance."""
    valid, broken = 0, 0
    for text in _decoded(path, "utf-8"):
        replaced = text.count("\ufffd")
        broken += replaced
        valid += len(_NON_ASCII.findall(text)) - replaced
    return valid > broken


def _looks_chinese(path: Path) -> bool:
    """Tell GB18030 from a Western encoding that happens to decode as it.

    The accented letter of a Western word and the plain letter after it make one rare character of GB18030, whose second
    byte is then a letter. In Chinese text a second byte seldom is.
    """
    characters, letters = 0, 0
    for text in _decoded(path, "gb18030"):
        found = "".join(_NON_ASCII.findall(text))
        characters += len(found)
        letters += len(_LETTER.findall(found.encode("gb18030")))
    return letters * 2 <= characters
