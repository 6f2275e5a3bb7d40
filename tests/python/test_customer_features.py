"""Features and outcomes of customers: against the raw rows, and against a future that is another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import STARTED_AT, Dbt, World
from customer_features_by_hand import (
    AS_OF,
    CUT,
    HORIZONS,
    Past,
    churn_inputs_of,
    features_on,
    outcomes_of,
    past_company,
)

from orchestration.contract import Contract
from orchestration.engines.duckdb.build import build_database, open_build, register
from orchestration.landing.land import land
from orchestration.predictive.churn_features import CHURN_FEATURES
from orchestration.settings import WAREHOUSE_DIR, load_settings
from orchestration.value_rules import value_rules

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("customer_features")]

MODELS = ("+int_churn_inputs_prepared", "+int_customer_outcomes_counted")
BUILD_FEATURES = ("build", "--select", *MODELS, "--indirect-selection", "cautious", "--exclude-resource-type")
CHECKED, UNCHECKED = (*BUILD_FEATURES, "unit_test"), (*BUILD_FEATURES, "unit_test", "test")


@pytest.fixture(scope="module")
def past() -> Past:
    return past_company(1)


@pytest.fixture(scope="module")
def build_past(
    tmp_path_factory: pytest.TempPathFactory, dbt: Dbt, contract: Contract
) -> Callable[[Past, str, date, tuple[str, ...]], World]:
    """Build the features of a past as a refit does: those of the month ends before the as-of date as well."""

    def build(past: Past, name: str, as_of: date, arguments: tuple[str, ...]) -> World:
        folder = tmp_path_factory.mktemp(name)
        raw = past.write(folder / "raw")
        settings = load_settings({"STICKINESS_RAW_DIR": str(raw), WAREHOUSE_DIR: str(folder / "warehouse")})
        settings = replace(settings, as_of=as_of)
        landing = land(settings.raw_dir, settings.landing_dir, contract, value_rules(settings), settings.dialects)
        register(landing, settings, contract, build_database(settings.warehouse), "test", STARTED_AT)
        with open_build(build_database(settings.warehouse)) as connection:
            connection.execute("INSERT INTO predictive.refit_requests VALUES (TIMESTAMP '2025-11-18 01:00:00')")
        return World(settings, landing, dbt.invoke(settings.warehouse, *arguments))

    return build


@pytest.fixture(scope="module")
def world(past: Past, build_past: Callable[..., World]) -> World:
    return build_past(past, "past", AS_OF, CHECKED)


@pytest.fixture(scope="module")
def other_future(past: Past, build_past: Callable[..., World]) -> World:
    return build_past(past.followed_by(past_company(2), CUT), "other_future", AS_OF, UNCHECKED)


@pytest.fixture(scope="module")
def at_the_cut(past: Past, build_past: Callable[..., World]) -> World:
    return build_past(past, "at_the_cut", CUT, UNCHECKED)


def feature_dates(as_of: date) -> list[date]:
    """The as-of date and the ends of the 25 months before its own."""
    months = pd.period_range(end=pd.Period(as_of, "M") - 1, periods=25, freq="M")
    return [*(month.end_time.date() for month in months), as_of]


def features(world: World, until: date = date.max) -> pd.DataFrame:
    frame = world.frame("select * from intermediate.int_customer_features order by as_of_date, customer_id")
    return frame[frame["as_of_date"] <= until].reset_index(drop=True)


def outcomes(world: World) -> pd.DataFrame:
    return world.frame(
        "select * from intermediate.int_customer_outcomes_counted order by as_of_date, customer_id, horizon_days"
    )


def test_features_are_those_of_the_month_ends_of_25_months_and_of_the_as_of_date(world: World) -> None:
    found = world.rows("select as_of_date, is_as_of from intermediate.int_feature_dates_listed order by as_of_date")
    assert found == [(day, day == AS_OF) for day in feature_dates(AS_OF)]
    assert found[0][0] == date(2023, 10, 31)
    assert sorted(features(world)["as_of_date"].unique()) == [day for day, _ in found]


def test_features_are_what_the_raw_rows_say_of_the_day(world: World, past: Past) -> None:
    frame = features(world)
    columns = list(frame.columns[2:])
    assert set(columns) == set(next(iter(features_on(past, CUT).values())))
    found = {(row[0], row[1]): row[2:] for row in frame.itertuples(index=False, name=None)}
    expected = {
        (day, customer): tuple(_exact(row, column) for column in columns)
        for day in feature_dates(AS_OF)
        for customer, row in features_on(past, day).items()
    }
    assert found == expected


def _exact(row: dict[str, Any], column: str) -> Any:
    """What is not a whole number is compared to 12 digits, and an amount that was divided to the last decimal."""
    value = row[column]
    if column == "mean_interval_days" and value is not None:
        return pytest.approx(value, rel=1e-12)
    if column == "repeat_net_revenue_per_purchase_day" and value is not None:
        return pytest.approx(value, abs=Decimal("0.0001"), rel=0)
    return value


def test_the_company_is_one_that_can_tell(world: World) -> None:
    found = features(world)
    on_cut = found[found["as_of_date"] == CUT]
    for column in ("is_programme_member", "nps_score", "complaints_90d", "r_score", "purchase_days_previous_90d"):
        assert on_cut[column].nunique() > 1, column
    assert (on_cut["nps_answered_on"] == CUT - timedelta(days=364)).any()
    assert (on_cut["last_purchase_on"] == CUT).any()
    assert on_cut["nps_score"].eq(0).any()


def test_churn_inputs_are_the_features_on_the_scale_of_a_model(world: World, past: Past) -> None:
    found = world.frame("select * from intermediate.int_churn_inputs_prepared order by as_of_date, customer_id")
    assert tuple(found.columns) == ("as_of_date", "customer_id", *CHURN_FEATURES)
    for day in (CUT, AS_OF):
        of_day = found[found["as_of_date"] == day].set_index("customer_id")[list(CHURN_FEATURES)].astype(float)
        rows = features_on(past, day)
        expected = pd.DataFrame([churn_inputs_of(rows[customer]) for customer in of_day.index])
        assert len(of_day) == len(rows)
        np.testing.assert_allclose(of_day.to_numpy(), expected[list(CHURN_FEATURES)].to_numpy(), rtol=1e-12, atol=1e-15)


def test_outcomes_are_what_was_bought_after_the_day(world: World, past: Past) -> None:
    found = {
        (row.as_of_date, row.customer_id, row.horizon_days): (row.purchase_days, row.net_revenue)
        for row in outcomes(world).itertuples()
    }
    expected = {
        (day, *key): (days, revenue.quantize(Decimal("0.0001")))
        for day in feature_dates(AS_OF)[:-1]
        for key, (days, revenue) in outcomes_of(past, day, AS_OF).items()
    }
    assert found == expected
    # someone came on the last day of a horizon from the cut, and someone on the day of the cut
    assert any(found[CUT, customer, 30][0] for customer in features_on(past, CUT))
    assert {horizon for _, _, horizon in found} == set(HORIZONS)


def test_another_future_changes_nothing_that_was_known_before(world: World, other_future: World) -> None:
    pd.testing.assert_frame_equal(features(world, CUT), features(other_future, CUT))
    changed = features(world)[len(features(world, CUT)) :]
    assert not changed.reset_index(drop=True).equals(
        features(other_future)[len(features(other_future, CUT)) :].reset_index(drop=True)
    )
    here, there = outcomes(world), outcomes(other_future)
    over = [
        frame[
            [day + timedelta(days=int(days)) <= CUT for day, days in frame[["as_of_date", "horizon_days"]].to_numpy()]
        ]
        for frame in (here, there)
    ]
    assert len(over[0]) > 1000
    pd.testing.assert_frame_equal(over[0].reset_index(drop=True), over[1].reset_index(drop=True))


def test_what_was_built_on_the_day_is_what_a_later_build_says_of_it(world: World, at_the_cut: World) -> None:
    assert at_the_cut.as_of == CUT
    then, now = features(at_the_cut), features(world, CUT)
    # the later build looks back less far
    then = then[then["as_of_date"] >= now["as_of_date"].min()].reset_index(drop=True)
    pd.testing.assert_frame_equal(then, now)
    assert (then["as_of_date"] == CUT).any()
    assert outcomes(at_the_cut)["as_of_date"].max() == date(2025, 4, 30)
