"""The month index: found again where customers were simulated with one, and absent where there is none."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from purchase_histories import LIMITS

from orchestration.predictive.btyd import BtydFit, Histories, expected_repeat_purchases, fit_btyd
from orchestration.predictive.seasonality import Activity, Season, estimate_season

Floats = NDArray[np.float64]

START = np.datetime64("2022-03-10")
THETA = {"r": 0.8, "alpha": 60.0, "a": 0.5, "b": 3.0}
TRUE_FIT = BtydFit.of("mbg_nbd", THETA)
NO_SEASON = np.ones(12)
# little in summer, much before Christmas; mean 1
SEASON = np.array([0.8, 0.85, 0.95, 1.0, 0.95, 0.9, 0.8, 0.85, 1.0, 1.1, 1.3, 1.5])


def estimate_month_index(fit: BtydFit, activity: Activity, as_of: date) -> np.ndarray:
    return estimate_season(fit, activity, as_of, LIMITS.minimum_season_days).month_index


def months_of(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def simulated(customers: int, length: int, season: Floats, seed: int) -> tuple[Activity, Histories, date]:
    """Customers of MBG/NBD whose rate follows the month, over so many days, and what is known of them at the end."""
    generator = np.random.default_rng(seed)
    as_of = START + length - 1
    first = generator.integers(0, length, customers)
    first[0] = 0
    rate, leaves = (
        generator.gamma(THETA["r"], 1 / THETA["alpha"], customers),
        generator.beta(THETA["a"], THETA["b"], customers),
    )
    # time runs as fast as the season says, so that purchases of a Poisson process of this clock follow it
    clock = np.concatenate([[0.0], np.cumsum(season[months_of(START + np.arange(length))])])
    now, last, x = clock[first + 1], first.copy(), np.zeros(customers)
    bought: list[NDArray[np.int64]] = []
    active = np.flatnonzero(generator.random(customers) >= leaves)
    while active.size:
        now[active] += generator.exponential(1, active.size) / rate[active]
        active = active[now[active] < clock[-1]]
        day = np.searchsorted(clock, now[active], side="right") - 1
        bought.append(day)
        last[active] = day
        x[active] += 1
        active = active[generator.random(active.size) >= leaves[active]]
    first_days, new = np.unique(first, return_counts=True)
    repeat_days, repeats = np.unique(np.concatenate(bought), return_counts=True)
    activity = Activity(START + first_days, new.astype(float), START + repeat_days, repeats.astype(float))
    t_x = np.where(x > 0, np.maximum(last - first, 0), 0)
    return activity, Histories.grouped(x, t_x, length - 1 - first), as_of.item()


def exposure(fit: BtydFit, activity: Activity, as_of: date) -> Floats:
    """Purchases that the fit expects by month of the year, customer by customer."""
    length = int((np.datetime64(as_of) - START).astype(int)) + 1
    expected = np.zeros(length)
    for day, count in zip(activity.first_days, activity.new_customers, strict=True):
        begin = int((day - START).astype(int))
        ages = np.arange(length - begin, dtype=np.float64)
        expected[begin + 1 :] += count * np.diff(expected_repeat_purchases(fit, ages))
    return np.bincount(months_of(START + np.arange(length)), weights=expected, minlength=12)


def test_the_true_index_is_found_again_over_three_years() -> None:
    activity, histories, as_of = simulated(20_000, 3 * 365 + 60, SEASON, seed=1)
    fit = fit_btyd("mbg_nbd", histories)
    index = estimate_month_index(fit, activity, as_of)
    weights = exposure(fit, activity, as_of)
    assert weights @ index == pytest.approx(weights.sum())
    scaled = SEASON * weights.sum() / (weights @ SEASON)
    np.testing.assert_allclose(index, scaled, rtol=0.07)
    assert np.corrcoef(index, SEASON)[0, 1] > 0.98


def test_one_year_finds_the_direction() -> None:
    activity, _, as_of = simulated(20_000, 400, SEASON, seed=2)
    index = estimate_month_index(TRUE_FIT, activity, as_of)
    assert np.corrcoef(index, SEASON)[0, 1] > 0.9
    # shrunk, since nobody knows whether the next year repeats this one
    assert 0.5 < np.log(index).std() / np.log(SEASON).std() < 1


@pytest.mark.parametrize("length", [400, 800, 1_200])
@pytest.mark.parametrize("seed", [3, 4])
def test_no_season_gives_an_index_near_one(length: int, seed: int) -> None:
    activity, histories, as_of = simulated(5_000, length, NO_SEASON, seed)
    index = estimate_month_index(fit_btyd("mbg_nbd", histories), activity, as_of)
    np.testing.assert_allclose(index, 1, atol=0.08)


def test_few_purchases_are_shrunk_more_than_many() -> None:
    spread = []
    for customers in (150, 1_000, 20_000):
        activity, _, as_of = simulated(customers, 900, SEASON, seed=5)
        spread.append(np.log(estimate_month_index(TRUE_FIT, activity, as_of)).std())
    assert spread[0] < spread[2] and spread[1] < 1.2 * spread[2]


def test_less_than_a_year_gives_all_ones() -> None:
    activity, _, as_of = simulated(5_000, 364, SEASON, seed=6)
    np.testing.assert_array_equal(estimate_month_index(TRUE_FIT, activity, as_of), 1)
    longer, _, day_365 = simulated(5_000, 365, SEASON, seed=6)
    assert (estimate_month_index(TRUE_FIT, longer, day_365) != 1).any()


def test_nobody_gives_all_ones() -> None:
    days = np.array([], dtype="datetime64[D]")
    nobody = Activity(days, np.array([]), days, np.array([]))
    np.testing.assert_array_equal(estimate_month_index(TRUE_FIT, nobody, date(2024, 1, 1)), 1)
    # customers who never came back, as of years later
    once = Activity(np.array(["2020-01-01"], dtype="datetime64[D]"), np.array([1.0]), days, np.array([]))
    assert np.isfinite(estimate_month_index(TRUE_FIT, once, date(2024, 1, 1))).all()


def test_a_model_that_errs_by_a_trend_makes_no_season() -> None:
    """Of twice the rate that customers have, and leaving twice as often: a level and a slope that are no season."""
    wrong = BtydFit.of("mbg_nbd", THETA | {"r": 1.6, "a": 1.0})
    activity, _, as_of = simulated(20_000, 1_200, NO_SEASON, seed=7)
    index = estimate_month_index(wrong, activity, as_of)
    np.testing.assert_allclose(index, 1, atol=0.1)


@pytest.mark.parametrize("error", [{"r": 1.6, "a": 1.0}, {"a": 0.001, "b": 1_000.0}], ids=["sooner_gone", "never_gone"])
def test_a_model_that_errs_by_a_trend_still_shows_the_season(error: dict[str, float]) -> None:
    activity, _, as_of = simulated(20_000, 900, SEASON, seed=7)
    index = estimate_month_index(BtydFit.of("mbg_nbd", THETA | error), activity, as_of)
    assert np.corrcoef(index, SEASON)[0, 1] > 0.98
    assert 0.85 < np.log(index).std() / np.log(SEASON).std() < 1.15


def test_the_future_changes_nothing() -> None:
    activity, _, _ = simulated(5_000, 1_000, SEASON, seed=8)
    cut = date(2023, 12, 31)
    known = activity.until(cut)
    assert known.first_days.max() <= np.datetime64(cut) and known.repeat_days.max() <= np.datetime64(cut)
    assert known.new_customers.size == known.first_days.size < activity.first_days.size
    np.testing.assert_array_equal(
        estimate_month_index(TRUE_FIT, activity, cut), estimate_month_index(TRUE_FIT, known, cut)
    )


def test_the_order_of_days_does_not_matter() -> None:
    activity, _, as_of = simulated(2_000, 800, SEASON, seed=9)
    one, two = activity.first_days.size, activity.repeat_days.size
    generator = np.random.default_rng(1)
    order, other = generator.permutation(one), generator.permutation(two)
    mixed = Activity(
        activity.first_days[order],
        activity.new_customers[order],
        activity.repeat_days[other],
        activity.repeat_purchases[other],
    )
    np.testing.assert_allclose(
        estimate_month_index(TRUE_FIT, mixed, as_of), estimate_month_index(TRUE_FIT, activity, as_of), rtol=1e-9
    )


def test_effective_days_count_each_day_as_its_month() -> None:
    """After 30 January 2024: one day of January, 29 of February, 0 of March: .5 + 29 * 2 = 58.5."""
    index = np.ones(12)
    index[:3] = 0.5, 2.0, 7.0
    season = Season(index, np.zeros(12))
    assert season.length(date(2024, 1, 30), 30) == pytest.approx(58.5)
    assert season.length(date(2024, 1, 30), 0) == 0
    assert season.length(date(2024, 1, 30), 1) == pytest.approx(0.5)
    assert Season.none().length(date(2024, 1, 30), 365) == 365
    # December of the one year and January of the next: 31 + 31 * .5
    assert season.length(date(2023, 11, 30), 62) == pytest.approx(46.5)


def test_the_error_of_days_ahead_is_that_of_their_months() -> None:
    """January's 31 days at 2 and February's 28 at 1 are 90; they err by 62 x 0.1 = 6.2 and 28 x 0.3 = 8.4."""
    index, errors = np.ones(12), np.zeros(12)
    index[0], errors[:2] = 2.0, (0.1, 0.3)
    expected = np.hypot(6.2, 8.4) / 90
    season = Season(index, errors)
    assert season.relative_error(date(2025, 12, 31), 59) == pytest.approx(expected, rel=1e-12)
    assert season.relative_error(date(2025, 2, 28), 30) == 0
