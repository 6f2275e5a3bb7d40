"""Every published mart is computed a second time, or held by another test: the registry names which, and is true."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest
from conftest import Dbt
from oracle.registry import COMPUTED, HELD, Held

from orchestration.dbt_project import is_custom

TESTS = Path(__file__).parent
ENTRIES = {**COMPUTED, **HELD}


def test_every_published_mart_is_in_the_registry_once(dbt: Dbt) -> None:
    published = {
        node.name
        for node in dbt.manifest.nodes.values()
        if node.resource_type == "model"
        and node.fqn[1] in ("marts", "quality")
        and not is_custom(node.original_file_path)
    }
    assert set(ENTRIES) == published
    assert not set(COMPUTED) & set(HELD)


def names_in(code: ast.AST) -> set[str]:
    """Every name, attribute and text."""
    nodes = list(ast.walk(code))
    return (
        {node.id for node in nodes if isinstance(node, ast.Name)}
        | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    )


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("mart", ENTRIES)
def test_the_test_that_the_registry_names_is_there_and_speaks_of_the_mart(mart: str) -> None:
    held: Held = ENTRIES[mart]
    module = parsed(TESTS / held.file)
    assert held.test in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    # a test of many marts takes them from a table, here or in the oracle
    names = names_in(module) | names_in(parsed(TESTS / "oracle" / "marts.py"))
    assert any(mart in name for name in names)
    if held.by:
        module_name, function = held.by.split(".")
        assert callable(getattr(import_module(f"oracle.{module_name}"), function))
        assert function in names
