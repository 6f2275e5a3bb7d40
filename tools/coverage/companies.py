"""Which companies are judged: kind ones, and unkind ones that break what a design may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Sort:
    """A sort of company.

    Attributes:
        description: what is unkind about it.
        parameters: of Config, other than the usual ones.
        companies: how many a full report has.
    """

    description: str
    parameters: Mapping[str, Any]
    companies: int = 40

    def config(self, seed: int) -> Config:
        """The company of that seed."""
        return Config(CUSTOMERS, seed, **self.parameters)


SORTS: Mapping[str, Sort] = {
    "kind": Sort("as `make sample` simulates it", {}, companies=100),
    "repeated offer": Sort(
        "the programme is offered again at each purchase until it is accepted",
        {"programme": ProgrammeParameters(is_offer_repeated=True, accept_multiplier=0.25)},
    ),
    "no effect": Sort(
        "a repeated offer of a programme that changes nothing",
        {"programme": ProgrammeParameters(is_offer_repeated=True, accept_multiplier=0.25, rate_effect=0.0)},
    ),
    "festival": Sort(
        "gifts are bought in the two weeks before the Spring Festival, which moves",
        {"season": SeasonParameters(gift_peak=1.5)},
    ),
    "uneven cohorts": Sort(
        "cohorts differ in their rates, with a standard deviation of 25%",
        {"purchases": PurchaseParameters(cohort_deviation=0.25)},
    ),
    "dropout floor": Sort(
        "nobody's probability to drop out after a purchase is below 3%",
        {"purchases": PurchaseParameters(dropout_floor=0.03)},
    ),
}
