"""What a build, or a landing, has of each raw table: the figures that a publication is judged and told by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestration.contract import Contract
from orchestration.dbt_project import relation, source_relation
from orchestration.engines.engine import Ask, Engine
from orchestration.landing.land import Landing
from orchestration.publishing import TableFigures

# of the accepted rows, whatever the as-of date is: what a company sold, before refunds
_REVENUES = {
    "orders": ("base_orders", "sum(CASE WHEN status <> 'cancelled' THEN order_amount END)"),
    "order_items": ("base_order_items", "sum(line_amount)"),
}


def landed_tables(landing: Landing, contract: Contract) -> dict[str, TableFigures]:
    """The files and rows of every table of the contract, before any row is judged."""
    return {
        name: TableFigures(
            files=sum(landed.table == name for landed in landing.files),
            rows_read=sum(landed.rows for landed in landing.files if landed.table == name),
            rows_filtered=sum(landed.rows_filtered for landed in landing.files if landed.table == name),
        )
        for name in contract.tables
    }


def table_figures(ask: Ask) -> dict[str, TableFigures]:
    """What became of the rows of each raw table, without revenue; nothing where what is asked does not tell."""
    rows = ask(
        "SELECT table_name, files, rows_read, rows_accepted, rows_rejected, rows_superseded, rows_filtered "
        "FROM {quality}.row_reconciliation ORDER BY table_name"
    )
    return {name: TableFigures(*map(int, counts), rows_filtered=int(filtered)) for name, *counts, filtered in rows}


def built_tables(engine: Engine, manifest: Mapping[str, Any]) -> dict[str, TableFigures]:
    """What a build has of each raw table; nothing where the project does not judge rows.

    Raises:
        StickinessError: the build lacks what the project says it has.
    """
    try:
        ask = ask_build(engine, manifest)
        revenues = [
            f"SELECT '{table}', {amount} FROM {'.'.join(relation(manifest, base))} WHERE row_status = 'accepted'"
            for table, (base, amount) in _REVENUES.items()
        ]
    except KeyError:
        return {}
    sold = dict(engine.read_build(" UNION ALL ".join(revenues))[1])
    return {
        name: replace(figures, revenue=Decimal(str(sold[name] or 0))) if name in sold else figures
        for name, figures in table_figures(ask).items()
    }


def files_seen_since(engine: Engine, manifest: Mapping[str, Any], moment: datetime) -> int:
    """How many files of the build hold what no run had read at a moment (UTC, no zone)."""
    files = ".".join(source_relation(manifest, "operations", "raw_files"))
    when = moment.isoformat(sep=" ", timespec="microseconds")
    _, rows = engine.read_build(f"SELECT count(*) FROM {files} WHERE first_seen_at > TIMESTAMP '{when}'")
    return int(rows[0][0])


def ask_build(engine: Engine, manifest: Mapping[str, Any]) -> Ask:
    """Asks the quality tables of a build as `Engine.read_published` asks those that are published.

    Raises:
        KeyError: the project does not judge rows.
    """
    schema, _ = relation(manifest, "row_reconciliation")
    return lambda query: engine.read_build(query.format(quality=schema))[1]
