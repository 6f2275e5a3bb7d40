"""The scorecard a second time: targets in exact fractions, and noise by the squares of the distances."""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import pandas as pd

Row = dict[str, Any]
PLACES = 10**6


def kpi_scorecard(
    actuals: Sequence[Row], kpis: Sequence[Mapping[str, str]], targets: Sequence[Mapping[str, str]], near: float
) -> pd.DataFrame:
    """One row per row of `actuals` whose KPI is in `kpis`.

    `actuals` are rows of kpi_actuals, `kpis` and `targets` those of the seeds, every value a text; `near` is the
    attainment from which a missed target is near.
    """
    better = {row["kpi"]: row["is_higher_better"].lower() == "true" for row in kpis}
    rank = {row["kpi"]: int(row["kpi_rank"]) for row in kpis}
    by_key = {(row["kpi"], row["month"]): row for row in actuals}
    rows = []
    for (kpi, month), row in by_key.items():
        if kpi not in better:
            continue
        target = target_of(month, [each for each in targets if each["kpi"] == kpi])
        earlier, last_year = by_key.get((kpi, _earlier(month, 1))), by_key.get((kpi, _earlier(month, 12)))
        complete = row["is_complete"]
        attainment = _attainment(row["actual"], target, better[kpi]) if complete else None
        own = row["is_change_significant"]
        noise = is_more_than_noise(row, earlier) if own is None else own
        rows.append(
            {
                "month": month,
                "kpi": kpi,
                "kpi_rank": rank[kpi],
                "actual": row["actual"],
                "target": target,
                "attainment": attainment,
                "previous_month": earlier and earlier["actual"],
                "same_month_last_year": last_year and last_year["actual"],
                "change": _change(row, earlier),
                "is_change_significant": noise if complete else None,
                "change_year": _change(row, last_year),
                "is_change_year_significant": is_more_than_noise(row, last_year) if complete else None,
                "status": _status(row["actual"], target, attainment, near, better[kpi]) if complete else "incomplete",
            }
        )
    return pd.DataFrame(rows, dtype=object)


def target_of(month: date, stretches: Sequence[Mapping[str, str]]) -> float | None:
    """The target of a month by the stretches of one KPI, to six decimals; None before the first."""
    begun = [each for each in stretches if date.fromisoformat(each["from_month"]) <= month]
    if not begun:
        return None
    stretch = max(begun, key=lambda each: each["from_month"])
    value = Fraction(stretch["from_value"])
    if stretch["to_month"]:
        first, last = date.fromisoformat(stretch["from_month"]), date.fromisoformat(stretch["to_month"])
        share = min(Fraction(_months(first, month), _months(first, last)), Fraction(1))
        value += (Fraction(stretch["to_value"]) - value) * share
    return round(value * PLACES) / PLACES


def is_more_than_noise(row: Row, earlier: Row | None) -> bool | None:
    """Whether two figures differ by more than the distances to the bounds that face each other allow (Zou and Donner).

    None where one of the two, or one of these bounds, is not known.
    """
    if earlier is None or None in (
        row["actual"],
        earlier["actual"],
        *(each[end] for each in (row, earlier) for end in ("actual_low", "actual_high")),
    ):
        return None
    upper, lower = (row, earlier) if row["actual"] >= earlier["actual"] else (earlier, row)
    down = upper["actual"] - upper["actual_low"]
    up = lower["actual_high"] - lower["actual"]
    return (upper["actual"] - lower["actual"]) ** 2 > down**2 + up**2


def _earlier(month: date, months: int) -> date:
    count = month.year * 12 + month.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)


def _months(start: date, end: date) -> int:
    return (end.year - start.year) * 12 + end.month - start.month


def _change(row: Row, earlier: Row | None) -> float | None:
    if earlier is None or None in (row["actual"], earlier["actual"]) or not row["is_complete"]:
        return None
    return row["actual"] - earlier["actual"]


def _attainment(actual: float | None, target: float | None, is_higher_better: bool) -> float | None:
    part, whole = (actual, target) if is_higher_better else (target, actual)
    return None if part is None or whole is None or whole <= 0 else part / whole


def _status(
    actual: float | None, target: float | None, attainment: float | None, near: float, is_higher_better: bool
) -> str:
    if actual is None:
        return "no_figure"
    if target is None:
        return "no_target"
    if actual == target or (actual > target) == is_higher_better:
        return "met"
    return "near" if attainment is not None and attainment >= near else "missed"
