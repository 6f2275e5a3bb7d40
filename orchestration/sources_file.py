"""Mappings as YAML says them: `sources:` of a company.yml, and the native readers in readers/.

Each wrong entry ends in one sentence: where it stands, what was found, what is expected.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestration.company_settings import MOST_CHARACTERS, is_line, is_time_zone
from orchestration.company_yaml import Odd, read_plain_yaml
from orchestration.errors import SettingsError, shown
from orchestration.landing.csv_files import is_delimiter
from orchestration.landing.encodings import is_encoding
from orchestration.landing.mapping import (
    EPOCHS,
    NUMBER_FORMATS,
    PER,
    ColumnMapping,
    Condition,
    Filter,
    Rule,
    Source,
    TableMapping,
)

READERS_FOLDER = "readers"
_FILE_KEYS = ("encoding", "delimiter", "header_row", "sheet", "time_zone", "number", "nothing", "currency", "tables")
_SOURCE_KEYS = ("files", *_FILE_KEYS)
_READER_KEYS = ("title", "recognise", "why_unread", *_FILE_KEYS)
_TABLE_KEYS = ("columns", "filters", "one_row_per", "lines_of")
_CONDITION_KEYS = ("column", "is", "is_not", "all_empty", "any_filled")
_FROM_KEYS = ("from", "first_of", "constant", "position")
_RULE_KEYS = (*_FROM_KEYS, "values", "date", "number", "lowercase", "times", "minus", "where")
_KINDS = {str: "text", int: "whole number", float: "number", dict: "mapping", list: "list", type(None): "null"}


def kind_of(value: Any) -> str:
    """What YAML takes a value for, as a message calls it."""
    if isinstance(value, Odd):
        return value.kind
    if isinstance(value, bool):
        return "yes/no value"
    return _KINDS[type(value)]


def found_text(value: Any) -> str:
    """What was found, for a message."""
    if isinstance(value, str):
        return f'"{shown(value)}"'
    # what a list or mapping holds may be long, and is wrong as a whole
    return f"a {kind_of(value)}" if isinstance(value, dict | list) else f"{shown(str(value))} ({kind_of(value)})"


def checked_pattern(value: Any, where: str) -> str:
    """The name or pattern of files that an entry is about; `SettingsError` if it is none."""
    if not (isinstance(value, str) and value.strip() and shown(value, MOST_CHARACTERS) == value):
        found = "no path" if value is None else f"the path {found_text(value)}"
        raise SettingsError(
            f"{where} has {found}; expected a file name or pattern such as orders/*.csv, of at most "
            f"{MOST_CHARACTERS} characters."
        )
    return value


def checked_encoding(value: Any, where: str) -> str | None:
    """The encoding that an entry states; `SettingsError` if it is none."""
    if value is not None and not is_encoding(value):
        raise SettingsError(
            f"{where} sets encoding to {found_text(value)}; expected an encoding of text such as utf-8, gb18030 or "
            f"cp1252. Without one it is recognised."
        )
    return value


def checked_delimiter(value: Any, where: str) -> str | None:
    """The delimiter that an entry states; `SettingsError` if it is none."""
    if value is not None and not is_delimiter(value):
        raise SettingsError(
            f"{where} sets delimiter to {found_text(value)}; expected one character in quotes that is no letter, "
            f'digit, quote or line break, such as ";" or "\\t". Without one it is recognised.'
        )
    return value


def read_sources(entries: Any, path: Path) -> tuple[Source, ...]:
    """The mappings that the `sources` of a company.yml state.

    Raises:
        SettingsError: an entry is wrong.
    """
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise SettingsError(
            f"{path} sets sources to a {kind_of(entries)}; expected a list of entries, each with files and tables."
        )
    return tuple(_source(entry, f"{path}, entry {place} of sources") for place, entry in enumerate(entries, start=1))


def read_readers(root: Path) -> tuple[Source, ...]:
    """The native readers of the project, by name.

    Raises:
        SettingsError: one of them is wrong.
    """
    folder = root / READERS_FOLDER
    return tuple(_reader(path) for path in sorted(folder.glob("*.yml"))) if folder.is_dir() else ()


def _reader(path: Path) -> Source:
    entry = read_plain_yaml(path)
    where = str(path)
    _check_keys(entry, _READER_KEYS, where)
    recognise = entry.get("recognise")
    if not isinstance(recognise, list) or not recognise:
        raise SettingsError(f"{where} has no list recognise of the columns that tell a file of this form.")
    names = tuple(_texts(name, f"{where}, recognise") for name in recognise)
    title = _line(entry.get("title"), where, "title")
    if "why_unread" in entry:
        why = _line(entry["why_unread"], where, "why_unread")
        return Source(where, (), reader=path.stem, title=title, recognise=names, why_unread=why)
    return _source_of(entry, where, reader=path.stem, title=title, recognise=names)


def _source(entry: Any, where: str) -> Source:
    _check_keys(entry, _SOURCE_KEYS, where)
    return _source_of(entry, where, files=checked_pattern(entry.get("files"), where))


def _source_of(entry: Mapping[str, Any], where: str, **more: Any) -> Source:
    tables = entry.get("tables")
    if not isinstance(tables, dict) or not tables:
        raise SettingsError(f"{where} has no tables; expected a mapping of tables of the contract to their columns.")
    row, zone = entry.get("header_row"), entry.get("time_zone")
    if row is not None and (isinstance(row, bool) or not isinstance(row, int) or not 1 <= row <= 20):
        raise SettingsError(f"{where} sets header_row to {found_text(row)}; expected a whole number from 1 to 20.")
    if zone is not None and not is_time_zone(zone):
        raise SettingsError(f"{where} sets time_zone to {found_text(zone)}; expected a name such as Asia/Shanghai.")
    return Source(
        origin=where,
        tables=tuple(_table(name, table, f"{where}, table {shown(name)}") for name, table in tables.items()),
        encoding=checked_encoding(entry.get("encoding"), where),
        delimiter=checked_delimiter(entry.get("delimiter"), where),
        header_row=row,
        sheets=_texts(entry.get("sheet"), f"{where}, sheet") if entry.get("sheet") is not None else (),
        time_zone=zone,
        number=_number(entry.get("number"), where),
        nothing=_texts(entry.get("nothing"), f"{where}, nothing") if entry.get("nothing") is not None else (),
        currency=_texts(entry.get("currency"), f"{where}, currency") if entry.get("currency") is not None else (),
        **more,
    )


def _table(name: str, entry: Any, where: str) -> TableMapping:
    _check_keys(entry, _TABLE_KEYS, where)
    columns = entry.get("columns")
    if not isinstance(columns, dict) or not columns:
        raise SettingsError(f"{where} has no columns; expected lines such as `order_id: Order Number`.")
    one_row_per, lines_of = entry.get("one_row_per"), entry.get("lines_of")
    if one_row_per is not None and lines_of is not None:
        raise SettingsError(f"{where} has one_row_per and lines_of; expected one of them.")
    return TableMapping(
        table=name,
        columns=tuple(_column(column, value, f"{where}, column {shown(column)}") for column, value in columns.items()),
        filters=_filters(entry.get("filters"), where),
        one_row_per=None if one_row_per is None else _line(one_row_per, where, "one_row_per"),
        lines_of=None if lines_of is None else _line(lines_of, where, "lines_of"),
    )


def _column(name: str, value: Any, where: str) -> ColumnMapping:
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        rules = tuple(_rule(rule, f"{where}, rule {place}") for place, rule in enumerate(value, start=1))
        if any(rule.where is None for rule in rules[:-1]):
            raise SettingsError(
                f"{where} is a list in which a rule before the last has no where, so that none follows."
            )
        return ColumnMapping(name, rules)
    if isinstance(value, dict) and "per" in value:
        per = value["per"]
        if per not in PER:
            raise SettingsError(f"{where} sets per to {found_text(per)}; expected {' or '.join(PER)}.")
        return ColumnMapping(name, (_rule({key: said for key, said in value.items() if key != "per"}, where),), per)
    return ColumnMapping(name, (_rule(value, where),))


def _rule(value: Any, where: str) -> Rule:
    if isinstance(value, str | list):
        return Rule(headers=_texts(value, where))
    _check_keys(value, _RULE_KEYS, where)
    said = [key for key in _FROM_KEYS if key in value]
    if len(said) != 1:
        found = f"has {' and '.join(said)}" if said else "says nothing of where its value comes from"
        raise SettingsError(f"{where} {found}; expected one of {', '.join(_FROM_KEYS)}.")
    position, lowercase = value.get("position", False), value.get("lowercase", False)
    for key, switch in (("position", position), ("lowercase", lowercase)):
        if not isinstance(switch, bool):
            raise SettingsError(f"{where} sets {key} to {found_text(switch)}; expected true or false.")
    return Rule(
        headers=_texts(value["from"], where) if "from" in value else (),
        first_of=_texts(value["first_of"], where) if "first_of" in value else (),
        constant=_scalar(value["constant"], where, "constant") if "constant" in value else None,
        position=position,
        values=_values(value["values"], where) if "values" in value else None,
        dates=_dates(value["date"], where) if "date" in value else (),
        number=_number(value.get("number"), where),
        lowercase=lowercase,
        times=_texts(value["times"], where) if "times" in value else (),
        minus=_texts(value["minus"], where) if "minus" in value else (),
        where=_condition(value["where"], f"{where}, where") if "where" in value else None,
    )


def _values(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value:
        raise SettingsError(
            f"{where} sets values to {found_text(value)}; expected lines such as `交易成功: completed`."
        )
    return tuple((text, _scalar(meaning, where, f"the value of {shown(text)}")) for text, meaning in value.items())


def _dates(value: Any, where: str) -> tuple[str, ...]:
    formats = _texts(value, where)
    for form in formats:
        if form not in EPOCHS and ("%" not in form or "%z" in form.lower()):
            raise SettingsError(
                f'{where} sets date to "{shown(form)}"; expected a format such as "%d/%m/%Y %H:%M", without a zone, '
                f"or one of {', '.join(EPOCHS)}. Dates with the year first need none."
            )
    return formats


def _number(value: Any, where: str) -> str | None:
    if value is not None and value not in NUMBER_FORMATS:
        raise SettingsError(
            f'{where} sets number to {found_text(value)}; expected the example "{NUMBER_FORMATS[0]}" or '
            f'"{NUMBER_FORMATS[1]}", in quotes.'
        )
    return value


def _filters(entries: Any, where: str) -> tuple[Filter, ...]:
    if entries is None:
        return ()
    if not isinstance(entries, dict):
        raise SettingsError(
            f"{where} sets filters to a {kind_of(entries)}; expected lines such as "
            f"`total row: {{column: Order, is: Total}}`."
        )
    return tuple(
        Filter(_line(name, where, "the name of a filter"), _condition(entry, f"{where}, filter {shown(name)}"))
        for name, entry in entries.items()
    )


def _condition(entry: Any, where: str) -> Condition:
    _check_keys(entry, _CONDITION_KEYS, where)
    asked = [key for key in _CONDITION_KEYS[1:] if key in entry]
    if len(asked) != 1 or ("column" in entry) != (asked[0] in ("is", "is_not")):
        raise SettingsError(f"{where} is no condition; expected column with is or is_not, or all_empty, or any_filled.")
    (key,) = asked
    texts = _texts(entry[key], where)
    if key in ("all_empty", "any_filled"):
        return Condition(texts, negated=key == "any_filled", empty=True)
    return Condition(_texts(entry["column"], where), texts, negated=key == "is_not")


def _texts(value: Any, where: str) -> tuple[str, ...]:
    entries = value if isinstance(value, list) else [value]
    if not entries:
        raise SettingsError(f"{where} is an empty list; expected a text, or several in a list.")
    for entry in entries:
        # YAML takes yes, no and on for it, which people mean as words
        if isinstance(entry, bool):
            raise SettingsError(f'{where} holds {found_text(entry)}; expected a text. Put it in quotes, such as "yes".')
    return tuple(_scalar(entry, where, "an entry") for entry in entries)


def _scalar(value: Any, where: str, what: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or value.strip() and not is_line(value):
        raise SettingsError(
            f"{where} sets {what} to {found_text(value)}; expected a text on one line, in quotes if it looks like "
            f"something else."
        )
    return value


def _line(value: Any, where: str, what: str) -> str:
    if not isinstance(value, str) or not is_line(value):
        raise SettingsError(f"{where} sets {what} to {found_text(value)}; expected a text on one line.")
    return value


def _check_keys(entry: Any, known: Iterable[str], where: str) -> None:
    expected = ", ".join(known)
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} is a {kind_of(entry)}; expected {expected}.")
    for name in entry:
        if name not in known:
            close = difflib.get_close_matches(name[:MOST_CHARACTERS], list(known), n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SettingsError(f'{where} has the unknown key "{shown(name)}"; expected {expected}.{hint}')
