"""`make test-long`: run the tests that are too long for every change, and write docs/long-tests.md.

The page has the last result of each test. A run of all of them writes it anew; one that is given further arguments of
pytest (`python -m tools.long_tests -k killed`) replaces the rows of the tests that it ran.
"""

from __future__ import annotations

import re
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
_ROW = re.compile(
    r"^\| `(?P<file>\w+)\.py`, `(?P<name>[^`]+)` \| (?P<result>.+) \| (?P<day>[\d-]+) \| (?P<commit>.+) \|$"
)


@dataclass(frozen=True)
class Outcome:
    """What became of one test, on which day and commit.

    `result` is `passed`, `failed`, or `skipped: ` and the reason.
    """

    file: str
    name: str
    result: str
    day: date
    commit: str


def outcomes(junit: str, day: date, commit: str) -> list[Outcome]:
    """Read the report that pytest writes for JUnit."""
    return [_outcome(case, day, commit) for case in xml.fromstring(junit).iter("testcase")]


def _outcome(case: xml.Element, day: date, commit: str) -> Outcome:
    told = next((child for child in case if child.tag in _OUTCOMES), None)
    result = "passed" if told is None else _OUTCOMES[told.tag]
    if told is not None and result == "skipped":
        result += f": {told.get('message', '').replace('|', '/')}"
    return Outcome(case.get("classname", "").rpartition(".")[2], case.get("name", ""), result, day, commit)


def read_report(page: str) -> list[Outcome]:
    """The outcomes that a page has."""
    rows = (_ROW.match(line) for line in page.splitlines())
    return [
        Outcome(row["file"], row["name"], row["result"], date.fromisoformat(row["day"]), row["commit"])
        for row in rows
        if row
    ]


def merged(earlier: Iterable[Outcome], found: Iterable[Outcome]) -> list[Outcome]:
    """The newest outcome of each test."""
    return list({(outcome.file, outcome.name): outcome for outcome in (*earlier, *found)}.values())


def report(found: Sequence[Outcome]) -> str:
    """The page: how many tests passed, and each test with its last result, its day and its commit."""
    counts = Counter(outcome.result.partition(":")[0] for outcome in found)
    summary = ", ".join(f"{counts[result]} {result}" for result in ("passed", "failed", "skipped") if counts[result])
    lines = [
        "# The long tests",
        "",
        "What `make test` leaves out because it takes too long for every change.",
        "`make test-long` runs it and writes this page: the last result of each test.",
        "",
        f"{summary or 'no tests'}.",
        "",
        "| test | result | day | commit |",
        "| --- | --- | --- | --- |",
        *_rows(found),
        "",
    ]
    return "\n".join(lines)


def _rows(found: Iterable[Outcome]) -> Iterable[str]:
    for outcome in sorted(found, key=lambda outcome: (outcome.file, outcome.name)):
        yield f"| `{outcome.file}.py`, `{outcome.name}` | {outcome.result} | {outcome.day} | {outcome.commit} |"


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
            found = outcomes(junit.read_text(encoding="utf-8"), datetime.now(UTC).date(), commit)
            if arguments and REPORT.exists():
                found = merged(read_report(REPORT.read_text(encoding="utf-8")), found)
            REPORT.write_text(report(found), encoding="utf-8")
            print(f"{REPORT}: {len(found)} tests")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
