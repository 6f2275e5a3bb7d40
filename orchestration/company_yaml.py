"""The YAML of a company.yml as plain values: no anchors, tags or merges, and bounded whatever the file holds.

YAML can say much that nobody means by a list of settings: a few lines that stand for billions of values, objects of a
programming language, the number 8 as 010. Each is refused with the line where it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml import events

from orchestration.errors import SettingsError, shown

MOST_BYTES = 64 * 1024
MOST_VALUES = 5_000
MOST_LEVELS = 10

_LINES = "Expected lines of `name: value`."
_NOT_TEXT = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_MOST_DIGITS = 30
_TAGS = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Odd:
    """A value that no setting can have; `text` is what the file says, `kind` what YAML takes it for."""

    text: str
    kind: str

    def __str__(self) -> str:
        return self.text


@dataclass
class _Open:
    """A mapping or list whose end has not come yet; `key` is that of a mapping whose value has not come yet."""

    value: dict[str, Any] | list[Any]
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


def read_plain_yaml(path: Path) -> Any:
    """What a YAML file says, of mappings by text, lists, texts, numbers, true and false, None, and `Odd` values.

    Raises:
        SettingsError: the file cannot be read, is no such YAML, or is larger than a person would write.
    """
    text = _text(path)
    reader = _Reader(path)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            reader.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SettingsError(f"{_place(path, mark)} is no YAML: {shown(problem)}. {_LINES}") from error
    # an escape or a version with a number that is none
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{path} is no YAML: it has a number that is none in an escape. {_LINES}") from error
    return reader.document


def _text(path: Path) -> str:
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; expected a text file of settings. Move the folder away.")
    if not path.exists():
        raise SettingsError(f"{path} is a link to nothing; expected a text file of settings. Replace or remove it.")
    # to open a pipe would wait for ever
    if not path.is_file():
        raise SettingsError(f"{path} is no file; expected a text file of settings. Replace or remove it.")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); give the user that runs the refresh the right to read it."
        ) from error
    if len(content) > MOST_BYTES:
        raise SettingsError(
            f"{path} is larger than {MOST_BYTES // 1024} KiB; expected a few lines of settings. Remove what is none; "
            f"one entry of files may be a pattern, such as orders/*.csv."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}, line {line} is not text in UTF-8 (byte 0x{content[error.start]:02X}). Save the file as UTF-8."
        ) from error
    found = _NOT_TEXT.search(text.removeprefix("\ufeff"))
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise SettingsError(
            f"{path}, line {line} holds the control character U+{ord(found[0]):04X}; expected text. Remove it, or "
            f"write the file anew."
        )
    return text


def _place(path: Path, mark: Any) -> str:
    return f"{path}, line {mark.line + 1}" if mark else str(path)


class _Reader:
    """Makes values of what the parser says, one event after the other, without recursion."""

    def __init__(self, path: Path) -> None:
        self.document: Any = None
        self._path = path
        self._open: list[_Open] = []
        self._count = 0
        self._documents = 0
        self._resolver = yaml.resolver.Resolver()

    def take(self, event: events.Event) -> None:
        """Take the next event of the parser."""
        if isinstance(event, events.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "begins a second document with ---", "one document", "Remove that line")
        elif isinstance(event, events.NodeEvent):
            self._refuse_what_is_not_plain(event)
            self._node(event)
        elif isinstance(event, events.CollectionEndEvent):
            self._open.pop()

    def _refuse_what_is_not_plain(self, event: events.NodeEvent) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            self._refuse(event, f"comes after {MOST_VALUES:,} values", "fewer", "Remove what is no setting")
        if isinstance(event, events.AliasEvent):
            name = shown(f"*{event.anchor}")
            self._refuse(event, f"refers by {name} to another value", "each value written out", "Write it out")
        if event.tag not in (None, "!"):
            name = shown(str(event.tag).replace(_TAGS, "!!"))
            self._refuse(event, f"has the tag {name}", "a plain value", "Remove the tag")
        if len(self._open) > MOST_LEVELS:
            self._refuse(event, f"is nested more than {MOST_LEVELS} levels deep", "a plain value", "Write it flat")

    def _refuse(self, event: events.Event, found: str, expected: str, action: str) -> None:
        raise SettingsError(f"{_place(self._path, event.start_mark)} {found}; expected {expected}. {action}.")

    def _node(self, event: events.NodeEvent) -> None:
        inside = self._open[-1] if self._open else None
        if inside is not None and isinstance(inside.value, dict) and inside.key is None:
            inside.key = self._key(event, inside)
            return
        value = self._value(event)
        if inside is None:
            self.document = value
        elif isinstance(inside.value, list):
            inside.value.append(value)
        else:
            inside.value[str(inside.key)], inside.key = value, None
        if isinstance(value, dict | list):
            self._open.append(_Open(value))

    def _key(self, event: events.NodeEvent, inside: _Open) -> str:
        if not isinstance(event, events.ScalarEvent):
            self._refuse(event, "has a list or mapping for a name", "a name, such as `active_days: 90`", "Correct it")
        line = event.start_mark.line + 1
        before = inside.lines.setdefault(event.value, line)
        if event.value in inside.value:
            name = shown(event.value)
            self._refuse(event, f"has {name} again, which line {before} has", "it once", "Remove one of the two")
        return event.value

    def _value(self, event: events.NodeEvent) -> Any:
        if isinstance(event, events.MappingStartEvent):
            return {}
        return [] if isinstance(event, events.SequenceStartEvent) else self._scalar(event)

    def _scalar(self, event: events.ScalarEvent) -> Any:
        text = event.value
        if not event.implicit[0]:
            return text
        kind = self._resolver.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAGS)
        if kind == "null":
            return None
        if kind == "bool":
            return yaml.SafeLoader.bool_values[text.lower()]
        if kind == "timestamp":
            return Odd(text, "date")
        if kind in ("int", "float"):
            return _number(text, kind)
        return text


def _number(text: str, kind: str) -> int | float | Odd:
    """A number as people write it; one of another base, or of more digits than any setting has, is odd."""
    if len(text) > _MOST_DIGITS:
        return Odd(text, f"number of {len(text):,} characters")
    digits = text.replace("_", "")
    if kind == "int":
        return int(digits) if _WHOLE.fullmatch(text) else Odd(text, "number that is not written in plain digits")
    try:
        return float(digits.lower().replace(".inf", "inf").replace(".nan", "nan"))
    # 1:30.5 is a number to base 60
    except ValueError:
        return Odd(text, "number that is not written in plain digits")
