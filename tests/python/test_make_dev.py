"""The servers of `make dev` as they are, over a small code location: attacks of a browser, and kill -9 of a run."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_serving import all_gone, processes_with, wait_until

from orchestration import cli
from orchestration.settings import ROOT

pytestmark = pytest.mark.nightly

KILLS = 10

# a refresh that writes until it is told to end
NIGHT = """
import os, time
from pathlib import Path
from dagster import Definitions, definitions, in_process_executor, job, op
from orchestration.assets.refresh import WRITER_POOL
from orchestration.lifeline import end_with_starter
from orchestration.warehouse_lock import warehouse_lock

FOLDER = Path(os.environ["STICKINESS_WAREHOUSE_DIR"])

@op(pool=WRITER_POOL)
def work(context):
    with warehouse_lock(FOLDER, context.run_id):
        while not (FOLDER / "enough").exists():
            with (FOLDER / context.run_id).open("a") as written:
                written.write(".")
            time.sleep(0.05)

@job(executor_def=in_process_executor)
def refresh():
    work()

@definitions
def defs():
    end_with_starter()
    return Definitions(jobs=[refresh])
"""
SUPERVISOR = """
import os, sys
from pathlib import Path
from orchestration.dagster_store import create_dagster_store
from orchestration.serving.dagster_process import commands
from orchestration.serving.supervisor import supervise
create_dagster_store(Path(os.environ["DAGSTER_HOME"]))
sys.exit(supervise(commands("night"), Path(os.environ["DAGSTER_HOME"]), Path(sys.argv[1])))
"""
LAUNCH = """mutation($given: ExecutionParams!) { launchRun(executionParams: $given) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
LAUNCH_FROM_AFAR = (
    'mutation { launchRun(executionParams: {selector: {repositoryLocationName: "night", '
    'repositoryName: "__repository__", jobName: "refresh"}, runConfigData: {}}) { __typename } }'
)


class Servers:
    """A supervisor of Dagster's own servers."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = folder
        self.home = folder / "dagster"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text(cli.DAGSTER_YAML)
        (folder / "night.py").write_text(NIGHT)
        (folder / "supervisor.py").write_text(SUPERVISOR)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen | None = None

    def start(self) -> subprocess.Popen:
        environ = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{self.warehouse}",
            "DAGSTER_HOME": str(self.home),
            "STICKINESS_WAREHOUSE_DIR": str(self.warehouse),
            "STICKINESS_WEB_PORT": str(self.port),
        }
        log = (self.warehouse / "log").open("a")
        command = [sys.executable, str(self.warehouse / "supervisor.py"), str(self.warehouse)]
        self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        wait_until(self.answers, 240)
        return self.process

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.warehouse / "log").read_text()
        try:
            return self.ask("GET", "/server_info")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, named)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables})
        status, answer = self.ask("POST", "/graphql", body, Content_Type="application/json")
        assert status == 200, answer
        return json.loads(answer)["data"]

    def launch(self) -> str:
        selector = {"repositoryLocationName": "night", "repositoryName": "__repository__", "jobName": "refresh"}
        launched = self.query(LAUNCH, given={"selector": selector, "runConfigData": {}})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def runs(self) -> dict[str, str]:
        found = self.query("{ runsOrError { ... on Runs { results { runId status } } } }")["runsOrError"]["results"]
        return {run["runId"]: run["status"] for run in found}

    def below(self) -> list[int]:
        """Every process that knows the folder of Dagster, the supervisor aside."""
        return [pid for pid in processes_with(f"DAGSTER_HOME={self.home}") if pid != self.process.pid]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    if servers.process is not None:
        servers.process.kill()
        servers.process.wait()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_a_killed_run_is_over_and_the_next_one_goes_on_and_no_other_page_launches_one(servers: Servers) -> None:
    servers.start()
    quoted = LAUNCH_FROM_AFAR.replace(" ", "%20").replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
    text, plain = {"Content_Type": "text/plain"}, {"Content_Type": "application/json"}
    body = json.dumps({"query": LAUNCH_FROM_AFAR})
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    attacks = [
        servers.ask("POST", f"/graphql?query={quoted}", **text),
        servers.ask("GET", f"/graphql?query={quoted}"),
        servers.ask("POST", "/graphql", LAUNCH_FROM_AFAR, Content_Type="application/graphql"),
        servers.ask("POST", "/graphql", body, **plain, Host="evil.example"),
        servers.ask("POST", "/graphql", body, **plain, Origin="http://evil.example"),
        servers.ask("GET", "/graphql", **upgrade, Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==", Origin="http://evil"),
    ]
    assert [status for status, _ in attacks] == [403] * len(attacks)
    assert servers.runs() == {}

    # one is at work and one waits for it when everything is cut off
    first = servers.launch()
    wait_until(lambda: (servers.warehouse / first).exists(), 120)
    second = servers.launch()
    below = servers.below()
    assert len(below) >= 5, "code server and its server, daemon, web server, run"
    servers.process.send_signal(signal.SIGKILL)
    servers.process.wait()
    wait_until(lambda: all_gone(below), 15)
    written = (servers.warehouse / first).stat().st_size
    time.sleep(1)
    assert (servers.warehouse / first).stat().st_size == written, "it wrote on after its parent"

    servers.start()
    wait_until(lambda: servers.runs()[first] == "FAILURE", 60)
    assert (
        "its process ended"
        in servers.query(
            "query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent "
            "{ message } } } } }",
            id=first,
        ).__str__()
    )
    wait_until(lambda: (servers.warehouse / second).exists(), 120)

    # its run is interrupted, and reported by itself
    below = servers.below()
    servers.process.terminate()
    servers.process.wait(timeout=60)
    assert all_gone(below)
    (servers.warehouse / "enough").touch()
    servers.start()
    assert servers.runs()[second] in ("FAILURE", "CANCELED")
    third = servers.launch()
    wait_until(lambda: servers.runs()[third] == "SUCCESS", 120)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_runs_that_are_killed_at_any_moment_do_not_hold_up_the_next(servers: Servers) -> None:
    servers.start()
    moments = random.Random(14)
    for _ in range(KILLS):
        before = set(servers.below())
        run = servers.launch()
        wait_until(lambda known=before: bool(set(servers.below()) - known), 60)
        time.sleep(moments.uniform(0, 8))
        for pid in set(servers.below()) - before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda killed=run: servers.runs()[killed] == "FAILURE", 60)
    (servers.warehouse / "enough").touch()
    last = servers.launch()
    wait_until(lambda: servers.runs()[last] == "SUCCESS", 60)
