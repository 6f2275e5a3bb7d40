"""Refreshes that are killed at any moment: readers see whole versions, and the next refresh publishes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from postgres_server import postgres_server
from shop_project import write_shop
from test_serving import all_gone, processes_with, wait_until

from orchestration.bi.bi_settings import DSN
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import published_database
from orchestration.settings import ROOT

pytestmark = pytest.mark.nightly

ROWS = 2_000
KILLS = 20
KILLS_WHILE_PUBLISHING = 12
PUBLICATIONS = 20
READERS = 8
# what make run does, without the figures of marts that this project has not
REFRESH = """
import sys
from orchestration import cli
from orchestration.settings import load_settings
from orchestration.warehouse_lock import warehouse_lock

settings = load_settings()
with warehouse_lock(settings.warehouse):
    cli._enter(settings)
    sys.exit(not cli._run_job(settings).result.success)
"""
BOARD = """
order: 10
title: { en: Orders, zh: 订单 }
text: { en: Amounts of orders., zh: 订单金额。 }
tiles:
  - id: amount
    title: { en: Amount, zh: 金额 }
    text: { en: Amount of an order., zh: 单笔订单金额。 }
    marts: [orders]
    query: select max(amount) as amount from marts.orders
    chart: { kind: kpi, value: amount }
"""


class Shop:
    """A company whose orders all have the number of the export as their amount, so that a mixture shows."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.environ = environ or {}
        self.root = write_shop(folder / "project")
        shutil.copytree(ROOT / "orchestration", self.root / "orchestration")
        self.raw, self.warehouse = folder / "raw", folder / "dw"
        self.raw.mkdir()
        (folder / "refresh.py").write_text(REFRESH)
        self.command = [sys.executable, str(folder / "refresh.py")]
        self.log = folder / "log"

    def export(self, number: int) -> None:
        lines = [f"O{row},{number}" for row in range(ROWS)]
        (self.raw / "orders.csv").write_text("\n".join(["order_id,amount", *lines, ""]))

    def start(self) -> subprocess.Popen:
        environ = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "STICKINESS_RAW_DIR": str(self.raw),
            "STICKINESS_WAREHOUSE_DIR": str(self.warehouse),
            **self.environ,
        }
        with self.log.open("a") as log:
            return subprocess.Popen(
                self.command, cwd=self.root, env=environ, stdout=log, stderr=log, start_new_session=True
            )

    def refresh(self) -> float:
        """A whole refresh; its seconds."""
        began = time.monotonic()
        assert self.start().wait(300) == 0, self.log.read_text()[-3000:]
        return time.monotonic() - began

    def published(self) -> int:
        """The number of the export that readers see; AssertionError where it is not one whole export."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{published_database(self.warehouse)}' as published (read_only)")
            found = connection.execute(
                """
                select
                    (select [count(*), min(amount), max(amount)] from published.marts.orders),
                    (select sum(rows_read) from published.quality.raw_files where table_name = 'orders')
                """
            ).fetchone()
        (rows, low, high), read = found
        assert (rows, read) == (ROWS, ROWS) and low == high, found
        return int(low)

    def is_publishing(self) -> bool:
        return any(self.warehouse.glob("versions/*.tmp"))

    def current(self) -> str:
        publication = DuckDbEngine(self.warehouse).current()
        assert publication is not None
        return publication.publication_id

    def copied(self) -> tuple[str, int]:
        """What the copy in PostgreSQL is of, and the number of the export in it; it is one whole export."""
        import psycopg

        with psycopg.connect(self.environ[DSN]) as connection:
            [publication] = connection.execute("select publication_id from stickiness.copied_publication").fetchone()
            rows, low, high = connection.execute(
                "select count(*), min(amount), max(amount) from stickiness.orders"
            ).fetchone()
        assert rows == ROWS and low == high, (rows, low, high)
        return publication, int(low)

    def assert_boards_are_of(self, publication: str) -> None:
        """AssertionError where the boards that are published are of another version."""
        boards = DuckDbEngine(self.warehouse).boards()
        assert boards is not None and publication in (boards / "index.html").read_text(encoding="utf-8")

    def processes(self) -> list[int]:
        """Every process that works on the warehouse."""
        return processes_with(f"STICKINESS_WAREHOUSE_DIR={self.warehouse}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("killed"))


@contextmanager
def readers(shop: Shop) -> Iterator[list[str]]:
    """Readers that open what is published again and again; what went wrong is listed."""
    wrong: list[str] = []
    enough = threading.Event()

    def read() -> None:
        newest = 0
        while not enough.is_set():
            try:
                seen = shop.published()
                if seen < newest:
                    wrong.append(f"{seen} after {newest}")
                newest = seen
            except Exception as error:
                wrong.append(repr(error))
            time.sleep(0.2)

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def kill(run: subprocess.Popen, what: str, shop: Shop) -> None:
    """Kill the whole group, the process that was started alone, or dbt alone where it runs."""
    if what == "group":
        os.killpg(run.pid, signal.SIGKILL)
    elif what == "parent":
        run.kill()
    else:
        for pid in set(shop.processes()) - {run.pid}:
            os.kill(pid, signal.SIGKILL)
    run.wait(300)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it finds processes in /proc")
def test_readers_see_whole_versions_through_many_publications(shop: Shop) -> None:
    shop.export(1)
    shop.refresh()
    with readers(shop) as wrong:
        for number in range(2, PUBLICATIONS + 2):
            shop.export(number)
            shop.refresh()
    assert wrong == []
    assert shop.published() == PUBLICATIONS + 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it finds processes in /proc")
def test_a_refresh_that_is_killed_at_any_moment_leaves_a_whole_version_and_the_next_one_publishes(shop: Shop) -> None:
    moments, first = random.Random(14), 1_000
    shop.export(first)
    seconds = shop.refresh()
    last = first
    with readers(shop) as wrong:
        for number in range(first + 1, first + 1 + KILLS):
            what = ("group", "dbt", "parent")[number % 3]
            shop.export(number)
            run = shop.start()
            time.sleep(moments.uniform(0, seconds))
            kill(run, what, shop)
            # what the killed process had started ends by itself
            wait_until(lambda: all_gone(shop.processes()), 30)
            assert shop.published() in (last, number), what
            seconds = shop.refresh()
            assert shop.published() == number
            last = number
    assert wrong == []


@pytest.mark.postgres
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it finds processes in /proc")
def test_a_refresh_that_is_killed_while_it_publishes_is_brought_to_one_version_by_the_next(
    tmp_path: Path,
) -> None:
    moments = random.Random(15)
    with postgres_server() as dsn:
        shop = Shop(tmp_path, {DSN: dsn})
        board = shop.root / "dashboards" / "orders.yml"
        board.parent.mkdir()
        board.write_text(BOARD, encoding="utf-8")
        shop.export(1)
        first = shop.start()
        wait_until(shop.is_publishing, 300)
        began = time.monotonic()
        assert first.wait(300) == 0, shop.log.read_text()[-3000:]
        seconds = time.monotonic() - began
        behind = 0
        for last in range(1, 1 + 2 * KILLS_WHILE_PUBLISHING, 2):
            shop.export(last + 1)
            run = shop.start()
            wait_until(shop.is_publishing, 300)
            time.sleep(moments.uniform(0, seconds))
            kill(run, ("group", "parent")[last // 2 % 2], shop)
            wait_until(lambda: all_gone(shop.processes()), 30)
            seen, (copy, copied) = shop.published(), shop.copied()
            assert seen in (last, last + 1) and copied in (last, seen)
            shop.assert_boards_are_of(shop.current())
            behind += copy != shop.current()
            shop.export(last + 2)
            shop.refresh()
            assert shop.published() == last + 2 and shop.copied() == (shop.current(), last + 2)
            shop.assert_boards_are_of(shop.current())
        assert shop.log.read_text().count("It was behind until now") == behind
