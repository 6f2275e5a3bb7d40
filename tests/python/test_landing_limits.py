"""What a raw folder may do to a run: files without end or that unpack, links that lead out, pipes, unseen changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import PLAIN_RULES

from orchestration.contract import Contract
from orchestration.errors import SettingsError
from orchestration.landing import csv_files
from orchestration.landing import land as land_module
from orchestration.landing.broken_files import FileProblem, RawFolderError
from orchestration.landing.file_limits import FileLimits
from orchestration.landing.land import Landing, land
from orchestration.settings import load_settings

HEADER = "order_id,customer_id,ordered_at,status,order_amount,channel\n"
ROW = "o{},ann,2026-03-01,paid,5,web\n"
LIMIT = 2_000

Land = Callable[..., Landing]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture
def landed(raw: Path, contract: Contract) -> Land:
    def put(**limits: object) -> Landing:
        return land(raw, raw.with_name("landing"), contract, PLAIN_RULES, limits=FileLimits(**limits))

    return put


def refused(landed: Land, **limits: object) -> FileProblem:
    with pytest.raises(RawFolderError) as caught:
        landed(**limits)
    [problem] = caught.value.problems
    return problem


@pytest.fixture
def short_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record may have 2,000 characters, so that a longer one costs no time."""
    monkeypatch.setattr(csv_files, "RECORD_CHARACTERS", LIMIT)
    monkeypatch.setattr(csv_files, "_LINE_BYTES", 4 * LIMIT)


@pytest.mark.usefixtures("short_records")
def test_a_quote_that_is_not_closed_is_told_with_its_line(raw: Path, landed: Land) -> None:
    # a cell over two lines and a blank line come before: rows and lines are not the same
    before = 'o1,ann,2026-03-01,paid,5,"web\nshop"\n\n' + ROW.format(2)
    (raw / "orders.csv").write_text(HEADER + before + 'o3,ann,2026-03-01,paid,5,"open\n' + ROW.format(4) * 200)
    problem = refused(landed)
    assert problem.found == "in line 6 a quote that opens there and is not closed"
    assert "Look at line 6" in problem.action


@pytest.mark.usefixtures("short_records")
def test_a_quote_that_is_not_closed_before_a_short_end_costs_its_rows_alone(raw: Path, landed: Land) -> None:
    (raw / "orders.csv").write_text(HEADER + ROW.format(1) + 'o3,ann,2026-03-01,paid,5,"open\n' + ROW.format(4) * 3)
    assert [(file.rows, file.malformed_rows) for file in landed().files] == [(2, 1)]


@pytest.mark.usefixtures("short_records")
@pytest.mark.parametrize("length", [10 * LIMIT, 100 * LIMIT])
def test_a_line_without_end_is_told_with_its_number(raw: Path, landed: Land, length: int) -> None:
    (raw / "orders.csv").write_text(HEADER + ROW.format(1) + ROW.format("3" * length).strip() + '"\n' + ROW.format(2))
    assert refused(landed).found == "in line 3 a line that does not end"


@pytest.mark.usefixtures("short_records")
def test_rows_together_may_be_longer_than_one_of_them(raw: Path, landed: Land) -> None:
    odd = 'o{},ann,2026-03-01,paid,5,"web ""shop""\nhere"\n'
    (raw / "orders.csv").write_text(HEADER + "".join(odd.format(number) + "o,short\n" for number in range(200)))
    assert [(file.rows, file.malformed_rows) for file in landed().files] == [(400, 200)]


def test_a_record_of_32_million_characters_is_longer_than_any(raw: Path, landed: Land) -> None:
    rest = (ROW.format("x" * 200) * 1_000) * 150
    (raw / "orders.csv").write_text(HEADER + 'o1,ann,2026-03-01,paid,5,"open\n' + rest)
    assert refused(landed).found == "in line 2 a quote that opens there and is not closed"


def constants(path: Path, rows: int) -> int:
    """Write a Parquet file of rows that are all the same; its size in bytes."""
    columns = "'o' as order_id, 'c' as customer_id, now() as ordered_at, 'paid' as status, 5 as order_amount"
    duckdb.sql(f"copy (select {columns} from range({rows})) to '{path}' (format parquet, row_group_size 10000000)")
    return path.stat().st_size


def test_a_small_parquet_of_many_rows_is_refused_before_it_is_read(raw: Path, landed: Land) -> None:
    size = constants(raw / "orders.parquet", 3_000_000)
    problem = refused(landed, rows=2_999_999)
    assert size < 50_000
    assert (problem.file_name, problem.found) == ("orders.parquet", "3,000,000 rows")
    assert problem.expected == "at most 2,999,999 rows in a file (file_rows_limit)"
    assert "raise file_rows_limit in company.yml" in problem.action


def test_a_csv_of_too_many_rows_is_refused(raw: Path, landed: Land) -> None:
    (raw / "orders.csv").write_text(HEADER + "".join(ROW.format(number) for number in range(11)))
    assert refused(landed, rows=10).found == "more than 10 rows"
    assert landed(rows=11).files[0].rows == 11


def test_a_file_of_too_many_bytes_is_refused(raw: Path, landed: Land) -> None:
    (raw / "orders.csv").write_text(HEADER + "".join(ROW.format(number) for number in range(100)))
    problem = refused(landed, bytes=1_000)
    assert problem.expected == "at most 1e-06 GB in a file (file_gigabytes_limit)"
    assert problem.file_name == "orders.csv"


def test_a_parquet_counts_by_what_it_unpacks_to(raw: Path, landed: Land) -> None:
    """One long value that every row repeats is written once, in the file and in its metadata."""
    columns = "'o' || i as order_id, 'c' as customer_id, now() as ordered_at, 'paid' as status, 5 as order_amount"
    path = raw / "orders.parquet"
    duckdb.sql(f"copy (select {columns}, repeat('x', 20000) as channel from range(200) r(i)) to '{path}'")
    assert path.stat().st_size < 100_000
    assert refused(landed, bytes=1_000_000).expected.startswith("at most 0.001 GB")
    assert landed().files[0].rows == 200


@pytest.mark.parametrize("name", ["orders.csv", "orders", "orders/day", "orders/a.csv"])
def test_a_link_out_of_the_raw_folder_is_refused_unless_links_are_followed(
    raw: Path, tmp_path: Path, landed: Land, name: str
) -> None:
    outside = tmp_path / "secrets"
    outside.mkdir()
    (outside / "a.csv").write_text(HEADER + ROW.format(1))
    (raw / name).parent.mkdir(exist_ok=True)
    (raw / name).symlink_to(outside / "a.csv" if name.endswith(".csv") else outside)
    problem = refused(landed)
    assert (problem.file_name, problem.found) == (name, "a link that leads out of it")
    assert "STICKINESS_FOLLOW_LINKS=1" in problem.action
    assert landed(follow_links=True).files[0].rows == 1


def test_links_inside_the_raw_folder_and_to_it_are_followed(raw: Path, tmp_path: Path, contract: Contract) -> None:
    (raw / "_kept").mkdir()
    (raw / "_kept" / "a.csv").write_text(HEADER + ROW.format(1))
    (raw / "orders.csv").symlink_to("_kept/a.csv")
    (tmp_path / "link").symlink_to(raw)
    assert land(tmp_path / "link", tmp_path / "landing", contract, PLAIN_RULES).files[0].rows == 1


def within_seconds(task: Callable[[], object]) -> None:
    """Run a task that may hang for ever, and fail where it does."""
    thread = threading.Thread(target=task, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it hangs"


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(raw: Path, landed: Land) -> None:
    os.mkfifo(raw / "orders.csv")
    found: list[FileProblem] = []
    within_seconds(lambda: found.append(refused(landed)))
    assert found[0].found == "something that is neither file nor folder"


def test_a_pipe_in_the_place_of_the_settings_is_refused_and_not_waited_for(raw: Path) -> None:
    os.mkfifo(raw / "company.yml")

    def read() -> None:
        with pytest.raises(SettingsError, match=r"company.yml is no file; expected a text file") as caught:
            load_settings({"STICKINESS_RAW_DIR": str(raw)})
        told.append(str(caught.value))

    told: list[str] = []
    within_seconds(read)
    assert told and "\n" not in told[0]


def test_settings_behind_a_link_out_of_the_raw_folder_are_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yml").write_text("company_name: Other")
    (raw / "company.yml").symlink_to(tmp_path / "elsewhere.yml")
    with pytest.raises(SettingsError, match="a link that leads out of the raw folder"):
        load_settings({"STICKINESS_RAW_DIR": str(raw)})
    followed = load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_FOLLOW_LINKS": "1"})
    assert followed.variable("company_name") == "Other"


def test_a_landed_file_that_was_changed_is_made_again(raw: Path, landed: Land) -> None:
    (raw / "orders.csv").write_text(HEADER + ROW.format(1))
    [first] = landed().files
    sound, status = first.parquet.read_bytes(), first.parquet.stat()
    changed = bytearray(sound)
    changed[20] ^= 0xFF
    first.parquet.write_bytes(changed)
    os.utime(first.parquet, ns=(status.st_atime_ns, status.st_mtime_ns))
    [again] = landed().files
    assert again.parquet == first.parquet
    assert duckdb.sql(f"select order_id from read_parquet('{again.parquet}')").fetchall() == [("o1",)]


def test_a_file_that_changes_while_it_is_read_is_noticed_though_its_time_says_nothing(
    raw: Path, landed: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = raw / "orders.csv"
    path.write_text(HEADER + ROW.format(1))
    status = path.stat()
    inspect = land_module.inspect_csv

    def exchange_meanwhile(*arguments: object) -> object:
        plan = inspect(*arguments)
        path.write_text(HEADER + ROW.format(2))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return plan

    monkeypatch.setattr(land_module, "inspect_csv", exchange_meanwhile)
    assert refused(landed).found == "a file that changed while it was read"


def test_file_names_with_controls_or_somebodys_address_are_refused(raw: Path, landed: Land) -> None:
    (raw / "orders").mkdir()
    (raw / "orders" / "a\x1b[2J.csv").write_text(HEADER)
    assert "\x1b" not in refused(landed).file_name
    (raw / "orders" / "a\x1b[2J.csv").rename(raw / "orders" / "ann@example.com.csv")
    problem = refused(landed)
    assert problem.expected == "a file name that is nobody's address or number"
    assert "ann" not in problem.file_name


@pytest.mark.parametrize(
    "name", ["orders-001-20240131", "0021-20240131", "orders@2024", "shop-100-200-2024", "orders (12) 2024-0105"]
)
def test_file_names_of_dates_and_counts_are_nobodys_number(raw: Path, landed: Land, name: str) -> None:
    (raw / "orders").mkdir()
    (raw / "orders" / f"{name}.csv").write_text(HEADER + ROW.format(1))
    assert sum(file.rows for file in landed().files) == 1
