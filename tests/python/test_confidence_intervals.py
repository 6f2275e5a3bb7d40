"""The intervals of macros/confidence_intervals.sql, as the engine computes them, at every share of many sizes."""

from __future__ import annotations

from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import World
from jinja2 import Environment
from scipy import stats

from orchestration.settings import ROOT

Z = stats.norm.ppf(0.975)


@pytest.fixture(scope="module")
def macros() -> ModuleType:
    sql = [
        (ROOT / "macros" / f"{name}.sql").read_text(encoding="utf-8") for name in ("confidence_intervals", "matching")
    ]
    return Environment(extensions=["jinja2.ext.do"]).from_string("\n".join(sql)).module


@pytest.fixture(scope="module")
def shares() -> pd.DataFrame:
    """Every count of the sizes up to 60, and the ends of many more; then the same of weighted answers."""
    sizes = np.unique(np.concatenate([np.arange(1, 3000), np.geomspace(3000, 1e9, 3000).astype(int)]))
    counts = [(k, n) for n in sizes for k in (range(n + 1) if n <= 60 else (0, 1, n // 2, n - 1, n))]
    whole = pd.DataFrame(counts, columns=["k", "n"], dtype=float)
    generator = np.random.default_rng(1927)
    weights = generator.lognormal(0, 1, (4000, 12))
    answers = generator.random((4000, 12)) < generator.choice([0, 0.5, 1], (4000, 1))
    rate = (weights * answers).sum(axis=1) / weights.sum(axis=1)
    size = weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1)
    return pd.concat([whole, pd.DataFrame({"k": rate * size, "n": size})], ignore_index=True)


@pytest.fixture(scope="module")
def wilson(macros: ModuleType, shares: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("shares", shares)
        # a model may multiply them
        query = (
            f"select k, n, 2 * {macros.wilson_low('k', 'n')} / 2 as low, 2 * {macros.wilson_high('k', 'n')} / 2 as high"
        )
        return connection.execute(f"{query} from shares").df()


def test_the_interval_of_a_share_is_wilsons(wilson: pd.DataFrame) -> None:
    p, n = wilson["k"] / wilson["n"], wilson["n"]
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    distance = Z / (1 + Z**2 / n) * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    assert np.abs(wilson["low"] - (centre - distance)).max() < 1e-14
    assert np.abs(wilson["high"] - (centre + distance)).max() < 1e-14


def test_the_interval_of_none_begins_at_0_and_that_of_all_ends_at_1_exactly(wilson: pd.DataFrame) -> None:
    none, every = wilson[wilson["k"] == 0], wilson[wilson["k"] == wilson["n"]]
    assert len(none) > 6000 and len(every) > 6000
    assert (none["low"] == 0).all() and (every["high"] == 1).all()


def test_the_interval_of_a_share_lies_between_0_and_1_and_holds_the_share(wilson: pd.DataFrame) -> None:
    assert wilson["low"].min() == 0 and wilson["high"].max() == 1
    share = wilson["k"] / wilson["n"]
    assert ((wilson["low"] <= share) & (share <= wilson["high"]) & (wilson["low"] < wilson["high"])).all()


def test_the_interval_of_a_difference_of_shares_lies_between_minus_1_and_1(
    macros: ModuleType, wilson: pd.DataFrame
) -> None:
    ends = wilson[wilson["n"] <= 12]
    both = ends.merge(ends, how="cross", suffixes=("", "_other")).assign(
        p=lambda frame: frame["k"] / frame["n"], p_other=lambda frame: frame["k_other"] / frame["n_other"]
    )
    with duckdb.connect() as connection:
        connection.register("both_shares", both)
        low = macros.difference_low("p", "low", "p_other", "high_other")
        high = macros.difference_high("p", "high", "p_other", "low_other")
        found = connection.execute(f"select p - p_other as d, {low} as low, {high} as high from both_shares").df()
    assert found["low"].min() == -1 and found["high"].max() == 1
    assert ((found["low"] <= found["d"]) & (found["d"] <= found["high"])).all()


def test_the_interval_of_a_count_is_never_below_0(macros: ModuleType) -> None:
    counts = pd.DataFrame({"events": [0.0, 0.01, 0.1, 0.5, *np.arange(1.0, 2000)]})
    with duckdb.connect() as connection:
        connection.register("counts", counts)
        query = f"select events, {macros.poisson_low('events')} as low, {macros.poisson_high('events')} as high"
        found = connection.execute(f"{query} from counts").df()
    assert (found["low"] >= 0).all() and (found["low"] <= found["events"]).all()
    assert (found["events"] < found["high"]).all()
    whole = found[found["events"] >= 1]
    exact_low, exact_high = (
        stats.chi2.ppf(0.025, 2 * whole["events"]) / 2,
        stats.chi2.ppf(0.975, 2 * whole["events"] + 2) / 2,
    )
    assert np.abs(whole["low"] - exact_low).max() < 0.03 and np.abs(whole["high"] - exact_high).max() < 0.03


@pytest.mark.parametrize(
    ("effect", "error", "is_share", "low", "high"),
    [
        (-0.9, 0.1, "true", -1, -0.9 + Z * 0.1),
        (0.9, 0.1, "true", 0.9 - Z * 0.1, 1),
        (0.1, 0.1, "true", 0.1 - Z * 0.1, 0.1 + Z * 0.1),
        # purchase days, say
        (-0.9, 0.1, "false", -0.9 - Z * 0.1, -0.9 + Z * 0.1),
        (-0.9, None, "true", None, None),
    ],
)
def test_the_interval_of_an_effect_on_a_share_ends_at_minus_1_and_1(
    macros: ModuleType, effect: float, error: float | None, is_share: str, low: float | None, high: float | None
) -> None:
    bounds = f"{macros.effect_low('estimates', is_share)}, {macros.effect_high('estimates', is_share)}"
    with duckdb.connect() as connection:
        connection.execute(
            "create table estimates as select ?::double as effect, ?::double as standard_error", [effect, error]
        )
        found = connection.execute(f"select {bounds} from estimates").fetchone()
    assert found == (low if low is None else pytest.approx(low), high if high is None else pytest.approx(high))


@pytest.mark.worlds
@pytest.mark.xdist_group("sample")
def test_every_interval_of_a_share_in_the_marts_lies_between_0_and_1(sample_world: World) -> None:
    bounds = sample_world.rows(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'marts' and regexp_matches(column_name, '(rate|share|probability)_(low|high)$')"
    )
    assert len(bounds) > 30
    for mart, column in bounds:
        [(lowest, highest)] = sample_world.rows(f"select min({column}), max({column}) from marts.{mart}")
        assert lowest is None or (lowest >= 0 and highest <= 1), f"{mart}.{column}: {lowest!r} to {highest!r}"
