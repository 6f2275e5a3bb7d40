"""The marts of whole builds against the oracle: random companies that sit on the edges, and CDNOW.

Each build holds 60 companies, one region each. In the marts with dimensions every region is a company of its own; the
other marts are compared over all companies. A difference names the region or the customer, whose id begins with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import BUILD, MODELS_ONLY
from generators import Calendar, Company, collect_companies, in_region, join_companies, random_company, write_raw_folder
from oracle import Facts, Seeds, Variables, compute_marts, read_facts, read_seeds
from oracle.comparison import assert_frames_equal
from oracle.first_purchases import read_lines
from oracle.marts import COHORT_CLV, MARTS
from oracle.orders import order_warnings
from oracle.seeds import age_band
from oracle.value import Spread

pytestmark = pytest.mark.worlds

SEEDS_FOLDER = Path(__file__).parents[2] / "seeds"
DRAWN_BY_HYPOTHESIS = 40
DRAWN_BY_NUMPY = 20
LARGER_SIZES = (30, 60, 90)
# marts whose rows may be left out where this count is 0
ROWS_OF_NOTHING = {"purchase_frequency": "buyers", "reactivation_monthly": "lapsed_customers"}
# compared in a test of its own
NEXT_PURCHASE = "next_purchase_on"


@dataclass(frozen=True)
class RandomCompanies:
    """A build of random companies: its name, when and where they live, and the variables of the business."""

    name: str
    frame: Calendar
    variables: Variables
    number: int

    @property
    def company(self) -> Company:
        drawn = collect_companies(DRAWN_BY_HYPOTHESIS, self.frame, self.number)
        larger = [
            in_region(random_company(self.number + place, self.frame, sizes=LARGER_SIZES), f"n{place:02d}")
            for place in range(DRAWN_BY_NUMPY)
        ]
        return join_companies([*drawn, *larger])


@dataclass(frozen=True)
class Compared:
    """A build, and what the oracle expects of it."""

    world: Any
    facts: Facts
    expected: dict[str, pd.DataFrame]
    raw_folder: Path | None = None
    orders: pd.DataFrame | None = None

    def assert_agrees(self, name: str, without: Sequence[str] = ()) -> None:
        actual, expected = (
            _without_rows_of_nothing(frame, name) for frame in (self.world.mart(name), self.expected[name])
        )
        try:
            MARTS[name].assert_equal(actual, expected.drop(columns=list(without)), name)
        except AssertionError as difference:
            difference.add_note(f"as of {self.facts.as_of}; raw rows: {self.raw_folder or 'of the company'}")
            raise


def _without_rows_of_nothing(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """A period in which there is nobody to count may have its row or not: see the test that it is a row of nothing."""
    return frame[frame[ROWS_OF_NOTHING[name]] > 0] if name in ROWS_OF_NOTHING else frame


# the as-of date is a month end, and the leap day
SHANGHAI = RandomCompanies(
    "property_shanghai",
    Calendar(date(2024, 2, 29), "Asia/Shanghai"),
    Variables(business_timezone="Asia/Shanghai"),
    number=20240229,
)
# the as-of date is in the middle of a month, clocks change on four days before it, and no variable has its default
NEW_YORK = RandomCompanies(
    "property_new_york",
    Calendar(
        date(2024, 11, 17),
        "America/New_York",
        (date(2023, 3, 12), date(2023, 11, 5), date(2024, 3, 10), date(2024, 11, 3)),
    ),
    Variables(
        business_timezone="America/New_York",
        default_margin_rate=Decimal("0.25"),
        free_orders_are_purchases=True,
        high_value_annual_amount=Decimal("99.95"),
        top_value_share=Decimal("0.35"),
        cadence_prior_intervals=3,
        # 1 September and 78 days: the last that are over
        active_days=78,
        new_customer_days=29,
        reactivated_customer_days=31,
        lapsed_days=179,
        loyal_purchase_days=3,
    ),
    number=20241117,
)


@pytest.fixture(scope="module")
def seeds() -> Seeds:
    return read_seeds(SEEDS_FOLDER)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(companies, id=companies.name, marks=pytest.mark.xdist_group(companies.name))
        for companies in (SHANGHAI, NEW_YORK)
    ],
)
def random_companies(
    request: pytest.FixtureRequest,
    build_world: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
    seeds: Seeds,
) -> Compared:
    companies: RandomCompanies = request.param
    company = companies.company
    folder = tmp_path_factory.mktemp(companies.name) / "raw"
    write_raw_folder(company, folder, asdict(companies.variables))
    # what dbt's own tests promise is judged once
    arguments = BUILD if companies is SHANGHAI else MODELS_ONLY
    world = build_world(folder, companies.name, companies.frame.as_of, arguments)
    assert world.as_of == companies.frame.as_of
    customers = company.customers_frame
    customers["age_band"] = [age_band(born, world.as_of, seeds) for born in customers["birth_date"]]
    customers["loyalty_tier"] = None
    facts = read_facts(
        company.orders_frame,
        customers,
        world.as_of,
        companies.variables,
        seeds.dimensions_of("customers"),
        read_lines(company.order_items_frame, company.products_frame),
    )
    return Compared(world, facts, compute_marts(facts, seeds), folder, company.orders_frame)


@pytest.mark.parametrize("name", sorted(MARTS))
def test_a_mart_of_random_companies_agrees_with_the_oracle(random_companies: Compared, name: str) -> None:
    random_companies.assert_agrees(name, without=[NEXT_PURCHASE] if name == "customer_cadence" else [])


def test_the_next_purchase_is_expected_when_it_has_come_with_even_chances(random_companies: Compared) -> None:
    random_companies.assert_agrees("customer_cadence")


def test_the_warnings_of_random_companies_agree_with_the_oracle(random_companies: Compared) -> None:
    expected = order_warnings(random_companies.facts, random_companies.orders)
    assert (expected["orders"] > 0).all()
    actual = random_companies.world.frame("select * from quality.order_warnings")
    assert_frames_equal(actual, expected, ["warning_code"], name="order_warnings")


@pytest.mark.parametrize(("name", "count"), ROWS_OF_NOTHING.items())
def test_a_period_with_nobody_to_count_is_a_row_of_nothing(random_companies: Compared, name: str, count: str) -> None:
    frame = random_companies.world.mart(name)
    cells = frame.loc[frame[count] == 0, list(random_companies.expected[name].columns)].drop(
        columns=list(MARTS[name].keys)
    )
    assert not cells.fillna(0).astype(float).to_numpy().any()


def test_the_random_companies_reach_every_stage_segment_score_and_status(
    random_companies: Compared, seeds: Seeds
) -> None:
    expected = random_companies.expected
    stages = {"prospect", "new", "developing", "loyal", "at_risk", "lapsed", "reactivated"}
    assert set(expected["customer_lifecycle"]["lifecycle_stage"]) == stages
    assert set(expected["customer_cadence"]["cadence_status"]) == {status for _, status in seeds.cadence_bands}
    for score in ("r_score", "m_score"):
        assert set(expected["customer_rfm"][score]) == {1, 2, 3, 4, 5}
    # most have bought on one day, and ties share a score
    assert set(expected["customer_rfm"]["f_score"]) >= {1, 4, 5}
    assert len(set(expected["customer_rfm"]["rfm_segment"])) >= 8
    assert set(expected["customer_rfm"]["is_high_value"]) == {True, False}
    assert set(expected["customer_rfm"]["is_top_value"]) == {True, False}


def test_the_first_purchases_of_random_companies_differ_in_everything(random_companies: Compared) -> None:
    rates = random_companies.expected["repurchase_rates"]
    for dimension in ("country", "first_channel", "first_store", "first_category"):
        assert rates.loc[rates["dimension"] == dimension, "dimension_value"].nunique() >= 3, dimension


@pytest.mark.parametrize("name", sorted(name for name, mart in MARTS.items() if "dimension" in mart.keys))
def test_a_dimension_has_the_labels_of_the_seed(random_companies: Compared, seeds: Seeds, name: str) -> None:
    frame = random_companies.world.mart(name)[["dimension", "dimension_en", "dimension_zh"]].drop_duplicates()
    known = {(each.name, each.label_en, each.label_zh) for each in seeds.dimensions if "customers" in each.applies_to}
    assert set(frame.itertuples(index=False, name=None)) == known


@pytest.mark.parametrize(("old_name", "name"), [("rfm_segment_migration", "rfm_segment_transitions")])
def test_a_mart_has_the_same_rows_under_its_old_name(random_companies: Compared, old_name: str, name: str) -> None:
    old, new = (random_companies.world.mart(each) for each in (old_name, name))
    assert_frames_equal(old, new[list(old.columns)], MARTS[name].keys, name=old_name)
    assert len(old)


@pytest.fixture(scope="module")
def cdnow(cdnow_world: Any, seeds: Seeds) -> Compared:
    """CDNOW has neither refunds nor cancellations: its raw rows are those of the mart, whose totals are published."""
    customers = cdnow_world.mart("customers").rename(columns={"registered_on": "registered_at"})
    variables = Variables(free_orders_are_purchases=True)
    dimensions = seeds.dimensions_of("customers")
    facts = read_facts(cdnow_world.mart("orders"), customers, cdnow_world.as_of, variables, dimensions)
    rates = dict(
        cdnow_world.rows("select parameter, value from marts.model_parameters where parameter in ('r', 'alpha')")
    )
    facts = replace(facts, fitted_rates=(rates["r"], rates["alpha"]))
    return Compared(cdnow_world, facts, compute_marts(facts, seeds))


@pytest.mark.xdist_group("cdnow")
def test_cdnow_has_the_orders_customers_and_sales_that_were_published(cdnow: Compared) -> None:
    # the master file of Fader and Hardie: 1997-01-01 to 1998-06-30
    assert len(cdnow.facts.orders) == 69_659
    assert len(cdnow.facts.buyers) == 23_570
    assert sum(order.net_revenue for order in cdnow.facts.orders) == Decimal("2500315.63")
    days = {order.ordered_on for order in cdnow.facts.orders}
    assert (min(days), max(days)) == (date(1997, 1, 1), date(1998, 6, 30))


@pytest.mark.xdist_group("cdnow")
@pytest.mark.parametrize("name", sorted(MARTS))
def test_a_mart_of_cdnow_agrees_with_the_oracle(cdnow: Compared, name: str) -> None:
    cdnow.assert_agrees(name, without=[NEXT_PURCHASE] if name == "customer_cadence" else [])


@pytest.mark.xdist_group("cdnow")
def test_the_cohorts_of_cdnow_are_worth_what_their_customers_are(cdnow: Compared) -> None:
    world = cdnow.world
    predictions = {row["customer_id"]: row for row in world.mart("customer_clv").to_dict("records")}
    found: dict[tuple[str, int], dict[str, float]] = {}
    for row in world.mart("model_parameters").to_dict("records"):
        if row["is_champion"] and row["parameter"] in Spread.__dataclass_fields__:
            found.setdefault((row["target"], row["horizon_days"]), {})[row["parameter"]] = row["value"]
    spreads = {key: Spread(**values) for key, values in found.items() if key[0] in ("purchases", "clv")}
    assert {horizon for _, horizon in spreads} == set(world.mart("cohort_clv")["horizon_days"])
    COHORT_CLV.assert_equal(
        world.mart("cohort_clv"), COHORT_CLV.compute(cdnow.facts, predictions, spreads), "cohort_clv"
    )


@pytest.mark.xdist_group("cdnow")
@pytest.mark.parametrize(
    ("mart", "stored", "keys"),
    [
        ("model_parameters", "parameters", ["fit_id", "target", "model_name", "horizon_days", "parameter"]),
        ("model_backtests", "backtests", ["fit_id", "target", "model_name", "cut_date", "horizon_days"]),
    ],
)
def test_a_mart_of_models_shows_what_the_fit_has_stored(
    cdnow: Compared, mart: str, stored: str, keys: list[str]
) -> None:
    rows = cdnow.world.frame(f"select * from predictive.{stored}")
    assert len(rows) > 50
    assert_frames_equal(cdnow.world.mart(mart), rows, keys, name=mart)
