"""Which model is used, by the scores of the backtests: the lower the better."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from orchestration.predictive.champions import (
    choose_champion,
    compare,
    is_better_with_season,
    keep_champions,
    score_of,
    scores_by_model,
    with_parameters_of_purchases,
    with_true_cause,
)

CUTS = [(date(2024, month, 1), 90) for month in range(1, 7)]
RECENCY = dict.fromkeys(CUTS, 0.120)
BTYD = dict.fromkeys(CUTS, 0.100)
ALL = {"mbg_nbd", "logistic", "gradient_boosting"}


def changed(by: list[float]) -> dict[tuple[date, int], float]:
    """The scores of the btyd model, each lower by a number."""
    return {cut: 0.100 - gain for cut, gain in zip(CUTS, by, strict=True)}


def choose(scores: dict[str, Any], previous: dict[str, Any] | None = None, **other: Any) -> dict[str, Any] | None:
    given = {"fitted": ALL, "btyd_model": "mbg_nbd", "is_seasonal": False, "fit_id": "new"} | other
    return choose_champion("churn", {"recency": RECENCY} | scores, previous=previous, **given)


def champion(model: str, **other: Any) -> dict[str, Any]:
    return {
        "fit_id": "old",
        "target": "churn",
        "model_name": model,
        "parameters_fit_id": "old",
        "is_seasonal": False,
        "is_reliable": True,
        "unreliable_reason": None,
    } | other


def test_the_first_champion_is_the_btyd_model() -> None:
    row = choose({"mbg_nbd": BTYD, "logistic": BTYD})
    assert row == champion("mbg_nbd", fit_id="new", parameters_fit_id="new")


def test_a_challenger_that_is_better_at_every_cut_replaces_the_champion() -> None:
    """Gains .010 to .015: mean .0125, standard error .00076."""
    better = changed([0.010, 0.011, 0.012, 0.013, 0.014, 0.015])
    row = choose({"mbg_nbd": BTYD, "logistic": better}, champion("mbg_nbd"), is_seasonal=True)
    assert (row["model_name"], row["parameters_fit_id"], row["is_reliable"]) == ("logistic", "new", True)
    assert row["is_seasonal"] is False


def test_a_worse_challenger_never_replaces_the_champion() -> None:
    for incumbent, challenger in (("mbg_nbd", "logistic"), ("logistic", "mbg_nbd"), ("gradient_boosting", "mbg_nbd")):
        row = choose({incumbent: BTYD, challenger: changed([-0.001] * 6)}, champion(incumbent))
        assert (row["model_name"], row["parameters_fit_id"]) == (incumbent, "new")


def test_an_equal_challenger_does_not_replace_the_champion() -> None:
    assert choose({"mbg_nbd": BTYD, "logistic": BTYD}, champion("logistic"))["model_name"] == "logistic"


def test_an_improvement_within_its_noise_does_not_replace_the_champion() -> None:
    """Gains .020 and -.018 by turns: mean .001, standard error .0085."""
    noisy = changed([0.020, -0.018] * 3)
    assert choose({"mbg_nbd": BTYD, "logistic": noisy})["model_name"] == "mbg_nbd"


def test_one_cut_is_no_evidence() -> None:
    one = {CUTS[0]: 0.001}
    assert choose({"mbg_nbd": BTYD, "logistic": one})["model_name"] == "mbg_nbd"


def test_models_are_compared_only_where_both_were_tested() -> None:
    """The challenger's two easy cuts of another horizon do not count for it."""
    easy = {(date(2024, month, 1), 30): 0.001 for month in (1, 2)}
    row = choose({"mbg_nbd": BTYD, "logistic": changed([-0.001] * 6) | easy})
    assert row["model_name"] == "mbg_nbd"


def test_of_two_better_challengers_the_better_one_is_taken() -> None:
    scores = {"mbg_nbd": BTYD, "gradient_boosting": changed([0.01] * 6), "logistic": changed([0.02] * 6)}
    assert choose(scores)["model_name"] == "logistic"
    scores |= {"gradient_boosting": changed([0.03] * 6)}
    assert choose(scores)["model_name"] == "gradient_boosting"


def test_a_model_that_is_not_fitted_for_every_horizon_is_not_chosen() -> None:
    row = choose({"mbg_nbd": BTYD, "logistic": changed([0.02] * 6)}, fitted={"mbg_nbd"})
    assert row["model_name"] == "mbg_nbd"


def test_a_champion_that_cannot_be_fitted_keeps_its_parameters() -> None:
    row = choose({"mbg_nbd": BTYD}, champion("logistic"), fitted={"mbg_nbd"})
    assert row == champion("logistic", fit_id="new", is_reliable=False, unreliable_reason="no_backtest")


def test_a_champion_below_the_recency_baseline_is_unreliable_and_keeps_what_was_there() -> None:
    poor = dict.fromkeys(CUTS, 0.121)
    first = choose({"mbg_nbd": poor})
    assert (first["parameters_fit_id"], first["is_reliable"]) == ("new", False)
    assert first["unreliable_reason"] == "worse_than_baseline"
    later = choose({"mbg_nbd": poor}, champion("mbg_nbd", parameters_fit_id="older", is_seasonal=True))
    expected = {"is_reliable": False, "unreliable_reason": "worse_than_baseline", "is_seasonal": True}
    assert later == champion("mbg_nbd", fit_id="new", parameters_fit_id="older", **expected)


def test_parameters_that_never_were_good_give_way_to_newer_ones() -> None:
    poor, weak = dict.fromkeys(CUTS, 0.121), {"is_reliable": False, "unreliable_reason": "worse_than_baseline"}
    never = choose({"mbg_nbd": poor}, champion("mbg_nbd", **weak))
    assert never == champion("mbg_nbd", fit_id="new", parameters_fit_id="new", **weak)
    # fell back at an earlier refit on what had been good before
    once = choose({"mbg_nbd": poor}, champion("mbg_nbd", parameters_fit_id="older", **weak))
    assert once == champion("mbg_nbd", fit_id="new", parameters_fit_id="older", **weak)


def test_a_champion_that_recovers_is_reliable_again() -> None:
    fallen = champion("mbg_nbd", is_reliable=False, unreliable_reason="worse_than_baseline")
    row = choose({"mbg_nbd": BTYD}, fallen)
    assert (row["parameters_fit_id"], row["is_reliable"], row["unreliable_reason"]) == ("new", True, None)


def test_a_champion_as_good_as_the_recency_baseline_is_reliable() -> None:
    assert choose({"mbg_nbd": RECENCY})["is_reliable"]


def test_without_a_backtest_a_champion_is_unreliable() -> None:
    for scores in ({}, {"recency": {}, "mbg_nbd": BTYD}):
        row = choose(scores)
        assert (row["model_name"], row["parameters_fit_id"]) == ("mbg_nbd", "new")
        assert (row["is_reliable"], row["unreliable_reason"]) == (False, "no_backtest")


@pytest.mark.parametrize(
    ("churned", "reason"),
    [
        ([0, 0], "nobody_churned"),
        ([9, 9], "everybody_churned"),
        ([0, 9], "no_backtest"),
        ([0, 4], "no_backtest"),
        ([], "no_backtest"),
    ],
)
def test_churn_that_cannot_be_compared_says_whether_that_is_for_want_of_churn(churned: list[int], reason: str) -> None:
    row = champion("mbg_nbd", is_reliable=False, unreliable_reason="no_backtest")
    test = {"target": "churn", "model_name": "mbg_nbd", "customers": 9}
    tests = [test | {"actual_total": float(total)} for total in churned]
    # what others were tested on tells nothing
    tests += [test | {"model_name": "logistic", "actual_total": 4.0}, test | {"target": "clv", "actual_total": 4.0}]
    assert with_true_cause(row, tests) == row | {"unreliable_reason": reason}
    worse = row | {"unreliable_reason": "worse_than_baseline"}
    assert with_true_cause(worse, tests) == worse
    assert with_true_cause(row | {"target": "purchases"}, tests)["unreliable_reason"] == "no_backtest"


def test_customers_who_all_bought_alike_are_the_cause_where_no_order_was_there_to_find() -> None:
    row = champion("mbg_nbd", target="purchases", is_reliable=False, unreliable_reason="no_backtest")
    alike = {"target": "purchases", "model_name": "mbg_nbd", "total_error": 0.1, "normalised_gini": None}
    assert with_true_cause(row, [alike])["unreliable_reason"] == "all_alike"
    assert with_true_cause(row, [alike, alike | {"normalised_gini": 0.4}])["unreliable_reason"] == "no_backtest"


def test_another_btyd_model_that_is_asked_for_takes_the_place_of_the_old_one() -> None:
    for scores in (BTYD, dict.fromkeys(CUTS, 0.121)):
        row = choose({"mbg_nbd": scores}, champion("bg_nbd"))
        assert (row["model_name"], row["parameters_fit_id"]) == ("mbg_nbd", "new")


def test_a_target_that_never_had_a_model_has_no_champion() -> None:
    assert choose({}, fitted=set()) is None


def test_a_refused_refit_keeps_the_champions_and_says_why() -> None:
    previous = {"churn": champion("logistic", parameters_fit_id="older")}
    (row,) = keep_champions(previous, "new", "too_few_customers")
    expected = {"is_reliable": False, "unreliable_reason": "too_few_customers"}
    assert row == champion("logistic", fit_id="new", parameters_fit_id="older", **expected)
    assert keep_champions({}, "new", "too_few_customers") == []


def test_churn_follows_the_parameters_of_purchases_if_the_same_model_predicts_both() -> None:
    purchases = champion("mbg_nbd", target="purchases", parameters_fit_id="older", is_seasonal=True)
    churn = champion("mbg_nbd", parameters_fit_id="new", is_reliable=False, unreliable_reason="worse_than_baseline")
    followed = with_parameters_of_purchases(churn, purchases)
    assert followed == churn | {"parameters_fit_id": "older", "is_seasonal": True}
    logistic = champion("logistic")
    assert with_parameters_of_purchases(logistic, purchases) == logistic


def test_the_season_is_applied_only_where_it_wins() -> None:
    better, worse = changed([0.001] * 6), changed([-0.001] * 6)
    assert is_better_with_season(BTYD, better)
    assert not is_better_with_season(BTYD, BTYD)
    assert not is_better_with_season(BTYD, worse)
    assert not is_better_with_season({}, {})


def test_scores_are_brier_or_total_error_and_lack_of_gini() -> None:
    row = {"target": "churn", "brier": 0.09, "total_error": 0.5, "normalised_gini": None}
    assert score_of(row) == 0.09
    assert score_of(row | {"target": "clv", "total_error": -0.1, "normalised_gini": 0.7}) == pytest.approx(0.4)
    assert score_of(row | {"target": "purchases"}) is None
    key = {"model_name": "mbg_nbd", "cut_date": CUTS[0][0], "horizon_days": 90}
    assert scores_by_model([row | key, row | key | {"target": "clv"}], "churn") == {"mbg_nbd": {CUTS[0]: 0.09}}


def test_a_comparison_is_the_mean_of_the_gains_and_its_standard_error() -> None:
    """Gains .01, .02, .03 have a mean of .02 and a standard deviation of .01: .01 / sqrt(3) of windows apart."""
    apart = [(date(2024, month, 1), 90) for month in (1, 4, 7)]
    found = compare(
        dict.fromkeys(apart, 0.1), {cut: 0.1 - gain for cut, gain in zip(apart, (0.01, 0.02, 0.03), strict=True)}
    )
    assert (found.improvement, found.standard_error) == pytest.approx((0.02, 0.01 / 3**0.5))


def test_windows_that_share_days_are_no_further_evidence() -> None:
    """Of 90 days from January, February and March on 59, 61 and 30 are shared: correlations .6556, .6778, .3333.

    Their mean with three of 1, (3 + 2 * 1.6667) / 9 = .7037, is left of the variance of one, where a third would be of
    windows apart; the mean square of the gains around their mean, .0000667, is (1 - .7037) of that variance.
    """
    found = compare(BTYD, {cut: BTYD[cut] - gain for cut, gain in zip(CUTS[:3], (0.01, 0.02, 0.03), strict=True)})
    assert found.standard_error == pytest.approx((0.0002 / 3 / (1 - 19 / 27) * 19 / 27) ** 0.5, rel=1e-9)
    # gains that six windows apart would show beyond one standard error
    lucky = changed([0.010, 0.008, 0.004, -0.002, -0.004, 0.002])
    assert compare(BTYD, lucky).improvement > 0.001
    assert choose({"mbg_nbd": BTYD, "logistic": lucky})["model_name"] == "mbg_nbd"


def test_the_season_is_applied_unless_it_has_done_harm() -> None:
    """Six windows that hold none of the months it is for may speak against it by chance."""
    assert is_better_with_season(BTYD, changed([0.02, 0.01, 0.02, 0.01, 0.02, 0.01]))
    assert is_better_with_season(BTYD, changed([0.004, -0.006, 0.004, -0.006, 0.004, -0.006]))
    assert not is_better_with_season(BTYD, changed([-0.02, -0.01, -0.02, -0.01, -0.02, -0.01]))
    assert not is_better_with_season(BTYD, BTYD)
    assert not is_better_with_season({}, {})
