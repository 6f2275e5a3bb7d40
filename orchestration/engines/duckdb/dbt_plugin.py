"""What dbt finds on DuckDB where no refresh has come before it; profiles.yml names it as a plugin of dbt-duckdb.

It runs before dbt's first statement, of any command that opens the database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from orchestration.contract import load_contract
from orchestration.engines.duckdb.build import fill
from orchestration.landing.land import Landing
from orchestration.modes import make_private
from orchestration.settings import ROOT, Settings, defaults_of, read_company_settings
from orchestration.warehouse_lock import unwritable


class Plugin(BasePlugin):
    """Makes the folder of the build database and, where nothing is registered, what the models read: empty."""

    @property
    def _warehouse(self) -> Path:
        return Path(self.creds.path).parent.parent

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        try:
            make_private(Path(creds.path).parent)
        except OSError as error:
            raise DbtRuntimeError(unwritable(self._warehouse, error)) from error

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        if not _is_registered(conn):
            defaults = defaults_of(read_company_settings(ROOT))
            settings = Settings(ROOT, self._warehouse, self._warehouse, defaults=defaults)
            conn.execute("BEGIN")
            fill(conn, Landing((), (), ()), settings, load_contract(ROOT), "dbt", datetime.now(UTC))
            conn.execute("COMMIT")
        if not conn.execute("SELECT 1 FROM operations.raw_files LIMIT 1").fetchone():
            fire_event(Note(msg=nothing_landed(self._warehouse)), level=EventLevel.WARN)


def _is_registered(conn: DuckDBPyConnection) -> bool:
    # the tables of operations are written together; a warehouse of an older version lacks this one
    found = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'operations' AND table_name = 'value_repairs'"
    return conn.execute(found).fetchone() is not None


def nothing_landed(warehouse: Path) -> str:
    """What a person is told whose warehouse holds no rows of a company."""
    return (
        f"No rows have been landed in {warehouse}: `dbt build` makes every mart empty, and other commands find no more "
        f"than it has made. Land a company first: `make run` for the sample, `make run RAW=<folder>` for your own."
    )
