"""The Dagster code location: what it holds, and a whole refresh of a project small enough to build here."""

import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from conftest import Dbt
from dagster import (
    AssetKey,
    DagsterInstance,
    DefaultScheduleStatus,
    Definitions,
    build_schedule_context,
    validate_run_config,
)

from orchestration import dbt_project
from orchestration import definitions as dagster_definitions
from orchestration.assets import dbt_models, model_fits, published, raw_tables
from orchestration.build_figures import built_tables
from orchestration.definitions import build_definitions
from orchestration.engines.duckdb.build import open_build
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import current, published_database
from orchestration.engines.duckdb.publication_ledger import Ledger
from orchestration.engines.registry import ADAPTERS
from orchestration.errors import BuildError, ProjectError, PublicationError
from orchestration.landing.broken_files import RawFolderError
from orchestration.publishing import Event, Publication, PublicationFacts, TableFigures
from orchestration.schedules import build_schedules
from orchestration.settings import ROOT, Settings, defaults_of, read_company_settings
from orchestration.warehouse_lock import Holder, holder_of
from tools.definitions_list import LIST, definitions_list

# the tests of this module share one parsed project
pytestmark = pytest.mark.xdist_group("definitions")


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(raw))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(tmp_path / "dw"))
    return raw


def refresh(definitions: Definitions, as_of: str | None = None):
    """Run the job; dbt's own messages go where pytest keeps them."""
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("refresh").execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "resources": {"refresh": {"config": {"as_of": as_of}}} if as_of else {},
            },
        )


def test_a_refresh_lands_builds_tests_and_publishes_and_a_failed_test_leaves_readers_where_they_were(
    definitions: Definitions, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two refreshes in one test, since each starts dbt. A copy for BI that cannot be made undoes nothing."""
    monkeypatch.setenv("PUBLISH_POSTGRES_DSN", "host=/nowhere user=shop password=geheim123")
    # the doubled order only warns
    (raw / "orders.csv").write_text("order_id,amount,email,colour\nO2,5,,red\nO1,3.5,,red\nO2,5,,red\n")
    result = refresh(definitions, as_of="2026-03-31")
    assert result.success
    warehouse = tmp_path / "dw"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{published_database(warehouse)}' AS published (READ_ONLY)")
        found = connection.execute("SELECT order_id FROM published.marts.orders").fetchall()
        files = connection.execute("SELECT * FROM published.quality.raw_files").fetchall()
    assert found == [("O1",), ("O2",), ("O2",)]
    assert files == [("orders", 3)]

    for private in ("landing", "build"):
        for path in [warehouse / private, *(warehouse / private).rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, f"others may use {path}"

    first = current(warehouse)
    assert str(first.as_of_date) == "2026-03-31"
    assert (first.tests_passed, first.tests_warned, first.tables) == (1, 1, 4)
    materialised = {event.asset_key: event.materialization for event in result.get_asset_materialization_events()}
    told = materialised[AssetKey("published")].metadata["copy"].value
    assert "The copy in PostgreSQL could not be made" in told[0] and "geheim123" not in str(result.all_events)
    told = {name: entry.value for name, entry in materialised[AssetKey("published")].metadata.items()}
    assert (told["as_of_date"], told["rows_rejected"], told["tests_passed"]) == ("2026-03-31", 0, 1)
    assert told["orders.sold"] == 13.5 and "orders.worthless" not in told
    mart = {name: entry.value for name, entry in materialised[AssetKey(["marts", "orders"])].metadata.items()}
    assert (mart["dagster/row_count"], mart["sold"]) == (3, 13.5) and "worthless" not in mart
    tags = result.dagster_run.tags
    assert (tags["company"], tags["as_of"]) == ("Company", "2026-03-31")
    orders, raw_files = materialised[AssetKey(["raw", "orders"])], materialised[AssetKey(["operations", "raw_files"])]
    assert orders.metadata["dagster/row_count"].value == 3
    assert orders.metadata["ignored_columns"].value == ["colour"]
    assert raw_files.metadata["absent_tables"].value == ["tickets"]
    checks = {check.check_name: (check.passed, check.severity.value) for check in result.get_asset_check_evaluations()}
    assert checks == {"an_order_stands_once": (False, "WARN"), "assert_no_order_is_negative": (True, "ERROR")}

    (raw / "orders.csv").write_text("order_id,amount,email\nO3,-1,ada@example.com\n")
    result = refresh(definitions)
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    report = failure.step_failure_data.user_failure_data.description
    assert report.startswith("The test assert_no_order_is_negative of orders failed.")
    assert "order_id=O3, amount=-1.00, email=***" in report
    assert not [event for event in result.all_events if event.step_key == "published" and event.is_step_success]
    assert current(warehouse) == first


def test_a_raw_folder_that_cannot_be_landed_fails_the_run_with_its_message_before_dbt_is_started(
    definitions: Definitions, raw: Path, tmp_path: Path
) -> None:
    (raw / "orders.csv").write_text("order_id\nO1\n")
    result = refresh(definitions)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_key == "raw_tables"
    assert "orders.csv" in failure.step_failure_data.user_failure_data.description
    assert not (tmp_path / "dw" / "build").exists()


def publish_before(warehouse: Path, company: str, **rows: int) -> None:
    """As if a publication of a company had been made: what the guard compares with is the ledger alone."""
    moment = datetime(2026, 3, 31)
    last = Publication(
        "20260331T000000Z-aaaa",
        moment,
        date(2026, 3, 31),
        "abc",
        1,
        1,
        1,
        0,
        1.0,
        company_id=company,
        rows_by_table=rows,
    )
    warehouse.mkdir(exist_ok=True)
    Ledger(warehouse).append(Event("published", moment, last.publication_id, None, last))


def land_only(definitions: Definitions, allow: str = ""):
    """Run the first step of the job alone."""
    keys = [["raw", "orders"], ["raw", "tickets"]]
    keys += [["operations", name] for name in ("run_parameters", "company_settings", "raw_files", "value_repairs")]
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("refresh").execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[AssetKey(key) for key in keys],
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "resources": {"refresh": {"config": {"allow": allow}}},
            },
        )


def report_of(result: Any) -> str:
    [failure] = [event for event in result.all_events if event.is_step_failure]
    return failure.step_failure_data.user_failure_data.description


def test_a_misnamed_file_is_refused_before_dbt_is_started_and_let_pass_by_the_flag_of_the_message(
    definitions: Definitions, raw: Path, tmp_path: Path
) -> None:
    publish_before(tmp_path / "dw", "Shop", orders=3, tickets=2)
    (raw / "company.yml").write_text("company_id: Shop\n")
    (raw / "order.csv").write_text("order_id,amount\nO1,3.5\n")
    result = refresh(definitions)
    report = report_of(result)
    assert report.splitlines()[1:3] == [
        "  orders_absent: No file holds rows of orders, of which the last publication has 3 rows. order.csv is not a "
        "table of the raw contract and was not read; did you mean orders?",
        "  table_gone: No file holds the table tickets, of which the last publication has 2 rows.",
    ]
    assert not (tmp_path / "dw" / "build" / "target" / "run_results.json").exists()
    [flag] = re.findall(r"ALLOW=(\S+)", report)

    result = land_only(definitions, allow=flag)
    assert result.success
    [files] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == AssetKey(["operations", "raw_files"])
    ]
    assert [line.split(":")[0] for line in files.metadata["guard"].value] == [
        "let pass (orders_absent)",
        "let pass (table_gone)",
    ]


def test_what_another_company_had_is_not_missed(definitions: Definitions, raw: Path, tmp_path: Path) -> None:
    publish_before(tmp_path / "dw", "Tea", orders=3, tickets=2)
    (raw / "orders.csv").write_text("order_id,amount\nO1,3.5\n")
    assert land_only(definitions).success
    # the id goes with the company, whatever it is called and wherever its files are
    (raw / "company.yml").write_text("company_id: Tea\n")
    assert "table_gone: No file holds the table tickets" in report_of(land_only(definitions))


def test_what_may_be_allowed_is_known(definitions: Definitions, raw: Path) -> None:
    assert 'allow in the run\'s configuration names "everything"' in report_of(land_only(definitions, "everything"))


JUDGED = {
    "nodes": {
        name: {"resource_type": "model", "name": name, "schema": schema, "alias": name}
        for name, schema in (
            ("base_orders", "staging"),
            ("base_order_items", "staging"),
            ("row_reconciliation", "quality"),
            ("rejected_rows", "quality"),
        )
    }
}


@pytest.fixture
def judged(tmp_path: Path) -> DuckDbEngine:
    """A build of 200 orders, the fifth rejected, worth 1 each, ten of them cancelled; and of two lines."""
    engine = DuckDbEngine(tmp_path / "dw")
    with open_build(engine.build_db) as connection:
        for statement in (
            "CREATE SCHEMA staging",
            "CREATE SCHEMA quality",
            "CREATE TABLE staging.base_orders AS SELECT CAST(1 AS DECIMAL(18, 4)) AS order_amount, "
            "CASE WHEN range < 10 THEN 'cancelled' ELSE 'paid' END AS status, "
            "CASE WHEN range % 5 = 4 THEN 'rejected' ELSE 'accepted' END AS row_status FROM range(200)",
            "CREATE TABLE staging.base_order_items AS SELECT * FROM (VALUES "
            "(2.5, 'accepted'), (4.0, 'superseded'), (8.0, 'accepted')) AS v(line_amount, row_status)",
            "CREATE TABLE quality.row_reconciliation AS SELECT * FROM (VALUES ('orders', 2, 200, 160, 40, 0, 0), "
            "('order_items', 1, 3, 2, 0, 1, 0), ('tickets', 0, 0, 0, 0, 0, 0)) "
            "AS v(table_name, files, rows_read, rows_accepted, rows_rejected, rows_superseded, rows_filtered)",
            "CREATE TABLE quality.rejected_rows AS SELECT 'orders' AS table_name, 'missing_value' AS reason_code, "
            "'customer_id is required and is empty' AS reason FROM range(40)",
        ):
            connection.execute(statement)
    return engine


def test_the_figures_of_a_build_are_those_of_its_accepted_rows(judged: DuckDbEngine) -> None:
    """Of 200 orders 160 are accepted; 8 of the ten cancelled ones among them, so that 152 are worth 1."""
    assert built_tables(judged, JUDGED) == {
        "order_items": TableFigures(1, 3, 2, 0, 1, Decimal("10.5")),
        "orders": TableFigures(2, 200, 160, 40, 0, Decimal(152)),
        "tickets": TableFigures(),
    }
    # a project that does not judge rows has none
    assert built_tables(judged, {"nodes": {}}) == {}


def test_a_build_is_refused_for_its_rejected_rows_with_their_reasons_and_let_pass_by_the_flag(
    judged: DuckDbEngine, shop: Path, tmp_path: Path
) -> None:
    settings = Settings(
        root=shop,
        raw_dir=tmp_path,
        warehouse=tmp_path / "dw",
        variables={"rejected_rows_limit": 39},
        defaults=defaults_of(read_company_settings(shop)),
    )
    facts = PublicationFacts(date(2026, 3, 31), "abc", 1, 0, datetime(2026, 4, 1), "Shop", built_tables(judged, JUDGED))
    with pytest.raises(PublicationError) as refusal:
        published._guard(JUDGED, settings, judged, facts, None, False)
    assert str(refusal.value).splitlines()[:4] == [
        "This build of Shop looks wrong, so it was not published.",
        "  rejected_rows: 40 of 200 rows of orders were rejected (20.0%), more than 5.0% (rejected_share_limit) and "
        "39 rows (rejected_rows_limit).",
        "Rejected rows (one by one in quality.rejected_rows of the build):",
        "  orders: 40 of 200 (20.0%) missing_value: customer_id is required and is empty (40)",
    ]
    allowed = replace(settings, allow=frozenset({"rejected_rows"}))
    assert published._guard(JUDGED, allowed, judged, facts, None, False)[0].startswith(
        "let pass (rejected_rows): 40 of"
    )
    # a hundred rows is the default: forty are only warned of
    usual = replace(settings, variables={})
    assert published._guard(JUDGED, usual, judged, facts, None, False)[0].startswith(
        "warning: 40 of 200 rows of orders"
    )


def test_an_as_of_that_is_no_day_fails_the_run_with_its_message(definitions: Definitions, raw: Path) -> None:
    result = refresh(definitions, as_of="tomorrow")
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert 'as_of in the run\'s configuration is "tomorrow"' in failure.step_failure_data.user_failure_data.description


def test_a_run_that_finds_the_warehouse_taken_stops_before_its_first_step(
    definitions: Definitions, raw: Path, tmp_path: Path
) -> None:
    (tmp_path / "dw").mkdir()
    with (tmp_path / "dw" / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        result = refresh(definitions)
    assert not result.success
    assert "Another refresh or rollback of the warehouse" in str(
        [event.event_specific_data for event in result.all_events]
    )
    assert not (tmp_path / "dw" / "landing").exists()


def test_a_run_holds_the_warehouse_by_name_while_its_steps_run(
    definitions: Definitions, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    holders: list[Holder | None] = []

    def land(*arguments: object) -> None:
        with (tmp_path / "dw" / ".lock").open("r") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                taken.append(True)
        holders.append(holder_of(tmp_path / "dw"))
        raise RawFolderError("enough")

    monkeypatch.setattr(raw_tables, "land", land)
    result = refresh(definitions)
    assert taken == [True]
    assert [holder.run_id for holder in holders] == [result.run_id]


def test_the_raw_tables_are_the_sources_of_dbt_and_the_marts_those_of_the_publication(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {
        "files/orders",
        "files/tickets",
        "raw/orders",
        "raw/tickets",
        "operations/run_parameters",
        "operations/company_settings",
        "operations/raw_files",
        "operations/value_repairs",
        "staging/run_context",
        "marts/orders",
        "quality/raw_files",
        "published",
    }
    parents = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    assert parents["raw/orders"] == ["files/orders"]
    assert parents["marts/orders"] == ["raw/orders"]
    assert parents["published"] == ["marts/orders", "quality/raw_files"]
    assert parents["staging/run_context"] == ["operations/run_parameters"]


def test_the_tests_of_error_severity_block_what_is_downstream(definitions: Definitions) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys
    specs = {key.name: definitions.resolve_asset_graph().get_check_spec(key).blocking for key in checks}
    assert specs == {"an_order_stands_once": False, "assert_no_order_is_negative": True}


def test_the_steps_share_a_pool_since_the_build_database_has_one_writer(definitions: Definitions) -> None:
    nodes = definitions.resolve_job_def("refresh").graph.node_defs
    assert {node.name: node.pool for node in nodes} == dict.fromkeys(
        ["raw_tables", "dbt_models", "published"], "warehouse_writer"
    )


def served(zone: str, **variables: Any) -> Settings:
    """The settings of a company that Dagster serves."""
    defaults = {**defaults_of(read_company_settings(ROOT)), **variables, "business_timezone": zone}
    return Settings(root=ROOT, raw_dir=ROOT, warehouse=ROOT / "warehouse", defaults=defaults)


def test_schedules_and_sensor_run_by_themselves_once_the_environment_says_so(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, running in (("", False), ("1", True)):
        monkeypatch.setenv("STICKINESS_AUTOMATIC", text)
        found = build_definitions(shop)
        statuses = {of.name: of.default_status.value for of in (*found.schedules, *found.sensors)}
        status = "RUNNING" if running else "STOPPED"
        assert statuses == {"nightly_refresh": status, "monthly_refit": status, "new_files": status}
        assert all(of.description for of in (*found.schedules, *found.sensors, *found.jobs))


def test_the_nightly_refresh_is_stopped_until_it_is_asked_for_and_is_as_of_the_day_that_has_ended() -> None:
    schedule, _ = build_schedules(served("Asia/Shanghai", company_id="小店"), is_running=False)
    assert schedule.default_status == DefaultScheduleStatus.STOPPED
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "Asia/Shanghai")
    tick = datetime(2026, 11, 22, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
    request = schedule.evaluate_tick(build_schedule_context(scheduled_execution_time=tick)).run_requests[0]
    assert request.run_config == {"resources": {"refresh": {"config": {"as_of": "2026-11-21", "is_automatic": True}}}}
    assert (request.tags["company"], request.tags["as_of"]) == ("小店", "2026-11-21")


def test_the_monthly_refit_fits_anew_as_of_the_last_day_of_the_month_that_has_ended() -> None:
    _, schedule = build_schedules(served("Asia/Shanghai"), is_running=True)
    assert schedule.default_status == DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 4 1 * *", "Asia/Shanghai")
    tick = datetime(2026, 11, 1, 4, tzinfo=ZoneInfo("Asia/Shanghai"))
    request = schedule.evaluate_tick(build_schedule_context(scheduled_execution_time=tick)).run_requests[0]
    asked = {"as_of": "2026-10-31", "is_automatic": True, "refit": True}
    assert request.run_config == {"resources": {"refresh": {"config": asked}}}


def test_what_is_scheduled_is_a_run_that_the_job_accepts(definitions: Definitions, raw: Path) -> None:
    tick = datetime(2026, 11, 22, 2, tzinfo=ZoneInfo("UTC"))
    for schedule in build_schedules(served("UTC"), is_running=False):
        context = build_schedule_context(scheduled_execution_time=tick)
        [request] = schedule.evaluate_tick(context).run_requests
        # it refuses a field that it does not know
        assert validate_run_config(definitions.resolve_job_def(schedule.job_name), request.run_config)


@pytest.mark.parametrize("full_refresh", [False, True])
def test_dbt_builds_once_without_unit_tests_and_from_nothing_only_if_asked(full_refresh: bool) -> None:
    arguments = dbt_models.build_arguments("duckdb", full_refresh)
    assert arguments[:5] == ["build", "--target", "duckdb", "--exclude-resource-type", "unit_test"]
    assert ("--full-refresh" in arguments) == full_refresh
    assert "--vars" not in arguments


def test_a_dbt_that_stops_before_its_first_model_is_told_with_what_it_said(tmp_path: Path) -> None:
    invocation = SimpleNamespace(process=SimpleNamespace(returncode=2), manifest={})
    settings = Settings(root=tmp_path, raw_dir=tmp_path, warehouse=tmp_path)
    with pytest.raises(BuildError, match="dbt stopped before it built anything:\nDatabase is locked"):
        dbt_models._check(invocation, settings, ["Database is locked"])


def test_a_dbt_that_is_still_running_is_ended_with_the_run_that_started_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    dbt_models._stop(process)
    # asked to end, and made to where a machine is too busy to let it
    assert process.returncode in (-signal.SIGTERM, -signal.SIGKILL)
    # one that has ended is left alone
    dbt_models._stop(process)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        (None, "Nothing has been built that could be published"),
        ([("model.shop.orders", "success")], "did not build customers"),
        ([("model.shop.orders", "success"), ("model.shop.customers", "skipped")], "did not build customers"),
        (
            [("model.shop.orders", "success"), ("model.shop.customers", "success"), ("test.shop.x", "fail")],
            "had failures",
        ),
    ],
)
def test_a_build_that_is_not_whole_or_failed_is_not_published(
    tmp_path: Path, results: list[tuple[str, str]] | None, reason: str
) -> None:
    """As when `published` alone is asked for in Dagster's pages."""
    built = {"resource_type": "model", "config": {"materialized": "table", "schema": "marts"}}
    nodes = {f"model.shop.{name}": {**built, "name": name, "alias": name} for name in ("orders", "customers")}
    target = dbt_project.target_folder(tmp_path)
    target.mkdir(parents=True)
    if results is not None:
        listed = [{"unique_id": unique_id, "status": status} for unique_id, status in results]
        (target / "run_results.json").write_text(json.dumps({"results": listed}))
    settings = Settings(root=tmp_path, raw_dir=tmp_path, warehouse=tmp_path)
    with pytest.raises(PublicationError, match=reason):
        published._outcome({"nodes": nodes, "sources": {}}, settings)


# The manifest


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The calls of dbt, which is replaced by something quicker."""
    calls: list[Path] = []

    def parse(root: Path, target: str, folder: Path) -> None:
        calls.append(root)
        (folder / "manifest.json").write_text('{"nodes": {}}')

    monkeypatch.setattr(dbt_project, "_parse", parse)
    return calls


@pytest.fixture
def copy(shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop, tmp_path / "copy", ignore=shutil.ignore_patterns("target", "logs")))


def test_an_unchanged_project_is_parsed_once(copy: Path, parses: list[Path]) -> None:
    assert dbt_project.load_manifest(copy, "duckdb") == {"nodes": {}}
    assert dbt_project.load_manifest(copy, "duckdb") == {"nodes": {}}
    assert parses == [copy]


@pytest.mark.parametrize(
    "name", ["dbt_project.yml", "profiles.yml", "models/marts/sales/orders.sql", "models/new.yml", "macros/new.sql"]
)
def test_a_project_is_parsed_again_when_a_file_of_it_changes(copy: Path, parses: list[Path], name: str) -> None:
    dbt_project.load_manifest(copy, "duckdb")
    with (copy / name).open("a") as file:
        file.write("\n# changed\n")
    dbt_project.load_manifest(copy, "duckdb")
    assert len(parses) == 2


@pytest.mark.parametrize("name", ["README.md", "orchestration/cli.py", "target/other.json"])
def test_a_project_is_not_parsed_again_when_dbt_does_not_read_what_changed(
    copy: Path, parses: list[Path], name: str
) -> None:
    dbt_project.load_manifest(copy, "duckdb")
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("changed")
    dbt_project.load_manifest(copy, "duckdb")
    assert len(parses) == 1


def test_each_target_is_parsed_for_itself(copy: Path, parses: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_project, "version", lambda package: "1.0")
    for target in ("duckdb", "spark", "duckdb", "spark"):
        dbt_project.load_manifest(copy, target)
    assert len(parses) == 2
    # its names are in every relation
    monkeypatch.setenv("STICKINESS_SPARK_SCHEMA", "another")
    dbt_project.load_manifest(copy, "spark")
    assert len(parses) == 3


def test_a_target_whose_packages_are_missing_is_told(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ADAPTERS, "spark", replace(ADAPTERS["spark"], package="dbt-of-nobody"))
    with pytest.raises(ProjectError, match="The package dbt-of-nobody is not installed. `make run TARGET=<name>`"):
        dbt_project.load_manifest(copy, "spark")


def test_a_build_starts_from_the_newest_parse(copy: Path, parses: list[Path], tmp_path: Path) -> None:
    target, parsed = tmp_path / "dw" / "target", copy / "target" / "refresh" / "duckdb" / "partial_parse.msgpack"
    dbt_project.load_manifest(copy, "duckdb")
    parsed.write_text("first")
    dbt_project.share_parse(copy, "duckdb", target)
    (target / "partial_parse.msgpack").write_text("as dbt left it")
    dbt_project.share_parse(copy, "duckdb", target)
    assert (target / "partial_parse.msgpack").read_text() == "as dbt left it"
    (copy / "models" / "new.sql").write_text("select 1 as n")
    dbt_project.load_manifest(copy, "duckdb")
    parsed.write_text("second")
    dbt_project.share_parse(copy, "duckdb", target)
    assert (target / "partial_parse.msgpack").read_text() == "second"


def test_what_other_dbt_commands_leave_is_not_taken_for_the_manifest(copy: Path, parses: list[Path]) -> None:
    dbt_project.load_manifest(copy, "duckdb")
    (copy / "target" / "manifest.json").write_text('{"nodes": {"model.of.another.state": {}}}')
    assert dbt_project.load_manifest(copy, "duckdb") == {"nodes": {}}


def test_a_parse_that_fails_is_told_and_tried_again(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Compilation Error: no model nope"
    done = SimpleNamespace(returncode=2, stdout=said, stderr="")
    monkeypatch.setattr(dbt_project.subprocess, "run", lambda *arguments, **options: done)
    for _ in range(2):
        with pytest.raises(ProjectError, match=f"cannot be parsed, so nothing was built:\n{said}"):
            dbt_project.load_manifest(copy, "duckdb")


def test_the_key_of_a_model_is_declared_in_its_meta_or_else_named_by_its_primary_key_test() -> None:
    manifest = {
        "nodes": {
            "model.orders": {"config": {"meta": {"primary_key": ["order_id"]}}},
            "model.lines": {"config": {"meta": {}}},
            "model.pages": {"config": {"meta": {}}},
            "test.1": {
                "attached_node": "model.lines",
                "test_metadata": {"name": "primary_key", "kwargs": {"columns": ["order_id", "line_number"]}},
            },
            "test.2": {
                "attached_node": "model.orders",
                "test_metadata": {"name": "primary_key", "kwargs": {"model": "orders"}},
            },
        }
    }
    assert dbt_project.primary_keys(manifest) == {
        "model.orders": ("order_id",),
        "model.lines": ("order_id", "line_number"),
    }


def test_the_code_version_without_git_is_a_hash_that_changes_with_the_project(copy: Path) -> None:
    before = dbt_project.code_version(copy)
    assert before.startswith("content-")
    (copy / "models" / "new.sql").write_text("select 1 as n")
    assert dbt_project.code_version(copy) != before


# The project itself


@pytest.fixture(scope="module")
def manifest(dbt: Dbt) -> dict:
    """The manifest of the real project, from the parse that all tests share."""
    return dbt.manifest and dbt_project.read_json(dbt.target / "manifest.json")


def test_every_source_and_mart_of_the_project_is_part_of_a_refresh_and_every_test_a_check(
    manifest: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster_definitions, "load_manifest", lambda root, target: manifest)
    graph = build_definitions(ROOT).resolve_asset_graph()
    unwritten = {key.path[0] for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable}
    assert unwritten == {"files"}, "the company writes its files, and a refresh everything else"
    assert [key.name for key in graph.asset_check_keys if not graph.get_check_spec(key).description] == []
    assert [key for key in graph.get_all_asset_keys() if "```" in (graph.get(key).description or "")] == []
    marts = {name for schema, name in dbt_project.published_models(manifest).values() if schema == "marts"}
    assert {"customers", "orders", "repurchase_rates"} <= marts
    assert {key.path[-1] for key in graph.get(AssetKey("published")).parent_keys} >= marts
    tests = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["config"]["enabled"]
    }
    assert {key.name for key in graph.asset_check_keys} == tests | {model_fits.CHECK}


def test_what_dagster_loads_is_what_is_committed(manifest: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_definitions, "load_manifest", lambda root, target: manifest)
    found = definitions_list(build_definitions(ROOT), manifest)
    assert found == LIST.read_text(encoding="utf-8"), (
        "where this is meant: .venv/bin/python -m tools.definitions_list, and commit what it writes"
    )


def test_every_published_model_names_its_key_so_that_its_rows_have_an_order(manifest: dict) -> None:
    keyless = dbt_project.published_models(manifest).keys() - dbt_project.primary_keys(manifest).keys()
    assert not [name for name in keyless if not dbt_project.is_custom(manifest["nodes"][name]["original_file_path"])]
