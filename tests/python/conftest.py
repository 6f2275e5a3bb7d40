"""What tests share: one parse of the dbt project for each engine, and warehouses built from raw folders ("worlds")."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from raw_company import RawCompany, write_raw_company
from shop_project import write_shop
from spark_world import SparkServer, find_server

from orchestration.boards.beside import board_writer
from orchestration.company import company_raw_folder
from orchestration.contract import Contract, load_contract
from orchestration.dbt_project import published_nodes, read_json
from orchestration.dictionary import describe_published
from orchestration.engines.duckdb.build import build_database, open_build, register
from orchestration.engines.duckdb.engine import DuckDbEngine
from orchestration.engines.duckdb.publication import publish
from orchestration.landing.land import Landing, land
from orchestration.landing.values import ValueRules
from orchestration.predictive import tables
from orchestration.predictive.refit import Refit
from orchestration.publishing import BOARDS_FOLDER, PublicationFacts
from orchestration.refitting import FEATURE_MODELS, BuildTables, run_refit, store
from orchestration.settings import ROOT, WAREHOUSE_DIR, Settings, load_settings
from orchestration.value_rules import value_rules

if TYPE_CHECKING:
    from dagster import Definitions

BUILD = ("build", "--exclude-resource-type", "unit_test")
# where a test looks at the tables itself: the tests of dbt are two thirds of what a build does
MODELS_ONLY = ("build", "--exclude-resource-type", "test", "unit_test")
# a company's own models promise something of its own data, not of the worlds here
WITHOUT_CUSTOM = ("--exclude", "path:custom")
BUILD_TABLES = BuildTables(
    **{name: f"intermediate.{model}" for name, model in FEATURE_MODELS.items()},
    fits="predictive.fits",
    champions="predictive.champions",
)
# how the variables that name a database for BI begin
COPY_FOR_BI = "PUBLISH_POSTGRES_"
# after the last day that any world has: what is dated after the run's own day does not count
STARTED_AT = datetime(2026, 7, 1, 3, 4, 5, tzinfo=UTC)
# cells as they stand, in UTC: of a landing that is about anything else
PLAIN_RULES = ValueRules("UTC", "UTC", words_for_nothing=(), nobody_ids=(), latest_day=date.max)


@pytest.fixture(scope="session", autouse=True)
def _no_copy_for_bi() -> Iterator[None]:
    """Nothing that a test publishes replaces the copy that a database of the machine holds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(COPY_FOR_BI)]:
            patch.delenv(name)
        yield


@dataclass(frozen=True)
class World:
    """A warehouse that was built from a raw folder."""

    settings: Settings
    landing: Landing
    # what dbt made of each node: its status by name
    statuses: dict[str, str]

    @cached_property
    def as_of(self) -> date:
        return self.rows("select as_of_date from intermediate.run_context")[0][0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_build(build_database(self.settings.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def frame(self, sql: str) -> pd.DataFrame:
        with open_build(build_database(self.settings.warehouse), read_only=True) as connection:
            cursor = connection.execute(sql)
            # rows, not .df(): decimals stay decimals and dates stay dates
            return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description], dtype=object)

    def mart(self, name: str) -> pd.DataFrame:
        return self.frame(f"select * from marts.{name}")


@dataclass(frozen=True)
class PublishedBoards:
    """A published version with its boards, the manifest that their labels come from, and what went wrong."""

    folder: Path
    manifest: Mapping[str, Any]
    warnings: list[str]

    @property
    def site(self) -> Path:
        return self.folder / BOARDS_FOLDER


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class Dbt:
    """The dbt project, parsed once for an engine, to be run on any warehouse.

    Attributes:
        target: folder that dbt writes about its runs to.
        engine: target of the profile.
        environ: what the profile reads of the environment, beside the folder of the warehouse.
        root: folder of the project.
    """

    target: Path
    engine: str = "duckdb"
    environ: Mapping[str, str] = field(default_factory=dict)
    root: Path = ROOT
    _manifest: Any = None

    @property
    def manifest(self) -> Any:
        """The parsed project, as dbt's own Manifest."""
        if self._manifest is None:
            with environment({WAREHOUSE_DIR: str(self.target), **self.environ}):
                parsed = dbtRunner().invoke(["parse", *self._common])
            assert parsed.success, parsed.exception
            self._manifest = parsed.result
        return self._manifest

    def derived_columns(self, model: str) -> set[str]:
        """The columns of a model that repeat others: labels of codes, and old names that are still kept."""
        columns = self.manifest.nodes[f"model.stickiness.{model}"].columns
        coded = [name for name, column in columns.items() if column.config.meta.get("codes")]
        old = {name for name, column in columns.items() if column.config.meta.get("deprecated")}
        return old | {f"{name}_{language}" for name in coded for language in ("en", "zh")}

    @property
    def _common(self) -> list[str]:
        places = ["--project-dir", str(self.root), "--profiles-dir", str(self.root), "--target-path", str(self.target)]
        return [*places, "--target", self.engine, "--quiet", "--log-level-file", "none"]

    def invoke(self, warehouse: Path, *arguments: str) -> dict[str, str]:
        """Run dbt in this process; the status of every node by name. Raises AssertionError with dbt's messages."""
        statuses, messages = self.attempt(warehouse, *arguments)
        assert not messages, "\n".join(messages)
        return statuses

    def attempt(self, warehouse: Path, *arguments: str) -> tuple[dict[str, str], list[str]]:
        """The same, but what went wrong is returned, not raised."""
        manifest = self.manifest
        with environment({WAREHOUSE_DIR: str(warehouse), **self.environ}):
            try:
                left_out = WITHOUT_CUSTOM if arguments[0] == "build" else ()
                done = dbtRunner(manifest=manifest).invoke([*arguments, *left_out, *self._common])
            finally:
                # the file must be free for whoever reads it next
                DuckDBConnectionManager.close_all_connections()
        if done.exception is not None:
            raise done.exception
        # what dbt_project.yml has at the start of each command is no node that was asked for
        results = [result for result in done.result if result.node.resource_type != "operation"]
        messages = [
            f"{result.node.name}: {result.message}"
            for result in results
            if str(result.status) in ("error", "fail", "runtime error")
        ]
        return {result.node.name: str(result.status) for result in results}, messages


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract(ROOT)


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="session")
def build_world(tmp_path_factory: pytest.TempPathFactory, dbt: Dbt, contract: Contract) -> Callable[..., World]:
    """Build a warehouse of its own from a raw folder: `build_world(raw_dir, name, as_of=None, arguments=BUILD)`.

    With `fit=True` the predictive models are fitted and backtested before.
    """

    def build(
        raw_dir: Path, name: str, as_of: date | None = None, arguments: tuple[str, ...] = BUILD, *, fit: bool = False
    ) -> World:
        warehouse = tmp_path_factory.mktemp(name)
        return build_into(warehouse, raw_dir, dbt, contract, as_of, arguments, fit=fit)

    return build


def build_into(
    warehouse: Path,
    raw_dir: Path,
    dbt: Dbt,
    contract: Contract,
    as_of: date | None = None,
    arguments: tuple[str, ...] = BUILD,
    *,
    fit: bool = False,
) -> World:
    """Land a raw folder into a warehouse, new or not, and build it there."""
    settings = load_settings({"STICKINESS_RAW_DIR": str(raw_dir), WAREHOUSE_DIR: str(warehouse)})
    settings = replace(settings, as_of=as_of)
    landing = land(settings.raw_dir, settings.landing_dir, contract, value_rules(settings), settings.dialects)
    register(landing, settings, contract, build_database(settings.warehouse), "test", STARTED_AT)
    if fit:
        fit_into(settings, dbt)
    return World(settings, landing, dbt.invoke(warehouse, *arguments))


def fit_into(settings: Settings, dbt: Dbt, fitted_at: datetime = STARTED_AT) -> Refit:
    """Fit the predictive models on what is registered in a warehouse, as the refresh does, and store them there."""
    engine, moment = DuckDbEngine(settings.warehouse), fitted_at.replace(tzinfo=None)
    engine.write_predictive({tables.REFIT_REQUESTS: [{"requested_at": moment}]}, replace=True)
    ahead = [f"+{FEATURE_MODELS[name]}" for name in ("churn_inputs", "outcomes")]
    dbt.invoke(settings.warehouse, "build", "--exclude-resource-type", "test", "unit_test", "--select", *ahead)
    result = run_refit(engine, BUILD_TABLES, settings, f"fit of {moment:%Y-%m-%d %H:%M}", moment)
    engine.write_predictive({tables.REFIT_REQUESTS: []}, replace=True)
    store(engine, result)
    return result


@pytest.fixture(scope="session")
def cdnow_raw() -> Path:
    return company_raw_folder(ROOT / "companies", "cdnow")


@pytest.fixture(scope="session")
def cdnow_world(build_world: Callable[..., World], cdnow_raw: Path) -> Iterator[World]:
    yield build_world(cdnow_raw, "cdnow", fit=True)


@pytest.fixture(scope="session")
def sample_world(build_world: Callable[..., World]) -> World:
    """The simulated company that make run builds; a test that uses it belongs to the xdist_group "sample"."""
    return build_world(company_raw_folder(ROOT / "companies", "sample"), "sample", fit=True)


@pytest.fixture(scope="session")
def sample_boards(sample_world: World, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> PublishedBoards:
    """The sample company, published with its boards; a test that uses it belongs to the xdist_group "sample"."""
    _ = dbt.manifest
    manifest = read_json(dbt.target / "manifest.json")
    warehouse, warnings = tmp_path_factory.mktemp("sample_boards"), []
    publish(
        build_database(sample_world.settings.warehouse),
        warehouse,
        PublicationFacts(date(2025, 12, 31), "test", 400, 0, STARTED_AT),
        {table: () for table in published_nodes(manifest).values()},
        descriptions=describe_published(manifest, "CNY"),
        beside=board_writer(sample_world.settings, manifest, warnings),
    )
    return PublishedBoards(warehouse / "published", manifest, warnings)


@pytest.fixture(scope="session")
def empty_world(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("no_tables"), "empty")


@pytest.fixture(scope="session")
def raw_company(tmp_path_factory: pytest.TempPathFactory, contract: Contract) -> RawCompany:
    return write_raw_company(tmp_path_factory.mktemp("raw") / "company", contract)


@pytest.fixture(scope="session")
def spark_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    """A Spark server with schemas of its own: the one that is named, the one that runs, or one for these tests."""
    with find_server(f"test_{secrets.token_hex(4)}", tmp_path_factory.mktemp("spark")) as server:
        try:
            yield server
        finally:
            server.drop_schemas()


@pytest.fixture(scope="session")
def spark_dbt(spark_server: SparkServer, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(tmp_path_factory.mktemp("spark_target"), "spark", spark_server.environ)


def build_on_spark(world: World, server: SparkServer, dbt: Dbt, contract: Contract, arguments: tuple[str, ...]) -> None:
    """Build on Spark what a world has built on DuckDB: the same landed rows, settings and run."""
    server.engine.register(world.landing, world.settings, contract, "test", STARTED_AT)
    stored = {name: world.frame(f"select * from predictive.{name}").to_dict("records") for name in tables.TABLES}
    server.engine.write_predictive(stored, replace=True)
    dbt.invoke(world.settings.warehouse, *arguments)


# the name of a property of a test: what it wants to be shown at the end, also by a worker whose output nobody sees
SHOWN = "shown at the end"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for outcome in ("passed", "failed"):
        for test in terminalreporter.getreports(outcome):
            for name, text in test.user_properties:
                if name == SHOWN:
                    terminalreporter.write_line(f"\n{text}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small dbt project, which a module parses once."""
    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def definitions(shop: Path) -> Definitions:
    """What Dagster runs for the small project."""
    # Dagster takes seconds to import, and most tests ask for nothing of it
    from orchestration.definitions import build_definitions

    return build_definitions(shop)
