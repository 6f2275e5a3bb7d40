"""Repurchase, cohorts and retention, worked by hand."""

from decimal import Decimal

import pytest
from oracle.example_spellings import SEEDS, customer, day, facts_of, order, purchases, rows
from oracle.repurchase import cohort_repurchase, repurchase_rates, time_to_second_purchase
from oracle.retention import cohort_retention, retention_monthly

BOUNDS = ("repurchase_probability_low", "repurchase_probability_high")


def test_the_window_ends_on_the_as_of_date_and_leaves_out_the_day_w_days_before() -> None:
    # 30 days before 31 March is 1 March
    facts = facts_of(purchases(ann="2024-03-02 2024-03-31", bob="2024-03-01 2024-03-31"), "2024-03-31")
    frame = repurchase_rates(facts, SEEDS)
    rates = rows(frame, "window_days", "buyers", "repeat_buyers", "repurchase_rate", dimension="all")
    assert rates == [(30, 2, 1, 0.5), (60, 2, 2, 1.0), (90, 2, 2, 1.0), (180, 2, 2, 1.0), (365, 2, 2, 1.0)]


def test_two_orders_on_one_day_are_no_repurchase() -> None:
    facts = facts_of([order("ann", "2024-03-10T08:00:00"), order("ann", "2024-03-10T20:00:00")], "2024-03-31")
    assert rows(repurchase_rates(facts, SEEDS), "buyers", "repeat_buyers", window_days=30) == [(1, 0)]


@pytest.mark.parametrize(
    ("as_of", "dates"),
    [
        ("2024-03-10", ["2024-01-31", "2024-02-29", "2024-03-10"]),
        ("2024-02-29", ["2024-01-31", "2024-02-29"]),
        ("2024-01-20", ["2024-01-20"]),
    ],
)
def test_rates_are_taken_at_each_month_end_and_once_at_the_as_of_date(as_of: str, dates: list[str]) -> None:
    frame = repurchase_rates(facts_of(purchases(ann="2024-01-15"), as_of), SEEDS)
    assert rows(frame, "as_of_date", window_days=30, dimension="all") == [(day(each),) for each in dates]


def test_a_window_without_buyers_has_a_row_for_the_whole_and_no_rate() -> None:
    facts = facts_of(purchases(ann="2024-01-15"), "2024-02-29", [customer("ann", region="north")])
    frame = repurchase_rates(facts, SEEDS)
    columns = ("dimension", "dimension_value", "buyers", "repurchase_rate")
    assert rows(frame, *columns, as_of_date=day("2024-02-29"), window_days=30) == [("all", "all", 0, None)]
    assert rows(frame, *columns, as_of_date=day("2024-02-29"), window_days=60) == [
        ("all", "all", 1, 0.0),
        ("region", "north", 1, 0.0),
    ]


def test_a_company_without_a_purchase_has_rates_of_nothing_on_the_as_of_date_alone() -> None:
    frame = repurchase_rates(facts_of([], "2024-02-10", [customer("ann", region="north")]), SEEDS)
    assert rows(frame, "as_of_date", "window_days", "buyers", "repurchase_rate") == [
        (day("2024-02-10"), window, 0, None) for window in (30, 60, 90, 180, 365)
    ]


def test_a_customer_who_returns_on_day_30_counts_for_horizon_30_and_on_day_31_does_not() -> None:
    facts = facts_of(purchases(ann="2024-01-01 2024-01-31", bob="2024-01-01 2024-02-01"), "2024-12-31")
    frame = cohort_repurchase(facts, SEEDS)
    assert rows(frame, "horizon_days", "repeat_customers", "repurchase_rate", is_mature=True) == [
        (30, 1, 0.5),
        (60, 2, 1.0),
        (90, 2, 1.0),
        (180, 2, 1.0),
    ]


@pytest.mark.parametrize(
    ("as_of", "row"),
    [("2024-02-29", (1, None, None, False)), ("2024-03-01", (1, 1, 1.0, True))],
)
def test_a_cohort_is_mature_when_its_last_day_has_had_the_whole_horizon(as_of: str, row: tuple) -> None:
    # 31 January and 30 days is 1 March
    frame = cohort_repurchase(facts_of(purchases(ann="2024-01-01 2024-01-02"), as_of), SEEDS)
    assert rows(frame, "cohort_customers", "repeat_customers", "repurchase_rate", "is_mature", horizon_days=30) == [row]


def test_a_cohort_has_a_row_for_every_month_up_to_the_unfinished_one() -> None:
    history = [
        order("ann", "2024-01-10", "10.00"),
        order("ann", "2024-03-05", "20.00"),
        order("bob", "2024-01-20", "5.00"),
    ]
    frame = cohort_retention(facts_of(history, "2024-03-15"))
    january = day("2024-01-01")
    assert rows(frame) == [
        (january, 0, 2, 2, 1.0, Decimal("15.00"), Decimal("7.5"), True),
        (january, 1, 2, 0, 0.0, Decimal("0"), Decimal("7.5"), True),
        (january, 2, 2, 1, 0.5, Decimal("20.00"), Decimal("17.5"), False),
    ]


def test_active_at_month_start_is_a_purchase_in_the_90_days_before() -> None:
    # 90 days before 1 April 2024 is 2 January
    facts = facts_of(purchases(ann="2024-01-02", bob="2024-01-01", cid="2024-03-31", dan="2024-04-01"), "2024-04-30")
    assert rows(retention_monthly(facts), "active_customers", month=day("2024-04-01")) == [(2,)]


@pytest.mark.parametrize(
    ("as_of", "row"),
    # 90 days from 1 April on end with 29 June
    [("2024-06-28", (3, None, None, None)), ("2024-06-29", (3, 2, 2 / 3, 1 / 3))],
)
def test_retention_is_null_until_its_90_days_are_over(as_of: str, row: tuple) -> None:
    history = purchases(ann="2024-03-01 2024-04-01", bob="2024-03-01 2024-06-29", cid="2024-03-01 2024-06-30")
    columns = ("active_customers", "retained_customers", "retention_rate", "churn_rate")
    assert rows(retention_monthly(facts_of(history, as_of)), *columns, month=day("2024-04-01")) == [row]


def test_retention_begins_in_the_month_after_the_first_purchase() -> None:
    frame = retention_monthly(facts_of(purchases(ann="2023-12-31"), "2024-02-29"))
    assert rows(frame, "month") == [(day("2024-01-01"),), (day("2024-02-01"),)]
    assert rows(retention_monthly(facts_of(purchases(ann="2023-12-01"), "2023-12-31"))) == []


def test_time_to_second_purchase_is_censored_on_the_as_of_date() -> None:
    # events after 10 and 20 days, censored after 20, 30 and 0 days
    history = purchases(
        ann="2024-01-01 2024-01-11", bob="2024-01-01 2024-01-21", cid="2024-01-11", dan="2024-01-01", eve="2024-01-31"
    )
    frame = time_to_second_purchase(facts_of(history, "2024-01-31"))
    columns = ("days", "at_risk", "events", "censored", "repurchase_probability")
    assert rows(frame, *columns, dimension="all") == [
        (0, 5, 0, 1, 0.0),
        (10, 4, 1, 0, 0.25),
        (20, 3, 1, 1, 0.5),
        (30, 1, 0, 1, 0.5),
    ]
    # S = 3/4, Greenwood 1/(4x3); log(-log S) = -1.24590 and its standard error .288675/.287682 = 1.00345
    (interval,) = rows(frame, *BOUNDS, days=10)
    assert interval == pytest.approx((0.03945, 0.87205), abs=1e-5)
    assert rows(frame, *BOUNDS, days=0) == [(None, None)]


def test_when_everybody_came_back_the_interval_is_undefined() -> None:
    frame = time_to_second_purchase(facts_of(purchases(ann="2024-01-01 2024-01-11"), "2024-01-31"))
    assert rows(frame, "days", "repurchase_probability", *BOUNDS) == [(10, 1.0, None, None)]
