"""What the models would have predicted at past month ends, each from what was known by then, and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from orchestration.predictive import metrics
from orchestration.predictive.arrays import Floats
from orchestration.predictive.baselines import (
    BASELINES,
    LAST_PERIOD_RATE,
    RECENCY,
    RFM,
    CellMeans,
    RecencyChurn,
    RfmChurn,
    continued,
    rate_churn,
)
from orchestration.predictive.btyd import (
    BtydFit,
    Histories,
    expected_purchases,
    fit_btyd,
    probability_of_no_purchase,
    relative_error_of_total,
)
from orchestration.predictive.calibration import IDENTITY, Calibration, Line, fit_line, pooled
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.churn_models import (
    MAX_ROWS,
    BoostedModel,
    LogisticModel,
    fit_boosted,
    fit_logistic,
    training_rows,
)
from orchestration.predictive.errors import FitError
from orchestration.predictive.events import Occurrence
from orchestration.predictive.fit_limits import Horizons, Limits
from orchestration.predictive.seasonality import Activity, Season, estimate_season
from orchestration.predictive.snapshots import Snapshot, window_end
from orchestration.predictive.spend import PARAMETERS as SPEND_PARAMETERS
from orchestration.predictive.spend import SpendFit, expected_spend, fit_spend
from orchestration.predictive.tables import Row
from orchestration.predictive.windows import effective_windows

Load = Callable[[date], Snapshot]

LOGISTIC, GRADIENT_BOOSTING = "logistic", "gradient_boosting"


@dataclass(frozen=True, eq=False)
class CohortTotals:
    """What was predicted of the customers who first bought in one month, and what came; one value per cohort."""

    predicted: Floats
    actual: Floats

    @classmethod
    def summed(cls, known: Snapshot, predicted: Floats, actual: Floats) -> CohortTotals:
        """Add up customers."""
        _, codes = np.unique(known.cohorts, return_inverse=True)
        return cls(np.bincount(codes, weights=predicted), np.bincount(codes, weights=actual))


@dataclass(frozen=True)
class Backtest:
    """One model at one cut: what it predicted of all together, what came, and how good single predictions were."""

    target: str
    model_name: str
    cut: date
    horizon: int
    is_seasonal: bool  # whether the seasons are applied, as far as they were known at the cut
    customers: int
    predicted_total: float
    actual_total: float
    squared_error: float  # sum over customers of (actual - predicted) squared
    measures: Mapping[str, float] = field(default_factory=dict)
    knows_season: bool = False
    parameter_error: float = 0.0  # relative standard error of the predicted total that comes from the parameters
    cohorts: CohortTotals | None = None  # of amounts that a buy-till-you-die model predicts

    def row(self, fit_id: str) -> Row:
        """The row of model_backtests: None where a measure has no meaning."""
        names = ("auc", "brier", "ece", "top_decile_lift", "spearman", "normalised_gini")
        return {
            "fit_id": fit_id,
            "model_name": self.model_name,
            "target": self.target,
            "cut_date": self.cut,
            "horizon_days": self.horizon,
            "customers": self.customers,
            "predicted_total": _known(self.predicted_total),
            "actual_total": _known(self.actual_total),
            "total_error": _known(metrics.total_error(self.predicted_total, self.actual_total)),
            **{name: _known(self.measures.get(name)) for name in names},
            "is_baseline": self.model_name in BASELINES,
        }


@dataclass(frozen=True)
class DayFit:
    """The buy-till-you-die models of a day; None where the data did not carry one."""

    day: date
    btyd: BtydFit | None
    spend: SpendFit | None
    season: Season
    spend_refusal: str | None = None  # the reason code, where the spend was not fitted

    @property
    def has_season(self) -> bool:
        return self.season.is_known

    def season_error(self, horizon: int) -> float:
        """Standard deviation of the length of the window after the day, as a share of it."""
        return self.season.relative_error(self.day, horizon)

    def days(self, start: date, horizon: int, is_seasonal: bool) -> float:
        """Length of the window after `start`, by the seasons as this day knows them."""
        return self.season.length(start, horizon) if is_seasonal else float(horizon)


@dataclass(frozen=True)
class Trained:
    """What was learnt from outcomes: baselines from the newest window, challengers from all that had passed.

    None: too few churned or stayed, or the horizon is none of churn.
    """

    purchases: CellMeans
    net_revenue: CellMeans
    recency: RecencyChurn | None = None
    rfm: RfmChurn | None = None
    logistic: LogisticModel | None = None
    boosted: BoostedModel | None = None


@dataclass(frozen=True, eq=False)
class SeenChurn:
    """The customers of a day, counted by history, how many of each churned in a window after it, and the fit of it."""

    fit: BtydFit
    histories: Histories
    churned: Floats

    def line(self, days: float) -> Line | None:
        """What the fit predicted of the window, taken as `days` long, held against what came."""
        of = self.histories
        p = probability_of_no_purchase(self.fit, of.x, of.t_x, of.T, days)
        return fit_line(p, self.churned, of.customers)


@dataclass(frozen=True, eq=False)
class Window:
    """What the outcomes of one day teach later ones: rows for the challengers, and what they calibrate with.

    `seen` is None where the day has no fit, or the horizon is none of churn.
    """

    baselines: Trained
    inputs: Floats
    churned: NDArray[np.bool_]
    seen: SeenChurn | None = None


@dataclass(frozen=True)
class Learnt:
    """All that a refit knows at the end: the backtests, and the models as of the last day.

    `trained` is by horizon: without one no window of that length has passed yet. `calibrations` is by horizon and
    whether the season is applied.
    """

    known: Snapshot
    fit: DayFit
    tests: list[Backtest]
    trained: Mapping[int, Trained]
    calibrations: Mapping[tuple[int, bool], Calibration]


@dataclass(frozen=True)
class Plan:
    """The test days by horizon, and the days that each learns from, whose windows had passed by then; newest first."""

    cuts: Mapping[int, tuple[date, ...]]
    training_days: Mapping[tuple[date, int], tuple[date, ...]]

    @property
    def days(self) -> list[date]:
        """Every test day and training day, in order."""
        training_days = {day for days in self.training_days.values() for day in days}
        return sorted({day for cuts in self.cuts.values() for day in cuts} | training_days)

    def teaches(self, training_day: date, horizon: int) -> bool:
        """Whether a test day of a horizon, or the as-of date, learns from this day."""
        return any(days == horizon and training_day in known for (_, days), known in self.training_days.items())


def plan_cuts(dates: Iterable[date], as_of: date, activity: Activity, horizons: Horizons, limits: Limits) -> Plan:
    """Take for each horizon the last days, as many as `limits` allow, whose window has passed after enough history."""
    days = sorted({day for day in dates if day < as_of}, reverse=True)
    large = [day for day in days if _is_large_enough(activity.until(day), day, limits)]
    cuts = {
        horizon: tuple(day for day in large if window_end(day, horizon) <= as_of)[: limits.backtests_per_horizon]
        for horizon in horizons.days
    }
    tested = {(day, horizon) for horizon in horizons.days for day in (*cuts[horizon], as_of)}

    def passed(day: date, horizon: int, among: Iterable[date]) -> list[date]:
        return [other for other in among if window_end(other, horizon) <= day]

    # each training day needs a fit: beside the newest window of a test day there are those of days that have one anyway
    newest = {key: passed(*key, large)[:1] for key in tested}
    fitted = {day for days in (*cuts.values(), *newest.values()) for day in days}
    fitted_first = [day for day in large if day in fitted]
    most = limits.backtests_per_horizon
    training_days = {key: tuple(passed(*key, fitted_first)[:most]) for key in tested if newest[key]}
    return Plan(cuts, training_days)


def learn(
    load: Load,
    dates: Sequence[date],
    activity: Activity,
    as_of: date,
    btyd_model: str,
    horizons: Horizons,
    limits: Limits,
    calendar: Sequence[Occurrence] = (),
) -> Learnt:
    """Fit, predict and compare at each cut, and fit as of the last day.

    At a cut only what was known on that day is used: snapshots and outcome windows that end by it, and activity
    until it. Each day is loaded once, and one at a time beside the last: a large company has no memory for more.
    FitError if the data does not carry a buy-till-you-die model as of the last day.
    """
    known = load(as_of)
    final = fit_day(known, activity, btyd_model, limits, calendar=calendar, must_fit=True)
    plan = plan_cuts(dates, as_of, activity, horizons, limits)
    start = None
    tests: list[Backtest] = []
    windows: dict[tuple[date, int], Window] = {}
    # in order: the training days of a test day come before it
    for day in plan.days:
        snapshot = load(day)
        fit = fit_day(snapshot, activity, btyd_model, limits, start, calendar=calendar)
        start = fit.btyd or start
        histories = _histories(snapshot)
        for horizon in horizons.days:
            is_for_churn = horizon in horizons.churn
            if day in plan.cuts[horizon] and horizon in snapshot.outcomes:
                passed = _passed(plan, windows, day, horizon)
                here = {seasonal: _calibration(passed, fit, horizon, seasonal) for seasonal in (False, True)}
                tests += _test(snapshot, horizon, is_for_churn, fit, train(passed, is_for_churn), here)
            if plan.teaches(day, horizon) and horizon in snapshot.outcomes:
                most = MAX_ROWS // limits.backtests_per_horizon
                windows[day, horizon] = watch(snapshot, horizon, is_for_churn, fit.btyd, histories, most)
    at_end = {horizon: _passed(plan, windows, as_of, horizon) for horizon in horizons.days}
    return Learnt(
        known=known,
        fit=final,
        tests=tests,
        trained={
            horizon: trained
            for horizon, passed in at_end.items()
            if (trained := train(passed, horizon in horizons.churn)) is not None
        },
        calibrations={
            (horizon, seasonal): _calibration(at_end[horizon], final, horizon, seasonal)
            for horizon in horizons.churn
            for seasonal in (False, True)
        },
    )


def _passed(plan: Plan, windows: Mapping[tuple[date, int], Window], day: date, horizon: int) -> dict[date, Window]:
    """The windows that a day learns from, newest first."""
    days = plan.training_days.get((day, horizon), ())
    return {other: windows[other, horizon] for other in days if (other, horizon) in windows}


def fit_day(
    known: Snapshot,
    activity: Activity,
    btyd_model: str,
    limits: Limits,
    start: BtydFit | None = None,
    *,
    calendar: Sequence[Occurrence] = (),
    must_fit: bool = False,
) -> DayFit:
    """Fit the models of a day; one that the data does not carry is None, or a FitError if it must be fitted."""
    try:
        btyd = fit_btyd(btyd_model, Histories.grouped(known.x, known.t_x, known.T), start, limits=limits)
    except FitError:
        if must_fit:
            raise
        btyd = None
    refusal = None
    try:
        spend = fit_spend(known.x, known.repeat_spend)
    except FitError as error:
        spend, refusal = None, error.code
    season = Season.none()
    if btyd is not None:
        season = estimate_season(btyd, activity, known.date, limits.minimum_season_days, calendar)
    return DayFit(known.date, btyd, spend, season, refusal)


def watch(
    known: Snapshot, horizon: int, is_for_churn: bool, fit: BtydFit | None, histories: Histories, most: int
) -> Window:
    """Keep what the outcomes of a day teach later days, with `most` rows for the challengers.

    `histories` are those of the snapshot: every horizon holds the same ones.
    """
    outcome = known.outcomes[horizon]
    baselines = Trained(
        purchases=CellMeans.fit(known, outcome.purchases), net_revenue=CellMeans.fit(known, outcome.net_revenue)
    )
    if not is_for_churn:
        return Window(baselines, np.empty((0, len(CHURN_FEATURES))), np.empty(0, dtype=np.bool_))
    baselines = replace(
        baselines,
        recency=RecencyChurn.fit(known, outcome.churned),
        rfm=RfmChurn.fit(known, outcome.churned),
    )
    churned = np.bincount(known.alike[1], weights=outcome.churned, minlength=histories.x.size)
    seen = None if fit is None else SeenChurn(fit, histories, churned)
    return Window(baselines, *training_rows(known.inputs, outcome.churned, most), seen)


def train(passed: Mapping[date, Window], is_for_churn: bool) -> Trained | None:
    """Learn from windows that had passed, newest first; None of none.

    The challengers learn from all of them: one alone has a season and campaigns that the next one has not.
    """
    if not passed:
        return None
    newest = next(iter(passed.values()))
    if not is_for_churn:
        return newest.baselines
    inputs = np.concatenate([window.inputs for window in passed.values()])
    churned = np.concatenate([window.churned for window in passed.values()])
    inputs, churned = training_rows(inputs, churned)
    return replace(
        newest.baselines,
        logistic=fit_logistic(inputs, churned, CHURN_FEATURES),
        boosted=fit_boosted(inputs, churned, CHURN_FEATURES),
    )


def predict_purchases(fit: DayFit, known: Snapshot, horizon: int, is_seasonal: bool) -> Floats | None:
    """Purchases to be expected of each customer in the window."""
    if fit.btyd is None:
        return None
    first, codes = known.alike
    days = fit.days(known.date, horizon, is_seasonal)
    return expected_purchases(fit.btyd, known.x[first], known.t_x[first], known.T[first], days)[codes]


def predict_churn(fit: DayFit, known: Snapshot, days: float) -> Floats | None:
    """Probability, not calibrated, that no purchase comes in the window, taken as `days` long."""
    return None if fit.btyd is None else probability_of_no_purchase(fit.btyd, known.x, known.t_x, known.T, days)


def errors_of_totals(fit: DayFit, known: Snapshot, horizon: int) -> dict[str, float]:
    """Relative standard errors, from the parameters alone, of the totals of purchases and of lifetime value.

    The seasons make the window longer or shorter, which hardly moves them: they are left out.
    """
    if fit.btyd is None:
        return {}
    histories = _histories(known)
    purchases = float(np.nan_to_num(relative_error_of_total(fit.btyd, histories, horizon)))
    if fit.spend is None:
        return {"purchases": purchases}
    expected = predict_purchases(fit, known, horizon, is_seasonal=False)
    return {"purchases": purchases, "clv": float(np.hypot(purchases, _error_of_spend(fit.spend, known, expected)))}


def _error_of_spend(fit: SpendFit, known: Snapshot, purchases: Floats) -> float:
    """Standard error of what the given purchases are worth, over that; by the delta method as for purchases."""
    covariance = np.nan_to_num(fit.covariance, nan=0.0)

    def total(parameters: Floats) -> float:
        moved = replace(fit, **dict(zip(SPEND_PARAMETERS, parameters.tolist(), strict=True)))
        return float(purchases @ expected_spend(moved, known.x, known.repeat_spend))

    parameters = np.array([getattr(fit, name) for name in SPEND_PARAMETERS])
    whole = total(parameters)
    if not whole > 0:
        return 0.0
    steps = np.diag(1e-4 * parameters)
    slopes = np.array([(total(parameters + step) - total(parameters - step)) / (2 * step.sum()) for step in steps])
    return float(np.sqrt(max(0.0, slopes @ covariance @ slopes)) / whole)


def _calibration(passed: Mapping[date, Window], fit: DayFit, horizon: int, is_seasonal: bool) -> Calibration:
    """The calibration of the day of the fit, from the windows that had passed.

    They are as long as the seasons of this day make them, not those of theirs: or a line would learn the season of the
    window that it saw.
    """
    lines = {
        day: line
        for day, window in passed.items()
        if window.seen is not None
        and (line := window.seen.line(fit.days(day, horizon, is_seasonal and fit.has_season))) is not None
    }
    return pooled(list(lines.values()), effective_windows(list(lines), horizon)) if lines else IDENTITY


def _test(
    known: Snapshot,
    horizon: int,
    is_for_churn: bool,
    fit: DayFit,
    trained: Trained | None,
    calibrations: Mapping[bool, Calibration],
) -> list[Backtest]:
    """Every model of every target at one cut."""
    tests = _test_btyd(known, horizon, is_for_churn, fit, calibrations)
    if is_for_churn:
        tests += [
            _churn_test(known, horizon, name, p)
            for name, p in _other_churn(known, horizon, trained).items()
            if p is not None
        ]
    for target, name, actual, predicted in _other_amounts(known, horizon, trained):
        tests.append(_amount_test(known, horizon, target, name, actual, predicted))
    return tests


def _test_btyd(
    known: Snapshot, horizon: int, is_for_churn: bool, fit: DayFit, calibrations: Mapping[bool, Calibration]
) -> list[Backtest]:
    """The buy-till-you-die models at one cut, without and with the seasons."""
    if fit.btyd is None:
        return []
    outcome, name = known.outcomes[horizon], fit.btyd.model
    spend = None if fit.spend is None else expected_spend(fit.spend, known.x, known.repeat_spend)
    errors = errors_of_totals(fit, known, horizon)
    tests: list[Backtest] = []
    for is_seasonal in (False, True):
        if is_seasonal and not fit.has_season:
            return tests + [replace(test, is_seasonal=True) for test in tests]
        found = []
        if is_for_churn:
            raw = predict_churn(fit, known, fit.days(known.date, horizon, is_seasonal))
            found.append(_churn_test(known, horizon, name, calibrations[is_seasonal].apply(raw)))
        purchases = predict_purchases(fit, known, horizon, is_seasonal)
        amounts = {"purchases": (outcome.purchases, purchases)}
        if spend is not None:
            amounts["clv"] = (outcome.net_revenue, purchases * spend)
        found += [
            replace(
                _amount_test(known, horizon, target, name, actual, predicted),
                cohorts=CohortTotals.summed(known, predicted, actual),
            )
            for target, (actual, predicted) in amounts.items()
        ]
        tests += [
            replace(
                test,
                is_seasonal=is_seasonal,
                knows_season=is_seasonal,
                parameter_error=errors.get(test.target, 0.0),
            )
            for test in found
        ]
    return tests


def _other_churn(known: Snapshot, horizon: int, trained: Trained | None) -> dict[str, Floats | None]:
    predictions: dict[str, Floats | None] = {LAST_PERIOD_RATE: rate_churn(known, horizon)}
    if trained is not None:
        for name, model in ((RECENCY, trained.recency), (RFM, trained.rfm)):
            predictions[name] = None if model is None else model.predict(known)
        for name, model in ((LOGISTIC, trained.logistic), (GRADIENT_BOOSTING, trained.boosted)):
            predictions[name] = None if model is None else model.predict(known.inputs)
    return predictions


def _other_amounts(known: Snapshot, horizon: int, trained: Trained | None) -> Iterable[tuple[str, str, Floats, Floats]]:
    outcome = known.outcomes[horizon]
    for target, actual, of_year in (
        ("purchases", outcome.purchases, known.purchase_days_365d),
        ("clv", outcome.net_revenue, known.net_revenue_365d),
    ):
        yield target, LAST_PERIOD_RATE, actual, continued(of_year, known, horizon)
        if trained is not None:
            means = trained.purchases if target == "purchases" else trained.net_revenue
            yield target, RECENCY, actual, means.predict_by_recency(known)
            yield target, RFM, actual, means.predict_by_cell(known)


def _churn_test(known: Snapshot, horizon: int, name: str, p: Floats) -> Backtest:
    churned = known.outcomes[horizon].churned.astype(np.float64)
    measures = {
        "auc": metrics.auc(churned, p),
        "brier": metrics.brier(churned, p),
        "ece": metrics.expected_calibration_error(churned, p),
        "top_decile_lift": metrics.top_decile_lift(churned, p),
    }
    return _compared(known, horizon, "churn", name, churned, p, measures)


def _amount_test(known: Snapshot, horizon: int, target: str, name: str, actual: Floats, predicted: Floats) -> Backtest:
    measures = {
        "top_decile_lift": metrics.top_decile_lift(actual, predicted),
        "spearman": metrics.spearman(actual, predicted),
        "normalised_gini": metrics.normalised_gini(actual, predicted),
    }
    return _compared(known, horizon, target, name, actual, predicted, measures)


def _compared(
    known: Snapshot,
    horizon: int,
    target: str,
    name: str,
    actual: Floats,
    predicted: Floats,
    measures: Mapping[str, float],
) -> Backtest:
    return Backtest(
        target=target,
        model_name=name,
        cut=known.date,
        horizon=horizon,
        is_seasonal=False,
        customers=known.customers,
        predicted_total=float(predicted.sum()),
        actual_total=float(actual.sum()),
        squared_error=float(np.sum((actual - predicted) ** 2)),
        measures=measures,
    )


def _histories(known: Snapshot) -> Histories:
    """The customers of a snapshot, counted by history."""
    first, codes = known.alike
    customers = np.bincount(codes, minlength=first.size).astype(np.float64)
    return Histories(known.x[first], known.t_x[first], known.T[first], customers)


def _is_large_enough(activity: Activity, day: date, limits: Limits) -> bool:
    """Whether a fit on the customers who had come by the day means something."""
    if activity.new_customers.sum() < limits.minimum_customers:
        return False
    history = np.datetime64(day, "D") - activity.first_days.min()
    return bool(history >= np.timedelta64(limits.minimum_history_days, "D"))


def _known(value: float | None) -> float | None:
    """None for what is no number: storage has NULL for it."""
    return float(value) if value is not None and np.isfinite(value) else None
