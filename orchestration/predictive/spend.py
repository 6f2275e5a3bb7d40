"""Gamma-Gamma model of spend per purchase (Fader and Hardie 2013, note 25).

A customer's purchases vary around his or her own mean, Gamma(p, v); the v of customers vary as Gamma(q, gamma).
Fitted on repeat purchases alone, as the papers do: the first purchase of many customers is unlike the later ones.

Gamma-Gamma knows positive spend alone. Customers whose repeat purchases brought nothing are two kinds that nobody can
tell apart by one of them: a share `never_pays` of all gets everything free (subscribers who paid at the start), and of
the others each repeat purchase is free with probability `free_day`. So the share of customers without any spend after x
repeat purchases is never_pays + (1 - never_pays) * free_day^x, which is fitted to what is seen at each x; the more free
purchases, the surer that there will be no other. Where every repeat buyer has paid, both are 0 and what is left is
Gamma-Gamma as published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, polygamma

from orchestration.predictive.arrays import Floats
from orchestration.predictive.errors import NOT_CONVERGED, TOO_FEW_REPEAT_BUYERS, FitError
from orchestration.predictive.likelihood import covariance, maximise

PARAMETERS = ("p", "q", "gamma")
PAYING_PARAMETERS = ("never_pays", "free_day")
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
    never_pays: float = 0.0
    free_day: float = 0.0

    @classmethod
    def of(cls, parameters: Mapping[str, float]) -> SpendFit:
        """Make a fit for scoring of parameters that were stored."""
        values = {name: float(parameters[name]) for name in PARAMETERS}
        paying = {name: float(parameters.get(name, 0.0)) for name in PAYING_PARAMETERS}
        return cls(**values, **paying, covariance=np.full((3, 3), np.nan), log_likelihood=float("nan"), customers=0)

    @property
    def parameters(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in PARAMETERS}

    @property
    def paying_parameters(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in PAYING_PARAMETERS}

    @property
    def standard_errors(self) -> dict[str, float]:
        return dict(zip(PARAMETERS, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    @property
    def population_mean(self) -> float:
        """Mean spend per purchase of those who ever pay."""
        return self.p * self.gamma / (self.q - 1)


@dataclass(frozen=True, eq=False)
class _Spends:
    x: Floats
    mean: Floats
    customers: Floats


def fit_spend(repeat_purchases: ArrayLike, mean_spend: ArrayLike, customers: ArrayLike | None = None) -> SpendFit:
    """Fit by maximum likelihood on those who bought again; `mean_spend` is that of the repeat purchases.

    Rows without a repeat purchase or with a mean that is missing are left out; those with a mean of zero or below tell
    how many pay at all. `customers` is how many each row stands for. Refuses fewer than 30 customers who have paid.
    """
    spends = _spends(repeat_purchases, mean_spend, customers)
    size = float(spends.customers.sum())
    if size < MIN_REPEATERS:
        raise FitError(
            TOO_FEW_REPEAT_BUYERS,
            f"{size:.0f} customers have paid for a repeat purchase; spend per purchase needs {MIN_REPEATERS} at least.",
        )
    typical = float(spends.customers @ spends.mean) / size
    unit = np.array([1.0, 1.0, typical])
    starts = [np.array([p, q, typical * (q - 1) / p]) for p, q in _STARTS]
    found = maximise(lambda parameters: _total(parameters, spends), starts, _LOWEST * unit, _HIGHEST * unit, size)
    if not found.converged:
        raise FitError(NOT_CONVERGED, f"the likelihood of the spend of {size:.0f} customers was still rising.")
    spread = covariance(lambda parameters: _total(parameters, spends), found.parameters, found.at_bound)
    never_pays, free_day = _fit_paying(repeat_purchases, mean_spend, customers)
    return SpendFit(*found.parameters.tolist(), spread, found.value, int(round(size)), never_pays, free_day)


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

    Without a repeat purchase, or with a mean that is missing, it is the mean of all, less those who never pay; with a
    mean of zero or below, the mean of all times what chance there is left that the customer pays.
    """
    x, mean = np.broadcast_arrays(np.asarray(repeat_purchases, np.float64), np.asarray(mean_spend, np.float64))
    seen = (x > 0) & np.isfinite(mean)
    paid = seen & (mean > 0)
    own, own_mean = np.where(paid, x, 0.0), np.where(paid, mean, 0.0)
    spend = fit.p * (fit.gamma + own * own_mean) / (fit.p * own + fit.q - 1)
    return spend * np.where(paid, 1.0, _chance_to_pay(fit.never_pays, fit.free_day, np.where(seen, x, 0.0)))


def _chance_to_pay(never_pays: float, free_day: float, free_purchases: Floats) -> Floats:
    """Of a customer of whom only free repeat purchases are known, so many; 0 where the fit has seen no free one."""
    pays = (1 - never_pays) * np.power(free_day, free_purchases)
    total = never_pays + pays
    return np.divide(pays, total, out=np.zeros_like(total), where=total > 0)


def _fit_paying(repeat_purchases: ArrayLike, mean_spend: ArrayLike, customers: ArrayLike | None) -> tuple[float, float]:
    """Share of customers who never pay, and of the free purchases of the others; both 0 where all have paid.

    A prior Beta(2, 2) holds the second off 0 and 1: where hardly anybody bought more than once again, data cannot tell
    the two apart.
    """
    x, mean = (np.asarray(values, dtype=np.float64).ravel() for values in (repeat_purchases, mean_spend))
    weights = np.ones(x.size) if customers is None else np.asarray(customers, dtype=np.float64).ravel()
    seen = (x > 0) & np.isfinite(mean)
    x, is_free, weights = x[seen], mean[seen] <= 0, weights[seen]
    if not (weights * is_free).any():
        return 0.0, 0.0
    purchases, codes = np.unique(x, return_inverse=True)
    free = np.bincount(codes, weights=weights * is_free)
    paid = np.bincount(codes, weights=weights * ~is_free)

    def loss(logits: Floats) -> float:
        never, day = 1 / (1 + np.exp(-logits))
        share = never + (1 - never) * day**purchases
        prior = np.log(day) + np.log1p(-day)
        return -float(free @ np.log(share) + paid @ np.log1p(-share) + prior) / weights.sum()

    bounds = [(-12.0, 12.0)] * 2
    starts = ([logit, day] for logit in (-6.0, -2.0, 2.0) for day in (-4.0, 0.0))
    best = min((minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts), key=lambda one: one.fun)
    never_pays, free_day = (1 / (1 + np.exp(-best.x))).tolist()
    return never_pays, free_day


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
