"""The SQL that turns the rows of an export into rows of a table of the contract, as its mapping says.

It reads the relation `cells`: `_extra_<n>` for each column of the export, as text, `_row_number` and `_unparsed_row`.
It gives the columns of the contract that are filled, as text; the columns of the export; `_row_number`,
`_unparsed_row`, `_source_failure`, and `_filtered`: the name of the rule that leaves a row out, or null.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestration import duckdb_sql as sql
from orchestration.contract import RawColumn, RawTable

from .file_rows import ROW_NUMBER, SOURCE_FAILURE, UNPARSED_ROW, extra_name
from .header import ExtraColumn, plain_header
from .judging import CONFLICTING_VALUES, OTHER_CURRENCY, UNMAPPED_VALUE
from .mapping import COMMA, EPOCHS, FIRST, LINE, ORDER, ColumnMapping, Condition, Mapped, Rule, headers_of
from .values import (
    LOCAL_TIME,
    ValueRules,
    case,
    cleaned,
    currency_signs,
    exact_number,
    is_destroyed,
    let,
    matches,
    spelled,
    to_utc,
)

CELLS = "cells"
FILTERED = "_filtered"
_EPOCH_UNITS = dict(zip(EPOCHS, (1_000_000, 1_000, 1), strict=True))
_GROUPED = r"^([^0-9]*)([0-9]{1,3}(?:,[0-9]{3})+)((?:[.][0-9]+)?[^0-9]*)$"
_SUMMED, _AMOUNT, _FACTOR, _PRODUCT = "decimal(38, 10)", "decimal(20, 8)", "decimal(18, 8)", "decimal(38, 12)"
# beyond what any amount is, so that no sum overflows
_TOO_LARGE = "1000000000000000"
# a longer cell is no word for nothing, whatever stands around it
_LONGEST_NOTHING = 64
_PLACE = "row_number() over ordered"
_WINDOWS = f"""
    window
        lines as (partition by _group),
        ordered as (partition by _group order by {ROW_NUMBER}),
        whole as (partition by _group order by {ROW_NUMBER} rows between unbounded preceding and unbounded following)
"""


def one_row_rule(column: str) -> str:
    """The name under which the further lines of what is one row are counted."""
    return f"one row per {column}"


def mapped_rows_sql(
    mapped: Mapped,
    table: RawTable,
    header: Mapping[str, int],
    columns: Sequence[ExtraColumn],
    rules: ValueRules,
) -> tuple[str, tuple[ExtraColumn, ...]]:
    """The query of a table of a source, and what its columns `_extra_<n>` are.

    A cell that a column of the contract repeats stands in that column alone.

    Args:
        mapped: the source and its table.
        table: the table of the contract.
        header: where each column of the export stands, by its name as `header_key` gives it.
        columns: the columns of the export.
        rules: how values are read; amounts must be in the reporting currency, where the export says in what they are.
    """
    return _Query(mapped, table, header, rules).text(columns)


def header_key(name: str) -> str:
    """The form in which names of columns of an export are compared."""
    return plain_header(name).casefold()


def can_fill(rule: Rule, header: Mapping[str, int]) -> bool:
    """Whether a rule says where a value comes from in an export with this header, by `header_key`."""
    return rule.constant is not None or rule.position or reads_cells(rule, header)


def reads_cells(rule: Rule, header: Mapping[str, int]) -> bool:
    """Whether the header has a column whose cells the rule makes values of."""
    return any(header_key(name) in header for name in (*rule.headers, *rule.first_of))


@dataclass(frozen=True)
class _Query:
    mapped: Mapped
    table: RawTable
    header: Mapping[str, int]
    rules: ValueRules

    @property
    def reporting_currency(self) -> str:
        return self.rules.reporting_currency

    @property
    def nothing(self) -> list[str]:
        """What counts as an empty cell; a value that is lost does not, since landing tells of it."""
        words = set(self.rules.words_for_nothing) - set(self.rules.lost_values)
        return sorted({text.strip().lower() for text in (*words, *self.mapped.source.nothing)})

    def text(self, columns: Sequence[ExtraColumn]) -> tuple[str, tuple[ExtraColumn, ...]]:
        filled = [column for column in self.mapped.table.columns if self._has(column)]
        values = [f"{value} as {_name('value', column)}" for column, value in self._values(filled)]
        problems = {column.name: failure for column in filled if (failure := self._failure(column)) is not None}
        problems |= {column.name: self._other_currency(column.name) for column in filled if self._has_currency(column)}
        unlisted = [f"{problem} as {sql.identifier('_problem_' + name)}" for name, problem in problems.items()]
        finals = [f"{self._final(column)} as {sql.identifier(column.name)}" for column in filled]
        extras = tuple(self._extra(column, filled) for column in columns)
        cells = [self._told(place, filled) for place in range(len(columns))]
        if self.mapped.table.group is None:
            source, order = "mapped", ""
            failure, filtered = _first_of(sql.identifier("_problem_" + name) for name in problems), "_rule"
        else:
            key = sql.identifier("_value_" + self.mapped.table.group)
            # what is no key tells nothing of which lines belong together
            words = f"lower(k) in ({', '.join(map(sql.text, self.nothing)) or 'null'})"
            group = let(cleaned(key), lambda k: case((f"{is_destroyed(k)} or {words}", "null"), otherwise=k), "k")
            is_line = f"_rule is null and {UNPARSED_ROW} is null"
            source = f"(select *, case when {is_line} then {group} end as _group from mapped)"
            order = f"{_WINDOWS} order by {ROW_NUMBER}"
            failures = [f"max({sql.identifier('_problem_' + name)}) over lines" for name in problems]
            failures += [conflict for column in filled if (conflict := self._conflict(column))]
            failure = f"case when _group is not null then {_first_of(failures)} end"
            filtered = f"coalesce(_rule, {self._further()})"
        query = f"""
            with
            filled as (
                select {", ".join(["*", *self._cells()])} from {CELLS}
            ),
            mapped as (
                select *, {", ".join([*values, *unlisted])}, {self._rule()} as _rule from filled
            )
            select
                {", ".join([*finals, *cells, ROW_NUMBER, UNPARSED_ROW])},
                {failure} as {SOURCE_FAILURE},
                {filtered} as {FILTERED}
            from {source}
            {order}
        """
        return query, extras

    def _further(self) -> str:
        one_row = self.mapped.table.one_row_per
        if one_row is None:
            return "null"
        return f"case when _group is not null and {_PLACE} > 1 then {sql.text(one_row_rule(one_row))} end"

    # ---- columns of the export ----

    def _repeating(self, place: int, filled: list[ColumnMapping]) -> list[str]:
        """The columns of the contract that are made of one column of the export."""
        return [
            _name("value", column)
            for column in filled
            if len(column.rules) == 1 and column.per != LINE and self._place(column.rules[0].headers) == place
        ]

    def _extra(self, column: ExtraColumn, filled: list[ColumnMapping]) -> ExtraColumn:
        return replace(column, is_named=column.is_named and not self._repeating(column.position, filled))

    def _told(self, place: int, filled: list[ColumnMapping]) -> str:
        cell = extra_name(place)
        for value in self._repeating(place, filled):
            cell = f"nullif({cell}, {value})"
        return f"{cell} as {extra_name(place)}"

    # ---- columns of the contract ----

    def _has(self, column: ColumnMapping) -> bool:
        return any(can_fill(rule, self.header) for rule in column.rules)

    def _values(self, filled: list[ColumnMapping]) -> Iterator[tuple[ColumnMapping, str]]:
        for column in filled:
            value = self._by_rule(column, lambda rule, column=column: self._value(column, rule))
            if self._has_currency(column):
                currency = self._cell(self.mapped.source.currency)
                value = f"case when {self._is_other_currency()} then {value} || ' ' || {currency} else {value} end"
            yield column, value

    def _has_currency(self, column: ColumnMapping) -> bool:
        """Whether an export says in what currency the amounts of a column are."""
        is_told = bool(self.reporting_currency) and self._cell(self.mapped.source.currency) is not None
        return is_told and self.table.column(column.name).is_money and self._reads_cells(column)

    def _base_of(self, name: str) -> str:
        (column,) = [column for column in self.mapped.table.columns if column.name == name]
        return self._by_rule(column, self._base)

    def _is_other_currency(self) -> str:
        cell = self._cell(self.mapped.source.currency)
        return f"coalesce(upper({cleaned(str(cell))}) <> {sql.text(self.reporting_currency.upper())}, false)"

    def _other_currency(self, name: str) -> str:
        failure = f"'{OTHER_CURRENCY}:{name}'"
        return f"case when {self._base_of(name)} is not null and {self._is_other_currency()} then {failure} end"

    def _by_rule(self, column: ColumnMapping, of: Callable[[Rule], str]) -> str:
        rules = column.rules
        if len(rules) == 1 and rules[0].where is None:
            return of(rules[0])
        branches = " ".join(
            f"when {self._condition(rule.where) if rule.where else 'true'} then {of(rule)}" for rule in rules
        )
        return f"case {branches} end"

    def _failure(self, column: ColumnMapping) -> str | None:
        """What tells a text that the mapping does not list; None where it lists none."""
        if all(rule.values is None for rule in column.rules):
            return None
        unknown = self._by_rule(column, self._is_unknown)
        return f"case when {UNPARSED_ROW} is null and {unknown} then '{UNMAPPED_VALUE}:{column.name}' end"

    def _is_unknown(self, rule: Rule) -> str:
        base = self._base(rule)
        if rule.values is None or base == "null":
            return "false"
        listed = ", ".join(sql.text(_key(text)) for text, _ in rule.values)
        written = ", ".join(sql.text(text) for text, _ in rule.values)
        return f"({base} not in ({written}) and lower({cleaned(base)}) not in ({listed}))"

    def _value(self, mapping: ColumnMapping, rule: Rule) -> str:
        column = self.table.column(mapping.name)
        base = self._base(rule, column)
        if rule.values is not None:
            return _looked_up(base, rule.values)
        if rule.constant is not None or base == "null":
            return base
        if rule.lowercase:
            base = f"lower({base})"
        number = rule.number or self.mapped.source.number
        if rule.times or rule.minus:
            return self._product(base, rule, number, self._signs(column))
        if column.data_type in ("number", "integer") and number is not None:
            return _plain_number(base, number)
        if rule.dates:
            base = _iso_time(base, rule.dates)
        if column.data_type == "timestamp" and self.mapped.source.time_zone is not None:
            base = _in_utc(base, self.mapped.source.time_zone)
        return base

    def _signs(self, column: RawColumn) -> str:
        return currency_signs(self.reporting_currency) if column.is_money else ""

    def _product(self, base: str, rule: Rule, number: str | None, signs: str) -> str:
        """An amount times a quantity, minus what is taken off; what cannot be read is shown, and stays unreadable."""
        amount, times = _number(base, number, signs, _AMOUNT), self._cell(rule.times)
        product = amount if times is None else f"{amount} * {_number(times, number, '', _FACTOR)}"
        result = f"cast({product} as {_PRODUCT})"
        minus = self._cell(rule.minus)
        if minus is not None:
            taken_off = f"cast({_number(minus, number, signs, _AMOUNT)} as {_PRODUCT})"
            result += f" - case when {minus} is null then cast(0 as {_PRODUCT}) else {taken_off} end"
        parts = ", ".join(f"coalesce({part}, '')" for part in (base, times, minus) if part is not None)
        exact = f"rtrim(rtrim(cast(try({result}) as varchar), '0'), '.')"
        return f"case when {base} is not null then coalesce({exact}, concat_ws(' | ', {parts})) end"

    def _base(self, rule: Rule, column: RawColumn | None = None) -> str:
        """The cell, before anything is made of it."""
        if rule.constant is not None:
            return f"case when {UNPARSED_ROW} is null then {sql.text(rule.constant)} end"
        if rule.position:
            return "cast(null as varchar)"
        found = [cell for name in rule.first_of if (cell := self._cell((name,)))]
        found += [cell] if (cell := self._cell(rule.headers)) else []
        if column is not None and column.reads_as_id:
            found = [_unless_masked(cell) for cell in found]
        if not found:
            return "null"
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _place(self, headers: tuple[str, ...]) -> int | None:
        return next((self.header[key] for name in headers if (key := header_key(name)) in self.header), None)

    def _cell(self, headers: tuple[str, ...]) -> str | None:
        place = self._place(headers)
        if place is None:
            return None
        return _filled(place)

    def _cells(self) -> Iterator[str]:
        """The columns of the export that are read: each cell, or null where it holds nothing."""
        texts = ", ".join(map(sql.text, self.nothing))
        names = (*headers_of(self.mapped.table), *self.mapped.source.currency)
        for place in sorted({self.header[key] for name in names if (key := header_key(name)) in self.header}):
            cell = extra_name(place)
            plain = f"(regexp_matches({cell}, '^[1-9]') or strlen({cell}) > {_LONGEST_NOTHING})"
            is_something = f"lower({cleaned(cell)}) not in ({texts})" if texts else f"{cleaned(cell)} is not null"
            plain = f"{plain} and {cell} not in ({texts})" if texts else plain
            yield f"case when {plain} then {cell} when {is_something} then {cell} end as {_filled(place)}"

    # ---- rows ----

    def _rule(self) -> str:
        branches = [
            f"when {self._condition(rule.condition)} then {sql.text(rule.name)}" for rule in self.mapped.table.filters
        ]
        if not branches:
            return "cast(null as varchar)"
        return f"case when {UNPARSED_ROW} is not null then null {' '.join(branches)} end"

    def _condition(self, condition: Condition) -> str:
        if condition.empty:
            cells = [cell for name in condition.headers if (cell := self._cell((name,)))]
            holds = f"coalesce({', '.join([*cells, 'null'])}) is null"
        else:
            cell = self._cell(condition.headers) or "null"
            listed = ", ".join(sql.text(_key(text)) for text in condition.texts)
            written = ", ".join(sql.text(text) for text in condition.texts)
            holds = f"(coalesce({cell} in ({written}), false) or coalesce(lower({cleaned(cell)}), '') in ({listed}))"
            holds = holds if cell != "null" else "false"
        return f"not ({holds})" if condition.negated else f"({holds})"

    # ---- lines of one order ----

    def _final(self, mapping: ColumnMapping) -> str:
        """The value of a row from those of the lines of its order."""
        value = _name("value", mapping)
        if any(rule.position for rule in mapping.rules):
            return f"case when _group is not null then cast({_PLACE} as varchar) end"
        per = self._per(mapping)
        if per == LINE:
            whole = self._sum(value, self._signs(self.table.column(mapping.name)))
        elif per == FIRST:
            whole = f"first_value({value} ignore nulls) over whole"
        elif per == ORDER:
            least, most = f"min({value}) over lines", f"max({value}) over lines"
            whole = f"case when {least} = {most} then {least} else {least} || ' | ' || {most} end"
        else:
            return value
        return f"case when _group is not null then {whole} else {value} end"

    def _sum(self, value: str, signs: str) -> str:
        """The sum over the lines of an order; a line that is no number makes the whole one that cannot be read."""
        number = let(_number(value, None, signs, _SUMMED), lambda n: case((f"abs({n}) < {_TOO_LARGE}", n)), "n")
        total = f"cast(sum({number}) over lines as varchar)"
        unread = f"max(case when {number} is null and {cleaned(value)} is not null then {value} || ' |' end) over lines"
        return f"coalesce({unread}, rtrim(rtrim({total}, '0'), '.'))"

    def _per(self, mapping: ColumnMapping) -> str:
        table = self.mapped.table
        if mapping.name == table.group:
            return ""
        return mapping.per or (ORDER if table.one_row_per and self._reads_cells(mapping) else "")

    def _reads_cells(self, mapping: ColumnMapping) -> bool:
        return any(rule.headers or rule.first_of for rule in mapping.rules)

    def _conflict(self, mapping: ColumnMapping) -> str | None:
        if self._per(mapping) != ORDER:
            return None
        value = _name("value", mapping)
        failure = f"'{CONFLICTING_VALUES}:{mapping.name}'"
        return f"case when min({value}) over lines <> max({value}) over lines then {failure} end"


def _filled(place: int) -> str:
    return f"_filled_{place}"


def _name(part: str, column: ColumnMapping) -> str:
    return sql.identifier(f"_{part}_{column.name}")


def _first_of(expressions: Iterable[str]) -> str:
    return f"coalesce({', '.join([*expressions, 'cast(null as varchar)'])})"


def _key(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower()


def _looked_up(base: str, values: tuple[tuple[str, str], ...]) -> str:
    """What a text is called in the contract, itself where it is not listed."""
    if base == "null":
        return base
    empty = next((meaning for text, meaning in values if not text), None)
    written = [(f"{base} = {sql.text(text)}", sql.text(meaning)) for text, meaning in values]
    others = [(f"k = {sql.text(_key(text))}", sql.text(meaning)) for text, meaning in values]
    slow = let(f"lower({cleaned(base)})", lambda k: case(*others, otherwise=base), "k")
    nothing = "null" if empty is None else sql.text(empty)
    return case((f"{base} is null", nothing), *written, otherwise=slow)


def _unless_masked(cell: str) -> str:
    """An id or a phone number, unless digits of it are hidden: what is left may be anybody's."""
    is_masked = f"contains({cell}, '**') or coalesce(starts_with({cleaned(cell)}, '##'), false)"
    return f"case when {matches(cell, '[A-Za-z0-9_-]+')} or not ({is_masked}) then {cell} end"


def _plain_number(base: str, number: str) -> str:
    """A number with a decimal point and without separators; what is not written as the format says stays unreadable."""
    text = f"translate({base}, '.,', ',.')" if number == COMMA else base
    grouped = sql.text(_GROUPED)

    def of(n: str) -> str:
        before, digits, behind = (f"regexp_extract({n}, {grouped}, {part})" for part in (1, 2, 3))
        joined = f"{before} || replace({digits}, ',', '') || {behind}"
        return case((f"regexp_matches({n}, {grouped})", joined), otherwise=n)

    return case((f"{base} is null or not contains({text}, ',')", text), otherwise=let(text, of, "n"))


def _number(cell: str, number: str | None, signs: str, kind: str) -> str:
    """A number as one, null where it is none; a sign of the reporting currency beside it does not count."""
    return exact_number(_plain_number(cell, number) if number else cell, signs, kind)


def _iso_time(base: str, formats: tuple[str, ...]) -> str:
    """A date or a time as ISO 8601 writes it, itself where it is of none of the formats."""
    attempts = []
    strptime = [form for form in formats if form not in EPOCHS]
    if strptime:
        listed = ", ".join(map(sql.text, strptime))
        attempts.append(f"strftime(try_strptime({cleaned(base)}, [{listed}]), '%Y-%m-%d %H:%M:%S')")
    for form in formats:
        if form in EPOCHS:
            whole = f"try_cast({cleaned(base)} as bigint) * {_EPOCH_UNITS[form]}"
            moment = f"try(make_timestamp({whole}))"
            # a later one is of another unit than the mapping says
            is_year = f"{moment} < timestamp '10000-01-01'"
            attempts.append(f"case when {is_year} then strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ') end")
    return f"coalesce({', '.join(attempts)}, {base})"


def _in_utc(base: str, zone: str) -> str:
    """A time without an offset as UTC, which it says."""

    def of(text: str) -> str:
        utc = to_utc(f"try_cast({text} as timestamp)", zone)
        return case((matches(text, LOCAL_TIME), f"strftime({utc}, '%Y-%m-%dT%H:%M:%S.%fZ')"))

    return f"coalesce({let(spelled(base), of)}, {base})"
