"""Probabilities that come true as often as they say: a straight line through their log odds (Platt 1999; Cox 1958)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from orchestration.predictive.arrays import Floats

MIN_OF_EITHER = 50
CLIP = 1e-6

# a prior around the identity that is worth one customer: it only matters where outcomes are separated perfectly
_PRIOR = 1.0
_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """sigmoid(intercept + slope * logit(p)), with p kept within [1e-6, 1 - 1e-6]."""

    intercept: float = 0.0
    slope: float = 1.0

    def apply(self, p: ArrayLike) -> Floats:
        return expit(self.intercept + self.slope * _log_odds(p))


IDENTITY = Calibration()


def fit_calibration(p: ArrayLike, churned: ArrayLike) -> Calibration:
    """Fit by maximum likelihood; the identity if fewer than 50 churned or stayed, or if it would reverse the order."""
    churned = np.asarray(churned, dtype=np.float64).ravel()
    events = float(churned.sum())
    if min(events, churned.size - events) < MIN_OF_EITHER:
        return IDENTITY
    log_odds = _log_odds(p).ravel()
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    identity = np.array([0.0, 1.0])
    line = identity.copy()

    def loss(tried: Floats) -> float:
        score = design @ tried
        return float(np.logaddexp(0.0, score).sum() - churned @ score + _PRIOR / 2 * np.sum((tried - identity) ** 2))

    for _ in range(_STEPS):
        fitted = expit(design @ line)
        gradient = design.T @ (fitted - churned) + _PRIOR * (line - identity)
        hessian = (design * (fitted * (1 - fitted))[:, None]).T @ design + _PRIOR * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        shrink = 1.0
        while loss(line - shrink * step) > loss(line) and shrink > 1e-10:
            shrink /= 2
        line = line - shrink * step
        if np.abs(shrink * step).max() < 1e-10:
            break
    intercept, slope = line.tolist()
    return Calibration(intercept, slope) if slope > 0 else IDENTITY


def _log_odds(p: ArrayLike) -> Floats:
    return logit(np.clip(np.asarray(p, dtype=np.float64), CLIP, 1 - CLIP))
