"""Rows of one file with the same key that cannot be versions of one thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import PLAIN_RULES

from orchestration.contract import Contract
from orchestration.landing.key_conflicts import KeyConflicts
from orchestration.landing.land import LandedFile, land
from orchestration.landing.values import ValueRules

HEADER = "order_id,customer_id,ordered_at,status,order_amount"


def landed(tmp_path: Path, contract: Contract, text: str, rules: ValueRules = PLAIN_RULES) -> LandedFile:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "orders.csv").write_text(text, encoding="utf-8")
    landing = land(raw, tmp_path / "landing", contract, rules)
    [file] = landing.files
    assert (file.key_conflicts.keys > 0) == any("rows of different things" in notice for notice in landing.notices)
    return file


def orders(*rows: str, header: str = HEADER) -> str:
    return "".join(f"{row}\n" for row in (header, *rows))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # the lines of an order, landed as orders
        (
            ["1,fay,2026-02-02,completed,15.30", "1,fay,2026-02-02,completed,20.34", "1,fay,2026-02-02,completed,22"],
            KeyConflicts(1, 3, "1"),
        ),
        # ids that were rounded: other customers, other days
        (
            ["17,amy,2026-01-02,completed,5", "9,amy,2026-01-02,completed,5", "17,bea,2026-01-02,completed,5"],
            KeyConflicts(1, 2, "17"),
        ),
        (
            ["2,amy,2026-01-02,completed,5", "2,amy,2026-01-03,completed,5", "8,amy,2026-01-02,paid,5"],
            KeyConflicts(1, 2, "2"),
        ),
        # the same row twice, and another status of one order
        (["3,amy,2026-01-02,placed,5", "3,amy,2026-01-02,placed,5", "3,amy,2026-01-02,paid,5"], KeyConflicts()),
        # a row that is rejected anyway
        (["4,amy,2026-01-02,paid,5", "4,bea,2026-01-02,unheard-of,5"], KeyConflicts()),
        ([], KeyConflicts()),
    ],
)
def test_rows_of_one_key_that_are_no_versions_of_one_thing_are_counted(
    tmp_path: Path, contract: Contract, rows: list[str], expected: KeyConflicts
) -> None:
    assert landed(tmp_path, contract, orders(*rows)).key_conflicts == expected


def test_another_amount_of_a_newer_version_is_no_conflict(tmp_path: Path, contract: Contract) -> None:
    rows = ["1,amy,2026-01-02,paid,5,2026-01-02", "1,amy,2026-01-02,paid,4,2026-01-03"]
    file = landed(tmp_path, contract, orders(*rows, header=f"{HEADER},updated_at"))
    assert file.key_conflicts == KeyConflicts()


def test_a_day_is_that_of_the_business(tmp_path: Path, contract: Contract) -> None:
    """15:59 and 16:01 UTC are two days in Shanghai and one in London."""
    rows = ["1,amy,2026-01-02T15:59:00Z,paid,5", "1,amy,2026-01-02T16:01:00Z,paid,5"]
    for zone, keys in (("Asia/Shanghai", 1), ("Europe/London", 0)):
        (tmp_path / zone[:4]).mkdir()
        rules = replace(PLAIN_RULES, business_timezone=zone)
        assert landed(tmp_path / zone[:4], contract, orders(*rows), rules).key_conflicts.keys == keys


def test_a_second_landing_knows_them_without_reading(tmp_path: Path, contract: Contract) -> None:
    first = landed(tmp_path, contract, orders("1,amy,2026-01-02,paid,5", "1,bea,2026-01-02,paid,5"))
    [again] = land(tmp_path / "raw", tmp_path / "landing", contract, PLAIN_RULES).files
    assert again.key_conflicts == first.key_conflicts == KeyConflicts(1, 2, "1")
