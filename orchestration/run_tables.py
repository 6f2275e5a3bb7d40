"""The rows of the schema `operations`: the parameters of a run, and the files that were landed.

Types are written as DuckDB writes them; an engine translates them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestration.landing.land import LandedFile
from orchestration.settings import Settings, is_count

RUN_COLUMNS = {
    "run_id": "VARCHAR",
    "started_at": "TIMESTAMP",
    "requested_as_of_date": "DATE",
    "yesterday": "DATE",
    "company_key": "VARCHAR",
}

RAW_FILE_COLUMNS = {
    "table_name": "VARCHAR",
    "file_name": "VARCHAR",
    "rows_read": "BIGINT",
    "file_format": "VARCHAR",
    "encoding": "VARCHAR",
    "delimiter": "VARCHAR",
    "ignored_columns": "VARCHAR",
    "missing_columns": "VARCHAR",
    "malformed_rows": "BIGINT",
    "first_seen_at": "TIMESTAMP",
}


def run_parameters(settings: Settings, run_id: str, started_at: datetime) -> tuple[dict[str, str], tuple[object, ...]]:
    """The columns of operations.run_parameters with their types, and its one row; `started_at` carries its zone."""
    zone = ZoneInfo(str(settings.variable("business_timezone")))
    values = {
        "run_id": run_id,
        "started_at": _naive_utc(started_at),
        "requested_as_of_date": settings.as_of,
        "yesterday": business_yesterday(started_at, zone),
        "company_key": company_key(settings),
        **{name: settings.variables.get(name) for name in settings.defaults},
    }
    kinds = RUN_COLUMNS | {name: _variable_type(name, default) for name, default in settings.defaults.items()}
    return kinds, tuple(values[name] for name in kinds)


def company_key(settings: Settings) -> str:
    """Tells whose fits are whose where several companies are refreshed into one warehouse, whatever they are called."""
    source = hashlib.sha256(str(settings.raw_dir.resolve()).encode()).hexdigest()
    return f"{settings.variable('company_name')} {source[:12]}"


def _variable_type(name: str, default: object) -> str:
    if isinstance(default, str):
        return "VARCHAR"
    return "BIGINT" if is_count(name) else "DECIMAL(18, 6)"


def business_yesterday(moment: datetime, zone: ZoneInfo) -> date:
    """The business day before the one that `moment` (with its zone) falls in."""
    return moment.astimezone(zone).date() - timedelta(days=1)


def raw_files(files: Sequence[LandedFile]) -> list[tuple[object, ...]]:
    """The rows of operations.raw_files, whose columns are RAW_FILE_COLUMNS."""
    return [
        (
            landed.table,
            landed.file_name,
            landed.rows,
            landed.file_format,
            landed.encoding,
            landed.delimiter,
            ", ".join(landed.ignored_columns) or None,
            ", ".join(landed.missing_columns) or None,
            landed.malformed_rows,
            landed.first_seen_at,
        )
        for landed in files
    ]


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
