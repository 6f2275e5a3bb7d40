"""Gamma-Gamma: the published figures of CDNOW, an integral by quadrature, simulated customers, and odd spends.

Sources: Fader and Hardie 2013 (note 25, The Gamma-Gamma Model of Monetary Value); the test suites of lifetimes and
CLVTools; clvkit.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cdnow import CALIBRATED_UNTIL, Base, base_until, sample_purchases
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import quad

from orchestration.predictive.errors import TOO_FEW_REPEAT_BUYERS, FitError
from orchestration.predictive.spend import PARAMETERS, SpendFit, expected_spend, fit_spend, log_likelihood

Floats = NDArray[np.float64]


def of(p: float, q: float, gamma: float) -> SpendFit:
    return SpendFit.of({"p": p, "q": q, "gamma": gamma})


@pytest.fixture(scope="module")
def base() -> Base:
    return base_until(sample_purchases(), CALIBRATED_UNTIL)


@pytest.fixture(scope="module")
def fit(base: Base) -> SpendFit:
    return fit_spend(base.x, base.spend)


class TestPublishedFigures:
    def test_parameters_of_the_sample(self, fit: SpendFit) -> None:
        """Fader and Hardie 2013; lifetimes; CLVTools; clvkit."""
        assert [round(value, 2) for value in fit.parameters.values()] == [6.25, 3.74, 15.44]
        assert round(fit.log_likelihood, 2) == -4055.92
        assert fit.customers == 946

    def test_expected_spend_of_the_first_ten_customers(self, fit: SpendFit, base: Base) -> None:
        """Fader and Hardie 2013; lifetimes."""
        published = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
        assert expected_spend(fit, base.x[:10], base.spend[:10]).round(2).tolist() == published


class TestFormulas:
    @given(
        st.tuples(st.floats(0.05, 50), st.floats(1.1, 50), st.floats(0.1, 500)),
        st.lists(st.tuples(st.integers(1, 300), st.floats(0.01, 5_000)), min_size=1, max_size=10),
    )
    @settings(max_examples=150, deadline=None, derandomize=True)
    def test_gradient_is_that_of_the_log_likelihood(
        self, theta: tuple[float, float, float], rows: list[tuple[int, float]]
    ) -> None:
        x, mean = np.array(rows, dtype=np.float64).T
        point = np.array(theta)
        _, gradient = log_likelihood(point, x, mean)
        scale = np.abs(gradient * point).max() + x.sum()
        for place in range(3):
            step = np.zeros(3)
            step[place] = 1e-5 * point[place]
            up, down = (log_likelihood(point + sign * step, x, mean)[0] for sign in (1, -1))
            assert (up - down) / 2e-5 == pytest.approx(gradient[place] * point[place], abs=2e-5 * scale)

    @pytest.mark.parametrize(("x", "mean"), [(1, 20.0), (3, 55.0), (40, 31.0)])
    def test_likelihood_and_expected_spend_are_means_over_what_the_customer_may_be(self, x: int, mean: float) -> None:
        p, q, gamma = 6.25, 3.74, 15.44

        def density(v: float) -> float:
            # the mean of x purchases of Gamma(p, v) is Gamma(p * x, v * x)
            of_mean = stats.gamma(p * x, scale=1 / (v * x)).pdf(mean)
            return float(of_mean * stats.gamma(q, scale=1 / gamma).pdf(v))

        likelihood = quad(density, 0, 5, epsabs=0, epsrel=1e-10, limit=200)[0]
        assert log_likelihood((p, q, gamma), [x], [mean])[0] == pytest.approx(np.log(likelihood), abs=1e-7)
        spend = quad(lambda v: p / v * density(v), 0, 5, epsabs=0, epsrel=1e-10, limit=200)[0] / likelihood
        assert float(expected_spend(of(p, q, gamma), x, mean)) == pytest.approx(spend, rel=1e-7)

    def test_who_has_no_spend_of_a_repeat_purchase_is_like_all(self) -> None:
        fit = of(6.25, 3.74, 15.44)
        # 6.25 * 15.44 / 2.74
        assert fit.population_mean == pytest.approx(35.2189781)
        nobody = expected_spend(fit, [0, 0, 2], [np.nan, 20.0, np.nan])
        np.testing.assert_allclose(nobody, fit.population_mean, rtol=1e-12)

    def test_free_repeat_purchases_are_evidence_of_not_paying(self) -> None:
        fit = SpendFit.of({"p": 6.0, "q": 4.0, "gamma": 15.0, "never_pays": 0.2, "free_day": 0.5})
        # the mean of those who pay is 6 * 15 / 3 = 30, and .8 of all do; after one free purchase .4 pay to .2 who never
        # do, after three .1 to .2; who has paid pays: 6 * (15 + 48) / (12 + 3) = 25.2
        expected = [30 * 0.8, 30 * 0.4 / 0.6, 30 * 0.1 / 0.3, 30 * 0.1 / 0.3, 25.2]
        assert expected_spend(fit, [0, 1, 3, 3, 2], [np.nan, 0.0, 0.0, -5.0, 24.0]) == pytest.approx(expected)

    def test_where_the_fit_has_seen_no_free_purchase_one_brings_nothing(self) -> None:
        fit = of(6.0, 4.0, 15.0)
        np.testing.assert_array_equal(expected_spend(fit, [1, 44], [0.0, 0.0]), [0.0, 0.0])

    def test_the_more_purchases_the_more_the_own_mean_counts(self) -> None:
        expected = expected_spend(of(6.25, 3.74, 15.44), [1, 5, 50, 5_000], 100.0)
        assert (np.diff(expected) > 0).all()
        assert expected[0] > 35.2
        assert expected[-1] == pytest.approx(100, abs=0.1)


def simulated(theta: tuple[float, float, float], size: int, seed: int) -> tuple[Floats, Floats]:
    """Repeat purchases, and their mean spend as the model says."""
    generator = np.random.default_rng(seed)
    p, q, gamma = theta
    x = generator.geometric(0.3, size) - 1.0
    v = generator.gamma(q, 1 / gamma, size)
    mean = [
        generator.gamma(p, 1 / scale, int(count)).mean() if count else np.nan for count, scale in zip(x, v, strict=True)
    ]
    return x, np.array(mean)


class TestFit:
    @pytest.mark.parametrize("theta", [(6.25, 3.74, 15.44), (1.5, 2.5, 90.0), (20.0, 8.0, 700.0)])
    def test_parameters_are_found_again(self, theta: tuple[float, float, float]) -> None:
        x, mean = simulated(theta, 20_000, seed=6)
        fit = fit_spend(x, mean)
        for name, true in zip(PARAMETERS, theta, strict=True):
            assert abs(fit.parameters[name] - true) < 4 * fit.standard_errors[name]
        away = np.array(list(fit.parameters.values())) - np.array(theta)
        # chi-square of three degrees of freedom, 1 in 10,000
        assert away @ np.linalg.solve(fit.covariance, away) < 21.1

    def test_the_order_of_customers_does_not_matter(self, fit: SpendFit, base: Base) -> None:
        order = np.random.default_rng(7).permutation(base.x.size)
        other = fit_spend(base.x[order], base.spend[order])
        assert list(other.parameters.values()) == pytest.approx(list(fit.parameters.values()), rel=1e-6)

    def test_a_count_is_so_many_customers(self, base: Base) -> None:
        counts = np.random.default_rng(8).integers(1, 5, base.x.size)
        by_count = fit_spend(base.x, base.spend, counts)
        by_row = fit_spend(np.repeat(base.x, counts), np.repeat(base.spend, counts))
        assert by_count.customers == by_row.customers == counts[base.x > 0].sum()
        assert list(by_count.parameters.values()) == pytest.approx(list(by_row.parameters.values()), rel=1e-6)
        assert by_count.log_likelihood == pytest.approx(by_row.log_likelihood, rel=1e-10)

    @pytest.mark.parametrize("rate", [1e-4, 7.2, 1e5])
    def test_another_currency_changes_the_scale_alone(self, fit: SpendFit, base: Base, rate: float) -> None:
        other = fit_spend(base.x, base.spend * rate)
        assert [other.p, other.q, other.gamma / rate] == pytest.approx(list(fit.parameters.values()), rel=1e-5)
        np.testing.assert_allclose(
            expected_spend(other, base.x, base.spend * rate), rate * expected_spend(fit, base.x, base.spend), rtol=1e-5
        )

    @pytest.mark.parametrize(
        "mean",
        [
            np.full(500, 20.0),
            np.where(np.arange(500) == 0, 1e6, 20.0),
            np.where(np.arange(500) % 2, 1.0, 1_000.0),
            0.01 + 1e4 * (np.arange(500) / 500) ** 30,
        ],
        ids=["all_spend_the_same", "one_spends_a_million", "two_kinds", "nearly_all_spend_nothing"],
    )
    def test_a_fit_is_sane_where_the_likelihood_would_run_away(self, mean: Floats) -> None:
        x = 1.0 + np.arange(500) % 4
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = fit_spend(x, mean)
            spend = expected_spend(fit, x, mean)
        assert np.isfinite(list(fit.parameters.values())).all()
        assert ((spend > 0.9 * mean.min()) & (spend < 1.1 * mean.max())).all()
        assert mean.min() * 0.9 < fit.population_mean < mean.max() * 1.1

    def test_fewer_than_30_who_bought_again_are_refused(self) -> None:
        x = np.array([1.0] * 29 + [0.0] * 900 + [2.0, 2.0])
        mean = np.array([10.0] * 29 + [np.nan] * 900 + [0.0, -3.0])
        with pytest.raises(FitError, match="29 customers have paid for a repeat purchase") as refusal:
            fit_spend(x, mean)
        assert refusal.value.code == TOO_FEW_REPEAT_BUYERS


class TestFree:
    """Customers whose repeat purchases brought nothing."""

    def test_where_all_have_paid_nothing_but_gamma_gamma_is_left(self, fit: SpendFit) -> None:
        assert fit.paying_parameters == {"never_pays": 0.0, "free_day": 0.0}

    def test_free_purchases_do_not_move_gamma_gamma(self, fit: SpendFit, base: Base) -> None:
        free = np.where(np.arange(base.x.size) % 5 == 0, 0.0, base.spend)
        paid = free > 0
        with_free, without = fit_spend(base.x, free), fit_spend(base.x[paid], base.spend[paid])
        assert with_free.parameters == pytest.approx(without.parameters, rel=1e-9)

    def test_subscribers_who_get_everything_free_are_not_predicted_to_pay(self) -> None:
        # 200 who paid once and 200 who pay about 30 each time, all with 15 repeat purchases
        generator = np.random.default_rng(5)
        pays = np.arange(400) < 200
        spend = np.where(pays, 30 * generator.gamma(8, 1 / 8, 400), 0.0)
        fit = fit_spend(np.full(400, 15.0), spend)
        assert fit.never_pays == pytest.approx(0.5, abs=0.01)
        expected = expected_spend(fit, np.full(400, 15.0), spend)
        assert expected[~pays].max() < 0.01 < 20 < expected[pays].mean()
        # of a new customer either may come true
        assert expected_spend(fit, 0, np.nan) == pytest.approx(fit.population_mean / 2, rel=0.03)

    def test_the_share_who_never_pay_is_told_from_free_days(self) -> None:
        generator = np.random.default_rng(6)
        x = generator.geometric(0.3, 20_000).astype(float)
        never = generator.random(x.size) < 0.1
        free = never | (generator.random(x.size) < 0.4**x)
        mean = np.where(free, 0.0, generator.gamma(5, 6, x.size))
        fit = fit_spend(x, mean)
        assert fit.never_pays == pytest.approx(0.1, abs=0.02) and fit.free_day == pytest.approx(0.4, abs=0.03)
        # by the simulated truth: how many of those with x free purchases are of those who pay
        for count in (1, 2, 3):
            truth = 1 - never[free & (x == count)].mean()
            assert expected_spend(fit, count, 0.0) / fit.population_mean == pytest.approx(truth, abs=0.05)

    def test_a_count_is_so_many_customers_here_too(self) -> None:
        x, mean = np.array([1.0, 1.0, 3.0, 3.0]), np.array([0.0, 20.0, 0.0, 30.0])
        counts = np.array([30, 60, 10, 90])
        by_count, by_row = fit_spend(x, mean, counts), fit_spend(np.repeat(x, counts), np.repeat(mean, counts))
        assert by_count.paying_parameters == pytest.approx(by_row.paying_parameters, rel=1e-6)

    def test_one_free_purchase_of_many_buyers_says_little(self) -> None:
        x, mean = np.ones(1_000), np.where(np.arange(1_000) < 3, 0.0, 25.0 + np.arange(1_000) % 7)
        fit = fit_spend(x, mean)
        assert fit.never_pays < 0.01 and fit.free_day < 0.01
