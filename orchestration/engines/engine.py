"""Where models are built and marts are published: what the rest of the project asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from orchestration.contract import Contract
from orchestration.descriptions import Descriptions
from orchestration.landing.land import Landing
from orchestration.publishing import Beside, Event, Publication, PublicationFacts, PublishedTable, Table
from orchestration.settings import Settings

Answer = tuple[tuple[str, ...], list[tuple[Any, ...]]]
"""Names of the columns, and rows."""

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Rows of a query whose tables are written `{marts}.<table>` and `{quality}.<table>`; none where there is no such table
or column."""


class Engine(Protocol):
    """One target of profiles.yml with the data that it holds. Every error is a StickinessError."""

    def register(
        self, landing: Landing, settings: Settings, contract: Contract, run_id: str, started_at: datetime
    ) -> None:
        """Put the landed rows and the run's parameters where the models read them, replacing those of the last run."""

    def read_build(self, query: str) -> Answer:
        """Ask the build, which nobody else reads."""

    def read_columns(self, query: str) -> dict[str, np.ndarray]:
        """The same as arrays: numbers and truth as float64 (nan for null), days as datetime64[D], texts as object."""

    def write_predictive(self, rows: Mapping[str, Sequence[Mapping[str, object]]], *, replace: bool = False) -> None:
        """Append rows to tables of the schema `predictive` of the build, or put them in the place of what is there."""

    def upgrade(self) -> None:
        """Bring what an earlier release of the project has published to the names of this one."""

    def publish(
        self,
        tables: Mapping[Table, Sequence[str]],
        facts: PublicationFacts,
        keep: int,
        descriptions: Descriptions,
        beside: Beside | None = None,
    ) -> Publication:
        """Publish tables of the build, each with its key, in one atomic step; keep the last `keep` versions.

        `descriptions` is what tables and columns mean. `beside` adds files to a version, where the versions of the
        engine are folders.
        """

    def rollback(self, to: str | None) -> Publication:
        """Publish again the version before, or the one named."""

    def current(self) -> Publication | None:
        """What is published now; None if nothing is."""

    def kept(self) -> list[str]:
        """Ids of the versions that can be published again."""

    def events(self) -> list[Event]:
        """Every publication and rollback, oldest first."""

    def read_published(self) -> AbstractContextManager[Ask]:
        """Ask what is published."""

    def read_tables(self) -> AbstractContextManager[list[PublishedTable]]:
        """Everything that is published, to be copied elsewhere; PublicationError where that cannot be done."""

    def boards(self) -> Path | None:
        """The folder of the published version's boards; None if it has none."""

    def places(self) -> list[str]:
        """Where readers find what is published, for a person."""
