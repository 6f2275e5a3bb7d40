"""Who stands for whom, worked out one claim after the other instead of round by round.

Claims are taken in order. Each joins an id to a detail, and so the group of the one to the group of the other; a claim
that would put two customers into one group is refused for good. A group without a customer stands for the one of its
ids that came first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claim:
    """An id has a detail: (kind, value), since a moment that compares with others."""

    id: str
    kind: str
    value: str
    claimed_at: str


KIND_RANKS = {"customer_id": 0, "email": 1, "phone": 2, "anonymous_id": 3}


@dataclass
class _Groups:
    parents: dict[object, object] = field(default_factory=dict)

    def root(self, member: object) -> object:
        self.parents.setdefault(member, member)
        while self.parents[member] != member:
            member = self.parents[member]
        return member

    def join(self, one: object, other: object) -> None:
        self.parents[self.root(other)] = self.root(one)


def in_order(claims: Iterable[Claim], customers: set[str]) -> list[Claim]:
    """The first claim of each id to each detail: named customers first, then by time, stronger kind, detail and id."""
    first: dict[tuple[str, str, str], Claim] = {}
    for claim in sorted(claims, key=lambda claim: claim.claimed_at):
        first.setdefault((claim.id, claim.kind, claim.value), claim)
    return sorted(
        first.values(),
        key=lambda claim: (
            claim.kind != "customer_id",
            claim.claimed_at,
            KIND_RANKS[claim.kind],
            claim.value,
            claim.id not in customers,
            claim.id,
        ),
    )


def resolve(claims: Iterable[Claim], customers: set[str]) -> dict[str, str]:
    """The customer of every id that has a detail; the id itself where nothing links it."""
    ordered = in_order(claims, customers)
    groups = _Groups()
    customer_of: dict[object, str] = {}
    holders: dict[tuple[str, str], set[str]] = {}
    for claim in ordered:
        detail = (claim.kind, claim.value)
        if claim.id in customers:
            customer_of.setdefault(groups.root(claim.id), claim.id)
            holders.setdefault(detail, set()).add(claim.id)
        if claim.kind != "customer_id" and len(holders.get(detail, ())) > 1:
            continue
        one, other = groups.root(claim.id), groups.root(detail)
        owners = {customer_of[root] for root in (one, other) if root in customer_of}
        if one == other or len(owners) > 1:
            continue
        groups.join(one, other)
        if owners:
            customer_of[groups.root(one)] = owners.pop()
    # only what two ids share decides who came first
    shared = [claim for claim in ordered if _is_shared(claim, ordered)]
    eldest: dict[object, str] = {}
    for claim in shared:
        eldest.setdefault(groups.root(claim.id), claim.id)
    return {
        claim.id: customer_of.get(groups.root(claim.id), eldest.get(groups.root(claim.id), claim.id))
        for claim in ordered
    }


def _is_shared(claim: Claim, claims: list[Claim]) -> bool:
    return any(other.id != claim.id and (other.kind, other.value) == (claim.kind, claim.value) for other in claims)
