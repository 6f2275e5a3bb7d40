"""Publication: readers see one whole version after another, whatever happens on the way."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import publishing
from orchestration.engines.duckdb import publication as publication_steps
from orchestration.engines.duckdb import write_published_files
from orchestration.engines.duckdb.publication import (
    current,
    current_id,
    kept_versions,
    publish,
    published_database,
    rollback,
    upgrade,
)
from orchestration.engines.duckdb.publication_ledger import Ledger
from orchestration.engines.duckdb.write_published_files import STORAGE_VERSION
from orchestration.errors import PublicationError
from orchestration.modes import private_files
from orchestration.publishing import PublicationFacts, TableFigures
from orchestration.settings import ROOT

Rows = list[tuple]


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "o'hara's dw"


def facts(tests_warned: int = 0) -> PublicationFacts:
    return PublicationFacts(
        as_of_date=date(2026, 11, 21),
        code_version="abc123",
        tests_passed=7,
        tests_warned=tests_warned,
        started_at=datetime.now(UTC) - timedelta(seconds=90),
    )


def build(warehouse: Path, *order_ids: str) -> Path:
    """A build with a table, a view that names its own database as dbt's views do, and what is not published."""
    build_db = warehouse / "build" / "warehouse.duckdb"
    build_db.parent.mkdir(parents=True, exist_ok=True)
    build_db.unlink(missing_ok=True)
    values = ", ".join(f"('{order_id}', {position})" for position, order_id in enumerate(order_ids))
    with duckdb.connect(str(build_db)) as connection:
        for schema in ("staging", "marts", "quality"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE marts.orders AS SELECT * FROM (VALUES {values}) AS v(order_id, position)")
        connection.execute('CREATE VIEW marts.order_ids AS SELECT order_id FROM "warehouse"."marts"."orders"')
        connection.execute("CREATE TABLE quality.row_reconciliation AS SELECT 'orders' AS table_name, 3 AS rows_read")
        connection.execute("CREATE TABLE staging.stg_orders AS SELECT 'private' AS secret")
    return build_db


def published(warehouse: Path, *order_ids: str, keep: int = 5) -> str:
    return publish(build(warehouse, *order_ids), warehouse, facts(), keep=keep).publication_id


def read(database: Path, query: str) -> Rows:
    with duckdb.connect() as connection:
        escaped = str(database).replace("'", "''")
        connection.execute(f"ATTACH '{escaped}' AS published (READ_ONLY)")
        return connection.execute(query).fetchall()


def orders(warehouse: Path) -> list[str]:
    return [row[0] for row in read(published_database(warehouse), "SELECT order_id FROM published.marts.orders")]


# What a version holds


def test_marts_and_quality_are_published_as_tables_and_nothing_else_is(warehouse: Path) -> None:
    published(warehouse, "O1", "O2")
    tables = read(
        published_database(warehouse),
        "SELECT table_schema, table_name, table_type FROM information_schema.tables "
        "WHERE table_catalog = 'published' ORDER BY ALL",
    )
    assert tables == [
        ("marts", "order_ids", "BASE TABLE"),
        ("marts", "orders", "BASE TABLE"),
        ("quality", "publications", "BASE TABLE"),
        ("quality", "row_reconciliation", "BASE TABLE"),
    ]


def test_each_table_is_published_as_parquet_too(warehouse: Path) -> None:
    published(warehouse, "O1", "O2")
    folder = warehouse / "published" / "parquet"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")) == [
        "marts/order_ids.parquet",
        "marts/orders.parquet",
        "quality/publications.parquet",
        "quality/row_reconciliation.parquet",
    ]
    file = str(folder / "marts" / "orders.parquet").replace("'", "''")
    assert duckdb.execute(f"SELECT * FROM '{file}'").fetchall() == [("O1", 0), ("O2", 1)]


def test_the_file_has_the_storage_version_that_duckdb_1_5_reads(warehouse: Path) -> None:
    """Checks what the file says of itself, for want of a DuckDB 1.5 here: its tag and the bytes of its header."""
    published(warehouse, "O1")
    database = published_database(warehouse)
    tag = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'published'"
    assert read(database, tag) == [(f"{STORAGE_VERSION}+",)]
    # bytes 8 to 12 are "DUCK", the eight after them the version of the main header: 2.0 writes 999 by default
    header = database.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 68


def test_rows_are_sorted_by_the_key_that_is_named_and_else_by_all_columns(warehouse: Path) -> None:
    build_db = build(warehouse, "O3", "O1", "O2")
    named = {("marts", "orders"): ("position",), ("quality", "row_reconciliation"): ()}
    publish(build_db, warehouse, facts(), named)
    assert orders(warehouse) == ["O3", "O1", "O2"]
    publish(build_db, warehouse, facts())
    assert orders(warehouse) == ["O1", "O2", "O3"]


def test_only_the_tables_that_are_named_are_published(warehouse: Path) -> None:
    publish(build(warehouse, "O1"), warehouse, facts(), {("marts", "orders"): ()})
    found = read(published_database(warehouse), "SELECT table_name FROM information_schema.tables ORDER BY ALL")
    assert found == [("orders",), ("publications",)]


def test_a_build_that_lacks_a_table_is_not_published(warehouse: Path) -> None:
    with pytest.raises(PublicationError, match=r"lacks marts\.customers"):
        publish(build(warehouse, "O1"), warehouse, facts(), {("marts", "customers"): (), ("marts", "orders"): ()})
    assert current(warehouse) is None


def test_a_build_without_marts_is_not_published(warehouse: Path) -> None:
    build_db = warehouse / "build" / "warehouse.duckdb"
    build_db.parent.mkdir(parents=True)
    duckdb.connect(str(build_db)).close()
    with pytest.raises(PublicationError, match="no table in the schemas marts and quality"):
        publish(build_db, warehouse, facts())


def test_a_missing_build_is_told_as_a_publication_error(warehouse: Path) -> None:
    with pytest.raises(PublicationError, match="could not be published"):
        publish(warehouse / "build" / "warehouse.duckdb", warehouse, facts())


def test_the_build_is_only_read(warehouse: Path) -> None:
    build_db = build(warehouse, "O1")
    before = build_db.read_bytes()
    build_db.chmod(0o444)
    publish(build_db, warehouse, facts())
    assert build_db.read_bytes() == before


def test_publications_lists_every_publication_and_this_one(warehouse: Path) -> None:
    first = publish(build(warehouse, "O1", "O2"), warehouse, facts())
    second = publish(build(warehouse, "O1"), warehouse, facts(tests_warned=2))
    found = read(
        published_database(warehouse),
        "SELECT publication_id, published_at, as_of_date, code_version, tables, rows, tests_passed, tests_warned, "
        "duration_seconds FROM published.quality.publications ORDER BY published_at",
    )
    # 2 orders, 2 order ids, 1 reconciliation and 1 publication; then 1 + 1 + 1 and 2 publications
    assert found == [
        (first.publication_id, first.published_at, date(2026, 11, 21), "abc123", 4, 6, 7, 0, first.duration_seconds),
        (second.publication_id, second.published_at, date(2026, 11, 21), "abc123", 4, 5, 7, 2, second.duration_seconds),
    ]
    assert 90 <= first.duration_seconds < 150


def test_publications_tell_whose_build_it_is_and_what_it_has_of_each_raw_table(warehouse: Path) -> None:
    tables = {
        "orders": TableFigures(2, 10, 7, 2, 1, Decimal("1234.50")),
        "tickets": TableFigures(1, 5, 5),
        # no file of it came
        "products": TableFigures(),
    }
    publish(build(warehouse, "O1"), warehouse, replace(facts(), company_id="O'Hara 小店", tables=tables))
    found = read(
        published_database(warehouse),
        "SELECT company_id, files_by_table, rows_by_table, revenue_by_table, rows_by_table ->> '$.tickets' "
        "FROM published.quality.publications",
    )
    assert found == [
        ("O'Hara 小店", '{"orders": 2, "tickets": 1}', '{"orders": 7, "tickets": 5}', '{"orders": 1234.5}', "5")
    ]
    assert Ledger(warehouse).publications() == [current(warehouse)]


def test_publications_of_an_earlier_release_stay_with_nothing_to_tell(warehouse: Path) -> None:
    """Its ledger and its facts lack what that release did not know."""
    first, second = published(warehouse, "O1"), published(warehouse, "O2")
    added = {"company_id", "files_by_table", "rows_by_table", "revenue_by_table"}
    ledger = warehouse / "publications.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    for event in events:
        event["publication"] = {key: value for key, value in event["publication"].items() if key not in added}
    ledger.write_text("".join(json.dumps(event) + "\n" for event in events))
    for told in (warehouse / "versions").glob("*/publication.json"):
        kept = {key: value for key, value in json.loads(told.read_text()).items() if key not in added}
        told.write_text(json.dumps(kept))

    assert current(warehouse).company_id is None
    rollback(warehouse)
    published(warehouse, "O3")
    found = read(
        published_database(warehouse),
        "SELECT publication_id, company_id, rows_by_table FROM published.quality.publications ORDER BY published_at",
    )
    assert found[:2] == [(first, None, "{}"), (second, None, "{}")]


def test_the_same_build_gives_the_same_parquet_files(warehouse: Path) -> None:
    build_db = build(warehouse, "O2", "O1")
    contents = []
    for _ in range(2):
        publish(build_db, warehouse, facts())
        contents.append((warehouse / "published" / "parquet" / "marts" / "orders.parquet").read_bytes())
    assert contents[0] == contents[1]


# The file opens by its name, for reading


def test_the_file_opens_under_its_own_name(warehouse: Path) -> None:
    published(warehouse, "O1")
    with duckdb.connect(str(published_database(warehouse)), read_only=True) as reader:
        assert reader.execute("select order_id from marts.orders").fetchall() == [("O1",)]
        assert reader.execute("select tables from quality.publications").fetchall() == [(4,)]


def test_the_file_attaches_under_its_own_name(warehouse: Path) -> None:
    published(warehouse, "O1")
    path = str(published_database(warehouse)).replace("'", "''")
    with duckdb.connect() as reader:
        reader.execute(f"attach '{path}' (read_only)")
        assert reader.execute("select order_id from stickiness.marts.orders").fetchall() == [("O1",)]


def modes(warehouse: Path) -> set[int]:
    folder = warehouse / "published"
    files = [*folder.glob("*.duckdb"), *(folder / "parquet").rglob("*.parquet")]
    assert len(files) == 6, "two names of the database, four tables as Parquet"
    return {stat.S_IMODE(path.stat().st_mode) for path in files}


def test_published_files_may_be_read_and_not_written(warehouse: Path) -> None:
    published(warehouse, "O1")
    assert modes(warehouse) == {0o444}


def test_readers_come_to_what_is_published_whatever_the_umask_of_who_made_it(warehouse: Path) -> None:
    with private_files():
        published(warehouse, "O1")
    versions = [warehouse / "versions", *(warehouse / "versions").rglob("*")]
    found = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in versions}
    assert found == {(True, 0o755), (False, 0o444)}


# root ignores modes, so what is tried is tried after root has been left, once all that is needed is imported
WITHOUT_ROOT = """
import os, shutil, sys
import duckdb
from datetime import UTC, date, datetime
from pathlib import Path
from orchestration.engines.duckdb.publication import kept_versions, publish, rollback
from orchestration.publishing import PublicationFacts
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
warehouse = Path(sys.argv[1])
"""

AS_A_READER = """
for read_only in (False, True):
    try:
        with duckdb.connect(str(warehouse / "published" / "stickiness.duckdb"), read_only=read_only) as reader:
            print(reader.execute("select order_id from marts.orders").fetchall())
    except duckdb.Error as error:
        print(error)
"""

AS_THE_OWNER = """
facts = PublicationFacts(date(2026, 11, 21), "abc123", 7, 0, datetime.now(UTC))
for _ in range(3):
    publish(warehouse / "build" / "warehouse.duckdb", warehouse, facts, keep=2)
rollback(warehouse)
print(len(kept_versions(warehouse)))
shutil.copytree(warehouse / "published" / ".", warehouse / "copy")
shutil.rmtree(warehouse / "copy")
shutil.rmtree(warehouse / "versions")
"""

NOBODY = 65534


@pytest.fixture
def open_warehouse() -> Iterator[Path]:
    """A warehouse with a build that a user without root rights reaches: pytest's own folders are for one user alone."""
    with tempfile.TemporaryDirectory(prefix="stickiness-") as folder:
        build(Path(folder), "O1")
        yield Path(folder)


def without_root(script: str, warehouse: Path) -> list[str]:
    """What a script prints that is run by the owner of the warehouse, who is not root."""
    if os.geteuid() == 0:
        for path in (warehouse, *warehouse.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    command = [sys.executable, "-c", WITHOUT_ROOT + script, str(warehouse)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if "os.setuid" in done.stderr or "os.setgroups" in done.stderr:
        pytest.skip(f"root ignores file modes, and cannot be left here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_connection_that_may_write_is_refused_as_the_documents_say(open_warehouse: Path) -> None:
    publish(open_warehouse / "build" / "warehouse.duckdb", open_warehouse, facts())
    database = published_database(open_warehouse)
    assert without_root(AS_A_READER, open_warehouse) == [
        f'IO Error: Cannot open file "{database.resolve()}": Permission denied',
        "[('O1',)]",
    ]
    told = (ROOT / "docs" / "publication.md").read_text(encoding="utf-8")
    assert 'IO Error: Cannot open file ".../stickiness.duckdb": Permission denied' in told


def test_the_owner_can_publish_prune_roll_back_copy_and_delete_what_nobody_may_write(open_warehouse: Path) -> None:
    assert without_root(AS_THE_OWNER, open_warehouse) == ["2"]


# Versions of an earlier release, whose file is called marts.duckdb


def as_an_earlier_release_left_it(warehouse: Path) -> None:
    for path in (warehouse / "versions").rglob("*"):
        if path.name == "stickiness.duckdb":
            path.unlink()
        elif path.is_file():
            path.chmod(0o644)


def names_and_orders(warehouse: Path) -> dict[str, list[tuple]]:
    """What the published version says under each name of its database."""
    files = sorted((warehouse / "published").glob("*.duckdb"))
    return {path.name: read(path, "SELECT order_id FROM published.marts.orders") for path in files}


def test_the_database_has_its_old_name_too(warehouse: Path) -> None:
    published(warehouse, "O1")
    assert names_and_orders(warehouse) == {"marts.duckdb": [("O1",)], "stickiness.duckdb": [("O1",)]}
    assert os.path.samefile(published_database(warehouse), warehouse / "published" / "marts.duckdb")


def test_versions_of_an_earlier_release_are_found_under_the_new_name(warehouse: Path) -> None:
    ids = [published(warehouse, "O1"), published(warehouse, "O2")]
    as_an_earlier_release_left_it(warehouse)
    assert not published_database(warehouse).exists()
    upgrade(warehouse)
    assert current(warehouse).publication_id == ids[1]
    assert names_and_orders(warehouse) == {"marts.duckdb": [("O2",)], "stickiness.duckdb": [("O2",)]}
    assert os.path.samefile(published_database(warehouse), warehouse / "published" / "marts.duckdb")
    assert modes(warehouse) == {0o444}
    upgrade(warehouse)
    assert kept_versions(warehouse) == sorted(ids)


def test_a_rollback_to_a_version_of_an_earlier_release_works_under_both_names(warehouse: Path) -> None:
    published(warehouse, "O1")
    as_an_earlier_release_left_it(warehouse)
    published(warehouse, "O2")
    rollback(warehouse)
    assert names_and_orders(warehouse) == {"marts.duckdb": [("O1",)], "stickiness.duckdb": [("O1",)]}


def test_a_rollback_right_after_the_upgrade_works_under_both_names(warehouse: Path) -> None:
    published(warehouse, "O1")
    published(warehouse, "O2")
    as_an_earlier_release_left_it(warehouse)
    rollback(warehouse)
    assert names_and_orders(warehouse) == {"marts.duckdb": [("O1",)], "stickiness.duckdb": [("O1",)]}


def test_a_file_system_without_hard_links_gets_a_copy(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    published(warehouse, "O1")
    assert modes(warehouse) == {0o444}
    as_an_earlier_release_left_it(warehouse)
    upgrade(warehouse)
    assert names_and_orders(warehouse) == {"marts.duckdb": [("O1",)], "stickiness.duckdb": [("O1",)]}
    assert modes(warehouse) == {0o444}
    assert not list((warehouse / "published").glob("*.tmp"))


def test_a_version_that_cannot_be_renamed_is_told(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(warehouse, "O1")
    as_an_earlier_release_left_it(warehouse)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(write_published_files.shutil, "copyfile", full)
    with pytest.raises(PublicationError, match=r"could not be given its file stickiness\.duckdb: No space left"):
        upgrade(warehouse)


# The link


def test_a_reader_keeps_its_version_while_another_is_published(warehouse: Path) -> None:
    published(warehouse, "O1")
    with duckdb.connect(str(published_database(warehouse)), read_only=True) as reader:
        published(warehouse, "O2", keep=1)
        assert reader.execute("SELECT order_id FROM marts.orders").fetchall() == [("O1",)]
    assert orders(warehouse) == ["O2"]


def test_the_warehouse_folder_can_be_moved(warehouse: Path, tmp_path: Path) -> None:
    published(warehouse, "O1")
    moved = tmp_path / "moved"
    warehouse.rename(moved)
    assert orders(moved) == ["O1"]
    published(moved, "O2")
    rollback(moved)
    assert orders(moved) == ["O1"]


def test_a_folder_in_place_of_the_link_is_left_alone_and_told(warehouse: Path) -> None:
    (warehouse / "published").mkdir(parents=True)
    (warehouse / "published" / "mine.txt").write_text("precious")
    with pytest.raises(
        PublicationError, match="is no link; expected a link to a version.*move it away and try again: mv "
    ):
        published(warehouse, "O1")
    assert (warehouse / "published" / "mine.txt").read_text() == "precious"
    assert not list((warehouse / "versions").glob("*")) if (warehouse / "versions").exists() else True


def test_ids_sort_by_time_and_say_when(warehouse: Path) -> None:
    before = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    found = published(warehouse, "O1")
    after = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    assert before <= found[:16] <= after
    assert len(found) == len("20261122T104500Z-1f3c")


# Crashes


class Crash(BaseException):
    """As sudden as a killed process: nothing in the code catches it."""


CRASHES = [
    (write_published_files, "copy_tables", "before"),
    (write_published_files, "add_table", "before"),
    (write_published_files, "add_comments", "before"),
    (write_published_files, "write_parquet", "before"),
    (write_published_files, "verify", "before"),
    (write_published_files, "sync", "before"),
    (publication_steps, "complete", "before"),
    (publication_steps, "switch", "before"),
    (os, "replace", "before"),
    (os, "replace", "after"),
    (publication_steps, "switch", "after"),
]


@pytest.mark.parametrize(("module", "step", "moment"), CRASHES, ids=[f"{crash[2]}_{crash[1]}" for crash in CRASHES])
def test_a_crash_at_any_step_leaves_a_whole_version_and_the_next_publication_clears_up(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, module: object, step: str, moment: str
) -> None:
    first = published(warehouse, "O1")
    real = getattr(module, step)

    def crashing(*arguments: object, **options: object) -> None:
        if moment == "after":
            real(*arguments, **options)
        raise Crash(step)

    with monkeypatch.context() as patch:
        patch.setattr(module, step, crashing)
        with pytest.raises(Crash):
            published(warehouse, "O2")
    has_switched = moment == "after"
    assert orders(warehouse) == (["O2"] if has_switched else ["O1"])
    crashed = current_id(warehouse)
    assert (crashed != first) == has_switched

    third = published(warehouse, "O3")
    assert orders(warehouse) == ["O3"]
    expected = [first, crashed, third] if has_switched else [first, third]
    assert kept_versions(warehouse) == sorted(expected)
    assert sorted(path.name for path in (warehouse / "versions").iterdir()) == sorted(expected)
    assert sorted(path.name for path in warehouse.iterdir()) == ["build", "publications.jsonl", "published", "versions"]
    listed = read(published_database(warehouse), "SELECT publication_id FROM published.quality.publications")
    assert sorted(row[0] for row in listed) == sorted(expected)
    rollback(warehouse)
    assert orders(warehouse) == (["O2"] if has_switched else ["O1"])


def test_a_crash_while_the_ledger_is_written_loses_no_publication(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(warehouse, "O1")

    def half_a_line(self: Ledger, event: object) -> None:
        with (warehouse / "publications.jsonl").open("a") as ledger:
            ledger.write('{"kind": "publ')
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", half_a_line)
        with pytest.raises(Crash):
            published(warehouse, "O2")
    assert orders(warehouse) == ["O2"]
    published(warehouse, "O3")
    assert len(Ledger(warehouse).publications()) == 3
    assert read(published_database(warehouse), "SELECT count(*) FROM published.quality.publications") == [(3,)]
    rollback(warehouse)
    assert orders(warehouse) == ["O2"]


def test_a_copy_that_lost_a_row_is_not_published(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(warehouse, "O1")
    real = write_published_files.add_table

    def losing(connection: duckdb.DuckDBPyConnection, *rest: object) -> int:
        connection.execute("DELETE FROM published.marts.orders WHERE order_id = 'O3'")
        return real(connection, *rest)

    monkeypatch.setattr(write_published_files, "add_table", losing)
    with pytest.raises(PublicationError, match=r"stickiness\.duckdb has 1 rows of marts\.orders, the build has 2"):
        published(warehouse, "O2", "O3")
    assert orders(warehouse) == ["O1"]


def test_a_parquet_file_that_lost_a_row_is_not_published(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write_published_files.write_parquet

    def losing(connection: duckdb.DuckDBPyConnection, folder: Path, tables: list[publishing.Table]) -> None:
        real(connection, folder, tables)
        file = str(write_published_files.parquet_file(folder, ("marts", "orders"))).replace("'", "''")
        duckdb.execute(f"COPY (SELECT 'O2' AS order_id, 0 AS position) TO '{file}' (FORMAT parquet)")

    monkeypatch.setattr(write_published_files, "write_parquet", losing)
    with pytest.raises(PublicationError, match=r"orders\.parquet has 1 rows of marts\.orders, the build has 2"):
        published(warehouse, "O2", "O3")
    assert current(warehouse) is None


# Keeping and rolling back


def test_the_last_versions_are_kept_and_older_ones_deleted(warehouse: Path) -> None:
    ids = [published(warehouse, f"O{number}", keep=3) for number in range(5)]
    assert kept_versions(warehouse) == sorted(ids[2:])
    assert len(Ledger(warehouse).publications()) == 5


def test_the_published_version_is_kept_even_if_none_is_asked_for(warehouse: Path) -> None:
    published(warehouse, "O1", keep=0)
    last = published(warehouse, "O2", keep=0)
    assert kept_versions(warehouse) == [last]
    assert orders(warehouse) == ["O2"]


def test_a_rollback_publishes_the_version_before_and_again_the_one_before_that(warehouse: Path) -> None:
    first, second, _ = (published(warehouse, name) for name in ("O1", "O2", "O3"))
    assert rollback(warehouse).publication_id == second
    assert orders(warehouse) == ["O2"]
    assert rollback(warehouse).publication_id == first
    assert orders(warehouse) == ["O1"]
    with pytest.raises(PublicationError, match=f"no version before {first}"):
        rollback(warehouse)
    assert orders(warehouse) == ["O1"]


def test_a_rollback_does_not_go_back_to_what_was_rolled_back_from(warehouse: Path) -> None:
    first = published(warehouse, "good")
    published(warehouse, "bad")
    rollback(warehouse)
    published(warehouse, "bad too")
    assert rollback(warehouse).publication_id == first


def test_the_version_that_was_rolled_back_to_outlives_the_one_that_was_rolled_back_from(warehouse: Path) -> None:
    first = published(warehouse, "good")
    published(warehouse, "bad")
    rollback(warehouse)
    third = published(warehouse, "next", keep=2)
    assert kept_versions(warehouse) == sorted([first, third])


def test_a_rollback_passes_over_a_version_that_is_gone(warehouse: Path) -> None:
    first, second, _ = (published(warehouse, name) for name in ("O1", "O2", "O3"))
    for path in sorted((warehouse / "versions" / second).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert rollback(warehouse).publication_id == first


def test_a_rollback_to_a_named_version_goes_there_and_back(warehouse: Path) -> None:
    first, _, third = (published(warehouse, name) for name in ("O1", "O2", "O3"))
    rollback(warehouse, to=first)
    assert orders(warehouse) == ["O1"]
    rollback(warehouse, to=third)
    assert orders(warehouse) == ["O3"]


def test_a_rollback_to_a_version_that_is_not_kept_lists_those_that_are(warehouse: Path) -> None:
    first = published(warehouse, "O1")
    second = published(warehouse, "O2")
    with pytest.raises(PublicationError, match="There is no version 2020; kept are .*" + "|".join([first, second])):
        rollback(warehouse, to="2020")
    with pytest.raises(PublicationError, match="is already the published version"):
        rollback(warehouse, to=second)
    assert orders(warehouse) == ["O2"]


def test_a_rollback_before_the_first_publication_is_told(warehouse: Path) -> None:
    with pytest.raises(PublicationError, match="Nothing is published in .* Refresh first"):
        rollback(warehouse)


def test_a_rollback_is_a_line_of_the_ledger_and_no_publication(warehouse: Path) -> None:
    first, second = published(warehouse, "O1"), published(warehouse, "O2")
    rollback(warehouse)
    lines = [json.loads(line) for line in (warehouse / "publications.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["publication_id"], line["replaced"]) for line in lines] == [
        ("published", first, None),
        ("published", second, first),
        ("rolled_back", first, second),
    ]
    assert len(Ledger(warehouse).publications()) == 2


def test_current_is_the_publication_that_readers_see(warehouse: Path) -> None:
    assert current(warehouse) is None
    made = publish(build(warehouse, "O1"), warehouse, facts())
    assert current(warehouse) == made
    published(warehouse, "O2")
    rollback(warehouse)
    assert current(warehouse) == made


def test_without_its_ledger_a_warehouse_still_publishes_and_keeps_its_versions(warehouse: Path) -> None:
    ids = [published(warehouse, "O1"), published(warehouse, "O2")]
    (warehouse / "publications.jsonl").unlink()
    ids.append(published(warehouse, "O3"))
    assert kept_versions(warehouse) == sorted(ids)
    assert rollback(warehouse).publication_id == ids[1]


@pytest.fixture(autouse=True)
def distinct_ids(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Publications of one second get ids in their order, so that tests can sort by them."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(publishing.secrets, "token_hex", lambda size: f"{next(numbers):04x}")
    yield
