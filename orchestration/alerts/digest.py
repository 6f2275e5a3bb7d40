"""What a publication tells those who asked for it: its headline figures, what changed, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.alerts.texts import Message, Voice
from orchestration.build_figures import table_figures
from orchestration.engines.engine import Ask
from orchestration.publishing import Publication
from orchestration.summary import (
    NOTHING,
    Kpi,
    count_text,
    flagged_changes,
    headline_kpis,
    money_text,
    rate_text,
)

_TITLE = ("Published: as of {as_of}", "数据已发布：截止 {as_of}")
_FIGURES = ("Headline figures", "核心指标")
_CHANGES = ("Changed beyond noise", "超出随机波动的变化")
_LOOK = ("To look at", "需要关注")
_NONE = ("nothing", "无")
_PAIR = ("{label}: {value}", "{label}：{value}")
_KPI_CHANGE = ("{kpi} ({month}): {before} → {now}", "{kpi}（{month}）：{before} → {now}")
_KPI_MISSED = ("{kpi} ({month}): {now}, target {target} missed", "{kpi}（{month}）：{now}，未达到目标 {target}")
_VALUE_UNRELIABLE = ("Predicted value is not reliable: {reason}", "客户价值预测不可靠：{reason}")
_CHURN_UNRELIABLE = (
    "Churn predictions of {customers} customers are not reliable: {reason}",
    "{customers} 位客户的流失预测不可靠：{reason}",
)
_REJECTED = (
    "{table}: {rows} of {judged} rows rejected ({share})",
    "{table}：{judged} 行中有 {rows} 行被拒（{share}）",
)
_WARNED = ("Tests that warned: {tests}", "发出警告的测试：{tests} 个")


@dataclass(frozen=True)
class Shown:
    """How figures are shown: the currency of amounts, and the days of the setting active_days."""

    currency: str
    active_days: int


def digest(ask: Ask, publication: Publication, voice: Voice, shown: Shown) -> Message:
    """The digest of what is published; what its marts do not tell is left out."""
    flagged = flagged_changes(ask)
    figures = [kpi for kpi in headline_kpis(ask, shown.currency, shown.active_days) if kpi not in flagged]
    changes = [*_lines(flagged, voice), *_scorecard_changes(ask, voice, shown)]
    look = [
        *_missed(ask, voice, shown),
        *_unreliable(ask, voice),
        *_rejected(ask, voice),
        *([voice.say(_WARNED, tests=publication.tests_warned)] if publication.tests_warned else []),
    ]
    lines = [
        *_section(_FIGURES, _lines(figures, voice), voice),
        *_section(_CHANGES, changes, voice),
        *_section(_LOOK, look, voice),
    ]
    return Message(voice.title(voice.say(_TITLE, as_of=str(publication.as_of_date))), tuple(lines))


def _section(heading: tuple[str, str], lines: Sequence[str], voice: Voice) -> list[str]:
    heading_text = voice.say(heading)
    if not lines:
        return [voice.say(_PAIR, label=heading_text, value=voice.say(_NONE))]
    return [voice.say(_PAIR, label=heading_text, value="").rstrip(), *(f"- {line}" for line in lines)]


def _lines(kpis: Sequence[Kpi], voice: Voice) -> list[str]:
    return [
        voice.say(_PAIR, label=kpi.label_zh if voice.language == "zh" else kpi.label_en, value=kpi.value)
        for kpi in kpis
        if kpi.value != NOTHING
    ]


def _of_scorecard(ask: Ask, voice: Voice, condition: str) -> list[tuple[Any, ...]]:
    """Label, month, unit, figure, that of the month before, and target, of the newest complete month of each KPI."""
    return ask(
        f"SELECT label_{voice.language}, month, unit, actual, previous_month, target FROM ("
        "SELECT *, row_number() OVER (PARTITION BY kpi ORDER BY month DESC) AS place "
        "FROM {marts}.kpi_scorecard WHERE is_complete) AS newest "
        f"WHERE place = 1 AND {condition} ORDER BY kpi_rank"
    )


def _scorecard_changes(ask: Ask, voice: Voice, shown: Shown) -> list[str]:
    return [
        voice.say(
            _KPI_CHANGE,
            kpi=label,
            month=_month(month),
            before=_figure(before, unit, shown),
            now=_figure(now, unit, shown),
        )
        for label, month, unit, now, before, _ in _of_scorecard(ask, voice, "is_change_significant")
    ]


def _missed(ask: Ask, voice: Voice, shown: Shown) -> list[str]:
    return [
        voice.say(
            _KPI_MISSED,
            kpi=label,
            month=_month(month),
            now=_figure(now, unit, shown),
            target=_figure(target, unit, shown),
        )
        for label, month, unit, now, _, target in _of_scorecard(ask, voice, "status = 'missed'")
    ]


def _unreliable(ask: Ask, voice: Voice) -> list[str]:
    reason = f"unreliable_reason_{voice.language}"
    value = ask(
        f"SELECT DISTINCT {reason} FROM {{marts}}.cohort_clv "
        f"WHERE cohort = 'all' AND NOT is_reliable AND {reason} IS NOT NULL ORDER BY {reason}"
    )
    churn = ask(
        f"SELECT {reason}, count(*) FROM {{marts}}.customer_churn_risk "
        f"WHERE NOT is_reliable AND {reason} IS NOT NULL GROUP BY {reason} ORDER BY count(*) DESC, {reason}"
    )
    return [
        *(voice.say(_VALUE_UNRELIABLE, reason=text) for (text,) in value),
        *(voice.say(_CHURN_UNRELIABLE, reason=text, customers=int(count)) for text, count in churn),
    ]


def _rejected(ask: Ask, voice: Voice) -> list[str]:
    return [
        voice.say(
            _REJECTED,
            table=name,
            rows=table.rows_rejected,
            judged=table.rows_judged,
            share=rate_text(table.rows_rejected / table.rows_judged),
        )
        for name, table in table_figures(ask).items()
        if table.rows_rejected
    ]


def _month(month: date) -> str:
    return f"{month:%Y-%m}"


def _figure(value: float | None, unit: str, shown: Shown) -> str:
    """A figure of the scorecard as its unit is written."""
    if value is None:
        return NOTHING
    if unit == "rate":
        return rate_text(value)
    if unit == "money":
        return money_text(value, shown.currency)
    return count_text(value) if float(value).is_integer() else f"{value:,.2f}"
