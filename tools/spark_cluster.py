"""A Spark cluster of one's own on this machine: `python -m tools.spark_cluster up`, `down`, `status` or `java`.

Hive metastore, master, two workers and a Thrift server, each a process of its own, bound to loopback, all of it from
packages of the registry; Java is the one thing that must be there. For development and tests: the metastore is a Derby
file, and the Thrift server and the master ask nobody on this machine who they are. Linux and macOS.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
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
MASTER_PORT = "STICKINESS_SPARK_MASTER_PORT"
METASTORE_PORT = "STICKINESS_SPARK_METASTORE_PORT"
WORKER_MEMORY = "STICKINESS_SPARK_WORKER_MEMORY"

HOST = "127.0.0.1"
# Iceberg 1.10 needs 11, Spark 3.5 runs on no later than 17
OLDEST_JAVA, NEWEST_JAVA = 11, 17
# Spark refuses an executor of less
LEAST_MEMORY_MB = 512
START_SECONDS = 180
STOP_SECONDS = 20
KILL_SECONDS = 10
MARKER = "-Dstickiness."
LOG_LINES_SHOWN = 15
# a person's settings of another Spark, and what is secret or no business of the cluster
NOT_INHERITED = ("SPARK_", "PYSPARK_", "HADOOP_", "HIVE_", "YARN_", "DBT_", "STICKINESS_")


class ClusterError(Exception):
    """The cluster could not be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the processes of a cluster listen."""

    thrift: int = 10000
    master: int = 7077
    metastore: int = 9083


@dataclass(frozen=True)
class Cluster:
    """A cluster whose tables and logs are in a folder. By the folder's name it is known what runs of it."""

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
        """Start every process that does not run; return when queries can be sent. `say` is told each that is started.

        If one does not start, it is ended, and those before it go on running: the next `up` starts with it.

        Raises:
            ClusterError: Java or the Spark packages are missing, a port is taken, or a process ended at once.
        """
        find_java()
        home, jar = spark_home(), iceberg_jar()
        with self._alone(say):
            self._refuse_other_ports()
            self._write_configuration(home, jar)
            if not self.is_running("master"):
                # a new master does not know them, and they would wait for the old one for ever
                for name in [*self.workers, "thrift-server"]:
                    self.kill(name)
            for name in self.names:
                if not self.is_running(name):
                    say(f"starting {name}")
                    self._start(name, home)
                elif self._port(name) is not None:
                    # an `up` that was killed may have left one that is still starting
                    self._await(lambda name=name: self._answers(name), name)

    def down(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Stop every process, with force if it does not stop by itself; tables stay.

        Raises:
            ClusterError: a process cannot be ended.
        """
        if not self.folder.exists():
            return
        with self._alone(say):
            groups = {process.group for process in self.processes()}
            for name in reversed(self.names):
                if self.is_running(name):
                    say(f"stopping {name}")
            # all at once, executors too: one whose worker was killed has nobody to tell it
            for process in _members(groups):
                _signal(process, signal.SIGTERM)
            if not _becomes(lambda: not _members(groups), STOP_SECONDS):
                for process in _members(groups):
                    _signal(process, signal.SIGKILL)
            if not _becomes(lambda: not _members(groups), KILL_SECONDS):
                ids = ", ".join(str(process.id) for process in _members(groups))
                raise ClusterError(f"The processes {ids} do not end. Look at what they wait for: ps -l -p {ids}")

    def kill(self, name: str) -> None:
        """End a process, and what it has started, without warning: what a machine does that loses its power."""
        for leader in self._led(name):
            os.killpg(leader.id, signal.SIGKILL)
        _becomes(lambda: not self.is_running(name), KILL_SECONDS)

    def is_running(self, name: str) -> bool:
        """Whether this process of this cluster runs."""
        return bool(self._led(name))

    def processes(self) -> list[Process]:
        """Everything that this cluster has started and that still runs, executors too."""
        marked = re.compile(rf"(^|\s){MARKER}[a-z0-9-]+{re.escape(self._mark)}(\s|$)")
        return _members({process.group for process in _listed_processes() if marked.search(process.command)})

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _led(self, name: str) -> list[Process]:
        """The process of the name, and not what it has started: one at most, unless somebody was at work by hand."""
        marker = self._marker(name)
        return [
            process
            for process in _listed_processes()
            if process.id == process.group and marker in process.command.split()
        ]

    def _marker(self, name: str) -> str:
        """What the command of this process holds and no other's does: ids are used again."""
        return f"{MARKER}{name}{self._mark}"

    @property
    def _mark(self) -> str:
        """How the markers of all processes of this cluster end."""
        return f".{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}=1"

    @contextlib.contextmanager
    def _alone(self, say: Callable[[str], None]) -> Iterator[None]:
        """No other `up` or `down` of this cluster is at work meanwhile."""
        # tables and logs are the user's own
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with (self.folder / "lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Waiting for another that is starting or stopping this cluster")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _port(self, name: str) -> int | None:
        return {
            "metastore": self.ports.metastore,
            "master": self.ports.master,
            "thrift-server": self.ports.thrift,
        }.get(name)

    def _refuse_other_ports(self) -> None:
        """`ClusterError` if a process cannot have its port, or runs already at another."""
        settings = {"thrift-server": PORT, "master": MASTER_PORT, "metastore": METASTORE_PORT}
        for name, setting in settings.items():
            port = self._port(name)
            for process in self._led(name):
                if str(port) not in re.split(r"[\s=]", process.command):
                    raise ClusterError(
                        f"{name} runs already, at another port than {port}. Run make spark-down, then make spark-up; "
                        f"or leave {setting} as it was."
                    )
            if is_listening(port) and not self.is_running(name):
                raise ClusterError(
                    f"Port {port} of {HOST}, which {name} needs, is taken by another program. Stop that program, or "
                    f"choose another port: {setting}={port + 1} make spark-up."
                )

    def _start(self, name: str, home: Path) -> None:
        workspace = self.folder / "work" / name
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True)
        with self.log(name).open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                self._command(name, home, workspace),
                cwd=workspace,
                env=self._environment(name, home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await(lambda: self._is_ready(name, process), name)
        except BaseException:
            # the next `up` takes what runs for what is ready, or will be
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            _becomes(lambda: process.poll() is not None, KILL_SECONDS)
            raise

    def _await(self, ready: Callable[[], bool], name: str) -> None:
        if not _becomes(ready, START_SECONDS):
            raise ClusterError(f"{name} was not ready after {START_SECONDS} seconds. {self._end_of_log(name)}")

    def _is_ready(self, name: str, process: subprocess.Popen) -> bool:
        if process.poll() is not None:
            raise ClusterError(f"{name} ended with status {process.returncode}. {self._end_of_log(name)}")
        return self._answers(name)

    def _answers(self, name: str) -> bool:
        port = self._port(name)
        if port is not None:
            return is_listening(port)
        return "Successfully registered with master" in self.log(name).read_text(encoding="utf-8", errors="replace")

    def _end_of_log(self, name: str) -> str:
        log = self.log(name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"The end of {log}:", *lines[-LOG_LINES_SHOWN:]])

    def _command(self, name: str, home: Path, workspace: Path) -> list[str]:
        spark_class = str(home / "bin" / "spark-class")
        if name == "metastore":
            path = f"{self.folder / 'conf' / 'metastore'}{os.pathsep}{home / 'jars' / '*'}"
            script = [sys.executable, str(ROOT / "tools" / "spark_metastore.py"), "--java", find_java()]
            options = ["-Xmx512m", *self._java_options(name), f"-Dderby.system.home={self.folder}"]
            return [*script, "--classpath", path, "--port", str(self.ports.metastore), *options]
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

    def _java_options(self, name: str) -> list[str]:
        # temporary files are in the process's own folder, which the next start empties, so that nothing is left of one
        # that was killed; as a relative path, since the options are split at spaces
        return [self._marker(name), "-Duser.timezone=UTC", "-Djava.io.tmpdir=."]

    @property
    def _master(self) -> str:
        return f"spark://{HOST}:{self.ports.master}"

    def _environment(self, name: str, home: Path) -> dict[str, str]:
        own = {
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(self.folder / "conf" / "spark"),
            "SPARK_LOCAL_DIRS": ".",
            "SPARK_LOCAL_IP": HOST,
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": "2g" if name == "thrift-server" else "512m",
            "SPARK_DAEMON_JAVA_OPTS": " ".join(self._java_options(name)),
            "LC_ALL": "C.UTF-8",
        }
        return {key: value for key, value in os.environ.items() if not key.startswith(NOT_INHERITED)} | own

    def _write_configuration(self, home: Path, jar: Path) -> None:
        for folder in ("logs", "work", "warehouse", "conf/metastore", "conf/spark"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        conf = self.folder / "conf"
        (conf / "metastore" / "hive-site.xml").write_text(_xml(self._metastore_settings()), encoding="utf-8")
        lines = [f"{key} {value}" for key, value in self._spark_settings(jar).items()]
        (conf / "spark" / "spark-defaults.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for part in ("metastore", "spark"):
            (conf / part / "log4j2.properties").write_text(LOGGING, encoding="utf-8")

    def _metastore_settings(self) -> dict[str, str]:
        return {
            # within derby.system.home: a path here would end at its first semicolon
            "javax.jdo.option.ConnectionURL": "jdbc:derby:;databaseName=metastore;create=true",
            "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
            # as a path: Hadoop would take the escapes of a URI for letters of the name
            "hive.metastore.warehouse.dir": str(self.folder / "warehouse"),
            "datanucleus.schema.autoCreateAll": "true",
            "hive.metastore.schema.verification": "false",
            # a model may put a column of another type between two that there are
            "hive.metastore.disallow.incompatible.col.type.changes": "false",
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
            "spark.executor.extraJavaOptions": " ".join(self._java_options("executor")),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.scheduler.mode": "FAIR",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": str(2 * WORKERS),
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            catalog: "org.apache.iceberg.spark.SparkSessionCatalog",
            f"{catalog}.type": "hive",
            # a session that remembers what a table was would not see the publication of another
            f"{catalog}.cache-enabled": "false",
            # a second one, of Iceberg's own, to try STICKINESS_SPARK_CATALOG on
            "spark.sql.catalog.iceberg": "org.apache.iceberg.spark.SparkCatalog",
            "spark.sql.catalog.iceberg.type": "hive",
            "spark.sql.catalog.iceberg.cache-enabled": "false",
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


@dataclass(frozen=True)
class Process:
    """One of the process table. Who is started in a group of its own leads it: its id is the group's."""

    id: int
    group: int
    command: str


def _listed_processes() -> list[Process]:
    """All processes of this machine but those that have ended and that nobody has asked for."""
    try:
        shown = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            errors="replace",
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ClusterError(
            f"The running processes cannot be listed: {error}. The program ps is needed (Debian and Ubuntu: apt "
            f"install procps)."
        ) from error
    rows = (line.split(None, 3) for line in shown.splitlines())
    return [Process(int(row[0]), int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z")]


def _members(groups: set[int]) -> list[Process]:
    return [process for process in _listed_processes() if process.group in groups]


def _signal(process: Process, number: signal.Signals) -> None:
    # it may have ended since it was listed
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.id, number)


def _becomes(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is true, at most so long; whether it is."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


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
    """The cluster of `make spark-up`; `ClusterError` if the environment sets a port or the memory to what is none."""
    ports = Ports(
        thrift=_port(environ, PORT, Ports.thrift),
        master=_port(environ, MASTER_PORT, Ports.master),
        metastore=_port(environ, METASTORE_PORT, Ports.metastore),
    )
    if len(set(astuple(ports))) < len(astuple(ports)):
        raise ClusterError(
            f"{PORT}, {MASTER_PORT} and {METASTORE_PORT} are {', '.join(map(str, astuple(ports)))}; expected three "
            f"different ports."
        )
    return Cluster(CLUSTER_DIR, ports, _memory(environ.get(WORKER_MEMORY) or Cluster.worker_memory))


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ClusterError(f'{name} is "{text}"; expected the number of a port, for example {default}.')
    return int(text)


def _memory(text: str) -> str:
    found = re.fullmatch(r"([0-9]{1,6})([mg])", text.lower())
    if found is None or int(found[1]) * (1024 if found[2] == "g" else 1) < LEAST_MEMORY_MB:
        raise ClusterError(
            f'{WORKER_MEMORY} is "{text}"; expected at least {LEAST_MEMORY_MB}m, as a whole number with m or g, for '
            f"example {Cluster.worker_memory}."
        )
    return found[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit status 1 and a message if it fails, 130 if it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down", "status", "java"])
    command = parser.parse_args(arguments).command
    try:
        return _run(command, default_cluster())
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: str, cluster: Cluster) -> int:
    def say(line: str) -> None:
        print(line, flush=True)

    try:
        if command == "up":
            cluster.up(say)
            say(f"Spark listens at {HOST}:{cluster.ports.thrift}; its tables and logs are in {cluster.folder}.")
        elif command == "down":
            cluster.down(say)
        elif command == "java":
            say(f"Spark runs on {find_java()}")
        else:
            say(json.dumps({name: cluster.is_running(name) for name in cluster.names}, indent=2))
    except ClusterError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return _report_rest(cluster, 130)
    else:
        return 0
    return _report_rest(cluster, 1)


def _report_rest(cluster: Cluster, status: int) -> int:
    """Say what a failed command has left running."""
    running = [name for name in cluster.names if cluster.is_running(name)]
    if running:
        print(
            f"Still running: {', '.join(running)}. make spark-up starts the rest, make spark-down stops them.",
            file=sys.stderr,
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
