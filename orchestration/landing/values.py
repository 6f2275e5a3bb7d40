"""The SQL that reads one cell of a raw file as the value that its column of the contract holds.

The rules in words stand in docs/raw-contract.md, "How a cell is read". The common clean cell passes by one comparison
or one regular expression; what is dearer is done only where that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from orchestration import duckdb_sql as sql
from orchestration.contract import RawColumn

UNPARSEABLE_VALUE = "unparseable_value"
OUT_OF_DOMAIN = "out_of_domain"
IMPLAUSIBLE_DATE = "implausible_date"
DESTROYED_ID = "destroyed_id"

# kinds of repair, the first that applies is told
ID_FROM_NUMBER = "id_from_number"
SPREADSHEET_MARK = "spreadsheet_mark"
FULL_WIDTH = "full_width"
INVISIBLE_CHARACTERS = "invisible_characters"
LETTER_CASE = "letter_case"
TIME_CUT_OFF = "time_cut_off"
DATE_SPELLING = "date_spelling"
THOUSANDS_SEPARATOR = "thousands_separator"
CURRENCY_SIGN = "currency_sign"
LOST_VALUE = "lost_value"


@dataclass(frozen=True)
class ValueRules:
    """What landing must know to read a value, apart from the contract.

    Attributes:
        business_timezone: whose midnight ends a business day.
        timestamps_without_offset: the zone of times that name none.
        words_for_nothing: what stands for no value in ids, codes, numbers, dates and booleans, in any case.
        words_in_free_text: what stands for no value in free text, exactly as written.
        lost_values: those of the words for nothing that stand where a value was, in any case.
        nobody_ids: customer ids that stand for nobody, in any case.
        latest_day: the last day that a date may name.
        reporting_currency: what an amount with a currency sign must be in.
        id_key: the key that hashes the ids of customers; None: they stay as they are.
    """

    business_timezone: str
    timestamps_without_offset: str
    words_for_nothing: tuple[str, ...]
    nobody_ids: tuple[str, ...]
    latest_day: date
    words_in_free_text: tuple[str, ...] = ()
    lost_values: tuple[str, ...] = ()
    reporting_currency: str = ""
    id_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ValueSql:
    """SQL expressions of one cell, for a DuckDB session whose time zone is UTC.

    A cell has no value where `value` and `problem` are both null: it is empty, or holds a word for nothing.

    Attributes:
        text: what the cell held, for people and for the raw row that is kept; null where the cell is empty.
        value: the value, of the type of the column; null where there is none or it cannot be read.
        problem: why a cell that holds something has no value: a reason code or null; None where that cannot happen.
        repair: how the value differs from what the cell held, or that it was lost: a kind of repair or null; None where
            that cannot happen.
        expected: what a cell with another problem than `unparseable_value` should have held, for people.
    """

    text: str
    value: str
    problem: str | None = None
    repair: str | None = None
    expected: str = ""


def value_sql(column: RawColumn, cell: str, cell_type: str, rules: ValueRules, value_as: str | None = None) -> ValueSql:
    """Read a cell as the type of its column.

    Args:
        column: the column of the contract.
        cell: SQL of the cell.
        cell_type: its type as DuckDB calls it.
        rules: what else a value depends on.
        value_as: the name under which `value` has been selected one step before, for `problem` and `repair`, which then
            cost next to nothing; without it they read the cell again.
    """
    kind = _kind_of(cell_type)
    held = as_text(cell, cell_type) if kind == _TEXT else cell
    # what fits no type of the contract better is read as it is written
    if kind not in _FITTING.get(column.data_type, ()):
        held, kind = (held, kind) if kind == _TEXT else (f"cast({cell} as varchar)", _TEXT)
    read = _READERS[column.data_type](_Cell(column, held, cell_type, kind, rules))
    value = value_as or f"({read.value})"
    problem = f"case when {value} is null and {cell} is not null then {read.problem} end" if read.problem else None
    repairs = [f"case when {value} is not null and {read.repair(value)} end"] if read.repair else []
    if kind == _TEXT and rules.lost_values:
        is_lost = _is_nothing(trimmed(held), rules.lost_values)
        repairs.append(f"case when {value} is null and {cell} is not null and {is_lost} then '{LOST_VALUE}' end")
    return ValueSql(
        text=trimmed(held) if kind == _TEXT else f"cast({cell} as varchar)",
        value=read.value,
        problem=problem,
        repair=f"coalesce({', '.join(repairs)})" if repairs else None,
        expected=read.expected,
    )


# ---- kinds of cells ----

_TEXT, _WHOLE, _DECIMAL, _FLOATING, _BOOLEAN, _DATE, _LOCAL_TIME, _INSTANT = range(8)

_KINDS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), _WHOLE),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), _WHOLE),
    **dict.fromkeys(("FLOAT", "DOUBLE"), _FLOATING),
    "BOOLEAN": _BOOLEAN,
    "DATE": _DATE,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), _LOCAL_TIME),
    "TIMESTAMP WITH TIME ZONE": _INSTANT,
}
_NUMBERS = (_WHOLE, _DECIMAL, _FLOATING)
_TIMES = (_DATE, _LOCAL_TIME, _INSTANT)
# kinds that are read without a detour through text
_FITTING = {
    "text": (*_NUMBERS, _BOOLEAN, *_TIMES),
    "number": _NUMBERS,
    "integer": _NUMBERS,
    "boolean": (*_NUMBERS, _BOOLEAN),
    "date": _TIMES,
    "timestamp": _TIMES,
}
# whole numbers below are exact in floating point
_EXACT_BELOW = {"FLOAT": 2**24, "DOUBLE": 2**53}


@dataclass(frozen=True)
class _Cell:
    column: RawColumn
    held: str  # SQL, of the kind
    cell_type: str
    kind: int
    rules: ValueRules


@dataclass(frozen=True)
class _Read:
    """How a cell is read: `problem` where it holds something without a value, `repair` a condition and a kind.

    `repair` takes the value and gives what stands between `case when … and` and `end`.
    """

    value: str
    problem: str | None = None
    repair: Callable[[str], str] | None = None
    expected: str = ""


def _kind_of(cell_type: str) -> int:
    return _DECIMAL if cell_type.startswith("DECIMAL") else _KINDS.get(cell_type, _TEXT)


def as_text(cell: str, cell_type: str) -> str:
    """SQL of a cell of any type as text; bytes that are UTF-8 are the text that they encode."""
    if cell_type == "VARCHAR":
        return cell
    written = f"cast({cell} as varchar)"
    return f"coalesce(try(decode({cell})), {written})" if cell_type == "BLOB" else written


# ---- SQL ----


def matches(expression: str, pattern: str) -> str:
    return f"regexp_full_match({expression}, {sql.text(pattern)}, 's')"


def _contains(expression: str, pattern: str) -> str:
    return f"regexp_matches({expression}, {sql.text(pattern)}, 's')"


def replaced(expression: str, pattern: str, by: str = "") -> str:
    return f"regexp_replace({expression}, {sql.text(pattern)}, {sql.text(by)}, 'gs')"


def let(expression: str, body: Callable[[str], str], name: str = "t") -> str:
    """`body` over a name for the expression, which so is computed once."""
    return f"list_transform([{expression}], lambda {name}: {body(name)})[1]"


def _in(expression: str, texts: Iterable[str]) -> str:
    listed = ", ".join(map(sql.text, texts))
    return f"{expression} in ({listed})" if listed else "false"


def case(*branches: tuple[str, str], otherwise: str = "null") -> str:
    whens = " ".join(f"when {condition} then {result}" for condition, result in branches)
    return f"case {whens} else {otherwise} end"


# ---- what nobody sees, and what a spreadsheet puts around a value ----

_WHITE_SPACE = r"\s\x{0B}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
_OTHER_INVISIBLE = r"\x{AD}\x{180E}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}"
_JOINERS = r"\x{200C}\x{200D}"  # they shape emoji and some scripts
_INVISIBLE = _OTHER_INVISIBLE + _JOINERS
_FULL_WIDTH_FORMS = "".join(map(chr, range(0xFF01, 0xFF5F)))
_ASCII_FORMS = "".join(map(chr, range(0x21, 0x7F)))
_PLAIN = "[!#$%&(-<>-~]([ !#$%&(-~]*[!#$%&(-~])?"  # nothing to clean
_MARK = rf"=?['\"{_WHITE_SPACE}]"


def trimmed(held: str) -> str:
    edge = f"[^{_WHITE_SPACE}]"
    trimmed = replaced(held, f"^[{_WHITE_SPACE}]+|[{_WHITE_SPACE}]+$")
    return f"case when {matches(held, f'{edge}(.*{edge})?')} then {held} else nullif({trimmed}, '') end"


def cleaned(held: str, more: Callable[[str], str] = lambda text: text) -> str:
    """The text of an id, a code or a number without what was put around it, in ASCII's width; then `more`."""

    def of(text: str) -> str:
        visible = replaced(text, f"[{_INVISIBLE}]+")
        # an apostrophe, or ="…", keeps a spreadsheet from reading a number
        unmarked = replaced(visible, rf"^(?:{_MARK})+(.*?)['\"{_WHITE_SPACE}]*$", r"\1")
        return more(replaced(unmarked, f"[{_WHITE_SPACE}]+$"))

    narrow = f"translate({held}, {sql.text(_FULL_WIDTH_FORMS)}, {sql.text(_ASCII_FORMS)})"
    text = case(
        (matches(held, _PLAIN), more(held)), (f"strlen({held}) = length({held})", of(held)), otherwise=of(narrow)
    )
    return f"nullif({text}, '')"


def _is_nothing(text: str, words: Iterable[str]) -> str:
    return _in(f"lower({text})", sorted({word.lower() for word in words}))


def _unless_nothing(text: str, words: Iterable[str], otherwise: str) -> str:
    """`otherwise`, or null where the text is empty or stands for nothing."""
    return case((f"{text} is null or {_is_nothing(text, words)}", "null"), otherwise=otherwise)


def _unparseable(cell: _Cell) -> str:
    otherwise = f"'{UNPARSEABLE_VALUE}'"
    return let(cleaned(cell.held), lambda t: _unless_nothing(t, cell.rules.words_for_nothing, otherwise))


def _no_number(cell: _Cell) -> str:
    """Why a cell that holds something is no number: one with more digits than any amount has is beyond its bounds."""
    if cell.column.maximum is None:
        return _unparseable(cell)
    is_long = matches("n", r"[+-]?[0-9]{15,}([.][0-9]*)?")
    return let(_number_text(cell), lambda n: case((is_long, f"'{OUT_OF_DOMAIN}'"), otherwise=_unparseable(cell)), "n")


def _is_odd(held: str) -> str:
    """Whether a text may have been cleaned of something else than white space, cheaply."""
    has_quote = _contains(held, r"['\"]")
    return f"(strlen({held}) <> length({held}) or {has_quote})"


def _cleaning(held: str, *before: tuple[str, str], after: tuple[str, str] | None = None) -> str:
    """The kind of repair of a text: what was taken off or exchanged, unless a condition of `before` holds."""
    kinds = [
        *before,
        (_contains(held, rf"^[{_INVISIBLE}]*(?:{_MARK})*=?['\"]"), SPREADSHEET_MARK),
        (_contains(held, r"[\x{FF01}-\x{FF5E}]"), FULL_WIDTH),
        (_contains(held, f"[{_INVISIBLE}]"), INVISIBLE_CHARACTERS),
        *([after] if after else []),
    ]
    return case(*((condition, f"'{kind}'") for condition, kind in kinds))


# ---- text ----

# an id that begins with a letter keeps its points; a number with one may be a number's spelling of an id
_CLEAN_ID = r"[A-Za-z_#][A-Za-z0-9_:#/.-]*|[A-Za-z0-9_:#/-]+"
_FROM_NUMBER = r"^(-?[0-9]+)[.]0+$"
_LONG_FROM_NUMBER = r"-?[0-9]{16,}[.]0+"
_E_NOTATION = r"[+-]?[0-9]+([.][0-9]*[eE][+]?|[eE][+])[0-9]+"
_EVERY_DIGIT = "every digit; a spreadsheet rounded it, so export the column as text"


def _read_text(cell: _Cell) -> _Read:
    if cell.column.reads_as_id:
        return _read_id(cell)
    if cell.kind == _FLOATING:
        return _Read(case((f"not isnan({cell.held})", f"cast({cell.held} as varchar)")))
    if cell.kind != _TEXT:
        return _Read(f"cast({cell.held} as varchar)")
    return _read_code(cell) if cell.column.values or cell.column.seed else _read_free_text(cell)


def _read_id(cell: _Cell) -> _Read:
    held, words = cell.held, cell.rules.words_for_nothing
    if cell.column.names_customer:
        words = (*words, *cell.rules.nobody_ids)
    if cell.kind == _FLOATING:
        return _read_id_in_floating(cell, words)

    def without_words(text: str) -> str:
        return let(text, lambda t: _unless_nothing(t, words, t), "id")

    if cell.kind == _DECIMAL:
        written = f"cast({held} as varchar)"
        is_respelled = f"{held} = trunc({held}) and contains({written}, '.')"
        value = without_words(replaced(written, _FROM_NUMBER, r"\1"))
        return _Read(value, repair=lambda value: f"{is_respelled} then '{ID_FROM_NUMBER}'")
    if cell.kind != _TEXT:
        return _Read(without_words(f"cast({held} as varchar)"))
    value = case(
        (f"{matches(held, _CLEAN_ID)} and not {_is_nothing(held, words)}", held),
        otherwise=let(
            cleaned(held),
            lambda t: case((is_destroyed(t), "null"), otherwise=without_words(replaced(t, _FROM_NUMBER, r"\1"))),
        ),
    )
    problem = let(cleaned(held), lambda t: case((is_destroyed(t), f"'{DESTROYED_ID}'")))
    had_tail = _contains(held, rf"[.\x{{FF0E}}][0\x{{FF10}}]+['\"{_INVISIBLE}{_WHITE_SPACE}]*$")

    def repair(value: str) -> str:
        from_number = (f"{had_tail} and not contains({value}, '.')", ID_FROM_NUMBER)
        return f"{value} <> {held} then {_cleaning(held, from_number)}"

    return _Read(value, problem, repair, _EVERY_DIGIT)


def is_destroyed(text: str) -> str:
    """Whether digits of an id are lost: E notation, or a number longer than floating point holds."""
    is_long = f"{matches(text, _LONG_FROM_NUMBER)} and abs(try_cast({text} as double)) >= {_EXACT_BELOW['DOUBLE']}"
    return f"{matches(text, _E_NOTATION)} or ({is_long})"


def _read_id_in_floating(cell: _Cell, words: Iterable[str]) -> _Read:
    held = cell.held
    is_exact = f"abs({held}) < {_EXACT_BELOW[cell.cell_type]}"
    is_whole = f"{held} = trunc({held})"
    value = case(
        (f"{is_exact} and {is_whole}", f"cast(cast({held} as bigint) as varchar)"),
        (is_exact, f"cast({held} as varchar)"),
    )
    problem = case(
        (f"isinf({held})", f"'{UNPARSEABLE_VALUE}'"), (f"not isnan({held}) and not {is_exact}", f"'{DESTROYED_ID}'")
    )
    return _Read(
        let(value, lambda t: _unless_nothing(t, words, t)),
        problem,
        lambda value: f"{is_whole} then '{ID_FROM_NUMBER}'",
        _EVERY_DIGIT,
    )


def _read_code(cell: _Cell) -> _Read:
    held = cell.held
    allowed = cell.column.values
    by_lower = {value.lower(): value for value in allowed}
    words = [word for word in cell.rules.words_for_nothing if word.lower() not in by_lower]

    def as_allowed(text: str) -> str:
        spellings = [(f"lower({text}) = {sql.text(lower)}", sql.text(value)) for lower, value in by_lower.items()]
        return _unless_nothing(text, words, case(*spellings, otherwise=text) if spellings else text)

    def repair(value: str) -> str:
        case_changed = (f"strlen({held}) = length({held}) and not contains({held}, {value})", LETTER_CASE)
        return f"{value} <> {held} then {_cleaning(held, case_changed)}"

    return _Read(case((_in(held, allowed), held), otherwise=let(cleaned(held), as_allowed)), repair=repair)


def _read_free_text(cell: _Cell) -> _Read:
    """A name, a comment, …: what nobody sees is taken off, but joiners inside; marks only where they are a formula."""
    held, words = cell.held, cell.rules.words_in_free_text
    nowhere, inside = f"[^{_INVISIBLE}{_WHITE_SPACE}]", f"[^{_OTHER_INVISIBLE}]"
    visible = replaced(held, f"^[{_INVISIBLE}{_WHITE_SPACE}]+|[{_INVISIBLE}{_WHITE_SPACE}]+$|[{_OTHER_INVISIBLE}]+")
    unmarked = replaced(visible, '^="(.*)"$', r"\1")
    is_clean = matches(held, f"{nowhere}({inside}*{nowhere})?")
    value = case(
        (f"{is_clean} and {held} not like '=%' and not {_in(held, words)}", held),
        otherwise=let(f"nullif({unmarked}, '')", lambda t: case((_in(t, words), "null"), otherwise=t)),
    )
    unseen = rf"[{_OTHER_INVISIBLE}]|^[{_WHITE_SPACE}]*[{_JOINERS}]|[{_JOINERS}][{_WHITE_SPACE}]*$"
    kinds = case(
        (f"ltrim({held}) like '=%'", f"'{SPREADSHEET_MARK}'"), (_contains(held, unseen), f"'{INVISIBLE_CHARACTERS}'")
    )
    return _Read(value, repair=lambda value: f"{value} <> {held} then {kinds}")


# ---- numbers ----

_DIGITS = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)"
# no amount needs an exponent above 19; DuckDB 2.0, casting one to the narrow type, loses digits and forgets its limit
_EXPONENT = r"[eE](-[0-9]+|[+]?[01]?[0-9])"
# a comma is a separator for sure where a point follows, or where there are two of them
_GROUPED = r"[+-]?[0-9]{1,3}((,[0-9]{2,3})*,[0-9]{3}[.][0-9]+|(,[0-9]{3}){2,})"
# by ISO code of the reporting currency, beside that code
_CURRENCY_SIGNS = {
    "CNY": "¥￥元",
    "JPY": "¥￥円",
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "INR": "₹",
    "KRW": "₩",
    "VND": "₫",
}


def _number_text(cell: _Cell) -> str:
    return number_text(cell.held, _currency_pattern(cell))


def number_text(held: str, signs: str) -> str:
    """SQL of a text as the number that it spells: without separators that are some for sure, and without signs.

    `signs` is a pattern of the currency, as `currency_signs` gives it; empty where the number is no amount.
    """
    return let(
        cleaned(held, lambda text: _without_currency(text, signs)),
        lambda t: case((matches(t, _GROUPED), f"replace({t}, ',', '')"), otherwise=t),
    )


def exact_number(held: str, signs: str, kind: str) -> str:
    """SQL of a text as a decimal of the type `kind`, read as the contract reads numbers; null where it is none."""
    return case(
        (matches(held, r"-?[0-9]{1,14}([.][0-9]*)?"), f"try_cast({held} as {kind})"),
        otherwise=let(number_text(held, signs), lambda n: case((matches(n, _DIGITS), f"try_cast({n} as {kind})")), "n"),
    )


def _without_currency(text: str, signs: str) -> str:
    if not signs:
        return text
    return replaced(replaced(text, rf"^([+-]?){signs}\s*", r"\1"), rf"\s*{signs}$")


def _currency_pattern(cell: _Cell) -> str:
    return currency_signs(cell.rules.reporting_currency) if cell.column.is_money else ""


def currency_signs(currency: str) -> str:
    """The pattern of what may stand beside an amount in a currency: its code and its signs."""
    if not currency.isalpha():
        return ""
    signs = _CURRENCY_SIGNS.get(currency, "")
    return f"(?:{currency}{f'|[{signs}]' if signs else ''})"


def _number_repair(cell: _Cell) -> Callable[[str], str]:
    plain, signs = matches(cell.held, r"\s*[0-9eE.+-]+\s*"), _currency_pattern(cell)
    kinds = [(f"contains({cell.held}, ',')", THOUSANDS_SEPARATOR)]
    if signs:
        kinds.append((_contains(cell.held, signs), CURRENCY_SIGN))
    return lambda value: f"not {plain} then {_cleaning(cell.held, *kinds)}"


def _read_number(cell: _Cell) -> _Read:
    held, narrow, wide = cell.held, "decimal(18, 4)", "decimal(38, 4)"
    # of a type of numbers, what does not fit is too large
    problem = f"'{UNPARSEABLE_VALUE if cell.column.maximum is None else OUT_OF_DOMAIN}'"

    def parsed(text: str) -> str:
        return case(
            (matches(text, _DIGITS), f"try_cast({text} as {narrow})"),
            (matches(text, _DIGITS + _EXPONENT), f"try_cast(try_cast({text} as {wide}) as {narrow})"),
        )

    if cell.kind == _TEXT:
        value = case(
            (matches(held, r"-?[0-9]{1,14}([.][0-9]*)?"), f"try_cast({held} as {narrow})"),
            otherwise=let(_number_text(cell), parsed, "n"),
        )
        return _Read(value, _no_number(cell), _number_repair(cell))
    if cell.kind == _FLOATING:
        # from here on a product with 10,000 is not exact, so that the shortest decimal is asked; of FLOAT always
        exact = 10**11 if cell.cell_type == "DOUBLE" else 0
        value = case(
            (f"abs({held}) < {exact}", f"cast({held} as {narrow})"),
            (f"abs({held}) < 1e15", let(f"cast({held} as varchar)", parsed)),
        )
        return _Read(value, f"case when not isnan({held}) then {problem} end")
    return _Read(f"try_cast({held} as {narrow})", problem)


def _read_integer(cell: _Cell) -> _Read:
    held, problem = cell.held, f"'{UNPARSEABLE_VALUE}'"
    if cell.kind == _TEXT:

        def parsed(text: str) -> str:
            whole = f"cast(try_cast({text} as decimal(18, 0)) as bigint)"
            return case((matches(text, r"[+-]?[0-9]+([.]0*)?"), whole))

        value = case(
            (matches(held, r"-?[0-9]{1,18}"), f"cast({held} as bigint)"),
            otherwise=let(_number_text(cell), parsed, "n"),
        )
        return _Read(value, _no_number(cell), _number_repair(cell))
    if cell.kind == _FLOATING:
        is_whole = f"{held} = trunc({held}) and abs({held}) < {_EXACT_BELOW[cell.cell_type]}"
        return _Read(case((is_whole, f"cast({held} as bigint)")), f"case when not isnan({held}) then {problem} end")
    if cell.kind == _DECIMAL:
        return _Read(case((f"{held} = trunc({held})", f"try_cast({held} as bigint)")), problem)
    return _Read(f"try_cast({held} as bigint)", problem)


# ---- booleans ----

_TRUE = ("true", "t", "yes", "y", "1", "1.0", "是", "真")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "否", "假")


def _read_boolean(cell: _Cell) -> _Read:
    held = cell.held
    if cell.kind == _BOOLEAN:
        return _Read(held)

    def truth(text: str, otherwise: str = "null") -> str:
        return case((_in(text, _TRUE), "true"), (_in(text, _FALSE), "false"), otherwise=otherwise)

    if cell.kind == _TEXT:
        value = truth(f"lower({held})", let(f"lower({cleaned(held)})", truth, "b"))
        return _Read(value, _unparseable(cell), lambda value: f"{_is_odd(held)} then {_cleaning(held)}")
    nothing = f"not isnan({held})" if cell.kind == _FLOATING else "true"
    value = case((f"{held} = 1", "true"), (f"{held} = 0", "false"))
    return _Read(value, f"case when {nothing} then '{UNPARSEABLE_VALUE}' end")


# ---- dates and times ----

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-7])(:?[0-5][0-9])?)"
LOCAL_TIME = rf"{_DAY}([T ]{_TIME})?"
_WITH_ZONE = rf"{_DAY}[T ]{_TIME}{_ZONE}"
# the year first, then month and day: no other reading
_YEAR_FIRST = (
    r"^([0-9]{4})(?:-([0-9]{1,2})-|/([0-9]{1,2})/|[.]([0-9]{1,2})[.]|年([0-9]{1,2})月)([0-9]{1,2})日?",
    r"\1-\2\3\4\5-\6",
)
_EARLIEST_DAY = "1900-01-02"  # 1900-01-01 is what systems write for no date


def _plainly_plausible(text: str, rules: ValueRules) -> str:
    """Whether a text, a date or a time is plausible by its year alone, in any zone."""
    return f"{text} >= '1901-01-01' and {text} < '{rules.latest_day.year:04d}-01-01'"


def _plausible_day(day: str, rules: ValueRules) -> str:
    return f"{day} between date '{_EARLIEST_DAY}' and date '{rules.latest_day}'"


def spelled(held: str) -> str:
    """A date or a time in any spelling that has one reading, as ISO 8601 writes it."""

    def of(text: str) -> str:
        dashes = replaced(f"replace(upper({text}), ',', '.')", *_YEAR_FIRST)
        padded = replaced(dashes, r"([-T ])([0-9])\b", r"\10\2")
        return replaced(replaced(padded, " ?(UTC|GMT|Z)$", "Z"), r" ([+-])", r"\1")

    return cleaned(held, of)


def _is_utc(zone: str) -> bool:
    return zone in ("UTC", "Etc/UTC")


def to_utc(local: str, zone: str) -> str:
    """A local time in UTC: one that was skipped moves forward by the gap, of one that came twice the first is taken."""
    if _is_utc(zone):
        return local
    name = sql.text(zone)

    def at(expression: str) -> str:
        return f"timezone('UTC', timezone({name}, {expression}))"

    def utc(v: str) -> str:
        # by the offset of three hours before; only at night are clocks set back
        before = f"{at(f'{v} - interval 3 hour')} + interval 3 hour"
        is_first = f"timezone({name}, timezone('UTC', {before})) = {v}"
        return case((f"hour({v}) between 5 and 22", at(v)), (is_first, before), otherwise=at(v))

    return let(local, utc, "v")


def business_day(utc: str, business_timezone: str) -> str:
    """SQL of the business day that a time in UTC falls on."""
    if _is_utc(business_timezone):
        return f"cast({utc} as date)"
    return f"cast(timezone({sql.text(business_timezone)}, timezone('UTC', {utc})) as date)"


def _utc_of(instant: str) -> str:
    return f"make_timestamp(epoch_us({instant}))"


def _instant(text: str) -> str:
    return _utc_of(f"try_cast({text} as timestamp with time zone)")


def _parsed_time(text: str, rules: ValueRules) -> str:
    return case(
        (matches(text, LOCAL_TIME), to_utc(f"try_cast({text} as timestamp)", rules.timestamps_without_offset)),
        (matches(text, _WITH_ZONE), _instant(text)),
    )


def _date_problem(cell: _Cell, parsed: Callable[[str, ValueRules], str]) -> str:
    problem = f"case when {parsed('t', cell.rules)} is null then '{UNPARSEABLE_VALUE}' else '{IMPLAUSIBLE_DATE}' end"
    return let(spelled(cell.held), lambda t: _unless_nothing(t, cell.rules.words_for_nothing, problem))


def _plausible_days(rules: ValueRules) -> str:
    return f"a day from {_EARLIEST_DAY} to {rules.latest_day}"


def _read_timestamp(cell: _Cell) -> _Read:
    held, rules = cell.held, cell.rules
    zone = rules.timestamps_without_offset
    is_plain = _plainly_plausible(held, rules)

    def plausible(utc: str) -> str:
        return case((_plausible_day(business_day(utc, rules.business_timezone), rules), utc))

    if cell.kind == _TEXT:
        # a cast to a timestamp ignores the offset, and Z is none
        local = f"try_cast({held} as timestamp)"
        plain = case((f"suffix({held}, 'Z')", local), otherwise=to_utc(local, zone)) if not _is_utc(zone) else local
        value = case(
            (f"{is_plain} and {matches(held, rf'{_DAY}([T ]{_TIME}Z?)?')}", plain),
            (f"{is_plain} and {matches(held, _WITH_ZONE)}", _instant(held)),
            otherwise=let(spelled(held), lambda t: let(_parsed_time(t, rules), plausible, "utc"), "t"),
        )
        as_iso = _contains(held, rf"^\s*{_DAY}(\s*$|T[0-9]{{2}}:| [0-9]{{2}}:)")
        kinds = _cleaning(held, after=(_is_respelled(held), DATE_SPELLING))
        return _Read(
            value,
            _date_problem(cell, _parsed_time),
            lambda value: f"(not {as_iso} or {_is_odd(held)}) then {kinds}",
            _plausible_days(rules),
        )
    utc = _utc_of(held) if cell.kind == _INSTANT else to_utc(f"try_cast({held} as timestamp)", zone)
    value = case((is_plain, utc), otherwise=let(f"try({utc})", plausible, "utc"))
    return _Read(value, f"'{IMPLAUSIBLE_DATE}'", expected=_plausible_days(rules))


def _is_respelled(held: str) -> str:
    """Whether a date that could be read is not written as ISO 8601 writes it."""
    return f"not {_contains(held, rf'(^|[^0-9]){_DAY}($|[^0-9]*$|[Tt ][0-9]{{2}}:)')}"


def _parsed_day(text: str, rules: ValueRules) -> str:
    """The day of a date with or without a time.

    A time with an offset is the day that it names, unless it is midnight in the business time zone: then that day.
    """
    written = f"try_cast(left({text}, 10) as date)"
    midnight = matches(text, rf"{_DAY}[T ]00:00(:00([.]0*)?)?{_ZONE}")
    zone = sql.text(rules.business_timezone)

    def day_of(local: str) -> str:
        return case((f"{local} = date_trunc('day', {local})", f"cast({local} as date)"), otherwise=written)

    of_midnight = let(f"timezone({zone}, try_cast({text} as timestamp with time zone))", day_of, "l")
    return case(
        (f"{matches(text, LOCAL_TIME)} or {midnight}", written),
        (matches(text, _WITH_ZONE), of_midnight),
    )


def _read_date(cell: _Cell) -> _Read:
    held, rules = cell.held, cell.rules
    expected = _plausible_days(rules)

    def plausible(day: str) -> str:
        return case((_plausible_day(day, rules), day))

    if cell.kind == _TEXT:
        value = case(
            (
                f"{_plainly_plausible(held, rules)} and {matches(held, LOCAL_TIME)}",
                f"try_cast(left({held}, 10) as date)",
            ),
            otherwise=let(spelled(held), lambda t: let(_parsed_day(t, rules), plausible, "d"), "t"),
        )
        is_midnight = _contains(held, r"[Tt ]0?0:00(:00([.,]0*)?)?($|[^0-9.,:])")
        cut_off = (f"{_contains(held, '[0-9]:[0-9]')} and not {is_midnight}", TIME_CUT_OFF)
        kinds = _cleaning(held, cut_off, after=(_is_respelled(held), DATE_SPELLING))
        as_iso = matches(held, rf"\s*{_DAY}\s*")
        return _Read(value, _date_problem(cell, _parsed_day), lambda value: f"not {as_iso} then {kinds}", expected)
    implausible = f"'{IMPLAUSIBLE_DATE}'"
    if cell.kind == _DATE:
        return _Read(plausible(held), implausible, expected=expected)
    if cell.kind == _LOCAL_TIME:
        local = utc = f"cast({held} as timestamp)"
    else:
        utc = _utc_of(held)
        local = f"timezone({sql.text(rules.business_timezone)}, {held})"

    def at_midnight(time: str) -> str:
        return f"{time} = date_trunc('day', {time})"

    day = case((at_midnight(utc), f"cast({utc} as date)"), otherwise=f"cast({local} as date)")
    return _Read(
        let(day, plausible),
        implausible,
        lambda value: f"not ({at_midnight(utc)}) and not ({at_midnight(local)}) then '{TIME_CUT_OFF}'",
        expected,
    )


_READERS: dict[str, Callable[[_Cell], _Read]] = {
    "text": _read_text,
    "number": _read_number,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "date": _read_date,
    "timestamp": _read_timestamp,
}
