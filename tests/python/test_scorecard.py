"""The scorecard: each KPI against the figure of its mart, and what is made of it against its definition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from conftest import MODELS_ONLY, World, build_into
from oracle.comparison import assert_frames_equal
from oracle.scorecard import kpi_scorecard, target_of
from oracle.seeds import seed_rows
from oracle.service import poisson_interval

from companies.sample.simulator import simulate
from orchestration.settings import ROOT

pytestmark = pytest.mark.worlds

SEEDS = ROOT / "seeds"
# not the last day of a month, and within the targets of the seed
AS_OF = date(2025, 11, 17)
Row = dict[str, Any]
# month, figure, its bounds, number of cases, the mart's own test of the change, whether it is complete
Figure = tuple[date, float | None, float | None, float | None, int | None, bool | None, bool]


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory, dbt: Any, contract: Any) -> World:
    """A company with rows in every table, in the middle of a month; without a fit."""
    folder = tmp_path_factory.mktemp("scorecard")
    simulate(folder / "company", 300, 7)
    arguments = (*MODELS_ONLY, "--select", "+kpi_scorecard")
    return build_into(folder / "warehouse", folder / "company" / "raw", dbt, contract, AS_OF, arguments)


def number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def rows_of(world: World, mart: str, **where: Any) -> list[Row]:
    """The rows of a mart in which columns have the given values."""
    rows = world.mart(mart).to_dict("records")
    return [row for row in rows if all(row[column] == value for column, value in where.items())]


def month_of(day: date) -> date:
    return day.replace(day=1)


def is_month_end(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def by_month(
    mart: str, figure: str, cases: str | None, *, interval: bool = False, month: str = "month", **where: Any
) -> Callable[[World], Iterator[Figure]]:
    """A KPI that is one column of a mart, with where its month and its cases stand."""

    def read(world: World) -> Iterator[Figure]:
        for row in rows_of(world, mart, **where):
            day = row[month]
            complete = next((row[name] for name in ("is_complete", "is_mature") if name in row), is_month_end(day))
            bounds = [number(row[f"{figure}_{end}"]) if interval else None for end in ("low", "high")]
            own = row.get("is_significant")
            own = None if own is None or pd.isna(own) else bool(own)
            if row.get("tickets") == 0:
                # of a month of orders without a ticket there is nothing to say
                continue
            yield month_of(day), number(row[figure]), *bounds, cases and int(row[cases]), own, bool(complete)

    return read


def of_the_period(mart: str, figure: str, cases: str, *, interval: bool = False) -> Callable[[World], Iterator[Figure]]:
    return by_month(mart, figure, cases, interval=interval, month="period_start", period_grain="month", dimension="all")


def active_customers(world: World) -> Iterator[Figure]:
    """Without its interval, which has a test of its own."""
    for row in rows_of(world, "growth_accounting"):
        count = row["active_customers"]
        yield row["month"], count, None, None, count, None, row["is_complete"]


def at_risk_customers(world: World) -> Iterator[Figure]:
    stages: dict[tuple[date, bool], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows_of(world, "lifecycle_transitions"):
        stages[row["month"], row["is_complete"]][row["to_stage"]] += row["customers"]
    for (month, complete), counts in stages.items():
        yield month, counts["at_risk"], None, None, sum(counts.values()), None, complete


def revenue_at_risk(world: World) -> Iterator[Figure]:
    amounts = [row["revenue_at_risk_365d"] for row in rows_of(world, "customer_churn_risk")]
    known = [amount for amount in amounts if isinstance(amount, Decimal)]
    yield month_of(world.as_of), number(sum(known)) if known else None, None, None, len(amounts), None, True


def customer_value(world: World) -> Iterator[Figure]:
    [row] = rows_of(world, "cohort_clv", cohort="all", horizon_days=365)
    values = [number(row[f"predicted_clv{end}"]) for end in ("", "_low", "_high")]
    each = [value / row["customers"] if row["is_reliable"] and value is not None else None for value in values]
    yield month_of(world.as_of), *each, row["customers"], None, True


def member_growth_rate(world: World) -> Iterator[Figure]:
    members: dict[tuple[date, bool], list[Row]] = defaultdict(list)
    for row in rows_of(world, "tier_monthly"):
        members[row["month"], row["is_complete"]].append(row)
    for (month, complete), tiers in members.items():
        before = sum(tier["members_before"] for tier in tiers)
        gained = sum(tier["joined"] - tier["members_left"] for tier in tiers)
        yield month, gained / before if before else None, None, None, before, None, complete


# the mart of each KPI, and how to read the figure in it
FIGURES: dict[str, tuple[str, Callable[[World], Iterator[Figure]]]] = {
    "repurchase_rate": (
        "repurchase_rates",
        by_month(
            "repurchase_rates",
            "repurchase_rate",
            "buyers",
            interval=True,
            month="as_of_date",
            window_days=365,
            dimension="all",
        ),
    ),
    "retention_rate": (
        "retention_monthly",
        by_month("retention_monthly", "retention_rate", "active_customers", interval=True, dimension="all"),
    ),
    "active_customers": ("growth_accounting", active_customers),
    "reactivation_rate": (
        "reactivation_monthly",
        by_month("reactivation_monthly", "reactivation_rate", "lapsed_customers", interval=True, dimension="all"),
    ),
    "at_risk_customers": ("lifecycle_transitions", at_risk_customers),
    "revenue_at_risk": ("customer_churn_risk", revenue_at_risk),
    "customer_value": ("cohort_clv", customer_value),
    "average_order_value": (
        "purchase_frequency",
        of_the_period("purchase_frequency", "average_order_value", "orders"),
    ),
    "purchase_frequency": (
        "purchase_frequency",
        of_the_period("purchase_frequency", "purchase_days_per_buyer", "buyers"),
    ),
    "nps": ("nps", of_the_period("nps", "nps", "responses", interval=True)),
    "csat": ("csat", of_the_period("csat", "csat_rate", "responses", interval=True)),
    "ces": ("ces", of_the_period("ces", "ces_mean", "responses", interval=True)),
    "first_response_hours": (
        "ticket_performance",
        of_the_period("ticket_performance", "median_first_response_hours", "first_responded_tickets"),
    ),
    "first_response_within_rate": (
        "ticket_performance",
        of_the_period("ticket_performance", "first_response_within_rate", "first_response_due_tickets", interval=True),
    ),
    "member_growth_rate": ("tier_monthly", member_growth_rate),
    "points_usage_rate": ("points_monthly", by_month("points_monthly", "usage_rate", None)),
    "points_redemption_rate": ("points_monthly", by_month("points_monthly", "usage_rate_12m", None)),
}
FIGURE_COLUMNS = ["actual", "actual_low", "actual_high", "sample_size", "is_change_significant", "is_complete"]


def assert_figures_are_those_of_the_mart(world: World, kpi: str) -> None:
    _, figures = FIGURES[kpi]
    expected = pd.DataFrame(list(figures(world)), columns=["month", *FIGURE_COLUMNS], dtype=object)
    assert len(expected)
    without = ["actual_low", "actual_high"] if kpi == "active_customers" else []
    actual = pd.DataFrame(rows_of(world, "kpi_actuals", kpi=kpi), dtype=object)
    ratios = [column for column in ("actual", "actual_low", "actual_high") if column not in without]
    assert_frames_equal(actual, expected.drop(columns=without), ["month"], ratios=ratios, name=kpi)


@pytest.mark.xdist_group("scorecard")
@pytest.mark.parametrize("kpi", FIGURES)
def test_each_kpi_is_the_figure_of_its_mart(small_world: World, kpi: str) -> None:
    """In kpi_actuals, whose figures the scorecard shows."""
    assert_figures_are_those_of_the_mart(small_world, kpi)


@pytest.mark.xdist_group("sample")
@pytest.mark.parametrize("kpi", FIGURES)
def test_each_kpi_of_the_sample_company_is_the_figure_of_its_mart(sample_world: World, kpi: str) -> None:
    """Of a company with fits to rely on, whose as-of date ends a month."""
    assert_figures_are_those_of_the_mart(sample_world, kpi)
    assert any(row["actual"] is not None for row in rows_of(sample_world, "kpi_actuals", kpi=kpi))


@pytest.mark.xdist_group("scorecard")
def test_active_customers_have_the_interval_of_a_count(small_world: World) -> None:
    for row in rows_of(small_world, "kpi_actuals", kpi="active_customers"):
        exact = poisson_interval(int(row["actual"]))
        assert (row["actual_low"], row["actual_high"]) == pytest.approx(exact, abs=0.03)


@pytest.mark.xdist_group("scorecard")
def test_the_seed_lists_each_kpi_with_its_mart(small_world: World) -> None:
    listed = {row["kpi"]: row["source_mart"] for row in seed_rows(SEEDS, "kpis")}
    assert listed == {kpi: mart for kpi, (mart, _) in FIGURES.items()}
    assert {row["kpi"] for row in rows_of(small_world, "kpi_actuals")} == set(listed)


@pytest.mark.xdist_group("scorecard")
def test_the_scorecard_agrees_with_its_definition(small_world: World) -> None:
    actuals = [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in rows_of(small_world, "kpi_actuals")
    ]
    kpis, targets = seed_rows(SEEDS, "kpis"), seed_rows(SEEDS, "kpi_targets")
    # by the setting, whose default is a half
    usage = {"kpi": "points_usage_rate", "from_month": "1900-01-01", "from_value": "0.5", "to_month": ""}
    expected = kpi_scorecard(actuals, kpis, [*targets, usage], near=0.95)
    ratios = ["actual", "target", "attainment", "previous_month", "same_month_last_year", "change", "change_year"]
    assert_frames_equal(
        small_world.mart("kpi_scorecard"), expected, ["month", "kpi"], ratios=ratios, name="kpi_scorecard"
    )
    assert {"met", "missed", "no_target", "incomplete"} <= set(expected["status"])
    assert set(expected["is_change_significant"]) == set(expected["is_change_year_significant"]) == {True, False, None}


@pytest.mark.xdist_group("scorecard")
def test_the_scorecard_says_of_each_kpi_what_the_seed_says(small_world: World) -> None:
    texts = ["label_en", "label_zh", "unit", "owner_en", "owner_zh", "definition_en", "definition_zh", "source_mart"]
    shown = small_world.mart("kpi_scorecard")[["kpi", *texts]].drop_duplicates()
    listed = {tuple(row[column] for column in ["kpi", *texts]) for row in seed_rows(SEEDS, "kpis")}
    assert set(shown.itertuples(index=False, name=None)) == listed


@pytest.mark.parametrize(
    ("month", "target"),
    [
        (date(2024, 12, 1), None),
        (date(2025, 1, 1), 0.4),
        (date(2025, 2, 1), 0.408333),
        (date(2025, 7, 1), 0.45),
        (date(2025, 12, 1), 0.491667),
        (date(2026, 1, 1), 0.5),
        (date(2030, 1, 1), 0.5),
    ],
)
def test_the_target_of_the_seed_goes_from_40_to_50_percent_within_a_year(month: date, target: float | None) -> None:
    stretch = {"from_month": "2025-01-01", "from_value": "0.40", "to_month": "2026-01-01", "to_value": "0.50"}
    assert target_of(month, [stretch]) == target
