"""What a reader of raw files gives: the rows of one file, batch by batch, with their types and places in the file.

A format is a reader: a function that inspects a file, and one that yields `FileRows`. Landing knows no other path.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from .header import ExtraColumn

ROW_NUMBER = "_row_number"
UNPARSED_ROW = "_unparsed_row"
SOURCE_FAILURE = "_source_failure"


@dataclass(frozen=True)
class ReaderFacts:
    """What a reader counted while it read a file to its end; `filtered` are rows left out, by the name of the rule."""

    rows: int
    malformed_rows: int = 0
    ignored_columns: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    filtered: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FileRows:
    """The rows of one file, which can be read once.

    The columns of a batch are those of the contract that the file has, under the name of the contract and of whatever
    type the file gives them; then `_extra_<n>` for each of `extras`, as text; `_row_number`, the 1-based record of the
    file; where a record may not fit the header, `_unparsed_row` with its text, all else being empty; and, where a
    mapping can fail, `_source_failure` with the reason code and the column of the contract, joined by `:`.

    Attributes:
        schema: names and types of the batches.
        batches: the rows.
        extras: the columns outside the contract.
        facts: what was counted, once the last batch was read.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    facts: Callable[[], ReaderFacts]
    extras: tuple[ExtraColumn, ...] = field(default=())


class Feed:
    """The batches of a reader, with the error that ended them: DuckDB passes on its text alone."""

    def __init__(self, rows: FileRows) -> None:
        self._rows = rows
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._rows.batches
        except BaseException as error:
            self.error = error
            raise


def extra_name(place: int) -> str:
    """The name that a batch has for the column outside the contract at this place of `FileRows.extras`."""
    return f"_extra_{place}"
