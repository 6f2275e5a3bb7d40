"""Probabilities that come true as often as they say: a straight line through their log odds (Platt 1999; Cox 1958).

A window alone has its season and its campaigns, so lines of several windows are pooled, and the mean line is drawn to
the identity by how unsure it is: by what one window differs from the next, over the number of windows in effect
(empirical Bayes). A line is taken apart into its height in the middle of the log odds and its slope, which then are
nearly independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from orchestration.predictive.arrays import Floats
from orchestration.predictive.empirical_bayes import between_variance, with_prior

MIN_OF_EITHER = 50
CLIP = 1e-6

# a prior around the identity that is worth one customer: it only matters where outcomes are separated perfectly
_PRIOR = 1.0
_STEPS = 100
# log odds that differ by less make no difference to a line
_DIGITS = 3
# standard deviation of height and slope between companies, and of a window around its company, the latter worth so many
# windows; DECISIONS says where they are from
_BETWEEN_COMPANIES = 0.08
_BETWEEN_WINDOWS = 0.20
_PRIOR_WINDOWS = 6.0


@dataclass(frozen=True)
class Calibration:
    """sigmoid(intercept + slope * logit(p)), with p kept within [1e-6, 1 - 1e-6]."""

    intercept: float = 0.0
    slope: float = 1.0

    def apply(self, p: ArrayLike) -> Floats:
        return expit(self.intercept + self.slope * _log_odds(p))


IDENTITY = Calibration()


@dataclass(frozen=True, eq=False)
class Line:
    """The calibration of one window, the covariance of intercept and slope, and the mean log odds."""

    calibration: Calibration
    covariance: Floats
    middle: float

    def around(self, middle: float) -> tuple[Floats, Floats]:
        """What the line has above the identity in the middle, and beyond a slope of 1; and the variance of each."""
        extra = self.calibration.slope - 1
        height = np.array([1.0, middle])
        variances = np.array([height @ self.covariance @ height, self.covariance[1, 1]])
        return np.array([self.calibration.intercept + extra * middle, extra]), variances


def fit_line(p: ArrayLike, churned: ArrayLike, customers: ArrayLike | None = None) -> Line | None:
    """Fit one window by maximum likelihood; None of fewer than 50 who churned or stayed, or if it turns the order.

    A row is a customer, or stands for so many `customers`, of whom so many `churned`.
    """
    churned = np.asarray(churned, dtype=np.float64).ravel()
    weights = np.ones(churned.size) if customers is None else np.asarray(customers, dtype=np.float64).ravel()
    events = float(churned.sum())
    if min(events, weights.sum() - events) < MIN_OF_EITHER:
        return None
    log_odds, codes = np.unique(np.round(_log_odds(p).ravel(), _DIGITS), return_inverse=True)
    counts, hits = np.bincount(codes, weights=weights), np.bincount(codes, weights=churned)
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    identity = np.array([0.0, 1.0])
    line = identity.copy()

    def loss(tried: Floats) -> float:
        score = design @ tried
        return float(counts @ np.logaddexp(0.0, score) - hits @ score + _PRIOR / 2 * np.sum((tried - identity) ** 2))

    def hessian(fitted: Floats) -> Floats:
        return (design * (counts * fitted * (1 - fitted))[:, None]).T @ design + _PRIOR * np.eye(2)

    for _ in range(_STEPS):
        fitted = expit(design @ line)
        gradient = design.T @ (counts * fitted - hits) + _PRIOR * (line - identity)
        step = np.linalg.solve(hessian(fitted), gradient)
        shrink = 1.0
        while loss(line - shrink * step) > loss(line) and shrink > 1e-10:
            shrink /= 2
        line = line - shrink * step
        if np.abs(shrink * step).max() < 1e-10:
            break
    intercept, slope = line.tolist()
    if slope <= 0:
        return None
    middle = float(counts @ log_odds / counts.sum())
    return Line(Calibration(intercept, slope), np.linalg.inv(hessian(expit(design @ line))), middle)


def pooled(lines: Sequence[Line], windows: float) -> Calibration:
    """The mean line of windows that are so many in effect, drawn to the identity; the identity of none."""
    if not lines:
        return IDENTITY
    middle = float(np.mean([line.middle for line in lines]))
    found = [line.around(middle) for line in lines]
    height, extra = (
        _drawn_to_zero(
            np.array([values[place] for values, _ in found]), np.array([noise[place] for _, noise in found]), windows
        )
        for place in (0, 1)
    )
    return Calibration(height - extra * middle, 1 + extra)


def _drawn_to_zero(values: Floats, noise: Floats, windows: float) -> float:
    between = with_prior(_BETWEEN_WINDOWS**2, _PRIOR_WINDOWS, between_variance(values, noise), windows - 1)
    weights = 1 / (between + noise)
    of_mean = values.size / windows / weights.sum()
    kept = _BETWEEN_COMPANIES**2 / (_BETWEEN_COMPANIES**2 + of_mean)
    return float(kept * np.average(values, weights=weights))


def _log_odds(p: ArrayLike) -> Floats:
    return logit(np.clip(np.asarray(p, dtype=np.float64), CLIP, 1 - CLIP))
