"""Changes of NPS, CSAT and CES: p and q values alone, and the marts' SQL on companies whose changes are known."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Dbt
from jinja2 import Environment
from scipy import stats

from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("satisfaction")]

MARTS = ("nps", "csat", "ces")
# the score from which an answer is of each direction: against, neither, for
BORDERS = {"nps": (7, 9), "csat": (3, 4), "ces": (4, 5)}
SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
CUTS = {"channel": 4, "region": 8, "gender": 3, "age_band": 6, "rfm_segment": 8, "survey_trigger": 3}
COMPANIES = 40
QUARTERS = 5
PLANTED_COMPANIES = 200
# how content the customers of each channel are, in standard deviations, and how many of a company's they are
CONTENT = np.array([-0.9, -0.2, 0.3, 0.9])
POPULATION = np.array([0.25, 0.25, 0.25, 0.25])


@pytest.fixture(scope="module")
def macros() -> ModuleType:
    sql = (ROOT / "macros" / "period_changes.sql").read_text(encoding="utf-8")
    return Environment().from_string(sql).module


def test_the_p_value_is_that_of_scipy_for_every_z(macros: ModuleType) -> None:
    z = np.concatenate([np.linspace(-6, 6, 100_001), np.geomspace(1e-12, 36, 100_001), [0.0]])
    given = pd.DataFrame({"z": z})
    with duckdb.connect() as connection:
        connection.register("given", given)
        found = connection.execute(f"select {macros.two_sided_p_value('z')} as p from given").df()["p"]
        [beyond] = connection.execute(
            f"select {macros.two_sided_p_value('z')} from (values (50e0)) as v (z)"
        ).fetchone()
        [unknown] = connection.execute(
            f"select {macros.two_sided_p_value('z')} from (values (cast(null as double))) as v (z)"
        ).fetchone()
    exact = 2 * stats.norm.sf(np.abs(z))
    assert np.abs(found - exact).max() < 1e-10
    # relative as well, so that the order of tiny values is right
    assert np.abs(found / exact - 1).max() < 1e-10
    assert found.iloc[-1] == 1 and found.max() == 1 and found.min() > 0
    assert beyond == 0 and unknown is None


def q_values(macros: ModuleType, families: list[str], p_values: list[float | None]) -> list[float | None]:
    rows = [(place, family, p) for place, (family, p) in enumerate(zip(families, p_values, strict=True))]
    with duckdb.connect() as connection:
        connection.execute("create table given (place integer, family varchar, p_value double)")
        connection.executemany("insert into given values (?, ?, ?)", rows)
        found = connection.execute(
            f"select q_value from ({macros.with_q_values('given', ['family'])}) as tested order by place"
        ).fetchall()
    return [q for (q,) in found]


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        # Benjamini and Hochberg's steps: p × 4 / rank, and never above that of the next
        pytest.param([0.01, 0.04, 0.03, 0.5], [0.04, 4 * 0.04 / 3, 4 * 0.04 / 3, 0.5], id="a smaller q of a greater p"),
        # both take rank 2 of 3: 0.03 × 3 / 2
        pytest.param([0.03, 0.03, 0.9], [0.045, 0.045, 0.9], id="ties"),
        pytest.param([0.02, 0.02, 0.02], [0.02, 0.02, 0.02], id="all equal"),
        pytest.param([0.04], [0.04], id="a family of one"),
        # two members, not four
        pytest.param([None, 0.03, None, 0.2], [None, 0.06, None, 0.2], id="nulls are no members"),
        pytest.param([None], [None], id="nothing but a null"),
        pytest.param([0.0, 1.0], [0.0, 1.0], id="the ends of the scale"),
    ],
)
def test_q_values_worked_by_hand(
    macros: ModuleType, p_values: list[float | None], expected: list[float | None]
) -> None:
    # beside another family, which must not matter
    found = q_values(macros, ["this"] * len(p_values) + ["other"] * 3, [*p_values, 0.001, 0.5, None])
    for q, exact in zip(found, expected, strict=False):
        assert q == (None if exact is None else pytest.approx(exact, abs=1e-15))
    assert found[-3:] == [pytest.approx(0.002), pytest.approx(0.5), None]


def test_q_values_are_those_of_scipy(macros: ModuleType) -> None:
    rng = np.random.default_rng(5)
    p_values = np.round(rng.beta(0.5, 2, 300), 2)
    families = rng.integers(0, 6, 300)
    found = np.array(q_values(macros, [str(family) for family in families], p_values.tolist()), dtype=float)
    for family in range(6):
        of_family = families == family
        assert np.allclose(found[of_family], stats.false_discovery_control(p_values[of_family]), rtol=0, atol=1e-12)


# Whole companies: drawn here, summed and judged by the models' own SQL


@pytest.fixture(scope="module")
def compiled(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL of the models, as dbt compiles it."""
    models = ("int_survey_periods_summed", *MARTS)
    dbt.invoke(tmp_path_factory.mktemp("compiled"), "compile", "--select", *models)
    folder = dbt.target / "compiled"
    return {model: next(folder.rglob(f"{model}.sql")).read_text(encoding="utf-8") for model in models}


def answers(rng: np.random.Generator, counts: np.ndarray, moved: np.ndarray, *, rates_shift: bool) -> pd.DataFrame:
    """Answers of companies whose customers are as content in each quarter, but for what `moved` says.

    `counts` and `moved` (standard deviations) have a row per company and a column per quarter. Where `rates_shift`,
    channels answer at rates of their own that shift between quarters, and an answer weighs the inverse of the rate.
    """
    companies, quarters = counts.shape
    rates = np.exp(rng.normal(0, 0.4, (companies, quarters, 4))) if rates_shift else np.ones((companies, quarters, 4))
    shares = POPULATION * rates
    shares /= shares.sum(axis=2, keepdims=True)
    cells = [(company, quarter) for company in range(companies) for quarter in range(quarters)]
    parts = []
    for company, quarter in cells:
        count = counts[company, quarter]
        channel = rng.choice(4, count, p=shares[company, quarter])
        content = CONTENT[channel] + rng.normal(moved[company, quarter], 1, count)
        weight = 1 / rates[company, quarter, channel]
        parts.append(
            pd.DataFrame(
                {"company": company, "quarter": quarter, "channel": channel, "content": content, "weight": weight}
            )
        )
    drawn = pd.concat(parts, ignore_index=True)
    for cut, values in CUTS.items():
        if cut != "channel":
            # some values are rare, as in life
            odds = 1 / np.arange(1, values + 1)
            drawn[cut] = rng.choice(values, len(drawn), p=odds / odds.sum())
    return drawn


def scores(content: pd.Series, survey_type: str) -> np.ndarray:
    """Scores of a survey, by how content its people are."""
    lowest, highest = SCALES[survey_type]
    steps = {"nps": (0.45, 7.9), "csat": (0.7, 3.9), "ces": (0.6, 4.6)}[survey_type]
    return np.clip(np.round(content / steps[0] + steps[1]), lowest, highest).astype(int)


def judged(compiled: dict[str, str], drawn: pd.DataFrame, survey_type: str, cuts: tuple[str, ...]) -> pd.DataFrame:
    """The mart of these answers. A company has days of its own, so that one build holds all of them."""
    score = scores(drawn["content"], survey_type)
    neither, good = BORDERS[survey_type]
    direction = np.select([score >= good, score >= neither], [1, 0], -1)
    frame = drawn.assign(response_id=range(len(drawn)), score=score, direction=direction)
    with duckdb.connect() as connection:
        connection.execute(
            "attach ':memory:' as warehouse; create schema warehouse.intermediate; use warehouse.intermediate"
        )
        connection.register("drawn", frame)
        connection.execute(f"""
            create table int_survey_responses_resolved as
            select
                response_id, '{survey_type}' as survey_type, score, direction, weight::decimal(18, 4) as weight,
                date '1900-01-01' + (company * 10 + quarter)::int as responded_on,
                true as is_latest_of_month, true as is_latest_of_quarter, true as is_latest_of_year, true as is_latest
            from drawn;
            create table int_survey_periods_listed as
            select
                responded_on as survey_on, 'quarter' as period_grain, responded_on as period_start,
                responded_on - 1 as previous_period_start, true as is_complete
            from (select distinct responded_on from int_survey_responses_resolved);
            create table int_survey_dimensions_listed as
            select response_id, 'all' as dimension, 'all' as dimension_value from drawn
        """)
        for cut in cuts:
            connection.execute(
                f"insert into int_survey_dimensions_listed select response_id, '{cut}', {cut}::varchar from drawn"
            )
        connection.execute("create table int_code_labels (code_type text, code text, label_en text, label_zh text)")
        connection.execute(f"create table int_survey_periods_summed as {compiled['int_survey_periods_summed']}")
        return connection.execute(compiled[survey_type]).df()


@pytest.fixture(scope="module")
def unchanged(compiled: dict[str, str]) -> Iterator[dict[str, pd.DataFrame]]:
    """Nobody's satisfaction changes in five quarters of 40 companies, but who answers does."""
    rng = np.random.default_rng(20260101)
    sizes = np.exp(rng.uniform(np.log(60), np.log(600), (COMPANIES, 1)))
    counts = rng.poisson(sizes, (COMPANIES, QUARTERS))
    drawn = answers(rng, counts, np.zeros(counts.shape), rates_shift=True)
    yield {mart: judged(compiled, drawn, mart, tuple(CUTS)) for mart in MARTS}


def families_with(mart: pd.DataFrame, column: str) -> pd.Series:
    """Of each family of at least five changes, whether `column` is true of any."""
    known = mart[(mart["dimension"] != "all") & mart["p_value"].notna()]
    families = known.groupby("period_start")[column]
    return families.any()[families.size() >= 5]


def test_where_nothing_changes_few_families_have_a_flag(unchanged: dict[str, pd.DataFrame]) -> None:
    flagged = pd.concat([families_with(unchanged[mart], "is_flagged") for mart in MARTS])
    alone = pd.concat([families_with(unchanged[mart], "is_significant") for mart in MARTS])
    assert len(flagged) == len(MARTS) * COMPANIES * (QUARTERS - 1)
    assert flagged.mean() <= 0.07
    # what was there before: of some thirty cuts there is nearly always one
    assert alone.mean() > 0.5


def test_where_nothing_changes_weights_make_up_for_who_answers(unchanged: dict[str, pd.DataFrame]) -> None:
    for mart in MARTS:
        whole = unchanged[mart].query("dimension == 'all' and p_value.notna()")
        assert (whole["p_value"] < 0.05).mean() <= 0.1
        assert whole["is_flagged"].mean() <= 0.1
        # unweighted figures follow the channels
        assert whole["is_significant"].mean() > 0.15


def test_a_planted_change_of_15_points_among_500_is_flagged(compiled: dict[str, str]) -> None:
    rng = np.random.default_rng(15)
    counts = np.full((PLANTED_COMPANIES, 2), 500)
    for survey_type, moved in (("nps", 0.249), ("csat", 0.5)):
        shift = np.column_stack([np.zeros(PLANTED_COMPANIES), np.full(PLANTED_COMPANIES, moved)])
        mart = judged(compiled, answers(rng, counts, shift, rates_shift=False), survey_type, ())
        changed = mart[mart["p_value"].notna()]
        scale = 1 if survey_type == "nps" else 100
        assert scale * changed[f"weighted_{survey_type}_change"].mean() == pytest.approx(15, abs=1)
        assert changed["is_flagged"].mean() >= 0.7
