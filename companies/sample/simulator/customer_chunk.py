"""Everything that happens to one chunk of customers, before any of it is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .campaigns import Assignments, CampaignEvents, draw_assignments
from .campaigns import draw_events as draw_campaign_events
from .config import NEVER, Config
from .consents import Consents, draw_consents
from .contacts import Contacts, draw_contacts
from .coupons import Coupons, draw_coupons
from .identities import Identities, draw_identities
from .memberships import Memberships, draw_memberships, enrolment_seconds
from .mentions import Mentions, draw_mentions
from .orders import AS_OF_SECOND, OrderLines, Orders, draw_lines, draw_orders
from .people import People, draw_people
from .points import Points, draw_points
from .programme import Offers, draw_extra_days, draw_offers
from .purchases import CAMPAIGN, PROGRAMME, PurchaseDays, draw_base_days, draw_spend
from .random_streams import stream
from .season import Season
from .surveys import Invitations, Responses, draw_invitations, draw_responses
from .tables import DAY_SECONDS
from .tickets import Tickets, draw_tickets
from .web import WebEvents, draw_web_events


@dataclass(frozen=True)
class Shopping:
    """Who the people are, and what they buy and why.

    Attributes:
        drops_out_on: day at which each person drops out of the base process, NEVER where that is not by LAST_DAY.
        registered_second: when each person registered, in local seconds.
        enrolled: when each person enrolled, in local seconds; NONE for who is no member.
    """

    people: People
    drops_out_on: np.ndarray
    assignments: Assignments
    offers: Offers
    days: PurchaseDays
    orders: Orders
    lines: OrderLines
    registered_second: np.ndarray
    enrolled: np.ndarray


@dataclass(frozen=True)
class Chunk:
    """A chunk of customers: what they buy, and all that goes with it."""

    number: int
    shopping: Shopping
    memberships: Memberships
    points: Points
    tickets: Tickets
    invitations: Invitations
    responses: Responses
    identities: Identities
    contacts: Contacts
    coupons: Coupons
    events: CampaignEvents
    consents: Consents
    visits: WebEvents
    mentions: Mentions


def draw_chunk(
    config: Config, season: Season, number: int, registered: int, first_customer: int, first_person: int
) -> Chunk:
    """Draw the chunk of that number; `first_customer` and `first_person` as draw_people takes them."""
    people = draw_people(config, number, registered, first_customer, first_person)
    shopping = _draw_shopping(config, season, number, people)
    orders, assignments, enrolled = shopping.orders, shopping.assignments, shopping.enrolled
    memberships = draw_memberships(config, number, people, orders, enrolled)
    is_closed = np.zeros(people.count, dtype=bool)
    is_closed[memberships.person[memberships.is_closed]] = True
    tickets = draw_tickets(config, number, people, orders)
    invitations = draw_invitations(config, number, people, orders, tickets)
    identities = draw_identities(config, number, people, orders)
    events = draw_campaign_events(config, number, assignments)
    since = shopping.registered_second
    return Chunk(
        number=number,
        shopping=shopping,
        memberships=memberships,
        points=draw_points(config, number, orders, enrolled, is_closed),
        tickets=tickets,
        invitations=invitations,
        responses=draw_responses(config, number, people, tickets, invitations),
        identities=identities,
        contacts=draw_contacts(config, number, people, identities),
        coupons=draw_coupons(config, number, people, assignments, orders, since),
        events=events,
        consents=draw_consents(config, number, people, assignments, events, since),
        visits=draw_web_events(config, number, people, orders, shopping.lines, identities, since),
        mentions=draw_mentions(config, number, people),
    )


def _draw_shopping(config: Config, season: Season, number: int, people: People) -> Shopping:
    """Base purchases, those that campaigns add, the offers that these lead to, then those that membership adds."""
    random = stream(config.seed, number, "base purchases")
    base, drops_out_on = draw_base_days(config.purchases, people.latents, people.first_day, season, random)
    assignments = draw_assignments(config, number, people)
    adds = assignments.is_treated & (assignments.extra_day < NEVER)
    before = base.joined(assignments.person[adds], assignments.extra_day[adds], CAMPAIGN)
    rate = people.latents.spend_rate
    spend_before = draw_spend(config.purchases, rate[before.person], stream(config.seed, number, "spend"))
    offers = draw_offers(config, number, people, before, spend_before)
    days = before.joined(*draw_extra_days(config, number, people, offers, drops_out_on, season), PROGRAMME)
    # what was spent without the programme is spent with it, too
    spend = draw_spend(config.purchases, rate[days.person], stream(config.seed, number, "programme spend"))
    spend[days.source != PROGRAMME] = spend_before
    orders = draw_orders(config, number, people, days, spend)
    return Shopping(
        people=people,
        drops_out_on=drops_out_on,
        assignments=assignments,
        offers=offers,
        days=days,
        orders=orders,
        lines=draw_lines(config, number, orders),
        registered_second=_registration_seconds(config, number, people, orders),
        enrolled=enrolment_seconds(config, number, people, offers, orders),
    )


def _registration_seconds(config: Config, number: int, people: People, orders: Orders) -> np.ndarray:
    """When each person registered, shape (persons,): minutes before an order on that day."""
    clock = stream(config.seed, number, "registration times").integers(8 * 3_600, 22 * 3_600, people.count)
    second = people.registered_day * DAY_SECONDS + clock
    first = np.full(people.count, AS_OF_SECOND)
    np.minimum.at(first, orders.person, orders.second)
    return np.where(first - 600 < second, np.maximum(first - 600, people.registered_day * DAY_SECONDS), second)
