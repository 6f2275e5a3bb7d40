"""Totals that a refit predicts of a company in memory, with their intervals, beside what then came.

The fits run on arrays, without a build; the intervals are worked out here, apart from the SQL of cohort_clv.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from unittest import mock

import numpy as np
import pandas as pd
from purchase_histories import HORIZONS, LIMITS, Company, month_ends

from companies.sample.simulator.config import FIRST_DAY, Config
from companies.sample.simulator.customer_chunk import draw_chunk
from companies.sample.simulator.season import Season
from orchestration.predictive import backtests
from orchestration.predictive.btyd import BtydFit, expected_purchases
from orchestration.predictive.events import Occurrence
from orchestration.predictive.refit import Options, refit


@dataclass(frozen=True)
class Total:
    """Purchases over a horizon of all customers, or of a cohort, the `cohort`-th month; `plain` is before the level."""

    horizon: int
    cohort: int | None
    plain: float
    predicted: float
    low: float
    high: float
    actual: float

    @property
    def holds(self) -> bool:
        return self.low <= self.actual <= self.high

    @property
    def error(self) -> float:
        return self.predicted / self.actual - 1

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2 / self.actual


def sample_purchases(seed: int, customers: int = 3000) -> Company:
    """The purchase days of a sample company of that seed, those after its as-of date too. Each is worth 100."""
    config = Config(customers, seed)
    days = draw_chunk(config, Season(config.season), 0, customers, 1, 0).shopping.days
    on = pd.Timestamp(FIRST_DAY) + pd.to_timedelta(days.day, unit="D")
    return Company(pd.DataFrame({"customer": days.person, "day": on, "revenue": 100.0}))


def predicted_totals(company: Company, as_of: date, calendar: Sequence[Occurrence] = ()) -> list[Total]:
    """Every horizon that has passed by the last purchase, of all customers and of each cohort."""
    days = company.purchases.day
    first, last = days.min().date(), days.max().date()
    options = Options("fit", "company", datetime(2000, 1, 1), HORIZONS, LIMITS, calendar=calendar)
    # challengers of churn have no part in totals
    with mock.patch.multiple(backtests, fit_logistic=lambda *_: None, fit_boosted=lambda *_: None):
        result = refit(
            lambda day: company.snapshot(day, as_of), month_ends(first, as_of), company.activity, as_of, options
        )
    rows = {
        (row["model_name"], row["horizon_days"], row["parameter"]): row["value"]
        for row in result.parameters
        if row["target"] == "purchases"
    }
    fit = BtydFit.of("mbg_nbd", {name: rows["mbg_nbd", 0, name] for name in ("r", "alpha", "a", "b")})
    is_seasonal = next(row["is_seasonal"] for row in result.champions if row["target"] == "purchases")
    season = {name: value for (model, _, name), value in rows.items() if model == "season" and is_seasonal}
    known = company.snapshot(as_of, last)
    _, cohort = np.unique(known.cohorts, return_inverse=True)
    found = []
    for horizon, outcome in known.outcomes.items():
        if ("mbg_nbd", horizon, "level") in rows and as_of + timedelta(days=horizon) <= last:
            of = {
                name: rows["mbg_nbd", horizon, name]
                for name in ("level", "relative_error", "cohort_error", "dispersion")
            }
            each = expected_purchases(fit, known.x, known.t_x, known.T, _length(season, as_of, horizon, calendar))
            found.append(_total(horizon, None, each.sum(), outcome.purchases.sum(), of))
            plain, actual = (np.bincount(cohort, weights=values) for values in (each, outcome.purchases))
            found += [_total(horizon, place, *pair, of) for place, pair in enumerate(zip(plain, actual, strict=True))]
    return found


def _length(season: Mapping[str, float], as_of: date, horizon: int, calendar: Sequence[Occurrence]) -> float:
    """Days after `as_of`, one by one, each as long as its month and the events that it is in say."""
    length = 0.0
    for day in (as_of + timedelta(days=number) for number in range(1, horizon + 1)):
        of_day = season.get(f"month_{day.month:02}", 1.0)
        for one in calendar:
            if one.first_on <= day <= one.last_on:
                of_day *= season.get(f"event_{one.event}", 1.0)
        length += of_day
    return length


def _total(horizon: int, cohort: int | None, plain: float, actual: float, of: dict[str, float]) -> Total:
    predicted = of["level"] * plain
    error = of["relative_error"] if cohort is None else np.hypot(of["relative_error"], of["cohort_error"])
    chance, factor = 1.96 * np.sqrt(of["dispersion"] * predicted), np.exp(1.96 * error)
    low = max(0.0, predicted - np.hypot(predicted * (1 - 1 / factor), chance))
    high = predicted + np.hypot(predicted * (factor - 1), chance)
    return Total(horizon, cohort, float(plain), float(predicted), float(low), float(high), float(actual))
