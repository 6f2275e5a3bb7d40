"""The programme of a simulated company in memory: the project's own SQL of its effect, on purchases never landed.

To land and build a company takes longer than to estimate one effect. Where only the effect is of interest, its models
run on what the simulator drew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from companies.sample.simulator.config import AS_OF, AS_OF_DAY, Config
from companies.sample.simulator.customer_chunk import Shopping, draw_chunk
from companies.sample.simulator.orders import Orders
from companies.sample.simulator.people import guests_of
from companies.sample.simulator.purchases import PurchaseDays
from companies.sample.simulator.season import Season
from companies.sample.simulator.tables import ParquetWriter, Table, counts, dates, decimals
from companies.sample.simulator.truth import net_by_day, person_ids, programme_truth, sum_by_day

ROOT = Path(__file__).parent.parent
# in the order in which they are run; all before them comes from the simulator or is a seed
MODELS = (
    "int_purchase_days_numbered",
    "int_programme_occasions_listed",
    "int_programme_candidates_listed",
    "int_programme_pairs_matched",
    "int_programme_pair_outcomes",
    "int_programme_controls_weighted",
    "int_programme_differences_taken",
    "int_programme_effects_estimated",
)
SEEDS = ("programme_horizons", "programme_match_bands", "programme_matching_settings", "programme_metrics")


LAPSED_DAYS = 180


@dataclass(frozen=True)
class ProgrammeModels:
    """The models of MODELS as dbt compiles them, by name, and what they call the database and its schemas."""

    statements: Mapping[str, str]
    database: str = "warehouse"
    seeds: str = "seeds"
    models: str = "intermediate"

    @contextmanager
    def run(self, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with each of MODELS as a table, and the truth of each member in the table members_truth."""
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
            connection.execute(f"attach ':memory:' as {self.database}")
            for schema in (self.seeds, self.models):
                connection.execute(f"create schema {self.database}.{schema}")
            connection.execute(f"use {self.database}.{self.models}")
            for name in SEEDS:
                path = ROOT / "seeds" / f"{name}.csv"
                connection.execute(f"create table {self.database}.{self.seeds}.{name} as from read_csv('{path}')")
            write(Path(folder), config)
            for entry in sorted(Path(folder).iterdir()):
                connection.execute(f"create table {entry.name} as from read_parquet('{entry}/*.parquet')")
            connection.execute(
                f"create table run_context as select date '{AS_OF}' as as_of_date, {LAPSED_DAYS} as lapsed_days"
            )
            for name in MODELS:
                connection.execute(f"create table {name} as {self.statements[name]}")
            yield connection


def write(folder: Path, config: Config) -> None:
    """Write what the models read of a company, and the truth, as folders of Parquet files."""
    season, first_customer, first_person = Season(config.season), 1, 0
    with ParquetWriter() as writer:
        for number, registered in enumerate(config.chunks):
            chunk = draw_chunk(config, season, number, registered, first_customer, first_person)
            for name, table in _tables(chunk.shopping).items():
                writer.write(folder / name / f"{number}.parquet", table)
            first_customer += registered
            first_person += registered + guests_of(config, registered)


def _tables(shopping: Shopping) -> dict[str, Table]:
    people, days, orders, offers = shopping.people, shopping.days, shopping.orders, shopping.offers
    known = np.flatnonzero(days.day <= AS_OF_DAY)
    members = np.flatnonzero(offers.enrolled_on <= AS_OF_DAY)
    net = decimals(net_by_day(days, orders)[known])
    return {
        "int_customer_days_summed": {
            "customer_id": person_ids(people, days.person[known]),
            "purchase_on": dates(days.day[known]),
            "orders": counts(np.ones(len(known), dtype=np.int64)),
            "net_revenue": net,
            "margin_amount": net,
            "discount_amount": decimals(_discounts(days, orders)[known]),
        },
        "int_programme_enrolments_listed": {
            "customer_id": person_ids(people, members),
            "enrolled_on": dates(offers.enrolled_on[members]),
        },
        "members_truth": programme_truth(people, offers, days, orders),
    }


def _discounts(days: PurchaseDays, orders: Orders) -> np.ndarray:
    """Discounts of each purchase day up to the as-of date in CNY, one value per row of `days`."""
    discounts = np.where(orders.is_valid, np.maximum(orders.discount, 0), 0)
    return sum_by_day(days, orders, discounts)
