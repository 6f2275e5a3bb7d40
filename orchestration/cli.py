"""The commands behind `make run`, `check`, `versions`, `rollback`, `dashboards`, `docs`, `doctor` and `dev`.

They are called as `python -m orchestration.cli refresh`.

Exit status: 0 published (or rolled back, or nothing found that would be refused), 1 failed and nothing changed for
readers, 3 another refresh is running.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from orchestration import summary
from orchestration.alerts.watch import follow_runs, tell_failure
from orchestration.bi.follow import follow
from orchestration.build_figures import table_figures
from orchestration.dagster_store import check_dagster_store, create_dagster_store, forget_old_runs
from orchestration.dbt_docs import write_dbt_docs
from orchestration.dbt_project import load_manifest, read_json, target_folder
from orchestration.dead_runs import dagster_home, fail_dead_runs
from orchestration.deprecations import deprecation_lines, deprecations
from orchestration.empty_marts import empty_marts, marts_empty_without
from orchestration.engines.engine import Engine
from orchestration.engines.registry import load_engine
from orchestration.errors import StickinessError, WarehouseError, WarehouseLockedError
from orchestration.failure_report import outcome
from orchestration.faults import fault_of
from orchestration.masking import masked, printable
from orchestration.modes import make_private, mend, private_files
from orchestration.progress import announce, build_seconds, layer_times, nodes_by_id, remark, show_progress
from orchestration.publication_guard import allowed_lines
from orchestration.serving import dagster_process
from orchestration.serving.supervisor import supervise
from orchestration.settings import (
    ALLOW,
    AS_OF,
    FULL_REFRESH,
    RAW_DIR,
    REFIT,
    ROOT,
    TARGET,
    WAREHOUSE_DIR,
    Settings,
    build_target,
    is_automatic,
    load_settings,
    warehouse_folder,
)
from orchestration.versions import version_lines
from orchestration.warehouse_lock import unwritable, warehouse_lock

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult

PUBLISHED, FAILED, LOCKED, INTERRUPTED = 0, 1, 3, 130

_AUTOMATIC = "Dagster refreshes by itself: each night, each month, and when new files have come to rest."
_NOT_AUTOMATIC = "Dagster runs nothing by itself. To have it refresh each night and for new files: make dev AUTOMATIC=1"

# Dagster's own folder: runs and asset history only. What steps print is shown here or kept in refresh.log.
DAGSTER_YAML = """\
# Written anew at each start; what you change here is lost.
telemetry:
  enabled: false
# no dialog that asks for an address on the first visit
nux:
  enabled: false
# the daemon looks every 30 seconds which files, and whether the publication, are late
freshness:
  enabled: true
concurrency:
  pools:
    default_limit: 1
    granularity: run
# The longest time a run may take: one that hangs must not hold up the next night. That a run's process is gone Dagster
# does not see where it runs on this machine; orchestration/dead_runs.py does.
run_monitoring:
  enabled: true
  poll_interval_seconds: 30
  max_runtime_seconds: 43200
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        with private_files():
            return options.command(options)
    except WarehouseLockedError as error:
        _tell(str(error), file=sys.stderr)
        return LOCKED
    except StickinessError as error:
        _tell(str(error), file=sys.stderr)
        return FAILED
    except Exception as error:
        told = fault_of(error, warehouse_folder())
        if told is None:
            raise
        _tell(told, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Interrupted. What is published is whole; which version it is says: make versions", file=sys.stderr)
        return INTERRUPTED


def _tell(text: str, file: TextIO | None = None) -> None:
    """Show a text that may hold what files hold: nothing of it is obeyed by a terminal."""
    print(printable(text), file=file or sys.stdout, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orchestration.cli", description="Run the project.")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("refresh", help="land, build, test and publish").set_defaults(command=_refresh)
    commands.add_parser("versions", help="list what was published").set_defaults(command=_versions)
    back = commands.add_parser("rollback", help="publish the previous version again")
    back.add_argument("--to", metavar="ID", help="a version to publish instead of the previous one")
    back.set_defaults(command=_rollback)
    commands.add_parser("doctor", help="what would stop a refresh").set_defaults(command=_doctor)
    commands.add_parser("check", help="land and judge the rows, build nothing").set_defaults(command=_check)
    commands.add_parser("dashboards", help="serve the published boards").set_defaults(command=_dashboards)
    commands.add_parser("docs", help="document the last build").set_defaults(command=_docs)
    dev = commands.add_parser("dev", help="serve Dagster's web pages")
    dev.add_argument("--end-with-parent", action="store_true", help="end as soon as the process that started this does")
    dev.set_defaults(command=_dev)
    return parser


def _versions(options: argparse.Namespace) -> int:
    engine = load_engine(build_target(), warehouse_folder())
    current = engine.current()
    lines = version_lines(engine.events(), current and current.publication_id, engine.kept())
    _tell("\n".join(lines or [f"Nothing has been published in {warehouse_folder()} yet."]))
    return PUBLISHED


def _rollback(options: argparse.Namespace) -> int:
    with warehouse_lock(warehouse_folder()):
        engine = load_engine(build_target(), warehouse_folder())
        before = engine.current()
        publication = engine.rollback(options.to)
        print(
            f"Published again: {publication.publication_id}, as of {publication.as_of_date}, first published "
            f"{publication.published_at:%Y-%m-%d %H:%M} UTC.",
            flush=True,
        )
        copied = follow(engine, before and before.publication_id, announce=_tell)
    _show([copied])
    return PUBLISHED


def _doctor(options: argparse.Namespace) -> int:
    """Show what would stop a refresh; FAILED where something would."""
    from orchestration.doctor import State, examine

    is_well = True
    for finding in examine():
        _tell("\n".join(finding.lines()))
        is_well = is_well and finding.state is not State.WRONG
    return PUBLISHED if is_well else FAILED


def _check(options: argparse.Namespace) -> int:
    """Show what a refresh would make of the raw folder; FAILED where it would refuse it."""
    # landing alone is quick; what judges the rows is imported once the files are known to be right
    from orchestration.checking import judge_landed, land_only

    settings = load_settings()
    landing = land_only(settings)
    _tell(f"{settings.variable('company_name')}: {settings.raw_dir}")
    _show([landing.notices])
    check = judge_landed(landing, settings)
    kept_in = f"quality.rejected_rows of the build in {check.folder}"
    sections = [
        summary.table_lines(check.tables),
        summary.rejection_lines(check.rejections, check.tables, kept_in),
        summary.repair_lines(check.repairs),
        summary.order_warning_lines(check.order_warnings, settings.as_of is not None),
        [*allowed_lines(check.judgement), *check.warnings],
        [f"{finding.name}: {finding.text}" for finding in check.judgement.refused],
    ]
    _show(sections)
    if check.judgement.refused:
        print("\nmake run would refuse this folder.", file=sys.stderr)
        return FAILED
    return PUBLISHED


def _show(sections: Sequence[Sequence[str]]) -> None:
    for section in sections:
        if section:
            _tell("\n" + "\n".join(section))


def _dashboards(options: argparse.Namespace) -> int:
    """Serve the boards of whatever is published, until told to end."""
    from orchestration.boards.serve import serve

    serve(load_engine(build_target(), warehouse_folder()).boards(), warehouse_folder())
    return PUBLISHED


def _docs(options: argparse.Namespace) -> int:
    """Have dbt document the last build, and say where that and the reference of what is published are."""
    from orchestration.boards.reference import REFERENCE_PAGE

    warehouse, target = warehouse_folder(), build_target()
    boards = load_engine(target, warehouse).boards()
    has_reference = boards is not None and (boards / REFERENCE_PAGE).exists()
    place = boards / REFERENCE_PAGE if has_reference else "none; the next make run publishes it where there are boards"
    _tell(f"{'Reference:':<11}{place}")
    # dbt opens the build, which a refresh may be writing to
    with warehouse_lock(warehouse):
        _tell(f"{'dbt docs:':<11}{write_dbt_docs(ROOT, warehouse, target)}")
    return PUBLISHED


def _dev(options: argparse.Namespace) -> int:
    """Serve Dagster's pages, schedules and runs until told to end."""
    parent = os.getppid() if options.end_with_parent else None
    settings = load_settings()
    _enter(settings)
    # what is let pass is let pass once, in the configuration of a run; the server would let it pass every night
    os.environ.pop(ALLOW, None)
    _tell(_AUTOMATIC if is_automatic() else _NOT_AUTOMATIC)
    # a project that cannot be parsed is told here and now, and not by a server that has waited for it
    load_manifest(settings.root, settings.target)
    create_dagster_store(dagster_home(settings.warehouse))
    return supervise(dagster_process.commands(), dagster_home(settings.warehouse), ROOT, parent=parent)


def _refresh(options: argparse.Namespace) -> int:
    try:
        settings = load_settings()
        with warehouse_lock(settings.warehouse):
            return _refresh_locked(settings)
    except WarehouseLockedError:
        raise
    except StickinessError as error:
        return _failed(str(error), tell_failure(error, str(error)))


def _refresh_locked(settings: Settings) -> int:
    begin = time.monotonic()
    _tell(f"{settings.variable('company_name')}: {settings.raw_dir}\n")
    _enter(settings)
    try:
        run = _run_job(settings)
    except StickinessError:
        raise
    except Exception as error:
        told = fault_of(error, settings.warehouse)
        if told is not None:
            return _failed(told, tell_failure(error, told))
        # a library may quote what it could not read
        _tell(masked(traceback.format_exc()), file=sys.stderr)
        what = "The refresh stopped at an error that it did not expect; see above."
        return _failed(what, tell_failure(error, None))
    if not run.result.success:
        return _failed(_why_failed(run.result), run.remarks)
    _report(settings, run, time.monotonic() - begin)
    return PUBLISHED


def _failed(report: str, remarks: Sequence[str] = ()) -> int:
    """Show why a refresh failed, what is still published, and what is to be said of the alerts."""
    _tell(f"\n{report}\n", file=sys.stderr)
    still = _still_published()
    for line in [*([still] if still != report else []), *remarks]:
        _tell(line, file=sys.stderr)
    return FAILED


def _still_published() -> str:
    try:
        publication = load_engine(build_target(), warehouse_folder()).current()
    except StickinessError as error:
        return str(error)
    if publication is None:
        return "The refresh failed; nothing has been published yet."
    return (
        f"The refresh failed; what was published before is untouched: {publication.publication_id}, "
        f"{publication.published_at:%Y-%m-%d %H:%M} UTC, as of {publication.as_of_date}."
    )


def _enter(settings: Settings) -> None:
    """Prepare the warehouse, and set what every later step reads, here and in the processes that it starts."""
    home = dagster_home(settings.warehouse)
    try:
        make_private(home)
        mend(settings.warehouse, settings.root)
        (home / "dagster.yaml").write_text(DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise WarehouseError(unwritable(settings.warehouse, error)) from error
    check_dagster_store(settings.warehouse)
    load_engine(settings.target, settings.warehouse).upgrade()
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    os.environ[WAREHOUSE_DIR] = str(settings.warehouse)
    os.environ[RAW_DIR] = str(settings.raw_dir)
    os.environ[AS_OF] = settings.as_of.isoformat() if settings.as_of else ""
    os.environ[TARGET] = settings.target
    os.environ[FULL_REFRESH] = "1" if settings.full_refresh else ""
    os.environ[REFIT] = "1" if settings.refit else ""
    os.environ[ALLOW] = ",".join(sorted(settings.allow))


@dataclass(frozen=True)
class Run:
    """A finished run of the job, how long getting there took, and what is to be said of its alerts."""

    result: ExecuteInProcessResult
    start_seconds: float
    remarks: Sequence[str] = ()


def _run_job(settings: Settings) -> Run:
    """Run the whole refresh in this process; only progress is shown, the rest goes to refresh.log."""
    terminal, begin = sys.stdout, time.monotonic()
    with _quiet(_log(settings.warehouse)):
        # heavy, and pointless before the settings are known to be right
        from dagster import DagsterInstance

        from orchestration.definitions import build_definitions

        job = build_definitions(settings.root).resolve_job_def("refresh")
        start_seconds = time.monotonic() - begin
        with show_progress(terminal), DagsterInstance.get() as instance:
            announce("start", "", start_seconds)
            dead = fail_dead_runs(instance, settings.warehouse)
            for run_id in dead:
                remark(f"run {run_id} was reported failed: its process ended")
            remarks = follow_runs(instance, dead, root=settings.root) if dead else []
            # what is old may be forgotten next time
            with contextlib.suppress(Exception):
                forget_old_runs(instance)
            result = job.execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            remarks += follow_runs(instance, [result.run_id], root=settings.root)
    return Run(result, start_seconds, remarks)


def _log(warehouse: Path) -> Path:
    """Where the last refresh says what nobody need see: what libraries print, and how long each step took."""
    return dagster_home(warehouse) / "refresh.log"


@contextlib.contextmanager
def _quiet(log: Path) -> Iterator[None]:
    """Send to the log what libraries print to the terminal."""
    warnings.simplefilter("ignore")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with log.open("w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        yield


def _why_failed(result: ExecuteInProcessResult) -> str:
    """What the step that failed says for a person, or else the error that Dagster recorded."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None:
                return data.user_failure_data.description or ""
            # Dagster turns Ctrl-C into a failure of the step
            if data.error is not None and data.error.cls_name == "DagsterExecutionInterruptedError":
                raise KeyboardInterrupt
            return masked(data.error.to_string()) if data.error else f"The step {event.step_key} failed."
    return "The run failed before its first step; see Dagster's pages (make dev)."


def _report(settings: Settings, run: Run, seconds: float) -> None:
    """Show what the run came to, what matters most last; how long it took stands in the log."""
    engine = load_engine(settings.target, settings.warehouse)
    manifest = read_json(target_folder(settings.warehouse) / "manifest.json")
    told = _metadata(run.result)
    files, published = told.get(("operations", "raw_files"), {}), told.get(("published",), {})
    absent = files.get("absent_tables", [])
    with engine.read_published() as ask:
        kpis = summary.headline_kpis(
            ask, str(settings.variable("reporting_currency")), int(settings.variable("active_days"))
        )
        tables = table_figures(ask)
        rows = [
            *summary.row_count_lines(tables),
            *summary.rejection_lines(summary.rejections(ask), tables),
            *summary.repair_lines(summary.repairs(ask)),
        ]
        warned = summary.order_warning_lines(summary.order_warnings(ask), settings.as_of is not None)
        empty = empty_marts(ask, marts_empty_without(manifest, absent))
    sections = [
        [*rows, *_ignored_lines(told), *files.get("notices", [])],
        warned,
        summary.empty_mart_lines(empty, absent),
        _warning_lines(settings.warehouse),
        deprecation_lines(deprecations(manifest)),
        summary.board_lines(published.get("boards", [])),
        [*files.get("guard", []), *published.get("guard", []), *published.get("changes", [])],
        published.get("copy", []),
        run.remarks,
        _published_lines(engine, _log(settings.warehouse)),
        summary.kpi_lines(kpis),
    ]
    # it is published by now, whatever becomes of a line in the log
    with contextlib.suppress(OSError), _log(settings.warehouse).open("a", encoding="utf-8") as log:
        print(_time_line(settings.warehouse, run, seconds), file=log)
    _show(sections)


def _metadata(result: ExecuteInProcessResult) -> dict[tuple[str, ...], dict[str, Any]]:
    """What the steps tell of each asset."""
    return {
        tuple(event.asset_key.path): {name: entry.value for name, entry in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    }


def _ignored_lines(told: Mapping[tuple[str, ...], Mapping[str, Any]]) -> list[str]:
    return [
        f"ignored columns of {key[1]}: {', '.join(values['ignored_columns'])}"
        for key, values in told.items()
        if key[0] == "raw" and values.get("ignored_columns")
    ]


def _warning_lines(warehouse: Path) -> list[str]:
    target = target_folder(warehouse)
    names = outcome(read_json(target / "manifest.json"), read_json(target / "run_results.json")).warnings
    if not names:
        return []
    return [f"{len(names)} test{'' if len(names) == 1 else 's'} warned:", *(f"  {name}" for name in names)]


def _time_line(warehouse: Path, run: Run, seconds: float) -> str:
    """How long each stage and layer took. Layers overlap, since dbt runs two models at a time.

    `dbt` is what it needs beside models and tests, `Dagster` what it needs beside the steps.
    """
    steps = {
        event.step_key: event.step_success_data.duration_ms / 1000
        for event in run.result.all_events
        if event.is_step_success
    }
    target = target_folder(warehouse)
    results, manifest = read_json(target / "run_results.json"), read_json(target / "manifest.json")
    times = [
        ("start", run.start_seconds),
        ("raw tables", steps["raw_tables"]),
        ("model fits", steps["model_fits"]),
        ("dbt", steps["dbt_models"] - build_seconds(results)),
        *((layer.layer, layer.seconds) for layer in layer_times(nodes_by_id(manifest), results)),
        ("published", steps["published"]),
        ("Dagster", seconds - run.start_seconds - sum(steps.values())),
    ]
    return f"Time: {', '.join(f'{name} {taken:.1f} s' for name, taken in times)}; in all {seconds:.1f} s"


def _published_lines(engine: Engine, log: Path) -> list[str]:
    publication = engine.current()
    lines = [f"{name:<11}{place}" for name, place in zip_longest(["Published:"], engine.places(), fillvalue="")]
    boards = engine.boards()
    if boards is not None:
        lines.append(f"{'Boards:':<11}{boards / 'index.html'}")
    lines.append(f"{'Log:':<11}{log}")
    if publication is not None:
        lines.insert(
            0, f"As of {publication.as_of_date}, {publication.tables} tables, {publication.tests_passed} tests passed"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
