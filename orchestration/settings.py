"""What a refresh is asked to do: the environment, and the company.yml of the raw folder."""

from __future__ import annotations

import codecs
import difflib
import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from orchestration.company import COMPANY_FILE, company_raw_folder
from orchestration.company_settings import CompanySetting, Value, company_settings_from
from orchestration.errors import SettingsError
from orchestration.landing.csv_files import FileDialect

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_COMPANY = "sample"
FILES_KEY = "files"

RAW_DIR = "STICKINESS_RAW_DIR"
WAREHOUSE_DIR = "STICKINESS_WAREHOUSE_DIR"
AS_OF = "STICKINESS_AS_OF"
COMPANY = "STICKINESS_COMPANY"
FULL_REFRESH = "STICKINESS_FULL_REFRESH"
REFIT = "STICKINESS_REFIT"
TARGET = "STICKINESS_TARGET"
ALLOW = "STICKINESS_ALLOW"
ID_KEY = "STICKINESS_ID_KEY"
FOLLOW_LINKS = "STICKINESS_FOLLOW_LINKS"
# a setting of the company
HASH_CUSTOMER_IDS = "hash_customer_ids"
INVOKED_FROM = "STICKINESS_INVOKED_FROM"

# what the guard of a publication may find, by the names that ALLOW takes
ORDERS_ABSENT = "orders_absent"
TABLE_GONE = "table_gone"
FEWER_ROWS = "fewer_rows"
LESS_REVENUE = "less_revenue"
REJECTED_ROWS = "rejected_rows"
EARLIER_AS_OF = "earlier_as_of"
FINDINGS = (ORDERS_ABSENT, TABLE_GONE, FEWER_ROWS, LESS_REVENUE, REJECTED_ROWS, EARLIER_AS_OF)

_YES = {"1", "true", "yes", "on"}
_NO = {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class Settings:
    """One refresh: where its rows come from, where its results go, and as of when.

    Attributes:
        root: folder of the project.
        raw_dir: folder that holds the company's files.
        warehouse: folder that the refresh writes to.
        as_of: the day the marts describe; None: the newest business day in the data.
        full_refresh: whether tables are built from nothing and the predictive models fitted anew.
        refit: whether the predictive models are fitted anew, even if there are parameters.
        allow: names of findings (FINDINGS) that do not stop the publication.
        target: the target of profiles.yml that models are built on.
        variables: the settings that the company.yml sets, by name.
        defaults: every setting that a company.yml may set, with the default of dbt_project.yml.
        dialects: encodings and delimiters that the company.yml states for some of its files.
        id_key: the key that hashes the ids of customers, where the company has them hashed.
        follow_links: whether links in the raw folder may lead out of it.
    """

    root: Path
    raw_dir: Path
    warehouse: Path
    as_of: date | None = None
    full_refresh: bool = False
    refit: bool = False
    allow: frozenset[str] = frozenset()
    target: str = field(default_factory=lambda: default_target())
    variables: Mapping[str, Value] = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)
    dialects: tuple[FileDialect, ...] = ()
    id_key: str | None = field(default=None, repr=False)
    follow_links: bool = False

    @property
    def landing_dir(self) -> Path:
        return self.warehouse / "landing"

    def variable(self, name: str) -> Value:
        """The company's value of a setting, or the project's default; KeyError if there is no such setting.

        A default that names another setting is what holds for that one.
        """
        if name in self.variables:
            return self.variables[name]
        default = self.defaults[name]
        return self.variable(str(default)) if default in self.defaults else default


def load_settings(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Settings:
    """Read the settings of a refresh, after preparing the company's raw folder where that is needed.

    Raises:
        SettingsError: a setting is wrong; the message says which, where, and what is expected.
    """
    as_of = parse_as_of(environ.get(AS_OF, ""), AS_OF)
    full_refresh = _parse_switch(environ.get(FULL_REFRESH, ""), FULL_REFRESH)
    refit = _parse_switch(environ.get(REFIT, ""), REFIT)
    allow = parse_allow(environ.get(ALLOW, ""), ALLOW)
    follow_links = _parse_switch(environ.get(FOLLOW_LINKS, ""), FOLLOW_LINKS)
    raw_dir = _raw_folder(environ, root)
    known = read_company_settings(root)
    if not follow_links:
        _refuse_link_outside(raw_dir / COMPANY_FILE)
    variables, dialects = read_company_file(raw_dir / COMPANY_FILE, known)
    settings = Settings(
        root=root,
        raw_dir=raw_dir,
        warehouse=warehouse_folder(environ, root),
        as_of=as_of,
        full_refresh=full_refresh,
        refit=refit,
        allow=allow,
        target=build_target(environ),
        variables=variables,
        defaults=defaults_of(known),
        dialects=dialects,
        follow_links=follow_links,
    )
    return replace(settings, id_key=_id_key(settings, environ))


def _id_key(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The key that hashes the ids of customers; `SettingsError` where the company wants that and there is none."""
    # a project that is older than the setting has none
    if HASH_CUSTOMER_IDS not in settings.defaults or not settings.variable(HASH_CUSTOMER_IDS):
        return None
    key = environ.get(ID_KEY, "")
    if not key.strip():
        raise SettingsError(
            f"{HASH_CUSTOMER_IDS} is true, but {ID_KEY}, the key of the hashes, is not set. Set it in the environment "
            f"to a long secret text, always the same one (for example what `openssl rand -hex 32` writes)."
        )
    return key


def build_target(environ: Mapping[str, str] = os.environ) -> str:
    """The target of profiles.yml that models are built on; `SettingsError` if there is no such target."""
    target = environ.get(TARGET) or default_target()
    if target not in targets():
        raise SettingsError(f'{TARGET} (make run TARGET=<name>) is "{target}"; expected {" or ".join(targets())}.')
    return target


def targets() -> tuple[str, ...]:
    """The targets of profiles.yml."""
    return tuple(_profile()["outputs"])


def default_target() -> str:
    """The target that is built where none is named."""
    return _profile()["target"]


@functools.cache
def _profile() -> Mapping[str, Any]:
    (profile,) = _read_yaml(ROOT / "profiles.yml").values()
    return profile


def warehouse_folder(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Path:
    """The folder that a refresh writes to, absolute; it need not exist yet."""
    text = environ.get(WAREHOUSE_DIR, "")
    return _absolute(text, environ) if text else root / "warehouse"


def scheduled_time_zone(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> str:
    """The business time zone of the company that a run would refresh, by which a schedule knows what yesterday is.

    The project's default where the company names none, or where its company.yml is wrong: the run itself says how.
    """
    known = read_company_settings(root)
    text = environ.get(RAW_DIR, "")
    company = environ.get(COMPANY) or DEFAULT_COMPANY
    folder = _absolute(text, environ) if text else root / "companies" / company
    try:
        variables, _ = read_company_file(folder / COMPANY_FILE, known)
    except SettingsError:
        variables = {}
    return str(variables.get("business_timezone", known["business_timezone"].default))


def _raw_folder(environ: Mapping[str, str], root: Path) -> Path:
    text = environ.get(RAW_DIR, "")
    if not text:
        return company_raw_folder(root / "companies", environ.get(COMPANY) or DEFAULT_COMPANY)
    raw_dir = _absolute(text, environ)
    if not raw_dir.is_dir():
        found = "is a file, not a folder" if raw_dir.exists() else "does not exist"
        raise SettingsError(
            f"The raw folder {raw_dir} {found}. Set {RAW_DIR} (make run RAW=<folder>) to the folder that holds the "
            f"company's files."
        )
    return raw_dir


def _absolute(text: str, environ: Mapping[str, str]) -> Path:
    """The path as the user meant it: relative to where they called from, which `make -C` is not."""
    base = Path(environ.get(INVOKED_FROM) or Path.cwd())
    return Path(os.path.abspath(base / Path(text).expanduser()))


def parse_as_of(text: str, where: str) -> date | None:
    """The day that `text` names, None if it is empty; `SettingsError` names `where` if it names none."""
    text = text.strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also takes 20261121 and 2026-W47-6
    if day is None or day.isoformat() != text:
        raise SettingsError(f'{where} is "{text}"; expected a day that exists, as YYYY-MM-DD, for example 2026-11-21.')
    return day


def parse_allow(text: str, where: str) -> frozenset[str]:
    """The findings that `text` names, with commas or spaces between; `SettingsError` if there is no such finding."""
    names = text.replace(",", " ").split()
    unknown = [name for name in names if name not in FINDINGS]
    if unknown:
        raise SettingsError(
            f'{where} names "{unknown[0]}"; expected some of {", ".join(FINDINGS)}, with commas between.'
        )
    return frozenset(names)


def _parse_switch(text: str, where: str) -> bool:
    lower = text.strip().lower()
    if lower not in _YES | _NO:
        raise SettingsError(f'{where} is "{text}"; expected 1 or nothing.')
    return lower in _YES


def read_company_settings(root: Path) -> dict[str, CompanySetting]:
    """Everything that a company.yml may set: the table of settings in dbt_project.yml."""
    path = root / "dbt_project.yml"
    return company_settings_from(_read_yaml(path), path)


def defaults_of(known: Mapping[str, CompanySetting]) -> dict[str, Value]:
    """What holds for a company that sets nothing."""
    return {name: setting.default for name, setting in known.items()}


def read_company_file(
    path: Path, known: Mapping[str, CompanySetting]
) -> tuple[dict[str, Value], tuple[FileDialect, ...]]:
    """The settings and file dialects that a company.yml states; nothing if there is no such file."""
    if not path.exists():
        return {}, ()
    document = _read_yaml(path)
    if document is None:
        return {}, ()
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path} holds a {_kind(document)}; expected one line per setting, such as `reporting_currency: CNY`."
        )
    for name in document:
        if name != FILES_KEY and name not in known:
            raise SettingsError(_unknown_setting(path, str(name), known))
    variables = {
        name: _checked(value, known[name], name, path) for name, value in document.items() if name != FILES_KEY
    }
    return variables, _dialects(document.get(FILES_KEY), path)


def _refuse_link_outside(path: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise SettingsError(
            f"{path} is a link that leads out of the raw folder. Put the file itself there, or set {FOLLOW_LINKS}=1 to "
            f"follow links out of it."
        )


def _read_yaml(path: Path) -> Any:
    # to open a pipe, a device or a socket may take for ever
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is no file; expected a text file of lines of `name: value`. Replace it by one.")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text in UTF-8. Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SettingsError(f"{path}{line} is no YAML: {problem}. Expected lines of `name: value`.") from error


def _unknown_setting(path: Path, name: str, known: Iterable[str]) -> str:
    names = [*known, FILES_KEY]
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]}?" if nearest else f" It may set {', '.join(sorted(names))}."
    return f'{path} sets "{name}", which the project does not have.{hint}'


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "yes/no value"
    names = {str: "text", int: "whole number", float: "number", dict: "mapping", list: "list", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _checked(value: Any, setting: CompanySetting, name: str, path: Path) -> Value:
    if not setting.accepts(value):
        shown = f'"{value}"' if isinstance(value, str) else f"{value} ({_kind(value)})"
        raise SettingsError(f"{path} sets {name} to {shown}; expected {setting.expected}.")
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
    _refuse_unknown(entry, ("path", "encoding", "delimiter"), where)
    pattern, encoding, delimiter = (entry.get(key) for key in ("path", "encoding", "delimiter"))
    if not isinstance(pattern, str) or not pattern:
        raise SettingsError(f"{where} has no path; expected a file name or pattern such as orders/*.csv.")
    if encoding is not None and not _is_encoding(encoding):
        raise SettingsError(f'{where} sets encoding to "{encoding}"; expected one such as utf-8, gb18030 or cp1252.')
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1):
        raise SettingsError(f'{where} sets delimiter to "{delimiter}"; expected one character in quotes, such as ";".')
    if encoding is None and delimiter is None:
        raise SettingsError(f"{where} states neither encoding nor delimiter for {pattern}. State one, or remove it.")
    return FileDialect(path_glob=pattern, encoding=encoding, delimiter=delimiter)


def _refuse_unknown(entry: Mapping[Any, Any], known: Iterable[str], where: str) -> None:
    known = tuple(known)
    for name in entry:
        if name not in known:
            raise SettingsError(f'{where} has the unknown key "{name}"; expected {", ".join(known)}.')


def _is_encoding(name: Any) -> bool:
    try:
        return isinstance(name, str) and bool(codecs.lookup(name))
    except LookupError:
        return False
