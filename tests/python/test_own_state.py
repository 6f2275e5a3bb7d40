"""Damage to what the warehouse keeps for itself, and machines that give out: one message with what mends it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from conftest import PLAIN_RULES
from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    DagsterInstance,
    Definitions,
    Failure,
    MaterializeResult,
    asset,
    define_asset_job,
)

from orchestration import cli, dagster_store, definitions, publishing
from orchestration.assets.dbt_models import _remedy
from orchestration.assets.refresh import raised_as_failure
from orchestration.contract import Contract
from orchestration.dagster_store import check_dagster_store, forget_old_runs
from orchestration.engines.duckdb import publication as steps
from orchestration.engines.duckdb import write_published_files
from orchestration.engines.duckdb.build import build_database, open_build
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import current, kept_versions, publish, published_database, rollback
from orchestration.engines.duckdb.publication_ledger import Ledger
from orchestration.errors import PublicationError, SettingsError, StickinessError, WarehouseError
from orchestration.faults import fault_in, fault_of
from orchestration.landing.damage import damaged_files, landing_damage
from orchestration.landing.land import land
from orchestration.publishing import PublicationFacts
from orchestration.settings import WAREHOUSE_DIR, warehouse_folder

FACTS = PublicationFacts(date(2026, 11, 21), "abc123", 7, 0, datetime(2026, 11, 22, tzinfo=UTC))
GARBAGE = bytes(range(256)) * 64


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "o'hara's dw"


@pytest.fixture(autouse=True)
def distinct_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publications of one second get ids in their order."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(publishing.secrets, "token_hex", lambda size: f"{next(numbers):04x}")


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on disk when the power goes is no matter of these tests, and most of their time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def build(folder: Path, *order_ids: str, rows: int = 0) -> Path:
    """A build with a small table, and one of so many rows that do not compress."""
    build_db = build_database(folder)
    build_db.parent.mkdir(parents=True, exist_ok=True)
    build_db.unlink(missing_ok=True)
    with duckdb.connect(str(build_db)) as connection:
        connection.execute("CREATE SCHEMA marts; CREATE SCHEMA quality")
        connection.execute(f"CREATE TABLE marts.orders AS SELECT unnest({list(order_ids)}) AS order_id")
        connection.execute(f"CREATE TABLE marts.large AS SELECT md5(range::text) AS x FROM range({rows})")
    return build_db


def published(warehouse: Path, *order_ids: str) -> str:
    return publish(build(warehouse, *order_ids), warehouse, FACTS).publication_id


def orders(warehouse: Path) -> list[str]:
    with duckdb.connect(str(published_database(warehouse)), read_only=True) as reader:
        return [row[0] for row in reader.execute("SELECT order_id FROM marts.orders").fetchall()]


def carry_out(message: str) -> None:
    """Do what the end of a message says, as a person who copies it into a shell."""
    command = message[max(message.rfind(f": {word} ") for word in ("mv", "rm", "LC_ALL=C")) + 2 :]
    subprocess.run(command, shell=True, check=True)


def refusal(error: type[StickinessError], action: Callable[[], object]) -> str:
    with pytest.raises(error) as refused:
        action()
    said = str(refused.value)
    assert "Traceback" not in said and "\n" not in said
    return said


# The ledger


def record(warehouse: Path) -> dict:
    return json.loads((warehouse / "publications.jsonl").read_text().splitlines()[0])


def with_rows(line: dict, rows: object) -> dict:
    return {**line, "publication": {**line["publication"], "rows": rows}}


LEDGERS = {
    "an_empty_object": lambda line: b"{}",
    "a_number": lambda line: b"1",
    "a_list": lambda line: b"[1]",
    "null": lambda line: b"null",
    "bytes_that_are_no_utf_8": lambda line: json.dumps(line).encode().replace(b"abc123", b"\xff\xfe"),
    "random_bytes": lambda line: b"\x80\xff\x00\xfe{}\x85",
    "brackets_in_brackets": lambda line: b"[" * 100_000,
    "a_publication_without_its_id": lambda line: json.dumps({**line, "publication_id": None}).encode(),
    "an_id_that_is_a_list": lambda line: json.dumps({**line, "replaced": ["x"]}).encode(),
    "a_moment_that_is_none": lambda line: json.dumps({**line, "at": "yesterday"}).encode(),
    "a_moment_with_a_zone": lambda line: json.dumps({**line, "at": "2026-11-21T00:00:00+08:00"}).encode(),
    "no_publication": lambda line: json.dumps({**line, "publication": None}).encode(),
    "rows_that_are_text": lambda line: json.dumps(
        {**line, "publication": {**line["publication"], "rows": "x"}}
    ).encode(),
    "rows_beyond_all_numbers": lambda line: json.dumps(
        {**line, "publication": {**line["publication"], "rows": 10**30}}
    ).encode(),
}


@pytest.mark.parametrize("damage", LEDGERS)
def test_a_damaged_ledger_is_told_with_the_line_and_mended_by_the_command_of_the_message(
    warehouse: Path, damage: str
) -> None:
    first, second = published(warehouse, "O1"), published(warehouse, "O2")
    ledger = warehouse / "publications.jsonl"
    lines = ledger.read_bytes().splitlines()
    ledger.write_bytes(b"\n".join([LEDGERS[damage](record(warehouse)), lines[1]]) + b"\n")
    before = ledger.read_bytes()

    for action in (
        lambda: published(warehouse, "O3"),
        lambda: rollback(warehouse),
        lambda: DuckDbEngine(warehouse).events(),
        lambda: DuckDbEngine(warehouse).upgrade(),
    ):
        said = refusal(PublicationError, action)
        assert f"{ledger} is damaged: line 1 is no record of a publication. What is published stays." in said
    assert orders(warehouse) == ["O2"]
    assert ledger.read_bytes() == before

    carry_out(said)
    assert (warehouse / "publications.jsonl.damaged").read_bytes() == before
    published(warehouse, "O3")
    assert [event.replaced for event in Ledger(warehouse).events()] == [first, second]
    assert kept_versions(warehouse)[:2] == [first, second]


def test_every_damaged_line_is_taken_out_by_one_command(warehouse: Path) -> None:
    published(warehouse, "O1")
    ledger = warehouse / "publications.jsonl"
    whole = ledger.read_bytes()
    ledger.write_bytes(b"{}\n" + whole + b"1\n2\n3\n" + whole + b"\xff\n")
    said = refusal(PublicationError, Ledger(warehouse).events)
    assert "5 lines, the first 1, are no record" in said
    assert "'1d; 3,5d; 7d'" in said
    carry_out(said)
    assert ledger.read_bytes() == whole * 2


@pytest.mark.parametrize("rest", [b"", b"{", b'{"kind": "publ', b"\0" * 100, b'{"kind": "published", "at": "20\0\0\0'])
def test_a_line_that_a_crash_has_cut_off_is_no_damage(warehouse: Path, rest: bytes) -> None:
    published(warehouse, "O1")
    with (warehouse / "publications.jsonl").open("ab") as ledger:
        ledger.write(rest)
    published(warehouse, "O2")
    assert len(Ledger(warehouse).events()) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda line: {**line, "colour": "red"}, "colour"),
        (lambda line: {**line, "publication": {**line["publication"], "boards": 3}}, "boards"),
        (lambda line: {**line, "kind": "withdrawn"}, "withdrawn"),
    ],
)
def test_a_ledger_of_a_newer_release_is_refused_with_words(warehouse: Path, change: Callable, field: str) -> None:
    published(warehouse, "O1")
    ledger = warehouse / "publications.jsonl"
    ledger.write_text(json.dumps(change(record(warehouse))) + "\n")
    said = refusal(PublicationError, lambda: published(warehouse, "O2"))
    assert f"line 1 says {field}, which this release does not know: a newer release" in said
    assert orders(warehouse) == ["O1"]


def test_a_version_of_a_newer_release_is_refused_with_words(warehouse: Path) -> None:
    published(warehouse, "O1")
    told = warehouse / "published" / "publication.json"
    content = {**json.loads(told.read_text()), "boards": 3}
    told.chmod(0o644)
    told.write_text(json.dumps(content))
    (warehouse / "publications.jsonl").unlink()
    assert "says boards, which this release does not know" in refusal(PublicationError, lambda: current(warehouse))


def test_a_folder_in_place_of_the_ledger_is_told(warehouse: Path) -> None:
    published(warehouse, "O1")
    (warehouse / "publications.jsonl").unlink()
    (warehouse / "publications.jsonl").mkdir()
    said = refusal(PublicationError, lambda: published(warehouse, "O2"))
    assert "cannot be read (Is a directory); expected the history of what was published" in said
    carry_out(said)
    published(warehouse, "O2")
    assert orders(warehouse) == ["O2"]


def test_what_the_ledger_cannot_be_told_is_not_published(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = published(warehouse, "O1")

    def full(self: Ledger, event: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "append", full)
    assert "The disk is full" in refusal(PublicationError, lambda: published(warehouse, "O2"))
    assert (orders(warehouse), os.listdir(warehouse / "versions")) == (["O1"], [first])
    monkeypatch.undo()
    published(warehouse, "O2")
    monkeypatch.setattr(Ledger, "append", full)
    assert "The disk is full" in refusal(PublicationError, lambda: rollback(warehouse))
    assert orders(warehouse) == ["O2"]


def test_a_first_publication_that_the_ledger_cannot_be_told_leaves_nothing(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Ledger, event: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "append", full)
    refusal(PublicationError, lambda: published(warehouse, "O1"))
    assert not os.path.lexists(warehouse / "published")
    assert os.listdir(warehouse / "versions") == []


# Versions and the link to them


def replaced_by(path: Path, kind: str) -> None:
    path.unlink() if path.is_symlink() else path.rename(path.with_name("kept"))
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
        (path / "mine.txt").write_text("precious")
    elif kind == "link elsewhere":
        elsewhere = path.with_name("elsewhere")
        elsewhere.mkdir()
        path.symlink_to(elsewhere)
    else:
        path.symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["file", "folder", "link elsewhere", "link to nowhere"])
def test_what_stands_in_the_place_of_published_is_left_alone_and_moved_away_by_the_command(
    warehouse: Path, kind: str
) -> None:
    first = published(warehouse, "O1")
    link = warehouse / "published"
    replaced_by(link, kind)
    for action in (
        lambda: published(warehouse, "O2"),
        lambda: rollback(warehouse),
        lambda: current(warehouse),
        lambda: DuckDbEngine(warehouse).upgrade(),
    ):
        said = refusal(PublicationError, action)
        assert str(link) in said and "It was left alone and nothing was published" in said
    assert kept_versions(warehouse) == [first]
    carry_out(said)
    assert os.path.lexists(warehouse / "published.aside")
    published(warehouse, "O2")
    assert orders(warehouse) == ["O2"]


def test_a_published_version_that_is_gone_is_replaced_by_a_refresh_or_by_one_that_is_kept(warehouse: Path) -> None:
    first, second = published(warehouse, "O1"), published(warehouse, "O2")
    (warehouse / "versions" / second).rename(warehouse / "gone")
    assert current(warehouse) is None
    said = refusal(PublicationError, lambda: rollback(warehouse))
    assert said.endswith(f"cli rollback --to {first}")
    assert rollback(warehouse, to=first).publication_id == first
    assert orders(warehouse) == ["O1"]
    (warehouse / "versions" / first).rename(warehouse / "gone too")
    published(warehouse, "O3")
    assert orders(warehouse) == ["O3"]


def test_a_link_by_an_absolute_path_is_a_link_to_a_version(warehouse: Path) -> None:
    first = published(warehouse, "O1")
    (warehouse / "published").unlink()
    (warehouse / "published").symlink_to(warehouse / "versions" / first)
    assert current(warehouse).publication_id == first
    published(warehouse, "O2")
    assert orders(warehouse) == ["O2"]


@pytest.mark.parametrize("kind", ["file", "link to nowhere"])
def test_what_stands_in_the_place_of_the_versions_is_told(warehouse: Path, kind: str) -> None:
    published(warehouse, "O1")
    replaced_by(warehouse / "versions", kind)
    (warehouse / "published").unlink()
    said = refusal(PublicationError, lambda: published(warehouse, "O2"))
    assert f"{warehouse / 'versions'} is no folder; expected the folder of the published versions" in said
    carry_out(said)
    published(warehouse, "O2")
    assert orders(warehouse) == ["O2"]


def test_versions_may_be_a_link_to_another_disk(warehouse: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    warehouse.mkdir()
    (warehouse / "versions").symlink_to(tmp_path / "disk")
    published(warehouse, "O1")
    published(warehouse, "O2")
    rollback(warehouse)
    assert orders(warehouse) == ["O1"]


def test_a_folder_that_would_be_the_next_link_is_told(warehouse: Path) -> None:
    first = published(warehouse, "O1")
    (warehouse / "published.tmp").mkdir()
    said = refusal(PublicationError, lambda: published(warehouse, "O2"))
    assert "published.tmp is a folder; expected a link" in said
    assert (orders(warehouse), os.listdir(warehouse / "versions")) == (["O1"], [first])
    carry_out(said)
    published(warehouse, "O2")
    assert orders(warehouse) == ["O2"]


@pytest.mark.parametrize("leftover", ["a dangling link", "a file"])
def test_a_link_that_a_crash_has_left_is_replaced(warehouse: Path, leftover: str) -> None:
    warehouse.mkdir()
    next_link = warehouse / "published.tmp"
    next_link.symlink_to("nowhere") if leftover == "a dangling link" else next_link.write_text("")
    published(warehouse, "O1")
    assert orders(warehouse) == ["O1"]
    assert not os.path.lexists(next_link)


@pytest.mark.parametrize("content", [b"", b"{}", b"1", b"\xff\xfe", pytest.param(GARBAGE, id="garbage")])
def test_a_version_whose_facts_are_damaged_is_told_by_the_ledger(warehouse: Path, content: bytes) -> None:
    published(warehouse, "O1")
    second = published(warehouse, "O2")
    told = warehouse / "versions" / second / "publication.json"
    told.chmod(0o644)
    told.write_bytes(content)
    assert current(warehouse).publication_id == second
    published(warehouse, "O3")
    assert rollback(warehouse).publication_id == second
    (warehouse / "publications.jsonl").unlink()
    said = refusal(PublicationError, lambda: current(warehouse))
    assert f"the version {second} is not whole. Move it away and try again" in said


def test_a_published_file_that_is_damaged_is_told_with_how_to_go_back(warehouse: Path) -> None:
    published(warehouse, "O1")
    published(warehouse, "O2")
    database = published_database(warehouse)
    database.chmod(0o644)
    database.write_bytes(GARBAGE)

    def ask() -> None:
        with DuckDbEngine(warehouse).read_published():
            pass

    assert refusal(PublicationError, ask).endswith("Publish the version before: " + steps.ROLLBACK)
    rollback(warehouse)
    assert orders(warehouse) == ["O1"]


def test_a_copy_of_a_warehouse_is_a_warehouse_and_a_version_that_was_deleted_can_be_put_back(
    warehouse: Path, tmp_path: Path
) -> None:
    first = published(warehouse, "O1")
    copy = tmp_path / "copy"
    shutil.copytree(warehouse, copy, symlinks=True)
    publish(build(warehouse, "O2"), warehouse, FACTS, keep=1)
    assert first not in kept_versions(warehouse)

    assert orders(copy) == ["O1"]
    published(copy, "O3")
    assert rollback(copy).publication_id == first

    shutil.copytree(copy / "versions" / first, warehouse / "versions" / first)
    assert rollback(warehouse, to=first).publication_id == first
    assert orders(warehouse) == ["O1"]


# Build and landing


def test_a_build_database_that_is_none_is_moved_away_by_the_command(warehouse: Path) -> None:
    build(warehouse, "O1").write_bytes(GARBAGE)

    def use() -> None:
        with open_build(build_database(warehouse)) as connection:
            connection.execute("select 1")

    said = refusal(WarehouseError, use)
    assert "The build database is damaged" in said
    carry_out(said)
    use()


def test_a_build_that_is_damaged_inside_is_not_published(warehouse: Path) -> None:
    published(warehouse, "O1")
    build_db = build(warehouse, "O2", rows=20_000)
    content = bytearray(build_db.read_bytes())
    # the blocks behind the headers
    content[12_288 * 2 :] = bytes(len(content) - 12_288 * 2)
    build_db.write_bytes(content)
    said = refusal(PublicationError, lambda: publish(build_db, warehouse, FACTS))
    assert "The build database is damaged" in said
    assert orders(warehouse) == ["O1"]
    carry_out(said)
    published(warehouse, "O2")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = "".join(f"O{number},C{number % 7},2026-01-01,paid,{number}.5\n" for number in range(5000))
    (raw / "orders.csv").write_text(f"order_id,customer_id,ordered_at,status,order_amount\n{rows}")
    return raw


@pytest.mark.parametrize("where", ["head", "middle", "tail", "gone"])
def test_a_damaged_landed_file_is_named_and_made_anew(
    warehouse: Path, raw: Path, contract: Contract, where: str
) -> None:
    landing_dir = warehouse / "landing"
    landing_dir.mkdir(parents=True)
    [landed] = land(raw, landing_dir, contract, PLAIN_RULES).files
    assert damaged_files([landed.parquet]) == []
    if where == "gone":
        landed.parquet.unlink()
        assert damaged_files([landed.parquet]) == [landed.parquet]
    else:
        content = bytearray(landed.parquet.read_bytes())
        size = len(content)
        start = {"head": 0, "middle": size // 3, "tail": size - 64}[where]
        content[start : start + 64] = bytes(64)
        landed.parquet.write_bytes(content)
        said = landing_damage(landing_dir, "Invalid Input Error: no magic bytes found in the Parquet file")
        assert shlex.quote(str(landed.parquet)) in said
        settings = SimpleNamespace(landing_dir=landing_dir, warehouse=warehouse)
        assert _remedy(settings, "IO Error: ZSTD decompression failure") == f"\n\n{said}"
        assert _remedy(settings, "3 rows") == ""
        carry_out(said)
    [again] = land(raw, landing_dir, contract, PLAIN_RULES).files
    assert damaged_files([again.parquet]) == []
    assert again.first_seen_at == landed.first_seen_at


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"1",
        pytest.param(b"[" * 100_000, id="brackets"),
        pytest.param(GARBAGE, id="garbage"),
        b'{"files": 1, "first_seen": []}',
    ],
)
def test_a_damaged_manifest_is_told_and_every_file_is_read_again(
    warehouse: Path, raw: Path, contract: Contract, content: bytes
) -> None:
    landing_dir = warehouse / "landing"
    landing_dir.mkdir(parents=True)
    land(raw, landing_dir, contract, PLAIN_RULES)
    (landing_dir / "manifest.json").write_bytes(content)
    landing = land(raw, landing_dir, contract, PLAIN_RULES)
    assert [notice for notice in landing.notices if "The manifest of earlier landings was damaged" in notice]
    assert landing.files[0].rows == 5000


# Dagster


@asset(check_specs=[AssetCheckSpec("holds", asset="landed")])
def landed() -> MaterializeResult:
    return MaterializeResult(check_results=[AssetCheckResult(passed=True, check_name="holds")])


TRIVIAL = Definitions(assets=[landed], jobs=[define_asset_job("refresh")])


def run_once(instance: DagsterInstance) -> str:
    return TRIVIAL.resolve_job_def("refresh").execute_in_process(instance=instance).run_id


@pytest.fixture
def refreshing(warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse in which something is published, for a refresh that does nothing; Dagster has a run in it."""
    published(warehouse, "O1")
    raw = tmp_path / "raw"
    raw.mkdir()
    monkeypatch.setattr(definitions, "build_definitions", lambda root: TRIVIAL)
    monkeypatch.setattr(cli, "_report", lambda *_: None)
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(raw))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(warehouse))
    for name in ("AS_OF", "FULL_REFRESH", "REFIT", "ALLOW", "TARGET"):
        monkeypatch.setenv(f"STICKINESS_{name}", "")
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    return warehouse


def told(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "what was published before is untouched" in said
    return said.strip().splitlines()[0]


@pytest.mark.parametrize("name", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"])
def test_a_damaged_database_of_dagster_is_moved_away_by_the_command(
    refreshing: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.main(["refresh"]) == 0
    (refreshing / "dagster" / name).write_bytes(GARBAGE)
    capsys.readouterr()
    assert cli.main(["refresh"]) == 1
    said = told(capsys)
    assert f"Dagster's databases in {refreshing / 'dagster'} cannot be read ({name}: file is not a database)" in said
    carry_out(said)
    assert cli.main(["refresh"]) == 0
    assert orders(refreshing) == ["O1"]


def test_a_database_of_dagster_that_breaks_while_it_runs_is_told(
    refreshing: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["refresh"]) == 0
    monkeypatch.setattr(cli, "check_dagster_store", lambda warehouse: None)
    (refreshing / "dagster" / "history" / "runs.db").write_bytes(GARBAGE)
    capsys.readouterr()
    assert cli.main(["refresh"]) == 1
    assert "cannot be read" in (said := told(capsys)) and "file is not a database" in said


def test_a_locked_database_of_dagster_is_told(refreshing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main(["refresh"]) == 0
    monkeypatch.setattr(dagster_store, "_SECONDS_TO_WAIT", 0.1)
    path = refreshing / "dagster" / "history" / "runs.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        said = refusal(WarehouseError, lambda: check_dagster_store(refreshing))
    finally:
        other.close()
    assert (
        "open and locked (history/runs.db: database is locked). End it, then try again; who it is says: lsof " in said
    )
    check_dagster_store(refreshing)


def test_a_page_that_is_damaged_inside_is_found(refreshing: Path) -> None:
    assert cli.main(["refresh"]) == 0
    path = refreshing / "dagster" / "history" / "runs.db"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 4] = bytes([255]) * 4096 * 3
    path.write_bytes(content)
    assert "cannot be read (history/runs.db: " in refusal(WarehouseError, lambda: check_dagster_store(refreshing))


def test_old_runs_are_forgotten_with_all_that_they_have_written(refreshing: Path) -> None:
    assert cli.main(["refresh"]) == 0
    home = refreshing / "dagster"
    runs = home / "history" / "runs"
    with DagsterInstance.from_config(str(home)) as instance:
        ids = [*(run.run_id for run in instance.get_runs()), run_once(instance), run_once(instance)]
        before = {path.name.partition(".")[0] for path in runs.glob("*.db")}
        assert before == {*ids, "index"}
        assert forget_old_runs(instance, keep=2) == 1
        assert forget_old_runs(instance, keep=2) == 0
        assert [run.run_id for run in instance.get_runs()] == [ids[2], ids[1]]
    assert {path.name.partition(".")[0] for path in runs.iterdir()} == {ids[1], ids[2], "index"}
    with sqlite3.connect(runs / "index.db") as index:
        for table in ("event_logs", "asset_check_executions"):
            assert index.execute(f"SELECT DISTINCT run_id FROM {table} ORDER BY 1").fetchall() == sorted(
                [(ids[1],), (ids[2],)]
            )


def test_a_refresh_forgets_old_runs(refreshing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(cli, "forget_old_runs", lambda instance: kept.append(1))
    assert cli.main(["refresh"]) == 0
    assert kept == [1]


# The machine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"only root may mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave not a byte."""
    for size in (1 << 20, 4096, 1):
        with (disk / "filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def used(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_disk_that_is_full_at_the_publication_keeps_the_version_and_nothing_half_made(
    small_disk: Path, tmp_path: Path
) -> None:
    warehouse = small_disk / "dw"
    first = publish(build(tmp_path, "O1"), warehouse, FACTS).publication_id
    before = used(small_disk)
    large = build(tmp_path, "O2", rows=300_000)
    said = refusal(PublicationError, lambda: publish(large, warehouse, FACTS))
    assert "The disk is full" in said and f"df -h {warehouse}" in said
    assert orders(warehouse) == ["O1"]
    assert os.listdir(warehouse / "versions") == [first]
    assert used(small_disk) == before
    publish(build(tmp_path, "O3"), warehouse, FACTS)
    assert orders(warehouse) == ["O3"]


def test_a_disk_that_is_full_at_the_build_is_told(small_disk: Path) -> None:
    build_db = build_database(small_disk / "dw")
    large = "CREATE TABLE large AS SELECT md5(range::text) AS x FROM range(1000000)"
    with open_build(build_db) as connection, pytest.raises(duckdb.Error) as full:
        connection.execute(large)
        connection.execute("CHECKPOINT")
    said = fault_of(full.value, small_disk / "dw")
    assert said.startswith("The disk is full")
    # dbt gives the same text in a line of its report
    report = f"The model large could not be built.\n  found:   {full.value}\n  see:     models/large.sql"
    assert fault_in(report, small_disk / "dw").startswith("The disk is full")


def test_a_disk_that_is_full_while_duckdb_spills_is_told_and_what_was_spilled_is_gone(small_disk: Path) -> None:
    config = {"temp_directory": str(small_disk / "spill"), "memory_limit": "30MB", "threads": 1}
    with duckdb.connect(config=config) as connection, pytest.raises(duckdb.Error) as full:
        connection.execute("SELECT * FROM (SELECT md5(range::text) AS x FROM range(3000000)) ORDER BY x").fetchall()
    assert fault_of(full.value, small_disk).startswith("The disk is full")
    assert used(small_disk) == 0


def test_a_disk_that_is_full_at_landing_is_told_and_nothing_half_landed_stays(
    small_disk: Path, tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = "".join(f"{os.urandom(24).hex()},{os.urandom(24).hex()},2026-01-01,paid,5\n" for _ in range(120_000))
    (raw / "orders.csv").write_text(f"order_id,customer_id,ordered_at,status,order_amount\n{rows}")
    monkeypatch.setenv(WAREHOUSE_DIR, str(small_disk))
    landing_dir = small_disk / "landing"
    with pytest.raises(Failure) as failed, raised_as_failure():
        land(raw, landing_dir, contract, PLAIN_RULES)
    assert failed.value.description.startswith("The disk is full")
    assert not list(landing_dir.rglob("*.parquet"))
    assert used(small_disk) < 10_000


def test_a_disk_that_is_full_for_dagster_is_told(
    refreshing: Path, small_disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = small_disk / "dw"
    refreshing.rename(refreshing.with_name("aside"))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(warehouse))
    publish(build_database(refreshing.with_name("aside")), warehouse, FACTS)
    fill(small_disk)
    assert cli.main(["refresh"]) == 1
    assert told(capsys).startswith("The disk is full")
    (small_disk / "filler").unlink()
    assert cli.main(["refresh"]) == 0
    fill(small_disk)
    capsys.readouterr()
    assert cli.main(["refresh"]) == 1
    assert told(capsys).startswith("The disk is full")
    assert orders(warehouse) == ["O1"]


def test_too_little_memory_is_told(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(warehouse, "O1")
    large = build(warehouse.with_name("large"), "O2", rows=500_000)
    real = duckdb.connect
    small = {"memory_limit": "5MB", "threads": 1, "temp_directory": ""}
    with monkeypatch.context() as patch:
        patch.setattr(write_published_files.duckdb, "connect", lambda **named: real(config=small))
        said = refusal(PublicationError, lambda: publish(large, warehouse, FACTS))
    assert "There is too little memory" in said
    assert (orders(warehouse), len(os.listdir(warehouse / "versions"))) == (["O1"], 1)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "There is too little memory"),
        (OSError(30, "Read-only file system"), "The warehouse folder dw cannot be written to ("),
        (PermissionError(13, "Permission denied"), "The warehouse folder dw cannot be written to ("),
        (OSError(122, "Disk quota exceeded"), "The disk is full"),
        (duckdb.IOException("IO Error: Could not write file: Disk quota exceeded"), "The disk is full"),
        (sqlite3.OperationalError("database or disk is full"), "The disk is full"),
        (
            sqlite3.OperationalError("attempt to write a readonly database"),
            "The warehouse folder dw cannot be written to (",
        ),
        (sqlite3.DatabaseError("database disk image is malformed"), "Dagster's databases in "),
    ],
)
def test_what_the_machine_refuses_is_told_by_its_kind_whatever_met_it(error: Exception, said: str) -> None:
    assert fault_of(error, Path("dw")).startswith(said)
    outer = RuntimeError("a library's own words")
    outer.__cause__ = error
    assert fault_of(outer, Path("dw")) == fault_of(error, Path("dw"))


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), FileNotFoundError(2, "No such file"), ValueError("out of memory"), duckdb.Error("x")]
)
def test_a_defect_is_no_fault_of_the_machine(error: Exception) -> None:
    assert fault_of(error, Path("dw")) is None


def test_a_warehouse_that_may_only_be_read_is_told(
    small_disk: Path, refreshing: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = small_disk / "dw"
    publish(build_database(refreshing), warehouse, FACTS)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(warehouse))
    assert cli.main(["refresh"]) == 1
    assert "cannot be written to (Read-only file system" in told(capsys)
    assert cli.main(["rollback"]) == 1
    assert "cannot be written to" in capsys.readouterr().err
    refused = refusal(PublicationError, lambda: publish(build_database(refreshing), warehouse, FACTS))
    assert "cannot be written to (Read-only file system" in refused
    assert orders(warehouse) == ["O1"]


# The clock


def test_a_clock_that_was_set_back_changes_neither_the_order_of_versions_nor_what_is_kept(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        moment = datetime(2026, 11, 22, 12, tzinfo=UTC)

        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return cls.moment

    monkeypatch.setattr(publishing, "datetime", Clock)
    monkeypatch.setattr(steps, "datetime", Clock)
    first = published(warehouse, "O1")
    Clock.moment -= timedelta(days=400)
    facts = replace(FACTS, started_at=Clock.moment + timedelta(hours=1))
    second = publish(build(warehouse, "O2"), warehouse, facts, keep=2)
    assert second.duration_seconds == 0.0
    assert second.publication_id < first, "ids sort by the clock"
    assert orders(warehouse) == ["O2"]
    Clock.moment -= timedelta(days=1)
    third = publish(build(warehouse, "O3"), warehouse, facts, keep=2).publication_id
    assert set(kept_versions(warehouse)) == {second.publication_id, third}
    assert rollback(warehouse).publication_id == second.publication_id
    assert orders(warehouse) == ["O2"]


# Names of the warehouse


def test_a_warehouse_may_be_called_as_people_call_folders(
    refreshing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = tmp_path / "a b" / "o'h\"q" / "小店 №1" / "a;b=c,{d}" / "a*[x]$&@:e" / "-n"
    above.mkdir(parents=True)
    warehouse = above / "{{ dw }}"
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(warehouse))
    published(warehouse, "O2")
    assert cli.main(["refresh"]) == 0
    check_dagster_store(warehouse)
    assert orders(warehouse) == ["O2"]
    assert (warehouse / "dagster" / "history" / "runs.db").is_file()
    # no folder on the way has got a file of databases
    assert [os.listdir(folder) for folder in (above, *above.parents[:5])] == [
        [folder.name] for folder in (warehouse, above, *above.parents[:4])
    ]


@pytest.mark.parametrize("name", ["a?b", "a%41#c", "a#b", "100%", "a\\b", "a\nb", "a\x1b[31mb", os.fsdecode(b"a\xffb")])
def test_a_warehouse_whose_name_databases_would_cut_is_refused_and_nothing_is_written(
    refreshing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = set(os.listdir(tmp_path))
    with pytest.raises(SettingsError, match="in its name, which databases do not take for part of a name"):
        warehouse_folder({WAREHOUSE_DIR: str(tmp_path / name)})
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(tmp_path / name))
    for command in (["refresh"], ["rollback"], ["dev"]):
        assert cli.main(command) == 1
        said = capsys.readouterr().err
        assert said.count("Set STICKINESS_WAREHOUSE_DIR (make run WAREHOUSE=<folder>)") == 1
        assert "Traceback" not in said and "\x1b" not in said
    assert set(os.listdir(tmp_path)) == before
