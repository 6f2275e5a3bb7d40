"""Gamma-Gamma model of spend per purchase (Fader and Hardie 2013, note 25).

A customer's purchases vary around his or her own mean, Gamma(p, v); the v of customers vary as Gamma(q, gamma).
Fitted on repeat purchases alone, as the papers do: the first purchase of many customers is unlike the later ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, polygamma

from orchestration.predictive.arrays import Floats
from orchestration.predictive.errors import NOT_CONVERGED, TOO_FEW_CUSTOMERS, FitError
from orchestration.predictive.likelihood import covariance, maximise

PARAMETERS = ("p", "q", "gamma")
MIN_REPEATERS = 30

# p, q, gamma over the mean spend; the mean of all, p * gamma / (q - 1), needs q above 1
_LOWEST = np.array([1e-2, 1.05, 1e-4])
_HIGHEST = np.array([1e3, 1e3, 1e6])
_STARTS = ((5.0, 4.0), (1.0, 2.0), (50.0, 10.0))


@dataclass(frozen=True, eq=False)
class SpendFit:
    """The parameters, with the covariance of (p, q, gamma): nan for a parameter that ended at a bound."""

    p: float
    q: float
    gamma: float
    covariance: Floats
    log_likelihood: float
    customers: int

    @classmethod
    def of(cls, parameters: Mapping[str, float]) -> SpendFit:
        """Make a fit for scoring of parameters that were stored."""
        values = {name: float(parameters[name]) for name in PARAMETERS}
        return cls(**values, covariance=np.full((3, 3), np.nan), log_likelihood=float("nan"), customers=0)

    @property
    def parameters(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in PARAMETERS}

    @property
    def standard_errors(self) -> dict[str, float]:
        return dict(zip(PARAMETERS, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    @property
    def population_mean(self) -> float:
        return self.p * self.gamma / (self.q - 1)


@dataclass(frozen=True, eq=False)
class _Spends:
    x: Floats
    mean: Floats
    customers: Floats


def fit_spend(repeat_purchases: ArrayLike, mean_spend: ArrayLike, customers: ArrayLike | None = None) -> SpendFit:
    """Fit by maximum likelihood on those who bought again; `mean_spend` is that of the repeat purchases.

    Rows without a repeat purchase or with a mean that is missing, zero or negative are left out. `customers` is how
    many each row stands for. Refuses fewer than 30 customers who are left.
    """
    spends = _spends(repeat_purchases, mean_spend, customers)
    size = float(spends.customers.sum())
    if size < MIN_REPEATERS:
        raise FitError(
            TOO_FEW_CUSTOMERS,
            f"{size:.0f} customers have paid for a repeat purchase; spend per purchase needs {MIN_REPEATERS} at least.",
        )
    typical = float(spends.customers @ spends.mean) / size
    unit = np.array([1.0, 1.0, typical])
    starts = [np.array([p, q, typical * (q - 1) / p]) for p, q in _STARTS]
    found = maximise(lambda parameters: _total(parameters, spends), starts, _LOWEST * unit, _HIGHEST * unit, size)
    if not found.converged:
        raise FitError(NOT_CONVERGED, f"the likelihood of the spend of {size:.0f} customers was still rising.")
    spread = covariance(lambda parameters: _total(parameters, spends), found.parameters, found.at_bound)
    return SpendFit(*found.parameters.tolist(), spread, found.value, int(round(size)))


def log_likelihood(
    parameters: Iterable[float],
    repeat_purchases: ArrayLike,
    mean_spend: ArrayLike,
    customers: ArrayLike | None = None,
) -> tuple[float, Floats]:
    """Log-likelihood of the customers who bought again, and its gradient by p, q, gamma."""
    spends = _spends(repeat_purchases, mean_spend, customers)
    value, gradient, _ = _total(np.array(list(parameters), dtype=np.float64), spends)
    return value, gradient


def expected_spend(fit: SpendFit, repeat_purchases: ArrayLike, mean_spend: ArrayLike) -> Floats:
    """Spend per purchase to be expected: the own mean, drawn towards that of all the more, the fewer the purchases.

    Without a repeat purchase, or with a mean that is missing, zero or negative, it is the mean of all.
    """
    x, mean = np.broadcast_arrays(np.asarray(repeat_purchases, np.float64), np.asarray(mean_spend, np.float64))
    known = (x > 0) & np.isfinite(mean) & (mean > 0)
    x, mean = np.where(known, x, 0.0), np.where(known, mean, 0.0)
    return fit.p * (fit.gamma + x * mean) / (fit.p * x + fit.q - 1)


def _spends(repeat_purchases: ArrayLike, mean_spend: ArrayLike, customers: ArrayLike | None) -> _Spends:
    x = np.asarray(repeat_purchases, dtype=np.float64).ravel()
    mean = np.asarray(mean_spend, dtype=np.float64).ravel()
    weights = np.ones(x.size) if customers is None else np.asarray(customers, dtype=np.float64).ravel()
    known = (x > 0) & np.isfinite(mean) & (mean > 0)
    return _Spends(x[known], mean[known], weights[known])


def _total(parameters: Floats, spends: _Spends) -> tuple[float, Floats, Floats]:
    """Sum over customers, with gradient and Hessian by p, q, gamma."""
    p, q, gamma = parameters
    weights, size = spends.customers, spends.customers.sum()
    x, codes = np.unique(spends.x, return_inverse=True)
    weights_of_x = np.bincount(codes, weights=weights, minlength=x.size)
    whole = spends.x * spends.mean
    log_sum = np.log(gamma + whole)
    inverse = 1 / (gamma + whole)
    log_whole = np.log(whole)
    value = (
        weights_of_x @ (gammaln(p * x + q) - gammaln(p * x))
        + size * (q * np.log(gamma) - gammaln(q))
        + weights @ (p * spends.x * log_whole - np.log(spends.mean) - (p * spends.x + q) * log_sum)
    )
    shape = p * spends.x + q
    gradient = np.array(
        [
            weights_of_x @ (x * (digamma(p * x + q) - digamma(p * x))) + weights @ (spends.x * (log_whole - log_sum)),
            weights_of_x @ digamma(p * x + q) + size * (np.log(gamma) - digamma(q)) - weights @ log_sum,
            size * q / gamma - weights @ (shape * inverse),
        ]
    )
    of_sum = polygamma(1, p * x + q)
    hessian = np.zeros((3, 3))
    hessian[0, 0] = weights_of_x @ (x**2 * (of_sum - polygamma(1, p * x)))
    hessian[0, 1] = weights_of_x @ (x * of_sum)
    hessian[0, 2] = -(weights @ (spends.x * inverse))
    hessian[1, 1] = weights_of_x @ of_sum - size * polygamma(1, q)
    hessian[1, 2] = size / gamma - weights @ inverse
    hessian[2, 2] = -size * q / gamma**2 + weights @ (shape * inverse**2)
    return float(value), gradient, np.triu(hessian) + np.triu(hessian, 1).T
