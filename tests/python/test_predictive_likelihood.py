"""The climb to a maximum, and what is said of how well it is known, on surfaces whose maximum is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestration.predictive.likelihood import Likelihood, covariance, maximise

Floats = NDArray[np.float64]

LOWEST, HIGHEST = np.array([1e-3, 1e-3]), np.array([1e3, 1e3])


def in_logs(peak: Floats, curvature: Floats) -> Likelihood:
    """Make a surface that is quadratic in the logarithms: (place - peak)' * curvature * (place - peak) / 2."""

    def surface(parameters: Floats) -> tuple[float, Floats, Floats]:
        away = np.log(parameters) - np.log(peak)
        slope = curvature @ away / parameters
        hessian = curvature / np.outer(parameters, parameters) - np.diag(slope / parameters)
        return float(away @ curvature @ away / 2), slope, hessian

    return surface


HILL = np.array([[-50.0, 20.0], [20.0, -40.0]])


@pytest.mark.parametrize("start", [(1.0, 1.0), (1e-3, 1e3), (900.0, 0.01)])
def test_a_maximum_inside_is_found_from_anywhere(start: tuple[float, float]) -> None:
    found = maximise(in_logs(np.array([2.0, 30.0]), HILL), [np.array(start)], LOWEST, HIGHEST, 1.0)
    assert found.converged and not found.at_bound.any()
    np.testing.assert_allclose(found.parameters, [2.0, 30.0], rtol=1e-6)


def test_a_maximum_outside_ends_at_the_bound_and_is_best_there() -> None:
    """With the first logarithm held 1 below its peak, the second is best at its own peak less 20 / 40."""
    found = maximise(in_logs(np.array([1e3 * np.e, 30.0]), HILL), [np.array([1.0, 1.0])], LOWEST, HIGHEST, 1.0)
    assert found.converged and found.at_bound.tolist() == [True, False]
    np.testing.assert_allclose(found.parameters, [1e3, 30.0 * np.exp(-0.5)], rtol=1e-6)


def test_another_start_is_tried_where_the_first_ends_at_a_bound() -> None:
    def two_hills(parameters: Floats) -> tuple[float, Floats, Floats]:
        hills = [in_logs(np.array([1e-4, 1.0]), HILL), in_logs(np.array([100.0, 1.0]), HILL)]
        return max((hill(parameters) for hill in hills), key=lambda hill: hill[0])

    near, far = np.array([2e-3, 1.0]), np.array([50.0, 1.0])
    assert maximise(two_hills, [near], LOWEST, HIGHEST, 1.0).at_bound[0]
    np.testing.assert_allclose(maximise(two_hills, [near, far], LOWEST, HIGHEST, 1.0).parameters, [100, 1], rtol=1e-6)


def test_what_rises_for_ever_ends_at_the_bounds() -> None:
    def slope(parameters: Floats) -> tuple[float, Floats, Floats]:
        return float(np.log(parameters).sum()), 1 / parameters, -np.diag(1 / parameters**2)

    found = maximise(slope, [np.array([1.0, 1.0])], LOWEST, HIGHEST, 1.0)
    assert found.converged and found.at_bound.all()
    assert np.isnan(covariance(slope, found.parameters, found.at_bound)).all()


def test_no_start_is_an_error() -> None:
    with pytest.raises(ValueError, match="no start"):
        maximise(in_logs(np.array([1.0, 1.0]), HILL), [], LOWEST, HIGHEST, 1.0)


def test_covariance_is_the_inverse_of_the_curvature_carried_over() -> None:
    peak = np.array([2.0, 30.0])
    expected = np.linalg.inv(-HILL) * np.outer(peak, peak)
    np.testing.assert_allclose(covariance(in_logs(peak, HILL), peak, np.array([False, False])), expected)


def test_a_parameter_at_a_bound_has_no_error_and_counts_as_known() -> None:
    peak = np.array([2.0, 30.0])
    found = covariance(in_logs(peak, HILL), peak, np.array([True, False]))
    assert np.isnan(found[0]).all() and np.isnan(found[:, 0]).all()
    assert found[1, 1] == pytest.approx(30.0**2 / 40)


@pytest.mark.parametrize("curvature", [0.0, -1e-9, 5.0], ids=["flat", "nearly_flat", "a_saddle"])
def test_where_the_data_says_nothing_the_error_is_a_factor_of_e_cubed(curvature: float) -> None:
    peak = np.array([2.0, 30.0])
    found = covariance(in_logs(peak, np.diag([-50.0, curvature])), peak, np.array([False, False]))
    assert np.sqrt(found[1, 1]) == pytest.approx(3 * 30.0)
    assert np.sqrt(found[0, 0]) == pytest.approx(2.0 / np.sqrt(50))
