"""How good predictions were. None depends on the order of rows, also where predictions tie."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from orchestration.predictive.arrays import Floats

_NAN = float("nan")


def auc(outcome: ArrayLike, score: ArrayLike) -> float:
    """Probability that a random event scores above a random non-event, ties half; nan without one of either."""
    outcome, score = _pair(outcome, score)
    events = float(outcome.sum())
    others = outcome.size - events
    if events == 0 or others == 0:
        return _NAN
    ranks = rankdata(score)
    return float((ranks @ outcome - events * (events + 1) / 2) / (events * others))


def brier(outcome: ArrayLike, p: ArrayLike) -> float:
    """Mean squared difference of outcome and probability."""
    outcome, p = _pair(outcome, p)
    return float(np.mean((outcome - p) ** 2)) if outcome.size else _NAN


def expected_calibration_error(outcome: ArrayLike, p: ArrayLike, bins: int = 10) -> float:
    """Mean distance of probability and rate, over bins of about equally many rows in the order of probability.

    Equal probabilities share a bin.
    """
    outcome, p = _pair(outcome, p)
    if not outcome.size:
        return _NAN
    # the middle rank of those who tie says which bin takes them all
    bin_of = np.floor((rankdata(p) - 0.5) / p.size * bins).astype(np.int64)
    gaps = np.bincount(bin_of, weights=outcome - p, minlength=bins)
    return float(np.abs(gaps).sum() / p.size)


def top_decile_lift(outcome: ArrayLike, score: ArrayLike) -> float:
    """Mean outcome of the tenth with the highest score over that of all; who ties at its edge counts in part."""
    outcome, score = _pair(outcome, score)
    if not outcome.size or outcome.mean() == 0:
        return _NAN
    size = outcome.size / 10
    counts, sums = _grouped(score, outcome)
    counts, sums = counts[::-1], sums[::-1]
    before = np.cumsum(counts) - counts
    share = np.clip((size - before) / counts, 0.0, 1.0)
    return float((share @ sums) / size / outcome.mean())


def spearman(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Correlation of ranks; nan where one side is constant."""
    actual, predicted = _pair(actual, predicted)
    if actual.size < 2 or np.ptp(actual) == 0 or np.ptp(predicted) == 0:
        return _NAN
    return float(np.corrcoef(rankdata(actual), rankdata(predicted))[0, 1])


def normalised_gini(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Gini of the actual in the order of the predicted, over that in its own order: 1 for the right order, 0 for none.

    Rows that tie share what they hold together evenly. nan where the actual sums to nothing, or is the same for all.
    """
    actual, predicted = _pair(actual, predicted)
    if not actual.size or actual.sum() <= 0 or np.ptp(actual) == 0:
        return _NAN
    return _gini(actual, predicted) / _gini(actual, actual)


def total_error(predicted: float, actual: float) -> float:
    """What the total was missed by: .1 is a tenth too much; nan where nothing came."""
    return float(predicted) / float(actual) - 1 if actual else _NAN


def _gini(actual: Floats, order: Floats) -> float:
    """One less twice the area below the curve of cumulative shares, from the lowest."""
    counts, sums = _grouped(order, actual)
    width = counts / actual.size
    height = np.cumsum(sums) / sums.sum()
    below = np.concatenate([[0.0], height[:-1]])
    return float(1 - width @ (height + below))


def _grouped(key: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Count rows and sum values of each key, from the lowest."""
    _, codes = np.unique(key, return_inverse=True)
    return np.bincount(codes).astype(np.float64), np.bincount(codes, weights=values)


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    one, two = np.asarray(first, dtype=np.float64).ravel(), np.asarray(second, dtype=np.float64).ravel()
    if one.shape != two.shape:
        raise ValueError(f"{one.size} and {two.size} rows")
    return one, two
