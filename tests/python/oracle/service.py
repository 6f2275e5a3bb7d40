"""Tickets, feedback, referrals and mentions computed a second time, from their definitions alone.

Rows come in as the raw tables have them: moments are UTC without an offset, null is None. Frames go out with the
columns of the marts. Phrases are found by where they stand in a text, word by word and sign by sign.
"""

import math
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy.stats import chi2

from oracle.business_days import business_day, last_day_of_month, month_of, period_start

Row = Mapping[str, Any]
GRAINS = ("month", "quarter", "year", "all")
Z = 1.959963984540054


@dataclass(frozen=True)
class AsOf:
    """As of which day, in which zone, and who other systems' ids stand for."""

    as_of: date
    zone: ZoneInfo
    aliases: Mapping[str, str]

    def day(self, moment: datetime | None) -> date | None:
        return business_day(moment, self.zone)

    def knows(self, moment: datetime | None) -> bool:
        return moment is not None and self.day(moment) <= self.as_of

    def customer(self, customer_id: str | None) -> str | None:
        return self.aliases.get(customer_id, customer_id)

    @property
    def ended_at(self) -> datetime:
        """The first moment after the as-of date, UTC."""
        midnight = datetime.combine(self.as_of + timedelta(days=1), time(), tzinfo=self.zone)
        return midnight.astimezone(UTC).replace(tzinfo=None)


def wilson(successes: int, trials: int) -> tuple[float | None, float | None, float | None]:
    """A share and its 95% interval: the roots of (p - share)² = z² p (1 - p) / n."""
    if not trials:
        return None, None, None
    share = successes / trials
    roots = np.roots([1 + Z * Z / trials, -2 * share - Z * Z / trials, share * share])
    low, high = sorted(float(root.real) for root in roots)
    return share, low, high


def periods_of(day: date, first_month: date) -> list[tuple[str, date]]:
    return [(grain, first_month if grain == "all" else period_start(day, grain)) for grain in GRAINS]


def is_complete(grain: str, start: date, as_of: date) -> bool:
    months = {"month": 0, "quarter": 2, "year": 11}
    if grain == "all":
        return True
    last_month = date(start.year, start.month + months[grain], 1)
    return last_day_of_month(last_month) <= as_of


# Tickets


def tickets(rows: Iterable[Row], targets: Mapping[str, tuple[float, float]], known: AsOf) -> pd.DataFrame:
    """`targets`: hours to answer and to resolve, by priority; `default` for the others."""
    return pd.DataFrame([_ticket(row, targets, known) for row in rows if known.knows(row["opened_at"])], dtype=object)


def _ticket(row: Row, targets: Mapping[str, tuple[float, float]], known: AsOf) -> dict[str, Any]:
    target = targets.get((row["priority"] or "default").lower(), targets["default"])
    ticket = dict(row) | {"customer_id": known.customer(row["customer_id"]), "opened_on": known.day(row["opened_at"])}
    reasons = [row["is_complaint"] is True, (row["reopened_count"] or 0) > 0]
    measures = (("first_response", "first_responded", 0), ("resolution", "resolved", 1))
    for measure, done, place in measures:
        moment = row[f"{done}_at"] if known.knows(row[f"{done}_at"]) else None
        hours = None if moment is None else (moment - row["opened_at"]) / timedelta(hours=1)
        if hours is not None and hours < 0:
            hours, is_within = None, None
        elif hours is not None:
            is_within = hours <= target[place]
        else:
            is_late = row["opened_at"] + timedelta(hours=target[place]) < known.ended_at
            is_within = False if is_late else None
        ticket |= {
            f"is_{done}": moment is not None,
            f"{measure}_hours": hours,
            f"{measure}_target_hours": target[place],
            f"is_within_{measure}_target": is_within,
        }
        reasons.append(is_within is False)
    return ticket | {"is_bad": any(reasons)}


TICKET_COLUMNS = [
    "ticket_id",
    "customer_id",
    "opened_at",
    "opened_on",
    "category",
    "priority",
    "channel",
    "is_complaint",
    "is_first_responded",
    "is_resolved",
    "first_response_hours",
    "resolution_hours",
    "first_response_target_hours",
    "resolution_target_hours",
    "is_within_first_response_target",
    "is_within_resolution_target",
    "reopened_count",
    "is_bad",
]


def ticket_performance(
    known: pd.DataFrame,
    order_days: Sequence[date],
    attributes: Mapping[str, Row],
    dimensions: Sequence[str],
    as_of: date,
) -> pd.DataFrame:
    """`known`: from `tickets`. `order_days`: one per valid order. `attributes`: of customers, by id.

    `dimensions`: what tickets are counted by, columns of `known` or attributes.
    """
    first_month = month_of(min(known["opened_on"]))
    cells: dict[tuple, list[Row]] = defaultdict(list)
    orders: dict[tuple, int] = defaultdict(int)
    for ticket in known.to_dict("records"):
        person = attributes.get(ticket["customer_id"], {})
        cuts = {"all": "all", **{name: ticket[name] if name in ticket else person.get(name) for name in dimensions}}
        for period in periods_of(ticket["opened_on"], first_month):
            for dimension, value in cuts.items():
                cells[(*period, dimension, value or "unknown")].append(ticket)
    for day in order_days:
        if day >= first_month:
            for period in periods_of(day, first_month):
                orders[(*period, "all", "all")] += 1
    keys = list(dict.fromkeys([*cells, *orders]))
    return pd.DataFrame(
        [_performance(key, cells.get(key, []), orders.get(key, 0), as_of) for key in keys], dtype=object
    )


def _performance(key: tuple, found: list[Row], orders: int, as_of: date) -> Row:
    grain, start, dimension, value = key
    row = {"period_grain": grain, "period_start": start, "dimension": dimension, "dimension_value": value}
    row |= {"is_complete": is_complete(grain, start, as_of), "tickets": len(found)}
    row["first_responded_tickets"] = sum(ticket["is_first_responded"] for ticket in found)
    row["resolved_tickets"] = sum(ticket["is_resolved"] for ticket in found)
    for measure in ("first_response", "resolution"):
        hours = [ticket[f"{measure}_hours"] for ticket in found if ticket[f"{measure}_hours"] is not None]
        for name, share in (("median", 50), ("p90", 90)):
            row[f"{name}_{measure}_hours"] = float(np.percentile(hours, share)) if hours else None
        judged = [ticket[f"is_within_{measure}_target"] for ticket in found]
        due = [is_within for is_within in judged if is_within is not None]
        row |= {f"{measure}_due_tickets": len(due), f"{measure}_within_tickets": sum(due)}
        row |= _named(f"{measure}_within_rate", wilson(sum(due), len(due)))
    counted = [ticket for ticket in found if ticket["reopened_count"] is not None]
    once_resolved = [ticket for ticket in counted if ticket["is_resolved"] or ticket["reopened_count"] > 0]
    reopened = sum(ticket["reopened_count"] > 0 for ticket in once_resolved)
    row |= {"reopenable_tickets": len(once_resolved), "reopened_tickets": reopened}
    row |= _named("reopen_rate", wilson(reopened, len(once_resolved)))
    classed = [ticket["is_complaint"] for ticket in found if ticket["is_complaint"] is not None]
    row |= {"classed_tickets": len(classed), "complaints": sum(classed)}
    row |= _named("complaint_rate", wilson(sum(classed), len(classed)))
    row["orders"] = orders if dimension == "all" else None
    row["complaints_per_1000_orders"] = 1000 * sum(classed) / orders if orders else None
    return row


def _named(name: str, interval: tuple[float | None, float | None, float | None]) -> Row:
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))


def poisson_interval(events: int) -> tuple[float, float]:
    """The exact 95% interval of the mean of a Poisson count (Garwood 1936)."""
    low = float(chi2.ppf(0.025, 2 * events) / 2) if events else 0.0
    return low, float(chi2.ppf(0.975, 2 * events + 2) / 2)


# Feedback


@dataclass(frozen=True)
class Phrase:
    """A phrase of the seed."""

    phrase: str
    topic: str
    sentiment: str


@dataclass(frozen=True)
class Comment:
    """What somebody wrote. `direction` is 1, 0 or -1 where it came with a score."""

    source: str
    commented_on: date
    text: str
    direction: int | None = None
    is_complaint: bool = False


def _signs(text: str) -> list[str]:
    """Lower-case signs, narrow, with a space for each run of punctuation and white space, none at the ends."""
    signs: list[str] = []
    for sign in text.lower():
        if "！" <= sign <= "～":
            sign = unicodedata.normalize("NFKC", sign)
        if unicodedata.category(sign)[0] in "LMN" or unicodedata.category(sign) == "So":
            signs.append(sign)
        elif signs and signs[-1] != " ":
            signs.append(" ")
    return signs[:-1] if signs and signs[-1] == " " else signs


def _is_spaced(sign: str) -> bool:
    """Whether the sign is of a word in a script that writes spaces."""
    is_chinese = "⺀" <= sign <= "鿿" or "豈" <= sign <= "﫿"
    return unicodedata.category(sign)[0] in "LMN" and not is_chinese


def spans(text: str, phrase: str) -> list[tuple[int, int]]:
    """Where the phrase stands in the text, as places of `_signs(text)`."""
    signs, wanted = _signs(text), _signs(phrase)
    is_words = all(_is_spaced(sign) or sign == " " for sign in wanted)
    found = []
    for start in range(len(signs) - len(wanted) + 1):
        end = start + len(wanted)
        if not wanted or signs[start:end] != wanted:
            continue
        neighbours = [signs[place] for place in (start - 1, end) if 0 <= place < len(signs)]
        if not (is_words and any(_is_spaced(sign) for sign in neighbours)):
            found.append((start, end))
    return found


def phrases_in(text: str, phrases: Iterable[Phrase]) -> list[Phrase]:
    """The phrases that stand in a text other than inside a longer one."""
    found = [(phrase, span) for phrase in phrases for span in spans(text, phrase.phrase)]
    kept = [
        phrase
        for phrase, (start, end) in found
        if not any(a <= start and end <= b and b - a > end - start for _, (a, b) in found)
    ]
    return list(dict.fromkeys(kept))


def feedback_topics(
    comments: Sequence[Comment], phrases: Sequence[Phrase], topics: Sequence[str], as_of: date
) -> pd.DataFrame:
    """`topics`: every topic that has a row, `unmatched` among them."""
    first_month = month_of(min(comment.commented_on for comment in comments))
    cells: dict[tuple, list[tuple[Comment, list[Phrase]]]] = defaultdict(list)
    known: dict[str, list[Phrase]] = {}
    for comment in comments:
        found = known.setdefault(comment.text, phrases_in(comment.text, phrases))
        for period in periods_of(comment.commented_on, first_month):
            for source in (comment.source, "all"):
                cells[(*period, source)].append((comment, found))
    return pd.DataFrame(
        [_topic(key, topic, said, as_of) for key, said in cells.items() for topic in topics], dtype=object
    )


def _topic(key: tuple, topic: str, said: list[tuple[Comment, list[Phrase]]], as_of: date) -> Row:
    grain, start, source = key
    mine = [
        (comment, {phrase.sentiment for phrase in found if phrase.topic == topic})
        for comment, found in said
        if (topic == "unmatched" and not found) or any(phrase.topic == topic for phrase in found)
    ]
    signs = [("positive" in words, "negative" in words or comment.is_complaint) for comment, words in mine]
    directions = [comment.direction for comment, _ in mine if comment.direction is not None]
    good, bad = directions.count(1), directions.count(-1)
    row = {"period_grain": grain, "period_start": start, "source": source, "topic": topic}
    row |= {"comments": len(mine), "total_comments": len(said), "is_complete": is_complete(grain, start, as_of)}
    row |= _named("share", wilson(len(mine), len(said)))
    row["positive_comments"] = sum(positive and not negative for positive, negative in signs)
    row["negative_comments"] = sum(negative and not positive for positive, negative in signs)
    row |= {"scored_comments": len(directions), "favourable_comments": good, "unfavourable_comments": bad}
    row["net_favourable_share"] = (good - bad) / len(directions) if directions else None
    return row


# The effect of a ticket


@dataclass(frozen=True)
class Purchases:
    """Purchase days of a customer, ascending, and what was spent on each."""

    days: Sequence[date]
    spent: Mapping[date, Decimal]

    def after(self, day: date, days: int) -> list[date]:
        return [each for each in self.days if day < each <= day + timedelta(days=days)]

    def until(self, day: date) -> list[date]:
        return [each for each in self.days if each <= day]

    def value(self, metric: str, day: date, days: int) -> float:
        bought = self.after(day, days)
        return float(bool(bought)) if metric == "repurchase" else float(sum(self.spent[each] for each in bought))


def first_tickets(known: pd.DataFrame) -> dict[str, tuple[date, str]]:
    """The first day with a ticket of each customer, and whether a ticket of that day is bad."""
    first: dict[str, tuple[date, str]] = {}
    with_customer = known[known["customer_id"].notna()]
    for (customer, day), found in with_customer.groupby(["customer_id", "opened_on"]):
        if customer not in first or day < first[customer][0]:
            first[customer] = (day, "bad" if found["is_bad"].any() else "good")
    return first


def effect_of_pairs(
    pairs: pd.DataFrame, purchases: Mapping[str, Purchases], metric: str, days: int
) -> dict[str, float]:
    """Mean difference of matched pairs: a regression on a constant, clustered by customer, pair by pair."""
    own = np.array([purchases[p.customer_id].value(metric, p.ticketed_on, days) for p in pairs.itertuples()])
    other = np.array([purchases[p.matched_customer_id].value(metric, p.matched_on, days) for p in pairs.itertuples()])
    difference = own - other
    effect = difference.mean()
    residuals = difference - effect
    one, other_customer = pairs["customer_id"].to_numpy(), pairs["matched_customer_id"].to_numpy()
    shares_a_customer = (
        (one[:, None] == one)
        | (other_customer[:, None] == other_customer)
        | (one[:, None] == other_customer)
        | (other_customer[:, None] == one)
    )
    variance = residuals @ shares_a_customer @ residuals
    clusters = len(set(other_customer))
    error = math.sqrt(variance * clusters / (clusters - 1)) / len(pairs)
    # a difference of two shares
    furthest = 1.0 if metric == "repurchase" else math.inf
    return {
        "matched_pairs": len(pairs),
        "matched_customers": clusters,
        "ticket_value": own.mean(),
        "matched_value": other.mean(),
        "effect": effect,
        "effect_low": max(effect - Z * error, -furthest),
        "effect_high": min(effect + Z * error, furthest),
    }


def why_not_comparable(
    pair: Row,
    purchases: Mapping[str, Purchases],
    first: Mapping[str, tuple[date, str]],
    band: Callable[[str, float], float],
    last_day: date,
) -> str | None:
    """What the definition has against a matched pair; None where it is as it should be."""
    profiles = []
    for who, day in (("customer_id", "ticketed_on"), ("matched_customer_id", "matched_on")):
        until = purchases[pair[who]].until(pair[day])
        interval = (until[-1] - until[0]).days / (len(until) - 1) if len(until) > 1 else 0.0
        month, lag = month_of(until[-1]), (pair[day] - until[-1]).days
        profiles.append((month, lag, band("purchase_number", len(until)), band("mean_interval_days", interval)))
        if pair[day] > last_day:
            return "the days after it have not passed"
    if profiles[0] != profiles[1]:
        return f"not alike: {profiles}"
    if first[pair["customer_id"]] != (pair["ticketed_on"], pair["ticket_kind"]):
        return "no first ticket of this kind"
    ticketed_on = first.get(pair["matched_customer_id"], (date.max, ""))[0]
    if ticketed_on <= pair["matched_on"]:
        return "the other has a ticket by then"
    return "the same customer" if pair["customer_id"] == pair["matched_customer_id"] else None


def naive_values(
    purchases: Mapping[str, Purchases], first: Mapping[str, tuple[date, str]], metric: str, days: int, as_of: date
) -> dict[str, tuple[int, float]]:
    """Customers and mean of the metric, by kind of first ticket and `none`."""
    since = as_of - timedelta(days=days)
    values: dict[str, list[float]] = defaultdict(list)
    for customer, bought in purchases.items():
        ticketed_on, kind = first.get(customer, (date.max, "none"))
        if ticketed_on <= since and bought.until(ticketed_on):
            values[kind].append(bought.value(metric, ticketed_on, days))
        elif ticketed_on > since and bought.until(since):
            values["none"].append(bought.value(metric, since, days))
    return {kind: (len(found), float(np.mean(found))) for kind, found in values.items()}


# Referrals and mentions


def referrals(
    customers: Sequence[Row], purchases: Mapping[str, Purchases], with_orders: set[str], known: AsOf
) -> pd.DataFrame:
    """`customers` as the raw table has them; `purchases` of everybody who has bought; `with_orders` of any status."""
    registered = {
        row["customer_id"]: row
        for row in customers
        if row["registered_at"] is None or known.knows(row["registered_at"])
    }
    referrer = {
        customer: known.customer(row["referred_by_customer_id"])
        for customer, row in registered.items()
        if row["referred_by_customer_id"]
    }
    rows = []
    for customer, brought_by in referrer.items():
        referred_on = known.day(registered[customer]["registered_at"])
        bought = purchases.get(customer)
        first_purchase = bought.days[0] if bought else None
        is_earlier = bool(bought and referred_on and first_purchase < referred_on)
        # everybody on the way up, until somebody comes twice
        above, place = [], brought_by
        while place is not None and place not in above:
            above.append(place)
            place = referrer.get(place)
        is_self = brought_by == customer
        is_circular = customer in above and not is_self
        is_known = brought_by in registered or brought_by in with_orders
        rows.append(
            {
                "customer_id": customer,
                "referrer_customer_id": brought_by,
                "referred_on": referred_on,
                "first_purchase_on": first_purchase,
                "net_revenue": sum(bought.spent.values()) if bought else Decimal(0),
                "is_self_referral": is_self,
                "is_circular": is_circular,
                "is_referrer_known": is_known,
                "is_earlier_customer": is_earlier,
                "is_counted": is_known and not (is_self or is_circular or is_earlier),
                "is_converted": bought is not None and not is_earlier,
            }
        )
    return pd.DataFrame(rows, dtype=object)


def ambassadors(
    referred: pd.DataFrame, purchases: Mapping[str, Purchases], levels: Sequence[tuple[int, str]]
) -> pd.DataFrame:
    """`referred`: from `referrals`. `levels`: least converted referrals and name, ascending."""
    rows = []
    for customer, brought in referred[referred["is_counted"].astype(bool)].groupby("referrer_customer_id"):
        converted = int(brought["is_converted"].sum())
        dates = [day for day in brought["referred_on"] if day is not None]
        reached = [level for least, level in levels if converted >= least]
        own = purchases.get(customer)
        rows.append(
            {
                "customer_id": customer,
                "referred_customers": len(brought),
                "converted_customers": converted,
                "first_referred_on": min(dates, default=None),
                "last_referred_on": max(dates, default=None),
                "referred_net_revenue": sum(brought["net_revenue"]),
                "own_net_revenue": sum(own.spent.values()) if own else Decimal(0),
                "ambassador_level": reached[-1] if reached else None,
                "is_ambassador": bool(reached),
            }
            | _named("conversion_rate", wilson(converted, len(brought)))
        )
    return pd.DataFrame(rows, dtype=object)


def social_mentions_daily(rows: Iterable[Row], phrases: Sequence[Phrase], known: AsOf) -> pd.DataFrame:
    """`rows` as the raw table has them."""
    cells: dict[tuple[date, str], list[Row]] = defaultdict(list)
    for row in rows:
        if known.knows(row["posted_at"]):
            for platform in (row["platform"], "all"):
                cells[known.day(row["posted_at"]), platform].append(row)
    return pd.DataFrame([_mentions(key, found, phrases) for key, found in cells.items()], dtype=object)


def _mentions(key: tuple[date, str], found: list[Row], phrases: Sequence[Phrase]) -> Row:
    said = [{phrase.sentiment for phrase in phrases_in(row["text"] or "", phrases)} - {"neutral"} for row in found]
    return {
        "mentioned_on": key[0],
        "platform": key[1],
        "mentions": len(found),
        "likes": sum(row["like_count"] or 0 for row in found),
        "mentions_by_customers": sum(row["customer_id"] is not None for row in found),
        "authors": len({(row["platform"], row["author_handle"]) for row in found if row["author_handle"]}),
        "positive_mentions": said.count({"positive"}),
        "negative_mentions": said.count({"negative"}),
    }
