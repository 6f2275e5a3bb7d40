"""`python -m benchmarks.refit`: CPU seconds and memory of a refit, from the features that are built to its rows.

Prints Markdown. The company is the sample in its medium size, simulated, landed and built as far as a refit needs it.
The larger ones hold each of its customers several times, who came a few days earlier each time, so that histories
differ. Each refit runs in a process of its own; CPU seconds count every thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from companies.sample.simulator import simulate
from orchestration.contract import load_contract
from orchestration.dbt_project import dbt_environment, dbt_executable
from orchestration.duckdb_sql import text
from orchestration.engines.duckdb.build import build_database
from orchestration.engines.registry import load_engine
from orchestration.landing.land import land
from orchestration.predictive import tables
from orchestration.refitting import FEATURE_MODELS, BuildTables, run_refit
from orchestration.settings import RAW_DIR, ROOT, WAREHOUSE_DIR, load_settings
from orchestration.value_rules import value_rules

MEGABYTE = 1024  # of what the operating system counts, which is kilobytes
NAMES = BuildTables(
    **{name: f"intermediate.{model}" for name, model in FEATURE_MODELS.items()},
    fits=f"{tables.SCHEMA}.fits",
    champions=f"{tables.SCHEMA}.champions",
)
# the columns that differ from one copy of a customer to the next
MOVED = {
    "int_customer_features": "customer_id || '-' || copy AS customer_id, "
    "CAST(tenure_days + copy AS INTEGER) AS tenure_days",
    "int_churn_inputs_prepared": "customer_id || '-' || copy AS customer_id",
    "int_customer_outcomes_counted": "customer_id || '-' || copy AS customer_id",
    "int_purchase_days_numbered": "customer_id || '-' || copy AS customer_id",
}


def main() -> int:
    """Measure and print; exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refit", description=__doc__)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 4, 10], help="how often each customer is there")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--warehouse", type=Path, help="measure one refit on what is built there, and nothing else")
    options = parser.parse_args()
    if options.warehouse:
        print(*measure(options.warehouse))
        return 0
    with tempfile.TemporaryDirectory(prefix="stickiness-refit-") as scratch:
        built = build(Path(scratch))
        print("| buyers | CPU seconds, median (least to most) | peak memory, MB |\n| ---: | ---: | ---: |")
        for copies in options.copies:
            warehouse = multiplied(built, Path(scratch) / f"times{copies}", copies)
            runs = [in_own_process(warehouse) for _ in range(options.runs)]
            seconds = [run[1] for run in runs]
            spread = f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
            print(f"| {runs[0][0]:,.0f} | {spread} | {max(run[2] for run in runs):,.0f} |", flush=True)
    return 0


def build(scratch: Path) -> Path:
    """Simulate the company, and build what a refit reads; the warehouse."""
    simulate(scratch / "sample", "medium")
    warehouse = scratch / "warehouse"
    os.environ.update({RAW_DIR: str(scratch / "sample" / "raw"), WAREHOUSE_DIR: str(warehouse)} | dbt_environment())
    settings, contract = load_settings(), load_contract(ROOT)
    engine = load_engine("duckdb", warehouse)
    landing = land(settings.raw_dir, settings.landing_dir, contract, value_rules(settings))
    engine.register(landing, settings, contract, "refit", datetime.now(UTC))
    request = {"requested_at": datetime.now(UTC).replace(tzinfo=None)}
    engine.write_predictive({tables.REFIT_REQUESTS: [request]}, replace=True)
    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target-path", str(warehouse / "dbt")]
    selected = " ".join(f"+{FEATURE_MODELS[name]}" for name in ("churn_inputs", "outcomes"))
    command = [dbt_executable(), "run", "--quiet", "--target", "duckdb", "--log-path", str(warehouse / "dbt")]
    subprocess.run([dbt_executable(), "seed", *command[2:], *places], check=True)
    subprocess.run([*command, *places, "--select", selected], check=True)
    return warehouse


def multiplied(built: Path, warehouse: Path, copies: int) -> Path:
    """A warehouse with what a refit reads, of a company in which each customer is there so many times."""
    database = build_database(warehouse)
    database.parent.mkdir(parents=True)
    with duckdb.connect(database) as connection:
        connection.execute(f"ATTACH {text(build_database(built))} AS built (READ_ONLY)")
        connection.execute(f"CREATE SCHEMA intermediate; CREATE SCHEMA {tables.SCHEMA}")
        for model, columns in MOVED.items():
            source = f"built.intermediate.{model}, range({copies}) AS copies(copy)"
            connection.execute(
                f"CREATE TABLE intermediate.{model} AS SELECT * EXCLUDE (copy) REPLACE ({columns}) FROM {source}"
            )
        days = NAMES.feature_dates
        connection.execute(f"CREATE TABLE {days} AS FROM built.{days}")
        for name in (NAMES.fits, NAMES.champions):
            connection.execute(f"CREATE TABLE {name} AS FROM built.{name} LIMIT 0")
    return warehouse


def in_own_process(warehouse: Path) -> tuple[float, ...]:
    """What `measure` finds in a new process."""
    command = [sys.executable, "-m", "benchmarks.refit", "--warehouse", str(warehouse)]
    answer = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(float(value) for value in answer.split())


def measure(warehouse: Path) -> tuple[int, float, float]:
    """Buyers, CPU seconds and peak memory in MB of a refit, imports included."""
    os.environ[WAREHOUSE_DIR] = str(warehouse)
    result = run_refit(load_engine("duckdb", warehouse), NAMES, load_settings(), "benchmark", datetime(2026, 1, 1))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return result.fit["customers"], used.ru_utime + used.ru_stime, used.ru_maxrss / MEGABYTE


if __name__ == "__main__":
    sys.exit(main())
