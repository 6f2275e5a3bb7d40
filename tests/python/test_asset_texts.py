"""What Dagster's pages say of assets, checks, owners and figures."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Dbt, World

from orchestration.asset_texts import asset_description, check_description, owners_by_group, owners_of
from orchestration.dbt_project import published_models, read_json
from orchestration.engines.duckdb.build import open_build
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.figures import HEADLINE_MARTS, ROW_COUNT, headline_figures, mart_figures
from orchestration.settings import ROOT, Settings, defaults_of, read_company_settings

pytestmark = pytest.mark.xdist_group("sample")


def company(**variables: Any) -> Settings:
    known = defaults_of(read_company_settings(ROOT))
    return Settings(root=ROOT, raw_dir=ROOT, warehouse=ROOT, variables=variables, defaults=known)


@pytest.fixture(scope="module")
def manifest(dbt: Dbt) -> dict:
    return dbt.manifest and read_json(dbt.target / "manifest.json")


def test_a_mart_is_described_below_its_labels_and_without_its_sql() -> None:
    node = {
        "description": "One row per\n  order.\n",
        "raw_code": "select 1",
        "config": {"meta": {"label_en": "Orders", "label_zh": "订单"}},
    }
    assert asset_description(node) == "**Orders · 订单**\n\nOne row per order."
    assert asset_description({**node, "config": {"meta": {}}}) == "One row per order."


def test_a_check_says_what_its_test_means() -> None:
    assert check_description({"description": "One row per key.\nLook at the joins."}) == (
        "One row per key. Look at the joins."
    )
    assert check_description({"description": ""}) is None


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        ("none", []),
        ("Data platform", ["team:Data platform"]),
        ("ada@example.com", ["ada@example.com"]),
        ("ada@localhost", ["team:ada@localhost"]),
        ("数据组", ["team:数据组"]),
    ],
)
def test_an_owner_is_an_address_or_a_team(owner: str, shown: list[str]) -> None:
    assert owners_of(company(data_owner=owner), "data_owner") == shown
    assert owners_of(company(data_owner=owner), "analytics_owner") == []
    assert owners_of(company(data_owner=owner), None) == []


def test_every_group_names_the_setting_of_its_owner(manifest: dict) -> None:
    owners = owners_by_group(manifest, company(data_owner="data", analytics_owner="crm"))
    assert (owners["staging"], owners["value"]) == (["team:data"], ["team:crm"])
    assert {tuple(names) for names in owners.values()} == {("team:data",), ("team:crm",)}


def test_the_figures_of_a_mart_are_its_rows_and_what_its_yaml_names(tmp_path: Path) -> None:
    engine = DuckDbEngine(tmp_path)
    with open_build(engine.build_db) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(
            "CREATE TABLE marts.orders AS SELECT range AS amount, 2.5::decimal(9, 2) AS fee FROM range(4)"
        )
        connection.execute("CREATE TABLE marts.empty AS SELECT 1 AS amount WHERE false")

    def node(name: str, **figures: str) -> dict[str, Any]:
        meta = {"figures": figures} if figures else {}
        return {
            "unique_id": f"model.shop.{name}",
            "name": name,
            "schema": "marts",
            "alias": name,
            "config": {"meta": meta},
        }

    described = [node("orders", sold="sum(amount)", fee="avg(fee)", none="sum(amount) filter (where amount > 9)")]
    described += [node("empty", mean="avg(amount)")]
    manifest, told = {"nodes": {of["unique_id"]: of for of in described}}, []
    figures = mart_figures(engine, manifest, list(manifest["nodes"]), told.append)
    assert figures == {"model.shop.orders": {ROW_COUNT: 4, "sold": 6, "fee": 2.5}, "model.shop.empty": {ROW_COUNT: 0}}
    assert headline_figures(manifest, figures) == {"orders.sold": 6, "orders.fee": 2.5}
    assert mart_figures(engine, manifest, [], told.append) == {} and told == []

    manifest["nodes"]["model.shop.empty"]["config"]["meta"]["figures"]["mean"] = "avg(nothing)"
    assert mart_figures(engine, manifest, list(manifest["nodes"]), told.append) == {}
    assert len(told) == 1 and "nothing" in told[0]


def test_every_figure_has_a_value_in_the_sample_company(sample_world: World, manifest: dict) -> None:
    models, told = list(published_models(manifest)), []
    figures = mart_figures(DuckDbEngine(sample_world.settings.warehouse), manifest, models, told.append)
    assert told == []
    declared = {name: set(manifest["nodes"][name]["config"]["meta"].get("figures") or {}) for name in models}
    assert {name: set(of) - {ROW_COUNT} for name, of in figures.items()} == declared
    assert set(HEADLINE_MARTS) <= {manifest["nodes"][name]["name"] for name, of in declared.items() if of}
