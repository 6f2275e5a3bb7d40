"""Events of the season: worked by hand, found where a shop has them, absent where it has none, and dated rightly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from purchase_histories import LIMITS

from orchestration.predictive.btyd import BtydFit, expected_repeat_purchases
from orchestration.predictive.events import Effect, Occurrence, estimate_events
from orchestration.predictive.seasonality import Activity, Season, estimate_season
from orchestration.seeds import holiday_calendar

Floats = NDArray[np.float64]

FIT = BtydFit.of("mbg_nbd", {"r": 0.8, "alpha": 60.0, "a": 0.5, "b": 3.0})
# two weeks in February and then in January, and three days of May that hardly anybody notices
FESTIVAL = (
    Occurrence("festival", date(2024, 2, 3), date(2024, 2, 16)),
    Occurrence("festival", date(2025, 1, 22), date(2025, 2, 4)),
)
FAIR = (
    Occurrence("fair", date(2024, 5, 7), date(2024, 5, 9)),
    Occurrence("fair", date(2025, 5, 13), date(2025, 5, 15)),
)


def days_between(first: date, last: date) -> NDArray[np.datetime64]:
    return np.arange(np.datetime64(first), np.datetime64(last) + 1)


def shop(last: date, effects: dict[str, float], calendar: Sequence[Occurrence], seed: int | None = None) -> Activity:
    """Twenty new customers a day from July 2023 whose repeats follow the fit and the events; with a seed, by chance."""
    days = days_between(date(2023, 7, 1), last)
    by_age = np.diff(expected_repeat_purchases(FIT, np.arange(days.size, dtype=np.float64)), prepend=0.0)
    repeats = np.convolve(np.full(days.size, 20.0), by_age)[: days.size]
    for one in calendar:
        inside = (days >= np.datetime64(one.first_on)) & (days <= np.datetime64(one.last_on))
        repeats[inside] *= effects.get(one.event, 1.0)
    if seed is not None:
        repeats = np.random.default_rng(seed).poisson(repeats).astype(np.float64)
    return Activity(days, np.full(days.size, 20.0), days, repeats)


def season_of(activity: Activity, as_of: date, calendar: Sequence[Occurrence]) -> Season:
    return estimate_season(FIT, activity, as_of, LIMITS.minimum_season_days, calendar)


def test_one_occurrence_worked_by_hand() -> None:
    """January at 100 a day, ten days at 50: log(500.5 / 1000.5) = -0.69265 of variance 1/500.5 + 1/2100.5 = .002474.

    One occurrence is as sure as the prior between occurrences lets it be: .002474 + .1^2 = .012474. So 1 - .012474 /
    .69265^2 = .97400 of it is kept: exp(-.67464) = .50935, with an error of sqrt(.97400 * .012474 + .01) = .14881.
    """
    days = days_between(date(2024, 1, 1), date(2024, 1, 31))
    actual = np.full(31, 100.0)
    actual[4:14] = 50.0
    calendar = (Occurrence("festival", date(2024, 1, 5), date(2024, 1, 14)),)
    (found,) = estimate_events(days, np.full(31, 100.0), actual, calendar).values()
    assert found.index == pytest.approx(0.50935, abs=2e-5)
    assert found.error == pytest.approx(0.14881, abs=2e-5)
    # the level of the month has no part in it
    (doubled,) = estimate_events(days, np.full(31, 50.0), actual, calendar).values()
    assert doubled.index == pytest.approx(found.index, abs=2e-4)


def test_days_count_as_month_and_event_say() -> None:
    """The worked example of int_season_days_counted: 21 * .5 + 9 * .5 * .25, and a day that is in two events."""
    index = np.ones(12)
    index[:2] = 0.5, 2.0
    events = {"festival": Effect(0.25, 0.0), "sale": Effect(2.0, 0.0)}
    season = Season(index, np.zeros(12), events, (*FESTIVAL, Occurrence("sale", date(2025, 2, 4), date(2025, 2, 6))))
    assert season.length(date(2024, 12, 31), 30) == pytest.approx(11.625)
    assert season.length(date(2024, 12, 31), 60) == pytest.approx(67.25)


def test_an_event_errs_beside_the_months() -> None:
    """January: 21 days and 10 at one half are 26; they err by .1 * 26 = 2.6, the event's 5 by .2 * 5 = 1."""
    events = {"festival": Effect(0.5, 0.2)}
    season = Season(np.ones(12), np.full(12, 0.1), events, FESTIVAL)
    assert season.relative_error(date(2024, 12, 31), 31) == pytest.approx(np.hypot(2.6, 1) / 26)


def test_a_festival_that_moves_is_foreseen_where_it_moves_to() -> None:
    """As of the end of 2024 one festival has been seen, in February; the next takes half of 9 of the 30 days ahead.

    The mean of past days is 1, and 14 of them were halves, so an ordinary day is a little longer than 1. A season by
    month alone does not know the festival: it says 30 days.
    """
    as_of = date(2024, 12, 31)
    activity = shop(as_of, {"festival": 0.5}, FESTIVAL, seed=1)
    plain, halved = shop(as_of, {}, ()), shop(as_of, {"festival": 0.5}, FESTIVAL)
    ordinary = plain.repeat_purchases.sum() / halved.repeat_purchases.sum()
    truth = (21 + 9 / 2) * ordinary
    assert season_of(activity, as_of, FESTIVAL).length(as_of, 30) == pytest.approx(truth, rel=0.05)
    assert season_of(activity, as_of, ()).length(as_of, 30) > 1.12 * truth
    # and February, to which it does not come back as a whole, is an ordinary month again
    index = season_of(activity, as_of, FESTIVAL).month_index
    assert (
        abs(np.log(index[1] / index[2])) < 0.05 < -np.log(np.divide(*season_of(activity, as_of, ()).month_index[1:3]))
    )


def test_gifts_that_are_bought_before_a_festival_come_when_it_comes() -> None:
    """As of the end of 2025, with the calendar of the seeds. Lunar new years: 10 February, 29 January, 17 February.

    Gifts are bought 20 to 7 days before: from 21 January and from 9 January on, so the Januaries of the past were busy.
    In 2026 it is from 28 January on, so 3 of the 30 days ahead are such days. Without the event January looks busy.
    """
    as_of = date(2025, 12, 31)
    gifts = tuple(
        Occurrence("gifts", new_year - timedelta(days=20), new_year - timedelta(days=7))
        for new_year in (date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17))
    )
    activity = shop(as_of, {"gifts": 2.5}, gifts, seed=1)
    plain, busy = shop(as_of, {}, ()), shop(as_of, {"gifts": 2.5}, gifts)
    truth = (27 + 3 * 2.5) * plain.repeat_purchases.sum() / busy.repeat_purchases.sum()
    chinese = holiday_calendar("CN")
    assert season_of(activity, as_of, chinese).length(as_of, 30) == pytest.approx(truth, rel=0.10)
    without = [one for one in chinese if one.event != "new_year_shopping"]
    assert season_of(activity, as_of, without).length(as_of, 30) > 1.2 * truth


@pytest.mark.parametrize("seed", range(5))
def test_an_event_without_an_effect_is_drawn_to_one(seed: int) -> None:
    """Beside a festival that halves the trade, which says nothing of the fair."""
    as_of = date(2025, 6, 30)
    season = season_of(shop(as_of, {"festival": 0.5}, FESTIVAL, seed), as_of, (*FESTIVAL, *FAIR))
    assert season.events["festival"].index == pytest.approx(0.5, rel=0.1)
    assert season.events["fair"].index == pytest.approx(1, abs=0.05)


def test_events_that_share_days_are_told_apart() -> None:
    """A sale of 18 days with a fair of three in it: the fair is not taken for what the sale does."""
    as_of = date(2025, 6, 30)
    sale = tuple(Occurrence("sale", date(year, 5, 1), date(year, 5, 18)) for year in (2024, 2025))
    calendar = (*sale, *FAIR)
    season = season_of(shop(as_of, {"sale": 1.5}, calendar), as_of, calendar)
    assert season.events["sale"].index == pytest.approx(1.5, rel=0.05)
    assert season.events["fair"].index == pytest.approx(1, abs=0.02)


def test_without_an_occurrence_in_the_past_the_season_is_that_of_months() -> None:
    as_of = date(2024, 12, 31)
    activity = shop(as_of, {"festival": 0.5}, FESTIVAL, seed=2)
    months = season_of(activity, as_of, ())
    later = season_of(activity, as_of, (Occurrence("games", date(2025, 1, 1), date(2025, 1, 20)),))
    assert not months.events and not later.events
    np.testing.assert_array_equal(later.month_index, months.month_index)
    assert later.length(as_of, 90) == months.length(as_of, 90)


def test_few_purchases_say_nothing_of_an_event() -> None:
    days = days_between(date(2024, 1, 1), date(2024, 1, 31))
    calendar = (Occurrence("festival", date(2024, 1, 5), date(2024, 1, 14)),)
    assert not estimate_events(days, np.full(31, 0.4), np.zeros(31), calendar)
    # nor does a month that the event fills
    whole = (Occurrence("festival", date(2024, 1, 1), date(2024, 1, 31)),)
    assert not estimate_events(days, np.full(31, 100.0), np.full(31, 50.0), whole)


def test_what_comes_later_changes_nothing() -> None:
    as_of = date(2025, 1, 27)
    activity = shop(date(2025, 6, 30), {"festival": 0.5}, FESTIVAL, seed=3)
    known, all_of_it = season_of(activity.until(as_of), as_of, FESTIVAL), season_of(activity, as_of, FESTIVAL)
    assert known.events == all_of_it.events
    np.testing.assert_array_equal(known.month_index, all_of_it.month_index)
    assert known.length(as_of, 8) < 8 * 0.6
