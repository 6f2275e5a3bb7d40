"""A company's own models in custom/: built, tested and published with the rest, and noticed though git ignores them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest
from dagster import Definitions, ExecuteInProcessResult
from test_definitions import refresh

from orchestration import dbt_project
from orchestration.definitions import build_definitions
from orchestration.engines.duckdb.publication import current, published_database
from orchestration.errors import ProjectError
from orchestration.settings import ROOT

pytestmark = pytest.mark.xdist_group("custom")

OWN = {
    "models/stores/acme_store_orders.sql": """
        select stores.store_id, stores.city, {{ acme_count('orders.order_id') }} as orders
        from {{ ref('acme_stores') }} as stores
        left join {{ ref('acme_known_orders') }} as orders on stores.store_id = orders.store_id
        group by stores.store_id, stores.city
    """,
    "models/stores/acme_store_orders.yml": """
        version: 2
        models:
          - name: acme_store_orders
            description: One row per store.
            config: { meta: { primary_key: [store_id] } }
            data_tests:
              - primary_key:
                  description: One row per store.
    """,
    "models/intermediate/acme_known_orders.sql": "select order_id, store_id from {{ ref('stg_orders') }}",
    "seeds/acme_stores.csv": "store_id,city\ns2,Shanghai\ns1,Beijing\n",
    "macros/acme_count.sql": "{% macro acme_count(column) %}count({{ column }}){% endmacro %}",
    "tests/assert_every_acme_order_has_a_known_store.sql": """
        select orders.* from {{ ref('acme_known_orders') }} as orders
        left join {{ ref('acme_stores') }} as stores on orders.store_id = stores.store_id
        where stores.store_id is null
    """,
}
ORDERS = "order_id,customer_id,ordered_at,status,order_amount,store_id\n"
KNOWN = ORDERS + "1,ann,2026-01-05,completed,120,s1\n2,bob,2026-01-06,completed,80,s1\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(content), encoding="utf-8")


def copy_without_marts(root: Path) -> Path:
    """The project with the models of staging and no others, and seeds without their tests: a refresh takes seconds."""
    for name in ("dbt_project.yml", "profiles.yml", "models/groups.yml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("macros", "tests/generic", "models/staging"):
        # without the tables of the fits there are no fits
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("predictive"))
    # profiles.yml has dbt load a module of it
    shutil.copytree(ROOT / "orchestration", root / "orchestration", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "seeds", root / "seeds", ignore=shutil.ignore_patterns("*.yml"))
    # run_context, and what it reads
    (root / "models" / "intermediate").mkdir()
    for file in (ROOT / "models" / "intermediate").glob("*.*"):
        shutil.copy(file, root / "models" / "intermediate")
    return root


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_without_marts(tmp_path_factory.mktemp("project"))


@pytest.mark.long
def test_what_a_company_adds_is_built_tested_and_published_and_its_failed_test_leaves_readers_where_they_were(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two refreshes in one test, since each starts dbt."""
    write(copy / "custom", OWN)
    raw, warehouse = tmp_path / "raw", tmp_path / "dw"
    write(raw, {"orders.csv": KNOWN})
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(raw))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(warehouse))
    definitions = build_definitions(copy)
    assert reports(refresh(definitions)) == []

    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{published_database(warehouse)}' AS published (READ_ONLY)")
        found = connection.execute("SELECT * FROM published.marts.acme_store_orders").fetchall()
        tables = connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    # in the order of its key
    assert found == [("s1", "Beijing", 2), ("s2", "Shanghai", 0)]
    assert ("acme_known_orders",) not in tables

    nodes = dbt_project.load_manifest(copy, "duckdb")["nodes"]
    mart = nodes["model.stickiness.acme_store_orders"]
    assert (mart["config"]["schema"], mart["config"]["group"], mart["access"]) == ("marts", "custom", "public")
    groups = {key.path[-1]: node.group_name for key, node in graph_of(definitions).items()}
    assert groups["acme_store_orders"] == "custom"

    first = current(warehouse)
    write(raw, {"orders.csv": KNOWN + "3,ann,2026-01-07,completed,50,s9\n"})
    [report] = reports(refresh(definitions))
    assert "assert_every_acme_order_has_a_known_store" in report and "store_id=s9" in report
    assert "custom/tests/assert_every_acme_order_has_a_known_store.sql" in report
    assert current(warehouse) == first


def reports(result: ExecuteInProcessResult) -> list[str | None]:
    """What the steps of a run that failed tell."""
    data = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return [failed.user_failure_data.description if failed.user_failure_data else str(failed.error) for failed in data]


def graph_of(definitions: Definitions) -> dict:
    graph = definitions.resolve_asset_graph()
    return {key: graph.get(key) for key in graph.get_all_asset_keys()}


def test_a_name_of_the_project_is_refused_with_what_to_do(tmp_path: Path) -> None:
    root = copy_without_marts(tmp_path)
    write(root / "custom", {"models/stg_orders.sql": "select 1 as n"})
    with pytest.raises(ProjectError) as error:
        dbt_project.load_manifest(root, "duckdb")
    assert 'dbt found two models with the name "stg_orders"' in str(error.value)
    assert "Rename the file in custom/" in str(error.value)


# What git does not see


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that ignores custom/ but for its example."""
    write(
        tmp_path,
        {
            "dbt_project.yml": "name: shop\nmodel-paths: [models, custom/models]\nseed-paths: [custom/seeds]\n",
            "models/orders.sql": "select 1 as n",
            "custom/README.md": "What this is.",
            "custom/models/example/example.sql": "select 1 as n",
            ".gitignore": (ROOT / ".gitignore").read_text(encoding="utf-8"),
        },
    )
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "-m", "first")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_git_ignores_what_a_company_adds_and_holds_the_example(repository: Path) -> None:
    held = git(repository, "ls-files", "custom").splitlines()
    assert held == ["custom/README.md", "custom/models/example/example.sql"]
    write(repository / "custom", OWN)
    # with a repository of the company's own inside
    git(repository, "init", "--quiet", "custom")
    assert git(repository, "status", "--porcelain") == ""
    write(repository / "custom", {"README.md": "Something else."})
    assert git(repository, "status", "--porcelain") == " M custom/README.md\n"


def test_the_code_version_tells_the_state_of_what_a_company_adds(repository: Path) -> None:
    commit = git(repository, "rev-parse", "--short=12", "HEAD").strip()
    assert dbt_project.code_version(repository) == commit
    write(repository / "custom", OWN)
    first = dbt_project.code_version(repository)
    assert first.startswith(f"{commit}+custom-")
    write(repository / "custom", {"seeds/acme_stores.csv": "store_id,city\ns1,Suzhou\n"})
    second = dbt_project.code_version(repository)
    assert second.startswith(f"{commit}+custom-") and second != first
    write(repository, {"models/orders.sql": "select 2 as n"})
    assert dbt_project.code_version(repository) == second.replace("+custom", "+changes+custom")


@pytest.mark.parametrize("name", ["models/stores/acme.sql", "models/acme.yml", "seeds/acme.csv"])
def test_the_manifest_is_made_anew_when_a_file_of_a_company_changes(repository: Path, name: str) -> None:
    before = dbt_project.content_hash(repository)
    write(repository / "custom", {name: "changed"})
    assert dbt_project.content_hash(repository) != before


def test_a_folder_that_is_a_link_is_looked_into_as_dbt_does(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (repository / "custom" / "models" / "acme").symlink_to(elsewhere)
    before = dbt_project.content_hash(repository)
    write(elsewhere, {"acme.sql": "select 1 as n"})
    assert dbt_project.content_hash(repository) != before
