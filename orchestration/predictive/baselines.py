"""What anybody could predict without a model of purchases; a model has to do better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.predictive.arrays import Floats
from orchestration.predictive.churn_models import LogisticModel, fit_logistic_on_counts
from orchestration.predictive.snapshots import Snapshot

RECENCY, RFM, LAST_PERIOD_RATE = "recency", "rfm", "last_period_rate"
BASELINES = (RECENCY, RFM, LAST_PERIOD_RATE)

_YEAR = 365
_SCORES = 6  # 0 (no purchase in 365 days) to 5
# what the customers with the same recency are worth against those of the cell, as a number of customers
_WEIGHT_OF_RECENCY = 20.0


@dataclass(frozen=True)
class RecencyChurn:
    """P(churn) by a logistic regression on the logarithm of days since the last purchase."""

    model: LogisticModel

    @classmethod
    def fit(cls, known: Snapshot, churned: NDArray[np.bool_]) -> RecencyChurn | None:
        days, codes = np.unique(known.recency_days, return_inverse=True)
        stayed, left = _split(codes, churned, days.size)
        model = fit_logistic_on_counts(np.log1p(days)[:, None], stayed, left, ("log_days_since_last_purchase",))
        return None if model is None else cls(model)

    def predict(self, known: Snapshot) -> Floats:
        return self.model.predict(np.log1p(known.recency_days)[:, None])


@dataclass(frozen=True)
class RfmChurn:
    """P(churn) by a logistic regression on the three RFM scores."""

    model: LogisticModel

    @classmethod
    def fit(cls, known: Snapshot, churned: NDArray[np.bool_]) -> RfmChurn | None:
        cells = np.arange(_SCORES**3)
        scores = np.column_stack([cells // _SCORES**2, cells // _SCORES % _SCORES, cells % _SCORES]).astype(np.float64)
        stayed, left = _split(_cells(known), churned, _SCORES**3)
        model = fit_logistic_on_counts(scores, stayed, left, ("r_score", "f_score", "m_score"))
        return None if model is None else cls(model)

    def predict(self, known: Snapshot) -> Floats:
        return self.model.predict(_scores(known))


@dataclass(frozen=True)
class CellMeans:
    """What customers of the same recency score, or of the same RFM scores, went on to buy or to spend.

    `by_recency` has a mean for each recency score, `by_cell` for each r, f, m: the fewer customers a cell had, the
    nearer it is to the mean of its recency score.
    """

    by_recency: Floats
    by_cell: Floats

    @classmethod
    def fit(cls, known: Snapshot, outcome: Floats) -> CellMeans:
        recency = known.r_score.astype(np.int64)
        counts, sums = _counted(recency, outcome, _SCORES)
        seen = np.flatnonzero(counts)
        # a score that nobody had takes after the nearest one
        nearest = seen[np.abs(np.arange(_SCORES)[:, None] - seen).argmin(axis=1)]
        by_recency = (sums[seen] / counts[seen])[np.searchsorted(seen, nearest)]
        counts, sums = _counted(_cells(known), outcome, _SCORES**3)
        prior = np.repeat(by_recency, _SCORES**2)
        by_cell = (sums + _WEIGHT_OF_RECENCY * prior) / (counts + _WEIGHT_OF_RECENCY)
        return cls(by_recency, by_cell)

    def predict_by_recency(self, known: Snapshot) -> Floats:
        return self.by_recency[known.r_score.astype(np.int64)]

    def predict_by_cell(self, known: Snapshot) -> Floats:
        return self.by_cell[_cells(known)]


def continued(of_year: Floats, known: Snapshot, days: int) -> Floats:
    """What comes in `days` if it goes on as in the 365 days before, or as since the first purchase if that is later."""
    return of_year * days / np.minimum(_YEAR, known.T + 1)


def rate_churn(known: Snapshot, days: int) -> Floats:
    """P(no purchase) of a customer who keeps buying at random at last year's rate."""
    return np.exp(-continued(known.purchase_days_365d, known, days))


def _split(cells: NDArray[np.int64], churned: NDArray[np.bool_], size: int) -> tuple[Floats, Floats]:
    """How many of each cell stayed, and how many churned."""
    customers, left = _counted(cells, churned.astype(np.float64), size)
    return customers - left, left


def _scores(known: Snapshot) -> Floats:
    return np.column_stack([known.r_score, known.f_score, known.m_score])


def _cells(known: Snapshot) -> NDArray[np.int64]:
    r, f, m = (scores.astype(np.int64) for scores in (known.r_score, known.f_score, known.m_score))
    return (r * _SCORES + f) * _SCORES + m


def _counted(cells: NDArray[np.int64], outcome: Floats, size: int) -> tuple[Floats, Floats]:
    counts = np.bincount(cells, minlength=size).astype(np.float64)
    return counts, np.bincount(cells, weights=outcome, minlength=size)
