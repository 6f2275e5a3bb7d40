"""By how much totals came out above or below what was predicted, in the mean of the backtests.

A model errs in one direction at one company: heavy buyers live shorter or longer than its distributions allow. The
mean of log(actual / predicted) over the backtests says how much. It is drawn to 0 by how unsure it is (empirical
Bayes): by what one window differs from the next, over the number of windows. Windows that overlap show the same twice
and count as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestration.predictive.arrays import Floats
from orchestration.predictive.backtests import Backtest
from orchestration.predictive.empirical_bayes import with_prior
from orchestration.predictive.snapshots import window_end
from orchestration.predictive.windows import effective_windows, standard_error_of_mean

# from so many days on the level is taken out; before, only where it would have made earlier backtests better
ALWAYS_FROM_DAYS = 180
# standard deviation of the level between companies, and of a window around the level of its company; the latter is
# worth so many windows. DECISIONS says where they are from
_BETWEEN_COMPANIES = 0.12
_BETWEEN_WINDOWS = 0.08
_PRIOR_WINDOWS = 6.0


@dataclass(frozen=True)
class Level:
    """Of totals of a target and a horizon.

    `log_level` is what log(actual / predicted) is expected to be, `variance` what that of a window to come differs
    from it by, chance of single customers and parameters left aside, `freedom` the degrees of freedom of that.
    """

    log_level: float
    variance: float
    freedom: float

    @property
    def factor(self) -> float:
        return float(np.exp(self.log_level))


def estimate_level(tests: Sequence[Backtest], dispersion: float) -> Level:
    """The level of one model, target and horizon; 0 before ALWAYS_FROM_DAYS unless it would have helped.

    `dispersion` is the variance of a total by chance per unit predicted.
    """
    is_used = tests[0].horizon >= ALWAYS_FROM_DAYS or _helps(tests, dispersion)
    return _drawn_to_zero(tests, dispersion) if is_used else _around_zero(tests, dispersion)


def log_ratio(actual: Floats | float, predicted: Floats | float, dispersion: float) -> Floats:
    """log(actual / predicted), with half a purchase, or its worth, on both sides: finite where nothing came."""
    return np.log((np.maximum(actual, 0.0) + dispersion / 2) / (predicted + dispersion / 2))


def _drawn_to_zero(tests: Sequence[Backtest], dispersion: float) -> Level:
    """The mean of the windows, by how well each is known, drawn to 0."""
    ratios, noise, windows = _seen(tests, dispersion)
    freedom = windows - 1
    found = max(0.0, float(ratios.var(ddof=1) - noise.mean())) if ratios.size > 1 else 0.0
    variance = with_prior(_BETWEEN_WINDOWS**2, _PRIOR_WINDOWS, found, freedom)
    weights = 1 / (variance + noise)
    # as many windows as there are in effect, each of the mean weight
    of_mean = ratios.size / windows / weights.sum()
    kept = _BETWEEN_COMPANIES**2 / (_BETWEEN_COMPANIES**2 + of_mean)
    mean = float(np.average(ratios, weights=weights))
    return Level(kept * mean, variance + kept * of_mean, _PRIOR_WINDOWS + freedom)


def _around_zero(tests: Sequence[Backtest], dispersion: float) -> Level:
    """Without a level all that was missed is spread."""
    ratios, noise, windows = _seen(tests, dispersion)
    found = max(0.0, float(np.mean(ratios**2) - noise.mean()))
    return Level(0.0, with_prior(_BETWEEN_WINDOWS**2, _PRIOR_WINDOWS, found, windows), _PRIOR_WINDOWS + windows)


def _seen(tests: Sequence[Backtest], dispersion: float) -> tuple[Floats, Floats, float]:
    """Log ratios, their variances by chance and by the parameters of their cuts, and the effective windows."""
    ratios = np.array([float(log_ratio(test.actual_total, test.predicted_total, dispersion)) for test in tests])
    noise = np.array([dispersion / test.predicted_total + test.parameter_error**2 for test in tests])
    return ratios, noise, effective_windows([test.cut for test in tests], tests[0].horizon)


def _helps(tests: Sequence[Backtest], dispersion: float) -> bool:
    """Whether the level known at each cut made its error smaller, in the mean by more than a standard error."""
    gains, windows = [], []
    for test in tests:
        before = [other for other in tests if window_end(other.cut, other.horizon) <= test.cut]
        if before:
            missed = float(log_ratio(test.actual_total, test.predicted_total, dispersion))
            gains.append(abs(missed) - abs(missed - _drawn_to_zero(before, dispersion).log_level))
            windows.append((test.cut, test.horizon))
    if len(gains) < 2:
        return False
    return bool(np.mean(gains) > standard_error_of_mean(np.array(gains), windows))
