"""A Spark server for tests, and the tables of one engine against those of the other."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from orchestration.settings import ROOT
from tools import spark_cluster

if TYPE_CHECKING:
    # its packages need not be installed
    from orchestration.engines.spark.engine import SparkEngine

Row = tuple[Any, ...]

# amounts agree to the cent
HALF_A_CENT = Decimal("0.005")
# relative, of numbers below 1 absolute
DOUBLE_TOLERANCE = 1e-9
ROWS_SHOWN = 5
CELL_CHARACTERS_SHOWN = 200


@dataclass(frozen=True)
class Table:
    """The rows of a table, in no particular order."""

    columns: tuple[str, ...]
    rows: list[Row]


@dataclass(frozen=True)
class Comparison:
    """What two forms of one table have in common.

    Attributes:
        rows: rows of the first form.
        differences: a sentence for each key whose rows differ, or for the columns, if these do.
        decimals_apart: cells that agree to the cent, but not to the last decimal.
    """

    rows: int
    differences: list[str]
    decimals_apart: int = 0

    def __str__(self) -> str:
        more = len(self.differences) - ROWS_SHOWN
        return "\n".join([*self.differences[:ROWS_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def compare_tables(expected: Table, actual: Table, key: Sequence[str]) -> Comparison:
    """Compare the rows of two forms of a table, joined by their key.

    Decimals must agree to the cent, floating-point numbers to `DOUBLE_TOLERANCE`, and all else, the columns and their
    order included, exactly. A null is equal to a null alone.
    """
    if expected.columns != actual.columns:
        sentence = f"columns {', '.join(actual.columns)}; expected {', '.join(expected.columns)}"
        return Comparison(len(expected.rows), [sentence])
    left, right = _by_key(expected, key), _by_key(actual, key)
    differences, apart = [], 0
    # a dict keeps the order in which keys come
    for value in dict.fromkeys([*left, *right]):
        named = _shown(dict(zip(key, value, strict=True)))
        found, wanted = right[value], left[value]
        if len(found) != 1 or len(wanted) != 1:
            differences.append(f"{named}: {len(found)} rows; expected {len(wanted)}, and one of each key")
            continue
        wrong = []
        for name, cell, other in zip(expected.columns, found[0], wanted[0], strict=True):
            if not agree(cell, other):
                wrong.append(f"{name} is {_shown(cell)}, expected {_shown(other)}")
            elif isinstance(cell, Decimal) and cell != other:
                apart += 1
        if wrong:
            differences.append(f"{named}: {'; '.join(wrong)}")
    return Comparison(len(expected.rows), differences, apart)


def agree(one: Any, other: Any) -> bool:
    """Whether two cells hold the same value; values of different types never do."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Decimal):
        return abs(one - other) < HALF_A_CENT
    if isinstance(one, float):
        both_are_no_number = one != one and other != other
        return both_are_no_number or math.isclose(one, other, rel_tol=DOUBLE_TOLERANCE, abs_tol=DOUBLE_TOLERANCE)
    return one == other


def _by_key(table: Table, key: Sequence[str]) -> Mapping[Row, list[Row]]:
    places = [table.columns.index(name) for name in key]
    found: Mapping[Row, list[Row]] = defaultdict(list)
    for row in table.rows:
        found[tuple(row[place] for place in places)].append(row)
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= CELL_CHARACTERS_SHOWN else f"{text[:CELL_CHARACTERS_SHOWN]}... ({len(text)} characters)"


@dataclass(frozen=True)
class ComparedModel:
    """A model whose table both engines build: layer and name, and the columns that tell its rows apart."""

    layer: str
    name: str
    key: tuple[str, ...]


def published_models() -> list[ComparedModel]:
    """Every mart and quality table, as the YAML files of the project name them."""
    return [
        ComparedModel(layer, model["name"], tuple(model["config"]["meta"]["primary_key"]))
        for layer in ("marts", "quality")
        for path in sorted((ROOT / "models" / layer).rglob("*.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    ]


def base_models() -> list[ComparedModel]:
    """The checked rows of every raw table, which the marts show but a part of: each row by where it stands."""
    return [
        ComparedModel("staging", path.stem, ("file_name", "row_number"))
        for path in sorted((ROOT / "models" / "staging" / "raw" / "base").glob("*.sql"))
    ]


def report(world: str, comparisons: Mapping[str, Comparison]) -> str:
    """A table of a world: rows and differing rows of each model, and cells that differ behind the cent."""
    lines = [f"{world:34} {'rows':>9} {'differing':>9} {'behind the cent':>15}"]
    lines += [
        f"{name:34} {compared.rows:9,} {len(compared.differences):9,} {compared.decimals_apart:15,}"
        for name, compared in comparisons.items()
    ]
    return "\n".join(lines)


@dataclass(frozen=True)
class SparkServer:
    """A Spark server, and the prefix of the schemas that the tests may make there.

    Attributes:
        cluster: the cluster of this machine behind it, whose workers may be ended; None if it is elsewhere.
    """

    host: str
    port: int
    schema: str
    cluster: spark_cluster.Cluster | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {
            "STICKINESS_SPARK_HOST": self.host,
            "STICKINESS_SPARK_PORT": str(self.port),
            "STICKINESS_SPARK_SCHEMA": self.schema,
        }

    @property
    def engine(self) -> SparkEngine:
        from orchestration.engines.spark.engine import SparkEngine

        return SparkEngine.from_environ(os.environ | self.environ)

    def read(self, layer: str, table: str) -> Table:
        """A table of the build."""
        engine = self.engine
        return Table(*engine.read_build(f"select * from {engine.settings.build_schema(layer)}.{table}"))

    def drop_schemas(self) -> None:
        """Drop every schema whose name begins with the prefix."""
        from orchestration.engines.spark.connection import Session, session

        with session(self.engine.settings) as spark:
            schemas = [schema for (schema,) in spark.rows(f"show schemas like '{self.schema}*'")]
            spark.for_each([f"drop schema {schema} cascade" for schema in schemas], Session.execute)


def missing_packages() -> list[str]:
    """What talks to Spark and is not installed."""
    return [name for name in ("pyhive", "dbt.adapters.spark") if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def find_server(schema: str, folder: Path) -> Iterator[SparkServer]:
    """The server named by STICKINESS_SPARK_HOST, else the one of `make spark-up`, else one of its own in `folder`.

    The test is skipped where there is none and none can be started.
    """
    host, port = os.environ.get("STICKINESS_SPARK_HOST"), os.environ.get("STICKINESS_SPARK_PORT") or "10000"
    if missing := missing_packages():
        pytest.skip(f"{' and '.join(missing)} not installed: python tools/bootstrap.py dev spark")
    if host:
        yield SparkServer(host, int(port), schema)
        return
    try:
        running = spark_cluster.default_cluster()
        is_running = running.is_running("thrift-server")
        spark_cluster.find_java()
        spark_cluster.spark_home()
        spark_cluster.iceberg_jar()
    except spark_cluster.ClusterError as error:
        pytest.skip(f"no Spark server, and none can be started: {error}")
    if is_running:
        yield SparkServer(spark_cluster.HOST, running.ports.thrift, schema, running)
        return
    own = spark_cluster.Cluster(folder, spark_cluster.free_ports())
    try:
        own.up()
        yield SparkServer(spark_cluster.HOST, own.ports.thrift, schema, own)
    finally:
        own.down()
