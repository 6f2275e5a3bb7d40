"""Windows of days that backtests look at: month ends follow one another faster than windows pass, so they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from orchestration.predictive.arrays import Floats
from orchestration.predictive.snapshots import window_end


def non_overlapping(cuts: Sequence[date], horizon: int) -> list[date]:
    """As many of the cuts as have windows without a common day, the newest among them; newest first."""
    chosen: list[date] = []
    for cut in sorted(set(cuts), reverse=True):
        if not chosen or window_end(cut, horizon) <= chosen[-1]:
            chosen.append(cut)
    return chosen


def effective_windows(cuts: Sequence[date], horizon: int) -> float:
    """How many windows there would be if none overlapped: the days that they span over their length, at least 1."""
    span = (window_end(max(cuts), horizon) - min(cuts)).days
    return float(min(len(cuts), max(1.0, span / horizon)))


def standard_error_of_mean(values: Floats, windows: Sequence[tuple[date, int]]) -> float:
    """Of the mean of what windows (cut, days) show, some of which share days; infinite where they are one."""
    left = share_of_variance_left(windows)
    if left > 1 - 1e-9:
        return float("inf")
    # windows that share days lie closer together than the variance of one says
    return float(np.sqrt(values.var() / (1 - left) * left))


def share_of_variance_left(windows: Sequence[tuple[date, int]]) -> float:
    """Variance of a mean over windows (cut, days), over that of one: 1 / n where they are apart, 1 where they are one.

    What a window shows is taken as a mean of its days, so two are correlated by the days that they share over the
    geometric mean of their lengths.
    """
    begin = np.array([cut.toordinal() for cut, _ in windows], dtype=np.float64)
    days: Floats = np.array([length for _, length in windows], dtype=np.float64)
    end = begin + days
    shared = np.minimum.outer(end, end) - np.maximum.outer(begin, begin)
    return float(np.mean(np.maximum(shared, 0.0) / np.sqrt(np.outer(days, days))))
