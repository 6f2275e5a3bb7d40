"""Runs of Dagster whose process was killed: they would stay `started` for ever and hold up every later one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.processes import began_at
from orchestration.warehouse_lock import holder_of, is_locked

if TYPE_CHECKING:
    from dagster import DagsterInstance, RunRecord

MESSAGE = "its process ended"
# what Dagster's code server writes to the log of a run, before anything else, in the process of the run
_STARTED_PROCESS = re.compile(r"Started process for run \(pid: (\d+)\)")
# the clock of the log and that of the list of processes are not read at one instant
_SECONDS_OF_SLACK = 2.0


def dagster_home(warehouse: Path) -> Path:
    """Dagster's own folder in a warehouse."""
    return warehouse / "dagster"


def fail_dead_runs(instance: DagsterInstance, warehouse: Path) -> list[str]:
    """Report as failed every run that is under way on paper only; returns their ids.

    `instance` is Dagster's instance of the warehouse, whose lock says which run is at work.
    """
    # heavy, and known already to whoever has an instance
    from dagster import DagsterRunStatus, RunsFilter

    under_way = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    failed, serving_since = [], _serving_since(dagster_home(warehouse))
    for record in instance.get_run_records(RunsFilter(statuses=under_way)):
        run = record.dagster_run
        if _holds(warehouse, run.run_id) or _is_at_work(instance, record, serving_since):
            continue
        # it may have come to its end while this looked
        now = instance.get_run_by_id(run.run_id)
        if now is not None and now.status in under_way:
            instance.report_run_failed(now, MESSAGE)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            failed.append(run.run_id)
    return failed


def _holds(warehouse: Path, run_id: str) -> bool:
    """Whether the run holds the warehouse, or may be about to say that it does."""
    holder = holder_of(warehouse)
    if holder is None or holder.run_id not in (run_id, None):
        return False
    if holder.run_id is None and holder.is_this_process():
        return False
    return holder.is_there() or is_locked(warehouse)


def _serving_since(home: Path) -> float:
    """When the server began that may be launching a run now, in seconds since 1970; infinite where there is none."""
    holder = holder_of(home)
    began = began_at(holder.pid) if holder is not None and holder.is_there() else None
    if began is not None:
        return began
    return float("-inf") if is_locked(home) else float("inf")


def _is_at_work(instance: DagsterInstance, record: RunRecord, serving_since: float) -> bool:
    """Whether the process that Dagster started for the run is there, or is being started."""
    from dagster import DagsterEventType, DagsterRunStatus

    run = record.dagster_run
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        started = _STARTED_PROCESS.search(entry.message)
        if started:
            began = began_at(int(started[1]))
            # a process that began later has only been given the same number
            return began is not None and began <= entry.timestamp + _SECONDS_OF_SLACK
    # a run of the command line has no such entry: it holds the warehouse, or it is not there
    launched_at = record.update_timestamp.timestamp()
    return run.status is DagsterRunStatus.STARTING and launched_at + _SECONDS_OF_SLACK >= serving_since
