"""dbt by hand, where no refresh has come before it and where one has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import BUILD, Dbt, environment
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.cli.main import dbtRunner
from dbt_common.exceptions import DbtRuntimeError

from orchestration.contract import Contract
from orchestration.engines.duckdb import dbt_plugin
from orchestration.engines.duckdb.build import build_database, open_build, register
from orchestration.engines.duckdb.dbt_plugin import Plugin
from orchestration.landing.land import land
from orchestration.settings import ROOT, WAREHOUSE_DIR, load_settings
from orchestration.value_rules import value_rules

NOTHING_LANDED = "No rows have been landed in {}: "


def run_dbt(dbt: Dbt, warehouse: Path, *arguments: str) -> list[str]:
    """Run a command of dbt on a warehouse, as a person does; what it says. Raises AssertionError if it fails."""
    said: list[str] = []
    runner = dbtRunner(manifest=dbt.manifest, callbacks=[lambda event: said.append(event.info.msg)])
    places = ("--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target-path", str(dbt.target))
    with environment({WAREHOUSE_DIR: str(warehouse)}):
        try:
            done = runner.invoke([*arguments, *places])
        finally:
            DuckDBConnectionManager.close_all_connections()
    assert done.success, (done.exception, said)
    return said


def landed(messages: list[str], warehouse: Path) -> bool:
    return not [message for message in messages if message.startswith(NOTHING_LANDED.format(warehouse))]


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        ("compile", "--select", "nps"),
        ("show", "--inline", "select run_id from {{ source('operations', 'run_parameters') }}"),
        ("docs", "generate"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_of_dbt_works_in_a_warehouse_that_is_not_there_and_says_what_to_do(
    dbt: Dbt, tmp_path: Path, command: tuple[str, ...]
) -> None:
    warehouse = tmp_path / "new" / "warehouse"
    assert not landed(run_dbt(dbt, warehouse, *command), warehouse)
    assert build_database(warehouse).exists()


@pytest.mark.long
def test_dbt_builds_tests_and_shows_empty_marts_where_nothing_was_landed(dbt: Dbt, tmp_path: Path) -> None:
    said = run_dbt(dbt, tmp_path, *BUILD, "--select", "+nps", "+customers", "--indirect-selection", "buildable")
    assert len([message for message in said if message.startswith(NOTHING_LANDED.format(tmp_path))]) == 1
    # a later command says it again
    assert not landed(run_dbt(dbt, tmp_path, "test", "--select", "test_type:generic,nps"), tmp_path)
    assert not landed(run_dbt(dbt, tmp_path, "show", "--inline", "select * from {{ ref('nps') }}"), tmp_path)
    with open_build(build_database(tmp_path), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.customers").fetchall() == [(0,)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(dbt_plugin, "fire_event", lambda event, level: messages.append(event.msg))
    return messages


def plugin_of(warehouse: Path) -> Plugin:
    credentials = DuckDBCredentials(path=str(build_database(warehouse)))
    return Plugin("dbt_plugin", {}, credentials)


def test_what_a_refresh_has_registered_is_left_as_it_is(contract: Contract, tmp_path: Path, told: list[str]) -> None:
    raw, warehouse = tmp_path / "raw", tmp_path / "warehouse"
    raw.mkdir()
    (raw / "orders.csv").write_text(
        "order_id,customer_id,ordered_at,status,order_amount\no1,ann,2026-01-02,completed,5\n"
    )
    settings = load_settings({"STICKINESS_RAW_DIR": str(raw), WAREHOUSE_DIR: str(warehouse)})
    landing = land(raw, settings.landing_dir, contract, value_rules(settings))
    register(landing, settings, contract, build_database(warehouse), "run 1", datetime(2026, 1, 2, tzinfo=UTC))
    with duckdb.connect(str(build_database(warehouse))) as connection:
        plugin_of(warehouse).configure_connection(connection)
        assert connection.execute("select run_id from operations.run_parameters").fetchall() == [("run 1",)]
        assert connection.execute("select order_id from raw.orders").fetchall() == [("o1",)]
    assert not told


def test_a_warehouse_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    plugin = plugin_of(tmp_path / "taken")
    with pytest.raises(DbtRuntimeError, match=r"taken cannot be written to \(.+\)\. Set STICKINESS_WAREHOUSE_DIR"):
        plugin.update_connection_config(plugin.creds, {})
