"""Having the copy for BI follow what is published, and telling what became of it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence

from orchestration.bi.bi_settings import DSN, BiSettings
from orchestration.engines.engine import Engine
from orchestration.errors import CopyError, StickinessError
from orchestration.progress import remark
from orchestration.retries import patiently

_AGAIN = "What is published in the warehouse stands. The next make run or make rollback tries again."


def follow(
    engine: Engine,
    before: str | None,
    environ: Mapping[str, str] = os.environ,
    announce: Callable[[str], None] = remark,
    waits: Sequence[float] = (),
) -> list[str]:
    """Copy what is published now to the database that the environment names, if it names one; what to tell of it.

    An error is told, never raised, and so is Ctrl-C: the publication stands, whatever becomes of its copy.

    Args:
        engine: where the publication is; nothing else may publish meanwhile.
        before: id of what was published before, which the copy should have been of.
        environ: the environment.
        announce: told before a copy, which may take long.
        waits: seconds before each new attempt, where the database does not answer or is busy.
    """
    try:
        settings = BiSettings.from_environ(environ)
        if settings is None:
            return []
        announce("copying to PostgreSQL")
        return patiently(lambda: _copy(engine, settings, before), waits)
    except StickinessError as error:
        return [f"The copy in PostgreSQL could not be made, and is what it was before. {error}", _AGAIN]
    except Exception as error:
        # its text may hold what must not be shown
        return [
            f"The copy in PostgreSQL could not be made: a defect of the project, {type(error).__name__}.",
            _AGAIN,
        ]
    except BaseException as error:
        if not _is_interruption(error):
            raise
        return ["The copy in PostgreSQL was interrupted, and is what it was before.", _AGAIN]


def _is_interruption(error: BaseException) -> bool:
    # Dagster raises its own in a step; its package is slow to import, for a rollback too
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "DagsterExecutionInterruptedError"


def _copy(engine: Engine, settings: BiSettings, before: str | None) -> list[str]:
    if importlib.util.find_spec("psycopg") is None:
        raise CopyError(
            f"{DSN} is set, but the package psycopg is not installed. `make run` and `make rollback` install "
            "it where pip reaches a package index."
        )
    from orchestration.bi.postgres import copy_publication

    publication = engine.current()
    if publication is None:
        raise CopyError("Nothing is published.")
    with engine.read_tables() as tables:
        held = copy_publication(settings, publication, tables)
    lines = [f"PostgreSQL: the schema {settings.schema} is a copy of {publication.publication_id}"]
    if held is not None and held not in (before, publication.publication_id):
        lines.append(f"It was behind until now: it held {held}, while {before or 'nothing'} was published.")
    return lines
