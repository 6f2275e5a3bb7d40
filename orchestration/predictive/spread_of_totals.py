"""How far a predicted total may be off, learnt from how far the backtests were off.

The 95% interval of a total P, of all customers or of a cohort, is P +- 1.96 * sqrt(dispersion * P + (relative_error *
P)^2). The first part is chance of single customers, which averages out over many; the second is what all customers
share: parameters that are only estimates, and a future that differs from the past (a season, a campaign), which does
not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.stats import norm, t

from orchestration.predictive.backtests import Backtest
from orchestration.predictive.snapshots import window_end

_LEAST_DEGREES_OF_FREEDOM = 2
_TWO_SIDED_95 = 0.975


@dataclass(frozen=True)
class Spread:
    """Of totals of a target and a horizon; `dispersion` is in the unit of the total, `relative_error` a share of it."""

    relative_error: float
    dispersion: float


def spreads(
    tests: Iterable[Backtest], parameter_errors: Mapping[int, float], season_errors: Mapping[int, float]
) -> dict[int, Spread]:
    """The spread of each horizon of `parameter_errors`, from the backtests of one model and one target.

    `parameter_errors` is the relative standard error of the total that comes from the parameters alone, `season_errors`
    what the season of the window ahead adds: backtests at six month ends have not seen every season, so the shared
    error is at least that. A horizon that no backtest has takes the errors of the longest that has one, which grow with
    the root of time; without any backtest there is none.
    """
    by_horizon: dict[int, list[Backtest]] = {}
    for test in tests:
        if test.predicted_total > 0:
            by_horizon.setdefault(test.horizon, []).append(test)
    if not by_horizon:
        return {}
    longest = max(by_horizon)
    result = {}
    for horizon, from_parameters in parameter_errors.items():
        measured = horizon if horizon in by_horizon else longest
        dispersion = _dispersion(by_horizon[measured])
        shared = _shared_error(by_horizon[measured], dispersion) * max(1.0, horizon / measured)
        shared = max(shared, season_errors.get(horizon, 0.0) ** 2)
        relative = float(np.sqrt(np.nan_to_num(from_parameters) ** 2 + shared))
        result[horizon] = Spread(relative, dispersion)
    return result


def non_overlapping(cuts: Sequence[date], horizon: int) -> int:
    """How many of the windows can be chosen so that no two share a day."""
    count, end = 0, None
    for cut in sorted(cuts):
        if end is None or cut >= end:
            count, end = count + 1, window_end(cut, horizon)
    return count


def _dispersion(tests: Sequence[Backtest]) -> float:
    return sum(test.squared_error for test in tests) / sum(test.predicted_total for test in tests)


def _shared_error(tests: Sequence[Backtest], dispersion: float) -> float:
    """Mean squared relative error of the totals beyond chance and parameters, made larger where few windows showed it.

    What the parameters of a cut may have been off is taken out, since those of today are known better or worse. Windows
    that overlap show the same twice, so only others count as degrees of freedom; at least two, since one window alone
    would make the interval meaningless rather than honest.
    """
    beyond = [max(0.0, _relative_error(test) ** 2 - _expected(test, dispersion)) for test in tests]
    degrees = max(_LEAST_DEGREES_OF_FREEDOM, non_overlapping([test.cut for test in tests], tests[0].horizon))
    small_sample = (t.ppf(_TWO_SIDED_95, degrees) / norm.ppf(_TWO_SIDED_95)) ** 2
    return float(np.mean(beyond) * small_sample)


def _relative_error(test: Backtest) -> float:
    return (test.actual_total - test.predicted_total) / test.predicted_total


def _expected(test: Backtest, dispersion: float) -> float:
    """The squared relative error that chance and the parameters alone lead to."""
    return dispersion / test.predicted_total + test.parameter_error**2
