"""What goes wrong on the way of a table: rows that come late, rows that come again, rows that break the contract.

They come in one CSV file per table, beside its Parquet files, spelled in the ways that the contract allows. A
broken row is a sound row of the company with one thing wrong, under its own key: a broken version must not hide the
sound one. How many there are of each kind is written to the truth.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from .config import AS_OF, Config
from .random_streams import stream
from .tables import ZONE_SECONDS, ParquetWriter, Table, rows_in, take

FILE_NAME = f"late-{(AS_OF + timedelta(days=1)):%Y-%m}.csv"
LATE, SUPERSEDED, MALFORMED = "late", "superseded", "malformed_row"

# by table: reason code, and what the cells of a sound row are changed to
BREAKAGES: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]] = {
    "customers": (
        ("missing_key", {"customer_id": ""}),
        ("destroyed_id", {"customer_id": "1.23457E+17"}),
    ),
    "orders": (
        ("missing_key", {"order_id": "  "}),
        ("missing_value", {"customer_id": ""}),
        ("missing_value", {"ordered_at": ""}),
        ("unparseable_value", {"ordered_at": "明天"}),
        ("unparseable_value", {"order_amount": "一百二十八"}),
        ("implausible_date", {"ordered_at": "9999-12-31T00:00:00+08:00"}),
        ("out_of_domain", {"status": "已完成"}),
        ("out_of_domain", {"order_amount": "-25.00"}),
    ),
    "order_items": (
        ("missing_key", {"line_number": ""}),
        ("missing_value", {"product_id": ""}),
        ("unparseable_value", {"quantity": "两件"}),
        ("out_of_domain", {"line_amount": "-1"}),
        ("unknown_reference", {"order_id": "O-lost"}),
    ),
    "memberships": (
        ("missing_value", {"enrolled_at": ""}),
        ("unparseable_value", {"updated_at": "去年"}),
        ("out_of_domain", {"tier": "vip"}),
    ),
    "points_transactions": (
        ("missing_key", {"points_transaction_id": ""}),
        ("unparseable_value", {"points": "1,000"}),
        ("out_of_domain", {"type": "earn", "points": "-10"}),
        ("unknown_reference", {"member_id": "M-lost"}),
    ),
    "survey_responses": (
        ("missing_value", {"responded_at": ""}),
        ("unparseable_value", {"score": "九分"}),
        ("out_of_domain", {"survey_type": "nps", "score": "11"}),
    ),
    "tickets": (
        ("missing_key", {"ticket_id": ""}),
        ("unparseable_value", {"opened_at": "45992.5"}),
        ("missing_value", {"opened_at": ""}),
    ),
    "web_events": (
        ("missing_value", {"session_id": ""}),
        ("unparseable_value", {"occurred_at": "1735689600"}),
        ("out_of_domain", {"event_name": "pageview"}),
    ),
    "campaign_members": (
        ("missing_key", {"customer_id": ""}),
        ("out_of_domain", {"arm": "test"}),
        ("unknown_reference", {"campaign_id": "G-lost"}),
    ),
    "coupon_redemptions": (
        ("missing_value", {"redeemed_at": ""}),
        ("unknown_reference", {"coupon_id": "Q-lost"}),
    ),
    "customer_identities": (
        ("missing_key", {"source_id": ""}),
        ("unparseable_value", {"recorded_at": "unknown"}),
    ),
}
# what an older version of a row held; the key of memberships has the version in it
OLDER: Mapping[str, Mapping[str, str | None]] = {
    "orders": {"status": "placed", "refund_amount": None, "refunded_at": None},
    "customers": {"city": None, "occupation": None},
    "tickets": {"resolved_at": None},
}
_VERSIONED = ("customers", "orders", "order_items", "tickets")


class Dirt:
    """Makes the late batches under a raw folder and counts what is in them, by table and kind."""

    def __init__(self, config: Config, raw: Path) -> None:
        self._config = config
        self._raw = raw
        self._counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by table and kind: late, superseded, or the reason code of a rejected row."""
        return {name: dict(kinds) for name, kinds in self._counts.items()}

    def soil(self, writer: ParquetWriter, chunk: int, name: str, table: Table) -> Table:
        """Write the late batch of a table's chunk; the rows that are left for the Parquet file."""
        count = rows_in(table)
        if name not in BREAKAGES or count == 0:
            return table
        parameters = self._config.dirt
        random = stream(self._config.seed, chunk, f"dirt {name}")
        shuffled = random.permutation(count)
        late = shuffled[: _some(parameters.late_share, count)]
        again = shuffled[len(late) : len(late) + _some(parameters.repeated_share, count)]
        broken = min(_some(parameters.broken_share, count), parameters.broken_limit)
        spell = _Speller(random)
        lines = [spell.row(row) for row in writer.rows(take(table, late))]
        lines += [spell.row(_older(name, row)) for row in writer.rows(take(table, again))]
        models = writer.rows(take(table, random.integers(0, count, broken * (len(BREAKAGES[name]) + 1))))
        for reason, change in BREAKAGES[name]:
            for _ in range(broken):
                lines.append(spell.row(next(models)) | change)
            self._counts[name][reason] += broken
        self._counts[name][LATE] += len(late)
        self._counts[name][SUPERSEDED] += len(again)
        self._counts[name][MALFORMED] += broken
        # the export of a system that does not quote: a comma too many
        malformed = [_line([*spell.row(next(models)).values(), "备注", "x"]) for _ in range(broken)]
        written = [_line(list(line.values())) for line in lines] + malformed
        if written:
            self._append(name, list(table), [written[place] for place in random.permutation(len(written))])
        kept = np.ones(count, dtype=bool)
        kept[late] = False
        return take(table, np.flatnonzero(kept))

    def _append(self, name: str, columns: list[str], lines: list[str]) -> None:
        path = self._raw / name / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        begins = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            if begins:
                file.write(_line(columns))
            file.writelines(lines)


def _some(share: float, count: int) -> int:
    """That share of the rows, at least one of them, unless the share is 0."""
    return max(1, round(share * count)) if share else 0


def _older(name: str, row: dict[str, Any]) -> dict[str, Any]:
    if name not in _VERSIONED:
        return row
    return row | OLDER.get(name, {}) | {"updated_at": row["updated_at"] - timedelta(seconds=30)}


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


class _Speller:
    """Values as texts, each in another of the ways that the contract allows."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def row(self, row: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._text(value) for name, value in row.items()}

    def _text(self, value: Any) -> str:
        way = int(self._random.integers(0, 8))
        if value is None:
            return "  " if way == 0 else ""
        if isinstance(value, bool):
            return (("no", "FALSE", "0"), ("Y", "True", "1"))[value][way % 3]
        if isinstance(value, datetime):
            local = value + timedelta(seconds=ZONE_SECONDS)
            if way == 0:
                return f"{local:%Y-%m-%d %H:%M:%S}+0800"
            return f"{local:%Y-%m-%dT%H:%M:%S}+08:00"
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return f"{value:E}" if way == 0 else f" {value}" if way == 1 else str(value)
        if isinstance(value, int):
            return f"{value}.0" if way == 0 else str(value)
        return f" {value}\u3000" if way == 0 else str(value)
