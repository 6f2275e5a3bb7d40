"""Write a simulated company: `python -m companies.sample.simulator --size medium --seed 1 --to FOLDER`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from .company import simulate
from .config import SIZES, SampleError, customers_of

DEFAULT_FOLDER = Path("warehouse") / "samples"
# how make hands on what it is told
SIZE_SETTING, SEED_SETTING = "STICKINESS_SAMPLE_SIZE", "STICKINESS_SAMPLE_SEED"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the company that the arguments ask for; the exit status."""
    options = _parser().parse_args(arguments)
    folder = Path(options.to) if options.to else DEFAULT_FOLDER / options.size
    began = time.monotonic()
    try:
        customers = customers_of(options.size)
        print(f"Simulating {customers:,} customers, seed {options.seed}.", flush=True)
        simulate(folder, options.size, options.seed)
    except SampleError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{folder} could not be written: {error.strerror or error}.", file=sys.stderr)
        return 1
    print(f"Written to {folder} in {time.monotonic() - began:.0f} seconds:")
    for name, rows in _rows(folder / "raw"):
        print(f"  {name:<20} {rows:>12,} rows")
    print(f"What is known about it is in {folder / 'truth'}. Build its marts with:")
    print(f"  make run RAW={shlex.quote(str(folder / 'raw'))}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m companies.sample.simulator", description="Write a simulated company."
    )
    size, seed = (os.environ.get(name) for name in (SIZE_SETTING, SEED_SETTING))
    parser.add_argument("--size", default=size or "small", help=f"{', '.join(SIZES)}, or a number of customers (small)")
    parser.add_argument("--seed", default=seed or "1", type=_seed, help="another seed is another company (1)")
    parser.add_argument("--to", help=f"folder to write to ({DEFAULT_FOLDER}/<size>)")
    return parser


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f'"{text}" is no whole number from 0 up')
    return int(text)


def _rows(raw: Path) -> list[tuple[str, int]]:
    """Rows by table: of Parquet files by their metadata, of the late batches by their lines."""
    found = []
    for entry in sorted(raw.iterdir()):
        files = [entry] if entry.is_file() else sorted(entry.iterdir())
        parquet = [str(file) for file in files if file.suffix == ".parquet"]
        if parquet:
            with duckdb.connect() as connection:
                rows = connection.read_parquet(parquet).aggregate("count(*)").fetchall()[0][0]
            for file in files:
                if file.suffix == ".csv":
                    rows += sum(1 for _ in file.open("rb")) - 1
            found.append((entry.stem, rows))
    return found


if __name__ == "__main__":
    sys.exit(main())
