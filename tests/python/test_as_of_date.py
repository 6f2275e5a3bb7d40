"""The as-of date that a run finds by itself: the models' own SQL beside the definition, on random days with orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Dbt
from oracle.business_days import newest_day_with_orders

from orchestration.settings import ROOT, read_company_settings

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("empty")]

MODELS = ("int_orders_latest", "run_context")
ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 6, 30)
LAST_OF_MANY = date(2026, 3, 31)
COMPANIES = 150


class Found:
    """The as-of date of a company by its orders' moments (UTC, no zone), as the compiled models find it."""

    def __init__(self, compiled: dict[str, str], connection: duckdb.DuckDBPyConnection) -> None:
        self._compiled, self._connection = compiled, connection

    def by_run(self, orders: list[datetime], today: date = TODAY) -> date:
        started_at = datetime.combine(today, time(12), tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)
        self._connection.execute("update staging.stg_run_parameters set started_at = ?", [started_at])
        given = pd.DataFrame({"ordered_at": pd.Series(orders, dtype="datetime64[us]")})
        self._connection.register("given", given)
        self._connection.execute("create or replace table staging.stg_orders as select * from given")
        return self._connection.execute(f"select as_of_date from ({self._compiled['run_context']})").fetchone()[0]


@pytest.fixture(scope="module")
def found(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    dbt.invoke(tmp_path_factory.mktemp("compiled"), "compile", "--select", *MODELS)
    folder = dbt.target / "compiled"
    compiled = {model: next(folder.rglob(f"{model}.sql")).read_text(encoding="utf-8") for model in MODELS}
    with duckdb.connect() as connection:
        connection.execute("""
            attach ':memory:' as warehouse; use warehouse;
            create schema staging; create schema intermediate;
            create table staging.stg_orders (ordered_at timestamp);
            create table intermediate.int_events_latest as select timestamp '2026-02-01 20:00' as event_at
        """)
        settings = [f"null as {name}" for name in read_company_settings(ROOT) if name != "business_timezone"]
        connection.execute(f"""
            create table staging.stg_run_parameters as
            select
                'run' as run_id, cast(null as timestamp) as started_at, cast(null as date) as requested_as_of_date,
                date '2026-06-29' as yesterday, 'company' as company_key, 'Asia/Shanghai' as business_timezone,
                {", ".join(settings)}
        """)
        connection.execute(f"create view intermediate.int_orders_latest as {compiled['int_orders_latest']}")
        yield Found(compiled, connection)


def at_noon(*days: date) -> list[datetime]:
    return [datetime.combine(day, time(12), tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None) for day in days]


@cache
def many(count: int) -> list[datetime]:
    """Orders of ever the same 90 days, the last of them 31 March."""
    return at_noon(*(LAST_OF_MANY - timedelta(days=place % 90) for place in range(count)))


@pytest.mark.parametrize(
    ("orders", "later", "expected"),
    [
        pytest.param(300, [TODAY + timedelta(days=1)], LAST_OF_MANY, id="one to come, of few"),
        pytest.param(300, [date(2206, 1, 5)], LAST_OF_MANY, id="one of another century"),
        pytest.param(300, [TODAY], TODAY, id="of few none is a slip"),
        pytest.param(999, [TODAY], LAST_OF_MANY, id="one of a thousand"),
        pytest.param(998, [TODAY], TODAY, id="one of 999"),
        pytest.param(999, [TODAY, TODAY + timedelta(days=1)], LAST_OF_MANY, id="the future is on neither side"),
        pytest.param(4995, [TODAY] * 5, LAST_OF_MANY, id="five of five thousand"),
        pytest.param(4994, [TODAY] * 5, TODAY, id="five of 4,999"),
        pytest.param(9994, [TODAY] * 6, TODAY, id="six of ten thousand"),
        pytest.param(999, [LAST_OF_MANY + timedelta(days=30)], LAST_OF_MANY + timedelta(days=30), id="after 30 days"),
        pytest.param(999, [LAST_OF_MANY + timedelta(days=31)], LAST_OF_MANY, id="after 31 days"),
        pytest.param(
            1998, [LAST_OF_MANY + timedelta(days=40), TODAY], LAST_OF_MANY, id="of two gaps the first, both are slips"
        ),
        pytest.param(
            1500,
            [LAST_OF_MANY + timedelta(days=40), TODAY],
            LAST_OF_MANY + timedelta(days=40),
            id="of two gaps the second, two were too many",
        ),
        pytest.param(
            9999,
            [LAST_OF_MANY + timedelta(days=20), TODAY],
            LAST_OF_MANY + timedelta(days=20),
            id="a later gap",
        ),
    ],
)
def test_a_slip_of_a_date_is_not_the_as_of_date(found: Found, orders: int, later: list[date], expected: date) -> None:
    assert found.by_run([*many(orders), *at_noon(*later)]) == expected


def test_without_an_order_by_the_runs_own_day_another_event_says(found: Found) -> None:
    # 20:00 UTC of 1 February is 2 February in Shanghai
    assert found.by_run([]) == found.by_run(at_noon(TODAY + timedelta(days=1))) == date(2026, 2, 2)


def test_the_runs_own_day_ends_at_local_midnight(found: Found) -> None:
    # midnight in Shanghai is 16:00 UTC
    assert found.by_run([datetime(2026, 6, 30, 15, 59, 59)]) == TODAY
    assert found.by_run([datetime(2026, 6, 29, 16), datetime(2026, 6, 30, 16)]) == TODAY


def test_random_companies_have_the_day_of_the_definition(found: Found) -> None:
    generator = np.random.default_rng(20260630)
    slips = 0
    for _ in range(COMPANIES):
        count = int(generator.choice([1, 3, 995, 998, 999, 1000, 1995, 1999, 2000, 4995]))
        gaps = generator.choice([0, 0, 1, 29, 30, 31, 32, 60], size=int(generator.integers(0, 9)))
        later = [LAST_OF_MANY + timedelta(days=int(days)) for days in np.cumsum(gaps)]
        today = LAST_OF_MANY + timedelta(days=int(generator.choice([-1, 0, 31, 45, 90, 400])))
        orders = [*many(count), *at_noon(*later)]
        expected = newest_day_with_orders(orders, today, ZONE)
        assert found.by_run(orders, today) == (expected or date(2026, 2, 2)), (count, later, today)
        slips += expected is not None and any(expected < day <= today for day in later)
    # the rule was asked for often enough
    assert slips > COMPANIES // 10
