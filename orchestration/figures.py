"""The figures of marts that Dagster's pages draw over time: how many rows, and those that a mart's YAML names.

`config: meta: figures` of a mart maps a name to an aggregate over its rows, in SQL that every engine runs, one number:

    figures: { net_revenue: sum(case when is_valid then net_revenue end) }
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestration.engines.engine import Engine
from orchestration.errors import StickinessError

ROW_COUNT = "dagster/row_count"
# marts whose figures a publication shows too
HEADLINE_MARTS = ("customers", "orders", "repurchase_rates", "retention_monthly", "nps", "repaired_values")
Figures = Mapping[str, int | float]


def mart_figures(
    engine: Engine, manifest: Mapping[str, Any], models: Sequence[str], warn: Callable[[str], None]
) -> dict[str, Figures]:
    """The figures of models that are built, by unique id; one without a value is left out.

    Where they cannot be computed, `warn` is told why and there are none: no publication stops for that.
    """
    try:
        return _read(engine, manifest, models) if models else {}
    except StickinessError as error:
        warn(f"The figures of the marts could not be computed, so the pages show none. {error}")
        return {}


def headline_figures(manifest: Mapping[str, Any], figures: Mapping[str, Figures]) -> dict[str, int | float]:
    """The figures that a publication shows: those of its marts, each after its mart."""
    names = {unique_id: manifest["nodes"][unique_id]["name"] for unique_id in figures}
    return {
        f"{names[unique_id]}.{name}": value
        for unique_id, of_mart in figures.items()
        for name, value in of_mart.items()
        if name != ROW_COUNT
    }


def _read(engine: Engine, manifest: Mapping[str, Any], models: Sequence[str]) -> dict[str, Figures]:
    named = {unique_id: list(_declared(manifest["nodes"][unique_id])) for unique_id in models}
    width = max(len(names) for names in named.values())
    _, rows = engine.read_build(" UNION ALL ".join(_select(manifest["nodes"][name], width) for name in models))
    found: dict[str, Figures] = {}
    for unique_id, count, *values in rows:
        told = {name: value for name, value in zip(named[unique_id], values, strict=False) if _is_number(value)}
        found[unique_id] = {ROW_COUNT: int(count), **{name: _plain(value) for name, value in told.items()}}
    return found


def _declared(node: Mapping[str, Any]) -> Mapping[str, str]:
    figures = node["config"]["meta"].get("figures")
    return figures if isinstance(figures, dict) else {}


def _select(node: Mapping[str, Any], width: int) -> str:
    computed = [f"CAST({expression} AS double)" for expression in _declared(node).values()]
    values = [*computed, *["CAST(NULL AS double)"] * (width - len(computed))]
    columns = ", ".join([f"'{node['unique_id']}'", "count(*)", *values])
    return f"SELECT {columns} FROM {node['schema']}.{node['alias']}"


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _plain(value: float) -> int | float:
    """A whole number as such, which the pages show without decimals."""
    return int(value) if value.is_integer() else value
