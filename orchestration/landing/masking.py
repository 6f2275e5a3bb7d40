"""The SQL of what may be shown of a cell: what nothing speaks against, and of everything else its pattern.

In a table that holds personal data a row may stand in the wrong columns, so only ids and values that the contract lists
are shown. Elsewhere a value is shown unless it looks like an e-mail address or a phone number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import RawColumn, RawTable
from orchestration.masking import (
    DAY,
    MACHINE_ID,
    MANY_DIGITS,
    PATTERN_WIDTH,
    ascii_signs,
    looks_personal,
    pattern_of,
    personal_expression,
    printable,
)

PERSONAL_DATA = "personal_data"
"""The kind of repair of a value that was left out because it is personal data in a column that is not for any."""

OUT_OF_STEP = "_is_out_of_step"
"""The column that says whether a row stands in wrong columns."""

# macros of the session
LOOKS_PERSONAL = "_looks_personal"
_MAY_BE_PERSONAL = "_may_be_personal"
_IS_SURELY_PERSONAL = "_is_surely_personal"
_PATTERN = "_pattern_of"
_CLEAN = "_clean"
_NORMAL = "_in_ascii_signs"
_HASHED = "_hashed"
_HASHED_IN_SYSTEM = "_hashed_in_system"

_PERSONAL = personal_expression("(?:^|[^0-9])", "(?:$|[^0-9])")
_SURELY_PERSONAL = personal_expression("(?:^|[^0-9])", "(?:$|[^0-9])", is_sure=True)
# without an at sign and five digits there is neither an address nor a number
_WORTH_A_LOOK = "[^ -~]|@|%40|" + "[^A-Za-z]*".join(["[0-9]"] * 5)
_WORTH_ANOTHER = "[@＠﹫]|%40|" + "[^A-Za-z]*".join([r"\p{Nd}"] * 5)
_UNSEEN = r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]"
_BREAKS = r"[\t\n\v\f\r\x{2028}\x{2029}]"
_JOINERS = r"[\x{200C}\x{200D}]"
_AN_ID = r"[A-Za-z0-9_:#/.+\-]*[0-9][A-Za-z0-9_:#/.+\-]*"
_ID_WIDTH = 64
_SYSTEM_WIDTH = 32
_HMAC_BLOCK = 64
_FULL_WIDTH = "０１２３４５６７８９"
_AT_SIGN = "[@＠﹫]|%40"
# what a number must lie between to be a mobile number of China, without and with the code of the country
_MOBILE_NUMBERS = ((13_000_000_000, 20_000_000_000), (8_613_000_000_000, 8_620_000_000_000))
# nothing shorter is an address or a number
_LEAST_LENGTH = 5
# far more than what is shown, and of a line of megabytes little
_READ_FOR_A_PATTERN = 400
# what becomes of each kind of character; a mark belongs to the letter before it
_SIGNS = (
    (r"\p{M}", ""),
    (r"\p{So}", "?"),
    (_UNSEEN, "?"),
    (r"\p{Zs}", " "),
    (r"[\p{Lu}\p{Lt}]", "A"),
    (r"\p{Ll}", "a"),
    (r"\p{N}", "9"),
    (r"[\p{Lo}\p{Lm}]", "字"),
)


def create_macros(connection: duckdb.DuckDBPyConnection, id_key: str | None = None) -> None:
    """Give the session the macros that the SQL of this module calls; `id_key` hashes the ids of customers."""
    parted = f"regexp_replace(t, {sql.text(_BREAKS)}, ' ', 'g')"
    seen = f"regexp_replace({parted}, {sql.text(_UNSEEN)}, '', 'g')"
    pattern = f"left(t, {_READ_FOR_A_PATTERN})"
    for kind, sign in _SIGNS:
        pattern = f"regexp_replace({pattern}, {sql.text(kind)}, {sql.text(sign)}, 'g')"
    for sign in ("A", "a", "9", "字"):
        pattern = f"regexp_replace({pattern}, '{sign}{{2,}}', '{sign}+', 'g')"
    # a text that no sign but those of ASCII is in needs no cleaning
    is_plain = "regexp_full_match(t, '[ -~]*')"
    cut = f"case when length(p) > {PATTERN_WIDTH} then left(p, {PATTERN_WIDTH - 1}) || '…' else p end"
    common = {
        sign: ascii_sign
        for sign, ascii_sign in ascii_signs().items()
        if sign in _FULL_WIDTH or not ascii_sign.isdigit()
    }
    rare = {sign: ascii_sign for sign, ascii_sign in ascii_signs().items() if sign not in common}
    half = _translated(seen, common)
    # to translate the digits of every script takes a hundred times as long
    other = f"[{''.join(rare)}]"
    normal = (
        f"case when {is_plain} then t when regexp_matches(t, {sql.text(other)}) then {_translated(half, rare)} "
        f"else {half} end"
    )
    without_days = f"regexp_replace({_NORMAL}(t), {sql.text(DAY)}, '', 'g')"
    without_machine_ids = f"regexp_replace({_NORMAL}(t), {sql.text(MACHINE_ID)}, '', 'g')"
    macros = {
        _CLEAN: f"case when {is_plain} then t else regexp_replace(regexp_replace("
        f"t, {sql.text(_JOINERS)}, '', 'g'), {sql.text(_UNSEEN)}, '\ufffd', 'g') end",
        _NORMAL: normal,
        LOOKS_PERSONAL: f"case when strlen(t) < {_LEAST_LENGTH} then false "
        f"when not regexp_matches(t, '{_WORTH_A_LOOK}') then false "
        f"when not regexp_matches(t, '{_WORTH_ANOTHER}') then false "
        f"else regexp_matches({without_machine_ids}, {sql.text(_PERSONAL)}) end",
        _IS_SURELY_PERSONAL: f"case when {LOOKS_PERSONAL}(t) then "
        f"regexp_matches({without_machine_ids}, {sql.text(_SURELY_PERSONAL)}) else false end",
        _MAY_BE_PERSONAL: f"case when strlen(t) < {_LEAST_LENGTH} then false "
        f"else {LOOKS_PERSONAL}(t) or regexp_matches({without_days}, {sql.text(MANY_DIGITS)}) end",
        _PATTERN: f"list_transform([{pattern}], lambda p: {cut})[1]",
    }
    if id_key is not None:
        # HMAC as RFC 2104 has it; the key is no part of any query
        inner, outer = _padded_keys(id_key.encode())
        connection.execute("set variable id_key_inner = ?", [inner])
        connection.execute("set variable id_key_outer = ?", [outer])
        mac = "sha256(getvariable('id_key_outer') || unhex(sha256(getvariable('id_key_inner') || encode(t))))"
        macros[_HASHED] = mac
        # an id of another system is written with the system before it, and is found by its own hash
        macros[_HASHED_IN_SYSTEM] = (
            f"case when strpos(t, ':') between 2 and {_SYSTEM_WIDTH + 1} "
            f"and not {LOOKS_PERSONAL}(split_part(t, ':', 1)) "
            f"then split_part(t, ':', 1) || ':' || {_HASHED}(substr(t, strpos(t, ':') + 1)) else {_HASHED}(t) end"
        )
    for name, body in macros.items():
        connection.execute(f"create or replace temp macro {name}(t) as {body}")


def _padded_keys(key: bytes) -> tuple[bytes, bytes]:
    key = (hashlib.sha256(key).digest() if len(key) > _HMAC_BLOCK else key).ljust(_HMAC_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


def hashed_id(column: RawColumn, value: str) -> str:
    """SQL of the hash that stands in the place of an id of a customer, alike in every table."""
    return f"{_HASHED_IN_SYSTEM if column.names_customer else _HASHED}({value})"


def kept_id(column: RawColumn, value: str, id_key: str | None) -> str:
    """SQL of what a table keeps of a value: of an id that is hashed, or that looks personal, its hash."""
    if is_hashed(column, id_key):
        return hashed_id(column, value)
    if id_key is None or not column.is_id:
        return value
    return f"case when {LOOKS_PERSONAL}({value}) then {_HASHED}({value}) else {value} end"


def is_hashed(column: RawColumn, id_key: str | None) -> bool:
    """Whether the ids of the column are hashed: those of customers, here and in other systems."""
    return id_key is not None and (column.names_customer or column.name == "source_id")


def _translated(text: str, signs: dict[str, str]) -> str:
    return f"translate({text}, {sql.text(''.join(signs))}, {sql.text(''.join(signs.values()))})"


def holds_personal_data(table: RawTable) -> bool:
    """Whether a column of the table is for personal data."""
    return any(column.personal for column in table.columns)


def shown(table: RawTable, column: RawColumn, value: str, text: str, id_key: str | None) -> str:
    """SQL of what may be shown of a cell: its text, or the pattern of it; null where it is empty.

    Args:
        table: the table of the row.
        column: the column of the cell.
        value: SQL of the value that was read, null where there is none.
        text: SQL of what the cell held.
        id_key: the key that hashes the ids of customers.
    """
    clean, pattern = f"{_CLEAN}({text})", f"{_PATTERN}({text})"
    if is_hashed(column, id_key):
        return f"coalesce({hashed_id(column, value)}, {pattern})"
    if column.personal:
        return pattern
    if column.values:
        listed = f"{value} in ({', '.join(map(sql.text, column.values))})"
        doubtful = "true" if holds_personal_data(table) else f"{_MAY_BE_PERSONAL}({text})"
        return f"case when {listed} then {clean} when {doubtful} then {pattern} else {clean} end"
    if holds_personal_data(table):
        return _shown_beside_personal(column, value, text)
    if column.is_id:
        hidden = f"{LOOKS_PERSONAL}({text})"
    elif column.data_type in ("number", "integer"):
        # not by abs, of which the least whole number has none
        ranges = [f"{value} between {low} and {high}" for low, high in _MOBILE_NUMBERS]
        ranges += [f"{value} between -{high} and -{low}" for low, high in _MOBILE_NUMBERS]
        is_phone = " or ".join([*ranges, f"({text} like '+%' and {LOOKS_PERSONAL}({text}))"])
        hidden = f"case when {value} is null then {_MAY_BE_PERSONAL}({text}) else {is_phone} end"
    elif column.data_type == "text":
        hidden = f"{_MAY_BE_PERSONAL}({text})"
    else:
        hidden = f"{value} is null and {_MAY_BE_PERSONAL}({text})"
    return f"case when {hidden} then {pattern} else {clean} end"


def _shown_beside_personal(column: RawColumn, value: str, text: str) -> str:
    clean, pattern = f"{_CLEAN}({text})", f"{_PATTERN}({text})"
    if column.is_id:
        held = f"coalesce({value}, {text})"
        return f"case when {_is_shown_id(held)} then {clean} else {pattern} end"
    if column.data_type == "boolean":
        return f"case when {value} is not null then {clean} else {pattern} end"
    if column.data_type in ("number", "integer"):
        # a score or a count is nobody's; no number of a phone, no year of birth is so short
        return f"case when regexp_full_match({text}, '-?[0-9]{{1,3}}') then {text} else {pattern} end"
    return pattern


def _is_shown_id(text: str) -> str:
    """Whether a text is an id and neither name, day, address nor number of a phone."""
    return (
        f"(strlen({text}) <= {_ID_WIDTH} and regexp_full_match({text}, {sql.text(_AN_ID)}) "
        f"and not regexp_full_match({text}, {sql.text(DAY + '.*')}) and not {LOOKS_PERSONAL}({text}))"
    )


def shown_part_of_key(shown_cell: str, text: str, part: str) -> str:
    """SQL of what may be shown of a part of a key: the part, or the pattern where one is shown of the cell."""
    return f"case when {shown_cell} = {_CLEAN}({text}) then {_CLEAN}({part}) else coalesce({shown_cell}, '') end"


def shown_key(table: RawTable, key: str) -> str:
    """What may be shown of a key whose parts are joined by `|`."""
    return "|".join(pattern_of(part) if _is_hidden(table, part) else printable(part) for part in key.split("|"))


def _is_hidden(table: RawTable, part: str) -> bool:
    if looks_personal(part):
        return True
    is_id = len(part) <= _ID_WIDTH and re.fullmatch(_AN_ID, part) and not re.match(DAY, part)
    return holds_personal_data(table) and bool(part) and not is_id


def shown_line(line: str) -> str:
    """SQL of what may be shown of a line that does not fit its header."""
    return f"{_PATTERN}({line})"


def is_misplaced(table: RawTable, column: RawColumn, text: str) -> str:
    """The condition under which the value of a column is left out as personal data; empty where that cannot be.

    An address or a number of a phone is, in free text of a column that is not for it. Where a row of a table with
    personal data is out of step, its other free texts are too, and so is what stands in the place of an id and is none.

    Args:
        table: the table of the row.
        column: the column of the value.
        text: SQL of what its cell held.
    """
    is_needed = column.required or column.name in table.key
    if is_needed or column.personal or column.data_type != "text" or column.values or column.seed:
        return ""
    if not holds_personal_data(table):
        return "" if column.is_id else f"{_IS_SURELY_PERSONAL}({text})"
    is_id = f" and not {_is_shown_id(text)}" if column.is_id else ""
    return f"{text} is not null and {OUT_OF_STEP}{is_id}"


def is_out_of_step(table: RawTable, texts: Mapping[str, str]) -> str:
    """The condition under which a row stands in wrong columns, as far as its addresses and numbers of phones tell.

    Args:
        table: the table of the row, which holds personal data.
        texts: SQL of what each cell held, by column; the values that were read stand under the names of the columns.
    """
    signs = []
    for column in table.columns:
        text, value = texts[column.name], sql.identifier(column.name)
        if column.personal or column.is_id:
            continue
        if column.data_type != "text":
            signs.append(f"case when {value} is null then {LOOKS_PERSONAL}({text}) else false end")
        elif column.values:
            listed = ", ".join(map(sql.text, column.values))
            signs.append(f"case when {value} in ({listed}) then false else {LOOKS_PERSONAL}({text}) end")
        else:
            signs.append(f"{LOOKS_PERSONAL}({text})")
    signs += _signs_of_neighbours(texts)
    return " or ".join(f"coalesce({sign}, false)" for sign in signs) or "false"


def _signs_of_neighbours(texts: Mapping[str, str]) -> Iterator[str]:
    """Name, address and number, all one column off: one of them alone may be what a person has typed there."""

    def has_at_sign(name: str) -> str:
        return f"regexp_matches({texts[name]}, {sql.text(_AT_SIGN)})"

    if {"email", "phone"} <= texts.keys():
        yield f"{has_at_sign('phone')} and {texts['email']} is not null and not {has_at_sign('email')}"
    if {"full_name", "email"} <= texts.keys():
        at_sign = has_at_sign("email")
        yield f"{has_at_sign('full_name')} and {LOOKS_PERSONAL}({texts['email']}) and not {at_sign}"
