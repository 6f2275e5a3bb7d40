"""`make coverage`: simulate companies, judge every estimate, write docs/coverage.md."""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from threadpoolctl import threadpool_limits

from orchestration.settings import ROOT
from tools.coverage.companies import AS_OF_DATES, SORTS
from tools.coverage.estimates import MARTS, measure
from tools.coverage.judging import Outcome
from tools.coverage.models import CompiledModels, compile_models
from tools.coverage.report import report
from tools.coverage.simulated import INPUTS

SEEDS_SETTING = "STICKINESS_SAMPLE_SEEDS"
REPORT = ROOT / "docs" / "coverage.md"


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Measure and write the report; what fails is for a reader to judge, so the exit status is 0."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seeds", type=int, default=int(environ.get(SEEDS_SETTING) or 0), help="companies of each sort"
    )
    parser.add_argument("--sorts", nargs="+", choices=[*SORTS], default=[*SORTS])
    parser.add_argument("--to", type=Path, default=REPORT)
    asked = parser.parse_args()
    started = time.monotonic()
    tasks = [(sort, seed) for sort in asked.sorts for seed in range(1, (asked.seeds or SORTS[sort].companies) + 1)]
    outcomes: dict[str, list[Outcome]] = {sort: [] for sort in asked.sorts}
    for number, ((sort, seed), found) in enumerate(zip(tasks, _measured(tasks), strict=True), start=1):
        outcomes[sort] += found
        print(f"{number} of {len(tasks)}: {sort} {seed}, {time.monotonic() - started:.0f} seconds", flush=True)
    minutes = (time.monotonic() - started) / 60
    text = report(outcomes, SORTS, AS_OF_DATES, _cpu_minutes(), minutes)
    asked.to.write_text(text, encoding="utf-8")
    print(f"{asked.to}: {len(tasks)} companies in {minutes:.0f} minutes")
    return 0


def _measured(tasks: Sequence[tuple[str, int]]) -> Iterator[list[Outcome]]:
    """The outcomes of each task, in their order."""
    with tempfile.TemporaryDirectory(prefix="stickiness-coverage-") as folder:
        models = compile_models(MARTS, INPUTS, Path(folder))
    with ProcessPoolExecutor(initializer=_begin, initargs=(models,)) as pool:
        yield from pool.map(_measure, tasks)


_models: CompiledModels


def _begin(models: CompiledModels) -> None:
    """A process for each core: none needs more."""
    global _models
    _models = models
    threadpool_limits(1)


def _measure(task: tuple[str, int]) -> list[Outcome]:
    sort, seed = task
    return measure(_models, SORTS[sort].config(seed), AS_OF_DATES)


def _cpu_minutes() -> float:
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) / 60


if __name__ == "__main__":
    raise SystemExit(main())
