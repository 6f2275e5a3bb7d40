"""How long a million order lines take to land: `make bench-landing`.

Order lines are landed from CSV, from Parquet of the contract's types and from CSV through a mapping, and a second time
unchanged. Beside the
seconds stand CPU seconds, the most memory, and the CPU time as a multiple of what Python's csv module takes to read the
same CSV and do nothing with it: that ratio is worth comparing between machines.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb

from orchestration.company import COMPANY_FILE
from orchestration.company_file import read_company_file
from orchestration.contract import load_contract
from orchestration.landing.land import land
from orchestration.landing.values import ValueRules
from orchestration.seeds import nobody_ids, words_for_nothing
from orchestration.settings import ROOT, read_company_settings

LINES = 1_000_000
FORMATS = ("csv", "parquet")
MAPPED = "mapped"
TABLE = "order_items"
COLUMNS = ("order_id", "line_number", "product_id", "quantity", "line_amount")


def write_lines(folder: Path, lines: int) -> None:
    """Write order lines as both formats and as an export that is mapped, each a raw folder of its own."""
    rows = f"""
        select
            'O' || (i // 3) as order_id, i % 3 + 1 as line_number, 'P' || hash(i) % 5000 as product_id,
            cast(1 + i % 4 as decimal(18, 4)) as quantity,
            cast(hash(i + 1) % 50000 / 100 as decimal(18, 4)) as line_amount
        from range({lines}) as r(i)
    """
    for form in FORMATS:
        (folder / form).mkdir(parents=True)
        duckdb.sql(f"copy ({rows}) to '{folder / form / f'{TABLE}.{form}'}' (format {form})")
    (folder / MAPPED).mkdir()
    header = ", ".join(f"{name} as {name}_of_export" for name in COLUMNS)
    duckdb.sql(f"copy (select {header} from ({rows})) to '{folder / MAPPED / 'export.csv'}'")
    columns = "".join(f"          {name}: {name}_of_export\n" for name in COLUMNS)
    source = f"sources:\n  - files: export.csv\n    tables:\n      {TABLE}:\n        columns:\n{columns}"
    (folder / MAPPED / COMPANY_FILE).write_text(source, encoding="utf-8")


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU seconds of some work."""
    seconds, cpu_seconds = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - seconds, time.process_time() - cpu_seconds


def parse(path: Path) -> None:
    """Read a CSV file and do nothing with it."""
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def measure(folder: Path, form: str) -> dict[str, float]:
    """Land the folder of one format twice, in this process."""
    words = words_for_nothing()
    rules = ValueRules("Asia/Shanghai", "Asia/Shanghai", tuple(words), nobody_ids(), date.max)
    contract = load_contract(ROOT)
    sources = read_company_file(folder / form / COMPANY_FILE, read_company_settings(ROOT)).sources

    def once() -> None:
        land(folder / form, folder / f"landing_{form}", contract, rules, sources=sources)

    first, again = measured(once), measured(once)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": first[0], "cpu": first[1], "again": again[0], "megabytes": memory}


def main() -> None:
    """Measure each format in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description="How long order lines take to land.")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "FORMAT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(Path(given.one[0]), given.one[1])))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_lines(folder, given.lines)
        parsing = measured(lambda: parse(folder / "csv" / f"{TABLE}.csv"))
        print(f"{given.lines:,} order lines; csv alone: {parsing[0]:.1f} s, {parsing[1]:.1f} CPU s")
        print(
            "| format | s | CPU s | CPU s of csv alone | again, s | memory, MB |\n| --- | --- | --- | --- | --- | --- |"
        )
        for form in (*FORMATS, MAPPED):
            command = [sys.executable, "-m", "benchmarks.landing", "--one", str(folder), form]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            ratio = found["cpu"] / parsing[1]
            print(
                f"| {form} | {found['seconds']:.1f} | {found['cpu']:.1f} | {ratio:.1f} | {found['again']:.2f} | "
                f"{found['megabytes']:.0f} |"
            )


if __name__ == "__main__":
    main()
