"""The engines that there are, by target of profiles.yml: the only place outside their packages that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestration.engines.dbt_adapter import Adapter
from orchestration.engines.duckdb.dbt_adapter import ADAPTER as DUCKDB
from orchestration.engines.engine import Engine
from orchestration.engines.spark.dbt_adapter import ADAPTER as SPARK
from orchestration.errors import SettingsError

ADAPTERS: Mapping[str, Adapter] = {"duckdb": DUCKDB, "spark": SPARK}


def load_engine(target: str, warehouse: Path) -> Engine:
    """The engine of a target, with the data that belongs to a warehouse folder.

    Raises:
        SettingsError: no engine has this target, or what the environment says of it is wrong.
    """
    # only when asked for: the packages of Spark are a section of the lock that only those who use it install
    if target == "spark":
        from orchestration.engines.spark.engine import SparkEngine

        return SparkEngine.from_environ()
    if target == "duckdb":
        from orchestration.engines.duckdb.engine import DuckDbEngine

        return DuckDbEngine(warehouse)
    raise SettingsError(f'No engine builds the target "{target}" of profiles.yml; there are {" and ".join(ADAPTERS)}.')
