"""Supervised models of churn, which SQL has to score like Python, and the baselines that a model has to beat."""

from __future__ import annotations

import re
from datetime import date

import duckdb
import numpy as np
import pytest
from scipy.special import expit, logit

from orchestration.predictive.baselines import CellMeans, RecencyChurn, RfmChurn, continued, rate_churn
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.predictive.churn_models import (
    MAX_ROWS,
    BoostedModel,
    LogisticModel,
    fit_boosted,
    fit_logistic,
    fit_logistic_on_counts,
    tabulated,
    train_stumps,
    training_rows,
)
from orchestration.predictive.snapshots import Outcome, Snapshot
from orchestration.settings import ROOT

FEATURES = ("log_days", "purchases", "is_member", "constant")
Training = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def training() -> Training:
    """3,000 customers; churn rises with the logarithm of days, jumps at 3 purchases, and is the same for members."""
    random = np.random.default_rng(5)
    inputs = np.column_stack(
        [
            np.log1p(random.integers(0, 400, 3000)),
            random.integers(0, 12, 3000).astype(float),
            random.integers(0, 2, 3000).astype(float),
            np.full(3000, 0.1),
        ]
    )
    odds = -2 + 0.8 * inputs[:, 0] - 2.0 * (inputs[:, 1] >= 3)
    return inputs, random.random(3000) < expit(odds)


@pytest.fixture(scope="module")
def boosted(training: Training) -> BoostedModel:
    return fit_boosted(*training, FEATURES)


def test_the_table_of_steps_is_the_model_of_scikit_learn_also_on_its_thresholds(training: Training) -> None:
    inputs, churned = training
    model = train_stumps(inputs, churned)
    table = tabulated(model, FEATURES)
    thresholds = {
        (int(tree.nodes[0]["feature_idx"]), float(tree.nodes[0]["num_threshold"])) for (tree,) in model._predictors
    }
    assert len(thresholds) > 20
    rows = [inputs, inputs[:1] - 1e6, inputs[:1] + 1e6]
    for feature, threshold in thresholds:
        for value in (threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)):
            row = inputs[:3].copy()
            row[:, feature] = value
            rows.append(row)
    rows = np.concatenate(rows)
    assert np.abs(table.predict(rows) - model.predict_proba(rows)[:, 1]).max() < 1e-12


def test_sql_on_the_stored_steps_scores_like_python(training: Training, boosted: BoostedModel) -> None:
    edges = sorted({step.from_value for step in boosted.steps if step.from_value is not None})
    rows = np.concatenate([training[0][:200], np.column_stack([edges] * 4)])
    with duckdb.connect() as connection:
        connection.execute("create table steps (feature varchar, from_value double, below_value double, score double)")
        connection.executemany(
            "insert into steps values (?, ?, ?, ?)",
            [[step.feature, step.from_value, step.below_value, step.score] for step in boosted.steps],
        )
        connection.execute("create table inputs (row_number integer, feature varchar, value double)")
        connection.executemany(
            "insert into inputs values (?, ?, ?)",
            [
                [number, name, float(value)]
                for number, row in enumerate(rows)
                for name, value in zip(FEATURES, row, strict=True)
            ],
        )
        scores = connection.execute(
            """
            select sum(score) from inputs inner join steps on inputs.feature = steps.feature
            and (from_value is null or value >= from_value) and (below_value is null or value < below_value)
            group by row_number order by row_number
            """
        ).fetchall()
    scored = expit(boosted.intercept + np.array(scores)[:, 0])
    assert np.abs(scored - boosted.predict(rows)).max() < 1e-12


def test_the_steps_of_a_feature_follow_on_one_another(boosted: BoostedModel) -> None:
    for name in {step.feature for step in boosted.steps}:
        steps = [step for step in boosted.steps if step.feature == name]
        assert steps[0].from_value is None and steps[-1].below_value is None
        bounds = [step.below_value for step in steps[:-1]]
        assert bounds == [step.from_value for step in steps[1:]]
        assert all(low < high for low, high in zip(bounds[:-1], bounds[1:], strict=True))


def test_boosting_finds_a_jump_that_a_weighted_sum_cannot(training: Training, boosted: BoostedModel) -> None:
    inputs, _ = training
    truth = expit(-2 + 0.8 * inputs[:, 0] - 2.0 * (inputs[:, 1] >= 3))
    by_sum = fit_logistic(*training, FEATURES).predict(inputs)
    assert np.mean((boosted.predict(inputs) - truth) ** 2) < np.mean((by_sum - truth) ** 2) / 2


def test_the_weights_are_where_the_penalised_likelihood_is_flat(training: Training) -> None:
    """The gradient, worked out apart: sum of (p - churned) * z + 10 * weight of z, z being the standardised input."""
    inputs, churned = training
    model = fit_logistic(*training, FEATURES)
    scale = inputs[:, :3].std(axis=0)
    z = (inputs[:, :3] - inputs[:, :3].mean(axis=0)) / scale
    surplus = model.predict(inputs) - churned
    assert abs(surplus.sum()) < 1e-2
    assert np.abs(z.T @ surplus + 10 * np.array(model.weights[:3]) * scale).max() < 1e-2


def test_a_constant_feature_has_no_say(training: Training, boosted: BoostedModel) -> None:
    assert fit_logistic(*training, FEATURES).weights[3] == 0
    assert "constant" not in {step.feature for step in boosted.steps}


def test_constant_inputs_alone_give_everybody_the_rate_of_all() -> None:
    churned = np.arange(400) < 100
    inputs = np.full((400, 2), 0.1)
    assert fit_logistic(inputs, churned, ("a", "b")).predict(inputs) == pytest.approx(0.25)
    assert fit_boosted(inputs, churned, ("a", "b")).predict(inputs) == pytest.approx(0.25)


def test_the_order_of_customers_makes_no_difference(training: Training, boosted: BoostedModel) -> None:
    inputs, churned = training
    order = np.random.default_rng(1).permutation(churned.size)
    assert fit_logistic(inputs[order], churned[order], FEATURES) == fit_logistic(*training, FEATURES)
    assert fit_boosted(inputs[order], churned[order], FEATURES) == boosted


def test_rows_are_put_in_one_order_whatever_order_they_come_in(training: Training) -> None:
    """Sorted one after the other by Python; rows in order already, and rows in order but for their outcome, too."""
    inputs, churned = training
    inputs = np.round(inputs[:, [2, 1, 0]], 0)
    expected = sorted(zip(inputs.tolist(), churned.tolist(), strict=True))
    assert len({tuple(row) for row, _ in expected}) < len(expected) / 10
    by_inputs = [place for _, place in sorted((row, -place) for place, row in enumerate(inputs.tolist()))]
    in_order = training_rows(inputs, churned)
    for rows, outcome in ((inputs, churned), in_order, (inputs[np.abs(by_inputs)], churned[np.abs(by_inputs)])):
        found = training_rows(rows, outcome)
        assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == expected


def test_customers_counted_by_their_inputs_give_the_model_of_all_customers(training: Training) -> None:
    inputs, churned = training
    values = np.arange(12.0)
    left, all_of = (np.bincount(inputs[rows, 1].astype(int), minlength=12) for rows in (churned, churned | True))
    counted = fit_logistic_on_counts(values[:, None], (all_of - left).astype(float), left.astype(float), ("purchases",))
    one_by_one = fit_logistic(inputs[:, [1]], churned, ("purchases",))
    assert counted.parameters == pytest.approx(one_by_one.parameters, rel=1e-9)


@pytest.mark.parametrize("churners", [0, 49, 951, 1000])
def test_there_is_no_model_of_fewer_than_fifty_who_churned_or_stayed(churners: int) -> None:
    inputs = np.random.default_rng(2).random((1000, 2))
    churned = np.arange(1000) < churners
    assert fit_logistic(inputs, churned, ("a", "b")) is None
    assert fit_boosted(inputs, churned, ("a", "b")) is None


def test_more_customers_than_are_needed_give_nearly_the_same_model() -> None:
    random = np.random.default_rng(3)
    inputs = random.normal(size=(MAX_ROWS * 2, 2))
    churned = random.random(MAX_ROWS * 2) < expit(inputs @ [1.0, -0.5])
    assert fit_logistic(inputs, churned, ("a", "b")).weights == pytest.approx([1.0, -0.5], abs=0.03)


def test_a_logistic_model_comes_back_from_its_parameters(training: Training) -> None:
    model = fit_logistic(*training, FEATURES)
    assert list(model.parameters) == ["intercept", *(f"weight_{name}" for name in FEATURES)]
    assert LogisticModel.of(FEATURES, model.parameters) == model


def snapshot(r: list[int], f: list[int], m: list[int], T: list[float], bought: list[float]) -> Snapshot:
    count = len(r)
    zeros = np.zeros(count)
    return Snapshot(
        date=date(2024, 1, 31),
        x=zeros,
        t_x=zeros,
        T=np.array(T),
        repeat_spend=np.full(count, np.nan),
        inputs=np.zeros((count, len(CHURN_FEATURES))),
        r_score=np.array(r, dtype=float),
        f_score=np.array(f, dtype=float),
        m_score=np.array(m, dtype=float),
        purchase_days_365d=np.array(bought),
        net_revenue_365d=np.array(bought) * 10,
        outcomes={},
    )


def test_the_recency_baseline_is_the_mean_of_those_with_the_score() -> None:
    """Scores 5, 5, 2 went on to buy 3, 1, 0: 2 for a 5, 0 for a 2. A 4 takes after a 5, a 0 after a 2."""
    known = snapshot([5, 5, 2], [1, 2, 1], [1, 1, 1], [100.0] * 3, [1.0] * 3)
    means = CellMeans.fit(known, np.array([3.0, 1.0, 0.0]))
    assert means.by_recency.tolist() == [0, 0, 0, 0, 2, 2]
    assert means.predict_by_recency(known).tolist() == [2, 2, 0]


def test_an_rfm_cell_of_few_is_near_the_mean_of_its_recency_score() -> None:
    """Cell 5-1-1 has one customer with 3, its recency score a mean of 2: (3 + 20 * 2) / 21. Cell 5-5-5 has none: 2."""
    known = snapshot([5, 5, 2], [1, 2, 1], [1, 1, 1], [100.0] * 3, [1.0] * 3)
    means = CellMeans.fit(known, np.array([3.0, 1.0, 0.0]))
    assert means.predict_by_cell(known) == pytest.approx([43 / 21, 41 / 21, 0])
    assert means.predict_by_cell(snapshot([5], [5], [5], [100.0], [1.0])) == pytest.approx([2])


def test_last_years_rate_goes_on() -> None:
    """10 days in 365 are 73 * 10 / 365 = 2 in 73; for a customer of 19 days 1 day in 20 is 3.65 in 73."""
    known = snapshot([5, 5], [1, 1], [1, 1], [800.0, 19.0], [10.0, 1.0])
    assert continued(known.purchase_days_365d, known, 73) == pytest.approx([2, 3.65])
    assert rate_churn(known, 73) == pytest.approx(np.exp([-2, -3.65]))


def test_churn_baselines_learn_what_they_look_at() -> None:
    random = np.random.default_rng(4)
    days = random.integers(1, 300, 5000).astype(float)
    known = snapshot([*random.integers(1, 6, 5000)], [1] * 5000, [1] * 5000, [*days], [1.0] * 5000)
    truth = expit(-3 + np.log1p(days))
    recency = RecencyChurn.fit(known, random.random(5000) < truth)
    assert np.abs(logit(recency.predict(known)) - logit(truth)).mean() < 0.2
    rfm = RfmChurn.fit(known, random.random(5000) < expit(2 - known.r_score))
    assert np.abs(logit(rfm.predict(known)) - (2 - known.r_score)).mean() < 0.2
    assert RecencyChurn.fit(known, np.zeros(5000, dtype=bool)) is None


def test_the_features_are_those_of_the_model_in_sql_in_its_order() -> None:
    sql = (ROOT / "models" / "intermediate" / "churn" / "int_churn_inputs_prepared.sql").read_text(encoding="utf-8")
    final = sql[sql.index("final as (") :]
    columns = re.findall(r"\bas (\w+),?$", final, flags=re.MULTILINE)
    assert tuple(columns) == CHURN_FEATURES


def test_a_snapshot_refuses_columns_that_do_not_fit_together() -> None:
    known = snapshot([5, 5], [1, 1], [1, 1], [800.0, 19.0], [10.0, 1.0])
    values = {name: getattr(known, name) for name in known.__dataclass_fields__}
    with pytest.raises(ValueError, match="differ in length"):
        Snapshot(**values | {"x": np.zeros(3)})
    with pytest.raises(ValueError, match="differ in length"):
        Snapshot(**values | {"outcomes": {30: Outcome(np.zeros(1), np.zeros(2))}})
    with pytest.raises(ValueError, match="CHURN_FEATURES"):
        Snapshot(**values | {"inputs": np.zeros((2, 3))})
    with pytest.raises(ValueError, match="gaps"):
        Snapshot(**values | {"inputs": np.full((2, len(CHURN_FEATURES)), np.nan)})
