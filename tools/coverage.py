"""How often 95% intervals hold the truth: `python -m tools.coverage --seeds 40`.

Simulates companies whose truth is known (companies/sample), builds the marts that estimate it, and counts for each
estimate in how many companies its interval holds the truth. Writes the counts to docs/coverage.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb

from companies.sample.simulator import simulate
from orchestration.contract import load_contract
from orchestration.engines.duckdb.build import build_database, open_build, register
from orchestration.landing.land import land
from orchestration.settings import RAW_DIR, WAREHOUSE_DIR, Settings, load_settings
from tools.bootstrap import ROOT

SEEDS_SETTING, SIZE_SETTING = "STICKINESS_SAMPLE_SEEDS", "STICKINESS_SAMPLE_SIZE"
REPORT = ROOT / "docs" / "coverage.md"
MARTS = ("nps", "time_to_second_purchase", "programme_effect")
# a cut with fewer responses says nothing that anybody would read
LEAST_RESPONSES = 20
LEAST_SHARE, GREATEST_SHARE = 0.85, 1.0

# The build is there with its layers as schemas, the truth as views of the schema truth. Each question gives: what is
# estimated, estimate, low, high, truth, and what a naive reader would have taken for the estimate, or null.
QUESTIONS = {
    # in a quarter a customer is asked once, so that weights repair who answers; the newest quarter is a whole one
    "nps": f"""
        select
            'NPS of the quarter, ' || nps.dimension || ' ' || nps.dimension_value,
            nps.weighted_nps, nps.weighted_nps_low, nps.weighted_nps_high, known.nps, nps.nps
        from marts.nps
        inner join truth.nps_segments as known using (period_grain, period_start, dimension, dimension_value)
        where
            nps.period_grain = 'quarter'
            and nps.period_start = (select max(period_start) from truth.nps_segments where period_grain = 'quarter')
            and nps.responses >= {LEAST_RESPONSES}
        order by nps.dimension, nps.dimension_value
    """,
    # the curve has a row for each day on which somebody bought again, and holds until the next
    "repurchase": """
        with steps as (
            select
                known.days, known.repurchase_probability as truth,
                curve.repurchase_probability, curve.repurchase_probability_low, curve.repurchase_probability_high,
                row_number() over (partition by known.days order by curve.days desc) as place
            from truth.repurchase as known
            inner join marts.time_to_second_purchase as curve
                on curve.days <= known.days and curve.dimension = 'all'
        )

        select
            'second purchase within ' || days || ' days',
            repurchase_probability, repurchase_probability_low, repurchase_probability_high, truth, null
        from steps
        where place = 1
        order by days
    """,
    # the effect on the members who have a match is what matched pairs estimate: against joining when the next offer is
    # accepted, and weighted, against not joining within the horizon
    "programme": """
        with outcomes as (
            select
                known.*,
                'purchase_days' as metric,
                purchase_days_with as given, purchase_days_deferred as deferred, purchase_days_without as without
            from intermediate.int_programme_pair_outcomes as pairs
            inner join truth.programme_members as known
                on pairs.member_customer_id = known.customer_id and pairs.horizon_days = known.horizon_days
            where not pairs.is_placebo
        ),

        effects as (
            select horizon_days, metric, avg(given - deferred) as effect, avg(given - without) as weighted_effect
            from (
                select horizon_days, metric, given, deferred, without from outcomes
                union all
                select horizon_days, 'net_revenue', net_revenue_with, net_revenue_deferred, net_revenue_without
                from outcomes
                union all
                select
                    horizon_days, 'churn', cast(churned_with as integer), cast(churned_deferred as integer),
                    cast(churned_without as integer)
                from outcomes
            ) as measured
            group by horizon_days, metric
        )

        select
            'programme, ' || mart.metric || ' in ' || mart.horizon_days || ' days',
            mart.effect, mart.effect_low, mart.effect_high, effects.effect, mart.naive_effect
        from marts.programme_effect as mart
        inner join effects using (horizon_days, metric)
        union all
        select
            'programme weighted, ' || mart.metric || ' in ' || mart.horizon_days || ' days',
            mart.weighted_effect, mart.weighted_effect_low, mart.weighted_effect_high,
            effects.weighted_effect, mart.naive_effect
        from marts.programme_effect as mart
        inner join effects using (horizon_days, metric)
        order by 1
    """,
}


TEMPLATE = """\
# How often an interval holds the truth

{seeds} simulated companies of size {size} ([companies/sample](../companies/sample/README.md)), seeds 1 to {seeds},
built with the models of this repository. The truth is the simulator's, computed from what it drew for each customer; no
model reads it. A 95% interval should hold it in about 95% of companies. `make coverage` makes this page again.

{verdict}

Where an estimate repairs what a plain figure gets wrong, the last two columns show the plain one: the NPS without
weights, and the members' average less everybody else's. "Naive holds" is the share of companies in which an interval of
the same width around it would hold the truth.

| estimate | companies | holds | truth | estimate, mean | half width, mean | naive, mean | naive holds |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}
"""


@dataclass(frozen=True)
class Outcome:
    """One estimate of one simulated company, its 95% interval, the truth, and a naive figure where there is one.

    `kind` is the question of QUESTIONS that it answers.
    """

    kind: str
    name: str
    estimate: float
    low: float
    high: float
    truth: float
    naive: float | None

    @property
    def holds(self) -> bool:
        return self.low <= self.truth <= self.high

    @property
    def naive_holds(self) -> bool:
        """Whether an interval of the same width around the naive figure would hold the truth."""
        return self.naive is not None and abs(self.naive - self.truth) <= (self.high - self.low) / 2


@dataclass(frozen=True)
class Coverage:
    """One estimate over many simulated companies."""

    name: str
    outcomes: Sequence[Outcome]

    @property
    def share(self) -> float:
        return sum(outcome.holds for outcome in self.outcomes) / len(self.outcomes)

    @property
    def naive_share(self) -> float | None:
        if any(outcome.naive is None for outcome in self.outcomes):
            return None
        return sum(outcome.naive_holds for outcome in self.outcomes) / len(self.outcomes)

    def mean(self, value: Callable[[Outcome], float]) -> float:
        return statistics.fmean(value(outcome) for outcome in self.outcomes)


def measure(seed: int, size: str | int) -> list[Outcome]:
    """The outcomes of the company of this seed and size, simulated and built in a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix=f"stickiness-{seed}-") as name:
        folder = Path(name)
        simulate(folder / "company", size, seed)
        settings = load_settings({RAW_DIR: str(folder / "company" / "raw"), WAREHOUSE_DIR: str(folder / "warehouse")})
        build(settings)
        with open_build(build_database(settings.warehouse)) as connection:
            return compare(connection, folder / "company" / "truth")


def build(settings: Settings) -> None:
    """Land a raw folder and build the marts of MARTS, without tests. Raises RuntimeError with dbt's messages."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    contract = load_contract(ROOT)
    landing = land(settings.raw_dir, settings.landing_dir, contract, settings.dialects)
    register(landing, settings, contract, build_database(settings.warehouse), "coverage", datetime.now(UTC))
    arguments = ["build", "--select", *(f"+{mart}" for mart in MARTS)]
    arguments += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test", "--quiet"]
    arguments += ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target", "duckdb"]
    # a folder of each process, which keeps its parse
    arguments += ["--target-path", str(Path(tempfile.gettempdir()) / f"stickiness-coverage-{os.getpid()}")]
    try:
        # what runs next in this process must not find the folder of a company that is gone
        with (
            mock.patch.dict(os.environ, {WAREHOUSE_DIR: str(settings.warehouse)}),
            redirect_stdout(StringIO()) as printed,
        ):
            done = dbtRunner().invoke(arguments)
    finally:
        DuckDBConnectionManager.close_all_connections()
    if not done.success:
        raise RuntimeError(f"dbt could not build {settings.raw_dir}: {done.exception or printed.getvalue()}")


def compare(connection: duckdb.DuckDBPyConnection, truth: Path) -> list[Outcome]:
    """Every estimate that has an interval beside the truth in the Parquet files of a folder."""
    connection.execute("create schema truth")
    for file in sorted(truth.glob("*.parquet")):
        connection.execute(f"create view truth.{file.stem} as from read_parquet('{file}')")
    outcomes: list[Outcome] = []
    for kind, question in QUESTIONS.items():
        for name, *figures in connection.execute(question).fetchall():
            estimate, low, high, known, naive = (None if figure is None else float(figure) for figure in figures)
            if None not in (estimate, low, high, known):
                outcomes.append(Outcome(kind, name, estimate, low, high, known, naive))
    connection.execute("drop schema truth cascade")
    return outcomes


def gather(companies: Iterable[Sequence[Outcome]]) -> list[Coverage]:
    """The outcomes by estimate: by kind, those of surveys by name, the others as they first appear."""
    by_name: dict[str, list[Outcome]] = {}
    for outcomes in companies:
        for outcome in outcomes:
            by_name.setdefault(outcome.name, []).append(outcome)
    coverages = [Coverage(name, outcomes) for name, outcomes in by_name.items()]
    kinds = list(QUESTIONS)
    return sorted(
        coverages,
        key=lambda each: (kinds.index(each.outcomes[0].kind), each.name if each.outcomes[0].kind == "nps" else ""),
    )


def is_within(coverage: Coverage) -> bool:
    return LEAST_SHARE <= coverage.share <= GREATEST_SHARE


def report(coverages: Sequence[Coverage], seeds: int, size: str | int) -> str:
    """The Markdown document of the counts."""
    outside = [coverage.name for coverage in coverages if not is_within(coverage)]
    limits = f"{LEAST_SHARE:.0%} and {GREATEST_SHARE:.0%}"
    verdict = f"Every one of the {len(coverages)} estimates lies between {limits}."
    if outside:
        verdict = f"Not between {limits}: {', '.join(outside)}, {len(outside)} of {len(coverages)} estimates."
    return TEMPLATE.format(
        seeds=seeds, size=size, verdict=verdict, rows="\n".join(_row(coverage) for coverage in coverages)
    )


def _row(coverage: Coverage) -> str:
    naive, naive_holds = "", ""
    if coverage.naive_share is not None:
        naive, naive_holds = _figure(coverage.mean(lambda each: each.naive or 0.0)), f"{coverage.naive_share:.0%}"
    cells = [
        coverage.name,
        str(len(coverage.outcomes)),
        f"{coverage.share:.1%}",
        _figure(coverage.mean(lambda each: each.truth)),
        _figure(coverage.mean(lambda each: each.estimate)),
        _figure(coverage.mean(lambda each: (each.high - each.low) / 2)),
        naive,
        naive_holds,
    ]
    return f"| {' | '.join(cells)} |"


def _figure(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Measure, write the report, and print it; exit status 1 if an estimate lies outside."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=int(environ.get(SEEDS_SETTING) or 40))
    parser.add_argument("--size", default=environ.get(SIZE_SETTING) or "small")
    parser.add_argument("--to", type=Path, default=REPORT)
    asked: Any = parser.parse_args()
    started = time.monotonic()
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        companies = list(pool.map(measure, range(1, asked.seeds + 1), [asked.size] * asked.seeds))
    coverages = gather(companies)
    asked.to.write_text(report(coverages, asked.seeds, asked.size), encoding="utf-8")
    print(asked.to.read_text(encoding="utf-8"))
    print(f"{asked.to}: {asked.seeds} companies in {time.monotonic() - started:.0f} seconds")
    return 0 if all(map(is_within, coverages)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
