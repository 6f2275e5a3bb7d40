"""Campaigns with a control arm: who is targeted, the extra purchases that treatment causes, and what the treated do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import AS_OF_DAY, NEVER, Config, day_number
from .orders import AS_OF_SECOND
from .people import People
from .purchases import CAMPAIGN, PurchaseDays
from .random_streams import stream
from .tables import DAY_SECONDS

EVENTS = ("sent", "delivered", "opened", "clicked", "attended", "unsubscribed")
SENT, DELIVERED, OPENED, CLICKED, ATTENDED, UNSUBSCRIBED = range(6)
# assigned at nine o'clock
ASSIGNED_CLOCK = 9 * 3_600
# of the sent: delivered; of the delivered: opened; of the opened (delivered, where nobody knows who opens): clicked
# or attended
_STEPS: dict[str, tuple[float, float | None, float | None, float | None]] = {
    "email": (0.96, 0.38, 0.30, None),
    "sms": (0.98, None, 0.10, None),
    "wechat": (0.99, 0.55, 0.25, None),
    "app_push": (0.90, 0.20, 0.40, None),
    "phone": (0.60, None, None, None),
    "event": (0.98, 0.50, None, 0.35),
    "direct_mail": (0.97, None, None, None),
}
_UNSUBSCRIBABLE = ("email", "sms", "wechat", "app_push")
_UNSUBSCRIBED = 0.015


@dataclass(frozen=True)
class Assignments:
    """One row per campaign and customer, sorted by both.

    Attributes:
        campaign: place of the campaign in the config.
        person: place of the customer.
        day: day of the assignment.
        is_treated: whether the arm is `treatment`.
        extra_day: day of the extra purchase that treatment would cause, NEVER where it would cause none; of both arms.
        unsubscribes: whether the customer wants no more of the channel after it; they are sent nothing more by it.
    """

    campaign: np.ndarray
    person: np.ndarray
    day: np.ndarray
    is_treated: np.ndarray
    extra_day: np.ndarray
    unsubscribes: np.ndarray

    def __len__(self) -> int:
        return len(self.campaign)


def draw_assignments(config: Config, chunk: int, people: People) -> Assignments:
    """Who is targeted: a random share of those who have bought before that day and may be sent campaigns."""
    parameters = config.campaigns
    columns: list[tuple[np.ndarray, ...]] = []
    refused: dict[str, np.ndarray] = {}
    for place, campaign in enumerate(parameters.campaigns):
        random = stream(config.seed, chunk, f"campaign {place}")
        day = day_number(campaign.day)
        is_chosen = random.random(people.count) < parameters.target_share
        is_treated = random.random(people.count) < parameters.treatment_share
        would_buy = random.random(people.count) < campaign.extra_probability
        extra_day = day + random.integers(1, parameters.extra_days + 1, people.count)
        refuses = (random.random(people.count) < _UNSUBSCRIBED) & (campaign.channel in _UNSUBSCRIBABLE) & is_treated
        has_refused = refused.setdefault(campaign.channel, np.zeros(people.count, dtype=bool))
        persons = np.flatnonzero(is_chosen & people.may_be_sent & ~has_refused & (people.first_day < day))
        has_refused[persons] |= refuses[persons]
        columns.append(
            (
                np.full(len(persons), place),
                persons,
                np.full(len(persons), day),
                is_treated[persons],
                np.where(would_buy, extra_day, NEVER)[persons],
                refuses[persons],
            )
        )
    return Assignments(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


def probability_of_no_extra(config: Config, assignments: Assignments, after: np.ndarray, days: int) -> np.ndarray:
    """Per person the probability that no campaign adds a purchase in the `days` days after the day `after`.

    Who is targeted and treated is taken as it is. A treated customer buys on each of the days 1 to extra_days after the
    assignment with probability extra_probability / extra_days. Shape (persons,).
    """
    parameters = config.campaigns
    chances = np.array([campaign.extra_probability for campaign in parameters.campaigns])
    treated = assignments.is_treated
    person, day = assignments.person[treated], assignments.day[treated]
    first = np.maximum(day + 1, after[person] + 1)
    last = np.minimum(day + parameters.extra_days, after[person] + days)
    within = np.maximum(last - first + 1, 0) / parameters.extra_days
    none = np.ones(len(after))
    np.multiply.at(none, person, 1 - chances[assignments.campaign[treated]] * within)
    return none


@dataclass(frozen=True)
class CampaignEvents:
    """What treated customers did, by assignment and time; `row`: place of the assignment, times in local seconds."""

    row: np.ndarray
    type: np.ndarray
    occurred: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def draw_events(config: Config, chunk: int, assignments: Assignments) -> CampaignEvents:
    """Sending to whom is treated, and what follows; none of it depends on what they buy."""
    random = stream(config.seed, chunk, "campaign events")
    names = [campaign.channel for campaign in config.campaigns.campaigns]
    chances = np.array([[np.nan if s is None else s for s in _STEPS[name]] for name in names], dtype=float)
    rows = np.flatnonzero(assignments.is_treated)
    chance = chances[assignments.campaign[rows]]
    count = len(rows)
    sent = assignments.day[rows] * DAY_SECONDS + ASSIGNED_CLOCK + random.integers(600, 4_200, count)
    delivered = sent + random.integers(2, 600, count)
    opened = delivered + np.rint(random.exponential(6 * 3_600, count)).astype(np.int64) + 30
    clicked = np.where(np.isnan(chance[:, 1]), delivered, opened) + random.integers(20, 1_800, count)
    attended = (assignments.day[rows] + 4) * DAY_SECONDS + 14 * 3_600 + random.integers(0, 3_600, count)
    draws = random.random((4, count))
    is_delivered = (draws[0] < chance[:, 0]) | assignments.unsubscribes[rows]
    is_opened = is_delivered & (draws[1] < np.nan_to_num(chance[:, 1]))
    is_seen = np.where(np.isnan(chance[:, 1]), is_delivered, is_opened)
    is_clicked = is_seen & (draws[2] < np.nan_to_num(chance[:, 2]))
    is_attended = is_seen & (draws[3] < np.nan_to_num(chance[:, 3]))
    kinds = (
        (SENT, np.full(count, True), sent),
        (DELIVERED, is_delivered, delivered),
        (OPENED, is_opened, opened),
        (CLICKED, is_clicked, clicked),
        (ATTENDED, is_attended, attended),
        (UNSUBSCRIBED, assignments.unsubscribes[rows], delivered + 3_600),
    )
    row = np.concatenate([rows[happens] for _, happens, _ in kinds])
    type_ = np.concatenate([np.full(int(happens.sum()), kind) for kind, happens, _ in kinds])
    occurred = np.concatenate([time[happens] for _, happens, time in kinds])
    order = np.lexsort((type_, occurred, row))
    order = order[occurred[order] <= AS_OF_SECOND]
    return CampaignEvents(row[order], type_[order], occurred[order])


def conversions(config: Config, assignments: Assignments, days: PurchaseDays) -> tuple[np.ndarray, np.ndarray]:
    """Whether each assignment is followed by a purchase day within conversion_days without treatment, and with it."""
    others = days.where(days.source != CAMPAIGN)
    after = np.minimum(assignments.day, AS_OF_DAY)
    keys = others.person.astype(np.int64) * (NEVER + 1) + others.day
    begins = assignments.person.astype(np.int64) * (NEVER + 1)
    until = np.minimum(after + config.campaigns.conversion_days, NEVER)
    without = np.searchsorted(keys, begins + until, side="right") > np.searchsorted(keys, begins + after, side="right")
    return without, without | (assignments.extra_day < NEVER)
