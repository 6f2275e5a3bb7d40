"""Putting a new copy in the place of the old one, with no reader in between."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Identifier, Literal

from orchestration.bi import statements
from orchestration.bi.bi_settings import BiSettings
from orchestration.bi.new_copy import next_name
from orchestration.bi.patience import succeeds
from orchestration.errors import CopyDelayedError, CopyError, shown

# shorter than PostgreSQL waits before it ends one of two that wait for each other, which could be a reader
LOCK_MILLISECONDS = 500
_MESSAGE_CHARACTERS = 500

# schema and name
Relation = tuple[str, str]


def lock(connection: psycopg.Connection, relations: Sequence[Relation], patience: float) -> None:
    """Wait until nobody reads the old copy, and keep everybody waiting who comes until the new one is there."""
    if not relations:
        return
    if not succeeds(lambda: _is_locked(connection, relations), patience):
        raise CopyDelayedError(_who_reads(connection, relations))


def _is_locked(connection: psycopg.Connection, relations: Sequence[Relation]) -> bool:
    listed = SQL(", ").join(Identifier(*relation) for relation in relations)
    try:
        with connection.transaction():
            connection.execute(SQL("set local statement_timeout = {}").format(Literal(LOCK_MILLISECONDS)))
            connection.execute(SQL("lock table {} in access exclusive mode").format(listed))
            connection.execute("set local statement_timeout = 0")
    except (errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected):
        return False
    return True


def _who_reads(connection: psycopg.Connection, relations: Sequence[Relation]) -> str:
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


def replace(connection: psycopg.Connection, settings: BiSettings, old: Sequence[Relation]) -> None:
    """Drop the old copy, and nothing that is somebody else's, and give the new one its names."""
    views = [relation for relation in old if relation[0] != settings.schema]
    tables = [relation for relation in old if relation[0] == settings.schema]
    try:
        for what, relations in (("view", views), ("table", tables)):
            if relations:
                listed = SQL(", ").join(Identifier(*relation) for relation in relations)
                connection.execute(SQL("drop {} if exists {}").format(SQL(what), listed))
        if old:
            connection.execute(SQL("drop schema {}").format(statements.names(settings.schemas)))
    except errors.DependentObjectsStillExist as error:
        said = " ".join((error.diag.message_detail or "").split())
        raise CopyError(
            f"Something that is not of this project is in the schemas of the copy, or reads them: "
            f"{shown(said, _MESSAGE_CHARACTERS)}. It was left alone. Drop it, and make it elsewhere without a "
            f"dependency, such as in the BI tool."
        ) from None
    for schema in settings.schemas:
        connection.execute(
            SQL("alter schema {} rename to {}").format(Identifier(next_name(schema)), Identifier(schema))
        )
