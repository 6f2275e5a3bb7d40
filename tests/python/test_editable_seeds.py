"""Every seed that may be edited is edited, in a copy of the project: it builds, its tests pass, the oracle agrees.

Which seeds those are is said in one place: `meta: { editable: true }` in the YAML of the seed.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import MODELS_ONLY, Dbt, World, build_into
from generators import Calendar, in_region, join_companies, random_company, write_raw_folder
from oracle import Seeds, Variables, compute_marts, read_facts, read_seeds
from oracle.first_purchases import read_lines
from oracle.marts import MARTS
from oracle.seeds import age_band, seed_rows

from companies.sample.simulator import simulate
from orchestration.contract import Contract
from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("editable_seeds")]

Row = dict[str, str]
Edit = Callable[[list[Row]], list[Row]]
CALENDAR = Calendar(date(2024, 2, 29), "Asia/Shanghai")
VARIABLES = Variables(business_timezone="Asia/Shanghai")
COMPARED = ("customer_cadence", "customer_lifecycle", "customer_rfm", "cohort_repurchase", "repurchase_rates")
NEW_NAME = "改名 renamed"


def changed(column: str, to: str, **where: str) -> Edit:
    """Give a column another value in the rows where other columns have the given values."""

    def edit(rows: list[Row]) -> list[Row]:
        hit = [row for row in rows if all(row[name] == value for name, value in where.items())]
        assert hit, f"no row with {where}: give this test an edit that fits the seed as it is"
        return [row | {column: to} if row in hit else row for row in rows]

    return edit


def without(**where: str) -> Edit:
    """Delete the rows where columns have the given values."""
    return lambda rows: [row for row in rows if not all(row[name] == value for name, value in where.items())]


def added(**values: str) -> Edit:
    """Add a row; what is not given is empty."""
    return lambda rows: [*rows, dict.fromkeys(rows[0], "") | values]


def renamed_first(rows: list[Row]) -> list[Row]:
    """Give the first row other labels."""
    return [rows[0] | {"label_en": NEW_NAME, "label_zh": NEW_NAME}, *rows[1:]]


# what somebody may want of each seed: a border moved, a window dropped and one added, a name or a text changed
EDITS: dict[str, Sequence[Edit]] = {
    "age_bands": [changed("below_age", "27", below_age="25"), changed("from_age", "27", from_age="25"), renamed_first],
    "ambassador_levels": [changed("from_converted_referrals", "4", from_converted_referrals="5"), renamed_first],
    "cadence_bands": [changed("from_probability", "0.6", cadence_status="due"), renamed_first],
    "churn_reasons": [
        changed("threshold", "0.7", reason_code="overdue"),
        changed("template_en", "Silent for {days}", reason_code="inactive"),
        without(reason_code="rare_buyer"),
    ],
    "churn_risk_bands": [
        changed("from_probability", "0.55", risk_band="high"),
        changed("risk_band", "severe", risk_band="high"),
    ],
    "code_labels": [
        changed("label_zh", NEW_NAME, code_type="gender", code="female"),
        changed("label_en", "Shop", code_type="channel", code="store"),
        added(code_type="ticket_category", code="warranty", label_en="Warranty", label_zh="保修"),
    ],
    "contact_channels": [renamed_first],
    "dimensions": [
        renamed_first,
        changed("applies_to_customers", "false", dimension="gender"),
        # what surveys take from customers has to be counted there too
        changed("applies_to_surveys", "false", dimension="gender"),
    ],
    "feedback_phrases": [added(phrase="not what i wanted", topic="quality", language="en", sentiment="negative")],
    "feedback_topic_labels": [renamed_first],
    "holiday_countries": [without(country="CN", event="mid_year_618"), added(country="CN", event="black_friday")],
    "holidays": [
        changed("last_on", "2024-02-20", event="spring_festival", first_on="2024-02-03"),
        without(event="easter", first_on="2015-03-29"),
    ],
    "hours_of_day": [renamed_first],
    "identity_placeholders": [added(link_kind="email", link_value="nobody@example.org")],
    "kpi_targets": [
        changed("to_value", "0.6", kpi="repurchase_rate"),
        without(kpi="ces"),
        added(kpi="active_customers", from_month="2025-03-01", from_value="40"),
    ],
    "kpis": [
        renamed_first,
        without(kpi="points_redemption_rate"),
        changed("owner_zh", NEW_NAME, kpi="nps"),
        changed("is_higher_better", "true", kpi="at_risk_customers"),
    ],
    "lifecycle_stages": [renamed_first],
    "loyalty_tiers": [renamed_first, added(tier="black", tier_rank="6", label_en="Black", label_zh="黑卡会员")],
    "model_limits": [lambda rows: [rows[0] | {"minimum_customers": "100000", "minimum_history_days": "200"}]],
    "nobody_ids": [added(customer_id="till", note_en="the till itself", note_zh="收银台")],
    "unreliability_reasons": [renamed_first],
    "programme_horizons": [without(horizon_days="180"), added(horizon_days="60")],
    "programme_match_bands": [without(covariate="tenure_days", band_from="8")],
    "programme_matching_settings": [
        lambda rows: [rows[0] | {"monetary_ratio": "1.4", "minimum_pairs": "20", "balance_days": "60"}]
    ],
    "programme_metrics": [renamed_first],
    "programme_traits": [renamed_first],
    "repurchase_horizons": [without(horizon_days="60"), added(horizon_days="120")],
    "repurchase_windows": [without(window_days="90"), added(window_days="45")],
    "retention_actions": [
        changed("risk_band", "severe", risk_band="high"),
        changed("action", "call", risk_band="severe", is_valuable="true"),
    ],
    "rfm_segment_labels": [changed("rfm_segment", "stars", rfm_segment="champions"), renamed_first],
    "rfm_segments": [
        changed("rfm_segment", "stars", rfm_segment="champions"),
        changed("rfm_segment", "stars", r_score="4", f_score="4", m_score="4"),
    ],
    "service_targets": [
        changed("first_response_hours", "6", priority="high"),
        added(priority="vip", first_response_hours="1", resolution_hours="4", label_en="VIP", label_zh="贵宾"),
    ],
    "survey_response_groups": [renamed_first],
    "ticket_match_bands": [without(covariate="mean_interval_days", band_from="8")],
    "ticket_matching_settings": [lambda rows: [{"minimum_pairs": "20"}]],
    "weekdays": [renamed_first],
    "words_for_nothing": [
        added(word="(blank)", in_free_text="true", is_lost_value="false"),
        changed("in_free_text", "true", word="-"),
    ],
}


def test_every_seed_says_whether_it_may_be_edited_and_each_that_may_is_edited_here(dbt: Dbt) -> None:
    editable = {
        node.name: node.config.meta.get("editable")
        for node in dbt.manifest.nodes.values()
        if node.resource_type == "seed"
    }
    assert not [name for name, answer in editable.items() if not isinstance(answer, bool)]
    assert {name for name, answer in editable.items() if answer} == set(EDITS)


def test_no_worked_example_leans_on_what_is_in_a_seed(dbt: Dbt) -> None:
    """Dbt reads the file of a seed that a unit test gives no rows for: an edit would change the example."""
    nodes = dbt.manifest.nodes
    leaning = []
    for test in dbt.manifest.unit_tests.values():
        model = next(node for node in nodes.values() if node.resource_type == "model" and node.name == test.model)
        seeds = {nodes[parent].name for parent in model.depends_on.nodes if parent.startswith("seed.")}
        given = {name for name in seeds for one in test.given if f"'{name}'" in one.input.replace('"', "'")}
        leaning += [f"{test.name} gives no rows of {name}" for name in seeds - given]
    assert not leaning


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the dbt project whose seeds are edited, all at once."""
    root = tmp_path_factory.mktemp("project") / "copy"
    settings = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    folders = {name for key in ("model-paths", "seed-paths", "macro-paths", "test-paths") for name in settings[key]}
    for name in folders:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("python", "__pycache__"))
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copyfile(ROOT / name, root / name)
    for name, edits in EDITS.items():
        rows = before = seed_rows(root / "seeds", name)
        for edit in edits:
            rows = edit(rows)
        assert rows != before
        with (root / "seeds" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return root


@pytest.fixture(scope="module")
def edited(project: Path) -> Seeds:
    return read_seeds(project / "seeds")


@pytest.fixture(scope="module")
def edited_dbt(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(tmp_path_factory.mktemp("edited_target"), root=project)


@pytest.fixture(scope="module")
def sample(edited_dbt: Dbt, contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small company with rows in every table, built with every test of dbt; without a fit."""
    folder = tmp_path_factory.mktemp("edited_sample")
    simulate(folder / "company", 300, 7)
    return build_into(folder / "warehouse", folder / "company" / "raw", edited_dbt, contract)


def test_the_marts_show_what_was_edited(sample: World) -> None:
    def found(column: str, mart: str) -> set[Any]:
        return {value for (value,) in sample.rows(f"select distinct {column} from marts.{mart}")}

    assert "gender" not in found("dimension", "repurchase_rates")
    assert found("window_days", "repurchase_rates") == {30, 45, 60, 180, 365}
    assert found("horizon_days", "cohort_repurchase") == {30, 90, 120, 180, 365}
    assert found("horizon_days", "programme_effect") == {60, 90, 365}
    assert "stars" in found("rfm_segment", "customer_rfm") and "champions" not in found("rfm_segment", "customer_rfm")
    assert "points_redemption_rate" not in found("kpi", "kpi_scorecard")
    assert NEW_NAME in found("label_zh", "kpi_scorecard") and NEW_NAME in found("owner_zh", "kpi_scorecard")
    assert 40 in found("target", "kpi_scorecard")
    assert found("first_response_target_hours", "tickets") >= {1, 6, 8}
    assert NEW_NAME in found("topic_zh", "feedback_topics")
    assert NEW_NAME in found("gender_zh", "customers") and "Shop" in found("channel_en", "orders")
    assert found("unreliable_reason_en", "customer_churn_risk") == {
        "Fewer than 100000 customers have bought: too few to fit a model"
    }


@pytest.fixture(scope="module")
def compared(
    edited: Seeds, edited_dbt: Dbt, contract: Contract, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, dict[str, Any]]:
    """The marts of random companies that an edit reaches, and what the oracle makes of the same seeds."""
    folder = tmp_path_factory.mktemp("edited_companies")
    parts = [in_region(random_company(place, CALENDAR, sizes=(30,)), f"n{place:02d}") for place in range(4)]
    company = join_companies(parts)
    write_raw_folder(company, folder / "raw", asdict(VARIABLES))
    arguments = (*MODELS_ONLY, "--select", *(f"+{name}" for name in COMPARED))
    world = build_into(folder / "warehouse", folder / "raw", edited_dbt, contract, CALENDAR.as_of, arguments)
    customers = company.customers_frame
    customers["age_band"] = [age_band(born, world.as_of, edited) for born in customers["birth_date"]]
    customers["loyalty_tier"] = None
    lines = read_lines(company.order_items_frame, company.products_frame)
    dimensions = edited.dimensions_of("customers")
    facts = read_facts(company.orders_frame, customers, world.as_of, VARIABLES, dimensions, lines)
    return world, compute_marts(facts, edited)


@pytest.mark.parametrize("name", COMPARED)
def test_a_mart_of_edited_seeds_agrees_with_the_oracle(compared: tuple[World, dict[str, Any]], name: str) -> None:
    world, expected = compared
    without_day = expected[name].drop(columns=["next_purchase_on"], errors="ignore")
    MARTS[name].assert_equal(world.mart(name), without_day, name)
