"""A file of a raw folder that holds rows of a table."""

from dataclasses import dataclass
from pathlib import Path

from .mapping import Mapped


@dataclass(frozen=True)
class RawFile:
    """A file that holds rows of a table; `name` is its posix path relative to the raw folder.

    `mapped` says how its rows become rows of the table; None: they are rows of the contract. Of a workbook, `name` has
    the sheet behind it where one is told.
    """

    table: str
    name: str
    path: Path
    file_format: str
    mapped: Mapped | None = None
