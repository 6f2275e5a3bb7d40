"""How much one file may hold: a small one can stand for more rows than a machine has room for."""

from __future__ import annotations

from dataclasses import dataclass

from .broken_files import BrokenFileError, FileProblem

GIGABYTE = 1_000_000_000
RECORD_CHARACTERS = 32_000_000
"""The longest record of a CSV file: a longer one has an open quote or no line break, and is held in memory whole."""

ROWS_SETTING, GIGABYTES_SETTING = "file_rows_limit", "file_gigabytes_limit"


@dataclass(frozen=True)
class FileLimits:
    """What one file may hold, and whether links may lead out of the raw folder.

    Attributes:
        rows: the most rows.
        bytes: the most bytes, of a Parquet file unpacked.
        follow_links: whether a link out of the raw folder is followed.
    """

    rows: int = 100_000_000
    bytes: int = 20 * GIGABYTE
    follow_links: bool = False

    def check_rows(self, file_name: str, rows: int, at_least: bool = False) -> None:
        """Raise BrokenFileError where there are too many; `at_least` where they are not all counted."""
        if rows > self.rows:
            found = f"{'more than ' if at_least else ''}{self.rows if at_least else rows:,} rows"
            raise BrokenFileError(_too_much(file_name, f"at most {self.rows:,} rows", found, ROWS_SETTING))

    def check_bytes(self, file_name: str, size: int) -> None:
        """Raise BrokenFileError where there are too many."""
        if size > self.bytes:
            expected = f"at most {self.bytes / GIGABYTE:g} GB"
            raise BrokenFileError(_too_much(file_name, expected, f"{size / GIGABYTE:g} GB", GIGABYTES_SETTING))


def _too_much(file_name: str, expected: str, found: str, setting: str) -> FileProblem:
    return FileProblem(
        file_name,
        f"{expected} in a file ({setting})",
        found,
        f"Find out why it is so large, and split it into files; if it is right, raise {setting} in company.yml.",
    )


NO_OTHER_LIMITS = FileLimits()
"""What holds where nothing is set."""
