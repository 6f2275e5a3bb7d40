"""The SQL of the predictions against SciPy on a grid, published figures, and the sums behind a lifetime value."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest
from cdnow import CALIBRATED_UNTIL, Base, base_until, sample_purchases
from conftest import Dbt
from numpy.typing import NDArray

from orchestration.predictive.btyd import (
    BtydFit,
    Histories,
    expected_purchases,
    fit_btyd,
    next_purchase_median_days,
    p_alive,
    probability_of_no_purchase,
)
from orchestration.predictive.spend import SpendFit, expected_spend, fit_spend

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("scoring")]

MODELS = ("int_purchase_histories_projected", "int_customer_predictions_scored", "int_customer_horizons_predicted")
BOUNDARIES = (*range(30, 331, 30), 365)
PURCHASES = (0, 1, 2, 5, 30, 300, 3000)
TENURES = (0, 1, 7, 30, 89, 90, 180, 365, 1000)
HORIZONS = (30, 90, 180, 365)
CHURN_HORIZONS = HORIZONS[:-1]
Floats = NDArray[np.float64]

# CDNOW sample, weeks 1 to 39, fitted in weeks: Fader, Hardie and Lee 2005 for BG/NBD, lifetimes for MBG/NBD
WEEK = 7.0
BG_SAMPLE = BtydFit.of("bg_nbd", {"r": 0.2426, "alpha": 4.4136 * WEEK, "a": 0.7929, "b": 2.4259})
MBG_SAMPLE = BtydFit.of("mbg_nbd", {"r": 0.525, "alpha": 6.183 * WEEK, "a": 0.891, "b": 1.614})
PLAUSIBLE = (
    BG_SAMPLE,
    MBG_SAMPLE,
    BtydFit.of("bg_nbd", {"r": 0.2516, "alpha": 4.7889 * WEEK, "a": 0.7234, "b": 2.1611}),
    BtydFit.of("mbg_nbd", {"r": 1.5, "alpha": 14.0, "a": 0.3, "b": 3.0}),
    BtydFit.of("mbg_nbd", {"r": 0.8, "alpha": 25.0, "a": 1.8, "b": 2.5}),
    BtydFit.of("mbg_nbd", {"r": 0.6, "alpha": 50.0, "a": 1.00001, "b": 3.0}),
    BtydFit.of("mbg_nbd", {"r": 5.0, "alpha": 60.0, "a": 0.4, "b": 1.2}),
    BtydFit.of("mbg_nbd", {"r": 3.0, "alpha": 400.0, "a": 4.9, "b": 9.0}),
    BtydFit.of("bg_nbd", {"r": 0.3, "alpha": 30.0, "a": 0.3, "b": 0.5}),
    BtydFit.of("bg_nbd", {"r": 0.05, "alpha": 20.0, "a": 0.05, "b": 0.3}),
)
# beyond what the sum is made for: new customers at horizons of a hundred times alpha, and many reasons to leave
EXTREME = (
    BtydFit.of("mbg_nbd", {"r": 0.5, "alpha": 2.0, "a": 4.9, "b": 9.0}),
    BtydFit.of("bg_nbd", {"r": 2.0, "alpha": 0.5, "a": 4.9, "b": 50.0}),
)


@dataclass(frozen=True)
class Scoring:
    """The models of the predictions, as dbt compiles them, over inputs of a test."""

    statements: Sequence[str]

    def __call__(
        self,
        fit: BtydFit | None,
        histories: Sequence[tuple[float, float, float]],
        effective: Callable[[float], float] = float,
        *,
        spend: Mapping[str, float] | None = None,
        mean_spend: Sequence[float | None] | None = None,
        rate: float = 0.0,
        level: float = 1.0,
    ) -> pd.DataFrame:
        """Predictions of customers (x, t_x, T), in their order; a name that ends in days is of that horizon.

        `effective` is the length of the days to a boundary, `level` the factor of purchases and of value.
        """
        means = [None] * len(histories) if mean_spend is None else mean_spend
        customers = [(place, *row, mean) for place, (row, mean) in enumerate(zip(histories, means, strict=True))]
        later = None if fit is None else fit.b - (fit.model == "bg_nbd")
        purchases = (None,) * 5 if fit is None else (fit.model, fit.r, fit.alpha, fit.a, later)
        spends = tuple((spend or {}).get(name) for name in ("p", "q", "gamma"))
        spends += tuple((spend or {}).get(name, 0.0) for name in ("never_pays", "free_day"))
        with duckdb.connect() as connection:
            connection.execute("attach ':memory:' as warehouse")
            connection.execute("create schema warehouse.intermediate")
            connection.execute("use warehouse.intermediate")
            connection.execute(
                "create table int_customer_features (as_of_date date, customer_id integer, "
                "repeat_purchase_days bigint, recency_days_btyd double, tenure_days double, "
                "repeat_net_revenue_per_purchase_day double)"
            )
            connection.executemany("insert into int_customer_features values ('2026-06-30', ?, ?, ?, ?, ?)", customers)
            connection.execute("create table run_context (as_of_date date, annual_discount_rate double)")
            connection.execute("insert into run_context values ('2026-06-30', ?)", [rate])
            connection.execute("create table int_season_days_counted (days integer, effective_days double)")
            season = [(days, effective(days)) for days in BOUNDARIES]
            connection.executemany("insert into int_season_days_counted values (?, ?)", season)
            connection.execute("create schema warehouse.seeds")
            connection.execute(
                "create table warehouse.seeds.prediction_horizons (horizon_days integer, is_for_churn boolean)"
            )
            horizons = [(days, days in CHURN_HORIZONS) for days in HORIZONS]
            connection.executemany("insert into warehouse.seeds.prediction_horizons values (?, ?)", horizons)
            connection.execute(
                "create table int_btyd_parameters_pivoted (model_name varchar, r double, alpha double, a double, "
                "b_later double, p double, q double, gamma double, never_pays double, free_day double)"
            )
            parameters = [*purchases, *spends]
            connection.execute(
                "insert into int_btyd_parameters_pivoted values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", parameters
            )
            connection.execute(
                "create table int_total_spreads_pivoted "
                "(horizon_days integer, purchases_level double, clv_level double)"
            )
            levels = [(days, level, level) for days in HORIZONS]
            connection.executemany("insert into int_total_spreads_pivoted values (?, ?, ?)", levels)
            for name, statement in zip(MODELS, self.statements, strict=True):
                connection.execute(f"create table {name} as {statement}")
            return with_horizons(*(connection.execute(f"from {name}").df() for name in MODELS[1:]))


def with_horizons(customers: pd.DataFrame, horizons: pd.DataFrame) -> pd.DataFrame:
    """One row per customer, in the order of their ids: expected_purchases_30d and so on beside what has no horizon."""
    wide = horizons.pivot(index="customer_id", columns="horizon_days")
    wide.columns = [f"{name}_{days}d" for name, days in wide.columns]
    return customers.set_index("customer_id").join(wide).sort_index().reset_index()


@pytest.fixture(scope="module")
def scoring(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Scoring:
    warehouse = tmp_path_factory.mktemp("scoring")
    (warehouse / "build").mkdir()
    dbt.invoke(warehouse, "compile", "--select", *MODELS)
    # unit tests leave statements of the same names in folders of their own
    compiled = {
        path.stem: path.read_text(encoding="utf-8")
        for path in (dbt.target / "compiled").rglob("intermediate/predictions/*.sql")
    }
    return Scoring([compiled[name] for name in MODELS])


def grid() -> list[tuple[float, float, float]]:
    """Customers of every kind: x to 3,000, T to 1,000 days, the last purchase long ago, half way and today."""
    return [(x, share * T if x else 0.0, T) for x, T, share in itertools.product(PURCHASES, TENURES, [0.1, 0.5, 1.0])]


def in_a_year(days: float) -> Callable[[float], float]:
    """The season that makes `days` of a year."""
    return lambda boundary: boundary / 365 * days


def columns(histories: Sequence[tuple[float, float, float]]) -> tuple[Floats, Floats, Floats]:
    x, t_x, T = np.array(histories, dtype=np.float64).T
    return x, t_x, T


def difference(actual: pd.Series, expected: Floats) -> Floats:
    """Absolute, and relative where more than one is expected."""
    return np.abs(actual.to_numpy(dtype=np.float64) - expected) / np.maximum(1.0, np.abs(expected))


@pytest.mark.parametrize("fit", PLAUSIBLE, ids=lambda fit: f"{fit.model} {fit.r} {fit.alpha:.0f} {fit.a} {fit.b}")
@pytest.mark.parametrize("length", [1.0, 0.6, 1 / 30])
def test_the_sql_agrees_with_scipy_on_a_grid(scoring: Scoring, fit: BtydFit, length: float) -> None:
    x, t_x, T = columns(grid())
    scored = scoring(fit, grid(), lambda days: length * days)
    assert difference(scored["p_alive"], p_alive(fit, x, t_x, T)).max() < 1e-12
    for days in HORIZONS:
        error = difference(scored[f"expected_purchases_{days}d"], expected_purchases(fit, x, t_x, T, length * days))
        assert error.max() < 1e-6
        assert error[T >= 90].max() < 1e-8
    for days in CHURN_HORIZONS:
        expected = probability_of_no_purchase(fit, x, t_x, T, length * days)
        assert difference(scored[f"no_purchase_probability_{days}d"], expected).max() < 1e-12
    # days of centuries hang on the last digits of p_alive where that is near one half
    expected = next_purchase_median_days(fit, x, t_x, T)
    near = np.isfinite(expected) & (expected < 36_500)
    actual = scored["next_purchase_days"].to_numpy(dtype=np.float64)
    np.testing.assert_allclose(actual[near], expected[near], rtol=1e-9)
    assert (np.isnan(actual) == np.isnan(expected))[near | np.isnan(expected)].all()


@pytest.mark.parametrize("fit", EXTREME, ids=lambda fit: f"{fit.model} {fit.alpha}")
def test_purchases_stay_between_their_bounds_where_the_sum_has_not_converged(scoring: Scoring, fit: BtydFit) -> None:
    x, _, T = columns(grid())
    scored = scoring(fit, grid())
    alive = scored["p_alive"].to_numpy()
    for days in HORIZONS:
        purchases = scored[f"expected_purchases_{days}d"].to_numpy()
        assert (purchases <= alive * (fit.r + x) * days / (fit.alpha + T) * (1 + 1e-12)).all()
        buys = 1 - ((fit.alpha + T) / (fit.alpha + T + days)) ** (fit.r + x)
        assert (purchases >= alive * buys * (1 - 1e-12)).all()


@pytest.mark.parametrize("fit", PLAUSIBLE, ids=lambda fit: f"{fit.model} {fit.alpha:.0f}")
def test_more_days_bring_more_purchases_at_a_falling_rate(scoring: Scoring, fit: BtydFit) -> None:
    purchases = scoring(fit, grid())[[f"expected_purchases_{days}d" for days in HORIZONS]].to_numpy()
    per_day = np.diff(purchases, axis=1, prepend=0.0) / np.diff(HORIZONS, prepend=0)
    assert (per_day >= 0).all()
    assert (np.diff(per_day, axis=1) <= 1e-9).all()


@pytest.fixture(scope="module")
def base() -> Base:
    """The CDNOW sample, weeks 1 to 39, in days."""
    return base_until(sample_purchases(), CALIBRATED_UNTIL)


@pytest.fixture(scope="module")
def bg_nbd(base: Base) -> BtydFit:
    """The fit of Fader, Hardie and Lee 2005, to more digits than are printed."""
    fit = fit_btyd("bg_nbd", Histories.grouped(base.x, base.t_x, base.T))
    assert [round(value, 4) for value in (fit.r, fit.alpha / WEEK, fit.a, fit.b)] == [0.2426, 4.4136, 0.7929, 2.4259]
    return fit


class TestPublishedFigures:
    def test_purchases_to_expect_of_the_papers_customer(self, scoring: Scoring, bg_nbd: BtydFit) -> None:
        """Fader, Hardie and Lee 2005; lifetimes; CLVTools: x = 2, t_x = 30.43, T = 38.86 weeks, 39 ahead."""
        scored = scoring(bg_nbd, [(2, 30.43 * WEEK, 38.86 * WEEK)], in_a_year(39 * WEEK))
        assert round(scored["expected_purchases_365d"][0], 3) == 1.226

    @pytest.mark.parametrize(
        ("weeks", "purchases"),
        [(0.1429, 0.0078), (1, 0.0532), (3, 0.1506), (31.8571, 1.0405), (32, 1.0437), (78, 1.8580)],
    )
    def test_purchases_to_expect_of_a_new_customer(
        self, scoring: Scoring, bg_nbd: BtydFit, weeks: float, purchases: float
    ) -> None:
        """Hardie's worked example, lifetimes. At 78 weeks they print 1.8576, from a sum that ends after 150 terms."""
        scored = scoring(bg_nbd, [(0, 0, 0)], in_a_year(weeks * WEEK))
        assert round(scored["expected_purchases_365d"][0], 4) == purchases

    def test_probability_of_no_purchase(self, scoring: Scoring) -> None:
        """The manual of the R package BTYD, lifetimes: P(X(39) = 0)."""
        fit = BtydFit.of("bg_nbd", {"r": 0.243, "alpha": 4.414 * WEEK, "a": 0.793, "b": 2.426})
        scored = scoring(fit, [(0, 0, 0)], lambda days: days / 180 * 39 * WEEK)
        assert round(scored["no_purchase_probability_180d"][0], 7) == 0.5737864

    def test_a_one_time_buyer_may_have_left_by_mbg_nbd(self, scoring: Scoring) -> None:
        """Recomputed: .38967; the parameters are those that lifetimes prints, to three digits."""
        one_time_buyer = [(0, 0, 38.86 * WEEK)]
        assert scoring(MBG_SAMPLE, one_time_buyer)["p_alive"][0] == pytest.approx(0.38967, abs=2e-4)
        assert scoring(BG_SAMPLE, one_time_buyer)["p_alive"][0] == 1

    def test_spend_to_expect_of_the_first_ten_customers(self, scoring: Scoring, base: Base) -> None:
        """Hardie, note 25; lifetimes."""
        fit = fit_spend(base.x, base.spend)
        scored = scoring(
            MBG_SAMPLE,
            list(zip(base.x[:10], base.t_x[:10], base.T[:10], strict=True)),
            spend={"p": fit.p, "q": fit.q, "gamma": fit.gamma},
            mean_spend=[None if np.isnan(spend) else spend for spend in base.spend[:10]],
        )
        published = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
        assert scored["expected_spend_per_purchase"].round(2).tolist() == published

    def test_repeat_purchases_of_weeks_40_to_78(self, scoring: Scoring, bg_nbd: BtydFit, base: Base) -> None:
        """Computed by clvkit as 1,653.409, and from these fits as 1,653.4."""
        scored = scoring(bg_nbd, list(zip(base.x, base.t_x, base.T, strict=True)), in_a_year(39 * WEEK))
        assert round(scored["expected_purchases_365d"].sum(), 1) == 1653.4


def test_lifetime_value_discounts_each_month_from_its_end(scoring: Scoring) -> None:
    histories = [(0, 0, 10), (3, 200, 300), (12, 340, 400)]
    spend = {"p": 6.25, "q": 3.74, "gamma": 15.44}
    scored = scoring(MBG_SAMPLE, histories, spend=spend, mean_spend=[None, 20.0, 80.0], rate=0.1)
    x, t_x, T = columns(histories)
    # Fader and Hardie 2013: p (gamma + x m) / (p x + q - 1)
    means = ((0, 0), (3, 20), (12, 80))
    spends = np.array([6.25 * (15.44 + count * mean) / (6.25 * count + 2.74) for count, mean in means])
    for horizon in HORIZONS:
        ends = [days for days in BOUNDARIES if days <= horizon]
        total, before = np.zeros(3), np.zeros(3)
        for days in ends:
            by_then = expected_purchases(MBG_SAMPLE, x, t_x, T, days)
            total += (by_then - before) / 1.1 ** (days / 365)
            before = by_then
        np.testing.assert_allclose(scored[f"discounted_purchases_{horizon}d"], total, rtol=1e-9)
        np.testing.assert_allclose(scored[f"predicted_clv_{horizon}d"], total * spends, rtol=1e-9)
        undiscounted = scored[f"expected_purchases_{horizon}d"].to_numpy()
        assert (total < undiscounted).all() and (total > undiscounted / 1.1).all()


def test_a_level_multiplies_customers_and_their_sum_alike(scoring: Scoring) -> None:
    spend = {"p": 6.25, "q": 3.74, "gamma": 15.44}
    plain, levelled = (scoring(MBG_SAMPLE, grid(), spend=spend, level=level) for level in (1.0, 0.85))
    for name in (f"{figure}_{days}d" for figure in ("expected_purchases", "predicted_clv") for days in HORIZONS):
        np.testing.assert_allclose(levelled[name], 0.85 * plain[name], rtol=1e-12)
    for name in ("p_alive", *(f"no_purchase_probability_{days}d" for days in CHURN_HORIZONS)):
        np.testing.assert_allclose(levelled[name], plain[name], rtol=0)


@pytest.mark.parametrize("paying", [(0.0, 0.0), (0.2, 0.5), (1e-6, 0.3), (0.4, 1e-6), (0.999, 0.999)])
def test_free_repeat_purchases_are_scored_as_python_scores_them(scoring: Scoring, paying: tuple[float, float]) -> None:
    spend = {"p": 6.0, "q": 4.0, "gamma": 15.0, "never_pays": paying[0], "free_day": paying[1]}
    histories = [(0, 0, 9), (2, 5, 9), (1, 5, 9), (2, 5, 9), (44, 5, 9), (3_000, 5, 9), (2, 5, 9)]
    means = [None, None, 0.0, -3.0, 0.0, 0.0, 24.0]
    scored = scoring(MBG_SAMPLE, histories, spend=spend, mean_spend=means)
    known = [np.nan if mean is None else mean for mean in means]
    expected = expected_spend(SpendFit.of(spend), [x for x, _, _ in histories], known)
    np.testing.assert_allclose(scored["expected_spend_per_purchase"], expected, rtol=1e-12)


def test_without_parameters_every_customer_is_there_and_nothing_is_predicted(scoring: Scoring) -> None:
    scored = scoring(None, grid())
    assert len(scored) == len(grid())
    known = ["as_of_date", "customer_id", "repeat_purchase_days", "tenure_days"]
    assert scored.drop(columns=known).isna().all(axis=None)
