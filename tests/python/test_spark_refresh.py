"""A whole refresh on Spark, by the command that people run, also where a machine dies in the middle of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from spark_world import SparkServer

from orchestration.publishing import Publication
from orchestration.settings import ROOT

pytestmark = [pytest.mark.spark, pytest.mark.nightly, pytest.mark.xdist_group("spark")]

RAW = ROOT / "docs" / "example"


class Refresh:
    """A refresh in a process of its own."""

    def __init__(self, server: SparkServer, warehouse: Path, as_of: str) -> None:
        environ = {
            "STICKINESS_TARGET": "spark",
            "STICKINESS_RAW_DIR": str(RAW),
            "STICKINESS_WAREHOUSE_DIR": str(warehouse),
            "STICKINESS_AS_OF": as_of,
        }
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "refresh"],
            cwd=ROOT,
            env=os.environ | server.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def follow(self) -> Iterator[str]:
        for line in self.process.stdout:
            self.lines.append(line)
            yield line

    def finish(self) -> int:
        for _ in self.follow():
            pass
        return self.process.wait()

    @property
    def output(self) -> str:
        return "".join(self.lines)


class Reader(threading.Thread):
    """Somebody who keeps asking what is published, as BI does, until told to stop."""

    def __init__(self, server: SparkServer) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.seen: list[tuple] = []
        self.errors: list[str] = []
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(1):
            try:
                self.seen.append(what_bi_reads(self.server))
            except Exception as error:
                self.errors.append(str(error))

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def what_bi_reads(server: SparkServer) -> tuple:
    """From several marts in one query: the version, and the days as of which its marts are computed."""
    with server.engine.read_published() as ask:
        [row] = ask(
            "SELECT (SELECT max_by(publication_id, published_at) FROM {quality}.publications), "
            "(SELECT max(cast(as_of_date AS string)) FROM {quality}.publications WHERE publication_id = "
            "(SELECT max_by(publication_id, published_at) FROM {quality}.publications)), "
            "(SELECT max(cast(as_of_date AS string)) FROM {marts}.customer_lifecycle), "
            "(SELECT max(cast(as_of_date AS string)) FROM {marts}.customer_clv)"
        )
    return row


def orders_read(server: SparkServer) -> list[tuple]:
    with server.engine.read_published() as ask:
        return ask("SELECT order_id, cast(net_revenue AS string) FROM {marts}.orders ORDER BY order_id")


ORDERS = [("1001", "120.0000"), ("1002", "80.0000"), ("1003", "60.0000")]


@pytest.fixture(scope="module")
def published(spark_server: SparkServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Publication]:
    """A warehouse folder whose refresh has published on Spark, and what it published."""
    warehouse = tmp_path_factory.mktemp("dw")
    refresh = Refresh(spark_server, warehouse, "2026-02-28")
    assert refresh.finish() == 0, refresh.output
    assert "Published: " in refresh.output
    return warehouse, spark_server.engine.current()


def test_a_refresh_publishes_what_its_raw_folder_holds(
    spark_server: SparkServer, published: tuple[Path, Publication]
) -> None:
    _, publication = published
    assert str(publication.as_of_date) == "2026-02-28"
    assert publication.tests_passed > 100
    assert orders_read(spark_server) == ORDERS
    assert what_bi_reads(spark_server) == (publication.publication_id, *["2026-02-28"] * 3)


def test_a_worker_that_dies_in_the_middle_leaves_readers_on_one_version_and_the_next_refresh_repairs_the_rest(
    spark_server: SparkServer, published: tuple[Path, Publication]
) -> None:
    if spark_server.cluster is None:
        pytest.skip("the Spark server is not a cluster of this machine, none of whose workers may be ended")
    warehouse, before = published
    reader = Reader(spark_server)
    reader.start()
    refresh = Refresh(spark_server, warehouse, "2026-03-15")
    try:
        for line in refresh.follow():
            if line.startswith("seeds"):
                spark_server.cluster.kill("worker-1")
                break
        status = refresh.finish()
    finally:
        reader.stop()
        spark_server.cluster.up()
    after = spark_server.engine.current()
    days = {before.publication_id: "2026-02-28"}
    if status == 0:
        days[after.publication_id] = "2026-03-15"
    else:
        assert after == before
        assert "what was published before is untouched" in refresh.output
    assert reader.seen and not reader.errors, reader.errors
    for publication_id, *as_of in reader.seen:
        assert as_of == [days[publication_id]] * 3

    again = Refresh(spark_server, warehouse, "2026-03-31")
    assert again.finish() == 0, again.output
    repaired = spark_server.engine.current()
    assert repaired.publication_id not in days
    assert what_bi_reads(spark_server) == (repaired.publication_id, *["2026-03-31"] * 3)
    assert orders_read(spark_server) == ORDERS
