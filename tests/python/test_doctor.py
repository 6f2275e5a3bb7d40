"""`make doctor`: each fault is seen, named with the command that mends it, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestration import cli, doctor
from orchestration.doctor import Finding, State, examine
from orchestration.settings import ROOT
from orchestration.warehouse_lock import warehouse_lock

EXAMPLE = ROOT / "docs" / "example"


@pytest.fixture
def well(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which nothing is wrong."""
    return {"STICKINESS_RAW_DIR": str(EXAMPLE), "STICKINESS_WAREHOUSE_DIR": str(tmp_path / "dw")}


def found(environ: Mapping[str, str], subject: str) -> list[Finding]:
    return [finding for finding in examine(environ) if finding.subject == subject]


def test_where_nothing_is_wrong_nothing_is_said_to_be_and_nothing_is_made(well: dict[str, str], tmp_path: Path) -> None:
    findings = list(examine(well))
    assert not [finding for finding in findings if finding.state is State.WRONG]
    assert [finding.text for finding in findings if finding.subject == "raw folder"] == [
        f"1 file of 1 table in {EXAMPLE}"
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_orders_is_wrong_and_a_file_of_no_table_is_named(well: dict[str, str], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copy(EXAMPLE / "orders.csv", raw / "order.csv")
    orders, unread = found(well | {"STICKINESS_RAW_DIR": str(raw)}, "raw folder")
    assert orders.state is State.WRONG and "no file of the table orders" in orders.text
    assert unread.state is State.LOOK and "did you mean orders?" in unread.text


def test_a_setting_that_is_wrong_is_told_in_the_words_of_a_refresh(well: dict[str, str], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(EXAMPLE, raw)
    (raw / "company.yml").write_text("bussiness_timezone: Asia/Shanghai\n", encoding="utf-8")
    (finding,) = found(well | {"STICKINESS_RAW_DIR": str(raw)}, "settings")
    assert finding.state is State.WRONG and "business_timezone" in finding.text


def test_a_raw_folder_that_is_not_there_does_not_end_the_examination(well: dict[str, str], tmp_path: Path) -> None:
    environ = well | {"STICKINESS_RAW_DIR": str(tmp_path / "none")}
    assert found(environ, "settings")[0].state is State.WRONG
    assert found(environ, "disk")[0].state in (State.WELL, State.LOOK)


@pytest.mark.parametrize(
    ("free", "state"), [(10_000_000_000, State.WELL), (4_000_000_000, State.LOOK), (900_000_000, State.WRONG)]
)
def test_a_disk_is_judged_by_its_room(
    well: dict[str, str], monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    (finding,) = found(well, "disk")
    assert finding.state is state
    assert ("df -h" in finding.remedy) == (state is not State.WELL)


def test_a_warehouse_in_use_is_waited_for_and_one_that_is_a_file_is_wrong(well: dict[str, str], tmp_path: Path) -> None:
    with warehouse_lock(tmp_path / "dw"):
        (finding,) = found(well, "warehouse")
        assert finding.state is State.LOOK and "in use" in finding.text
    (tmp_path / "file").touch()
    (finding,) = found(well | {"STICKINESS_WAREHOUSE_DIR": str(tmp_path / "file")}, "warehouse")
    assert finding.state is State.WRONG


def test_a_damaged_history_of_runs_is_told_with_the_command_that_mends_it(well: dict[str, str], tmp_path: Path) -> None:
    history = tmp_path / "dw" / "dagster" / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_bytes(b"no database " * 100)
    (finding,) = found(well, "warehouse")
    assert finding.state is State.WRONG and "mv " in finding.text


def test_a_port_that_is_none_stops_no_refresh_but_is_told(well: dict[str, str]) -> None:
    (finding,) = found(well | {"STICKINESS_WEB_PORT": "99999"}, "pages")
    assert finding.state is State.LOOK and finding.remedy


def test_a_copy_for_bi_is_told_without_its_secret(well: dict[str, str]) -> None:
    assert found(well, "BI copy")[0].state is State.UNUSED
    dsn = {"PUBLISH_POSTGRES_DSN": "postgresql://bi:geheim@db.example/bi"}
    (finding,) = found(well | dsn, "BI copy")
    assert finding.state is State.WELL and "geheim" not in finding.text
    (finding,) = found(well | dsn | {"PUBLISH_POSTGRES_LEAST_CUSTOMERS": "many"}, "BI copy")
    assert finding.state is State.LOOK


def test_channels_of_alerts_are_named_and_a_wrong_one_is_told_without_its_value(
    well: dict[str, str],
) -> None:
    assert found(well, "alerts")[0].state is State.UNUSED
    slack = {"STICKINESS_ALERT_SLACK_URL": "https://hooks.slack.com/services/geheim"}
    assert found(well | slack, "alerts") == [Finding("alerts", State.WELL, "are sent by Slack")]
    wecom = {"STICKINESS_ALERT_WECOM_URL": "http://qyapi.weixin.qq.com/?key=geheim"}
    wrong, well_set = found(well | slack | wecom, "alerts")
    assert wrong.state is State.LOOK and wrong.text.startswith("STICKINESS_ALERT_WECOM_URL")
    assert well_set.state is State.WELL and "geheim" not in wrong.text + well_set.text


def test_a_program_that_only_another_target_needs_is_not_asked_for(
    well: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    (finding,) = found(well, "java")
    assert finding.state is State.UNUSED and not finding.remedy
    assert doctor._fonts().state is State.UNUSED


def test_a_machine_without_a_chinese_font_is_told_which_package_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, "DejaVu Sans\n\n", "")
    )
    assert doctor._fonts().state is State.WELL

    def slow(*arguments: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("fc-list", 10)

    monkeypatch.setattr(doctor.subprocess, "run", slow)
    assert doctor._fonts().state is State.UNUSED
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, "\n", ""))
    assert doctor._fonts() == Finding("fonts", State.LOOK, "none has Chinese signs", "apt-get install fonts-noto-cjk")


def test_the_command_fails_where_something_is_wrong(
    well: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in well.items():
        monkeypatch.setenv(name, value)
    for name in set(os.environ) & {"STICKINESS_TARGET", "STICKINESS_WEB_PORT"}:
        monkeypatch.delenv(name)
    assert cli.main(["doctor"]) == 0
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(EXAMPLE / "none"))
    assert cli.main(["doctor"]) == 1
    assert "WRONG  settings" in capsys.readouterr().out
