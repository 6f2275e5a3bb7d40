"""What the project has to know of an engine before it is loaded, whether or not its packages are installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Adapter:
    """How dbt reaches an engine.

    Attributes:
        package: the package that holds dbt's adapter.
        clean_message: an error message of the engine, without stacks and queries, and without values of rows.
        naming_variables: environment variables that change the names of what dbt parses.
        trial_program: the program that a trial of the engine on this machine needs, and the system package that has it.
    """

    package: str
    clean_message: Callable[[str], str]
    naming_variables: tuple[str, ...] = ()
    trial_program: tuple[str, str] | None = None
