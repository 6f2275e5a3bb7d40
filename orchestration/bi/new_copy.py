"""A copy of a publication as it is made: tables, views, roles and rights, in schemas that no reader sees yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Composable, Identifier

from orchestration.bi import statements
from orchestration.bi.bi_settings import DSN, BiSettings
from orchestration.bi.meanings import BYTES_OF_NAME, Meaning, chinese_names, fits, meanings
from orchestration.descriptions import DICTIONARY, WRITTEN_BY_PUBLICATION
from orchestration.errors import CopyError
from orchestration.publishing import LABELS, Publication, PublishedTable

NOTE = "copied_publication"


class NewCopy:
    """A copy that is being made in schemas of its own."""

    def __init__(
        self, connection: psycopg.Connection, settings: BiSettings, tables: Mapping[str, PublishedTable]
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._tables = tables
        self._meanings = meanings(_dictionary(tables))
        self._relations: list[str] = []

    def make(self, publication: Publication) -> None:
        """Make everything but the switch."""
        _check_names(self._tables)
        _make_roles(self._connection, self._settings)
        for schema in self._settings.schemas:
            self._run(SQL("create schema {}").format(Identifier(next_name(schema))))
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
        schema, columns = next_name(self._settings.schema), list(table.columns)
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
            # a key of several kilobytes has no index; the table is copied without it
            with contextlib.suppress(errors.ProgramLimitExceeded), self._connection.transaction():
                self._run(statements.primary_key(schema, name, key))
        self._run(SQL("analyze {}").format(Identifier(schema, name)))
        self._comment(self._settings.schema, name, table, columns, is_view=False)

    def _make_views(self, name: str, table: PublishedTable) -> None:
        source, columns, meaning = next_name(self._settings.schema), list(table.columns), self._meaning(name)
        if table.table[0] != LABELS:
            called = chinese_names(columns, meaning.chinese)
            self._run(statements.view(next_name(self._settings.chinese), source, name, called))
            self._comment(self._settings.chinese, name, table, list(called.values()), is_view=True)
        aggregates = next_name(self._settings.aggregates)
        if table.table[0] == LABELS or table.table in WRITTEN_BY_PUBLICATION:
            self._run(statements.view(aggregates, source, name, dict(zip(columns, columns, strict=True))))
        elif meaning.customers and {*meaning.customers, *meaning.within} <= set(columns):
            least = self._settings.least_customers
            self._run(statements.aggregates_view(aggregates, source, name, columns, meaning, least))
        else:
            # of single customers, or of rows of which nobody knows how many customers they are made of
            return
        self._comment(self._settings.aggregates, name, table, columns, is_view=True)

    def _comment(self, schema: str, name: str, table: PublishedTable, called: Sequence[str], *, is_view: bool) -> None:
        said = dict(zip(called, (table.comments.get(column) or "" for column in table.columns), strict=True))
        self._run(statements.comments(next_name(schema), name, is_view, table.comment, said))
        self._relations.append(f"{schema}.{name}")

    def _write_note(self, publication: Publication) -> None:
        relation = Identifier(next_name(self._settings.schema), NOTE)
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
            named = {"schema": Identifier(next_name(schema)), "role": Identifier(role)}
            self._run(SQL("grant usage on schema {schema} to {role}").format(**named))
            self._run(SQL("grant select on all tables in schema {schema} to {role}").format(**named))


def next_name(schema: str) -> str:
    """Where a schema is made; no reader ever sees it."""
    return f"{schema}_next"


def _check_names(tables: Mapping[str, PublishedTable]) -> None:
    """CopyError for a name that PostgreSQL would cut, which the next copy would not find again, or has no room for."""
    for name, table in tables.items():
        if name == NOTE:
            raise CopyError(f"The mart {name} has the name of a table that the copy makes. Give it another alias.")
        for what in (name, *table.columns):
            if not fits(what):
                raise CopyError(
                    f"{what} in the mart {name} has {len(what.encode())} bytes; PostgreSQL cuts names at "
                    f"{BYTES_OF_NAME}. Give it a shorter name."
                )


def _dictionary(tables: Mapping[str, PublishedTable]) -> Iterator[dict[str, object]]:
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
