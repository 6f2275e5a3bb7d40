"""Expected redemption of points against what became of them: companies rolled back to days whose future is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import Dbt

from companies.sample.simulator.company import simulate
from companies.sample.simulator.config import AS_OF, SIZES, Config, DirtParameters

pytestmark = [pytest.mark.nightly, pytest.mark.long]

SEEDS = range(201, 221)
DAYS = (date(2025, 3, 31), date(2025, 6, 30), date(2025, 9, 30))
CLEAN = DirtParameters(late_share=0, repeated_share=0, broken_share=0)
LOTS = "int_points_lots_consumed"
MODELS = (
    LOTS,
    "int_points_periods_listed",
    "int_points_lots_followed",
    "int_points_redemption_developed",
    "int_points_lots_expected",
    "int_points_lots_settled",
    "points_liability",
)
MOVEMENTS = """
    create or replace table warehouse.intermediate.int_points_movements_ordered as
    select
        points_transaction_id, member_id, type, cast(points as decimal(18, 4)) as points, occurred_at,
        cast(occurred_at + interval 8 hour as date) as occurred_on,
        case when points > 0 then cast(expires_at + interval 8 hour as date) end as expires_on
    from read_parquet('{folder}/raw/points_transactions/*.parquet')
    where cast(occurred_at + interval 8 hour as date) <= date '{day}'
"""
# by month of expiry: what was expected, by the rule of version 0.1 too, and what was redeemed of what was left
OUTCOMES = """
    with left_then as (
        select
            strftime(expires_on, '%Y-%m') as expiry_bucket,
            sum(case when use_type = 'redeem' then points else 0 end) as redeemed
        from later
        where issued_on <= date '{day}' and expires_on > date '{day}'
            and (used_on is null or greatest(used_on, issued_on) > date '{day}')
        group by all
    )
    select
        redeemed, expected_redeemed_points as expected,
        expected_redeemed_points_low as low, expected_redeemed_points_high as high,
        outstanding_points * settled_redeemed_points / settled_points as settled_rule
    from warehouse.marts.points_liability
    inner join left_then using (expiry_bucket)
    where not is_past_expiry and expiry_bucket <= '{last}'
"""


@pytest.fixture(scope="module")
def statements(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL of each model and where it belongs, as dbt compiles it for a warehouse of that name."""
    dbt.invoke(tmp_path_factory.mktemp("compiled"), "compile", "--select", *MODELS)
    found = {}
    for name in MODELS:
        node = dbt.manifest.nodes[f"model.stickiness.{name}"]
        path = dbt.target / "compiled" / "stickiness" / node.original_file_path
        found[f"warehouse.{node.schema}.{name}"] = path.read_text(encoding="utf-8")
    return found


def roll_back(folder: Path, statements: dict[str, str]) -> Iterator[pd.DataFrame]:
    """What each day expected of each month of expiry that has passed by now, and what came."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse")
        for schema in ("intermediate", "marts"):
            connection.execute(f"create schema warehouse.{schema}")
        connection.execute(
            "create table warehouse.intermediate.int_code_labels as "
            "select '' as code_type, '' as code, '' as label_en, '' as label_zh where false"
        )
        lots = next(sql for name, sql in statements.items() if name.endswith(LOTS))
        connection.execute(MOVEMENTS.format(folder=folder, day=AS_OF))
        connection.execute(f"create table later as {lots}")
        for day in DAYS:
            connection.execute(MOVEMENTS.format(folder=folder, day=day))
            connection.execute(
                "create or replace table warehouse.intermediate.run_context as "
                f"select date '{day}' as as_of_date, cast(0.01 as decimal(18, 8)) as point_value"
            )
            for name, sql in statements.items():
                connection.execute(f"create or replace table {name} as {sql}")
            yield connection.execute(OUTCOMES.format(day=day, last=f"{AS_OF:%Y-%m}")).df().astype(float)


def test_expected_redemption_is_right_in_the_mean_and_closer_than_settled_lots_alone(
    statements: dict[str, str], tmp_path: Path
) -> None:
    months, samples = [], []
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        simulate(folder, config=Config(SIZES["small"], seed, dirt=CLEAN))
        for found in roll_back(folder, statements):
            months.append(found)
            samples.append(found.sum())
    whole, each = pd.DataFrame(samples), pd.concat(months)
    error, before = whole.expected / whole.redeemed - 1, whole.settled_rule / whole.redeemed - 1
    assert abs(error.mean()) < 0.05 + error.std() / len(error) ** 0.5
    assert (error**2).mean() < (before**2).mean()
    assert ((whole.expected - whole.redeemed) ** 2).mean() < 0.7 * ((whole.settled_rule - whole.redeemed) ** 2).mean()
    assert 0.90 < each.redeemed.between(each.low, each.high).mean() < 0.98
    assert before.mean() < -0.1
