"""The raw folder of the sample company: simulated, small, seed 1; what is known of it goes into `truth` beside it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
if str(PROJECT) not in sys.path:
    # this file is loaded by its path, from wherever the reader stands
    sys.path.insert(0, str(PROJECT))

from companies.sample.simulator import simulate  # noqa: E402


def prepare(raw_dir: Path) -> None:
    """Write the raw files into `raw_dir`, and the truth into the folder `truth` beside it."""
    raw_dir = Path(raw_dir)
    raw_dir.parent.mkdir(parents=True, exist_ok=True)
    # named like a raw folder in the making, which nobody takes for a part of the company
    made = Path(tempfile.mkdtemp(prefix="raw.", dir=raw_dir.parent))
    try:
        simulate(made / "sample")
        raw_dir.mkdir(exist_ok=True)
        for entry in (made / "sample" / "raw").iterdir():
            _replace(entry, raw_dir / entry.name)
        _replace(made / "sample" / "truth", raw_dir.parent / "truth")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
