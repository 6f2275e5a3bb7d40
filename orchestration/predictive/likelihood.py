"""Maximum of a likelihood whose parameters are positive and bounded, and how well it is known.

All happens on the logarithms of the parameters, where steps keep their sign and likelihoods are nearly quadratic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from orchestration.predictive.arrays import Floats

# of parameters: the log-likelihood, its gradient and its Hessian
Likelihood = Callable[[Floats], tuple[float, Floats, Floats]]

# a direction of which the data says less than a factor of e^3 either way is given just that uncertainty
_LEAST_INFORMATION = 1 / 9
_GRADIENT_TOLERANCE = 1e-7
_NEWTON_STEPS = 100
_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a climb ended. `converged` is false if the likelihood was still rising."""

    parameters: Floats
    value: float
    at_bound: NDArray[np.bool_]
    converged: bool


def maximise(likelihood: Likelihood, starts: Iterable[Floats], lowest: Floats, highest: Floats, size: float) -> Maximum:
    """Climb from one start after another until a maximum within the bounds is found; else the best of all.

    `size` is the number of observations, by which gradients are judged.
    """
    bounds = np.log(np.array([lowest, highest]))
    best: Maximum | None = None
    for start in starts:
        found = _climb(likelihood, np.clip(np.log(start), *bounds), bounds, size)
        if best is None or (found.converged, found.value) > (best.converged, best.value):
            best = found
        if best.converged and not best.at_bound.any():
            break
    if best is None:
        raise ValueError("no start to climb from")
    return best


def covariance(likelihood: Likelihood, parameters: Floats, at_bound: NDArray[np.bool_]) -> Floats:
    """Invert the observed information of the log-parameters, and carry it over to the parameters (delta method).

    A parameter at a bound has no standard error (nan), and is taken as known by the others. A direction that the
    likelihood hardly changes in, or rises in, gets an uncertainty of a factor of e^3, so that the result is finite
    and positive definite.
    """
    _, gradient, hessian = likelihood(parameters)
    result = np.full(hessian.shape, np.nan)
    free = np.flatnonzero(~at_bound)
    if free.size:
        information = -(hessian * np.outer(parameters, parameters) + np.diag(gradient * parameters))[np.ix_(free, free)]
        eigenvalues, vectors = np.linalg.eigh(information)
        inverse = (vectors / np.maximum(eigenvalues, _LEAST_INFORMATION)) @ vectors.T
        result[np.ix_(free, free)] = inverse * np.outer(parameters[free], parameters[free])
    return result


def _climb(likelihood: Likelihood, begin: Floats, bounds: Floats, size: float) -> Maximum:
    """Come near by quasi-Newton steps, arrive by Newton's."""

    def downhill(place: Floats) -> tuple[float, Floats]:
        value, gradient, _ = _in_logs(likelihood, place)
        return -value / size, -gradient / size

    options = {"ftol": 1e-8, "gtol": 1e-4, "maxiter": 200}
    near = minimize(downhill, begin, jac=True, method="L-BFGS-B", bounds=bounds.T, options=options)
    place = np.clip(near.x, *bounds)
    value, gradient, hessian = _in_logs(likelihood, place)
    for _ in range(_NEWTON_STEPS):
        free = ~_held(place, gradient, bounds)
        steepest = float(np.abs(gradient[free]).max(initial=0.0)) / size
        if steepest <= _GRADIENT_TOLERANCE:
            return _maximum(place, value, bounds, True)
        step = np.zeros_like(place)
        step[free] = _newton_step(gradient[free], hessian[np.ix_(free, free)])
        for halving in range(_HALVINGS):
            tried = np.clip(place + step / 2**halving, *bounds)
            moved = _in_logs(likelihood, tried)
            if moved[0] > value:
                break
        else:
            # no step gains anything that doubles can show
            return _maximum(place, value, bounds, steepest <= 1e3 * _GRADIENT_TOLERANCE)
        place, (value, gradient, hessian) = tried, moved
    return _maximum(place, value, bounds, False)


def _in_logs(likelihood: Likelihood, place: Floats) -> tuple[float, Floats, Floats]:
    parameters = np.exp(place)
    value, gradient, hessian = likelihood(parameters)
    gradient = gradient * parameters
    return value, gradient, hessian * np.outer(parameters, parameters) + np.diag(gradient)


def _newton_step(gradient: Floats, hessian: Floats) -> Floats:
    """Go uphill also where the surface is not concave, and by no more than a factor of e."""
    eigenvalues, vectors = np.linalg.eigh(hessian)
    curvature = np.maximum(np.abs(eigenvalues), 1e-12 * max(float(np.abs(eigenvalues).max()), 1e-300))
    step = vectors @ ((vectors.T @ gradient) / curvature)
    return step / max(1.0, float(np.abs(step).max()))


def _held(place: Floats, gradient: Floats, bounds: Floats) -> NDArray[np.bool_]:
    """Parameters at a bound that the likelihood would push beyond it."""
    below, above = _touching(place, bounds)
    return (below & (gradient <= 0)) | (above & (gradient >= 0))


def _touching(place: Floats, bounds: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return place <= bounds[0] + 1e-9, place >= bounds[1] - 1e-9


def _maximum(place: Floats, value: float, bounds: Floats, converged: bool) -> Maximum:
    below, above = _touching(place, bounds)
    return Maximum(np.exp(place), value, below | above, converged)
