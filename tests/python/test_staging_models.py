"""What a raw table takes: an entry of raw.yml, and the command that writes what follows from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import indent

import pytest
from conftest import Dbt, build_into
from test_custom import copy_without_marts

from orchestration.contract import Contract, load_contract
from orchestration.settings import ROOT
from tools.staging_models import DOCUMENT, STAGING, TABLE_NAMES, generated_files, write

COMMAND = "run: .venv/bin/python -m tools.staging_models"
# a rule of every kind
VISITS = """\
- name: store_visits
  description: "Each row is one visit: a customer in a store."
  config: { meta: { key: [visit_id, visited_at], references: { order_id: orders.order_id } } }
  columns:
    - { name: visit_id, data_type: text, description: Id of the visit., config: { meta: { required: true } } }
    - { name: visited_at, data_type: timestamp, description: When it was., config: { meta: { required: true } } }
    - { name: order_id, data_type: text, description: "Order of the visit: always one.", config: { meta: { required: true } } }
    - { name: mood, data_type: text, description: Mood., config: { meta: { values: [good, bad] } } }
    - { name: score, data_type: integer, description: Points., config: { meta: { scale: { column: mood, good: [3, 5], bad: [0, 2] } } } }
    - { name: change, data_type: number, description: Change., config: { meta: { sign: { column: mood, good: positive } } } }
    - { name: tier, data_type: text, description: Tier., config: { meta: { seed: loyalty_tiers } } }
    - { name: note, data_type: text, description: Note., config: { meta: { personal: true } } }
"""  # noqa: E501
ROW = (
    "| store_visits | one visit: a customer in a store | visit_id, visited_at | visit_id*, visited_at*, "
    "order_id* (known in orders), mood (`good`, `bad`), score (`good` 3–5, `bad` 0–2), change (`good` > 0), "
    "tier (one of the seed `loyalty_tiers`), note |"
)
ORDERS = "order_id,customer_id,ordered_at,status,order_amount\no1,ann,2026-01-05,completed,120\n"
LANDED = """\
visit_id,visited_at,order_id,mood,score,tier,note
v1,2026-01-05,o1,good,3,gold,first
v1,2026-01-05,o1,good,5,gold,second
v2,2026-01-05,o9,good,5,gold,of an order that is not known
v3,2026-01-05,o1,bad,3,gold,
v4,2026-01-05,o1,bad,2,brass,
"""


def test_what_is_committed_follows_from_the_contract() -> None:
    differing = [path for path, text in generated_files(ROOT).items() if (ROOT / path).read_text("utf-8") != text]
    assert not differing, COMMAND


def test_no_staging_model_is_left_of_a_table_that_the_contract_does_not_have() -> None:
    found = {path.relative_to(ROOT) for path in (ROOT / STAGING).rglob("*.*")}
    assert found == {path for path in generated_files(ROOT) if path.is_relative_to(STAGING)} | {STAGING / "raw.yml"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's staging, and of the mart that counts every raw row, with one raw table more."""
    root = copy_without_marts(tmp_path_factory.mktemp("project"))
    for name in ("row_reconciliation.sql", "row_reconciliation.yml"):
        (root / "models" / "quality").mkdir(exist_ok=True)
        shutil.copy(ROOT / "models" / "quality" / name, root / "models" / "quality")
    (root / DOCUMENT).parent.mkdir()
    shutil.copy(ROOT / DOCUMENT, root / DOCUMENT)
    with (root / STAGING / "raw.yml").open("a", encoding="utf-8") as contract:
        contract.write(indent(VISITS, " " * 6))
    return root


@pytest.fixture(scope="module")
def written(project: Path) -> list[Path]:
    return write(project)


def test_the_command_writes_the_new_table_and_nothing_else(
    project: Path, written: list[Path], contract: Contract
) -> None:
    models = {STAGING / "base" / "base_store_visits", STAGING / "stg_store_visits"}
    new = {path.with_suffix(suffix) for path in models for suffix in (".sql", ".yml")}
    assert set(written) == new | {TABLE_NAMES, DOCUMENT}
    assert write(project) == []
    assert ROW in (project / DOCUMENT).read_text(encoding="utf-8").splitlines()
    assert list(load_contract(project).tables) == [*contract.tables, "store_visits"]


@pytest.mark.usefixtures("written")
def test_the_unit_tests_of_a_base_model_stay_as_they_are(project: Path) -> None:
    name = STAGING / "base" / "base_orders.yml"
    (project / name).write_text((ROOT / name).read_text("utf-8").replace("rejected (and why)", "rejected"), "utf-8")
    assert write(project) == [name]
    assert (project / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")


@pytest.mark.usefixtures("written")
def test_rows_of_a_new_table_are_judged_and_counted(project: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (raw / "store_visits.csv").write_text(LANDED, encoding="utf-8")
    dbt = Dbt(tmp_path / "target", root=project)
    arguments = (
        "build",
        "--select",
        "+stg_store_visits",
        "+row_reconciliation",
        "--exclude-resource-type",
        "unit_test",
    )
    world = build_into(tmp_path / "warehouse", raw, dbt, load_contract(project), arguments=arguments)

    # a score that is not on the scale of its mood is left out, as the column is optional
    accepted = "select visit_id, score, note from staging.stg_store_visits order by visit_id"
    assert world.rows(accepted) == [("v1", 5, "second"), ("v3", None, None)]
    rejected = "select row_key, reason_code from staging.base_store_visits where row_status = 'rejected' order by 1"
    assert world.rows(rejected) == [
        ("v2|2026-01-05", "unknown_reference"),
        ("v4|2026-01-05", "out_of_domain"),
    ]
    counted = "select rows_read, rows_accepted, rows_rejected, rows_superseded from quality.row_reconciliation"
    assert world.rows(f"{counted} where table_name = 'store_visits'") == [(5, 2, 2, 1)]

    model = dbt.manifest.nodes["model.stickiness.stg_store_visits"]
    assert model.description == "Each row is one visit: a customer in a store; the newest accepted version."
    assert "pii" in model.tags and model.columns["order_id"].description == "Order of the visit: always one."
