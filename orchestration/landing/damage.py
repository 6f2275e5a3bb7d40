"""Landed files that can no longer be read: which they are, and how they are made anew."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.duckdb_sql import file
from orchestration.errors import quoted

# what a database says of a Parquet file that it cannot read; to look through every file takes as long as to read it
_ABOUT_PARQUET = re.compile(r"parquet|zstd|snappy|thrift|decompress|no magic bytes", re.IGNORECASE)
_SHOWN = 20


def landing_damage(landing_dir: Path, said: str) -> str | None:
    """What mends the landing of a warehouse, if it is what a database complains of in what it said; None if not."""
    if not _ABOUT_PARQUET.search(said):
        return None
    return told_damage(damaged_files(sorted(landing_dir.glob("*/*.parquet"))))


def damaged_files(paths: Iterable[Path]) -> list[Path]:
    """Those of the Parquet files that cannot be read to the end, or that are gone."""
    damaged = []
    with duckdb.connect() as connection:
        for path in paths:
            try:
                # every value is decoded
                connection.execute(f"SELECT max(hash(landed)) FROM read_parquet({file(path)}) AS landed").fetchall()
            except duckdb.Error:
                damaged.append(path)
    return damaged


def told_damage(damaged: list[Path]) -> str | None:
    """What a person is told of damaged landed files; None if there are none."""
    if not damaged:
        return None
    names = " ".join(quoted(path) for path in damaged[:_SHOWN])
    count = "A landed file" if len(damaged) == 1 else f"{len(damaged)} landed files"
    return (
        f"{count} of the warehouse cannot be read. They are made anew from the raw folder: remove what is damaged and "
        f"try again: rm -f {names}"
    )
