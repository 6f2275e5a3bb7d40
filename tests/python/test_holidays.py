"""The days of events, computed apart from the seed: sun and moon for lunar festivals, computus for Easter."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import pytest

from orchestration.errors import SeedError
from orchestration.predictive.events import Occurrence
from orchestration.seeds import holiday_calendar
from orchestration.settings import ROOT, read_company_settings

YEARS = range(2015, 2036)
COUNTRIES = [name for name in read_company_settings(ROOT)["holiday_country"].choices if name != "none"]
SYNODIC = 29.530588861
# days before and after the festival itself, or the lunar new year
WINDOWS = {
    "spring_festival": (7, 7),
    "new_year_shopping": (21, -8),
    "dragon_boat": (9, 0),
    "mid_autumn": (9, 0),
    "easter": (7, 1),
    "black_friday": (0, 3),
    "mid_year_618": (17, 0),
    "double_11": (10, 0),
}


def sine(degrees: float) -> float:
    return math.sin(math.radians(degrees))


def sun_longitude(julian_day: float) -> float:
    """Apparent longitude of the sun in degrees, to a hundredth (Meeus, Astronomical Algorithms, chapter 25)."""
    t = (julian_day - 2451545.0) / 36525
    anomaly = 357.52911 + 35999.05029 * t
    centre = (1.914602 - 0.004817 * t) * sine(anomaly) + 0.019993 * sine(2 * anomaly) + 0.000289 * sine(3 * anomaly)
    return (280.46646 + 36000.76983 * t + centre - 0.00569 - 0.00478 * sine(125.04 - 1934.136 * t)) % 360


def new_moon(k: int) -> float:
    """Julian day of the k-th new moon after that of 6 January 2000, to minutes (chapter 49, its larger terms)."""
    t = k / 1236.85
    e = 1 - 0.002516 * t
    m = 2.5534 + 29.10535670 * k
    moon = 201.5643 + 385.81693528 * k + 0.0107582 * t**2
    f = 160.7108 + 390.67050284 * k - 0.0016118 * t**2
    node = 124.7746 - 1.56375588 * k
    terms = (
        -0.40720 * sine(moon)
        + 0.17241 * e * sine(m)
        + 0.01608 * sine(2 * moon)
        + 0.01039 * sine(2 * f)
        + 0.00739 * e * sine(moon - m)
        - 0.00514 * e * sine(moon + m)
        + 0.00208 * e**2 * sine(2 * m)
        - 0.00111 * sine(moon - 2 * f)
        - 0.00057 * sine(moon + 2 * f)
        + 0.00056 * e * sine(2 * moon + m)
        - 0.00042 * sine(3 * moon)
        + 0.00042 * e * sine(m + 2 * f)
        + 0.00038 * e * sine(m - 2 * f)
        - 0.00024 * e * sine(2 * moon - m)
        - 0.00017 * sine(node)
    )
    # dynamical time is 70 seconds ahead
    return 2451550.09766 + SYNODIC * k + 0.00015437 * t**2 + terms - 70 / 86400


def in_china(julian_day: float) -> date:
    return date.fromordinal(math.floor(julian_day + 0.5 + 8 / 24) - 1721425)


def midnight_in_china(day: date) -> float:
    return day.toordinal() + 1721424.5 - 8 / 24


def month_with_solstice(year: int) -> int:
    """Number of the new moon that begins the month of the winter solstice of a year."""
    solstice = next(
        day
        for day in (date(year, 12, 19) + timedelta(days=n) for n in range(6))
        if sun_longitude(midnight_in_china(day + timedelta(days=1))) >= 270
    )
    k = math.floor((midnight_in_china(solstice) - 2451550) / SYNODIC) - 1
    while in_china(new_moon(k + 1)) <= solstice:
        k += 1
    return k


def lunar_months(year: int) -> dict[int, date]:
    """First day of each lunar month between two winter solstices, leap months left out; the eleventh comes first.

    Of thirteen months the first in which the sun enters no sign is the leap month.
    """
    first, last = month_with_solstice(year - 1), month_with_solstice(year)
    begins = [in_china(new_moon(k)) for k in range(first, last + 1)]
    months, number, leap_is_due = {}, 11, last - first == 13
    for begin, following in zip(begins, begins[1:], strict=False):
        signs = [math.floor(sun_longitude(midnight_in_china(day)) / 30) for day in (begin, following)]
        if leap_is_due and signs[0] == signs[1]:
            leap_is_due = False
            continue
        months[number] = begin
        number = number % 12 + 1
    return months


def easter(year: int) -> date:
    """Gregorian Easter by the anonymous algorithm (Meeus, Jones and Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + weekday - 7 * ((a + 11 * h + 22 * weekday) // 451) + 114, 31)
    return date(year, month, day + 1)


def festivals(year: int) -> dict[str, date]:
    months = lunar_months(year)
    thursdays = [day for day in (date(year, 11, n) for n in range(1, 31)) if day.weekday() == 3]
    return {
        "spring_festival": months[1],
        "new_year_shopping": months[1],
        "dragon_boat": months[5] + timedelta(days=4),
        "mid_autumn": months[8] + timedelta(days=14),
        "easter": easter(year),
        "black_friday": thursdays[3] + timedelta(days=1),
        "mid_year_618": date(year, 6, 18),
        "double_11": date(year, 11, 11),
    }


def test_each_event_of_the_seed_has_its_days_in_each_year() -> None:
    expected = {
        Occurrence(event, day - timedelta(days=WINDOWS[event][0]), day + timedelta(days=WINDOWS[event][1]))
        for year in YEARS
        for event, day in festivals(year).items()
    }
    found = [one for country in COUNTRIES for one in holiday_calendar(country)]
    assert set(found) == expected


@pytest.mark.parametrize(
    ("event", "day"),
    [
        # as the State Council announced the holidays, and Easter as the churches kept it
        ("spring_festival", date(2015, 2, 19)),
        ("spring_festival", date(2020, 1, 25)),
        ("spring_festival", date(2024, 2, 10)),
        ("spring_festival", date(2025, 1, 29)),
        ("dragon_boat", date(2017, 5, 30)),
        ("dragon_boat", date(2023, 6, 22)),
        ("dragon_boat", date(2025, 5, 31)),
        ("mid_autumn", date(2020, 10, 1)),
        ("mid_autumn", date(2022, 9, 10)),
        ("mid_autumn", date(2025, 10, 6)),
        ("easter", date(2016, 3, 27)),
        ("easter", date(2019, 4, 21)),
        ("easter", date(2024, 3, 31)),
        ("black_friday", date(2019, 11, 29)),
        ("black_friday", date(2024, 11, 29)),
    ],
)
def test_the_computed_days_are_those_that_were_kept(event: str, day: date) -> None:
    assert festivals(day.year)[event] == day


def test_every_country_that_may_be_set_has_events_and_none_has_none() -> None:
    assert COUNTRIES and all(holiday_calendar(country) for country in COUNTRIES)
    assert holiday_calendar("none") == ()
    assert {one.event for one in holiday_calendar("US")} == {"easter", "black_friday"}
    with (ROOT / "seeds" / "holiday_countries.csv").open(encoding="utf-8") as file:
        assert {line.split(",")[0] for line in list(file)[1:]} == set(COUNTRIES)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("fair,2024-02-30,2024-03-01", "line 2: first_on is '2024-02-30'; expected a day such as 2025-01-29"),
        ("fair,2024-03-02,2024-03-01", "line 2: last_on is before first_on; exchange them"),
        ("fair,2024-03-02,", "line 2: last_on is missing"),
    ],
)
def test_a_mistake_in_the_days_is_told_with_its_row(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "holiday_countries.csv").write_text("country,event\nCN,fair\n", encoding="utf-8")
    (tmp_path / "seeds" / "holidays.csv").write_text(f"event,first_on,last_on\n{row}\n", encoding="utf-8")
    with pytest.raises(SeedError, match=message):
        holiday_calendar("CN", tmp_path)
