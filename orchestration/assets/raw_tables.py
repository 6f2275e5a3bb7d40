"""The raw tables: the company's files, landed as rows and registered where dbt reads them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import AssetExecutionContext, AssetsDefinition, AssetSpec, MaterializeResult, multi_asset

from orchestration.asset_texts import DATA_OWNER, owners_of
from orchestration.assets.refresh import WRITER_POOL, RefreshConfig, raised_as_failure, tag_run
from orchestration.build_figures import landed_tables
from orchestration.contract import Contract
from orchestration.engines.engine import Engine
from orchestration.engines.registry import load_engine
from orchestration.errors import SettingsError
from orchestration.freshness import (
    files_key,
    new_files_due,
    new_files_policy,
    newest_content,
    report_new_files,
)
from orchestration.landing.land import Landing, clear_landing, land
from orchestration.progress import announce
from orchestration.publication_guard import allowed_lines, judge, missing_tables, refuse
from orchestration.publishing import last_of_company
from orchestration.run_tables import company_id
from orchestration.settings import Settings
from orchestration.value_rules import file_limits, value_rules

RUN_PARAMETERS = ["operations", "run_parameters"]
COMPANY_SETTINGS = ["operations", "company_settings"]
RAW_FILES = ["operations", "raw_files"]
VALUE_REPAIRS = ["operations", "value_repairs"]


def build_files(contract: Contract, served: Settings) -> list[AssetSpec]:
    """An asset for the files of each table of the contract, which a company writes and landing reads.

    Those of which new content is due say since when it is late.
    """
    try:
        due = new_files_due(contract, served)
    except SettingsError:
        # each run says so, and stops
        due = {}
    return [
        AssetSpec(
            files_key(name),
            description=f"The files of the table {name} in the raw folder. Its events are the moments at which their "
            f"newest content was first seen.",
            group_name="files",
            kinds={"file"},
            owners=owners_of(served, DATA_OWNER),
            freshness_policy=new_files_policy(due[name]) if name in due else None,
        )
        for name in contract.tables
    ]


def build_raw_tables(contract: Contract, target: str, served: Settings) -> AssetsDefinition:
    """One asset for each table of the contract and each table that the run writes about itself: dbt's sources."""
    shared = {"kinds": {"python", target}, "owners": owners_of(served, DATA_OWNER)}
    specs = [
        AssetSpec(
            ["raw", table.name], deps=[files_key(table.name)], description=table.description, group_name="raw", **shared
        )
        for table in contract.tables.values()
    ]
    specs += [
        AssetSpec(key, description=description, group_name="operations", **shared)
        for key, description in (
            (RUN_PARAMETERS, "The parameters of this run, one row."),
            (COMPANY_SETTINGS, "Each row is one setting that the company.yml sets."),
            (RAW_FILES, "Each row is one file that was landed, with what the reader found in it."),
            (VALUE_REPAIRS, "Each row is one kind of repair of values of a column of a file."),
        )
    ]

    @multi_asset(specs=specs, name="raw_tables", pool=WRITER_POOL)
    def raw_tables(context: AssetExecutionContext, refresh: RefreshConfig) -> Iterator[MaterializeResult]:
        started_at, begin = datetime.now(UTC), time.monotonic()
        with raised_as_failure(context, refresh.waits):
            settings = refresh.settings()
            tag_run(context, settings, settings.as_of)
            new_files_due(contract, settings)
            if settings.full_refresh:
                clear_landing(settings.landing_dir)
            rules = value_rules(settings)
            landing = land(
                settings.raw_dir,
                settings.landing_dir,
                contract,
                rules,
                settings.dialects,
                file_limits(settings),
                settings.sources,
            )
            engine = load_engine(settings.target, settings.warehouse)
            engine.register(landing, settings, contract, context.run.run_id, started_at)
            report_new_files(context.instance, newest_content(landing.files))
            allowed = _guard(landing, settings, contract, engine)
        announce("raw tables", f"{len(landing.files):>3} files", time.monotonic() - begin)
        yield from _results(landing, contract, allowed)

    return raw_tables


def _guard(landing: Landing, settings: Settings, contract: Contract, engine: Engine) -> list[str]:
    """Refuse a folder that lacks what it should hold, before a minute is spent on building from it.

    The rows are registered by then, so that dbt by hand finds the files that the warehouse holds now.
    """
    company = company_id(settings)
    last = last_of_company(engine.events(), company)
    judgement = judge(missing_tables(landed_tables(landing, contract), last, landing.unread), settings.allow)
    refuse(judgement, f"Files of {company} are missing in {settings.raw_dir}, so nothing was built.", last)
    return allowed_lines(judgement)


def _results(landing: Landing, contract: Contract, allowed: list[str]) -> Iterator[MaterializeResult]:
    for name in contract.tables:
        files = [landed for landed in landing.files if landed.table == name]
        yield MaterializeResult(
            asset_key=["raw", name],
            metadata={
                "dagster/row_count": sum(landed.rows for landed in files),
                "files": len(files),
                "malformed_rows": sum(landed.malformed_rows for landed in files),
                "ignored_columns": sorted({column for landed in files for column in landed.ignored_columns}),
                "missing_columns": sorted({column for landed in files for column in landed.missing_columns}),
            },
        )
    yield MaterializeResult(asset_key=RUN_PARAMETERS)
    yield MaterializeResult(asset_key=COMPANY_SETTINGS)
    repaired = [repair.values_repaired for landed in landing.files for repair in landed.repairs]
    yield MaterializeResult(
        asset_key=VALUE_REPAIRS,
        metadata={"dagster/row_count": len(repaired), "values_repaired": sum(repaired)},
    )
    yield MaterializeResult(
        asset_key=RAW_FILES,
        metadata={
            "dagster/row_count": len(landing.files),
            "absent_tables": list(landing.absent_tables),
            "notices": list(landing.notices),
            "guard": allowed,
        },
    )
