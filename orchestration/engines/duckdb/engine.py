"""The engine of the target duckdb: the build is a file of the warehouse folder, what is published another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np

from orchestration.contract import Contract
from orchestration.descriptions import Descriptions
from orchestration.duckdb_sql import text
from orchestration.engines.duckdb import build, publication
from orchestration.engines.duckdb.publication_ledger import Ledger
from orchestration.engines.duckdb.read_published_file import published_tables
from orchestration.engines.engine import Answer, Ask
from orchestration.errors import PublicationError, WarehouseError, shown
from orchestration.faults import fault_of
from orchestration.landing.land import Landing
from orchestration.publishing import (
    BOARDS_FOLDER,
    Beside,
    Event,
    Publication,
    PublicationFacts,
    PublishedTable,
    Table,
)
from orchestration.settings import Settings


@dataclass(frozen=True)
class DuckDbEngine:
    """The databases of a warehouse folder."""

    warehouse: Path

    @property
    def build_db(self) -> Path:
        return build.build_database(self.warehouse)

    def register(
        self, landing: Landing, settings: Settings, contract: Contract, run_id: str, started_at: datetime
    ) -> None:
        build.register(landing, settings, contract, self.build_db, run_id, started_at)

    def read_build(self, query: str) -> Answer:
        with self._asked(query) as found:
            return tuple(column[0] for column in found.description), found.fetchall()

    def read_columns(self, query: str) -> dict[str, np.ndarray]:
        with self._asked(query) as found:
            return {name: plain_column(values) for name, values in found.fetchnumpy().items()}

    @contextlib.contextmanager
    def _asked(self, query: str) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.build_db.exists():
            raise WarehouseError(f"There is no build in {self.build_db}. Run the whole refresh.")
        try:
            with build.open_build(self.build_db, read_only=True) as connection:
                yield connection.execute(query)
        except duckdb.Error as error:
            told = fault_of(error, self.warehouse)
            raise WarehouseError(told or f"{self.build_db} cannot answer: {error}") from error

    def write_predictive(self, rows: Mapping[str, Sequence[Mapping[str, object]]], *, replace: bool = False) -> None:
        build.write_predictive(self.build_db, rows, replace=replace)

    def upgrade(self) -> None:
        publication.upgrade(self.warehouse)

    def publish(
        self,
        tables: Mapping[Table, Sequence[str]],
        facts: PublicationFacts,
        keep: int,
        descriptions: Descriptions,
        beside: Beside | None = None,
    ) -> Publication:
        return publication.publish(self.build_db, self.warehouse, facts, tables, keep, descriptions, beside)

    def rollback(self, to: str | None) -> Publication:
        return publication.rollback(self.warehouse, to)

    def current(self) -> Publication | None:
        return publication.current(self.warehouse)

    def kept(self) -> list[str]:
        return publication.kept_versions(self.warehouse)

    def events(self) -> list[Event]:
        return Ledger(self.warehouse).events()

    @contextlib.contextmanager
    def read_published(self) -> Iterator[Ask]:
        with self._published() as connection:

            def ask(query: str) -> list[tuple]:
                try:
                    return connection.execute(query.format(marts="marts", quality="quality")).fetchall()
                # a company may have fewer marts, or marts with other columns
                except (duckdb.CatalogException, duckdb.BinderException):
                    return []

            yield ask

    @contextlib.contextmanager
    def read_tables(self) -> Iterator[list[PublishedTable]]:
        with self._published() as connection:
            try:
                yield published_tables(connection)
            except duckdb.Error as error:
                raise PublicationError(self._unreadable(error)) from error

    @contextlib.contextmanager
    def _published(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect() as connection:
            # attached: this process may have the file open already, with other options
            try:
                connection.execute(
                    f"ATTACH {text(publication.published_database(self.warehouse))} AS published (READ_ONLY)"
                )
            except duckdb.Error as error:
                raise PublicationError(self._unreadable(error)) from error
            connection.execute("USE published")
            yield connection

    def _unreadable(self, error: duckdb.Error) -> str:
        said = f"{publication.published_database(self.warehouse)} cannot be read ({shown(str(error), 300)})."
        if isinstance(error, duckdb.OutOfMemoryException):
            # the file is whole, and the version before would be read no better
            return f"{said} Memory ran out: free some, then try again."
        return f"{said} Publish the version before: {publication.ROLLBACK}"

    def boards(self) -> Path | None:
        folder = self.warehouse / "published" / BOARDS_FOLDER
        return folder if folder.is_dir() else None

    def places(self) -> list[str]:
        return [str(publication.published_database(self.warehouse)), str(self.warehouse / "published" / "parquet")]


def plain_column(values: np.ma.MaskedArray | np.ndarray) -> np.ndarray:
    """A column as DuckDB gives it, as `Engine.read_columns` says."""
    kind = values.dtype.kind
    if kind == "M":
        return np.ma.filled(values.astype("datetime64[D]"), np.datetime64("NaT"))
    if kind in "biuf":
        return np.ma.filled(values.astype(np.float64), np.nan)
    texts = np.array(np.ma.getdata(values), dtype=object)
    # filled() would take None for its own mark
    texts[np.ma.getmaskarray(values)] = None
    return texts
