"""How much single estimates differ beyond their noise, and how far an estimate is believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestration.predictive.arrays import Floats

_BISECTIONS = 60


def between_variance(means: Floats, noise: Floats, groups: NDArray[np.int64] | None = None) -> float:
    """Variance of the truths behind means of known noise variance (Paule and Mandel 1982), 0 where noise explains all.

    With `groups` the means are held against the mean of their own group, one variance for all groups.
    """
    codes = np.zeros(means.size, dtype=np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    freedom = means.size - (int(codes.max()) + 1 if means.size else 0)

    def excess(between: float) -> float:
        weights = 1 / (noise + between)
        centres = np.bincount(codes, weights=weights * means) / np.bincount(codes, weights=weights)
        return float(weights @ (means - centres[codes]) ** 2) - freedom

    if freedom < 1 or excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, max(1.0, float(np.ptp(means)) ** 2)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2


def with_prior(prior: float, worth: float, found: float, freedom: float) -> float:
    """A variance from a prior that is worth so many degrees of freedom, and one that was found with some."""
    return (worth * prior + freedom * found) / (worth + freedom)
