"""Dagster's own databases in a warehouse: whether they can be read, and that they do not grow for ever.

A run writes some 11 MB of events, of which its checks are the most: a file of its own, and a copy in the index of all.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.dead_runs import dagster_home
from orchestration.errors import WarehouseError
from orchestration.faults import dagster_fault

if TYPE_CHECKING:
    from dagster import DagsterInstance

RUNS_KEPT = 20
"""How many finished runs Dagster's pages can show; the ledger of publications has what older ones published."""

_DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
_SECONDS_TO_WAIT = 5.0
# tables of the index that Dagster leaves as they are when it deletes a run
_LEFT_BEHIND = ("asset_check_executions",)


def check_dagster_store(warehouse: Path) -> None:
    """See that Dagster's databases are whole, before anything waits for Dagster; those that there are not yet are.

    Raises:
        WarehouseError: one is damaged, or another program has it locked; the message ends in what to do.
    """
    for name in _DATABASES:
        path = dagster_home(warehouse) / name
        if not path.exists():
            continue
        try:
            problem = _problem(path)
        except sqlite3.Error as error:
            raise WarehouseError(dagster_fault(warehouse, f"{name}: {error}")) from error
        if problem != "ok":
            raise WarehouseError(dagster_fault(warehouse, f"{name}: {problem}"))


def create_dagster_store(home: Path) -> None:
    """Make Dagster's databases in a folder, `DAGSTER_HOME`, that has none.

    Servers that begin together would each make them, and spoil them.
    """
    if all((home / name).exists() for name in _DATABASES):
        return
    from dagster import DagsterInstance

    with DagsterInstance.from_config(str(home)):
        pass


def _problem(path: Path) -> str:
    """What SQLite finds wrong with a database, "ok" if nothing."""
    # to read it, not to make it where it has gone meanwhile
    uri = f"{path.resolve().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_SECONDS_TO_WAIT)) as connection:
        [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    return str(found)


def forget_old_runs(instance: DagsterInstance, keep: int = RUNS_KEPT) -> int:
    """Delete all but the last `keep` finished runs, with all that they have written; returns how many those were."""
    from dagster import DagsterRunStatus, RunsFilter

    finished = RunsFilter(statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
    old = [run.run_id for run in instance.get_runs(finished)[keep:]]
    for run_id in old:
        instance.delete_run(run_id)
    _delete_what_is_left(Path(instance.root_directory), set(old))
    return len(old)


def _delete_what_is_left(home: Path, forgotten: set[str]) -> None:
    """Delete what Dagster leaves of a run that it has deleted: a file as large as before, and lines of checks."""
    runs = home / "history" / "runs"
    for run_id in forgotten:
        for path in runs.glob(f"{run_id}.db*"):
            path.unlink(missing_ok=True)
    index = runs / "index.db"
    if not (forgotten and index.exists()):
        return
    with contextlib.closing(sqlite3.connect(index, timeout=_SECONDS_TO_WAIT)) as connection, connection:
        for table in _LEFT_BEHIND:
            connection.executemany(f"DELETE FROM {table} WHERE run_id = ?", [(run_id,) for run_id in forgotten])
