"""Predictions of the sample company against its truth, which no model reads, and marts where nothing was fitted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODELS_ONLY, World

from orchestration.predictive.metrics import auc, brier, expected_calibration_error
from orchestration.settings import ROOT

TRUTH = ROOT / "companies" / "sample" / "truth" / "customers.parquet"

pytestmark = [pytest.mark.worlds, pytest.mark.long, pytest.mark.xdist_group("sample")]


@pytest.fixture(scope="module")
def predicted(sample_world: World) -> pd.DataFrame:
    """What was predicted of each buyer, beside the truth."""
    with duckdb.connect() as connection:
        truth = connection.read_parquet(str(TRUTH)).df()
    clv = sample_world.mart("customer_clv")
    risk = sample_world.mart("customer_churn_risk").drop(columns=["as_of_date", "is_reliable", "unreliable_reason"])
    joined = clv.merge(risk, on="customer_id", suffixes=("", "_of_churn")).merge(truth, on="customer_id")
    assert len(joined) == len(clv)
    return joined


def test_p_alive_is_calibrated(predicted: pd.DataFrame) -> None:
    alive, p_alive = predicted["is_alive"].to_numpy(bool), predicted["p_alive"].to_numpy(float)
    assert expected_calibration_error(alive, p_alive) <= 0.05


@pytest.mark.parametrize("days", [30, 90, 180, 365])
def test_the_truth_of_all_customers_lies_within_the_interval(
    sample_world: World, predicted: pd.DataFrame, days: int
) -> None:
    totals = sample_world.mart("cohort_clv")
    [row] = totals[(totals["cohort"] == "all") & (totals["horizon_days"] == days)].to_dict("records")
    actual = predicted[f"future_purchase_days_{days}d"].sum()
    assert row["predicted_purchases_low"] <= actual <= row["predicted_purchases_high"]
    # an interval that holds everything says nothing
    assert row["predicted_purchases_high"] <= 2.5 * row["predicted_purchases"]


@pytest.mark.parametrize("days", [30, 90, 180])
def test_churn_is_ranked_and_calibrated(predicted: pd.DataFrame, days: int) -> None:
    churned = predicted[f"future_purchase_days_{days}d"].to_numpy(int) == 0
    probability = predicted[f"churn_probability_{days}d"].to_numpy(float)
    assert auc(churned, probability) >= 0.75
    # better than the share of those who churn, which is the best that can be said without looking at anybody
    assert brier(churned, probability) < churned.mean() * (1 - churned.mean())
    assert expected_calibration_error(churned, probability) <= 0.06


def test_the_models_are_relied_on_and_a_refit_was_remembered(sample_world: World) -> None:
    assert sample_world.rows("select count(*) from marts.customer_clv where not is_reliable") == [(0,)]
    assert sample_world.rows("select count(*) from marts.customer_churn_risk where not is_reliable") == [(0,)]
    champions = sample_world.rows("select count(*) from marts.model_parameters where is_champion")
    assert champions[0][0] > 0
    cuts = sample_world.rows(
        "select target, horizon_days, count(*) filter (where not is_baseline and model_name = 'mbg_nbd') "
        "from marts.model_backtests group by all order by all"
    )
    assert {(target, days) for target, days, count in cuts if count} >= {
        (target, days) for target in ("purchases", "clv") for days in (30, 90, 180, 365)
    } | {("churn", days) for days in (30, 90, 180)}


def test_next_purchases_come_with_even_chances_by_their_day(sample_world: World, predicted: pd.DataFrame) -> None:
    cadence = sample_world.mart("customer_cadence")[["customer_id", "predicted_next_purchase_on"]]
    expected = predicted.merge(cadence, on="customer_id")
    as_of = sample_world.as_of
    known = expected[expected["predicted_next_purchase_on"].notna()]
    days = np.array([(day - as_of).days for day in known["predicted_next_purchase_on"]])
    assert (days >= 0).all()
    # of those who are expected within a horizon most buy in it; of those who are not, fewer
    soon = days <= 90
    bought = known["future_purchase_days_90d"].to_numpy(int) > 0
    assert bought[soon].mean() >= 0.5 > bought[~soon].mean()


@pytest.mark.parametrize(
    ("least", "most"),
    [(1, 1), (2, 2), (3, 4), (5, 10), (11, 10_000)],
    ids=["1", "2", "3 to 4", "5 to 10", "11 and more"],
)
def test_the_next_purchase_of_who_has_not_left_comes_as_the_rhythm_says(
    sample_world: World, predicted: pd.DataFrame, least: int, most: int
) -> None:
    as_of = sample_world.as_of
    [(shape, scale)] = sample_world.rows(
        "select max(prior_shape), max(prior_scale) from intermediate.int_customer_cadences_estimated "
        f"where snapshot_on = date '{as_of}'"
    )
    days = sample_world.frame(
        "select customer_id, purchase_on from intermediate.int_purchase_days_numbered order by all"
    )
    is_alive = predicted.set_index("customer_id")["is_alive"]
    reached: list[tuple[float, bool]] = []
    for customer, purchases in days.groupby("customer_id")["purchase_on"]:
        known = list(purchases)
        for number, (day, following) in enumerate(zip(known, [*known[1:], None], strict=True), start=1):
            # who bought again had not left, and who never did may still be a customer
            if least <= number <= most and (following is not None or is_alive[customer]):
                waited = ((following or as_of) - day).days
                own_scale = scale + (day - known[0]).days
                due = 1 - (own_scale / (own_scale + waited)) ** (shape + number - 1)
                reached.append((due, following is not None))
    for point in (0.5, 0.8, 0.95):
        assert share_bought_by(point, reached) == pytest.approx(point, abs=0.05), (point, len(reached))


def share_bought_by(point: float, reached: list[tuple[float, bool]]) -> float:
    """Share who have bought again by a point of their rhythm, by Kaplan and Meier: some have not got so far yet."""
    still_waiting, at_risk = 1.0, len(reached)
    # of a tie those who bought come first
    for due, has_bought in sorted(reached, key=lambda one: (one[0], not one[1])):
        if due > point:
            break
        if has_bought:
            still_waiting *= 1 - 1 / at_risk
        at_risk -= 1
    return 1 - still_waiting


def test_without_parameters_everything_builds_and_says_why(empty_world: World) -> None:
    assert empty_world.rows("select count(*) from marts.customer_clv") == [(0,)]
    assert empty_world.rows("select count(*) from marts.model_parameters") == [(0,)]


def test_a_small_company_says_that_it_is_too_small(tmp_path: Path, build_world) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    lines = [f"o{n},c{n % 7},2026-0{1 + n % 6}-1{n % 9}T10:00:00Z,completed,10.00" for n in range(40)]
    header = "order_id,customer_id,ordered_at,status,order_amount"
    (raw / "orders.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    world = build_world(raw, "small", date(2026, 6, 30), MODELS_ONLY)
    found = world.rows(
        "select count(*), count(p_alive), count(predicted_clv_365d), bool_or(is_reliable), min(unreliable_reason), "
        "max(unreliable_reason) from marts.customer_clv"
    )
    assert found == [(7, 0, 0, False, "too_few_customers", "too_few_customers")]
    churn = world.rows(
        "select count(*), count(churn_probability_90d), count(risk_band), count(revenue_at_risk_365d), "
        "min(unreliable_reason) from marts.customer_churn_risk"
    )
    assert churn == [(7, 0, 0, 0, "too_few_customers")]
