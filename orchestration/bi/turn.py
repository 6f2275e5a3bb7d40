"""One copy at a time: who makes one waits for who is at it, and not for ever."""

from __future__ import annotations

import psycopg

from orchestration.bi.patience import succeeds
from orchestration.errors import CopyDelayedError


def take_turn(connection: psycopg.Connection, schema: str, patience: float) -> None:
    """Keep every other copy to the schema waiting until the transaction ends.

    Raises:
        CopyDelayedError: another session has kept this one waiting for longer than `patience` seconds.
    """
    name = f"stickiness {schema}"
    if not succeeds(lambda: _is_taken(connection, name), patience):
        raise CopyDelayedError(
            f"Another copy to the schema {schema} was waited for in vain: process {_who_copies(connection, name)}. "
            f"Have it end, or end it: select pg_terminate_backend(<process>)"
        )


def _is_taken(connection: psycopg.Connection, name: str) -> bool:
    [(taken,)] = connection.execute("select pg_try_advisory_xact_lock(hashtext(%s))", [name]).fetchall()
    return taken


def _who_copies(connection: psycopg.Connection, name: str) -> str:
    # pg_locks shows the two halves of the number
    found = connection.execute(
        "select activity.pid, activity.usename, activity.application_name from pg_locks as locks "
        "inner join pg_stat_activity as activity on locks.pid = activity.pid "
        "where locks.locktype = 'advisory' and locks.granted and locks.objsubid = 1 "
        "and (locks.classid::bigint << 32) | locks.objid::bigint = hashtext(%s)::bigint "
        "and locks.database = (select oid from pg_database where datname = current_database())",
        [name],
    ).fetchone()
    # it may have ended just now
    return "unknown" if found is None else f"{found[0]} (user {found[1]}, {found[2] or 'no name'})"
