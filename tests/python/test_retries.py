"""What an automatic run tries again by itself, and what it leaves to a person."""

import errno
import fcntl
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, DagsterInstance, Definitions

from orchestration import retries
from orchestration.assets import dbt_models, raw_tables, refresh
from orchestration.bi import follow as copies
from orchestration.engines.duckdb.build import open_build
from orchestration.engines.spark.connection import SparkAwayError
from orchestration.errors import (
    BuildError,
    CopyDelayedError,
    CopyError,
    PublicationError,
    SettingsError,
    SparkError,
    WarehouseError,
    WarehouseLockedError,
)
from orchestration.faults import may_pass
from orchestration.landing.broken_files import RawFolderError
from orchestration.settings import Settings

# the tests that build definitions share one parsed project
pytestmark = pytest.mark.xdist_group("retries")


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "orders.csv").write_text("order_id,amount\nO1,3.5\n")
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(raw))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(tmp_path / "dw"))
    monkeypatch.setattr(refresh, "WAITS", (0.0, 0.0, 0.0))
    return raw


def land_only(definitions: Definitions, **config: Any) -> Any:
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
                "resources": {"refresh": {"config": config}},
            },
        )


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int) -> list[int]:
    """Have landing fail that often; the list grows with each attempt."""
    attempts: list[int] = []
    real = raw_tables.land

    def land(*arguments: Any) -> Any:
        attempts.append(len(attempts))
        if len(attempts) <= times:
            raise error
        return real(*arguments)

    monkeypatch.setattr(raw_tables, "land", land)
    return attempts


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_an_automatic_run_tries_again_what_passes_by_itself(
    definitions: Definitions, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = failing(monkeypatch, FULL, times=2)
    assert land_only(definitions, is_automatic=True).success
    assert len(attempts) == 3


@pytest.mark.parametrize(
    ("error", "is_automatic", "attempts"),
    [
        (FULL, False, 1),
        (FULL, True, 4),
        (sqlite3.OperationalError("database is locked"), True, 4),
        (RawFolderError("no folder"), True, 1),
        (SettingsError("no zone"), True, 1),
        (PublicationError("refused"), True, 1),
        (OSError(errno.EACCES, "Permission denied"), True, 1),
        (MemoryError(), True, 1),
    ],
)
def test_what_does_not_pass_and_what_somebody_looks_at_fails_with_its_message(
    definitions: Definitions,
    raw: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    is_automatic: bool,
    attempts: int,
) -> None:
    made = failing(monkeypatch, error, times=99)
    result = land_only(definitions, is_automatic=is_automatic)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description
    assert len(made) == attempts


def test_an_automatic_run_waits_for_the_warehouse(
    definitions: Definitions, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dw").mkdir()
    with (tmp_path / "dw" / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not land_only(definitions, is_automatic=True).success
        monkeypatch.setattr(retries.time, "sleep", lambda seconds: fcntl.flock(other, fcntl.LOCK_UN))
        assert land_only(definitions, is_automatic=True).success


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (WarehouseLockedError("another refresh"), True),
        (SparkAwayError("no session"), True),
        (SparkError("no such table"), False),
        (CopyDelayedError("connection refused"), True),
        (CopyError("no such role"), False),
        (WarehouseError("damaged"), False),
        (OSError(errno.EDQUOT, "quota"), True),
        (OSError(errno.ENOENT, "none"), False),
        (duckdb.IOException("IO Error: Could not set lock on file: Conflicting lock is held"), True),
        (duckdb.CatalogException("no such table"), False),
        (ValueError("database is locked"), False),
    ],
)
def test_what_may_pass_is_known_by_its_kind_and_of_databases_by_their_words(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def test_an_error_may_pass_if_what_caused_it_may() -> None:
    error = WarehouseError("The disk is full")
    error.__cause__ = FULL
    assert may_pass(error)


@pytest.mark.parametrize(
    ("message", "passes"),
    [
        ("IO Error: Could not set lock on file: Conflicting lock is held in PID 7", True),
        ("Out of Memory Error: could not allocate", False),
        ("Got 3 results, configured to fail if != 0", False),
    ],
)
def test_a_build_may_pass_by_what_dbt_says(tmp_path: Path, message: str, passes: bool) -> None:
    class Ended:
        process = type("Process", (), {"returncode": 1})()
        manifest: dict[str, Any] = {}

    settings = Settings(root=tmp_path, raw_dir=tmp_path, warehouse=tmp_path)
    with pytest.raises(BuildError) as error:
        dbt_models._check(Ended(), settings, [message])
    assert may_pass(error.value) is passes


def test_a_build_database_that_another_program_has_open_may_pass(tmp_path: Path) -> None:
    """A DuckDB file has one writer: here another process."""
    path = tmp_path / "build" / "warehouse.duckdb"
    with open_build(path):
        pass
    hold = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline()
        with pytest.raises(WarehouseError) as error, open_build(path):
            pass
        other.communicate()
    assert may_pass(error.value)


@pytest.mark.parametrize(("error", "attempts"), [(CopyDelayedError("away"), 3), (CopyError("no role"), 1)])
def test_the_copy_for_bi_is_tried_again_where_its_database_is_away(
    monkeypatch: pytest.MonkeyPatch, error: CopyError, attempts: int
) -> None:
    made: list[int] = []

    def copy(*arguments: Any) -> Any:
        made.append(1)
        raise error

    monkeypatch.setattr(copies, "_copy", copy)
    environ = {"PUBLISH_POSTGRES_DSN": "host=/nowhere"}
    told = copies.follow(None, None, environ, announce=lambda text: None, waits=(0.0, 0.0))
    assert "could not be made" in told[0]
    assert len(made) == attempts


def test_waits_come_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", slept.append)

    def fail() -> None:
        raise FULL

    do: Callable[[], None] = fail
    with pytest.raises(OSError, match="No space"):
        retries.patiently(do, (1.0, 5.0))
    assert slept == [1.0, 5.0]
