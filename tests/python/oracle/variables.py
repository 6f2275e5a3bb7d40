"""The settings of a company that the metrics read, with the defaults that dbt_project.yml states for them."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

PROJECT = Path(__file__).parents[3] / "dbt_project.yml"
RFM_WINDOW_DAYS = 365


def _default(name: str) -> Any:
    settings = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["vars"]["settings"]
    return settings[name]["default"]


@dataclass(frozen=True)
class Variables:
    """Company variables that the metrics read. Money is in the reporting currency, rates are 0 to 1."""

    business_timezone: str = _default("business_timezone")
    default_margin_rate: Decimal = Decimal(str(_default("default_margin_rate")))
    free_orders_are_purchases: bool = _default("free_orders_are_purchases")
    high_value_annual_amount: Decimal = Decimal(str(_default("high_value_annual_amount")))
    top_value_share: Decimal = Decimal(str(_default("top_value_share")))
    cadence_prior_intervals: float = _default("cadence_prior_intervals")
    active_days: int = _default("active_days")
    new_customer_days: int = _default("new_customer_days")
    reactivated_customer_days: int = _default("reactivated_customer_days")
    lapsed_days: int = _default("lapsed_days")
    loyal_purchase_days: int = _default("loyal_purchase_days")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.business_timezone)
