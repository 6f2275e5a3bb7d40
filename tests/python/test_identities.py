"""One customer from several systems: the marts against claims that are taken one after the other."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from oracle.identities import Claim, resolve

pytestmark = [pytest.mark.worlds, pytest.mark.xdist_group("identities")]

COMPANIES = 150
AS_OF = date(2025, 12, 31)
EARLIER = date(2025, 9, 30)
SYSTEMS = ("till", "chat", "mail", "app")
MODELS = (
    "build",
    "--select",
    "+customer_identities",
    "+identity_conflicts",
    "+int_customer_aliases_listed",
    "--indirect-selection",
    "cautious",
    "--exclude-resource-type",
    "unit_test",
)
Rows = list[dict[str, str]]


@dataclass
class People:
    """Raw rows of many small companies, whose ids and details begin with a letter of their own, and what they claim."""

    customers: Rows = field(default_factory=list)
    identities: Rows = field(default_factory=list)
    web_events: Rows = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def customer_ids(self) -> set[str]:
        """Everybody who is no id of another system."""
        systems = {f"{row['source_system']}:{row['source_id']}" for row in self.identities}
        return {claim.id for claim in self.claims} - systems | {row["customer_id"] for row in self.customers}


def draw_people(number: int) -> People:
    people, generator = People(), random.Random(number)
    for company in range(COMPANIES):
        _draw_company(people, f"k{company:03d}", generator)
    for rows in (people.customers, people.identities, people.web_events):
        generator.shuffle(rows)
    return people


def _draw_company(people: People, name: str, generator: random.Random) -> None:
    customers = [f"{name}-c{place}" for place in range(generator.randint(1, 3))]
    phones = [f"1{company_digits(name)}{place:07d}" for place in range(3)]
    emails = [f"{name}-{place}@shop.cn" for place in range(3)]
    devices = [f"{name}-d{place}" for place in range(2)]
    for customer in customers:
        row = {"customer_id": customer, "registered_at": _moment(generator)}
        row |= {"email": _maybe(generator, emails, 0.6), "phone": _maybe(generator, phones, 0.6)}
        people.customers.append(row)
        _claim(people, customer, row, row["registered_at"])
    # nobody has registered the last one
    named = [*customers, f"{name}-guest"]
    for place in range(generator.randint(1, 6)):
        system = generator.choice(SYSTEMS)
        # the same id at the same moment again would be a newer version of the same row
        for moment in sorted({_moment(generator) for _ in range(generator.choice((1, 1, 2)))}):
            row = {
                "source_system": system,
                "source_id": f"{name}-{place}",
                "customer_id": _maybe(generator, named, 0.15),
                "email": _maybe(generator, emails, 0.35),
                "phone": _maybe(generator, phones, 0.35),
                "anonymous_id": _maybe(generator, devices, 0.2),
                "recorded_at": moment,
            }
            people.identities.append(row)
            _claim(people, f"{system}:{name}-{place}", row, row["recorded_at"])
    for place in range(generator.randint(0, 2)):
        row = {"event_id": f"{name}-e{place}", "session_id": f"{name}-s", "anonymous_id": generator.choice(devices)}
        row |= {"customer_id": generator.choice(named), "occurred_at": _moment(generator), "event_name": "page_view"}
        people.web_events.append(row)
        people.claims.append(Claim(row["customer_id"], "anonymous_id", row["anonymous_id"], row["occurred_at"]))


def company_digits(name: str) -> str:
    return name.removeprefix("k")


def _maybe(generator: random.Random, options: list[str], share: float) -> str:
    return generator.choice(options) if generator.random() < share else ""


def _moment(generator: random.Random) -> str:
    # few days, so that many things are recorded at the same moment
    return (datetime(2025, 7, 1) + timedelta(days=10 * generator.randint(0, 17))).isoformat()


def _claim(people: People, who: str, row: dict[str, str], moment: str) -> None:
    for kind in ("customer_id", "email", "phone", "anonymous_id"):
        value = row.get(kind, "")
        if value and not (kind == "customer_id" and value == who):
            people.claims.append(Claim(who, kind, value, moment))
            if kind == "customer_id":
                people.claims.append(Claim(value, kind, value, moment))


def write_people(people: People, folder: Path) -> Path:
    folder.mkdir()
    for table in ("customers", "identities", "web_events"):
        rows = getattr(people, table)
        name = "customer_identities" if table == "identities" else table
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@dataclass(frozen=True)
class Resolved:
    """What was drawn, and the build as of the last day and as of an earlier one."""

    people: People
    world: Any
    earlier: Any


@pytest.fixture(scope="module")
def resolved(build_world: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Resolved:
    people = draw_people(20251231)
    folder = write_people(people, tmp_path_factory.mktemp("people") / "raw")
    world = build_world(folder, "identities", AS_OF, MODELS)
    return Resolved(people, world, build_world(folder, "identities_earlier", EARLIER, MODELS))


def customers_of(world: Any) -> dict[str, str]:
    return dict(world.rows("select identity_id, customer_id from marts.customer_identities"))


def expected_customers(people: People, as_of: date) -> dict[str, str]:
    claims = [claim for claim in people.claims if claim.claimed_at[:10] <= as_of.isoformat()]
    return resolve(claims, people.customer_ids)


def known_identities(people: People, as_of: date) -> set[str]:
    return {
        f"{row['source_system']}:{row['source_id']}"
        for row in people.identities
        if row["recorded_at"][:10] <= as_of.isoformat()
    }


@pytest.mark.parametrize("as_of", [AS_OF, EARLIER])
def test_every_id_stands_for_whom_the_claims_in_order_say(resolved: Resolved, as_of: date) -> None:
    actual = customers_of(resolved.world if as_of == AS_OF else resolved.earlier)
    expected = expected_customers(resolved.people, as_of)
    assert actual == {each: expected.get(each, each) for each in known_identities(resolved.people, as_of)}
    kinds = {kind for (kind,) in resolved.world.rows("select link_kind from marts.customer_identities")}
    assert kinds == {"customer_id", "email", "phone", "anonymous_id", "none"}
    assert resolved.world.rows("select count(*) > 10 from marts.customer_identities where is_transitive") == [(True,)]


def test_what_is_learned_later_moves_nobody_who_had_a_customer(resolved: Resolved) -> None:
    before, after = customers_of(resolved.earlier), customers_of(resolved.world)
    customers = resolved.people.customer_ids
    moved = {each for each, customer in before.items() if customer in customers and after[each] != customer}
    # a system that names the customer is believed over what ids share, and takes along who is linked through it
    named = {claim.id for claim in resolved.people.claims if claim.kind == "customer_id"}
    unexplained = [each for each in moved if not named & ids_linked_with(resolved.people, each)]
    assert len(before) > 100 and not unexplained


def ids_linked_with(people: People, identity: str) -> set[str]:
    """The id, and all of its company: nobody shares anything with another company."""
    company = identity.split(":")[1][:4]
    return {claim.id for claim in people.claims if company in claim.id and ":" in claim.id}


def test_customers_are_never_made_one(resolved: Resolved) -> None:
    assert not resolved.world.rows(
        "select * from intermediate.int_identities_linked where is_customer and customer_id != id"
    )


def test_whoever_shares_a_detail_with_somebody_elses_customer_is_reported(resolved: Resolved) -> None:
    customer_of = expected_customers(resolved.people, AS_OF)
    claims = [claim for claim in resolved.people.claims if claim.claimed_at[:10] <= AS_OF.isoformat()]
    groups: dict[tuple[str, str], set[str]] = {}
    for claim in claims:
        groups.setdefault((claim.kind, claim.value), set()).add(customer_of[claim.id])
    customers = resolved.people.customer_ids
    expected = {
        (claim.id, claim.kind)
        for claim in claims
        if claim.id not in customers and len(groups[claim.kind, claim.value]) > 1
    }
    reported = resolved.world.rows("select identity_id, link_kind from marts.identity_conflicts")
    assert set(reported) == expected
    reasons = {reason for (reason,) in resolved.world.rows("select reason_code from marts.identity_conflicts")}
    assert reasons == {"names_two_customers", "shared_by_customers", "belongs_to_another_customer"}


def test_no_detail_of_a_person_is_in_the_marts(resolved: Resolved) -> None:
    for mart in ("customer_identities", "identity_conflicts"):
        text = resolved.world.mart(mart).to_csv()
        assert "@shop.cn" not in text
        assert not any(row["phone"] and row["phone"] in text for row in resolved.people.customers)
