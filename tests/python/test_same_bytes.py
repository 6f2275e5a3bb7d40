"""The same rows give the same published tables to the last digit, whatever the order and the machine they come by."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest
from conftest import BUILD, STARTED_AT, WITHOUT_CUSTOM, Dbt, World, fit_into

from companies.sample.simulator import simulate
from orchestration.contract import Contract
from orchestration.dbt_project import run_dbt
from orchestration.duckdb_sql import file, identifier, text
from orchestration.engines.duckdb.build import build_database, register, write_predictive
from orchestration.predictive import tables
from orchestration.settings import ROOT, WAREHOUSE_DIR

NIGHTLY, WORLDS, GROUP = pytest.mark.nightly, pytest.mark.worlds, pytest.mark.xdist_group("same_bytes")

CUSTOMERS, SEED = 800, 7
MODELS = (*BUILD, "--exclude-resource-type", "test")

_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.S)
_AGGREGATE = re.compile(r"\b(sum|avg|var_samp|var_pop|stddev\w*|corr|covar\w*|regr_\w+)\s*\(")
_DOUBLE = re.compile(r"\b\d+(\.\d+)?e0|\bdouble\b|\b(ln|exp|sqrt|power)\(|\bratio\(")
# of whole numbers, which any order gives one sum of, or over an order without ties
EXACT = {
    ("matching.sql", "1e0"),
    ("int_programme_controls_weighted.sql", "enrolments"),
    ("programme_effect.sql", "case when is_control_enrolled then 1e0 else 0e0 end"),
    ("int_points_redemption_developed.sql", "ln(greatest(1e0 - redeemed_share - taken_share, 1e-300))"),
}


def aggregates_of_doubles() -> Iterator[tuple[str, str]]:
    """File and argument of each aggregate whose last digits may depend on the order of rows, by how it is written."""
    for path in [*(ROOT / "models").rglob("*.sql"), *(ROOT / "macros").glob("*.sql")]:
        # which has the macros that make such sums exact
        if path.name == "numbers.sql":
            continue
        sql = _COMMENT.sub("", path.read_text(encoding="utf-8"))
        for found in _AGGREGATE.finditer(sql):
            argument = _argument(sql, found.end())
            if found[1] != "sum" or _DOUBLE.search(argument):
                yield path.name, argument


def _argument(sql: str, start: int) -> str:
    """What stands between a bracket, which ends at `start`, and the one that closes it."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(sql[end], 0)
        end += 1
    return " ".join(sql[start : end - 1].split())


def test_doubles_are_summed_by_the_macros_that_make_their_sum_exact() -> None:
    """By how they are written; a column that is a double is found by what the tests below build."""
    assert set(aggregates_of_doubles()) == EXACT


@pytest.fixture(scope="module")
def world(build_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("sample") / "company"
    simulate(folder, CUSTOMERS, SEED)
    return build_world(folder / "raw", "same_bytes", arguments=MODELS, fit=True)


def in_another_order(world: World, warehouse: Path) -> World:
    """The same landed rows, each of the same file and number, as another disk or thread would give them first."""
    files = []
    for landed in world.landing.files:
        parquet = warehouse / landed.parquet.relative_to(world.settings.warehouse)
        parquet.parent.mkdir(parents=True, exist_ok=True)
        duckdb.execute(
            f"COPY (FROM read_parquet({file(landed.parquet)}) ORDER BY md5(_row_number::text)) "
            f"TO {text(parquet)} (FORMAT parquet)"
        )
        files.append(replace(landed, parquet=parquet))
    landing = replace(world.landing, files=tuple(reversed(files)))
    return World(replace(world.settings, warehouse=warehouse), landing, {})


@dataclass(frozen=True)
class Difference:
    """A table of two builds whose rows are not the same."""

    table: str
    rows: int
    columns: tuple[str, ...]


def differences(one: Path, other: Path) -> Iterator[Difference]:
    """The published tables that are not the same, to the last digit."""
    with duckdb.connect() as connection:
        for name, path in (("one", one), ("other", other)):
            connection.execute(f"ATTACH {text(path)} AS {name} (READ_ONLY)")
        # views of a build name its database
        published = connection.execute(
            "SELECT schema_name, table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
            "WHERE database_name = 'one' AND schema_name IN ('marts', 'quality') GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        assert len(published) > 50
        for schema, table, columns in published:
            first, second = (identifier(name, schema, table) for name in ("one", "other"))
            # as texts: a float is equal to itself and to nothing beside it
            rows = [f"SELECT {', '.join(f'{identifier(c)}::text' for c in columns)} FROM {t}" for t in (first, second)]
            [(found,)] = connection.execute(
                f"SELECT (SELECT count(*) FROM ({rows[0]} EXCEPT ALL {rows[1]})) "
                f"+ abs((SELECT count(*) FROM {first}) - (SELECT count(*) FROM {second}))"
            ).fetchall()
            if found:
                apart = [
                    column
                    for column in columns
                    if connection.execute(
                        f"SELECT count(*) FROM (SELECT {identifier(column)}::text FROM {first} "
                        f"EXCEPT ALL SELECT {identifier(column)}::text FROM {second})"
                    ).fetchall()
                    != [(0,)]
                ]
                yield Difference(f"{schema}.{table}", found, tuple(apart))


@NIGHTLY
@WORLDS
@GROUP
def test_rows_in_another_order_give_the_same_tables(
    world: World, dbt: Dbt, contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = in_another_order(world, tmp_path)
    database = build_database(tmp_path)
    register(other.landing, other.settings, contract, database, "test", STARTED_AT)
    monkeypatch.setenv("TZ", "America/St_Johns")
    time.tzset()
    try:
        fit_into(other.settings, dbt)
        dbt.invoke(tmp_path, *MODELS, "--threads", "4")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert list(differences(build_database(world.settings.warehouse), database)) == []


@NIGHTLY
@WORLDS
@GROUP
def test_another_machine_gives_the_same_tables(world: World, contract: Contract, tmp_path: Path) -> None:
    """One thread instead of many, another hash seed, language and time zone, in a process of its own."""
    other = in_another_order(world, tmp_path)
    database = build_database(tmp_path)
    register(other.landing, other.settings, contract, database, "test", STARTED_AT)
    stored = {name: world.frame(f"select * from predictive.{name}").to_dict("records") for name in tables.TABLES}
    write_predictive(database, stored, replace=True)
    profile = (ROOT / "profiles.yml").read_text(encoding="utf-8").replace("{{ flags.PROFILES_DIR }}", str(ROOT))
    one_thread = profile.replace("        TimeZone: UTC\n", "        TimeZone: UTC\n        threads: 1\n")
    assert one_thread != profile
    (tmp_path / "profiles.yml").write_text(one_thread, encoding="utf-8")
    machine = {"TZ": "Pacific/Apia", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"}
    places = {"DBT_PROFILES_DIR": str(tmp_path), WAREHOUSE_DIR: str(tmp_path)}
    arguments = [*MODELS, *WITHOUT_CUSTOM, "--target", "duckdb", "--threads", "1"]
    done = run_dbt(ROOT, tmp_path / "target", arguments, {**machine, **places})
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(differences(build_database(world.settings.warehouse), database)) == []
