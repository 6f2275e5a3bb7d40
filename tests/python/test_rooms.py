"""Which module of orchestration may know which: no cycle, pure fits, and one place that knows the engines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from orchestration.engines.registry import ADAPTERS, load_engine
from orchestration.errors import SettingsError
from orchestration.settings import ROOT, default_target, targets

PACKAGE = "orchestration"
# landing and boards read files with DuckDB whatever the target is; these spell its names and read its errors
USES_DUCKDB_AS_A_TOOL = (
    "orchestration.landing",
    "orchestration.boards.queries",
    "orchestration.boards.reference",
    "orchestration.duckdb_sql",
    "orchestration.faults",
)
LIBRARIES_OF_ENGINES = {"duckdb", "pyhive", "pyspark", "thrift", "fsspec"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def imported(name: str) -> set[str]:
    """Every module that a module names in an import, inside functions too, as far as it can be a module."""
    package = name if SOURCES[name].name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def with_parents(name: str) -> list[str]:
    """A module and the packages that Python imports before it."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


MODULES: Mapping[str, set[str]] = {
    name: {known for wanted in imported(name) for known in with_parents(wanted) if known in SOURCES} - {name}
    for name in SOURCES
}


def room(name: str) -> str:
    """The package or module right below orchestration."""
    return ".".join(name.split(".")[:2])


def rooms() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for name, others in MODULES.items():
        graph.setdefault(room(name), set()).update(room(other) for other in others)
    return {name: {other for other in others if other not in (name, PACKAGE)} for name, others in graph.items()}


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Some cycle of the graph, as the names along it; empty if there is none."""
    done: set[str] = set()

    def look(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            found = look(other, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := look(name, []))), [])


def test_a_cycle_is_found_where_there_is_one() -> None:
    assert cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert cycle({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_the_imports_of_the_project_are_seen() -> None:
    assert "orchestration.engines.duckdb.engine" in MODULES["orchestration.engines.registry"], "in a function"
    assert "orchestration.landing.header" in MODULES["orchestration.landing.csv_files"], "relative"


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycle(MODULES) == []


def test_no_room_depends_on_itself_by_way_of_others() -> None:
    assert cycle(rooms()) == []


def test_the_fits_know_arrays_and_nothing_else_of_the_project() -> None:
    outside = {
        (name, other)
        for name, others in MODULES.items()
        if room(name) == "orchestration.predictive"
        for other in others
        if room(other) not in ("orchestration.predictive", PACKAGE)
    }
    assert {other for _, other in outside} <= {"orchestration.errors"}, sorted(outside)


def test_the_engines_do_not_know_each_other() -> None:
    for engine, other in (("duckdb", "spark"), ("spark", "duckdb")):
        for name, others in MODULES.items():
            if name.startswith(f"orchestration.engines.{engine}"):
                assert not [found for found in others if found.startswith(f"orchestration.engines.{other}")], name


def outside_engines() -> list[str]:
    return [name for name in SOURCES if not name.startswith("orchestration.engines")]


@pytest.mark.parametrize("name", outside_engines())
def test_outside_engines_no_module_knows_an_engine(name: str) -> None:
    packages = tuple(f"orchestration.engines.{target}" for target in ADAPTERS)
    assert not [other for other in MODULES[name] if other.startswith(packages)]
    if name.startswith(USES_DUCKDB_AS_A_TOOL):
        return
    libraries = {other.split(".")[0] for other in imported(name)} & LIBRARIES_OF_ENGINES
    assert not libraries
    assert not [text for text in code_texts(TREES[name]) if re.search("|".join(ADAPTERS), text, re.IGNORECASE)]


def test_only_the_copy_for_bi_knows_postgresql() -> None:
    """Its package is a section of the lock of its own, so nothing else may need it."""
    knowing = {name for name in SOURCES if any(other.split(".")[0] == "psycopg" for other in imported(name))}
    assert {room(name) for name in knowing} == {"orchestration.bi"}
    importing = {name for name, others in MODULES.items() if others & knowing} - knowing
    assert importing == {"orchestration.bi.follow"}, "in a function, once the package is known to be there"


def code_texts(tree: ast.Module) -> list[str]:
    """The texts and names of a module, docstrings aside."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            texts.append(node.value)
        elif isinstance(node, ast.Name):
            texts.append(node.id)
    return texts


def test_every_target_has_an_engine_and_every_engine_a_target() -> None:
    assert set(targets()) == set(ADAPTERS)
    assert default_target() in targets()


def test_a_target_without_an_engine_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='No engine builds the target "oracle"'):
        load_engine("oracle", tmp_path)
