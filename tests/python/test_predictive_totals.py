"""Totals come at the level that backtests show, in intervals that are as wide as what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import exp, log, sqrt

import numpy as np
import pytest
from predicted_totals import predicted_totals, sample_purchases
from purchase_histories import month_ends, simulate
from test_predictive_refit import predicted_by, refit_of, values

from orchestration.predictive import backtests
from orchestration.predictive.backtests import Backtest, CohortTotals
from orchestration.predictive.empirical_bayes import between_variance
from orchestration.predictive.events import Occurrence
from orchestration.predictive.level_of_totals import estimate_level
from orchestration.predictive.spread_of_totals import Spread, spreads
from orchestration.predictive.windows import effective_windows, non_overlapping, share_of_variance_left
from orchestration.seeds import holiday_calendar

CUT = date(2024, 1, 31)
ENDS = month_ends(date(2024, 1, 1), date(2024, 6, 30))


def backtest(cut: date, horizon: int, predicted: float, actual: float, squared_error: float = 0.0) -> Backtest:
    return Backtest("purchases", "mbg_nbd", cut, horizon, False, 1000, predicted, actual, squared_error)


def of_cohorts(cut: date, predicted: Sequence[float], actual: Sequence[float], squared_error: float) -> Backtest:
    cohorts = CohortTotals(np.array(predicted, dtype=float), np.array(actual, dtype=float))
    return replace(backtest(cut, 90, sum(predicted), sum(actual), squared_error), cohorts=cohorts)


def spread_of(tests: Sequence[Backtest], errors: dict[int, float], season: dict[int, float] | None = None) -> dict:
    return spreads(tests, tests, errors, season or {})


class TestWindows:
    def test_windows_that_share_days_count_once(self) -> None:
        ends = month_ends(date(2023, 1, 1), date(2023, 12, 31))
        assert len(non_overlapping(ends, 30)) == 11
        assert len(non_overlapping(ends, 90)) == 4
        assert non_overlapping(ends, 365) == [date(2023, 12, 31)]
        assert len(non_overlapping([date(2023, 1, 1), date(2023, 1, 31)], 30)) == 2
        assert non_overlapping([date(2023, 1, 1), date(2023, 1, 30)], 30) == [date(2023, 1, 30)]

    def test_effective_windows_are_the_span_over_the_length(self) -> None:
        """From 31 January to 30 June are 151 days: (151 + 365) / 365 years, (151 + 90) / 90 quarters."""
        assert effective_windows(ENDS, 365) == pytest.approx(516 / 365)
        assert effective_windows(ENDS, 90) == pytest.approx(241 / 90)
        # days between windows show nothing: never more than there are
        assert effective_windows([date(2020, 1, 1), date(2024, 1, 1)], 30) == 2
        assert effective_windows([CUT], 30) == 1

    def test_the_mean_of_overlapping_windows_varies_more(self) -> None:
        """Apart: 1 / 2. Half shared: (1 + 1 + 2 * .5) / 4. A window of 50 days in one of 200: r = 50 / sqrt(10000)."""
        assert share_of_variance_left([(date(2024, 1, 1), 10), (date(2024, 1, 11), 10)]) == pytest.approx(0.5)
        assert share_of_variance_left([(date(2024, 1, 1), 10), (date(2024, 1, 6), 10)]) == pytest.approx(0.75)
        assert share_of_variance_left([(date(2024, 1, 1), 200), (date(2024, 1, 1), 50)]) == pytest.approx(0.75)
        assert share_of_variance_left([(CUT, 90)]) == 1


class TestLevel:
    def test_one_window_is_believed_by_how_sure_it_is(self) -> None:
        """A fifth more came: log 1.2. Of a window's variance .0064 and .0144 between companies .6923 is kept."""
        level = estimate_level([backtest(CUT, 180, 1000, 1200)], 0.0)
        kept = 0.0144 / (0.0144 + 0.0064)
        assert level.log_level == pytest.approx(kept * log(1.2))
        assert level.variance == pytest.approx(0.0064 + kept * 0.0064)
        assert (level.freedom, level.factor) == (6, pytest.approx(1.2**kept))

    def test_windows_that_overlap_are_little_more_than_one(self) -> None:
        """Six year-long windows in 516 days are 1.4: six of their own would have kept .961."""
        tests = [backtest(cut, 365, 1000, 1200) for cut in ENDS]
        windows = 516 / 365
        variance = 6 * 0.0064 / (6 + windows - 1)
        kept = 0.0144 / (0.0144 + variance / windows)
        assert kept == pytest.approx(0.773, abs=1e-3)
        assert estimate_level(tests, 0.0).log_level == pytest.approx(kept * log(1.2))

    def test_chance_and_parameters_make_a_window_less_sure(self) -> None:
        """2 / 100 by chance and .1 squared by the parameters: a variance of .0064 + .02 + .01."""
        test = replace(backtest(CUT, 180, 100, 120), parameter_error=0.1)
        # half a unit of chance, 1, on both sides
        assert estimate_level([test], 2.0).log_level == pytest.approx(0.0144 / (0.0144 + 0.0364) * log(121 / 101))

    def test_a_young_cut_whose_parameters_were_unsure_weighs_less(self) -> None:
        sure, unsure = backtest(ENDS[0], 180, 1000, 900), backtest(ENDS[5], 180, 1000, 1200)
        unsure = replace(unsure, parameter_error=0.5)
        assert (
            estimate_level([sure, unsure], 0.0).log_level
            < 0
            < estimate_level([sure, backtest(ENDS[5], 180, 1000, 1200)], 0.0).log_level
        )

    def test_short_horizons_have_a_level_only_if_it_had_helped(self) -> None:
        always = [backtest(cut, 30, 1000, actual) for cut, actual in zip(ENDS, 2 * [1190, 1200, 1210], strict=True)]
        assert estimate_level(always, 0.0).factor > 1.1
        turning = [backtest(cut, 30, 1000, 1200 if place % 2 else 850) for place, cut in enumerate(ENDS)]
        level = estimate_level(turning, 0.0)
        # what is not taken out is spread: the mean square of log 1.2 and log .85, and a prior of six windows
        found = (log(1.2) ** 2 + log(0.85) ** 2) / 2
        assert (level.log_level, level.freedom) == (0, 12)
        assert level.variance == pytest.approx((6 * 0.0064 + 6 * found) / 12)

    def test_a_level_of_short_horizons_learns_from_windows_that_had_passed(self) -> None:
        """Each cut has but windows before it that are not over: nothing had been known."""
        near = [date(2024, 1, 1) + timedelta(days=place) for place in range(6)]
        assert estimate_level([backtest(cut, 90, 1000, 1200) for cut in near], 0.0).log_level == 0


class TestSpread:
    def test_an_interval_is_chance_and_what_all_customers_share(self) -> None:
        """Dispersion (150 + 250) / (100 + 100) = 2. The windows span 119 days, 1.322 windows of 90.

        Squared log ratios log(121 / 101) ** 2 = .032640 and log(91 / 101) ** 2 = .010872, mean .021756, less 2 / 100 of
        chance: .001756. With the prior (6 * .0064 + 1.3222 * .001756) / 7.3222 = .0055613. t of 7.3222 degrees of
        freedom is 2.3434 in place of 1.95996: * 1.42957 = .0079503. With .03 from the parameters: .0088503, whose root
        is .094076.
        """
        tests = [backtest(date(2024, 1, 31), 90, 100, 120, 150), backtest(date(2024, 2, 29), 90, 100, 90, 250)]
        found = spread_of(tests, {90: 0.03, 180: 0.04})
        assert (found[90].dispersion, found[90].level, found[90].windows) == (2, 1, 1)
        assert found[90].relative_error == pytest.approx(0.094076, abs=2e-5)
        # twice as long, and no backtest: sqrt(.0016 + 2 * .0079503)
        assert found[180].relative_error == pytest.approx(0.132287, abs=2e-5)
        assert (found[180].dispersion, found[180].windows) == (2, 0)
        assert spread_of([], {90: 0.03}) == {}

    def test_what_the_level_takes_out_is_not_spread(self) -> None:
        """Every window a quarter too low: before, the interval reached over it, to both sides."""
        [found] = spread_of([backtest(cut, 180, 1000, 1250) for cut in ENDS], {180: 0.0}).values()
        assert 1.18 < found.level < 1.25
        assert found.relative_error < 0.12
        old = sqrt(0.25**2) * 4.302653 / 1.959964
        assert found.relative_error < 0.25 * old

    def test_a_total_errs_by_no_less_than_the_season_ahead(self) -> None:
        tests = [backtest(date(2025, 1, 1), 90, 100, 100)]
        assert spread_of(tests, {90: 0.03}, {90: 0.4})[90].relative_error == pytest.approx(sqrt(0.03**2 + 0.4**2))
        # what the backtests have seen is more, and holds the season already
        assert spread_of(tests, {90: 0.03}, {90: 0.04}) == spread_of(tests, {90: 0.03})

    def test_cohorts_differ_by_more_than_chance(self) -> None:
        """Two of 100 each, of which 130 and 80 came, dispersion 2: log ratios log(131 / 101) and log(81 / 101).

        Between two of equal noise the variance is half their squared distance less the noise of 2 / 100: .0955698. A
        third, below 20, does not count. One degree of freedom beside a prior of .0225 worth four.
        """
        test = of_cohorts(CUT, [100, 100, 10], [130, 80, 90], 420)
        between = (log(131 / 81)) ** 2 / 2 - 0.02
        [found] = spread_of([test], {90: 0.0}).values()
        assert found.cohort_error == pytest.approx(sqrt((4 * 0.0225 + between) / 5))

    def test_each_cohort_is_held_against_its_window(self) -> None:
        """What a window has is of all customers. A window that overlaps a newer one is left out."""
        tests = [
            of_cohorts(date(2024, 1, 31), [100, 100], [50, 50], 1),
            of_cohorts(date(2024, 3, 31), [100, 100], [5, 500], 1),
            of_cohorts(date(2024, 5, 31), [100, 100], [200, 200], 1),
        ]
        [found] = spread_of(tests, {90: 0.0}).values()
        assert found.cohort_error == pytest.approx(sqrt(4 * 0.0225 / 6))

    def test_variance_between_groups_is_that_of_each_around_its_mean(self) -> None:
        noise = np.full(4, 0.01)
        means = np.array([0.0, 0.4, 5.0, 5.4])
        # two distances of .4: each half of .16, less the noise
        assert between_variance(means, noise, np.array([1, 1, 2, 2])) == pytest.approx(0.07)
        assert between_variance(means[:2], noise[:2]) == pytest.approx(0.07)
        assert between_variance(np.array([0.0, 0.1]), noise[:2]) == 0

    def test_intervals_of_uneven_cohorts_hold(self) -> None:
        """Cohorts that differ by a quarter, as at a real retailer: 19 of 20 hold, far fewer without that term."""
        random = np.random.default_rng(1)
        predicted = np.full(9, 500.0)
        held, held_without = [], []
        for _ in range(200):
            tests = []
            for cut in (CUT, date(2024, 4, 30), date(2024, 7, 31)):
                actual = random.poisson(predicted * np.exp(random.normal(0, 0.25, 9))).astype(float)
                tests.append(of_cohorts(cut, predicted, actual, float(predicted.sum())))
            known, came = tests[:2], tests[2].cohorts.actual
            [found] = spread_of(known, {90: 0.0}).values()
            held.append(holds(found, predicted, came, found.cohort_error))
            held_without.append(holds(found, predicted, came, 0.0))
        assert 0.92 < np.mean(held) < 0.99
        assert np.mean(held_without) < 0.75


def holds(spread: Spread, predicted: np.ndarray, actual: np.ndarray, cohort_error: float) -> np.ndarray:
    error = sqrt(spread.relative_error**2 + cohort_error**2)
    chance = 1.96 * np.sqrt(spread.dispersion * predicted)
    low = predicted - np.hypot(predicted * (1 - exp(-1.96 * error)), chance)
    high = predicted + np.hypot(predicted * (exp(1.96 * error) - 1), chance)
    return (low <= actual) & (actual <= high)


def test_a_company_whose_customers_fade_is_predicted_at_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates fall by half over the days, which the model does not know: totals come out too high at every cut."""
    for supervised in ("fit_logistic", "fit_boosted"):
        monkeypatch.setattr(backtests, supervised, lambda *_: None)
    as_of = date(2023, 10, 31)
    company = simulate(3, days=900, growth=0.5)
    result = refit_of(company, as_of=as_of, dates=month_ends(date(2022, 6, 1), as_of))
    known = company.snapshot(as_of, as_of + timedelta(days=180))
    for target, actual in (("purchases", known.outcomes[180].purchases), ("clv", known.outcomes[180].net_revenue)):
        plain = predicted_by(result, known, target, 180).sum()
        spread = values(result, target, "mbg_nbd", 180)
        total = spread["level"] * plain
        assert plain / actual.sum() > 1.1
        assert abs(log(total / actual.sum())) < 0.75 * abs(log(plain / actual.sum()))
        assert total * exp(-1.96 * spread["relative_error"]) < actual.sum()
        assert spread["relative_error"] < 0.2


@pytest.mark.long
@pytest.mark.nightly
def test_totals_of_sample_companies_lie_in_intervals_of_the_right_width() -> None:
    """As of days before and after the peak of the year."""
    as_of = (date(2025, 3, 31), date(2025, 9, 30), date(2025, 12, 31))
    found = [
        total
        for seed in (1, 2, 3)
        for day in as_of
        for total in predicted_totals(sample_purchases(seed), day, holiday_calendar("CN"))
    ]
    totals = [total for total in found if total.cohort is None]
    errors = np.array([total.error for total in totals])
    spread = sqrt(np.mean(errors**2))
    assert np.mean([total.holds for total in totals]) >= 0.9
    assert 0.8 < np.mean([total.half_width for total in totals]) / 1.96 / spread < 1.6
    cohorts = [total.holds for total in found if total.cohort is not None and total.plain >= 20]
    assert 0.9 <= np.mean(cohorts) < 1
    year = [total for total in totals if total.horizon == 365]
    assert abs(np.mean([total.error for total in year])) < abs(
        np.mean([total.plain / total.actual - 1 for total in year])
    )


@pytest.mark.long
@pytest.mark.nightly
def test_a_month_with_a_festival_that_moved_is_foreseen() -> None:
    """As of the end of 2024, 30 days ahead: Spring Festival was in February and comes on 29 January.

    By the month index alone the root mean square error is about 30%.
    """

    def error(calendar: tuple[Occurrence, ...]) -> float:
        found = [
            total
            for seed in range(1, 7)
            for total in predicted_totals(sample_purchases(seed), date(2024, 12, 31), calendar)
        ]
        return sqrt(np.mean([total.error**2 for total in found if total.horizon == 30 and total.cohort is None]))

    assert error(holiday_calendar("CN")) < 0.15 < 0.2 < error(())
