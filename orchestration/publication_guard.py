"""What is surely wrong with a build, by its own figures and by those of the last publication of the same company.

Pure functions: whoever has the figures asks, and refuses to publish where something is found that is not allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from orchestration.contract import Contract
from orchestration.errors import Fact, PublicationError
from orchestration.publishing import Publication, TableFigures
from orchestration.settings import (
    ALLOW,
    EARLIER_AS_OF,
    FEWER_ROWS,
    LESS_REVENUE,
    ORDERS_ABSENT,
    REJECTED_ROWS,
    TABLE_GONE,
    Settings,
)

ORDERS = "orders"


@dataclass(frozen=True)
class Limits:
    """Up to where a build may differ from the last publication, and may have rejected rows; shares of one."""

    rows_fall: float
    revenue_fall: float
    rejected_share: float
    rejected_rows: int
    rejected_share_warned: float

    @staticmethod
    def of(settings: Settings) -> Limits:
        """The limits of a company."""
        return Limits(
            rows_fall=float(settings.variable("rows_fall_limit")),
            revenue_fall=float(settings.variable("revenue_fall_limit")),
            rejected_share=float(settings.variable("rejected_share_limit")),
            rejected_rows=int(settings.variable("rejected_rows_limit")),
            rejected_share_warned=float(settings.variable("rejected_share_warning")),
        )


@dataclass(frozen=True)
class Finding:
    """One thing that is surely wrong, unless somebody says by its name that it is right.

    `values` are the figures of the text, for an alert.
    """

    name: str
    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """The findings of a build: those that stop it, those it is allowed, and what ALLOW must name to let it pass."""

    refused: tuple[Finding, ...]
    allowed: tuple[Finding, ...]
    flag: str


def missing_tables(
    tables: Mapping[str, TableFigures], last: Publication | None, unread: Sequence[str] = ()
) -> list[Finding]:
    """What is found by looking at the files alone.

    Args:
        tables: what the build has of each raw table.
        last: the last publication of the company.
        unread: a sentence on each file of the raw folder that belongs to no table.
    """
    had = {} if last is None else last.rows_by_table
    findings = []
    if _rows_read(tables, ORDERS) == 0 and (had.get(ORDERS) or unread):
        before = f", of which the last publication has {had[ORDERS]:,} rows" if had.get(ORDERS) else ""
        findings.append(Finding(ORDERS_ABSENT, " ".join([f"No file holds rows of orders{before}.", *unread])))
    findings += [
        Finding(
            TABLE_GONE,
            f"No file holds the table {name}, of which the last publication has {rows:,} rows.",
            {"table": name, "rows_before": int(rows)},
        )
        for name, rows in had.items()
        if name != ORDERS and rows and not tables.get(name, TableFigures()).files
    ]
    return findings


def wrong_figures(tables: Mapping[str, TableFigures], last: Publication | None, limits: Limits) -> list[Finding]:
    """What is found by counting the rows of the tables that there are."""
    # a file without a row is a table whose rows have gone; of orders the files alone have told it already
    landed = {name: table for name, table in tables.items() if table.rows_read or (table.files and name != ORDERS)}
    return [
        *(finding for name, table in landed.items() for finding in _falls(name, table, last, limits)),
        *(
            Finding(
                REJECTED_ROWS,
                f"{table.rows_rejected:,} of {table.rows_judged:,} rows of {name} were rejected "
                f"({_percent(_rejected_share(table))}), more than {_percent(limits.rejected_share)} "
                f"(rejected_share_limit) and {limits.rejected_rows:,} rows (rejected_rows_limit).",
                {"table": name, "rows": table.rows_rejected, "judged": table.rows_judged},
            )
            for name, table in landed.items()
            if _is_rejected_too_often(table, limits)
        ),
    ]


def earlier_as_of(as_of: date | None, is_asked_for: bool, last: Publication | None) -> list[Finding]:
    """The finding that an as-of date which the run found by itself goes back; one that was asked for may."""
    if is_asked_for or last is None or as_of is None or last.as_of_date is None or as_of >= last.as_of_date:
        return []
    text = (
        f"The as-of date that the run found is {as_of}, before {last.as_of_date}, that of the last publication. To "
        f"look back on purpose, name the day: AS_OF={as_of}."
    )
    return [Finding(EARLIER_AS_OF, text, {"as_of": as_of.isoformat(), "as_of_before": last.as_of_date.isoformat()})]


def build_findings(
    tables: Mapping[str, TableFigures],
    last: Publication | None,
    limits: Limits,
    contract: Contract,
    allow: Collection[str] = (),
    as_of: date | None = None,
    is_as_of_asked_for: bool = False,
) -> list[Finding]:
    """What is found in the figures of a build, beside what its files have shown already.

    What follows from a table whose absence is allowed is not found again: the rows that refer to it are rejected, and
    without orders the as-of date is looked for elsewhere.
    """
    absent = [name for name, table in tables.items() if not table.rows_read]
    excused = _that_need([name for name in absent if _absence_of(name) in allow], contract)
    judged = {name: table for name, table in tables.items() if name not in excused}
    without_orders = ORDERS in absent and ORDERS_ABSENT in allow
    return [
        *wrong_figures(judged, last, limits),
        *([] if without_orders else earlier_as_of(as_of, is_as_of_asked_for, last)),
    ]


def judge(findings: Sequence[Finding], allow: Collection[str]) -> Judgement:
    """Part findings into those that are refused and those that are allowed by name."""
    return Judgement(
        refused=tuple(finding for finding in findings if finding.name not in allow),
        allowed=tuple(finding for finding in findings if finding.name in allow),
        # what is allowed already stays so: an earlier step may have needed it
        flag=",".join(sorted({*allow, *(finding.name for finding in findings)})),
    )


def refuse(judgement: Judgement, heading: str, last: Publication | None, details: Sequence[str] = ()) -> None:
    """Stop a refresh that has findings nobody allowed.

    Args:
        judgement: what was found.
        heading: a sentence on what is wrong, and what did not happen.
        last: what was compared with.
        details: more lines for whoever has to put it right.

    Raises:
        PublicationError: names every finding with its figures, and the one flag that lets all of them pass.
    """
    if not judgement.refused:
        return
    compared = "" if last is None else f" It was compared with {last.publication_id}, the last of this company."
    lines = [
        heading + compared,
        *(f"  {finding.name}: {finding.text}" for finding in judgement.refused),
        *details,
        "Put the files right and refresh again. If all of this is as it should be, let it pass once: "
        f"ALLOW={judgement.flag} after make run (the variable {ALLOW}; `allow` in the configuration of a run in "
        f"Dagster).",
    ]
    raise PublicationError("\n".join(lines), [Fact(finding.name, finding.values) for finding in judgement.refused])


def allowed_lines(judgement: Judgement) -> list[str]:
    """A line for each finding that was let pass."""
    return [f"let pass ({finding.name}): {finding.text}" for finding in judgement.allowed]


def warning_lines(tables: Mapping[str, TableFigures], limits: Limits) -> list[str]:
    """A line for each table of which many rows were rejected, though not so many that it is refused."""
    return [
        f"warning: {table.rows_rejected:,} of {table.rows_judged:,} rows of {name} were rejected "
        f"({_percent(_rejected_share(table))}); up to {_percent(limits.rejected_share_warned)} would be usual."
        for name, table in tables.items()
        if table.rows_read
        and _rejected_share(table) >= limits.rejected_share_warned
        and not _is_rejected_too_often(table, limits)
    ]


def replaced_company(published: Publication | None, company_id: str) -> str | None:
    """The other company whose publication gives way to this one; None where it is the same, or not known."""
    other = None if published is None else published.company_id
    return other if other != company_id else None


def _falls(name: str, table: TableFigures, last: Publication | None, limits: Limits) -> list[Finding]:
    rows = 0 if last is None else last.rows_by_table.get(name, 0)
    revenue = 0.0 if last is None else last.revenue_by_table.get(name, 0.0)
    findings = []
    if table.rows_accepted < rows * (1 - limits.rows_fall):
        text = (
            f"{name} has {table.rows_accepted:,} accepted rows, the last publication {rows:,}: "
            f"{_percent(1 - table.rows_accepted / rows)} fewer, more than "
            f"{_percent(limits.rows_fall)} (rows_fall_limit)."
        )
        values = {"table": name, "rows": table.rows_accepted, "rows_before": int(rows)}
        findings.append(Finding(FEWER_ROWS, text, values))
    if table.revenue is not None and float(table.revenue) < revenue * (1 - limits.revenue_fall):
        fall = _percent(1 - float(table.revenue) / revenue)
        text = (
            f"The revenue of {name} is {table.revenue:,.2f}, that of the last publication {revenue:,.2f}: "
            f"{fall} less, more than {_percent(limits.revenue_fall)} (revenue_fall_limit)."
        )
        findings.append(Finding(LESS_REVENUE, text, {"table": name, "fall": fall}))
    return findings


def _that_need(missing: Sequence[str], contract: Contract) -> set[str]:
    """The tables whose rows are rejected without those that are missing, by way of others too."""
    needing: set[str] = set()
    reached = set(missing)
    while reached:
        reached = {
            name
            for name, table in contract.tables.items()
            if name not in needing and any(reference.table in reached for reference in table.references.values())
        }
        needing |= reached
    return needing


def _absence_of(table: str) -> str:
    return ORDERS_ABSENT if table == ORDERS else TABLE_GONE


def _rows_read(tables: Mapping[str, TableFigures], name: str) -> int:
    return tables.get(name, TableFigures()).rows_read


def _rejected_share(table: TableFigures) -> float:
    return table.rows_rejected / table.rows_judged if table.rows_judged else 0.0


def _is_rejected_too_often(table: TableFigures, limits: Limits) -> bool:
    return table.rows_rejected > limits.rejected_rows and _rejected_share(table) > limits.rejected_share


def _percent(share: float) -> str:
    return f"{share:.1%}"
