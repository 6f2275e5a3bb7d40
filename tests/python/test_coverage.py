"""How often intervals hold the truth: the statistics, the companies in memory, and twenty of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from math import exp, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import MODELS_ONLY, Dbt, World

from companies.sample.simulator import AS_OF, simulate
from companies.sample.simulator.config import (
    Config,
    DirtParameters,
    IdentityParameters,
    PeopleParameters,
    PurchaseParameters,
    SeasonParameters,
)
from companies.sample.simulator.customer_chunk import Shopping, draw_chunk
from companies.sample.simulator.season import Season
from tools.coverage.__main__ import Measured
from tools.coverage.companies import FEW_COMPANIES, FEW_DATES, FEW_SORTS, SORTS
from tools.coverage.estimates import ESTIMATES, MARTS, build, measure
from tools.coverage.judging import (
    Judgement,
    Outcome,
    against_population,
    clustered_mean,
    failures,
    gross_failures,
    judge,
    share_interval,
)
from tools.coverage.models import CompiledModels, compile_models
from tools.coverage.report import prepare, report
from tools.coverage.simulated import INPUTS, Company

DAY = date(2025, 12, 31)


def outcome(company: int, estimate: float, truth: float, half_width: float = 2.0, part: str = "30 days") -> Outcome:
    return Outcome(
        "total of purchases", company, DAY, part, part, estimate, estimate - half_width, estimate + half_width, truth
    )


def judgement(**figures: float | bool) -> Judgement:
    kept = Judgement("x", 40, 800, 0.95, 0.93, 0.97, 1.0, 0.9, 1.1, 0.1, True)
    return replace(kept, **figures)


def normal_outcomes(seed: int, spread: float = 1.0, bias: float = 0.0, companies: int = 60) -> list[Outcome]:
    """An estimator with normal errors of which a half is the company's own, and a half width of 1.96 on two scales."""
    random = np.random.default_rng(seed)
    found = []
    for company in range(companies):
        shared = random.normal(0, sqrt(0.5))
        for part, scale in (("30 days", 1.0), ("365 days", 20.0)):
            for month in range(5):
                error = scale * (bias + spread * (shared + random.normal(0, sqrt(0.5))))
                found.append(outcome(company, 100 + error, 100.0, 1.96 * scale, f"{part} {month}"))
    return found


def test_a_measured_company_is_kept_as_it_is() -> None:
    measured = Measured([outcome(7, 1 / 3, 0.1), outcome(7, 0.0, -2.5, part="365 days")], 11.5)
    assert Measured.from_json(measured.to_json()) == measured


class TestStatistics:
    def test_an_interval_holds_what_lies_between_its_bounds(self) -> None:
        assert [outcome(1, 10, truth).holds for truth in (7.99, 8.0, 12.0, 12.01)] == [False, True, True, False]

    def test_the_error_of_a_mean_is_that_of_the_sums_of_clusters(self) -> None:
        """Mean 3 of 1, 2, 6, 3. Residuals of the clusters (1, 2), (6), (3): -3, 3, 0. sqrt(3 / 2 * 18) / 4."""
        mean, error, quantile = clustered_mean(np.array([1.0, 2, 6, 3]), np.array([0, 0, 1, 2]))
        assert (mean, error) == (3, pytest.approx(sqrt(27) / 4))
        assert quantile == pytest.approx(4.302653, abs=1e-6)

    def test_one_company_says_nothing_of_how_sure_it_is(self) -> None:
        assert clustered_mean(np.array([1.0, 2]), np.array([0, 0]))[1] == float("inf")
        assert share_interval(0.9, float("inf"), float("inf"), 1) == (0, 1)

    def test_a_share_without_clusters_has_wilsons_interval(self) -> None:
        """18 of 20 at 1.96: an error of sqrt(.9 * .1 / 20) stands for 20 independent figures."""
        low, high = share_interval(0.9, sqrt(0.9 * 0.1 / 20), 1.959964, 20)
        assert (low, high) == (pytest.approx(0.6990, abs=1e-4), pytest.approx(0.9721, abs=1e-4))

    def test_where_every_interval_holds_the_companies_count(self) -> None:
        """20 of 20: Wilson's lower bound is 20 / (20 + 1.96 ** 2)."""
        low, high = share_interval(1.0, 0.0, 1.959964, 20)
        assert (low, high) == (pytest.approx(20 / (20 + 1.959964**2)), 1)

    def test_width_and_bias_are_in_units_of_the_errors(self) -> None:
        """Errors 1, -1, 3, 1 and half widths of 2: in halves .5, -.5, 1.5, .5, whose mean square is .75, mean .5."""
        found = judge([outcome(company, 10 + error, 10) for company, error in enumerate((1, -1, 3, 1))])
        assert found.width == pytest.approx(1 / (1.959964 * sqrt(0.75)), rel=1e-6)
        assert found.bias == pytest.approx(0.5 / sqrt(0.75))
        assert (found.companies, found.figures, found.coverage) == (4, 4, 0.75)
        # squares .25, .25, 2.25, .25: a standard error of .5, so 3.1824 * .5 / (2 * .75) on the logarithm
        assert found.width_high / found.width == pytest.approx(exp(3.182446 / 3), rel=1e-5)
        assert found.width / found.width_low == pytest.approx(exp(3.182446 / 3), rel=1e-5)

    def test_a_horizon_of_large_figures_does_not_stand_for_all(self) -> None:
        """The same errors in units of their half widths, once a thousand times as large."""
        small = [outcome(company, 10 + error, 10) for company, error in enumerate((1, -1, 3, 1))]
        large = [
            outcome(company, 1e4 + 1e3 * error, 1e4, 2e3, "365 days") for company, error in enumerate((1, -1, 3, 1))
        ]
        assert judge(small + large).width == pytest.approx(judge(small).width)
        assert judge(small + large).bias == pytest.approx(judge(small).bias)

    def test_figures_without_an_interval_are_counted_and_left_out(self) -> None:
        stated = [outcome(company, 10 + error, 10) for company, error in enumerate((1, -1, 3, 1))]
        without = [outcome(9, float("nan"), 10), outcome(2, float("nan"), 50, part="x")]
        found = judge(stated + without)
        assert found == replace(judge(stated), unstated=2)
        # nor does their truth count
        assert [each.truth for each in against_population([*stated, outcome(9, float("nan"), 90)])][:4] == [10] * 4

    def test_a_population_is_judged_by_the_mean_truth_of_its_cell(self) -> None:
        found = against_population(
            [outcome(1, 10, 8), outcome(2, 10, 12), outcome(1, 10, 50, part="x"), outcome(2, 10, 70, part="x")]
        )
        assert [each.truth for each in found] == [10, 10, 60, 60]

    @pytest.mark.parametrize(
        ("figures", "expected"),
        [
            ({}, []),
            ({"coverage_high": 0.919}, ["misses too often"]),
            ({"coverage_low": 0.981}, ["misses too rarely"]),
            ({"coverage_low": 0.90, "coverage_high": 0.921}, []),
            ({"width": 0.84}, ["too narrow"]),
            ({"width": 1.31}, ["too wide"]),
            ({"bias": 0.31}, ["too high"]),
            ({"bias": -0.31}, ["too low"]),
            ({"bias": -0.31, "bias_differs": False}, []),
        ],
    )
    def test_what_is_not_kept_is_named(self, figures: dict[str, float], expected: list[str]) -> None:
        assert failures(judgement(**figures)) == expected

    @pytest.mark.parametrize(
        ("figures", "expected"),
        [
            ({"coverage": 0.80, "width": 0.6}, []),
            ({"coverage": 0.79}, ["misses too often"]),
            ({"width": 0.59}, ["too narrow"]),
            ({"width": 1.81}, ["too wide"]),
            ({"coverage": 1.0, "coverage_low": 0.99, "bias": 0.9}, []),
        ],
    )
    def test_few_companies_show_gross_faults_alone(self, figures: dict[str, float], expected: list[str]) -> None:
        assert gross_failures(judgement(**figures)) == expected

    def test_an_estimator_that_keeps_its_promise_passes_nearly_always(self) -> None:
        judged = [judge(normal_outcomes(seed)) for seed in range(100)]
        assert sum(not failures(each) for each in judged) >= 97
        # the interval of coverage holds what it should as often as it says
        assert 88 <= sum(each.coverage_low <= 0.95 <= each.coverage_high for each in judged) <= 99
        assert np.mean([each.width for each in judged]) == pytest.approx(1, abs=0.03)
        assert 88 <= sum(each.width_low <= 1 <= each.width_high for each in judged) <= 99

    def test_intervals_that_are_too_narrow_or_wide_or_off_fail(self) -> None:
        for seed in range(20):
            narrow = failures(judge(normal_outcomes(seed, spread=1.5)))
            assert "misses too often" in narrow and "too narrow" in narrow
            assert "too wide" in failures(judge(normal_outcomes(seed, spread=0.5)))
            assert "too high" in failures(judge(normal_outcomes(seed, bias=0.8)))


class TestReport:
    def test_it_says_what_fails_and_where(self) -> None:
        kept = [replace(each, estimate_name="total of CLV") for each in normal_outcomes(1)]
        text = report({"kind": normal_outcomes(1, spread=1.5) + kept}, SORTS, [DAY], 90.0)
        assert "1 of 2 do not:\n\n* kind: total of purchases\n" in text
        assert "\n| total of purchases | 600 | 0 | " in text and ", too narrow |" in text
        assert "| kind | total of purchases | 2025-12-31 | 600 | " in text
        assert "| total of CLV | 600 | 0 | " in text and " | keeps it |" in text
        assert "| kind | total of CLV |" not in text
        assert "90 CPU minutes" in text

    def test_estimates_of_populations_are_judged_by_their_mean(self) -> None:
        totals = [outcome(1, 10, 8), outcome(2, 10, 12)]
        prepared = prepare([*totals, *(replace(each, estimate_name="NPS of a quarter") for each in totals)])
        assert [each.truth for each in prepared["NPS of a quarter"]] == [10, 10]
        assert [each.truth for each in prepared["total of purchases"]] == [8, 12]


def shopping(seed: int = 1, customers: int = 3_000, **parameters: object) -> Shopping:
    config = Config(customers, seed, **parameters)
    return draw_chunk(config, Season(config.season), 0, customers, 1, 0).shopping


class TestUnkindCompanies:
    def test_no_two_sorts_have_a_company_of_one_seed(self) -> None:
        seeds = [sort.config(company).seed for sort in SORTS.values() for company in range(1, sort.companies + 1)]
        assert len(set(seeds)) == len(seeds)

    def test_companies_have_calendars_of_their_own(self) -> None:
        """Months differ by 10%, and a month keeps half of what the one before differed by."""
        companies = [SORTS["festival"].config(company) for company in range(1, 201)]
        months = np.log([one.season.month_factors for one in companies])
        # July 2023 to December 2026
        assert months.shape == (200, 42)
        assert months.std() == pytest.approx(0.1, abs=0.005)
        assert np.corrcoef(months[:, :-1].ravel(), months[:, 1:].ravel())[0, 1] == pytest.approx(0.5, abs=0.03)
        assert len({one.programme.launch for one in companies}) > 150
        # which is the only thing that is drawn
        assert {one.season.gift_peak for one in companies} == {1.5}
        days = [campaign.day for one in companies for campaign in one.campaigns.campaigns]
        assert len(days) == 2_000 and date(2023, 8, 1) <= min(days) and max(days) < DAY
        assert sorted(campaign.name for campaign in companies[0].campaigns.campaigns) == sorted(
            campaign.name for campaign in Config(1, 1).campaigns.campaigns
        )

    def test_a_month_has_its_factor(self) -> None:
        plain, moved = Season(SeasonParameters()), Season(SeasonParameters(month_factors=(1.0, 2.0, 0.5)))
        ratio = moved.rates / plain.rates
        # July, August and September 2023; later months have none
        assert np.allclose(ratio[:31], 1) and np.allclose(ratio[31:62], 2)
        assert np.allclose(ratio[62:92], 0.5) and np.allclose(ratio[92:], 1)

    def test_cohorts_differ_by_the_deviation_and_not_on_average(self) -> None:
        """Rates of cohorts over those of the same persons in the even company."""
        even = shopping().people
        factors = []
        for seed in range(1, 21):
            plain, uneven = (
                shopping(seed, 500, purchases=PurchaseParameters(cohort_deviation=deviation)).people
                for deviation in (0.0, 0.25)
            )
            ratio = uneven.latents.rate / plain.latents.rate
            month = (np.datetime64("2023-07-01") + plain.first_day).astype("datetime64[M]").astype(int)
            by_month = pd.Series(ratio).groupby(month)
            assert by_month.nunique().max() == 1 or np.allclose(by_month.max(), by_month.min())
            factors += list(by_month.first())
        assert np.std(np.log(factors)) == pytest.approx(0.25, abs=0.02)
        assert np.mean(factors) == pytest.approx(1, abs=0.04)
        assert np.array_equal(even.latents.rate, shopping(purchases=PurchaseParameters()).people.latents.rate)

    def test_a_cohort_is_the_same_in_every_chunk(self) -> None:
        config = Config(400, 3, chunk_customers=200, purchases=PurchaseParameters(cohort_deviation=0.25))
        even = Config(400, 3, chunk_customers=200)
        season, factors = Season(config.season), {}
        for chunk in (0, 1):
            uneven, plain = (draw_chunk(one, season, chunk, 200, 1, 0).shopping.people for one in (config, even))
            month = (np.datetime64("2023-07-01") + plain.first_day).astype("datetime64[M]").astype(int)
            for key, ratio in zip(month, uneven.latents.rate / plain.latents.rate, strict=True):
                assert ratio == pytest.approx(factors.setdefault(int(key), ratio))

    def test_nobody_drops_out_less_than_the_floor(self) -> None:
        plain, floored = shopping(), shopping(purchases=PurchaseParameters(dropout_floor=0.03))
        lowest = floored.people.latents.dropout
        assert lowest.min() >= 0.03 > plain.people.latents.dropout.min()
        assert np.allclose(1 - lowest, 0.97 * (1 - plain.people.latents.dropout))

    def test_gifts_are_bought_before_the_festival(self) -> None:
        plain, gifts = Season(SeasonParameters()), Season(SeasonParameters(gift_peak=1.5))
        added = np.flatnonzero(gifts.rates - plain.rates > 1e-9)
        days = (np.datetime64("2023-07-01") + added).astype(str)
        # twenty to seven days before 10 February 2024, 29 January 2025 and 17 February 2026
        assert list(days[[0, 13, 14, 27, 28, 41]]) == [
            "2024-01-21", "2024-02-03", "2025-01-09", "2025-01-22", "2026-01-28", "2026-02-10",
        ]  # fmt: skip
        assert np.allclose((gifts.rates - plain.rates)[added], 1.5)


@pytest.fixture(scope="module")
def models(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> CompiledModels:
    return compile_models(MARTS, INPUTS, tmp_path_factory.mktemp("coverage"), dbt.manifest)


# no rows that a build rejects, and nobody whom it does not know as the simulator does
CLEAN = {
    "dirt": DirtParameters(late_share=0, repeated_share=0, broken_share=0),
    "people": PeopleParameters(deleted_share=0, erasure_share=0),
    "identities": IdentityParameters(conflicts_per_chunk=0, placeholder_share=0),
}


@pytest.mark.long
@pytest.mark.nightly
@pytest.mark.worlds
@pytest.mark.xdist_group("coverage")
@pytest.mark.parametrize("sort", ["kind", "repeated offer"])
def test_a_build_gives_the_marts_that_are_made_in_memory(
    sort: str, models: CompiledModels, build_world: Callable[..., World], tmp_path: Path
) -> None:
    config = replace(SORTS[sort].config(7), **CLEAN)
    simulate(tmp_path / "company", config=config)
    world = build_world(tmp_path / "company" / "raw", "coverage", AS_OF, MODELS_ONLY, fit=True)
    with models.connect() as connection:
        company = Company(config, models, connection)
        build(models, company, connection, AS_OF)
        for mart in MARTS:
            cursor = connection.execute(f"from marts.{mart}")
            made = pd.DataFrame(cursor.fetchall(), columns=[name for name, *_ in cursor.description], dtype=object)
            built = world.mart(mart)
            if "dimension" in built:
                # in memory there are those whose truth is known
                built = built[built.dimension.isin(set(made.dimension))]
            assert len(made) > 3
            assert not differences(built, made, KEYS[mart]), mart


KEYS = {
    "cohort_clv": "cohort, horizon_days",
    "nps": "period_grain, period_start, dimension, dimension_value",
    "points_liability": "expiry_bucket, is_past_expiry",
    "programme_effect": "horizon_days, metric",
    "time_to_second_purchase": "dimension, dimension_value, days",
}


def differences(built: pd.DataFrame, made: pd.DataFrame, key: str) -> list[str]:
    """Where two marts differ by more than rounding, but for labels and what depends on every cut that there is."""
    keys = key.split(", ")
    left_out = {"q_value", "is_flagged"}
    columns = [name for name in built.columns if not name.endswith(("_en", "_zh")) and name not in left_out]
    one, other = (frame[columns].astype(object).set_index(keys).sort_index() for frame in (built, made))
    if list(one.index) != list(other.index):
        return [f"rows {sorted(set(one.index) ^ set(other.index), key=str)}"]
    found = []
    for column in one.columns:
        for place, left, right in zip(one.index, one[column], other[column], strict=True):
            if pd.isna(left) and pd.isna(right):
                continue
            try:
                # an amount has four decimals: what lies on the border of two may end as either
                same = float(left) == pytest.approx(float(right), rel=1e-6, abs=1.5e-4)
            except (TypeError, ValueError):
                same = left == right
            if not same:
                found.append(f"{place} {column}: {left} {right}")
    return found


@pytest.fixture(scope="module")
def few(models: CompiledModels) -> dict[str, list[Outcome]]:
    """The outcomes of some companies of each of two sorts by estimate, each seed in one sort alone."""
    found: dict[str, list[Outcome]] = {}
    number = FEW_COMPANIES // len(FEW_SORTS)
    for place, sort in enumerate(FEW_SORTS):
        seeds = range(1 + place * number, 1 + (place + 1) * number)
        outcomes = [each for seed in seeds for each in measure(models, SORTS[sort].config(seed), FEW_DATES)]
        # a population is that of the sort
        for name, of_name in prepare(outcomes).items():
            found.setdefault(name, []).extend(of_name)
    return found


@pytest.mark.long
@pytest.mark.xdist_group("coverage")
@pytest.mark.parametrize("estimate", ESTIMATES)
def test_no_estimate_of_twenty_companies_is_grossly_wrong(few: dict[str, list[Outcome]], estimate: str) -> None:
    judged = judge(few[estimate])
    # a programme that was launched late has no long horizons yet, and a month without points none to redeem
    assert judged.companies >= FEW_COMPANIES // 2
    assert not gross_failures(judged), judged
