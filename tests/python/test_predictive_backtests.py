"""Backtests use what was known at their cut and nothing else, and say how good the models would have been."""

from __future__ import annotations

import weakref
from dataclasses import replace
from datetime import date, timedelta
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from purchase_histories import HORIZONS, LIMITS, Company, month_ends, read_cdnow, simulate

from orchestration.predictive import backtests
from orchestration.predictive.backtests import Backtest, Learnt, Window, learn, plan_cuts, train
from orchestration.predictive.btyd import p_alive
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.events import Occurrence
from orchestration.predictive.metrics import auc
from orchestration.predictive.seasonality import estimate_season
from orchestration.predictive.snapshots import Snapshot

AS_OF = date(2024, 5, 31)
CUT = date(2023, 9, 30)
DATES = [date(2022, 9, 30), date(2022, 12, 31), date(2023, 3, 31), date(2023, 6, 30), CUT, date(2023, 12, 31)]
SEASON = np.array([0.6, 0.7, 0.8, 0.9, 1, 1, 1, 0.9, 1, 1.2, 1.6, 1.8])


def learnt_from(company: Company, dates: list[date] = DATES, as_of: date = AS_OF) -> Learnt:
    return learn(lambda day: company.snapshot(day, as_of), dates, company.activity, as_of, "mbg_nbd", HORIZONS, LIMITS)


@pytest.fixture(scope="module")
def company() -> Company:
    return simulate(1, season=SEASON)


@pytest.fixture(scope="module")
def learnt(company: Company) -> Learnt:
    return learnt_from(company)


@pytest.fixture(scope="module")
def cdnow() -> Learnt:
    return learnt_from(read_cdnow(), [date(1997, 12, 31), date(1998, 4, 1)], date(1998, 6, 30))


def found(learnt: Learnt, target: str, model: str, cut: date, horizon: int, is_seasonal: bool = False) -> Backtest:
    key = (target, model, cut, horizon, is_seasonal)
    (test,) = [
        test for test in learnt.tests if (test.target, test.model_name, test.cut, test.horizon, test.is_seasonal) == key
    ]
    return test


def test_churn_on_the_cdnow_master_is_as_good_as_published(cdnow: Learnt) -> None:
    """At 1998-04-01 for 90 days, calibrated on what came in the 90 days after 1997-12-31."""
    measures = found(cdnow, "churn", "mbg_nbd", date(1998, 4, 1), 90).measures
    assert measures["auc"] >= 0.83
    assert measures["brier"] <= 0.090
    assert measures["ece"] <= 0.03
    recency = found(cdnow, "churn", "recency", date(1998, 4, 1), 90).measures
    assert (recency["auc"], recency["brier"]) == pytest.approx((0.828, 0.099), abs=0.0005)


def test_not_being_alive_ranks_the_cdnow_master_worse_than_chance(cdnow: Learnt) -> None:
    """The reason why churn is a purchase that does not come: .345 was measured for BG/NBD."""
    known = read_cdnow().snapshot(date(1998, 4, 1), date(1998, 6, 30))
    fit = cdnow.fit.btyd
    churned = known.outcomes[90].churned
    gone = auc(churned, 1 - p_alive(fit, known.x, known.t_x, known.T))
    assert gone < auc(churned, known.recency_days)


def test_lifetime_value_on_the_cdnow_master_is_as_good_as_published(cdnow: Learnt) -> None:
    value = found(cdnow, "clv", "mbg_nbd", date(1997, 12, 31), 180)
    assert value.customers == 23_570
    assert value.measures["normalised_gini"] >= 0.72
    assert abs(value.predicted_total / value.actual_total - 1) <= 0.10


def test_what_comes_after_a_cut_changes_nothing_that_is_predicted_at_it(company: Company, learnt: Learnt) -> None:
    """In the other future half of the customers never come back, the rest pay threefold, and new ones join."""
    rows = company.purchases
    later = rows.day > pd.Timestamp(CUT)
    other = rows[~later | (rows.customer % 2 == 0)].copy()
    other.loc[other.day > pd.Timestamp(CUT), "revenue"] *= 3
    joined = rows[later].assign(customer=rows[later].customer + 1_000_000)
    changed = learnt_from(Company(pd.concat([other, joined], ignore_index=True)))
    before = {key(test): test for test in learnt.tests if test.cut <= CUT}
    after = {key(test): test for test in changed.tests if test.cut <= CUT}
    assert before.keys() == after.keys()
    assert {name for _, name, cut, _, _ in before if cut == CUT} >= {"mbg_nbd", "logistic", "gradient_boosting", "rfm"}
    for name, test in before.items():
        assert test.predicted_total == pytest.approx(after[name].predicted_total, rel=1e-9)
    moved = key(found(learnt, "clv", "mbg_nbd", CUT, 90))
    assert abs(after[moved].actual_total / before[moved].actual_total - 1) > 0.2
    assert changed.fit.btyd.parameters != pytest.approx(learnt.fit.btyd.parameters, rel=0.01)


def key(test: Backtest) -> tuple[str, str, date, int, bool]:
    return (test.target, test.model_name, test.cut, test.horizon, test.is_seasonal)


def test_totals_are_those_that_came(company: Company, learnt: Learnt) -> None:
    """Counted from the purchases: days after the cut, of those who were customers by then."""
    rows = company.purchases
    known = set(rows[rows.day <= pd.Timestamp(CUT)].customer)
    end = pd.Timestamp(CUT + timedelta(days=90))
    came = rows[rows.customer.isin(known) & (rows.day > pd.Timestamp(CUT)) & (rows.day <= end)]
    for model in ("mbg_nbd", "rfm", "last_period_rate"):
        assert found(learnt, "purchases", model, CUT, 90).actual_total == len(came)
        assert found(learnt, "clv", model, CUT, 90).actual_total == pytest.approx(came.revenue.sum())
    assert found(learnt, "churn", "logistic", CUT, 90).actual_total == len(known) - came.customer.nunique()


def test_the_season_of_a_company_that_has_one_is_seen_at_the_cuts(learnt: Learnt) -> None:
    """Ninety days from 30 September hold the best months: without them it would be a quarter too little."""
    without = found(learnt, "purchases", "mbg_nbd", CUT, 90)
    seasonal = found(learnt, "purchases", "mbg_nbd", CUT, 90, is_seasonal=True)
    assert without.predicted_total / without.actual_total < 0.85
    assert seasonal.predicted_total / seasonal.actual_total == pytest.approx(1, abs=0.1)
    assert seasonal.knows_season and not without.knows_season


def test_the_events_of_the_calendar_are_known_at_every_cut(company: Company) -> None:
    """Past days and the as-of date take the season by the same calendar, whose days ahead are known on any day."""
    calendar = (Occurrence("fair", date(2023, 3, 1), date(2023, 3, 9)),)
    cuts = [date(2023, 3, 31), date(2023, 6, 30)]
    nothing = {name: lambda *_: None for name in ("fit_logistic", "fit_boosted")}
    with mock.patch.multiple(backtests, **nothing, estimate_season=mock.Mock(wraps=estimate_season)):
        learn(
            lambda day: company.snapshot(day, AS_OF),
            cuts,
            company.activity,
            AS_OF,
            "mbg_nbd",
            HORIZONS,
            LIMITS,
            calendar,
        )
        seasons = backtests.estimate_season.call_args_list
    assert {call.args[2] for call in seasons} == {*cuts, AS_OF}
    assert all(call.args[4] == calendar for call in seasons)


def test_a_calibration_does_not_learn_the_season_of_its_window(learnt: Learnt) -> None:
    """What is left to calibrate is small where the seasons are applied, as the model is the true one."""
    line = learnt.calibrations[90, True]
    assert abs(line.intercept) < abs(learnt.calibrations[90, False].intercept)
    assert line.slope == pytest.approx(1, abs=0.15)


def test_challengers_learn_from_every_window_that_had_passed_and_baselines_from_the_newest(learnt: Learnt) -> None:
    """Of those who look alike all churned but 60 in the newest window, and half in the five before."""
    random = np.random.default_rng(1)
    baselines = learnt.trained[90]
    inputs = random.normal(size=(600, len(CHURN_FEATURES)))
    windows = {
        day: Window(baselines, inputs, np.arange(600) % 10 < share)
        for day, share in zip(DATES, (9, *[5] * 5), strict=True)
    }
    trained = train(windows, is_for_churn=True)
    expected = (0.9 + 5 * 0.5) / 6
    assert trained.logistic.predict(inputs).mean() == pytest.approx(expected, abs=0.01)
    assert trained.boosted.predict(inputs).mean() == pytest.approx(expected, abs=0.01)
    assert trained.recency is baselines.recency
    assert train({}, is_for_churn=True) is None


def test_the_true_model_beats_the_baselines(learnt: Learnt) -> None:
    def mean(target: str, model: str, measure: str) -> float:
        cuts = {(test.cut, test.horizon) for test in learnt.tests if test.target == target and test.model_name == "rfm"}
        is_seasonal = model == "mbg_nbd"
        return np.mean([found(learnt, target, model, *cut, is_seasonal).measures[measure] for cut in cuts])

    for baseline in ("recency", "rfm", "last_period_rate"):
        assert mean("churn", "mbg_nbd", "brier") < mean("churn", baseline, "brier")
        assert mean("clv", "mbg_nbd", "normalised_gini") > mean("clv", baseline, "normalised_gini")


def test_a_measure_without_meaning_is_none_in_the_row() -> None:
    test = Backtest("clv", "rfm", CUT, 90, False, 600, 12.5, 0.0, 4.0, {"spearman": float("nan")})
    row = test.row("fit")
    assert row["total_error"] is None and row["spearman"] is None and row["auc"] is None
    assert (row["predicted_total"], row["actual_total"], row["is_baseline"]) == (12.5, 0.0, True)


def test_cuts_are_the_last_six_month_ends_whose_window_has_passed(company: Company) -> None:
    """As of 2024-05-31, 90 days: 2024-03-02 is the last day; the newest training day of a cut is 90 days before."""
    days = [*month_ends(date(2022, 1, 1), AS_OF), AS_OF]
    plan = plan_cuts(days, AS_OF, company.activity, HORIZONS, LIMITS)
    assert plan.cuts[90][0] == date(2024, 2, 29)
    assert plan.cuts[90][-1] == date(2023, 9, 30)
    assert plan.training_days[date(2024, 2, 29), 90][0] == date(2023, 11, 30)
    assert plan.training_days[AS_OF, 90][:2] == (date(2024, 2, 29), date(2024, 1, 31))
    assert len(plan.training_days[AS_OF, 90]) == LIMITS.backtests_per_horizon
    # 180 days since 2022-01-01 have passed on 2022-06-30, so nobody can teach a year before this cut
    assert plan.cuts[365][-1] == date(2022, 12, 31)
    assert (date(2022, 12, 31), 365) not in plan.training_days
    for (cut, horizon), training_days in plan.training_days.items():
        assert all(day + timedelta(days=horizon) <= cut for day in training_days)
        assert list(training_days) == sorted(set(training_days), reverse=True)


def test_no_cut_has_too_short_a_history_or_too_few_customers(company: Company) -> None:
    days = month_ends(date(2022, 1, 1), date(2022, 9, 1))
    plan = plan_cuts(days, date(2022, 8, 31), company.activity, HORIZONS, LIMITS)
    assert plan.cuts == {30: (date(2022, 7, 31), date(2022, 6, 30)), 90: (), 180: (), 365: ()}
    by_july = company.until(date(2022, 7, 31)).purchases.customer.nunique()
    as_many = replace(LIMITS, minimum_customers=by_july)
    assert plan_cuts(days, date(2022, 8, 31), company.activity, HORIZONS, as_many).cuts[30] == (date(2022, 7, 31),)


def test_each_day_is_loaded_once_and_no_more_than_two_are_held_meanwhile(company: Company) -> None:
    asked, held = [], []

    def load(day: date) -> Snapshot:
        assert sum(one() is not None for one in held) <= 2
        snapshot = company.snapshot(day, AS_OF)
        asked.append(day)
        held.append(weakref.ref(snapshot))
        return snapshot

    learn(load, DATES, company.activity, AS_OF, "mbg_nbd", HORIZONS, LIMITS)
    assert asked == [AS_OF, *DATES]
