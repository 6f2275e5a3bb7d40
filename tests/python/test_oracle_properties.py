"""What must hold for every company, whatever the numbers are. Hypothesis draws the companies."""

import random
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from generators import Calendar, Company, companies, in_region, join_companies
from hypothesis import HealthCheck, given, settings
from oracle.business_days import business_day
from oracle.example_spellings import SEEDS
from oracle.marts import MARTS, compute_marts
from oracle.order_history import Facts, read_facts
from oracle.variables import Variables

FRAME = Calendar(date(2024, 3, 31))
SMALL = companies(FRAME, sizes=(0, 1, 2, 5, 12))
PER_CUSTOMER = ("customers", "orders", "customer_clv", "customer_rfm", "customer_cadence", "customer_lifecycle")
COUNTS = {
    "purchase_frequency": ["buyers", "purchase_days", "orders"],
    "repurchase_rates": ["buyers", "repeat_buyers"],
    "cohort_repurchase": ["cohort_customers", "repeat_customers"],
    "cohort_retention": ["cohort_customers", "retained_customers"],
    "time_to_second_purchase": ["at_risk", "events", "censored"],
    "retention_monthly": ["active_customers", "retained_customers"],
    "rfm_segment_transitions": ["customers"],
    "lifecycle_transitions": ["customers"],
    "growth_accounting": [
        "new_customers",
        "retained_customers",
        "reactivated_customers",
        "churned_customers",
        "active_customers",
    ],
    "reactivation_monthly": ["lapsed_customers", "reactivated_customers"],
}
DIMENSION_MARTS = (
    "purchase_frequency",
    "reactivation_monthly",
    "repurchase_rates",
    "retention_monthly",
    "time_to_second_purchase",
)

repeatable = settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def facts_of(company: Company, as_of: date = FRAME.as_of) -> Facts:
    return read_facts(company.orders_frame, company.customers_frame, as_of, Variables())


def marts_of(company: Company, as_of: date = FRAME.as_of) -> dict[str, pd.DataFrame]:
    return compute_marts(facts_of(company, as_of), SEEDS)


def assert_same(actual: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    for name, frame in expected.items():
        MARTS[name].assert_equal(actual[name], frame, name)


def edited(frame: pd.DataFrame, columns: list[str], edit: Any) -> pd.DataFrame:
    """The frame with `edit` applied to the cells of the columns that are not null."""
    changed = {
        column: pd.Series(
            [None if pd.isna(cell) else edit(cell) for cell in frame[column]], dtype=object, index=frame.index
        )
        for column in columns
    }
    return frame.assign(**changed)


def where(frame: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    return frame.loc[[cell == value for cell in frame[column]]]


@repeatable
@given(SMALL)
def test_the_order_of_the_rows_changes_nothing(company: Company) -> None:
    shuffled = Company(
        random.Random(1).sample(company.customers, len(company.customers)),
        random.Random(2).sample(company.orders, len(company.orders)),
    )
    assert_same(marts_of(shuffled), marts_of(company))


@repeatable
@given(SMALL)
def test_other_ids_change_nothing_but_the_ids(company: Company) -> None:
    renamed = marts_of(in_region(company, "r"))
    expected = marts_of(company)
    for name in PER_CUSTOMER:
        ids = [column for column in ("customer_id", "order_id") if column in expected[name].columns]
        expected[name] = edited(expected[name], ids, lambda text: f"r-{text}")
    assert_same(renamed, expected)


@repeatable
@given(SMALL)
def test_twice_the_company_has_twice_the_counts_and_the_same_rates(company: Company) -> None:
    single = marts_of(company)
    double = marts_of(join_companies([in_region(company, "a"), in_region(company, "b")]))
    for name, columns in COUNTS.items():
        expected = single[name]
        if name in DIMENSION_MARTS:
            # the interval narrows, and the regions are those of the halves
            expected = expected[expected["dimension"] == "all"].drop(
                columns=["repurchase_probability_low", "repurchase_probability_high"], errors="ignore"
            )
            double[name] = double[name][double[name]["dimension"] == "all"]
        expected = edited(expected, columns, lambda count: 2 * count)
        if "net_revenue" in expected.columns:
            expected = edited(expected, ["net_revenue"], lambda amount: 2 * amount)
        MARTS[name].assert_equal(double[name], expected, name)


@repeatable
@given(SMALL)
def test_half_of_a_doubled_company_keeps_its_scores_and_its_cadence(company: Company) -> None:
    single = marts_of(in_region(company, "a"))
    double = marts_of(join_companies([in_region(company, "a"), in_region(company, "b")]))
    for name in PER_CUSTOMER:
        half = double[name].loc[[cell.startswith("a-") for cell in double[name]["customer_id"]]]
        MARTS[name].assert_equal(half, single[name], name)


@repeatable
@given(SMALL)
def test_what_comes_after_the_as_of_date_changes_nothing(company: Company) -> None:
    zone = Variables().zone

    def later(moment: datetime | None) -> bool:
        return moment is not None and (business_day(moment, zone) or FRAME.as_of) > FRAME.as_of

    known = [
        row | {"refund_amount": None, "refunded_at": None} if later(row["refunded_at"]) else row
        for row in company.orders
        if not later(row["ordered_at"])
    ]
    buyers = {row["customer_id"] for row in known}
    registered = [row for row in company.customers if row["customer_id"] in buyers or not later(row["registered_at"])]
    assert_same(marts_of(Company(registered, known)), marts_of(company))


@repeatable
@given(SMALL)
def test_four_years_later_everything_is_the_same_four_years_later(company: Company) -> None:
    # from 1901 to 2099 the calendar repeats after 1461 days, leap days included
    four_years = timedelta(days=1461)

    def moved(rows: list[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
        return [row | {column: row[column] and row[column] + four_years for column in columns} for row in rows]

    later = Company(moved(company.customers, "registered_at"), moved(company.orders, "ordered_at", "refunded_at"))
    expected = marts_of(company)
    for name, frame in expected.items():
        dates = [column for column in frame.columns if any(isinstance(cell, date) for cell in frame[column])]
        expected[name] = edited(frame, dates, lambda day: day.replace(year=day.year + 4))
    assert_same(marts_of(later, FRAME.as_of.replace(year=2028)), expected)


@repeatable
@given(SMALL)
def test_a_past_month_end_reads_as_it_did_when_it_was_the_as_of_date(company: Company) -> None:
    # without what reaches back: a refund undoes a purchase that counted then, and someone without a date of
    # registration is taken to exist since always until the first order comes
    unrefunded = Company(
        [row for row in company.customers if row["registered_at"] is not None],
        [row | {"refund_amount": None, "refunded_at": None} for row in company.orders],
    )
    now = marts_of(unrefunded)
    then = marts_of(unrefunded, date(2023, 12, 31))
    for name, column, period in (
        ("repurchase_rates", "as_of_date", date(2023, 12, 31)),
        ("rfm_segment_transitions", "month", date(2023, 12, 1)),
        ("lifecycle_transitions", "month", date(2023, 12, 1)),
        ("growth_accounting", "month", date(2023, 12, 1)),
        ("reactivation_monthly", "month", date(2023, 12, 1)),
    ):
        if facts_of(unrefunded, date(2023, 12, 31)).buyers:
            of_now, of_then = (where(frames[name], column, period) for frames in (now, then))
            MARTS[name].assert_equal(of_now, of_then, name)


@repeatable
@given(SMALL)
def test_a_cancelled_order_changes_no_money_and_no_rate(company: Company) -> None:
    cancelled = [
        row
        | {
            "order_id": f"x-{row['order_id']}",
            "status": "cancelled",
            "ordered_at": row["ordered_at"] + timedelta(days=5),
        }
        for row in company.orders
    ]
    more = marts_of(Company(company.customers, company.orders + cancelled))
    expected = marts_of(company)
    for name in set(MARTS) - {"orders", "customers", "customer_lifecycle", "lifecycle_transitions"}:
        MARTS[name].assert_equal(more[name], expected[name], name)


@repeatable
@given(SMALL, SMALL)
def test_the_values_of_a_dimension_add_up_to_the_whole(one: Company, other: Company) -> None:
    marts = marts_of(join_companies([in_region(one, "a"), in_region(other, "b")]))
    for name, keys, count in (
        ("repurchase_rates", ["as_of_date", "window_days"], "buyers"),
        ("retention_monthly", ["month"], "active_customers"),
        ("reactivation_monthly", ["month"], "lapsed_customers"),
        ("purchase_frequency", ["period_grain", "period_start"], "buyers"),
        ("time_to_second_purchase", ["days"], "events"),
    ):
        frame = marts[name].loc[[cell > 0 for cell in marts[name][count]]]
        totals = {
            dimension: frame[frame["dimension"] == dimension].groupby(keys)[count].sum().to_dict()
            for dimension in ("all", *facts_of(one).dimensions)
        }
        assert all(total == totals["all"] for total in totals.values()), name


@repeatable
@given(SMALL)
def test_what_flows_into_a_month_is_what_flows_out_of_the_one_before(company: Company) -> None:
    marts = marts_of(company)
    growth = marts["growth_accounting"]
    parts = growth["new_customers"] + growth["retained_customers"] + growth["reactivated_customers"]
    assert list(parts) == list(growth["active_customers"])
    lost = growth["active_customers"].shift(1, fill_value=0) - growth["retained_customers"]
    assert list(lost) == list(growth["churned_customers"])

    for name, state in (("lifecycle_transitions", "stage"), ("rfm_segment_transitions", "segment")):
        frame = marts[name]
        arrived = frame.groupby(["month", f"to_{state}"])["customers"].sum()
        left = frame.groupby(["month", f"from_{state}"])["customers"].sum()
        months = sorted(set(frame["month"]))
        for earlier, later in zip(months, months[1:], strict=False):
            assert _counts(arrived[earlier]) == _counts(left[later]), (name, later)


def _counts(series: pd.Series) -> dict[str, int]:
    return {state: count for state, count in series.items() if state != "none"}


@repeatable
@given(SMALL)
def test_the_stage_of_today_is_where_the_last_transition_arrives(company: Company) -> None:
    marts = marts_of(company)
    last = where(marts["lifecycle_transitions"], "month", date(2024, 3, 1))
    arrived = last.groupby("to_stage")["customers"].sum().to_dict()
    assert arrived == marts["customer_lifecycle"]["lifecycle_stage"].value_counts().to_dict()


def test_every_mart_has_a_property() -> None:
    assert set(COUNTS) | set(PER_CUSTOMER) == set(MARTS)


@pytest.mark.parametrize("name", sorted(MARTS))
def test_a_company_of_nobody_has_all_columns_of_every_mart(name: str) -> None:
    some = marts_of(Company())[name]
    full = MARTS[name].compute(facts_of(Company([], [_one_order()])), SEEDS)
    assert list(some.columns) == list(full.columns)


def _one_order() -> dict[str, Any]:
    return {
        "order_id": "o",
        "customer_id": "c",
        "ordered_at": datetime(2024, 3, 1),
        "status": "paid",
        "order_amount": 1,
        "cost_amount": None,
        "refund_amount": None,
        "refunded_at": None,
    }
