"""How the header of a file maps to the columns of its table. One rule for CSV and Parquet."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestration.contract import RawTable
from orchestration.masking import may_be_personal, pattern_of, printable

from .broken_files import BrokenFileError, FileProblem

_SHOWN_CELLS = 30
_SHOWN_CHARACTERS = 40
_LIKE_DATA = re.compile(r"[\d@＠]")


@dataclass(frozen=True)
class ExtraColumn:
    """A column that the contract does not have; `is_named` is false where the header cell is blank."""

    position: int
    name: str
    is_named: bool


@dataclass(frozen=True)
class Header:
    """Where in the file each contract column is (0-based), what else there is, and what there is not."""

    cell_count: int
    positions: Mapping[str, int]
    extras: tuple[ExtraColumn, ...]
    missing_columns: tuple[str, ...]


def normalised(cell: str) -> str:
    """Return the form in which header cells are compared: no byte order mark, trimmed, without case."""
    return _trimmed(cell).casefold()


def plain_header(cell: str) -> str:
    """A header cell of an export as a mapping names it: in plain width, on one line, without what surrounds it."""
    return " ".join(unicodedata.normalize("NFKC", _trimmed(cell)).strip("'\"= ").split())


def matched_columns(cells: Sequence[str], table: RawTable) -> int:
    """Count the columns of the table that the header cells name."""
    return len({normalised(cell) for cell in cells}.intersection(name.casefold() for name in table.column_names))


def match_header(file_name: str, cells: Sequence[str], table: RawTable, *, are_names: bool = False) -> Header:
    """Map header cells to the columns of the table; `are_names` where they are a schema's and can be nobody's data.

    Raises:
        BrokenFileError: a required column is missing, or a column of the contract occurs twice.
    """
    contract_names = {name.casefold(): name for name in table.column_names}
    found: dict[str, list[int]] = {}
    others: list[tuple[int, str]] = []
    for position, cell in enumerate(cells):
        name = contract_names.get(normalised(cell))
        if name is None:
            others.append((position, _trimmed(cell)))
        else:
            found.setdefault(name, []).append(position)
    problems = list(_problems(file_name, cells, table, found, are_names or is_header(cells, table)))
    if problems:
        raise BrokenFileError(*problems)
    return Header(
        cell_count=len(cells),
        positions={name: positions[0] for name, positions in found.items()},
        extras=tuple(_extras(others)),
        missing_columns=tuple(name for name in table.column_names if name not in found),
    )


def _trimmed(cell: str) -> str:
    return cell.replace("\ufeff", "").strip()


def source_columns(cells: Sequence[str], table: RawTable) -> tuple[ExtraColumn, ...]:
    """All columns of an export that is mapped, under names that no column of the table has."""
    taken = {name.casefold() for name in table.column_names}
    return tuple(_extras([(place, plain_header(cell)) for place, cell in enumerate(cells)], taken))


def _extras(others: Sequence[tuple[int, str]], taken: Iterable[str] = ()) -> Iterator[ExtraColumn]:
    used = set(taken)
    for position, name in others:
        base = name or f"column_{position + 1}"
        unique, suffix = base, 1
        while unique.casefold() in used:
            suffix += 1
            unique = f"{base}_{suffix}"
        used.add(unique.casefold())
        yield ExtraColumn(position, unique, bool(name))


def _problems(
    file_name: str, cells: Sequence[str], table: RawTable, found: Mapping[str, list[int]], are_names: bool
) -> Iterator[FileProblem]:
    shown = shown_cells(cells, table, are_names=are_names)
    twice = [name for name, positions in found.items() if len(positions) > 1]
    if twice:
        places = "; ".join(
            f"{name} in columns {', '.join(str(position + 1) for position in found[name])}" for name in twice
        )
        yield FileProblem(
            file_name,
            "every column once (upper and lower case are the same)",
            f"{places}. The header is: {shown}",
            "Remove or rename all but one, so that it is clear which holds the value.",
        )
    missing = [name for name in table.required_columns if name not in found]
    if not missing:
        return
    if are_names:
        expected = (
            f"the required column{'s' if len(missing) > 1 else ''} {', '.join(missing)} of the table {table.name}"
        )
        what = f"a header without {'them' if len(missing) > 1 else 'it'}: {shown}"
    else:
        expected = f"a header with columns of the table {table.name}: {', '.join(table.column_names)}"
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        what = f"a first row that is no header, {count} of the form {shown}"
    yield FileProblem(file_name, expected, what, _how_to_add(missing, cells, found))


def is_header(cells: Sequence[str], table: RawTable) -> bool:
    """Whether a first row is a header, as far as its cells tell: else it may be a person's data.

    Half of it are columns of the table, or two where no cell is empty or has a digit: `phone` may be a value too.
    """
    named = sum(_is_column(cell, table) for cell in cells)
    if named > 1 and all(cell.strip() and not _LIKE_DATA.search(cell) for cell in cells):
        return True
    return named > 0 and named * 2 >= len(cells)


def shown_cells(cells: Sequence[str], table: RawTable, *, are_names: bool) -> str:
    """Return the cells of a first row for a message, shortened where they are many or long.

    A cell that may be a person's is shown by its pattern: any that is no name of a column, unless all `are_names`.
    """
    shown = [
        _cut(cell) if _is_column(cell, table) or are_names and not may_be_personal(cell) else pattern_of(cell)
        for cell in cells[:_SHOWN_CELLS]
    ]
    more = f" and {len(cells) - _SHOWN_CELLS} more" if len(cells) > _SHOWN_CELLS else ""
    return ", ".join(repr(cell)[1:-1] for cell in shown) + more


def shown_name(name: str) -> str:
    """Return the name of a column outside the contract for a message: its pattern where it looks personal itself."""
    return pattern_of(name) if may_be_personal(name) else printable(_cut(name))


def _cut(cell: str) -> str:
    return cell if len(cell) <= _SHOWN_CHARACTERS else cell[:_SHOWN_CHARACTERS] + "..."


def _is_column(cell: str, table: RawTable) -> bool:
    return normalised(cell) in {name.casefold() for name in table.column_names}


def _how_to_add(missing: Sequence[str], cells: Sequence[str], found: Mapping[str, list[int]]) -> str:
    taken = {position for positions in found.values() for position in positions}
    free = {normalised(cell): _trimmed(cell) for position, cell in enumerate(cells) if position not in taken}
    hints = []
    for name in missing:
        close = difflib.get_close_matches(name.casefold(), free, n=1, cutoff=0.75)
        if close:
            hints.append(f"rename {free[close[0]]} to {name}")
    hint = f"; perhaps {' and '.join(hints)}" if hints else ""
    return f"Add the column{'s' if len(missing) > 1 else ''} to the export{hint}. The first row must be the header."
