"""The rules that keep the project easy to see and to change, held by tests instead of by memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Dbt

from orchestration.dbt_project import is_custom
from orchestration.settings import ROOT

MODELS = ROOT / "models"
# The folders of a layer in the order in which data flows: a model reads models of its own
# folder and of those before it. Those that stand in no folder come first.
FOLDERS = {
    "intermediate": (
        "identities",
        "memberships",
        "orders",
        "purchases",
        "month_ends",
        "customers",
        "repurchase",
        "fits",
        "lifecycle",
        "value",
        "satisfaction",
        "service",
        "loyalty",
        "engagement",
        "features",
        "predictions",
        "churn",
        "labels",
    ),
    "marts": (
        "customers",
        "repurchase",
        "value",
        "lifecycle",
        "churn",
        "satisfaction",
        "loyalty",
        "service",
        "engagement",
        "scorecard",
    ),
}


@pytest.fixture(scope="module")
def nodes(dbt: Dbt) -> dict[str, Any]:
    """The product's own nodes: what a company adds in custom/ follows its own rules."""
    every = {**dbt.manifest.nodes, **dbt.manifest.sources}
    return {unique_id: node for unique_id, node in every.items() if not is_custom(node.original_file_path)}


@pytest.fixture(scope="module")
def unit_tests(dbt: Dbt) -> list[Any]:
    return [test for test in dbt.manifest.unit_tests.values() if not is_custom(test.original_file_path)]


@pytest.fixture(scope="module")
def models(nodes: dict[str, Any]) -> list[Any]:
    return [node for node in nodes.values() if node.resource_type == "model"]


@pytest.fixture(scope="module")
def read_by_bi(models: list[Any]) -> list[Any]:
    return [model for model in models if model.fqn[1] in ("marts", "quality")]


def places(model: Any) -> str:
    return model.original_file_path


def test_each_model_has_a_yaml_of_its_own_name_beside_it(models: list[Any]) -> None:
    wrong = [
        places(model)
        for model in models
        if (model.patch_path or "").split("://")[-1] != str(Path(places(model)).with_suffix(".yml"))
    ]
    assert not wrong


def layer(node: Any) -> str:
    return {"source": "source", "seed": "seed"}.get(node.resource_type) or node.fqn[1]


ALLOWED = {
    "staging": {"source", "staging", "seed"},
    "intermediate": {"staging", "intermediate", "seed"},
    "marts": {"staging", "intermediate", "seed", "marts"},
    "quality": {"staging", "intermediate"},
}


def test_data_flows_one_way(models: list[Any], nodes: dict[str, Any]) -> None:
    wrong = [
        f"{places(model)} reads {nodes[parent].name}"
        for model in models
        for parent in model.depends_on.nodes
        if layer(nodes[parent]) not in ALLOWED[layer(model)]
    ]
    assert not wrong


def folder(model: Any) -> str | None:
    """The folder of its layer that a model stands in; none where it stands in the layer's own."""
    return model.fqn[2] if len(model.fqn) > 3 else None


@pytest.mark.parametrize("name", FOLDERS)
def test_the_order_of_folders_names_each_that_there_is(models: list[Any], name: str) -> None:
    assert {folder(model) for model in models if layer(model) == name} - {None} == set(FOLDERS[name])


@pytest.mark.parametrize("name", FOLDERS)
def test_a_model_reads_models_of_its_own_or_an_earlier_folder(
    models: list[Any], nodes: dict[str, Any], name: str
) -> None:
    place = {None: -1} | {folder: position for position, folder in enumerate(FOLDERS[name])}
    wrong = [
        f"{places(model)} reads {places(nodes[parent])}"
        for model in models
        if layer(model) == name
        for parent in model.depends_on.nodes
        if layer(nodes[parent]) == name and place[folder(nodes[parent])] > place[folder(model)]
    ]
    assert not wrong


def test_a_staging_model_stands_in_the_folder_of_the_source_that_it_reads(
    models: list[Any], nodes: dict[str, Any]
) -> None:
    def source(parent: Any) -> str | None:
        return parent.source_name if layer(parent) == "source" else folder(parent)

    wrong = [
        places(model)
        for model in models
        if layer(model) == "staging"
        for parent in model.depends_on.nodes
        if layer(nodes[parent]) != "seed" and source(nodes[parent]) != folder(model)
    ]
    assert not wrong


def test_base_models_are_tables_marked_as_personal(models: list[Any]) -> None:
    """They keep raw rows whole, names and addresses included."""
    base = [model for model in models if model.name.startswith("base_")]
    assert base and not [
        places(model) for model in base if (model.config.materialized, *model.config.tags) != ("table", "pii")
    ]


def test_what_bi_reads_is_a_public_contract_with_an_owner(read_by_bi: list[Any]) -> None:
    wrong = [
        places(model)
        for model in read_by_bi
        if not (model.config.contract.enforced and model.access == "public" and model.config.group)
    ]
    assert not wrong


def test_every_column_that_bi_reads_has_a_description_and_labels_in_both_languages(read_by_bi: list[Any]) -> None:
    wrong = [
        f"{places(model)}: {column.name}"
        for model in read_by_bi
        for column in model.columns.values()
        if not (column.description and column.config.meta.get("label_en") and column.config.meta.get("label_zh"))
        or not re.search(r"[\u4e00-\u9fff]", column.config.meta["label_zh"])
    ]
    assert not wrong


def test_every_model_is_described_and_the_grain_of_what_bi_reads_comes_first(
    models: list[Any], read_by_bi: list[Any]
) -> None:
    assert not [places(model) for model in models if not model.description]
    assert not [places(model) for model in read_by_bi if not model.description.startswith("One row per ")]


def checks_of(nodes: dict[str, Any], model: Any, kind: str) -> list[Any]:
    return [
        node
        for node in nodes.values()
        if node.resource_type == "test"
        and getattr(node, "attached_node", None) == model.unique_id
        and node.test_metadata.name == kind
    ]


def test_every_mart_declares_its_key_once_and_has_it_tested(read_by_bi: list[Any], nodes: dict[str, Any]) -> None:
    wrong = [
        places(model)
        for model in read_by_bi
        if not model.config.meta.get("primary_key")
        or ["columns" in test.test_metadata.kwargs for test in checks_of(nodes, model, "primary_key")] != [False]
    ]
    assert not wrong


def test_every_mart_has_a_worked_example(unit_tests: list[Any], models: list[Any]) -> None:
    worked = {test.model for test in unit_tests}
    assert not [places(model) for model in models if layer(model) == "marts" and model.name not in worked]


def test_every_test_says_what_it_means(unit_tests: list[Any], nodes: dict[str, Any]) -> None:
    silent = [node.name for node in nodes.values() if node.resource_type == "test" and not node.description]
    silent += [test.name for test in unit_tests if not test.description]
    assert not silent


def sql_files() -> list[Path]:
    return sorted(MODELS.rglob("*.sql"))


# the cast in two colons, and functions that read a clock
@pytest.mark.parametrize(
    "pattern", ["::", "current_date", "current_timestamp", r"now\(", r"\bqualify\b", "group by all"]
)
def test_models_are_portable_and_read_no_clock(pattern: str) -> None:
    assert not [path.name for path in sql_files() if re.search(pattern, path.read_text(encoding="utf-8"))]


def test_no_model_names_an_engine() -> None:
    named = [path for path in MODELS.rglob("*.*") if re.search("duckdb|spark", path.read_text(encoding="utf-8"), re.I)]
    assert not named


def test_select_distinct_does_not_hide_a_fan_out() -> None:
    assert not [path.name for path in sql_files() if "select distinct" in path.read_text(encoding="utf-8")]


def test_a_model_stays_below_150_lines() -> None:
    assert not [path.name for path in sql_files() if len(path.read_text(encoding="utf-8").splitlines()) > 150]


def test_every_seed_and_each_of_its_columns_is_described(nodes: dict[str, Any]) -> None:
    for seed in (node for node in nodes.values() if node.resource_type == "seed"):
        header = (ROOT / seed.original_file_path).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert seed.description and [name for name, column in seed.columns.items() if column.description] == header


def test_no_committed_file_names_a_registry_or_a_folder_of_this_machine() -> None:
    for name in ("requirements.lock", "pyproject.toml", ".pre-commit-config.yaml"):
        assert not re.search(r"https?://|index-url", (ROOT / name).read_text(encoding="utf-8")), name


def test_the_excerpts_of_the_contract_in_unit_tests_are_those_of_the_contract(dbt: Dbt) -> None:
    """A unit test sees no sources, so those of the base models bring their part of the contract along."""
    raw = {source.name: source for source in dbt.manifest.sources.values() if source.source_name == "raw"}
    excerpts = {
        test.name: (raw[test.model.removeprefix("base_")], test.overrides.macros["raw_contract"])
        for test in dbt.manifest.unit_tests.values()
        if test.overrides and "raw_contract" in test.overrides.macros
    }
    assert excerpts
    for name, (source, excerpt) in excerpts.items():
        for part, value in excerpt["meta"].items():
            assert value == source.config.meta[part], name
        for column in excerpt["columns"].values():
            whole = source.columns[column["name"]]
            assert column["data_type"] == whole.data_type, f"{name}: {column['name']}"
            # landing has judged the rest; dbt asks for these
            for part in {"seed", "personal", *column["config"]["meta"]}:
                assert column["config"]["meta"].get(part) == whole.config.meta.get(part), f"{name}: {column['name']}"
