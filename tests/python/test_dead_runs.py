"""A run whose process was killed is reported failed, and only such a run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from orchestration import processes, warehouse_lock
from orchestration.dead_runs import MESSAGE, dagster_home, fail_dead_runs
from orchestration.errors import WarehouseLockedError
from orchestration.processes import began_at, command_of, start_of
from orchestration.warehouse_lock import Holder, holder_of, server_lock

# takes the lock of a folder and holds it until it is killed
HOLDER = """
import sys, time
from pathlib import Path
from orchestration.warehouse_lock import server_lock, warehouse_lock
lock = warehouse_lock(Path(sys.argv[1]), sys.argv[2] or None) if len(sys.argv) > 2 else server_lock(Path(sys.argv[1]))
with lock:
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def other_process(*arguments: str) -> Iterator[subprocess.Popen]:
    """Another process that says a line when it is ready; killed at the end."""
    process = subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


def sleeper() -> contextmanager:
    return other_process("import time; print(flush=True); time.sleep(60)")


@pytest.fixture(scope="module")
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def warehouse(tmp_path: Path, instance: DagsterInstance) -> Path:
    for record in instance.get_run_records():
        instance.delete_run(record.dagster_run.run_id)
    return tmp_path


def run(
    instance: DagsterInstance, status: DagsterRunStatus = DagsterRunStatus.STARTED, pid: int | None = None
) -> DagsterRun:
    """A run as Dagster's code server leaves it that has started a process for it; None: a run of the command line."""
    made = create_run_for_test(instance, status=status)
    if pid is not None:
        instance.report_engine_event(f"Started process for run (pid: {pid}).", made)
    return made


def status(instance: DagsterInstance, made: DagsterRun) -> DagsterRunStatus:
    return instance.get_run_by_id(made.run_id).status


@pytest.mark.parametrize("before", [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING, DagsterRunStatus.STARTING])
def test_a_run_whose_process_was_killed_is_reported_failed_and_a_live_one_is_left_alone(
    instance: DagsterInstance, warehouse: Path, before: DagsterRunStatus
) -> None:
    with sleeper() as alive:
        with sleeper() as killed:
            runs = {alive: run(instance, before, alive.pid), killed: run(instance, before, killed.pid)}
            assert fail_dead_runs(instance, warehouse) == []
        assert fail_dead_runs(instance, warehouse) == [runs[killed].run_id]
        assert status(instance, runs[killed]) is DagsterRunStatus.FAILURE
        assert status(instance, runs[alive]) is before
    assert MESSAGE in [entry.message for entry in instance.all_logs(runs[killed].run_id)]


def test_a_process_that_has_ended_and_that_nobody_has_waited_for_is_gone(
    instance: DagsterInstance, warehouse: Path
) -> None:
    with sleeper() as process:
        made = run(instance, pid=process.pid)
        process.kill()
        deadline = time.monotonic() + 10
        while not fail_dead_runs(instance, warehouse) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status(instance, made) is DagsterRunStatus.FAILURE


def test_a_process_that_was_given_the_number_of_an_earlier_one_is_not_it(
    instance: DagsterInstance, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sleeper() as process:
        made = run(instance, pid=process.pid)
        monkeypatch.setattr("orchestration.dead_runs.began_at", lambda pid: began_at(pid) + 3600)
        assert fail_dead_runs(instance, warehouse) == [made.run_id]


def test_the_run_that_the_lock_names_is_at_work_as_long_as_its_process_is(
    instance: DagsterInstance, warehouse: Path
) -> None:
    made, other = run(instance), run(instance)
    with other_process(HOLDER, str(warehouse), made.run_id) as process:
        assert holder_of(warehouse).run_id == made.run_id
        assert fail_dead_runs(instance, warehouse) == [other.run_id]
        process.kill()
        process.wait()
        assert holder_of(warehouse).run_id == made.run_id, "what was left names the run that ended"
        assert fail_dead_runs(instance, warehouse) == [made.run_id]


def test_a_holder_that_has_not_named_its_run_may_be_any_run(instance: DagsterInstance, warehouse: Path) -> None:
    made = run(instance)
    with other_process(HOLDER, str(warehouse), ""):
        assert fail_dead_runs(instance, warehouse) == []
    assert fail_dead_runs(instance, warehouse) == [made.run_id]


def test_a_command_line_run_that_holds_the_warehouse_reports_the_runs_before_it(
    instance: DagsterInstance, warehouse: Path
) -> None:
    before = run(instance)
    with warehouse_lock.warehouse_lock(warehouse):
        assert fail_dead_runs(instance, warehouse) == [before.run_id]
        own = run(instance)
        with warehouse_lock.warehouse_lock(warehouse, own.run_id):
            assert fail_dead_runs(instance, warehouse) == []
            with warehouse_lock.warehouse_lock(warehouse):
                assert holder_of(warehouse).run_id == own.run_id, "who takes it again without a run keeps the name"
        assert holder_of(warehouse).run_id is None
    assert (warehouse / ".lock").read_text() == "", "a lock that was given back names nobody"


def test_a_lock_whose_process_is_out_of_sight_and_that_is_held_keeps_its_run(
    instance: DagsterInstance, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in two containers that share a folder."""
    made = run(instance)
    with other_process(HOLDER, str(warehouse), made.run_id):
        monkeypatch.setattr(Holder, "is_there", lambda self: False)
        assert fail_dead_runs(instance, warehouse) == []
    assert fail_dead_runs(instance, warehouse) == [made.run_id]


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe\x00", b"{", b"1", b"null", b"[1]", b'{"pid": 1}', b'{"pid": "1", "start": 2, "since": ""}', b"{}"],
)
def test_a_lock_of_an_earlier_release_or_a_damaged_one_names_nobody_and_hinders_nobody(
    instance: DagsterInstance, warehouse: Path, text: bytes
) -> None:
    (warehouse / ".lock").write_bytes(text)
    assert holder_of(warehouse) is None
    made = run(instance)
    assert fail_dead_runs(instance, warehouse) == [made.run_id]
    with warehouse_lock.warehouse_lock(warehouse):
        assert holder_of(warehouse).is_this_process()


def test_a_holder_with_another_start_is_another_process(warehouse: Path) -> None:
    mine = Holder.this_process()
    assert mine.is_there()
    assert not replace(mine, start="0@another boot").is_there()
    (warehouse / ".lock").write_text(json.dumps(asdict(replace(mine, start="0@another boot"))))
    with warehouse_lock.warehouse_lock(warehouse):
        assert holder_of(warehouse) == replace(mine, since=holder_of(warehouse).since)


def test_a_launch_that_an_earlier_server_began_comes_to_no_end(instance: DagsterInstance, warehouse: Path) -> None:
    """With no process yet, a run of the server that is there now is being started; one of an earlier server never."""
    home = dagster_home(warehouse)
    before = run(instance, DagsterRunStatus.STARTING)
    # longer than two clocks may be apart
    time.sleep(4)
    with other_process(HOLDER, str(home)):
        now = run(instance, DagsterRunStatus.STARTING)
        assert fail_dead_runs(instance, warehouse) == [before.run_id]
    assert fail_dead_runs(instance, warehouse) == [now.run_id]


def test_runs_that_wait_or_have_ended_are_left_alone(instance: DagsterInstance, warehouse: Path) -> None:
    for other in (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.SUCCESS, DagsterRunStatus.CANCELED):
        run(instance, other)
    assert fail_dead_runs(instance, warehouse) == []


def test_who_finds_the_warehouse_taken_is_told_by_whom_and_since_when(warehouse: Path) -> None:
    with other_process(HOLDER, str(warehouse), "abc") as process:
        since = holder_of(warehouse).since
        with pytest.raises(WarehouseLockedError, match=rf"process {process.pid}, since {since} UTC, run abc"):
            warehouse_lock.warehouse_lock(warehouse).__enter__()


def test_one_server_at_a_time_serves_a_folder(warehouse: Path) -> None:
    with (
        other_process(HOLDER, str(warehouse / "dagster")) as process,
        pytest.raises(WarehouseLockedError, match=rf"make dev is running for .* already \(process {process.pid}, "),
        server_lock(warehouse / "dagster"),
    ):
        pass


def test_a_lock_that_is_tried_by_somebody_who_only_looks_is_taken_all_the_same(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks whether it is held holds it for an instant."""
    attempts = []

    def flock(file: object, how: int) -> None:
        attempts.append(how)
        if len(attempts) == 1:
            raise BlockingIOError

    monkeypatch.setattr(warehouse_lock.fcntl, "flock", flock)
    with warehouse_lock.warehouse_lock(warehouse):
        assert len(attempts) == 2


def test_a_process_is_told_by_its_start_and_its_command() -> None:
    own = start_of(os.getpid())
    assert own == start_of(os.getpid())
    assert began_at(os.getpid()) <= time.time() + 1
    with sleeper() as process:
        assert start_of(process.pid) not in (None, own)
        assert "time.sleep(60)" in command_of(process.pid)
    assert start_of(process.pid) is None
    assert command_of(process.pid) == ""


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="there is no ps")
def test_without_proc_the_same_is_told_by_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        by_proc = began_at(process.pid)
        monkeypatch.setattr(processes.sys, "platform", "darwin")
        assert abs(began_at(process.pid) - by_proc) < 3
        assert "time.sleep(60)" in command_of(process.pid)
        process.kill()
        time.sleep(0.2)
        assert start_of(process.pid) is None, "ended, and not waited for"
    assert start_of(process.pid) is None
