"""The schema `predictive`: what the fits remember between refreshes, by table and column, with DuckDB's types."""

from typing import Any

SCHEMA = "predictive"

Row = dict[str, Any]
"""A row of one of the tables, by column."""

_MODEL = {
    "fit_id": "VARCHAR",
    "target": "VARCHAR",
    "model_name": "VARCHAR",
    "horizon_days": "INTEGER",
}

TABLES: dict[str, dict[str, str]] = {
    "refit_requests": {"requested_at": "TIMESTAMP"},
    "fits": {
        "fit_id": "VARCHAR",
        "company_key": "VARCHAR",
        "as_of_date": "DATE",
        "fitted_at": "TIMESTAMP",
        "status": "VARCHAR",
        "reason_code": "VARCHAR",
        "customers": "BIGINT",
        "history_days": "BIGINT",
    },
    "parameters": _MODEL
    | {
        "parameter": "VARCHAR",
        "value": "DOUBLE",
        "standard_error": "DOUBLE",
        "log_likelihood": "DOUBLE",
        "customers": "BIGINT",
    },
    "steps": {
        "fit_id": "VARCHAR",
        "model_name": "VARCHAR",
        "horizon_days": "INTEGER",
        "feature": "VARCHAR",
        "from_value": "DOUBLE",
        "below_value": "DOUBLE",
        "score": "DOUBLE",
    },
    "backtests": {
        "fit_id": "VARCHAR",
        "model_name": "VARCHAR",
        "target": "VARCHAR",
        "cut_date": "DATE",
        "horizon_days": "INTEGER",
        "customers": "BIGINT",
        "predicted_total": "DOUBLE",
        "actual_total": "DOUBLE",
        "total_error": "DOUBLE",
        "auc": "DOUBLE",
        "brier": "DOUBLE",
        "ece": "DOUBLE",
        "top_decile_lift": "DOUBLE",
        "spearman": "DOUBLE",
        "normalised_gini": "DOUBLE",
        "is_baseline": "BOOLEAN",
    },
    "champions": {
        "fit_id": "VARCHAR",
        "target": "VARCHAR",
        "model_name": "VARCHAR",
        "parameters_fit_id": "VARCHAR",
        "is_seasonal": "BOOLEAN",
        "is_reliable": "BOOLEAN",
        "unreliable_reason": "VARCHAR",
    },
}
"""A row of refit_requests asks for the features of past month ends; the other tables only grow."""

FITS, REFIT_REQUESTS = "fits", "refit_requests"
