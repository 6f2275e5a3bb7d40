"""What earlier refits left, and where a refit finds what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from orchestration.engines import Engine

CHAMPION_COLUMNS = (
    "target",
    "model_name",
    "parameters_fit_id",
    "is_seasonal",
    "is_reliable",
    "unreliable_reason",
    "fit_id",
)


@dataclass(frozen=True)
class BuildTables:
    """Names of the tables of the build that a refit reads, as the engine's SQL writes them."""

    features: str
    churn_inputs: str
    outcomes: str
    feature_dates: str
    purchase_days: str
    fits: str
    champions: str


# the model behind each table
FEATURE_MODELS = {
    "features": "int_customer_features",
    "churn_inputs": "int_churn_inputs_prepared",
    "outcomes": "int_customer_outcomes_counted",
    "feature_dates": "int_feature_dates_listed",
    "purchase_days": "int_purchase_days_numbered",
}


def feature_dates(engine: Engine, tables: BuildTables) -> tuple[date, list[date]]:
    """The as-of date of the build, and the past month ends whose features it has, in order."""
    _, rows = engine.read_build(f"SELECT as_of_date, is_as_of FROM {tables.feature_dates} ORDER BY as_of_date")
    (as_of,) = [day for day, is_as_of in rows if is_as_of]
    return as_of, [day for day, is_as_of in rows if not is_as_of]


def stored_champions(
    engine: Engine, tables: BuildTables, company_key: str, as_of: date | None
) -> Mapping[str, dict[str, object]]:
    """By target, what the company's newest refit as of the day or earlier (None: of any day) has chosen."""
    until = f"AND fits.as_of_date <= DATE '{as_of}' " if as_of else ""
    names, rows = engine.read_build(
        f"SELECT {', '.join('champions.' + name for name in CHAMPION_COLUMNS)}, fits.company_key "
        f"FROM {tables.champions} AS champions INNER JOIN {tables.fits} AS fits ON champions.fit_id = fits.fit_id "
        f"WHERE fits.company_key IS NOT NULL {until}"
        "ORDER BY fits.as_of_date, fits.fitted_at, fits.fit_id"
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    # compared here: engines differ in how they quote a text
    return {row["target"]: row for row in found if row.pop("company_key") == company_key}
