"""A refit as a whole: the rows that it adds to the schema `predictive`, on simulated companies whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from purchase_histories import HORIZONS, LIMITS, Company, month_ends, simulate

from orchestration.predictive import backtests
from orchestration.predictive.btyd import PARAMETERS, BtydFit, expected_purchases
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.events import Occurrence
from orchestration.predictive.refit import Options, Previous, Refit, refit
from orchestration.predictive.seasonality import Season
from orchestration.predictive.snapshots import Snapshot
from orchestration.predictive.spend import SpendFit, expected_spend
from orchestration.predictive.tables import TABLES

AS_OF = date(2024, 1, 31)
DATES = month_ends(date(2022, 6, 1), AS_OF)[::2]
TRUTH = {"r": 0.6, "alpha": 60.0, "a": 0.6, "b": 2.0}
SEASON = np.array([0.6, 0.7, 0.8, 0.9, 1, 1, 1, 0.9, 1, 1.2, 1.6, 1.8])
# an event that moves nobody
FAIR = tuple(Occurrence("fair", date(year, 10, 8), date(year, 10, 17)) for year in (2022, 2023, 2024))
TYPES = {"VARCHAR": str, "INTEGER": int, "BIGINT": int, "DOUBLE": float, "BOOLEAN": bool, "DATE": date}


def options(fit_id: str = "fit") -> Options:
    return Options(fit_id, "company", datetime(2024, 2, 1, 3), HORIZONS, LIMITS, "mbg_nbd")


def refit_of(
    company: Company,
    previous: Previous | None = None,
    as_of: date = AS_OF,
    dates: list[date] | None = None,
    calendar: tuple[Occurrence, ...] = (),
) -> Refit:
    days = DATES if dates is None else dates
    chosen = replace(options(), calendar=calendar)
    return refit(lambda day: company.snapshot(day, as_of), days, company.activity, as_of, chosen, previous)


def champion(target: str, model: str = "mbg_nbd") -> dict[str, Any]:
    return {
        "fit_id": "old",
        "target": target,
        "model_name": model,
        "parameters_fit_id": "older",
        "is_seasonal": False,
        "is_reliable": True,
        "unreliable_reason": None,
    }


PREVIOUS = Previous({target: champion(target) for target in ("churn", "purchases", "clv")})


@pytest.fixture(scope="module")
def company() -> Company:
    return simulate(7)


@pytest.fixture(scope="module")
def result(company: Company) -> Refit:
    return refit_of(company)


@pytest.fixture(scope="module")
def seasonal() -> Refit:
    return refit_of(simulate(8, season=SEASON), calendar=FAIR)


@pytest.fixture(scope="module")
def fading() -> Refit:
    """All customers come at once, and then buy ever more rarely, which a model of constant rates does not expect.

    Challengers of churn would: there are none.
    """
    with pytest.MonkeyPatch.context() as patch:
        for supervised in ("fit_logistic", "fit_boosted"):
            patch.setattr(backtests, supervised, lambda *_: None)
        return refit_of(simulate(9, acquisition_days=60, growth=0.01), PREVIOUS)


def values(result: Refit, target: str, model: str, horizon: int) -> dict[str, float]:
    return {
        row["parameter"]: row["value"]
        for row in result.parameters
        if (row["target"], row["model_name"], row["horizon_days"]) == (target, model, horizon)
    }


def champions(result: Refit) -> dict[str, dict[str, Any]]:
    return {row["target"]: row for row in result.champions}


def test_rows_have_exactly_the_columns_of_their_tables(result: Refit) -> None:
    for table in ("parameters", "steps", "backtests", "champions"):
        rows = getattr(result, table)
        assert rows
        for row in [*rows]:
            assert_row(row, table)
    assert_row(result.fit, "fits")


def assert_row(row: dict[str, Any], table: str) -> None:
    assert row.keys() == TABLES[table].keys()
    for name, kind in TABLES[table].items():
        if kind in TYPES and row[name] is not None:
            assert type(row[name]) is TYPES[kind], (table, name)
        if kind == "DOUBLE" and row[name] is not None:
            assert np.isfinite(row[name])


def test_keys_of_rows_are_unique(result: Refit) -> None:
    keys = {
        "parameters": ("target", "model_name", "horizon_days", "parameter"),
        "steps": ("model_name", "horizon_days", "feature", "from_value"),
        "backtests": ("model_name", "target", "cut_date", "horizon_days"),
        "champions": ("target",),
    }
    for table, key in keys.items():
        rows = [tuple(row[name] for name in key) for row in getattr(result, table)]
        assert len(rows) == len(set(rows))


def test_the_fit_says_what_it_was_made_of(result: Refit) -> None:
    assert result.fit == {
        "fit_id": "fit",
        "company_key": "company",
        "as_of_date": AS_OF,
        "fitted_at": datetime(2024, 2, 1, 3),
        "status": "fitted",
        "reason_code": None,
        "customers": 3000,
        "history_days": 760,
    }


def test_the_true_parameters_are_found_within_their_errors(result: Refit) -> None:
    rows = {row["parameter"]: row for row in result.parameters if row["parameter"] in PARAMETERS}
    for name, truth in TRUTH.items():
        assert abs(rows[name]["value"] - truth) < 3 * rows[name]["standard_error"]
        assert rows[name]["log_likelihood"] < 0
    assert values(result, "clv", "gamma_gamma", 0).keys() == {"p", "q", "gamma", "never_pays", "free_day"}


def test_every_model_of_churn_has_its_parameters_for_every_horizon(result: Refit) -> None:
    for horizon in (30, 90, 180):
        line = values(result, "churn", "mbg_nbd", horizon)
        assert line["calibration_slope"] == pytest.approx(1, abs=0.3)
        assert line["calibration_intercept"] == pytest.approx(0, abs=0.4)
        weights = {f"weight_{name}" for name in CHURN_FEATURES}
        assert values(result, "churn", "logistic", horizon).keys() == weights | {"intercept"}
        assert values(result, "churn", "gradient_boosting", horizon).keys() == {"intercept"}
        assert {row["horizon_days"] for row in result.steps} == {30, 90, 180}


def test_totals_have_a_spread_for_every_horizon(result: Refit) -> None:
    for target in ("purchases", "clv"):
        for horizon in (30, 90, 180, 365):
            spread = values(result, target, "mbg_nbd", horizon)
            assert 0 < spread["relative_error"] < 0.25
            assert 0 < spread["cohort_error"] < 0.25
            assert spread["dispersion"] > 0.5
            # the model is the true one
            assert spread["level"] == pytest.approx(1, abs=0.1)
    windows = [values(result, "purchases", "mbg_nbd", horizon)["backtest_windows"] for horizon in (30, 90, 180, 365)]
    # every second month end
    assert windows == [6, 3, 2, 1]


def test_the_true_model_is_champion_and_reliable(result: Refit) -> None:
    for row in result.champions:
        assert row["model_name"] == "mbg_nbd"
        assert row["parameters_fit_id"] == "fit"
        assert row["is_reliable"]


def test_every_target_has_its_models_and_baselines_tested(result: Refit) -> None:
    tested = {(row["target"], row["model_name"]) for row in result.backtests}
    baselines = {"recency", "rfm", "last_period_rate"}
    assert tested == {
        *(("churn", name) for name in {"mbg_nbd", "logistic", "gradient_boosting"} | baselines),
        *((target, name) for target in ("purchases", "clv") for name in {"mbg_nbd"} | baselines),
    }
    assert {row["model_name"] for row in result.backtests if row["is_baseline"]} == baselines


def test_a_season_is_found_and_applied(seasonal: Refit) -> None:
    index = [values(seasonal, "purchases", "season", 0)[f"month_{month:02}"] for month in range(1, 13)]
    assert np.corrcoef(index, SEASON)[0, 1] > 0.95
    assert all(row["is_seasonal"] for row in seasonal.champions if row["model_name"] == "mbg_nbd")


def test_an_event_of_the_calendar_has_an_index_beside_the_months(seasonal: Refit) -> None:
    stored = values(seasonal, "purchases", "season", 0)
    assert len(stored) == 13
    assert stored["event_fair"] == pytest.approx(1, abs=0.15)


def test_without_a_season_the_index_is_nearly_one(result: Refit) -> None:
    assert len(values(result, "purchases", "season", 0)) == 12
    index = list(values(result, "purchases", "season", 0).values())
    assert np.abs(np.array(index) - 1).max() < 0.05


def test_a_model_that_falls_below_the_recency_baseline_keeps_what_was_there(fading: Refit) -> None:
    for target in ("purchases", "clv"):
        row = champions(fading)[target]
        assert (row["is_reliable"], row["unreliable_reason"]) == (False, "worse_than_baseline")
        assert row["parameters_fit_id"] == "older"
    assert values(fading, "purchases", "mbg_nbd", 0).keys() == set(PARAMETERS)


def test_churn_and_purchases_are_scored_with_the_same_parameters(fading: Refit) -> None:
    churn, purchases = champions(fading)["churn"], champions(fading)["purchases"]
    for name in ("model_name", "parameters_fit_id", "is_seasonal"):
        assert churn[name] == purchases[name]
    assert (churn["model_name"], churn["parameters_fit_id"]) == ("mbg_nbd", "older")


def test_the_order_of_customers_and_dates_makes_no_difference(company: Company, result: Refit) -> None:
    random = np.random.default_rng(1)

    def shuffled(day: date) -> Snapshot:
        known = company.snapshot(day, AS_OF)
        order = random.permutation(known.customers)
        arrays = {
            name: getattr(known, name)[order]
            for name in known.__dataclass_fields__
            if isinstance(getattr(known, name), np.ndarray)
        }
        outcomes = {
            horizon: replace(one, purchases=one.purchases[order], net_revenue=one.net_revenue[order])
            for horizon, one in known.outcomes.items()
        }
        return replace(known, outcomes=outcomes, **arrays)

    other = refit(shuffled, [*reversed(DATES), AS_OF, date(2024, 2, 29)], company.activity, AS_OF, options())
    assert other.steps == result.steps
    for table in ("parameters", "backtests"):
        theirs, ours = (sorted(map(comparable, getattr(one, table))) for one in (other, result))
        assert [key for key, _ in theirs] == [key for key, _ in ours]
        for (_, one), (_, two) in zip(theirs, ours, strict=True):
            assert one == pytest.approx(two, rel=1e-5, abs=1e-7)


def comparable(row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    numbers = {name: value for name, value in row.items() if isinstance(value, float)}
    return tuple(str(value) for name, value in row.items() if name not in numbers), tuple(numbers.values())


@pytest.mark.parametrize(
    ("customers", "as_of", "reason"),
    [(499, AS_OF, "too_few_customers"), (3000, date(2022, 6, 29), "history_too_short")],
)
def test_a_refusal_says_why_and_keeps_what_was_there(
    company: Company, customers: int, as_of: date, reason: str
) -> None:
    small = Company(company.purchases[company.purchases.customer < customers])
    refused = refit_of(small, PREVIOUS, as_of)
    assert (refused.fit["status"], refused.fit["reason_code"]) == ("refused", reason)
    assert refused.parameters == refused.steps == refused.backtests == []
    assert [row["target"] for row in refused.champions] == ["churn", "purchases", "clv"]
    for row in refused.champions:
        assert_row(row, "champions")
        assert (row["fit_id"], row["parameters_fit_id"]) == ("fit", "older")
        assert (row["is_reliable"], row["unreliable_reason"]) == (False, reason)
    assert refit_of(small, None, as_of).champions == []


def test_a_company_that_nobody_pays_loses_lifetime_value_alone(company: Company) -> None:
    free = Company(company.purchases.assign(revenue=0.0))
    dates = DATES[-3:]
    result = refit_of(free, None, dates=dates)
    assert not {row["model_name"] for row in result.parameters if row["target"] == "clv"}
    none = champions(result)["clv"]
    assert_row(none, "champions")
    assert (none["model_name"], none["parameters_fit_id"], none["is_reliable"]) == (None, None, False)
    kept = champions(refit_of(free, PREVIOUS, dates=dates))["clv"]
    assert (kept["parameters_fit_id"], kept["is_reliable"]) == ("older", False)
    assert none["unreliable_reason"] == kept["unreliable_reason"] == "too_few_repeat_buyers"


def test_without_past_month_ends_there_are_predictions_that_are_not_reliable(company: Company) -> None:
    result = refit_of(company, dates=[])
    assert result.fit["status"] == "fitted"
    assert result.backtests == result.steps == []
    for row in result.champions:
        assert (row["parameters_fit_id"], row["is_reliable"]) == ("fit", False)
        assert row["unreliable_reason"] == "no_backtest"
    line = values(result, "churn", "mbg_nbd", 90)
    assert line == {"calibration_intercept": 0.0, "calibration_slope": 1.0}
    assert values(result, "purchases", "mbg_nbd", 90) == {}


@pytest.mark.long
def test_intervals_of_totals_hold_the_truth_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 companies 19 in 20 totals that then came lie within, of all customers and of the oldest cohort, or more."""
    for supervised in ("fit_logistic", "fit_boosted"):
        monkeypatch.setattr(backtests, supervised, lambda *_: None)
    as_of = date(2023, 7, 31)
    dates = month_ends(date(2022, 6, 1), as_of)
    held = {
        (target, horizon, cohort): [] for target in ("purchases", "clv") for horizon in (90, 365) for cohort in "ac"
    }
    for seed in range(20):
        company = simulate(100 + seed, customers=2000, days=950, acquisition_days=500)
        result = refit_of(company, as_of=as_of, dates=dates)
        then = as_of + timedelta(days=366)
        known = company.snapshot(as_of, then)
        cohort = known.T > 480
        for (target, horizon, which), found in held.items():
            predicted = predicted_by(result, known, target, horizon)
            outcome = known.outcomes[horizon]
            actual = outcome.purchases if target == "purchases" else outcome.net_revenue
            chosen = cohort if which == "c" else np.ones(known.customers, dtype=bool)
            spread = values(result, target, "mbg_nbd", horizon)
            total = spread["level"] * predicted[chosen].sum()
            shared = np.hypot(spread["relative_error"], spread["cohort_error"] if which == "c" else 0)
            chance = 1.96 * np.sqrt(spread["dispersion"] * total)
            low, high = (total + s * np.hypot(total * np.expm1(s * 1.96 * shared), chance) for s in (-1, 1))
            found.append((low <= actual[chosen].sum() <= high, (high - low) / 2 / total))
    shares = pd.DataFrame({key: np.mean(found, axis=0) for key, found in held.items()}, index=["held", "width"]).T
    assert shares.held.min() >= 0.85
    assert shares.held.mean() >= 0.95
    assert shares.width.max() < 0.6


def predicted_by(result: Refit, known: Snapshot, target: str, horizon: int) -> np.ndarray:
    """Score with the stored rows alone."""
    fit = BtydFit.of("mbg_nbd", values(result, "purchases", "mbg_nbd", 0))
    days = float(horizon)
    if champions(result)["purchases"]["is_seasonal"]:
        index = list(values(result, "purchases", "season", 0).values())
        days = Season(np.array(index), np.zeros(12)).length(known.date, horizon)
    purchases = expected_purchases(fit, known.x, known.t_x, known.T, days)
    if target == "purchases":
        return purchases
    spend = SpendFit.of(values(result, "clv", "gamma_gamma", 0))
    return purchases * expected_spend(spend, known.x, known.repeat_spend)
