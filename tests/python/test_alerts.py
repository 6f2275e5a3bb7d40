"""Alerts: of each step at which a refresh can fail, once by each channel, an all-clear, and nothing of a person."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from string import Formatter

import duckdb
import pytest
from alert_servers import MailServer, Robots, mail_server, robots
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetSelection,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    MaterializeResult,
    asset,
    define_asset_job,
)
from dagster._core.test_utils import create_run_for_test

from orchestration import cli, publication_guard
from orchestration import definitions as dagster_definitions
from orchestration.alerts import causes, sending, watch
from orchestration.alerts.causes import FAILED, Cause, Stale, first_line
from orchestration.alerts.digest import Shown, digest
from orchestration.alerts.state import State, Told, open_state
from orchestration.alerts.texts import FACTS, STEPS, Message, Voice, alert, all_clear
from orchestration.alerts.watch import follow_runs, tell_failure, tell_stale
from orchestration.dead_runs import fail_dead_runs
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import publish
from orchestration.errors import BuildError, Fact, PublicationError, SettingsError
from orchestration.publishing import Publication, PublicationFacts, TableFigures
from orchestration.serving import dagster_process
from orchestration.settings import FINDINGS, load_settings

CHATS = ("DingTalk", "Feishu", "WeCom", "Slack")
# who must not be named anywhere
PERSONAL = ("ada@example.com", "Lovelace", "13812345678", "李雷")
NOON = datetime(2026, 3, 31, 4, 0, tzinfo=UTC)
ENGLISH, CHINESE = Voice("Shop", "en", "Asia/Shanghai"), Voice("小店", "zh", "Asia/Shanghai")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS_BETWEEN_TRIES", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@dataclass
class World:
    """A company whose alerts go to every channel, all on this machine."""

    raw: Path
    warehouse: Path
    chats: Robots
    mails: MailServer

    def new(self) -> dict[str, list[str]]:
        """What each channel got since the last look."""
        got = {name: self.chats.texts(name) for name in CHATS}
        got["e-mail"] = [f"{mail['Subject']}\n{mail.get_content()}" for mail in self.mails.mails]
        self.chats.taken.clear()
        self.mails.mails.clear()
        for texts in got.values():
            for text in texts:
                assert not [name for name in (*PERSONAL, str(self.raw), str(self.warehouse)) if name in text], text
        return got

    def titles(self) -> list[str]:
        """The titles that every channel got since the last look: the same for all."""
        got = {name: [text.splitlines()[0].strip() for text in texts] for name, texts in self.new().items()}
        [titles] = {tuple(titles) for titles in got.values()}
        return list(titles)

    def lines(self) -> list[str]:
        """The lines of the one message that every channel got since the last look, as Slack shows them."""
        got = self.new()
        assert {name: len(texts) for name, texts in got.items()} == dict.fromkeys([*CHATS, "e-mail"], 1)
        return got["Slack"][0].splitlines()

    @property
    def log(self) -> str:
        return (self.warehouse / "alerts.log").read_text(encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    raw = tmp_path / "raw"
    raw.mkdir()
    with robots() as chats, mail_server(None) as mails:
        variables = {f"STICKINESS_ALERT_{name.upper()}_URL": chats.url(name) for name in CHATS}
        variables |= {"STICKINESS_ALERT_DINGTALK_SECRET": "SECgeheim", "STICKINESS_ALERT_FEISHU_SECRET": "geheim"}
        variables |= {
            "STICKINESS_ALERT_SMTP_HOST": "127.0.0.1",
            "STICKINESS_ALERT_SMTP_PORT": str(mails.port),
            "STICKINESS_ALERT_SMTP_SECURITY": "none",
            "STICKINESS_ALERT_MAIL_FROM": "data@example.com",
            "STICKINESS_ALERT_MAIL_TO": "owner@example.com",
            "STICKINESS_RAW_DIR": str(raw),
            "STICKINESS_WAREHOUSE_DIR": str(tmp_path / "dw"),
        }
        # what the commands set for the processes that they start
        variables |= dict.fromkeys(("STICKINESS_AS_OF", "STICKINESS_FULL_REFRESH", "STICKINESS_REFIT"), "")
        variables |= dict.fromkeys(("STICKINESS_ALLOW", "STICKINESS_TARGET", "DAGSTER_HOME"), "")
        variables |= {"DAGSTER_DISABLE_TELEMETRY": "yes"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield World(raw, tmp_path / "dw", chats, mails)


# Whole refreshes of a small company


@pytest.fixture
def refresh(
    world: World, shop: Path, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], int]:
    """Refreshes the small company by the command line on a file of orders; returns the exit status."""
    monkeypatch.setattr(cli, "load_settings", lambda: load_settings(root=shop))
    monkeypatch.setattr(dagster_definitions, "build_definitions", lambda root: definitions)
    # the summary is of the marts of the real project
    monkeypatch.setattr(cli, "_report", lambda *_: None)

    def run(orders: str) -> int:
        (world.raw / "orders.csv").write_text(orders, encoding="utf-8")
        return cli.main(["refresh"])

    return run


def orders(*rows: str) -> str:
    return "\n".join(["order_id,amount,email", *rows, ""])


MANY = [f"O{number},5,ada@example.com" for number in range(20)]


@pytest.mark.long
@pytest.mark.xdist_group("alerts")
def test_each_step_that_fails_sends_one_alert_by_each_channel_and_the_next_good_refresh_one_all_clear(
    world: World, refresh: Callable[[str], int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One test, since each refresh that comes as far as dbt takes long."""
    # a setting, before there is a run
    (world.raw / "company.yml").write_text('reporting_curency: "Lovelace"\n')
    assert refresh(orders(*MANY)) == 1
    assert world.titles() == ["[stickiness] The refresh failed (before the first step)"]
    (world.raw / "company.yml").write_text("company_name: Tea\ncompany_id: Shop\n")

    # landing: no header, so that the names of columns are what somebody is called
    assert refresh("Ada Lovelace,ada@example.com,13812345678\n") == 1
    assert world.titles() == ["[Tea] The refresh failed (reading the raw files)"]
    # the same again is known
    assert refresh("Ada Lovelace,ada@example.com,13812345678\nA,b,c\n") == 1
    assert world.titles() == []

    # a test of dbt
    assert refresh(orders(*MANY, "李雷,-1,ada@example.com")) == 1
    first, second, third, fourth = world.lines()
    assert first == "[Tea] The refresh failed (building and testing the tables)"
    assert second == "The test assert_no_order_is_negative of orders failed; rows found: 1."
    assert third.startswith("Seen 20") and ", run " in third
    assert fourth == "Nothing has been published yet."

    # the publication
    def full(*_: object, **__: object) -> None:
        raise PublicationError('The version cannot be written: "Ada Lovelace"')

    with monkeypatch.context() as patch:
        patch.setattr(DuckDbEngine, "publish", full)
        assert refresh(orders(*MANY)) == 1
    assert world.lines()[:3] == [
        "[Tea] The refresh failed (publication)",
        "The build could not be published.",
        'In the words of the run: The version cannot be written: "…"',
    ]

    # a good one, which warns of an order that stands twice
    (world.raw / "company.yml").write_text("company_name: 茶铺\ncompany_id: Shop\nlanguage: zh\nalert_digest: true\n")
    assert refresh(orders(*MANY, MANY[0])) == 0
    texts = world.new()["Slack"]
    assert [text.splitlines()[0] for text in texts] == [
        "【茶铺】已恢复：数据刷新正常",
        "【茶铺】出现新的警告",
        "【茶铺】数据已发布：截止 2026-01-31",
    ]
    # all that was wrong is over, what was wrong with the settings too
    now, *before = texts[0].splitlines()[1:]
    assert now == "已发布：数据截止 2026-01-31。"
    assert [line.partition("，")[0] for line in before] == [
        "此前：数据刷新失败（首个步骤之前）",
        "此前：数据刷新失败（读取原始文件）",
        "此前：数据刷新失败（构建并测试数据表）",
        "此前：数据刷新失败（发布）",
    ]
    assert texts[1].splitlines()[1:] == ["检查 an_order_stands_once 发出警告。"]

    # the guard
    (world.raw / "orders.csv").rename(world.raw / "order.csv")
    (world.raw / "company.yml").write_text("company_name: [")
    assert cli.main(["refresh"]) == 1
    assert world.titles() == ["【茶铺】数据刷新失败（首个步骤之前）"]
    (world.raw / "company.yml").write_text("company_id: Shop\n")
    assert cli.main(["refresh"]) == 1
    title, found, _, kept = world.lines()
    assert title == "[Shop] The publication was refused"
    assert found == "No file holds rows of orders (orders_absent)."
    assert kept.startswith("Readers keep the version as of 2026-01-31, published 20")

    # whoever looks at the same runs again has nothing to tell
    with DagsterInstance.get() as instance:
        assert follow_runs(instance) == []
    assert world.titles() == []
    shown = capfd.readouterr()
    kept_by_warehouse = world.log + (world.warehouse / "alerts.json").read_text(encoding="utf-8")
    assert not [name for name in (*PERSONAL, str(world.raw), str(world.warehouse)) if name in kept_by_warehouse]
    assert not [secret for secret in ("t0ken", "geheim") if secret in kept_by_warehouse + shown.out + shown.err]
    for name in ("alerts.json", "alerts.log"):
        assert stat.S_IMODE((world.warehouse / name).stat().st_mode) == 0o600


# Runs of Dagster


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def dead_run(instance: DagsterInstance, warehouse: Path) -> str:
    """A run whose process was killed, found as make dev finds it."""
    made = create_run_for_test(instance, job_name="refresh", status=DagsterRunStatus.STARTED)
    [run_id] = fail_dead_runs(instance, warehouse)
    assert run_id == made.run_id
    return run_id


def test_a_run_that_was_killed_is_told_of_once_whoever_looks_first(world: World, instance: DagsterInstance) -> None:
    run_id = dead_run(instance, world.warehouse)
    assert follow_runs(instance, [run_id]) == []
    [text] = world.new()["Feishu"]
    title, what, *_ = text.splitlines()
    assert title == "[Company] The refresh failed (before the first step)"
    assert what == "The process of the run was killed, or the machine stopped."
    assert follow_runs(instance, [run_id]) == [] and follow_runs(instance) == []
    assert world.titles() == []


def test_make_dev_tells_of_a_run_that_was_killed(
    world: World, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[float] = []

    def twice(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(DagsterInstance, "get", lambda: contextlib.nullcontext(instance))
    monkeypatch.setattr(dagster_process, "forget_old_runs", lambda _: 0)
    monkeypatch.setattr(dagster_process.time, "sleep", twice)
    world.chats.answers["Slack"] = [(403, "no")]
    create_run_for_test(instance, job_name="refresh", status=DagsterRunStatus.STARTED)
    with pytest.raises(KeyboardInterrupt):
        dagster_process._look_at_runs()
    assert {name: len(texts) for name, texts in world.new().items()} == {
        "DingTalk": 1, "Feishu": 1, "WeCom": 1, "Slack": 0, "e-mail": 1,
    }  # fmt: skip
    assert "An alert could not be sent by Slack: answered with the HTTP status 403." in caplog.text


def test_runs_from_before_alerts_are_history(world: World, instance: DagsterInstance) -> None:
    dead_run(instance, world.warehouse)
    # a failure without a run comes first: it must not make history news
    assert tell_failure(SettingsError("A setting is wrong."), "A setting is wrong.") == []
    assert len(world.titles()) == 1
    assert follow_runs(instance) == []
    assert world.titles() == []
    create_run_for_test(instance, job_name="refit", status=DagsterRunStatus.FAILURE)
    create_run_for_test(instance, job_name="refresh", status=DagsterRunStatus.CANCELED)
    assert follow_runs(instance) == []
    assert world.titles() == []
    create_run_for_test(instance, job_name="refit", status=DagsterRunStatus.STARTED)
    fail_dead_runs(instance, world.warehouse)
    follow_runs(instance)
    assert world.titles() == ["[Company] The run of refit failed (before the first step)"]


def test_a_publication_ends_failures_of_refreshes_and_a_good_run_of_another_job_its_own(
    world: World, instance: DagsterInstance
) -> None:
    follow_runs(instance)
    for job in ("months", "refresh"):
        create_run_for_test(instance, job_name=job, status=DagsterRunStatus.STARTED)
    fail_dead_runs(instance, world.warehouse)
    follow_runs(instance)
    assert len(world.titles()) == 2
    publishing_run(instance)
    follow_runs(instance)
    _, before = world.lines()
    assert before.startswith("Before: The refresh failed")
    create_run_for_test(instance, job_name="months", status=DagsterRunStatus.SUCCESS)
    follow_runs(instance)
    _, before = world.lines()
    assert before.startswith("Before: The run of months failed")


def publishing_run(instance: DagsterInstance, *warnings: str) -> None:
    """A run that publishes and in which checks warn, without a build; Dagster stores what it stores of a real one."""

    @asset(name="published", check_specs=[AssetCheckSpec(name, asset="published") for name in warnings])
    def published_asset() -> MaterializeResult:
        results = [
            AssetCheckResult(passed=False, check_name=name, severity=AssetCheckSeverity.WARN) for name in warnings
        ]
        told = {"publication_id": "p1", "warnings": ["over_two_models"] if warnings else []}
        return MaterializeResult(metadata=told, check_results=results)

    checks = AssetSelection.all() | AssetSelection.all_asset_checks()
    job = define_asset_job("refresh", selection=checks)
    made = Definitions(assets=[published_asset], jobs=[job]).resolve_job_def("refresh")
    assert made.execute_in_process(instance=instance).success


def test_a_warning_is_told_when_it_is_new_and_when_it_is_gone(world: World, instance: DagsterInstance) -> None:
    follow_runs(instance)
    publishing_run(instance, "old", "older")
    follow_runs(instance)
    assert world.lines() == [
        "[Company] New warnings",
        "The check old warns.",
        "The check older warns.",
        "The check over_two_models warns.",
    ]
    publishing_run(instance, "old", "older")
    follow_runs(instance)
    assert world.titles() == []
    publishing_run(instance, "old", "new")
    follow_runs(instance)
    got = world.new()["DingTalk"]
    assert got == ["[Company] All clear: warnings are gone\nolder", "[Company] New warnings\nThe check new warns."]
    publishing_run(instance)
    follow_runs(instance)
    assert world.lines() == ["[Company] All clear: warnings are gone", "old", "over_two_models", "new"]


def test_a_step_that_fails_by_an_error_that_nobody_expected_is_told_by_its_kind_alone(
    world: World, instance: DagsterInstance
) -> None:
    @asset
    def dbt_models() -> None:
        raise ValueError("Ada Lovelace, ada@example.com")

    follow_runs(instance)
    job = Definitions(assets=[dbt_models], jobs=[define_asset_job("refresh")]).resolve_job_def("refresh")
    job.execute_in_process(instance=instance, raise_on_error=False)
    follow_runs(instance)
    title, what, *_ = world.lines()
    assert title == "[Company] The refresh failed (building and testing the tables)"
    assert what == "An error that the project did not expect: ValueError."


def test_a_run_that_somebody_interrupts_is_not_told(world: World, instance: DagsterInstance) -> None:
    @asset
    def dbt_models() -> None:
        raise DagsterExecutionInterruptedError

    follow_runs(instance)
    job = Definitions(assets=[dbt_models], jobs=[define_asset_job("refresh")]).resolve_job_def("refresh")
    with pytest.raises((DagsterExecutionInterruptedError, KeyboardInterrupt)):
        job.execute_in_process(instance=instance, raise_on_error=True)
    [record] = instance.get_run_records()
    assert record.dagster_run.is_finished
    follow_runs(instance)
    assert world.titles() == []


def test_an_error_that_nobody_expected_is_told_by_its_kind_alone(world: World) -> None:
    assert tell_failure(ValueError("Ada Lovelace, ada@example.com"), None) == []
    for text in world.new()["DingTalk"]:
        assert "An error that the project did not expect: ValueError." in text


# Channels that fail


def test_a_channel_that_fails_is_warned_of_and_told_later_and_the_others_are_told_once(world: World) -> None:
    world.chats.answers["Slack"] = [(403, "no")]
    error = BuildError("x", [Fact("not_built", {"table": "orders"})])
    assert tell_failure(error, "x") == ["An alert could not be sent by Slack: answered with the HTTP status 403."]
    assert {name for name, texts in world.new().items() if texts} == {"DingTalk", "Feishu", "WeCom", "e-mail"}
    assert "warning: An alert could not be sent by Slack: answered with the HTTP status 403." in world.log
    assert tell_failure(error, "x") == []
    assert {name for name, texts in world.new().items() if texts} == {"Slack"}


def test_a_channel_that_never_got_the_alert_gets_no_all_clear(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = Stale("orders", date(2026, 3, 29), date(2026, 3, 31))
    world.chats.answers["Slack"] = [(403, "no")]
    tell_stale([stale])
    world.new()
    # nor does one wait for a channel that is configured no longer
    monkeypatch.delenv("STICKINESS_ALERT_WECOM_URL")
    assert tell_stale([]) == []
    got = world.new()
    assert {name: len(texts) for name, texts in got.items()} == {
        "DingTalk": 1, "Feishu": 1, "e-mail": 1, "WeCom": 0, "Slack": 0,
    }  # fmt: skip
    assert json.loads((world.warehouse / "alerts.json").read_text())["told"] == []


def test_a_channel_that_is_configured_wrongly_is_told_of_with_the_alert(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STICKINESS_ALERT_SLACK_URL", "http://hooks.slack.com/t0ken")
    [problem] = tell_stale([Stale("orders", None, NOON)])
    assert problem.startswith("STICKINESS_ALERT_SLACK_URL is no address") and "t0ken" not in problem
    # what has been told is not told again
    assert tell_stale([Stale("orders", None, NOON)]) == []


def test_without_channels_there_is_the_log_and_without_a_warehouse_nothing_is_made(
    tmp_path: Path, instance: DagsterInstance
) -> None:
    environ = {"STICKINESS_WAREHOUSE_DIR": str(tmp_path / "dw"), "STICKINESS_RAW_DIR": str(tmp_path)}
    assert tell_failure(BuildError("x"), "x", environ) == []
    assert not (tmp_path / "dw").exists()
    (tmp_path / "dw").mkdir()
    assert tell_failure(BuildError("x"), "x", environ) == tell_failure(BuildError("x"), "x", environ) == []
    log = (tmp_path / "dw" / "alerts.log").read_text()
    assert log.count("The refresh failed (before the first step)") == 1


def test_alerting_never_stops_what_it_tells_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch.Desk, "send", lambda self: 1 / 0)
    assert tell_stale([Stale("orders", None, NOON)]) == [
        "Alerts could not be sent: a defect of the project, ZeroDivisionError."
    ]
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(world.warehouse / "a?b"))
    [said] = tell_failure(BuildError("x"), "x")
    assert said.startswith("Alerts could not be sent: The warehouse folder")


def test_people_are_told_although_the_warehouse_is_no_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.raw.parent / "file"
    path.write_text("")
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(path))
    said = tell_failure(BuildError("x"), "x")
    assert said[0].startswith(f"{path} takes no lock (")
    assert len(world.titles()) == 1


def test_a_state_that_cannot_be_written_is_kept_in_the_process_and_tells_nobody_twice(world: World) -> None:
    late = Stale("orders", date(2026, 3, 29), date(2026, 3, 31))
    world.warehouse.mkdir()
    # nothing can take the place of a folder that holds something
    state = world.warehouse / "alerts.json"
    (state / "in the way").mkdir(parents=True)
    [damaged, unwritten] = tell_stale([late])
    assert "could not be read" in damaged and "could not be written" in unwritten
    assert world.titles() == ["[Company] Data is late"]
    assert tell_stale([late]) == [] and world.titles() == []
    shutil.rmtree(state)
    assert tell_stale([]) == [] and len(world.titles()) == 1
    assert json.loads(state.read_text())["told"] == []


def test_a_recipient_whom_the_server_refuses_keeps_nothing_from_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STICKINESS_ALERT_MAIL_TO", "owner@example.com, nobody@example.com")
    world.mails.refused = ("nobody@example.com",)
    [said] = tell_stale([Stale("orders", date(2026, 3, 29), date(2026, 3, 31))])
    assert said == "An alert could not be sent by e-mail: the server refused 1 of 2 recipients."
    assert len(world.titles()) == 1
    tell_stale([])
    assert len(world.titles()) == 1


def test_a_channel_that_fails_is_tried_once_at_a_look(world: World) -> None:
    world.chats.answers["Slack"] = [(403, "no")] * 9
    tell_failure(SettingsError("A setting is wrong."), "A setting is wrong.")
    asked = len(world.chats.answers["Slack"])
    tell_failure(BuildError("x", [Fact("test_failed", {"test": "one"})]), "x")
    assert asked - len(world.chats.answers["Slack"]) == 1


# What people were told


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": 2}', b"\xff", b'{"format": 1, "told": [{}]}', b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "newer", "bytes", "lacking", "deep"],
)
def test_a_list_of_what_people_know_that_is_damaged_is_begun_anew_with_a_warning(world: World, content: bytes) -> None:
    world.warehouse.mkdir()
    (world.warehouse / "alerts.json").write_bytes(content)
    [said] = tell_stale([Stale("orders", None, NOON)])
    assert said.startswith(f"{world.warehouse / 'alerts.json'} could not be read")
    assert len(world.titles()) == 1
    assert tell_stale([Stale("orders", None, NOON)]) == [] and world.titles() == []


def test_a_list_that_cannot_be_written_is_warned_of_and_people_are_told(world: World) -> None:
    world.warehouse.mkdir()
    (world.warehouse / "alerts.json.tmp").mkdir()
    [said] = tell_stale([Stale("orders", None, NOON)])
    assert "could not be written" in said and len(world.titles()) == 1


def test_what_people_know_is_read_as_it_was_written(tmp_path: Path) -> None:
    cause = Cause(
        FAILED, "Shop", (Fact("test_failed", {"test": "t", "rows": 3}),), NOON, "refresh", "published", "r", "s"
    )
    with open_state(tmp_path, []) as state:
        state.told[cause.key] = Told(cause, ["Slack"], has_ended=True)
        state.runs_seen, state.digest_of, state.company, state.voice = ["r"], "p", "Shop", CHINESE
    with open_state(tmp_path, []) as again:
        assert again == State({cause.key: Told(cause, ["Slack"], True)}, ["r"], "p", "Shop", CHINESE, is_new=False)


def test_what_is_wrong_is_known_again_by_its_names_and_not_by_its_figures() -> None:
    def failed(rows: int = 3, test: str = "t", said: str = "", **other: str) -> str:
        at = datetime(2026, 4, rows, tzinfo=UTC)
        return Cause(FAILED, "Shop", (Fact("test_failed", {"test": test, "rows": rows}),), at, said=said, **other).key

    assert failed(3, run_id="a") == failed(4, run_id="b")
    assert failed(said="export 20260331 is late") == failed(said="export 20260401 is late")
    assert len({failed(), failed(test="u"), failed(step="published"), failed(job="refit"), failed(said="x")}) == 5


# Texts


def test_every_finding_of_the_guard_and_every_step_has_its_words_in_both_languages() -> None:
    assert set(FINDINGS) <= set(FACTS)
    for english, chinese in [*FACTS.values(), *STEPS.values()]:
        named = [set(_names(text)) for text in (english, chinese)]
        assert named[0] == named[1]
        assert english.isascii() and any("一" <= sign <= "鿿" for sign in chinese)


def _names(text: str) -> Iterator[str]:
    return (name for _, name, _, _ in Formatter().parse(text) if name)


def test_each_finding_of_the_guard_brings_the_figures_of_its_sentence() -> None:
    """By the guard's own tests each of these is found; here it is put in words."""
    last = replace(_publication(), rows_by_table={"orders": 1000, "tickets": 9}, revenue_by_table={"orders": 100.0})
    limits = publication_guard.Limits(0.1, 0.1, 0.05, 100, 0.01)
    tables = {"orders": TableFigures(1, 900, 700, 200, 0, Decimal("50"))}
    found = [
        *publication_guard.missing_tables({"orders": TableFigures()}, last),
        *publication_guard.wrong_figures(tables, last, limits),
        *publication_guard.earlier_as_of(date(2026, 3, 1), False, last),
    ]
    with pytest.raises(PublicationError) as error:
        publication_guard.refuse(publication_guard.judge(found, ()), "Wrong.", last)
    cause = Cause(causes.REFUSED, "Shop", error.value.facts, NOON, "refresh", "published")
    assert alert([cause], ENGLISH, None).lines[:-2] == (
        "No file holds rows of orders (orders_absent).",
        "No file holds the table tickets, which had 9 rows at the last publication (table_gone).",
        "orders has 700 accepted rows; the last publication had 1,000 (fewer_rows).",
        "The revenue of orders is 50.0% below that of the last publication (less_revenue).",
        "200 of the 900 rows of orders were rejected (rejected_rows).",
        "The as-of date would go back from 2026-03-31 to 2026-03-01 (earlier_as_of).",
    )
    assert alert([cause], CHINESE, None).lines[2] == "orders 的有效行数为 700，上次发布时为 1,000（fewer_rows）。"


def _publication() -> Publication:
    return Publication("p1", datetime(2026, 3, 31, 1, 2), date(2026, 3, 31), "abc", 4, 6, 7, 2, 1.0, "Shop")


def test_an_alert_says_what_failed_when_and_what_readers_have() -> None:
    facts = tuple(Fact("test_failed", {"test": f"t{number}", "table": "orders", "rows": 1200}) for number in range(12))
    failed = Cause(FAILED, "Shop", facts, NOON, "refresh", "dbt_models", "0123456789abcdef")
    assert alert([failed], ENGLISH, _publication()) == Message(
        "[Shop] The refresh failed (building and testing the tables)",
        (
            *(f"The test t{number} of orders failed; rows found: 1,200." for number in range(9)),
            "and 3 more",
            "Seen 2026-03-31 12:00 (Asia/Shanghai), run 01234567",
            "Readers keep the version as of 2026-03-31, published 2026-03-31 01:02 UTC.",
        ),
    )
    assert alert([replace(failed, facts=facts[:1])], CHINESE, _publication()) == Message(
        "【小店】数据刷新失败（构建并测试数据表）",
        (
            "测试 t0（orders）未通过，查出 1,200 行。",
            "时间：2026-03-31 12:00（Asia/Shanghai），运行 01234567",
            "已发布的数据不受影响：截止 2026-03-31，发布于 2026-03-31 01:02 UTC。",
        ),
    )
    assert all_clear([failed], CHINESE, _publication()) == Message(
        "【小店】已恢复：数据刷新正常",
        (
            "已发布：数据截止 2026-03-31。",
            "此前：数据刷新失败（构建并测试数据表），始于 2026-03-31 12:00（Asia/Shanghai）。",
        ),
    )


def test_late_data_is_told_by_table_and_when_it_has_come(world: World) -> None:
    late = [Stale("orders", date(2026, 3, 29), date(2026, 3, 31)), Stale("published", None, NOON)]
    tell_stale(late)
    [text] = world.new()["Slack"]
    assert text.splitlines() == [
        "[Company] Data is late",
        "orders: the newest data is of 2026-03-29; more was expected by 2026-03-31.",
        "published: no data has come; it was expected by 2026-03-31 04:00 UTC.",
    ]
    # a day later the same table is still late
    tell_stale([replace(late[0], expected=date(2026, 4, 1)), late[1]])
    assert world.titles() == []
    tell_stale(late[:1])
    assert world.new()["Slack"] == ["[Company] All clear: the data has come\npublished"]


def test_a_fact_without_a_sentence_or_its_values_is_told_by_its_code() -> None:
    facts = Fact("SparkError"), Fact("test_failed", {"test": "of another release"})
    assert alert([Cause(FAILED, "Shop", facts, NOON)], ENGLISH, None).lines[:2] == (
        "An error of the kind SparkError.",
        "An error of the kind test_failed.",
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ada/raw/company.yml, line 3: name is wrong.\nmore", "…/company.yml, line 3: name is wrong."),
        ("/home/ada/stickiness/seeds/holidays.csv, line 3: no day.", "…/seeds/holidays.csv, line 3: no day."),
        ('status holds "Ada Lovelace"; expected paid', 'status holds "…"; expected paid'),
        ("row of 'Ada' and `Lovelace`", 'row of "…" and "…"'),
        ("write to ada@example.com or 13812345678", "write to *** or ***"),
        ("x" * 300, "x" * 199 + "…"),
        ("", ""),
    ],
)
def test_of_an_error_the_first_line_is_told_without_paths_and_quoted_values(text: str, shown: str) -> None:
    assert first_line(text) == shown


def test_a_folder_whose_name_has_spaces_is_told_neither() -> None:
    folders = [Path("/srv/Ada Lovelace/raw"), Path("/srv/Ada Lovelace")]
    assert first_line("The raw folder /srv/Ada Lovelace/raw is a file.", folders) == "The raw folder … is a file."
    assert first_line("/srv/Ada Lovelace/raw/company.yml is no text.", folders) == "…/company.yml is no text."


def test_a_run_that_took_too_long_is_told_as_such(instance: DagsterInstance) -> None:
    made = create_run_for_test(instance, status=DagsterRunStatus.STARTED)
    instance.report_run_failed(made, "Exceeded maximum runtime of 43200 seconds.")
    news = causes.of_run(instance.all_logs(made.run_id), made.run_id, "refresh", "Shop", NOON, ())
    assert news.cause.facts == (Fact("run_too_long"),)


# The digest

SCORECARD = (
    "CREATE TABLE marts.kpi_scorecard AS SELECT * FROM (VALUES "
    "('rate', 1, 'Repurchase rate', '复购率', 'rate', DATE '2026-02-01', 0.31, 0.35, 0.4, 'missed', true, true), "
    "('rate', 1, 'Repurchase rate', '复购率', 'rate', DATE '2026-01-01', 0.35, 0.2, 0.4, 'missed', true, true), "
    "('rate', 1, 'Repurchase rate', '复购率', 'rate', DATE '2026-03-01', 0.1, 0.31, 0.4, 'incomplete', false, NULL), "
    "('clv', 2, 'CLV', '客户价值', 'money', DATE '2026-03-01', 1234.5, 1000, NULL, 'no_target', true, true), "
    "('nps', 3, 'NPS', '净推荐值', 'score', DATE '2026-03-01', 41.25, 40, 45, 'near', true, false)) "
    "AS v(kpi, kpi_rank, label_en, label_zh, unit, month, actual, previous_month, target, status, is_complete, "
    "is_change_significant)",
)
UNRELIABLE = (
    "CREATE TABLE marts.customer_churn_risk AS SELECT * FROM (VALUES "
    "(false, 'Too few customers', '客户太少', NULL), (false, 'Too few customers', '客户太少', NULL), "
    "(true, NULL, NULL, true)) AS v(is_reliable, unreliable_reason_en, unreliable_reason_zh, is_save_candidate)",
    "CREATE TABLE marts.cohort_clv AS SELECT * FROM (VALUES "
    "('all', 90, false, 'No backtest', '没有回测'), ('all', 365, false, 'No backtest', '没有回测'), "
    "('2025-01', 90, false, 'Other', '其他')) "
    "AS v(cohort, horizon_days, is_reliable, unreliable_reason_en, unreliable_reason_zh)",
)
FLAGGED = (
    "CREATE TABLE marts.nps AS SELECT * FROM (VALUES "
    "('quarter', DATE '2026-01-01', true, true), ('quarter', DATE '2026-01-01', true, false)) "
    "AS v(period_grain, period_start, is_complete, is_flagged)",
)
ROWS = (
    "CREATE TABLE marts.customers AS SELECT range AS customer_id FROM range(1234)",
    "CREATE TABLE quality.row_reconciliation AS SELECT * FROM (VALUES "
    "('orders', 2, 1200, 990, 10, 0, 200), ('tickets', 1, 5, 5, 0, 0, 0)) "
    "AS v(table_name, files, rows_read, rows_accepted, rows_rejected, rows_superseded, rows_filtered)",
)


def published(warehouse: Path, *statements: str) -> Publication:
    build_db = warehouse / "build" / "warehouse.duckdb"
    build_db.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(build_db)) as connection:
        for statement in ("CREATE SCHEMA marts", "CREATE SCHEMA quality", *statements):
            connection.execute(statement)
        connection.execute("CREATE TABLE marts.something AS SELECT 1 AS n")
    return publish(build_db, warehouse, PublicationFacts(date(2026, 3, 31), "abc", 7, 2, datetime.now(UTC)))


def digest_of(warehouse: Path, publication: Publication, voice: Voice) -> Message:
    with DuckDbEngine(warehouse).read_published() as ask:
        return digest(ask, publication, voice, Shown("CNY", 90))


def test_the_digest_tells_figures_changes_beyond_noise_and_what_to_look_at(tmp_path: Path) -> None:
    publication = published(tmp_path, *SCORECARD, *UNRELIABLE, *FLAGGED, *ROWS)
    assert digest_of(tmp_path, publication, ENGLISH) == Message(
        "[Shop] Published: as of 2026-03-31",
        (
            "Headline figures:",
            "- Customers known, buyers or not: 1,234",
            "- Valuable customers who may leave and can be saved: 1",
            "Changed beyond noise:",
            "- Changes of NPS flagged (2026-Q1): 1 / 2",
            "- Repurchase rate (2026-02): 35.0% → 31.0%",
            "- CLV (2026-03): CNY 1,000.00 → CNY 1,234.50",
            "To look at:",
            "- Repurchase rate (2026-02): 31.0%, target 40.0% missed",
            "- Predicted value is not reliable: No backtest",
            "- Churn predictions of 2 customers are not reliable: Too few customers",
            "- orders: 10 of 1,000 rows rejected (1.0%)",
            "- Tests that warned: 2",
        ),
    )
    chinese = digest_of(tmp_path, publication, CHINESE)
    assert chinese.title == "【小店】数据已发布：截止 2026-03-31"
    assert "- 复购率（2026-02）：31.0%，未达到目标 40.0%" in chinese.lines
    assert "- 2 位客户的流失预测不可靠：客户太少" in chinese.lines
    assert "- orders：1,000 行中有 10 行被拒（1.0%）" in chinese.lines


def test_a_digest_of_marts_that_are_absent_says_that_there_is_nothing(tmp_path: Path) -> None:
    publication = replace(published(tmp_path), tests_warned=0)
    assert digest_of(tmp_path, publication, ENGLISH).lines == (
        "Headline figures: nothing", "Changed beyond noise: nothing", "To look at: nothing",
    )  # fmt: skip
