"""Surveys: who is asked, who answers, what they say.

    P(score <= k) = 1 / (1 + exp(-(cut_k - slope * satisfaction)))     k from the lowest score

Relationship NPS goes to a random share of the registered in one wave per quarter, to everybody once at most.
Whether somebody answers depends on their acquisition channel alone; the weight of an answer is the mean response
over the response of the channel, so that weights have the mean 1 and weighted answers stand for everybody asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from .config import AS_OF, FIRST_DAY, Config, SurveyParameters, day_number
from .orders import AS_OF_SECOND, Orders
from .people import People
from .phrases import PHRASES
from .random_streams import pick, stream
from .tables import DAY_SECONDS, NONE
from .tickets import Tickets

TYPES = ("nps", "csat", "ces")
NPS, CSAT, CES = range(3)
TRIGGERS = ("relationship", "post_purchase", "post_ticket")
RELATIONSHIP, POST_PURCHASE, POST_TICKET = range(3)
CHANNELS = ("sms", "email", "wechat", "app_push")
LANGUAGES = ("zh", "en")
LOWEST = (0, 1, 1)
# from this score on an answer praises, by type
_PRAISE = (8, 4, 5)


@dataclass(frozen=True)
class Invitations:
    """Surveys sent up to the as-of date; `order` and `ticket` are places, NONE for none; `sent` in local seconds."""

    type: np.ndarray
    trigger: np.ndarray
    person: np.ndarray
    sent: np.ndarray
    channel: np.ndarray
    order: np.ndarray
    ticket: np.ndarray

    def __len__(self) -> int:
        return len(self.type)


@dataclass(frozen=True)
class Responses:
    """Answers, sorted by time.

    Attributes:
        invitation: place of the invitation, also of anonymous answers.
        is_anonymous: the raw row says neither who answers nor to which invitation.
        weight: NaN where there is none.
        comment: place in PHRASES, NONE for none.
    """

    invitation: np.ndarray
    person: np.ndarray
    is_anonymous: np.ndarray
    weight: np.ndarray
    type: np.ndarray
    score: np.ndarray
    comment: np.ndarray
    language: np.ndarray
    channel: np.ndarray
    responded: np.ndarray

    def __len__(self) -> int:
        return len(self.type)


def wave_days() -> list[int]:
    """The day of each quarter's wave: the 10th of its second month, so that answers come in the same month."""
    quarters = [(year, month) for year in range(FIRST_DAY.year, AS_OF.year + 1) for month in (2, 5, 8, 11)]
    days = [day_number(date(year, month, 10)) for year, month in quarters]
    return [day for day in days if 0 <= day <= day_number(AS_OF) - 14]


def nps_probabilities(
    parameters: SurveyParameters, satisfaction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of a promoter, a passive and a detractor, by the formula above."""
    up_to_six = _up_to(parameters.nps_cuts[6], parameters.slope, satisfaction)
    up_to_eight = _up_to(parameters.nps_cuts[8], parameters.slope, satisfaction)
    return 1 - up_to_eight, up_to_eight - up_to_six, up_to_six


def mean_response(config: Config) -> float:
    """Share of all registered customers who would answer a relationship survey."""
    channels = config.people.channels
    return sum(c.share * c.response for c in channels) / sum(c.share for c in channels)


def _up_to(cut: float, slope: float, satisfaction: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(cut - slope * satisfaction)))


def draw_invitations(config: Config, chunk: int, people: People, orders: Orders, tickets: Tickets) -> Invitations:
    """Relationship waves, then surveys after purchases and after tickets."""
    parameters = config.surveys
    random = stream(config.seed, chunk, "waves")
    parts = []
    was_asked = people.is_guest
    for day in wave_days():
        chosen = random.random(people.count) < parameters.wave_share
        also_csat = random.random(people.count) < parameters.csat_wave_share
        clock = day * DAY_SECONDS + random.integers(36_000, 43_200, people.count)
        asked = np.flatnonzero(chosen & ~was_asked & (people.registered_day < day))
        was_asked = was_asked.copy()
        was_asked[asked] = True
        parts.append(_invited(NPS, RELATIONSHIP, asked, clock[asked]))
        again = asked[also_csat[asked]]
        parts.append(_invited(CSAT, RELATIONSHIP, again, clock[again] + 60))
    random = stream(config.seed, chunk, "transactional surveys")
    is_asked = random.random(len(orders)) < parameters.post_purchase_share
    bought = np.flatnonzero(is_asked & orders.is_valid & ~people.is_guest[orders.person])
    parts.append(
        _invited(CSAT, POST_PURCHASE, orders.person[bought], orders.second[bought] + 2 * DAY_SECONDS, order=bought)
    )
    is_known = (tickets.person >= 0) & ~people.is_guest[tickets.person]
    is_asked = random.random(len(tickets)) < parameters.post_ticket_share
    is_effort = random.random(len(tickets)) < 0.5
    for kind, chosen in ((CSAT, ~is_effort), (CES, is_effort)):
        helped = np.flatnonzero(is_asked & chosen & is_known & (tickets.resolved >= 0))
        sent = tickets.resolved[helped] + 3_600
        parts.append(_invited(kind, POST_TICKET, tickets.person[helped], sent, ticket=helped))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    places = np.argsort(columns[3], kind="stable")
    places = places[columns[3][places] <= AS_OF_SECOND]
    type_, trigger, person, sent, order, ticket = (column[places] for column in columns)
    channel = pick(stream(config.seed, chunk, "survey channels"), (0.4, 0.25, 0.25, 0.1), len(places))
    return Invitations(type_, trigger, person, sent, channel, order, ticket)


def _invited(
    type_: int,
    trigger: int,
    person: np.ndarray,
    sent: np.ndarray,
    order: np.ndarray | None = None,
    ticket: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    none = np.full(len(person), NONE)
    return (
        np.full(len(person), type_),
        np.full(len(person), trigger),
        person,
        sent,
        none if order is None else order,
        none if ticket is None else ticket,
    )


def draw_responses(config: Config, chunk: int, people: People, tickets: Tickets, invitations: Invitations) -> Responses:
    """Who answers and what; some answer twice, some do not say who they are."""
    parameters = config.surveys
    random = stream(config.seed, chunk, "answers")
    chances = np.array([c.response for c in config.people.channels])
    is_relationship = invitations.trigger == RELATIONSHIP
    channel = people.channel[invitations.person]
    chance = chances[channel] * np.where(is_relationship, 1.0, parameters.transactional_response)
    answered = np.flatnonzero(random.random(len(invitations)) < chance)
    delay = np.minimum(random.geometric(0.35, len(invitations)) - 1, 11) * DAY_SECONDS
    responded = invitations.sent + delay + random.integers(600, 36_000, len(invitations))
    twice = answered[random.random(len(answered)) < parameters.twice_share]
    later = responded[twice] + random.integers(3_600, DAY_SECONDS, len(twice))
    invitation = np.concatenate([answered, twice])
    responded = np.concatenate([responded[answered], later])
    places = np.argsort(responded, kind="stable")
    places = places[responded[places] <= AS_OF_SECOND]
    invitation, responded = invitation[places], responded[places]
    person, type_ = invitations.person[invitation], invitations.type[invitation]
    satisfaction = people.latents.satisfaction[person]
    ticket = invitations.ticket[invitation]
    if len(tickets):
        of_bad_ticket = (ticket >= 0) & tickets.is_bad[ticket]
        satisfaction = satisfaction - np.where(of_bad_ticket, parameters.bad_ticket_shift, 0.0)
    score = _draw_scores(parameters, type_, satisfaction, random)
    # an answer of somebody unnamed is of nobody who answered twice
    answers = np.bincount(invitation, minlength=len(invitations))[invitation]
    is_anonymous = (random.random(len(person)) < parameters.anonymous_share) & (type_ == NPS) & (answers == 1)
    weight = np.where(type_ == NPS, mean_response(config) / chances[people.channel[person]], np.nan)
    is_english = people.is_english[person] ^ (random.random(len(person)) < 0.03)
    return Responses(
        invitation=invitation,
        person=person,
        is_anonymous=is_anonymous,
        weight=weight,
        type=type_,
        score=score,
        comment=_draw_comments(parameters, type_, score, is_english, random),
        language=is_english.astype(np.int64),
        channel=invitations.channel[invitation],
        responded=responded,
    )


def _draw_scores(
    parameters: SurveyParameters, type_: np.ndarray, satisfaction: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    drawn = random.random(len(type_))
    score = np.zeros(len(type_), dtype=np.int64)
    for kind, cuts in enumerate((parameters.nps_cuts, parameters.csat_cuts, parameters.ces_cuts)):
        rows = type_ == kind
        # the score is as many steps above the lowest as there are cuts whose probability the draw exceeds
        chances = np.stack([_up_to(cut, parameters.slope, satisfaction[rows]) for cut in cuts])
        score[rows] = LOWEST[kind] + (drawn[rows] > chances).sum(axis=0)
    return score


def _draw_comments(
    parameters: SurveyParameters,
    type_: np.ndarray,
    score: np.ndarray,
    is_english: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    is_praise = score >= np.array(_PRAISE)[type_]
    comment = np.full(len(type_), NONE)
    has_comment = random.random(len(type_)) < parameters.comment_share
    drawn = random.random(len(type_))
    for praise in (False, True):
        for english in (False, True):
            fitting = [n for n, p in enumerate(PHRASES) if p.is_praise == praise and p.is_english == english]
            rows = has_comment & (is_praise == praise) & (is_english == english)
            comment[rows] = np.array(fitting)[(drawn[rows] * len(fitting)).astype(int)]
    return comment
