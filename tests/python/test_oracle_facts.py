"""What counts as of a date, worked by hand."""

from decimal import Decimal

import pandas as pd
import pytest
from oracle.example_spellings import customer, day, facts_of, order, purchases, rows
from oracle.first_purchases import read_lines
from oracle.orders import customer_clv, customers, orders, purchase_frequency
from oracle.seeds import Seeds, age_band


@pytest.mark.parametrize(
    ("zone", "moment", "business_day"),
    [
        ("Asia/Shanghai", "2024-02-28T15:59:59.999999", "2024-02-28"),
        ("Asia/Shanghai", "2024-02-28T16:00:00", "2024-02-29"),
        # New York is five hours behind UTC before its clocks change on 2024-03-10, and four after
        ("America/New_York", "2024-03-10T04:59:59", "2024-03-09"),
        ("America/New_York", "2024-03-10T05:00:00", "2024-03-10"),
        ("America/New_York", "2024-03-11T03:59:59", "2024-03-10"),
        ("America/New_York", "2024-03-11T04:00:00", "2024-03-11"),
        ("UTC", "2024-12-31T23:59:59", "2024-12-31"),
    ],
)
def test_an_order_falls_on_the_local_day_of_the_business(zone: str, moment: str, business_day: str) -> None:
    facts = facts_of([order("ann", moment)], "2024-12-31", business_timezone=zone)
    assert facts.orders[0].ordered_on == day(business_day)


def test_an_order_counts_until_local_midnight_ends_the_as_of_day() -> None:
    late = [order("ann", "2024-02-29T15:59:59"), order("ann", "2024-02-29T16:00:00")]
    facts = facts_of(late, "2024-02-29", business_timezone="Asia/Shanghai")
    assert [counted.order_id for counted in facts.orders] == ["o1"]


RETURNED = {"status": "returned", "shipping_amount": "1.50", "tax_amount": "0.50"}


@pytest.mark.parametrize(
    ("amount", "fields", "is_valid", "net_revenue"),
    [
        ("10.00", {}, True, "10.00"),
        ("10.00", {"status": "cancelled"}, False, "10.00"),
        ("10.00", {"status": "returned"}, True, "10.00"),
        ("10.00", {"refund_amount": "4.00", "refunded_at": "2024-03-31T23:59:59"}, True, "6.00"),
        ("10.00", {"refund_amount": "4.00", "refunded_at": "2024-04-01T00:00:00"}, True, "10.00"),
        ("10.00", {"refund_amount": "4.00"}, True, "6.00"),
        ("10.00", {"refund_amount": "9.99"}, True, "0.01"),
        ("10.00", {"refund_amount": "10.00"}, False, "0.00"),
        ("10.00", {"refund_amount": "10.00", "refunded_at": "2024-04-01T00:00:00"}, True, "10.00"),
        ("10.00", {"refund_amount": "12.50"}, False, "-2.50"),
        # of 10.00, shipping and tax are 2.00 together
        ("10.00", RETURNED | {"refund_amount": "8.00"}, False, "2.00"),
        ("10.00", RETURNED | {"refund_amount": "7.99"}, True, "2.01"),
        ("10.00", RETURNED | {"refund_amount": "10.00"}, False, "0.00"),
        ("10.00", RETURNED | {"refund_amount": "8.00", "refunded_at": "2024-04-01T00:00:00"}, True, "10.00"),
        ("10.00", RETURNED | {"refund_amount": "8.00", "status": "completed"}, True, "2.00"),
        ("10.00", {"status": "returned", "refund_amount": "9.99"}, True, "0.01"),
        # nobody knows what went back
        ("2.00", RETURNED, True, "2.00"),
        ("2.00", RETURNED | {"refund_amount": "0.00"}, True, "2.00"),
    ],
)
def test_an_order_is_valid_unless_cancelled_returned_or_fully_refunded_by_then(
    amount: str, fields: dict[str, str], is_valid: bool, net_revenue: str
) -> None:
    facts = facts_of([order("ann", "2024-03-01", amount, **fields)], "2024-03-31")
    assert (facts.orders[0].is_valid, facts.orders[0].net_revenue) == (is_valid, Decimal(net_revenue))


@pytest.mark.parametrize(
    ("fields", "is_valid"),
    [
        ({}, True),
        ({"refund_amount": "0.00"}, True),
        ({"refund_amount": "3.00"}, True),
        ({"status": "cancelled"}, False),
        ({"status": "returned"}, True),
        ({"status": "returned", "refund_amount": "3.00"}, False),
    ],
)
def test_a_free_order_is_a_purchase_only_where_the_company_says_so(fields: dict[str, str], is_valid: bool) -> None:
    free = [order("ann", "2024-03-01", "0.00", **fields)]
    assert not facts_of(free, "2024-03-31").orders[0].is_valid
    assert facts_of(free, "2024-03-31", free_orders_are_purchases=True).orders[0].is_valid is is_valid


def test_orders_of_one_day_share_the_number_of_the_purchase_day() -> None:
    history = [
        order("ann", "2024-01-10T09:00:00"),
        order("ann", "2024-01-05"),
        order("ann", "2024-01-10T21:00:00"),
        order("ann", "2024-01-07", status="cancelled"),
        order("bob", "2024-01-08"),
    ]
    frame = orders(facts_of(history, "2024-01-31"))
    assert rows(frame, "order_id", "purchase_number", "days_since_previous_purchase") == [
        ("o1", 2, 5),
        ("o2", 1, None),
        ("o3", 2, 5),
        ("o4", None, None),
        ("o5", 1, None),
    ]


def test_margin_takes_the_cost_where_it_is_known_and_the_default_rate_elsewhere() -> None:
    history = [
        order("ann", "2024-01-01", "100.00", cost_amount="60.00", refund_amount="10.00"),
        order("ann", "2024-01-11", "50.00"),
        order("ann", "2024-01-21", "70.00", status="cancelled"),
    ]
    frame = customer_clv(facts_of(history, "2024-01-31", default_margin_rate=Decimal("0.30")))
    # 90 - 60 = 30 and 50 x 0.30 = 15; days from 1 to 11 January, and from 1 to 31 January
    assert rows(frame) == [("ann", 1, 10, 30, Decimal("140.00"), Decimal("45.0000"))]


def test_a_customer_exists_from_registration_or_the_first_order_of_any_status() -> None:
    known = [
        customer("in_time", "2024-01-31T23:59:59"),
        customer("too_late", "2024-02-01"),
        customer("bought_first", "2024-02-01"),
        customer("no_date"),
        customer("orders_later"),
    ]
    history = [
        order("bought_first", "2024-01-20"),
        order("guest", "2024-01-10", status="cancelled"),
        order("later_guest", "2024-02-01"),
        order("orders_later", "2024-02-01"),
    ]
    frame = customers(facts_of(history, "2024-01-31", known))
    assert rows(frame[["customer_id", "registered_on", "first_purchase_on", "last_purchase_on"]]) == [
        ("bought_first", None, day("2024-01-20"), day("2024-01-20")),
        ("guest", None, None, None),
        ("in_time", day("2024-01-31"), None, None),
        ("no_date", None, None, None),
        ("orders_later", None, None, None),
    ]


def test_someone_without_a_date_of_registration_exists_before_the_first_order_only_if_there_is_none() -> None:
    facts = facts_of(purchases(bought="2024-01-10"), "2024-01-31", [customer("bought"), customer("never")])
    by_id = {person.customer_id: person for person in facts.customers}
    exists = {name: [by_id[name].exists_on(day(d)) for d in ("2024-01-09", "2024-01-10")] for name in by_id}
    assert exists == {"bought": [False, True], "never": [True, True]}


def test_an_attribute_that_nobody_knows_is_unknown() -> None:
    facts = facts_of(purchases(guest="2024-01-10"), "2024-01-31", [customer("ann", region="north"), customer("bob")])
    assert {person.customer_id: person.attributes["region"] for person in facts.customers} == {
        "ann": "north",
        "bob": "unknown",
        "guest": "unknown",
    }


def test_the_first_purchase_is_the_earliest_valid_order_and_its_category_that_of_most_of_the_amount() -> None:
    """Ann's o1 was cancelled. Of two at one moment o2 comes first: bags for 20, shoes for 5 + 15 on later lines."""
    history = [
        order("ann", "2024-01-01T09:00", status="cancelled", channel="app", store_id="s9"),
        order("ann", "2024-01-02T09:00", channel="web"),
        order("ann", "2024-01-02T09:00", channel="store", store_id="s1"),
        order("bob", "2024-01-02T09:00"),
    ]
    items = pd.DataFrame(
        [
            ("o2", 3, "boot", "15"),
            ("o2", 2, "boot", "5"),
            ("o2", 1, "bag", "20"),
            ("o3", 1, "boot", "99"),
            ("o4", 1, "gift", "99"),
        ],
        columns=["order_id", "line_number", "product_id", "line_amount"],
    )
    products = pd.DataFrame({"product_id": ["bag", "boot", "gift"], "category": ["bags", "shoes", None]})
    dimensions = ["first_channel", "first_store", "first_category"]
    facts = facts_of(history, "2024-01-31", [customer("cat")], dimensions, read_lines(items, products))
    assert {person.customer_id: list(person.attributes.values()) for person in facts.customers} == {
        "ann": ["web", "unknown", "bags"],
        "bob": ["unknown", "unknown", "unknown"],
        "cat": ["unknown", "unknown", "unknown"],
    }


def test_an_id_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="customer_id 'ann' occurs twice"):
        facts_of([], "2024-01-31", [customer("ann"), customer("ann")])


def test_purchase_frequency_counts_days_and_orders_of_each_period() -> None:
    history = [
        order("ann", "2024-01-05T08:00:00", "10.00"),
        order("ann", "2024-01-05T20:00:00", "20.00"),
        order("ann", "2024-01-20", "30.00"),
        order("bob", "2024-02-29", "5.00"),
    ]
    frame = purchase_frequency(facts_of(history, "2024-03-31"))
    quarter = ("all", "all", 2, 3, 4, Decimal("65.00"), 1.5, 2.0, Decimal("16.25"))
    assert rows(frame) == [
        ("month", day("2024-01-01"), "all", "all", 1, 2, 3, Decimal("60.00"), 2.0, 3.0, Decimal("20")),
        ("month", day("2024-02-01"), "all", "all", 1, 1, 1, Decimal("5.00"), 1.0, 1.0, Decimal("5")),
        ("quarter", day("2024-01-01"), *quarter),
        ("year", day("2024-01-01"), *quarter),
    ]


def test_a_quarter_begins_in_january_april_july_and_october() -> None:
    frame = purchase_frequency(facts_of(purchases(ann="2024-03-31 2024-04-01 2024-09-30 2024-12-31"), "2024-12-31"))
    assert rows(frame, "period_start", period_grain="quarter") == [
        (day("2024-01-01"),),
        (day("2024-04-01"),),
        (day("2024-07-01"),),
        (day("2024-10-01"),),
    ]


@pytest.mark.parametrize(
    ("birth_date", "as_of", "band"),
    [
        ("2006-02-28", "2024-02-28", "adult"),
        ("2006-02-28", "2024-02-27", "child"),
        # born on a leap day: a year older on 1 March where there is none
        ("2004-02-29", "2022-02-28", "child"),
        ("2004-02-29", "2022-03-01", "adult"),
    ],
)
def test_a_birthday_makes_a_year_older(birth_date: str, as_of: str, band: str) -> None:
    seeds = Seeds({}, (), ((0, "child"), (18, "adult")))
    assert age_band(day(birth_date), day(as_of), seeds) == band
    assert age_band(None, day(as_of), seeds) is None
