"""The company.yml of a raw folder: the settings that a company sets, and how some of its files are written.

Whatever stands in it, a wrong one ends in one sentence: file, key, what was found, what is expected, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestration.company_settings import MOST_CHARACTERS, CompanySetting, Value
from orchestration.company_yaml import Odd, read_plain_yaml
from orchestration.errors import SettingsError, shown
from orchestration.landing.csv_files import FileDialect, is_delimiter
from orchestration.landing.encodings import is_encoding

FILES_KEY = "files"
_DIALECT_KEYS = ("path", "encoding", "delimiter")
_KINDS = {str: "text", int: "whole number", float: "number", dict: "mapping", list: "list", type(None): "null"}


def read_company_file(
    path: Path, known: Mapping[str, CompanySetting]
) -> tuple[dict[str, Value], tuple[FileDialect, ...]]:
    """The settings and file dialects that a company.yml states; nothing if there is no such file.

    Raises:
        SettingsError: the file is wrong.
    """
    # a link to nothing is something that somebody meant
    if not (path.exists() or path.is_symlink()):
        return {}, ()
    document = read_plain_yaml(path)
    if document is None:
        return {}, ()
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path} holds a {_kind(document)}; expected one line per setting, such as `reporting_currency: CNY`."
        )
    for name in document:
        if name != FILES_KEY and name not in known:
            raise SettingsError(_unknown_setting(path, name, known))
    variables = {
        name: _checked(value, known[name], name, path) for name, value in document.items() if name != FILES_KEY
    }
    return variables, _dialects(document.get(FILES_KEY), path)


def _unknown_setting(path: Path, name: str, known: Iterable[str]) -> str:
    names = [*known, FILES_KEY]
    nearest = difflib.get_close_matches(name[:MOST_CHARACTERS], names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]}?" if nearest else f" It may set {', '.join(sorted(names))}."
    return f'{path} sets "{shown(name)}", which the project does not have.{hint}'


def _kind(value: Any) -> str:
    if isinstance(value, Odd):
        return value.kind
    if isinstance(value, bool):
        return "yes/no value"
    return _KINDS[type(value)]


def _found(value: Any) -> str:
    """What was found, for a message."""
    if isinstance(value, str):
        return f'"{shown(value)}"'
    # what a list or mapping holds may be long, and is wrong as a whole
    return f"a {_kind(value)}" if isinstance(value, dict | list) else f"{shown(str(value))} ({_kind(value)})"


def _checked(value: Any, setting: CompanySetting, name: str, path: Path) -> Value:
    if not setting.accepts(value):
        raise SettingsError(
            f"{path} sets {name} to {_found(value)}; expected {setting.expected}. Correct it, or remove the line for "
            f"the default ({setting.default})."
        )
    return value


def _dialects(entries: Any, path: Path) -> tuple[FileDialect, ...]:
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise SettingsError(
            f"{path} sets {FILES_KEY} to a {_kind(entries)}; expected a list of entries such as "
            f"`- {{path: orders.csv, encoding: gb18030}}`."
        )
    return tuple(_dialect(entry, position, path) for position, entry in enumerate(entries, start=1))


def _dialect(entry: Any, position: int, path: Path) -> FileDialect:
    where = f"{path}, entry {position} of {FILES_KEY}"
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} is a {_kind(entry)}; expected path, and encoding or delimiter.")
    for name in entry:
        if name not in _DIALECT_KEYS:
            raise SettingsError(f'{where} has the unknown key "{shown(name)}"; expected {", ".join(_DIALECT_KEYS)}.')
    pattern, encoding, delimiter = (entry.get(key) for key in _DIALECT_KEYS)
    if not (isinstance(pattern, str) and pattern.strip() and shown(pattern, MOST_CHARACTERS) == pattern):
        found = "no path" if pattern is None else f"the path {_found(pattern)}"
        raise SettingsError(
            f"{where} has {found}; expected a file name or pattern such as orders/*.csv, of at most "
            f"{MOST_CHARACTERS} characters."
        )
    if encoding is not None and not is_encoding(encoding):
        raise SettingsError(
            f"{where} sets encoding to {_found(encoding)}; expected an encoding of text such as utf-8, gb18030 or "
            f"cp1252. Without one it is recognised."
        )
    if delimiter is not None and not is_delimiter(delimiter):
        raise SettingsError(
            f"{where} sets delimiter to {_found(delimiter)}; expected one character in quotes that is no letter, "
            f'digit, quote or line break, such as ";" or "\\t". Without one it is recognised.'
        )
    if encoding is None and delimiter is None:
        raise SettingsError(f"{where} states neither encoding nor delimiter for {pattern}. State one, or remove it.")
    return FileDialect(path_glob=pattern, encoding=encoding, delimiter=delimiter)
