"""The commands: what they tell, to whom, and with which exit status."""

import fcntl
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from orchestration import cli, summary
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import current, publish
from orchestration.errors import BuildError, ProjectError
from orchestration.landing.broken_files import RawFolderError
from orchestration.publishing import PublicationFacts


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(raw))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(tmp_path / "dw"))
    # what the commands set for the processes that they start
    for name in ("STICKINESS_AS_OF", "STICKINESS_FULL_REFRESH", "DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY"):
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
    assert capsys.readouterr().err == "Interrupted. What was published before is untouched.\n"
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


def test_a_dagster_yaml_of_the_users_own_is_left_as_it_is(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (warehouse / "dagster").mkdir(parents=True)
    (warehouse / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setattr(cli, "_run_job", stopped_by(BuildError("enough")))
    cli.main(["refresh"])
    assert (warehouse / "dagster" / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


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


# Dagster's pages


def test_dev_serves_the_code_location_with_the_settings_of_a_refresh(
    raw: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(cli.os, "execv", lambda program, arguments: started.append(arguments))
    monkeypatch.chdir(raw)
    cli.main(["dev"])
    assert started[0][1:] == ["-m", "dagster", "dev", "--module-name", "orchestration.definitions"]
    assert cli.os.environ["DAGSTER_HOME"] == str(warehouse / "dagster")
    assert Path.cwd() == cli.ROOT


# The summary of a published file

MARTS = (
    "CREATE TABLE marts.customers AS SELECT range AS customer_id FROM range(1234)",
    "CREATE TABLE marts.orders AS SELECT * FROM (VALUES (true, 1000.5), (true, 234.06), (false, 99)) "
    "AS v(is_valid, net_revenue)",
    "CREATE TABLE marts.repurchase_rates AS SELECT * FROM (VALUES "
    "(DATE '2026-10-31', 90, 'all', 0.9), (DATE '2026-11-21', 90, 'all', 0.25), "
    "(DATE '2026-11-21', 365, 'all', 0.4567), (DATE '2026-11-21', 90, 'region', 0.8)) "
    "AS v(as_of_date, window_days, dimension, repurchase_rate)",
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
    "CREATE TABLE quality.row_reconciliation AS SELECT * FROM (VALUES (10, 7, 2, 1), (5, 4, 1, 0)) "
    "AS v(rows_read, rows_accepted, rows_rejected, rows_superseded)",
    "CREATE TABLE quality.rejected_rows AS SELECT * FROM (VALUES "
    "('orders', 'missing_key'), ('orders', 'missing_key'), ('tickets', 'out_of_domain')) AS v(table_name, reason_code)",
)


def kpis(warehouse: Path) -> dict[str, str]:
    with DuckDbEngine(warehouse).read_published() as ask:
        found = summary.headline_kpis(ask, "EUR")
    return {kpi.label_en: kpi.value for kpi in found}


def row_counts(warehouse: Path) -> summary.RowCounts | None:
    with DuckDbEngine(warehouse).read_published() as ask:
        return summary.row_counts(ask)


def test_the_headline_numbers_are_those_of_the_published_marts(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    assert kpis(warehouse) == {
        "Customers": "1,234",
        "Valid orders": "2",
        "Net revenue": "EUR 1,234.56",
        "Repurchase rate, 90 days": "25.0%",
        "Repurchase rate, 365 days": "45.7%",
        "Median days to second purchase": "45",
        "Active customers (2026-08)": "90",
        "Retention (2026-08)": "62.3%",
        "Lifecycle: New": "1",
        "Lifecycle: Loyal": "2",
        "Lifecycle: dormant": "1",
    }


def test_lifecycle_stages_stand_in_the_order_of_a_life_under_the_labels_of_the_mart(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    with DuckDbEngine(warehouse).read_published() as ask:
        found = summary.headline_kpis(ask, "EUR")
    assert [kpi.label_zh for kpi in found[-3:]] == ["生命周期：新客户", "生命周期：忠诚客户", "生命周期：dormant"]


@pytest.mark.parametrize(
    ("is_reliable", "saved", "shown"),
    [(True, True, {"High-value customers at risk": "1"}), (True, False, {"High-value customers at risk": "0"})]
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
    assert {name: value for name, value in kpis(warehouse).items() if "risk" in name} == shown


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
        found = [kpi for kpi in summary.headline_kpis(ask, "EUR") if "flagged" in kpi.label_en]
    assert found == [
        summary.Kpi("Changes of NPS flagged (2026-Q3)", "净推荐值已确认的变化（2026 年第 3 季度）", "2 / 3"),
    ]


def test_marts_that_are_empty_show_a_dash_or_nothing(warehouse: Path) -> None:
    published(warehouse, *MARTS, *(f"DELETE FROM {statement.split()[2]}" for statement in MARTS))
    assert kpis(warehouse) == {
        "Customers": "0",
        "Valid orders": "0",
        "Net revenue": "–",
        "Repurchase rate": "–",
        "Median days to second purchase": "–",
        "Active customers": "–",
        "Retention": "–",
    }
    assert row_counts(warehouse) is None


def test_the_repurchase_rates_shown_are_of_the_middle_and_the_longest_window(warehouse: Path) -> None:
    windows = "UPDATE marts.repurchase_rates SET window_days = window_days + 1"
    published(warehouse, *MARTS, windows)
    shown = kpis(warehouse)
    assert (shown["Repurchase rate, 91 days"], shown["Repurchase rate, 366 days"]) == ("25.0%", "45.7%")


def test_marts_that_are_absent_show_a_dash(warehouse: Path) -> None:
    published(warehouse)
    assert set(kpis(warehouse).values()) == {"–"}
    assert row_counts(warehouse) is None


def test_a_median_that_is_never_reached_shows_a_dash(warehouse: Path) -> None:
    published(warehouse, *MARTS, "DELETE FROM marts.time_to_second_purchase WHERE repurchase_probability >= 0.5")
    assert kpis(warehouse)["Median days to second purchase"] == "–"


def test_the_row_counts_are_summed_over_the_tables_and_rejections_told_by_reason(warehouse: Path) -> None:
    published(warehouse, *MARTS)
    counts = row_counts(warehouse)
    assert summary.row_count_lines(counts) == [
        "15 read = 11 accepted + 3 rejected + 1 superseded by a newer version",
        "rejected: 2 of orders (missing_key)",
        "rejected: 1 of tickets (out_of_domain)",
    ]


def test_every_number_has_a_label_in_both_languages_in_straight_columns() -> None:
    lines = summary.kpi_lines([summary.Kpi("Customers", "客户数", "1,234"), summary.Kpi("AOV", "客单价（元）", "5")])
    assert lines == [
        "Customers  客户数        1,234",
        "AOV        客单价（元）      5",
    ]


def test_what_was_ignored_or_absent_in_the_raw_folder_is_told() -> None:
    def materialised(path: list[str], **metadata: object) -> SimpleNamespace:
        entries = {name: SimpleNamespace(value=value) for name, value in metadata.items()}
        return SimpleNamespace(asset_key=SimpleNamespace(path=path), materialization=SimpleNamespace(metadata=entries))

    events = [
        materialised(["raw", "orders"], ignored_columns=["colour", "shoe size"]),
        materialised(["raw", "tickets"], ignored_columns=[]),
        materialised(["operations", "raw_files"], absent_tables=["tickets"], notices=["custmers.csv was not read."]),
        materialised(["marts", "orders"]),
    ]
    result = SimpleNamespace(get_asset_materialization_events=lambda: events)
    assert cli._row_lines(None, result) == [
        "ignored columns of orders: colour, shoe size",
        "absent tables: tickets",
        "custmers.csv was not read.",
    ]
