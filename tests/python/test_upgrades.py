"""Upgrades: what readers of the last release use stays for a minor version after it was said that it goes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Dbt

from orchestration.dbt_project import read_json
from orchestration.deprecations import Deprecation, deprecation_lines, deprecations
from orchestration.errors import ProjectError
from orchestration.settings import ROOT
from tools import release_columns
from tools.release_columns import (
    PublishedColumn,
    broken_promises,
    hasty_deprecations,
    last_release,
    overdue,
    project_version,
    published_columns,
    read_release,
    write_release,
)

TODAY = date(2027, 6, 1)
RATE = PublishedColumn("marts", "csat", "csat_rate", "double")
OLD = PublishedColumn("marts", "csat", "ci_low", "double", "0.3.0", "2027-05-31")
RFM = PublishedColumn("marts", "rfm", "month", "date")


# The project itself


@pytest.fixture(scope="module")
def manifest(dbt: Dbt) -> dict[str, Any]:
    return dbt.manifest and read_json(dbt.target / "manifest.json")


@pytest.fixture(scope="module")
def current(manifest: dict[str, Any]) -> list[PublishedColumn]:
    return published_columns(manifest)


@pytest.fixture(scope="module")
def released() -> list[PublishedColumn]:
    return read_release(last_release(project_version()))


def test_no_public_column_of_the_last_release_is_gone_without_having_been_deprecated_by_it(
    released: list[PublishedColumn], current: list[PublishedColumn]
) -> None:
    problems = broken_promises(released, current, project_version(), date.today())
    assert not problems, "Keep the old name beside the new one and deprecate it; docs/upgrades.md says how."


def test_what_is_deprecated_stays_for_a_minor_version(
    released: list[PublishedColumn], current: list[PublishedColumn]
) -> None:
    assert not hasty_deprecations(released, current, project_version())


def test_what_takes_the_place_of_an_old_name_is_published_with_the_same_types(
    manifest: dict[str, Any], current: list[PublishedColumn]
) -> None:
    types: dict[str, dict[str, str]] = {}
    for column in current:
        types.setdefault(column.mart, {})[column.column] = column.data_type
    assert deprecations(manifest)
    for old in deprecations(manifest):
        if old.column is None:
            # the new mart may have more columns
            assert types[old.mart].items() <= types[old.replaced_by].items(), old
        else:
            assert types[old.mart][old.column] == types[old.mart][old.replaced_by], old


def test_old_names_that_may_go_are_told(current: list[PublishedColumn]) -> None:
    """A warning, since the day comes whatever anybody commits."""
    if late := overdue(current, project_version(), date.today()):
        warnings.warn(f"These old names may be removed: {', '.join(late)}. See docs/upgrades.md.", stacklevel=1)


def test_the_version_stands_in_pyproject_alone() -> None:
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert "version" not in project


# The comparison


def test_a_column_a_mart_or_a_type_that_changes_unannounced_is_refused() -> None:
    current = [replace(RATE, data_type="decimal(9,4)")]
    assert broken_promises([RATE, replace(RATE, column="csat_mean"), RFM], current, "0.2.0", TODAY) == [
        "marts.csat.csat_rate was double and is decimal(9,4)",
        "marts.csat.csat_mean is gone",
        "marts.rfm is gone",
    ]


@pytest.mark.parametrize(
    ("now", "is_kept"),
    [
        ("decimal(18,4)", True),
        ("decimal(38,4)", True),
        ("decimal(17,4)", False),
        ("decimal(38,5)", False),
        ("decimal(38,2)", False),
        ("double", False),
    ],
)
def test_a_decimal_may_get_more_digits_before_the_point(now: str, is_kept: bool) -> None:
    revenue = replace(RATE, column="net_revenue", data_type="decimal(18,4)")
    broken = broken_promises([revenue], [replace(revenue, data_type=now)], "0.2.0", TODAY)
    assert broken == ([] if is_kept else [f"marts.csat.net_revenue was decimal(18,4) and is {now}"])


def test_new_columns_and_marts_break_nothing() -> None:
    assert broken_promises([RATE], [RATE, OLD, RFM], "0.2.0", TODAY) == []


@pytest.mark.parametrize(
    ("version", "today", "may_go"),
    [
        ("0.2.9", date(2027, 6, 1), False),
        ("0.3.0", date(2027, 5, 30), False),
        ("0.3.0", date(2027, 5, 31), True),
        ("0.10.0", date(2028, 1, 1), True),
    ],
)
def test_a_deprecated_column_may_go_with_its_version_from_its_date_on(version: str, today: date, may_go: bool) -> None:
    assert (broken_promises([RATE, OLD], [RATE], version, today) == []) is may_go
    assert (overdue([RATE, OLD], version, today) == ["marts.csat.ci_low"]) is may_go


def test_to_deprecate_and_remove_in_the_same_version_is_refused() -> None:
    undeclared = replace(OLD, removed_in="", deprecation_date="")
    assert broken_promises([RATE, undeclared], [RATE], "0.3.0", TODAY) == ["marts.csat.ci_low is gone"]
    assert hasty_deprecations([RATE, undeclared], [RATE, OLD], "0.2.0") == []
    for hasty in ("0.2.0", "0.2.1"):
        told = hasty_deprecations([RATE, undeclared], [RATE, replace(OLD, removed_in=hasty)], "0.2.0")
        assert told == [f"marts.csat.ci_low is deprecated since 0.2.0 and goes with {hasty}"]


def test_the_last_release_is_the_newest_before_the_version(tmp_path: Path) -> None:
    for version in ("0.2.0", "0.9.0", "0.10.0", "0.11.0"):
        write_release([RATE, OLD], tmp_path / f"{version}.csv")
    assert last_release("0.11.0", tmp_path).stem == "0.10.0"
    assert read_release(tmp_path / "0.10.0.csv") == [RATE, OLD]


def test_the_command_writes_the_columns_of_the_version(
    manifest: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release_columns, "load_manifest", lambda root, target: manifest)
    monkeypatch.setattr(release_columns, "ROOT", tmp_path)
    monkeypatch.setattr(release_columns, "RELEASES", tmp_path / "releases")
    assert release_columns.main() == 0
    written = read_release(tmp_path / "releases" / f"{project_version()}.csv")
    assert written == published_columns(manifest)
    assert {column.mart for column in written} >= {"customers", "publications", "rejected_rows"}
    assert f"{project_version()}.csv: {len(written)} columns" in capsys.readouterr().out


# The contract, and what a run tells


def manifest_of(file: str = "models/marts/csat.sql", day: str | None = None, **deprecated: dict[str, str]) -> dict:
    """A mart `csat` with a column for each entry; `mart` is one of the mart itself."""
    meta = {"deprecated": deprecated.pop("mart")} if "mart" in deprecated else {}
    columns = {name: {"config": {"meta": {"deprecated": entry}}} for name, entry in deprecated.items()}
    node = {
        "resource_type": "model",
        "alias": "csat",
        "original_file_path": file,
        "deprecation_date": day,
        "config": {"schema": "marts", "materialized": "table", "meta": meta},
        "columns": {"csat_rate": {"config": {"meta": {}}}, **columns},
    }
    return {"nodes": {"model.csat": node}}


FULL = {"replaced_by": "csat_rate_low", "removed_in": "0.3.0", "deprecation_date": "2027-05-31"}


def test_the_contract_says_what_is_deprecated() -> None:
    new = {"replaced_by": "satisfaction", "removed_in": "0.4.0"}
    assert deprecations(manifest_of(day="2027-12-31T00:00:00+00:00", ci_low=FULL, mart=new)) == [
        Deprecation("csat", None, "satisfaction", "0.4.0", date(2027, 12, 31)),
        Deprecation("csat", "ci_low", "csat_rate_low", "0.3.0", date(2027, 5, 31)),
    ]
    assert deprecations(manifest_of()) == []


@pytest.mark.parametrize("lacking", FULL)
def test_a_deprecation_that_is_not_complete_is_refused(lacking: str) -> None:
    entry = {name: value for name, value in FULL.items() if name != lacking}
    with pytest.raises(ProjectError, match=r"The deprecation of csat\.ci_low is not complete"):
        deprecations(manifest_of(ci_low=entry))
    with pytest.raises(ProjectError, match="The deprecation of csat is not complete"):
        deprecations(manifest_of(day="2027-05-31"))


def test_what_a_company_deprecates_of_its_own_is_its_own_matter() -> None:
    assert deprecations(manifest_of("custom/models/csat.sql", ci_low={"since": "May"})) == []


def test_a_run_tells_the_old_names_mart_by_mart() -> None:
    day = date(2027, 5, 31)
    found = [
        Deprecation("csat", "ci_low", "csat_rate_low", "0.3.0", day),
        Deprecation("csat", "ci_high", "csat_rate_high", "0.3.0", day),
        Deprecation("rfm", None, "rfm_moves", "0.3.0", day),
    ]
    assert deprecation_lines(found) == [
        "Deprecated, to go with 0.3.0, not before 2027-05-31 (docs/upgrades.md):",
        "  csat: use csat_rate_low for ci_low, use csat_rate_high for ci_high",
        "  rfm: use rfm_moves for this mart",
    ]
    assert deprecation_lines([]) == []


def test_many_old_names_are_a_few_lines() -> None:
    day = date(2027, 5, 31)
    lines = deprecation_lines([Deprecation(f"mart_{n}", None, "other", "0.3.0", day) for n in range(10)])
    assert len(lines) == 8
    assert lines[-1] == "  and names in 4 more marts"
