"""What the YAML of a mart says of its rows as cells that several customers are in (`meta.cells`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.descriptions import COUNTS_CUSTOMERS, WITHIN
from orchestration.errors import ProjectError, shown

_EXPECTED = "expected cells: { customers: [columns that count customers], within: [columns, or none] }"


def cells_of(node: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The columns of a model by their role in cells; nothing for a model whose rows are none.

    Raises:
        ProjectError: the YAML says it wrongly, so that cells could be shown that should be hidden.
    """
    meta = node["config"].get("meta") or {}
    if "cells" not in meta:
        return {}
    cells = meta["cells"]
    if not isinstance(cells, dict) or cells.keys() != {COUNTS_CUSTOMERS, WITHIN}:
        raise _wrong(node, f"is {shown(str(cells))}")
    roles = {role: _columns(node, role, cells[role]) for role in (COUNTS_CUSTOMERS, WITHIN)}
    if not roles[COUNTS_CUSTOMERS]:
        raise _wrong(node, f"names no column of {COUNTS_CUSTOMERS}")
    return roles


def check_cells(manifest: Mapping[str, Any]) -> None:
    """`ProjectError` for the first model whose cells are wrong."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            cells_of(node)


def _columns(node: Mapping[str, Any], role: str, said: object) -> tuple[str, ...]:
    names = [said] if isinstance(said, str) else said
    if not isinstance(names, list):
        raise _wrong(node, f"has {shown(str(said))} as {role}")
    unknown = [str(name) for name in names if name not in node["columns"]]
    if unknown:
        raise _wrong(node, f"names {shown(unknown[0])} as {role}, which is none of the columns that the YAML describes")
    return tuple(names)


def _wrong(node: Mapping[str, Any], found: str) -> ProjectError:
    place = node.get("patch_path") or node["original_file_path"]
    return ProjectError(
        f"meta.cells of the model {node['name']} {found}; {_EXPECTED}. Mend it in {place.rpartition('://')[2]}."
    )
