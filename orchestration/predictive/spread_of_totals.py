"""How far a predicted total may be off, learnt from how far the backtests were off.

A total P, already multiplied by its level, differs from what comes by what all customers share (a season, a campaign,
parameters that are only estimates), which is a factor, exp(+- 1.96 * relative_error), and by chance of single
customers, +- 1.96 * sqrt(dispersion * P), which averages out over many. A cohort differs by a factor of its own beside
that of all, of which `cohort_error` is the standard deviation. SQL adds up the distances of the two kinds as squares
(macro prediction_low).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from orchestration.predictive.backtests import Backtest
from orchestration.predictive.empirical_bayes import between_variance, with_prior
from orchestration.predictive.level_of_totals import estimate_level, log_ratio
from orchestration.predictive.windows import non_overlapping

_TWO_SIDED_95 = 0.975
# fewer purchases of a cohort say nothing of how it differs from others
LEAST_OF_COHORT = 20.0
# standard deviation between cohorts where none is measured, worth so many cohorts; DECISIONS says where they are from
_BETWEEN_COHORTS = 0.15
_PRIOR_COHORTS = 4.0


@dataclass(frozen=True)
class Spread:
    """Of totals of a target and a horizon.

    `level` is the factor that predictions are multiplied by, `relative_error` the standard deviation of the log of what
    all customers share, `cohort_error` that of what a cohort has beside it, `dispersion` the variance by chance per
    unit predicted, in the unit of the total. `windows` is how many backtests without a common day it was learnt from.
    """

    level: float
    relative_error: float
    cohort_error: float
    dispersion: float
    windows: int

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by the names they are stored under."""
        return {
            "level": self.level,
            "relative_error": self.relative_error,
            "cohort_error": self.cohort_error,
            "dispersion": self.dispersion,
            "backtest_windows": float(self.windows),
        }


def spreads(
    tests: Iterable[Backtest],
    purchase_tests: Iterable[Backtest],
    parameter_errors: Mapping[int, float],
    season_errors: Mapping[int, float],
) -> dict[int, Spread]:
    """The spread of each horizon of `parameter_errors`, from the backtests of one model and one target.

    `purchase_tests` are those of purchases, by which a cohort is large enough to tell. `parameter_errors` is the
    relative standard error of the total that comes from the parameters alone, `season_errors` what the season of the
    window ahead adds: backtests at six month ends have not seen every season, so the shared error is at least that. A
    horizon that no backtest has takes the level and the errors of the longest that has one, which grow with the root of
    time; without any backtest there is none.
    """
    by_horizon, purchases = _by_horizon(tests), _by_horizon(purchase_tests)
    if not by_horizon:
        return {}
    longest = max(by_horizon)
    result = {}
    for horizon, from_parameters in parameter_errors.items():
        measured = horizon if horizon in by_horizon else longest
        of_horizon = by_horizon[measured]
        dispersion = _dispersion(of_horizon)
        level = estimate_level(of_horizon, dispersion)
        small_sample = (t.ppf(_TWO_SIDED_95, level.freedom) / norm.ppf(_TWO_SIDED_95)) ** 2
        shared = level.variance * small_sample * max(1.0, horizon / measured)
        shared = max(shared, season_errors.get(horizon, 0.0) ** 2)
        result[horizon] = Spread(
            level=level.factor,
            relative_error=float(np.sqrt(np.nan_to_num(from_parameters) ** 2 + shared)),
            cohort_error=_cohort_error(of_horizon, purchases.get(measured, []), dispersion),
            dispersion=dispersion,
            windows=len(non_overlapping([test.cut for test in of_horizon], horizon)) if horizon == measured else 0,
        )
    return result


def _by_horizon(tests: Iterable[Backtest]) -> dict[int, list[Backtest]]:
    by_horizon: dict[int, list[Backtest]] = {}
    for test in tests:
        if test.predicted_total > 0:
            by_horizon.setdefault(test.horizon, []).append(test)
    return by_horizon


def _dispersion(tests: Sequence[Backtest]) -> float:
    return sum(test.squared_error for test in tests) / sum(test.predicted_total for test in tests)


def _cohort_error(tests: Sequence[Backtest], purchase_tests: Sequence[Backtest], dispersion: float) -> float:
    """Standard deviation between cohorts of log(actual / predicted), beyond chance and beside what all share.

    Of windows without a common day, each cohort held against the mean of its window.
    """
    sizes = {test.cut: test.cohorts.predicted for test in purchase_tests if test.cohorts is not None}
    apart = non_overlapping([test.cut for test in tests], tests[0].horizon)
    ratios, noise, windows = [], [], []
    for test in tests:
        if test.cut in apart and test.cohorts is not None and test.cut in sizes:
            large = (sizes[test.cut] >= LEAST_OF_COHORT) & (test.cohorts.predicted > 0)
            predicted, actual = test.cohorts.predicted[large], test.cohorts.actual[large]
            ratios.append(log_ratio(actual, predicted, dispersion))
            noise.append(dispersion / predicted)
            windows.append(np.full(predicted.size, test.cut.toordinal()))
    found, freedom = 0.0, 0
    if ratios:
        codes = np.concatenate(windows)
        freedom = codes.size - np.unique(codes).size
        found = between_variance(np.concatenate(ratios), np.concatenate(noise), codes)
    return float(np.sqrt(with_prior(_BETWEEN_COHORTS**2, _PRIOR_COHORTS, found, freedom)))
