"""Buy-till-you-die models: BG/NBD (Fader, Hardie and Lee 2005) and MBG/NBD (Batislam, Denizel and Filiztekin 2007).

A customer buys at a rate drawn from Gamma(r, alpha) and leaves after a purchase with a probability drawn from Beta(a,
b). The two models differ in the first purchase: after it nobody has left yet by BG/NBD, by MBG/NBD somebody may have.
Both need of a customer the repeat purchases x, the time of the last of them t_x, and the time observed T, both since
the first purchase, in any one unit of time (the product uses days).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaln, digamma, expit, exprel, gammaln, hyp2f1, polygamma

from orchestration.predictive.arrays import Floats, alike
from orchestration.predictive.errors import (
    HISTORY_TOO_SHORT,
    NOT_CONVERGED,
    TOO_FEW_CUSTOMERS,
    FitError,
)
from orchestration.predictive.fit_limits import Limits
from orchestration.predictive.likelihood import covariance, maximise

MODELS = ("mbg_nbd", "bg_nbd")
PARAMETERS = ("r", "alpha", "a", "b")

# r, alpha over the mean time observed, a, b: wide enough for any shop, narrow enough that no likelihood runs away. At r
# = 30 customers buy at nearly one rate; beyond, the sum of expected purchases alternates and loses its digits
_LOWEST = np.array([1e-3, 1e-5, 1e-3, 1e-3])
_HIGHEST = np.array([30.0, 1e3, 5.0, 1e3])
# as written, the formula of expected purchases divides by a - 1, and that of BG/NBD by a + b - 1 where x = 0
_OFF_ONE = 1e-5
_NEAR_ZERO = 1e-3
_TERMS = 100_000
_STARTS = ((0.5, 0.8, 2.0), (1.0, 0.2, 4.0), (0.2, 2.0, 1.0), (5.0, 0.1, 10.0))
_GROUPS_FOR_ERROR = 20_000


@dataclass(frozen=True, eq=False)
class Histories:
    """What the models need of customers; a row stands for `customers` of them with the same history."""

    x: Floats
    t_x: Floats
    T: Floats
    customers: Floats

    @classmethod
    def grouped(cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, customers: ArrayLike | None = None) -> Histories:
        """Count the customers of each (x, t_x, T), which the likelihood cannot tell apart."""
        columns = [np.asarray(column, dtype=np.float64).ravel() for column in (x, t_x, T)]
        weights = None if customers is None else np.asarray(customers, dtype=np.float64).ravel()
        _check_histories(*columns)
        first, codes = alike(*columns)
        counts = np.bincount(codes, weights=weights, minlength=first.size).astype(np.float64)
        return cls(*(column[first] for column in columns), counts)

    @property
    def total_customers(self) -> int:
        return int(round(float(self.customers.sum())))


@dataclass(frozen=True, eq=False)
class BtydFit:
    """The parameters of a model, with the covariance of (r, alpha, a, b): nan for a parameter that ended at a bound."""

    model: str
    r: float
    alpha: float
    a: float
    b: float
    covariance: Floats
    log_likelihood: float
    customers: int

    @classmethod
    def of(cls, model: str, parameters: Mapping[str, float]) -> BtydFit:
        """Make a fit for scoring of parameters that were stored."""
        _check_model(model)
        values = {name: float(parameters[name]) for name in PARAMETERS}
        return cls(model, **values, covariance=np.full((4, 4), np.nan), log_likelihood=float("nan"), customers=0)

    @property
    def parameters(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in PARAMETERS}

    @property
    def standard_errors(self) -> dict[str, float]:
        return dict(zip(PARAMETERS, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))


class _Likelihood:
    """The log-likelihood of many histories. What depends on one column is computed once for each of its values."""

    def __init__(self, model: str, histories: Histories) -> None:
        _check_model(model)
        self.weights = histories.customers
        self.is_modified = model == "mbg_nbd"
        self.x, self.x_codes = np.unique(histories.x, return_inverse=True)
        self.last, self.last_codes = np.unique(histories.t_x, return_inverse=True)
        self.end, self.end_codes = np.unique(histories.T, return_inverse=True)
        # how often the customer did not leave: MBG/NBD asks after the first purchase as well
        self.stayed = self.x + 1 if self.is_modified else self.x
        self.weights_of_x = np.bincount(self.x_codes, weights=self.weights, minlength=self.x.size)

    def each(self, parameters: Floats) -> Floats:
        r, alpha, a, b = parameters
        return (self._of_x(r, alpha, a, b))[self.x_codes] + self._mixture(r, alpha, a, b)[0]

    def total(self, parameters: Floats) -> tuple[float, Floats, Floats]:
        """Sum over customers, with gradient and Hessian by r, alpha, a, b."""
        r, alpha, a, b = parameters
        x, stayed, weights = self.x, self.stayed, self.weights
        value = self.weights_of_x @ self._of_x(r, alpha, a, b)
        by_x = np.array(
            [
                digamma(r + x) - digamma(r) + np.log(alpha),
                np.full_like(x, r / alpha),
                digamma(a + b) - digamma(a + b + stayed),
                digamma(b + stayed) - digamma(b) + digamma(a + b) - digamma(a + b + stayed),
            ]
        )
        gradient = by_x @ self.weights_of_x
        hessian = np.zeros((4, 4))
        both = self.weights_of_x @ (_trigamma(a + b) - _trigamma(a + b + stayed))
        hessian[0, 0] = self.weights_of_x @ (_trigamma(r + x) - _trigamma(r))
        hessian[0, 1] = weights.sum() / alpha
        hessian[1, 1] = -weights.sum() * r / alpha**2
        hessian[2, 2] = hessian[2, 3] = both
        hessian[3, 3] = both + self.weights_of_x @ (_trigamma(b + stayed) - _trigamma(b))

        mixed, left, log_end, log_last, shape, divisor = self._mixture(r, alpha, a, b)
        inverse_end = (1 / (alpha + self.end))[self.end_codes]
        inverse_last = (1 / (alpha + self.last))[self.last_codes]
        value += weights @ mixed
        # of u, the log odds that the customer left right after the last purchase
        u = np.array(
            [log_end - log_last, shape * (inverse_end - inverse_last), np.full_like(shape, 1 / a), -1 / divisor]
        )
        weights_left = weights * left
        gradient[0] -= weights @ log_end
        gradient[1] -= weights @ (shape * inverse_end)
        gradient += u @ weights_left
        hessian[0, 1] += -(weights @ inverse_end) + weights_left @ (inverse_end - inverse_last)
        hessian[1, 1] += weights @ (shape * inverse_end**2) - weights_left @ (
            shape * (inverse_end**2 - inverse_last**2)
        )
        hessian[2, 2] -= weights_left.sum() / a**2
        hessian[3, 3] += weights_left @ (1 / divisor**2)
        hessian = np.triu(hessian) + np.triu(hessian, 1).T
        hessian += (u * (weights_left * (1 - left))) @ u.T
        return float(value), gradient, hessian

    def _of_x(self, r: float, alpha: float, a: float, b: float) -> Floats:
        stayed = self.stayed
        return gammaln(r + self.x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + stayed) - betaln(a, b)

    def _mixture(self, r: float, alpha: float, a: float, b: float) -> tuple[Floats, ...]:
        """Take a customer as alive or as gone: log of the sum, weight of gone, and the parts."""
        divisor = b + self.stayed - 1
        log_odds = np.log(a) - np.log(np.where(divisor > 0, divisor, 1.0))
        if not self.is_modified:
            log_odds = np.where(self.x > 0, log_odds, -np.inf)
            divisor = np.where(self.x > 0, divisor, 1.0)
        shape = (r + self.x)[self.x_codes]
        log_end = np.log(alpha + self.end)[self.end_codes]
        log_last = np.log(alpha + self.last)[self.last_codes]
        u = log_odds[self.x_codes] + shape * (log_end - log_last)
        value = np.logaddexp(0.0, u) - shape * log_end
        return value, expit(u), log_end, log_last, shape, divisor[self.x_codes]


def log_likelihoods(model: str, parameters: Iterable[float], x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Log-likelihood of each customer."""
    columns = np.broadcast_arrays(*(np.asarray(column, dtype=np.float64) for column in (x, t_x, T)))
    flat = [column.ravel() for column in columns]
    each = _Likelihood(model, Histories(*flat, np.ones(flat[0].size))).each(
        np.array(list(parameters), dtype=np.float64)
    )
    return each.reshape(columns[0].shape)


def log_likelihood(model: str, parameters: Iterable[float], histories: Histories) -> tuple[float, Floats]:
    """Log-likelihood of all customers, and its gradient by r, alpha, a, b."""
    value, gradient, _ = _Likelihood(model, histories).total(np.array(list(parameters), dtype=np.float64))
    return value, gradient


def log_likelihood_hessian(model: str, parameters: Iterable[float], histories: Histories) -> Floats:
    """Second derivatives of the log-likelihood by r, alpha, a, b."""
    return _Likelihood(model, histories).total(np.array(list(parameters), dtype=np.float64))[2]


def fit_btyd(
    model: str, histories: Histories, start: BtydFit | None = None, *, limits: Limits | None = None
) -> BtydFit:
    """Fit by maximum likelihood; `start` is a fit in the same unit of time to begin from.

    Refuses fewer customers or days of history than `limits` ask for. None refuses none of either, for small published
    examples and for other units than days.
    """
    if limits is not None:
        _check_size(histories, limits)
    if float(histories.customers @ histories.x) == 0:
        raise FitError(
            NOT_CONVERGED,
            f"none of the {histories.total_customers} customers has bought on a second day, "
            "from which alone a rate of purchase can be learnt.",
        )
    likelihood = _Likelihood(model, histories)
    customers = float(histories.customers.sum())
    unit = np.array([1.0, float(histories.customers @ histories.T) / customers, 1.0, 1.0])
    found = maximise(likelihood.total, _starts(histories, start), _LOWEST * unit, _HIGHEST * unit, customers)
    if not found.converged:
        raise FitError(
            NOT_CONVERGED,
            f"the likelihood of {model} on {histories.total_customers} customers was still rising after {len(_STARTS)} "
            "climbs; the customers are too alike, or too few have bought again.",
        )
    parameters = _off_one(model, found.parameters)
    spread = covariance(likelihood.total, parameters, found.at_bound)
    return BtydFit(model, *parameters.tolist(), spread, found.value, histories.total_customers)


def p_alive(fit: BtydFit, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Probability that the customer has not left; as a score of churn worse than `probability_of_no_purchase`."""
    x, t_x, T = _floats(x, t_x, T)
    stayed = fit.b + x if fit.model == "mbg_nbd" else fit.b + x - 1
    never_asked = (x == 0) & (fit.model == "bg_nbd")
    log_odds_gone = (
        np.log(fit.a)
        - np.log(np.where(never_asked, 1.0, stayed))
        + (fit.r + x) * (np.log(fit.alpha + T) - np.log(fit.alpha + t_x))
    )
    return np.where(never_asked, 1.0, expit(-log_odds_gone))


def probability_of_no_purchase(fit: BtydFit, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, days: ArrayLike) -> Floats:
    """Probability that no purchase comes in the next `days`."""
    x, t_x, T, days = _floats(x, t_x, T, days)
    buys_if_alive = -np.expm1(-(fit.r + x) * np.log1p(days / (fit.alpha + T)))
    return 1 - p_alive(fit, x, t_x, T) * buys_if_alive


def expected_purchases(fit: BtydFit, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, days: ArrayLike) -> Floats:
    """Purchases to be expected in the next `days`, by Euler's form of the hypergeometric sum."""
    x, t_x, T, days = _floats(x, t_x, T, days)
    a = fit.a
    both = a + fit.b if fit.model == "mbg_nbd" else a + fit.b - 1
    z, whole = np.broadcast_arrays(days / (fit.alpha + T + days), both + x)
    log_rest = np.log1p(-z)
    # whole / (a - 1) * (1 - (1 - z)^(a - 1) * hyp2f1(both - r, a - 1, whole, z)), without dividing by zero
    straight = -whole * log_rest * exprel((a - 1) * log_rest)
    curved = np.exp((a - 1) * log_rest) * _series(both - fit.r, a - 1, whole, z)
    return (straight - curved) * p_alive(fit, x, t_x, T)


def expected_repeat_purchases(fit: BtydFit, days: ArrayLike) -> Floats:
    """Repeat purchases to be expected of a customer in the `days` after the first purchase, E[X(t)]."""
    return expected_purchases(fit, 0.0, 0.0, 0.0, days)


def probability_of_purchases(fit: BtydFit, days: ArrayLike, n: ArrayLike) -> Floats:
    """Probability of exactly n repeat purchases in the `days` after the first purchase, P(X(t) = n)."""
    days, n = _floats(days, n)
    r, alpha, a, b = fit.r, fit.alpha, fit.a, fit.b
    stayed = n + 1 if fit.model == "mbg_nbd" else n
    z = days / (alpha + days)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_power = np.where(n == 0, 0.0, n * np.log(z))
    log_count = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log1p(-z) + log_power
    alive = np.exp(betaln(a, b + stayed) - betaln(a, b) + log_count)
    # left right after purchase n, which came in time: at least n events of the negative binomial
    at_least = np.where(n == 0, 1.0, betainc(np.maximum(n, 1.0), r, z))
    can_leave = (n > 0) | (fit.model == "mbg_nbd")
    gone = np.exp(betaln(a + 1, np.where(can_leave, b + stayed - 1, 1.0)) - betaln(a, b)) * at_least
    return alive + np.where(can_leave, gone, 0.0)


def relative_error_of_total(fit: BtydFit, histories: Histories, days: float) -> float:
    """Standard error of the total of expected purchases over that total, from the covariance (delta method).

    A parameter at a bound is taken as known. Of more than 20,000 histories every n-th stands for all.
    """
    covariance = np.nan_to_num(fit.covariance, nan=0.0)
    stride = -(-histories.x.size // _GROUPS_FOR_ERROR)
    x, t_x, T, customers = (
        column[::stride] for column in (histories.x, histories.t_x, histories.T, histories.customers)
    )
    theta = np.array([fit.r, fit.alpha, fit.a, fit.b])

    def total(parameters: Floats) -> float:
        moved = BtydFit.of(fit.model, dict(zip(PARAMETERS, parameters.tolist(), strict=True)))
        return float(customers @ expected_purchases(moved, x, t_x, T, days))

    whole = total(theta)
    if whole <= 0:
        return float("nan")
    slopes = np.zeros(4)
    for place, value in enumerate(theta):
        step = np.zeros(4)
        step[place] = 1e-4 * value
        slopes[place] = (total(theta + step) - total(theta - step)) / (2e-4 * value)
    return float(np.sqrt(max(0.0, slopes @ covariance @ slopes)) / whole)


def next_purchase_median_days(fit: BtydFit, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Days until a next purchase is as likely to have come as not; nan where it never is."""
    x, t_x, T = _floats(x, t_x, T)
    alive = p_alive(fit, x, t_x, T)
    comes = alive > 0.5
    with np.errstate(over="ignore"):
        days = (fit.alpha + T) * np.expm1(-np.log1p(-0.5 / np.where(comes, alive, 1.0)) / (fit.r + x))
    return np.where(comes & np.isfinite(days), days, np.nan)


def _series(first: float, second: float, third: Floats, z: Floats) -> Floats:
    """(hyp2f1(first, second, third, z) - 1) * third / second, also where `second` or `third` is 0.

    SciPy's is quick, but gives nan for some customers of hundreds of purchases, whose sum converges at once.
    """
    if abs(second) > _NEAR_ZERO:
        with np.errstate(invalid="ignore"):
            result = (hyp2f1(first, second, third, z) - 1) * third / second
        missing = ~np.isfinite(result)
    else:
        result, missing = np.empty(z.shape), np.ones(z.shape, dtype=bool)
    if missing.any():
        third, z = third[missing], z[missing]
        term = z * first
        total = term.copy()
        for n in range(1, _TERMS):
            term = term * z * (first + n) * (second + n) / ((third + n) * (n + 1))
            total += term
            if (np.abs(term) <= 1e-17 * np.abs(total)).all():
                break
        result = np.array(result)
        result[missing] = total
    return result


def _starts(histories: Histories, start: BtydFit | None) -> Iterable[Floats]:
    if start is not None:
        yield np.array([start.r, start.alpha, start.a, start.b])
    rate = float(histories.customers @ histories.x) / float(histories.customers @ histories.T)
    for r, a, b in _STARTS:
        yield np.array([r, r / rate, a, b])


def _off_one(model: str, parameters: Floats) -> Floats:
    """Move a, and of BG/NBD a + b, off exactly 1, where a formula would divide by zero."""
    r, alpha, a, b = parameters
    if abs(a - 1) < _OFF_ONE:
        a = 1 + _OFF_ONE
    if model == "bg_nbd" and abs(a + b - 1) < _OFF_ONE:
        b = 1 - a + _OFF_ONE
    return np.array([r, alpha, a, b])


def _check_size(histories: Histories, limits: Limits) -> None:
    customers, needed = histories.total_customers, limits.minimum_customers
    if customers < needed:
        raise FitError(TOO_FEW_CUSTOMERS, f"{customers} customers have bought; a model needs {needed} at least.")
    days, needed = float(histories.T.max()), limits.minimum_history_days
    if days < needed:
        raise FitError(
            HISTORY_TOO_SHORT,
            f"the history is {days:.0f} days long, from the first purchase on; a model needs {needed} at least.",
        )


def _check_histories(x: Floats, t_x: Floats, T: Floats) -> None:
    if not x.shape == t_x.shape == T.shape:
        raise ValueError(f"x, t_x and T have {x.size}, {t_x.size} and {T.size} rows")
    sane = (x >= 0) & (t_x >= 0) & (t_x <= T) & ((x > 0) | (t_x == 0)) & np.isfinite(x) & np.isfinite(T)
    if not sane.all():
        row = int(np.argmin(sane))
        raise ValueError(f"no history: x={x[row]}, t_x={t_x[row]}, T={T[row]} in row {row}")


def _check_model(model: str) -> None:
    if model not in MODELS:
        raise ValueError(f"model {model!r} is none of {', '.join(MODELS)}")


def _floats(*columns: ArrayLike) -> tuple[Any, ...]:
    return tuple(np.asarray(column, dtype=np.float64) for column in columns)


def _trigamma(value: ArrayLike) -> Any:
    return polygamma(1, value)
