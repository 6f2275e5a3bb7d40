"""`python -m benchmarks.scoring`: the time that the SQL of the predictions takes for a million customers.

Prints Markdown. The customers are simulated by the model itself, observed for up to three years; the statements are
those that dbt compiles, run in DuckDB on two threads with their inputs in memory. The seconds are medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from orchestration.dbt_project import dbt_executable
from orchestration.seeds import prediction_horizons
from orchestration.settings import ROOT, WAREHOUSE_DIR

CUSTOMERS = 1_000_000
DAYS = 3 * 365
THREADS = 2
# of the CDNOW sample, in days (Fader, Hardie and Lee 2005 publish the data; the fit of MBG/NBD is in the tests)
R, ALPHA, A, B = 0.525, 6.183 * 7, 0.891, 1.614
P, Q, GAMMA = 6.25, 3.74, 15.44
MODELS = ("int_purchase_histories_projected", "int_customer_predictions_scored", "int_customer_horizons_predicted")


def main() -> int:
    """Measure and print; exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    statements = compiled_statements()
    with duckdb.connect() as connection:
        histories = load_inputs(connection, simulated_customers(options.customers))
        runs = [score(connection, statements) for _ in range(options.runs)]
    print(f"| customers | different (x, T) | {' | '.join(MODELS)} | seconds |")
    print("| --- | --- | --- | --- | --- |")
    parts = [statistics.median(run[place] for run in runs) for place in range(len(MODELS))]
    total = statistics.median(sum(run) for run in runs)
    print(f"| {options.customers:,} | {histories:,} | {' | '.join(f'{part:.2f}' for part in parts)} | {total:.2f} |")
    return 0


def compiled_statements() -> list[str]:
    """The SQL of the models as dbt compiles it for DuckDB."""
    with tempfile.TemporaryDirectory(prefix="stickiness-bench-") as folder:
        (Path(folder) / "build").mkdir()
        places = ["--target", "duckdb", "--target-path", folder]
        subprocess.run(
            [dbt_executable(), "compile", "--quiet", *places, "--select", *MODELS],
            cwd=ROOT,
            env=os.environ | {WAREHOUSE_DIR: folder},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        compiled = {path.stem: path for path in (Path(folder) / "compiled").rglob("intermediate/predictions/*.sql")}
        return [compiled[name].read_text(encoding="utf-8") for name in MODELS]


def simulated_customers(customers: int) -> pd.DataFrame:
    """Histories that MBG/NBD gives, as the columns of int_customer_features that the predictions read."""
    random = np.random.default_rng(1)
    tenure = random.integers(0, DAYS + 1, customers)
    rate = random.gamma(R, 1 / ALPHA, customers)
    purchases = np.zeros(customers, dtype=np.int64)
    latest = np.zeros(customers)
    leaves = random.beta(A, B, customers)
    active = np.flatnonzero(random.random(customers) >= leaves)
    while active.size:
        following = latest[active] + random.exponential(1 / np.maximum(rate[active], 1e-12))
        active, following = active[following < tenure[active]], following[following < tenure[active]]
        latest[active] = following
        purchases[active] += 1
        active = active[random.random(active.size) >= leaves[active]]
    spend = np.round(random.gamma(P, 1 / random.gamma(Q, 1 / GAMMA, customers)), 4)
    return pd.DataFrame(
        {
            "customer_id": np.arange(customers).astype(str),
            "repeat_purchase_days": purchases,
            "recency_days_btyd": latest.astype(np.int32),
            "tenure_days": tenure.astype(np.int32),
            "repeat_net_revenue_per_purchase_day": np.where(purchases > 0, spend, np.nan),
        }
    )


def load_inputs(connection: duckdb.DuckDBPyConnection, customers: pd.DataFrame) -> int:
    """Make the relations that the models read; how many different pairs of x and T the customers have."""
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("ATTACH ':memory:' AS warehouse")
    connection.execute("CREATE SCHEMA warehouse.intermediate")
    tables = {
        "int_customer_features": (
            "SELECT DATE '2026-06-30' AS as_of_date, * REPLACE (CAST(CASE WHEN repeat_purchase_days > 0 "
            "THEN repeat_net_revenue_per_purchase_day END AS DECIMAL(18, 4)) AS repeat_net_revenue_per_purchase_day) "
            "FROM customers"
        ),
        "run_context": "SELECT DATE '2026-06-30' AS as_of_date, 0.1e0 AS annual_discount_rate",
        "int_season_days_counted": (
            "SELECT CAST(days AS INTEGER) AS days, CAST(days AS DOUBLE) AS effective_days "
            "FROM (SELECT unnest([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 365]) AS days)"
        ),
        "int_btyd_parameters_pivoted": (
            f"SELECT 'mbg_nbd' AS model_name, CAST({R} AS DOUBLE) AS r, CAST({ALPHA} AS DOUBLE) AS alpha, "
            f"CAST({A} AS DOUBLE) AS a, CAST({B} AS DOUBLE) AS b_later, CAST({P} AS DOUBLE) AS p, "
            f"CAST({Q} AS DOUBLE) AS q, CAST({GAMMA} AS DOUBLE) AS gamma"
        ),
    }
    horizons = prediction_horizons()
    rows = [f"({days}, {days in horizons.churn})" for days in horizons.days]
    connection.execute("CREATE SCHEMA warehouse.seeds")
    connection.execute("CREATE TABLE warehouse.seeds.prediction_horizons (horizon_days INTEGER, is_for_churn BOOLEAN)")
    connection.execute(f"INSERT INTO warehouse.seeds.prediction_horizons VALUES {', '.join(rows)}")
    connection.register("customers", customers)
    for name, query in tables.items():
        connection.execute(f"CREATE TABLE warehouse.intermediate.{name} AS {query}")
    pairs = "SELECT DISTINCT repeat_purchase_days, tenure_days FROM customers"
    return int(connection.execute(f"SELECT count(*) FROM ({pairs})").fetchall()[0][0])


def score(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> list[float]:
    """Run the models one after the other; the seconds of each."""
    seconds = []
    for name, statement in zip(MODELS, statements, strict=True):
        begin = time.perf_counter()
        connection.execute(f"CREATE OR REPLACE TABLE warehouse.intermediate.{name} AS {statement}")
        seconds.append(time.perf_counter() - begin)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
