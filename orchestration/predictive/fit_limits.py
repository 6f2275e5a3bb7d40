"""What the seeds `prediction_horizons` and `model_limits` set for the fits and the backtests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Horizons:
    """Days ahead over which something is predicted, ascending; those in `churn` are for churn as well."""

    days: tuple[int, ...]
    churn: tuple[int, ...]


@dataclass(frozen=True)
class Limits:
    """How much history a fit needs, and how often each horizon is backtested at most."""

    minimum_customers: int
    minimum_history_days: int
    minimum_season_days: int
    backtests_per_horizon: int
