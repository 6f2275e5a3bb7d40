"""Which companies are judged: kind ones, and unkind ones that break what a design may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from companies.sample.simulator.config import (
    AS_OF_DAY,
    FIRST_DAY,
    LAST_DAY,
    SIZES,
    Config,
    ProgrammeParameters,
    PurchaseParameters,
    SeasonParameters,
    date_of,
)
from companies.sample.simulator.random_streams import stream

CUSTOMERS = SIZES["small"]
AS_OF_DATES = (date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31))
# what tests judge by wider limits: so many companies, half of them of each of two sorts, at some of the dates.
FEW_COMPANIES = 20
FEW_SORTS = ("kind", "no effect")
FEW_DATES = (date(2025, 6, 30), date(2025, 12, 31))
# no two sorts have companies of one seed: what chance does in one would be done in all
_SEEDS_OF_SORT = 1_000
# the launch of the programme and the campaigns are on days of the company's own
_LAUNCHES = (31, AS_OF_DAY - 183)
_CAMPAIGNS = (31, AS_OF_DAY - 13)
# how the same month differs between years, as a standard deviation on the logarithm, and how much of it the next month
# keeps; half a year then differs by 6% and a year by 5%, which is at the lower end of what DECISIONS tells of windows
_MONTH_DEVIATION, _MONTH_KEPT = 0.1, 0.5


@dataclass(frozen=True)
class Sort:
    """A sort of company.

    Attributes:
        description: what is unkind about it.
        number: of the sort, so that its seeds are its own.
        parameters: of Config, other than the usual ones.
        companies: how many a full report has.
    """

    description: str
    number: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    companies: int = 40

    def config(self, company: int) -> Config:
        """The company of that number, with a calendar of its own.

        If all launched their programme on one day and had the same good months, what that does to a forecast would look
        like a bias, and companies would be no clusters. And an interval for companies that differ is too wide for
        companies that do not.
        """
        seed = _SEEDS_OF_SORT * self.number + company
        plain = Config(CUSTOMERS, seed, **self.parameters)
        random = stream(seed, 0, "calendar")
        days = np.sort(random.integers(*_CAMPAIGNS, len(plain.campaigns.campaigns)))
        campaigns = tuple(
            replace(campaign, day=date_of(day)) for campaign, day in zip(plain.campaigns.campaigns, days, strict=True)
        )
        return replace(
            plain,
            season=replace(plain.season, month_factors=_month_factors(random)),
            programme=replace(plain.programme, launch=date_of(random.integers(*_LAUNCHES))),
            campaigns=replace(plain.campaigns, campaigns=campaigns),
        )


def _month_factors(random: np.random.Generator) -> tuple[float, ...]:
    """A factor for each month of the simulation, whose logarithms follow each other (autoregression of order one)."""
    last_day = date_of(LAST_DAY)
    log, logs = random.standard_normal(), []
    for shock in random.standard_normal(12 * (last_day.year - FIRST_DAY.year) + last_day.month - FIRST_DAY.month + 1):
        log = _MONTH_KEPT * log + np.sqrt(1 - _MONTH_KEPT**2) * shock
        logs.append(log)
    return tuple(np.exp(_MONTH_DEVIATION * np.array(logs) - _MONTH_DEVIATION**2 / 2).tolist())


SORTS: Mapping[str, Sort] = {
    "kind": Sort("as `make sample` simulates it, with a calendar of its own", 1, companies=100),
    "repeated offer": Sort(
        "the programme is offered again at each purchase until it is accepted",
        2,
        {"programme": ProgrammeParameters(is_offer_repeated=True, accept_multiplier=0.25)},
    ),
    "no effect": Sort(
        "a repeated offer of a programme that changes nothing",
        3,
        {"programme": ProgrammeParameters(is_offer_repeated=True, accept_multiplier=0.25, rate_effect=0.0)},
    ),
    "festival": Sort(
        "gifts are bought in the two weeks before the Spring Festival, which moves",
        4,
        {"season": SeasonParameters(gift_peak=1.5)},
    ),
    "uneven cohorts": Sort(
        "cohorts differ in their rates, with a standard deviation of 25%",
        5,
        {"purchases": PurchaseParameters(cohort_deviation=0.25)},
    ),
    "dropout floor": Sort(
        "nobody's probability to drop out after a purchase is below 3%",
        6,
        {"purchases": PurchaseParameters(dropout_floor=0.03)},
    ),
}
