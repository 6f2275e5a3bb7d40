"""`make test-long`: run the tests that are too long for every change, and write docs/long-tests.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from orchestration.settings import ROOT

REPORT = ROOT / "docs" / "long-tests.md"
_OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


@dataclass(frozen=True)
class Outcome:
    """What became of one test: `passed`, `failed` or `skipped`, with the reason where it was skipped."""

    file: str
    name: str
    result: str
    reason: str = ""


def outcomes(junit: str) -> list[Outcome]:
    """Read the report that pytest writes for JUnit."""
    return [_outcome(case) for case in xml.fromstring(junit).iter("testcase")]


def _outcome(case: xml.Element) -> Outcome:
    told = next((child for child in case if child.tag in _OUTCOMES), None)
    result = "passed" if told is None else _OUTCOMES[told.tag]
    reason = told.get("message", "") if told is not None and result == "skipped" else ""
    return Outcome(case.get("classname", "").rpartition(".")[2], case.get("name", ""), result, reason)


def report(found: Sequence[Outcome], day: date, commit: str, arguments: Sequence[str] = ()) -> str:
    """The page: the day, the commit, further arguments of pytest, and each test with what became of it."""
    counts = Counter(outcome.result for outcome in found)
    summary = ", ".join(f"{counts[result]} {result}" for result in ("passed", "failed", "skipped") if counts[result])
    lines = [
        "# The long tests",
        "",
        "What `make test` leaves out because it takes too long for every change.",
        "`make test-long` runs it and writes this page.",
        "",
        f"Last run: {day}, commit {commit}: {summary or 'no tests'}."
        + (f" It ran with `{' '.join(arguments)}`, so not all of them." if arguments else ""),
        "",
        "| test | result |",
        "| --- | --- |",
        *_rows(found),
        "",
    ]
    return "\n".join(lines)


def _rows(found: Iterable[Outcome]) -> Iterable[str]:
    for outcome in sorted(found, key=lambda outcome: (outcome.file, outcome.name)):
        reason = f": {outcome.reason}" if outcome.reason else ""
        yield f"| `{outcome.file}.py`, `{outcome.name}` | {outcome.result}{reason.replace('|', '/')} |"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    changed = [line for line in git("status", "--porcelain").splitlines() if not line.endswith(REPORT.name)]
    return git("rev-parse", "--short=12", "HEAD") + (" with changes that are not committed" if changed else "")


def main(arguments: Sequence[str] = ()) -> int:
    """Run pytest with further arguments, write the page, and return pytest's exit status."""
    commit = _commit()
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-m", "nightly", f"--junitxml={junit}", *arguments]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if junit.exists():
            found = outcomes(junit.read_text(encoding="utf-8"))
            REPORT.write_text(report(found, datetime.now(UTC).date(), commit, arguments), encoding="utf-8")
            print(f"{REPORT}: {len(found)} tests")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
