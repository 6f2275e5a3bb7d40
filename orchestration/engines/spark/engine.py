"""The engine of the target spark: the build and what is published are schemas of one Iceberg catalog."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from orchestration.contract import Contract
from orchestration.descriptions import Descriptions
from orchestration.engines.engine import Answer, Ask
from orchestration.engines.spark import publication, raw_tables
from orchestration.engines.spark.connection import SparkSettings, session
from orchestration.errors import PublicationError, SparkError
from orchestration.landing.land import Landing
from orchestration.publishing import (
    PUBLISHED_SCHEMAS,
    Beside,
    Event,
    Publication,
    PublicationFacts,
    PublishedTable,
    Table,
)
from orchestration.settings import Settings


@dataclass(frozen=True)
class SparkEngine:
    """The schemas of a catalog that begin with a prefix."""

    settings: SparkSettings

    @staticmethod
    def from_environ(environ: Mapping[str, str] = os.environ) -> SparkEngine:
        """The engine that the environment names; `SettingsError` if what it says is wrong."""
        return SparkEngine(SparkSettings.from_environ(environ))

    def register(
        self, landing: Landing, settings: Settings, contract: Contract, run_id: str, started_at: datetime
    ) -> None:
        raw_tables.register(self.settings, landing, settings, contract, run_id, started_at)

    def read_build(self, query: str) -> Answer:
        with session(self.settings) as spark:
            return spark.table(query)

    def read_columns(self, query: str) -> dict[str, np.ndarray]:
        with session(self.settings) as spark:
            names, rows = spark.table(query)
        columns = zip(*rows, strict=True) if rows else ((),) * len(names)
        return {name: as_column(values) for name, values in zip(names, columns, strict=True)}

    def write_predictive(self, rows: Mapping[str, Sequence[Mapping[str, object]]], *, replace: bool = False) -> None:
        raw_tables.write_predictive(self.settings, rows, replace=replace)

    def upgrade(self) -> None:
        # nothing on Spark has changed its name
        pass

    def publish(
        self,
        tables: Mapping[Table, Sequence[str]],
        facts: PublicationFacts,
        keep: int,
        descriptions: Descriptions,
        beside: Beside | None = None,
    ) -> Publication:
        # a version here is tables of a catalog: there is no folder that anything could stand in
        del beside
        return publication.publish(self.settings, list(tables), facts, keep, descriptions=descriptions)

    def rollback(self, to: str | None) -> Publication:
        return publication.rollback(self.settings, to)

    def current(self) -> Publication | None:
        return publication.current(self.settings)

    def kept(self) -> list[str]:
        return publication.kept_versions(self.settings)

    def events(self) -> list[Event]:
        return publication.events(self.settings)

    @contextlib.contextmanager
    def read_published(self) -> Iterator[Ask]:
        schemas = {layer: self.settings.published_schema(layer) for layer in PUBLISHED_SCHEMAS}
        with session(self.settings) as spark:

            def ask(query: str) -> list[tuple]:
                try:
                    return spark.rows(query.format(**schemas))
                except SparkError as error:
                    # a company may have fewer marts, or marts with other columns
                    if "[TABLE_OR_VIEW_NOT_FOUND]" in str(error) or "[UNRESOLVED_COLUMN" in str(error):
                        return []
                    raise

            yield ask

    def read_tables(self) -> AbstractContextManager[list[PublishedTable]]:
        raise PublicationError(
            "What is published on Spark is not copied. BI reads the views there: see docs/spark.md. Unset "
            "PUBLISH_POSTGRES_DSN for this target."
        )

    def boards(self) -> Path | None:
        return None

    def places(self) -> list[str]:
        return [f"{self.settings.published_schema(layer)} on {self.settings.address}" for layer in PUBLISHED_SCHEMAS]


def as_column(values: Sequence[object]) -> np.ndarray:
    """Values of one column as Spark gives them, as `Engine.read_columns` says; a column of nulls is one of numbers."""
    known = next((value for value in values if value is not None), None)
    if isinstance(known, date):
        return np.array(values, dtype="datetime64[D]")
    if isinstance(known, str):
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else float(value) for value in values])
