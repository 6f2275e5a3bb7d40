"""A process of Dagster below the supervisor: `python -m orchestration.serving.dagster_process daemon <folder>`.

`code`, `daemon` or `web`; the folder is that of the sockets. It ends with the supervisor.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.alerts.watch import follow_runs, tell_stale
from orchestration.contract import load_contract
from orchestration.dagster_store import forget_old_runs
from orchestration.dead_runs import fail_dead_runs
from orchestration.errors import ProjectError, StickinessError
from orchestration.freshness import late
from orchestration.lifeline import end_with_starter
from orchestration.serving.pages import listen, serve
from orchestration.settings import ROOT, company_settings, warehouse_folder

if TYPE_CHECKING:
    from dagster import DagsterInstance

MODULE = "orchestration.definitions"
_SECONDS_TO_LOAD = 300
_SECONDS_BETWEEN_LOOKS = 30


def commands(module: str = MODULE) -> dict[str, list[str]]:
    """What the supervisor runs, by name; `{sockets}` stands for its folder of sockets."""
    start = [sys.executable, "-m", __name__]
    return {
        "code server": [*start, "code", "{sockets}", module],
        "daemon": [*start, "daemon", "{sockets}", module],
        "web server": [*start, "web", "{sockets}", module],
    }


def run_code(sockets: Path, module: str) -> None:
    """Serve the code location, which starts the runs."""
    from dagster._cli.code_server import start_command

    start_command.main(
        ["--socket", str(_code_socket(sockets)), "--module-name", module, "--location-name", module]
        + ["--log-level", "warning", "--startup-timeout", str(_SECONDS_TO_LOAD)]
    )


def run_daemon(sockets: Path, module: str) -> None:
    """Run schedules and the queue; look for dead runs, and for what to alert of, at the start and every 30 seconds."""
    from dagster._daemon.cli import run_command

    threading.Thread(target=_look_at_runs, name="look-at-runs", daemon=True).start()
    run_command.main(["--workspace", str(_workspace(sockets, module, "daemon"))])


def run_web(sockets: Path, module: str) -> None:
    """Serve the pages."""
    from dagster._utils.log import configure_loggers

    listening = listen()
    configure_loggers(log_level="INFO")
    serve(_workspace(sockets, module, "web"), listening)


def _look_at_runs() -> None:
    from dagster import DagsterInstance

    log = logging.getLogger("dagster.dead_runs")
    with DagsterInstance.get() as instance:
        while True:
            try:
                dead = fail_dead_runs(instance, warehouse_folder())
                for run_id in dead:
                    log.warning("Run %s was reported failed: its process ended.", run_id)
                for remark in follow_runs(instance, dead):
                    log.warning("%s", remark)
                for remark in _look_for_late_data(instance):
                    log.warning("%s", remark)
                forget_old_runs(instance)
            # a database that is busy for a moment must not end the looking
            except Exception:
                log.exception("Runs whose process has ended could not be looked for; tried again soon.")
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _look_for_late_data(instance: DagsterInstance) -> list[str]:
    """What to tell of telling people which data is late; nothing is judged while the settings cannot be read."""
    try:
        stale = late(instance, load_contract(ROOT), company_settings(), datetime.now(UTC))
    except (StickinessError, OSError):
        # each run says what is wrong with them
        return []
    return tell_stale(stale)


def _code_socket(sockets: Path) -> Path:
    return sockets / "code"


def _workspace(sockets: Path, module: str, name: str) -> Path:
    """The file that tells Dagster where the code server is, written once it is there."""
    import yaml
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    # the code server gives up first, and then serves why
    socket, deadline = str(_code_socket(sockets)), time.monotonic() + 2 * _SECONDS_TO_LOAD
    while True:
        try:
            DagsterGrpcClient(socket=socket).ping("")
            break
        except DagsterUserCodeUnreachableError as error:
            if time.monotonic() > deadline:
                raise ProjectError("The code server did not start; its own messages stand above.") from error
            time.sleep(0.2)
    path = sockets / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"load_from": [{"grpc_server": {"socket": socket, "location_name": module}}]}))
    return path


_ROLES = {"code": run_code, "daemon": run_daemon, "web": run_web}

if __name__ == "__main__":
    end_with_starter()
    try:
        _ROLES[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    except StickinessError as error:
        sys.exit(str(error))
