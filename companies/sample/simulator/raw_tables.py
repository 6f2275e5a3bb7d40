"""The raw tables of the contract, made of what was drawn. Rows are in the order of the arrays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from . import campaigns, consents, mentions, surveys, tickets, web
from . import memberships as tiers
from . import orders as shop
from . import points as ledger
from .campaigns import ASSIGNED_CLOCK, Assignments, CampaignEvents
from .config import Config, day_number
from .consents import Consents
from .contacts import PLACEHOLDER_PHONE, Contacts, spell_email, spell_phone
from .coupons import PUBLIC, Coupons
from .customer_chunk import Chunk
from .identities import BY_CUSTOMER_ID, BY_DEVICE, BY_EMAIL, BY_PHONE, TRANSITIVE, Identities
from .memberships import Memberships
from .mentions import Mentions
from .names import CITIES, GENDERS, INCOME_BANDS, OCCUPATIONS
from .orders import AS_OF_SECOND, OrderLines, Orders
from .people import People
from .phrases import MENTIONS, PHRASES
from .points import Points
from .products import products
from .random_streams import stream
from .surveys import Invitations, Responses
from .tables import (
    DAY_SECONDS,
    NONE,
    Column,
    Table,
    counts,
    dates,
    decimals,
    either,
    flags,
    ids,
    labels,
    moments,
    money,
    signed,
    texts,
)
from .tickets import Tickets
from .web import WebEvents


@dataclass(frozen=True)
class Numbers:
    """Numbers of the ids of a chunk's rows, in their order."""

    orders: np.ndarray
    tickets: np.ndarray
    invitations: np.ndarray
    responses: np.ndarray
    coupons: np.ndarray
    redemptions: np.ndarray
    points: np.ndarray
    campaign_events: np.ndarray
    web_events: np.ndarray
    sessions: np.ndarray
    mentions: np.ndarray


class Numbering:
    """Ids run on from chunk to chunk."""

    def __init__(self) -> None:
        # the first coupons are the public ones
        self._taken: Counter[str] = Counter(coupons=len(PUBLIC))

    def of(self, chunk: Chunk) -> Numbers:
        """The numbers of the next chunk."""
        counts = {
            "orders": len(chunk.shopping.orders),
            "tickets": len(chunk.tickets),
            "invitations": len(chunk.invitations),
            "responses": len(chunk.responses),
            "coupons": len(chunk.coupons),
            "redemptions": len(chunk.coupons.used_order),
            "points": len(chunk.points),
            "campaign_events": len(chunk.events),
            "web_events": len(chunk.visits),
            "sessions": chunk.visits.sessions,
            "mentions": len(chunk.mentions),
        }
        return Numbers(**{name: self._take(name, count) for name, count in counts.items()})

    def _take(self, name: str, count: int) -> np.ndarray:
        first = self._taken[name] + 1
        self._taken[name] += count
        return np.arange(first, first + count)


def tables_of(config: Config, chunk: Chunk, numbers: Numbers) -> dict[str, Table]:
    """The raw tables that have rows of a chunk, by name."""
    shopping, number, coupons = chunk.shopping, chunk.number, chunk.coupons
    people, orders, lines = shopping.people, shopping.orders, shopping.lines
    at_till = chunk.identities.at_till
    return {
        "customers": customers_table(config, number, people, chunk.contacts, shopping.registered_second),
        "consents": consents_table(people, chunk.consents),
        "erasure_requests": erasure_requests_table(people, chunk.consents),
        "orders": orders_table(config, number, people, orders, lines, coupons, numbers, at_till),
        "order_items": order_items_table(orders, lines, numbers.orders),
        "memberships": memberships_table(people, chunk.memberships),
        "points_transactions": points_table(people, chunk.points, numbers),
        "campaign_members": campaign_members_table(people, shopping.assignments),
        "campaign_events": campaign_events_table(people, shopping.assignments, chunk.events, numbers),
        "coupons": coupons_table(people, coupons, numbers),
        "coupon_redemptions": coupon_redemptions_table(people, coupons, orders, numbers),
        "survey_invitations": survey_invitations_table(people, chunk.invitations, numbers),
        "survey_responses": survey_responses_table(people, chunk.responses, numbers),
        "tickets": tickets_table(people, chunk.tickets, numbers),
        "web_events": web_events_table(config, people, chunk.visits, numbers),
        "social_mentions": social_mentions_table(people, chunk.mentions, numbers),
        "customer_identities": customer_identities_table(config, number, people, chunk.contacts, chunk.identities),
    }


def customer_ids(people: People, person: np.ndarray, at_till: np.ndarray | None = None) -> Column:
    """The id under which a raw table knows a person, null for NONE; `at_till`: the row has the id of the till."""
    is_till = people.is_guest[person] if at_till is None else at_till
    till = ids("pos:S", people.till_numbers[person])
    customer = ids("C", np.where(person >= 0, people.customer_numbers[person], NONE))
    return either(is_till & (person >= 0), till, customer)


def products_table() -> Table:
    """raw/products."""
    range_ = products()
    count = len(range_.price)
    return {
        "product_id": ids("P", 1 + np.arange(count), 4),
        "product_name": texts(range_.names),
        "category": texts(range_.categories),
        "subcategory": texts(range_.subcategories),
        "brand": texts(range_.brands),
        "unit_cost": money(range_.unit_cost),
        "updated_at": moments(np.full(count, 6 * 3600)),
    }


def customers_table(
    config: Config, chunk: int, people: People, contacts: Contacts, registered_second: np.ndarray
) -> Table:
    """raw/customers: the registered."""
    random = stream(config.seed, chunk, "customer records")
    who = np.arange(people.registered)
    seconds = registered_second[who]
    touched = seconds + (random.random(len(who)) * (AS_OF_SECOND - seconds) * 0.5).astype(np.int64)
    # who registered as a child is no case to simulate; some never tell
    birth = np.where(random.random(len(who)) < 0.08, np.iinfo(np.int64).min, people.birth_day[who])
    return {
        "customer_id": ids("C", people.customer_numbers[who]),
        "registered_at": moments(seconds),
        "birth_date": dates(birth),
        "gender": labels([name for name, _ in GENDERS], people.gender[who]),
        "country": texts(["CN"] * len(who)),
        "region": labels([province for province, *_ in CITIES], people.city[who]),
        "city": labels([city for _, city, _ in CITIES], people.city[who]),
        "occupation": labels(
            [name or "" for name, _ in OCCUPATIONS], _without_last(people.occupation[who], OCCUPATIONS)
        ),
        "income_band": labels(
            [name or "" for name, _ in INCOME_BANDS], _without_last(people.income_band[who], INCOME_BANDS)
        ),
        "acquisition_channel": labels([c.name for c in config.people.channels], people.channel[who]),
        "referred_by_customer_id": customer_ids(people, people.referrer[who]),
        "full_name": texts(contacts.name[: len(who)]),
        "email": texts(contacts.email_on_file[: len(who)]),
        "phone": texts(contacts.phone_on_file[: len(who)]),
        "is_deleted": flags(people.is_deleted[who]),
        "updated_at": moments(touched),
    }


def _without_last(codes: np.ndarray, names: tuple[tuple[str | None, float], ...]) -> np.ndarray:
    """The last name of the list is None: not known."""
    return np.where(codes == len(names) - 1, NONE, codes)


def orders_table(
    config: Config,
    chunk: int,
    people: People,
    orders: Orders,
    lines: OrderLines,
    coupons: Coupons,
    numbers: Numbers,
    at_till: np.ndarray,
) -> Table:
    """raw/orders."""
    random = stream(config.seed, chunk, "order records")
    count = len(orders)
    cost = np.where(random.random(count) < 0.05, NONE, lines.cost_by_order(count))
    last_change = np.maximum(orders.second, orders.refunded_second)
    updated = np.minimum(last_change + random.integers(60, 4 * DAY_SECONDS, count), AS_OF_SECOND)
    coupon, discount = np.full(count, NONE), orders.discount.copy()
    coupon[coupons.used_order] = _coupon_numbers_of(coupons.used_coupon, numbers)
    discount[coupons.used_order] = np.maximum(discount[coupons.used_order], 0) + coupons.used_face
    return {
        "order_id": ids("O", numbers.orders, 8),
        "customer_id": customer_ids(people, orders.person, at_till),
        "ordered_at": moments(orders.second),
        "status": labels(shop.STATUSES, orders.status),
        "channel": labels(shop.CHANNELS, orders.channel),
        "store_id": ids("T", orders.store, 2),
        "order_amount": money(orders.amount),
        "discount_amount": money(discount),
        "shipping_amount": money(orders.shipping),
        "tax_amount": money(orders.tax),
        "cost_amount": money(cost),
        "refund_amount": money(orders.refund),
        "refunded_at": moments(orders.refunded_second),
        "coupon_id": ids("Q", coupon),
        "updated_at": moments(updated),
    }


def order_items_table(orders: Orders, lines: OrderLines, numbers: np.ndarray) -> Table:
    """raw/order_items."""
    return {
        "order_id": ids("O", numbers[lines.order], 8),
        "line_number": counts(lines.number),
        "product_id": ids("P", 1 + lines.product, 4),
        "quantity": counts(lines.quantity),
        "line_amount": money(lines.amount),
        "discount_amount": money(lines.discount),
        "unit_cost": money(products().unit_cost[lines.product]),
        "updated_at": moments(orders.second[lines.order]),
    }


def memberships_table(people: People, memberships: Memberships) -> Table:
    """raw/memberships."""
    return {
        "member_id": ids("M", people.customer_numbers[memberships.person]),
        "customer_id": customer_ids(people, memberships.person),
        "enrolled_at": moments(memberships.enrolled),
        "tier": labels(tiers.TIERS, memberships.tier),
        "status": labels(tiers.STATUSES, memberships.is_closed.astype(np.int64)),
        "updated_at": moments(memberships.since),
    }


def survey_invitations_table(people: People, invitations: Invitations, numbers: Numbers) -> Table:
    """raw/survey_invitations."""
    return {
        "invitation_id": ids("I", numbers.invitations),
        "survey_type": labels(surveys.TYPES, invitations.type),
        "customer_id": customer_ids(people, invitations.person),
        "sent_at": moments(invitations.sent),
        "channel": labels(surveys.CHANNELS, invitations.channel),
        "trigger": labels(surveys.TRIGGERS, invitations.trigger),
        "order_id": ids("O", _numbers_at(numbers.orders, invitations.order), 8),
        "ticket_id": ids("K", _numbers_at(numbers.tickets, invitations.ticket)),
    }


def survey_responses_table(people: People, responses: Responses, numbers: Numbers) -> Table:
    """raw/survey_responses; the anonymous name neither the customer nor the invitation."""
    return {
        "response_id": ids("R", numbers.responses),
        "invitation_id": ids("I", np.where(responses.is_anonymous, NONE, numbers.invitations[responses.invitation])),
        "customer_id": customer_ids(people, np.where(responses.is_anonymous, NONE, responses.person)),
        "weight": decimals(responses.weight),
        "survey_type": labels(surveys.TYPES, responses.type),
        "score": counts(responses.score),
        "comment": labels([phrase.text for phrase in PHRASES], responses.comment),
        "language": labels(surveys.LANGUAGES, responses.language),
        "channel": labels(surveys.CHANNELS, responses.channel),
        "responded_at": moments(responses.responded),
    }


def tickets_table(people: People, asked: Tickets, numbers: Numbers) -> Table:
    """raw/tickets."""
    newest = np.maximum(np.maximum(asked.opened, asked.responded), asked.resolved)
    return {
        "ticket_id": ids("K", numbers.tickets),
        "customer_id": customer_ids(people, asked.person),
        "opened_at": moments(asked.opened),
        "first_responded_at": moments(asked.responded),
        "resolved_at": moments(asked.resolved),
        "reopened_count": counts(asked.reopened),
        "category": labels(tickets.CATEGORIES, asked.category),
        "is_complaint": flags(asked.is_bad),
        "channel": labels(tickets.CHANNELS, asked.channel),
        "priority": labels(tickets.PRIORITIES, asked.priority),
        "updated_at": moments(newest),
    }


def _numbers_at(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Numbers at these places, NONE where the place is."""
    if not len(numbers):
        return np.full(len(places), NONE)
    return np.where(places >= 0, numbers[places], NONE)


def points_table(people: People, points: Points, numbers: Numbers) -> Table:
    """raw/points_transactions."""
    return {
        "points_transaction_id": ids("L", numbers.points, 8),
        "member_id": ids("M", people.customer_numbers[points.person]),
        "type": labels(ledger.TYPES, points.type),
        "points": signed(points.points),
        "occurred_at": moments(points.occurred),
        "expires_at": moments(points.expires),
        "order_id": ids("O", _numbers_at(numbers.orders, points.order), 8),
    }


def campaigns_table(config: Config) -> Table:
    """raw/campaigns; a campaign ends two weeks after it began."""
    plans = config.campaigns.campaigns
    day = np.array([day_number(plan.day) for plan in plans])
    begins = day * DAY_SECONDS + ASSIGNED_CLOCK - 3_600
    # CNY per contact, by hand dearer than by machine
    contact = np.array([{"phone": 600, "event": 2_500, "direct_mail": 450}.get(plan.channel, 30) for plan in plans])
    targeted = config.customers * 0.4 * config.campaigns.target_share * (day + 60) / (day.max() + 60)
    cost = np.rint(contact * targeted * config.campaigns.treatment_share).astype(np.int64) + 20_000
    return {
        "campaign_id": ids("G", 1 + np.arange(len(plans)), 2),
        "campaign_name": texts([plan.name for plan in plans]),
        "channel": texts([plan.channel for plan in plans]),
        "objective": texts([plan.objective for plan in plans]),
        "started_at": moments(begins),
        "ended_at": moments(begins + 14 * DAY_SECONDS),
        "budget_amount": money(np.rint(cost * 1.2).astype(np.int64)),
        "cost_amount": money(cost),
        "updated_at": moments(begins + 15 * DAY_SECONDS),
    }


def campaign_members_table(people: People, assignments: Assignments) -> Table:
    """raw/campaign_members."""
    return {
        "campaign_id": ids("G", 1 + assignments.campaign, 2),
        "customer_id": customer_ids(people, assignments.person),
        "arm": labels(("control", "treatment"), assignments.is_treated.astype(np.int64)),
        "assigned_at": moments(assignments.day * DAY_SECONDS + ASSIGNED_CLOCK),
    }


def campaign_events_table(people: People, assignments: Assignments, events: CampaignEvents, numbers: Numbers) -> Table:
    """raw/campaign_events."""
    return {
        "campaign_event_id": ids("V", numbers.campaign_events),
        "campaign_id": ids("G", 1 + assignments.campaign[events.row], 2),
        "customer_id": customer_ids(people, assignments.person[events.row]),
        "event_type": labels(campaigns.EVENTS, events.type),
        "occurred_at": moments(events.occurred),
    }


def public_coupons_table() -> Table:
    """raw/coupons: those that everybody can use; they are the first."""
    begins = np.array([day_number(first) for first, *_ in PUBLIC]) * DAY_SECONDS
    ends = np.array([day_number(last) + 1 for _, last, _ in PUBLIC]) * DAY_SECONDS
    none = np.full(len(PUBLIC), NONE)
    return {
        "coupon_id": ids("Q", 1 + np.arange(len(PUBLIC))),
        "campaign_id": ids("G", none, 2),
        "customer_id": ids("C", none),
        "issued_at": moments(begins),
        "expires_at": moments(ends),
        "face_amount": money(np.array([face for *_, face in PUBLIC])),
    }


def coupons_table(people: People, coupons: Coupons, numbers: Numbers) -> Table:
    """raw/coupons: those of customers."""
    return {
        "coupon_id": ids("Q", numbers.coupons),
        "campaign_id": ids("G", np.where(coupons.campaign >= 0, 1 + coupons.campaign, NONE), 2),
        "customer_id": customer_ids(people, coupons.person),
        "issued_at": moments(coupons.issued),
        "expires_at": moments(coupons.expires),
        "face_amount": money(coupons.face),
    }


def coupon_redemptions_table(people: People, coupons: Coupons, orders: Orders, numbers: Numbers) -> Table:
    """raw/coupon_redemptions, under the customer's own id, whatever the till calls them."""
    order = coupons.used_order
    return {
        "coupon_redemption_id": ids("U", numbers.redemptions),
        "coupon_id": ids("Q", _coupon_numbers_of(coupons.used_coupon, numbers)),
        "customer_id": customer_ids(people, orders.person[order]),
        "order_id": ids("O", numbers.orders[order], 8),
        "redeemed_at": moments(orders.second[order]),
        "discount_amount": money(coupons.used_face),
    }


def consents_table(people: People, given: Consents) -> Table:
    """raw/consents."""
    return {
        "customer_id": customer_ids(people, given.person),
        "channel": labels(consents.CHANNELS, given.channel),
        "is_granted": flags(given.is_granted),
        "recorded_at": moments(given.recorded),
    }


def erasure_requests_table(people: People, given: Consents) -> Table:
    """raw/erasure_requests."""
    return {"customer_id": customer_ids(people, given.erased), "requested_at": moments(given.erased_second)}


def web_events_table(config: Config, people: People, events: WebEvents, numbers: Numbers) -> Table:
    """raw/web_events."""
    return {
        "event_id": ids("E", numbers.web_events, 8),
        "session_id": ids("W", _numbers_at(numbers.sessions, events.session), 8),
        "anonymous_id": device_ids(events.device),
        "customer_id": customer_ids(people, events.person),
        "occurred_at": moments(events.occurred),
        "event_name": labels(web.EVENTS, events.event),
        "page": labels(web.PAGES, events.page),
        "product_id": ids("P", np.where(events.product >= 0, 1 + events.product, NONE), 4),
        "order_id": ids("O", _numbers_at(numbers.orders, events.order), 8),
        "engagement_seconds": decimals(events.engagement / 10),
        "traffic_source": labels([source.name for source in config.web.sources], events.source),
    }


def device_ids(device: np.ndarray) -> Column:
    """anonymous_id of customers' devices and, below zero, of strangers'."""
    return either(device < 0, ids("X", -1 - device, 8), ids("D", device, 8))


def social_mentions_table(people: People, told: Mentions, numbers: Numbers) -> Table:
    """raw/social_mentions."""
    return {
        "mention_id": ids("N", numbers.mentions),
        "platform": labels(mentions.PLATFORMS, told.platform),
        "author_handle": ids("user_", told.handle),
        "customer_id": customer_ids(people, told.person),
        "posted_at": moments(told.posted),
        "text": labels(MENTIONS, told.text),
        "like_count": counts(told.likes),
    }


def customer_identities_table(
    config: Config, chunk: int, people: People, contacts: Contacts, identities: Identities
) -> Table:
    """raw/customer_identities: the ids that the till knows something of, and the WeChat accounts between."""
    random = stream(config.seed, chunk, "spellings")
    way = random.integers(0, 4, people.count)
    till = np.flatnonzero(identities.recorded >= 0)
    wechat = np.flatnonzero(identities.link == TRANSITIVE)
    link = identities.link
    phones: list[str | None] = []
    for person in till:
        given = identities.gives_phone_of[person]
        if given >= 0:
            phones.append(spell_phone(contacts.phone[given], way[person]))
        elif identities.has_placeholder[person]:
            phones.append(PLACEHOLDER_PHONE)
        elif link[person] in (BY_PHONE, TRANSITIVE) or people.is_guest[person]:
            phones.append(spell_phone(contacts.phone[person], way[person]))
        else:
            phones.append(None)
    emails = [spell_email(contacts.email[p], way[p]) if link[p] == BY_EMAIL else None for p in till]
    who = np.concatenate([till, wechat])
    is_till = np.arange(len(who)) < len(till)
    known = np.where(is_till & (link[who] == BY_CUSTOMER_ID), people.customer_numbers[who], NONE)
    device = np.where(is_till & (link[who] == BY_DEVICE), 2 * people.till_numbers[who], NONE)
    return {
        "source_system": labels(("wechat", "pos"), is_till.astype(np.int64)),
        "source_id": either(is_till, ids("S", people.till_numbers[who]), ids("A", people.till_numbers[who])),
        "customer_id": ids("C", known),
        "email": texts(emails + [spell_email(contacts.email[p], way[p] + 1) for p in wechat]),
        "phone": texts(phones + [spell_phone(contacts.phone[p], way[p] + 1) for p in wechat]),
        "anonymous_id": ids("D", device, 8),
        "recorded_at": moments(identities.recorded[who] - np.where(is_till, 0, 3_600)),
    }


def _coupon_numbers_of(places: np.ndarray, numbers: Numbers) -> np.ndarray:
    """Numbers of coupons by place, those of public coupons by places below zero: -1 is number 1."""
    return np.where(places >= 0, _numbers_at(numbers.coupons, places), -places)
