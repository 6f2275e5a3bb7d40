"""One refit: from snapshots of past month ends to the rows of the schema `predictive`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from orchestration.predictive import champions as rules
from orchestration.predictive.backtests import (
    GRADIENT_BOOSTING,
    LOGISTIC,
    Backtest,
    Learnt,
    errors_of_totals,
    learn,
)
from orchestration.predictive.errors import FitError
from orchestration.predictive.events import Occurrence
from orchestration.predictive.fit_limits import Horizons, Limits
from orchestration.predictive.seasonality import Activity
from orchestration.predictive.snapshots import Snapshot
from orchestration.predictive.spread_of_totals import spreads
from orchestration.predictive.tables import Row

FITTED, REFUSED = "fitted", "refused"


@dataclass(frozen=True)
class Options:
    """What is set from outside. `fitted_at` is UTC without a zone, `calendar` the events of the company's country."""

    fit_id: str
    company_key: str
    fitted_at: datetime
    horizons: Horizons
    limits: Limits
    btyd_model: str = "mbg_nbd"
    calendar: Sequence[Occurrence] = ()


@dataclass(frozen=True)
class Previous:
    """What earlier refits of the company left: per target its newest row of model_champions, if it has one."""

    champions: Mapping[str, Row] = field(default_factory=dict)


@dataclass(frozen=True)
class Refit:
    """What a refit adds to the tables of the schema `predictive`: rows with exactly their columns.

    `fit` is the row of fits; the others are those of parameters, steps, backtests and champions. Dates and times are
    Python's, unknown values None.
    """

    fit: Row
    parameters: list[Row]
    steps: list[Row]
    backtests: list[Row]
    champions: list[Row]


def refit(
    load: Callable[[date], Snapshot],
    dates: Sequence[date],
    activity: Activity,
    as_of: date,
    options: Options,
    previous: Previous | None = None,
) -> Refit:
    """Fit, backtest and choose. A refusal is a result: its fit says why, and what was used before is used further.

    `load` gives the snapshot of one of `dates` (past month ends) or of `as_of`; it may be asked twice for the same.
    `activity` may reach beyond `as_of`: what came later is left out.
    """
    # the products of a fit are so small that a second thread of BLAS spends its time waiting for work, at full speed
    with threadpool_limits(limits=1, user_api="blas"):
        return _refit(load, dates, activity, as_of, options, previous or Previous())


def _refit(
    load: Callable[[date], Snapshot],
    dates: Sequence[date],
    activity: Activity,
    as_of: date,
    options: Options,
    previous: Previous,
) -> Refit:
    try:
        learnt = learn(
            load,
            dates,
            activity.until(as_of),
            as_of,
            options.btyd_model,
            options.horizons,
            options.limits,
            options.calendar,
        )
    except FitError as refusal:
        kept = rules.keep_champions(previous.champions, options.fit_id, refusal.code)
        return Refit(_fit_row(load(as_of), as_of, options, refusal.code), [], [], [], kept)
    is_seasonal = _season_wins(learnt, options.btyd_model)
    tests = [
        test for test in learnt.tests if test.is_seasonal == (is_seasonal and test.model_name == options.btyd_model)
    ]
    backtests = [test.row(options.fit_id) for test in tests]
    return Refit(
        fit=_fit_row(learnt.known, as_of, options),
        parameters=_parameter_rows(learnt, tests, is_seasonal, options),
        steps=_step_rows(learnt, options),
        backtests=backtests,
        champions=_champion_rows(learnt, backtests, is_seasonal, options, previous),
    )


def _season_wins(learnt: Learnt, btyd_model: str) -> bool:
    """Whether the seasons are applied: unless they make past predictions of purchases worse, as backtests prove."""

    def scores(is_seasonal: bool) -> rules.Scores:
        tests = (test for test in learnt.tests if test.model_name == btyd_model and test.is_seasonal == is_seasonal)
        return rules.scores_by_model((test.row("") for test in tests), "purchases").get(btyd_model, {})

    return learnt.fit.has_season and rules.is_better_with_season(scores(False), scores(True))


def _champion_rows(
    learnt: Learnt, backtests: Sequence[Row], is_seasonal: bool, options: Options, previous: Previous
) -> list[Row]:
    fitted = {"churn": _fitted_for_churn(learnt, options), "purchases": {options.btyd_model}, "clv": set()}
    if learnt.fit.spend is not None:
        fitted["clv"] = {options.btyd_model}
    chosen = {
        target: rules.choose_champion(
            target,
            rules.scores_by_model(backtests, target),
            fitted[target],
            options.btyd_model,
            is_seasonal,
            options.fit_id,
            previous.champions.get(target),
        )
        for target in rules.TARGETS
    }
    chosen["churn"] = rules.with_parameters_of_purchases(chosen["churn"], chosen["purchases"])
    if learnt.fit.spend_refusal is not None:
        kept = chosen["clv"] or rules.without_model("clv", options.fit_id, learnt.fit.spend_refusal)
        chosen["clv"] = kept | {"unreliable_reason": learnt.fit.spend_refusal}
    return [rules.with_true_cause(row, backtests) for row in chosen.values() if row is not None]


def _fitted_for_churn(learnt: Learnt, options: Options) -> set[str]:
    """Models that have a prediction for every horizon of churn."""
    trained = [learnt.trained.get(horizon) for horizon in options.horizons.churn]
    names = {options.btyd_model}
    if all(one is not None and one.logistic is not None for one in trained):
        names.add(LOGISTIC)
    if all(one is not None and one.boosted is not None for one in trained):
        names.add(GRADIENT_BOOSTING)
    return names


def _fit_row(known: Snapshot, as_of: date, options: Options, reason: str | None = None) -> Row:
    return {
        "fit_id": options.fit_id,
        "company_key": options.company_key,
        "as_of_date": as_of,
        "fitted_at": options.fitted_at,
        "status": REFUSED if reason else FITTED,
        "reason_code": reason,
        "customers": known.customers,
        "history_days": known.history_days,
    }


def _parameter_rows(learnt: Learnt, tests: Sequence[Backtest], is_seasonal: bool, options: Options) -> list[Row]:
    fit, model, rows = learnt.fit, options.btyd_model, []

    def add(
        target: str,
        name: str,
        horizon: int,
        values: Mapping[str, float],
        errors: Mapping[str, float] | None = None,
        log_likelihood: float | None = None,
        customers: int | None = None,
    ) -> None:
        for parameter, value in values.items():
            rows.append(
                {
                    "fit_id": options.fit_id,
                    "target": target,
                    "model_name": name,
                    "horizon_days": horizon,
                    "parameter": parameter,
                    "value": float(value),
                    "standard_error": _number(errors[parameter]) if errors else None,
                    "log_likelihood": log_likelihood,
                    "customers": learnt.known.customers if customers is None else customers,
                }
            )

    add("purchases", model, 0, fit.btyd.parameters, fit.btyd.standard_errors, fit.btyd.log_likelihood)
    season = fit.season
    add("purchases", "season", 0, {f"month_{month + 1:02}": value for month, value in enumerate(season.month_index)})
    add("purchases", "season", 0, {f"event_{event}": effect.index for event, effect in season.events.items()})
    if fit.spend is not None:
        spend = fit.spend
        add("clv", "gamma_gamma", 0, spend.parameters, spend.standard_errors, spend.log_likelihood, spend.customers)
        add("clv", "gamma_gamma", 0, spend.paying_parameters)
    for horizon in options.horizons.churn:
        line = learnt.calibrations[horizon, is_seasonal]
        add("churn", model, horizon, {"calibration_intercept": line.intercept, "calibration_slope": line.slope})
        trained = learnt.trained.get(horizon)
        if trained is not None and trained.logistic is not None:
            add("churn", LOGISTIC, horizon, trained.logistic.parameters)
        if trained is not None and trained.boosted is not None:
            add("churn", GRADIENT_BOOSTING, horizon, {"intercept": trained.boosted.intercept})
    horizons = options.horizons.days
    errors = {horizon: errors_of_totals(fit, learnt.known, horizon) for horizon in horizons}
    from_season = {horizon: fit.season_error(horizon) for horizon in horizons} if is_seasonal else {}
    of_target = {
        target: _with_season_known([test for test in tests if test.target == target and test.model_name == model])
        for target in ("purchases", "clv")
    }
    for target in of_target:
        from_parameters = {horizon: of[target] for horizon, of in errors.items() if target in of}
        for horizon, spread in spreads(of_target[target], of_target["purchases"], from_parameters, from_season).items():
            add(target, model, horizon, spread.parameters)
    return rows


def _with_season_known(tests: Sequence[Backtest]) -> list[Backtest]:
    """Leave out test days before the seasons could be known, if others of the horizon knew them: today's fit does."""
    knowing = {test.horizon for test in tests if test.knows_season}
    return [test for test in tests if test.knows_season or test.horizon not in knowing]


def _step_rows(learnt: Learnt, options: Options) -> list[Row]:
    return [
        {
            "fit_id": options.fit_id,
            "model_name": GRADIENT_BOOSTING,
            "horizon_days": horizon,
            "feature": step.feature,
            "from_value": step.from_value,
            "below_value": step.below_value,
            "score": step.score,
        }
        for horizon in options.horizons.churn
        if horizon in learnt.trained and learnt.trained[horizon].boosted is not None
        for step in learnt.trained[horizon].boosted.steps
    ]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
