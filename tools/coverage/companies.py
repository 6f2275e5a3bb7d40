"""Which companies are judged: kind ones, and unkind ones that break what a design may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from companies.sample.simulator.config import (
    SIZES,
    Config,
    ProgrammeParameters,
    PurchaseParameters,
    SeasonParameters,
)

CUSTOMERS = SIZES["small"]
AS_OF_DATES = (date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31))
# what tests judge by wider limits: so many companies, half of them of each of two sorts, at some of the dates.
FEW_COMPANIES = 20
FEW_SORTS = ("kind", "no effect")
FEW_DATES = (date(2025, 6, 30), date(2025, 12, 31))
# no two sorts have companies of one seed: what chance does in one would be done in all
_SEEDS_OF_SORT = 1_000


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
        """The company of that number."""
        return Config(CUSTOMERS, _SEEDS_OF_SORT * self.number + company, **self.parameters)


SORTS: Mapping[str, Sort] = {
    "kind": Sort("as `make sample` simulates it", 1, companies=100),
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
