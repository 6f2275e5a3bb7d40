"""What a refresh tells at its end: the headline numbers of the published marts, and what became of the raw rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from orchestration.engines.engine import Ask

NOTHING = "–"
SURVEYS = (("nps", "NPS", "净推荐值"), ("csat", "CSAT", "客户满意度"), ("ces", "CES", "客户费力度"))


@dataclass(frozen=True)
class Kpi:
    """A headline number with its labels; `value` is text, ready to show."""

    label_en: str
    label_zh: str
    value: str


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of the raw folder, over all tables."""

    read: int
    accepted: int
    rejected: int
    superseded: int
    rejected_by_reason: Sequence[tuple[str, str, int]]
    """table, reason code, rows"""


def headline_kpis(ask: Ask, currency: str) -> list[Kpi]:
    """The headline numbers of what is published. One that its marts do not tell is shown as a dash."""
    return [
        *_sales(ask, currency),
        *_repurchase(ask),
        *_retention(ask),
        *_satisfaction(ask),
        *_predictions(ask, currency),
        *_stages(ask),
    ]


def row_counts(ask: Ask) -> RowCounts | None:
    """What became of the raw rows; None if what is published does not tell."""
    totals = ask(
        "SELECT sum(rows_read), sum(rows_accepted), sum(rows_rejected), sum(rows_superseded) "
        "FROM {quality}.row_reconciliation"
    )
    if not totals or totals[0][0] is None:
        return None
    by_reason = ask(
        "SELECT table_name, reason_code, count(*) AS rows_of_reason FROM {quality}.rejected_rows "
        "GROUP BY table_name, reason_code ORDER BY rows_of_reason DESC, table_name, reason_code"
    )
    return RowCounts(*(int(total) for total in totals[0]), rejected_by_reason=by_reason)


def _sales(ask: Ask, currency: str) -> list[Kpi]:
    customers = _one(ask("SELECT count(*) FROM {marts}.customers"))
    orders, net_revenue = _row(
        ask("SELECT count(*) FILTER (WHERE is_valid), sum(net_revenue) FILTER (WHERE is_valid) FROM {marts}.orders"), 2
    )
    return [
        Kpi("Customers", "客户数", count_text(customers)),
        Kpi("Valid orders", "有效订单数", count_text(orders)),
        Kpi("Net revenue", "净收入", money_text(net_revenue, currency)),
    ]


def _repurchase(ask: Ask) -> list[Kpi]:
    rates = dict(
        ask(
            "SELECT window_days, repurchase_rate FROM {marts}.repurchase_rates "
            "WHERE dimension = 'all' AND as_of_date = (SELECT max(as_of_date) FROM {marts}.repurchase_rates)"
        )
    )
    median = ask(
        "SELECT min(days) FROM {marts}.time_to_second_purchase "
        "WHERE dimension = 'all' AND repurchase_probability >= 0.5"
    )
    windows = sorted(rates)
    # the middle one and the longest
    shown = sorted({windows[(len(windows) - 1) // 2], windows[-1]}) if windows else []
    return [
        *(Kpi(f"Repurchase rate, {days} days", f"{days} 天复购率", rate_text(rates[days])) for days in shown),
        *([] if shown else [Kpi("Repurchase rate", "复购率", NOTHING)]),
        Kpi("Median days to second purchase", "第二次购买的中位天数", count_text(_one(median))),
    ]


def _retention(ask: Ask) -> list[Kpi]:
    month, active, rate = _row(
        ask(
            "SELECT month, active_customers, retention_rate FROM {marts}.retention_monthly "
            "WHERE dimension = 'all' AND retention_rate IS NOT NULL ORDER BY month DESC LIMIT 1"
        ),
        3,
    )
    when = f" ({month:%Y-%m})" if isinstance(month, date) else ""
    return [
        Kpi(f"Active customers{when}", f"活跃客户数{when}", count_text(active)),
        Kpi(f"Retention{when}", f"留存率{when}", rate_text(rate)),
    ]


def _satisfaction(ask: Ask) -> list[Kpi]:
    """How many changes of the newest complete quarter are flagged, of those that were judged; no line where none is."""
    lines = []
    for mart, name_en, name_zh in SURVEYS:
        quarter, flagged, judged = _row(
            ask(
                "SELECT period_start, count(*) FILTER (WHERE is_flagged), count(is_flagged) "
                f"FROM {{marts}}.{mart} WHERE period_grain = 'quarter' AND is_complete "
                "GROUP BY period_start ORDER BY period_start DESC LIMIT 1"
            ),
            3,
        )
        if flagged:
            year, number = quarter.year, (quarter.month + 2) // 3
            label_en = f"Changes of {name_en} flagged ({year}-Q{number})"
            label_zh = f"{name_zh}已确认的变化（{year} 年第 {number} 季度）"
            lines.append(Kpi(label_en, label_zh, f"{count_text(flagged)} / {count_text(judged)}"))
    return lines


def _predictions(ask: Ask, currency: str) -> list[Kpi]:
    days, value, low, high = _row(
        ask(
            "SELECT horizon_days, predicted_clv, predicted_clv_low, predicted_clv_high FROM {marts}.cohort_clv "
            "WHERE cohort = 'all' AND is_reliable ORDER BY horizon_days DESC LIMIT 1"
        ),
        4,
    )
    between = "" if low is None or high is None else f" ({low:,.0f} – {high:,.0f})"
    at_risk = ask(
        "SELECT count(*), count(*) FILTER (WHERE is_save_candidate) FROM {marts}.customer_churn_risk WHERE is_reliable"
    )
    predicted, customers = _row(at_risk, 2)
    if not predicted:
        return []
    ahead = "" if days is None else f", next {days} days"
    ahead_zh = "" if days is None else f"未来 {days} 天"
    return [
        Kpi(f"Predicted value{ahead}", f"{ahead_zh}预期客户价值", money_text(value, currency) + between),
        Kpi("High-value customers at risk", "高价值流失预警客户数", count_text(customers)),
    ]


def _stages(ask: Ask) -> list[Kpi]:
    counts = ask(
        "SELECT lifecycle_stage_en, lifecycle_stage_zh, count(*) FROM {marts}.customer_lifecycle "
        "GROUP BY stage_rank, lifecycle_stage_en, lifecycle_stage_zh ORDER BY stage_rank NULLS LAST, lifecycle_stage_en"
    )
    return [
        Kpi(f"Lifecycle: {label_en}", f"生命周期：{label_zh}", count_text(customers))
        for label_en, label_zh, customers in counts
    ]


def _row(rows: Sequence[tuple[Any, ...]], width: int) -> tuple[Any, ...]:
    return rows[0] if rows else (None,) * width


def _one(rows: Sequence[tuple[Any, ...]]) -> Any:
    return _row(rows, 1)[0]


def count_text(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def money_text(value: Decimal | float | None, currency: str) -> str:
    return NOTHING if value is None else f"{currency} {value:,.2f}"


def rate_text(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1%}"


def kpi_lines(kpis: Sequence[Kpi]) -> list[str]:
    """The numbers as a table of three columns that is straight in both languages."""
    english = max((_width(kpi.label_en) for kpi in kpis), default=0)
    chinese = max((_width(kpi.label_zh) for kpi in kpis), default=0)
    values = max((len(kpi.value) for kpi in kpis), default=0)
    return [
        f"{_padded(kpi.label_en, english)}  {_padded(kpi.label_zh, chinese)}  {kpi.value:>{values}}" for kpi in kpis
    ]


def row_count_lines(counts: RowCounts) -> list[str]:
    """What became of the raw rows, and why some were rejected."""
    lines = [
        f"{counts.read:,} read = {counts.accepted:,} accepted + {counts.rejected:,} rejected "
        f"+ {counts.superseded:,} superseded by a newer version"
    ]
    lines += [f"rejected: {rows:,} of {table} ({reason})" for table, reason, rows in counts.rejected_by_reason]
    return lines


def _padded(label: str, width: int) -> str:
    return label + " " * (width - _width(label))


def _width(label: str) -> int:
    """Columns that the label takes on a terminal, where Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in label)
