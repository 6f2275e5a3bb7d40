"""Cadence, lifecycle stages and growth of the active base, worked by hand."""

from dataclasses import replace

import pytest
from oracle.cadence import customer_cadence, population_mean_interval
from oracle.example_spellings import NEVER_LATE, SEEDS, customer, day, facts_of, order, purchases, rows
from oracle.lifecycle import customer_lifecycle, growth_accounting, lifecycle_transitions, reactivation_monthly


def test_cadence_leans_on_the_population_as_on_two_intervals_of_its_mean() -> None:
    # intervals 10 and 20: the population's mean is 15. ann: 4 intervals of 60 days in all, bob: 2 of 30 days
    facts = facts_of(purchases(ann="2024-01-01 2024-01-11 2024-01-31", bob="2024-01-01"), "2024-01-31")
    frame = customer_cadence(facts, SEEDS)
    assert rows(frame, "customer_id", "purchase_days", "median_interval_days", "expected_interval_days") == [
        ("ann", 3, 15, 15.0),
        ("bob", 1, None, 15.0),
    ]
    # ann bought today; of bob's beta of 30, 30 days have passed: 1 - (30 / 60)^2
    assert rows(frame, "purchase_due_probability") == [(0.0,), (0.75,)]
    # half of the time within 60 x (2^(1/4) - 1) = 11.4 days, and 30 x (2^(1/2) - 1) = 12.4 days
    assert rows(frame, "next_purchase_on") == [(day("2024-02-12"),), (day("2024-01-14"),)]


def test_the_population_mean_weighs_intervals_and_not_customers() -> None:
    histories = [[day("2024-01-01"), day("2024-01-03"), day("2024-01-05")], [day("2024-01-01"), day("2024-01-12")]]
    # (2 + 2 + 11) / 3
    assert population_mean_interval(histories) == 5
    assert population_mean_interval([[day("2024-01-01")], []]) is None


def test_the_rates_of_a_fit_take_the_place_of_the_mean_interval() -> None:
    # shape 0.5 and scale 30: even chances after 30 (2^2 - 1) = 90 days, 1 January to 31 March
    facts = replace(facts_of(purchases(ann="2024-01-01"), "2024-03-31"), fitted_rates=(0.5, 30.0))
    frame = customer_cadence(facts, SEEDS)
    assert rows(frame, "expected_interval_days", "next_purchase_on", "cadence_status") == [
        (60.0, day("2024-03-31"), "due")
    ]


@pytest.mark.parametrize(
    ("as_of", "status"),
    [
        # bob: 1 - (30 / (30 + t))^2 is .490 at t = 12, .513 at 13, .799 at 37, .805 at 38, .9499 at 104, .9506 at 105
        ("2024-01-31", "early"),
        ("2024-02-01", "due"),
        ("2024-02-25", "due"),
        ("2024-02-26", "overdue"),
        ("2024-05-02", "overdue"),
        ("2024-05-03", "lapsed"),
    ],
)
def test_the_status_follows_the_probability_that_the_next_purchase_had_come(as_of: str, status: str) -> None:
    facts = facts_of(purchases(ann="2024-01-01 2024-01-11 2024-01-31", bob="2024-01-19"), as_of)
    assert rows(customer_cadence(facts, SEEDS), "cadence_status", customer_id="bob") == [(status,)]


def test_without_any_second_purchase_nobody_has_a_cadence() -> None:
    frame = customer_cadence(facts_of(purchases(ann="2024-01-01"), "2024-03-31"), SEEDS)
    assert rows(frame) == [("ann", 1, None, None, None, None, "unknown")]


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        ("2024-11-30", "new"),
        ("2024-11-29", "developing"),
        # 180 days before 30 December is 3 July
        ("2024-07-03", "lapsed"),
        ("2024-07-04", "developing"),
        ("2024-09-01 2024-10-01 2024-11-01", "developing"),
        ("2024-08-01 2024-09-01 2024-10-01 2024-11-01", "loyal"),
        # back after 180 days, 30 days ago
        ("2024-06-03 2024-11-30", "reactivated"),
        ("2024-06-04 2024-11-30", "developing"),
        ("2024-06-02 2024-11-29", "developing"),
        # back, and bought again since
        ("2024-01-01 2024-12-05 2024-12-25", "reactivated"),
        # four purchase days, but gone or back
        ("2024-01-01 2024-02-01 2024-03-01 2024-04-01", "lapsed"),
        ("2024-01-01 2024-02-01 2024-03-01 2024-12-29", "reactivated"),
        # many purchase days, but the first is recent
        ("2024-12-01 2024-12-02 2024-12-03 2024-12-04", "new"),
    ],
)
def test_the_first_stage_that_holds_is_the_stage(days: str, stage: str) -> None:
    frame = customer_lifecycle(facts_of(purchases(ann=days), "2024-12-30"), NEVER_LATE)
    assert rows(frame) == [("ann", stage)]


def test_overdue_or_lapsed_by_own_cadence_is_at_risk_before_it_is_loyal() -> None:
    # a purchase a day, then none for 32: 1 - (5 / 37)^5 = .99995; about 31 days between purchases, then 4 of none
    late = purchases(ann="2024-10-01 2024-10-02 2024-10-03 2024-10-04")
    assert rows(customer_lifecycle(facts_of(late, "2024-11-05"), SEEDS)) == [("ann", "at_risk")]
    assert rows(customer_lifecycle(facts_of(late, "2024-11-05", new_customer_days=40), SEEDS)) == [("ann", "new")]
    steady = purchases(ann="2024-08-01 2024-09-01 2024-10-01 2024-11-01")
    assert rows(customer_lifecycle(facts_of(steady, "2024-11-05"), SEEDS)) == [("ann", "loyal")]


def test_whoever_registered_or_only_cancelled_is_a_prospect() -> None:
    facts = facts_of([order("bob", "2024-12-01", status="cancelled")], "2024-12-30", [customer("ann", "2024-01-01")])
    assert rows(customer_lifecycle(facts, SEEDS)) == [("ann", "prospect"), ("bob", "prospect")]


def test_transitions_run_from_month_end_to_month_end_and_last_to_the_as_of_date() -> None:
    known = [
        customer("ann", "2023-12-20"),
        customer("cid", "2024-02-10"),
        customer("dan", "2024-03-01"),
        customer("eve"),
    ]
    facts = facts_of(purchases(ann="2024-01-10", bob="2024-02-05"), "2024-02-20", known)
    january, february = day("2024-01-01"), day("2024-02-01")
    assert rows(lifecycle_transitions(facts, SEEDS)) == [
        (january, "prospect", "new", 1),
        (january, "prospect", "prospect", 1),
        (february, "new", "developing", 1),
        (february, "none", "new", 1),
        (february, "none", "prospect", 1),
        (february, "prospect", "prospect", 1),
    ]


def test_a_stage_of_the_past_knows_the_cadence_of_the_past() -> None:
    # until 29 February the only interval is 5 days: ann's 50 days of none give 1 - (15 / 65)^3 = .988.
    # in March an interval of 395 days makes the mean 200: her 81 days give 1 - (405 / 486)^3 = .421
    facts = facts_of(
        purchases(ann="2024-01-05 2024-01-10", bob="2023-02-10 2024-03-11"), "2024-03-31", lapsed_days=1000
    )
    transitions = lifecycle_transitions(facts, SEEDS)
    assert rows(transitions, month=day("2024-02-01")) == [
        (day("2024-02-01"), "at_risk", "at_risk", 1),
        (day("2024-02-01"), "new", "at_risk", 1),
    ]
    assert rows(transitions, month=day("2024-03-01")) == [(day("2024-03-01"), "at_risk", "developing", 2)]


def test_new_and_retained_and_reactivated_customers_are_the_active_ones() -> None:
    history = purchases(ann="2024-01-10 2024-02-10", bob="2024-01-31 2024-03-01", cid="2024-02-01")
    frame = growth_accounting(facts_of(history, "2024-03-15"))
    assert rows(frame) == [
        (day("2024-01-01"), 2, 0, 0, 0, 2, None),
        (day("2024-02-01"), 1, 1, 0, 1, 2, 1.0),
        (day("2024-03-01"), 0, 0, 1, 2, 1, 0.5),
    ]


def test_a_month_without_purchases_has_its_row() -> None:
    frame = growth_accounting(facts_of(purchases(ann="2024-01-10 2024-03-10"), "2024-04-01"))
    assert rows(frame, "churned_customers", "active_customers", "quick_ratio") == [
        (0, 1, None),
        (1, 0, 0.0),
        (0, 1, None),
        (1, 0, 0.0),
    ]


def test_a_customer_is_reactivated_in_a_month_that_began_180_days_after_the_last_purchase() -> None:
    # 180 days before 30 June is 2 January
    history = purchases(ann="2024-01-01", bob="2024-01-02 2024-07-31", cid="2024-01-03 2024-07-02")
    frame = reactivation_monthly(facts_of(history, "2024-08-10"))
    columns = ("lapsed_customers", "reactivated_customers", "reactivation_rate")
    assert rows(frame, *columns, month=day("2024-06-01")) == [(0, 0, None)]
    assert rows(frame, *columns, month=day("2024-07-01")) == [(2, 1, 0.5)]
    assert rows(frame, *columns, month=day("2024-08-01")) == [(1, 0, 0.0)]
    assert len(frame) == 8
