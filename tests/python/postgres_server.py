"""A PostgreSQL server for tests: started by them on a socket in a folder of its own, gone with them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_SECONDS_TO_START = 60.0
# PostgreSQL refuses to run as root; Debian's package makes this user
_USER = "postgres"
OWNER = "owner"


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where there are none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """The connection string of a server of the test's own, whose user may do everything."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: make test installs it")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian and Ubuntu: apt install postgresql)")
    # short and open to others, unlike the folders of pytest: a socket's path has 107 bytes
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        folder, as_user = Path(name), []
        if os.getuid() == 0:
            as_user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
            shutil.chown(folder, _USER)
        data, log = folder / "data", folder / "server.log"
        initdb = [programs / "initdb", "-D", data, "-A", "trust", "-U", OWNER, "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([*as_user, *map(str, initdb)], check=True, capture_output=True, cwd="/")
        server = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        with log.open("w") as output:
            process = subprocess.Popen([*as_user, *map(str, server)], cwd="/", stdout=output, stderr=output)
        try:
            dsn = f"host={folder} user={OWNER} dbname=postgres"
            _wait(dsn, process, log)
            yield dsn
        finally:
            # fast: whoever is connected still is thrown out
            process.send_signal(signal.SIGINT)
            process.wait()


def _wait(dsn: str, process: subprocess.Popen, log: Path) -> None:
    import psycopg

    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(dsn).close()
            return
        time.sleep(0.1)
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
