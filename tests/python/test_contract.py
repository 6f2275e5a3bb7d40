"""The raw contract as Python reads it."""

from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest

from orchestration.contract import CONTRACT_FILE, ContractError, Reference, Scale, Sign, load_contract

ROOT = Path(__file__).resolve().parents[2]


def write_contract(root: Path, text: str) -> Path:
    path = root / CONTRACT_FILE
    path.parent.mkdir(parents=True)
    path.write_text(dedent(text), encoding="utf-8")
    return root


def table_text(columns: str, meta: str = "key: [order_id]") -> str:
    return f"sources: [{{name: raw, tables: [{{name: orders, config: {{meta: {{{meta}}}}}, columns: [{columns}]}}]}}]"


GOOD_COLUMN = "{name: order_id, data_type: text}"


def test_no_table_that_companies_already_land_has_left_the_contract():
    assert load_contract(ROOT).tables.keys() >= {
        "customers",
        "consents",
        "erasure_requests",
        "products",
        "orders",
        "order_items",
        "memberships",
        "points_transactions",
        "campaigns",
        "campaign_members",
        "campaign_events",
        "coupons",
        "coupon_redemptions",
        "survey_invitations",
        "survey_responses",
        "tickets",
        "web_events",
        "social_mentions",
        "customer_identities",
    }


def test_a_table_has_its_key_columns_and_references():
    items = load_contract(ROOT).tables["order_items"]
    assert items.key == ("order_id", "line_number")
    assert items.references == {"order_id": Reference("orders", "order_id")}
    assert str(items.references["order_id"]) == "orders.order_id"
    assert items.column_names[:3] == ("order_id", "line_number", "product_id")
    assert items.required_columns == ("order_id", "line_number", "product_id", "quantity", "line_amount")


def test_a_column_has_its_type_and_rules():
    tables = load_contract(ROOT).tables
    amount = tables["orders"].column("order_amount")
    assert (amount.data_type, amount.required, amount.personal) == ("number", True, False)
    assert (amount.minimum, amount.maximum) == (Decimal(0), Decimal(10) ** 12)
    assert tables["customers"].column("gender").values == ("female", "male", "other", "unknown")
    assert tables["customers"].column("birth_date").personal
    assert tables["memberships"].column("tier").seed == "loyalty_tiers"
    ranges = {"nps": (Decimal(0), Decimal(10)), "csat": (Decimal(1), Decimal(5)), "ces": (Decimal(1), Decimal(7))}
    assert tables["survey_responses"].column("score").scale == Scale("survey_type", ranges)
    signs = {"earn": "positive", "redeem": "negative", "expire": "negative"}
    assert tables["points_transactions"].column("points").sign == Sign("type", signs)


def test_every_number_that_is_counted_or_added_up_has_a_maximum():
    """One digit too many would end a refresh; only the number of a line names and counts nothing."""
    tables = load_contract(ROOT).tables.values()
    numbers = [
        (table.name, column.name)
        for table in tables
        for column in table.columns
        if column.data_type in ("number", "integer") and column.maximum is None and column.scale is None
    ]
    assert numbers == [("order_items", "line_number")]


def test_a_column_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError, match="orders has no column colour"):
        load_contract(ROOT).tables["orders"].column("colour")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: [", "is no YAML"),
        ("a list", "not in the form of a dbt source"),
        ("sources: [{name: other, tables: []}]", "expected a source named raw"),
        (
            table_text("{name: order_id, data_type: string}"),
            "orders.order_id: data_type 'string'; expected one of text",
        ),
        (table_text("{name: _id, data_type: text}", "key: [_id]"), "begins with _"),
        (table_text(GOOD_COLUMN, ""), "orders: no key"),
        (table_text(GOOD_COLUMN, "key: [id]"), "names id, which is no column"),
        (table_text(GOOD_COLUMN, "keys: [order_id]"), "orders: unknown meta keys"),
        (table_text(f"{GOOD_COLUMN}, {GOOD_COLUMN}"), "orders: order_id occurs twice"),
        (table_text("{name: order_id, data_type: text, config: {meta: {require: true}}}"), "unknown meta require"),
        (table_text("{name: order_id, data_type: text, config: {meta: {required: 1}}}"), "expected true or false"),
        (table_text("{name: order_id, data_type: text, config: {meta: {values: [yes, no]}}}"), "put it in quotes"),
        (
            table_text(GOOD_COLUMN, "key: [order_id], references: {order_id: sales.id}"),
            "references sales.id, which the contract does not have",
        ),
        (table_text(GOOD_COLUMN, "key: [order_id], references: {order_id: sales}"), "expected table.column"),
        (
            table_text("{name: order_id, data_type: number, config: {meta: {maximum: 5}}}"),
            "maximum 5 without a minimum below it",
        ),
        (
            table_text("{name: order_id, data_type: number, config: {meta: {minimum: 6, maximum: 5}}}"),
            "maximum 5 without a minimum below it",
        ),
        (
            table_text("{name: order_id, data_type: text, config: {meta: {sign: {column: order_id, a: up}}}}"),
            "expected positive or negative",
        ),
        (
            table_text("{name: order_id, data_type: text, config: {meta: {scale: {column: kind, a: [1, 2]}}}}"),
            "depends on kind",
        ),
        (
            table_text("{name: order_id, data_type: text, config: {meta: {scale: {column: order_id, a: 5}}}}"),
            "expected \\[least, greatest\\]",
        ),
    ],
)
def test_a_contract_that_is_wrong_is_refused_with_the_place(tmp_path, text, message):
    with pytest.raises(ContractError, match=message):
        load_contract(write_contract(tmp_path, text))


def test_a_project_without_contract_is_refused(tmp_path):
    with pytest.raises(ContractError, match="raw.yml cannot be read"):
        load_contract(tmp_path)
