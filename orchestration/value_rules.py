"""What landing must know to read a value: the settings of the company and the seeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from orchestration.landing.file_limits import GIGABYTE, GIGABYTES_SETTING, ROWS_SETTING, FileLimits
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
        id_key=settings.id_key,
    )


def file_limits(settings: Settings) -> FileLimits:
    """How much a file may hold, and where it may be."""
    limits = FileLimits(follow_links=settings.follow_links)
    if ROWS_SETTING in settings.defaults:
        limits = replace(limits, rows=int(settings.variable(ROWS_SETTING)))
    if GIGABYTES_SETTING in settings.defaults:
        limits = replace(limits, bytes=int(float(settings.variable(GIGABYTES_SETTING)) * GIGABYTE))
    return limits
