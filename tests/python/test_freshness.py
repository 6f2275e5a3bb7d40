"""When files and publications are late, as Dagster's own evaluator sees it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from dagster import AssetMaterialization, AssetSpec, DagsterInstance, Definitions
from dagster._core.definitions.freshness_evaluator import TimeWindowFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest
from dagster._time import get_current_datetime

from orchestration.contract import load_contract
from orchestration.errors import SettingsError
from orchestration.freshness import (
    files_key,
    late,
    new_files_policy,
    newest_content,
    parse_new_files_due,
    publication_policy,
    report_new_files,
)
from orchestration.landing.land import LandedFile
from orchestration.settings import ROOT, Settings, defaults_of, read_company_settings

TABLES = ("orders", "tickets")


def landed(table: str, seen_at: datetime) -> LandedFile:
    return LandedFile(table, f"{table}.csv", 1, "csv", None, None, (), (), 0, seen_at, None)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("orders 1", {"orders": 1}),
        (" orders 1,tickets  14 ", {"orders": 1, "tickets": 14}),
        ("none", {}),
    ],
)
def test_what_is_due_is_read_by_table(text: str, due: dict[str, int]) -> None:
    assert parse_new_files_due(text, TABLES) == due


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("order 1", '"order 1"'),
        ("orders", '"orders"'),
        ("orders 0", '"orders 0"'),
        ("orders 1, orders 2", '"orders 2"'),
        ("orders 1,", '""'),
        ("orders 1.5", '"orders 1.5"'),
    ],
)
def test_what_cannot_be_due_is_refused_with_what_was_found(text: str, found: str) -> None:
    with pytest.raises(SettingsError, match=f"new_files_due has {found}; expected none, or tables of the raw contract"):
        parse_new_files_due(text, TABLES)


def test_the_newest_content_of_a_table_is_that_of_its_newest_file() -> None:
    first, later = datetime(2026, 3, 1, 2), datetime(2026, 3, 2, 2)
    files = [landed("orders", later), landed("orders", first), landed("tickets", first)]
    assert newest_content(files) == {"orders": later, "tickets": first}


def test_new_content_is_reported_once_and_dated_when_it_was_first_seen() -> None:
    monday, tuesday = datetime(2026, 3, 2, 2), datetime(2026, 3, 3, 2)
    with DagsterInstance.ephemeral() as instance:
        assert report_new_files(instance, {"orders": monday, "tickets": monday}) == ["orders", "tickets"]
        assert report_new_files(instance, {"orders": tuesday, "tickets": monday}) == ["orders"]
        # an older export in the place of a newer one is nothing new
        assert report_new_files(instance, {"orders": monday}) == []
        seen = {table: instance.get_latest_materialization_event(files_key(table)).timestamp for table in TABLES}
    assert seen == {
        "orders": tuesday.replace(tzinfo=UTC).timestamp(),
        "tickets": monday.replace(tzinfo=UTC).timestamp(),
    }


@pytest.mark.parametrize(
    ("days_due", "age", "state"),
    [
        (1, timedelta(hours=29), "PASS"),
        (1, timedelta(hours=31), "WARN"),
        (1, timedelta(hours=53), "WARN"),
        (1, timedelta(hours=55), "FAIL"),
        (7, timedelta(days=7, hours=5), "PASS"),
        (7, timedelta(days=7, hours=7), "WARN"),
        (7, timedelta(days=14, hours=7), "FAIL"),
    ],
)
def test_files_that_were_due_are_late_the_day_after_and_fail_the_second_time(
    days_due: int, age: timedelta, state: str
) -> None:
    """The day after, six hours of grace later: asked of Dagster, as its daemon asks."""
    assert state_after(new_files_policy(days_due), age) == state


@pytest.mark.parametrize(("age", "state"), [(timedelta(hours=29), "PASS"), (timedelta(hours=31), "FAIL")])
def test_a_publication_is_late_after_its_hours(age: timedelta, state: str) -> None:
    assert state_after(publication_policy(30), age) == state


def state_after(policy, age: timedelta) -> str:
    """What Dagster makes of an asset whose newest content was seen so long ago."""
    graph = Definitions(assets=[AssetSpec(files_key("orders"), freshness_policy=policy)]).resolve_asset_graph()
    with DagsterInstance.ephemeral() as instance:
        seen_at = (get_current_datetime() - age).astimezone(UTC).replace(tzinfo=None)
        report_new_files(instance, {"orders": seen_at})
        context = LoadingContextForTest(instance)
        evaluation = TimeWindowFreshnessPolicyEvaluator().evaluate_freshness(context, graph.get(files_key("orders")))
        return asyncio.run(evaluation).value


@pytest.mark.parametrize(
    ("age", "names"),
    [
        (timedelta(hours=29), []),
        (timedelta(hours=31), ["orders", "published"]),
        (timedelta(days=7, hours=5), ["orders", "published"]),
        (timedelta(days=7, hours=7), ["orders", "tickets", "published"]),
    ],
)
def test_what_people_are_alerted_of_is_what_the_pages_show_as_late(age: timedelta, names: list[str]) -> None:
    """Customers never came, so they are not late; the company expects tickets once a week."""
    expected = {"new_files_due": "orders 1, tickets 7, customers 1"}
    served = Settings(ROOT, ROOT, ROOT, variables=expected, defaults=defaults_of(read_company_settings(ROOT)))
    contract, newest = load_contract(ROOT), datetime.now(UTC)
    with DagsterInstance.ephemeral() as instance:
        report_new_files(instance, dict.fromkeys(TABLES, newest.replace(tzinfo=None)))
        instance.report_runless_asset_event(AssetMaterialization("published"))
        found = late(instance, contract, served, newest + age)
        report_new_files(instance, dict.fromkeys(TABLES, (newest + age).replace(tzinfo=None)))
        afterwards = late(instance, contract, served, newest + age)
    assert [one.table for one in found] == names
    rooms = {"orders": timedelta(hours=30), "published": timedelta(hours=30), "tickets": timedelta(days=7, hours=6)}
    assert [one.expected - one.newest for one in found] == [rooms[name] for name in names]
    # the files have come, and nothing was published since
    assert [one.table for one in afterwards] == [name for name in names if name == "published"]
