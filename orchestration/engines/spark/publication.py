"""Publishing a build on Spark: a copy of its marts that readers can rely on, put in place in one atomic step.

Spark can replace one table or view atomically, but not many at once. So every version has tables of its own, which
never change, readers ask views, and the ledger, an Iceberg table, says which version is the current one:

1. The build is copied into the tables of a new version, and the copies are counted. Nobody reads them.
2. Every view is replaced by one that shows the old version or the new one, whichever the ledger names: still the old.
3. An event is added to the ledger. That is one commit, and all views turn with it.
4. Every view is replaced by a plain one over the new version, so that readers need not ask the ledger.
5. Versions that are not kept are dropped.

Whatever stops a publication on the way leaves all views on one whole version, which the ledger names; the next one
finishes or removes what is left. Only one publication or rollback may run at a time.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.descriptions import DICTIONARY, DICTIONARY_COLUMNS, Descriptions, dictionary_rows
from orchestration.engines.spark import sql
from orchestration.engines.spark.connection import Session, SparkSettings, session
from orchestration.errors import PublicationError, SparkError
from orchestration.publishing import (
    PUBLICATION_COLUMNS,
    PUBLICATIONS,
    PUBLISHED_SCHEMAS,
    Event,
    Publication,
    PublicationFacts,
    Table,
    built_as,
    describe,
    new_id,
    outdated,
    rollback_target,
)

# how long the analysis of a query may take, which may meet one view before and another after a step
SETTLE_SECONDS = 5.0
# a query that has begun may still read the version before
LEAST_KEPT = 2

_EVENTS = "events"


@dataclass(frozen=True)
class Version:
    """The tables of one publication."""

    publication: Publication
    tables: tuple[Table, ...]

    @property
    def id(self) -> str:
        return self.publication.publication_id


@dataclass(frozen=True)
class State:
    """What is on Spark: the events, the whole versions by id in the order of their ids, and what is left of others."""

    events: list[Event]
    versions: dict[str, Version]
    leftovers: dict[str, tuple[Table, ...]]

    @property
    def published(self) -> Version | None:
        """The current version; None if there is none, or if it is not whole."""
        return self.versions.get(self.events[-1].publication_id) if self.events else None


def publish(
    spark: SparkSettings,
    tables: Sequence[Table],
    facts: PublicationFacts,
    keep: int = 5,
    settle_seconds: float = SETTLE_SECONDS,
    descriptions: Descriptions | None = None,
) -> Publication:
    """Publish tables of the build, and keep the last `keep` versions that were published.

    Args:
        spark: the server and its schemas.
        tables: schema and name of what to publish, as the models have them.
        facts: what quality.publications says of this build.
        keep: versions to keep, this one among them; at least 2.
        settle_seconds: time given, before and after the switch, to queries that are being analysed.
        descriptions: what quality.dictionary says; where there are none, there is no dictionary.

    Raises:
        PublicationError: the message says whether the build was published; if not, what was published before still is.
        SparkError: no session could be opened.
    """
    with session(spark) as opened:
        with _raised_as_publication_error("The build could not be published. What was published before still is."):
            state = recover(opened)
            old = state.published
            new = _make_version(opened, tables, facts, state, descriptions or {})
            _open_views(opened, old, new)
        event = Event("published", new.publication.published_at, new.id, old and old.id, new.publication)
        _turn(opened, event, new, state, settle_seconds)
        with _raised_as_publication_error(
            f"{new.id} is published, but older versions could not be dropped. The next refresh tries again."
        ):
            _prune(opened, keep)
    return new.publication


def rollback(spark: SparkSettings, to: str | None = None, settle_seconds: float = SETTLE_SECONDS) -> Publication:
    """Publish again the version that the published one replaced, or the one named; once more goes one further back.

    Raises:
        PublicationError: there is no such version; what is published stays so.
        SparkError: no session could be opened.
    """
    with session(spark) as opened:
        with _raised_as_publication_error("The rollback failed. What was published before still is."):
            state = recover(opened)
            old = state.published
            if old is None:
                raise PublicationError(
                    f"Nothing is published in the schemas {spark.prefix}_*, so there is nothing to roll back. Refresh "
                    f"first."
                )
            where = f"the schemas {spark.version_prefix}*"
            new = state.versions[rollback_target(state.events, old.id, list(state.versions), to, where)]
            _open_views(opened, old, new)
        _turn(opened, Event("rolled_back", _now(), new.id, old.id), new, state, settle_seconds)
    return new.publication


def current(spark: SparkSettings) -> Publication | None:
    """What is published now; None if nothing is. `SparkError` if Spark cannot say."""
    known = events(spark)
    return _facts(known)[known[-1].publication_id] if known else None


def kept_versions(spark: SparkSettings) -> list[str]:
    """Ids of the whole versions that are kept, oldest first. `SparkError` if Spark cannot say."""
    with session(spark) as opened:
        return list(_state(opened).versions)


def events(spark: SparkSettings) -> list[Event]:
    """Every publication and rollback, oldest first. `SparkError` if Spark cannot say."""
    with session(spark) as opened:
        return _events(opened)


def recover(opened: Session) -> State:
    """Finish or remove what a publication or rollback that was stopped has left; return what is there now.

    Raises:
        SparkError: Spark refuses.
    """
    for schema in (_schema(opened, layer) for layer in PUBLISHED_SCHEMAS):
        opened.execute(f"create schema if not exists {sql.identifier(schema)}")
    _make_ledger(opened)
    state = _state(opened)
    _settle(opened, state.published, state)
    # views have left them, so nobody finds them any more
    _drop(opened, state.leftovers)
    return State(state.events, state.versions, {})


# What is there


def _schema(opened: Session, layer: str) -> str:
    return opened.settings.published_schema(layer)


def _make_ledger(opened: Session) -> None:
    opened.execute(f"create schema if not exists {sql.identifier(opened.settings.publications_schema)}")
    opened.execute(
        f"create table if not exists {_ledger(opened)} (event_number bigint, kind string, at timestamp, "
        f"publication_id string, replaced string, publication string) using iceberg "
        f"tblproperties ('write.metadata.delete-after-commit.enabled' = 'true')"
    )


def _ledger(opened: Session) -> str:
    return sql.identifier(opened.settings.publications_schema, _EVENTS)


def _events(opened: Session) -> list[Event]:
    schema = opened.settings.publications_schema
    if schema not in _schemas(opened) or _EVENTS not in _tables_in(opened, schema):
        return []
    rows = opened.rows(
        f"select kind, at, publication_id, replaced, publication from {_ledger(opened)} order by event_number"
    )
    return [Event(*row[:4], publication=row[4] and Publication.from_json(row[4])) for row in rows]


def _facts(events: Sequence[Event]) -> dict[str, Publication]:
    return {event.publication_id: event.publication for event in events if event.publication is not None}


def _schemas(opened: Session) -> list[str]:
    return [row[0] for row in opened.rows(f"show schemas like {sql.text(opened.settings.prefix + '_*')}")]


def _tables_in(opened: Session, schema: str) -> list[str]:
    """Tables and views of a schema that exists."""
    return [row[1] for row in opened.rows(f"show tables in {sql.identifier(schema)}")]


def _state(opened: Session) -> State:
    settings, events = opened.settings, _events(opened)
    schemas = [schema for schema in _schemas(opened) if schema.startswith(settings.version_prefix)]
    listed = opened.for_each(schemas, _tables_in)
    found = {schema: tuple(map(_table_of, names)) for schema, names in zip(schemas, listed, strict=True)}
    versions = {}
    for publication_id, publication in sorted(_facts(events).items()):
        tables = found.get(settings.version_schema(publication_id), ())
        # one with fewer was being dropped
        if len(tables) == publication.tables:
            versions[publication_id] = Version(publication, found.pop(settings.version_schema(publication_id)))
    if events:
        # what is left of it is all that readers have
        found.pop(settings.version_schema(events[-1].publication_id), None)
    return State(events, versions, found)


def _relation(opened: Session, publication_id: str, table: Table) -> str:
    """The table of a version, whose name tells its layer too."""
    return sql.identifier(opened.settings.version_schema(publication_id), "_".join(table))


def _table_of(name: str) -> Table:
    layer, _, table = name.partition("_")
    return layer, table


# Step 1: the version


def _make_version(
    opened: Session, tables: Sequence[Table], facts: PublicationFacts, state: State, descriptions: Descriptions
) -> Version:
    wanted = sorted(set(tables) - {PUBLICATIONS, DICTIONARY})
    _refuse_missing(opened, wanted)
    schemas = _schemas(opened)
    publication_id = new_id(lambda name: opened.settings.version_schema(name) in schemas)
    opened.execute(f"create schema {sql.identifier(opened.settings.version_schema(publication_id))}")
    counts = _copy(opened, publication_id, wanted)
    if descriptions:
        rows = list(dictionary_rows(descriptions))
        counts[DICTIONARY] = _add_table(opened, publication_id, DICTIONARY, DICTIONARY_COLUMNS, rows)
    earlier = list(_facts(state.events).values())
    publication = describe(publication_id, facts, counts, earlier)
    rows = [known.values() for known in (*earlier, publication)]
    counts[PUBLICATIONS] = _add_table(opened, publication_id, PUBLICATIONS, PUBLICATION_COLUMNS, rows)
    _verify(opened, publication_id, counts)
    return Version(publication, tuple(counts))


def _refuse_missing(opened: Session, wanted: Sequence[Table]) -> None:
    built = {table: built_as(table) for table in wanted}
    build = {layer: opened.settings.build_schema(layer) for layer in sorted({layer for layer, _ in built.values()})}
    there = _schemas(opened)
    found = {layer: _tables_in(opened, schema) if schema in there else [] for layer, schema in build.items()}
    missing = [".".join(table) for table, (layer, name) in built.items() if name not in found[layer]]
    where = f"in the schemas {opened.settings.build_schema('*')}"
    if missing:
        raise PublicationError(f"The build {where} lacks {', '.join(missing)}. Refresh again, with FULL_REFRESH=1.")
    if not wanted:
        raise PublicationError(f"The build {where} has no table to publish.")


def _copy(opened: Session, publication_id: str, tables: Sequence[Table]) -> dict[Table, int]:
    """Copy tables of the build into the version; return how many rows each has in the build."""

    def copy(other: Session, table: Table) -> int:
        layer, name = built_as(table)
        source = sql.identifier(other.settings.build_schema(layer), name)
        other.execute(f"create table {_relation(other, publication_id, table)} using iceberg as select * from {source}")
        return _count(other, source)

    return dict(zip(tables, opened.for_each(tables, copy), strict=True))


def _add_table(
    opened: Session, publication_id: str, table: Table, kinds: Mapping[str, str], rows: Sequence[tuple[object, ...]]
) -> int:
    """Add a table that no model makes to the version; return its number of rows."""
    query = sql.rows(kinds, rows)
    opened.execute(f"create table {_relation(opened, publication_id, table)} using iceberg as {query}")
    return len(rows)


def _verify(opened: Session, publication_id: str, counts: Mapping[Table, int]) -> None:
    """Check that no table has gained or lost a row on the way."""
    found = opened.for_each(counts, lambda other, table: _count(other, _relation(other, publication_id, table)))
    for (table, expected), rows in zip(counts.items(), found, strict=True):
        if rows != expected:
            raise PublicationError(
                f"The copy has {rows} rows of {'.'.join(table)}, the build has {expected}. The version was not "
                f"published. Check that nothing else writes to the build, and refresh again."
            )


def _count(opened: Session, relation: str) -> int:
    return opened.rows(f"select count(*) from {relation}")[0][0]


# Step 2: views that turn


def _open_views(opened: Session, old: Version | None, new: Version) -> None:
    """Have every view of the new version show the old or the new one, as the ledger says."""
    there = _views(opened)

    def replace(other: Session, table: Table) -> None:
        has_old = old is not None and table in old.tables
        query = _turning_query(other, old.id if has_old else None, new.id, table)
        _replace_view(other, table, query, exists=table in there)

    opened.for_each(new.tables, replace)


def _turning_query(opened: Session, old_id: str | None, new_id: str, table: Table) -> str:
    current_id = f"(select max_by(publication_id, event_number) from {_ledger(opened)})"
    new_kinds = _kinds(opened, _relation(opened, new_id, table))
    names = ", ".join(sql.identifier(name) for name in new_kinds)
    query = f"select {names} from {_relation(opened, new_id, table)} where {current_id} = {sql.text(new_id)}"
    if old_id is None:
        return query
    old_kinds = _kinds(opened, _relation(opened, old_id, table))
    columns = ", ".join(_as_new(name, old_kinds.get(name), kind) for name, kind in new_kinds.items())
    old = f"select {columns} from {_relation(opened, old_id, table)} where {current_id} = {sql.text(old_id)}"
    return f"{old} union all {query}"


def _as_new(name: str, old_kind: str | None, kind: str) -> str:
    """A column of the old version as the new one has it: for the seconds before the switch."""
    column = sql.identifier(name)
    if old_kind == kind:
        return column
    # by way of text, from and to which every type can be cast
    given = "null" if old_kind is None else f"cast({column} as string)"
    return f"cast({given} as {kind}) as {column}"


def _kinds(opened: Session, relation: str) -> dict[str, str]:
    kinds = {}
    for name, kind, _ in opened.rows(f"describe table {relation}"):
        # partitions and other sections follow
        if not name or name.startswith("#"):
            break
        kinds[name] = kind
    return kinds


def _views(opened: Session) -> dict[Table, str]:
    """What Spark tells of each view of the published schemas: in its own catalog, the query among the rest."""
    found = {}
    for layer in PUBLISHED_SCHEMAS:
        if not opened.settings.in_session_catalog:
            rows = opened.rows(f"show views in {sql.identifier(_schema(opened, layer))}")
            found.update({(layer, name): "" for _, name, _ in rows})
            continue
        rows = opened.rows(f"show table extended in {sql.identifier(_schema(opened, layer))} like '*'")
        found.update({(layer, name): information for _, name, _, information in rows})
    return found


def _replace_view(opened: Session, table: Table, query: str, *, exists: bool) -> None:
    """Make a view, or replace it in one step: in Spark's own catalog `create or replace` is two, a drop the first."""
    in_two_steps = opened.settings.in_session_catalog
    verb = ("alter" if exists else "create") if in_two_steps else "create or replace"
    opened.execute(f"{verb} view {_view_name(opened, table)} as {query}")


def _view_name(opened: Session, table: Table) -> str:
    return opened.settings.view_name(_schema(opened, table[0]), table[1])


# Step 3: the switch. Step 4: plain views


def _turn(opened: Session, event: Event, new: Version, state: State, settle_seconds: float) -> None:
    with _raised_as_publication_error(
        f"Spark did not confirm that {new.id} is published. Readers see one whole version; look which."
    ):
        # a query that has met a plain view of the old version must not meet another that has turned
        time.sleep(settle_seconds)
        _append(opened, event)
    with _raised_as_publication_error(
        f"{new.id} is published, but its views could not be settled. The next refresh or rollback does it."
    ):
        # and one that met a view before it turned must not meet a plain one of the new version
        time.sleep(settle_seconds)
        _settle(opened, new, state)


def _append(opened: Session, event: Event) -> None:
    publication = None if event.publication is None else json.dumps(json.loads(event.publication.to_json()))
    values = {
        "kind": event.kind,
        "at": event.at,
        "publication_id": event.publication_id,
        "replaced": event.replaced,
        "publication": publication,
    }
    kinds = dict.fromkeys(values, "VARCHAR") | {"at": "TIMESTAMP"}
    given = sql.rows(kinds, [tuple(values.values())])
    opened.execute(
        f"insert into {_ledger(opened)} select numbered.event_number, event.* from ({given}) as event cross join "
        f"(select coalesce(max(event_number), 0) + 1 as event_number from {_ledger(opened)}) as numbered"
    )


def _settle(opened: Session, published: Version | None, state: State) -> None:
    """Have every view show the published version, without asking the ledger, and drop the views that it has not."""
    tables = () if published is None else published.tables
    there = _views(opened)

    def replace(other: Session, table: Table) -> None:
        query = f"select * from {_relation(other, published.id, table)}"
        if f"View Text: {query}\n" not in there.get(table, ""):
            _replace_view(other, table, query, exists=table in there)

    opened.for_each(tables, replace)
    # of other versions only: somebody may have put views of their own beside ours
    known = {table for version in state.versions.values() for table in version.tables}
    known.update(table for found in state.leftovers.values() for table in found)
    gone = sorted((known & there.keys()) - set(tables))
    opened.for_each(gone, lambda other, table: other.execute(f"drop view {_view_name(other, table)}"))


# Step 5: older versions


def _prune(opened: Session, keep: int) -> None:
    state = _state(opened)
    published = state.published.id if state.published else None
    ids = outdated(state.events, published, list(state.versions), max(keep, LEAST_KEPT))
    _drop(opened, {opened.settings.version_schema(name): state.versions[name].tables for name in ids})


def _drop(opened: Session, schemas: Mapping[str, Sequence[Table]]) -> None:
    relations = [sql.identifier(schema, "_".join(table)) for schema, tables in schemas.items() for table in tables]
    opened.for_each(relations, lambda other, relation: other.execute(f"drop table if exists {relation} purge"))
    for schema in schemas:
        opened.execute(f"drop schema if exists {sql.identifier(schema)}")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@contextlib.contextmanager
def _raised_as_publication_error(what_happened: str) -> Iterator[None]:
    try:
        yield
    except SparkError as error:
        raise PublicationError(f"{what_happened} {error}") from error
