"""The variables of a company, with the defaults of the definitions."""

from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

RFM_WINDOW_DAYS = 365


@dataclass(frozen=True)
class Variables:
    """Company variables that the metrics read. Money is in the reporting currency, rates are 0 to 1."""

    business_timezone: str = "UTC"
    default_margin_rate: Decimal = Decimal("0.30")
    high_value_annual_amount: Decimal = Decimal("5000")
    cadence_prior_intervals: int = 2
    active_days: int = 90
    new_customer_days: int = 30
    reactivated_customer_days: int = 30
    lapsed_days: int = 180
    loyal_purchase_days: int = 4

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.business_timezone)
