"""The same raw folder, built on DuckDB and on Spark: every table must hold the same rows."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import MODELS_ONLY, SHOWN, Dbt, World, build_on_spark
from raw_company import RawCompany
from spark_world import (
    ComparedModel,
    Comparison,
    SparkServer,
    Table,
    base_models,
    compare_tables,
    published_models,
    report,
)

from orchestration.contract import Contract

pytestmark = [
    pytest.mark.spark,
    pytest.mark.long,
    pytest.mark.worlds,
    # one cluster, and one schema, for all of them
    pytest.mark.xdist_group("spark"),
]

EVERY_TENTH = 10

# what is compared, by the fixture that builds it
COMPARED = {"company": [*published_models(), *base_models()], "cdnow_sample": published_models()}
# one world on Spark is what every change can wait for
MARKS = {"cdnow_sample": pytest.mark.nightly}

Comparisons = dict[str, Comparison]


@pytest.fixture(scope="module")
def company(
    build_world: Callable[..., World],
    raw_company: RawCompany,
    spark_server: SparkServer,
    spark_dbt: Dbt,
    contract: Contract,
) -> Comparisons:
    world = build_world(raw_company.folder, "company", raw_company.as_of, MODELS_ONLY)
    build_on_spark(world, spark_server, spark_dbt, contract, MODELS_ONLY)
    return dict(compare_models("company", world, spark_server))


@pytest.fixture(scope="module")
def cdnow_sample(
    build_world: Callable[..., World],
    cdnow_raw: Path,
    spark_server: SparkServer,
    spark_dbt: Dbt,
    contract: Contract,
    tmp_path_factory: pytest.TempPathFactory,
) -> Comparisons:
    folder = write_sample(cdnow_raw, tmp_path_factory.mktemp("raw") / "cdnow_sample")
    world = build_world(folder, "cdnow_sample", arguments=MODELS_ONLY, fit=True)
    build_on_spark(world, spark_server, spark_dbt, contract, MODELS_ONLY)
    return dict(compare_models("cdnow_sample", world, spark_server))


def write_sample(raw: Path, folder: Path) -> Path:
    """Write every tenth customer of CDNOW, in the order of their ids, with all their orders."""
    folder.mkdir(parents=True)
    for name in ("company.yml", "products.csv"):
        shutil.copyfile(raw / name, folder / name)
    orders, items = read_rows(raw / "orders.csv"), read_rows(raw / "order_items.csv")
    customers = set(sorted({row["customer_id"] for row in orders})[EVERY_TENTH - 1 :: EVERY_TENTH])
    kept = [row for row in orders if row["customer_id"] in customers]
    ids = {row["order_id"] for row in kept}
    write_rows(folder / "orders.csv", kept)
    write_rows(folder / "order_items.csv", [row for row in items if row["order_id"] in ids])
    return folder


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def compare_models(name: str, world: World, server: SparkServer) -> Iterator[tuple[str, Comparison]]:
    """Compare all models of a world at once: the next world is built in the same schemas."""
    for model in COMPARED[name]:
        frame = world.frame(f"select * from {model.layer}.{model.name}")
        expected = Table(tuple(frame.columns), list(frame.itertuples(index=False, name=None)))
        yield model.name, compare_tables(expected, server.read(model.layer, model.name), model.key)


@pytest.mark.parametrize(
    ("world", "model"),
    [
        pytest.param(world, model, id=f"{world}-{model.name}", marks=MARKS.get(world, ()))
        for world, models in COMPARED.items()
        for model in models
    ],
)
def test_a_table_holds_the_same_on_both_engines(
    request: pytest.FixtureRequest, world: str, model: ComparedModel
) -> None:
    comparison = request.getfixturevalue(world)[model.name]
    assert not comparison.differences, f"{model.layer}.{model.name} on Spark differs from DuckDB:\n{comparison}"


@pytest.mark.parametrize("world", [pytest.param(world, marks=MARKS.get(world, ())) for world in COMPARED])
def test_there_are_rows_to_compare(
    request: pytest.FixtureRequest, record_property: Callable[[str, str], None], world: str
) -> None:
    comparisons = request.getfixturevalue(world)
    record_property(SHOWN, report(world, comparisons))
    empty = {name for name, comparison in comparisons.items() if not comparison.rows}
    of_fits = {"model_parameters", "model_backtests"}
    if world == "company":
        # too few customers for a fit
        assert empty == of_fits
    else:
        # CDNOW has orders alone, and no row of it breaks the contract
        assert empty >= {"rejected_rows", "survey_responses", "memberships"}
        assert not empty & of_fits


@pytest.mark.nightly
def test_the_tests_of_dbt_pass_on_spark(company: Comparisons, spark_dbt: Dbt, tmp_path: Path) -> None:
    _, messages = spark_dbt.attempt(tmp_path, "test", "--exclude-resource-type", "unit_test")
    assert not messages


@pytest.mark.nightly
def test_the_hand_worked_examples_hold_on_spark(company: Comparisons, spark_dbt: Dbt, tmp_path: Path) -> None:
    # the tables of the company lend their columns
    statuses = spark_dbt.invoke(tmp_path, "test", "--select", "test_type:unit")
    assert len(statuses) > 100
    assert set(statuses.values()) == {"pass"}
