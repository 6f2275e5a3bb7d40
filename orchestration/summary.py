"""What a refresh tells at its end: the headline numbers of the published marts, and what became of the raw rows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from orchestration.engines.engine import Ask
from orchestration.masking import looks_personal, pattern_of, printable
from orchestration.publishing import Publication, TableFigures

NOTHING = "–"
# of quality.order_warnings
AFTER_AS_OF_DATE = "after_as_of_date"
LINES_OF_REJECTIONS = 10
REPAIRS_SHOWN = 4
VALUES_SHOWN = 3
WIDTH_OF_VALUES = 30
_LINE_BREAKS = str.maketrans("\n\t", "\N{REPLACEMENT CHARACTER}" * 2)
# as landing and the macro checked_rows word it: `status holds "done"; expected one of paid`
_HELD = re.compile(r'(\w+) holds "(.*)"[;,] ', re.DOTALL)
SURVEYS = (("nps", "NPS", "净推荐值"), ("csat", "CSAT", "客户满意度"), ("ces", "CES", "客户费力度"))


@dataclass(frozen=True)
class Kpi:
    """A headline number with its labels; `value` is text, ready to show."""

    label_en: str
    label_zh: str
    value: str


@dataclass(frozen=True)
class Rejection:
    """The rows of a raw table that were rejected for one reason, with the commonest wordings of it."""

    table: str
    reason_code: str
    rows: int
    wordings: int
    """how many there are"""
    commonest: Sequence[tuple[str, int]]
    """wording, rows"""


@dataclass(frozen=True)
class OrderWarning:
    """Orders of a kind that deserves a look; the codes are those of quality.order_warnings."""

    code: str
    as_of: date
    orders: int
    newest_on: date


def headline_kpis(ask: Ask, currency: str, active_days: int) -> list[Kpi]:
    """The headline numbers of what is published. One that its marts do not tell is shown as a dash."""
    return [
        *_sales(ask, currency),
        *_repurchase(ask),
        *_retention(ask, active_days),
        *flagged_changes(ask),
        *_predictions(ask, currency),
        *_stages(ask),
    ]


def rejections(ask: Ask) -> list[Rejection]:
    """The rejected rows by table and reason, the commonest first."""
    rows = ask(
        "SELECT table_name, reason_code, rows_of_reason, wordings, reason, rows_of_wording FROM ("
        "SELECT table_name, reason_code, reason, count(*) AS rows_of_wording, "
        "sum(count(*)) OVER (PARTITION BY table_name, reason_code) AS rows_of_reason, "
        "count(*) OVER (PARTITION BY table_name, reason_code) AS wordings, "
        "row_number() OVER (PARTITION BY table_name, reason_code ORDER BY count(*) DESC, reason) AS place "
        "FROM {quality}.rejected_rows GROUP BY table_name, reason_code, reason) AS counted "
        f"WHERE place <= {VALUES_SHOWN} ORDER BY rows_of_reason DESC, table_name, reason_code, place"
    )
    return [
        Rejection(table, code, int(count), int(wordings), [(row[4], int(row[5])) for row in of_reason])
        for (table, code, count, wordings), of_reason in groupby(rows, key=lambda row: row[:4])
    ]


def order_warnings(ask: Ask) -> list[OrderWarning]:
    """What is told of accepted orders, where there are any of its kind."""
    return [
        OrderWarning(*row)
        for row in ask(
            "SELECT warning_code, as_of_date, orders, newest_ordered_on "
            "FROM {quality}.order_warnings WHERE orders > 0 ORDER BY warning_code"
        )
    ]


def _sales(ask: Ask, currency: str) -> list[Kpi]:
    customers = _one(ask("SELECT count(*) FROM {marts}.customers"))
    orders, net_revenue = _row(
        ask("SELECT count(*) FILTER (WHERE is_valid), sum(net_revenue) FILTER (WHERE is_valid) FROM {marts}.orders"), 2
    )
    return [
        Kpi("Customers known, buyers or not", "已知客户数（含未购买）", count_text(customers)),
        Kpi("Valid orders, which count as purchases", "有效订单数（计为购买的订单）", count_text(orders)),
        Kpi("Net revenue of the valid orders", "有效订单净收入", money_text(net_revenue, currency)),
    ]


def _repurchase(ask: Ask) -> list[Kpi]:
    rates = {
        days: (rate, buyers)
        for days, rate, buyers in ask(
            "SELECT window_days, repurchase_rate, buyers FROM {marts}.repurchase_rates "
            "WHERE dimension = 'all' AND as_of_date = (SELECT max(as_of_date) FROM {marts}.repurchase_rates)"
        )
    }
    median = ask(
        "SELECT min(days) FROM {marts}.time_to_second_purchase "
        "WHERE dimension = 'all' AND repurchase_probability >= 0.5"
    )
    windows = sorted(rates)
    # the middle one and the longest
    shown = sorted({windows[(len(windows) - 1) // 2], windows[-1]}) if windows else []
    return [
        *(_repurchase_in(days, *rates[days]) for days in shown),
        *([] if shown else [Kpi("Repurchase rate", "复购率", NOTHING)]),
        Kpi("Days until half of the buyers have bought again", "半数客户再次购买所需天数", count_text(_one(median))),
    ]


def _repurchase_in(days: int, rate: float | None, buyers: int) -> Kpi:
    """Said with its buyers: those of a longer window are others, so that its rate can be the lower one."""
    return Kpi(
        f"Bought on 2 days or more, of the {count_text(buyers)} buyers of the last {days} days",
        f"近 {days} 天的 {count_text(buyers)} 位买家中，购买两天及以上者",
        rate_text(rate),
    )


def _retention(ask: Ask, active_days: int) -> list[Kpi]:
    month, active, rate = _row(
        ask(
            "SELECT month, active_customers, retention_rate FROM {marts}.retention_monthly "
            "WHERE dimension = 'all' AND retention_rate IS NOT NULL ORDER BY month DESC LIMIT 1"
        ),
        3,
    )
    if not isinstance(month, date):
        return [Kpi("Retention of active customers", "活跃客户留存率", NOTHING)]
    return [
        Kpi(
            f"Bought in the {active_days} days from {month} on, of the {count_text(active)} who did in those before",
            f"{month} 前 {active_days} 天内购买的 {count_text(active)} 位客户中，其后 {active_days} 天内再次购买者",
            rate_text(rate),
        ),
    ]


def flagged_changes(ask: Ask) -> list[Kpi]:
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
    ahead = "" if days is None else f" in the next {days} days"
    ahead_zh = "" if days is None else f"未来 {days} 天"
    return [
        Kpi(
            f"Predicted value of all buyers{ahead}{between and ', with its 95% interval'}",
            f"{ahead_zh}全部买家的预期价值{between and '及 95% 区间'}",
            money_text(value, currency) + between,
        ),
        Kpi("Valuable customers who may leave and can be saved", "待挽留的高价值客户数", count_text(customers)),
    ]


def _stages(ask: Ask) -> list[Kpi]:
    counts = ask(
        "SELECT lifecycle_stage_en, lifecycle_stage_zh, count(*) FROM {marts}.customer_lifecycle "
        "GROUP BY stage_rank, lifecycle_stage_en, lifecycle_stage_zh ORDER BY stage_rank NULLS LAST, lifecycle_stage_en"
    )
    return [
        Kpi(f"Customers in the stage: {label_en}", f"所处阶段：{label_zh}", count_text(customers))
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
    """The numbers, each right beside its labels, in columns that are straight in both languages."""
    values = max((len(kpi.value) for kpi in kpis), default=0)
    english = max((_width(kpi.label_en) for kpi in kpis), default=0)
    return [f"{kpi.value:>{values}}  {_padded(kpi.label_en, english)}  {kpi.label_zh}" for kpi in kpis]


def kpi_table(kpis: Sequence[Kpi]) -> str:
    """The numbers as a Markdown table, in both languages."""
    rows = [f"| {kpi.label_en} | {kpi.label_zh} | {kpi.value} |" for kpi in kpis]
    return "\n".join(["| | | |", "| :-- | :-- | --: |", *rows])


def row_count_lines(tables: Mapping[str, TableFigures]) -> list[str]:
    """What became of the raw rows of all tables; nothing where no row was read."""
    read, accepted, rejected, superseded, filtered = (
        sum(getattr(table, name) for table in tables.values())
        for name in ("rows_read", "rows_accepted", "rows_rejected", "rows_superseded", "rows_filtered")
    )
    if not read:
        return []
    return [
        f"{read:,} rows read = {accepted:,} accepted + {rejected:,} rejected "
        f"+ {superseded:,} superseded by a newer version{_filtered(filtered)}"
    ]


def _filtered(rows: int) -> str:
    return f" + {rows:,} left out by the rules of a mapping" if rows else ""


def table_lines(tables: Mapping[str, TableFigures]) -> list[str]:
    """The same by table, for those that have a file."""
    return [
        f"{name}: {table.rows_read:,} read = {table.rows_accepted:,} accepted + {table.rows_rejected:,} rejected "
        f"+ {table.rows_superseded:,} superseded{_filtered(table.rows_filtered)}"
        for name, table in tables.items()
        if table.files
    ]


def rejection_lines(
    found: Sequence[Rejection], tables: Mapping[str, TableFigures], kept_in: str = "quality.rejected_rows"
) -> list[str]:
    """The rejected rows by table and reason in at most ten lines, with their share of the table and common values.

    `kept_in` says where they stand one by one.
    """
    if not found:
        return []
    shown = found if len(found) < LINES_OF_REJECTIONS else found[: LINES_OF_REJECTIONS - 2]
    lines = [f"Rejected rows (one by one in {kept_in}):"]
    lines += [f"  {_rejection_line(rejection, tables.get(rejection.table))}" for rejection in shown]
    if len(shown) < len(found):
        rest = found[len(shown) :]
        lines.append(f"  and {sum(rejection.rows for rejection in rest):,} rows for {len(rest)} more reasons")
    return lines


def board_lines(warnings: Sequence[str]) -> list[str]:
    """What went wrong with the boards of a publication; their pages say it too."""
    if not warnings:
        return []
    return [
        f"{len(warnings)} board{'' if len(warnings) == 1 else 's'} could not be made:",
        *(f"  {warning}" for warning in warnings),
    ]


def order_warning_lines(found: Sequence[OrderWarning], is_as_of_asked_for: bool) -> list[str]:
    """A line for each kind; orders after an as-of date that somebody asked for are as they should be."""
    return [_order_warning_line(warning, is_as_of_asked_for) for warning in found]


def _order_warning_line(warning: OrderWarning, is_as_of_asked_for: bool) -> str:
    one = warning.orders == 1
    orders = "1 order" if one else f"{warning.orders:,} orders"
    if warning.code != AFTER_AS_OF_DATE:
        return f"warning: {orders} {'is' if one else 'are'} returned without a refund and count{'s' * one} as bought."
    after = f"{orders} {'lies' if one else 'lie'} after the as-of date {warning.as_of} (newest {warning.newest_on})"
    if is_as_of_asked_for:
        return f"{after}, which was asked for, and {'is' if one else 'are'} not counted."
    it_is, its_date = ("It is", "its date") if one else ("They are", "their dates")
    return (
        f"warning: {after}: after the run's own day, or more than 30 days after all others. {it_is} not counted. "
        f"Put {its_date} right, or name the day that you want: AS_OF=<day>."
    )


def _rejection_line(rejection: Rejection, figures: TableFigures | None) -> str:
    share = f" of {figures.rows_judged:,} ({rejection.rows / figures.rows_judged:.1%})" if figures else ""
    wordings = [f"{_short(reason)} ({rows:,})" for reason, rows in rejection.commonest]
    if rejection.wordings > len(wordings):
        wordings.append(f"{rejection.wordings - len(wordings):,} other values")
    return f"{rejection.table}: {rejection.rows:,}{share} {rejection.reason_code}: {', '.join(wordings)}"


def _short(reason: str) -> str:
    """The wording of a reason without what was expected, which stands in quality.rejected_rows."""
    held = _HELD.match(reason)
    if held is None:
        return reason
    column, value = held.groups()
    return f'{column} "{_shown(value)}"'


def _shown(value: str) -> str:
    """A value of a raw row as a terminal may show it: masked, printable and short."""
    # a warehouse of an earlier release holds values as they were
    text = pattern_of(value) if looks_personal(value) else printable(value)
    text = text.translate(_LINE_BREAKS)
    return text if len(text) <= WIDTH_OF_VALUES else text[: WIDTH_OF_VALUES - 1] + "…"


RepairedValue = tuple[str, str, str, int, str]
"""Table, column, kind of repair, how many values, and what one of them held."""


def repairs(ask: Ask) -> list[RepairedValue]:
    """The repaired values by table, column and kind with an example, the commonest first."""
    return list(
        ask(
            "SELECT table_name, column_name, kind, values_repaired, example FROM {quality}.repaired_values "
            "ORDER BY values_repaired DESC, table_name, column_name, kind"
        )
    )


def repair_lines(found: Sequence[RepairedValue]) -> list[str]:
    """What was changed, or left out, so that rows could be kept: in all, and the commonest kinds."""
    if not found:
        return []
    lines = [
        f"{sum(row[3] for row in found):,} values were repaired or left out (by column in quality.repaired_values):"
    ]
    lines += [
        f'  {table}.{column}: {values:,} {kind}, as "{_shown(example)}"'
        for table, column, kind, values, example in found[:REPAIRS_SHOWN]
    ]
    rest = found[REPAIRS_SHOWN:]
    if rest:
        lines.append(f"  and {sum(row[3] for row in rest):,} in {len(rest)} more columns and kinds")
    return lines


def change_lines(publication: Publication, last: Publication | None, replaced: str | None, seen: int) -> list[str]:
    """What is other than in the last publication of the company.

    Args:
        publication: what is published now.
        last: the last one of the same company; None if this is the first.
        replaced: the other company whose publication gave way to this one.
        seen: files that hold what the last publication had not read.
    """
    lines = [] if replaced is None else [f"{publication.company_id} replaces company {replaced}."]
    if last is None:
        return [*lines, f"The first publication of {publication.company_id}: it was compared with none."]
    files = f"files {_total(last.files_by_table):,} → {_total(publication.files_by_table):,} ({seen:,} new or changed)"
    changes = [files, *_change("orders", last.rows_by_table, publication.rows_by_table, "{:,}")]
    changes += _change("orders", last.revenue_by_table, publication.revenue_by_table, "{:,.2f}", "revenue of orders")
    since = f"Since {last.publication_id} (as of {last.as_of_date}): "
    return [*lines, since + ", ".join(changes)]


def _change(
    table: str, before: Mapping[str, float], now: Mapping[str, float], form: str, name: str | None = None
) -> list[str]:
    old, new = before.get(table), now.get(table)
    if not old and not new:
        return []
    share = f" ({(new or 0) / old - 1:+.1%})" if old else ""
    return [f"{name or table} {form.format(old or 0)} → {form.format(new or 0)}{share}"]


def _total(by_table: Mapping[str, int]) -> int:
    return sum(by_table.values())


def empty_mart_lines(empty: Mapping[str, Sequence[str]], absent: Sequence[str]) -> list[str]:
    """The marts that have no rows, by the absent tables that would fill them; then the tables absent beside these.

    Args:
        empty: by mart, the absent tables that it is empty without.
        absent: every table of the contract without a file.
    """
    marts: dict[tuple[str, ...], list[str]] = {}
    for mart, tables in empty.items():
        marts.setdefault(tuple(tables), []).append(mart)
    lines = [
        f"Marts that stay empty because {' and '.join(tables)} {'is' if len(tables) == 1 else 'are'} absent: "
        f"{', '.join(names)}"
        for tables, names in sorted(marts.items())
    ]
    rest = [name for name in absent if not any(name in tables for tables in marts)]
    return [*lines, f"Also absent: {', '.join(rest)}"] if rest else lines


def _padded(label: str, width: int) -> str:
    return label + " " * (width - _width(label))


def _width(label: str) -> int:
    """Columns that the label takes on a terminal, where Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in label)
