"""Consents and requests to be forgotten. Who never consented gets no campaign, who unsubscribed none by that way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .campaigns import UNSUBSCRIBED, Assignments, CampaignEvents
from .config import AS_OF_DAY, Config
from .orders import AS_OF_SECOND
from .people import People
from .random_streams import stream
from .tables import DAY_SECONDS

CHANNELS = ("email", "sms", "app_push", "phone", "wechat", "all")
ALL = 5
# after the last campaign, so that nobody was sent anything after withdrawing
_LAST_DAYS = 45
_ONE_BY_ONE_SHARE, _SILENT_SHARE, _WITHDRAWN_SHARE = 0.4, 0.5, 0.02


@dataclass(frozen=True)
class Consents:
    """Consents by time of recording in local seconds; `erased` and `erased_second` are the requests to be forgotten."""

    person: np.ndarray
    channel: np.ndarray
    is_granted: np.ndarray
    recorded: np.ndarray
    erased: np.ndarray
    erased_second: np.ndarray


def draw_consents(
    config: Config,
    chunk: int,
    people: People,
    assignments: Assignments,
    events: CampaignEvents,
    registered_second: np.ndarray,
) -> Consents:
    """Given when registering, for all channels or one by one; withdrawn by unsubscribing, and lately for all."""
    random = stream(config.seed, chunk, "consents")
    who = np.arange(people.registered)
    one_by_one = random.random(people.registered) < _ONE_BY_ONE_SHARE
    is_silent = random.random(people.registered) < _SILENT_SHARE
    withdraws = random.random(people.registered) < _WITHDRAWN_SHARE
    at_registration = registered_second[who] + 5
    late = _late_seconds(random, people.registered)
    willing = people.may_be_sent[who]
    parts = [_rows(who[willing & ~one_by_one], ALL, True, at_registration)]
    parts += [_rows(who[willing & one_by_one], channel, True, at_registration) for channel in range(ALL)]
    parts.append(_rows(who[~willing & ~is_silent], ALL, False, at_registration))
    parts.append(_rows(who[willing & withdraws & (at_registration < late)], ALL, False, late))
    rows = np.flatnonzero(events.type == UNSUBSCRIBED)
    names = [campaign.channel for campaign in config.campaigns.campaigns]
    channel_of = np.array([CHANNELS.index(name) if name in CHANNELS else ALL for name in names])
    row = events.row[rows]
    refused = channel_of[assignments.campaign[row]]
    parts.append((assignments.person[row], refused, np.zeros(len(row), dtype=bool), events.occurred[rows]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0], columns[3]))
    order = order[columns[3][order] <= AS_OF_SECOND]
    person, channel, is_granted, recorded = (column[order] for column in columns)
    asks = random.random(people.registered) < config.people.erasure_share
    asked = _late_seconds(random, people.registered)
    erased = np.flatnonzero(asks & (asked > at_registration))
    return Consents(person, channel, is_granted, recorded, erased, asked[erased])


def _late_seconds(random: np.random.Generator, count: int) -> np.ndarray:
    return (AS_OF_DAY - random.integers(0, _LAST_DAYS, count)) * DAY_SECONDS + random.integers(32_400, 75_600, count)


def _rows(
    persons: np.ndarray, channel: int, is_granted: bool, recorded: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    count = len(persons)
    return persons, np.full(count, channel), np.full(count, is_granted), recorded[persons]
