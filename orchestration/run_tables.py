"""The rows of the schema `operations`: the parameters of a run, what the company sets, and the files that were landed.

Types are written as DuckDB writes them; an engine translates them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestration.landing.land import LandedFile
from orchestration.settings import Settings

_RUN_COLUMNS = {
    "run_id": "VARCHAR",
    "started_at": "TIMESTAMP",
    "requested_as_of_date": "DATE",
    "yesterday": "DATE",
    "company_key": "VARCHAR",
}

_COMPANY_SETTING_COLUMNS = {"setting_name": "VARCHAR", "setting_value": "VARCHAR"}

_RAW_FILE_COLUMNS = {
    "table_name": "VARCHAR",
    "file_name": "VARCHAR",
    "rows_read": "BIGINT",
    "rows_filtered": "BIGINT",
    "file_format": "VARCHAR",
    "encoding": "VARCHAR",
    "delimiter": "VARCHAR",
    "ignored_columns": "VARCHAR",
    "missing_columns": "VARCHAR",
    "malformed_rows": "BIGINT",
    "keys_in_conflict": "BIGINT",
    "rows_in_conflict": "BIGINT",
    "example_key": "VARCHAR",
    "first_seen_at": "TIMESTAMP",
}

_VALUE_REPAIR_COLUMNS = {
    "table_name": "VARCHAR",
    "file_name": "VARCHAR",
    "column_name": "VARCHAR",
    "kind": "VARCHAR",
    "values_repaired": "BIGINT",
    "example": "VARCHAR",
}


@dataclass(frozen=True)
class RunTable:
    """A table of the schema `operations`; `columns` are types by name."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[tuple[object, ...]]


def run_tables(
    files: Sequence[LandedFile], settings: Settings, run_id: str, started_at: datetime
) -> tuple[RunTable, ...]:
    """Every table of the schema `operations`; `started_at` carries its zone."""
    return (
        RunTable("run_parameters", _RUN_COLUMNS, [_run_parameters(settings, run_id, started_at)]),
        RunTable("company_settings", _COMPANY_SETTING_COLUMNS, _company_settings(settings)),
        RunTable("raw_files", _RAW_FILE_COLUMNS, _raw_files(files)),
        RunTable("value_repairs", _VALUE_REPAIR_COLUMNS, _value_repairs(files)),
    )


def _run_parameters(settings: Settings, run_id: str, started_at: datetime) -> tuple[object, ...]:
    zone = ZoneInfo(str(settings.variable("business_timezone")))
    yesterday = business_yesterday(started_at, zone)
    return (run_id, _naive_utc(started_at), settings.as_of, yesterday, company_key(settings))


def _company_settings(settings: Settings) -> list[tuple[object, ...]]:
    """What the company.yml sets, as texts, which the models give their types (macros/settings.sql)."""
    return [(name, str(value)) for name, value in settings.variables.items()]


def company_key(settings: Settings) -> str:
    """Tells whose fits are whose where several companies are refreshed into one warehouse, whatever they are called."""
    source = hashlib.sha256(str(settings.raw_dir.resolve()).encode()).hexdigest()
    return f"{settings.variable('company_name')} {source[:12]}"


def company_id(settings: Settings) -> str:
    """What the publications of a company are known by, wherever its files are."""
    return str(settings.variable("company_id"))


def business_yesterday(moment: datetime, zone: ZoneInfo) -> date:
    """The business day before the one that `moment` (with its zone) falls in."""
    return moment.astimezone(zone).date() - timedelta(days=1)


def _raw_files(files: Sequence[LandedFile]) -> list[tuple[object, ...]]:
    return [
        (
            landed.table,
            landed.file_name,
            landed.rows,
            landed.rows_filtered,
            landed.file_format,
            landed.encoding,
            landed.delimiter,
            ", ".join(landed.ignored_columns) or None,
            ", ".join(landed.missing_columns) or None,
            landed.malformed_rows,
            landed.key_conflicts.keys,
            landed.key_conflicts.rows,
            landed.key_conflicts.example,
            landed.first_seen_at,
        )
        for landed in files
    ]


def _value_repairs(files: Sequence[LandedFile]) -> list[tuple[object, ...]]:
    return [
        (landed.table, landed.file_name, repair.column_name, repair.kind, repair.values_repaired, repair.example)
        for landed in files
        for repair in landed.repairs
    ]


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
