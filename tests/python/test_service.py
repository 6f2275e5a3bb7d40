"""Tickets, feedback and the effect of a ticket: against their definitions, and a company whose effect is known."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from oracle import Variables, read_facts, read_seeds
from oracle.comparison import assert_frames_equal
from oracle.seeds import seed_rows
from oracle.service import (
    TICKET_COLUMNS,
    AsOf,
    Comment,
    Phrase,
    Purchases,
    effect_of_pairs,
    feedback_topics,
    first_tickets,
    naive_values,
    phrases_in,
    poisson_interval,
    ticket_performance,
    tickets,
    why_not_comparable,
)

from orchestration.settings import ROOT

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("service")]

# not the last day of a month, a quarter or a year
AS_OF = date(2025, 11, 17)
ZONE = ZoneInfo("Asia/Shanghai")
FOLLOWUP_DAYS = 60
COMPANY_FILE = (
    f"business_timezone: Asia/Shanghai\ntimestamps_without_offset: UTC\nticket_followup_days: {FOLLOWUP_DAYS}\n"
)
MODELS = (
    "build",
    "--select",
    "+tickets",
    "+ticket_performance",
    "+feedback_topics",
    "+ticket_effect",
    "--indirect-selection",
    "cautious",
    "--exclude-resource-type",
    "unit_test",
)
Row = dict[str, Any]

# a company in which a bad ticket makes three in ten customers leave, and those who buy most open most tickets
FIRST_DAY = date(2024, 1, 1)
BUYERS = 3_000
LEAVING = 0.3
DROPOUT = 0.06
TICKET_KINDS = ("bad", "good")

TICKETS = 900
COMMENTS = 900
MENTIONS = 300

# what is easily taken for something else
TRICKY = (
    "Chocolate arrived, lately I buy more",
    "ＬＡＴＥ ＤＥＬＩＶＥＲＹ！",
    "Fast delivery, but the delivery before was late",
    "物流slow了，app闪退",
    "不满意",
    "非常不满意，以前很满意",
    "not good, not bad, not GOOD",
    "poor qualityproduct",
    "I don’t recommend it. I DON'T RECOMMEND IT!",
    "log-in fails, log\nin again",
    "late late late",
    "质量不好，但是客服态度很好",
    "不 满意",
    "not 很 good",
    "👍👍",
    "……",
    "!!!",
    "just some words",
    "会员积分过期 points expired",
    "Züricher delivery—late‼",
    "appstore",
    "the app, the APP; Ａｐｐ",
    "没有破损，包装精美",
    "refund refunded",
    "x" * 300 + "长" * 300 + "退款",
)


@dataclass
class Service:
    """Raw rows: moments in UTC without an offset, null is None."""

    customers: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    tickets: list[Row] = field(default_factory=list)
    survey_responses: list[Row] = field(default_factory=list)
    social_mentions: list[Row] = field(default_factory=list)
    customer_identities: list[Row] = field(default_factory=list)

    def add_ticket(self, **columns: Any) -> None:
        row = dict.fromkeys(("customer_id", "first_responded_at", "resolved_at", "reopened_count", "category"))
        row |= dict.fromkeys(("is_complaint", "channel", "priority", "updated_at"))
        self.tickets.append({"ticket_id": f"t{len(self.tickets):05d}"} | row | columns)


@dataclass(frozen=True)
class Outcome:
    """What the days after a customer's first ticket would have held without it and with it: a purchase or none."""

    kind: str
    without: bool
    with_ticket: bool


def utc(day: date, seconds: float = 12 * 3600) -> datetime:
    """So many seconds after local midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)
    return midnight + timedelta(seconds=seconds)


def add_buyers(service: Service, random: np.random.Generator, buyers: int = BUYERS) -> dict[str, Outcome]:
    """Customers who buy, each at a rate of their own, and open tickets the more often the more and faster they buy."""
    outcomes: dict[str, Outcome] = {}
    for number in range(buyers):
        customer = f"buyer{number:05d}"
        service.customers.append({"customer_id": customer, "registered_at": utc(FIRST_DAY)})
        outcome = _add_buyer(service, customer, random)
        if outcome is not None:
            outcomes[customer] = outcome
    return outcomes


def _add_buyer(service: Service, customer: str, random: np.random.Generator) -> Outcome | None:
    rate = random.gamma(1.0, 1 / 25)
    first = day = FIRST_DAY + timedelta(days=int(random.integers(0, 500)))
    number, outcome, is_alive = 1, None, True
    while day <= AS_OF and is_alive:
        spent = Decimal(int(random.integers(1_000, 30_000))) / 100
        order = {"order_id": f"{customer}-{number}", "customer_id": customer, "ordered_at": utc(day)}
        # takes no number of the generator, so that who buys what stays as it is
        order["channel"] = ("store", "web", None)[(len(service.customers) + number) % 3]
        service.orders.append(order | {"status": "completed", "order_amount": spent})
        gap = math.ceil(random.exponential(1 / rate)) if random.random() >= DROPOUT else 10_000
        lag = int(random.integers(0, 4))
        interval = (day - first).days / (number - 1) if number > 1 else 1_000
        # by what anyone can see: the number of the purchase and the mean interval
        chance = 0.01 + 0.05 * (interval <= 30) + 0.05 * (interval <= 14) + 0.05 * (number > 5)
        if random.random() < chance and gap > lag and day + timedelta(days=lag) <= AS_OF:
            kind = TICKET_KINDS[int(random.integers(2))]
            is_alive = not (kind == "bad" and random.random() < LEAVING)
            opened_at = utc(day + timedelta(days=lag), 13 * 3600)
            answer = {
                "first_responded_at": opened_at + timedelta(hours=1),
                "resolved_at": opened_at + timedelta(hours=2),
            }
            service.add_ticket(customer_id=customer, opened_at=opened_at, is_complaint=kind == "bad", **answer)
            if outcome is None and day + timedelta(days=lag + FOLLOWUP_DAYS) <= AS_OF:
                is_soon = gap - lag <= FOLLOWUP_DAYS
                outcome = Outcome(kind, is_soon, is_soon and is_alive)
            elif outcome is None:
                # the first ticket, whose days have not passed
                outcome = Outcome("young", False, False)
        if gap >= 10_000:
            break
        day, number = day + timedelta(days=gap), number + 1
    return outcome


def add_tickets(service: Service, random: np.random.Generator) -> None:
    """Tickets of people who never bought, or whom nobody knows, on the edges of the definitions."""
    people = [f"asker{number:03d}" for number in range(120)]
    regions, channels = ("North", "South", None), ("store", "web", None)
    for number, customer in enumerate(people):
        attributes = {"region": regions[number % 3], "acquisition_channel": channels[number % 5 % 3]}
        service.customers.append({"customer_id": customer, "registered_at": utc(FIRST_DAY)} | attributes)
    for number in range(20):
        row = {"source_system": "till", "source_id": f"{number}", "customer_id": people[number]}
        service.customer_identities.append(row | {"recorded_at": utc(FIRST_DAY)})
    askers = [*people, *(f"till:{number}" for number in range(20)), "nobody", *([None] * 20)]
    # exactly the targets, just more, none at all, before the ticket, and far beyond
    hours = [1, 4, 8, 8 + 1 / 3600, 24, 24.5, 72, 120, 120.001, 0.25, 3_000, -1, None, None]
    for _ in range(TICKETS):
        opened_at = utc(_day(random), _seconds(random))
        answers = {name: _after(opened_at, _one(random, hours)) for name in ("first_responded_at", "resolved_at")}
        service.add_ticket(
            customer_id=_one(random, askers),
            opened_at=opened_at,
            **answers,
            reopened_count=_one(random, (None, 0, 0, 0, 1, 3)),
            category=_one(random, (None, "delivery", "LATE_DELIVERY", "退款", "product question", "会员")),
            is_complaint=_one(random, (None, True, False, False)),
            channel=_one(random, (None, "phone", "wechat")),
            priority=_one(random, (None, "urgent", "HIGH", "normal", "low", "whatever", "default")),
        )


def _one(random: np.random.Generator, options: Any) -> Any:
    return options[int(random.integers(len(options)))]


def _day(random: np.random.Generator) -> date:
    """A day in the two years before the as-of date, often the last days, borders of months, and days after it."""
    special = [AS_OF - timedelta(days=days) for days in (-2, -1, 0, 0, 0, 1, 1, 2, 3, 5)]
    special += [date(2025, 1, 1), date(2024, 12, 31), date(2025, 9, 30), date(2025, 10, 1)]
    return _one(random, special) if random.random() < 0.4 else AS_OF - timedelta(days=int(random.integers(0, 700)))


def _seconds(random: np.random.Generator) -> float:
    return _one(random, (0, 86_399.999999, 86_399, 1, 16 * 3600, int(random.integers(0, 86_400))))


def _after(opened_at: datetime, hours: float | None) -> datetime | None:
    return None if hours is None else opened_at + timedelta(hours=hours)


def add_comments(service: Service, random: np.random.Generator, phrases: list[Phrase]) -> None:
    scales = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
    for number in range(COMMENTS):
        survey_type = _one(random, list(scales))
        low, high = scales[survey_type]
        response = {"response_id": f"r{number:05d}", "survey_type": survey_type, "customer_id": None}
        response |= {"score": int(random.integers(low, high + 1)), "comment": _text(random, phrases)}
        service.survey_responses.append(response | {"responded_at": utc(_day(random), _seconds(random))})
    for number in range(MENTIONS):
        mention = {
            "mention_id": f"m{number:05d}",
            "platform": _one(random, ("weibo", "xiaohongshu", "wechat", "other")),
        }
        mention |= {
            "author_handle": _one(random, (None, "@a", "@b", "@c")),
            "customer_id": _one(random, (None, "asker001")),
        }
        mention |= {"text": _text(random, phrases), "like_count": _one(random, (None, 0, 7))}
        service.social_mentions.append(mention | {"posted_at": utc(_day(random), _seconds(random))})


def _text(random: np.random.Generator, phrases: list[Phrase]) -> str | None:
    """Nothing, something tricky, or phrases of the seed, joined in every way, in capitals and wide letters."""
    kind = random.random()
    if kind < 0.1:
        return None
    if kind < 0.5:
        return _one(random, TRICKY)
    words = [_one(random, phrases).phrase for _ in range(int(random.integers(1, 5)))]
    text = _one(random, (" ", ", ", "。", "", " x ", " 很 ")).join(words)
    return _one(random, (str, str.upper, str.title, _widened))(text)


def _widened(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def write(service: Service, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "company.yml").write_text(COMPANY_FILE, encoding="utf-8")
    for table, rows in vars(service).items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


def seed(name: str) -> list[dict[str, str]]:
    return seed_rows(ROOT / "seeds", name)


def phrases_of_seed() -> list[Phrase]:
    return [Phrase(row["phrase"], row["topic"], row["sentiment"]) for row in seed("feedback_phrases")]


@dataclass(frozen=True)
class Built:
    """The company, what is known of its effect, and what was built of it."""

    service: Service
    outcomes: dict[str, Outcome]
    world: Any
    phrases: list[Phrase]

    @property
    def frame(self) -> AsOf:
        aliases = {f"till:{row['source_id']}": row["customer_id"] for row in self.service.customer_identities}
        return AsOf(AS_OF, ZONE, aliases)

    @property
    def known_tickets(self) -> pd.DataFrame:
        hours = ("first_response_hours", "resolution_hours")
        targets = {row["priority"]: tuple(float(row[name]) for name in hours) for row in seed("service_targets")}
        return tickets(self.service.tickets, targets, self.frame)

    @property
    def purchases(self) -> dict[str, Purchases]:
        spent: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for order in self.service.orders:
            spent[order["customer_id"]][self.frame.day(order["ordered_at"])] += order["order_amount"]
        return {customer: Purchases(sorted(days), days) for customer, days in spent.items()}

    @property
    def comments(self) -> list[Comment]:
        return list(self._comments())

    def _comments(self) -> Iterator[Comment]:
        frame = self.frame
        for row in self.service.survey_responses:
            if row["comment"] is not None and frame.knows(row["responded_at"]):
                direction = direction_of(row["survey_type"], row["score"])
                yield Comment("survey", frame.day(row["responded_at"]), row["comment"], direction)
        for row in self.service.social_mentions:
            if row["text"] is not None and frame.knows(row["posted_at"]):
                yield Comment("mention", frame.day(row["posted_at"]), row["text"])
        for row in self.service.tickets:
            if row["category"] is not None and frame.knows(row["opened_at"]):
                opened_on = frame.day(row["opened_at"])
                yield Comment("ticket", opened_on, row["category"], None, row["is_complaint"] is True)


def direction_of(survey_type: str, score: int) -> int:
    """1 for promoters (9-10), the satisfied (4-5) and who found it easy (5-7), -1 for detractors (0-6) and so on."""
    bad, good = {"nps": (6, 9), "csat": (2, 4), "ces": (3, 5)}[survey_type]
    return 1 if score >= good else -1 if score <= bad else 0


@pytest.fixture(scope="module")
def built(build_world: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Built:
    service, random, phrases = Service(), np.random.default_rng(20251117), phrases_of_seed()
    outcomes = add_buyers(service, random)
    add_tickets(service, random)
    add_comments(service, random, phrases)
    folder = write(service, tmp_path_factory.mktemp("service") / "raw")
    return Built(service, outcomes, build_world(folder, "service", AS_OF, MODELS), phrases)


def test_tickets_agree_with_their_definition(built: Built) -> None:
    expected = built.known_tickets
    ratios = ("first_response_hours", "resolution_hours")
    assert_frames_equal(
        built.world.mart("tickets"), expected[TICKET_COLUMNS], ["ticket_id"], ratios=ratios, name="tickets"
    )
    # each target is met, missed while answered, missed while waiting, and open
    for done, within in (
        ("is_first_responded", "is_within_first_response_target"),
        ("is_resolved", "is_within_resolution_target"),
    ):
        cases = {(row[done], row[within]) for row in expected.to_dict("records")}
        assert cases == {(True, True), (True, False), (True, None), (False, False), (False, None)}


def test_ticket_performance_agrees_with_its_definition(built: Built) -> None:
    order_days = [built.frame.day(order["ordered_at"]) for order in built.service.orders]
    seeds = read_seeds(ROOT / "seeds")
    orders, customers = (pd.DataFrame(rows, dtype=object) for rows in (built.service.orders, built.service.customers))
    variables = Variables(business_timezone=ZONE.key)
    facts = read_facts(orders, customers, AS_OF, variables, seeds.dimensions_of("customers"))
    attributes = {customer.customer_id: customer.attributes for customer in facts.customers}
    expected = ticket_performance(built.known_tickets, order_days, attributes, seeds.dimensions_of("tickets"), AS_OF)
    ratios = [name for name in expected.columns if "rate" in name or "hours" in name or "per_1000" in name]
    keys = ["period_grain", "period_start", "dimension", "dimension_value"]
    actual = built.world.mart("ticket_performance")
    assert_frames_equal(actual, expected, keys, ratios=ratios, name="ticket_performance")
    assert len(actual) == len(expected) > 300
    labels = {(each.name, each.label_en, each.label_zh) for each in seeds.dimensions if "tickets" in each.applies_to}
    assert set(actual[["dimension", "dimension_en", "dimension_zh"]].itertuples(index=False, name=None)) == labels


def test_complaints_per_order_have_nearly_the_exact_interval_of_a_count(built: Built) -> None:
    rows = built.world.mart("ticket_performance").dropna(subset=["complaints_per_1000_orders"])
    for row in rows.to_dict("records"):
        for name, exact in zip(("low", "high"), poisson_interval(row["complaints"]), strict=True):
            events = row[f"complaints_per_1000_orders_{name}"] * row["orders"] / 1000
            assert events == pytest.approx(exact, abs=0.03)


def test_feedback_topics_agree_with_where_phrases_stand(built: Built) -> None:
    topics = [row["topic"] for row in seed("feedback_topic_labels")]
    expected = feedback_topics(built.comments, built.phrases, topics, AS_OF)
    ratios = ["share", "share_low", "share_high", "net_favourable_share"]
    keys = ["period_grain", "period_start", "source", "topic"]
    actual = built.world.mart("feedback_topics")
    assert_frames_equal(actual, expected, keys, ratios=ratios, name="feedback_topics")
    # every topic is spoken of
    everything = actual[(actual["period_grain"] == "all") & (actual["source"] == "all")]
    assert set(everything.loc[everything["comments"] > 0, "topic"]) == set(topics)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Chocolate, lately", []),
        ("ＬＡＴＥ!", ["late"]),
        ("物流slow了，app闪退", ["物流", "app", "闪退"]),
        ("非常不满意，以前很满意", ["不满意", "满意"]),
        ("不满意", ["不满意"]),
        ("not good", ["not good"]),
        ("……", []),
    ],
)
def test_the_second_computation_finds_what_a_reader_finds(text: str, found: list[str]) -> None:
    assert {phrase.phrase for phrase in phrases_in(text, phrases_of_seed())} == set(found)


def test_no_comment_reaches_a_mart(built: Built) -> None:
    for mart in ("tickets", "ticket_performance", "feedback_topics", "ticket_effect"):
        texts = [str(cell) for row in built.world.mart(mart).itertuples() for cell in row]
        assert not [text for text in texts if "@a" in text or "Chocolate" in text or "不满意" in text]


def band_of(covariate: str, value: float) -> float:
    return max(
        float(row["band_from"])
        for row in seed("ticket_match_bands")
        if row["covariate"] == covariate and float(row["band_from"]) <= value
    )


def test_matched_customers_are_alike_and_had_no_ticket(built: Built) -> None:
    pairs = built.world.frame("select * from intermediate.int_ticket_pairs_matched")
    first, last_day = first_tickets(built.known_tickets), AS_OF - timedelta(days=FOLLOWUP_DAYS)
    purchases = built.purchases
    wrong = [
        (pair, reason)
        for pair in pairs.to_dict("records")
        if (reason := why_not_comparable(pair, purchases, first, band_of, last_day))
    ]
    assert not wrong
    assert not pairs.duplicated(["ticket_kind", "matched_customer_id", "matched_on"]).any()
    assert len(pairs) > 300


@pytest.mark.parametrize("metric", ["repurchase", "net_revenue"])
def test_the_effect_of_a_ticket_is_the_mean_difference_of_its_pairs(built: Built, metric: str) -> None:
    pairs = built.world.frame("select * from intermediate.int_ticket_pairs_matched")
    rows = built.world.mart("ticket_effect").set_index(["ticket_kind", "metric"])
    first, purchases = first_tickets(built.known_tickets), built.purchases
    naive = naive_values(purchases, first, metric, FOLLOWUP_DAYS, AS_OF)
    for kind in TICKET_KINDS:
        row = rows.loc[(kind, metric)].to_dict()
        expected = effect_of_pairs(pairs[pairs["ticket_kind"] == kind], purchases, metric, FOLLOWUP_DAYS)
        expected |= {"ticket_customers": naive[kind][0], "naive_ticket_value": naive[kind][1]}
        expected |= {"naive_other_value": naive["none"][1], "naive_effect": naive[kind][1] - naive["none"][1]}
        assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_the_effect_of_a_ticket_is_the_one_it_was_given_and_the_naive_difference_is_not(built: Built) -> None:
    rows = built.world.mart("ticket_effect").set_index(["ticket_kind", "metric"])
    for kind in TICKET_KINDS:
        row = rows.loc[(kind, "repurchase")]
        mine = [outcome for outcome in built.outcomes.values() if outcome.kind == kind]
        truth = np.mean([outcome.with_ticket - outcome.without for outcome in mine])
        assert row["ticket_customers"] == len(mine)
        assert row["effect_low"] <= truth <= row["effect_high"]
        assert not row["effect_low"] <= row["naive_effect"] <= row["effect_high"]
    assert rows.loc[("bad", "repurchase"), "effect_high"] < 0
