"""Errors that a person can act on. Each message is complete: what was found, where, what was expected, what to do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.masking import printable

_WIDTH = 60


def shown(text: str, width: int = _WIDTH) -> str:
    """A text of somebody else's as a message shows it: on one line, without control characters, cut short."""
    # a text of gigabytes is not looked through for what is cut off anyway
    cut = text[: width + 1]
    clean = printable(cut).replace("\n", "\ufffd").replace("\t", "\ufffd")
    return clean if len(cut) <= width else f"{clean[: width - 1]}… ({len(text):,} characters)"


def quoted(path: Path) -> str:
    """A path as a shell takes it, for the command that a message ends in."""
    return shlex.quote(str(path))


@dataclass(frozen=True)
class Fact:
    """One thing that went wrong, as it may leave the machine: nothing in it is of a person.

    Attributes:
        code: which sentence tells it (`orchestration.alerts.texts`).
        values: what the sentence is about: names of the project, counts, shares and days.
    """

    code: str
    values: Mapping[str, str | int] = field(default_factory=dict)


class StickinessError(Exception):
    """Something that a user can put right; shown without a traceback, and without what a terminal would obey.

    `facts` say the same to those who are alerted.
    """

    may_pass = False
    """Whether the same may go well in a while although nobody does anything."""

    def __init__(self, message: str = "", facts: Sequence[Fact] = ()) -> None:
        super().__init__(message)
        self.facts = tuple(facts)

    def __str__(self) -> str:
        return printable(super().__str__())


class SettingsError(StickinessError):
    """A setting in the environment, in company.yml or in dbt_project.yml is wrong."""


class SeedError(StickinessError):
    """A seed that Python reads as well as dbt is missing, or a value in it is wrong."""


class WarehouseError(StickinessError):
    """The warehouse folder, or a database in it, cannot be used."""


class WarehouseLockedError(WarehouseError):
    """Another refresh or rollback of the same warehouse is running."""

    may_pass = True


class BuildDatabaseBusyError(WarehouseError):
    """Another program has the build database open."""

    may_pass = True


class ProjectError(StickinessError):
    """The dbt project cannot be parsed."""


class BuildError(StickinessError):
    """dbt could not build the models, or a test of error severity failed."""


class PublicationError(StickinessError):
    """A build could not be published, or there is nothing to roll back to."""


class CopyError(StickinessError):
    """The copy of a publication for BI could not be made; what it held before is still there."""


class CopyDelayedError(CopyError):
    """The database for BI does not answer, or others keep it busy."""

    may_pass = True


class BoardError(StickinessError):
    """A board file is wrong, or its query is; the data is published all the same."""


class SparkError(StickinessError):
    """Spark cannot be reached, or refuses a statement."""
