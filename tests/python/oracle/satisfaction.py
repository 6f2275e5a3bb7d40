"""What customers say in surveys: scores with their intervals, response rates, and what they do after an answer.

Nothing is summed before it is needed: a score is worked out from the list of answers that count, with NumPy and SciPy.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from oracle.business_days import business_day, last_day_of_month, month_of, period_start
from oracle.order_history import UNKNOWN, Facts
from oracle.seeds import Dimension, Seeds
from oracle.variables import Variables

GRAINS = ("month", "quarter", "year", "all")
# the scores from which an answer is good, and from which it is at least neither
BORDERS = {"nps": (9, 7), "csat": (4, 3), "ces": (5, 4)}
GROUPS = {
    "nps": {1: "promoter", 0: "passive", -1: "detractor"},
    "csat": {1: "satisfied", 0: "neutral", -1: "dissatisfied"},
    "ces": {1: "easy", 0: "neutral", -1: "difficult"},
}
Z_95 = stats.norm.ppf(0.975)

Rows = list[dict[str, Any]]
Period = tuple[str, date]
Cut = tuple[str, str]
Bounds = tuple[float | None, float | None]
NONE: Bounds = (None, None)


@dataclass(frozen=True)
class Invitation:
    """A survey sent by the as-of date."""

    invitation_id: str
    survey_type: str
    customer_id: str
    sent_on: date
    channel: str | None
    survey_trigger: str
    order_id: str | None
    ticket_id: str | None


@dataclass(frozen=True)
class Answer:
    """A survey answered by the as-of date; `invitation` only where it was sent by then."""

    response_id: str
    invitation: Invitation | None
    customer_id: str | None
    survey_type: str
    score: int
    weight: float
    channel: str | None
    language: str | None
    has_comment: bool
    responded_at: datetime
    responded_on: date

    @property
    def direction(self) -> int:
        """1 for a promoter, satisfied or easy, 0 for neither, -1 for the opposite."""
        good, neither = BORDERS[self.survey_type]
        return 1 if self.score >= good else 0 if self.score >= neither else -1

    @property
    def age(self) -> tuple[datetime, str]:
        """What is later is greater."""
        return self.responded_at, self.response_id


@dataclass(frozen=True)
class Surveys:
    """All that is known of surveys as of `facts.as_of`, the RFM segment of each customer, and what is counted by."""

    facts: Facts
    invitations: tuple[Invitation, ...]
    answers: tuple[Answer, ...]
    segments: Mapping[str, str]
    dimensions: tuple[Dimension, ...]

    @property
    def first_month(self) -> date:
        days = [each.sent_on for each in self.invitations] + [each.responded_on for each in self.answers]
        return month_of(min(days))

    def period(self, grain: str, day: date) -> date:
        """The first day of the period of `day`."""
        return self.first_month if grain == "all" else period_start(day, grain)

    def is_complete(self, grain: str, start: date) -> bool:
        if grain == "all":
            return True
        months = {"month": 0, "quarter": 2, "year": 11}[grain]
        last_month = start.replace(month=start.month + months)
        return last_day_of_month(last_month) <= self.facts.as_of


def read_surveys(
    responses: Rows,
    invitations: Rows,
    aliases: Mapping[str, str],
    facts: Facts,
    segments: Mapping[str, str],
    seeds: Seeds,
) -> Surveys:
    """Surveys from accepted raw rows. `aliases`: the customer whom an id of another system stands for."""
    variables = facts.variables
    sent = [_read_invitation(row, aliases, variables) for row in invitations]
    known = {each.invitation_id: each for each in sent if each.sent_on <= facts.as_of}
    answers = [_read_answer(row, known, aliases, variables) for row in responses]
    counted = tuple(sorted((each for each in answers if each.responded_on <= facts.as_of), key=lambda each: each.age))
    dimensions = tuple(each for each in seeds.dimensions if "surveys" in each.applies_to)
    return Surveys(facts, tuple(known.values()), counted, segments, dimensions)


def _read_invitation(row: Mapping[str, Any], aliases: Mapping[str, str], variables: Variables) -> Invitation:
    return Invitation(
        row["invitation_id"],
        row["survey_type"],
        aliases.get(row["customer_id"], row["customer_id"]),
        business_day(row["sent_at"], variables.zone),
        row["channel"],
        row["trigger"] or UNKNOWN,
        row["order_id"],
        row["ticket_id"],
    )


def _read_answer(
    row: Mapping[str, Any], known: Mapping[str, Invitation], aliases: Mapping[str, str], variables: Variables
) -> Answer:
    return Answer(
        row["response_id"],
        known.get(row["invitation_id"]),
        aliases.get(row["customer_id"], row["customer_id"]),
        row["survey_type"],
        row["score"],
        1.0 if row["weight"] is None else float(row["weight"]),
        row["channel"],
        row["language"],
        row["comment"] is not None,
        row["responded_at"],
        business_day(row["responded_at"], variables.zone),
    )


def _latest(answers: Iterable[Answer]) -> set[str]:
    """Ids of the latest answer of each customer, and of every anonymous one."""
    latest: dict[str, Answer] = {}
    for answer in answers:
        who = f"anonymous {answer.response_id}" if answer.customer_id is None else f"customer {answer.customer_id}"
        if who not in latest or answer.age > latest[who].age:
            latest[who] = answer
    return {answer.response_id for answer in latest.values()}


def _by_period(surveys: Surveys, survey_type: str) -> dict[Period, list[Answer]]:
    answers: dict[Period, list[Answer]] = defaultdict(list)
    for answer in surveys.answers:
        if answer.survey_type == survey_type:
            for grain in GRAINS:
                answers[grain, surveys.period(grain, answer.responded_on)].append(answer)
    return answers


def survey_responses(surveys: Surveys) -> pd.DataFrame:
    """One row per answer, with whether it is the latest of its customer in each period."""
    latest: dict[str, set[str]] = {grain: set() for grain in GRAINS}
    for survey_type in GROUPS:
        for (grain, _), answers in _by_period(surveys, survey_type).items():
            latest[grain] |= _latest(answers)
    rows = []
    for answer in surveys.answers:
        asked = answer.invitation
        days = (answer.responded_on - asked.sent_on).days if asked else None
        is_named = asked is not None and answer.customer_id is not None
        rows.append(
            {
                "response_id": answer.response_id,
                "invitation_id": asked.invitation_id if asked else None,
                "customer_id": answer.customer_id,
                "survey_type": answer.survey_type,
                "score": answer.score,
                "weight": Decimal(str(answer.weight)),
                "response_group": GROUPS[answer.survey_type][answer.direction],
                "survey_trigger": asked.survey_trigger if asked else UNKNOWN,
                "channel": answer.channel,
                "language": answer.language,
                "has_comment": answer.has_comment,
                "responded_on": answer.responded_on,
                "days_to_answer": days if days is not None and days >= 0 else None,
                "order_id": asked.order_id if is_named else None,
                "ticket_id": asked.ticket_id if is_named else None,
                "is_latest_of_month": answer.response_id in latest["month"],
                "is_latest_of_quarter": answer.response_id in latest["quarter"],
                "is_latest_of_year": answer.response_id in latest["year"],
                "is_latest": answer.response_id in latest["all"],
            }
        )
    return pd.DataFrame(rows, dtype=object)


def _cuts(surveys: Surveys) -> Callable[[Answer], list[Cut]]:
    """What cuts an answer belongs to."""
    customers = {customer.customer_id: customer for customer in surveys.facts.customers}

    def cuts(answer: Answer) -> list[Cut]:
        customer = customers.get(answer.customer_id) if answer.customer_id else None
        known: dict[str, str | None] = dict(customer.attributes) if customer else {}
        known |= {
            "all": "all",
            "rfm_segment": surveys.segments.get(answer.customer_id or ""),
            "survey_trigger": answer.invitation.survey_trigger if answer.invitation else None,
            "channel": answer.channel,
        }
        return [(each.name, known.get(each.name) or UNKNOWN) for each in surveys.dimensions]

    return cuts


Score = Callable[[Sequence[Answer]], dict[str, Any]]
Change = Callable[[Sequence[Answer], Sequence[Answer]], dict[str, Any]]


def _scored(surveys: Surveys, survey_type: str, score: Score, change: Change) -> pd.DataFrame:
    """One row per period and cut: what is worked out from its answers, and from those of the period before."""
    cuts_of = _cuts(surveys)
    labels = {each.name: each for each in surveys.dimensions}
    groups: dict[tuple[Period, Cut], list[Answer]] = defaultdict(list)
    for period, answers in _by_period(surveys, survey_type).items():
        counted = _latest(answers) if survey_type == "nps" else {answer.response_id for answer in answers}
        for answer in answers:
            if answer.response_id in counted:
                for cut in cuts_of(answer):
                    groups[period, cut].append(answer)
    rows = []
    for ((grain, start), cut), answers in groups.items():
        before = None if grain == "all" else (grain, period_start(start - timedelta(days=1), grain))
        rows.append(
            {
                "period_start": start,
                "period_grain": grain,
                "dimension": cut[0],
                "dimension_en": labels[cut[0]].label_en,
                "dimension_zh": labels[cut[0]].label_zh,
                "dimension_value": cut[1],
                "responses": len(answers),
                "is_complete": surveys.is_complete(grain, start),
            }
            | score(answers)
            | change(answers, groups.get((before, cut), []) if before else [])
        )
    _add_q_values(rows)
    return pd.DataFrame(rows, dtype=object)


def _add_q_values(rows: Rows) -> None:
    """Put q values beside the p values: the whole is a family in each period, all that it is broken down by another."""
    families: dict[tuple[Any, ...], Rows] = defaultdict(list)
    for row in rows:
        row["q_value"] = row["is_flagged"] = None
        if row["p_value"] is not None:
            families[row["period_grain"], row["period_start"], row["dimension"] == "all"].append(row)
    for family in families.values():
        adjusted = stats.false_discovery_control([row["p_value"] for row in family], method="bh")
        for row, q_value in zip(family, adjusted, strict=True):
            row["q_value"], row["is_flagged"] = q_value, q_value < 0.05


def _count(answers: Sequence[Answer], direction: int) -> int:
    return sum(answer.direction == direction for answer in answers)


class Estimate(NamedTuple):
    """A score with its 95% interval, all None where there is none."""

    value: float | None
    low: float | None
    high: float | None


def adjusted(values: Sequence[float], weights: Sequence[float], added: Sequence[float]) -> tuple[float, float] | None:
    """Weighted mean and standard error after some more answers, each of which weighs as an effective response."""
    answers, weight = np.array(values, dtype=float), np.array(weights, dtype=float)
    if weight.sum() == 0:
        return None
    answers = np.append(answers, added)
    weight = np.append(weight, [(weight**2).sum() / weight.sum()] * len(added))
    centre = np.average(answers, weights=weight)
    return centre, np.sqrt(((weight * (answers - centre)) ** 2).sum()) / weight.sum()


def _p_value(one: tuple[float, float] | None, other: tuple[float, float] | None) -> float | None:
    """Two-sided, of the difference of two means, each with its standard error."""
    if one is None or other is None:
        return None
    return 2 * stats.norm.sf(abs(one[0] - other[0]), scale=np.hypot(one[1], other[1]))


def nps_of(directions: Sequence[int], weights: Sequence[float]) -> Estimate:
    """NPS, and its interval after adding a promoter, a passive and a detractor that weigh as an effective response."""
    moved = adjusted(directions, weights, (1, 0, -1))
    if moved is None:
        return Estimate(None, None, None)
    centre, error = moved
    value = np.average(directions, weights=weights)
    low, high = np.clip([centre - Z_95 * error, centre + Z_95 * error], -1, 1)
    return Estimate(100 * value, 100 * low, 100 * high)


def wilson(share: float, size: float) -> tuple[float, float]:
    """Both ends of the Wilson interval: the shares p of which an observed `share` of `size` is just z errors away."""
    # (share - p)^2 = z^2 p (1 - p) / size
    z = Z_95**2 / size
    low, high = sorted(np.roots([1 + z, -(2 * share + z), share**2]).real)
    return low, high


def difference(one: Estimate, other: Estimate) -> tuple[float, float]:
    """Bounds of one score less another: each moves as far as its own interval on the side that matters."""
    value = one.value - other.value
    down = np.hypot(one.value - one.low, other.high - other.value)
    up = np.hypot(one.high - one.value, other.value - other.low)
    return value - down, value + up


def _changed(name: str, value: str, one: Estimate, other: Estimate | None, bounds: Bounds) -> dict[str, Any]:
    low, high = bounds
    return {
        f"previous_{value}": other.value if other else None,
        f"{name}_change": one.value - other.value if other else None,
        f"{name}_change_low": low,
        f"{name}_change_high": high,
        "is_significant": None if low is None else not low <= 0 <= high,
    }


def _changed_by_weight(name: str, one: Estimate, other: Estimate | None, bounds: Bounds) -> dict[str, Any]:
    known = other is not None and None not in (one.value, other.value)
    return {
        f"weighted_{name}_change": one.value - other.value if known else None,
        f"weighted_{name}_change_low": bounds[0],
        f"weighted_{name}_change_high": bounds[1],
    }


def _difference_if_known(one: Estimate, other: Estimate | None) -> Bounds:
    return NONE if other is None or None in (one.value, other.value) else difference(one, other)


def _weights(answers: Sequence[Answer]) -> list[float]:
    return [answer.weight for answer in answers]


def nps(surveys: Surveys) -> pd.DataFrame:
    def unweighted(answers: Sequence[Answer]) -> Estimate:
        return nps_of([answer.direction for answer in answers], [1] * len(answers))

    def by_weight(answers: Sequence[Answer]) -> Estimate:
        return nps_of([answer.direction for answer in answers], _weights(answers))

    def moved(answers: Sequence[Answer]) -> tuple[float, float] | None:
        return adjusted([answer.direction for answer in answers], _weights(answers), (1, 0, -1))

    def score(answers: Sequence[Answer]) -> dict[str, Any]:
        plain, weighted = unweighted(answers), by_weight(answers)
        return {
            "promoters": _count(answers, 1),
            "passives": _count(answers, 0),
            "detractors": _count(answers, -1),
            "nps": plain.value,
            "nps_low": plain.low,
            "nps_high": plain.high,
            "weighted_nps": weighted.value,
            "weighted_nps_low": weighted.low,
            "weighted_nps_high": weighted.high,
        }

    def change(answers: Sequence[Answer], before: Sequence[Answer]) -> dict[str, Any]:
        one, other = unweighted(answers), unweighted(before) if before else None
        weighted, other_weighted = by_weight(answers), by_weight(before) if before else None
        return (
            _changed("nps", "nps", one, other, _difference_if_known(one, other))
            | _changed_by_weight("nps", weighted, other_weighted, _difference_if_known(weighted, other_weighted))
            | {"p_value": _p_value(moved(answers), moved(before)) if before else None}
        )

    return _scored(surveys, "nps", score, change)


def _share(answers: Sequence[Answer]) -> Estimate:
    share = _count(answers, 1) / len(answers)
    return Estimate(share, *wilson(share, len(answers)))


def _weighted_share(answers: Sequence[Answer]) -> Estimate:
    weights = np.array(_weights(answers))
    if weights.sum() == 0:
        return Estimate(None, None, None)
    share = np.average([answer.direction == 1 for answer in answers], weights=weights)
    return Estimate(share, *wilson(share, weights.sum() ** 2 / (weights**2).sum()))


def csat(surveys: Surveys) -> pd.DataFrame:
    def moved(answers: Sequence[Answer]) -> tuple[float, float] | None:
        return adjusted([answer.direction == 1 for answer in answers], _weights(answers), (1, 0))

    def score(answers: Sequence[Answer]) -> dict[str, Any]:
        rate, weighted = _share(answers), _weighted_share(answers)
        return {
            "satisfied": _count(answers, 1),
            "neutral": _count(answers, 0),
            "dissatisfied": _count(answers, -1),
            "csat_rate": rate.value,
            "csat_rate_low": rate.low,
            "csat_rate_high": rate.high,
            "csat_mean": np.mean([answer.score for answer in answers]),
            "weighted_csat_rate": weighted.value,
            "weighted_csat_rate_low": weighted.low,
            "weighted_csat_rate_high": weighted.high,
        }

    def change(answers: Sequence[Answer], before: Sequence[Answer]) -> dict[str, Any]:
        one, other = _share(answers), _share(before) if before else None
        weighted, other_weighted = _weighted_share(answers), _weighted_share(before) if before else None
        return (
            _changed("csat", "csat_rate", one, other, _difference_if_known(one, other))
            | _changed_by_weight("csat", weighted, other_weighted, _difference_if_known(weighted, other_weighted))
            | {"p_value": _p_value(moved(answers), moved(before)) if before else None}
        )

    return _scored(surveys, "csat", score, change)


def _mean(scores: Sequence[int]) -> Estimate:
    if len(set(scores)) < 2:
        return Estimate(np.mean(scores), None, None)
    bounds = stats.t.interval(0.95, len(scores) - 1, loc=np.mean(scores), scale=stats.sem(scores))
    return Estimate(np.mean(scores), *np.clip(bounds, 1, 7))


def _welch(scores: Sequence[int], before: Sequence[int]) -> Bounds:
    if len(set(scores)) < 2 or len(set(before)) < 2:
        return NONE
    bounds = stats.ttest_ind(scores, before, equal_var=False).confidence_interval(0.95)
    low, high = np.clip(bounds, -6, 6)
    return low, high


def _weighted_mean(scores: Sequence[int], weights: Sequence[float]) -> Estimate:
    return Estimate(np.average(scores, weights=weights) if sum(weights) else None, None, None)


def _weighted_error(scores: Sequence[int], weights: Sequence[float]) -> tuple[float, float] | None:
    """Squared error of a weighted mean, and its degrees of freedom: one less than the effective answers."""
    weight = np.array(weights)
    if len({score for score, each in zip(scores, weights, strict=True) if each}) < 2:
        return None
    size = weight.sum() ** 2 / (weight**2).sum()
    if size <= 2 - 1e-9:
        return None
    residuals = weight * (np.array(scores) - np.average(scores, weights=weight))
    # a spread that comes from an answer of next to no weight is none
    if (residuals**2).sum() <= 1e-9 * (weight**2).sum():
        return None
    return (residuals**2).sum() / weight.sum() ** 2 * size / (size - 1), size - 1


def _weighted_welch(answers: Sequence[Answer], before: Sequence[Answer]) -> Bounds:
    one, other = (_weighted_error([each.score for each in some], _weights(some)) for some in (answers, before))
    if one is None or other is None:
        return NONE
    errors, freedoms = np.array([one, other]).T
    freedom = errors.sum() ** 2 / (errors**2 / freedoms).sum()
    means = [np.average([each.score for each in some], weights=_weights(some)) for some in (answers, before)]
    low, high = np.clip(stats.t.interval(0.95, freedom, loc=means[0] - means[1], scale=np.sqrt(errors.sum())), -6, 6)
    return low, high


def ces(surveys: Surveys) -> pd.DataFrame:
    def moved(answers: Sequence[Answer]) -> tuple[float, float] | None:
        return adjusted([answer.score for answer in answers], _weights(answers), (1, 4, 7))

    def score(answers: Sequence[Answer]) -> dict[str, Any]:
        scores, weights = [answer.score for answer in answers], _weights(answers)
        mean, easy, weighted = _mean(scores), _share(answers), _weighted_share(answers)
        return {
            "satisfied": _count(answers, 1),
            "neutral": _count(answers, 0),
            "dissatisfied": _count(answers, -1),
            "ces_mean": mean.value,
            "ces_mean_low": mean.low,
            "ces_mean_high": mean.high,
            "ces_easy_rate": easy.value,
            "ces_easy_rate_low": easy.low,
            "ces_easy_rate_high": easy.high,
            "weighted_ces_mean": _weighted_mean(scores, weights).value,
            "weighted_ces_easy_rate": weighted.value,
            "weighted_ces_easy_rate_low": weighted.low,
            "weighted_ces_easy_rate_high": weighted.high,
        }

    def change(answers: Sequence[Answer], before: Sequence[Answer]) -> dict[str, Any]:
        scores, scores_before = [answer.score for answer in answers], [answer.score for answer in before]
        other = _mean(scores_before) if before else None
        weighted = _weighted_mean(scores, _weights(answers))
        other_weighted = _weighted_mean(scores_before, _weights(before)) if before else None
        return (
            _changed("ces", "ces_mean", _mean(scores), other, _welch(scores, scores_before) if before else NONE)
            | _changed_by_weight("ces", weighted, other_weighted, _weighted_welch(answers, before) if before else NONE)
            | {"p_value": _p_value(moved(answers), moved(before)) if before else None}
        )

    return _scored(surveys, "ces", score, change)


def survey_response_rates(surveys: Surveys) -> pd.DataFrame:
    answered = {answer.invitation.invitation_id for answer in surveys.answers if answer.invitation}
    counts: dict[tuple[Period, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for grain in GRAINS:
        for asked in surveys.invitations:
            period = grain, surveys.period(grain, asked.sent_on)
            count = counts[period, asked.survey_type, asked.channel or UNKNOWN]
            count[0] += 1
            count[1] += asked.invitation_id in answered
        for answer in surveys.answers:
            if answer.invitation is None:
                period = grain, surveys.period(grain, answer.responded_on)
                counts[period, answer.survey_type, answer.channel or UNKNOWN][2] += 1
    rows = []
    for ((grain, start), survey_type, channel), (invitations, responses, uninvited) in counts.items():
        rate = responses / invitations if invitations else None
        low, high = wilson(rate, invitations) if rate is not None else NONE
        rows.append(
            {
                "period_start": start,
                "period_grain": grain,
                "survey_type": survey_type,
                "channel": channel,
                "invitations": invitations,
                "responses": responses,
                "response_rate": rate,
                "response_rate_low": low,
                "response_rate_high": high,
                "responses_without_invitation": uninvited,
                "is_complete": surveys.is_complete(grain, start),
            }
        )
    return pd.DataFrame(rows, dtype=object)


def survey_invitations_unanswered(surveys: Surveys, contactable: set[str]) -> pd.DataFrame:
    """`contactable`: customers who agreed to be contacted."""
    answered = {answer.invitation.invitation_id for answer in surveys.answers if answer.invitation}
    known = {customer.customer_id for customer in surveys.facts.customers}
    rows = [
        {
            "invitation_id": asked.invitation_id,
            "customer_id": asked.customer_id,
            "survey_type": asked.survey_type,
            "sent_on": asked.sent_on,
            "days_open": (surveys.facts.as_of - asked.sent_on).days,
            "channel": asked.channel,
            "survey_trigger": asked.survey_trigger,
            "order_id": asked.order_id,
            "ticket_id": asked.ticket_id,
            "is_contactable": asked.customer_id in contactable & known,
        }
        for asked in surveys.invitations
        if asked.invitation_id not in answered
    ]
    return pd.DataFrame(rows, dtype=object)


def nps_repurchase(surveys: Surveys, followup_days: int) -> pd.DataFrame:
    """What customers did in the `followup_days` days after the latest answer for which these have passed."""
    followed: dict[str, Answer] = {}
    for answer in surveys.answers:
        is_over = answer.responded_on + timedelta(days=followup_days) <= surveys.facts.as_of
        if answer.survey_type == "nps" and answer.customer_id and is_over:
            followed[answer.customer_id] = answer
    customers = {customer.customer_id: customer for customer in surveys.facts.customers}
    groups: dict[str, list[tuple[bool, Decimal]]] = defaultdict(list)
    for customer_id, answer in followed.items():
        customer = customers.get(customer_id)
        first, last = answer.responded_on + timedelta(days=1), answer.responded_on + timedelta(days=followup_days)
        days = customer.purchase_days_in(first, last) if customer else []
        revenue = sum((customer.revenue_on[day] for day in days), Decimal(0))
        for group in ("all", GROUPS["nps"][answer.direction]):
            groups[group].append((bool(days), revenue))
    rates = {}
    for group, histories in groups.items():
        rate = sum(came_back for came_back, _ in histories) / len(histories)
        rates[group] = Estimate(rate, *wilson(rate, len(histories)))
    rows = []
    for group, histories in groups.items():
        revenue = sum((spent for _, spent in histories), Decimal(0))
        other = rates.get("detractor") if group in ("promoter", "passive") else None
        low, high = difference(rates[group], other) if other else NONE
        rows.append(
            {
                "response_group": group,
                "followup_days": followup_days,
                "customers": len(histories),
                "repurchased_customers": sum(came_back for came_back, _ in histories),
                "repurchase_rate": rates[group].value,
                "repurchase_rate_low": rates[group].low,
                "repurchase_rate_high": rates[group].high,
                "net_revenue": revenue,
                "net_revenue_per_customer": revenue / len(histories),
                "difference_to_detractors": rates[group].value - other.value if other else None,
                "difference_low": low,
                "difference_high": high,
                "is_significant": None if low is None else not low <= 0 <= high,
            }
        )
    return pd.DataFrame(rows, dtype=object)
