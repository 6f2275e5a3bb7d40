"""The cluster of `make spark-up`: its life with programs that only pretend, and, where Java is there, with Spark."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools import spark_cluster
from tools.spark_cluster import HOST, Cluster, ClusterError, Ports, default_cluster, find_java, free_ports, iceberg_jar

AWKWARD = 'it\'s "my" $HOME shop, 店铺 (ü) 50%20;x'


# ---- what a person has and sets -------------------------------------------------------------------------------------


def fake_java(folder: Path, version: str) -> Path:
    """A JAVA_HOME whose java tells that it is of this version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '    java.specification.version = {version}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize("version", ["11", "17"])
def test_java_is_the_one_of_java_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / AWKWARD, version)))
    assert find_java() == str(tmp_path / AWKWARD / "bin" / "java")


@pytest.mark.parametrize(("version", "shown"), [("1.8", "Java 8"), ("21", "Java 21"), ("x", "no Java that tells")])
def test_a_java_that_spark_does_not_run_on_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, shown: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    with pytest.raises(ClusterError, match=rf"{tmp_path}/bin/java is {shown}.*; Spark 3.5 runs on 11 to 17\. Install"):
        find_java()


def test_no_java_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="No Java found.*apt install openjdk-17-jre-headless"):
        find_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(ClusterError, match=r"gone/bin/java cannot be started \(No such file or directory\)"):
        find_java()


class FileOfAPackage:
    """As importlib.metadata lists it."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = path

    def locate(self) -> Path:
        return self.path


def test_the_jar_of_the_package_is_taken_if_it_is_the_one_that_was_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = tmp_path / spark_cluster.JAR_NAME
    jar.write_bytes(b"jar")
    others = [tmp_path / "other.jar", tmp_path / "iceberg-spark-runtime-4.0_2.13-1.10.2.jar"]
    monkeypatch.setattr(spark_cluster, "files", lambda package: [FileOfAPackage(path) for path in [*others, jar]])
    monkeypatch.setattr(spark_cluster, "JAR_SHA256", hashlib.sha256(b"jar").hexdigest())
    assert iceberg_jar({}) == jar

    jar.write_bytes(b"another")
    digest = hashlib.sha256(b"another").hexdigest()
    with pytest.raises(
        ClusterError, match=rf"{jar} has the sha256 {digest}; expected .* or set STICKINESS_ICEBERG_JAR"
    ):
        iceberg_jar({})

    jar.unlink()
    with pytest.raises(ClusterError, match=rf"with {jar.name} is not installed\. Run make spark-up"):
        iceberg_jar({})


def test_a_missing_package_of_the_jar_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_cluster, "JAR_PACKAGE", "no-such-package")
    with pytest.raises(ClusterError, match=r"no-such-package with .* is not installed\. Run make spark-up"):
        iceberg_jar({})


def test_a_jar_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.jar"
    with pytest.raises(ClusterError, match=rf"STICKINESS_ICEBERG_JAR is {own}, which is no file"):
        iceberg_jar({"STICKINESS_ICEBERG_JAR": str(own)})
    own.touch()
    assert iceberg_jar({"STICKINESS_ICEBERG_JAR": str(own)}) == own


def test_ports_and_memory_are_set_by_the_environment() -> None:
    assert default_cluster({}).ports == Ports(10000, 7077, 9083)
    names = ("STICKINESS_SPARK_PORT", "STICKINESS_SPARK_MASTER_PORT", "STICKINESS_SPARK_METASTORE_PORT")
    set_all = default_cluster({**dict(zip(names, "123", strict=True)), "STICKINESS_SPARK_WORKER_MEMORY": "768M"})
    assert set_all.ports == Ports(thrift=1, master=2, metastore=3)
    assert set_all.worker_memory == "768m"


@pytest.mark.parametrize("text", ["0", "65536", "-1", "10000 ", "ten", "１"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ClusterError, match=f'STICKINESS_SPARK_MASTER_PORT is "{text}"; expected .* for example 7077'):
        default_cluster({"STICKINESS_SPARK_MASTER_PORT": text})


def test_one_port_for_two_processes_is_refused() -> None:
    with pytest.raises(ClusterError, match="are 7077, 7077, 9083; expected three different ports"):
        default_cluster({"STICKINESS_SPARK_PORT": "7077"})


@pytest.mark.parametrize("text", ["511m", "0g", "1", "1 g", "1gb", "much"])
def test_memory_that_spark_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(ClusterError, match=f'WORKER_MEMORY is "{text}"; expected at least 512m'):
        default_cluster({"STICKINESS_SPARK_WORKER_MEMORY": text})


# ---- the life of a cluster, of programs that only pretend -----------------------------------------------------------

PRETENDER = """
import os, socket, subprocess, sys, time
kind, marker, port, *child = sys.argv[1:]
if kind == "fails":
    sys.exit("no disk\\nno luck")
if kind == "deaf":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if port:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(port)))
    if kind == "slow":
        time.sleep(2)
    if kind != "never ready":
        listening.listen()
elif kind not in ("never ready", "interrupted"):
    print("Successfully registered with master", flush=True)
print(sorted(os.environ), flush=True)
if kind == "parent":
    # as a worker does with an executor, whose command names no worker
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)", *child])
time.sleep(600)
"""


# who has a child, and whose mark that bears
CHILDREN = {"metastore": "metastore", "worker-1": "executor", "worker-2": "executor"}


class PretendedCluster(Cluster):
    """A cluster whose processes listen, and nothing else. `kinds`: which of them behave otherwise."""

    kinds: dict[str, str] = {}

    def _command(self, name: str, home: Path, workspace: Path) -> list[str]:
        kind = self.kinds.get(name, "parent" if name in CHILDREN else "")
        port = self._port(name)
        child = [f"child-of-{name}-in-{self.folder}", self._marker(CHILDREN.get(name, ""))]
        return [sys.executable, "-S", "-c", PRETENDER, kind, self._marker(name), str(port or ""), *child]

    def _answers(self, name: str) -> bool:
        if self.kinds.get(name) == "interrupted" and self.is_running(name):
            raise KeyboardInterrupt
        return super()._answers(name)

    def id(self, name: str) -> int:
        [leader] = self._led(name)
        return leader.id

    def ids(self) -> dict[str, int]:
        return {name: self.id(name) for name in self.names}

    def rest(self) -> list[str]:
        """The commands of all that runs of the cluster, the children included."""
        return [process.command for process in spark_cluster._listed_processes() if str(self.folder) in process.command]

    def children(self) -> list[str]:
        """Whose children run."""
        commands = [command for command in self.rest() if PRETENDER.strip().splitlines()[0] not in command]
        return sorted(re.search(r"child-of-([a-z0-9-]+)-in", command)[1] for command in commands)

    def said(self) -> list[str]:
        """What `up` says that it does."""
        lines: list[str] = []
        self.up(lines.append)
        return lines


STARTED = ["starting metastore", "starting master", "starting worker-1", "starting worker-2", "starting thrift-server"]


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCluster]:
    if shutil.which("ps") is None:
        pytest.skip("there is no ps, by which a cluster finds its processes: apt install procps")
    monkeypatch.setattr(spark_cluster, "find_java", lambda: "java")
    monkeypatch.setattr(spark_cluster, "spark_home", lambda: tmp_path / "spark")
    monkeypatch.setattr(spark_cluster, "iceberg_jar", lambda: tmp_path / AWKWARD / "iceberg.jar")
    cluster = PretendedCluster(tmp_path / AWKWARD, free_ports(), "600m")
    yield cluster
    with contextlib.suppress(ClusterError):
        monkeypatch.setattr(spark_cluster, "STOP_SECONDS", 1)
        cluster.down()


def test_what_runs_is_not_started_again_and_what_was_killed_is(pretended: PretendedCluster) -> None:
    assert pretended.said() == STARTED
    before = pretended.ids()
    assert pretended.said() == []
    assert pretended.ids() == before

    for killed in ("worker-1", "thrift-server"):
        os.kill(pretended.id(killed), signal.SIGKILL)
        assert spark_cluster._becomes(lambda name=killed: not pretended.is_running(name), 5)
        assert pretended.said() == [f"starting {killed}"]
        after = pretended.ids()
        assert [name for name in before if before[name] != after[name]] == [killed]
        before = after


def test_a_killed_worker_takes_its_executors_along(pretended: PretendedCluster) -> None:
    pretended.up()
    assert spark_cluster._becomes(lambda: pretended.children() == sorted(CHILDREN), 5)
    pretended.kill("worker-1")
    assert not pretended.is_running("worker-1")
    assert pretended.is_running("worker-2")
    assert spark_cluster._becomes(lambda: pretended.children() == ["metastore", "worker-2"], 5)


def test_down_ends_executors_that_a_worker_left_behind(pretended: PretendedCluster) -> None:
    pretended.up()
    assert spark_cluster._becomes(lambda: pretended.children() == sorted(CHILDREN), 5)
    os.kill(pretended.id("worker-1"), signal.SIGKILL)
    pretended.down()
    assert pretended.rest() == []


def test_with_a_new_master_all_that_knew_the_old_one_is_new(pretended: PretendedCluster) -> None:
    pretended.up()
    before = pretended.ids()
    pretended.kill("master")
    assert pretended.said() == STARTED[1:]
    after = pretended.ids()
    assert [name for name in before if before[name] == after[name]] == ["metastore"]


def test_down_leaves_nothing_behind_even_of_those_that_hang(
    pretended: PretendedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_cluster, "STOP_SECONDS", 1)
    pretended.kinds = {"master": "deaf"}
    pretended.up()
    os.kill(pretended.id("metastore"), signal.SIGSTOP)
    said: list[str] = []
    pretended.down(said.append)
    assert said == [line.replace("starting", "stopping") for line in reversed(STARTED)]
    assert pretended.rest() == []
    pretended.down(said.append)
    assert len(said) == len(STARTED)


def test_down_of_a_cluster_that_never_was_makes_nothing(tmp_path: Path) -> None:
    Cluster(tmp_path / "never").down()
    assert not (tmp_path / "never").exists()


def test_a_process_that_ends_at_once_is_told_with_the_end_of_its_log(pretended: PretendedCluster) -> None:
    pretended.kinds = {"worker-2": "fails"}
    with pytest.raises(ClusterError, match=r"(?s)worker-2 ended with status 1\. The end of .*worker-2\.log:.*no luck"):
        pretended.up()
    assert [name for name in pretended.names if pretended.is_running(name)] == ["metastore", "master", "worker-1"]
    pretended.kinds = {}
    assert pretended.said() == ["starting worker-2", "starting thrift-server"]


def test_a_process_that_is_never_ready_is_ended_so_that_the_next_up_tries_it_again(
    pretended: PretendedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_cluster, "START_SECONDS", 2)
    pretended.kinds = {"master": "never ready"}
    with pytest.raises(ClusterError, match="master was not ready after 2 seconds"):
        pretended.up()
    assert spark_cluster._becomes(lambda: not pretended.is_running("master"), 5)
    assert pretended.is_running("metastore")


def test_an_interrupted_up_leaves_only_what_is_ready(
    pretended: PretendedCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended.kinds = {"worker-1": "interrupted"}
    monkeypatch.setattr(spark_cluster, "default_cluster", lambda: pretended)
    assert spark_cluster.main(["up"]) == 130
    assert "Interrupted.\nStill running: metastore, master. make spark-up starts" in capsys.readouterr().err
    assert spark_cluster._becomes(lambda: not pretended.is_running("worker-1"), 5)


def test_one_that_an_up_has_left_while_it_was_starting_is_waited_for(pretended: PretendedCluster) -> None:
    pretended.kinds = {"metastore": "slow"}
    begun = subprocess.Popen(pretended._command("metastore", Path(), Path()), start_new_session=True)
    assert spark_cluster._becomes(lambda: pretended.is_running("metastore"), 10)
    listened: list[bool] = []
    pretended.up(lambda line: listened.append(spark_cluster.is_listening(pretended.ports.metastore)))
    assert listened == [True] * len(STARTED[1:])
    assert pretended.id("metastore") == begun.pid


def test_an_up_waits_for_another_that_is_at_work(pretended: PretendedCluster) -> None:
    said: list[str] = []
    second = threading.Thread(target=pretended.up, args=(said.append,))
    waits = "Waiting for another that is starting or stopping this cluster"
    with pretended._alone(said.append):
        second.start()
        assert spark_cluster._becomes(lambda: said == [waits], 10)
        second.join(0.5)
        assert said == [waits]
    second.join(60)
    assert said == [waits, *STARTED]


@pytest.mark.parametrize(
    ("name", "field", "setting"),
    [
        ("thrift-server", "thrift", "STICKINESS_SPARK_PORT"),
        ("master", "master", "STICKINESS_SPARK_MASTER_PORT"),
        ("metastore", "metastore", "STICKINESS_SPARK_METASTORE_PORT"),
    ],
)
def test_a_taken_port_is_told_before_anything_is_started(
    pretended: PretendedCluster, name: str, field: str, setting: str
) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        cluster = replace(pretended, ports=replace(pretended.ports, **{field: port}))
        message = f"Port {port} of {HOST}, which {name} needs, is taken by another program.*: {setting}={port + 1} make"
        with pytest.raises(ClusterError, match=message):
            cluster.up()
    assert pretended.rest() == []


def test_other_ports_than_those_of_a_running_cluster_are_refused(pretended: PretendedCluster) -> None:
    pretended.up()
    with pytest.raises(
        ClusterError, match=r"metastore runs already, at another port.*leave STICKINESS_SPARK_METASTORE"
    ):
        replace(pretended, ports=replace(pretended.ports, metastore=free_ports().metastore)).up()


def test_a_cluster_of_another_folder_is_another(pretended: PretendedCluster, tmp_path: Path) -> None:
    pretended.up()
    other = PretendedCluster(tmp_path / "other", pretended.ports)
    assert not any(other.is_running(name) for name in other.names)
    (tmp_path / "other").mkdir()
    other.down()
    assert all(pretended.is_running(name) for name in pretended.names)


def test_secrets_and_settings_of_another_spark_are_not_passed_on(
    pretended: PretendedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = ["DBT_ENV_SECRET_SPARK_PASSWORD", "SPARK_DIST_CLASSPATH", "HADOOP_CONF_DIR", "STICKINESS_RAW_DIR"]
    for name in foreign:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("JAVA_HOME", "x")
    pretended.up()
    got = pretended.log("worker-1").read_text(encoding="utf-8")
    assert "'JAVA_HOME'" in got
    assert [name for name in foreign if name in got] == []


def test_only_the_user_can_look_into_the_folder(pretended: PretendedCluster) -> None:
    pretended.up()
    assert pretended.folder.stat().st_mode & 0o077 == 0


def test_the_configuration_has_paths_as_they_are_and_one_place_to_listen(pretended: PretendedCluster) -> None:
    pretended.up()
    conf = pretended.folder / "conf"
    lines = (conf / "spark" / "spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    spark = dict(line.split(" ", 1) for line in lines)
    warehouse = str(pretended.folder / "warehouse")
    assert spark["spark.sql.warehouse.dir"] == warehouse
    jar = str(pretended.folder / "iceberg.jar")
    assert (spark["spark.driver.extraClassPath"], spark["spark.executor.extraClassPath"]) == (jar, jar)
    assert spark["spark.executor.memory"] == "600m"
    assert spark["spark.sql.catalog.spark_catalog.cache-enabled"] == "false"
    assert (spark["spark.driver.host"], spark["spark.driver.bindAddress"]) == (HOST, HOST)
    ports = pretended.ports
    assert spark["spark.master"] == f"spark://{HOST}:{ports.master}"
    assert spark["spark.hadoop.hive.metastore.uris"] == f"thrift://{HOST}:{ports.metastore}"

    properties = ElementTree.parse(conf / "metastore" / "hive-site.xml").getroot()
    hive = {found.findtext("name"): found.findtext("value") for found in properties}
    assert hive["hive.metastore.warehouse.dir"] == warehouse
    # a semicolon would end the path
    assert str(pretended.folder) not in hive["javax.jdo.option.ConnectionURL"]


def test_without_ps_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="ps is needed .*apt install procps"):
        Cluster(tmp_path).is_running("master")


# ---- with Spark itself ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in a folder of an awkward name."""
    try:
        find_java()
        spark_cluster.spark_home()
        iceberg_jar()
    except ClusterError as error:
        pytest.skip(str(error))
    started = Cluster(tmp_path_factory.mktemp("cluster") / AWKWARD, free_ports(), "512m")
    try:
        started.up()
        yield started
    finally:
        started.down()


def ask(cluster: Cluster, statement: str) -> list[tuple]:
    """The rows that Spark answers; none if the statement has none."""
    from pyhive import hive

    with contextlib.closing(hive.connect(HOST, cluster.ports.thrift)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall() if statement.startswith("select") else []


def listening_elsewhere(cluster: Cluster) -> dict[str, int]:
    """Addresses other than loopback at which a process of the cluster listens, with the process."""
    ids = {process.id for process in cluster.processes()}
    sockets = {}
    for number in ids:
        for descriptor in Path(f"/proc/{number}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets[os.readlink(descriptor)] = number
    tables = [Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    listening = {
        row[1]: sockets[f"socket:[{row[9]}]"] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets
    }
    assert len(listening) > len(cluster.names)
    # 127.0.0.1, and the same as an IPv6 address
    loopback = re.compile(r"(0000000000000000FFFF0000)?0100007F:")
    return {address: number for address, number in listening.items() if not loopback.match(address)}


spark = [pytest.mark.spark, pytest.mark.long, pytest.mark.xdist_group("spark")]


class TestSpark:
    """In this order: one cluster lives through all of it."""

    pytestmark = spark

    def test_a_table_is_written_and_read(self, cluster: Cluster) -> None:
        ask(cluster, "create table default.numbers using iceberg as select id from range(1000)")
        assert ask(cluster, "select count(*), sum(id) from default.numbers") == [(1000, 499500)]
        assert list((cluster.folder / "warehouse" / "numbers").rglob("*.parquet"))

    @pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="what listens is looked up in Linux's /proc")
    def test_nothing_listens_to_the_network(self, cluster: Cluster) -> None:
        assert listening_elsewhere(cluster) == {}

    def test_queries_go_on_when_a_worker_dies_and_up_starts_it_again(self, cluster: Cluster) -> None:
        def executors() -> int:
            return sum("CoarseGrainedExecutorBackend" in process.command for process in cluster.processes())

        assert spark_cluster._becomes(lambda: executors() == 2, 60)
        cluster.kill("worker-1")
        assert spark_cluster._becomes(lambda: executors() == 1, 5)
        assert ask(cluster, "select count(*) from default.numbers") == [(1000,)]
        said: list[str] = []
        cluster.up(said.append)
        assert said == ["starting worker-1"]
        assert spark_cluster._becomes(lambda: executors() == 2, 60)

    def test_tables_outlive_a_metastore_that_was_killed(self, cluster: Cluster) -> None:
        cluster.kill("metastore")
        cluster.up()
        assert ask(cluster, "select count(*) from default.numbers") == [(1000,)]

    def test_down_leaves_no_process_behind(self, cluster: Cluster) -> None:
        cluster.down()
        assert cluster.processes() == []
        marks = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True).stdout
        assert str(cluster.folder) not in marks
