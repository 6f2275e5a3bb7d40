"""What becomes of every row of a file by the rules that need the row alone: judged once, when the file is landed.

What needs other rows or tables (versions, references, the values of a seed) is judged at every refresh, by the macro
`checked_rows`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration import duckdb_sql as sql
from orchestration.contract import RawColumn, RawTable

from .file_rows import ROW_NUMBER, SOURCE_FAILURE, UNPARSED_ROW, Feed, FileRows, extra_name
from .header import ExtraColumn
from .landing_file import LANDED_COLUMNS, VALUE_TYPES, file_order
from .masking import (
    OUT_OF_STEP,
    PERSONAL_DATA,
    holds_personal_data,
    is_misplaced,
    is_out_of_step,
    kept_id,
    shown,
    shown_line,
    shown_part_of_key,
)
from .values import OUT_OF_DOMAIN, UNPARSEABLE_VALUE, ValueRules, ValueSql, value_sql

MALFORMED_ROW = "malformed_row"
MISSING_KEY = "missing_key"
MISSING_VALUE = "missing_value"
UNMAPPED_VALUE = "unmapped_value"
CONFLICTING_VALUES = "conflicting_values"
OTHER_CURRENCY = "other_currency"

_BATCHES = "batches"
# a dictionary of ids takes longer to make than it saves
_MOST_IN_DICTIONARY = 1_000
_SOURCE_FAILURES = {
    UNMAPPED_VALUE: '"; expected one of the values that its mapping lists',
    OTHER_CURRENCY: '"; expected an amount in the reporting currency',
    CONFLICTING_VALUES: '"; expected one value in all lines of the row',
}


@dataclass(frozen=True)
class Provenance:
    """What landing writes beside every row of a file; `first_seen_at` is UTC without a zone."""

    file_name: str
    first_seen_at: datetime


@dataclass(frozen=True)
class Repair:
    """How many values of a column of a file were changed, or left out, so that their rows could be kept.

    `kind` is how the value was changed, or the reason for which it was left out; `example` is what a cell held.
    """

    column_name: str
    kind: str
    values_repaired: int
    example: str | None


def write_judged(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    rows: FileRows,
    rules: ValueRules,
    provenance: Provenance,
    target: Path,
) -> int:
    """Write the rows as landing Parquet, typed and judged, and return how many were written.

    Raises:
        Exception: whatever the reader raises.
    """
    feed = Feed(rows)
    connection.register(_BATCHES, pa.RecordBatchReader.from_batches(rows.schema, iter(feed)))
    try:
        types = {name: kind for name, kind, *_ in connection.execute(f"describe {_BATCHES}").fetchall()}
        query = judged_rows(table, types, rows.extras, rules, provenance)
        options = f"format parquet, dictionary_size_limit {_MOST_IN_DICTIONARY}"
        return connection.execute(f"copy ({query}) to {sql.text(target)} ({options})").fetchall()[0][0]
    except duckdb.Error as error:
        raise feed.error or error from None
    finally:
        connection.unregister(_BATCHES)


def repairs(connection: duckdb.DuckDBPyConnection, landed: Path) -> tuple[Repair, ...]:
    """Count what was repaired in the rows of a landing file that were not rejected."""
    found = connection.execute(
        f"""
        select repair.column_name, repair.kind, count(*), arg_min(repair.held, _row_number)
        from (select unnest(_repairs) as repair, _row_number from read_parquet({sql.file(landed)}))
        group by repair.column_name, repair.kind
        order by repair.column_name, repair.kind
        """
    )
    return tuple(Repair(*row) for row in found.fetchall())


def judged_rows(
    table: RawTable,
    types: Mapping[str, str],
    extras: tuple[ExtraColumn, ...],
    rules: ValueRules,
    provenance: Provenance,
) -> str:
    """The query of the rows of a landing file over the relation `batches`, whose columns have these types.

    Beside the columns of `landing_columns` it has `_repairs`: a list of what was repaired in a row, by column.
    """
    cells = {column.name: _read(column, types, rules) for column in table.columns}
    return f"""
        with
        cells as (
            select {", ".join(_cells(table, types, extras))} from {_BATCHES}
        ),
        read_rows as (
            select *, {", ".join(_values(table, cells))} from cells
        ),
        problems as (
            select *, {", ".join(_problems(table, cells))} 0 as _nothing from read_rows
        ),
        judged as (
            select *, {", ".join(_kinds(table, cells))} {_failure(table, cells)} as _failure from problems
        ),
        told as (
            select *, {_texts(table, cells, extras)} as _texts from judged
        ),
        shown as (
            select *, {_shown(table, rules)} as _shown from told
        )
        select {", ".join(_final_columns(table, cells, extras, provenance, rules))} from shown
    """


def _name(column: RawColumn, part: str) -> str:
    return sql.identifier(f"_{part}_{column.name}")


def _read(column: RawColumn, types: Mapping[str, str], rules: ValueRules) -> ValueSql:
    """How the cell of a column is read; one that the file does not have is empty."""
    cell_type = types.get(column.name, "VARCHAR")
    cell, value = _name(column, "cell"), sql.identifier(column.name)
    if column.name not in types:
        return ValueSql(text=cell, value="null")
    return value_sql(column, cell, cell_type, rules, value_as=value)


def _cells(table: RawTable, types: Mapping[str, str], extras: tuple[ExtraColumn, ...]) -> Iterator[str]:
    for column in table.columns:
        held = sql.identifier(column.name) if column.name in types else "cast(null as varchar)"
        yield f"{held} as {_name(column, 'cell')}"
    for place in range(len(extras)):
        yield f"nullif({extra_name(place)}, '') as {extra_name(place)}"
    yield ROW_NUMBER
    for name in (UNPARSED_ROW, SOURCE_FAILURE):
        yield name if name in types else f"cast(null as varchar) as {name}"


def _values(table: RawTable, cells: Mapping[str, ValueSql]) -> Iterator[str]:
    for column in table.columns:
        value = f"cast({cells[column.name].value} as {VALUE_TYPES[column.data_type]})"
        yield f"{value} as {sql.identifier(column.name)}"


def _problems(table: RawTable, cells: Mapping[str, ValueSql]) -> Iterator[str]:
    """Of each column, why it has no value, and whether it is outside its domain; each with a comma behind it."""
    for column in table.columns:
        problem = cells[column.name].problem
        if problem is not None:
            yield f"{problem} as {_name(column, 'problem')}"
        if outside := _outside(column):
            yield f"coalesce({outside}, false) as {_name(column, 'outside')}"
    if holds_personal_data(table):
        yield f"{is_out_of_step(table, {name: cell.text for name, cell in cells.items()})} as {OUT_OF_STEP}"
    for column in table.columns:
        if misplaced := is_misplaced(table, column, cells[column.name].text):
            yield f"coalesce({misplaced}, false) as {_name(column, 'misplaced')}"
    yield ""


def _must_have(table: RawTable, column: RawColumn) -> bool:
    return column.required or column.name in table.key


def _outside(column: RawColumn) -> str:
    """The condition under which a value is outside the domain of its column; empty where the contract sets none."""
    value = sql.identifier(column.name)
    if column.values:
        return f"{value} not in ({', '.join(map(sql.text, column.values))})"
    if column.scale:
        other = sql.identifier(column.scale.column)
        return " or ".join(
            f"({other} = {sql.text(kind)} and {value} not between {low} and {high})"
            for kind, (low, high) in column.scale.ranges.items()
        )
    beyond = [f"{value} < {column.minimum}"] if column.minimum is not None else []
    beyond += [f"{value} > {column.maximum}"] if column.maximum is not None else []
    if column.sign:
        other = sql.identifier(column.sign.column)
        beyond += [
            f"({other} = {sql.text(kind)} and {value} {'<= 0' if sign == 'positive' else '>= 0'})"
            for kind, sign in column.sign.signs.items()
        ]
    return " or ".join(beyond)


def expected_domain(column: RawColumn) -> str:
    """The same domain in words, for the reason of a rejected row."""
    if column.values:
        return f"one of {', '.join(column.values)}"
    if column.scale:
        return ", ".join(f"{low} to {high} for {kind}" for kind, (low, high) in column.scale.ranges.items())
    expected = []
    if column.minimum is not None and column.maximum is not None:
        expected.append(f"{column.minimum:,} to {column.maximum:,}")
    elif column.minimum is not None:
        expected.append(f"{column.minimum:,} or more")
    if column.sign:
        expected += [f"{sign} for {kind}" for kind, sign in column.sign.signs.items()]
    return ", ".join(expected)


def _kinds(table: RawTable, cells: Mapping[str, ValueSql]) -> Iterator[str]:
    """Of each column that can be repaired, the kind of its repair; each with a comma behind it."""
    for column in table.columns:
        kinds = _kinds_of(table, column, cells[column.name])
        if kinds:
            yield f"coalesce({', '.join(kinds)}) as {_name(column, 'kind')}"
    yield ""


def _kinds_of(table: RawTable, column: RawColumn, cell: ValueSql) -> list[str]:
    kinds = []
    if is_misplaced(table, column, cell.text):
        kinds.append(f"case when {_name(column, 'misplaced')} then '{PERSONAL_DATA}' end")
    if not _must_have(table, column):
        kinds += [_name(column, "problem")] if cell.problem is not None else []
        kinds += [f"case when {_name(column, 'outside')} then '{OUT_OF_DOMAIN}' end"] if _outside(column) else []
    return kinds if cell.repair is None else [*kinds, cell.repair]


def _repairable(table: RawTable, cells: Mapping[str, ValueSql]) -> list[RawColumn]:
    return [column for column in table.columns if _kinds_of(table, column, cells[column.name])]


def _fails_later(table: RawTable) -> bool:
    """Whether a row that is sound may be rejected by what other tables hold."""
    return bool(table.references) or any(column.seed for column in table.columns)


def _texts(table: RawTable, cells: Mapping[str, ValueSql], extras: tuple[ExtraColumn, ...]) -> str:
    """What the cells held, as texts, where somebody may want to read it and the values do not tell."""
    cells_held = [f"{sql.identifier(column.name)} := {cells[column.name].text}" for column in table.columns]
    whole = f"struct_pack({', '.join(cells_held)})"
    if _fails_later(table) and holds_personal_data(table):
        return whole
    parts = [_name(column, "kind") for column in _repairable(table, cells)]
    conditions = ["_failure is not null", *(f"{part} is not null" for part in parts)]
    if _fails_later(table):
        conditions += [f"{extra_name(place)} is not null" for place in range(len(extras))]
        # macros/shown_rows.sql knows what is personal in plain ASCII alone
        texts = [sql.identifier(column.name) for column in table.columns if column.data_type == "text"]
        conditions += [f"coalesce(regexp_matches({text}, '[^ -~]'), false)" for text in texts]
    return f"case when {' or '.join(conditions)} then {whole} end"


def _shown(table: RawTable, rules: ValueRules) -> str:
    """What may be shown of the cells, where somebody may want to read them."""
    cells = []
    for column in table.columns:
        name = sql.identifier(column.name)
        cells.append(f"{name} := {shown(table, column, name, _text(column), rules.id_key)}")
    return f"case when _texts is not null then struct_pack({', '.join(cells)}) end"


def _shown_text(column: RawColumn) -> str:
    return f"_shown.{sql.identifier(column.name)}"


def _text(column: RawColumn) -> str:
    return f"_texts.{sql.identifier(column.name)}"


def _failure(table: RawTable, cells: Mapping[str, ValueSql]) -> str:
    """The first rule that the row breaks, with its column: what is missing comes before what cannot be read."""
    needed = [column for column in table.columns if _must_have(table, column)]
    rules = [f"when {UNPARSED_ROW} is not null then '{MALFORMED_ROW}'"]
    rules.append(f"when {SOURCE_FAILURE} is not null then {SOURCE_FAILURE}")
    for is_key, code in ((True, MISSING_KEY), (False, MISSING_VALUE)):
        rules += [
            f"when {_is_missing(column, cells)} then '{code}:{column.name}'"
            for column in needed
            if (column.name in table.key) == is_key
        ]
    for column in needed:
        if cells[column.name].problem is not None:
            problem = _name(column, "problem")
            rules.append(f"when {problem} is not null then {problem} || ':{column.name}'")
    rules += [
        f"when {_name(column, 'outside')} then '{OUT_OF_DOMAIN}:{column.name}'" for column in needed if _outside(column)
    ]
    return f"case {' '.join(rules)} end"


def _is_missing(column: RawColumn, cells: Mapping[str, ValueSql]) -> str:
    no_value = f"{sql.identifier(column.name)} is null"
    return no_value if cells[column.name].problem is None else f"{no_value} and {_name(column, 'problem')} is null"


def _final_columns(
    table: RawTable,
    cells: Mapping[str, ValueSql],
    extras: tuple[ExtraColumn, ...],
    provenance: Provenance,
    rules: ValueRules,
) -> Iterator[str]:
    for column in table.columns:
        yield _kept_value(table, column, rules)
    expressions = {
        "_row_key": _row_key(table, cells, rules),
        "_masked_key": _masked_key(table, cells, rules),
        "_failure": "_failure",
        "_reason": _reason(table, cells),
        "_raw_row": _whole_row(table, extras),
        "_masked_row": _masked_row(table),
        "_file_name": sql.text(provenance.file_name),
        "_file_order": sql.text(file_order(provenance.file_name)),
        "_row_number": ROW_NUMBER,
        "_first_seen_at": sql.text(provenance.first_seen_at.isoformat(sep=" ")),
    }
    for name, kind in LANDED_COLUMNS.items():
        yield f"cast({expressions[name]} as {kind}) as {name}"
    yield f"{_repaired(table, cells)} as _repairs"


def _kept_value(table: RawTable, column: RawColumn, rules: ValueRules) -> str:
    name = sql.identifier(column.name)
    left_out = [_name(column, "misplaced")] if is_misplaced(table, column, "") else []
    left_out += [_name(column, "outside")] if _outside(column) and not _must_have(table, column) else []
    value = kept_id(column, name, rules.id_key)
    if left_out:
        return f"case when not ({' or '.join(left_out)}) then {value} end as {name}"
    return value if value == name else f"{value} as {name}"


def _row_key(table: RawTable, cells: Mapping[str, ValueSql], rules: ValueRules) -> str:
    whole = " || '|' || ".join(_key_parts(table, cells, rules).values())
    return f"case when {UNPARSED_ROW} is null then {whole} end"


def _masked_key(table: RawTable, cells: Mapping[str, ValueSql], rules: ValueRules) -> str:
    """The key as it may be shown; null where it is the key itself, which so takes no room."""
    parts = [
        shown_part_of_key(_shown_text(table.column(name)), _text(table.column(name)), part)
        for name, part in _key_parts(table, cells, rules).items()
    ]
    masked = " || '|' || ".join(parts)
    differs = f"nullif({masked}, {_row_key(table, cells, rules)})"
    return f"case when _shown is not null and {UNPARSED_ROW} is null then {differs} end"


def _key_parts(table: RawTable, cells: Mapping[str, ValueSql], rules: ValueRules) -> dict[str, str]:
    parts = {}
    for name in table.key:
        column = table.column(name)
        value = sql.identifier(name)
        if column.data_type == "text":
            # an id in every spelling is one key; what is none is shown as it stands
            value = kept_id(column, value, rules.id_key)
            parts[name] = f"coalesce({value}, {_text(column)}, '')"
        else:
            parts[name] = f"coalesce({cells[name].text}, '')"
    return parts


def _reason(table: RawTable, cells: Mapping[str, ValueSql]) -> str:
    rules = [f"when '{MALFORMED_ROW}' then 'the line has more or fewer fields than the header'"]
    for column in table.columns:
        name, cell = column.name, cells[column.name]
        opening = sql.text(name + ' holds "')
        holds = f"{opening} || {_shown_text(column)} || "
        rules.append(f"when '{MISSING_KEY}:{name}' then '{name} is part of the key and is empty'")
        rules.append(f"when '{MISSING_VALUE}:{name}' then '{name} is required and is empty'")
        for code, expected in _SOURCE_FAILURES.items():
            rules.append(f"when '{code}:{name}' then {holds}{sql.text(expected)}")
        if _outside(column):
            expected = sql.text('"; expected ' + expected_domain(column))
            rules.append(f"when '{OUT_OF_DOMAIN}:{name}' then {holds}{expected}")
        if cell.problem is not None:
            no_value = sql.text('", which is no ' + column.data_type)
            rules.append(f"when '{UNPARSEABLE_VALUE}:{name}' then {holds}{no_value}")
            problem, expected = _name(column, "problem"), sql.text('"; expected ' + cell.expected)
            rules.append(f"when {problem} || ':{name}' then {holds}{expected}")
    return f"case when _failure is not null then case _failure {' '.join(rules)} end end"


def _whole_row(table: RawTable, extras: tuple[ExtraColumn, ...]) -> str:
    """The whole row as a JSON object of texts, or the line itself where it does not fit the header."""
    named = {column.name: _text(column) for column in table.columns}
    named |= {extra.name: extra_name(place) for place, extra in enumerate(extras) if extra.is_named}
    members = ", ".join(f"{sql.text(name)}, {text}" for name, text in named.items())
    whole = f"cast(json_object({members}) as varchar)"
    # a column without a name is one of the row only where the row fills it
    nameless = [(extra.name, extra_name(place)) for place, extra in enumerate(extras) if not extra.is_named]
    if nameless:
        more = ", ".join(f"{sql.text(',' + json.dumps(name) + ':')} || {_json(text)}" for name, text in nameless)
        whole = f"concat(left({whole}, -1), {more}, '}}')"
    return _of_rejected(table, UNPARSED_ROW, whole)


def _masked_row(table: RawTable) -> str:
    """The same as it may be shown: columns of the contract alone, and of a line its pattern."""
    members = ", ".join(f"{sql.text(column.name)}, {_shown_text(column)}" for column in table.columns)
    return _of_rejected(table, shown_line(UNPARSED_ROW), f"cast(json_object({members}) as varchar)")


def _of_rejected(table: RawTable, line: str, row: str) -> str:
    """Of rows that are rejected, or may be later; where the values of one say all, `checked_rows` makes it of them."""
    is_needless = "_texts is null" if _fails_later(table) else "_failure is null"
    return f"case when {is_needless} then null when {UNPARSED_ROW} is not null then {line} else {row} end"


def _json(text: str) -> str:
    return f"cast(to_json({text}) as varchar)"


def _repaired(table: RawTable, cells: Mapping[str, ValueSql]) -> str:
    """What was repaired in a row that is not rejected: column, kind and what the cell held; null where nothing was."""
    entries = [
        f"{{'column_name': '{column.name}', 'kind': {_name(column, 'kind')}, 'held': {_shown_text(column)}}}"
        for column in _repairable(table, cells)
    ]
    if not entries:
        return "cast(null as struct(column_name varchar, kind varchar, held varchar)[])"
    any_kind = " or ".join(f"{_name(column, 'kind')} is not null" for column in _repairable(table, cells))
    listed = f"list_filter([{', '.join(entries)}], lambda entry: entry.kind is not null)"
    return f"case when _failure is null and ({any_kind}) then {listed} end"
