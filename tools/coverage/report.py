"""The page docs/coverage.md: what every estimate of every sort of company keeps, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from companies.sample.simulator.config import AS_OF
from tools.coverage.companies import CUSTOMERS, FEW_COMPANIES, FEW_DATES, Sort
from tools.coverage.estimates import ESTIMATES
from tools.coverage.judging import (
    BIAS_LIMIT,
    COVERAGE_LIMITS,
    WIDTH_LIMITS,
    Judgement,
    Outcome,
    against_population,
    failures,
    judge,
)

_TEMPLATE = """\
# How often an interval holds the truth

Simulated companies of {customers} customers ([companies/sample](../companies/sample/README.md)), whose truth is known,
as of {dates}.
Each has a calendar of its own: the launch of the programme, the days of campaigns, good and bad months.
The marts are those of this repository: their SQL and the refit run in memory on what the simulator drew, and a test
shows that a build gives the same. `make coverage` makes this page again: {cpu_minutes:.0f} CPU minutes for the
{companies} companies here. `make test` judges {few} on {few_dates} days, by wider limits, in about {few_minutes} CPU
minutes.

An estimate keeps its promise where all of this holds, pooled over horizons and days with companies as clusters:

* **holds**: the share of 95% intervals with the truth inside. Its own 95% interval includes a value between
  {coverage_low:.0%} and {coverage_high:.0%}.
* **width**: the mean half width over 1.96 root mean square errors, between {width_low:.2f} and {width_high:.2f}.
  Figures of one horizon on one day are divided by their mean half width before they are pooled. Its own interval says
  what chance may do to it.
* **bias**: the mean error over the root mean square error, below {bias} in size or not different from 0.

Figures for which a mart states no interval are counted (**without**) and no part of the rest: too few pairs, or nothing
to learn from yet.

An estimate of a population (programme, NPS, second purchase) is judged by the mean truth of all companies of the sort:
the customers of a company are a sample, and the interval is as wide as samples differ. A prediction (totals, cohorts,
points) is judged by what the very customers did; what they spend after {last} is drawn like the rest.

{verdict}

{sections}

## Where they fail

For each estimate above that fails, the share that holds, the width and the bias by group and by day. A bias of one sign
on one day and of the other on another is no bias of the pool, but makes its intervals too narrow.

{failing}
"""
_SECTION = """\
## {title}

{description}. {companies} companies.

| estimate | figures | without | holds | 95% interval | width | 95% interval | bias | verdict |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
{rows}
"""
_PARTS = """\
| companies | estimate | part | figures | holds | width | bias |
| --- | --- | --- | ---: | ---: | ---: | ---: |
{rows}"""


def judgements_of(outcomes: Sequence[Outcome]) -> list[Judgement]:
    """A judgement of each estimate of one sort of company, in the order of ESTIMATES."""
    prepared = prepare(outcomes)
    return [judge(prepared[name]) for name in ESTIMATES if _is_judged(prepared.get(name, ()))]


def _is_judged(outcomes: Sequence[Outcome]) -> bool:
    return any(outcome.is_stated for outcome in outcomes)


def prepare(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes by estimate, each beside the truth that it is judged by."""
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.estimate_name, []).append(outcome)
    return {
        name: against_population(of_name) if ESTIMATES[name].is_of_population else of_name
        for name, of_name in by_name.items()
    }


def report(
    outcomes: Mapping[str, Sequence[Outcome]],
    sorts: Mapping[str, Sort],
    dates: Sequence[date],
    cpu_minutes: float,
) -> str:
    """The Markdown document, from the outcomes by sort of company."""
    judged = {name: judgements_of(of_sort) for name, of_sort in outcomes.items()}
    failing = {name: [each.name for each in of_sort if failures(each)] for name, of_sort in judged.items()}
    total, failed = (sum(map(len, lists.values())) for lists in (judged, failing))
    verdict = f"All {total} keep it."
    if failed:
        listed = "\n".join(f"* {name}: {'; '.join(names)}" for name, names in failing.items() if names)
        verdict = f"{failed} of {total} do not:\n\n{listed}"
    companies = sum(len({outcome.company for outcome in of_sort}) for of_sort in outcomes.values())
    return _TEMPLATE.format(
        customers=f"{CUSTOMERS:,}",
        dates=", ".join(map(str, dates)),
        cpu_minutes=cpu_minutes,
        companies=companies,
        few=FEW_COMPANIES,
        few_dates=len(FEW_DATES),
        # a company takes as long, whichever it is
        few_minutes=round(cpu_minutes * FEW_COMPANIES * len(FEW_DATES) / len(dates) / companies, 1),
        last=AS_OF,
        coverage_low=COVERAGE_LIMITS[0],
        coverage_high=COVERAGE_LIMITS[1],
        width_low=WIDTH_LIMITS[0],
        width_high=WIDTH_LIMITS[1],
        bias=BIAS_LIMIT,
        verdict=verdict,
        sections="\n".join(_section(name, sorts[name], of_sort) for name, of_sort in judged.items()).rstrip(),
        failing=_parts(outcomes),
    )


def _section(name: str, sort: Sort, judgements: Sequence[Judgement]) -> str:
    return _SECTION.format(
        title=name.capitalize(),
        description=sort.description[0].upper() + sort.description[1:],
        companies=max(judgement.companies for judgement in judgements),
        rows="\n".join(_row(judgement) for judgement in judgements),
    )


def _row(judgement: Judgement) -> str:
    return _cells(
        judgement.name,
        f"{judgement.figures:,}",
        f"{judgement.unstated:,}",
        f"{judgement.coverage:.1%}",
        f"{judgement.coverage_low:.1%} to {judgement.coverage_high:.1%}",
        f"{judgement.width:.2f}",
        f"{judgement.width_low:.2f} to {judgement.width_high:.2f}",
        f"{judgement.bias:+.2f}{'' if judgement.bias_differs else ' (not different from 0)'}",
        ", ".join(failures(judgement)) or "keeps it",
    )


def _parts(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    rows = []
    for sort, of_sort in outcomes.items():
        for name, of_name in prepare(of_sort).items():
            if _is_judged(of_name) and failures(judge(of_name)):
                rows += [
                    _part_row(sort, name, part, chosen) for part, chosen in _parts_of(of_name) if _is_judged(chosen)
                ]
    return _PARTS.format(rows="\n".join(rows)) if rows else "None does."


def _parts_of(outcomes: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    parts: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        parts.setdefault(outcome.group, []).append(outcome)
    for outcome in sorted(outcomes, key=lambda each: each.as_of):
        parts.setdefault(str(outcome.as_of), []).append(outcome)
    return list(parts.items())


def _part_row(sort: str, name: str, part: str, outcomes: Sequence[Outcome]) -> str:
    judgement = judge(outcomes)
    return _cells(
        sort,
        name,
        part,
        f"{judgement.figures:,}",
        f"{judgement.coverage:.1%}",
        f"{judgement.width:.2f}",
        f"{judgement.bias:+.2f}",
    )


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
