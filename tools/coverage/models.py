"""Models of the project as dbt compiles them, run in memory on tables that something else than dbt has made.

To land and build a company takes longer than to estimate. Where the tables that a mart reads at first are at hand, its
SQL runs on them as it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb

from orchestration.settings import ROOT, WAREHOUSE_DIR

DATABASE = "warehouse"
_OPERATIONS = ("source", "test", "unit_test", "operation")


@dataclass(frozen=True)
class Seed:
    """A seed: `schema.name`, its file, and the types that dbt gives some of its columns."""

    relation: str
    file: Path
    types: Mapping[str, str]


@dataclass(frozen=True)
class CompiledModels:
    """Some models in an order in which they can be run, and the seeds that they read.

    Attributes:
        statements: by `schema.name` of a model, its select statement.
        inputs: `schema.name` of each table that must be there before.
    """

    statements: Mapping[str, str]
    seeds: Sequence[Seed]
    inputs: Mapping[str, str]

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A database in memory with the schemas and the seeds; a name without a schema is one of the inputs."""
        connection = duckdb.connect()
        connection.execute(f"set threads = 1; attach ':memory:' as {DATABASE}; use {DATABASE}")
        names = [*self.statements, *(seed.relation for seed in self.seeds), *self.inputs.values()]
        for schema in sorted({name.split(".")[0] for name in names}):
            connection.execute(f"create schema {schema}")
        for seed in self.seeds:
            connection.execute(
                f"create table {seed.relation} as from read_csv(?, header = true, types = ?)",
                [str(seed.file), dict(seed.types)],
            )
        return connection

    def run(self, connection: duckdb.DuckDBPyConnection, only: str | None = None) -> None:
        """Make a table of each model, or of the one of that name, in place of the one that was there."""
        for name, sql in self.statements.items():
            if only in (None, name.split(".")[1]):
                connection.execute(f"create or replace table {name} as {sql}")


def compile_models(
    wanted: Collection[str], inputs: Collection[str], folder: Path, manifest: Any = None
) -> CompiledModels:
    """Compile the models `wanted` and all that they read, up to the models `inputs`, which are not compiled.

    Args:
        wanted: names of models.
        inputs: names of models that something else makes.
        folder: where dbt may write.
        manifest: the parsed project, if it is at hand.

    Raises:
        RuntimeError: dbt could not parse or compile.
    """
    from dbt.cli.main import dbtRunner

    (folder / "build").mkdir(parents=True, exist_ok=True)
    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target-path", str(folder)]
    common = [*places, "--target", "duckdb", "--quiet"]
    # dbt prints what it compiles
    with mock.patch.dict(os.environ, {WAREHOUSE_DIR: str(folder)}), redirect_stdout(StringIO()):
        manifest = manifest or _result(dbtRunner().invoke(["parse", *common]))
        names, seeds = _needed(manifest, wanted, inputs)
        done = _result(dbtRunner(manifest=manifest).invoke(["compile", "--select", *names, *common]))
    compiled = {
        result.node.name: (f"{result.node.schema}.{result.node.name}", result.node.compiled_code)
        for result in done
        if result.node.resource_type == "model"
    }
    return CompiledModels(
        statements=dict(compiled[name] for name in names),
        seeds=[
            Seed(f"{seed.schema}.{seed.name}", ROOT / seed.original_file_path, seed.config.column_types)
            for seed in seeds
        ],
        inputs={name: f"{_node(manifest, name).schema}.{name}" for name in inputs},
    )


def _needed(manifest: Any, wanted: Collection[str], inputs: Collection[str]) -> tuple[list[str], list[Any]]:
    """Names of the models to compile, each after those that it reads, and the seeds that they read."""
    models: list[str] = []
    seeds: dict[str, Any] = {}

    def visit(node: Any) -> None:
        if node.resource_type == "seed":
            seeds[node.name] = node
        elif node.name not in models and node.name not in inputs:
            for parent in node.depends_on.nodes:
                if not parent.startswith(_OPERATIONS):
                    visit(manifest.nodes[parent])
            models.append(node.name)

    for name in wanted:
        visit(_node(manifest, name))
    return models, list(seeds.values())


def _node(manifest: Any, name: str) -> Any:
    return manifest.nodes[f"model.stickiness.{name}"]


def _result(done: Any) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()
    if not done.success:
        raise RuntimeError(f"dbt could not parse or compile the models: {done.exception or done.result}")
    return done.result
