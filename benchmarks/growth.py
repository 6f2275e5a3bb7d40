"""`make bench-growth`: the time of a build on each target as the company grows, and where the second would win.

Prints Markdown, what was measured apart from what follows from it. The company is generated; the cluster of
`make spark-up` must run. Both targets read the same landed files and build every model and seed, without tests.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.contract import load_contract
from orchestration.dbt_project import dbt_environment, dbt_executable
from orchestration.duckdb_sql import text
from orchestration.engines.registry import ADAPTERS, load_engine
from orchestration.engines.spark.connection import SCHEMA
from orchestration.landing.land import land
from orchestration.settings import RAW_DIR, ROOT, WAREHOUSE_DIR, load_settings
from orchestration.value_rules import value_rules

SIZES = (1, 4, 16)
CUSTOMERS = 20_000
BUILD = ("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test", "--quiet")

# three years of orders of customers who differ in how often they buy, with up to five lines each
COMPANY = (
    "SELECT setseed(0.5)",
    "CREATE TABLE customers AS SELECT 'C' || i AS customer_id, "
    "DATE '2023-01-01' + CAST(random() * 900 AS INTEGER) AS registered_on, "
    "['north', 'east', 'south', 'west'][1 + CAST(floor(random() * 4) AS INTEGER)] AS region, "
    "['female', 'male'][1 + CAST(floor(random() * 2) AS INTEGER)] AS gender, "
    "1 + CAST(floor(-4 * ln(1 - random())) AS INTEGER) AS orders FROM range({customers}) AS t(i)",
    "CREATE TABLE orders AS SELECT customer_id || '-' || n AS order_id, customer_id, "
    "registered_on + INTERVAL 1 MINUTE * CAST(floor(random() * 525600) AS INTEGER) AS ordered_at, "
    "round(exp(3 + random()), 2) AS order_amount, 1 + CAST(floor(random() * 4) AS INTEGER) AS lines "
    "FROM (SELECT *, unnest(range(orders)) AS n FROM customers)",
    "CREATE TABLE order_items AS SELECT order_id, n AS line_number, "
    "'P' || CAST(random() * 500 AS INTEGER) AS product_id, 1 AS quantity, "
    "round(order_amount / lines, 2) AS line_amount FROM (SELECT *, unnest(range(lines)) AS n FROM orders)",
    "COPY (SELECT customer_id, registered_on AS registered_at, region, gender FROM customers) "
    "TO {folder}/customers.parquet",
    "COPY (SELECT order_id, customer_id, ordered_at, 'completed' AS status, order_amount FROM orders) "
    "TO {folder}/orders.parquet",
    "COPY (SELECT * FROM order_items) TO {folder}/order_items.parquet",
)


@dataclass(frozen=True)
class Company:
    """A generated raw folder and what it holds."""

    raw: Path
    customers: int
    orders: int
    lines: int


def main() -> int:
    """Measure and print; exit status 0."""
    parser = argparse.ArgumentParser(prog="make bench-growth", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stickiness-growth-") as scratch:
        companies = {size: generate(Path(scratch) / f"raw{size}", size) for size in SIZES}
        seconds: dict[tuple[str, int], list[float]] = {}
        for size, company in companies.items():
            warehouse = Path(scratch) / f"warehouse{size}"
            # in turn, so that what else the machine does meets both
            for _ in range(options.runs):
                for target in ADAPTERS:
                    seconds.setdefault((target, size), []).append(build(target, company.raw, warehouse))
                    print(f"{target}, size {size}: {seconds[target, size][-1]:.1f} s", file=sys.stderr, flush=True)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    print("\n".join([*measured_lines(companies, medians, options.runs), "", *projected_lines(companies, medians)]))
    return 0


def generate(raw: Path, size: int) -> Company:
    """Write the raw folder of a company `size` times as large as the smallest; the same one each time."""
    raw.mkdir()
    with duckdb.connect(config={"threads": 1}) as connection:
        for statement in COMPANY:
            query = statement.replace("{customers}", str(CUSTOMERS * size))
            head, separator, file = query.partition("TO {folder}/")
            connection.execute(f"{head}TO {text(raw / file)}" if separator else query)
        customers, orders, lines = connection.execute(
            "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders), (SELECT count(*) FROM order_items)"
        ).fetchone()
    return Company(raw, customers, orders, lines)


def build(target: str, raw: Path, warehouse: Path) -> float:
    """Seconds that dbt takes to build every model and seed; landing and parsing come before the clock starts."""
    environment = {RAW_DIR: str(raw), WAREHOUSE_DIR: str(warehouse), SCHEMA: "stickiness_growth"}
    os.environ.update(environment | dbt_environment())
    settings, contract = load_settings(), load_contract(ROOT)
    landing = land(settings.raw_dir, settings.landing_dir, contract, value_rules(settings))
    load_engine(target, warehouse).register(landing, settings, contract, "growth", datetime.now(UTC))
    dbt = [dbt_executable(), "--target-path", str(warehouse / target), "--log-path", str(warehouse / target)]
    where = ["--target", target, "--project-dir", str(ROOT), "--profiles-dir", str(ROOT), *dbt[1:]]
    subprocess.run([dbt[0], "parse", "--quiet", *where], check=True)
    begin = time.perf_counter()
    subprocess.run([dbt[0], *BUILD, *where], check=True)
    return time.perf_counter() - begin


def measured_lines(companies: Mapping[int, Company], medians: Mapping[tuple[str, int], float], runs: int) -> list[str]:
    """The table of what was measured."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        f"Measured ({machine}; median of {runs} runs each, in turn):",
        "",
        f"| size | customers | orders | order lines | {' | '.join(f'{target}, s' for target in ADAPTERS)} | ratio |",
        "| ---: " * (5 + len(ADAPTERS)) + "|",
    ]
    for size, company in companies.items():
        times = [medians[target, size] for target in ADAPTERS]
        cells = [size, f"{company.customers:,}", f"{company.orders:,}", f"{company.lines:,}"]
        cells += [f"{taken:.1f}" for taken in times] + [f"{times[1] / times[0]:.1f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


@dataclass(frozen=True)
class Line:
    """Seconds of a build as a fixed part and a part for each million orders."""

    fixed: float
    per_million: float


def fit(orders: Sequence[float], seconds: Sequence[float]) -> Line:
    """The straight line of least squares through builds of so many orders."""
    slope, intercept = statistics.linear_regression([count / 1e6 for count in orders], seconds)
    return Line(intercept, slope)


def crossing(one: Line, other: Line) -> float | None:
    """Millions of orders from which the other is faster; None if it never is."""
    if other.per_million >= one.per_million:
        return None
    return max(0.0, (other.fixed - one.fixed) / (one.per_million - other.per_million))


def projected_lines(companies: Mapping[int, Company], medians: Mapping[tuple[str, int], float]) -> list[str]:
    """What follows from the measurements if time grows in a straight line and Spark's work divides among its cores."""
    orders = [company.orders for company in companies.values()]
    single, cluster = (fit(orders, [medians[target, size] for size in companies]) for target in ADAPTERS)
    lines = ["Projected (a straight line through the sizes above; Spark's growing part divided among more cores):", ""]
    lines += [
        f"* {target}: {line.fixed:.0f} s, and {line.per_million:.1f} s for each million orders"
        for target, line in zip(ADAPTERS, (single, cluster), strict=True)
    ]
    cores = os.cpu_count() or 1
    for factor in (1, 4, 16):
        point = crossing(single, Line(cluster.fixed, cluster.per_million / factor))
        when = "never" if point is None else f"from {point:,.0f} million orders"
        lines.append(f"* a cluster of {cores * factor} such cores would win {when}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
