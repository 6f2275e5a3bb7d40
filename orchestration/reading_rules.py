"""How a company's files are read, from its settings and the seeds: what landing must know beside the contract."""

from __future__ import annotations

from datetime import date

from orchestration import seeds
from orchestration.landing.values import ValueRules
from orchestration.settings import Settings


def reading_rules(settings: Settings) -> ValueRules:
    """The rules of a company. Landing counts the latest day anew, of each file from when it was first seen."""
    words = seeds.words_for_nothing(settings.root)
    return ValueRules(
        business_timezone=str(settings.variable("business_timezone")),
        timestamps_without_offset=str(settings.variable("timestamps_without_offset")),
        words_for_nothing=tuple(words),
        words_in_free_text=tuple(word for word, in_free_text in words.items() if in_free_text),
        nobody_ids=seeds.nobody_ids(settings.root),
        reporting_currency=str(settings.variable("reporting_currency")),
        latest_day=date.max,
    )
