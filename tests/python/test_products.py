"""Order lines, products and hours of the week: a random company against the definitions."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import World
from generators import Calendar, Company, random_company, write_raw_folder
from oracle import Variables, read_facts
from oracle.marts import BASKET_MARTS
from oracle.products import Basket

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("products")]

# the clock is put forward on 10 March, so that the hour from 2 to 3 is missing
FRAME = Calendar(date(2024, 3, 17), "America/New_York", (date(2023, 11, 5), date(2024, 3, 10)))
VARIABLES = Variables(business_timezone="America/New_York", default_margin_rate=Decimal("0.25"))
PRODUCTS = 30
MODELS = (
    "build",
    "--select",
    *(f"+{mart}" for mart in BASKET_MARTS),
    "--indirect-selection",
    "cautious",
    "--exclude-resource-type",
    "unit_test",
)
Row = dict[str, Any]


def cents(random: np.random.Generator, most: int) -> Decimal:
    return Decimal(int(random.integers(0, most))) / 100


def draw_products(random: np.random.Generator) -> list[Row]:
    """Every third without a cost, every fifth without a name; one costs nothing."""
    return [
        {
            "product_id": f"p{number:02d}",
            "product_name": None if number % 5 == 0 else f"Product {number}",
            "category": f"category {number % 4}",
            "subcategory": None if number % 2 else f"subcategory {number % 7}",
            "brand": f"brand {number % 3}",
            "unit_cost": None if number % 3 == 0 else Decimal(0) if number == 1 else cents(random, 5_000),
        }
        for number in range(PRODUCTS)
    ]


def draw_lines(random: np.random.Generator, company: Company) -> Iterator[Row]:
    """Up to three lines an order, some with the same product. Some products stand in no table, others in no line."""
    for order in company.orders:
        favourite = sum(map(ord, order["customer_id"])) % 9
        for line_number in range(int(random.integers(0, 4))):
            # each customer has a favourite, and buys it again on the same day too
            product = 3 + int(random.integers(0, PRODUCTS) if random.random() < 0.4 else favourite)
            cost = random.choice(["own", "none", "zero"])
            yield {
                "order_id": order["order_id"],
                "line_number": line_number,
                "product_id": f"p{product:02d}",
                "quantity": Decimal(int(random.integers(0, 40))) / 10,
                "line_amount": cents(random, 20_000),
                "discount_amount": None if random.random() < 0.5 else cents(random, 500),
                "unit_cost": {"own": cents(random, 3_000), "none": None, "zero": Decimal(0)}[cost],
            }


def write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@dataclass(frozen=True)
class Built:
    """The company, and what was built of it."""

    basket: Basket
    world: World

    def expected(self, name: str) -> pd.DataFrame:
        return BASKET_MARTS[name].compute(self.basket)


@pytest.fixture(scope="module")
def built(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> Built:
    random = np.random.default_rng(20240318)
    company = random_company(20240318, FRAME, sizes=(150,))
    products, lines = draw_products(random), list(draw_lines(random, company))
    folder = write_raw_folder(company, tmp_path_factory.mktemp("products") / "raw", asdict(VARIABLES))
    write_rows(folder / "products.csv", products)
    write_rows(folder / "order_items.csv", lines)
    facts = read_facts(company.orders_frame, company.customers_frame, FRAME.as_of, VARIABLES)
    world = build_world(folder, "products", FRAME.as_of, MODELS)
    return Built(Basket(facts, tuple(products), tuple(lines)), world)


@pytest.mark.parametrize("name", BASKET_MARTS)
def test_a_mart_of_products_and_hours_agrees_with_its_definition(built: Built, name: str) -> None:
    BASKET_MARTS[name].assert_equal(built.world.mart(name), built.expected(name), name)


def test_the_random_company_has_what_is_hard(built: Built) -> None:
    """Without these the comparison above would prove little."""
    lines, products = built.expected("order_items"), built.expected("product_performance")
    assert len(lines) > 200 and set(lines["is_valid"]) == {True, False}
    # lines of orders that are still to come, and with either cost or none
    assert len(built.basket.lines) > len(lines)
    assert lines["unit_cost"].isna().any() and (lines["unit_cost"] == 0).any()
    assert lines.duplicated(["order_id", "product_id"]).any()
    # never sold, known from lines alone, bought on one day only, and bought again
    assert (products["orders"] == 0).any() and products["category"].isna().any()
    assert (products["repeat_customers"] > 0).sum() > 3
    assert (products["customers"] < products["orders"]).any()
    # two orders with a product on one day are one purchase of it
    orders_a_day = lines[lines["is_valid"]].groupby(["customer_id", "product_id", "ordered_on"])["order_id"].nunique()
    days = orders_a_day.groupby(["customer_id", "product_id"]).agg(["size", "max"])
    assert ((days["size"] == 1) & (days["max"] > 1)).any()
    times = built.expected("purchase_times")
    assert len(times) == 168 and (times["orders"] == 0).any() and (times["customers"] < times["orders"]).any()
