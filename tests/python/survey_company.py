"""A company that asks a lot: customers and orders of `generators`, and surveys on the edges of the definitions.

Answers come several a month from some customers and several at one instant, on month ends and midnights of the business
time zone, from customers nobody else knows, from ids of another system, from nobody, without an invitation, before it,
and after the as-of date. The rows are in no order of time. The same code makes the same company every time.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from generators import Calendar, Company, random_company, write_raw_folder

Row = dict[str, Any]
Rows = list[Row]

FRAME = Calendar(date(2024, 2, 29), "Asia/Shanghai")
FOLLOWUP_DAYS = 60
CUSTOMERS = 160
INVITATIONS = 700
RESPONSES = 2_400

SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
TRIGGERS = ("relationship", "post_purchase", "post_ticket", None)
CHANNELS = ("sms", "web", "app", None)
# some tie, some weigh nothing, one outweighs the others
WEIGHTS = tuple(
    None if text is None else Decimal(text) for text in (None, None, "1", "0.5", "2.25", "0", "0.0001", "40")
)
CLOCKS = (time(0), time(23, 59, 59, 999999), time(12), time(12), time(8, 30))
COLUMNS = {
    "survey_invitations": (
        *("invitation_id", "survey_type", "customer_id", "sent_at", "channel", "trigger", "order_id", "ticket_id"),
    ),
    "survey_responses": (
        *("response_id", "invitation_id", "customer_id", "weight", "survey_type", "score", "comment", "language"),
        *("channel", "responded_at"),
    ),
    "customer_identities": ("source_system", "source_id", "customer_id", "recorded_at"),
    "consents": ("customer_id", "channel", "is_granted", "recorded_at"),
    "memberships": ("member_id", "customer_id", "enrolled_at", "tier", "updated_at"),
}


@dataclass(frozen=True)
class SurveyCompany:
    """Raw rows of the company: moments are UTC without an offset, null is None."""

    company: Company
    invitations: Rows
    responses: Rows
    # the customer whom an id of the other system stands for
    aliases: dict[str, str]
    contactable: set[str]
    tiers: dict[str, str]

    def write(self, folder: Path, variables: dict[str, Any]) -> None:
        """Write the raw folder of the company."""
        own = {"timestamps_without_offset": "UTC", "survey_followup_days": FOLLOWUP_DAYS}
        write_raw_folder(self.company, folder, {**variables, **own})
        # the tables from here on have no offsets
        long_ago = datetime(2020, 1, 1)
        identities = [
            {
                "source_system": "pos",
                "source_id": alias.removeprefix("pos:"),
                "customer_id": of,
                "recorded_at": long_ago,
            }
            for alias, of in self.aliases.items()
        ]
        consents = [
            {"customer_id": who, "channel": "email", "is_granted": "true", "recorded_at": long_ago}
            for who in sorted(self.contactable)
        ]
        memberships = [
            {"member_id": f"m-{who}", "customer_id": who, "enrolled_at": long_ago, "tier": tier, "updated_at": long_ago}
            for who, tier in self.tiers.items()
        ]
        write_table(folder / "survey_invitations.csv", self.invitations)
        write_table(folder / "survey_responses" / "asked.csv", self.responses)
        write_table(folder / "customer_identities.csv", identities)
        write_table(folder / "consents.csv", consents)
        write_table(folder / "memberships.csv", memberships)


def write_table(path: Path, rows: Rows) -> None:
    """Write rows of the table that the file, or its folder, is named after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = COLUMNS.get(path.stem) or COLUMNS[path.parent.name]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def survey_company() -> SurveyCompany:
    """The company."""
    chance = random.Random(20240229)
    company = random_company(7, FRAME, sizes=(CUSTOMERS,))
    customers = sorted({row["customer_id"] for row in (*company.customers, *company.orders)})
    registered = [row["customer_id"] for row in company.customers if not _is_late(row)]
    aliases = {f"pos:{number}": customer for number, customer in enumerate(chance.sample(registered, 12))}
    # whoever nobody else knows is asked and answers as well
    people = [*customers, *aliases, "stranger 1", "stranger 2"]
    invitations = [_invitation(number, people, chance) for number in range(INVITATIONS)]
    responses = list(_responses(people, invitations, chance))
    chance.shuffle(responses)
    return SurveyCompany(
        company,
        invitations,
        responses,
        aliases,
        contactable=set(chance.sample(customers, len(customers) // 2)),
        tiers={who: chance.choice(("member", "gold")) for who in registered[::3]},
    )


def _is_late(customer: Row) -> bool:
    registered_at = customer["registered_at"]
    return registered_at is not None and registered_at >= FRAME.utc(FRAME.as_of + timedelta(days=1), time(0))


def _invitation(number: int, people: Sequence[str], chance: random.Random) -> Row:
    return {
        "invitation_id": f"i{number}",
        "survey_type": chance.choice(tuple(SCALES)),
        "customer_id": chance.choice(people),
        "sent_at": _moment(chance),
        "channel": chance.choice(CHANNELS),
        "trigger": chance.choice(TRIGGERS),
        "order_id": chance.choice((None, f"o{number}")),
        "ticket_id": chance.choice((None, f"t{number}")),
    }


def _responses(people: Sequence[str], invitations: Rows, chance: random.Random) -> Iterator[Row]:
    busy = [*people[:6], "pos:1", "pos:2"]
    instants = [_moment(chance) for _ in range(40)]
    for number in range(RESPONSES):
        survey_type = chance.choice(tuple(SCALES))
        asked = chance.choice((None, None, chance.choice(invitations), chance.choice(invitations)))
        who = chance.choice((None, chance.choice(people), chance.choice(people), chance.choice(busy)))
        if asked is not None and chance.random() < 0.5:
            # the one who was asked, about what was asked
            who, survey_type = chance.choice((asked["customer_id"], None)), asked["survey_type"]
        moment = chance.choice((chance.choice(instants), _moment(chance)))
        yield {
            # ids do not sort as numbers do
            "response_id": f"r{number}",
            "invitation_id": asked["invitation_id"] if asked else chance.choice((None, None, "nowhere")),
            "customer_id": who,
            "weight": chance.choice(WEIGHTS),
            "survey_type": survey_type,
            "score": _score(survey_type, moment, chance),
            "comment": chance.choice((None, "谢谢", "too slow")),
            "language": chance.choice((None, "zh", "en")),
            "channel": chance.choice(CHANNELS),
            "responded_at": moment,
        }


def _score(survey_type: str, moment: datetime, chance: random.Random) -> int:
    """Some quarters are good and some bad, so that changes are significant; in August all scores are the same."""
    lowest, highest = SCALES[survey_type]
    if moment.month == 8:
        return highest
    middle = (lowest + highest) // 2
    is_good = (moment.month - 1) // 3 % 2 == 0
    return chance.choice(
        (chance.randint(lowest, highest), chance.randint(*((middle, highest) if is_good else (lowest, middle))))
    )


def _moment(chance: random.Random) -> datetime:
    """A moment of the 26 months before the as-of date or just after it, often on the border of a month or a follow-up.

    No survey is sent or answered in November 2023, so December has no month to be compared with.
    """
    as_of = FRAME.as_of
    special = [
        as_of + timedelta(days=days) for days in (0, 1, 3, -FOLLOWUP_DAYS, 1 - FOLLOWUP_DAYS, -1 - FOLLOWUP_DAYS)
    ]
    special += [date(2023, month, 1) - timedelta(days=back) for month in (1, 2, 4, 7, 10) for back in (0, 1)]
    day = chance.choice((chance.choice(special), as_of - timedelta(days=chance.randint(0, 780))))
    if (day.year, day.month) == (2023, 11):
        day += timedelta(days=31)
    return FRAME.utc(day, chance.choice(CLOCKS))


def airport_responses(source: Path) -> Rows:
    """The passenger survey of San Francisco's airport of 2017 as raw rows: NPS, and CSAT of the airport as a whole.

    No answer (NETPRO 11, Q7ALL 0, 6 or blank) makes no row. Weights are as the warehouse holds them, to four decimals.
    The file has the day of May, not the hour.
    """
    with source.open(encoding="utf-8", newline="") as file:
        passengers = list(csv.DictReader(file))
    return [
        {
            "response_id": f"sfo-{survey_type}-{passenger['RESPNUM']}",
            "invitation_id": None,
            "customer_id": None,
            "weight": Decimal(passenger["WEIGHT"]).quantize(Decimal("0.0001"), ROUND_HALF_UP),
            "survey_type": survey_type,
            "score": int(float(passenger[question])),
            "comment": None,
            "language": None,
            "channel": "airport",
            "responded_at": datetime(2017, 5, int(passenger["INTDATE"]), 4),
        }
        for survey_type, question, scores in (("nps", "NETPRO", range(11)), ("csat", "Q7ALL", range(1, 6)))
        for passenger in passengers
        if passenger[question].strip().replace(".0", "").isdigit() and int(float(passenger[question])) in scores
    ]
