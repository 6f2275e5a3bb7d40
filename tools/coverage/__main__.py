"""`make coverage`: simulate companies, judge every estimate, write docs/coverage.md."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from threadpoolctl import threadpool_limits

from orchestration.settings import ROOT
from tools.coverage.companies import AS_OF_DATES, SORTS
from tools.coverage.estimates import MARTS, measure
from tools.coverage.judging import Outcome
from tools.coverage.models import CompiledModels, compile_models
from tools.coverage.report import report
from tools.coverage.simulated import INPUTS, company_settings

SEEDS_SETTING = "STICKINESS_SAMPLE_SEEDS"
REPORT = ROOT / "docs" / "coverage.md"
SOURCES = ("orchestration/predictive", "companies/sample/simulator", "tools/coverage")


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Measure and write the report; what fails is for a reader to judge, so the exit status is 0."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seeds", type=int, default=int(environ.get(SEEDS_SETTING) or 0), help="companies of each sort"
    )
    parser.add_argument("--sorts", nargs="+", choices=[*SORTS], default=[*SORTS])
    parser.add_argument("--to", type=Path, default=REPORT)
    parser.add_argument(
        "--kept",
        type=Path,
        help="a folder of measured companies: those that this code has measured are read, others are added",
    )
    asked = parser.parse_args()
    started = time.monotonic()
    most = {sort: asked.seeds or SORTS[sort].companies for sort in asked.sorts}
    # by seed, so that a run that is stopped has measured some of every sort
    tasks = [(sort, seed) for seed in range(1, max(most.values()) + 1) for sort in asked.sorts if seed <= most[sort]]
    outcomes: dict[str, list[Outcome]] = {sort: [] for sort in asked.sorts}
    cpu_seconds = 0.0
    for number, ((sort, seed), found) in enumerate(zip(tasks, _measured(tasks, asked.kept), strict=True), start=1):
        outcomes[sort] += found.outcomes
        cpu_seconds += found.cpu_seconds
        print(f"{number} of {len(tasks)}: {sort} {seed}, {time.monotonic() - started:.0f} seconds", flush=True)
    asked.to.write_text(report(outcomes, SORTS, AS_OF_DATES, cpu_seconds / 60), encoding="utf-8")
    print(f"{asked.to}: {len(tasks)} companies")
    return 0


def _fingerprint(models: CompiledModels) -> str:
    """A name for what measures: the compiled SQL, the seeds, the refit, the simulator and this tool."""
    sources = [file for folder in SOURCES for file in sorted((ROOT / folder).glob("*.py"))]
    parts = [*models.statements.values(), *(file.read_text(encoding="utf-8") for file in sources)]
    parts += [seed.file.read_text(encoding="utf-8") for seed in models.seeds]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Measured:
    """What a company showed, and the CPU seconds that it took."""

    outcomes: list[Outcome]
    cpu_seconds: float

    def to_json(self) -> str:
        return json.dumps([self.cpu_seconds, [asdict(outcome) for outcome in self.outcomes]], default=str)

    @classmethod
    def from_json(cls, text: str) -> Measured:
        cpu_seconds, rows = json.loads(text)
        return cls(
            [Outcome(**row | {"as_of": date.fromisoformat(row["as_of"])}) for row in rows],
            cpu_seconds,
        )


def _measured(tasks: Sequence[tuple[str, int]], kept: Path | None) -> Iterator[Measured]:
    """What each task gives, in their order."""
    with tempfile.TemporaryDirectory(prefix="stickiness-coverage-") as folder:
        models = compile_models(MARTS, INPUTS, Path(folder))
    if kept:
        kept /= _fingerprint(models)
    # a sample that an earlier simulator made is made again, which two processes must not do at once
    company_settings()
    with ProcessPoolExecutor(initializer=_begin, initargs=(models, kept)) as pool:
        yield from pool.map(_measure, tasks)


_models: CompiledModels
_kept: Path | None


def _begin(models: CompiledModels, kept: Path | None) -> None:
    """A process for each core: none needs more."""
    global _models, _kept
    _models, _kept = models, kept
    threadpool_limits(1)


def _measure(task: tuple[str, int]) -> Measured:
    sort, seed = task
    file = _kept and _kept / f"{sort.replace(' ', '_')}_{seed}.json"
    if file and file.exists():
        return Measured.from_json(file.read_text(encoding="utf-8"))
    started = time.process_time()
    outcomes = measure(_models, SORTS[sort].config(seed), AS_OF_DATES)
    measured = Measured(outcomes, time.process_time() - started)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        # a run that is killed must not leave half a file
        beside = file.with_suffix(".part")
        beside.write_text(measured.to_json(), encoding="utf-8")
        beside.replace(file)
    return measured


if __name__ == "__main__":
    raise SystemExit(main())
