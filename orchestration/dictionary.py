"""What the YAML of the project says of the tables that are published, as BI is told it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.cells import cells_of
from orchestration.dbt_project import primary_keys, published_nodes
from orchestration.descriptions import (
    WRITTEN_BY_PUBLICATION,
    ColumnDescription,
    Descriptions,
    TableDescription,
)

_SHARES = {"rate", "share", "probability"}
_AMOUNTS = {"amount", "clv", "cost", "margin", "monetary", "revenue", "spend", "value"}
# what a name says beside what is measured: an end of an interval, or a window
_ASIDE = re.compile(r"_(low|high|\d+[dm])(?=_|$)")


def describe_published(manifest: Mapping[str, Any], currency: str) -> Descriptions:
    """Every published table: marts, quality tables, labels, and those that the publication writes itself."""
    keys = primary_keys(manifest)
    described = dict(WRITTEN_BY_PUBLICATION)
    for unique_id, table in published_nodes(manifest).items():
        described[table] = _describe(manifest["nodes"][unique_id], keys.get(unique_id, ()), currency)
    return described


def _describe(node: Mapping[str, Any], key: Sequence[str], currency: str) -> TableDescription:
    types = node["config"].get("column_types") or {}
    meta = node["config"]["meta"]
    cells = cells_of(node)
    columns = tuple(
        _column(name, column, column.get("data_type") or types.get(name), key, cells, currency)
        for name, column in node["columns"].items()
    )
    return TableDescription(_text(node["description"]), columns, meta.get("label_en"), meta.get("label_zh"))


def _column(
    name: str,
    column: Mapping[str, Any],
    data_type: str | None,
    key: Sequence[str],
    cells: Mapping[str, Sequence[str]],
    currency: str,
) -> ColumnDescription:
    meta = column["config"].get("meta", {})
    return ColumnDescription(
        name,
        data_type,
        _text(column["description"]),
        meta.get("label_en"),
        meta.get("label_zh"),
        unit(name, data_type or "", currency),
        key.index(name) + 1 if name in key else None,
        next((role for role, names in cells.items() if name in names), None),
    )


def _text(folded: str) -> str:
    return " ".join(folded.split())


def unit(name: str, data_type: str, currency: str) -> str | None:
    """What a column is measured in, as its name and type say; None for counts, and where they do not say it."""
    words = _ASIDE.sub("", name).split("_")
    if data_type.startswith("decimal"):
        return "points" if "points" in words else currency if _AMOUNTS.intersection(words) else None
    if data_type == "double" and words[-1] in _SHARES:
        # a difference of two shares may be below 0
        return None if words[0] == "net" else "share"
    if data_type in ("double", "integer", "bigint"):
        if words[-1] in ("days", "hours"):
            return words[-1]
        return "days" if words[0] == "days" else None
    return None
