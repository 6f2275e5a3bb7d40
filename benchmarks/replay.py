"""The SQL of a build alone: the statements that dbt compiled, run again in one DuckDB connection."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb


@dataclass(frozen=True)
class Replay:
    """Seconds that the SQL of a build takes without anything around it, and how many statements it was.

    `dbt_model_seconds` and `dbt_test_seconds` are what dbt itself reported for the same nodes, summed.
    """

    models: int
    model_seconds: float
    tests: int
    test_seconds: float
    dbt_model_seconds: float
    dbt_test_seconds: float

    @property
    def seconds(self) -> float:
        return self.model_seconds + self.test_seconds

    @property
    def added_per_model(self) -> float:
        return (self.dbt_model_seconds - self.model_seconds) / self.models

    @property
    def added_per_test(self) -> float:
        return (self.dbt_test_seconds - self.test_seconds) / self.tests


def replay(build: Path, scratch: Path) -> Replay:
    """Run the compiled models and tests of the last build in `build` again, on a copy of its database in `scratch`."""
    database = scratch / "warehouse.duckdb"
    shutil.copy(build / "warehouse.duckdb", database)
    manifest = json.loads((build / "target" / "manifest.json").read_bytes())
    results = json.loads((build / "target" / "run_results.json").read_bytes())["results"]
    nodes = [(manifest["nodes"][result["unique_id"]], result.get("compiled_code")) for result in results]
    models = list(_statements(nodes, "model"))
    tests = list(_statements(nodes, "test"))
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        model_seconds = _run(connection, models)
        test_seconds = _run(connection, tests)
    reported = {kind: _reported(manifest, results, kind) for kind in ("model", "test")}
    return Replay(len(models), model_seconds, len(tests), test_seconds, reported["model"], reported["test"])


def _reported(manifest: dict[str, Any], results: list[dict[str, Any]], kind: str) -> float:
    return sum(one["execution_time"] for one in results if manifest["nodes"][one["unique_id"]]["resource_type"] == kind)


def _statements(nodes: list[tuple[dict[str, Any], str | None]], kind: str) -> Iterator[str]:
    for node, sql in nodes:
        if node["resource_type"] != kind or sql is None:
            continue
        if kind == "test":
            yield f"SELECT count(*) FROM ({sql}\n)"
        else:
            form = "VIEW" if node["config"]["materialized"] == "view" else "TABLE"
            yield f'CREATE OR REPLACE {form} "{node["schema"]}"."{node["alias"]}" AS ({sql}\n)'


def _run(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> float:
    begin = time.perf_counter()
    for statement in statements:
        connection.execute(statement).fetchall()
    return time.perf_counter() - begin
