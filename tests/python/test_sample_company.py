"""The simulated company is what it says it is: it fits the contract, and its truth is the truth of its rows.

What the truth holds in closed form is compared with what came of it among 20,000 customers; a share may differ by four
standard errors.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import World

from companies.sample.simulator import AS_OF, SIZES, Config, SampleError, simulate
from companies.sample.simulator.__main__ import main
from companies.sample.simulator.config import (
    LAST_DAY,
    NEVER,
    DirtParameters,
    ProgrammeParameters,
    PurchaseParameters,
    SeasonParameters,
)
from companies.sample.simulator.config import day_number as day_number_of
from companies.sample.simulator.people import Latents
from companies.sample.simulator.purchases import draw_base_days, draw_days_at_rate
from companies.sample.simulator.season import Season
from orchestration.contract import Contract, RawColumn
from orchestration.settings import ROOT

pytestmark = pytest.mark.xdist_group("sample_company")

CLEAN = DirtParameters(late_share=0, repeated_share=0, broken_share=0)
LATE_FILE = "late-2026-01.csv"
# seen only as a share of a share, a probability is compared at so many standard errors
ERRORS = 4
MODELS = (
    "build",
    "--select",
    "+rejected_rows",
    "+row_reconciliation",
    "+int_customer_aliases_listed",
    "+identity_conflicts",
    "--exclude-resource-type",
    "unit_test",
    "--exclude-resource-type",
    "test",
)


class Sample:
    """A simulated company: views of the Parquet files of its raw tables, and of its truth as `truth_<file>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
        self._connection = duckdb.connect()
        for entry in sorted((folder / "raw").iterdir()):
            if entry.is_dir():
                self._view(entry.name, f"{entry}/*.parquet")
            elif entry.suffix == ".parquet":
                self._view(entry.stem, str(entry))
        for entry in sorted((folder / "truth").glob("*.parquet")):
            self._view(f"truth_{entry.stem}", str(entry))
        self._run("create view truth_ids as select id, customer_id from truth_identities where source_system = 'pos'")
        self._run(
            """
            create table purchase_days as
            select distinct
                coalesce(truth_ids.customer_id, orders.customer_id) as customer_id,
                cast(ordered_at + interval 8 hour as date) as purchased_on
            from orders
            left join truth_ids on orders.customer_id = truth_ids.id
            where status != 'cancelled' and coalesce(refund_amount, 0) < order_amount
            """
        )

    def _view(self, name: str, files: str) -> None:
        self._run(f"create view {name} as select * from read_parquet('{files}')")

    def _run(self, sql: str) -> None:
        self._connection.execute(sql).fetchall()

    @property
    def tables(self) -> list[str]:
        views = self.rows("select view_name from duckdb_views() where not internal")
        return sorted(name for (name,) in views if not name.startswith("truth_"))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def frame(self, sql: str) -> pd.DataFrame:
        cursor = self._connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return pd.DataFrame(cursor.fetchall(), columns=names)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("small") / "company"
    simulate(folder)
    return Sample(folder)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Enough customers for a share to be precise, without dirt."""
    folder = tmp_path_factory.mktemp("crowd") / "company"
    simulate(folder, config=Config(20_000, seed=11, dirt=CLEAN))
    return Sample(folder)


@pytest.fixture(scope="module")
def world(small: Sample, build_world: Callable[..., World]) -> World:
    return build_world(small.folder / "raw", "sample", arguments=MODELS)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_share(happened: pd.Series | np.ndarray, probability: pd.Series | np.ndarray, what: str) -> None:
    """What happened to each is what their own probabilities promise together."""
    happened, probability = np.asarray(happened, dtype=float), np.asarray(probability, dtype=float)
    error = math.sqrt((probability * (1 - probability)).sum()) / len(probability)
    shown = f"{what}: {happened.mean():.4f} of {len(happened)}, expected {probability.mean():.4f} ± {error:.4f}"
    assert abs(happened.mean() - probability.mean()) <= ERRORS * error, shown


class TestFiles:
    def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_company(self, tmp_path: Path) -> None:
        for name, seed in (("one", 5), ("again", 5), ("other", 6)):
            simulate(tmp_path / name, 150, seed)
        one, again, other = (files_of(tmp_path / name) for name in ("one", "again", "other"))
        assert one == again
        assert one.keys() == other.keys()
        same = {name for name in one if one[name] == other[name]}
        # what does not depend on customers
        assert same == {
            "raw/campaigns.parquet",
            "raw/coupons/public.parquet",
            "raw/products.parquet",
        }
        # in one warehouse the guard of publications must tell them apart
        assert one["raw/company.yml"].endswith(b"\ncompany_id: sample of 150 customers, seed 5\n")

    def test_a_chunk_depends_on_the_seed_and_its_place_alone(self, tmp_path: Path) -> None:
        simulate(tmp_path / "one", config=Config(150, seed=3, chunk_customers=150))
        simulate(tmp_path / "three", config=Config(400, seed=3, chunk_customers=150))
        one, three = files_of(tmp_path / "one" / "raw"), files_of(tmp_path / "three" / "raw")
        first_parts = [name for name in one if name.endswith("part-0000.parquet")]
        assert len(first_parts) == 17
        assert [name for name in first_parts if one[name] != three[name]] == []
        assert {name for name in three if name.endswith("part-0002.parquet")} == {
            name.replace("0000", "0002") for name in first_parts
        }
        # the late batch of the first chunk begins that of all
        assert three[f"orders/{LATE_FILE}"].startswith(one[f"orders/{LATE_FILE}"])
        # another chunk is of other people
        sample = Sample(tmp_path / "three")
        assert sample.value("select count(*) - count(distinct satisfaction) from truth_customers") == 0
        # ids run on
        for table, key in (("customers", "customer_id"), ("orders", "order_id"), ("web_events", "event_id")):
            assert sample.value(f"select count(*) - count(distinct {key}) from {table}") == 0

    def test_memory_is_that_of_a_chunk_however_many_there_are(self, tmp_path: Path) -> None:
        def peak(customers: int) -> int:
            tracemalloc.start()
            try:
                simulate(tmp_path / str(customers), config=Config(customers, chunk_customers=200))
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        # what is made once, such as the season, is made here
        peak(200)
        assert peak(1_600) < 1.5 * peak(400)

    def test_sizes_have_names(self) -> None:
        assert SIZES == {"small": 3_000, "medium": 100_000, "large": 2_000_000}

    def test_tiny_companies_are_no_error(self, tmp_path: Path) -> None:
        for seed in range(4):
            simulate(tmp_path / "tiny", 1, seed)
        assert Sample(tmp_path / "tiny").value("select count(*) from truth_customers") == 1

    def test_the_small_one_is_quick_to_build_with(self, small: Sample) -> None:
        count = {name: small.value(f"select count(*) from {name}") for name in small.tables}
        assert 15_000 <= count["orders"] <= 25_000
        assert count["web_events"] <= 60_000
        assert sum(count.values()) < 150_000
        assert sum(len(content) for content in files_of(small.folder).values()) < 5_000_000

    def test_what_is_in_the_folder_is_not_overwritten_by_mistake(self, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "orders.csv").write_text("precious", encoding="utf-8")
        with pytest.raises(SampleError, match="holds something other than a simulated company"):
            simulate(tmp_path / "mine", 5)
        (tmp_path / "file").write_text("precious", encoding="utf-8")
        with pytest.raises(SampleError, match="is a file"):
            simulate(tmp_path / "file", 5)
        assert files_of(tmp_path) == {"mine/orders.csv": b"precious", "file": b"precious"}

    def test_a_failure_leaves_the_company_that_was_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        simulate(tmp_path / "company", 5)
        before = files_of(tmp_path)
        monkeypatch.setattr("companies.sample.simulator.customer_chunk.draw_mentions", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            simulate(tmp_path / "company", 6)
        assert files_of(tmp_path) == before

    def test_the_command_says_what_was_written_and_how_to_build_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "a shop"
        assert main(["--size", "30", "--seed", "2", "--to", str(folder)]) == 0
        shown = capsys.readouterr().out
        assert f"make run RAW='{folder}/raw'" in shown
        sample = Sample(folder)
        with (folder / "raw" / "orders" / LATE_FILE).open(encoding="utf-8", newline="") as late:
            orders = sample.value("select count(*) from orders") + sum(1 for _ in csv.reader(late)) - 1
        assert [line.split()[1:] for line in shown.splitlines() if line.split()[:1] == ["orders"]] == [
            [f"{orders:,}", "rows"]
        ]
        assert sample.truth["seed"] == 2
        assert sample.truth["customers"] == 30

    @pytest.mark.parametrize("size", ["huge", "0", "-3", "1.5", ""])
    def test_the_command_refuses_sizes_that_are_none(
        self, size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([f"--size={size}", "--to", str(tmp_path / "company")]) == 1
        assert f'There is no size "{size}". Use small, medium, large' in capsys.readouterr().err
        assert not (tmp_path / "company").exists()

    def test_prepare_writes_the_small_company_and_its_truth_beside_it(self, small: Sample, tmp_path: Path) -> None:
        script = ROOT / "companies" / "sample" / "prepare.py"
        spec = importlib.util.spec_from_file_location("prepare_sample", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for _ in range(2):
            # made aside and renamed by who calls it, under a name of its own
            raw = tmp_path / "raw.being made"
            raw.mkdir()
            module.prepare(raw)
            assert files_of(raw) == files_of(small.folder / "raw")
            assert files_of(tmp_path / "truth") == files_of(small.folder / "truth")
            assert {entry.name for entry in tmp_path.iterdir()} == {raw.name, "truth"}
            for path in sorted(raw.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            raw.rmdir()


class TestContract:
    def test_every_table_has_rows(self, small: Sample, contract: Contract) -> None:
        assert small.tables == sorted(contract.tables)
        assert [name for name in small.tables if small.value(f"select count(*) from {name}") == 0] == []

    def test_the_typed_rows_fit_it(self, crowd: Sample, contract: Contract) -> None:
        # without dirt every row is in a Parquet file
        for table in contract.tables.values():
            found = dict(crowd.rows(f"select column_name, column_type from (describe {table.name})"))
            assert {column.name for column in table.columns if column.required} <= found.keys()
            assert found.keys() <= {column.name for column in table.columns}, table.name
            assert crowd.value(f"select count(*) from (select distinct {', '.join(table.key)} from {table.name})") == (
                crowd.value(f"select count(*) from {table.name}")
            )
            for column in table.columns:
                if column.name in found:
                    assert found[column.name] in TYPES[column.data_type], (table.name, column.name)
                    wrong = " or ".join(_breaches(column))
                    assert crowd.value(f"select count(*) from {table.name} where {wrong or 'false'}") == 0, column.name
            for column, target in table.references.items():
                assert crowd.value(f"select count(*) from {table.name} anti join {target.table} using ({column})") == 0

    def test_every_column_is_used(self, crowd: Sample, contract: Contract) -> None:
        for table in contract.tables.values():
            for column in table.columns:
                assert crowd.value(f"select count({column.name}) from {table.name}") > 0, (table.name, column.name)

    def test_nothing_is_later_than_the_as_of_date(self, crowd: Sample, contract: Contract) -> None:
        end = AS_OF + timedelta(days=1)
        planned = {("points_transactions", "expires_at"), ("coupons", "expires_at"), ("campaigns", "ended_at")}
        for table in contract.tables.values():
            for column in table.columns:
                if column.data_type == "timestamp" and (table.name, column.name) not in planned:
                    latest = crowd.value(f"select max({column.name}) + interval 8 hour from {table.name}")
                    assert latest.date() < end, (table.name, column.name, latest)
        assert crowd.value("select max(purchased_on) from purchase_days") == AS_OF

    def test_other_references_find_their_targets(self, crowd: Sample) -> None:
        for table, column, target, key in (
            ("orders", "coupon_id", "coupons", "coupon_id"),
            ("order_items", "product_id", "products", "product_id"),
            ("points_transactions", "order_id", "orders", "order_id"),
            ("memberships", "customer_id", "customers", "customer_id"),
            ("survey_responses", "invitation_id", "survey_invitations", "invitation_id"),
            ("survey_invitations", "order_id", "orders", "order_id"),
            ("survey_invitations", "ticket_id", "tickets", "ticket_id"),
            ("web_events", "order_id", "orders", "order_id"),
            ("web_events", "product_id", "products", "product_id"),
            ("web_events", "customer_id", "customers", "customer_id"),
            ("coupon_redemptions", "order_id", "orders", "order_id"),
            ("customers", "referred_by_customer_id", "customers", "customer_id"),
            ("customer_identities", "customer_id", "customers", "customer_id"),
        ):
            lost = f"select count(*) from {table} where {column} not in (select {key} from {target})"
            assert crowd.value(lost) == 0, (table, column)

    def test_an_order_is_the_sum_of_its_lines_and_shipping(self, crowd: Sample) -> None:
        differing = """
            select count(*)
            from orders
            left join (
                select order_id, sum(line_amount) as amount, sum(quantity * unit_cost) as cost
                from order_items
                group by order_id
                having max(line_number) = count(*)
            ) as lines using (order_id)
            where
                order_amount is distinct from amount + shipping_amount
                or cost_amount != cost
                or tax_amount > amount
                or refund_amount > order_amount
        """
        assert crowd.value(differing) == 0

    def test_coupons_are_redeemed_once_in_time_by_their_owner(self, crowd: Sample) -> None:
        wrong = """
            select count(*)
            from coupon_redemptions as used
            inner join coupons using (coupon_id)
            inner join orders using (order_id)
            where
                used.redeemed_at not between coupons.issued_at and coupons.expires_at
                or used.customer_id != coalesce(coupons.customer_id, used.customer_id)
                or used.discount_amount != coupons.face_amount
                or orders.coupon_id != used.coupon_id
                or orders.discount_amount < used.discount_amount
        """
        assert crowd.value(wrong) == 0
        assert crowd.value("select count(*) - count(distinct order_id) from coupon_redemptions") == 0
        assert crowd.value("select count(coupon_id) from orders") == crowd.value(
            "select count(*) from coupon_redemptions"
        )

    def test_nobody_is_sent_a_campaign_who_did_not_want_it(self, crowd: Sample) -> None:
        unwanted = """
            select count(*)
            from campaign_events as events
            inner join campaigns using (campaign_id)
            left join consents
                on events.customer_id = consents.customer_id
                and consents.channel in (campaigns.channel, 'all')
                and consents.recorded_at < events.occurred_at
            where event_type = 'sent' and campaigns.channel not in ('event', 'direct_mail')
            group by events.campaign_event_id
            having not coalesce(arg_max(consents.is_granted, consents.recorded_at), false)
        """
        assert crowd.rows(unwanted) == []


TYPES = {
    "text": ("VARCHAR",),
    "timestamp": ("TIMESTAMP",),
    "date": ("DATE",),
    "boolean": ("BOOLEAN",),
    "number": ("DECIMAL(18,2)", "DECIMAL(18,4)", "BIGINT"),
    "integer": ("BIGINT",),
}


def _breaches(column: RawColumn) -> Iterator[str]:
    """Conditions under which a typed value breaks the contract."""
    if column.required:
        yield f"{column.name} is null"
    if column.values:
        yield f"{column.name} not in {column.values}"
    if column.minimum is not None:
        yield f"{column.name} < {column.minimum}"
    if column.maximum is not None:
        yield f"{column.name} > {column.maximum}"
    if column.seed:
        with (ROOT / "seeds" / f"{column.seed}.csv").open(encoding="utf-8", newline="") as file:
            yield f"{column.name} not in {tuple(row[column.name] for row in csv.DictReader(file))}"
    if column.scale:
        for kind, (low, high) in column.scale.ranges.items():
            yield f"({column.scale.column} = '{kind}' and {column.name} not between {low} and {high})"
    if column.sign:
        for kind, sign in column.sign.signs.items():
            side = "<=" if sign == "positive" else ">="
            yield f"({column.sign.column} = '{kind}' and {column.name} {side} 0)"


class TestPurchases:
    def test_the_next_purchase_comes_as_the_formula_says(self) -> None:
        # one kind of customer, who buys first on 20 October 2023: a day before the peak that the season adds
        season, count = Season(SeasonParameters()), 200_000
        first = day_number_of(date(2023, 10, 20))
        rate, dropout, ticket = 0.03, 0.2, 0.1
        ones = np.ones(count)
        latents = Latents(ones, rate * ones, dropout * ones, ticket * ones, ones)
        parameters = PurchaseParameters()
        days, drops_out_on = draw_base_days(
            parameters, latents, np.full(count, first), season, np.random.default_rng(1)
        )
        gone = dropout + (1 - dropout) * ticket * parameters.bad_ticket_dropout
        for after in (1, 7, 30, 90, 365):
            # the season day by day, not by its cumulated sums
            elapsed = sum(season.rates[first + 1 : first + after + 1])
            expected = (1 - gone) * (1 - math.exp(-rate * elapsed))
            happened = days.counted(count, np.full(count, first), np.full(count, first + after)) > 0
            assert_share(happened, np.full(count, expected), f"within {after} days")
        # whoever dropped out has no later day; whoever did not has one, or lived to the end
        last = np.zeros(count, dtype=int)
        np.maximum.at(last, days.person, days.day)
        assert (last[drops_out_on < NEVER] == drops_out_on[drops_out_on < NEVER]).all()
        # dropping out is a coin tossed at every purchase
        tosses = len(days.person)
        assert_share(np.arange(tosses) < (drops_out_on < NEVER).sum(), np.full(tosses, gone), "drop out")

    def test_extra_days_come_at_the_rate_of_the_season(self) -> None:
        season, count, rate = Season(SeasonParameters()), 100_000, 0.02
        after = day_number_of(date(2023, 11, 5))
        rows, days = draw_days_at_rate(
            np.full(count, rate), np.full(count, after), np.full(count, after + 30), season, np.random.default_rng(1)
        )
        assert days.min() == after + 1
        assert days.max() == after + 30
        for day in range(after + 1, after + 31):
            happened = np.zeros(count)
            happened[rows[days == day]] = 1
            assert_share(happened, np.full(count, 1 - math.exp(-rate * season.rates[day])), f"day {day}")

    def test_november_is_a_peak_and_the_spring_festival_a_dip(self, crowd: Sample) -> None:
        season = Season(SeasonParameters())
        for year in (2023, 2024, 2025):
            begins = day_number_of(date(year, 7, 1))
            assert season.rates[begins : begins + 365].mean() == pytest.approx(1, abs=0.02)
        assert len(season.rates) == LAST_DAY + 1
        per_day = dict(crowd.rows("select purchased_on, count(*) from purchase_days group by purchased_on"))

        def mean(first: date, days: int) -> float:
            return sum(per_day.get(first + timedelta(days=day), 0) for day in range(days)) / days

        for year in (2023, 2024, 2025):
            around = (mean(date(year, 10, 1), 31) + mean(date(year, 12, 1), 31)) / 2
            assert mean(date(year, 11, 1), 20) > 1.6 * around
            assert per_day[date(year, 11, 11)] > 2 * around
        for festival in (date(2024, 2, 10), date(2025, 1, 29)):
            around = (mean(festival - timedelta(days=34), 28) + mean(festival + timedelta(days=8), 28)) / 2
            assert mean(festival - timedelta(days=6), 14) < 0.6 * around

    @pytest.mark.parametrize("days", [30, 60, 90, 180, 365])
    def test_repurchase_is_as_probable_as_the_truth_says(self, crowd: Sample, days: int) -> None:
        seconds = crowd.frame(
            f"""
            with days as (
                select *, row_number() over (partition by customer_id order by purchased_on) as number
                from purchase_days
            )
            select
                first.customer_id,
                first.purchased_on,
                coalesce(second.purchased_on <= first.purchased_on + {days}, false) as happened,
                truth.second_purchase_probability_{days}d as probability,
                truth.is_guest,
                member.enrolled_on = first.purchased_on as enrols_at_once
            from days as first
            inner join truth_customers as truth on first.customer_id = truth.customer_id
            left join days as second on first.customer_id = second.customer_id and second.number = 2
            left join (
                select customer_id, cast(min(enrolled_at) + interval 8 hour as date) as enrolled_on
                from memberships
                group by customer_id
            ) as member on first.customer_id = member.customer_id
            where first.number = 1
            """
        )
        buyers = crowd.frame(f"select * from truth_repurchase where days = {days}").iloc[0]
        assert len(seconds) == buyers["customers"]
        assert seconds["probability"].mean() == pytest.approx(buyers["repurchase_probability"], abs=1e-9)
        mature = seconds[seconds["purchased_on"] <= AS_OF - timedelta(days=days)]
        assert len(mature) == buyers["mature_customers"]
        assert mature["probability"].mean() == pytest.approx(buyers["mature_repurchase_probability"], abs=1e-9)
        assert_share(mature["happened"], mature["probability"], "all")
        at_once = mature["enrols_at_once"].fillna(False).astype(bool)
        assert at_once.sum() > 500
        assert_share(mature[at_once]["happened"], mature[at_once]["probability"], "members from the first purchase on")
        assert_share(mature[~at_once]["happened"], mature[~at_once]["probability"], "others")
        assert_share(mature[mature["is_guest"]]["happened"], mature[mature["is_guest"]]["probability"], "guests")
        ranked = mature.sort_values("probability", kind="stable")
        for place, part in enumerate(np.array_split(np.arange(len(ranked)), 5)):
            assert_share(ranked["happened"].iloc[part], ranked["probability"].iloc[part], f"fifth {place}")
        # the mean of each month of first purchases, months that have not passed too
        months = seconds.groupby(seconds["purchased_on"].map(lambda day: day.replace(day=1)))["probability"].mean()
        cohorts = crowd.frame(f"select * from truth_repurchase_cohorts where days = {days} order by cohort_month")
        assert list(months.index) == list(cohorts["cohort_month"])
        assert np.allclose(months, cohorts["repurchase_probability"])

    def test_repurchase_within_ninety_days_is_neither_rare_nor_certain(self, small: Sample) -> None:
        assert 0.40 <= small.value("select repurchase_probability from truth_repurchase where days = 90") <= 0.52
        buyers = "select count(*) from truth_customers where first_purchase_on is not null and not is_guest"
        assert 0.55 <= small.value(buyers) / 3_000 <= 0.65

    def test_the_dead_never_buy_again_and_the_living_buy_at_their_rate(self, crowd: Sample) -> None:
        people = crowd.frame("select * from truth_customers where first_purchase_on is not null")
        future = [f"future_purchase_days_{days}d" for days in (30, 90, 180, 365)]
        assert (people.loc[~people["is_alive"], future] == 0).all().all()
        assert 0.25 <= people["is_alive"].mean() <= 0.45
        for fewer, more in zip(future, future[1:], strict=False):
            assert (people[fewer] <= people[more]).all()
        # who is alive and no member buys within the first 30 days with 1 - exp(-rate * S), then maybe drops out
        season = Season(SeasonParameters())
        members = {row[0] for row in crowd.rows("select distinct customer_id from memberships")}
        alive = people[people["is_alive"] & ~people["customer_id"].isin(members)]
        as_of = day_number_of(AS_OF)
        for days in (30, 90):
            elapsed = season.rates[as_of + 1 : as_of + days + 1].sum()
            # nobody is offered membership after the first purchase since its launch
            assert_share(
                alive[f"future_purchase_days_{days}d"] > 0,
                1 - np.exp(-alive["purchase_rate"] * elapsed),
                f"{days} days",
            )

    def test_spend_is_what_each_person_is_expected_to_spend(self, crowd: Sample) -> None:
        spend = crowd.frame(
            """
            with days as (
                select
                    coalesce(truth_ids.customer_id, orders.customer_id) as customer_id,
                    cast(ordered_at + interval 8 hour as date) as purchased_on,
                    sum(order_amount - coalesce(refund_amount, 0)) as net_revenue
                from orders
                left join truth_ids on orders.customer_id = truth_ids.id
                where status != 'cancelled' and coalesce(refund_amount, 0) < order_amount
                group by all
            )
            select cast(net_revenue as double) as net_revenue, expected_spend
            from days
            inner join truth_customers using (customer_id)
            """
        )
        difference = spend["net_revenue"] - spend["expected_spend"]
        assert abs(difference.mean()) < ERRORS * difference.std() / math.sqrt(len(spend))
        assert 80 < spend["net_revenue"].mean() < 160


class TestSurveys:
    def test_weighted_answers_are_the_truth_and_unweighted_ones_are_not(self, crowd: Sample) -> None:
        answers = crowd.frame(
            """
            select
                coalesce(customers.acquisition_channel, 'nobody') as acquisition_channel,
                coalesce(customers.region, 'nobody') as region,
                coalesce(customers.gender, 'nobody') as gender,
                case
                    when customers.customer_id is null then 'nobody'
                    else coalesce(income_band, 'unknown')
                end as income_band,
                cast(weight as double) as weight,
                case when score >= 9 then 100e0 when score <= 6 then -100e0 else 0e0 end as value,
                date_trunc('quarter', responded_at + interval 8 hour) as quarter
            from survey_responses
            left join customers using (customer_id)
            where survey_type = 'nps'
            """
        )
        answers["all"] = "all"
        truth = crowd.frame("select * from truth_nps_segments")
        missed = {}
        for row in truth.itertuples():
            rows = answers[answers[row.dimension] == row.dimension_value]
            if row.period_grain == "quarter":
                rows = rows[rows["quarter"].dt.date == row.period_start]
            if len(rows) < 100:
                continue
            mean = np.average(rows["value"], weights=rows["weight"])
            error = math.sqrt(((rows["weight"] * (rows["value"] - mean)) ** 2).sum()) / rows["weight"].sum()
            missed[row.period_grain, row.period_start, row.dimension, row.dimension_value] = (mean - row.nps) / error
        assert len(missed) > 100
        # hundreds of comparisons
        assert max(abs(miss) for miss in missed.values()) < 4.5, missed
        assert 0.7 < np.std(list(missed.values())) < 1.3
        everybody = truth[(truth["period_grain"] == "all") & (truth["dimension"] == "all")]["nps"].iloc[0]
        error = answers["value"].std() / math.sqrt(len(answers))
        assert (answers["value"].mean() - everybody) / error > 5

    def test_the_truth_is_the_mean_of_those_asked(self, small: Sample) -> None:
        # invitations that came late are in the Parquet files, they have no late batch
        expected = small.frame(
            """
            select
                date_trunc('quarter', sent_at) as quarter,
                avg(100 * (p_promoter - p_detractor)) as nps,
                count(*) as asked
            from survey_invitations
            inner join truth_customers using (customer_id)
            where survey_type = 'nps'
            group by all
            order by quarter
            """
        )
        found = small.frame(
            """
            select * from truth_nps_segments
            where period_grain = 'quarter' and dimension = 'all'
            order by period_start
            """
        )
        assert len(found) == 10
        assert np.allclose(expected["nps"], found["nps"])
        assert list(expected["asked"]) == list(found["invited_customers"])
        assert (
            small.value(
                "select count(*) - count(distinct customer_id) from survey_invitations where survey_type = 'nps'"
            )
            == 0
        )

    def test_answers_depend_on_the_channel_and_weights_undo_that(self, crowd: Sample) -> None:
        rates = crowd.frame(
            """
            select
                acquisition_channel,
                count(*) as invited,
                count(answered.invitation_id) as answered,
                avg(weight) as weight
            from survey_invitations as invitations
            inner join customers using (customer_id)
            left join (
                select invitation_id, max(weight) as weight from survey_responses group by invitation_id
            ) as answered using (invitation_id)
            where survey_type = 'nps'
            group by acquisition_channel
            """
        )
        parameters = {c["name"]: c for c in crowd.truth["parameters"]["people"]["channels"]}
        for row in rates.itertuples():
            # the anonymous answer no invitation
            expected = parameters[row.acquisition_channel]["response"] * 0.98
            error = math.sqrt(expected * (1 - expected) / row.invited)
            assert abs(row.answered / row.invited - expected) < ERRORS * error
        products = [float(row.weight) * parameters[row.acquisition_channel]["response"] for row in rates.itertuples()]
        assert np.allclose(products, products[0], rtol=1e-3)
        weights = crowd.frame("select cast(weight as double) as weight from survey_responses where survey_type = 'nps'")
        assert weights["weight"].mean() == pytest.approx(1, abs=0.03)

    def test_surveys_are_asked_by_their_triggers(self, crowd: Sample) -> None:
        assert crowd.rows('select distinct survey_type, "trigger" from survey_invitations order by all') == [
            ("ces", "post_ticket"),
            ("csat", "post_purchase"),
            ("csat", "post_ticket"),
            ("csat", "relationship"),
            ("nps", "relationship"),
        ]
        anonymous = crowd.value(
            "select avg((customer_id is null)::int) from survey_responses where survey_type = 'nps'"
        )
        assert anonymous == pytest.approx(0.02, abs=0.01)
        assert (
            crowd.value("select count(*) from survey_responses where customer_id is null and invitation_id is not null")
            == 0
        )
        early = """
            select count(*) from survey_responses inner join survey_invitations using (invitation_id)
            where responded_at <= sent_at
        """
        assert crowd.value(early) == 0
        assert set(crowd.rows("select distinct language from survey_responses")) == {("zh",), ("en",)}


class TestProgramme:
    def test_the_offer_comes_once_and_the_naive_difference_misses(self, crowd: Sample) -> None:
        outcomes = crowd.frame(
            """
            with offers as (
                select customer_id, min(purchased_on) as offered_on
                from purchase_days
                where purchased_on >= date '2024-01-01' and customer_id not like 'pos:%'
                group by customer_id
            ),

            enrolments as (
                select customer_id, cast(min(enrolled_at) + interval 8 hour as date) as enrolled_on
                from memberships
                group by customer_id
            )

            select offers.*, enrolments.enrolled_on, count(purchased_on) as days
            from offers
            left join enrolments using (customer_id)
            left join purchase_days
                on offers.customer_id = purchase_days.customer_id
                and purchased_on > offered_on
                and purchased_on <= offered_on + 365
            where offered_on + 365 <= date '2025-12-31'
            group by all
            """
        )
        members = outcomes["enrolled_on"].notna()
        assert (outcomes[members]["enrolled_on"] == outcomes[members]["offered_on"]).all()
        assert 0.3 < members.mean() < 0.4
        truth = crowd.frame("select * from truth_programme_members where horizon_days = 365")
        # what happened is the outcome with the programme
        with_ = outcomes[members].set_index("customer_id")["days"]
        assert (
            with_.sort_index().to_dict() == truth.set_index("customer_id")["purchase_days_with"].sort_index().to_dict()
        )
        effect = (truth["purchase_days_with"] - truth["purchase_days_without"]).mean()
        naive = with_.mean() - outcomes[~members]["days"].mean()
        error = math.sqrt(with_.var() / len(with_) + outcomes[~members]["days"].var() / (~members).sum())
        assert naive - effect > 5 * error
        assert naive > 1.8 * effect

    def test_who_accepts_depends_on_what_the_orders_show(self, crowd: Sample) -> None:
        offers = crowd.frame(
            """
            with spent as (
                select
                    coalesce(truth_ids.customer_id, orders.customer_id) as customer_id,
                    cast(ordered_at + interval 8 hour as date) as purchased_on,
                    cast(sum(order_amount) as double) as amount
                from orders
                left join truth_ids on orders.customer_id = truth_ids.id
                where status != 'cancelled' and coalesce(refund_amount, 0) < order_amount
                group by all
            ),

            offers as (
                select customer_id, min(purchased_on) as offered_on
                from spent
                where purchased_on >= date '2024-01-01' and customer_id not like 'pos:%'
                group by customer_id
            )

            select
                offers.customer_id in (select customer_id from memberships) as accepts,
                count(*) as purchases,
                avg(amount) as value
            from offers
            inner join spent on offers.customer_id = spent.customer_id and spent.purchased_on <= offers.offered_on
            group by offers.customer_id
            """
        )
        known = crowd.truth["parameters"]["programme"]
        log_odds = (
            known["accept_intercept"]
            + known["accept_purchases"] * np.log(offers["purchases"])
            + known["accept_value"] * np.log(offers["value"] / 100)
        )
        offers["probability"] = known["accept_limit"] / (1 + np.exp(-log_odds))
        assert_share(offers["accepts"], offers["probability"], "all")
        ranked = offers.sort_values("probability", kind="stable")
        for place, part in enumerate(np.array_split(np.arange(len(ranked)), 10)):
            assert_share(ranked["accepts"].iloc[part], ranked["probability"].iloc[part], f"tenth {place}")

    def test_without_the_programme_is_the_company_without_its_effect(self, crowd: Sample, tmp_path: Path) -> None:
        config = Config(20_000, seed=11, dirt=CLEAN, programme=replace(ProgrammeParameters(), rate_effect=0.0))
        simulate(tmp_path / "none", config=config)
        none = Sample(tmp_path / "none")
        columns = "customer_id, enrolled_on, horizon_days, purchase_days_without, churned_without"
        query = f"select {columns} from truth_programme_members order by all"
        assert none.rows(query) == crowd.rows(query)
        differs = "purchase_days_with != purchase_days_without or net_revenue_with != net_revenue_without"
        assert none.value(f"select count(*) from truth_programme_members where {differs}") == 0
        assert crowd.value(f"select count(*) from truth_programme_members where {differs}") > 1_000

    def test_extra_purchases_come_at_the_rate_of_the_effect(self, crowd: Sample) -> None:
        truth = crowd.frame(
            """
            select horizon_days, sum(purchase_days_with) as with_, sum(purchase_days_without) as without
            from truth_programme_members
            group by horizon_days
            order by horizon_days
            """
        )
        for row in truth.itertuples():
            # base purchases come at the rate while alive, extras at 0.3 times it; those of campaigns are in both, and
            # an extra on the day of another purchase is none
            assert 0.24 < (row.with_ - row.without) / row.without < 0.31
        less = "purchase_days_with < purchase_days_without or (churned_with and not churned_without)"
        assert crowd.value(f"select count(*) from truth_programme_members where {less}") == 0

    def test_net_revenue_with_the_programme_is_that_of_the_orders(self, crowd: Sample) -> None:
        differing = """
            with spent as (
                select
                    truth.customer_id,
                    truth.net_revenue_with,
                    sum(order_amount - coalesce(refund_amount, 0)) as net_revenue
                from truth_programme_members as truth
                inner join purchase_days
                    on truth.customer_id = purchase_days.customer_id
                    and purchased_on > enrolled_on
                    and purchased_on <= enrolled_on + 180
                inner join (
                    select coalesce(truth_ids.customer_id, orders.customer_id) as owner_id, orders.*
                    from orders
                    left join truth_ids on orders.customer_id = truth_ids.id
                    where status != 'cancelled' and coalesce(refund_amount, 0) < order_amount
                ) as orders
                    on truth.customer_id = orders.owner_id
                    and cast(ordered_at + interval 8 hour as date) = purchased_on
                where horizon_days = 180
                group by all
            )
            select count(*), count(*) filter (where abs(net_revenue - net_revenue_with) > 0.001) from spent
        """
        ((members, wrong),) = crowd.rows(differing)
        assert members > 1_000
        assert wrong == 0

    def test_tiers_are_versions_in_time(self, crowd: Sample) -> None:
        versions = crowd.frame("select * from memberships order by member_id, updated_at")
        first = ~versions["member_id"].duplicated()
        last = ~versions["member_id"].duplicated(keep="last")
        assert (versions[first]["updated_at"] == versions[first]["enrolled_at"]).all()
        assert (versions[first]["tier"] == "member").all()
        assert not ((versions["status"] == "closed") & ~last).any()
        closed = versions["status"] == "closed"
        assert 0.005 < closed.sum() / first.sum() < 0.05
        previous = versions["tier"].shift().where(~first)
        assert (versions["tier"] != previous)[~closed].all()
        assert (versions["tier"] == previous)[closed].all()
        assert set(versions["tier"]) == {"member", "silver", "gold", "platinum", "diamond"}
        # only the review takes a tier away
        rank = {"member": 1, "silver": 2, "gold": 3, "platinum": 4, "diamond": 5}
        falls = versions["tier"].map(rank) < previous.map(rank)
        assert falls.sum() > 20
        review = (versions["updated_at"] + timedelta(hours=8)).dt.date == date(2025, 1, 1)
        assert (review | ~falls).all()

    def test_points_are_never_overdrawn_but_for_the_known_movements(self, crowd: Sample) -> None:
        known = crowd.truth["points"]
        movements = crowd.frame("select * from points_transactions order by occurred_at, points_transaction_id")
        movements["points"] = movements["points"].astype(int)
        balance = movements.groupby("member_id")["points"].cumsum()
        negative = movements[balance < 0]
        assert sorted(negative["points_transaction_id"]) == sorted(known["points_transaction_ids"])
        assert len(negative) == known["overdrawing_redemptions"] == 3
        assert set(negative["type"]) == {"redeem"}
        assert set(movements["type"]) == {"earn", "redeem", "expire", "adjust"}

    def test_points_are_earned_used_and_expire_as_the_rules_say(self, crowd: Sample) -> None:
        owner = dict(crowd.rows("select member_id, min(enrolled_at) from memberships group by member_id"))
        amounts = {
            row[0]: (row[1], row[2]) for row in crowd.rows("select order_id, order_amount, ordered_at from orders")
        }
        overdrawn = set(crowd.truth["points"]["points_transaction_ids"])
        movements = crowd.rows(
            """
            select member_id, type, cast(points as integer), occurred_at, expires_at, order_id, points_transaction_id
            from points_transactions
            order by occurred_at, points_transaction_id
            """
        )
        lots: dict[str, list[list[Any]]] = defaultdict(list)
        booked = missed = 0
        for member, kind, points, occurred, expires, order, movement in movements:
            assert occurred > owner[member]
            if kind == "earn":
                amount, ordered = amounts[order]
                assert points == int(amount)
                assert occurred == ordered
                assert expires == ordered + timedelta(days=365)
            if points > 0:
                lots[member].append([points, expires])
            elif kind == "expire":
                # of one lot, whole, in the night after its date
                fitting = [
                    lot for lot in lots[member] if lot[0] == -points and lot[1] is not None and lot[1] < occurred
                ]
                assert fitting
                assert occurred - fitting[-1][1] <= timedelta(hours=26)
                fitting[-1][0] = 0
                booked += 1
            elif movement not in overdrawn:
                assert kind == "adjust" or points % 100 == 0
                usable = [lot for lot in lots[member] if lot[1] is None or lot[1] > occurred]
                assert sum(lot[0] for lot in usable) >= -points
                left = -points
                for lot in usable:
                    taken = min(left, lot[0])
                    lot[0] -= taken
                    left -= taken
        end = pd.Timestamp(AS_OF - timedelta(days=1))
        missed = sum(1 for member in lots.values() for lot in member if lot[0] and lot[1] is not None and lot[1] < end)
        assert booked > 1_000
        assert 0.05 < missed / (booked + missed) < 0.15


class TestCampaignsAndTickets:
    def test_what_happened_is_the_outcome_of_the_arm(self, crowd: Sample) -> None:
        outcomes = crowd.frame(
            """
            select campaign_id, arm, converted_with, converted_without, count(purchased_on) > 0 as happened
            from truth_campaign_customers as truth
            left join purchase_days
                on truth.customer_id = purchase_days.customer_id
                and purchased_on > assigned_on
                and purchased_on <= assigned_on + 14
            group by campaign_id, truth.customer_id, arm, converted_with, converted_without
            """
        )
        treated = outcomes["arm"] == "treatment"
        assert (outcomes[treated]["happened"] == outcomes[treated]["converted_with"]).all()
        assert (outcomes[~treated]["happened"] == outcomes[~treated]["converted_without"]).all()
        for campaign_id, rows in outcomes.groupby("campaign_id"):
            known = crowd.truth["campaigns"][campaign_id]
            assert len(rows) == known["targeted_customers"]
            gain = rows["converted_with"].mean() - rows["converted_without"].mean()
            assert gain == pytest.approx(known["conversion_uplift"])
            # an extra purchase converts whoever would not have bought
            idle = rows[~rows["converted_without"]]
            probability = known["extra_purchase_probability"]
            assert_share(idle["converted_with"], np.full(len(idle), probability), campaign_id)
        assert {known["extra_purchase_probability"] > 0 for known in crowd.truth["campaigns"].values()} == {True, False}
        members = crowd.rows("select campaign_id, customer_id, arm from campaign_members order by all")
        assert members == crowd.rows("select campaign_id, customer_id, arm from truth_campaign_customers order by all")

    def test_only_the_treated_are_sent_anything(self, crowd: Sample) -> None:
        arms = crowd.rows(
            """
            select distinct arm, event_type = 'sent'
            from campaign_events
            inner join campaign_members using (campaign_id, customer_id)
            order by all
            """
        )
        assert arms == [("treatment", False), ("treatment", True)]
        sent = crowd.value("select count(*) from campaign_events where event_type = 'sent'")
        assert sent == crowd.value("select count(*) from campaign_members where arm = 'treatment'")
        assert len(crowd.rows("select distinct event_type from campaign_events")) == 6

    def test_a_bad_ticket_costs_customers_as_the_truth_says(self, crowd: Sample) -> None:
        tickets = crowd.frame(
            """
            select
                truth.ticket_id,
                next_purchase_probability,
                next_purchase_probability_without,
                count(later.purchased_on) > 0 as returned
            from truth_tickets as truth
            inner join orders using (order_id)
            left join purchase_days as later
                on truth.customer_id = later.customer_id
                and later.purchased_on > cast(ordered_at + interval 8 hour as date)
                and later.purchased_on <= cast(ordered_at + interval 8 hour as date) + 90
            where
                cast(ordered_at + interval 8 hour as date) + 90 <= date '2025-12-31'
                -- campaigns are left out of the truth
                and truth.customer_id not in (select customer_id from campaign_members)
            group by all
            """
        )
        assert len(tickets) > 1_000
        assert_share(tickets["returned"], tickets["next_purchase_probability"], "after a bad ticket")
        ratio = tickets["next_purchase_probability"] / tickets["next_purchase_probability_without"]
        assert np.allclose(ratio, 1 - crowd.truth["bad_ticket_dropout"])
        assert crowd.rows("select ticket_id from truth_tickets order by 1") == crowd.rows(
            "select ticket_id from tickets where is_complaint order by 1"
        )

    def test_bad_tickets_are_answered_late_and_open_soon_after_the_order(self, crowd: Sample) -> None:
        hours = dict(
            crowd.rows(
                """
                select is_complaint, median(date_diff('minute', opened_at, first_responded_at)) / 60
                from tickets group by is_complaint
                """
            )
        )
        assert hours[False] == pytest.approx(2, rel=0.1)
        assert hours[True] == pytest.approx(20, rel=0.1)
        away = """
            select count(*) from truth_tickets inner join tickets using (ticket_id) inner join orders using (order_id)
            where opened_at not between ordered_at and ordered_at + interval 20 hour
        """
        assert crowd.value(away) == 0


class TestWebAndPeople:
    def test_the_funnel_has_its_probabilities(self, crowd: Sample) -> None:
        sessions = crowd.frame(
            """
            select
                traffic_source,
                session_id,
                bool_or(event_name = 'view_item') as view,
                bool_or(event_name = 'add_to_cart') as cart,
                bool_or(event_name = 'begin_checkout') as checkout,
                bool_or(event_name = 'purchase') as purchase
            from web_events
            group by traffic_source, session_id
            """
        )
        assert set(sessions["traffic_source"]) == set(crowd.truth["web_funnel"])
        for source, steps in crowd.truth["web_funnel"].items():
            rows = sessions[sessions["traffic_source"] == source]
            for step, probability in steps.items():
                assert_share(rows[step], np.full(len(rows), probability), f"{source} {step}")
                rows = rows[rows[step]]
        order = "order by session_id, occurred_at"
        steps_back = f"""
            select count(*) from (
                select event_name, lead(event_name) over (partition by session_id {order}) as following from web_events
            )
            where event_name = 'purchase' and following is not null
        """
        assert crowd.value(steps_back) == 0
        unbought = """
            select count(*) from web_events inner join orders using (order_id)
            where
                occurred_at != ordered_at
                or orders.channel != 'web'
                or status = 'cancelled'
                or event_name != 'purchase'
        """
        assert crowd.value(unbought) == 0
        assert crowd.value("select count(*) from web_events where event_name = 'purchase' and order_id is null") == 0

    def test_a_device_is_of_one_customer(self, crowd: Sample) -> None:
        shared = """
            select anonymous_id from web_events where customer_id is not null
            group by anonymous_id having count(distinct customer_id) > 1
        """
        assert crowd.rows(shared) == []

    def test_the_satisfied_refer_more(self, crowd: Sample) -> None:
        ((referrers, others),) = crowd.rows(
            """
            select
                avg(satisfaction) filter (where customer_id in (select referred_by_customer_id from customers)),
                avg(satisfaction) filter (where customer_id not in (
                    select referred_by_customer_id from customers where referred_by_customer_id is not null
                ))
            from truth_customers
            where first_purchase_on is not null and not is_guest
            """
        )
        assert referrers > others + 0.3
        early = """
            select count(*) from customers as brought inner join customers as by_whom
                on brought.referred_by_customer_id = by_whom.customer_id
            where by_whom.registered_at >= brought.registered_at or brought.acquisition_channel != 'referral'
        """
        assert crowd.value(early) == 0

    def test_nobody_buys_before_they_register(self, crowd: Sample) -> None:
        early = """
            select count(*) from orders inner join customers using (customer_id) where ordered_at < registered_at
        """
        assert crowd.value(early) == 0

    def test_people_have_chinese_and_english_names(self, crowd: Sample) -> None:
        english = crowd.value("select avg(regexp_matches(full_name, '[a-z]')::int) from customers")
        assert english == pytest.approx(0.12, abs=0.01)
        assert crowd.value("select count(*) - count(distinct lower(email)) from customers where email is not null") == 0
        assert crowd.value("select count(distinct region) from customers") == 9


def plain_email(text: str) -> str:
    return text.strip().lower()


def plain_phone(text: str) -> str:
    digits = "".join(letter for letter in text if letter.isdigit())
    return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits


class TestIdentities:
    def test_every_id_of_the_till_is_linked_by_what_the_truth_says_alone(self, crowd: Sample) -> None:
        holders: dict[tuple[str, str], set[str]] = defaultdict(set)
        for customer_id, email, phone in crowd.rows("select customer_id, email, phone from customers"):
            holders["customer_id", customer_id].add(customer_id)
            if email:
                holders["email", plain_email(email)].add(customer_id)
            if phone:
                holders["phone", plain_phone(phone)].add(customer_id)
        for customer_id, device in crowd.rows(
            "select distinct customer_id, anonymous_id from web_events where customer_id is not null"
        ):
            holders["anonymous_id", device].add(customer_id)
        wechat: dict[str, str] = {}
        told: dict[str, set[tuple[str, str]]] = defaultdict(set)
        kinds = ("customer_id", "email", "phone", "anonymous_id")
        for system, source_id, *values in crowd.rows(
            f"select source_system, source_id, {', '.join(kinds)} from customer_identities"
        ):
            for kind, value in zip(kinds, values, strict=True):
                if value is not None:
                    plain = {"email": plain_email, "phone": plain_phone}.get(kind, str)
                    told[f"{system}:{source_id}"].add((kind, plain(value)))
            if system == "wechat":
                wechat[plain_phone(values[2])] = plain_email(values[1])
        links = Counter()
        for row in crowd.frame("select * from truth_identities").itertuples():
            found = {
                (kind, tuple(sorted(holders[kind, value]))) for kind, value in told[row.id] if holders[kind, value]
            }
            links[row.link, row.is_conflict] += 1
            if row.is_conflict:
                ((kind, customers),) = found
                assert kind == "phone"
                assert len(customers) == 2
                assert row.customer_id == row.id
            elif row.link == "transitive":
                assert found == set()
                ((kind, phone),) = told[row.id]
                assert kind == "phone"
                assert holders["email", wechat[phone]] == {row.customer_id}
            elif row.link == "none":
                # the number that clerks type is of many
                assert all(kind == "phone" and len(customers) > 2 for kind, customers in found)
                assert row.customer_id == row.id
            else:
                assert found == {(row.link, (row.customer_id,))}, row
        assert links["none", True] == 4
        for link in ("customer_id", "email", "phone", "anonymous_id", "transitive", "none"):
            assert links[link, False] > 10

    def test_orders_carry_ids_of_the_till(self, crowd: Sample) -> None:
        ((ids, registered, orders),) = crowd.rows(
            """
            select
                count(distinct truth_identities.id),
                count(distinct truth_identities.id) filter (where truth_identities.customer_id like 'C%'),
                count(*)
            from orders inner join truth_identities on orders.customer_id = truth_identities.id
            """
        )
        assert orders == crowd.value("select count(*) from orders where customer_id like 'pos:%'")
        assert 0.06 < registered / 20_000 < 0.14
        assert ids > registered
        assert crowd.value("select count(*) from orders where customer_id like 'pos:%' and channel != 'store'") == 0

    @pytest.mark.worlds
    @pytest.mark.long
    def test_the_project_links_them_and_reports_the_conflicts(self, small: Sample, world: World) -> None:
        aliases = dict(world.rows("select alias_id, customer_id from intermediate.int_customer_aliases_listed"))
        truth = small.frame("select * from truth_identities")
        assert {id_: aliases.get(id_, id_) for id_ in truth["id"]} == dict(
            zip(truth["id"], truth["customer_id"], strict=True)
        )
        conflicts = {row[0] for row in world.rows("select identity_id from marts.identity_conflicts")}
        assert conflicts == set(truth[truth["is_conflict"]]["id"])


@pytest.mark.worlds
@pytest.mark.long
class TestDirt:
    def test_rejected_rows_are_those_that_were_broken(self, small: Sample, world: World) -> None:
        counted = world.rows("select table_name, reason_code, count(*) from quality.rejected_rows group by all")
        found = {(table, reason): rows for table, reason, rows in counted}
        expected = {
            (table, reason): rows
            for table, kinds in small.truth["dirt"].items()
            for reason, rows in kinds.items()
            if reason not in ("late", "superseded")
        }
        assert found == expected
        assert {reason for _, reason in found} == {
            "malformed_row",
            "missing_key",
            "missing_value",
            "unparseable_value",
            "destroyed_id",
            "implausible_date",
            "out_of_domain",
            "unknown_reference",
        }

    def test_every_row_is_accounted_for_and_late_ones_are_accepted(self, small: Sample, world: World) -> None:
        dirt = small.truth["dirt"]
        rows = world.frame("select * from quality.row_reconciliation").set_index("table_name")
        assert rows["is_balanced"].all()
        for table in small.tables:
            kinds = dirt.get(table, {})
            assert rows.loc[table, "rows_superseded"] == kinds.get("superseded", 0)
            # what is in the Parquet files and what comes late: repeated rows are not accepted twice
            sound = small.value(f"select count(*) from {table}") + kinds.get("late", 0)
            assert rows.loc[table, "rows_accepted"] == sound
        assert len(dirt) == 11
        assert all(kinds["late"] and kinds["superseded"] for kinds in dirt.values())

    def test_an_older_version_changes_nothing(self, small: Sample, world: World) -> None:
        differing = world.rows(
            f"""
            select count(*)
            from read_parquet('{small.folder}/raw/orders/*.parquet') as written
            left join staging.stg_orders as kept using (order_id)
            where (written.status, written.order_amount, written.refund_amount, written.ordered_at, written.updated_at)
                is distinct from (kept.status, kept.order_amount, kept.refund_amount, kept.ordered_at, kept.updated_at)
            """
        )
        assert differing == [(0,)]

    def test_late_rows_are_spelled_in_many_ways_and_read_in_one(self, small: Sample, world: World) -> None:
        with (small.folder / "raw" / "orders" / LATE_FILE).open(encoding="utf-8", newline="") as file:
            cells = [row["ordered_at"] for row in csv.DictReader(file)]
        assert {text.strip()[-6:] for text in cells if text.strip().endswith("+08:00")}
        assert any(text.strip().endswith("+0800") for text in cells)
        assert world.as_of == AS_OF
        # no late order is lost: every customer of the truth with a purchase is there, and has as many purchase days
        expected = small.value("select count(*) from truth_customers where first_purchase_on is not null")
        found = world.rows(
            """
            select count(distinct coalesce(aliases.customer_id, orders.customer_id))
            from staging.stg_orders as orders
            left join intermediate.int_customer_aliases_listed as aliases on orders.customer_id = aliases.alias_id
            where status != 'cancelled' and coalesce(refund_amount, 0) < order_amount
            """
        )
        assert found == [(expected,)]
