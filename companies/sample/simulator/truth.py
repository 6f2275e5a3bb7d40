"""What is known about the company because it was made: in closed form of the latents, or as two coupled outcomes.

Nothing here is estimated from the rows that a model reads. The README of the company says what each file holds.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from .campaigns import Assignments, conversions, probability_of_no_extra
from .config import AS_OF_DAY, LAST_DAY, NEVER, Config, date_of
from .customer_chunk import Chunk, Shopping
from .identities import BY_EMAIL, LINKS, TRANSITIVE, Identities
from .names import CITIES, GENDERS, INCOME_BANDS
from .orders import Orders
from .people import People
from .phrases import PHRASES
from .programme import Offers
from .purchases import PROGRAMME, PurchaseDays, dropout_after
from .raw_tables import Numbers
from .season import Season
from .surveys import NPS, Invitations, Responses, nps_probabilities
from .tables import Column, Table, counts, dates, doubles, either, flags, ids, labels, texts
from .tickets import Tickets

REPURCHASE_DAYS = (30, 60, 90, 180, 365)
FUTURE_DAYS = (30, 90, 180, 365)
PROGRAMME_DAYS = (90, 180, 365)
_REFUND_SHARE = 0.35


def tables_of(
    config: Config, chunk: Chunk, numbers: Numbers, season: Season, chances: dict[int, np.ndarray]
) -> dict[str, Table]:
    """The files of the truth that have rows of a chunk; `chances` as second_purchase_probabilities gives them."""
    shopping = chunk.shopping
    people, assignments, days = shopping.people, shopping.assignments, shopping.days
    return {
        "customers": customers_truth(config, people, days, shopping.drops_out_on, chances),
        "programme_members": programme_truth(people, shopping.offers, days, shopping.orders),
        "campaign_customers": campaigns_truth(config, people, assignments, days),
        "tickets": tickets_truth(config, shopping, chunk.tickets, numbers, season),
        "identities": identities_truth(people, chunk.identities),
        "comments": comments_truth(chunk.responses, numbers.responses),
    }


def person_ids(people: People, person: np.ndarray) -> Column:
    """Id of a person in truth and, but for purchases at the till, in the raw tables."""
    return either(
        people.is_guest[person],
        ids("pos:S", people.till_numbers[person]),
        ids("C", people.customer_numbers[person]),
    )


def second_purchase_probabilities(config: Config, shopping: Shopping, season: Season) -> dict[int, np.ndarray]:
    """By days, P(second valid purchase day within so many days of the first), shape (persons,).

    It has no meaning for who never buys.

    With p the dropout probability, lambda the rate, D the first purchase day and m = 1 for who enrols on D:
        1 - (p + (1 - p) * exp(-lambda * (1 + rate_effect * m) * (S(D + days) - S(D)))) * P(no campaign adds a day)
    Who enrols on D, and who is targeted and treated by which campaign, is taken as it is. Who enrols later has a second
    purchase day by then.
    """
    people, latents = shopping.people, shopping.people.latents
    first = np.minimum(people.first_day, LAST_DAY)
    dropout = latents.mean_dropout(config.purchases.bad_ticket_dropout)
    rate = latents.rate * (1 + config.programme.rate_effect * (shopping.offers.enrolled_on == first))
    chances = {}
    for days in REPURCHASE_DAYS:
        stays_away = dropout + (1 - dropout) * np.exp(-rate * season.between(first, first + days))
        chances[days] = 1 - stays_away * probability_of_no_extra(config, shopping.assignments, first, days)
    return chances


def expected_spend(config: Config, people: People) -> np.ndarray:
    """Expected net revenue of a purchase day in CNY, after partial refunds."""
    refunded = config.purchases.partial_refund_share * _REFUND_SHARE
    return config.purchases.spend_shape / people.latents.spend_rate * (1 - refunded)


def customers_truth(
    config: Config, people: People, days: PurchaseDays, drops_out_on: np.ndarray, chances: dict[int, np.ndarray]
) -> Table:
    """truth/customers.parquet: a row for each person; `chances` as second_purchase_probabilities gives them."""
    everybody = np.arange(people.count)
    as_of = np.full(people.count, AS_OF_DAY)
    has_bought = people.first_day <= AS_OF_DAY
    promoter, passive, detractor = nps_probabilities(config.surveys, people.latents.satisfaction)
    columns = {
        "customer_id": person_ids(people, everybody),
        "is_guest": flags(people.is_guest),
        "purchase_rate": doubles(people.latents.rate),
        "dropout_probability": doubles(people.latents.mean_dropout(config.purchases.bad_ticket_dropout)),
        "dropout_probability_without_bad_ticket": doubles(people.latents.dropout),
        "bad_ticket_probability": doubles(people.latents.bad_ticket),
        "satisfaction": doubles(people.latents.satisfaction),
        "expected_spend": doubles(expected_spend(config, people)),
        "first_purchase_on": dates(_day_or_null(people.first_day, has_bought)),
        "is_alive": flags(has_bought & (drops_out_on > AS_OF_DAY)),
    }
    for horizon in FUTURE_DAYS:
        columns[f"future_purchase_days_{horizon}d"] = counts(days.counted(people.count, as_of, as_of + horizon))
    for horizon, chance in chances.items():
        columns[f"second_purchase_probability_{horizon}d"] = doubles(np.where(has_bought, chance, np.nan))
    return columns | {
        "p_promoter": doubles(promoter),
        "p_passive": doubles(passive),
        "p_detractor": doubles(detractor),
    }


def programme_truth(people: People, offers: Offers, days: PurchaseDays, orders: Orders) -> Table:
    """truth/programme_members.parquet: outcomes of each member by whole horizon, joining then and otherwise.

    with: joining on that day; deferred: not then, but whenever the next acceptance would have followed; without: never.
    """
    net = net_by_day(days, orders)
    is_extra = days.source == PROGRAMME
    kept = {
        "with": np.full(len(days.day), True),
        "without": ~is_extra,
        "deferred": ~is_extra | (days.day > offers.deferred_on[days.person]),
    }
    members = [np.flatnonzero(offers.enrolled_on + horizon <= AS_OF_DAY) for horizon in PROGRAMME_DAYS]
    member = np.concatenate(members)
    columns = {
        "customer_id": person_ids(people, member),
        "enrolled_on": dates(offers.enrolled_on[member]),
        "horizon_days": counts(np.repeat(PROGRAMME_DAYS, [len(chosen) for chosen in members])),
    }
    outcomes = {name: _outcomes(people, offers, days.where(rows), net[rows], members) for name, rows in kept.items()}
    columns |= {f"purchase_days_{name}": counts(numbers) for name, (numbers, _) in outcomes.items()}
    columns |= {f"net_revenue_{name}": doubles(np.round(amounts, 2)) for name, (_, amounts) in outcomes.items()}
    return columns | {f"churned_{name}": flags(numbers == 0) for name, (numbers, _) in outcomes.items()}


def _outcomes(
    people: People, offers: Offers, days: PurchaseDays, net: np.ndarray, members: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Purchase days and net revenue after the enrolment, of the members of each of PROGRAMME_DAYS in turn."""
    numbers, amounts = [], []
    for horizon, chosen in zip(PROGRAMME_DAYS, members, strict=True):
        after, until = offers.enrolled_on, np.minimum(offers.enrolled_on + horizon, NEVER)
        numbers.append(days.counted(people.count, after, until)[chosen])
        amounts.append(_summed(people, days, net, after, until)[chosen])
    return np.concatenate(numbers), np.concatenate(amounts)


def campaigns_truth(config: Config, people: People, assignments: Assignments, days: PurchaseDays) -> Table:
    """truth/campaign_customers.parquet: whether each targeted customer converts without treatment and with it."""
    without, with_ = conversions(config, assignments, days)
    return {
        "campaign_id": ids("G", 1 + assignments.campaign, 2),
        "customer_id": person_ids(people, assignments.person),
        "arm": labels(("control", "treatment"), assignments.is_treated.astype(np.int64)),
        "assigned_on": dates(assignments.day),
        "converted_without": flags(without),
        "converted_with": flags(with_),
    }


def tickets_truth(config: Config, shopping: Shopping, tickets: Tickets, numbers: Numbers, season: Season) -> Table:
    """truth/tickets.parquet: for each bad ticket P(purchase within next_purchase_days of the order), and without it.

    (1 - dropout) * (1 - exp(-lambda * (1 + rate_effect * m) * (S(D + days) - S(D)))), with dropout as dropout_after
    says and m = 1 for a member by the day D of the order; campaigns are left out.
    """
    people, orders = shopping.people, shopping.orders
    rows = np.flatnonzero(tickets.is_bad)
    order = tickets.order[rows]
    person, day = orders.person[order], orders.day[order]
    factor = 1 + config.programme.rate_effect * (shopping.offers.enrolled_on[person] <= day)
    elapsed = season.between(day, day + config.tickets.next_purchase_days)
    comes = 1 - np.exp(-people.latents.rate[person] * factor * elapsed)
    dropout, effect = people.latents.dropout[person], config.purchases.bad_ticket_dropout
    return {
        "ticket_id": ids("K", numbers.tickets[rows]),
        "customer_id": person_ids(people, person),
        "order_id": ids("O", numbers.orders[order], 8),
        "next_purchase_probability": doubles((1 - dropout_after(dropout, np.full(len(rows), True), effect)) * comes),
        "next_purchase_probability_without": doubles((1 - dropout) * comes),
    }


def identities_truth(people: People, identities: Identities) -> Table:
    """truth/identities.parquet: every id of another system, whose it is, and what should link it."""
    has_order = np.zeros(people.count, dtype=bool)
    has_order[identities.ordered_at_till] = True
    till = np.flatnonzero((identities.recorded >= 0) | has_order)
    wechat = np.flatnonzero(identities.link == TRANSITIVE)
    who = np.concatenate([till, wechat])
    is_till = np.arange(len(who)) < len(till)
    link = np.where(is_till, identities.link[who], BY_EMAIL)
    source_id = either(is_till, ids("S", people.till_numbers[who]), ids("A", people.till_numbers[who]))
    raw_id = either(is_till, ids("pos:S", people.till_numbers[who]), ids("wechat:A", people.till_numbers[who]))
    return {
        "id": raw_id,
        "source_system": labels(("wechat", "pos"), is_till.astype(np.int64)),
        "source_id": source_id,
        "customer_id": person_ids(people, who),
        "link": labels(LINKS, link),
        "is_conflict": flags(identities.gives_phone_of[who] >= 0),
    }


def comments_truth(responses: Responses, numbers: np.ndarray) -> Table:
    """truth/comments.parquet: what each comment is about."""
    rows = np.flatnonzero(responses.comment >= 0)
    topics = sorted({phrase.topic for phrase in PHRASES})
    places = np.array([topics.index(phrase.topic) for phrase in PHRASES])
    praises = np.array([phrase.is_praise for phrase in PHRASES])
    return {
        "response_id": ids("R", numbers[rows]),
        "topic": labels(topics, places[responses.comment[rows]]),
        "is_praise": flags(praises[responses.comment[rows]]),
    }


def net_by_day(days: PurchaseDays, orders: Orders) -> np.ndarray:
    """Net revenue of each purchase day up to the as-of date in CNY, 0 after it; one value per row of `days`."""
    return sum_by_day(days, orders, orders.net)


def sum_by_day(days: PurchaseDays, orders: Orders, cents: np.ndarray) -> np.ndarray:
    """Sums by purchase day, in CNY, of an amount in cents of each valid order; one value per row of `days`."""
    keys = days.person.astype(np.int64) * (NEVER + 1) + days.day
    valid = np.flatnonzero(orders.is_valid)
    place = np.searchsorted(keys, orders.person[valid].astype(np.int64) * (NEVER + 1) + orders.day[valid])
    return np.bincount(place, weights=cents[valid], minlength=len(keys)) / 100


def _summed(people: People, days: PurchaseDays, values: np.ndarray, after: np.ndarray, until: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return sums[days.first_after(people.count, until)] - sums[days.first_after(people.count, after)]


def _day_or_null(day: np.ndarray, condition: np.ndarray) -> np.ndarray:
    return np.where(condition, day, np.iinfo(np.int64).min)


class NpsTruth:
    """Sums over the chunks for truth/nps_segments.parquet."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str, str], float] = defaultdict(float)
        self._customers: dict[tuple[str, str, str, str], int] = defaultdict(int)

    def add(self, config: Config, people: People, invitations: Invitations) -> None:
        """Count the customers who were asked; nobody is asked for NPS twice."""
        rows = invitations.type == NPS
        person = invitations.person[rows]
        promoter, _, detractor = nps_probabilities(config.surveys, people.latents.satisfaction[person])
        value = 100 * (promoter - detractor)
        quarter = np.array([_quarter(second // 86_400) for second in invitations.sent[rows]], dtype=object)
        for dimension, names in dimensions_of(config, people, person).items():
            for grain, starts in (("quarter", quarter), ("all", np.full(len(person), "", dtype=object))):
                for start in set(starts):
                    for name in set(names):
                        chosen = (starts == start) & (names == name)
                        if chosen.any():
                            key = (grain, start, dimension, name)
                            self._sums[key] += float(value[chosen].sum())
                            self._customers[key] += int(chosen.sum())

    def table(self) -> Table:
        """The mean over the customers asked, for each period and segment."""
        keys = sorted(self._sums)
        return {
            "period_grain": texts([key[0] for key in keys]),
            "period_start": Column("try_cast({0} as date)", (texts([key[1] for key in keys]).arrays[0],)),
            "dimension": texts([key[2] for key in keys]),
            "dimension_value": texts([key[3] for key in keys]),
            "invited_customers": counts(np.array([self._customers[key] for key in keys])),
            "nps": doubles(np.array([self._sums[key] / self._customers[key] for key in keys])),
        }


def _quarter(day: int) -> str:
    date = date_of(day)
    return date.replace(month=date.month - (date.month - 1) % 3, day=1).isoformat()


def dimensions_of(config: Config, people: People, person: np.ndarray) -> dict[str, np.ndarray]:
    """The value of each person by the dimensions by which NPS is known."""

    def named(names: list[str], codes: np.ndarray) -> np.ndarray:
        return np.array(names, dtype=object)[codes[person]]

    return {
        "all": np.full(len(person), "all", dtype=object),
        "acquisition_channel": named([c.name for c in config.people.channels], people.channel),
        "region": named([province for province, *_ in CITIES], people.city),
        "gender": named([name for name, _ in GENDERS], people.gender),
        "income_band": named([name or "unknown" for name, _ in INCOME_BANDS], people.income_band),
    }


class RepurchaseTruth:
    """Sums over the chunks for truth/repurchase.parquet and truth/repurchase_cohorts.parquet."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], float] = defaultdict(float)
        self._customers: dict[tuple[str, int], int] = defaultdict(int)

    def add(self, people: People, chances: dict[int, np.ndarray]) -> None:
        """Count everybody whose first purchase is on or before the as-of date, guests too."""
        bought = np.flatnonzero(people.first_day <= AS_OF_DAY)
        months = np.array([date_of(day).replace(day=1).isoformat() for day in people.first_day[bought]], dtype=object)
        for days, chance in chances.items():
            is_mature = people.first_day[bought] + days <= AS_OF_DAY
            groups = [("", np.full(len(bought), True)), ("mature", is_mature)]
            groups += [(month, months == month) for month in sorted(set(months))]
            for name, chosen in groups:
                self._sums[name, days] += float(chance[bought][chosen].sum())
                self._customers[name, days] += int(chosen.sum())

    def table(self) -> Table:
        """The mean over all customers with a first purchase, and over those whose days have all passed."""
        days = np.array(REPURCHASE_DAYS)
        return {
            "days": counts(days),
            "customers": counts(np.array([self._customers["", day] for day in REPURCHASE_DAYS])),
            "repurchase_probability": doubles(self._means("")),
            "mature_customers": counts(np.array([self._customers["mature", day] for day in REPURCHASE_DAYS])),
            "mature_repurchase_probability": doubles(self._means("mature")),
        }

    def cohorts(self) -> Table:
        """The same mean for each month of first purchases."""
        keys = sorted(key for key in self._sums if key[0] not in ("", "mature"))
        return {
            "cohort_month": Column("cast({0} as date)", (texts([month for month, _ in keys]).arrays[0],)),
            "days": counts(np.array([days for _, days in keys])),
            "customers": counts(np.array([self._customers[key] for key in keys])),
            "repurchase_probability": doubles(np.array([self._sums[key] / self._customers[key] for key in keys])),
        }

    def _means(self, name: str) -> np.ndarray:
        return np.array(
            [
                self._sums[name, days] / self._customers[name, days] if self._customers[name, days] else np.nan
                for days in REPURCHASE_DAYS
            ]
        )


class CampaignsTruth:
    """Sums over the chunks of what the campaigns change."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sums = np.zeros((len(config.campaigns.campaigns), 3))

    def add(self, assignments: Assignments, days: PurchaseDays) -> None:
        """Count the targeted of both arms, and their conversions without treatment and with it."""
        without, with_ = conversions(self._config, assignments, days)
        for column, values in enumerate((np.ones(len(assignments)), without, with_)):
            self._sums[:, column] += np.bincount(assignments.campaign, weights=values, minlength=len(self._sums))

    def summary(self) -> dict[str, dict[str, float]]:
        """By campaign: the probability of an extra purchase, and what treatment adds to conversion on average."""
        plans = self._config.campaigns.campaigns
        return {
            f"G{place + 1:02d}": {
                "targeted_customers": int(targeted),
                "extra_purchase_probability": plans[place].extra_probability,
                "conversion_uplift": (with_ - without) / targeted if targeted else 0.0,
            }
            for place, (targeted, without, with_) in enumerate(self._sums)
        }
