"""Landing and judging a raw folder without building anything from it: `make check`.

It works in a warehouse of its own inside the warehouse, on the default target, whose rules
are those of every other; so it changes neither what a refresh has landed nor what it has built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.build_figures import ask_build, built_tables, landed_tables
from orchestration.contract import load_contract
from orchestration.dbt_project import load_manifest, run_dbt, share_parse, target_folder
from orchestration.engines.registry import load_engine
from orchestration.errors import BuildError, WarehouseError
from orchestration.landing.land import Landing, land
from orchestration.masking import masked
from orchestration.modes import make_private
from orchestration.publication_guard import Judgement, Limits, build_findings, judge, missing_tables, warning_lines
from orchestration.publishing import Publication, TableFigures, last_of_company
from orchestration.run_tables import company_id
from orchestration.settings import WAREHOUSE_DIR, Settings, default_target
from orchestration.summary import OrderWarning, Rejection, RepairedValue, order_warnings, rejections, repairs
from orchestration.value_rules import file_limits, value_rules
from orchestration.warehouse_lock import unwritable, warehouse_lock

JUDGED = ("+rejected_rows", "+row_reconciliation", "+repaired_values", "+order_warnings")


@dataclass(frozen=True)
class Check:
    """What became of the rows of a raw folder, and what a refresh would say of it."""

    tables: Mapping[str, TableFigures]
    rejections: Sequence[Rejection]
    repairs: Sequence[RepairedValue]
    order_warnings: Sequence[OrderWarning]
    judgement: Judgement
    warnings: Sequence[str]
    folder: Path
    """the warehouse of the check, whose build has the rejected rows"""


def check_folder(warehouse: Path) -> Path:
    """Where a check of a warehouse works."""
    return warehouse / "check"


def land_only(settings: Settings) -> Landing:
    """Land the raw folder for a check.

    Raises:
        RawFolderError: the folder or a file of it breaks the contract; lists every broken file.
        WarehouseLockedError: another check is running.
    """
    folder = check_folder(settings.warehouse)
    try:
        make_private(folder)
    except OSError as error:
        raise WarehouseError(unwritable(settings.warehouse, error)) from error
    with warehouse_lock(folder):
        contract, rules = load_contract(settings.root), value_rules(settings)
        limits = file_limits(settings)
        return land(settings.raw_dir, folder / "landing", contract, rules, settings.dialects, limits, settings.sources)


def judge_landed(landing: Landing, settings: Settings) -> Check:
    """Judge every row that was landed, and the whole by what is published.

    Raises:
        StickinessError: the rows could not be judged.
    """
    folder, contract = check_folder(settings.warehouse), load_contract(settings.root)
    with warehouse_lock(folder):
        engine = load_engine(default_target(), folder)
        engine.register(landing, settings, contract, "check", datetime.now(UTC))
        manifest = load_manifest(settings.root, default_target())
        _build(settings.root, folder)
        ask = ask_build(engine, manifest)
        tables, found = built_tables(engine, manifest), rejections(ask)
        repaired, warned = repairs(ask), order_warnings(ask)
    limits, last = Limits.of(settings), _last(settings)
    findings = [
        *missing_tables(landed_tables(landing, contract), last, landing.unread),
        *build_findings(tables, last, limits, contract, settings.allow),
    ]
    judgement = judge(findings, settings.allow)
    return Check(tables, found, repaired, warned, judgement, warning_lines(tables, limits), folder)


def _last(settings: Settings) -> Publication | None:
    return last_of_company(load_engine(settings.target, settings.warehouse).events(), company_id(settings))


def _build(root: Path, folder: Path) -> None:
    """Build what judges the rows, without tests."""
    target = target_folder(folder)
    share_parse(root, default_target(), target)
    what = ["--exclude-resource-type", "test", "unit_test", "--select", *JUDGED]
    done = run_dbt(
        root, target, ["--no-write-json", "build", "--target", default_target(), *what], {WAREHOUSE_DIR: str(folder)}
    )
    if done.returncode != 0:
        raise BuildError(f"The rows could not be judged:\n{masked((done.stdout + done.stderr).strip())}")
