"""Churn models that learn from outcomes, in forms that SQL can apply: a weighted sum, and a table of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from orchestration.predictive.arrays import Floats

# below this many who churned, or who stayed, there is nothing to learn from
MIN_OF_EITHER = 50
# more rows do not change models this small
MAX_ROWS = 50_000

# strength of the pull of standardised weights towards 0, as a number of customers
_PENALTY = 10.0
_ROUNDS = 120
_LEARNING_RATE = 0.1
_MIN_SAMPLES_LEAF = 50
_MAX_BINS = 64


@dataclass(frozen=True)
class LogisticModel:
    """P(churn) = sigmoid(intercept + sum of weight * feature), of features as they are."""

    features: tuple[str, ...]
    intercept: float
    weights: tuple[float, ...]

    def predict(self, inputs: ArrayLike) -> Floats:
        """P(churn) of each row of inputs, whose columns are the features."""
        return expit(np.asarray(inputs, dtype=np.float64) @ np.array(self.weights) + self.intercept)

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by the names they are stored under."""
        return {"intercept": self.intercept} | {
            f"weight_{name}": weight for name, weight in zip(self.features, self.weights, strict=True)
        }

    @classmethod
    def of(cls, features: Sequence[str], parameters: Mapping[str, float]) -> LogisticModel:
        """Make a model for scoring of parameters that were stored."""
        weights = tuple(float(parameters[f"weight_{name}"]) for name in features)
        return cls(tuple(features), float(parameters["intercept"]), weights)


@dataclass(frozen=True)
class Step:
    """What a feature adds to the log odds where from_value <= feature < below_value; None is no bound."""

    feature: str
    from_value: float | None
    below_value: float | None
    score: float


@dataclass(frozen=True)
class BoostedModel:
    """P(churn) = sigmoid(intercept + sum of the scores of the steps that the features are on).

    The steps of a feature follow on one another and reach from no lower bound to no upper one, so that a row is on
    exactly one step of each feature that has any.
    """

    features: tuple[str, ...]
    intercept: float
    steps: tuple[Step, ...]

    def predict(self, inputs: ArrayLike) -> Floats:
        """P(churn) of each row of inputs, whose columns are the features."""
        inputs = np.asarray(inputs, dtype=np.float64)
        score = np.full(inputs.shape[0], self.intercept)
        for place, name in enumerate(self.features):
            steps = [step for step in self.steps if step.feature == name]
            if steps:
                edges = np.array([step.from_value for step in steps[1:]], dtype=np.float64)
                reached = np.searchsorted(edges, inputs[:, place], side="right")
                score += np.array([step.score for step in steps])[reached]
        return expit(score)


def fit_logistic(inputs: ArrayLike, churned: ArrayLike, features: Sequence[str]) -> LogisticModel | None:
    """Fit with an L2 penalty on standardised inputs; None where fewer than 50 churned or stayed.

    The order of rows makes no difference.
    """
    rows = _enough_rows(inputs, churned)
    return None if rows is None else _logistic(*rows, np.ones(rows[1].size), features)


def fit_logistic_on_counts(
    inputs: Floats, stayed: Floats, churned: Floats, features: Sequence[str]
) -> LogisticModel | None:
    """The same of rows that stand for so many customers who stayed and so many who churned, in any order.

    Where inputs take few values this is the fit on all customers, however many, at the cost of few.
    """
    if min(stayed.sum(), churned.sum()) < MIN_OF_EITHER:
        return None
    outcome = np.repeat([False, True], stayed.size)
    counts = np.concatenate([stayed, churned])
    values = np.concatenate([inputs, inputs])
    order = np.lexsort((outcome, *values.T[::-1]))
    order = order[counts[order] > 0]
    return _logistic(values[order], outcome[order], counts[order], features)


def _logistic(values: Floats, outcome: NDArray[np.bool_], customers: Floats, features: Sequence[str]) -> LogisticModel:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean = np.average(values, axis=0, weights=customers)
    scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=customers))
    # a feature that is the same for all, up to the last digits of its mean, tells nothing
    varies = scale > 1e-9 * np.maximum(1.0, np.abs(mean))
    weights = np.zeros(values.shape[1])
    if not varies.any():
        share = float(np.average(outcome, weights=customers))
        return LogisticModel(tuple(features), float(np.log(share / (1 - share))), tuple(weights.tolist()))
    standardised = (values[:, varies] - mean[varies]) / scale[varies]
    # a few steps of Newton, where the default takes hundreds: there are many more customers than features
    model = LogisticRegression(C=1 / _PENALTY, solver="newton-cholesky", tol=1e-8)
    with threadpool_limits(limits=1):
        model.fit(standardised, outcome, sample_weight=customers)
    weights[varies] = model.coef_[0] / scale[varies]
    intercept = float(model.intercept_[0] - weights @ mean)
    return LogisticModel(tuple(features), intercept, tuple(weights.tolist()))


def fit_boosted(inputs: ArrayLike, churned: ArrayLike, features: Sequence[str]) -> BoostedModel | None:
    """Boost stumps, of which each asks one feature, so that their sum is a table.

    None where fewer than 50 churned or stayed. The order of rows makes no difference.
    """
    rows = _enough_rows(inputs, churned)
    return None if rows is None else tabulated(train_stumps(*rows), features)


def train_stumps(inputs: Floats, churned: NDArray[np.bool_]) -> object:
    """Scikit-learn's own model, before it becomes a table."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_leaf_nodes=2,
        max_iter=_ROUNDS,
        learning_rate=_LEARNING_RATE,
        min_samples_leaf=_MIN_SAMPLES_LEAF,
        l2_regularization=1.0,
        max_bins=_MAX_BINS,
        # early stopping would draw its own sample of the rows
        early_stopping=False,
        random_state=0,
    )
    # stumps are so quick to grow that threads would mostly wait for one another
    with threadpool_limits(limits=1, user_api="openmp"):
        return model.fit(inputs, churned)


def tabulated(model: object, features: Sequence[str]) -> BoostedModel:
    """Add up the stumps of a fitted HistGradientBoostingClassifier, feature by feature."""
    intercept = float(np.ravel(model._baseline_prediction)[0])
    changes: dict[int, dict[float, float]] = {}
    lowest: dict[int, float] = {}
    for (tree,) in model._predictors:
        root = tree.nodes[0]
        if root["is_leaf"]:
            intercept += float(root["value"])
            continue
        feature, threshold = int(root["feature_idx"]), float(root["num_threshold"])
        left, right = (float(tree.nodes[root[side]]["value"]) for side in ("left", "right"))
        # scikit-learn goes left up to and including the threshold: the next number is the first that does not
        edge = float(np.nextafter(threshold, np.inf))
        lowest[feature] = lowest.get(feature, 0.0) + left
        of_feature = changes.setdefault(feature, {})
        of_feature[edge] = of_feature.get(edge, 0.0) + right - left
    steps: list[Step] = []
    for feature in sorted(changes):
        steps += _steps(features[feature], lowest[feature], changes[feature])
    return BoostedModel(tuple(features), intercept, tuple(steps))


def _steps(feature: str, lowest: float, changes: Mapping[float, float]) -> list[Step]:
    edges = sorted(edge for edge in changes if np.isfinite(edge))
    scores = np.cumsum([lowest] + [changes[edge] for edge in edges]).tolist()
    return [
        Step(feature, from_value, below_value, score)
        for from_value, below_value, score in zip([None, *edges], [*edges, None], scores, strict=True)
    ]


def training_rows(inputs: ArrayLike, churned: ArrayLike, most: int = MAX_ROWS) -> tuple[Floats, NDArray[np.bool_]]:
    """Sort rows by what they hold, so that their order is irrelevant, and take every n-th of too many."""
    inputs, churned = np.asarray(inputs, dtype=np.float64), np.asarray(churned, dtype=np.bool_)
    if churned.size <= most and _are_sorted(inputs, churned):
        return inputs, churned
    order = np.lexsort((churned, *inputs.T[::-1]))
    if order.size > most:
        order = order[np.arange(most) * order.size // most]
    return inputs[order], churned[order]


def _are_sorted(inputs: Floats, churned: NDArray[np.bool_]) -> bool:
    """Whether rows are in the order that `training_rows` gives them: to look costs little, to sort again much."""
    differs = inputs[1:] != inputs[:-1]
    # the column that decides between a row and the next
    deciding = differs.argmax(axis=1)[:, None]
    rises = np.take_along_axis(inputs[1:], deciding, 1) > np.take_along_axis(inputs[:-1], deciding, 1)
    return bool(np.where(differs.any(axis=1), rises[:, 0], churned[1:] >= churned[:-1]).all())


def _enough_rows(inputs: ArrayLike, churned: ArrayLike) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Rows to learn from; None where too few churned or stayed."""
    inputs, churned = training_rows(inputs, churned)
    return None if min(churned.sum(), (~churned).sum()) < MIN_OF_EITHER else (inputs, churned)
