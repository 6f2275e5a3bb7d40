"""The sensor on the raw folder: it waits until files rest, and asks once for each state of the folder."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import SensorResult

from orchestration.contract import Contract
from orchestration.new_files import Watched, look
from orchestration.schedules import look_for_new_files
from orchestration.settings import ROOT, Settings, defaults_of, read_company_settings

# in Shanghai it is the first of April already
BEGIN = datetime(2026, 3, 31, 17, tzinfo=UTC)


class Sensor:
    """The sensor of a company in Shanghai, whose files must rest for two minutes."""

    def __init__(self, raw: Path, contract: Contract) -> None:
        self.contract, self.cursor, self.now = contract, None, BEGIN
        known = {**defaults_of(read_company_settings(ROOT)), "business_timezone": "Asia/Shanghai"}
        self.served = Settings(root=ROOT, raw_dir=raw, warehouse=raw, defaults=known)

    def look(self, seconds: int = 60) -> SensorResult:
        """Look again after a while."""
        self.now += timedelta(seconds=seconds)
        result = look_for_new_files(self.contract, self.served, self.cursor, self.now)
        self.cursor = result.cursor
        return result

    def asks(self, seconds: int = 60) -> bool:
        return bool(self.look(seconds).run_requests)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text("order_id\n")
    return tmp_path


@pytest.fixture
def watching(raw: Path, contract: Contract) -> Sensor:
    return Sensor(raw, contract)


def test_what_is_there_at_the_first_look_is_not_new(watching: Sensor) -> None:
    assert not any(watching.asks() for _ in range(5))


def test_a_new_file_is_read_once_it_has_rested_as_of_yesterday_in_the_business_time_zone(
    watching: Sensor, raw: Path
) -> None:
    watching.look()
    (raw / "tickets.csv").write_text("ticket_id\n")
    assert watching.look().skip_reason.skip_message == "New files are not at rest yet."
    assert not watching.asks(119)
    [request] = watching.look(1).run_requests
    assert request.run_config == {"resources": {"refresh": {"config": {"as_of": "2026-03-31", "is_automatic": True}}}}
    assert request.tags["as_of"] == "2026-03-31"
    assert not any(watching.asks() for _ in range(5))


def test_a_file_that_grows_or_gets_a_new_time_does_not_rest(watching: Sensor, raw: Path) -> None:
    watching.look()
    for size in range(3):
        with (raw / "orders.csv").open("a") as file:
            file.write(f"O{size}\n")
        assert not watching.asks(119)
    os.utime(raw / "orders.csv", ns=(1, 1))
    assert not watching.asks(119)
    assert not watching.asks(119)
    assert watching.asks(1)


def test_batches_in_folders_count_and_what_landing_does_not_read_does_not(watching: Sensor, raw: Path) -> None:
    watching.look()
    (raw / "notes.txt").write_text("no table")
    (raw / "_orders.csv").write_text("left out")
    assert not any(watching.asks(200) for _ in range(3))
    (raw / "tickets" / "load_date=2026-03-31").mkdir(parents=True)
    (raw / "tickets" / "load_date=2026-03-31" / "part-0.csv").write_text("ticket_id\n")
    assert [watching.asks(200) for _ in range(3)] == [False, True, False]


def test_files_that_come_back_are_new_again_and_have_a_run_of_their_own(watching: Sensor, raw: Path) -> None:
    watching.look()
    keys = []
    for names in (("tickets.csv",), (), ("tickets.csv",)):
        for name in names:
            (raw / name).write_text("ticket_id\n")
            os.utime(raw / name, ns=(1, 1))
        if not names:
            (raw / "tickets.csv").unlink()
        watching.look()
        keys += [request.run_key for request in watching.look(200).run_requests]
    assert len(set(keys)) == 3


def test_a_folder_that_is_gone_is_told_and_looked_for_again(watching: Sensor, raw: Path) -> None:
    watching.look()
    kept = watching.cursor
    watching.served = replace(watching.served, raw_dir=raw / "gone")
    assert "does not exist" in watching.look().skip_reason.skip_message
    assert watching.cursor == kept


def test_a_cursor_that_cannot_be_read_is_a_first_look() -> None:
    for cursor in (None, "", "{}", "[]", "null", '{"done": 1}', "é"):
        assert Watched.from_cursor(cursor) is None
    watched = Watched("a", "b", 12.5)
    assert Watched.from_cursor(watched.to_cursor()) == watched


def test_a_folder_that_is_as_it_was_again_before_it_rested_needs_no_run() -> None:
    watched, _ = look(Watched("a", "a", 0.0), "b", 10.0, 120)
    watched, due = look(watched, "a", 20.0, 120)
    assert not due
    assert look(watched, "a", 1000.0, 120) == (watched, False)
