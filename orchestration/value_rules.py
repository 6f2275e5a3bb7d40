"""What landing must know to read a value: the settings of the company and the seeds."""

from __future__ import annotations

from datetime import date

from orchestration.landing.values import ValueRules
from orchestration.seeds import lost_values, nobody_ids, words_for_nothing
from orchestration.settings import Settings


def value_rules(settings: Settings) -> ValueRules:
    """The rules of a refresh; SeedError where a seed is wrong."""
    words = words_for_nothing(settings.root)
    return ValueRules(
        business_timezone=str(settings.variable("business_timezone")),
        timestamps_without_offset=str(settings.variable("timestamps_without_offset")),
        words_for_nothing=tuple(words),
        words_in_free_text=tuple(word for word, in_free_text in words.items() if in_free_text),
        lost_values=lost_values(settings.root),
        nobody_ids=nobody_ids(settings.root),
        # landing counts it from when a file was first seen
        latest_day=date.max,
        reporting_currency=str(settings.variable("reporting_currency")),
    )
