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

from orchestration.assets.model_fits import check_result
from orchestration.contract import Contract
from orchestration.engines.duckdb.build import build_database, open_build, register, write_predictive
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.spark.engine import as_column
from orchestration.landing.land import Landing
from orchestration.predictive import tables
from orchestration.predictive.refit import Refit
from orchestration.refitting import is_due, store, stored_champions
from orchestration.run_tables import company_key
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


def land_orders(settings: Settings, orders: int) -> None:
    with open_build(build_database(settings.warehouse)) as connection:
        connection.execute(f"create or replace view raw.orders as select 1 as one from range({orders})")


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
    return is_due(engine_of(settings), BUILD_TABLES, MANIFEST, settings)


def test_without_parameters_a_fit_is_due_where_there_are_orders_enough(settings: Settings) -> None:
    land_orders(settings, 499)
    assert not due(settings)
    land_orders(settings, 500)
    assert due(settings)


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
