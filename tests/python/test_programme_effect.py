"""The effect of the loyalty programme on a simulated company, of which it is known what members would have done."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import World
from oracle.comparison import assert_frames_equal
from oracle.seeds import seed_rows

from companies.sample.simulator import simulate
from orchestration.settings import ROOT

CUSTOMERS, SEED = 10_000, 7
HORIZONS = tuple(int(row["horizon_days"]) for row in seed_rows(ROOT / "seeds", "programme_horizons"))
TOLD_HORIZONS = [days for days in HORIZONS if days in (90, 180, 365)]
# of each metric, what the truth calls it where the member joins, and where the next offer that is accepted is joined
TRUTHS = {
    "purchase_days": ("purchase_days_with", "purchase_days_deferred"),
    "net_revenue": ("net_revenue_with", "net_revenue_deferred"),
    "churn": ("churned_with", "churned_deferred"),
}
Z_95 = 1.959963984540054
BUILD_EFFECT = ("build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")

pytestmark = [pytest.mark.worlds, pytest.mark.long, pytest.mark.xdist_group("programme_effect")]


@dataclass(frozen=True)
class Days:
    """The purchase days of one customer, in order, and what each brought."""

    days: tuple[date, ...]
    net: tuple[float, ...]

    def between(self, after: date, until: date) -> tuple[int, float]:
        first, last = bisect_right(self.days, after), bisect_right(self.days, until)
        return last - first, sum(self.net[first:last])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "company"
    simulate(folder, CUSTOMERS, SEED)
    return folder


@pytest.fixture(scope="module")
def world(sample: Path, build_world: Callable[..., World]) -> World:
    return build_world(
        sample / "raw",
        "programme_effect",
        arguments=(*BUILD_EFFECT, "--select", "+programme_effect", "programme_balance"),
    )


@pytest.fixture(scope="module")
def effects(world: World) -> pd.DataFrame:
    return world.mart("programme_effect").set_index(["metric", "horizon_days"])


@pytest.fixture(scope="module")
def pairs(world: World) -> pd.DataFrame:
    return world.frame("select * from intermediate.int_programme_pair_outcomes where not is_placebo")


@pytest.fixture(scope="module")
def truth(sample: Path, pairs: pd.DataFrame) -> dict[tuple[str, int], float]:
    """What the programme changed for the matched members, by metric and horizon."""
    members = pd.read_parquet(sample / "truth" / "programme_members.parquet")
    matched = pairs.rename(columns={"member_customer_id": "customer_id"})[["customer_id", "horizon_days"]]
    # the truth is told over these horizons; the seed may have others too
    matched = matched[matched.horizon_days.isin(TOLD_HORIZONS)]
    members = matched.merge(members, on=["customer_id", "horizon_days"], validate="one_to_one")
    assert len(members) == len(matched)
    return {
        (metric, horizon): float((rows[given].astype(float) - rows[without].astype(float)).mean())
        for horizon, rows in members.groupby("horizon_days")
        for metric, (given, without) in TRUTHS.items()
    }


@pytest.fixture(scope="module")
def bought(world: World) -> dict[str, Days]:
    frame = world.frame(
        "select customer_id, purchase_on, net_revenue from intermediate.int_customer_days_summed order by 1, 2"
    )
    return {
        customer_id: Days(tuple(rows.purchase_on), tuple(map(float, rows.net_revenue)))
        for customer_id, rows in frame.groupby("customer_id")
    }


@pytest.fixture(scope="module")
def enrolled_on(world: World) -> dict[str, date]:
    """The day of the first enrolment of each member, from the memberships as they were accepted."""
    rows = world.rows(
        "select coalesce(aliases.customer_id, memberships.customer_id), min(enrolled_at + interval 8 hour)::date "
        "from staging.stg_memberships as memberships "
        "left join intermediate.int_customer_aliases_listed as aliases on memberships.customer_id = aliases.alias_id "
        "group by 1"
    )
    return dict(rows)


@pytest.mark.parametrize("horizon", TOLD_HORIZONS)
@pytest.mark.parametrize("metric", TRUTHS)
def test_the_interval_of_the_effect_contains_the_truth(
    effects: pd.DataFrame, truth: dict[tuple[str, int], float], metric: str, horizon: int
) -> None:
    row = effects.loc[(metric, horizon)]
    assert row.effect_low <= truth[metric, horizon] <= row.effect_high


@pytest.mark.parametrize("horizon", TOLD_HORIZONS)
@pytest.mark.parametrize("metric", ["net_revenue", "churn"])
def test_the_naive_difference_misses_the_truth_by_more_than_the_effect_may(
    effects: pd.DataFrame, truth: dict[tuple[str, int], float], metric: str, horizon: int
) -> None:
    row = effects.loc[(metric, horizon)]
    allowed = (row.effect_high - row.effect_low) / 2
    assert abs(row.naive_effect - truth[metric, horizon]) > allowed
    # good customers join, so that the programme looks better than it is
    assert abs(row.naive_effect) > abs(truth[metric, horizon])


@pytest.mark.parametrize("horizon", HORIZONS)
def test_pairs_are_balanced_where_members_and_others_are_not(effects: pd.DataFrame, horizon: int) -> None:
    for metric in TRUTHS:
        row = effects.loc[(metric, horizon)]
        assert abs(row.balance_matched) < 0.1
        assert abs(row.balance_unmatched) > 0.5
        assert row.match_rate > 0.5


def seed_bands() -> dict[str, list[int]]:
    bands: dict[str, list[int]] = defaultdict(list)
    for row in seed_rows(ROOT / "seeds", "programme_match_bands"):
        bands[row["covariate"]].append(int(row["band_from"]))
    return {covariate: sorted(values) for covariate, values in bands.items()}


def traits(history: Days, place: int) -> dict[str, Any]:
    """What was known of a customer at a purchase, the place-th of all."""
    day, number = history.days[place], place + 1
    return {
        "month": (day.year, day.month),
        "purchase_number": number,
        "tenure_days": (day - history.days[0]).days,
        "gap_days": (day - history.days[place - 1]).days if place else 0,
        "mean": sum(history.net[:number]) / number,
    }


def exact_cell(found: dict[str, Any], bands: dict[str, list[int]]) -> tuple[Any, ...]:
    return (found["month"], *(bisect_right(values, found[covariate]) for covariate, values in bands.items()))


def test_the_two_of_a_pair_were_alike_when_the_one_enrolled(
    pairs: pd.DataFrame, bought: dict[str, Days], enrolled_on: dict[str, date]
) -> None:
    bands = seed_bands()
    (matching,) = seed_rows(ROOT / "seeds", "programme_matching_settings")
    ratio = float(matching["monetary_ratio"])
    for pair in pairs.itertuples():
        assert pair.member_index_on == enrolled_on[pair.member_customer_id]
        assert pair.control_customer_id != pair.member_customer_id
        # what comes after the index day is not looked at
        assert enrolled_on.get(pair.control_customer_id, date.max) > pair.control_index_on
        sides = []
        for customer_id, day in (
            (pair.member_customer_id, pair.member_index_on),
            (pair.control_customer_id, pair.control_index_on),
        ):
            history = bought[customer_id]
            place = bisect_right(history.days, day) - 1
            assert (day - history.days[place]).days == pair.lag_days
            sides.append(traits(history, place))
        member, control = sides
        assert exact_cell(member, bands) == exact_cell(control, bands)
        assert max(member["mean"], control["mean"]) < ratio * min(member["mean"], control["mean"]) + 0.001


def test_no_occasion_is_compared_twice_and_none_is_left_for_a_member_without_one(
    world: World, pairs: pd.DataFrame, bought: dict[str, Days], enrolled_on: dict[str, date]
) -> None:
    assert not pairs.duplicated(["horizon_days", "member_customer_id"]).any()
    assert not pairs.duplicated(["horizon_days", "control_customer_id", "control_index_on"]).any()
    # whoever of a cell stays alone has only his or her own kind left in it: so many pairs as the smaller side has.
    # Members enrol on the day of a purchase here, so that every lag is 0
    occasions = world.rows(
        "select customer_id, purchase_on, match_cell from intermediate.int_programme_occasions_listed"
    )
    cell_of = {(customer_id, day): cell for customer_id, day, cell in occasions}
    members: dict[str, set[str]] = defaultdict(set)
    for customer_id, day in enrolled_on.items():
        if (customer_id, day) in cell_of:
            members[cell_of[customer_id, day]].add(customer_id)
    others: Counter[str] = Counter()
    for customer_id, history in bought.items():
        for day in history.days:
            enrolled = enrolled_on.get(customer_id, date.max)
            assert ((customer_id, day) in cell_of) == (day <= enrolled)
            if day < enrolled:
                # of alike occasions each has a cell of its own
                assert customer_id not in members[cell_of[customer_id, day]]
                others[cell_of[customer_id, day]] += 1
    paired = world.rows("select count(*) from intermediate.int_programme_pairs_matched where not is_placebo")[0][0]
    assert paired == sum(min(len(side), others[cell]) for cell, side in members.items())


def test_the_effect_is_what_the_purchases_of_the_pairs_give(
    world: World, effects: pd.DataFrame, pairs: pd.DataFrame, bought: dict[str, Days]
) -> None:
    as_of, expected = world.as_of, []
    for horizon in HORIZONS:
        length = timedelta(days=horizon)
        changes: dict[str, list[tuple[float, str, str]]] = defaultdict(list)
        for pair in pairs[pairs.horizon_days == horizon].itertuples():
            sides = []
            for customer_id, day in (
                (pair.member_customer_id, pair.member_index_on),
                (pair.control_customer_id, pair.control_index_on),
            ):
                assert day + length <= as_of
                before = bought[customer_id].between(day - length, day)
                after = bought[customer_id].between(day, day + length)
                sides.append((after[0] - before[0], after[1] - before[1], after[0] == 0))
            for place, metric in enumerate(TRUTHS):
                change = float(sides[0][place]) - float(sides[1][place])
                changes[metric].append((change, pair.member_customer_id, pair.control_customer_id))
        expected += [
            {"metric": metric, "horizon_days": horizon, "matched_pairs": len(rows)} | clustered(rows)
            for metric, rows in changes.items()
        ]
    columns = ["effect", "effect_low", "effect_high"]
    stated = effects.reset_index()
    assert_frames_equal(
        stated[stated.metric.isin(TRUTHS)],
        pd.DataFrame(expected),
        ["metric", "horizon_days"],
        ratios=columns,
        name="effect",
    )


def clustered(changes: list[tuple[float, str, str]]) -> dict[str, float]:
    """A mean, and its 95% interval if pairs that share a customer move together, pair by pair."""
    mean = sum(change for change, *_ in changes) / len(changes)
    of_customer: dict[str, list[int]] = defaultdict(list)
    for place, (_, *customers) in enumerate(changes):
        for customer in customers:
            of_customer[customer].append(place)
    variance = 0.0
    for change, *customers in changes:
        neighbours = {place for customer in customers for place in of_customer[customer]}
        variance += (change - mean) * sum(changes[place][0] - mean for place in neighbours)
    assert variance > 0
    controls = len({control for *_, control in changes})
    margin = Z_95 * sqrt(variance * controls / (controls - 1)) / len(changes)
    return {"effect": mean, "effect_low": mean - margin, "effect_high": mean + margin}


def test_the_balance_is_that_of_the_occasions_and_pairs(
    world: World, pairs: pd.DataFrame, bought: dict[str, Days], enrolled_on: dict[str, date]
) -> None:
    balance = world.mart("programme_balance").set_index(["trait", "horizon_days"])
    for horizon in HORIZONS:
        chosen = pairs[pairs.horizon_days == horizon]
        matched = set(chosen.member_customer_id)
        sides: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for customer_id, history in bought.items():
            enrolled = enrolled_on.get(customer_id, date.max)
            for place, day in enumerate(history.days):
                # members enrol on the day of a purchase here
                if day > enrolled or day + timedelta(days=horizon) > world.as_of:
                    continue
                side = ("matched" if customer_id in matched else "unmatched") if day == enrolled else "candidate"
                sides[side].append(traits(history, place))
        for pair in chosen.itertuples():
            history = bought[pair.control_customer_id]
            sides["control"].append(traits(history, bisect_right(history.days, pair.control_index_on) - 1))
        for trait in ("purchase_number", "tenure_days", "gap_days", "mean"):
            row = balance.loc[("mean_net_revenue" if trait == "mean" else trait, horizon)]
            values = {side: pd.Series([float(found[trait]) for found in rows]) for side, rows in sides.items()}
            members = pd.concat([values["matched"], values["unmatched"]])
            assert row.members == len(members) and row.matched_members == len(matched)
            for column, side in (
                ("matched_member_mean", values["matched"]),
                ("unmatched_member_mean", values["unmatched"]),
                ("matched_control_mean", values["control"]),
                ("candidate_mean", values["candidate"]),
                ("member_mean", members),
            ):
                # money per purchase day is rounded to four decimals
                assert row[column] == pytest.approx(side.mean(), rel=1e-6, abs=1e-4)
            for column, one, other in (
                ("standardised_difference_matched", values["matched"], values["control"]),
                ("standardised_difference_unmatched", members, values["candidate"]),
            ):
                expected = (one.mean() - other.mean()) / sqrt((one.var() + other.var()) / 2)
                assert row[column] == pytest.approx(expected, abs=1e-6)


def test_the_naive_difference_is_that_of_all_who_ever_bought(
    world: World, effects: pd.DataFrame, bought: dict[str, Days], enrolled_on: dict[str, date]
) -> None:
    as_of = world.as_of
    for horizon in HORIZONS:
        found: dict[bool, list[tuple[int, float]]] = {True: [], False: []}
        for customer_id, history in bought.items():
            recent = history.between(as_of - timedelta(days=horizon), as_of)
            found[customer_id in enrolled_on].append(recent)
        for place, metric in enumerate(TRUTHS):
            means = {
                is_member: sum(float(row[0] == 0 if metric == "churn" else row[place]) for row in rows) / len(rows)
                for is_member, rows in found.items()
            }
            assert effects.loc[(metric, horizon)].naive_effect == pytest.approx(means[True] - means[False], rel=1e-6)


def test_the_simulated_programme_has_the_effect_that_it_was_given(sample: Path) -> None:
    """Otherwise the intervals above contain something else."""
    told = json.loads((sample / "truth" / "truth.json").read_text(encoding="utf-8"))
    members = pd.read_parquet(sample / "truth" / "programme_members.parquet")
    base, extra = (
        members.purchase_days_without.sum(),
        (members.purchase_days_with - members.purchase_days_without).sum(),
    )
    assert told["programme"]["rate_effect"] > 0
    assert 0.5 < extra / base / told["programme"]["rate_effect"] < 1.5
