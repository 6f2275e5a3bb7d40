"""Public columns and marts under an old name: which there are, what takes their place, and when they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from orchestration.dbt_project import is_custom, published_models
from orchestration.errors import ProjectError

_MARTS_SHOWN = 6
_HELP = "docs/upgrades.md"


@dataclass(frozen=True)
class Deprecation:
    """A column of a mart that readers should stop using, or with no column the whole mart.

    Attributes:
        removed_in: the version that drops it, or a later one.
        deprecation_date: the first day on which a version without it may be released.
    """

    mart: str
    column: str | None
    replaced_by: str
    removed_in: str
    deprecation_date: date


def deprecations(manifest: Mapping[str, Any]) -> list[Deprecation]:
    """What is deprecated of the product's marts, by mart; a mart comes before its columns.

    Raises:
        ProjectError: a deprecation does not say what takes its place, or when it goes.
    """
    found = []
    for unique_id in published_models(manifest):
        node = manifest["nodes"][unique_id]
        if is_custom(node["original_file_path"]):
            continue
        described = [(None, node["config"]["meta"].get("deprecated"), node.get("deprecation_date"))]
        for name, column in node["columns"].items():
            entry = column["config"]["meta"].get("deprecated")
            described.append((name, entry, (entry or {}).get("deprecation_date")))
        found += [_deprecation(node["alias"], *entry) for entry in described if entry[1] or entry[2]]
    return sorted(found, key=lambda deprecation: (deprecation.mart, deprecation.column is not None))


def _deprecation(mart: str, column: str | None, entry: Mapping[str, Any] | None, day: str | None) -> Deprecation:
    try:
        # dbt makes a moment of the date of a model
        return Deprecation(
            mart, column, entry["replaced_by"], str(entry["removed_in"]), date.fromisoformat(str(day)[:10])
        )
    except (KeyError, TypeError, ValueError) as error:
        name = f"{mart}.{column}" if column else mart
        raise ProjectError(
            f"The deprecation of {name} is not complete: expected replaced_by and removed_in in meta.deprecated, and "
            f"deprecation_date as a day (of a mart beside its name, of a column in meta.deprecated). See {_HELP}."
        ) from error


def deprecation_lines(found: Sequence[Deprecation]) -> list[str]:
    """What a run tells about old names: a line for each version that drops some, and one for each mart."""
    lines = []
    dated = sorted(found, key=lambda deprecation: (deprecation.deprecation_date, deprecation.removed_in))
    for (day, version), group in groupby(dated, key=lambda entry: (entry.deprecation_date, entry.removed_in)):
        lines.append(f"Deprecated, to go with {version}, not before {day} ({_HELP}):")
        marts = [
            f"  {mart}: {', '.join(_renamed(entry) for entry in entries)}"
            for mart, entries in groupby(group, key=lambda entry: entry.mart)
        ]
        hidden = len(marts) - _MARTS_SHOWN
        lines += [*marts[:_MARTS_SHOWN], *([f"  and names in {hidden} more marts"] if hidden > 0 else [])]
    return lines


def _renamed(deprecation: Deprecation) -> str:
    return f"use {deprecation.replaced_by}" + (f" for {deprecation.column}" if deprecation.column else " for this mart")
