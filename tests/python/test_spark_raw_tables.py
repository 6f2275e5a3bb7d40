"""What dbt finds on Spark before it builds, asked of a real server."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from spark_world import SparkServer

from orchestration.contract import Contract, RawColumn, RawTable
from orchestration.engines.spark.connection import Session, SparkSettings, session
from orchestration.engines.spark.engine import SparkEngine
from orchestration.engines.spark.raw_tables import place_landing, register
from orchestration.errors import WarehouseError
from orchestration.landing.judging import Repair
from orchestration.landing.land import LandedFile, Landing
from orchestration.landing.landing_file import landing_columns
from orchestration.settings import Settings

pytestmark = [pytest.mark.spark, pytest.mark.long, pytest.mark.xdist_group("spark")]

DEFAULTS = {"company_name": "Company", "business_timezone": "UTC", "active_days": 90}
# name, type by the contract, type on Spark
TYPED = (("at", "timestamp"), ("born", "date"), ("yes", "boolean"), ("amount", "number"), ("count", "integer"))
SPARK_TYPES = ("timestamp", "date", "boolean", "decimal(18,4)", "bigint")
VALUES = {
    "order_id": "id",
    "at": "TIMESTAMP '2026-03-01 08:00:00.123456'",
    "born": "DATE '1990-02-28'",
    "yes": "true",
    "amount": "12345678901234.5678",
    "count": "9007199254740993",
}
CONTRACT = Contract(
    {
        "orders": RawTable(
            "orders",
            ("order_id",),
            (RawColumn("order_id", "text"), RawColumn("order", "text"), *(RawColumn(*typed) for typed in TYPED)),
        ),
        "tickets": RawTable("tickets", ("ticket_id",), (RawColumn("ticket_id", "text"),)),
    }
)
STARTED_AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
SEEN_AT = datetime(2026, 11, 20, 8, 0, 0, 123456)
# what Spark takes for a pattern, a partition, an escape, or the end of a name
STRANGE = "o'hara=1 [new] {a,b} *? 测试 `x` \\n %41 #1 ${HOME}"


@pytest.fixture(scope="module")
def opened(spark_server: SparkServer) -> Iterator[Session]:
    """A session with schemas of its own."""
    settings = replace(spark_server.engine.settings, prefix=f"test_{uuid.uuid4().hex[:8]}")
    with session(settings) as opened:
        yield opened
        for (schema,) in opened.rows(f"show schemas like '{settings.prefix}_*'"):
            opened.execute(f"drop schema {schema} cascade")


def landed(warehouse: Path, file_name: str, *order_ids: str, seen_at: datetime = SEEN_AT) -> LandedFile:
    """A landing file of orders, named as landing names them: by what is in the file, not by when it was seen."""
    parquet = warehouse / "landing" / "orders" / f"{file_name.encode().hex():0>40}.parquet"
    parquet.parent.mkdir(parents=True, exist_ok=True)
    held = VALUES | {"_file_name": f"'{file_name}'", "_row_number": "1", "_first_seen_at": f"TIMESTAMP '{seen_at}'"}
    kinds = landing_columns(CONTRACT.tables["orders"])
    columns = ", ".join(f'CAST({held.get(name, "NULL")} AS {kind}) AS "{name}"' for name, kind in kinds.items())
    rows = ", ".join(f"('{order_id}')" for order_id in order_ids)
    escaped = str(parquet).replace("'", "''")
    # landing keeps a column for itself, which no warehouse reads
    duckdb.execute(
        f"COPY (SELECT {columns}, ['x'] AS _repairs FROM (VALUES {rows}) AS v(id)) TO '{escaped}' (FORMAT parquet)"
    )
    return LandedFile(
        table="orders",
        file_name=file_name,
        rows=len(order_ids),
        file_format="csv",
        encoding="utf-8",
        delimiter=";",
        ignored_columns=("shoe size", "colour"),
        missing_columns=(),
        malformed_rows=0,
        first_seen_at=seen_at,
        parquet=parquet,
    )


def registered(opened: Session, warehouse: Path, *files: LandedFile, uri: str | None = None, **chosen: object) -> None:
    landing = Landing(files=files, absent_tables=(), notices=())
    settings = Settings(root=warehouse, raw_dir=warehouse, warehouse=warehouse, **{"defaults": DEFAULTS, **chosen})
    own = SparkSettings(**{**vars(opened.settings), "landing_uri": uri})
    register(own, landing, settings, CONTRACT, "run-1", STARTED_AT)


def ask(opened: Session, query: str) -> list[tuple]:
    """Rows of a query that names the schemas `raw` and `operations`."""
    schemas = {layer: opened.settings.build_schema(layer) for layer in ("raw", "operations")}
    return opened.rows(query.format(**schemas))


def order_ids(opened: Session) -> list[str]:
    return [row[0] for row in ask(opened, "select order_id from {raw}.orders order by order_id")]


def test_a_raw_table_shows_the_rows_of_all_its_files_as_they_were_landed(opened: Session, tmp_path: Path) -> None:
    files = landed(tmp_path, "a.csv", "O1", "订单"), landed(tmp_path, "b.csv", "O3")
    registered(opened, tmp_path, *files)
    assert ask(
        opened, "select order_id, `order`, _file_name, _row_number, _first_seen_at from {raw}.orders order by 1"
    ) == [
        ("O1", None, "a.csv", 1, SEEN_AT),
        ("O3", None, "b.csv", 1, SEEN_AT),
        ("订单", None, "a.csv", 1, SEEN_AT),
    ]


def test_an_absent_table_is_empty_and_has_the_columns_and_types_of_a_landed_one(
    opened: Session, tmp_path: Path
) -> None:
    registered(opened, tmp_path, landed(tmp_path, "a.csv", "O1"))
    assert ask(opened, "select count(*) from {raw}.tickets") == [(0,)]
    added = [
        *((name, "string") for name in ("_row_key", "_masked_key", "_failure", "_reason", "_raw_row", "_masked_row")),
        ("_file_name", "string"),
        ("_file_order", "string"),
        ("_row_number", "bigint"),
        ("_first_seen_at", "timestamp"),
    ]
    described = {table: [row[:2] for row in ask(opened, f"describe {{raw}}.{table}")] for table in CONTRACT.tables}
    assert described["tickets"] == [("ticket_id", "string"), *added]
    typed = [(name, kind) for (name, _), kind in zip(TYPED, SPARK_TYPES, strict=True)]
    assert described["orders"] == [("order_id", "string"), ("order", "string"), *typed, *added]


def test_typed_values_are_the_same_on_spark(opened: Session, tmp_path: Path) -> None:
    registered(opened, tmp_path, landed(tmp_path, "a.csv", "O1"))
    assert ask(opened, "select `at`, born, yes, amount, `count` from {raw}.orders") == [
        (
            datetime(2026, 3, 1, 8, 0, 0, 123456),
            date(1990, 2, 28),
            True,
            Decimal("12345678901234.5678"),
            9007199254740993,
        )
    ]


def test_what_was_repaired_is_registered(opened: Session, tmp_path: Path) -> None:
    repair = Repair("amount", "currency_sign", 3, "¥5")
    registered(opened, tmp_path, replace(landed(tmp_path, "a.csv", "O1"), repairs=(repair,)))
    columns = "table_name, file_name, column_name, kind, values_repaired, example"
    assert ask(opened, f"select {columns} from {{operations}}.value_repairs") == [
        ("orders", "a.csv", "amount", "currency_sign", 3, "¥5")
    ]


def test_a_second_run_forgets_the_files_of_the_first(opened: Session, tmp_path: Path) -> None:
    registered(opened, tmp_path, landed(tmp_path, "a.csv", "O1"), landed(tmp_path, "b.csv", "O2"))
    # landing has put away the file of the first run, or could not
    registered(opened, tmp_path, landed(tmp_path, "b.csv", "O2"))
    assert order_ids(opened) == ["O2"]
    assert ask(opened, "select file_name from {operations}.raw_files") == [("b.csv",)]
    registered(opened, tmp_path)
    assert order_ids(opened) == []
    assert ask(opened, "select count(*) from {operations}.raw_files") == [(0,)]


def test_a_catalog_of_icebergs_own_has_the_same_raw_tables(
    spark_server: SparkServer, opened: Session, tmp_path: Path
) -> None:
    if spark_server.cluster is None:
        pytest.skip("which catalogs that Spark server has beside its own is not known")
    with session(replace(opened.settings, catalog="iceberg", prefix=f"{opened.settings.prefix}_own")) as other:
        registered(other, tmp_path, landed(tmp_path, "a.csv", "O1", "订单"))
        assert order_ids(other) == ["O1", "订单"]
        registered(other, tmp_path, landed(tmp_path, "b.csv", "O3"))
        assert order_ids(other) == ["O3"]
        assert ask(other, "select count(*) from {raw}.tickets") == [(0,)]


@pytest.mark.parametrize("with_others", [False, True], ids=["the_folder", "some_files_of_the_folder"])
def test_a_folder_whose_name_is_a_pattern_is_that_folder_alone(
    opened: Session, tmp_path: Path, with_others: bool
) -> None:
    strange, other = tmp_path / STRANGE, tmp_path / STRANGE.replace("*", "star").replace("{a,b}", "a")
    landed(other, "a.csv", "of another warehouse")
    files = landed(strange, "a.csv", "O1"), landed(strange, "b.csv", "O2")
    if with_others:
        landed(strange, "c.csv", "no longer landed")
    registered(opened, strange, *files)
    assert order_ids(opened) == ["O1", "O2"]


def test_the_run_parameters_are_one_row_and_what_the_company_sets_is_recorded_as_text(
    opened: Session, tmp_path: Path
) -> None:
    name = "O'Hara \\ 北京\n“${env:HOME}” `x`"
    variables = {"company_name": name, "business_timezone": "Asia/Shanghai", "default_margin_rate": 0.1}
    registered(opened, tmp_path, variables=variables)
    run = "select run_id, started_at, requested_as_of_date, yesterday, company_key from {operations}.run_parameters"
    [row] = ask(opened, run)
    # it is the 23rd in Shanghai
    assert row[:4] == ("run-1", datetime(2026, 11, 22, 23, 30), None, date(2026, 11, 22))
    assert row[4].startswith(f"{name} ")
    recorded = "select setting_name, setting_value from {operations}.company_settings order by setting_name"
    assert ask(opened, recorded) == [
        ("business_timezone", "Asia/Shanghai"),
        ("company_name", name),
        ("default_margin_rate", "0.1"),
    ]
    registered(opened, tmp_path, as_of=date(2026, 1, 31))
    assert [row[2] for row in ask(opened, run)] == [date(2026, 1, 31)]
    assert ask(opened, recorded) == []


def test_the_raw_files_say_how_each_file_was_read(opened: Session, tmp_path: Path) -> None:
    registered(opened, tmp_path, landed(tmp_path, "a.csv", "O1", "O2"))
    assert ask(opened, "select * from {operations}.raw_files") == [
        ("orders", "a.csv", 2, 0, "csv", "utf-8", ";", "shoe size, colour", None, 0, 0, 0, None, SEEN_AT)
    ]


def test_thousands_of_files_are_registered(opened: Session, tmp_path: Path) -> None:
    file = landed(tmp_path, "a.csv", "O1")
    files = [LandedFile(**{**vars(file), "file_name": f"{number}.csv"}) for number in range(3000)]
    registered(opened, tmp_path, *files)
    found = ask(opened, "select count(*), count(distinct file_name), sum(rows_read) from {operations}.raw_files")
    assert found == [(3000, 3000, 3000)]


# Where the workers find the landed files


@pytest.mark.parametrize("name", ["shared", STRANGE])
def test_landed_files_are_mirrored_to_another_place(opened: Session, tmp_path: Path, name: str) -> None:
    warehouse, place = tmp_path / "dw", tmp_path / name
    files = landed(warehouse, "a.csv", "O1"), landed(warehouse, "b.csv", "O2")
    registered(opened, warehouse, *files, uri=f"file://{place}/")
    for file in files:
        file.parquet.unlink()
    assert order_ids(opened) == ["O1", "O2"]


def mirrored(tmp_path: Path, *files: LandedFile) -> dict[str, bytes]:
    place_landing(files, CONTRACT.tables, tmp_path / "landing", f"file://{tmp_path / 'shared'}")
    return {path.name: path.read_bytes() for path in (tmp_path / "shared").glob("*/*")}


def test_a_mirror_copies_what_it_lacks_and_loses_what_is_no_longer_landed(tmp_path: Path) -> None:
    a, b, c = (landed(tmp_path, name, name) for name in ("a.csv", "b.csv", "c.csv"))
    assert sorted(mirrored(tmp_path, a, b).values()) == sorted([a.parquet.read_bytes(), b.parquet.read_bytes()])
    (kept,) = [path for path in (tmp_path / "shared").glob("*/*") if path.read_bytes() == a.parquet.read_bytes()]
    os.utime(kept, (1, 1))
    foreign = kept.with_name("mine.parquet")
    foreign.write_text("precious")
    assert sorted(mirrored(tmp_path, a, c).values()) == sorted(
        [a.parquet.read_bytes(), c.parquet.read_bytes(), b"precious"]
    )
    assert kept.stat().st_mtime == 1, "it was copied again"
    assert list(mirrored(tmp_path).values()) == [b"precious"]


def test_a_copy_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    a = landed(tmp_path, "a.csv", "O1")
    (copy,) = mirrored(tmp_path, a)
    (tmp_path / "shared" / "orders" / copy).write_bytes(b"PAR1")
    assert list(mirrored(tmp_path, a).values()) == [a.parquet.read_bytes()]


def test_a_file_that_was_landed_anew_is_copied_anew(tmp_path: Path) -> None:
    """Of the same content, name and size, but first seen at another time, which its rows say."""
    mirrored(tmp_path, landed(tmp_path, "a.csv", "O1"))
    again = landed(tmp_path, "a.csv", "O1", seen_at=datetime(2026, 11, 21, 8, 0, 0, 123456))
    assert list(mirrored(tmp_path, again).values()) == [again.parquet.read_bytes()]


def test_files_that_spark_does_not_list_with_the_landed_ones_are_not_read(opened: Session, tmp_path: Path) -> None:
    a = landed(tmp_path, "a.csv", "O1")
    place = tmp_path / "shared"
    mirrored(tmp_path, a)
    other = landed(tmp_path / "elsewhere", "b.csv", "O2").parquet
    other.rename(place / "orders" / "other.parquet")
    registered(opened, tmp_path, a, uri=f"file://{place}")
    assert order_ids(opened) == ["O1"]


def test_the_landing_folder_itself_under_another_path_is_left_alone(opened: Session, tmp_path: Path) -> None:
    file = landed(tmp_path / "dw", "a.csv", "O1")
    (tmp_path / "link").symlink_to(tmp_path / "dw" / "landing")
    registered(opened, tmp_path / "dw", file, uri=f"file://{tmp_path / 'link'}")
    assert order_ids(opened) == ["O1"]
    assert list(file.parquet.parent.iterdir()) == [file.parquet]


@pytest.mark.parametrize("uri", ["file:///proc/nowhere", "unheard://of/it"])
def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path, uri: str) -> None:
    with pytest.raises(WarehouseError, match=f"could not be copied to {uri}.*STICKINESS_SPARK_LANDING_URI"):
        place_landing([landed(tmp_path, "a.csv", "O1")], CONTRACT.tables, tmp_path / "landing", uri)


# What fits remember


def test_rows_of_fits_are_appended_replaced_and_outlast_the_next_landing(opened: Session, tmp_path: Path) -> None:
    registered(opened, tmp_path)
    moment = datetime(2026, 4, 1, 12, 30)
    known = {"as_of_date": date(2026, 3, 31), "fitted_at": moment, "status": "fitted", "reason_code": None}
    row = {"company_key": "O'Hara \\ 北京", "customers": 900, "history_days": 400, **known}
    champion = {"target": "churn", "model_name": "mbg_nbd", "parameters_fit_id": "a", "is_seasonal": True}
    champion |= {"fit_id": "a", "is_reliable": False, "unreliable_reason": None}
    engine = SparkEngine(opened.settings)
    engine.write_predictive({"champions": [champion], "fits": [{"fit_id": "a", **row}]})
    engine.write_predictive({"fits": [{"fit_id": "b", **row}]})
    registered(opened, tmp_path)
    schema = opened.settings.build_schema("predictive")
    assert ask(opened, f"select * from {schema}.fits order by fit_id") == [
        (fit_id, "O'Hara \\ 北京", date(2026, 3, 31), moment, "fitted", None, 900, 400) for fit_id in ("a", "b")
    ]
    columns = engine.read_columns(f"select * from {schema}.champions")
    assert columns["is_seasonal"].tolist() == [1.0] and columns["is_reliable"].tolist() == [0.0]
    assert columns["model_name"].tolist() == ["mbg_nbd"]
    for rows in ([{"requested_at": moment}], [{"requested_at": moment}], []):
        engine.write_predictive({"refit_requests": rows}, replace=True)
        assert ask(opened, f"select * from {schema}.refit_requests") == [(moment,)] * len(rows)
