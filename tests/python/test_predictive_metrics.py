"""Measures of predictions, and their calibration: by hand, against scikit-learn and SciPy, and as properties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from orchestration.predictive.calibration import IDENTITY, Calibration, Line, fit_line, pooled
from orchestration.predictive.metrics import (
    auc,
    brier,
    expected_calibration_error,
    normalised_gini,
    spearman,
    top_decile_lift,
    total_error,
)

Floats = NDArray[np.float64]

MEASURES = [auc, brier, expected_calibration_error, top_decile_lift, spearman, normalised_gini]
# few different probabilities, so that many tie
predictions = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=60)


def columns(rows: list[tuple[bool, int]]) -> tuple[Floats, Floats]:
    outcome, score = np.array(rows, dtype=np.float64).T
    return outcome, score / 6


@pytest.mark.parametrize("measure", MEASURES)
@given(rows=predictions, seed=st.integers(0, 1_000))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_order_of_rows_does_not_matter(
    measure: Callable[[Floats, Floats], float], rows: list[tuple[bool, int]], seed: int
) -> None:
    outcome, score = columns(rows)
    order = np.random.default_rng(seed).permutation(outcome.size)
    assert measure(outcome[order], score[order]) == pytest.approx(measure(outcome, score), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("measure", [auc, top_decile_lift, spearman, normalised_gini])
@given(rows=predictions)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_ranks_sees_ranks_alone(measure: Callable[[Floats, Floats], float], rows: list[tuple[bool, int]]) -> None:
    outcome, score = columns(rows)
    assert measure(outcome, np.exp(3 * score)) == pytest.approx(measure(outcome, score), nan_ok=True, abs=1e-12)


@given(rows=predictions)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_auc_brier_and_spearman_are_those_of_scikit_learn_and_scipy(rows: list[tuple[bool, int]]) -> None:
    outcome, score = columns(rows)
    assert brier(outcome, score) == pytest.approx(
        float(np.mean([(o - s) ** 2 for o, s in zip(outcome, score, strict=True)]))
    )
    if 0 < outcome.sum() < outcome.size:
        assert brier(outcome, score) == pytest.approx(brier_score_loss(outcome, score))
        assert auc(outcome, score) == pytest.approx(roc_auc_score(outcome, score))
        if np.ptp(score):
            assert spearman(outcome, score) == pytest.approx(stats.spearmanr(outcome, score).statistic)
        # of a yes or no, Gini is 2 * AUC - 1
        assert normalised_gini(outcome, score) == pytest.approx(2 * roc_auc_score(outcome, score) - 1)


def test_auc_of_a_hand_worked_case() -> None:
    """Four pairs: .9 above both, .4 above .2 and level with .4, so 3.5 of 4."""
    assert auc([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.2]) == 3.5 / 4


def test_calibration_error_of_a_hand_worked_case() -> None:
    """Two bins of four: .2 said and .25 came, .7 said and .5 came: (.05 * 4 + .2 * 4) / 8."""
    outcome, p = [0, 0, 0, 1, 0, 1, 0, 1], [0.2] * 4 + [0.7] * 4
    assert expected_calibration_error(outcome, p, bins=2) == pytest.approx(0.125)
    # more bins than different probabilities change nothing, since equal ones stay together
    assert expected_calibration_error(outcome, p, bins=10) == pytest.approx(0.125)


def test_calibration_error_of_deciles_is_that_of_a_loop() -> None:
    generator = np.random.default_rng(1)
    p = generator.permutation(np.linspace(0.01, 0.99, 1_000))
    outcome = (generator.random(1_000) < p**2).astype(float)
    gaps = [abs(outcome[group].mean() - p[group].mean()) for group in np.array_split(np.argsort(p), 10)]
    assert expected_calibration_error(outcome, p) == pytest.approx(np.mean(gaps))
    assert expected_calibration_error((generator.random(1_000) < p).astype(float), p) < 0.06


def test_lift_of_a_hand_worked_case() -> None:
    """Of 20 the best 2 count: one of them an event, while 4 of 20 are: .5 / .2."""
    outcome = [1, 0, 1, 1, 1] + [0] * 15
    assert top_decile_lift(outcome, np.arange(20, 0, -1)) == pytest.approx(2.5)
    # where the second to the fifth tie, the second place is three quarters of an event: 1.75 / 2 / .2
    assert top_decile_lift(outcome, [9, 8, 8, 8, 8] + [1] * 15) == pytest.approx(4.375)
    # all tie: no better than chance
    assert top_decile_lift(outcome, np.ones(20)) == pytest.approx(1)


def test_gini_of_a_hand_worked_case() -> None:
    """Spends 0, 10, 30: cumulative shares 0, .25, 1 in the right order, 0, .75, 1 with the last two swapped.

    Areas by trapezia, each a third wide: (0 + .125 + .625) / 3 = .25, so .5; (0 + .375 + .875) / 3 = .41667, so .16667.
    """
    assert normalised_gini([0, 10, 30], [1, 2, 3]) == pytest.approx(1)
    assert normalised_gini([0, 10, 30], [1, 3, 2]) == pytest.approx((1 / 6) / (1 / 2))
    assert normalised_gini([0, 10, 30], [3, 2, 1]) == pytest.approx(-1)
    assert normalised_gini([0, 10, 30], [5, 5, 5]) == pytest.approx(0)
    # those who tie hold 20 each
    assert normalised_gini([0, 10, 30], [1, 2, 2]) == pytest.approx((1 / 3) / (1 / 2))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), min_size=3, max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_gini_of_ties_is_the_mean_over_all_their_orders(rows: list[tuple[int, int]]) -> None:
    actual, predicted = np.array(rows, dtype=np.float64).T
    if np.ptp(actual) == 0:
        assert np.isnan(normalised_gini(actual, predicted))
        return
    # any order and its reverse within ties have the mean of all
    index = np.arange(actual.size)
    up, down = (normalised_gini(actual, np.argsort(np.lexsort((sign * index, predicted)))) for sign in (1, -1))
    assert normalised_gini(actual, predicted) == pytest.approx((up + down) / 2)


def test_total_error_is_signed() -> None:
    assert total_error(110, 100) == pytest.approx(0.1)
    assert total_error(90, 100) == pytest.approx(-0.1)
    assert np.isnan(total_error(5, 0))


def test_nothing_to_measure_is_no_number() -> None:
    for measure in MEASURES:
        assert np.isnan(measure([], []))
    assert np.isnan(auc([1, 1], [0.1, 0.2])) and np.isnan(auc([0, 0], [0.1, 0.2]))
    assert np.isnan(spearman([1, 2], [3, 3])) and np.isnan(spearman([2, 2], [3, 4]))
    assert np.isnan(top_decile_lift([0, 0], [1, 2]))
    # refunds can make a total of nothing
    assert np.isnan(normalised_gini([5, -5], [1, 2]))
    with pytest.raises(ValueError, match="2 and 3 rows"):
        auc([0, 1], [1, 2, 3])


class TestCalibration:
    def test_a_known_line_is_found_again(self) -> None:
        generator = np.random.default_rng(2)
        p = generator.beta(2, 1, 200_000)
        truth = expit(-0.4 + 0.7 * logit(p))
        found = fit_line(p, generator.random(p.size) < truth).calibration
        assert (found.intercept, found.slope) == pytest.approx((-0.4, 0.7), abs=0.03)
        np.testing.assert_allclose(found.apply(p), truth, atol=0.01)

    def test_it_is_the_logistic_regression_of_scikit_learn(self) -> None:
        generator = np.random.default_rng(3)
        p = generator.random(20_000)
        churned = generator.random(p.size) < p**2
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(logit(p)[:, None], churned)
        found = fit_line(p, churned).calibration
        assert (found.intercept, found.slope) == pytest.approx((model.intercept_[0], model.coef_[0, 0]), abs=1e-3)

    def test_customers_counted_by_their_history_give_the_line_of_all_customers(self) -> None:
        generator = np.random.default_rng(6)
        of = generator.integers(0, 40, 3_000)
        values = generator.beta(2, 1, 40)
        churned = generator.random(of.size) < values[of] ** 2
        counted = fit_line(values, np.bincount(of, weights=churned), np.bincount(of))
        one_by_one = fit_line(values[of], churned)
        assert counted.calibration == one_by_one.calibration
        assert counted.middle == pytest.approx(one_by_one.middle, rel=1e-12)
        np.testing.assert_allclose(counted.covariance, one_by_one.covariance, rtol=1e-9)

    def test_totals_come_true(self) -> None:
        generator = np.random.default_rng(4)
        p = generator.random(5_000)
        churned = generator.random(p.size) < 0.3 * p
        found = fit_line(p, churned).calibration
        # the prior is worth one customer
        assert found.apply(p).sum() == pytest.approx(churned.sum(), abs=2)
        assert expected_calibration_error(churned, found.apply(p)) < expected_calibration_error(churned, p)

    @pytest.mark.parametrize("events", [0, 49, 952])
    def test_fewer_than_50_of_either_kind_leave_probabilities_as_they_are(self, events: int) -> None:
        p = np.linspace(0.01, 0.99, 1_001 - 1)
        churned = np.arange(1_000) < events
        assert fit_line(p, churned) is None
        assert pooled([], 1) == IDENTITY == Calibration(0.0, 1.0)
        np.testing.assert_allclose(IDENTITY.apply(p), p)

    def test_the_order_is_never_reversed(self) -> None:
        p = np.linspace(0.01, 0.99, 1_000)
        assert fit_line(p, p < 0.5) is None

    def test_perfect_separation_and_certainty_have_numbers(self) -> None:
        for low, high in ((0.0, 1.0), (0.4, 0.6)):
            p = np.repeat([low, high], 100)
            found = fit_line(p, p > 0.5).calibration
            assert 0 < found.slope < 10 and abs(found.intercept) < 1e-6
            assert ((found.apply(p) > 0) & (found.apply(p) < 1)).all()

    def test_the_covariance_of_a_line_is_that_of_its_repetitions(self) -> None:
        generator = np.random.default_rng(5)
        p = generator.beta(2, 1, 2_000)
        lines = [fit_line(p, generator.random(p.size) < p) for _ in range(300)]
        found = np.array([[line.calibration.intercept, line.calibration.slope] for line in lines])
        stated = np.mean([line.covariance for line in lines], axis=0)
        np.testing.assert_allclose(np.cov(found.T), stated, rtol=0.25)
        assert lines[0].middle == pytest.approx(logit(p).mean(), abs=1e-3)

    def test_one_window_is_drawn_to_the_identity(self) -> None:
        """Known exactly, .4 too high: of .04 between windows and .0064 between companies .0064 / .0464 is kept.

        Around the middle of the log odds, 2: height -.4 + .2 * 2 = 0 and slope 1.2, of which as much is kept.
        """
        kept = 0.0064 / 0.0464
        level = Line(Calibration(0.4, 1.0), np.zeros((2, 2)), 2.0)
        found = pooled([level], 1)
        assert (found.intercept, found.slope) == pytest.approx((0.4 * kept, 1.0))
        slope = Line(Calibration(-0.4, 1.2), np.zeros((2, 2)), 2.0)
        found = pooled([slope], 1)
        assert (found.intercept, found.slope) == pytest.approx((-0.4 * kept, 1 + 0.2 * kept))

    def test_more_windows_of_one_mind_are_believed_and_those_that_differ_are_not(self) -> None:
        """Between windows .04 worth six and nothing found with five more: .04 * 6 / 11, a sixth of it in the mean."""
        alike = [Line(Calibration(0.4, 1.0), np.full((2, 2), 1e-9), 0.0)] * 6
        assert pooled(alike, 6).intercept == pytest.approx(0.4 * 0.0064 / (0.0064 + 0.04 / 11), rel=1e-4)
        # six that overlap are one and a half
        assert pooled(alike, 1.5).intercept == pytest.approx(0.4 * 0.0064 / (0.0064 + 0.24 / 6.5 / 1.5), rel=1e-4)
        apart = [Line(Calibration(height, 1.0), np.full((2, 2), 1e-9), 0.0) for height in (1.4, -0.6) * 3]
        assert pooled(apart, 6).intercept < 0.05

    def test_a_window_of_noise_leaves_probabilities_nearly_as_they_are(self) -> None:
        noisy = Line(Calibration(0.4, 1.0), np.diag([0.5, 0.5]), 0.0)
        assert abs(pooled([noisy], 1).intercept) < 0.02
