"""The copy in PostgreSQL: whole, explained, kept from those who must not see it, and never in the way of readers."""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import World
from postgres_server import OWNER, postgres_server

from orchestration import cli
from orchestration.bi.bi_settings import DSN, LEAST_CUSTOMERS, SCHEMA, BiSettings
from orchestration.bi.follow import follow
from orchestration.bi.meanings import chinese_names
from orchestration.dbt_project import primary_keys, published_nodes
from orchestration.descriptions import WRITTEN_BY_PUBLICATION, ColumnDescription, Descriptions, TableDescription
from orchestration.dictionary import describe_published
from orchestration.engines.duckdb.build import build_database
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import publish
from orchestration.errors import CopyError, SettingsError
from orchestration.publishing import PublicationFacts
from orchestration.settings import ROOT

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("postgres")]

FACTS = PublicationFacts(date(2026, 11, 21), "abc123", 7, 0, datetime(2026, 11, 21, tzinfo=UTC), "小店")
NUMBERS = itertools.count(1)

VALUES = TableDescription(
    "One row per value: of every type.",
    (
        ColumnDescription("value_id", "bigint", "Its number.", "Number", "编号", key_position=2),
        ColumnDescription("kind", "string", "What it's of; 'all' is the whole.", "Kind", "类别", key_position=1),
        ColumnDescription("amount", "decimal(38,4)", "Money.", "Amount", "金额"),
        ColumnDescription("rate", "double", "A rate.", "Rate", "比率"),
        ColumnDescription("share", "double", "A share.", "Share", "比率"),
    ),
    "Values",
    "取值",
)
CELLS = TableDescription(
    "One row per month and region: customers.",
    (
        ColumnDescription("month", "date", "Month.", "Month", "月份", key_position=1, cell_role="within"),
        ColumnDescription("region", "string", "Region.", "Region", "地区", key_position=2),
        ColumnDescription("buyers", "bigint", "Buyers.", "Buyers", "买家数", cell_role="customers"),
    ),
    "Cells",
    "单元格",
)
DESCRIPTIONS: Descriptions = {("marts", "every_value"): VALUES, ("marts", "cells"): CELLS, **WRITTEN_BY_PUBLICATION}

EVERY_VALUE = """
    CREATE TABLE marts.every_value AS SELECT * FROM (VALUES
        (1::BIGINT, 'a', 12.5::DECIMAL(38, 4), 0.1::DOUBLE, 0.3::DOUBLE, TIMESTAMP '2026-03-29 01:30:00.000001',
            DATE '2026-02-28', true, 7::INTEGER, 1.5::DECIMAL(18, 4), [1, 2]),
        (2, E'tab\\t, "quotes", back\\\\slash\\n中文 \\\\N', -9999999999999999999999999999999999.9999, 'nan', 'inf',
            TIMESTAMP '1969-12-31 23:59:59', DATE '0001-01-01', false, -1, -0.0001, []),
        (3, '', NULL, '-inf', 1.7976931348623157e308, NULL, NULL, NULL, NULL, NULL, NULL),
        (4, chr(0) || 'nul', 0, 5e-324, '-0.0', TIMESTAMP '9999-12-31 23:59:59', DATE '9999-12-31', true, 0, 0, [3])
    ) AS v(value_id, kind, amount, rate, share, happened_at, day, is_true, small, quantity, listed)
"""


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres_server() as dsn:
        yield dsn


@dataclass(frozen=True)
class Bi:
    """A warehouse, and the schema of the server that its copy is in."""

    warehouse: Path
    settings: BiSettings

    @property
    def engine(self) -> DuckDbEngine:
        return DuckDbEngine(self.warehouse)

    @property
    def environ(self) -> dict[str, str]:
        settings = self.settings
        return {DSN: settings.dsn, SCHEMA: settings.schema, LEAST_CUSTOMERS: str(settings.least_customers)}

    def publish(
        self,
        *statements: str,
        descriptions: Descriptions | None = DESCRIPTIONS,
        facts: PublicationFacts = FACTS,
    ) -> str:
        """Publish a build that the statements make; its id."""
        build_db = build_database(self.warehouse)
        build_db.parent.mkdir(parents=True, exist_ok=True)
        build_db.unlink(missing_ok=True)
        with duckdb.connect(str(build_db)) as connection:
            for statement in ("CREATE SCHEMA marts", "CREATE SCHEMA quality", *statements):
                connection.execute(statement)
        return publish(build_db, self.warehouse, facts, descriptions=descriptions).publication_id

    def copy(self) -> list[str]:
        return follow(self.engine, None, self.environ)

    def ask(self, query: str, role: str = OWNER) -> list[tuple[Any, ...]]:
        """Rows of a query in which `{s}` is the schema."""
        import psycopg

        with psycopg.connect(self.settings.dsn, options="-c timezone=UTC") as connection:
            connection.execute(f"set role {role}")
            return connection.execute(query.replace("{s}", self.settings.schema)).fetchall()

    def do(self, statements: str) -> None:
        import psycopg

        with psycopg.connect(self.settings.dsn) as connection:
            connection.execute(statements.replace("{s}", self.settings.schema))

    def held(self) -> str:
        return self.ask("select publication_id from {s}.copied_publication")[0][0]


@pytest.fixture
def bi(server: str, tmp_path: Path) -> Bi:
    return Bi(tmp_path / "dw", BiSettings(server, f"t{next(NUMBERS)}", 10))


def cells(*rows: tuple[str, str, int]) -> str:
    values = ", ".join(f"(DATE '2026-{month}-01', '{region}', {buyers})" for month, region, buyers in rows)
    return f"CREATE TABLE marts.cells AS SELECT * FROM (VALUES {values}) AS v(month, region, buyers)"


def marked(number: int) -> tuple[str, ...]:
    """Tables whose every row says the same number."""
    return tuple(f"CREATE TABLE marts.part_{part} AS SELECT {number} AS version" for part in range(6))


# What the copy holds


def test_every_value_of_every_type_is_as_in_the_file(bi: Bi) -> None:
    bi.publish(EVERY_VALUE)
    told: list[str] = []
    assert follow(bi.engine, None, bi.environ, told.append) == [
        f"PostgreSQL: the schema {bi.settings.schema} is a copy of {bi.held()}"
    ]
    assert told == ["copying to PostgreSQL"]
    rows = bi.ask("select * from {s}.every_value order by value_id")
    late, early = datetime(2026, 3, 29, 1, 30, 0, 1, UTC), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert rows[0][:2] == (1, "a")
    assert rows[0][2:] == (Decimal("12.5"), 0.1, 0.3, late, date(2026, 2, 28), True, 7, Decimal("1.5"), "[1, 2]")
    assert rows[1][1] == 'tab\t, "quotes", back\\slash\n中文 \\N'
    assert rows[1][2] == Decimal("-9999999999999999999999999999999999.9999")
    assert math.isnan(rows[1][3]) and rows[1][4] == math.inf
    assert rows[1][5:] == (early, date(1, 1, 1), False, -1, Decimal("-0.0001"), "[]")
    assert rows[2] == (3, "", None, -math.inf, 1.7976931348623157e308, *[None] * 6)
    assert rows[3][1:5] == ("\ufffdnul", Decimal(0), 5e-324, 0.0)
    assert math.copysign(1, rows[3][4]) == -1


def test_columns_have_types_that_bi_tools_know(bi: Bi) -> None:
    bi.publish(EVERY_VALUE)
    bi.copy()
    kinds = bi.ask(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = '{s}.every_value'::regclass and attnum > 0 order by attnum"
    )
    assert dict(kinds) == {
        "value_id": "bigint",
        "kind": "text",
        "amount": "numeric(38,4)",
        "rate": "double precision",
        "share": "double precision",
        "happened_at": "timestamp with time zone",
        "day": "date",
        "is_true": "boolean",
        "small": "integer",
        "quantity": "numeric(18,4)",
        "listed": "text",
    }


def test_tables_have_their_key_and_say_what_they_mean(bi: Bi) -> None:
    bi.publish(EVERY_VALUE)
    bi.copy()
    assert bi.ask(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = '{s}.every_value'::regclass"
    ) == [("PRIMARY KEY (kind, value_id)",)]
    described = "select obj_description('{s}.every_value'::regclass), col_description('{s}.every_value'::regclass, 2)"
    expected = "Kind | 类别: What it's of; 'all' is the whole."
    assert bi.ask(described) == [("Values | 取值: One row per value: of every type.", expected)]
    assert bi.ask(described.replace("{s}.", "{s}_zh."))[0][1] == expected


def test_moments_of_own_marts_and_nested_values_are_readable_whatever_the_time_zone(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    bi.publish(
        "CREATE TABLE marts.own AS SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' AS at, "
        "{'a': 1, 'days': [DATE '2026-01-01'], 'b': '店'} AS both, ['x', NULL] AS listed, NULL::INTEGER[] AS nothing"
    )
    bi.copy()
    both = '{"a": 1, "days": ["2026-01-01"], "b": "店"}'
    assert bi.ask("select * from {s}.own") == [(datetime(2026, 1, 1, tzinfo=UTC), both, '["x", null]', None)]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (f"CREATE TABLE marts.{'a' * 64} AS SELECT 1 AS n", f"{'a' * 64} in the mart {'a' * 64} has 64 bytes"),
        (f"CREATE TABLE marts.own AS SELECT 1 AS {'店' * 22}", f"{'店' * 22} in the mart own has 66 bytes"),
        ("CREATE TABLE marts.copied_publication AS SELECT 1 AS n", "The mart copied_publication has the name of"),
    ],
)
def test_a_name_that_the_copy_has_no_room_for_is_told(bi: Bi, made: str, said: str) -> None:
    bi.publish(made)
    assert said in bi.copy()[0]


def test_a_key_that_is_too_long_for_an_index_is_left_out(bi: Bi) -> None:
    bi.publish(
        "CREATE TABLE marts.cells AS SELECT DATE '2026-01-01' AS month, 20 AS buyers, "
        "string_agg(md5(i::VARCHAR), '') AS region FROM range(400) r(i)"
    )
    assert bi.copy()[0].startswith("PostgreSQL: the schema")
    assert bi.ask("select length(region), buyers from {s}_aggregates.cells") == [(12800, 20)]


def test_a_view_calls_the_columns_by_their_chinese_names(bi: Bi) -> None:
    bi.publish(EVERY_VALUE)
    bi.copy()
    # two columns are called 比率; happened_at and those after it have no name
    assert bi.ask(
        'select "编号", "金额", "比率（rate）", "比率（share）", small from {s}_zh.every_value where "编号" = 1'
    ) == [(1, Decimal("12.5"), 0.1, 0.3, 7)]


def test_a_chinese_name_that_postgresql_would_cut_off_is_not_used() -> None:
    # 63 bytes are 21 characters
    assert chinese_names(["a", "b"], {"a": "客" * 21, "b": "客" * 22}) == {"a": "客" * 21, "b": "b"}


def test_sqlalchemy_finds_keys_comments_and_rows(bi: Bi) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    import psycopg

    bi.publish(EVERY_VALUE, cells(("01", "north", 20)))
    bi.copy()
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(bi.settings.dsn))
    schema, inspector = bi.settings.schema, sqlalchemy.inspect(engine)
    assert inspector.get_pk_constraint("cells", schema=schema)["constrained_columns"] == ["month", "region"]
    assert inspector.get_table_comment("cells", schema=schema)["text"].startswith("Cells | 单元格: ")
    assert inspector.get_columns("cells", schema=schema)[2]["comment"] == "Buyers | 买家数: Buyers."
    assert "cells" in inspector.get_view_names(schema=f"{schema}_zh")
    table = sqlalchemy.Table("cells", sqlalchemy.MetaData(), schema=schema, autoload_with=engine)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.select(table)).all() == [(date(2026, 1, 1), "north", 20)]
    engine.dispose()


def test_what_a_release_without_a_dictionary_has_published_is_copied_too(bi: Bi) -> None:
    publication = bi.publish(cells(("01", "north", 20)), descriptions=None)
    assert bi.copy() == [f"PostgreSQL: the schema {bi.settings.schema} is a copy of {publication}"]
    assert bi.ask("select buyers from {s}_zh.cells") == [(20,)]
    assert bi.ask("select * from pg_views where schemaname = '{s}_aggregates' and viewname = 'cells'") == []


@pytest.mark.worlds
@pytest.mark.long
@pytest.mark.xdist_group("sample")
def test_every_mart_of_the_sample_company_is_copied_row_by_row_with_its_key(
    server: str, sample_world: World, tmp_path: Path, dbt: Any
) -> None:
    from orchestration.dbt_project import read_json

    manifest = dbt.manifest and read_json(dbt.target / "manifest.json")
    bi = Bi(tmp_path / "dw", BiSettings(server, f"t{next(NUMBERS)}_{tmp_path.name[-3:].strip('_')}", 10))
    keys = primary_keys(manifest)
    tables = {table: keys[unique_id] for unique_id, table in published_nodes(manifest).items()}
    descriptions = describe_published(manifest, "CNY")
    publish(build_database(sample_world.settings.warehouse), bi.warehouse, FACTS, tables, descriptions=descriptions)
    assert len(bi.copy()) == 1
    with bi.engine.read_tables() as published:
        assert {table.table for table in published} == descriptions.keys()
        for table in published:
            expected = sorted(map(comparable, itertools.chain.from_iterable(table.rows())))
            found = sorted(map(comparable, bi.ask(f"select * from {{s}}.{table.table[1]}")))
            assert found == expected, table.table
    keyed = bi.ask("select conrelid::regclass::text from pg_constraint where contype = 'p'")
    assert len([name for (name,) in keyed if name.startswith(f"{bi.settings.schema}.")]) == len(descriptions) + 1
    aggregates = {name for (name,) in bi.ask("select viewname from pg_views where schemaname = '{s}_aggregates'")}
    counting = {
        name
        for (_, name), described in descriptions.items()
        if any(column.cell_role == "customers" for column in described.columns)
    }
    assert counting and counting < aggregates
    for name in counting:
        visible, every = bi.ask(f"select (select count(*) from {{s}}_aggregates.{name}), count(*) from {{s}}.{name}")[0]
        assert visible <= every


def comparable(row: Sequence[Any]) -> tuple[str, ...]:
    """A row as texts, moments without a zone: of the same values, and of no others."""
    return tuple(str(value.replace(tzinfo=None) if isinstance(value, datetime) else value) for value in row)


# Who may read what


def test_readers_read_everything_and_write_nothing(bi: Bi) -> None:
    import psycopg

    bi.publish(cells(("01", "north", 20)), "CREATE TABLE marts.customers AS SELECT 'C1' AS customer_id")
    bi.copy()
    reader = bi.settings.reader
    assert bi.ask("select customer_id from {s}.customers", reader) == [("C1",)]
    assert bi.ask('select "买家数" from {s}_zh.cells', reader) == [(20,)]
    for statement in ("delete from {s}.customers", "drop table {s}.customers", "create table {s}.mine (n int)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            bi.ask(statement, reader)


@pytest.mark.parametrize(
    "relation", ["{s}.customers", "{s}.cells", "{s}_zh.customers", "{s}_zh.cells", "{s}.copied_publication"]
)
def test_who_may_see_aggregates_alone_sees_no_table_and_no_customer(bi: Bi, relation: str) -> None:
    import psycopg

    bi.publish(cells(("01", "north", 20)), "CREATE TABLE marts.customers AS SELECT 'C1' AS customer_id")
    bi.copy()
    role = bi.settings.aggregates
    assert bi.ask("select buyers from {s}_aggregates.cells", role) == [(20,)]
    views = bi.ask("select viewname from pg_views where schemaname = '{s}_aggregates' order by 1")
    assert views == [("cells",), ("dictionary",), ("publications",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        bi.ask(f"select * from {relation}", role)


@pytest.mark.parametrize(
    ("rows", "visible"),
    [
        # nobody is few
        ([("01", "all", 60), ("01", "east", 20), ("01", "north", 30), ("01", "south", 10)], "all east north south"),
        # 9 would be 60 - 20 - 31, unless the next smallest is hidden too
        ([("01", "all", 60), ("01", "east", 20), ("01", "north", 31), ("01", "south", 9)], "all north"),
        # two are few: the whole would tell that they are 3 together
        (
            [("01", "all", 43), ("01", "east", 1), ("01", "north", 15), ("01", "south", 2), ("01", "west", 25)],
            "all west",
        ),
        # of two that are the next smallest one is enough, the first by its key
        ([("01", "east", 15), ("01", "north", 15), ("01", "south", 3)], "north"),
        # a cell of nobody is one of fewer than ten
        ([("01", "all", 40), ("01", "east", 40), ("01", "north", 0)], "east"),
        ([("01", "all", 9)], ""),
    ],
)
def test_small_cells_are_hidden_with_the_next_smallest(bi: Bi, rows: list[tuple[str, str, int]], visible: str) -> None:
    # another month is another breakdown, of which nothing is hidden
    bi.publish(cells(*rows, ("02", "east", 10), ("02", "north", 500)))
    bi.copy()
    found = bi.ask("select region from {s}_aggregates.cells where month = '2026-01-01' order by region")
    assert " ".join(region for (region,) in found) == visible
    assert bi.ask("select count(*) from {s}_aggregates.cells where month = '2026-02-01'") == [(2,)]


def test_cells_of_nobody_knows_how_many_are_hidden(bi: Bi) -> None:
    statement = cells(("01", "east", 50), ("01", "north", 40), ("01", "south", 30))
    bi.publish(statement, "UPDATE marts.cells SET buyers = NULL WHERE region = 'east'")
    bi.copy()
    assert bi.ask("select region from {s}_aggregates.cells") == [("north",)]


# Readers, while copies are made


def test_readers_see_whole_versions_one_after_the_other(bi: Bi) -> None:
    import psycopg

    bi.publish(*marked(0))
    bi.copy()
    seen: list[list[set[int]]] = [[], [], []]
    errors: list[Exception] = []
    done = threading.Event()
    every = " union all ".join(f"select version from {bi.settings.schema}.part_{part}" for part in range(6))
    joined = f"select a.version, b.version from {bi.settings.schema}.part_0 a, {bi.settings.schema}_zh.part_5 b"

    def read(own: list[set[int]], in_transaction: bool) -> None:
        try:
            with psycopg.connect(bi.settings.dsn, autocommit=not in_transaction) as connection:
                while not done.is_set():
                    found = {row[0] for row in connection.execute(every)}
                    if in_transaction:
                        # what a transaction has begun to read, it reads to its end
                        found |= {version for row in connection.execute(joined) for version in row}
                        connection.commit()
                    own.append(found)
        except Exception as error:
            errors.append(error)

    readers = [threading.Thread(target=read, args=(own, place > 0)) for place, own in enumerate(seen)]
    for reader in readers:
        reader.start()
    for number in range(1, 6):
        bi.publish(*marked(number))
        assert bi.copy()[0].startswith("PostgreSQL: the schema")
    time.sleep(0.2)
    done.set()
    for reader in readers:
        reader.join()
    assert not errors
    for own in seen:
        assert all(len(versions) == 1 for versions in own), "rows of two versions in one answer"
        in_order = [versions.copy().pop() for versions in own]
        assert in_order == sorted(in_order) and in_order[-1] == 5 and len(set(in_order)) > 2


def test_a_reader_who_does_not_end_is_named_and_left_alone(bi: Bi) -> None:
    import psycopg

    from orchestration.bi.postgres import copy_publication

    first = bi.publish(*marked(1))
    bi.copy()
    bi.publish(*marked(2))
    with psycopg.connect(bi.settings.dsn, application_name="old dashboard") as reader:
        reader.execute(f"select * from {bi.settings.schema}.part_3")
        with bi.engine.read_tables() as tables, pytest.raises(CopyError, match=r"user owner, old dashboard"):
            copy_publication(bi.settings, bi.engine.current(), tables, patience=1.0)
        assert reader.execute(f"select * from {bi.settings.schema}.part_4").fetchall() == [(1,)]
    assert bi.held() == first


def test_another_copy_that_does_not_end_is_named(bi: Bi) -> None:
    import psycopg

    from orchestration.bi.postgres import copy_publication

    first = bi.publish(*marked(1))
    bi.copy()
    bi.publish(*marked(2))
    with psycopg.connect(bi.settings.dsn, application_name="other warehouse") as other:
        other.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"stickiness {bi.settings.schema}"])
        named = rf"Another copy to the schema {bi.settings.schema} .* process \d+ \(user owner, other warehouse\)"
        with bi.engine.read_tables() as tables, pytest.raises(CopyError, match=named):
            copy_publication(bi.settings, bi.engine.current(), tables, patience=0.1)
    assert bi.held() == first
    assert bi.copy()[0].startswith("PostgreSQL: the schema")


def test_a_server_that_is_gone_is_noticed_unless_the_connection_string_says_otherwise(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    asked: list[str] = []

    def refuse(conninfo: str, **options: object) -> None:
        asked.append(conninfo)
        raise psycopg.OperationalError("refused")

    monkeypatch.setattr(psycopg, "connect", refuse)
    bi.publish(cells(("01", "north", 20)))
    follow(bi.engine, None, {DSN: "host=127.0.0.1 port=1 keepalives_idle=5"})
    waits = dict(setting.split("=") for setting in asked[0].split())
    assert (waits["keepalives_idle"], waits["keepalives_count"], waits["tcp_user_timeout"]) == ("5", "3", "60000")
    assert int(waits["connect_timeout"]) <= 10


# Copies that fail, and those that follow


def test_a_copy_that_fails_leaves_the_old_one_and_the_next_says_so(bi: Bi) -> None:
    first = bi.publish(cells(("01", "north", 20)))
    bi.copy()
    # two rows of one key, in a table that comes after others
    second = bi.publish(
        cells(("01", "north", 30)), EVERY_VALUE, "INSERT INTO marts.every_value SELECT * FROM marts.every_value"
    )
    said = follow(bi.engine, first, bi.environ)
    assert said[0].startswith(
        "The copy in PostgreSQL could not be made, and is what it was before. PostgreSQL refuses: "
    )
    assert "every_value_pkey" in said[0]
    assert "value_id" not in said[0], "what PostgreSQL tells of the row is not shown"
    assert bi.held() == first
    assert bi.ask("select buyers from {s}.cells") == [(20,)]
    assert bi.ask("select nspname from pg_namespace where nspname like '{s}%next%'") == []
    third = bi.publish(cells(("01", "north", 40)))
    assert follow(bi.engine, second, bi.environ) == [
        f"PostgreSQL: the schema {bi.settings.schema} is a copy of {third}",
        f"It was behind until now: it held {first}, while {second} was published.",
    ]
    assert bi.ask("select buyers from {s}_zh.cells".replace("buyers", '"买家数"')) == [(40,)]


def test_a_rollback_is_followed(bi: Bi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    first = bi.publish(cells(("01", "north", 20)))
    bi.publish(cells(("01", "north", 30)), "CREATE TABLE marts.added AS SELECT 1 AS n")
    bi.copy()
    for name, value in {**bi.environ, "STICKINESS_WAREHOUSE_DIR": str(bi.warehouse)}.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["rollback"]) == 0
    assert bi.held() == first
    assert bi.ask("select buyers from {s}.cells") == [(20,)]
    assert bi.ask("select to_regclass('{s}.added')") == [(None,)]
    assert f"PostgreSQL: the schema {bi.settings.schema} is a copy of {first}" in capsys.readouterr().out


def test_a_rollback_stands_though_its_copy_fails(
    bi: Bi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = bi.publish(cells(("01", "north", 20)))
    bi.publish(cells(("01", "north", 30)))
    monkeypatch.setenv(DSN, "host=/nowhere user=owner password=geheim123")
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(bi.warehouse))
    assert cli.main(["rollback"]) == 0
    said = capsys.readouterr().out
    assert f"Published again: {first}" in said
    assert "The copy in PostgreSQL could not be made" in said and "geheim123" not in said


class DagsterExecutionInterruptedError(BaseException):
    """What Dagster makes of Ctrl-C in a step, by its name."""


@pytest.mark.parametrize("raised", [KeyboardInterrupt, DagsterExecutionInterruptedError])
def test_ctrl_c_ends_the_copy_and_not_what_was_published(
    bi: Bi,
    raised: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import psycopg

    first = bi.publish(*marked(1))
    second = bi.publish(*marked(2))
    bi.copy()
    for name, value in {**bi.environ, "STICKINESS_WAREHOUSE_DIR": str(bi.warehouse)}.items():
        monkeypatch.setenv(name, value)

    def interrupt(number: int, frame: object) -> None:
        raise raised

    def when_locked() -> None:
        end = time.monotonic() + 60
        waiting = "select 1 from pg_stat_activity where application_name = 'stickiness' and query like 'lock table%'"
        while not bi.ask(waiting) and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with psycopg.connect(bi.settings.dsn) as reader:
            reader.execute(f"select * from {bi.settings.schema}.part_3")
            threading.Thread(target=when_locked).start()
            assert cli.main(["rollback"]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    said = capsys.readouterr()
    assert f"Published again: {first}" in said.out
    assert "The copy in PostgreSQL was interrupted, and is what it was before." in said.out
    assert said.err == ""
    assert bi.engine.current().publication_id == first and bi.held() == second


def test_what_ends_the_process_is_no_interruption(bi: Bi, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(self: DuckDbEngine) -> None:
        raise SystemExit

    monkeypatch.setattr(DuckDbEngine, "read_tables", end)
    bi.publish(cells(("01", "north", 20)))
    with pytest.raises(SystemExit):
        bi.copy()


def test_nothing_is_copied_where_no_database_is_named(bi: Bi) -> None:
    bi.publish(cells(("01", "north", 20)))
    assert follow(bi.engine, None, {}, pytest.fail) == []


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://reader:geheim123@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 password=geheim123",
        "password=geheim123 and nonsense",
        "postgresql://reader:geheim123@[::1/db",
        "postgresql://reader:geheim123@127.0.0.1:1/db?unknown=geheim123",
        "geheim123",
        # cut at a character that has to be escaped
        "postgresql://reader:cut@geheim123@127.0.0.1:1/db",
        "postgresql://reader:@geheim123@127.0.0.1:1/db",
        "postgresql://reader:geheim123/cut@127.0.0.1:1/db",
        "postgresql://reader:12345/geheim123@127.0.0.1:1/db",
        "postgresql://reader:/geheim123@127.0.0.1:1/db",
        "postgresql://reader:cut@%2Fgeheim123@127.0.0.1:1/db",
        "host=127.0.0.1 port=geheim123",
        "host=127.0.0.1 port=1 dbname=db/geheim123",
        "host=127.0.0.1 port=1 sslmode=require sslcert=/nowhere sslkey=/nowhere sslpassword=geheim123",
    ],
)
def test_the_secret_is_in_no_message(bi: Bi, dsn: str) -> None:
    bi.publish(cells(("01", "north", 20)))
    said = "\n".join(follow(bi.engine, None, {DSN: dsn}))
    assert "could not be made, and is what it was before" in said
    assert "geheim123" not in said and "\ufffd" not in said
    settings = BiSettings.from_environ({DSN: dsn})
    assert "geheim123" not in repr(settings)


@pytest.mark.parametrize("place", ["host=/nowhere", "host=127.0.0.1,::1 port=1,1", "host=127.0.0.1 port=1"])
def test_a_connection_string_that_may_be_right_is_tried(bi: Bi, place: str) -> None:
    bi.publish(cells(("01", "north", 20)))
    assert "is no connection string" not in follow(bi.engine, None, {DSN: f"{place} user=a@b password=p@/x"})[0]


def test_a_defect_is_told_by_its_name_and_undoes_nothing(bi: Bi, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = bi.publish(cells(("01", "north", 20)))

    def broken(self: DuckDbEngine) -> None:
        raise ZeroDivisionError("geheim123")

    monkeypatch.setattr(DuckDbEngine, "read_tables", broken)
    said = "\n".join(bi.copy())
    assert "a defect of the project, ZeroDivisionError" in said and "geheim123" not in said
    assert bi.engine.current().publication_id == publication


@pytest.mark.parametrize(
    ("raised", "is_damaged"), [(duckdb.OutOfMemoryException, False), (duckdb.SerializationException, True)]
)
def test_a_version_is_given_up_where_its_file_is_damaged_alone(
    bi: Bi, raised: type[duckdb.Error], is_damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: duckdb.DuckDBPyConnection) -> None:
        raise raised("it cannot")

    monkeypatch.setattr("orchestration.engines.duckdb.engine.published_tables", broken)
    bi.publish(cells(("01", "north", 20)))
    assert ("Publish the version before" in bi.copy()[0]) == is_damaged


def test_a_missing_package_is_told(bi: Bi, monkeypatch: pytest.MonkeyPatch) -> None:
    bi.publish(cells(("01", "north", 20)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "the package psycopg is not installed" in bi.copy()[0]


# What is somebody else's


def test_a_schema_that_is_no_copy_is_left_alone(bi: Bi) -> None:
    bi.do("create schema {s}_zh; create table {s}_zh.mine (n int)")
    bi.publish(cells(("01", "north", 20)))
    assert f"The schema {bi.settings.schema}_zh exists and is no copy of a publication" in bi.copy()[0]
    assert bi.ask("select to_regclass('{s}_zh.mine')") != [(None,)]


def test_another_companys_copy_is_left_alone(bi: Bi) -> None:
    first = bi.publish(cells(("01", "north", 20)))
    bi.copy()
    bi.publish(cells(("01", "north", 1)), facts=replace(FACTS, company_id="trial"))
    said = bi.copy()[0]
    assert f"The schema {bi.settings.schema} holds the copy of the company 小店" in said and "is of trial" in said
    assert bi.held() == first and bi.ask("select buyers from {s}.cells") == [(20,)]
    # as the message says
    bi.do(said.rpartition("Or drop it: ")[2])
    assert bi.copy()[0].startswith("PostgreSQL: the schema")


def test_a_copy_that_no_longer_tells_what_it_is_of_is_left_alone(bi: Bi) -> None:
    bi.publish(cells(("01", "north", 20)))
    bi.copy()
    bi.do("delete from {s}.copied_publication")
    assert f"The schema {bi.settings.schema} exists and is no copy of a publication" in bi.copy()[0]


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("create view public.{s}_own as select * from {s}.cells", "view {s}_own depends on table {s}.cells"),
        ("create table {s}.mine (n int)", "table {s}.mine depends on schema {s}"),
    ],
)
def test_what_somebody_made_of_the_copy_is_left_alone_and_named(bi: Bi, made: str, named: str) -> None:
    first = bi.publish(cells(("01", "north", 20)))
    bi.copy()
    bi.do(made)
    bi.publish(cells(("01", "north", 30)))
    said = bi.copy()[0]
    assert named.replace("{s}", bi.settings.schema) in said and "\ufffd" not in said
    assert bi.held() == first


def test_who_may_not_create_roles_is_told_what_an_administrator_has_to_do(bi: Bi) -> None:
    schema = bi.settings.schema
    bi.do(f"create role {schema}_writer login; grant create on database postgres to {schema}_writer")
    bi.publish(cells(("01", "north", 20)))
    environ = {**bi.environ, DSN: bi.settings.dsn.replace(f"user={OWNER}", f"user={schema}_writer")}
    said = follow(bi.engine, None, environ)[0]
    assert f"create role {schema}_reader nologin; create role {schema}_aggregates nologin;" in said
    bi.do(f"create role {schema}_reader; create role {schema}_aggregates")
    assert follow(bi.engine, None, environ)[0].startswith("PostgreSQL: the schema")
    assert bi.ask("select buyers from {s}_aggregates.cells", f"{schema}_aggregates") == [(20,)]


def test_what_the_document_has_an_administrator_do_is_enough(bi: Bi) -> None:
    import psycopg

    schema = bi.settings.schema
    [made] = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/bi.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "createrole" not in made
    with psycopg.connect(bi.settings.dsn, autocommit=True) as connection:
        for statement in (
            made.replace("stickiness_", f"{schema}_").replace("database bi", f"database {schema}").split(";")
        ):
            connection.execute(statement)
        connection.execute(f"create role {schema}_anna login in role {schema}_reader")
        connection.execute(f"create role {schema}_stranger login")
    bi.publish(cells(("01", "north", 20)))
    dsn = bi.settings.dsn.replace("dbname=postgres", f"dbname={schema}")
    assert len(follow(bi.engine, None, {**bi.environ, DSN: dsn.replace(OWNER, f"{schema}_writer")})) == 1
    with psycopg.connect(dsn.replace(OWNER, f"{schema}_anna")) as connection:
        assert connection.execute(f"select buyers from {schema}.cells").fetchall() == [(20,)]
    with pytest.raises(psycopg.OperationalError, match="CONNECT"):
        psycopg.connect(dsn.replace(OWNER, f"{schema}_stranger"))


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [(SCHEMA, "Shop"), (SCHEMA, "pg_shop"), (SCHEMA, "a" * 41), (LEAST_CUSTOMERS, "0"), (LEAST_CUSTOMERS, "ten")],
)
def test_a_setting_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        BiSettings.from_environ({DSN: "host=/nowhere", name: value})


def test_the_defaults_are_those_of_the_document() -> None:
    settings = BiSettings.from_environ({DSN: "host=/nowhere"})
    assert (settings.schema, settings.least_customers) == ("stickiness", 10)
    assert (settings.reader, settings.aggregates) == ("stickiness_reader", "stickiness_aggregates")
    assert BiSettings.from_environ({DSN: " "}) is None
