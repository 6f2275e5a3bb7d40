"""Which model is used: never a worse one in the place of a better one, and none is reliable without a backtest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from orchestration.predictive.baselines import RECENCY
from orchestration.predictive.btyd import MODELS as BTYD_MODELS
from orchestration.predictive.errors import (
    ALL_ALIKE,
    EVERYBODY_CHURNED,
    NO_BACKTEST,
    NOBODY_CHURNED,
    WORSE_THAN_BASELINE,
)
from orchestration.predictive.tables import Row
from orchestration.predictive.windows import standard_error_of_mean

# the score of a model at each cut and horizon; the lower the better
Scores = Mapping[tuple[date, int], float]

TARGETS = ("churn", "purchases", "clv")


@dataclass(frozen=True)
class Comparison:
    """How much lower the challenger's score is on average, over what both were tested on, and its standard error."""

    improvement: float
    standard_error: float

    @property
    def is_significant(self) -> bool:
        return self.improvement > 0 and self.improvement > self.standard_error


def score_of(row: Mapping[str, Any]) -> float | None:
    """How bad a backtest was: Brier score of churn, else error of the total and what the order lacks of the best."""
    if row["target"] == "churn":
        return row["brier"]
    if row["total_error"] is None or row["normalised_gini"] is None:
        return None
    return abs(row["total_error"]) + 1 - row["normalised_gini"]


def scores_by_model(rows: Iterable[Mapping[str, Any]], target: str) -> dict[str, dict[tuple[date, int], float]]:
    """The scores of the backtests of a target that have one."""
    scores: dict[str, dict[tuple[date, int], float]] = {}
    for row in rows:
        score = score_of(row) if row["target"] == target else None
        if score is not None:
            scores.setdefault(row["model_name"], {})[row["cut_date"], row["horizon_days"]] = score
    return scores


def compare(incumbent: Scores, challenger: Scores) -> Comparison | None:
    """Compare window by window; None without one that both have. The standard error of a single window is unbounded.

    Windows that share days show the same: the standard error is of as many as there are in effect.
    """
    both = sorted(incumbent.keys() & challenger.keys())
    if not both:
        return None
    gains = np.array([incumbent[key] - challenger[key] for key in both])
    return Comparison(float(gains.mean()), standard_error_of_mean(gains, both))


def is_better_with_season(without: Scores, with_season: Scores) -> bool:
    """Whether the season is applied: unless it makes the backtests worse by more than a standard error.

    The index is drawn to no season as far as it is unsure, so it is used as long as nothing speaks against it: the last
    six month ends may hold none of the months that it is for. It is left out where both are equal, and where neither
    was tried.
    """
    found = compare(without, with_season)
    return found is not None and found.improvement != 0 and found.improvement > -found.standard_error


def choose_champion(
    target: str,
    scores: Mapping[str, Scores],
    fitted: Collection[str],
    btyd_model: str,
    is_seasonal: bool,
    fit_id: str,
    previous: Mapping[str, Any] | None = None,
) -> Row | None:
    """The row of model_champions for a target; None if no model of it was fitted, and never has been.

    `fitted` names the models that may be chosen, `scores` those that were backtested, baselines among them.
    `is_seasonal` is whether the seasons won for the btyd model. `previous` is the row that this one follows.
    """
    if previous is not None and previous["model_name"] in BTYD_MODELS and previous["model_name"] != btyd_model:
        # another model has been asked for: what the old one left is not the champion to keep
        previous = None
    incumbent = btyd_model if previous is None else previous["model_name"]
    if incumbent not in fitted:
        return (
            None if previous is None else _kept(target, fit_id, previous, _weakness(scores, incumbent) or NO_BACKTEST)
        )
    winner = _winner(scores, incumbent, sorted(fitted))
    weakness = _weakness(scores, winner)
    if weakness == WORSE_THAN_BASELINE and previous is not None and _was_relied_on(previous):
        return _kept(target, fit_id, previous, weakness)
    return {
        "fit_id": fit_id,
        "target": target,
        "model_name": winner,
        "parameters_fit_id": fit_id,
        "is_seasonal": is_seasonal and winner == btyd_model,
        "is_reliable": weakness is None,
        "unreliable_reason": weakness,
    }


def with_parameters_of_purchases(churn: Row | None, purchases: Row | None) -> Row | None:
    """Let churn follow purchases where the same model predicts both: a build scores with one set of its parameters."""
    if churn is None or purchases is None or churn["model_name"] not in BTYD_MODELS:
        return churn
    return churn | {name: purchases[name] for name in ("model_name", "parameters_fit_id", "is_seasonal")}


def without_model(target: str, fit_id: str, reason: str) -> Row:
    """The row of a target that has no model, and never had: it says why."""
    return {
        "fit_id": fit_id,
        "target": target,
        "model_name": None,
        "parameters_fit_id": None,
        "is_seasonal": False,
        "is_reliable": False,
        "unreliable_reason": reason,
    }


def with_true_cause(row: Row, backtests: Iterable[Mapping[str, Any]]) -> Row:
    """Say of a model that was tested but cannot be compared with a baseline what was the matter with the tests."""
    if row["unreliable_reason"] != NO_BACKTEST:
        return row
    target = row["target"]
    tests = [test for test in backtests if test["target"] == target and test["model_name"] == row["model_name"]]
    if not tests:
        return row
    if target != "churn":
        return row if any(score_of(test) is not None for test in tests) else row | {"unreliable_reason": ALL_ALIKE}
    if all(test["actual_total"] == 0 for test in tests):
        return row | {"unreliable_reason": NOBODY_CHURNED}
    if all(test["actual_total"] == test["customers"] for test in tests):
        return row | {"unreliable_reason": EVERYBODY_CHURNED}
    return row


def keep_champions(previous: Mapping[str, Mapping[str, Any]], fit_id: str, reason: str) -> list[Row]:
    """The rows of a refit that was refused: what was used before is used further, and not called reliable."""
    return [_kept(target, fit_id, previous[target], reason) for target in TARGETS if target in previous]


def _winner(scores: Mapping[str, Scores], incumbent: str, fitted: Sequence[str]) -> str:
    winner, most = incumbent, 0.0
    for name in fitted:
        if name == incumbent:
            continue
        found = compare(scores.get(incumbent, {}), scores.get(name, {}))
        if found is not None and found.is_significant and found.improvement > most:
            winner, most = name, found.improvement
    return winner


def _weakness(scores: Mapping[str, Scores], model: str) -> str | None:
    """Why a model cannot be relied on, if so."""
    found = compare(scores.get(RECENCY, {}), scores.get(model, {}))
    if found is None:
        return NO_BACKTEST
    return WORSE_THAN_BASELINE if found.improvement < 0 else None


def _was_relied_on(champion: Mapping[str, Any]) -> bool:
    """Whether its parameters were good once: a fit that fell back on earlier ones names another than itself."""
    return champion["is_reliable"] or champion["parameters_fit_id"] != champion["fit_id"]


def _kept(target: str, fit_id: str, previous: Mapping[str, Any], reason: str) -> Row:
    return {
        "fit_id": fit_id,
        "target": target,
        "model_name": previous["model_name"],
        "parameters_fit_id": previous["parameters_fit_id"],
        "is_seasonal": previous["is_seasonal"],
        "is_reliable": False,
        "unreliable_reason": reason,
    }
