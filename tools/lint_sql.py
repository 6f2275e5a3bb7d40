"""Check the style of SQL: `python -m tools.lint_sql [file ...]`; without files, of the whole project.

sqlfluff renders models with dbt, which opens a database. It gets one of its own, so that a refresh can run meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tools.bootstrap import ROOT

LONGEST_LINE = 140
SQL_FOLDERS = ("models", "macros", "tests")
WAREHOUSE = Path("target", "lint")


def long_lines(files: Iterable[Path]) -> list[str]:
    """A message for each line that is too long; sqlfluff's own rule measures what dbt makes of a line."""
    return [
        f"{file}:{number}: {len(line)} characters, {LONGEST_LINE} are allowed"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONGEST_LINE
    ]


def main() -> int:
    """Print what is amiss; exit status 0 if nothing is."""
    os.chdir(ROOT)
    named = [Path(name) for name in sys.argv[1:]]
    files = named or sorted(file for folder in SQL_FOLDERS for file in Path(folder).rglob("*.sql"))
    too_long = long_lines(files)
    print("".join(f"{message}\n" for message in too_long), end="", flush=True)

    environment = os.environ | {
        "STICKINESS_WAREHOUSE_DIR": str(WAREHOUSE),
        # sqlfluff's worker processes leave dbt's locks to the end, which Python remarks on
        "PYTHONWARNINGS": "ignore::UserWarning:multiprocessing.resource_tracker",
    }
    paths = [str(path) for path in named] or ["models"]
    sqlfluff = subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", "--disable-progress-bar", *paths], env=environment
    )
    return 1 if too_long else sqlfluff.returncode


if __name__ == "__main__":
    sys.exit(main())
