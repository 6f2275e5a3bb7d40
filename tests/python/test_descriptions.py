"""The published file explains itself: comments, quality.dictionary, and what codes are called."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import Dbt

from orchestration.cells import cells_of, check_cells
from orchestration.dbt_project import label_seeds, load_manifest, primary_keys, published_models, read_json
from orchestration.descriptions import (
    WRITTEN_BY_PUBLICATION,
    ColumnDescription,
    Descriptions,
    TableDescription,
)
from orchestration.dictionary import describe_published, unit
from orchestration.engines.duckdb.publication import publish, published_database
from orchestration.errors import ProjectError
from orchestration.publishing import PUBLICATIONS, PublicationFacts
from orchestration.settings import ROOT

NPS = TableDescription(
    "One row per month: the score. It's a difference.",
    (
        ColumnDescription("month", "date", "First day.", "Month", "月份", key_position=1),
        ColumnDescription("nps", "double", "The owner's score; -100 to 100.", "NPS", "净推荐值"),
        ColumnDescription("gone", "double", "Said by the YAML, and not in the table."),
    ),
    "Net promoter score",
    "净推荐值",
)
TIERS = TableDescription("From which amount on a tier is given.", (ColumnDescription("tier", "string", "Tier."),))


@pytest.fixture
def published(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A published version of a mart with one column that nobody describes, and of a seed of labels."""
    build_db = tmp_path / "build" / "warehouse.duckdb"
    build_db.parent.mkdir()
    with duckdb.connect(str(build_db)) as connection:
        connection.execute("CREATE SCHEMA marts; CREATE SCHEMA seeds; CREATE SCHEMA quality")
        connection.execute("CREATE TABLE marts.nps AS SELECT DATE '2026-01-01' AS month, 12.5 AS nps, 7 AS own")
        connection.execute("CREATE TABLE seeds.tiers AS SELECT * FROM (VALUES ('gold'), ('basic')) AS v(tier)")
        connection.execute("CREATE TABLE seeds.secret AS SELECT 1 AS n")
    descriptions: Descriptions = {("marts", "nps"): NPS, ("labels", "tiers"): TIERS, **WRITTEN_BY_PUBLICATION}
    tables = {("marts", "nps"): ("month",), ("labels", "tiers"): ("tier",)}
    facts = PublicationFacts(date(2026, 11, 21), "abc123", 7, 0, datetime.now(UTC))
    publish(build_db, tmp_path, facts, tables, descriptions=descriptions)
    with duckdb.connect(str(published_database(tmp_path)), read_only=True) as connection:
        yield connection


def test_tables_and_columns_have_both_labels_and_their_definition_as_comments(
    published: duckdb.DuckDBPyConnection,
) -> None:
    tables = dict(published.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
    assert tables["nps"] == "Net promoter score | 净推荐值: One row per month: the score. It's a difference."
    assert tables["tiers"] == "From which amount on a tier is given."
    columns = published.execute("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'nps'").fetchall()
    assert columns == [
        ("month", "Month | 月份: First day."),
        ("nps", "NPS | 净推荐值: The owner's score; -100 to 100."),
        ("own", ""),
    ]


def test_the_dictionary_has_a_row_for_each_column_that_is_published(published: duckdb.DuckDBPyConnection) -> None:
    columns = published.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    listed = published.execute("SELECT mart, column_name FROM quality.dictionary").fetchall()
    assert sorted(listed) == sorted(columns)
    assert published.execute("SELECT * FROM quality.dictionary WHERE mart IN ('nps', 'tiers')").fetchall() == [
        ("tiers", "tier", "string", None, None, "Tier.", None, None, None, None),
        ("nps", "month", "date", "Month", "月份", "First day.", "One row per month", None, 1, None),
        (
            "nps",
            "nps",
            "double",
            "NPS",
            "净推荐值",
            "The owner's score; -100 to 100.",
            "One row per month",
            None,
            None,
            None,
        ),
        ("nps", "own", None, None, None, None, "One row per month", None, None, None),
    ]


def test_the_dictionary_counts_among_the_tables_of_its_publication(published: duckdb.DuckDBPyConnection) -> None:
    [(columns,)] = published.execute("SELECT count(*) FROM quality.dictionary").fetchall()
    # a row of nps, two tiers and the publication itself
    assert published.execute("SELECT tables, rows FROM quality.publications").fetchall() == [(4, columns + 4)]


def test_labels_are_published_in_a_schema_of_their_own_and_other_seeds_are_not(
    published: duckdb.DuckDBPyConnection,
) -> None:
    assert published.execute("SELECT tier FROM labels.tiers").fetchall() == [("basic",), ("gold",)]
    assert published.execute("SELECT * FROM duckdb_tables() WHERE table_name = 'secret'").fetchall() == []


@pytest.mark.parametrize(
    ("name", "data_type", "expected"),
    [
        ("net_revenue", "decimal(38,4)", "EUR"),
        ("predicted_clv_30d", "decimal(38,4)", "EUR"),
        ("average_order_value", "decimal(38,4)", "EUR"),
        ("quantity", "decimal(18,4)", None),
        ("points_redeemed_12m", "decimal(38,4)", "points"),
        ("repurchase_rate_low", "double", "share"),
        ("churn_probability_90d", "double", "share"),
        ("share", "double", "share"),
        ("net_favourable_share", "double", None),
        ("nps_change_low", "double", None),
        ("days_since_previous_purchase", "bigint", "days"),
        ("tenure_days", "integer", "days"),
        ("median_resolution_hours", "double", "hours"),
        ("purchase_days_per_buyer", "double", None),
        ("customers", "bigint", None),
        ("is_share", "boolean", None),
    ],
)
def test_a_unit_is_told_where_name_and_type_say_it(name: str, data_type: str, expected: str | None) -> None:
    assert unit(name, data_type, "EUR") == expected


@pytest.mark.parametrize(
    ("definition", "grain"),
    [
        ("One row per customer, guest or not. Names are not here.", "One row per customer, guest or not"),
        ("One row per period and cut: 100 × (a − b).", "One row per period and cut"),
        ("One row per column: see docs.md", "One row per column"),
        ("One row per rate of 0.5 and day", "One row per rate of 0.5 and day"),
        ("From which age on a band holds.", None),
    ],
)
def test_the_grain_is_what_the_definition_begins_with(definition: str, grain: str | None) -> None:
    assert TableDescription(definition, ()).grain == grain


# The project itself


@pytest.fixture(scope="module")
def manifest(dbt: Dbt) -> dict[str, Any]:
    return dbt.manifest and read_json(dbt.target / "manifest.json")


def test_every_published_column_of_the_product_is_explained(manifest: dict[str, Any]) -> None:
    descriptions = describe_published(manifest, "CNY")
    assert len(descriptions) == len(published_models(manifest)) + len(label_seeds(manifest)) + 2
    unexplained = [
        f"{table[1]}.{column.name}"
        for table, described in descriptions.items()
        for column in described.columns
        if not (column.definition and column.data_type)
        or (table[0] != "labels" and not (column.label_en and column.label_zh and described.grain))
    ]
    assert not unexplained


def test_the_key_in_the_dictionary_is_that_of_the_mart(manifest: dict[str, Any]) -> None:
    keys, descriptions = primary_keys(manifest), describe_published(manifest, "CNY")
    for unique_id, table in published_models(manifest).items():
        places = {column.key_position: column.name for column in descriptions[table].columns if column.key_position}
        assert tuple(places[place] for place in sorted(places)) == keys[unique_id]


def test_cells_name_columns_and_no_mart_of_single_customers_is_made_of_cells(manifest: dict[str, Any]) -> None:
    wrong, found = [], 0
    for unique_id in published_models(manifest):
        node = manifest["nodes"][unique_id]
        cells, columns = node["config"]["meta"].get("cells"), node["columns"]
        if cells is None:
            continue
        found += 1
        of_one_customer = {name for name in columns if name.endswith("_id")} - {"product_id"}
        if of_one_customer or cells.keys() != {"customers", "within"} or not cells["customers"]:
            wrong.append(node["name"])
        wrong += [f"{node['name']}.{name}" for names in cells.values() for name in names if name not in columns]
        wrong += [name for name in cells["customers"] if columns[name]["data_type"] != "bigint"]
    assert not wrong
    assert found == 18


@pytest.mark.parametrize("mart", ["time_to_second_purchase", "cohort_retention"])
def test_a_mart_whose_rows_follow_from_one_another_is_not_shown_as_cells(mart: str) -> None:
    """Those at risk on a day are those of the day before less who left; who is retained is a running total."""
    [path] = (ROOT / "models").rglob(f"{mart}.yml")
    [model] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    assert model["config"]["meta"]["label_en"] and "cells" not in model["config"]["meta"]


def node_with(meta: dict[str, Any]) -> dict[str, Any]:
    described = {"description": "", "data_type": "bigint", "config": {}}
    return {
        "name": "own_mart",
        "resource_type": "model",
        "patch_path": "stickiness://custom/models/own_mart.yml",
        "description": "One row per month.",
        "config": {"meta": meta},
        # one name is part of the other
        "columns": {name: described for name in ("month", "customers", "active_customers")},
    }


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (None, "is None"),
        (["customers"], r"is \['customers'\]"),
        ({"customers": ["customers"]}, "is {'customers'"),
        ({"customers": ["customers"], "within": [], "whitin": ["month"]}, "is {'customers'"),
        ({"customers": ["customers"], "within": None}, "has None as within"),
        ({"customers": [], "within": ["month"]}, "names no column of customers"),
        ({"customers": ["buyers"], "within": ["month"]}, "names buyers as customers"),
        ({"customers": ["customers"], "within": "mont"}, "names mont as within"),
    ],
)
def test_cells_that_are_said_wrongly_are_told_with_their_model(cells: object, said: str) -> None:
    with pytest.raises(ProjectError, match=rf"the model own_mart {said}.*expected cells.*custom/models/own_mart\.yml"):
        check_cells({"nodes": {"model.shop.own_mart": node_with({"cells": cells})}})


def test_a_text_in_cells_is_one_name() -> None:
    assert cells_of(node_with({"cells": {"customers": "active_customers", "within": []}})) == {
        "customers": ("active_customers",),
        "within": (),
    }
    assert cells_of(node_with({})) == {}


def test_cells_that_are_said_wrongly_stop_a_run_before_it_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(root: Path, target: str, folder: Path) -> None:
        (folder / "manifest.json").write_text(json.dumps({"nodes": {"own": node_with({"cells": None})}}))

    monkeypatch.setattr("orchestration.dbt_project._parse", parse)
    monkeypatch.setattr("orchestration.dbt_project.content_hash", lambda root, target: "1")
    with pytest.raises(ProjectError, match="the model own_mart is None"):
        load_manifest(tmp_path, "duckdb")


def test_every_seed_that_names_codes_is_published_as_labels(manifest: dict[str, Any]) -> None:
    named = {
        path.stem
        for path in (ROOT / "seeds").glob("*.csv")
        if "label_zh" in next(csv.reader(path.open(encoding="utf-8", newline="")))
    }
    assert {name for _, name in label_seeds(manifest).values()} == named
    assert {schema for schema, _ in label_seeds(manifest).values()} == {"labels"}


def test_no_two_published_tables_have_one_name(manifest: dict[str, Any]) -> None:
    names = [name for _, name in describe_published(manifest, "CNY")]
    assert len(names) == len(set(names))


def test_the_document_of_publications_calls_its_columns_what_the_dictionary_does() -> None:
    text = (ROOT / "docs" / "publication.md").read_text(encoding="utf-8")
    section = text.split("## quality.publications")[1].split("##")[0]
    documented = {name: label for name, label in re.findall(r"^\| (\w+) \|.*\| (\S.*?) \|$", section, re.M)}
    documented.pop("column")
    described = WRITTEN_BY_PUBLICATION[PUBLICATIONS].columns
    assert documented == {column.name: column.label_zh for column in described}
