"""A Spark cluster of one's own on this machine: `python -m tools.spark_cluster up`, `down` or `status`.

Hive metastore, master, two workers and a Thrift server, each a process of its own, bound to loopback, all of it from
packages of the registry; Java is the one thing that must be there. For development and tests: the metastore is a Derby
file and the Thrift server asks nobody who they are. Linux and macOS.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from xml.sax.saxutils import escape

from tools.bootstrap import ROOT

CLUSTER_DIR = ROOT / ".spark"
WORKERS = 2

# whose wheel carries the jar, which of its files, and what that must be
JAR_PACKAGE = "snowpark-connect-deps-iceberg"
JAR_NAME = "iceberg-spark-runtime-3.5_2.12-1.10.2.jar"
JAR_SHA256 = "c562d482dcd16b666e808b755469fbc4b2604284b41622c9d87e2c02b7cc6c5f"
OWN_JAR = "STICKINESS_ICEBERG_JAR"
PORT = "STICKINESS_SPARK_PORT"
WORKER_MEMORY = "STICKINESS_SPARK_WORKER_MEMORY"

HOST = "127.0.0.1"
# the versions of Java that Spark 3.5 runs on
OLDEST_JAVA, NEWEST_JAVA = 8, 17
START_SECONDS = 180
STOP_SECONDS = 20
LOG_LINES_SHOWN = 15


class ClusterError(Exception):
    """The cluster could not be started; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the processes of a cluster listen."""

    thrift: int = 10000
    master: int = 7077
    metastore: int = 9083


@dataclass(frozen=True)
class Cluster:
    """A cluster whose tables, logs and process ids are in a folder."""

    folder: Path
    ports: Ports = field(default_factory=Ports)
    worker_memory: str = "1g"

    @property
    def names(self) -> list[str]:
        """The processes in the order in which they start."""
        return ["metastore", "master", *self.workers, "thrift-server"]

    @property
    def workers(self) -> list[str]:
        return [f"worker-{number}" for number in range(1, WORKERS + 1)]

    def up(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Start every process that does not run; return when queries can be sent.

        Raises:
            ClusterError: Java or the Spark packages are missing, a port is taken, or a process ended at once.
        """
        find_java()
        home, jar = spark_home(), iceberg_jar()
        self._write_configuration(home, jar)
        for name in self.names:
            if not self.is_running(name):
                say(f"starting {name}")
                self._start(name, home)

    def down(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Stop every process; tables stay."""
        for name in reversed(self.names):
            if self.is_running(name):
                say(f"stopping {name}")
                os.kill(self._pid(name), signal.SIGTERM)
        for name in reversed(self.names):
            with contextlib.suppress(ClusterError):
                self._wait(lambda name=name: not self.is_running(name), STOP_SECONDS, name)
            if self.is_running(name):
                os.kill(self._pid(name), signal.SIGKILL)
            self._pid_file(name).unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """End a process, and what it has started, without warning: what a machine does that loses its power."""
        pid = self._pid(name)
        for child in [*_children(pid), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._wait(lambda: not self.is_running(name), STOP_SECONDS, name)

    def is_running(self, name: str) -> bool:
        """Whether the process runs and is one of this cluster: ids are used again."""
        pid = self._pid(name)
        if pid is None:
            return False
        with contextlib.suppress(ChildProcessError):
            # one of our own that has ended is a zombie until somebody asks for it
            os.waitpid(pid, os.WNOHANG)
        shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True)
        return self._marker(name) in shown.stdout

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _marker(self, name: str) -> str:
        return f"stickiness.{name}.{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}"

    def _pid_file(self, name: str) -> Path:
        return self.folder / "processes" / f"{name}.pid"

    def _pid(self, name: str) -> int | None:
        try:
            return int(self._pid_file(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _port(self, name: str) -> int | None:
        return {
            "metastore": self.ports.metastore,
            "master": self.ports.master,
            "thrift-server": self.ports.thrift,
        }.get(name)

    def _start(self, name: str, home: Path) -> None:
        port = self._port(name)
        if port is not None and is_listening(port):
            raise ClusterError(
                f"Port {port} of {HOST}, which {name} needs, is taken by another program. Stop that program"
                + (f", or choose another port with {PORT}." if name == "thrift-server" else ".")
            )
        workspace = self.folder / "work" / name
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True)
        log = self.log(name)
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                self._command(name, home, workspace),
                cwd=workspace,
                env=self._environment(name, home, workspace),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file(name).write_text(str(process.pid), encoding="utf-8")
        self._wait(lambda: self._is_ready(name, process), START_SECONDS, name)

    def _is_ready(self, name: str, process: subprocess.Popen) -> bool:
        if process.poll() is not None:
            raise ClusterError(f"{name} ended with status {process.returncode}. {self._end_of_log(name)}")
        port = self._port(name)
        if port is not None:
            return is_listening(port)
        return "Successfully registered with master" in self.log(name).read_text(encoding="utf-8", errors="replace")

    def _wait(self, done: Callable[[], bool], seconds: float, name: str) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise ClusterError(f"{name} was not ready after {seconds:.0f} seconds. {self._end_of_log(name)}")
            time.sleep(0.1)

    def _end_of_log(self, name: str) -> str:
        log = self.log(name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"The end of {log}:", *lines[-LOG_LINES_SHOWN:]])

    def _command(self, name: str, home: Path, workspace: Path) -> list[str]:
        spark_class = str(home / "bin" / "spark-class")
        if name == "metastore":
            # started without spark-class, which passes no options on to a class that it does not know
            path = f"{self.folder / 'conf' / 'metastore'}{os.pathsep}{home / 'jars' / '*'}"
            options = ["-Xmx512m", "-Duser.timezone=UTC", f"-D{self._marker(name)}=1", "-cp", path]
            service = "org.apache.hadoop.hive.metastore.HiveMetaStore"
            return [find_java(), *options, service, "-p", str(self.ports.metastore)]
        if name == "master":
            address = ["--host", HOST, "--port", str(self.ports.master), "--webui-port", "0"]
            return [spark_class, "org.apache.spark.deploy.master.Master", *address]
        if name in self.workers:
            size = ["--host", HOST, "--cores", "1", "--memory", self.worker_memory, "--webui-port", "0"]
            return [spark_class, "org.apache.spark.deploy.worker.Worker", *size, "-d", str(workspace), self._master]
        return [
            str(home / "bin" / "spark-submit"),
            "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
            "--name", "stickiness",
            "spark-internal",
            "--hiveconf", f"hive.server2.thrift.port={self.ports.thrift}",
            "--hiveconf", f"hive.server2.thrift.bind.host={HOST}",
        ]  # fmt: skip

    @property
    def _master(self) -> str:
        return f"spark://{HOST}:{self.ports.master}"

    def _environment(self, name: str, home: Path, workspace: Path) -> dict[str, str]:
        own = {
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(self.folder / "conf" / ("metastore" if name == "metastore" else "spark")),
            "SPARK_LOCAL_DIRS": str(workspace),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": "2g" if name == "thrift-server" else "512m",
            # tells the process from others that may get its id later
            "SPARK_DAEMON_JAVA_OPTS": f"-D{self._marker(name)}=1 -Duser.timezone=UTC",
            "LC_ALL": "C.UTF-8",
        }
        # of the person's own Spark, which is another
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
        return inherited | own

    def _write_configuration(self, home: Path, jar: Path) -> None:
        for folder in ("logs", "processes", "work", "warehouse", "conf/metastore", "conf/spark"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        conf = self.folder / "conf"
        (conf / "metastore" / "hive-site.xml").write_text(_xml(self._metastore_settings()), encoding="utf-8")
        lines = [f"{key} {value}" for key, value in self._spark_settings(jar).items()]
        (conf / "spark" / "spark-defaults.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for part in ("metastore", "spark"):
            (conf / part / "log4j2.properties").write_text(LOGGING, encoding="utf-8")

    def _metastore_settings(self) -> dict[str, str]:
        return {
            "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={self.folder / 'metastore'};create=true",
            "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
            "hive.metastore.warehouse.dir": (self.folder / "warehouse").as_uri(),
            "datanucleus.schema.autoCreateAll": "true",
            "hive.metastore.schema.verification": "false",
            "hive.async.log.enabled": "false",
        }

    def _spark_settings(self, jar: Path) -> dict[str, str]:
        catalog = "spark.sql.catalog.spark_catalog"
        return {
            "spark.master": self._master,
            "spark.driver.bindAddress": HOST,
            "spark.driver.host": HOST,
            "spark.executor.memory": self.worker_memory,
            "spark.cores.max": str(WORKERS),
            "spark.driver.extraClassPath": str(jar),
            "spark.executor.extraClassPath": str(jar),
            "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
            "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.scheduler.mode": "FAIR",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": str(2 * WORKERS),
            "spark.sql.warehouse.dir": (self.folder / "warehouse").as_uri(),
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            catalog: "org.apache.iceberg.spark.SparkSessionCatalog",
            f"{catalog}.type": "hive",
            # a session that remembers what a table was would not see the publication of another
            f"{catalog}.cache-enabled": "false",
            "spark.hadoop.hive.metastore.uris": f"thrift://{HOST}:{self.ports.metastore}",
            # the metastore in a Derby file cannot hand out locks; a real one must
            "spark.hadoop.iceberg.engine.hive.lock-enabled": "false",
        }


LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
logger.worker.name = org.apache.spark.deploy.worker.Worker
logger.worker.level = info
"""


def _xml(settings: Mapping[str, str]) -> str:
    properties = "".join(
        f"  <property><name>{name}</name><value>{escape(value)}</value></property>\n"
        for name, value in settings.items()
    )
    return f'<?xml version="1.0"?>\n<configuration>\n{properties}</configuration>\n'


def _children(pid: int) -> Iterator[int]:
    """Every process below one."""
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in shown.splitlines())}
    for child, parent in parents.items():
        if parent == pid:
            yield from _children(child)
            yield child


def is_listening(port: int) -> bool:
    """Whether a program on this machine takes connections at the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_ports() -> Ports:
    """Ports that no program uses now."""
    with contextlib.ExitStack() as held:
        numbers = []
        for _ in range(3):
            probe = held.enter_context(socket.socket())
            probe.bind((HOST, 0))
            numbers.append(probe.getsockname()[1])
    return Ports(*numbers)


def find_java() -> str:
    """The Java to run Spark on; `ClusterError` if there is none that it runs on."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    advice = "Install Java 17 (Debian and Ubuntu: apt install openjdk-17-jre-headless), or set JAVA_HOME to one."
    if java is None:
        raise ClusterError(f"No Java found, which Spark needs. {advice}")
    try:
        shown = subprocess.run([java, "-XshowSettings:properties", "-version"], capture_output=True, text=True).stderr
    except OSError as error:
        raise ClusterError(f"{java} cannot be started ({error.strerror}). {advice}") from error
    found = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", shown)
    if found is None or not OLDEST_JAVA <= int(found[1]) <= NEWEST_JAVA:
        version = f"Java {found[1]}" if found else "no Java that tells its version"
        raise ClusterError(f"{java} is {version}; Spark 3.5 runs on {OLDEST_JAVA} to {NEWEST_JAVA}. {advice}")
    return java


def spark_home() -> Path:
    """Where the pyspark package has Spark."""
    try:
        import pyspark
    except ImportError as error:
        raise ClusterError("The packages of the section `spark` are not installed. Run make spark-up.") from error
    return Path(pyspark.__file__).resolve().parent


def iceberg_jar(environ: Mapping[str, str] = os.environ) -> Path:
    """The Iceberg runtime: the person's own, or the one of the pinned package, whose content is checked.

    Raises:
        ClusterError: it is missing, or another than was tested.
    """
    own = environ.get(OWN_JAR)
    if own:
        if not Path(own).is_file():
            raise ClusterError(f"{OWN_JAR} is {own}, which is no file. Set it to an Iceberg runtime for Spark 3.5.")
        return Path(own).resolve()
    try:
        found = [file for file in files(JAR_PACKAGE) or () if file.name == JAR_NAME]
    except PackageNotFoundError:
        found = []
    jar = Path(found[0].locate()) if found else None
    if jar is None or not jar.is_file():
        raise ClusterError(
            f"The package {JAR_PACKAGE} with {JAR_NAME} is not installed. Run make spark-up, or set {OWN_JAR} to the "
            f"Iceberg runtime for Spark 3.5 that you have."
        )
    with jar.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != JAR_SHA256:
        raise ClusterError(
            f"{jar} has the sha256 {digest}; expected {JAR_SHA256}. Remove .venv and run make spark-up again, or set "
            f"{OWN_JAR} to a jar of your own."
        )
    return jar.resolve()


def default_cluster(environ: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster of `make spark-up`."""
    port = environ.get(PORT) or str(Ports.thrift)
    if not port.isdigit():
        raise ClusterError(f'{PORT} is "{port}"; expected the number of a port, for example 10000.')
    return Cluster(CLUSTER_DIR, Ports(thrift=int(port)), environ.get(WORKER_MEMORY) or "1g")


def main() -> int:
    """Run one command; exit status 1 and a message if it fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down", "status"])
    command = parser.parse_args().command
    try:
        cluster = default_cluster()
        if command == "up":
            cluster.up(lambda line: print(line, flush=True))
            print(f"Spark listens at {HOST}:{cluster.ports.thrift}; its tables and logs are in {cluster.folder}.")
        elif command == "down":
            cluster.down(lambda line: print(line, flush=True))
        else:
            print(json.dumps({name: cluster.is_running(name) for name in cluster.names}, indent=2))
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
