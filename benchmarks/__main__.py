"""`make bench`: the time of a refresh beside the time of its SQL alone, and where the difference goes.

Prints Markdown. Runs of both are taken in turn on one machine; medians are compared, never single figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.replay import Replay, replay

ROOT = Path(__file__).resolve().parent.parent
CODE_LOCATION = "from orchestration.definitions import defs; defs()"


def main() -> int:
    """Measure and print; exit status 0."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--company", default="complete_journey")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stickiness-bench-") as folder:
        warehouse = Path(folder) / "warehouse"
        environment = os.environ | {
            "STICKINESS_COMPANY": options.company,
            "STICKINESS_WAREHOUSE_DIR": str(warehouse),
        }
        first, _ = refresh(environment)
        runs: list[float] = []
        parts: list[dict[str, float]] = []
        replays: list[Replay] = []
        for number in range(options.runs):
            seconds, stages = refresh(environment)
            runs.append(seconds)
            parts.append(stages)
            scratch = Path(folder) / f"scratch{number}"
            scratch.mkdir()
            replays.append(replay(warehouse / "build", scratch))
        imports = [timed([sys.executable, "-c", CODE_LOCATION], environment) for _ in range(options.runs)]
    report(options.company, first, runs, parts, replays, imports)
    return 0


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of a whole process that has to succeed."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - begin


def refresh(environment: dict[str, str]) -> tuple[float, dict[str, float]]:
    """Seconds of a whole refresh, and of its parts as it reports them."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "orchestration.cli", "refresh"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    line = next(line for line in done.stdout.splitlines() if line.startswith("Time:"))
    return seconds, {
        name.strip(" ,"): float(value) for name, value in re.findall(r"([A-Za-z ,]+?) ([\d.]+) s", line[5:])
    }


def report(
    company: str,
    first: float,
    runs: list[float],
    parts: list[dict[str, float]],
    replays: list[Replay],
    imports: list[float],
) -> None:
    """Print what was measured as Markdown."""
    sql = statistics.median(one.seconds for one in replays)
    whole = statistics.median(runs)
    one = replays[-1]
    print(f"{company}, {len(runs)} runs after a first one, {os.cpu_count()} cores, {platform.machine()}, ", end="")
    print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}\n")
    print("| what | seconds, median (least to most) |\n| --- | --- |")
    row(f"`make run`, first in a warehouse ({len(runs)} later ones below)", [first])
    row("`make run`, whole process", runs)
    row(f"the same SQL in one connection: {one.models} models", [r.model_seconds for r in replays])
    row(f"the same SQL in one connection: {one.tests} tests", [r.test_seconds for r in replays])
    print(f"| everything that is not SQL | {whole - sql:.1f} ({whole / sql:.1f} times the SQL in all) |")
    print("\nWhere a run spends its time, by its own clock:\n\n| part | seconds |\n| --- | --- |")
    for name in parts[-1]:
        row(name, [stages[name] for stages in parts if name in stages])
    row("of start: importing the code location", imports)
    print("\nWhat dbt adds around the SQL of a node:\n\n| node | seconds, median |\n| --- | --- |")
    for name, added in (
        ("a model", [r.added_per_model for r in replays]),
        ("a test", [r.added_per_test for r in replays]),
    ):
        print(f"| {name} | {statistics.median(added):.3f} |")


def row(name: str, values: list[float]) -> None:
    """Print a row of a table with the median and the range of some seconds."""
    middle = statistics.median(values)
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    print(f"| {name} | {middle:.1f}{spread} |")


if __name__ == "__main__":
    sys.exit(main())
