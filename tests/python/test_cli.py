"""The commands: what they tell, to whom, and with which exit status."""

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
import yaml

from orchestration import cli, summary
from orchestration.build_figures import table_figures
from orchestration.empty_marts import empty_marts
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import current, publish
from orchestration.errors import BuildError, ProjectError
from orchestration.landing.broken_files import RawFolderError
from orchestration.publishing import Publication, PublicationFacts


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(raw))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(tmp_path / "dw"))
    # what the commands set for the processes that they start
    for name in (
        "STICKINESS_AS_OF",
        "STICKINESS_FULL_REFRESH",
        "STICKINESS_REFIT",
        "STICKINESS_ALLOW",
        "DAGSTER_HOME",
        "DAGSTER_DISABLE_TELEMETRY",
    ):
        monkeypatch.setenv(name, "")
    return raw


@pytest.fixture
def warehouse(raw: Path, tmp_path: Path) -> Path:
    return tmp_path / "dw"


def published(warehouse: Path, *statements: str) -> str:
    """Publish a build that the statements make."""
    build_db = warehouse / "build" / "warehouse.duckdb"
    build_db.parent.mkdir(parents=True, exist_ok=True)
    build_db.unlink(missing_ok=True)
    with duckdb.connect(str(build_db)) as connection:
        for statement in ("CREATE SCHEMA marts", "CREATE SCHEMA quality", *statements):
            connection.execute(statement)
        connection.execute("CREATE TABLE marts.something AS SELECT 1 AS n")
    facts = PublicationFacts(date(2026, 11, 21), "abc123", 7, 0, datetime.now(UTC))
    return publish(build_db, warehouse, facts).publication_id


def stopped_by(error: BaseException) -> Callable[..., None]:
    def run(*arguments: object) -> None:
        raise error

    return run


def failed_with(description: str | None, error: str = "") -> Callable[..., SimpleNamespace]:
    """A run whose step failed, as Dagster records it."""
    told = SimpleNamespace(description=description) if description is not None else None
    recorded = SimpleNamespace(to_string=lambda: error, cls_name=error.split(":")[0])
    data = SimpleNamespace(user_failure_data=told, error=recorded)
    event = SimpleNamespace(is_step_failure=True, step_failure_data=data, step_key="dbt_models")
    result = SimpleNamespace(success=False, all_events=[event])
    return lambda settings: cli.Run(result, 1.0)


# Refresh


@pytest.mark.parametrize(
    "error",
    [
        RawFolderError("orders.csv lacks customer_id"),
        ProjectError("the project cannot be parsed"),
        BuildError("a test failed"),
    ],
)
def test_an_expected_error_is_told_without_a_traceback_and_with_what_is_still_published(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    before = published(warehouse)
    monkeypatch.setattr(cli, "_run_job", stopped_by(error))
    assert cli.main(["refresh"]) == 1
    said = capsys.readouterr()
    assert str(error) in said.err
    assert f"what was published before is untouched: {before}, " in said.err
    assert "as of 2026-11-21" in said.err
    assert "Traceback" not in said.err


def test_a_failed_step_is_told_by_its_report(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_run_job", failed_with("The test x of orders failed.\n  found: 3 rows"))
    assert cli.main(["refresh"]) == 1
    said = capsys.readouterr().err
    assert "The test x of orders failed.\n  found: 3 rows\n" in said
    assert "nothing has been published yet" in said


def test_a_step_that_failed_unexpectedly_is_told_with_what_dagster_recorded(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_run_job", failed_with(None, "ZeroDivisionError: division by zero"))
    assert cli.main(["refresh"]) == 1
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_a_defect_shows_its_traceback_and_what_is_still_published(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = published(warehouse)
    monkeypatch.setattr(cli, "_run_job", stopped_by(ZeroDivisionError("a defect")))
    assert cli.main(["refresh"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said and "a defect" in said
    assert before in said


def test_a_wrong_setting_is_told_before_anything_is_started(
    raw: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_run_job", stopped_by(AssertionError("started")))
    (raw / "company.yml").write_text("reporting_curency: EUR\n")
    assert cli.main(["refresh"]) == 1
    assert "Did you mean reporting_currency?" in capsys.readouterr().err
    assert not warehouse.exists()


def test_a_second_refresh_is_refused_with_a_status_of_its_own(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_run_job", stopped_by(AssertionError("started")))
    warehouse.mkdir()
    with (warehouse / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert cli.main(["refresh"]) == 3
        assert cli.main(["rollback"]) == 3
    assert capsys.readouterr().err.count("Another refresh or rollback") == 2


@pytest.mark.parametrize(
    "run", [stopped_by(KeyboardInterrupt()), failed_with(None, "DagsterExecutionInterruptedError: stack trace")]
)
def test_an_interrupted_refresh_ends_without_a_traceback_and_gives_the_warehouse_back(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Callable
) -> None:
    monkeypatch.setattr(cli, "_run_job", run)
    assert cli.main(["refresh"]) == 130
    told = "Interrupted. What is published is whole; which version it is says: make versions\n"
    assert capsys.readouterr().err == told
    with (warehouse / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_steps_and_their_processes_read_absolute_paths_and_phone_nobody(
    raw: Path, warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STICKINESS_INVOKED_FROM", str(tmp_path))
    monkeypatch.setenv("STICKINESS_RAW_DIR", "raw")
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", "dw")
    monkeypatch.setenv("STICKINESS_AS_OF", "2026-11-01")
    seen: dict[str, str] = {}

    def look(settings: object) -> None:
        seen.update(cli.os.environ)
        raise BuildError("enough")

    monkeypatch.setattr(cli, "_run_job", look)
    cli.main(["refresh"])
    assert seen["STICKINESS_RAW_DIR"] == str(raw)
    assert seen["STICKINESS_WAREHOUSE_DIR"] == str(warehouse)
    assert seen["STICKINESS_AS_OF"] == "2026-11-01"
    assert seen["DAGSTER_HOME"] == str(warehouse / "dagster")
    assert "telemetry:\n  enabled: false" in (warehouse / "dagster" / "dagster.yaml").read_text()


def test_dagster_yaml_is_that_of_this_release_at_each_start(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (warehouse / "dagster").mkdir(parents=True)
    (warehouse / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setattr(cli, "_run_job", stopped_by(BuildError("enough")))
    cli.main(["refresh"])
    written = yaml.safe_load((warehouse / "dagster" / "dagster.yaml").read_text())
    assert written["concurrency"]["pools"]["default_limit"] == 1
    assert written["run_monitoring"]["max_runtime_seconds"] < 24 * 3600, "a run that hangs must not outlast the day"
    # what the daemon watches, and the dialog that asks for an address
    assert (written["freshness"]["enabled"], written["nux"]["enabled"]) == (True, False)


def test_a_refresh_gives_the_versions_of_an_earlier_release_their_new_name_before_anything_else(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(warehouse)
    (warehouse / "published" / "stickiness.duckdb").unlink()
    monkeypatch.setattr(cli, "_run_job", stopped_by(BuildError("enough")))
    assert cli.main(["refresh"]) == 1
    assert (warehouse / "published" / "stickiness.duckdb").exists()


# Rollback


def test_a_rollback_says_what_is_published_now(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = published(warehouse)
    published(warehouse)
    assert cli.main(["rollback"]) == 0
    assert capsys.readouterr().out.startswith(f"Published again: {first}, as of 2026-11-21")
    assert current(warehouse).publication_id == first


def test_a_rollback_to_a_named_version_goes_there(warehouse: Path) -> None:
    ids = [published(warehouse) for _ in range(3)]
    assert cli.main(["rollback", "--to", ids[0]]) == 0
    assert current(warehouse).publication_id == ids[0]


def test_a_rollback_that_is_impossible_fails_with_its_reason(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(warehouse)
    assert cli.main(["rollback"]) == 1
    said = capsys.readouterr()
    assert "There is no version before" in said.err
    assert said.out == ""


# Versions


def test_versions_lists_what_was_published_newest_first_with_the_current_one_marked(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (published(warehouse) for _ in range(3))
    shutil.rmtree(warehouse / "versions" / first)
    assert cli.main(["rollback", "--to", second]) == 0
    capsys.readouterr()
    assert cli.main(["versions"]) == 0
    header, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["version", "published", "at", "(UTC)", "as", "of", "company", "tables"]
    # the test's publications name no company
    assert [(row[0], *row[3:]) for row in rows] == [
        (third, "2026-11-21", "-", "2", "kept"),
        (second, "2026-11-21", "-", "2", "current"),
        (first, "2026-11-21", "-", "2", "deleted"),
    ]


def test_versions_lists_what_is_there_though_the_ledger_is_lost(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (published(warehouse, f"CREATE TABLE marts.n{number} AS SELECT 1 AS n") for number in (1, 2))
    (warehouse / "publications.jsonl").unlink()
    assert cli.main(["versions"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert {row[0]: row[-1] for row in rows} == {second: "current", first: "kept"}


def test_versions_says_where_nothing_was_published(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["versions"]) == 0
    assert capsys.readouterr().out == f"Nothing has been published in {warehouse} yet.\n"
    assert not warehouse.exists()


# Dagster's pages


def test_dev_serves_the_code_location_with_the_settings_of_a_refresh(
    raw: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[tuple] = []
    monkeypatch.setattr(cli, "load_manifest", lambda *_: {})
    monkeypatch.setattr(cli, "supervise", lambda *given, **named: started.append((given, named)) or 0)
    monkeypatch.setenv("STICKINESS_ALLOW", "fewer_rows")
    assert cli.main(["dev"]) == 0
    assert "Dagster runs nothing by itself" in capsys.readouterr().out
    monkeypatch.setenv("STICKINESS_AUTOMATIC", "1")
    assert cli.main(["dev", "--end-with-parent"]) == 0
    [((commands, home, folder), alone), (_, below_make)] = started
    assert "Dagster refreshes by itself" in capsys.readouterr().out
    assert list(commands) == ["code server", "daemon", "web server"]
    assert all(command[-1] == "orchestration.definitions" for command in commands.values())
    assert (home, folder) == (warehouse / "dagster", cli.ROOT)
    assert (alone["parent"], below_make["parent"]) == (None, os.getppid())
    assert cli.os.environ["DAGSTER_HOME"] == str(warehouse / "dagster")
    assert "STICKINESS_ALLOW" not in cli.os.environ, "what is let pass is let pass once"


# The summary of a published file

MARTS = (
    "CREATE TABLE marts.customers AS SELECT range AS customer_id FROM range(1234)",
    "CREATE TABLE marts.orders AS SELECT * FROM (VALUES (true, 1000.5), (true, 234.06), (false, 99)) "
    "AS v(is_valid, net_revenue)",
    "CREATE TABLE marts.repurchase_rates AS SELECT * FROM (VALUES "
    "(DATE '2026-10-31', 90, 'all', 0.9, 10), (DATE '2026-11-21', 90, 'all', 0.25, 400), "
    "(DATE '2026-11-21', 365, 'all', 0.4567, 1000), (DATE '2026-11-21', 90, 'region', 0.8, 5)) "
    "AS v(as_of_date, window_days, dimension, repurchase_rate, buyers)",
    "CREATE TABLE marts.time_to_second_purchase AS SELECT * FROM (VALUES "
    "('all', 10, 0.2), ('all', 45, 0.5), ('all', 60, 0.7), ('region', 5, 0.9)) "
    "AS v(dimension, days, repurchase_probability)",
    "CREATE TABLE marts.retention_monthly AS SELECT * FROM (VALUES "
    "(DATE '2026-07-01', 'all', 80, 0.5), (DATE '2026-08-01', 'all', 90, 0.623), "
    "(DATE '2026-09-01', 'all', 95, NULL), (DATE '2026-10-01', 'region', 10, 0.1)) "
    "AS v(month, dimension, active_customers, retention_rate)",
    "CREATE TABLE marts.customer_lifecycle AS SELECT * FROM (VALUES "
    "(4, 'Loyal', '忠诚客户'), (2, 'New', '新客户'), (4, 'Loyal', '忠诚客户'), (NULL, 'dormant', 'dormant')) "
    "AS v(stage_rank, lifecycle_stage_en, lifecycle_stage_zh)",
    "CREATE TABLE quality.row_reconciliation AS SELECT * FROM (VALUES "
    "('orders', 2, 10, 6, 3, 1, 0), ('tickets', 1, 5, 4, 1, 0, 0), ('products', 0, 0, 0, 0, 0, 0)) "
    "AS v(table_name, files, rows_read, rows_accepted, rows_rejected, rows_superseded, rows_filtered)",
    "CREATE TABLE quality.order_warnings AS SELECT * FROM (VALUES "
    "('after_as_of_date', DATE '2026-03-31', 3, DATE '2031-01-01'), "
    "('returned_without_refund', DATE '2026-03-31', 1200, DATE '2026-03-30')) "
    "AS v(warning_code, as_of_date, orders, newest_ordered_on)",
    "CREATE TABLE quality.rejected_rows AS SELECT * FROM (VALUES "
    "('orders', 'missing_key', 'order_id is part of the key and is empty'), "
    "('orders', 'missing_key', 'order_id is part of the key and is empty'), "
    "('orders', 'unparseable_value', 'order_amount holds \"1,5\", which is no number'), "
    "('tickets', 'out_of_domain', 'priority holds \"so-\"called\"\"; expected one of low, high')) "
    "AS v(table_name, reason_code, reason)",
)


def kpis(warehouse: Path) -> dict[str, str]:
    with DuckDbEngine(warehouse).read_published() as ask:
        found = summary.headline_kpis(ask, "EUR", active_days=90)
    return {kpi.label_en: kpi.value for kpi in found}


def row_lines(warehouse: Path) -> list[str]:
    with DuckDbEngine(warehouse).read_published() as ask:
        tables = table_figures(ask)
        return [*summary.row_count_lines(tables), *summary.rejection_lines(summary.rejections(ask), tables)]


def test_the_headline_numbers_are_those_of_the_published_marts(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    assert kpis(warehouse) == {
        "Customers known, buyers or not": "1,234",
        "Valid orders, which count as purchases": "2",
        "Net revenue of the valid orders": "EUR 1,234.56",
        "Bought on 2 days or more, of the 400 buyers of the last 90 days": "25.0%",
        "Bought on 2 days or more, of the 1,000 buyers of the last 365 days": "45.7%",
        "Days until half of the buyers have bought again": "45",
        "Bought in the 90 days from 2026-08-01 on, of the 90 who did in those before": "62.3%",
        "Customers in the stage: New": "1",
        "Customers in the stage: Loyal": "2",
        "Customers in the stage: dormant": "1",
    }


def test_lifecycle_stages_stand_in_the_order_of_a_life_under_the_labels_of_the_mart(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    with DuckDbEngine(warehouse).read_published() as ask:
        found = summary.headline_kpis(ask, "EUR", active_days=90)
    assert [kpi.label_zh for kpi in found[-3:]] == ["所处阶段：新客户", "所处阶段：忠诚客户", "所处阶段：dormant"]


@pytest.mark.parametrize(
    ("is_reliable", "saved", "shown"),
    [(True, True, {"Valuable customers who may leave and can be saved": "1"})]
    + [(True, False, {"Valuable customers who may leave and can be saved": "0"})]
    + [(False, True, {})],
)
def test_who_is_at_risk_is_who_can_be_saved(
    warehouse: Path, is_reliable: bool, saved: bool, shown: dict[str, str]
) -> None:
    rows = f"({is_reliable}, {saved}, true, 10), ({is_reliable}, false, true, 900), ({is_reliable}, NULL, true, NULL)"
    churn = "marts.customer_churn_risk", "is_reliable, is_save_candidate, is_high_value, revenue_at_risk_365d", rows
    clv = "horizon_days, cohort, is_reliable, predicted_clv, predicted_clv_low, predicted_clv_high"
    tables = churn, ("marts.cohort_clv", clv, "(365, 'all', true, 5, 4, 6)")
    published(
        warehouse,
        *MARTS,
        *(f"CREATE TABLE {name} AS SELECT * FROM (VALUES {values}) AS v({names})" for name, names, values in tables),
    )
    assert {name: value for name, value in kpis(warehouse).items() if "saved" in name} == shown


# neither months, nor the quarter before, nor the running one, nor `all` counts
CHANGES = (
    "CREATE TABLE marts.nps AS SELECT * FROM (VALUES "
    "('quarter', DATE '2026-04-01', true, true), ('quarter', DATE '2026-07-01', true, true), "
    "('quarter', DATE '2026-07-01', true, false), ('quarter', DATE '2026-07-01', true, true), "
    "('quarter', DATE '2026-07-01', true, NULL), ('quarter', DATE '2026-10-01', false, true), "
    "('month', DATE '2026-09-01', true, true), ('all', DATE '2026-10-01', true, true)) "
    "AS v(period_grain, period_start, is_complete, is_flagged)",
    "CREATE TABLE marts.csat AS SELECT * FROM (VALUES "
    "('quarter', DATE '2026-04-01', true, true), ('quarter', DATE '2026-07-01', true, false)) "
    "AS v(period_grain, period_start, is_complete, is_flagged)",
    "CREATE TABLE marts.ces AS SELECT * FROM (VALUES ('quarter', DATE '2026-07-01', true, CAST(NULL AS BOOLEAN))) "
    "AS v(period_grain, period_start, is_complete, is_flagged)",
)


def test_flagged_changes_of_satisfaction_are_those_of_the_newest_complete_quarter(warehouse: Path) -> None:
    published(warehouse, *MARTS, *CHANGES)
    with DuckDbEngine(warehouse).read_published() as ask:
        found = [kpi for kpi in summary.headline_kpis(ask, "EUR", active_days=90) if "flagged" in kpi.label_en]
    assert found == [
        summary.Kpi("Changes of NPS flagged (2026-Q3)", "净推荐值已确认的变化（2026 年第 3 季度）", "2 / 3"),
    ]


def test_marts_that_are_empty_show_a_dash_or_nothing(warehouse: Path) -> None:
    published(warehouse, *MARTS, *(f"DELETE FROM {statement.split()[2]}" for statement in MARTS))
    assert kpis(warehouse) == {
        "Customers known, buyers or not": "0",
        "Valid orders, which count as purchases": "0",
        "Net revenue of the valid orders": "–",
        "Repurchase rate": "–",
        "Days until half of the buyers have bought again": "–",
        "Retention of active customers": "–",
    }
    assert row_lines(warehouse) == []


def test_the_repurchase_rates_shown_are_of_the_middle_and_the_longest_window(warehouse: Path) -> None:
    windows = "UPDATE marts.repurchase_rates SET window_days = window_days + 1"
    published(warehouse, *MARTS, windows)
    shown = kpis(warehouse)
    assert shown["Bought on 2 days or more, of the 400 buyers of the last 91 days"] == "25.0%"
    assert shown["Bought on 2 days or more, of the 1,000 buyers of the last 366 days"] == "45.7%"


def test_marts_that_are_absent_show_a_dash(warehouse: Path) -> None:
    published(warehouse)
    assert set(kpis(warehouse).values()) == {"–"}
    assert row_lines(warehouse) == []


def test_a_median_that_is_never_reached_shows_a_dash(warehouse: Path) -> None:
    published(warehouse, *MARTS, "DELETE FROM marts.time_to_second_purchase WHERE repurchase_probability >= 0.5")
    assert kpis(warehouse)["Days until half of the buyers have bought again"] == "–"


def test_the_row_counts_are_summed_over_the_tables_and_rejections_told_with_share_and_values(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    assert row_lines(warehouse) == [
        "15 rows read = 10 accepted + 4 rejected + 1 superseded by a newer version",
        "Rejected rows (one by one in quality.rejected_rows):",
        "  orders: 2 of 10 (20.0%) missing_key: order_id is part of the key and is empty (2)",
        '  orders: 1 of 10 (10.0%) unparseable_value: order_amount "1,5" (1)',
        '  tickets: 1 of 5 (20.0%) out_of_domain: priority "so-"called"" (1)',
    ]


def warning_lines(warehouse: Path, *, is_as_of_asked_for: bool = False) -> list[str]:
    with DuckDbEngine(warehouse).read_published() as ask:
        return summary.order_warning_lines(summary.order_warnings(ask), is_as_of_asked_for)


def test_orders_after_the_as_of_date_and_returns_without_a_refund_are_told(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    returned = "warning: 1,200 orders are returned without a refund and count as bought."
    assert warning_lines(warehouse) == [
        "warning: 3 orders lie after the as-of date 2026-03-31 (newest 2031-01-01): after the run's own day, or more "
        "than 30 days after all others. They are not counted. Put their dates right, or name the day that you want: "
        "AS_OF=<day>.",
        returned,
    ]
    assert warning_lines(warehouse, is_as_of_asked_for=True) == [
        "3 orders lie after the as-of date 2026-03-31 (newest 2031-01-01), which was asked for, and are not counted.",
        returned,
    ]


def test_a_warning_of_one_order_is_told_in_the_singular_and_one_of_none_is_not_told(warehouse: Path) -> None:
    published(warehouse, *MARTS, "UPDATE quality.order_warnings SET orders = 1")
    first, second = warning_lines(warehouse)
    assert first.startswith("warning: 1 order lies after the as-of date") and "It is not counted. Put its date" in first
    assert second == "warning: 1 order is returned without a refund and counts as bought."
    published(warehouse, *MARTS, "UPDATE quality.order_warnings SET orders = 0")
    assert warning_lines(warehouse) == []


def test_of_many_values_the_commonest_are_told(warehouse: Path) -> None:
    """Five values of one column: 3 x paid?, 2 x a long one, and 3 others once each."""
    statuses = ["paid?"] * 3 + ["waiting for the goods to come back"] * 2 + ["b", "c", "a"]
    reasons = ", ".join(
        f"('orders', 'out_of_domain', 'status holds \"{status}\"; expected one of paid')" for status in statuses
    )
    emptied = "DELETE FROM quality.rejected_rows"
    published(warehouse, *MARTS, emptied, f"INSERT INTO quality.rejected_rows VALUES {reasons}")
    assert row_lines(warehouse)[2:] == [
        '  orders: 8 of 10 (80.0%) out_of_domain: status "paid?" (3), status "waiting for the goods to come…" (2), '
        'status "a" (1), 2 other values'
    ]


def test_repaired_values_are_told_with_an_example_and_few_lines() -> None:
    found = [("orders", f"column_{number}", "id_from_number", 10 - number, "17850.0") for number in range(6)]
    assert summary.repair_lines([]) == []
    assert summary.repair_lines(found) == [
        "45 values were repaired or left out (by column in quality.repaired_values):",
        *(f'  orders.column_{number}: {10 - number} id_from_number, as "17850.0"' for number in range(4)),
        "  and 11 in 2 more columns and kinds",
    ]


@pytest.mark.parametrize(("kinds", "lines"), [(0, 0), (1, 2), (9, 10), (10, 10), (46, 10)])
def test_reasons_for_rejection_take_ten_lines_at_most_and_no_row_is_left_out(kinds: int, lines: int) -> None:
    found = [summary.Rejection(f"t{kind}", "missing_key", 2, 1, [("empty", 2)]) for kind in range(kinds)]
    told = summary.rejection_lines(found, {})
    assert len(told) == lines
    if kinds > 9:
        assert told[-1] == f"  and {2 * (kinds - 8)} rows for {kinds - 8} more reasons"


def test_marts_stay_empty_because_of_the_tables_that_are_absent() -> None:
    empty = {"nps": ["survey_responses"], "csat": ["survey_responses"], "customers": ["customers", "orders"]}
    assert summary.empty_mart_lines(empty, ["customers", "orders", "products", "survey_responses"]) == [
        "Marts that stay empty because customers and orders are absent: customers",
        "Marts that stay empty because survey_responses is absent: nps, csat",
        "Also absent: products",
    ]
    assert summary.empty_mart_lines({}, []) == []


def test_only_marts_without_rows_are_said_to_stay_empty(warehouse: Path) -> None:
    published(warehouse, *MARTS, "CREATE TABLE marts.nps AS SELECT 1 AS nps WHERE false")
    with DuckDbEngine(warehouse).read_published() as ask:
        assert empty_marts(ask, {"nps": ["survey_responses"], "customers": ["customers"]}) == {
            "nps": ["survey_responses"]
        }
        assert empty_marts(ask, {}) == {}


def told_publication(publication_id: str, files: int, orders: int, revenue: float) -> Publication:
    moment = datetime(2026, 11, 21, 8)
    whole = Publication(publication_id, moment, date(2026, 11, 21), "abc123", 4, 6, 7, 0, 1.0)
    by_table = {"files_by_table": {"orders": files, "tickets": 1}, "rows_by_table": {"orders": orders, "tickets": 3}}
    return replace(whole, company_id="Shop", revenue_by_table={"orders": revenue}, **by_table)


def test_what_changed_is_told_beside_the_last_publication_of_the_company() -> None:
    last, now = told_publication("first", 2, 1000, 50000.0), told_publication("second", 3, 1100, 45000.0)
    assert summary.change_lines(now, last, None, seen=2) == [
        "Since first (as of 2026-11-21): files 3 → 4 (2 new or changed), orders 1,000 → 1,100 (+10.0%), "
        "revenue of orders 50,000.00 → 45,000.00 (-10.0%)"
    ]


def test_a_first_publication_says_so_and_which_company_gives_way() -> None:
    assert summary.change_lines(told_publication("first", 1, 1, 1.0), None, "Tea", seen=0) == [
        "Shop replaces company Tea.",
        "The first publication of Shop: it was compared with none.",
    ]


def test_columns_that_were_ignored_are_told() -> None:
    def materialised(path: list[str], **metadata: object) -> SimpleNamespace:
        entries = {name: SimpleNamespace(value=value) for name, value in metadata.items()}
        return SimpleNamespace(asset_key=SimpleNamespace(path=path), materialization=SimpleNamespace(metadata=entries))

    events = [
        materialised(["raw", "orders"], ignored_columns=["colour", "shoe size"]),
        materialised(["raw", "tickets"], ignored_columns=[]),
        materialised(["operations", "raw_files"], absent_tables=["tickets"], notices=["custmers.csv was not read."]),
        materialised(["marts", "orders"]),
    ]
    told = cli._metadata(SimpleNamespace(get_asset_materialization_events=lambda: events))
    assert cli._ignored_lines(told) == ["ignored columns of orders: colour, shoe size"]
    assert told["operations", "raw_files"]["notices"] == ["custmers.csv was not read."]
