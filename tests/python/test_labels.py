"""Codes have labels: every column of codes that BI reads has its English and Chinese label beside it, from a seed."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from conftest import Dbt, World
from oracle.labels import Labels

from orchestration.contract import Contract
from orchestration.dbt_project import is_custom
from orchestration.settings import ROOT

SEEDS_FOLDER = ROOT / "seeds"
LANGUAGES = ("en", "zh")

# texts that BI reads as they are: names, places and sentences of the company's own
FREE_TEXTS = {
    "brand",
    # of a product; that of a ticket is a code
    "category",
    "city",
    "column_name",
    "example",
    "example_key",
    "file_name",
    "linked_through",
    "occupation",
    "product_name",
    "raw_row",
    "reason",
    "reason_1",
    "reason_2",
    "reason_3",
    "region",
    "row_key",
    "source_mart",
    "source_system",
    "subcategory",
    "table_name",
}
# written in both languages by the model that makes them, not from a seed
WORDED = {f"reason_{place}_{language}" for place in (1, 2, 3) for language in LANGUAGES}
# texts of a seed that are no codes
WORDED |= {f"{text}_{language}" for text in ("label", "owner", "definition") for language in LANGUAGES}
# types of which a company has codes of its own, and the values of dimensions that are names: shown as they are where no
# seed has a label
OPEN_TYPES = {
    "",
    "channel",
    "cohort",
    "country",
    "expiry_bucket",
    "income_band",
    "language",
    "priority",
    "ticket_category",
}

# columns of the raw contract with a list of values that reaches a mart, and the type of their codes
DOMAINS = {
    ("consents", "channel"): "channel",
    ("customers", "gender"): "gender",
    ("memberships", "status"): "membership_status",
    ("orders", "status"): "order_status",
    ("points_transactions", "type"): "points_movement",
    ("social_mentions", "platform"): "platform",
    ("survey_invitations", "survey_type"): "survey_type",
    ("survey_invitations", "trigger"): "survey_trigger",
    ("survey_responses", "survey_type"): "survey_type",
}


@pytest.fixture(scope="module")
def labels() -> Labels:
    return Labels(SEEDS_FOLDER)


@pytest.fixture(scope="module")
def read_by_bi(dbt: Dbt) -> list[Any]:
    """The product's marts; one under an old name has the columns that it always had."""
    marts = [
        node
        for node in dbt.manifest.nodes.values()
        if node.resource_type == "model" and node.fqn[1] in ("marts", "quality")
    ]
    return [mart for mart in marts if not (mart.deprecation_date or is_custom(mart.original_file_path))]


def coded(model: Any) -> dict[str, Any]:
    """Columns of codes, and where their labels come from."""
    return {
        name: column.config.meta["codes"] for name, column in model.columns.items() if column.config.meta.get("codes")
    }


def test_every_text_that_bi_reads_is_a_code_or_known_to_be_none(read_by_bi: list[Any]) -> None:
    undecided = []
    for model in read_by_bi:
        codes = coded(model)
        decided = codes.keys() | {f"{name}_{language}" for name in codes for language in LANGUAGES}
        decided |= FREE_TEXTS | WORDED
        undecided += [
            f"{model.name}.{name}"
            for name, column in model.columns.items()
            if column.data_type == "string" and name not in decided and not name.endswith("_id")
        ]
    assert not undecided


def test_a_column_that_is_tested_against_a_seed_declares_its_codes(dbt: Dbt, read_by_bi: list[Any]) -> None:
    by_id = {model.unique_id: model for model in read_by_bi}
    undeclared = [
        test.name
        for test in dbt.manifest.nodes.values()
        if getattr(test, "attached_node", None) in by_id and test.test_metadata.name == "known_values"
        if any(unique_id.startswith("seed.") for unique_id in test.depends_on.nodes)
        if test.test_metadata.kwargs["column_name"] not in coded(by_id[test.attached_node])
    ]
    assert not undeclared


def test_both_labels_stand_right_after_their_code(read_by_bi: list[Any]) -> None:
    wrong = []
    for model in read_by_bi:
        names = list(model.columns)
        for name in coded(model):
            siblings = [f"{name}_{language}" for language in LANGUAGES]
            place = names.index(name)
            types = [model.columns[sibling].data_type for sibling in siblings if sibling in names]
            if names[place + 1 : place + 3] != siblings or types != ["string", "string"]:
                wrong.append(f"{model.name}.{name}")
    assert not wrong


def test_codes_are_of_a_type_that_has_labels(read_by_bi: list[Any], labels: Labels) -> None:
    types = {code_type for model in read_by_bi for code_type in coded(model).values() if isinstance(code_type, str)}
    assert types == labels.code_types


def test_every_seed_with_labels_reaches_the_marts(dbt: Dbt) -> None:
    labelled = {
        path.stem
        for path in SEEDS_FOLDER.glob("*.csv")
        if "label_zh" in next(csv.reader(path.open(encoding="utf-8", newline="")))
    }
    parents = {
        node.name: node.depends_on.nodes for node in dbt.manifest.nodes.values() if node.resource_type == "model"
    }
    read, found = ["int_code_labels"], {"int_code_labels"}
    while read:
        names = {parent.split(".")[-1] for parent in parents.get(read.pop(), [])} - found
        found |= names
        read += names
    assert labelled <= found


def test_every_label_is_there_in_both_languages() -> None:
    for path in SEEDS_FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                assert row.get("label_en", "-") and row.get("label_zh", "-"), f"{path.name}: {row}"


def test_every_value_that_the_raw_contract_lists_and_a_mart_shows_has_a_label(
    contract: Contract, labels: Labels
) -> None:
    missing = [
        f"{table}.{name}: {value}"
        for (table, name), code_type in DOMAINS.items()
        for column in contract.tables[table].columns
        if column.name == name
        for value in column.values
        if labels.find(code_type, value) is None
    ]
    assert not missing


# The labels of whole builds


def wrong_labels(world: World, models: list[Any], labels: Labels) -> list[str]:
    """Each code of the marts whose labels are not those of the seeds."""
    wrong = []
    for model in models:
        for column, code_type in coded(model).items():
            type_sql = code_type["column"] if isinstance(code_type, dict) else f"'{code_type}'"
            rows = world.rows(
                f"select distinct {type_sql}, cast({column} as varchar), {column}_en, {column}_zh "
                f"from {model.schema}.{model.name}"
            )
            for of_type, code, label_en, label_zh in rows:
                found = (None, None) if code is None else labels.find(of_type, code)
                if found is None and labels.type_of(of_type) not in OPEN_TYPES:
                    wrong.append(f"{model.name}.{column}: {code} of {of_type} has no label")
                elif (label_en, label_zh) != (found or (code, code)):
                    wrong.append(f"{model.name}.{column}: {code} is {label_en}, {label_zh}; expected {found}")
    return wrong


@pytest.mark.worlds
@pytest.mark.long
@pytest.mark.xdist_group("sample")
def test_each_code_of_the_sample_company_has_the_labels_of_its_seed(
    sample_world: World, read_by_bi: list[Any], labels: Labels
) -> None:
    assert not wrong_labels(sample_world, read_by_bi, labels)


@pytest.mark.worlds
@pytest.mark.xdist_group("cdnow")
def test_each_code_of_cdnow_has_the_labels_of_its_seed(
    cdnow_world: World, read_by_bi: list[Any], labels: Labels
) -> None:
    assert not wrong_labels(cdnow_world, read_by_bi, labels)
