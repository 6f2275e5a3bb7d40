"""The marts of satisfaction: a random company against the oracle, a published survey, and the intervals alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import BUILD, Dbt, World
from jinja2 import Environment
from oracle import Variables, assert_frames_equal, read_facts, read_seeds
from oracle import satisfaction as oracle
from oracle.comparison import plain
from oracle.first_purchases import read_lines
from oracle.rfm import customer_rfm
from oracle.seeds import age_band
from scipy import stats
from survey_company import FOLLOWUP_DAYS, FRAME, SurveyCompany, airport_responses, survey_company, write_table

from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("satisfaction")]

VARIABLES = Variables(business_timezone=FRAME.business_timezone)
# what the marts are made of, and the tests of that; a test of other marts as well is left to other worlds
SATISFACTION = (*BUILD, "--select", "+path:models/marts/satisfaction", "--indirect-selection", "cautious")
AIRPORT = ROOT.parent / "shared" / "reference" / "data" / "sfo_2017.csv"
PERIOD = ("period_grain", "period_start")
CUT = (*PERIOD, "dimension", "dimension_value")
TESTED = ("p_value", "q_value")


@dataclass(frozen=True)
class Mart:
    """The key of a mart, and how its columns are compared; those `near` come from a formula that is off by 1e-7."""

    keys: tuple[str, ...]
    ratios: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    means: tuple[str, ...] = ()


def bounds(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


MARTS = {
    "survey_responses": Mart(("response_id",)),
    "nps": Mart(
        CUT, ratios=(*bounds("nps", "weighted_nps", "nps_change", "weighted_nps_change"), "previous_nps", *TESTED)
    ),
    "csat": Mart(
        CUT,
        ratios=(
            *bounds("csat_rate", "weighted_csat_rate", "csat_change", "weighted_csat_change"),
            *("csat_mean", "previous_csat_rate", *TESTED),
        ),
    ),
    "ces": Mart(
        CUT,
        ratios=(
            *bounds("ces_easy_rate", "weighted_ces_easy_rate"),
            *("ces_mean", "weighted_ces_mean", "previous_ces_mean", "ces_change", "weighted_ces_change", *TESTED),
        ),
        near=(
            *("ces_mean_low", "ces_mean_high", "ces_change_low", "ces_change_high"),
            *("weighted_ces_change_low", "weighted_ces_change_high"),
        ),
    ),
    "survey_response_rates": Mart((*PERIOD, "survey_type", "channel"), ratios=bounds("response_rate")),
    "survey_invitations_unanswered": Mart(("invitation_id",)),
    "nps_repurchase": Mart(
        ("response_group",),
        ratios=(*bounds("repurchase_rate"), "difference_to_detractors", "difference_low", "difference_high"),
        money=("net_revenue",),
        means=("net_revenue_per_customer",),
    ),
}


@pytest.fixture(scope="module")
def company() -> SurveyCompany:
    return survey_company()


@pytest.fixture(scope="module")
def airport() -> list[dict]:
    return airport_responses(AIRPORT) if AIRPORT.exists() else []


@pytest.fixture(scope="module")
def world(
    build_world: Callable[..., World],
    company: SurveyCompany,
    airport: list[dict],
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    """Both surveys in one company: the airport's answers are the only ones of 2017, and of their channel."""
    folder = tmp_path_factory.mktemp("satisfaction") / "raw"
    company.write(folder, asdict(VARIABLES))
    write_table(folder / "survey_responses" / "airport.csv", airport)
    return build_world(folder, "satisfaction", FRAME.as_of, SATISFACTION)


@pytest.fixture(scope="module")
def expected(company: SurveyCompany, airport: list[dict]) -> dict[str, pd.DataFrame]:
    seeds = read_seeds(ROOT / "seeds")
    customers = company.company.customers_frame
    customers["age_band"] = [age_band(born, FRAME.as_of, seeds) for born in customers["birth_date"]]
    customers["loyalty_tier"] = [company.tiers.get(customer) for customer in customers["customer_id"]]
    lines = read_lines(company.company.order_items_frame, company.company.products_frame)
    dimensions = seeds.dimensions_of("customers")
    facts = read_facts(company.company.orders_frame, customers, FRAME.as_of, VARIABLES, dimensions, lines)
    rfm = customer_rfm(facts, seeds)
    segments = dict(zip(rfm["customer_id"], rfm["rfm_segment"], strict=True))
    responses = [*company.responses, *airport]
    surveys = oracle.read_surveys(responses, company.invitations, company.aliases, facts, segments, seeds)
    return {
        "survey_responses": oracle.survey_responses(surveys),
        "nps": oracle.nps(surveys),
        "csat": oracle.csat(surveys),
        "ces": oracle.ces(surveys),
        "survey_response_rates": oracle.survey_response_rates(surveys),
        "survey_invitations_unanswered": oracle.survey_invitations_unanswered(surveys, company.contactable),
        "nps_repurchase": oracle.nps_repurchase(surveys, FOLLOWUP_DAYS),
    }


def by_key(frame: pd.DataFrame, keys: Sequence[str], column: str) -> dict[tuple, float | None]:
    rows = zip(*(frame[key] for key in keys), frame[column], strict=True)
    return {tuple(plain(cell) for cell in key): plain(cell) for *key, cell in rows}


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_of_satisfaction_agrees_with_the_oracle(
    world: World, dbt: Dbt, expected: dict[str, pd.DataFrame], name: str
) -> None:
    mart = MARTS[name]
    actual, exact = world.mart(name), expected[name].drop(columns=list(mart.near))
    derived = dbt.derived_columns(name)
    assert set(actual.columns) - derived == set(expected[name].columns) - derived
    assert_frames_equal(actual, exact, mart.keys, ratios=mart.ratios, money=mart.money, means=mart.means, name=name)
    for column in mart.near:
        assert by_key(actual, mart.keys, column) == pytest.approx(by_key(expected[name], mart.keys, column), abs=1e-6)


def test_the_random_company_reaches_every_edge(world: World, company: SurveyCompany) -> None:
    for name in ("nps", "csat", "ces"):
        mart = world.mart(name)
        assert set(mart["is_significant"]) == {True, False, None}
        assert set(mart["is_complete"]) == {True, False}
        assert set(mart["dimension"]) == {"all", *read_seeds(ROOT / "seeds").dimensions_of("surveys")}
        assert mart["responses"].min() == 1
        # the month after the one without surveys has a month before it, but nothing to compare with
        months = mart[(mart["period_grain"] == "month") & (mart["dimension"] == "all")].set_index("period_start")
        previous = months.filter(regex="^previous_").squeeze()
        assert date(2023, 11, 1) not in months.index and previous[date(2023, 12, 1)] is None
        assert previous.notna().sum() > 20
    assert world.mart("nps")["weighted_nps"].isna().any()
    assert world.mart("ces").query("responses > 1")["ces_mean_low"].isna().any()
    responses = world.mart("survey_responses")
    # some come after the as-of date
    assert (responses["channel"] != "airport").sum() < len(company.responses)
    assert not set(company.aliases) & set(responses["customer_id"])
    assert (responses["customer_id"].isna() & responses["invitation_id"].notna()).any()
    named = responses[responses["customer_id"].notna() & (responses["survey_type"] == "nps")]
    assert set(named["is_latest_of_month"]) == set(named["is_latest_of_quarter"]) == {True, False}
    unanswered = world.mart("survey_invitations_unanswered")
    assert set(unanswered["is_contactable"]) == {True, False}
    assert set(world.mart("nps_repurchase")["response_group"]) == {"promoter", "passive", "detractor", "all"}


# San Francisco International Airport, passenger survey of 2017 (DataSF)


@pytest.fixture(scope="module")
def passengers(world: World, airport: list[dict]) -> Callable[[str], pd.Series]:
    """The row of 2017 of a mart."""
    if not airport:
        pytest.skip(f"the airport's survey is not there: {AIRPORT.name} is expected beside the project")

    def row(mart: str) -> pd.Series:
        year = "period_grain = 'year' and period_start = '2017-01-01' and dimension = 'all'"
        [found] = world.frame(f"select * from marts.{mart} where {year}").to_dict("records")
        return pd.Series(found)

    return row


def test_the_airport_has_the_published_nps(passengers: Callable[[str], pd.Series]) -> None:
    nps = passengers("nps")
    assert nps["responses"] == 2_746
    assert round(nps["nps"], 2) == 39.84
    assert round(nps["weighted_nps"], 2) == 40.40
    # the margin that is published is that of the answers as they are
    shares = np.array([nps["promoters"], nps["detractors"]]) / nps["responses"]
    variance = shares.sum() - (shares[0] - shares[1]) ** 2
    assert round(100 * oracle.Z_95 * np.sqrt(variance / nps["responses"]), 2) == 2.61


def test_the_interval_of_the_airport_is_that_of_one_more_answer_in_each_group(
    passengers: Callable[[str], pd.Series], airport: list[dict]
) -> None:
    scores = np.array([row["score"] for row in airport if row["survey_type"] == "nps"] + [10, 7, 0])
    answers = np.select([scores >= 9, scores >= 7], [1, 0], -1)
    # 1,437 promoters, 969 passives and 343 detractors: 39.80 +- 2.61, which is 37.18 to 42.41
    assert [int((answers == answer).sum()) for answer in (1, 0, -1)] == [1_437, 969, 343]
    margin = oracle.Z_95 * answers.std() / np.sqrt(len(answers))
    nps = passengers("nps")
    low, high = nps["nps_low"], nps["nps_high"]
    assert (low, high) == pytest.approx((100 * (answers.mean() - margin), 100 * (answers.mean() + margin)), abs=1e-9)
    assert (round(low, 2), round(high, 2)) == (37.18, 42.41)
    # weights differ, so that the answers tell less
    assert nps["weighted_nps_high"] - nps["weighted_nps_low"] > high - low


def test_the_airport_has_the_published_csat(passengers: Callable[[str], pd.Series]) -> None:
    csat = passengers("csat")
    assert round(100 * csat["csat_rate"], 2) == 82.07
    assert round(csat["csat_mean"], 4) == 4.0644
    interval = stats.binomtest(csat["satisfied"], csat["responses"]).proportion_ci(method="wilson")
    assert (csat["csat_rate_low"], csat["csat_rate_high"]) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_the_airport_s_channel_is_the_airport(world: World, passengers: Callable[[str], pd.Series]) -> None:
    sql = "select nps, weighted_nps_low from marts.nps where period_grain = 'all' and dimension_value = 'airport'"
    [channel] = world.rows(sql)
    assert channel == pytest.approx(tuple(passengers("nps")[["nps", "weighted_nps_low"]]))


# the intervals for themselves: what the macros write, run on numbers of any size


@pytest.fixture(scope="module")
def macros() -> ModuleType:
    files = [ROOT / "macros" / name for name in ("numbers.sql", "confidence_intervals.sql", "period_changes.sql")]
    return Environment().from_string("".join(file.read_text(encoding="utf-8") for file in files)).module


def select(frame: pd.DataFrame, **expressions: str) -> pd.DataFrame:
    """The expressions over each row of the frame, in its order; nulls are NaN."""
    listed = ", ".join(f"{expression} as {name}" for name, expression in expressions.items())
    with duckdb.connect() as connection:
        connection.register("given", frame.assign(place=range(len(frame))))
        return connection.execute(f"select {listed} from given order by place").df()


def test_the_t_quantile_is_that_of_scipy_for_all_degrees_of_freedom(macros: ModuleType) -> None:
    degrees = np.concatenate([np.arange(1, 2_001), np.geomspace(1, 1e9, 20_000), 1 / np.linspace(1e-6, 1, 20_000)])
    found = select(pd.DataFrame({"df": degrees}), t=str(macros.t_95("df")))["t"]
    assert np.abs(found / stats.t.ppf(0.975, degrees) - 1).max() < 2e-8


def nps_interval(macros: ModuleType, sums: pd.DataFrame) -> pd.DataFrame:
    """Middle and margin of the interval of NPS, -1 to 1, from sums of weights w and of their squares q by group."""
    weights = sums.assign(w=sums[["w_1", "w_0", "w_2"]].sum(axis=1), q=sums[["q_1", "q_0", "q_2"]].sum(axis=1))
    added = [-1, 0, 1]
    centred = weights.assign(centre=select(weights, c=str(macros.adjusted_mean("w", "q", "w_1 - w_2", added)))["c"])
    squared_error = macros.adjusted_squared_error("centre", "w", "q", "q_1 - q_2", "q_1 + q_2", added)
    return select(centred, centre="centre", margin=f"{macros.z_95()} * sqrt({squared_error})")


def unweighted(counts: np.ndarray) -> pd.DataFrame:
    """Counts of promoters, passives and detractors as sums of weights of one."""
    return pd.DataFrame(np.hstack([counts, counts]).astype(float), columns=["w_1", "w_0", "w_2", "q_1", "q_0", "q_2"])


@pytest.mark.parametrize("answers", [5, 10, 30, 300])
@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.34, 0.33, 0.33), (0.9, 0.08, 0.02), (0.05, 0.15, 0.8)])
def test_the_nps_interval_holds_the_truth_as_often_as_it_says(
    macros: ModuleType, shares: tuple[float, float, float], answers: int
) -> None:
    drawn = np.random.default_rng(1).multinomial(answers, shares, 20_000)
    found = nps_interval(macros, unweighted(drawn))
    truth = shares[0] - shares[2]
    share_that_holds = (np.abs(found["centre"] - truth) <= found["margin"]).mean()
    # without the adjustment: 0.40 of five answers, where nine of ten are promoters
    assert 0.91 <= share_that_holds <= 0.99


def test_the_nps_interval_has_a_width_holds_the_score_and_forgets_the_unit_of_the_weights(macros: ModuleType) -> None:
    counts = np.array([(p, q, d) for p in range(12) for q in range(12) for d in range(12) if p + q + d])
    plain_counts = unweighted(counts)
    found = nps_interval(macros, plain_counts)
    score = (counts[:, 0] - counts[:, 2]) / counts.sum(axis=1)
    assert (found["margin"] > 0).all()
    assert (np.abs(found["centre"] - score) <= found["margin"]).all()
    # weights of 0.3 each
    scaled = nps_interval(macros, plain_counts * ([0.3] * 3 + [0.09] * 3))
    assert np.allclose(scaled, found, rtol=1e-12)
    nobody = nps_interval(macros, unweighted(np.zeros((1, 3))))
    assert nobody.isna().all(axis=None)


def test_a_weighted_nps_interval_is_as_wide_as_the_effective_number_of_answers_makes_it(macros: ModuleType) -> None:
    """One answer of weight 1,000 beside a hundred of weight 0.001 tells about as much as one answer."""
    columns = ["w_1", "w_0", "w_2", "q_1", "q_0", "q_2"]
    outweighed = pd.DataFrame([[1000.0, 0.05, 0.05, 1e6, 5e-5, 5e-5]], columns=columns)
    alone = nps_interval(macros, unweighted(np.array([[1, 0, 0]])))
    assert np.allclose(nps_interval(macros, outweighed), alone, rtol=1e-3)


def test_the_interval_of_a_difference_is_that_of_newcombe(macros: ModuleType) -> None:
    # Newcombe 1998, table II, method 10: lines a, c, d, g and h
    published = [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ]
    frame = pd.DataFrame(published, columns=["a", "m", "b", "n", "low", "high"])
    rates = select(
        frame,
        p="a / m",
        p_low=str(macros.wilson_low("a", "m")),
        p_high=str(macros.wilson_high("a", "m")),
        o="b / n",
        o_low=str(macros.wilson_low("b", "n")),
        o_high=str(macros.wilson_high("b", "n")),
    )
    low, high = macros.difference_low("p", "p_low", "o", "o_high"), macros.difference_high("p", "p_high", "o", "o_low")
    found = select(rates, low=str(low), high=str(high))
    assert np.allclose(found, frame[["low", "high"]], atol=5e-5)


def test_a_bound_ends_where_the_scale_ends_and_is_null_for_nothing(macros: ModuleType) -> None:
    frame = pd.DataFrame({"value": [-2.0, -1.0, 0.5, 1.0, 7.0, None]})
    [found] = select(frame, bounded=str(macros.bounded("value", "-1e0", "1e0"))).to_numpy().T
    assert np.array_equal(found, [-1, -1, 0.5, 1, 1, np.nan], equal_nan=True)
