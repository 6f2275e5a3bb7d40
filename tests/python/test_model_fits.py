"""When models are fitted, what is kept of the fits, and what a bad champion raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BUILD_TABLES, STARTED_AT
from dagster import AssetCheckSeverity

from orchestration.assets.model_fits import check_result, outcome
from orchestration.contract import Contract
from orchestration.engines.duckdb.build import build_database, open_build, register, write_predictive
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.spark.engine import as_column
from orchestration.landing.land import Landing
from orchestration.predictive import errors, tables
from orchestration.predictive.champions import without_model
from orchestration.predictive.refit import Refit
from orchestration.refitting import is_due, refused_ahead, store, stored_champions
from orchestration.run_tables import company_key
from orchestration.seeds import unreliability_labels
from orchestration.settings import ROOT, Settings, defaults_of, read_company_settings

MANIFEST = {"sources": {"raw": {"source_name": "raw", "name": "orders", "schema": "raw", "identifier": "orders"}}}
JANUARY, MARCH = date(2026, 1, 31), date(2026, 3, 31)


@pytest.fixture
def settings(tmp_path: Path, contract: Contract) -> Settings:
    """A warehouse into which nothing has been landed."""
    raw = tmp_path / "raw"
    raw.mkdir()
    defaults = defaults_of(read_company_settings(ROOT))
    settings = Settings(root=ROOT, raw_dir=raw, warehouse=tmp_path / "dw", defaults=defaults)
    register(
        Landing(files=(), absent_tables=(), notices=()),
        settings,
        contract,
        build_database(settings.warehouse),
        "run",
        STARTED_AT,
    )
    return settings


def engine_of(settings: Settings) -> DuckDbEngine:
    return DuckDbEngine(settings.warehouse)


def land_orders(settings: Settings, customers: int, first: str = "2025-01-01", *others: tuple[str, str, str]) -> None:
    """Two orders of each customer, a first and one of 28 February 2026, beside `others`: customer, time and status."""
    listed = ", ".join(str(row) for row in (*others, ("nobody", "2026-01-01", "cancelled")))
    with open_build(build_database(settings.warehouse)) as connection:
        connection.execute(
            "create or replace view raw.orders as "
            f"select 'c' || range as customer_id, cast(day as timestamp) as ordered_at, 'completed' as status, "
            f"null as _failure from range({customers}) cross join (values ('{first}'), ('2026-02-28')) as days(day) "
            f"union all select customer_id, cast(ordered_at as timestamp), status, failure "
            f"from (select *, case when status = 'unheard of' then 'out_of_domain:status' end as failure "
            f"from (values {listed}) as others(customer_id, ordered_at, status))"
        )


def fit_row(settings: Settings, fit_id: str, as_of: date, hour: int = 0) -> dict[str, Any]:
    moment = datetime(2026, 4, 1, hour)
    known = {"as_of_date": as_of, "fitted_at": moment, "status": "fitted", "reason_code": None}
    return {"fit_id": fit_id, "company_key": company_key(settings), "customers": 900, "history_days": 400, **known}


def champion(fit_id: str, target: str = "purchases", **values: Any) -> dict[str, Any]:
    row = {"fit_id": fit_id, "target": target, "model_name": "mbg_nbd", "parameters_fit_id": fit_id}
    return {**row, "is_seasonal": False, "is_reliable": True, "unreliable_reason": None, **values}


def remember(settings: Settings, fit: Mapping[str, Any], *champions: Mapping[str, Any]) -> None:
    store(engine_of(settings), Refit(dict(fit), [], [], [], [dict(row) for row in champions]))


def due(settings: Settings) -> bool:
    return is_due(engine_of(settings), BUILD_TABLES, settings)


def refusal(settings: Settings) -> str | None:
    return refused_ahead(engine_of(settings), MANIFEST, settings)


def test_without_parameters_a_fit_is_due(settings: Settings) -> None:
    assert due(settings)


def test_no_features_are_built_for_fewer_customers_than_a_fit_needs(settings: Settings) -> None:
    # 998 orders, but of 499 customers; one more has cancelled
    land_orders(settings, 499)
    assert refusal(settings) == "too_few_customers"
    land_orders(settings, 499, "2025-01-01", ("nobody", "2026-01-02", "cancelled"))
    assert refusal(settings) == "too_few_customers"
    land_orders(settings, 499, "2025-01-01", ("rejected", "2026-01-02", "unheard of"))
    assert refusal(settings) == "too_few_customers"
    land_orders(settings, 499, "2025-01-01", ("another", "2026-01-02", "completed"))
    assert refusal(settings) is None
    # as of the last day of the year before, the five hundredth has not bought
    assert refusal(replace(settings, as_of=date(2025, 12, 31))) == "too_few_customers"


def test_no_features_are_built_for_a_shorter_history_than_a_fit_needs(settings: Settings) -> None:
    # 1 September to 28 February are 180 days
    land_orders(settings, 500, "2025-09-01")
    assert refusal(settings) is None
    land_orders(settings, 500, "2025-09-05")
    assert refusal(settings) == "history_too_short"
    # the last order says what day it is, though it was cancelled
    land_orders(settings, 500, "2025-09-05", ("c1", "2026-12-01", "cancelled"))
    assert refusal(settings) is None
    land_orders(settings, 500, "2025-01-01")
    assert refusal(replace(settings, as_of=date(2025, 3, 1))) == "history_too_short"


def test_nothing_landed_is_too_few_customers(settings: Settings) -> None:
    assert refusal(settings) == "too_few_customers"


LABELS = {"too_few_customers": "Too few", "no_backtest": "No period", "nobody_churned": "All stay"}


@pytest.mark.parametrize(
    ("done", "refused", "champions", "said"),
    [
        (None, "too_few_customers", {}, ("refused", ["Too few"])),
        (("too_few_customers", []), None, {}, ("refused", ["Too few"])),
        ((None, [champion("f")]), None, {}, ("fitted", [])),
        (None, None, {"churn": champion("f", "churn")}, ("kept", [])),
        (
            (None, [champion("f", "churn", is_reliable=False, unreliable_reason="nobody_churned"), champion("f")]),
            None,
            {"churn": champion("old", "churn", is_reliable=False, unreliable_reason="no_backtest")},
            ("fitted", ["churn not reliable: All stay"]),
        ),
        (
            None,
            None,
            {
                name: champion("f", name, is_reliable=False, unreliable_reason="no_backtest")
                for name in ("purchases", "churn")
            },
            ("kept", ["churn and purchases not reliable: No period"]),
        ),
    ],
    ids=["refused ahead", "refused", "fitted", "kept", "fitted, not reliable", "kept, not reliable"],
)
def test_a_run_says_what_became_of_the_fits(
    done: tuple[str | None, list[dict[str, Any]]] | None,
    refused: str | None,
    champions: dict[str, dict[str, Any]],
    said: tuple[str, list[str]],
) -> None:
    refit = None if done is None else Refit({"reason_code": done[0]}, [], [], [], done[1])
    assert outcome(refit, refused, champions, LABELS) == said


def test_the_words_of_a_reason_hold_the_limits() -> None:
    labels = unreliability_labels()
    assert labels["too_few_customers"].startswith("Fewer than 500 customers")
    assert labels["history_too_short"].startswith("Less than 180 days")
    known = {name: value for name, value in vars(errors).items() if name.isupper()}
    assert set(known.values()) <= set(labels), "every reason that the fits give has a label"


def test_with_parameters_a_fit_is_due_only_where_it_is_asked_for(settings: Settings) -> None:
    land_orders(settings, 500)
    remember(settings, fit_row(settings, "first", JANUARY), champion("first"))
    assert not due(settings)
    assert due(replace(settings, refit=True))
    assert due(replace(settings, full_refresh=True))


def test_parameters_of_a_later_day_another_company_or_another_model_do_not_count(settings: Settings) -> None:
    land_orders(settings, 500)
    remember(settings, fit_row(settings, "first", JANUARY), champion("first"))
    assert due(replace(settings, as_of=date(2026, 1, 30)))
    assert not due(replace(settings, as_of=JANUARY))
    assert due(replace(settings, raw_dir=settings.raw_dir.with_name("another")))
    assert due(replace(settings, variables={"company_name": "Another"}))
    assert due(replace(settings, variables={"btyd_model": "bg_nbd"}))


def test_a_refused_fit_leaves_a_fit_due(settings: Settings) -> None:
    land_orders(settings, 500)
    remember(settings, fit_row(settings, "first", JANUARY) | {"status": "refused", "reason_code": "too_few_customers"})
    assert due(settings)


def test_a_target_without_a_model_is_no_champion(settings: Settings) -> None:
    remember(settings, fit_row(settings, "march", MARCH), champion("march"), without_model("clv", "march", "a_reason"))
    assert set(stored_champions(engine_of(settings), BUILD_TABLES, company_key(settings), None)) == {"purchases"}


def test_the_champion_is_of_the_newest_as_of_date_by_then(settings: Settings) -> None:
    remember(settings, fit_row(settings, "march", MARCH, hour=1), champion("march"))
    # fitted later, as of an earlier day
    remember(settings, fit_row(settings, "january", JANUARY, hour=9), champion("january"))
    key, engine = company_key(settings), engine_of(settings)
    assert stored_champions(engine, BUILD_TABLES, key, None)["purchases"]["fit_id"] == "march"
    assert stored_champions(engine, BUILD_TABLES, key, date(2026, 3, 30))["purchases"]["fit_id"] == "january"
    assert stored_champions(engine, BUILD_TABLES, key, date(2026, 1, 30)) == {}
    assert stored_champions(engine, BUILD_TABLES, "it's another", None) == {}


def test_what_is_remembered_outlasts_the_next_landing(settings: Settings, contract: Contract) -> None:
    remember(settings, fit_row(settings, "first", JANUARY), champion("first"))
    nothing = Landing(files=(), absent_tables=(), notices=())
    register(nothing, settings, contract, build_database(settings.warehouse), "next", STARTED_AT)
    _, rows = engine_of(settings).read_build("select fit_id, as_of_date from predictive.fits")
    assert rows == [("first", JANUARY)]


def test_rows_are_written_all_or_none(settings: Settings) -> None:
    broken = {"fits": [fit_row(settings, "first", JANUARY)], "champions": [champion("first", is_seasonal="perhaps")]}
    with pytest.raises(Exception, match="perhaps"):
        write_predictive(build_database(settings.warehouse), broken, replace=False)
    assert engine_of(settings).read_build("select * from predictive.fits")[1] == []


def test_a_request_is_replaced_not_added_to(settings: Settings) -> None:
    engine, asked = engine_of(settings), [{"requested_at": datetime(2026, 4, 1)}]
    for rows, expected in ((asked, 1), (asked, 1), ([], 0)):
        engine.write_predictive({tables.REFIT_REQUESTS: rows}, replace=True)
        assert engine.read_build("select count(*) from predictive.refit_requests")[1] == [(expected,)]


COLUMNS_QUERY = """
    select * from (values
        (1, cast(1.5 as decimal(9, 2)), true, date '2026-01-31', 'a'),
        (null, null, null, null, null)
    ) as given(whole, amount, truth, day, word)
"""


def test_columns_are_arrays_with_gaps(settings: Settings) -> None:
    columns = engine_of(settings).read_columns(COLUMNS_QUERY)
    _, rows = engine_of(settings).read_build(COLUMNS_QUERY)
    # what Spark gives as rows becomes the same arrays
    for (name, found), values in zip(columns.items(), zip(*rows, strict=True), strict=True):
        expected = as_column(values)
        assert found.dtype == expected.dtype, name
        np.testing.assert_array_equal(found, expected)
    assert columns["amount"][0] == 1.5 and np.isnan(columns["amount"][1])
    assert columns["day"][0] == np.datetime64("2026-01-31") and np.isnat(columns["day"][1])
    assert columns["word"].tolist() == ["a", None]


def test_a_champion_below_the_baseline_fails_the_check_and_says_which(settings: Settings) -> None:
    good, bad = champion("f"), champion("f", "churn", is_reliable=False, unreliable_reason="worse_than_baseline")
    assert check_result({"purchases": good}).passed
    assert check_result({}).passed
    # unreliable for want of a backtest is no failure of the model
    assert check_result({"churn": {**bad, "unreliable_reason": "no_backtest"}}).passed
    failed = check_result({"purchases": good, "churn": bad})
    assert not failed.passed
    assert failed.severity == AssetCheckSeverity.ERROR
    assert "the model of churn was worse" in failed.description
