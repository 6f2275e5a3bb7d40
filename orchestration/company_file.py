"""The company.yml of a raw folder: the settings that a company sets, and how some of its files are written.

Whatever stands in it, a wrong one ends in one sentence: file, key, what was found, what is expected, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.company_settings import MOST_CHARACTERS, CompanySetting, Value
from orchestration.company_yaml import read_plain_yaml
from orchestration.errors import SettingsError, shown
from orchestration.landing.csv_files import FileDialect
from orchestration.landing.mapping import Source
from orchestration.sources_file import (
    checked_delimiter,
    checked_encoding,
    checked_pattern,
    found_text,
    kind_of,
    read_sources,
)

FILES_KEY, SOURCES_KEY = "files", "sources"
_DIALECT_KEYS = ("path", "encoding", "delimiter")


@dataclass(frozen=True)
class CompanyFile:
    """What a company.yml states: settings by name, how some files are written, and mappings of files."""

    variables: Mapping[str, Value] = field(default_factory=dict)
    dialects: tuple[FileDialect, ...] = ()
    sources: tuple[Source, ...] = ()


def read_company_file(path: Path, known: Mapping[str, CompanySetting]) -> CompanyFile:
    """What a company.yml states; nothing if there is no such file.

    Raises:
        SettingsError: the file is wrong.
    """
    # a link to nothing is something that somebody meant
    if not (path.exists() or path.is_symlink()):
        return CompanyFile()
    document = read_plain_yaml(path)
    if document is None:
        return CompanyFile()
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path} holds a {kind_of(document)}; expected one line per setting, such as `reporting_currency: CNY`."
        )
    set_here = {name: value for name, value in document.items() if name not in (FILES_KEY, SOURCES_KEY)}
    for name in set_here:
        if name not in known:
            raise SettingsError(_unknown_setting(path, name, known))
    return CompanyFile(
        {name: _checked(value, known[name], name, path) for name, value in set_here.items()},
        _dialects(document.get(FILES_KEY), path),
        read_sources(document.get(SOURCES_KEY), path),
    )


def _unknown_setting(path: Path, name: str, known: Iterable[str]) -> str:
    names = [*known, FILES_KEY, SOURCES_KEY]
    nearest = difflib.get_close_matches(name[:MOST_CHARACTERS], names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]}?" if nearest else f" It may set {', '.join(sorted(names))}."
    return f'{path} sets "{shown(name)}", which the project does not have.{hint}'


def _checked(value: Any, setting: CompanySetting, name: str, path: Path) -> Value:
    if not setting.accepts(value):
        raise SettingsError(
            f"{path} sets {name} to {found_text(value)}; expected {setting.expected}. Correct it, or remove the line "
            f"for the default ({setting.default})."
        )
    return value


def _dialects(entries: Any, path: Path) -> tuple[FileDialect, ...]:
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise SettingsError(
            f"{path} sets {FILES_KEY} to a {kind_of(entries)}; expected a list of entries such as "
            f"`- {{path: orders.csv, encoding: gb18030}}`."
        )
    return tuple(_dialect(entry, position, path) for position, entry in enumerate(entries, start=1))


def _dialect(entry: Any, position: int, path: Path) -> FileDialect:
    where = f"{path}, entry {position} of {FILES_KEY}"
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} is a {kind_of(entry)}; expected path, and encoding or delimiter.")
    for name in entry:
        if name not in _DIALECT_KEYS:
            raise SettingsError(f'{where} has the unknown key "{shown(name)}"; expected {", ".join(_DIALECT_KEYS)}.')
    pattern = checked_pattern(entry.get("path"), where)
    encoding = checked_encoding(entry.get("encoding"), where)
    delimiter = checked_delimiter(entry.get("delimiter"), where)
    if encoding is None and delimiter is None:
        raise SettingsError(f"{where} states neither encoding nor delimiter for {pattern}. State one, or remove it.")
    return FileDialect(path_glob=pattern, encoding=encoding, delimiter=delimiter)
