"""Where the copy for BI goes, as the environment says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.errors import SettingsError, shown

DSN = "PUBLISH_POSTGRES_DSN"
SCHEMA = "PUBLISH_POSTGRES_SCHEMA"
LEAST_CUSTOMERS = "PUBLISH_POSTGRES_LEAST_CUSTOMERS"

# names of PostgreSQL have 63 bytes, and others are made from this one
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class BiSettings:
    """A database, and how the copy in it is made.

    Attributes:
        dsn: connection string of libpq; a secret.
        schema: schema of the tables; those of the views, and the roles, have its name with an ending.
        least_customers: a cell with fewer customers is hidden from the role that sees aggregates alone.
    """

    dsn: str = field(repr=False)
    schema: str = "stickiness"
    least_customers: int = 10

    @property
    def chinese(self) -> str:
        """The schema of the views with Chinese names of columns."""
        return f"{self.schema}_zh"

    @property
    def aggregates(self) -> str:
        """The schema of the aggregates, and the role that may read them alone."""
        return f"{self.schema}_aggregates"

    @property
    def schemas(self) -> tuple[str, ...]:
        """Every schema of the copy."""
        return self.schema, self.chinese, self.aggregates

    @property
    def reader(self) -> str:
        """The role that may read every table."""
        return f"{self.schema}_reader"

    @staticmethod
    def from_environ(environ: Mapping[str, str] = os.environ) -> BiSettings | None:
        """The settings of the environment; None where it names no database.

        Raises:
            SettingsError: one of them is wrong.
        """
        dsn = environ.get(DSN, "").strip()
        if not dsn:
            return None
        schema = environ.get(SCHEMA, "") or BiSettings.schema
        if not _SCHEMA_NAME.fullmatch(schema) or schema.startswith("pg_"):
            raise SettingsError(
                f"{SCHEMA} is {shown(schema)}; expected a name of at most 40 small letters, digits and _, such as "
                f"stickiness."
            )
        least = environ.get(LEAST_CUSTOMERS, "") or str(BiSettings.least_customers)
        if not (least.isascii() and least.isdigit() and 1 <= int(least) <= 1_000_000):
            raise SettingsError(f"{LEAST_CUSTOMERS} is {shown(least)}; expected a whole number from 1 on, such as 10.")
        return BiSettings(dsn, schema, int(least))
