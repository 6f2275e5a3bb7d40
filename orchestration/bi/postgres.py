"""Copying a publication into a schema of PostgreSQL, in one transaction.

The tables are filled and the views made in schemas that nobody knows, which take the place of the old ones at the end.
Whatever stops it on the way leaves the old ones. All tables of the old copy are locked before the schemas change: a
query that has begun to read one of them would otherwise find the next one in the new copy.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from orchestration.bi.bi_settings import DSN, SCHEMA, BiSettings
from orchestration.bi.new_copy import NOTE, NewCopy
from orchestration.bi.switch import Relation, lock, replace
from orchestration.bi.turn import take_turn
from orchestration.errors import CopyDelayedError, CopyError, shown
from orchestration.publishing import Publication, PublishedTable

PATIENCE_SECONDS = 120.0
_MESSAGE_CHARACTERS = 500
# psycopg tells on stderr that it could not end a copy on a connection that is gone, which is told here anyway
logging.getLogger("psycopg").addHandler(logging.NullHandler())

# what the connection string may say otherwise; a server that is gone is noticed, while the warehouse is locked
_DEFAULTS = {
    "connect_timeout": 10,
    "application_name": "stickiness",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SECRETS = ("password", "sslpassword")
_NO_DSN = (
    f"{DSN} is no connection string; expected postgresql://user:password@host:5432/database or "
    f"host=... dbname=... user=... In the first form, write @ : / # ? % of a password as %40 %3A %2F %23 %3F %25"
)


def copy_publication(
    settings: BiSettings,
    publication: Publication,
    tables: Sequence[PublishedTable],
    patience: float = PATIENCE_SECONDS,
) -> str | None:
    """Have the schemas hold a copy of the publication, and nothing else of this project.

    Returns the id of the publication that they held a copy of before; None if they held none.

    Args:
        settings: the database, and how the copy is made.
        publication: what is published.
        tables: its tables.
        patience: for how many seconds another copy, and then readers of the old one, are waited for.

    Raises:
        CopyError: nothing was changed; the message says why, and what to do.
    """
    with _connection(settings) as connection, connection.transaction():
        take_turn(connection, settings.schema, patience)
        note = _note(connection, settings)
        old = _relations_of_copy(connection, settings, publication, note)
        new = NewCopy(connection, settings, {table.table[1]: table for table in tables})
        new.make(publication)
        lock(connection, old, patience)
        replace(connection, settings, old)
    return None if note is None else note.publication_id


@dataclass(frozen=True)
class _Note:
    """What a copy says of itself: the publication that it is of, and its relations, each with its schema."""

    publication_id: str
    company_id: str | None
    relations: list[str]


def _note(connection: psycopg.Connection, settings: BiSettings) -> _Note | None:
    """The note of the copy; None where there is no copy."""
    relation = Identifier(settings.schema, NOTE)
    [(there,)] = connection.execute("select to_regclass(%s)", [relation.as_string(connection)]).fetchall()
    if there is None:
        return None
    found = connection.execute(SQL("select publication_id, company_id, relations from {}").format(relation)).fetchone()
    # somebody may have emptied it
    return None if found is None else _Note(*found)


def _relations_of_copy(
    connection: psycopg.Connection, settings: BiSettings, publication: Publication, note: _Note | None
) -> list[Relation]:
    """Schema and name of everything that the copy before is made of; CopyError if the schemas are somebody else's."""
    if note is None:
        _require_free(connection, settings)
        return []
    # release 0.1.0 did not tell whose data it published
    if None not in (note.company_id, publication.company_id) and note.company_id != publication.company_id:
        raise CopyError(
            f"The schema {settings.schema} holds the copy of the company {shown(str(note.company_id))}, and what is "
            f"published is of {shown(str(publication.company_id))}. It was left alone. Name another: "
            f"{SCHEMA}=<name>. Or drop it: drop schema {', '.join(settings.schemas)} cascade"
        )
    named = [relation.split(".", 1) for relation in note.relations]
    # somebody may have dropped some
    return connection.execute(
        "select nspname, relname from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid "
        "inner join unnest(%s::text[], %s::text[]) as listed (schema, name) on nspname = schema and relname = name",
        [[schema for schema, _ in named], [name for _, name in named]],
    ).fetchall()


def _require_free(connection: psycopg.Connection, settings: BiSettings) -> None:
    taken = connection.execute(
        "select nspname from pg_namespace where nspname = any(%s) order by 1", [list(settings.schemas)]
    ).fetchall()
    if taken:
        raise CopyError(
            f"The schema {taken[0][0]} exists and is no copy of a publication. It was left alone. Name another: "
            f"{SCHEMA}=<name>. Or drop it, if nobody needs it"
        )


@contextlib.contextmanager
def _connection(settings: BiSettings) -> Iterator[psycopg.Connection]:
    """A session in UTC. No error says more of the connection string than where it leads."""
    given = _read(settings.dsn)
    try:
        with psycopg.connect(make_conninfo(**(_DEFAULTS | given)), autocommit=True) as connection:
            connection.execute("set time zone 'UTC'")
            connection.execute("set statement_timeout = 0")
            yield connection
    except psycopg.Error as error:
        # what it says beyond that may quote a row
        said = error.diag.message_primary or str(error)
        for name in _SECRETS:
            if given.get(name):
                said = said.replace(str(given[name]), "***")
        # no connection, or one that broke off; that the password is wrong comes in the same way
        is_away = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
        kind = CopyDelayedError if is_away else CopyError
        raise kind(f"PostgreSQL refuses: {shown(' '.join(said.split()), _MESSAGE_CHARACTERS)}") from None


def _read(dsn: str) -> dict[str, Any]:
    """The parts of a connection string; CopyError, which quotes none of them, where it cannot be right."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise CopyError(_NO_DSN) from None
    hosts, database, ports = (str(given.get(name) or "") for name in ("host", "dbname", "port"))
    # the rest of a password that is cut at an @ or a / is read as one of these, and PostgreSQL quotes them; the folder
    # of a socket begins with /
    names = [database, *(host for host in hosts.split(",") if not host.startswith("/"))]
    if "@" in hosts + database or any("/" in name for name in names) or not re.fullmatch(r"[0-9,]*", ports):
        raise CopyError(_NO_DSN)
    return given
