"""BG/NBD and MBG/NBD: the published figures of CDNOW, integrals by quadrature, simulated customers, and odd bases.

Sources: Fader, Hardie and Lee 2005 ("Counting Your Customers" the Easy Way) with Hardie's worked example in a
spreadsheet, and his note 27; the manual of the R package BTYD; the test suites of lifetimes, CLVTools and
pymc-marketing, which assert the same figures; clvkit. Times of the published figures are weeks.
"""

from __future__ import annotations

import warnings
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest
from cdnow import (
    CALIBRATED_UNTIL,
    LAST_DAY,
    Base,
    Purchases,
    base_until,
    master_purchases,
    repeats_between,
    sample_purchases,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from purchase_histories import LIMITS
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import gamma as gamma_distribution

from orchestration.predictive.btyd import (
    MODELS,
    PARAMETERS,
    BtydFit,
    Histories,
    expected_purchases,
    expected_repeat_purchases,
    fit_btyd,
    log_likelihood,
    log_likelihood_hessian,
    log_likelihoods,
    next_purchase_median_days,
    p_alive,
    probability_of_no_purchase,
    probability_of_purchases,
    relative_error_of_total,
)
from orchestration.predictive.errors import HISTORY_TOO_SHORT, NOT_CONVERGED, TOO_FEW_CUSTOMERS, FitError
from orchestration.predictive.metrics import auc, brier, expected_calibration_error
from orchestration.settings import ROOT

SAMPLE = ROOT.parent / "shared" / "reference" / "data" / "CDNOW_sample.txt"
WEEKS = 39
CHURN_CUT = date(1998, 4, 1)
# the parameters as the BTYD manual and Hardie's notes print them
PRINTED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
TIMES = (0.1429, 1, 3, 31.8571, 32, 78)

Floats = NDArray[np.float64]


def of(model: str, r: float, alpha: float, a: float, b: float) -> BtydFit:
    return BtydFit.of(model, {"r": r, "alpha": alpha, "a": a, "b": b})


def rounded(values: object, digits: int) -> list[float]:
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()


def in_weeks(base: Base) -> Histories:
    return Histories.grouped(base.x, base.t_x / 7, base.T / 7)


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return sample_purchases()


@pytest.fixture(scope="module")
def base(purchases: Purchases) -> Base:
    return base_until(purchases, CALIBRATED_UNTIL)


@pytest.fixture(scope="module")
def bg_nbd(base: Base) -> BtydFit:
    return fit_btyd("bg_nbd", in_weeks(base))


@pytest.fixture(scope="module")
def mbg_nbd(base: Base) -> BtydFit:
    return fit_btyd("mbg_nbd", in_weeks(base))


class TestPublishedFigures:
    def test_the_sample_is_the_one_of_the_papers(self, purchases: Purchases, base: Base) -> None:
        """Fader, Hardie and Lee 2005: 2,357 customers, of whom 946 bought again in 39 weeks."""
        assert (len(purchases), int((base.x > 0).sum())) == (2_357, 946)

    def test_the_sample_holds_the_rows_of_the_published_file(self) -> None:
        if not SAMPLE.exists():
            pytest.skip(f"the published sample is not there: {SAMPLE.name} is expected beside the project")
        published: Counter[tuple[int, str]] = Counter()
        for line in SAMPLE.read_text(encoding="ascii").splitlines():
            if line.strip():
                customer, _, day, _, dollars = line.split()
                published[int(customer), day] += round(float(dollars) * 100)
        ours = {
            (customer, f"{day:%Y%m%d}"): round(dollars * 100)
            for customer, bought in sample_purchases().items()
            for day, dollars in bought.items()
        }
        assert ours == published

    def test_bg_nbd_of_the_sample(self, bg_nbd: BtydFit) -> None:
        """Fader, Hardie and Lee 2005; lifetimes; CLVTools."""
        assert rounded(list(bg_nbd.parameters.values()), 4) == [0.2426, 4.4136, 0.7929, 2.4259]
        assert round(bg_nbd.log_likelihood, 2) == -9582.43

    def test_purchases_to_expect_of_the_papers_customer(self, bg_nbd: BtydFit) -> None:
        """Fader, Hardie and Lee 2005; lifetimes."""
        assert rounded(expected_purchases(bg_nbd, 2, 30.43, 38.86, WEEKS), 3) == 1.226

    def test_purchases_to_expect_of_a_new_customer(self, bg_nbd: BtydFit) -> None:
        """Hardie's worked example; lifetimes."""
        expected = expected_repeat_purchases(bg_nbd, TIMES)
        assert rounded(expected[:5], 4) == [0.0078, 0.0532, 0.1506, 1.0405, 1.0437]
        # the spreadsheet ends the hypergeometric sum at 150 terms, which at 78 weeks are too few: it prints 1.8576
        assert round(direct_sum(bg_nbd, 78.0, 150), 4) == 1.8576
        assert direct_sum(bg_nbd, 78.0, 2_000) == pytest.approx(expected[5], rel=1e-12)
        assert rounded(expected[5], 4) == 1.8580

    def test_probabilities_of_a_number_of_purchases(self) -> None:
        """BTYD manual; lifetimes."""
        fit = BtydFit.of("bg_nbd", PRINTED)
        assert round(float(probability_of_purchases(fit, WEEKS, 0)), 7) == 0.5737864
        assert float(f"{float(probability_of_purchases(fit, 2, 10)):.5e}") == 1.07869e-07

    def test_log_likelihood_of_single_customers(self) -> None:
        """Hardie, note 27; pymc-marketing."""
        found = log_likelihoods("bg_nbd", (0.25, 4.0, 0.8, 2.5), [0, 200], [0, 38], 40)
        assert (round(found[0], 8), round(found[1], 4)) == (-0.59947382, 100.7957)

    def test_mbg_nbd_of_the_sample(self, mbg_nbd: BtydFit, base: Base) -> None:
        """lifetimes, whose file has times with two decimals; close to BTYDplus."""
        assert rounded(list(mbg_nbd.parameters.values()), 3) == [0.525, 6.183, 0.891, 1.614]
        as_printed = Histories.grouped(base.x, np.round(base.t_x / 7, 2), np.round(base.T / 7, 2))
        assert round(fit_btyd("mbg_nbd", as_printed).log_likelihood, 2) == -9582.13

    def test_a_one_time_buyer_may_have_left_by_mbg_nbd(self, mbg_nbd: BtydFit, base: Base) -> None:
        """Recomputed: .38967, from parameters short of the maximum by less than the log-likelihood's printed digits."""
        assert float(p_alive(mbg_nbd, 0, 0, 38.86)) == pytest.approx(0.38967, abs=6e-5)
        theta = np.array(list(mbg_nbd.parameters.values()))
        slope = np.array([p_alive(moved(mbg_nbd, place, 1.0001), 0, 0, 38.86) for place in range(4)])
        slope = (slope - p_alive(mbg_nbd, 0, 0, 38.86)) / (theta * 1e-4)
        # the nearest parameters that give that figure
        direction = mbg_nbd.covariance @ slope
        there = theta + direction * (0.38967 - float(p_alive(mbg_nbd, 0, 0, 38.86))) / (slope @ direction)
        assert mbg_nbd.log_likelihood - log_likelihood("mbg_nbd", there, in_weeks(base))[0] < 1e-4

    def test_repeat_purchases_of_weeks_40_to_78(self, bg_nbd: BtydFit, purchases: Purchases, base: Base) -> None:
        """Computed by clvkit as 1,653.409; the customers bought 1,882 times."""
        predicted = expected_purchases(bg_nbd, base.x, base.t_x / 7, base.T / 7, WEEKS).sum()
        assert round(float(predicted), 3) == 1653.409
        assert repeats_between(purchases, CALIBRATED_UNTIL, LAST_DAY) == 1_882

    def test_cumulative_repeat_sales_at_week_78(self, bg_nbd: BtydFit, purchases: Purchases, base: Base) -> None:
        """Recomputed; drawn in Fader, Hardie and Lee 2005."""
        assert round(float(expected_repeat_purchases(bg_nbd, base.T / 7 + WEEKS).sum()), 1) == 4160.6
        first = min(day for bought in purchases.values() for day in bought)
        assert repeats_between(purchases, first, LAST_DAY) == 4_339

    def test_bg_nbd_of_all_customers(self) -> None:
        """Recomputed."""
        fit = fit_btyd("bg_nbd", in_weeks(base_until(master_purchases(), CALIBRATED_UNTIL)))
        assert rounded(list(fit.parameters.values()), 4) == [0.2516, 4.7889, 0.7234, 2.1611]
        assert round(fit.log_likelihood, 2) == -95368.44


class TestChurnOfAllCustomers:
    """CDNOW as of 1998-04-01: who buys nothing in the next 90 days. Recomputed figures."""

    @pytest.fixture(scope="class")
    def everybody(self) -> Purchases:
        return master_purchases()

    @pytest.fixture(scope="class")
    def bought_nothing(self, everybody: Purchases) -> NDArray[np.bool_]:
        until = CHURN_CUT + timedelta(days=90)
        return np.array([not any(CHURN_CUT < day <= until for day in bought) for bought in everybody.values()])

    @pytest.fixture(scope="class")
    def known(self, everybody: Purchases) -> Base:
        return base_until(everybody, CHURN_CUT)

    def test_no_purchase_by_mbg_nbd(self, known: Base, bought_nothing: NDArray[np.bool_]) -> None:
        fit = fit_btyd("mbg_nbd", Histories.grouped(known.x, known.t_x, known.T))
        p = probability_of_no_purchase(fit, known.x, known.t_x, known.T, 90)
        assert (round(auc(bought_nothing, p), 3), round(brier(bought_nothing, p), 3)) == (0.834, 0.089)
        assert expected_calibration_error(bought_nothing, p) <= 0.03

    def test_having_left_by_bg_nbd_is_worse_than_chance(self, known: Base, bought_nothing: NDArray[np.bool_]) -> None:
        fit = fit_btyd("bg_nbd", Histories.grouped(known.x, known.t_x, known.T))
        assert round(auc(bought_nothing, 1 - p_alive(fit, known.x, known.t_x, known.T)), 3) == 0.345


def direct_sum(fit: BtydFit, time: float, terms: int) -> float:
    """E[X(t)] of BG/NBD as the paper writes it, with so many terms of the hypergeometric sum."""
    z, total, term = time / (fit.alpha + time), 1.0, 1.0
    for j in range(1, terms + 1):
        term *= (fit.r + j - 1) * (fit.b + j - 1) / ((fit.a + fit.b + j - 2) * j) * z
        total += term
    return (fit.a + fit.b - 1) / (fit.a - 1) * (1 - (fit.alpha / (fit.alpha + time)) ** fit.r * total)


def moved(fit: BtydFit, place: int, factor: float) -> BtydFit:
    parameters = fit.parameters
    parameters[PARAMETERS[place]] *= factor
    return BtydFit.of(fit.model, parameters)


models = st.sampled_from(MODELS)
parameters = st.tuples(
    st.floats(0.02, 20),
    st.floats(0.5, 500),
    st.floats(0.02, 5).filter(lambda a: abs(a - 1) > 1e-4),
    st.floats(0.02, 50),
)


@st.composite
def customers(draw: st.DrawFn) -> tuple[float, float, float]:
    """A customer's x, t_x and T, on edges more often than by chance."""
    T = float(draw(st.sampled_from([0, 1, 30, 365]) | st.integers(0, 3_000)))
    x = float(draw(st.sampled_from([0, 1]) | st.integers(0, 60))) if T else 0.0
    return x, float(draw(st.integers(1, int(T)))) if x else 0.0, T


class TestFormulas:
    @given(models, parameters, st.lists(customers(), min_size=1, max_size=12))
    @settings(max_examples=150, deadline=None, derandomize=True)
    def test_gradient_and_hessian_are_those_of_the_log_likelihood(
        self, model: str, theta: tuple[float, ...], rows: list[tuple[float, float, float]]
    ) -> None:
        histories = Histories.grouped(*np.array(rows).T)
        point = np.array(theta)
        _, gradient = log_likelihood(model, point, histories)
        hessian = log_likelihood_hessian(model, point, histories)
        scale = np.abs(gradient * point).max() + len(rows)
        for place in range(4):
            step = np.zeros(4)
            step[place] = 1e-5 * point[place]
            up, down = (log_likelihood(model, point + sign * step, histories) for sign in (1, -1))
            slope = (up[0] - down[0]) / 2e-5
            assert slope == pytest.approx(gradient[place] * point[place], abs=2e-5 * scale)
            curve = (up[1] - down[1]) / 2e-5 * point
            expected = hessian[place] * point[place] * point
            np.testing.assert_allclose(curve, expected, atol=2e-5 * (np.abs(expected).max() + scale))

    @pytest.mark.parametrize("model", MODELS)
    @pytest.mark.parametrize(
        ("x", "t_x", "T"), [(0, 0, 0), (0, 0, 200), (1, 0.5, 3), (2, 30.43, 38.86), (7, 90, 91), (25, 300, 365)]
    )
    def test_likelihood_is_that_of_the_story_averaged_over_customers(
        self, model: str, x: int, t_x: float, T: float
    ) -> None:
        r, alpha, a, b = 0.7, 30.0, 0.8, 2.5
        chances = x + 1 if model == "mbg_nbd" else x
        alive = mean_over_beta(a, b, 0, chances) * mean_over_gamma(r, alpha, x, T)
        gone = mean_over_beta(a, b, 1, chances - 1) * mean_over_gamma(r, alpha, x, t_x) if chances else 0.0
        assert log_likelihoods(model, (r, alpha, a, b), x, t_x, T) == pytest.approx(np.log(alive + gone), abs=1e-7)

    @given(models, parameters, customers(), st.floats(0.5, 730))
    @settings(max_examples=200, deadline=None, derandomize=True)
    def test_no_purchase_is_the_same_history_seen_for_longer(
        self, model: str, theta: tuple[float, ...], row: tuple[float, float, float], days: float
    ) -> None:
        x, t_x, T = row
        fit = of(model, *theta)
        longer, now = (float(log_likelihoods(model, theta, x, t_x, end)) for end in (T + days, T))
        assert float(probability_of_no_purchase(fit, x, t_x, T, days)) == pytest.approx(np.exp(longer - now), abs=1e-9)

    @given(models, parameters, customers(), st.sampled_from([1.0, 30.0, 90.0, 365.0]))
    @settings(max_examples=200, deadline=None, derandomize=True)
    def test_expected_purchases_are_the_mean_over_what_the_customer_may_be(
        self, model: str, theta: tuple[float, ...], row: tuple[float, float, float], days: float
    ) -> None:
        x, t_x, T = row
        fit = of(model, *theta)
        r, alpha, a, b = theta
        chances = b + x + (model == "mbg_nbd")
        reach = days / (alpha + T)

        def purchases_if(p: float) -> float:
            # of somebody who leaves after a purchase with probability p, times the density of p that `alg` leaves out
            return -np.expm1(-(r + x) * np.log1p(p * reach)) / p if p else (r + x) * reach

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mean = quad(purchases_if, 0, 1, weight="alg", wvar=(a - 1, chances - 1), epsabs=0, epsrel=1e-9)[0]
        mean /= np.exp(betaln(a, chances))
        found = float(expected_purchases(fit, x, t_x, T, days))
        assert found == pytest.approx(mean * float(p_alive(fit, x, t_x, T)), rel=1e-6, abs=1e-12)

    @given(models, parameters, st.floats(1, 400))
    @settings(max_examples=50, deadline=None, derandomize=True)
    def test_probabilities_sum_to_one_and_average_to_the_expected(
        self, model: str, theta: tuple[float, ...], days: float
    ) -> None:
        fit = of(model, theta[0], theta[1] + 0.3 * days, *theta[2:])
        n = np.arange(3_000)
        chances = probability_of_purchases(fit, days, n)
        assert chances.min() >= 0
        assert chances.sum() == pytest.approx(1, abs=1e-9)
        assert chances @ n == pytest.approx(float(expected_repeat_purchases(fit, days)), rel=1e-6)

    def test_a_customer_of_bg_nbd_cannot_leave_before_a_repeat_purchase(self) -> None:
        fit = BtydFit.of("bg_nbd", PRINTED)
        np.testing.assert_array_equal(p_alive(fit, 0, 0, [0, 10, 10_000]), 1.0)

    @pytest.mark.parametrize("model", MODELS)
    def test_nothing_is_expected_of_no_time(self, model: str) -> None:
        fit = BtydFit.of(model, PRINTED)
        x, T = np.array([0.0, 3.0, 3_000.0]), np.array([0.0, 20.0, 3_650.0])
        np.testing.assert_allclose(expected_purchases(fit, x, 0.9 * T, T, 0), 0, atol=1e-12)
        np.testing.assert_allclose(probability_of_no_purchase(fit, x, 0.9 * T, T, 0), 1, atol=1e-12)

    @pytest.mark.parametrize("model", MODELS)
    @pytest.mark.parametrize("x", [0, 1, 300, 3_000])
    def test_a_of_one_is_no_hole(self, model: str, x: int) -> None:
        around = [
            float(expected_purchases(of(model, 0.5, 40, a, 2.0), x, 300 if x else 0, 365, 90))
            for a in (0.998, 1.0, 1.002)
        ]
        assert around[0] > around[1] > around[2]
        assert around[1] == pytest.approx((around[0] + around[2]) / 2, rel=1e-4)

    @pytest.mark.parametrize("model", MODELS)
    def test_customers_of_thousands_of_purchases_have_numbers(self, model: str) -> None:
        for theta in ((0.5, 30, 0.8, 2.5), (0.3, 0.5, 1.3, 0.4), (2, 0.01, 5, 0.001), (30, 700, 0.001, 1_000)):
            fit = of(model, *theta)
            x, T = np.array([300.0, 3_000.0, 3_000.0]), np.array([1.0, 0.0, 3_650.0])
            for found in (p_alive(fit, x, T, T), probability_of_no_purchase(fit, x, T, T, 365)):
                assert ((found >= 0) & (found <= 1)).all()
            found = expected_purchases(fit, x, T, T, 365)
            assert (found >= 0).all()
            assert (found <= 365 * (fit.r + x) / (fit.alpha + T)).all()

    @given(models, parameters, customers())
    @settings(max_examples=100, deadline=None, derandomize=True)
    def test_the_median_day_has_even_chances(
        self, model: str, theta: tuple[float, ...], row: tuple[float, float, float]
    ) -> None:
        fit = of(model, *theta)
        median = float(next_purchase_median_days(fit, *row))
        if float(p_alive(fit, *row)) <= 0.5:
            assert np.isnan(median)
        elif not np.isnan(median) and median < 1e12:
            assert float(probability_of_no_purchase(fit, *row, median)) == pytest.approx(0.5, abs=1e-9)


def mean_over_gamma(r: float, alpha: float, x: int, time: float) -> float:
    """Of rates: the chance of x purchases at given moments and of none at others by `time`."""
    density = gamma_distribution(r, scale=1 / alpha).pdf

    # by the logarithm of the rate, which tames the density at 0
    def integrand(log_rate: float) -> float:
        rate = np.exp(log_rate)
        return float(density(rate) * rate ** (x + 1) * np.exp(-rate * time))

    return sum(quad(integrand, low, low + 5, epsabs=0, epsrel=1e-10, limit=200)[0] for low in range(-60, 5, 5))


def mean_over_beta(a: float, b: float, leaves: int, stays: int) -> float:
    """Of the chance to leave: that somebody stayed so often and then left, or not."""
    whole = quad(lambda _: 1.0, 0, 1, weight="alg", wvar=(a - 1, b - 1))[0]
    return quad(lambda _: 1.0, 0, 1, weight="alg", wvar=(a - 1 + leaves, b - 1 + stays))[0] / whole


def simulated(
    model: str, theta: tuple[float, float, float, float], size: int, days: float, ahead: float, seed: int
) -> tuple[Base, Floats]:
    """Customers who do what the model says, and what they buy in the time ahead."""
    generator = np.random.default_rng(seed)
    r, alpha, a, b = theta
    T = generator.uniform(0, days, size)
    rate, leaves = generator.gamma(r, 1 / alpha, size), generator.beta(a, b, size)
    x, t_x, future, now = (np.zeros(size) for _ in range(4))
    stays = generator.random(size) >= leaves if model == "mbg_nbd" else np.ones(size, dtype=bool)
    active = np.flatnonzero(stays)
    while active.size:
        now[active] += generator.exponential(1, active.size) / rate[active]
        active = active[now[active] <= T[active] + ahead]
        past = now[active] <= T[active]
        x[active[past]] += 1
        t_x[active[past]] = now[active[past]]
        future[active[~past]] += 1
        active = active[generator.random(active.size) >= leaves[active]]
    return Base(x, t_x, T, np.full(size, np.nan)), future


RECOVERED = [
    ("bg_nbd", (0.25, 30.0, 0.8, 2.5)),
    ("bg_nbd", (1.5, 60.0, 0.3, 4.0)),
    ("mbg_nbd", (0.5, 40.0, 0.9, 1.6)),
    ("mbg_nbd", (2.0, 60.0, 2.0, 3.0)),
]


class TestSimulatedCustomers:
    @pytest.mark.parametrize(("model", "theta"), RECOVERED)
    def test_parameters_are_found_again_and_the_future_is_foreseen(
        self, model: str, theta: tuple[float, float, float, float]
    ) -> None:
        base, future = simulated(model, theta, 30_000, 900, 365, seed=5)
        histories = Histories.grouped(base.x, base.t_x, base.T)
        fit = fit_btyd(model, histories)
        assert fit.customers == 30_000
        for name, true in zip(PARAMETERS, theta, strict=True):
            assert abs(fit.parameters[name] - true) < 4 * fit.standard_errors[name]
        away = np.array(list(fit.parameters.values())) - np.array(theta)
        # chi-square of four degrees of freedom, 1 in 10,000
        assert away @ np.linalg.solve(fit.covariance, away) < 23.5
        predicted = expected_purchases(fit, base.x, base.t_x, base.T, 365)
        noise = np.hypot(
            future.std() * np.sqrt(future.size), relative_error_of_total(fit, histories, 365) * future.sum()
        )
        assert abs(predicted.sum() - future.sum()) < 4 * noise
        # foreseen for groups of customers as well, from the least to the most likely
        silent = probability_of_no_purchase(fit, base.x, base.t_x, base.T, 365)
        for group in np.array_split(np.argsort(silent, kind="stable"), 10):
            spread = np.sqrt((silent[group] * (1 - silent[group])).sum())
            assert abs((future[group] == 0).sum() - silent[group].sum()) < 4 * spread + 0.01 * group.size

    @pytest.mark.parametrize("model", MODELS)
    def test_the_error_of_the_total_is_how_totals_of_other_samples_vary(self, model: str) -> None:
        theta = (0.5, 40.0, 0.9, 1.6)
        target, _ = simulated(model, theta, 4_000, 900, 0, seed=1)
        histories = Histories.grouped(target.x, target.t_x, target.T)
        totals = []
        for seed in range(2, 42):
            other, _ = simulated(model, theta, 4_000, 900, 0, seed)
            fit = fit_btyd(model, Histories.grouped(other.x, other.t_x, other.T))
            totals.append(histories.customers @ expected_purchases(fit, histories.x, histories.t_x, histories.T, 365))
        stated = relative_error_of_total(fit_btyd(model, histories), histories, 365)
        # forty totals tell their spread to about a tenth
        assert stated == pytest.approx(np.std(totals) / np.mean(totals), rel=0.4)


def assert_same_fit(one: BtydFit, other: BtydFit, rel: float = 1e-6) -> None:
    assert list(one.parameters.values()) == pytest.approx(list(other.parameters.values()), rel=rel)
    assert list(one.standard_errors.values()) == pytest.approx(list(other.standard_errors.values()), rel=10 * rel)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-9)


@pytest.mark.parametrize("model", MODELS)
class TestInvariance:
    def test_the_order_of_customers_does_not_matter(self, model: str, base: Base) -> None:
        order = np.random.default_rng(3).permutation(base.x.size)
        one = Histories.grouped(base.x, base.t_x, base.T)
        other = Histories.grouped(base.x[order], base.t_x[order], base.T[order])
        for column in ("x", "t_x", "T", "customers"):
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))

    def test_grouped_customers_fit_like_single_ones(self, model: str, base: Base) -> None:
        single = Histories(base.x, base.t_x, base.T, np.ones(base.x.size))
        assert_same_fit(fit_btyd(model, single), fit_btyd(model, Histories.grouped(base.x, base.t_x, base.T)))

    def test_a_count_is_so_many_customers(self, model: str, base: Base) -> None:
        counts = np.random.default_rng(4).integers(1, 5, base.x.size)
        repeated = [np.repeat(column, counts) for column in (base.x, base.t_x, base.T)]
        by_count, by_row = Histories.grouped(base.x, base.t_x, base.T, counts), Histories.grouped(*repeated)
        np.testing.assert_array_equal(by_count.customers, by_row.customers)
        assert by_count.total_customers == counts.sum()
        assert_same_fit(fit_btyd(model, by_count), fit_btyd(model, by_row))

    def test_weeks_or_days_are_the_same_fit(self, model: str, base: Base) -> None:
        days = fit_btyd(model, Histories.grouped(base.x, base.t_x, base.T))
        weeks = fit_btyd(model, in_weeks(base))
        assert [days.r, days.alpha / 7, days.a, days.b] == pytest.approx(list(weeks.parameters.values()), rel=1e-6)
        assert days.log_likelihood == pytest.approx(weeks.log_likelihood - base.x.sum() * np.log(7), rel=1e-9)
        at = (base.x, base.t_x / 7, base.T / 7)
        np.testing.assert_allclose(
            expected_purchases(days, base.x, base.t_x, base.T, 90), expected_purchases(weeks, *at, 90 / 7), rtol=1e-5
        )

    def test_a_start_changes_the_way_but_not_the_end(self, model: str, base: Base) -> None:
        histories = Histories.grouped(base.x, base.t_x, base.T)
        far = of(model, 3.0, 2_000.0, 0.05, 40.0)
        assert_same_fit(fit_btyd(model, histories, far), fit_btyd(model, histories))

    def test_standard_errors_are_those_of_the_curvature_of_the_likelihood(self, model: str, base: Base) -> None:
        histories = Histories.grouped(base.x, base.t_x, base.T)
        fit = fit_btyd(model, histories)
        theta = np.array(list(fit.parameters.values()))
        curvature = np.zeros((4, 4))
        steps = np.diag(2e-3 * np.array(list(fit.standard_errors.values())) * 10)
        for i in range(4):
            for j in range(4):
                corners = [
                    s * t * log_likelihood(model, theta + s * steps[i] + t * steps[j], histories)[0]
                    for s in (1, -1)
                    for t in (1, -1)
                ]
                curvature[i, j] = sum(corners) / (4 * steps[i, i] * steps[j, j])
        np.testing.assert_allclose(np.linalg.inv(-curvature), fit.covariance, rtol=0.01)

    def test_parameters_read_back_score_the_same(self, model: str, base: Base) -> None:
        fit = fit_btyd(model, Histories.grouped(base.x, base.t_x, base.T))
        stored = BtydFit.of(model, fit.parameters)
        np.testing.assert_array_equal(
            expected_purchases(fit, base.x, base.t_x, base.T, 90),
            expected_purchases(stored, base.x, base.t_x, base.T, 90),
        )


AGES = np.linspace(1, 400, 500).round()
NOBODY = np.zeros(500)
HALF = np.arange(500) % 2


def once(where: Floats, after: float) -> tuple[Floats, Floats, Floats]:
    return where * 1.0, np.where(where > 0, np.minimum(AGES, after), 0.0), AGES


ODD_BASES = {
    "one_repeat_purchase_of_500_customers": once(np.arange(500) == 250, 30),
    "every_other_came_back_after_a_week_for_the_last_time": once(HALF, 7),
    "everybody_buys_daily": (AGES, AGES, AGES),
    "everybody_has_the_same_history": (NOBODY + 3, NOBODY + 60, NOBODY + 200),
    "two_kinds_of_customers": (HALF * 3.0, HALF * 200.0, NOBODY + 200),
    "everybody_buys_at_one_rate": (np.floor(AGES / 7), np.floor(AGES / 7) * 7, AGES),
    "all_but_one_came_today": ((AGES == 400) * 1.0, (AGES == 400) * 10.0, np.where(AGES == 400, 200.0, 0.0)),
    "one_buys_3000_times": (
        np.where(AGES == 400, 3_000.0, HALF),
        np.where(AGES == 400, 3_000.0, HALF * 1.0),
        np.where(AGES == 400, 3_000.0, AGES),
    ),
}


@pytest.mark.parametrize("model", MODELS)
class TestOddBases:
    @pytest.mark.parametrize("name", ODD_BASES)
    def test_a_fit_is_sane_where_the_likelihood_would_run_away(self, model: str, name: str) -> None:
        x, t_x, T = ODD_BASES[name]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = fit_btyd(model, Histories.grouped(x, t_x, T))
            silent = probability_of_no_purchase(fit, x, t_x, T, 365)
            expected = expected_purchases(fit, x, t_x, T, 365)
            error = relative_error_of_total(fit, Histories.grouped(x, t_x, T), 365)
        assert fit.a <= 5.0001 and fit.r <= 30.0001
        assert abs(fit.a - 1) >= 9e-6
        assert np.isfinite(list(fit.parameters.values())).all() and np.isfinite(fit.log_likelihood)
        assert np.isfinite(error)
        assert ((silent >= 0) & (silent <= 1)).all()
        # nobody is expected to buy more often than the busiest customer did
        assert (expected >= -1e-9).all()
        assert expected.max() <= 1.05 * 365 * (x / np.maximum(T, 1)).max()

    def test_no_repeat_purchase_is_no_base_for_a_fit(self, model: str) -> None:
        with pytest.raises(FitError, match="none of the 500 customers") as refusal:
            fit_btyd(model, Histories.grouped(NOBODY, NOBODY, AGES))
        assert refusal.value.code == NOT_CONVERGED

    def test_fewer_customers_than_the_limit_are_refused(self, model: str) -> None:
        base, _ = simulated(model, (0.5, 40.0, 0.9, 1.6), 499, 900, 0, seed=1)
        histories = Histories.grouped(base.x, base.t_x, base.T)
        with pytest.raises(FitError, match="499 customers have bought; a model needs 500") as refusal:
            fit_btyd(model, histories, limits=LIMITS)
        assert refusal.value.code == TOO_FEW_CUSTOMERS
        assert fit_btyd(model, histories).customers == 499

    def test_fewer_days_than_the_limit_are_refused(self, model: str) -> None:
        with pytest.raises(FitError, match="179 days long.*needs 180") as refusal:
            fit_btyd(model, Histories.grouped(HALF, HALF, np.minimum(AGES, 179)), limits=LIMITS)
        assert refusal.value.code == HISTORY_TOO_SHORT
        fit_btyd(model, Histories.grouped(HALF, HALF, np.minimum(AGES, 180)), limits=LIMITS)


def test_what_is_no_history_is_refused() -> None:
    for x, t_x, T in [(1, 10, 5), (0, 5, 10), (-1, 0, 10), (float("nan"), 0, 10)]:
        with pytest.raises(ValueError, match="no history"):
            Histories.grouped([x], [t_x], [T])
    with pytest.raises(ValueError, match="3, 2 and 3 rows"):
        Histories.grouped([0, 0, 0], [0, 0], [1, 1, 1])
    with pytest.raises(ValueError, match="none of mbg_nbd, bg_nbd"):
        BtydFit.of("pareto_nbd", PRINTED)
