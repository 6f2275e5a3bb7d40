"""The published columns of a release, and whether an upgrade keeps what readers of the last one rely on.

`python -m tools.release_columns` writes those of the version in pyproject.toml to releases/<version>.csv, which is part
of releasing it. A test compares the columns of today with the newest file of an earlier version.
"""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.dbt_project import is_custom, load_manifest, published_models
from orchestration.deprecations import deprecations
from orchestration.descriptions import WRITTEN_BY_PUBLICATION
from orchestration.errors import StickinessError
from orchestration.settings import ROOT, default_target

RELEASES = ROOT / "releases"


@dataclass(frozen=True)
class PublishedColumn:
    """A column that readers may use, and if its name is an old one, when it goes (empty: it stays)."""

    schema: str
    mart: str
    column: str
    data_type: str
    removed_in: str = ""
    deprecation_date: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.schema, self.mart, self.column


def project_version(root: Path = ROOT) -> str:
    """The version that the project is, or is on the way to."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def published_columns(manifest: Mapping[str, Any]) -> list[PublishedColumn]:
    """Every column of the product's contracts, and of the tables that the publication writes itself."""
    ends = {(entry.mart, entry.column): entry for entry in deprecations(manifest)}
    found = [
        PublishedColumn(*table, column.name, str(column.data_type))
        for table, described in WRITTEN_BY_PUBLICATION.items()
        for column in described.columns
    ]
    for unique_id, (schema, mart) in published_models(manifest).items():
        node = manifest["nodes"][unique_id]
        if is_custom(node["original_file_path"]):
            continue
        for name, column in node["columns"].items():
            end = ends.get((mart, None)) or ends.get((mart, name))
            when = (end.removed_in, end.deprecation_date.isoformat()) if end else ()
            found.append(PublishedColumn(schema, mart, name, _contract_type(column["data_type"]), *when))
    return sorted(found, key=lambda column: column.key[:2])


def _contract_type(data_type: str) -> str:
    """A type as most contracts spell it."""
    return data_type.replace(" ", "").lower().replace("varchar", "string")


def write_release(columns: Iterable[PublishedColumn], file: Path) -> None:
    """Write the columns of a release, in the order of their contracts."""
    file.parent.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.DictWriter(output, [field.name for field in fields(PublishedColumn)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(column) for column in columns)


def read_release(file: Path) -> list[PublishedColumn]:
    """The columns of a release."""
    with file.open(encoding="utf-8", newline="") as rows:
        return [PublishedColumn(**row) for row in csv.DictReader(rows)]


def last_release(version: str, folder: Path = RELEASES) -> Path:
    """The file of the newest release before a version."""
    earlier = [file for file in folder.glob("*.csv") if parts(file.stem) < parts(version)]
    return max(earlier, key=lambda file: parts(file.stem))


def parts(version: str) -> tuple[int, ...]:
    """A version as numbers that sort: 0.10.0 comes after 0.9.0."""
    return tuple(int(number) for number in version.split("."))


def broken_promises(
    released: Sequence[PublishedColumn], current: Sequence[PublishedColumn], version: str, today: date
) -> list[str]:
    """What readers of the last release would lose without having been told by it."""
    found = {column.key: column for column in current}
    marts = {(column.schema, column.mart) for column in current}
    problems = []
    for old in released:
        now = found.get(old.key)
        if (now is not None and _holds(now.data_type, old.data_type)) or _may_go(old, version, today):
            continue
        if (old.schema, old.mart) not in marts:
            problems.append(f"{old.schema}.{old.mart} is gone")
        elif now is None:
            problems.append(f"{old.schema}.{old.mart}.{old.column} is gone")
        else:
            problems.append(f"{old.schema}.{old.mart}.{old.column} was {old.data_type} and is {now.data_type}")
    return list(dict.fromkeys(problems))


def _holds(data_type: str, released: str) -> bool:
    """Whether a type is the released one, or a decimal of more digits before the point and as many behind it.

    Every value stays what it was, and a column of an Iceberg table may change like that as well.
    """
    now, before = (re.fullmatch(r"decimal\((\d+),(\d+)\)", each) for each in (data_type, released))
    if now is None or before is None:
        return data_type == released
    return now[2] == before[2] and int(now[1]) >= int(before[1])


def _may_go(column: PublishedColumn, version: str, today: date) -> bool:
    """Whether the last release said that this version may come without the column."""
    return bool(column.removed_in) and not _is_promised(column, version, today)


def _is_promised(column: PublishedColumn, version: str, today: date) -> bool:
    return parts(version) < parts(column.removed_in) or today < date.fromisoformat(column.deprecation_date)


def hasty_deprecations(
    released: Sequence[PublishedColumn], current: Sequence[PublishedColumn], version: str
) -> list[str]:
    """Names that are old since this version and would not stay for the whole of it."""
    told = {column.key for column in released if column.removed_in}
    return [
        f"{column.schema}.{column.mart}.{column.column} is deprecated since {version} and goes with {column.removed_in}"
        for column in current
        if column.removed_in and column.key not in told and parts(column.removed_in)[:2] <= parts(version)[:2]
    ]


def overdue(current: Sequence[PublishedColumn], version: str, today: date) -> list[str]:
    """Old names that may go now."""
    return [
        f"{column.schema}.{column.mart}.{column.column}"
        for column in current
        if column.removed_in and not _is_promised(column, version, today)
    ]


def main() -> int:
    """Write the columns of the version that the project is."""
    file = RELEASES / f"{project_version()}.csv"
    try:
        columns = published_columns(load_manifest(ROOT, default_target()))
    except StickinessError as error:
        print(error, file=sys.stderr)
        return 1
    write_release(columns, file)
    print(f"{file.relative_to(ROOT)}: {len(columns)} columns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
