"""The table of settings in dbt_project.yml: what a company may set, to what, and what holds where it sets nothing."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from orchestration.errors import SettingsError, shown

Value = str | int | float | bool

# macros/settings.sql holds how each is stored, and checks --vars as `accepts` checks a company.yml
TEXT, TIME_ZONE, CHOICE, BOOLEAN, COUNT, SHARE = "text", "time_zone", "choice", "boolean", "count", "share"
NUMBERS = (COUNT, SHARE, "amount", "unit_amount", "number")
KINDS = (TEXT, TIME_ZONE, CHOICE, BOOLEAN, *NUMBERS)
MOST_CHARACTERS = 200
# names of the machine's own settings among those of the zones; no database knows them
_NO_ZONES = {"Factory", "localtime", "posixrules"}


@dataclass(frozen=True)
class CompanySetting:
    """One entry of the table.

    Attributes:
        kind: one of KINDS.
        default: what holds where a company sets nothing.
        text_en: what the setting says, in English.
        text_zh: the same in Chinese.
        minimum: the least number, of a kind of NUMBERS.
        maximum: the greatest number, of a kind of NUMBERS.
        choices: the only texts, of a choice.
    """

    kind: str
    default: Value
    text_en: str
    text_zh: str
    minimum: int | float = -math.inf
    maximum: int | float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What the setting may be, for a person."""
        bounds = f"from {self.minimum} to {self.maximum}"
        texts = {
            TEXT: f"text of at most {MOST_CHARACTERS} characters (in quotes if it looks like a number or a date)",
            TIME_ZONE: "the IANA name of a time zone, such as Asia/Shanghai or Europe/Berlin",
            CHOICE: " or ".join(self.choices),
            BOOLEAN: "true or false",
            COUNT: f"a whole number {bounds}",
            SHARE: f"a share {bounds}, such as 0.3",
        }
        return texts.get(self.kind, f"a number {bounds}, without quotes or separators")

    def accepts(self, value: Any) -> bool:
        """Whether the setting may be this value, as YAML gives it."""
        if self.kind in NUMBERS:
            return self._is_number(value) and self.minimum <= value <= self.maximum
        if self.kind == BOOLEAN:
            return isinstance(value, bool)
        if not isinstance(value, str):
            return False
        if self.kind == TIME_ZONE:
            return is_time_zone(value)
        return value in self.choices if self.kind == CHOICE else is_line(value)

    def _is_number(self, value: Any) -> bool:
        # YAML's yes and no are whole numbers to Python
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return isinstance(value, int) if self.kind == COUNT else math.isfinite(value)


def company_settings_from(project: Any, path: Path) -> dict[str, CompanySetting]:
    """The table of a dbt_project.yml, by name, in its order; `SettingsError` if there is none or it is wrong."""
    variables = project.get("vars") if isinstance(project, dict) else None
    table = variables.get("settings") if isinstance(variables, dict) else None
    if not isinstance(table, dict) or not table:
        raise SettingsError(f"{path} has no settings below vars; expected a mapping of each to its kind and default.")
    for name in table:
        if name in variables:
            raise SettingsError(f"{path} sets {name} below vars, beside the settings. State it as their default.")
    return {name: _setting(name, entry, path) for name, entry in table.items()}


def _setting(name: str, entry: Any, path: Path) -> CompanySetting:
    given: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    kind = given.get("kind", TEXT)
    required = [field.name for field in fields(CompanySetting) if field.default is MISSING]
    required += ["minimum", "maximum"] if kind in NUMBERS else ["choices"] if kind == CHOICE else []
    wrong = [f"lacks {key}" for key in required if key not in given]
    wrong += [f"has the key {key}, which its kind does not have" for key in given if key not in required]
    if kind not in KINDS:
        wrong.append(f"is of the unknown kind {kind}; there are {', '.join(KINDS)}")
    if wrong:
        raise SettingsError(f"{path}: the setting {name} {', '.join(wrong)}.")
    return CompanySetting(**{**given, "choices": tuple(given.get("choices", ()))})


def is_line(value: str) -> bool:
    """Whether a text says something and can be shown, on one line of a report."""
    return bool(value.strip()) and len(value) <= MOST_CHARACTERS and shown(value, MOST_CHARACTERS) == value


def is_time_zone(value: object) -> bool:
    """Whether a value is the name of a time zone that databases know."""
    return isinstance(value, str) and value in _time_zones()


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)
