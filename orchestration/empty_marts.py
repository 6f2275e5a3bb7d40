"""Which marts have no rows for want of a raw table: each says in its `meta.empty_without` what would fill it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orchestration.dbt_project import published_models
from orchestration.engines.engine import Ask

META = "empty_without"


def marts_empty_without(manifest: Mapping[str, Any], absent: Collection[str]) -> dict[str, Sequence[str]]:
    """The marts that can only be empty, by name, with the absent tables any of which would fill them.

    Marts under an old name are left out: who reads the new one knows.
    """
    found = {}
    for unique_id in published_models(manifest):
        node = manifest["nodes"][unique_id]
        tables = node["config"].get("meta", {}).get(META) or ()
        if tables and set(tables) <= set(absent) and not node.get("deprecation_date"):
            found[node["alias"]] = tuple(tables)
    return found


def empty_marts(ask: Ask, candidates: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Those of the candidates that have no row where `ask` asks."""
    if not candidates:
        return {}
    counts = " UNION ALL ".join(f"SELECT '{mart}', count(*) FROM {{marts}}.{mart}" for mart in candidates)
    empty = {mart for mart, rows in ask(counts) if rows == 0}
    return {mart: tables for mart, tables in candidates.items() if mart in empty}
