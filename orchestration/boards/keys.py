"""Which published table refers to which, as a test that stops a publication promises it, or the raw contract."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.dbt_project import published_nodes

_TESTS = ("known_values", "relationships")
_REF = re.compile(r"ref\(.*?['\"](\w+)['\"]\s*\)")


@dataclass(frozen=True, order=True)
class ForeignKey:
    """Every filled value of a column is one of a column of another published table.

    Attributes:
        test: the test that promises it; None where the raw contract does, which rejects a row that breaks it.
    """

    table: str
    column: str
    to: str
    to_column: str
    test: str | None = None


def foreign_keys(manifest: Mapping[str, Any]) -> tuple[ForeignKey, ...]:
    """The foreign keys between published tables, each once, by table and column."""
    found = {_ends(key): key for key in _of_contract(manifest)}
    # the promise of a test is the stronger one: it is kept by the published rows themselves
    found |= {_ends(key): key for key in _of_tests(manifest)}
    return tuple(found[ends] for ends in sorted(found))


def _ends(key: ForeignKey) -> tuple[str, str, str, str]:
    return key.table, key.column, key.to, key.to_column


def _of_tests(manifest: Mapping[str, Any]) -> Iterator[ForeignKey]:
    tables = {unique_id: table for unique_id, (_, table) in published_nodes(manifest).items()}
    for node in manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        if test.get("name") not in _TESTS or not _is_promise(node):
            continue
        arguments = test["kwargs"]
        referred = _referred(node["depends_on"]["nodes"], str(arguments["to"]))
        if node["attached_node"] in tables and referred in tables:
            yield ForeignKey(
                tables[node["attached_node"]],
                arguments["column_name"],
                tables[referred],
                arguments["field"],
                node["name"],
            )


def _is_promise(node: Mapping[str, Any]) -> bool:
    """Whether a test stops a publication, and looks at every row."""
    return node["config"]["severity"].lower() == "error" and not node["config"].get("where")


def _referred(unique_ids: list[str], to: str) -> str | None:
    name = _REF.search(to)
    return next((found for found in unique_ids if name and found.rsplit(".", 1)[-1] == name[1]), None)


def _of_contract(manifest: Mapping[str, Any]) -> Iterator[ForeignKey]:
    """The references of raw tables whose rows are published under the same name."""
    columns = {
        table: manifest["nodes"][unique_id]["columns"] for unique_id, (_, table) in published_nodes(manifest).items()
    }
    for source in manifest.get("sources", {}).values():
        references = source["config"].get("meta", {}).get("references", {})
        for column, target in references.items():
            to, to_column = target.split(".")
            if column in columns.get(source["name"], {}) and to_column in columns.get(to, {}):
                yield ForeignKey(source["name"], column, to, to_column)
