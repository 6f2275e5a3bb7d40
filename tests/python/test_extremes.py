"""The least and the greatest numbers that the raw contract lets through: every mart is built, and no digit is lost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from conftest import BUILD, MODELS_ONLY, STARTED_AT, Dbt, World, build_into, build_on_spark
from extreme_company import (
    AS_OF,
    CUSTOMERS,
    LARGEST,
    MONTHS,
    OPEN_LOTS,
    WHOLESALE_ORDERS,
    order_items,
    orders,
    points_transactions,
    write_extreme_company,
)
from spark_world import SparkServer, Table, compare_tables, published_models

from orchestration.contract import Contract
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.predictive import tables
from orchestration.run_tables import company_key

pytestmark = [pytest.mark.worlds, pytest.mark.long, pytest.mark.xdist_group("extremes")]

MILLION = Decimal(10) ** 6


def fits(key: str) -> dict[str, list[dict[str, Any]]]:
    """A fit whose parameters are as far off as a fit may end: the greatest spend, and errors without measure."""
    moment = STARTED_AT.replace(tzinfo=None)
    fit = {"fit_id": "f", "company_key": key, "as_of_date": AS_OF, "fitted_at": moment, "status": "fitted"}
    of_target = {
        ("purchases", "mbg_nbd", 0): {"r": 0.5, "alpha": 10.0, "a": 0.5, "b": 2.0},
        # times the mean of those who are modelled, 10^14 here: the bounds of spend.py
        ("clv", "gamma_gamma", 0): {"p": 1e3, "q": 1.05, "gamma": 1e6 * 1e14},
    }
    for target in ("purchases", "clv"):
        for days, error in {30: 1.0, 90: 1.0, 180: 50.0, 365: 400.0}.items():
            of_target[target, "mbg_nbd", days] = {
                "level": 1.0,
                "relative_error": error,
                "cohort_error": 0.1,
                "dispersion": 1e16 if target == "clv" else 1.0,
                "backtest_windows": 1.0,
            }
    rows = {
        "fits": [fit],
        "parameters": [
            {"fit_id": "f", "target": target, "model_name": model, "horizon_days": days}
            | {"parameter": name, "value": value, "customers": 600}
            for (target, model, days), values in of_target.items()
            for name, value in values.items()
        ],
        "champions": [
            {"fit_id": "f", "target": target, "model_name": "mbg_nbd", "parameters_fit_id": "f"}
            | {"is_seasonal": False, "is_reliable": True}
            for target in ("purchases", "clv", "churn")
        ],
    }
    return {name: [dict.fromkeys(tables.TABLES[name]) | row for row in of_table] for name, of_table in rows.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, dbt: Dbt, contract: Contract) -> World:
    folder = write_extreme_company(tmp_path_factory.mktemp("raw") / "extremes", contract)
    warehouse = tmp_path_factory.mktemp("extremes")
    # landed, and no more: what has been fitted before has to be there first
    landed = build_into(warehouse, folder, dbt, contract, AS_OF, ("build", "--select", "stg_raw_files"))
    DuckDbEngine(warehouse).write_predictive(fits(company_key(landed.settings)), replace=True)
    return World(landed.settings, landed.landing, dbt.invoke(warehouse, *BUILD))


def test_every_number_of_the_contract_is_there_at_its_least_and_at_its_greatest(
    world: World, contract: Contract
) -> None:
    assert world.rows("select count(*) from quality.rejected_rows") == [(0,)]
    for table in contract.tables.values():
        for column in (column for column in table.columns if column.maximum is not None):
            ends = world.rows(f"select min({column.name}), max({column.name}) from staging.stg_{table.name}")
            assert ends == [(column.minimum, column.maximum)], (table.name, column.name)


def test_totals_of_orders_are_exact(world: World) -> None:
    expected: dict[str, Decimal] = dict.fromkeys(CUSTOMERS, Decimal(0))
    margins: dict[str, Decimal] = dict.fromkeys(CUSTOMERS, Decimal(0))
    for order in orders():
        refund = Decimal(0) if "refunded_at" in order else Decimal(order.get("refund_amount", 0))
        revenue = Decimal(order["order_amount"]) - refund
        expected[order["customer_id"]] += revenue
        # a margin of 1 is the greatest default rate
        margins[order["customer_id"]] += revenue - Decimal(order.get("cost_amount", 0))
    assert dict(world.rows("select customer_id, net_revenue from marts.customers")) == expected
    rows = world.rows("select customer_id, historic_net_revenue, historic_margin from marts.customer_clv")
    assert {customer: (revenue, margin) for customer, revenue, margin in rows} == {
        customer: (expected[customer], margins[customer]) for customer in CUSTOMERS
    }
    assert expected["c00"] == WHOLESALE_ORDERS * LARGEST > 10**14
    [(total,)] = world.rows("select sum(net_revenue) from marts.purchase_times")
    assert total == sum(expected.values())
    assert world.rows("select referred_net_revenue from marts.ambassadors where customer_id = 'c00'") == [
        (sum(expected.values()) - expected["c00"],)
    ]


def test_margins_of_products_are_exact(world: World) -> None:
    costs = {"dear": LARGEST, "free": Decimal(0), "unknown": None}
    expected: dict[str, Decimal] = dict.fromkeys(costs, Decimal(0))
    for line in order_items():
        cost = line.get("unit_cost", costs[line["product_id"]])
        spent = Decimal(0) if cost is None else Decimal(line["quantity"]) * Decimal(cost)
        expected[line["product_id"]] += Decimal(line["line_amount"]) - spent.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert dict(world.rows("select product_id, margin_amount from marts.product_performance")) == expected
    assert expected["free"] < -(10**20)


def test_points_and_what_they_are_worth_are_exact(world: World) -> None:
    expected: dict[str, Decimal] = {}
    for move in (move for move in points_transactions() if move["occurred_at"] <= AS_OF):
        expected[move["member_id"]] = expected.get(move["member_id"], Decimal(0)) + move["points"]
    rows = world.rows(
        "select member_id, points_outstanding, points_past_expiry, liability_amount from marts.points_balances"
    )
    assert {member: outstanding + past for member, outstanding, past, _ in rows if member in expected} == expected
    assert all(liability == outstanding * MILLION for _, outstanding, _, liability in rows)
    [liability] = [liability for member, _, _, liability in rows if member == "m0"]
    assert liability == OPEN_LOTS * LARGEST * MILLION == 2 * Decimal(10) ** 20
    assert expected["m3"] == -2 * len(MONTHS) * LARGEST
    [(total,)] = world.rows("select liability_amount from marts.points_monthly where month = date '2026-03-01'")
    assert total == sum(outstanding * MILLION for _, outstanding, _, _ in rows)


def test_predictions_that_are_off_without_measure_are_open_upwards(world: World) -> None:
    rows = world.rows(
        "select horizon_days, predicted_clv, predicted_clv_high is null from marts.cohort_clv "
        "where cohort = 'all' order by horizon_days"
    )
    assert [(days, is_open) for days, _, is_open in rows] == [(30, False), (90, False), (180, True), (365, True)]
    assert all(value > 10**20 for _, value, _ in rows)
    # one purchase alone says nothing against a population that spends 1000 x 10^20 / 0.05 at a time
    [(spend,)] = world.rows("select expected_spend_per_purchase from marts.customer_clv where customer_id = 'c00'")
    assert float(spend) == pytest.approx(2e24)


# Amounts in dong, and a spreadsheet whose columns have slipped

DONG: dict[str, str] = {
    "company.yml": "reporting_currency: VND\nbusiness_timezone: Asia/Ho_Chi_Minh\npoint_value: 1000\n",
    "orders.csv": "order_id,customer_id,ordered_at,status,order_amount\n"
    "1,an,2026-01-05T10:00:00+07:00,completed,400000000\n"
    "2,binh,2026-01-06T10:00:00+07:00,completed,250000000\n"
    "3,chi,2026-01-07T10:00:00+07:00,completed,99999999999999\n"
    "4,chi,2026-01-07T10:00:00+07:00,completed,80\n",
    "order_items.csv": "order_id,line_number,product_id,quantity,line_amount,unit_cost\n"
    "1,1,piano,1,400000000,\n"
    "2,1,scooter,5,250000000,\n"
    "4,1,tea,6901234567890,80,25\n",
    "memberships.csv": "member_id,customer_id,enrolled_at,tier,updated_at\nm1,an,2026-01-01,member,2026-01-01\n",
    "points_transactions.csv": "points_transaction_id,member_id,type,points,occurred_at,expires_at\n"
    "p1,m1,earn,120000,2026-01-05T10:00:00+07:00,2027-01-05T10:00:00+07:00\n"
    "p2,m1,redeem,-1000000000000.01,2026-01-05T10:00:00+07:00,\n",
}
MARTS = (
    "build",
    "--select",
    "+product_performance",
    "+points_balances",
    "+int_customer_purchases_summarised",
    "+rejected_rows",
    "--exclude-resource-type",
    "test",
)


@pytest.fixture(scope="module")
def dong(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("raw") / "dong"
    folder.mkdir()
    for name, text in DONG.items():
        (folder / name).write_text(text, encoding="utf-8")
    return build_world(folder, "dong", AS_OF, MARTS)


def test_a_margin_and_a_liability_in_dong_are_computed(dong: World) -> None:
    assert dong.rows("select product_id, margin_amount from marts.product_performance order by all") == [
        ("piano", 120_000_000),
        ("scooter", 75_000_000),
    ]
    assert dong.rows("select liability_amount from marts.points_balances") == [(120_000_000,)]


def test_a_number_that_is_too_great_is_rejected_with_its_reason(dong: World) -> None:
    rows = dong.rows("select table_name, row_key, reason_code, reason from quality.rejected_rows order by all")
    assert rows == [
        (
            "order_items",
            "4|1",
            "out_of_domain",
            'quantity holds "6901234567890"; expected 0 to 1,000,000',
        ),
        (
            "orders",
            "3",
            "out_of_domain",
            'order_amount holds "99999999999999"; expected 0 to 1,000,000,000,000',
        ),
        (
            "points_transactions",
            "p2",
            "out_of_domain",
            'points holds "-1000000000000.01"; expected -1,000,000,000,000 to 1,000,000,000,000, '
            "positive for earn, negative for redeem, negative for expire",
        ),
    ]
    # the order of the line that is rejected stays
    assert dong.rows(
        "select net_revenue from intermediate.int_customer_purchases_summarised where customer_id = 'chi'"
    ) == [(80,)]


@pytest.mark.nightly
@pytest.mark.spark
def test_the_extremes_are_the_same_on_spark(
    world: World, spark_server: SparkServer, spark_dbt: Dbt, contract: Contract
) -> None:
    build_on_spark(world, spark_server, spark_dbt, contract, MODELS_ONLY)
    for model in published_models():
        frame = world.frame(f"select * from {model.layer}.{model.name}")
        expected = Table(tuple(frame.columns), list(frame.itertuples(index=False, name=None)))
        compared = compare_tables(expected, spark_server.read(model.layer, model.name), model.key)
        assert not compared.differences, f"{model.layer}.{model.name} on Spark differs from DuckDB:\n{compared}"
