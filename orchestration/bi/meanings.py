"""What quality.dictionary says of the tables that are copied: their keys, Chinese names and cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.descriptions import COUNTS_CUSTOMERS, WITHIN

# the length of a name in PostgreSQL
BYTES_OF_NAME = 63


@dataclass(frozen=True)
class Meaning:
    """What is said of one table.

    Attributes:
        key: the columns of its primary key, in their order.
        chinese: Chinese names by column.
        customers: the columns that count the customers of a row, where rows are cells of a breakdown.
        within: the columns in which the cells of one breakdown agree.
    """

    key: tuple[str, ...] = ()
    chinese: Mapping[str, str] = field(default_factory=dict)
    customers: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


def meanings(dictionary: Iterable[Mapping[str, object]]) -> dict[str, Meaning]:
    """What is said, by name of the table."""
    by_table: dict[str, list[Mapping[str, object]]] = {}
    for row in dictionary:
        by_table.setdefault(str(row["mart"]), []).append(row)
    return {table: _meaning(rows) for table, rows in by_table.items()}


def _meaning(rows: Sequence[Mapping[str, object]]) -> Meaning:
    def having(role: str) -> tuple[str, ...]:
        return tuple(str(row["column_name"]) for row in rows if row.get("cell_role") == role)

    places = {row["key_position"]: str(row["column_name"]) for row in rows if row["key_position"] is not None}
    return Meaning(
        key=tuple(places[place] for place in sorted(places)),
        chinese={str(row["column_name"]): str(row["label_zh"]) for row in rows if row["label_zh"]},
        customers=having(COUNTS_CUSTOMERS),
        within=having(WITHIN),
    )


def chinese_names(columns: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """A Chinese name for each column, each another; a column without one keeps its own name."""
    wanted = [labels.get(column, column) for column in columns]
    names: dict[str, str] = {}
    for column, label in zip(columns, wanted, strict=True):
        unique = label if wanted.count(label) == 1 else f"{label}（{column}）"
        names[column] = unique if fits(unique) else column
    return names


def fits(name: str) -> bool:
    """Whether PostgreSQL takes a name as it is."""
    return len(name.encode()) <= BYTES_OF_NAME
