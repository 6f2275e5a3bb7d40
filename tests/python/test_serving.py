"""What `make dev` starts ends with it, however it ends, and nothing below it lives on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.processes import start_of
from orchestration.settings import ROOT

# a process like those of Dagster, with one below it like a run; neither listens to requests to end
STUBBORN = """
import os, signal, sys, time
from multiprocessing import get_context
from pathlib import Path
from orchestration.lifeline import end_with_starter

def work(folder, name):
    end_with_starter()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    (folder / f"{name}.tmp").write_text(f"{os.getpid()} {os.environ['STICKINESS_SERVER_SOCKETS']}")
    (folder / f"{name}.tmp").rename(folder / name)
    time.sleep(60)

if __name__ == "__main__":
    folder, name = Path(sys.argv[1]), sys.argv[2]
    get_context("spawn").Process(target=work, args=(folder, f"{name}_run")).start()
    work(folder, name)
"""
SUPERVISOR = """
import os, sys
from pathlib import Path
from orchestration.serving.supervisor import supervise
folder = Path(sys.argv[1])
stubborn = [sys.executable, str(folder / "stubborn.py"), str(folder / "pids")]
commands = {"code server": [*stubborn, "code"], "daemon": [*stubborn, "daemon"]}
if len(sys.argv) > 3:
    commands["web server"] = [sys.executable, "-c", sys.argv[3], str(folder / "pids")]
parent = os.getppid() if sys.argv[2] == "parent" else None
sys.exit(supervise(commands, folder / "dagster", folder, parent=parent, seconds_to_end=1))
"""


class Served:
    """A supervisor with four processes below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pids").mkdir()
        (folder / "stubborn.py").write_text(STUBBORN)
        (folder / "supervisor.py").write_text(SUPERVISOR)
        self.process: subprocess.Popen | None = None

    def start(self, *arguments: str, **options: object) -> subprocess.Popen:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(self.command(*arguments), env=environ, stderr=subprocess.PIPE, **options)
        return self.process

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.folder / "supervisor.py"), str(self.folder), *(arguments or ("alone",))]

    def pids(self, count: int = 4) -> list[int]:
        """The processes below the supervisor, once all of them are there."""
        wait_until(lambda: len(list((self.folder / "pids").glob("*[!p]"))) >= count)
        return [int(path.read_text().split()[0]) for path in (self.folder / "pids").iterdir()]

    def sockets(self) -> Path:
        return Path((self.folder / "pids" / "code").read_text().split(maxsplit=1)[1])


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    if served.process is not None:
        served.process.terminate()
        served.process.wait()
    for path in (tmp_path / "pids").iterdir():
        pid = int(path.read_text().split()[0])
        if start_of(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def processes_with(variable: str) -> list[int]:
    """Every process that has `NAME=value` in its environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue
    return found


def all_gone(pids: list[int]) -> bool:
    return all(start_of(pid) is None for pid in pids)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_the_supervisor_ends_everything_below_it(served: Served, sign: signal.Signals) -> None:
    # as a shell that is no terminal starts what `&` follows
    process = served.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    pids = served.pids()
    assert served.sockets().stat().st_mode & 0o777 == 0o700
    process.send_signal(sign)
    process.wait(timeout=30)
    wait_until(lambda: all_gone(pids), 10)
    wait_until(lambda: not served.sockets().exists(), 5)
    assert process.returncode == (-signal.SIGKILL if sign is signal.SIGKILL else 0)


def test_the_supervisor_ends_with_make_where_make_started_it(served: Served) -> None:
    command = " ".join(f"'{part}'" for part in served.command("parent"))
    shell = subprocess.Popen(["sh", "-c", f"{command} & wait"], env={**os.environ, "PYTHONPATH": str(ROOT)})
    pids = served.pids()
    shell.kill()
    shell.wait()
    wait_until(lambda: all_gone(pids), 20)


def test_where_one_child_ends_the_rest_ends_and_is_told_why(served: Served) -> None:
    # once the others are there
    ending = """
import sys, time
from pathlib import Path
while len(list(Path(sys.argv[1]).glob("*[!p]"))) < 4:
    time.sleep(0.1)
time.sleep(1)
sys.exit(7)
"""
    process = served.start("alone", ending)
    pids = served.pids()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read().decode().endswith("The web server ended with status 7, and the rest with it.\n")
    assert all_gone(pids)


def test_a_run_ends_with_the_code_server_that_started_it(served: Served) -> None:
    served.start()
    served.pids()
    pids = {path.name: int(path.read_text().split()[0]) for path in (served.folder / "pids").iterdir()}
    os.kill(pids["code"], signal.SIGKILL)
    wait_until(lambda: all_gone([pids["code_run"]]), 5)
    wait_until(lambda: all_gone(list(pids.values())), 20)


def test_a_second_supervisor_of_the_same_folder_is_refused(served: Served) -> None:
    served.start()
    pids = served.pids()
    second = subprocess.run(
        served.command(), env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f"make dev is running for the warehouse {served.folder} already" in second.stderr
    assert not all_gone(pids)


def test_dbt_ends_with_the_refresh_that_started_it(tmp_path: Path) -> None:
    """The file that a refresh runs, with a dbt that never ends."""
    (tmp_path / "dbt" / "cli").mkdir(parents=True)
    for name in ("dbt/__init__.py", "dbt/cli/__init__.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "dbt/cli/main.py").write_text("import time\ndef cli():\n    print(flush=True)\n    time.sleep(60)\n")
    start = f"""
import os, subprocess, sys, time
environ = {{**os.environ, "STICKINESS_PARENT_PROCESS": str(os.getpid()), "PYTHONPATH": {str(tmp_path)!r}}}
command = [sys.executable, "-P", {str(ROOT / "orchestration" / "dbt_process.py")!r}, "build"]
dbt = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)
dbt.stdout.readline()
print(dbt.pid, flush=True)
time.sleep(60)
"""
    refresh = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE)
    dbt = int(refresh.stdout.readline())
    assert start_of(dbt) is not None
    refresh.kill()
    refresh.wait()
    wait_until(lambda: all_gone([dbt]), 5)
