"""Churn risk: the SQL against Python's own scoring for each kind of champion, and the reasons against the raw rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Dbt, World
from customer_features_by_hand import AS_OF, Past, features_on, past_company
from oracle.seeds import seed_rows

from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.predictive.btyd import BtydFit, probability_of_no_purchase
from orchestration.predictive.calibration import Calibration
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.churn_models import BoostedModel, LogisticModel, Step
from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("churn_risk")]

HORIZONS = (30, 90, 180)
MODELS = ("+customer_churn_risk", "retention_actions", "+int_customer_purchases_summarised")
SELECTED = ("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test")
FIT = "fit 1"
BTYD = {"r": 0.6, "alpha": 45.0, "a": 0.9, "b": 3.1}
SPEND = {"p": 4.0, "q": 3.5, "gamma": 900.0}
LINES = {30: Calibration(0.4, 1.3), 90: Calibration(-0.3, 0.7), 180: Calibration(0.9, 1.1)}
Row = dict[str, Any]


def logistic_models() -> dict[int, LogisticModel]:
    """Weights of either sign on every feature, drawn for each horizon, so that the horizons contradict each other."""
    chance = np.random.default_rng(3)
    return {
        days: LogisticModel(CHURN_FEATURES, days / 100 - 1, tuple(chance.normal(0, 0.4, len(CHURN_FEATURES)).tolist()))
        for days in HORIZONS
    }


def boosted_models(inputs: pd.DataFrame) -> dict[int, BoostedModel]:
    """Three steps on every feature, which begin exactly at values that customers have."""
    chance = np.random.default_rng(4)
    models = {}
    for days in HORIZONS:
        steps: list[Step] = []
        for name in CHURN_FEATURES:
            values = np.unique(inputs[name].to_numpy(dtype=float))
            edges = sorted({float(chance.choice(values)) for _ in range(2)})
            scores = chance.normal(0, 0.8, len(edges) + 1).tolist()
            steps += [
                Step(name, *bounds, score)
                for *bounds, score in zip([None, *edges], [*edges, None], scores, strict=True)
            ]
        models[days] = BoostedModel(CHURN_FEATURES, 2 - days / 200, tuple(steps))
    return models


def store_champion(world: World, model: str, parameters: list[Row], steps: list[Row]) -> None:
    """Make a model the champion of churn, in a fit of its own, as a refit would."""
    key = world.rows("select company_key from intermediate.run_context")[0][0]
    btyd = [("purchases", "mbg_nbd", 0, BTYD), ("clv", "gamma_gamma", 0, SPEND)]
    rows = [_parameter(*of, name, value) for *of, values in btyd for name, value in values.items()]
    fit = {"fit_id": FIT, "company_key": key, "as_of_date": AS_OF, "fitted_at": datetime(2026, 1, 1)}
    fit |= {"status": "fitted", "reason_code": None, "customers": 900, "history_days": 900}
    champions = [
        {"fit_id": FIT, "target": target, "model_name": name, "parameters_fit_id": FIT}
        | {"is_seasonal": False, "is_reliable": True, "unreliable_reason": None}
        for target, name in (("churn", model), ("purchases", "mbg_nbd"), ("clv", "mbg_nbd"))
    ]
    DuckDbEngine(world.settings.warehouse).write_predictive(
        {"fits": [fit], "champions": champions, "parameters": [*rows, *parameters], "steps": steps}, replace=True
    )


def _parameter(target: str, model: str, days: int, name: str, value: float) -> Row:
    row = {"fit_id": FIT, "target": target, "model_name": model, "horizon_days": days, "parameter": name}
    return row | {"value": value, "standard_error": None, "log_likelihood": None, "customers": 900}


@pytest.fixture(scope="module")
def past() -> Past:
    return past_company(5)


@pytest.fixture(scope="module")
def world(past: Past, build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    raw = past.write(tmp_path_factory.mktemp("churn") / "raw")
    return build_world(raw, "churn_risk", AS_OF, ("build", "--select", *MODELS, *SELECTED))


@pytest.fixture(scope="module")
def unfitted(world: World) -> pd.DataFrame:
    """The mart without parameters, before any test stores some."""
    return world.mart("customer_churn_risk").set_index("customer_id").sort_index()


@pytest.fixture(scope="module")
def due(world: World) -> dict[str, float | None]:
    """The probability that the next purchase is due by now, before any test stores parameters."""
    return dict(
        world.rows(
            "select customer_id, purchase_due_probability from intermediate.int_customer_cadences_estimated "
            f"where snapshot_on = DATE '{AS_OF}'"
        )
    )


@pytest.fixture(scope="module")
def inputs(world: World) -> pd.DataFrame:
    return world.frame("select * from intermediate.int_churn_inputs_prepared").set_index("customer_id").sort_index()


@pytest.fixture(scope="module")
def rebuild(world: World, dbt: Dbt, unfitted: pd.DataFrame, due: dict[str, float | None]) -> Callable[[], pd.DataFrame]:
    """Build the mart of what is stored now, with all of its tests."""

    def build() -> pd.DataFrame:
        dbt.invoke(world.settings.warehouse, "build", "--select", "stg_model_fits+,+customer_churn_risk", *SELECTED)
        return world.mart("customer_churn_risk").set_index("customer_id").sort_index()

    return build


def found_probabilities(mart: pd.DataFrame) -> np.ndarray:
    return mart[[f"churn_probability_{days}d" for days in HORIZONS]].to_numpy(dtype=float)


def falling(probabilities: dict[int, np.ndarray]) -> np.ndarray:
    """A column for each horizon; the longer one is never the likelier to pass without a purchase."""
    return np.minimum.accumulate(np.column_stack([probabilities[days] for days in HORIZONS]), axis=1)


def test_a_company_too_small_for_a_fit_has_reasons_and_no_probabilities(unfitted: pd.DataFrame, past: Past) -> None:
    assert sorted(unfitted.index) == sorted(features_on(past, AS_OF))
    assert unfitted["unreliable_reason"].eq("too_few_customers").all()
    assert not unfitted["is_reliable"].any()
    predicted = ["churn_probability_90d", "risk_band", "revenue_at_risk_365d", "model_name"]
    assert unfitted[predicted].isna().all(axis=None)
    # who has lapsed is to be won back, which takes no model to know
    lapsed = unfitted["days_since_last_purchase"] >= 180
    assert unfitted["is_lapsed"].eq(lapsed).all() and unfitted["has_probably_left"].eq(lapsed).all()
    assert unfitted["recommended_action"].notna().eq(lapsed).all() and lapsed.nunique() == 2
    assert unfitted["no_revenue_at_risk_reason"].eq("too_few_customers").all()
    assert unfitted["reason_1"].notna().sum() > 50


def test_the_probability_of_a_buy_till_you_die_champion_is_that_of_python(
    world: World, past: Past, rebuild: Callable[[], pd.DataFrame]
) -> None:
    lines = [
        _parameter("churn", "mbg_nbd", days, f"calibration_{name}", getattr(line, name))
        for days, line in LINES.items()
        for name in ("intercept", "slope")
    ]
    store_champion(world, "mbg_nbd", lines, [])
    mart = rebuild()
    rows = features_on(past, AS_OF)
    x, t_x, tenure = (
        np.array([rows[customer][name] for customer in mart.index], dtype=float)
        for name in ("repeat_purchase_days", "recency_days_btyd", "tenure_days")
    )
    fit = BtydFit.of("mbg_nbd", BTYD)
    expected = falling(
        {days: line.apply(probability_of_no_purchase(fit, x, t_x, tenure, days)) for days, line in LINES.items()}
    )
    np.testing.assert_allclose(found_probabilities(mart), expected, rtol=1e-9, atol=1e-12)
    assert mart["model_name"].eq("mbg_nbd").all()


def test_the_probability_of_a_logistic_champion_is_that_of_python(
    world: World, inputs: pd.DataFrame, rebuild: Callable[[], pd.DataFrame]
) -> None:
    models = logistic_models()
    stored = [
        _parameter("churn", "logistic", days, name, value)
        for days, model in models.items()
        for name, value in model.parameters.items()
    ]
    store_champion(world, "logistic", stored, [])
    mart = rebuild()
    values = inputs[list(CHURN_FEATURES)].to_numpy(dtype=float)
    each = {days: model.predict(values) for days, model in models.items()}
    np.testing.assert_allclose(found_probabilities(mart), falling(each), rtol=1e-10, atol=1e-14)
    # the horizons would contradict each other
    assert (each[180] > each[30]).any()


def test_the_probability_of_a_boosted_champion_is_that_of_python_and_decides_the_rest(
    world: World, inputs: pd.DataFrame, rebuild: Callable[[], pd.DataFrame], unfitted: pd.DataFrame
) -> None:
    models = boosted_models(inputs)
    intercepts = [
        _parameter("churn", "gradient_boosting", days, "intercept", model.intercept) for days, model in models.items()
    ]
    steps = [
        {"fit_id": FIT, "model_name": "gradient_boosting", "horizon_days": days, "feature": step.feature}
        | {"from_value": step.from_value, "below_value": step.below_value, "score": step.score}
        for days, model in models.items()
        for step in model.steps
    ]
    store_champion(world, "gradient_boosting", intercepts, steps)
    mart = rebuild()
    values = inputs[list(CHURN_FEATURES)].to_numpy(dtype=float)
    expected = falling({days: model.predict(values) for days, model in models.items()})
    np.testing.assert_allclose(found_probabilities(mart), expected, rtol=1e-10, atol=1e-14)

    bands = world.frame("select risk_band, from_probability, is_at_risk from seeds.churn_risk_bands order by 2")
    place = np.searchsorted(bands["from_probability"].to_numpy(dtype=float), expected[:, 1], side="right") - 1
    assert mart["risk_band"].tolist() == bands["risk_band"].to_numpy()[place].tolist()
    assert mart["risk_band"].nunique() > 2
    actions = world.frame("select risk_band, is_valuable, action from seeds.retention_actions")
    action_of = {(band, valuable): action for band, valuable, action in actions.itertuples(index=False)}
    values = world.mart("customer_clv").set_index("customer_id").sort_index()
    rhythm = world.mart("customer_cadence").set_index("customer_id")["purchase_due_probability"]
    for row, value, is_at_risk in zip(
        mart.itertuples(), values.itertuples(), bands["is_at_risk"].to_numpy()[place], strict=True
    ):
        has_left = row.days_since_last_purchase >= 180 or (value.p_alive < 0.5 and rhythm[row.Index] >= 0.5)
        assert row.Index == value.Index and row.has_probably_left == has_left
        assert row.recommended_action == action_of["left" if has_left else row.risk_band, row.is_valuable]
        assert row.is_save_candidate == (row.is_valuable and is_at_risk and not has_left)
        at_risk = float(value.predicted_clv_365d) * row.churn_probability_90d
        assert float(row.revenue_at_risk_365d) == pytest.approx(at_risk, abs=2e-4)
    assert set(mart["is_save_candidate"]) == {True, False}
    # some have left by their rhythm, before they have lapsed
    assert (mart["has_probably_left"] & ~mart["is_lapsed"].astype(bool)).any()
    # what is a fact does not depend on the model; the rhythm, by which a customer is overdue, starts from its rates
    facts = ["is_lapsed", "is_high_value", "is_valuable"]
    pd.testing.assert_frame_equal(mart[facts], unfitted[facts])
    codes = [f"reason_{place}_code" for place in (1, 2, 3)]
    in_rhythm = ~(mart[codes].eq("overdue") | unfitted[codes].eq("overdue")).any(axis=1)
    reasons = [name for name in mart.columns if name.startswith("reason_")]
    assert in_rhythm.sum() > 50
    pd.testing.assert_frame_equal(mart.loc[in_rhythm, reasons], unfitted.loc[in_rhythm, reasons])


def test_reasons_are_said_with_the_numbers_of_the_customer(
    due: dict[str, float | None], past: Past, unfitted: pd.DataFrame
) -> None:
    found = {
        row.Index: [
            (code, english, chinese)
            for code, english, chinese in (
                (row.reason_1_code, row.reason_1, row.reason_1_zh),
                (row.reason_2_code, row.reason_2, row.reason_2_zh),
                (row.reason_3_code, row.reason_3, row.reason_3_zh),
            )
            if code is not None
        ]
        for row in unfitted.itertuples()
    }
    expected = {customer: reasons_of(row, due[customer]) for customer, row in features_on(past, AS_OF).items()}
    assert found == expected
    given = {code for reasons in found.values() for code, _, _ in reasons}
    assert len(given) >= 8, given
    assert any(len(reasons) == 3 for reasons in found.values())


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def money(amount: Decimal) -> str:
    return f"CNY {amount.quantize(Decimal(1), rounding='ROUND_HALF_UP'):f}".replace("-0", "0")


def reasons_of(row: Row, due: float | None) -> list[tuple[str, str, str]]:
    """Up to three reasons in words, by the rules, thresholds and words of the seed; of each theme the first."""
    days, mean = row["days_since_last_purchase"], row["mean_interval_days"]
    interval = int(Decimal(mean).quantize(Decimal(1), rounding="ROUND_HALF_UP")) if mean else 0
    now, before = row["purchase_days_90d"], row["purchase_days_previous_90d"]
    spent, spent_before = row["net_revenue_90d"], row["net_revenue_previous_90d"]
    holds: dict[str, Callable[[Decimal, Decimal], bool]] = {
        "overdue": lambda at, _: bool(mean) and days > mean and due is not None and due >= float(at),
        "inactive": lambda at, _: days >= at,
        "one_time_buyer": lambda at, _: not mean and days >= at,
        "complaints": lambda at, _: row["complaints_90d"] >= at,
        "low_nps": lambda at, _: row["nps_score"] is not None and row["nps_score"] <= at,
        "purchases_fell": lambda fall, least: before >= least and now <= before * (1 - fall),
        "spend_fell": lambda fall, least: now > 0 and spent_before >= least and spent <= spent_before * (1 - fall),
        "many_tickets": lambda at, _: row["tickets_180d"] >= at,
        "rare_buyer": lambda at, _: bool(mean) and mean >= at,
    }
    counts = {
        "days": (days, "day"),
        "interval": (interval, "day"),
        "purchases": (now, "purchase"),
        "purchases_before": (before, "purchase"),
        "complaints": (row["complaints_90d"], "complaint"),
        "tickets": (row["tickets_180d"], "service ticket"),
    }
    others = {"score": row["nps_score"], "date": row["nps_answered_on"]}
    others |= {"amount": money(spent), "amount_before": money(spent_before)}
    english = others | {name: counted(*count) for name, count in counts.items()}
    chinese = others | {name: number for name, (number, _) in counts.items()}
    reasons: dict[str, tuple[str, str, str]] = {}
    for seed in sorted(seed_rows(ROOT / "seeds", "churn_reasons"), key=lambda seed: int(seed["priority"])):
        threshold, least = (Decimal(seed[name] or 0) for name in ("threshold", "minimum_before"))
        if seed["theme"] not in reasons and holds[seed["reason_code"]](threshold, least):
            words = seed["template_en"].format(**english), seed["template_zh"].format(**chinese)
            reasons[seed["theme"]] = (seed["reason_code"], *words)
    return list(reasons.values())[:3]
