"""The effect of a programme that is offered again at each purchase, on companies whose effect of joining is known.

Customers enrol when they buy, so who never enrols has stopped buying: controls that never enrolled would make any
programme look effective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

import duckdb
import pytest
from conftest import Dbt

from companies.sample.simulator import AS_OF, Config
from companies.sample.simulator.config import ProgrammeParameters
from tools.coverage.models import CompiledModels, compile_models
from tools.coverage.simulated import INPUTS, Company

CUSTOMERS, SEEDS = 5_000, (1, 2)
USELESS = ProgrammeParameters(is_offer_repeated=True, accept_multiplier=0.25, rate_effect=0.0)
USEFUL = ProgrammeParameters(is_offer_repeated=True, accept_multiplier=0.25)


@dataclass(frozen=True)
class Estimate:
    """Purchase days of one comparison and horizon: the estimate, its standard error, and what was to be found."""

    effect: float
    error: float
    truth: float


Estimates = Mapping[tuple[str, int], list[Estimate]]


@pytest.fixture(scope="module")
def models(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> CompiledModels:
    folder = tmp_path_factory.mktemp("programme_offers")
    return compile_models(["int_programme_effects_estimated"], INPUTS, folder, dbt.manifest)


@contextmanager
def built(models: CompiledModels, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """The models of a company in memory, and the truth of each member in truth.programme_members."""
    with models.connect() as connection:
        Company(config, models, connection).know(AS_OF)
        models.run(connection)
        connection.execute("use warehouse.intermediate")
        yield connection


def estimated(models: CompiledModels, programme: ProgrammeParameters) -> Estimates:
    found: dict[tuple[str, int], list[Estimate]] = {}
    for seed in SEEDS:
        with built(models, Config(CUSTOMERS, seed, programme=programme)) as connection:
            rows = connection.execute(
                """
                with truths as (
                    select
                        horizon_days,
                        avg(purchase_days_with - purchase_days_deferred) as members,
                        avg(purchase_days_with - purchase_days_without) as weighted
                    from int_programme_pair_outcomes as pairs
                    inner join truth.programme_members as members_truth
                        using (horizon_days)
                    where not is_placebo and member_customer_id = members_truth.customer_id
                    group by horizon_days
                )

                select
                    comparison, horizon_days, effect, standard_error,
                    case comparison when 'members' then members when 'weighted' then weighted else 0 end
                from int_programme_effects_estimated
                inner join truths using (horizon_days)
                where metric = 'purchase_days'
                """
            ).fetchall()
        for comparison, horizon, *figures in rows:
            found.setdefault((comparison, horizon), []).append(Estimate(*figures))
    return found


@pytest.fixture(scope="module")
def useless(models: CompiledModels) -> Estimates:
    return estimated(models, USELESS)


@pytest.fixture(scope="module")
def useful(models: CompiledModels) -> Estimates:
    return estimated(models, USEFUL)


def deviation(estimates: list[Estimate]) -> float:
    """How many standard errors the mean over the companies lies from the truth."""
    error = sqrt(sum(each.error**2 for each in estimates)) / len(estimates)
    return fmean(each.effect - each.truth for each in estimates) / error


@pytest.mark.parametrize("horizon", [90, 180, 365])
@pytest.mark.parametrize("comparison", ["members", "placebo"])
def test_a_programme_without_effect_is_found_to_have_none(useless: Estimates, comparison: str, horizon: int) -> None:
    # by chance one of six comparisons is beyond 3 in 2 of 100 such tests; what looks into the future is far beyond
    assert abs(deviation(useless[comparison, horizon])) < 3


@pytest.mark.parametrize("horizon", [90, 180])
def test_joining_now_is_compared_with_joining_when_the_next_offer_is_accepted(useful: Estimates, horizon: int) -> None:
    assert abs(deviation(useful["members", horizon])) < 2.6


def test_the_weighted_effect_is_against_not_joining(useless: Estimates, useful: Estimates) -> None:
    for estimates in (useless, useful):
        assert abs(deviation(estimates["weighted", 90])) < 3
    # joining later takes a part of the effect away, which the weights bring back
    assert fmean(each.truth for each in useful["weighted", 90]) > 1.3 * fmean(
        each.truth for each in useful["members", 90]
    )
    assert ("weighted", 180) not in useful


def test_what_joins_later_would_have_joined_is_between_with_and_without(models: CompiledModels) -> None:
    with built(models, Config(2_000, 3, programme=USEFUL)) as connection:
        outside = connection.execute(
            "select count(*) from truth.programme_members where purchase_days_deferred not between"
            " purchase_days_without and purchase_days_with or (churned_deferred and not churned_without)"
        ).fetchone()
        differing = connection.execute(
            "select count(*) from truth.programme_members where purchase_days_without < purchase_days_deferred"
            " and purchase_days_deferred < purchase_days_with"
        ).fetchone()
    assert outside == (0,)
    assert differing is not None and differing[0] > 20


def test_an_offer_that_comes_once_leaves_no_later_acceptance(models: CompiledModels) -> None:
    with built(models, Config(2_000, 3)) as connection:
        differing = connection.execute(
            "select count(*) from truth.programme_members where purchase_days_deferred != purchase_days_without"
            " or net_revenue_deferred != net_revenue_without or churned_deferred != churned_without"
        ).fetchone()
        enrolled = connection.execute(
            "select count(*) from int_programme_pair_outcomes where is_control_enrolled and not is_placebo"
        ).fetchone()
    assert (differing, enrolled) == ((0,), (0,))
