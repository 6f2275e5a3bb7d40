"""Copying a publication into a schema of PostgreSQL, in one transaction.

The tables are filled and the views made in schemas that nobody knows, which take the place of the old ones at the end.
Whatever stops it on the way leaves the old ones. All tables of the old copy are locked before the schemas change: a
query that has begun to read one of them would otherwise find the next one in the new copy.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Composable, Identifier, Literal

from orchestration.bi import statements
from orchestration.bi.bi_settings import DSN, BiSettings
from orchestration.bi.meanings import Meaning, meanings
from orchestration.descriptions import DICTIONARY, WRITTEN_BY_PUBLICATION
from orchestration.errors import CopyError, shown
from orchestration.publishing import LABELS, Publication, PublishedTable

NOTE = "copied_publication"
# shorter than PostgreSQL waits before it ends one of two that wait for each other, which could be a reader
LOCK_MILLISECONDS = 500
PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 10
_MESSAGE_CHARACTERS = 500


def copied_publication(settings: BiSettings) -> str | None:
    """The id of the publication that the schema holds a copy of; None if it holds none.

    Raises:
        CopyError: the database cannot be reached.
    """
    with _connection(settings) as connection:
        return _note(connection, settings)[0]


def copy_publication(
    settings: BiSettings,
    publication: Publication,
    tables: Sequence[PublishedTable],
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Have the schemas hold a copy of the publication, and nothing else of this project.

    Args:
        settings: the database, and how the copy is made.
        publication: what is published.
        tables: its tables.
        patience: how many seconds readers may hold tables of the old copy.

    Raises:
        CopyError: nothing was changed; the message says why, and what to do.
    """
    with _connection(settings) as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"stickiness {settings.schema}"])
        old = _relations_of_copy(connection, settings)
        new = Copy(connection, settings, {table.table[1]: table for table in tables})
        new.make(publication)
        _lock(connection, old, patience)
        _replace(connection, settings, old)


class Copy:
    """A copy that is being made in schemas of its own."""

    def __init__(self, connection: psycopg.Connection, settings: BiSettings, tables: dict[str, PublishedTable]) -> None:
        self._connection = connection
        self._settings = settings
        self._tables = tables
        self._meanings = meanings(_dictionary(tables))
        self._relations: list[str] = []

    def make(self, publication: Publication) -> None:
        """Make everything but the switch."""
        _make_roles(self._connection, self._settings)
        for schema in _schemas(self._settings):
            self._run(SQL("create schema {}").format(Identifier(_next(schema))))
        for name, table in self._tables.items():
            self._fill(name, table)
        for name, table in self._tables.items():
            self._make_views(name, table)
        self._write_note(publication)
        self._grant()

    def _meaning(self, name: str) -> Meaning:
        return self._meanings.get(name, Meaning())

    def _run(self, statement: Composable) -> None:
        self._connection.execute(statement)

    def _fill(self, name: str, table: PublishedTable) -> None:
        schema, columns = _next(self._settings.schema), list(table.columns)
        self._run(statements.create_table(schema, name, table.columns))
        converters = [
            (place, convert)
            for place, of in enumerate(table.columns.values())
            if (convert := statements.converter(of)) is not None
        ]
        with self._connection.cursor().copy(statements.copy_in(schema, name, columns)) as copy:
            for batch in table.rows():
                for row in batch:
                    values = list(row)
                    for place, convert in converters:
                        values[place] = convert(values[place])
                    copy.write_row(values)
        key = self._meaning(name).key
        if key and set(key) <= set(columns):
            self._run(statements.primary_key(schema, name, key))
        self._run(SQL("analyze {}").format(Identifier(schema, name)))
        self._comment(self._settings.schema, name, table, columns, is_view=False)

    def _make_views(self, name: str, table: PublishedTable) -> None:
        source, columns, meaning = _next(self._settings.schema), list(table.columns), self._meaning(name)
        if table.table[0] != LABELS:
            called = statements.chinese_names(columns, meaning.chinese)
            self._run(statements.chinese_view(_next(self._settings.chinese), source, name, columns, meaning))
            self._comment(self._settings.chinese, name, table, list(called.values()), is_view=True)
        aggregates = _next(self._settings.aggregates)
        if table.table[0] == LABELS or table.table in WRITTEN_BY_PUBLICATION:
            self._run(statements.plain_view(aggregates, source, name, columns))
        elif meaning.customers and {*meaning.customers, *meaning.within} <= set(columns):
            least = self._settings.least_customers
            self._run(statements.aggregates_view(aggregates, source, name, columns, meaning, least))
        else:
            # of single customers, or of rows of which nobody knows how many customers they are made of
            return
        self._comment(self._settings.aggregates, name, table, columns, is_view=True)

    def _comment(self, schema: str, name: str, table: PublishedTable, called: Sequence[str], *, is_view: bool) -> None:
        said = dict(zip(called, (table.comments.get(column) or "" for column in table.columns), strict=True))
        self._run(statements.comments(_next(schema), name, is_view, table.comment, said))
        self._relations.append(f"{schema}.{name}")

    def _write_note(self, publication: Publication) -> None:
        relation = Identifier(_next(self._settings.schema), NOTE)
        self._run(
            SQL(
                "create table {} (publication_id text primary key, published_at timestamp with time zone, "
                "as_of_date date, company_id text, copied_at timestamp with time zone, relations text[])"
            ).format(relation)
        )
        self._run(SQL("comment on table {} is 'The publication that this schema is a copy of.'").format(relation))
        self._relations.append(f"{self._settings.schema}.{NOTE}")
        self._connection.execute(
            SQL("insert into {} values (%s, %s, %s, %s, %s, %s)").format(relation),
            [
                publication.publication_id,
                publication.published_at.replace(tzinfo=UTC),
                publication.as_of_date,
                publication.company_id,
                datetime.now(UTC),
                self._relations,
            ],
        )

    def _grant(self) -> None:
        rights = (
            (self._settings.schema, self._settings.reader),
            (self._settings.chinese, self._settings.reader),
            (self._settings.aggregates, self._settings.aggregates),
        )
        for schema, role in rights:
            named = {"schema": Identifier(_next(schema)), "role": Identifier(role)}
            self._run(SQL("grant usage on schema {schema} to {role}").format(**named))
            self._run(SQL("grant select on all tables in schema {schema} to {role}").format(**named))


def _schemas(settings: BiSettings) -> tuple[str, ...]:
    return settings.schema, settings.chinese, settings.aggregates


def _next(schema: str) -> str:
    """Where a schema is made; no reader ever sees it."""
    return f"{schema}_next"


def _dictionary(tables: dict[str, PublishedTable]) -> Iterator[dict[str, object]]:
    """The rows of quality.dictionary; none in what an earlier release has published."""
    found = tables.get(DICTIONARY[1])
    if found is not None and found.table == DICTIONARY:
        for batch in found.rows():
            yield from (dict(zip(found.columns, row, strict=True)) for row in batch)


def _make_roles(connection: psycopg.Connection, settings: BiSettings) -> None:
    for role in (settings.reader, settings.aggregates):
        if connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone() is None:
            try:
                connection.execute(SQL("create role {} nologin").format(Identifier(role)))
            except errors.InsufficientPrivilege:
                raise CopyError(
                    f"The role {role} does not exist, and the user of {DSN} may not create it. Have an administrator "
                    f"of the database run: create role {settings.reader} nologin; create role {settings.aggregates} "
                    f"nologin;"
                ) from None


def _note(connection: psycopg.Connection, settings: BiSettings) -> tuple[str | None, list[str]]:
    """The id of the publication that was copied, and the relations of the copy, each with its schema."""
    relation = Identifier(settings.schema, NOTE)
    [(there,)] = connection.execute("select to_regclass(%s)", [relation.as_string(connection)]).fetchall()
    if there is None:
        return None, []
    [(publication_id, relations)] = connection.execute(
        SQL("select publication_id, relations from {}").format(relation)
    ).fetchall()
    return publication_id, relations


def _relations_of_copy(connection: psycopg.Connection, settings: BiSettings) -> list[tuple[str, str]]:
    """Schema and name of everything that the copy before is made of; CopyError if the schemas are somebody else's."""
    publication_id, listed = _note(connection, settings)
    if publication_id is not None:
        named = [relation.split(".", 1) for relation in listed]
        # somebody may have dropped some
        return connection.execute(
            "select nspname, relname from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid "
            "inner join unnest(%s::text[], %s::text[]) as listed (schema, name) on nspname = schema and relname = name",
            [[schema for schema, _ in named], [name for _, name in named]],
        ).fetchall()
    taken = connection.execute(
        "select nspname from pg_namespace where nspname = any(%s) order by 1", [list(_schemas(settings))]
    ).fetchall()
    if taken:
        raise CopyError(
            f"The schema {taken[0][0]} exists and is no copy of a publication. It was left alone. Drop it, or name "
            f"another: PUBLISH_POSTGRES_SCHEMA=<name>"
        )
    return []


def _lock(connection: psycopg.Connection, relations: Sequence[tuple[str, str]], patience: float) -> None:
    """Wait until nobody reads the old copy, and keep everybody waiting who comes until the new one is there."""
    if not relations:
        return
    listed = SQL(", ").join(Identifier(*relation) for relation in relations)
    end = time.monotonic() + patience
    while True:
        try:
            with connection.transaction():
                connection.execute(SQL("set local statement_timeout = {}").format(Literal(LOCK_MILLISECONDS)))
                connection.execute(SQL("lock table {} in access exclusive mode").format(listed))
                connection.execute("set local statement_timeout = 0")
            return
        except (errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected):
            if time.monotonic() > end:
                raise CopyError(_who_reads(connection, relations)) from None
        time.sleep(_PAUSE_SECONDS)


def _who_reads(connection: psycopg.Connection, relations: Sequence[tuple[str, str]]) -> str:
    sessions = connection.execute(
        "select distinct activity.pid, activity.usename, activity.application_name from pg_locks as locks "
        "inner join pg_class as relation on locks.relation = relation.oid "
        "inner join pg_namespace as namespace on relation.relnamespace = namespace.oid "
        "inner join pg_stat_activity as activity on locks.pid = activity.pid "
        "where locks.granted and activity.pid != pg_backend_pid() and namespace.nspname = any(%s) order by 1",
        [sorted({schema for schema, _ in relations})],
    ).fetchall()
    found = ", ".join(f"{pid} (user {user}, {name or 'no name'})" for pid, user, name in sessions[:5])
    return (
        f"Readers hold tables of the old copy in an open transaction, and were waited for in vain: process "
        f"{found or 'unknown'}. Have their program end its transactions, or end them: select "
        f"pg_terminate_backend(<process>)"
    )


def _replace(connection: psycopg.Connection, settings: BiSettings, old: Sequence[tuple[str, str]]) -> None:
    """Drop the old copy, and nothing that is somebody else's, and give the new one its names."""
    views = [relation for relation in old if relation[0] != settings.schema]
    tables = [relation for relation in old if relation[0] == settings.schema]
    try:
        for what, relations in (("view", views), ("table", tables)):
            if relations:
                listed = SQL(", ").join(Identifier(*relation) for relation in relations)
                connection.execute(SQL("drop {} if exists {}").format(SQL(what), listed))
        if old:
            connection.execute(SQL("drop schema {}").format(statements.names(_schemas(settings))))
    except errors.DependentObjectsStillExist as error:
        raise CopyError(
            f"Something that is not of this project is in the schemas of the copy, or reads them: "
            f"{shown(error.diag.message_detail or '', _MESSAGE_CHARACTERS)}. It was left alone. Drop it, and make it "
            f"elsewhere without a dependency, such as in the BI tool."
        ) from None
    for schema in _schemas(settings):
        connection.execute(SQL("alter schema {} rename to {}").format(Identifier(_next(schema)), Identifier(schema)))


@contextlib.contextmanager
def _connection(settings: BiSettings) -> Iterator[psycopg.Connection]:
    """A session in UTC. No error says more of the connection string than where it leads."""
    try:
        given = conninfo_to_dict(settings.dsn)
    except psycopg.ProgrammingError:
        raise CopyError(
            f"{DSN} is no connection string; expected postgresql://user:password@host:5432/database or "
            f"host=... dbname=... user=..."
        ) from None
    wanted = {"connect_timeout": _CONNECT_SECONDS, "application_name": "stickiness"} | given
    try:
        with psycopg.connect(make_conninfo(**wanted), autocommit=True) as connection:
            connection.execute("set time zone 'UTC'")
            connection.execute("set statement_timeout = 0")
            yield connection
    except psycopg.Error as error:
        # what it says beyond that may quote a row
        said = error.diag.message_primary or str(error)
        if given.get("password"):
            said = said.replace(str(given["password"]), "***")
        raise CopyError(f"PostgreSQL refuses: {shown(said.strip(), _MESSAGE_CHARACTERS)}") from None
