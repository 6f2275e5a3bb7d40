"""Publication on Spark: readers see one whole version after another, whatever happens on the way."""

import contextlib
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from spark_world import SparkServer

from orchestration.descriptions import WRITTEN_BY_PUBLICATION, ColumnDescription, TableDescription
from orchestration.engines.spark import publication as steps
from orchestration.engines.spark.connection import Session, SparkSettings, session
from orchestration.engines.spark.publication import current, publish, rollback
from orchestration.errors import PublicationError, SparkError
from orchestration.publishing import PUBLISHED_SCHEMAS, Publication, PublicationFacts, Table

pytestmark = [pytest.mark.spark, pytest.mark.long, pytest.mark.xdist_group("spark")]

ORDERS, CHECKS = ("marts", "orders"), ("quality", "checks")
TABLES = [CHECKS, ORDERS]
PUBLICATIONS = ("quality", "publications")


@pytest.fixture(scope="module")
def server(spark_server: SparkServer) -> SparkSettings:
    return spark_server.engine.settings


@pytest.fixture
def opened(server: SparkSettings) -> Iterator[Session]:
    """A session with schemas of its own."""
    with session(replace(server, prefix=f"test_{uuid.uuid4().hex[:8]}")) as opened:
        yield opened
        for schema in schemas(opened):
            opened.execute(f"drop schema {schema} cascade")


@pytest.fixture(autouse=True)
def distinct_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publications of one second get ids in their order, so that tests can sort by them."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(secrets, "token_hex", lambda size: f"{next(numbers):04x}")


def schemas(opened: Session) -> list[str]:
    return [row[0] for row in opened.rows(f"show schemas like '{opened.settings.prefix}_*'")]


def facts(tests_warned: int = 0) -> PublicationFacts:
    return PublicationFacts(
        as_of_date=date(2026, 11, 21),
        code_version="abc123",
        tests_passed=7,
        tests_warned=tests_warned,
        started_at=datetime.now(UTC) - timedelta(seconds=90),
    )


def build(opened: Session, queries: dict[Table, str]) -> None:
    for schema in {opened.settings.build_schema(layer) for layer in ("marts", "quality")}:
        opened.execute(f"create schema if not exists {schema}")

    def make(other: Session, table: Table) -> None:
        target = f"{other.settings.build_schema(table[0])}.{table[1]}"
        other.execute(f"drop table if exists {target} purge")
        other.execute(f"create table {target} using iceberg as {queries[table]}")

    opened.for_each(queries, make)


def published(opened: Session, marker: str, keep: int = 5, **queries: str) -> Publication:
    """Publish a build whose every row says `marker`, but for the tables of other queries."""
    chosen = {table: f"select '{marker}' as version, 1 as n" for table in TABLES}
    chosen.update({tuple(name.split("_", 1)): query for name, query in queries.items()})
    build(opened, chosen)
    return publish(opened.settings, list(chosen), facts(), keep, settle_seconds=0)


def view(opened: Session, table: Table) -> str:
    return f"{opened.settings.published_schema(table[0])}.{table[1]}"


def shown(opened: Session, *tables: Table) -> set[str]:
    """The markers in all rows of some views, of all views of a build by default; a view without rows says "nothing"."""
    selects = [
        f"select coalesce(max(version), 'nothing') as version from {view(opened, table)} "
        f"union all select version from {view(opened, table)}"
        for table in tables or TABLES
    ]
    return {row[0] for row in opened.rows(" union all ".join(selects))}


def listed(opened: Session) -> list[str]:
    rows = opened.rows(f"select publication_id from {view(opened, PUBLICATIONS)} order by publication_id")
    return [row[0] for row in rows]


def views(opened: Session) -> list[Table]:
    return sorted(
        (layer, row[1])
        for layer in PUBLISHED_SCHEMAS
        for row in opened.rows(f"show tables in {opened.settings.published_schema(layer)}")
    )


def kept(opened: Session) -> list[str]:
    prefix = opened.settings.version_prefix
    return sorted(schema for schema in schemas(opened) if schema.startswith(prefix))


def version_schemas(opened: Session, *publication_ids: str) -> list[str]:
    return sorted(opened.settings.version_schema(name) for name in publication_ids)


def definition(opened: Session, table: Table) -> str:
    described = opened.rows(f"describe table extended {view(opened, table)}")
    return next(text for name, text, _ in described if name == "View Text")


# What a version holds


def test_the_dictionary_and_the_labels_are_published_as_on_the_other_engine(opened: Session) -> None:
    build(opened, {ORDERS: "select 'O1' as order_id"})
    opened.execute(f"create schema {opened.settings.build_schema('seeds')}")
    opened.execute(f"create table {opened.settings.build_schema('seeds')}.tiers using iceberg as select '金' as tier")
    columns = (ColumnDescription("order_id", "string", "The order's id.", "Order", "订单编号", key_position=1),)
    descriptions = {ORDERS: TableDescription("One row per order.", columns), **WRITTEN_BY_PUBLICATION}
    tiers = ("labels", "tiers")
    made = publish(opened.settings, [ORDERS, tiers], facts(), settle_seconds=0, descriptions=descriptions)
    assert made.tables == 4
    assert opened.rows(f"select tier from {view(opened, tiers)}") == [("金",)]
    dictionary = view(opened, ("quality", "dictionary"))
    assert opened.rows(f"select * from {dictionary} where mart = 'orders'") == [
        ("orders", "order_id", "string", "Order", "订单编号", "The order's id.", "One row per order", None, 1, None)
    ]


def test_the_tables_that_are_named_are_published_and_nothing_else_is(opened: Session) -> None:
    made = published(opened, "一")
    assert views(opened) == sorted([*TABLES, PUBLICATIONS])
    assert shown(opened) == {"一"}
    assert current(opened.settings) == made
    build(opened, {("marts", "private"): "select 1 as secret"})
    publish(opened.settings, TABLES, facts(), settle_seconds=0)
    assert views(opened) == sorted([*TABLES, PUBLICATIONS])


def test_a_catalog_of_icebergs_own_publishes_in_the_same_way(spark_server: SparkServer, opened: Session) -> None:
    if spark_server.cluster is None:
        pytest.skip("which catalogs that Spark server has beside its own is not known")
    with session(replace(opened.settings, catalog="iceberg")) as other:
        first = published(other, "one", marts_extra="select 'one' as version")
        assert shown(other, *TABLES, ("marts", "extra")) == {"one"}
        second = published(other, "two", marts_orders="select 1.5 as added, 'two' as version, 'x' as n")
        assert shown(other) == {"two"}
        assert listed(other) == [first.publication_id, second.publication_id]
        with pytest.raises(SparkError, match="TABLE_OR_VIEW_NOT_FOUND"):
            shown(other, ("marts", "extra"))
        assert rollback(other.settings, settle_seconds=0) == first
        assert shown(other, *TABLES, ("marts", "extra")) == {"one"}
        third, fourth = (published(other, name, keep=2) for name in ("three", "four"))
        assert shown(other) == {"four"}
        assert kept(other) == version_schemas(other, third.publication_id, fourth.publication_id)


def test_publications_lists_every_publication_and_this_one(opened: Session) -> None:
    build(opened, {ORDERS: "select explode(array('O1', 'O2')) as order_id", CHECKS: "select 1 as n"})
    first = publish(opened.settings, [ORDERS, CHECKS, PUBLICATIONS], facts(), settle_seconds=0)
    build(opened, {ORDERS: "select 'O1' as order_id"})
    second = publish(opened.settings, [ORDERS, CHECKS], facts(tests_warned=2), settle_seconds=0)
    found = opened.rows(
        "select publication_id, published_at, as_of_date, code_version, tables, rows, tests_passed, tests_warned, "
        f"duration_seconds from {view(opened, PUBLICATIONS)} order by published_at"
    )
    # 2 orders, 1 check and 1 publication; then 1, 1 and 2 publications
    assert found == [
        (first.publication_id, first.published_at, date(2026, 11, 21), "abc123", 3, 4, 7, 0, first.duration_seconds),
        (second.publication_id, second.published_at, date(2026, 11, 21), "abc123", 3, 4, 7, 2, second.duration_seconds),
    ]
    assert 90 <= first.duration_seconds < 150


def test_values_of_every_type_are_published_unchanged(opened: Session) -> None:
    values = (
        "select '“O\\'Hara” \\\\ 北京\\n' as t, cast(12.345 as decimal(18, 6)) as d, date '2026-11-21' as day, "
        "timestamp '2026-11-21 08:00:00.123456' as moment, 0.1d as f, true as b, cast(null as bigint) as n"
    )
    build(opened, {ORDERS: values})
    publish(opened.settings, [ORDERS], facts(), settle_seconds=0)
    assert opened.rows(f"select * from {view(opened, ORDERS)}") == opened.rows(values)
    kinds = "describe (select * from {})"
    assert opened.rows(kinds.format(view(opened, ORDERS))) == opened.rows(f"describe {values}")


def test_a_build_that_lacks_a_table_is_not_published(opened: Session) -> None:
    build(opened, {ORDERS: "select 1 as n"})
    with pytest.raises(PublicationError, match=r"lacks marts\.missing, quality\.checks\. Refresh again"):
        publish(opened.settings, [ORDERS, ("marts", "missing"), CHECKS], facts(), settle_seconds=0)
    assert current(opened.settings) is None
    assert kept(opened) == []


def test_a_build_without_tables_is_not_published(opened: Session) -> None:
    with pytest.raises(PublicationError, match="has no table to publish"):
        publish(opened.settings, [], facts(), settle_seconds=0)
    with pytest.raises(PublicationError, match=r"lacks marts\.orders"):
        publish(opened.settings, [ORDERS], facts(), settle_seconds=0)


def test_a_copy_that_lost_a_row_is_not_published(opened: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    first = published(opened, "old")
    real = Session.execute

    def losing(self: Session, sql: str) -> None:
        real(self, sql + " where false" if sql.startswith("create table") and "marts_orders" in sql else sql)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "execute", losing)
        with pytest.raises(PublicationError, match=r"The copy has 0 rows of marts\.orders, the build has 1"):
            published(opened, "new")
    assert shown(opened) == {"old"}
    assert current(opened.settings) == first


def test_an_error_of_spark_is_told_as_a_publication_error(opened: Session) -> None:
    published(opened, "old")
    marts = opened.settings.build_schema("marts")
    opened.execute(
        f"create view identifier('{marts}.broken') as "
        f"select cast(raise_error('out of order') as int) as n from {marts}.orders"
    )
    with pytest.raises(PublicationError, match="could not be published. What was .* still is.*out of order") as told:
        publish(opened.settings, [*TABLES, ("marts", "broken")], facts(), settle_seconds=0)
    assert "\tat " not in str(told.value)
    assert shown(opened) == {"old"}


# The views


def test_in_the_end_views_are_plain(opened: Session) -> None:
    for marker in ("first", "second"):
        made = published(opened, marker)
        texts = {definition(opened, table) for table in TABLES}
        assert not [text for text in texts if "union" in text or opened.settings.publications_schema in text]
        assert all(opened.settings.version_schema(made.publication_id) in text for text in texts)


def test_columns_and_tables_come_and_go_with_a_version_and_come_back_with_a_rollback(opened: Session) -> None:
    def columns() -> dict[str, str]:
        return {row[0]: row[1] for row in opened.rows(f"describe {view(opened, ORDERS)}")}

    old = "select 'old' as version, 7 as amount, true as gone, 'x' as day"
    new = "select 'new' as version, date '2026-11-21' as day, 'seven' as amount, 1.5d as added"
    published(opened, "old", marts_orders=old, marts_gone="select 'old' as version")
    published(opened, "new", marts_orders=new, quality_added="select 'new' as version")
    assert columns() == {"version": "string", "day": "date", "amount": "string", "added": "double"}
    assert views(opened) == sorted([*TABLES, PUBLICATIONS, ("quality", "added")])
    assert shown(opened, *TABLES, ("quality", "added")) == {"new"}
    rollback(opened.settings, settle_seconds=0)
    assert columns() == {"version": "string", "amount": "int", "gone": "boolean", "day": "string"}
    assert views(opened) == sorted([*TABLES, PUBLICATIONS, ("marts", "gone")])
    assert shown(opened, *TABLES, ("marts", "gone")) == {"old"}


def test_until_the_switch_the_rows_of_the_old_version_are_shown_in_the_columns_of_the_new(
    opened: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(opened, "old", marts_orders="select 'old' as version, 7 as amount, 'x' as day, true as gone")
    monkeypatch.setattr(steps, "_append", crash)
    with pytest.raises(Crash):
        new = "select 'new' as version, date '2026-11-21' as day, 'seven' as amount, 1.5d as added"
        published(opened, "new", marts_orders=new, marts_added="select 'new' as version")
    assert opened.table(f"select * from {view(opened, ORDERS)}") == (
        ("version", "day", "amount", "added"),
        [("old", None, "7", None)],
    )
    assert opened.rows(f"select * from {view(opened, ('marts', 'added'))}") == []


def test_views_of_others_are_left_alone(opened: Session) -> None:
    published(opened, "old", marts_gone="select 'old' as version")
    mine = ("marts", "mine")
    opened.execute(f"create view identifier('{view(opened, mine)}') as select * from {view(opened, ORDERS)}")
    published(opened, "new")
    assert views(opened) == sorted([*TABLES, PUBLICATIONS, mine])
    assert shown(opened, mine) == {"new"}


def test_a_reader_of_several_views_never_sees_two_versions(opened: Session) -> None:
    published(opened, "start")
    seen: list[set[str]] = []
    done = threading.Event()

    def read() -> None:
        with session(opened.settings) as reader:
            while not done.is_set():
                seen.append(shown(reader))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for marker in ("A", "B"):
            chosen = {table: f"select '{marker}' as version, 1 as n" for table in TABLES}
            build(opened, chosen)
            publish(opened.settings, list(chosen), facts(), settle_seconds=1)
        rollback(opened.settings, settle_seconds=1)
        time.sleep(1)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert [found for found in seen if len(found) != 1] == []
    assert {"A", "B"} <= set().union(*seen)
    assert len(seen) > 20


# Crashes


class Crash(BaseException):
    """As sudden as a killed process: nothing in the code catches it."""


def crash(*arguments: object, **options: object) -> None:
    raise Crash


def before(step: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(steps, step, crash)


def after(step: str) -> Callable[[pytest.MonkeyPatch], None]:
    real = getattr(steps, step)

    def crashing(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        raise Crash

    return lambda patch: patch.setattr(steps, step, crashing)


def after_views(allowed: int) -> Callable[[pytest.MonkeyPatch], None]:
    """A crash once so many views are replaced: 3 are made to turn, then 3 are settled."""
    real, lock = steps._replace_view, threading.Lock()
    left = [allowed]

    def crashing(*arguments: object, **options: object) -> None:
        with lock:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
        real(*arguments, **options)

    return lambda patch: patch.setattr(steps, "_replace_view", crashing)


def while_dropping(patch: pytest.MonkeyPatch) -> None:
    """A crash when one table of an old version is dropped and the others are not."""
    real = steps._drop

    def crashing(opened: Session, found: dict[str, tuple[Table, ...]]) -> None:
        for schema, tables in found.items():
            opened.execute(f"drop table {schema}.{'_'.join(tables[0])} purge")
            raise Crash
        real(opened, found)

    patch.setattr(steps, "_drop", crashing)


CRASHES = {
    "after_copying": (before("_open_views"), False),
    "while_views_are_made_to_turn": (after_views(1), False),
    "before_the_switch": (before("_append"), False),
    "after_the_switch": (after("_append"), True),
    "while_views_are_settled": (after_views(4), True),
}


@pytest.mark.parametrize("case", CRASHES)
def test_a_crash_at_any_step_leaves_a_whole_version_and_the_next_publication_clears_up(
    opened: Session, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    install, has_switched = CRASHES[case]
    first = published(opened, "first").publication_id
    with monkeypatch.context() as patch:
        install(patch)
        with pytest.raises(Crash):
            published(opened, "second")
    assert shown(opened) == {"second" if has_switched else "first"}
    assert len(listed(opened)) == (2 if has_switched else 1)
    crashed = current(opened.settings).publication_id
    assert (crashed != first) == has_switched

    third = published(opened, "third").publication_id
    assert shown(opened) == {"third"}
    expected = [first, crashed, third] if has_switched else [first, third]
    assert listed(opened) == expected
    assert kept(opened) == version_schemas(opened, *expected)
    assert views(opened) == sorted([*TABLES, PUBLICATIONS])
    rollback(opened.settings, settle_seconds=0)
    assert shown(opened) == {"second" if has_switched else "first"}


def test_a_version_that_was_half_dropped_is_dropped_by_the_next_publication(
    opened: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [published(opened, "first").publication_id, published(opened, "second").publication_id]
    with monkeypatch.context() as patch:
        while_dropping(patch)
        with pytest.raises(Crash):
            published(opened, "third", keep=2)
    assert shown(opened) == {"third"}
    assert len(kept(opened)) == 3
    ids += [current(opened.settings).publication_id, published(opened, "fourth").publication_id]
    assert listed(opened) == ids
    assert kept(opened) == version_schemas(opened, *ids[1:])


def test_a_crash_of_the_first_publication_leaves_nothing_to_read(
    opened: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        before("_append")(patch)
        with pytest.raises(Crash):
            published(opened, "first", marts_gone="select 'first' as version")
    assert shown(opened) == {"nothing"}
    assert current(opened.settings) is None
    published(opened, "second")
    assert shown(opened) == {"second"}
    assert views(opened) == sorted([*TABLES, PUBLICATIONS])


@pytest.mark.parametrize("case", ["before_the_switch", "after_the_switch"])
def test_a_rollback_that_was_stopped_is_cleared_up_by_the_next(
    opened: Session, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    install, has_switched = CRASHES[case]
    first = published(opened, "first").publication_id
    published(opened, "second", marts_added="select 'second' as version")
    with monkeypatch.context() as patch:
        install(patch)
        with pytest.raises(Crash):
            rollback(opened.settings, settle_seconds=0)
    assert shown(opened) == {"first" if has_switched else "second"}
    if not has_switched:
        assert rollback(opened.settings, settle_seconds=0).publication_id == first
    published(opened, "third")
    assert shown(opened) == {"third"}


def test_what_fails_after_the_switch_is_told_so(opened: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    published(opened, "old")
    real = steps._settle

    def failing(opened: Session, published: object, state: steps.State) -> None:
        if state.published is not published:
            raise SparkError("the server is gone")
        real(opened, published, state)

    monkeypatch.setattr(steps, "_settle", failing)
    with pytest.raises(PublicationError, match=r"\w+ is published, but its views .* the server is gone"):
        published(opened, "new")
    assert shown(opened) == {"new"}


# Keeping and rolling back


def test_the_last_versions_are_kept_and_older_ones_dropped(opened: Session) -> None:
    ids = [published(opened, f"v{number}", keep=2).publication_id for number in range(3)]
    assert kept(opened) == version_schemas(opened, *ids[1:])
    assert listed(opened) == ids
    # queries may still read the version before
    ids.append(published(opened, "last", keep=0).publication_id)
    assert kept(opened) == version_schemas(opened, *ids[-2:])


def test_a_rollback_publishes_the_version_before_and_again_the_one_before_that(opened: Session) -> None:
    first, second, third = (published(opened, name) for name in ("first", "second", "third"))
    assert rollback(opened.settings, settle_seconds=0) == second
    assert shown(opened) == {"second"}
    assert current(opened.settings) == second
    assert rollback(opened.settings, settle_seconds=0) == first
    assert shown(opened) == {"first"}
    with pytest.raises(PublicationError, match=f"no version before {first.publication_id}"):
        rollback(opened.settings, settle_seconds=0)
    assert rollback(opened.settings, third.publication_id, settle_seconds=0) == third
    assert shown(opened) == {"third"}


def test_a_rollback_to_a_version_that_is_not_kept_lists_those_that_are(opened: Session) -> None:
    with pytest.raises(PublicationError, match="Nothing is published in the schemas .* Refresh first"):
        rollback(opened.settings, settle_seconds=0)
    first, second = (published(opened, name).publication_id for name in ("first", "second"))
    with pytest.raises(PublicationError, match=f"There is no version 2020 in .*; kept are {first}, {second}"):
        rollback(opened.settings, "2020", settle_seconds=0)
    with pytest.raises(PublicationError, match="is already the published version"):
        rollback(opened.settings, second, settle_seconds=0)
    assert shown(opened) == {"second"}


def test_a_version_that_lost_a_table_cannot_be_rolled_back_to(opened: Session) -> None:
    first, second, _ = (published(opened, name).publication_id for name in ("first", "second", "third"))
    opened.execute(f"drop table {opened.settings.version_schema(second)}.marts_orders purge")
    assert rollback(opened.settings, settle_seconds=0).publication_id == first


def test_a_published_version_that_lost_a_table_is_replaced_by_the_next(opened: Session) -> None:
    first = published(opened, "first").publication_id
    opened.execute(f"drop table {opened.settings.version_schema(first)}.marts_orders purge")
    published(opened, "second")
    assert shown(opened) == {"second"}


# Cost


def test_a_publication_of_many_tables_takes_few_statements(opened: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {("marts", f"t{number}"): "select 'v' as version" for number in range(26)}
    build(opened, many)
    publish(opened.settings, list(many), facts(), settle_seconds=0)
    statements: list[str] = []
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(monkeypatch.context())
        for name in ("execute", "table"):
            real = getattr(Session, name)

            def counted(self: Session, sql: str, real: Callable = real) -> object:
                statements.append(sql)
                return real(self, sql)

            patch.setattr(Session, name, counted)
        begun = time.monotonic()
        publish(opened.settings, list(many), facts(), settle_seconds=0)
        seconds = time.monotonic() - begun
    print(f"{len(statements)} statements, {seconds:.1f} seconds")
    # for each table: a copy, two counts, two descriptions and three views
    assert len(statements) <= 27 * 8 + 40
