"""What a column of a board is called: as the YAML of its mart says, or else the tile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.boards.grammar import LANGUAGES, Text, Tile
from orchestration.boards.queries import Column
from orchestration.dbt_project import published_models
from orchestration.errors import BoardError

MartLabels = Mapping[str, Mapping[str, Text]]
"""Labels by mart and column."""

_PERCENT = ("rate", "share", "probability")
_ENDS = ("_low", "_high")


def mart_labels(manifest: Mapping[str, Any]) -> MartLabels:
    """The labels that the YAML of the published models gives their columns."""
    labels = {}
    for unique_id in published_models(manifest):
        node = manifest["nodes"][unique_id]
        labels[node["alias"]] = {
            name: {language: column["config"]["meta"][f"label_{language}"] for language in LANGUAGES}
            for name, column in node["columns"].items()
            if f"label_{LANGUAGES[0]}" in column.get("config", {}).get("meta", {})
        }
    return labels


def label_of(board: str, tile: Tile, column: str, labels: MartLabels) -> Text:
    """The label of a column: the tile's own, else that of the first of its marts that has such a column.

    Raises:
        BoardError: nobody gives it one.
    """
    if column in tile.labels:
        return tile.labels[column]
    for mart in tile.marts:
        if column in labels.get(mart, {}):
            return labels[mart][column]
    raise BoardError(
        f"{board}.yml, tile {tile.id}: the column {column} has no label; expected it among the columns of "
        f"{', '.join(tile.marts)}, or under labels of the tile."
    )


def format_of(tile: Tile, column: Column) -> str:
    """How a column is written: as the tile says, else by its name and type."""
    if column.name in tile.formats:
        return tile.formats[column.name]
    stem = column.name
    for end in _ENDS:
        stem = stem.removesuffix(end)
    if column.kind in ("date", "text"):
        return "month" if stem.endswith("month") else column.kind
    if column.kind == "number":
        return "percent" if stem.endswith(_PERCENT) else "number"
    return "integer" if column.kind == "whole" else "text"
