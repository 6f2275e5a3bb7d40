"""What a refresh is asked to do: the environment, and the company.yml of the raw folder."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from orchestration.company import COMPANY_FILE, company_raw_folder
from orchestration.company_file import CompanyFile, read_company_file
from orchestration.company_settings import CompanySetting, Value, company_settings_from
from orchestration.errors import SettingsError, shown
from orchestration.landing.csv_files import FileDialect
from orchestration.landing.mapping import Source
from orchestration.sources_file import read_readers

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_COMPANY = "sample"

RAW_DIR = "STICKINESS_RAW_DIR"
WAREHOUSE_DIR = "STICKINESS_WAREHOUSE_DIR"
AS_OF = "STICKINESS_AS_OF"
COMPANY = "STICKINESS_COMPANY"
FULL_REFRESH = "STICKINESS_FULL_REFRESH"
REFIT = "STICKINESS_REFIT"
TARGET = "STICKINESS_TARGET"
ALLOW = "STICKINESS_ALLOW"
AUTOMATIC = "STICKINESS_AUTOMATIC"
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

# Dagster and dbt hand paths on as URLs, in which ? and # end a name and %41 is an A; to DuckDB a backslash is a slash
_UNFIT_FOR_DATABASES = re.compile(r"[?#%\\\x00-\x1f\x7f\ud800-\udfff]")
_WIDTH_OF_PATH = 500

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
        sources: mappings of files of another form: those of the company.yml, then the native readers.
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
    sources: tuple[Source, ...] = ()
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
    company = read_company_file(raw_dir / COMPANY_FILE, known)
    settings = Settings(
        root=root,
        raw_dir=raw_dir,
        warehouse=warehouse_folder(environ, root),
        as_of=as_of,
        full_refresh=full_refresh,
        refit=refit,
        allow=allow,
        target=build_target(environ),
        variables=company.variables,
        defaults=defaults_of(known),
        dialects=company.dialects,
        sources=(*company.sources, *read_readers(root)),
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
    """The folder that a refresh writes to, absolute; it need not exist yet.

    Raises:
        SettingsError: databases would take its name for something else.
    """
    text = environ.get(WAREHOUSE_DIR, "")
    folder = _absolute(text, environ) if text else root / "warehouse"
    unfit = _UNFIT_FOR_DATABASES.search(str(folder))
    if unfit:
        raise SettingsError(
            f"The warehouse folder {shown(str(folder), _WIDTH_OF_PATH)} has {_character(unfit[0])} in its name, which "
            f"databases do not take for part of a name; expected a path without ?, #, %, backslashes and control "
            f"characters. Set {WAREHOUSE_DIR} (make run WAREHOUSE=<folder>) to such a folder."
        )
    return folder


def _character(found: str) -> str:
    return found if found.isprintable() else f"the character U+{ord(found):04X}"


def served_settings(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Settings:
    """The settings of the company that a run would refresh, without what the run alone asks for.

    Schedules, sensors and freshness go by them. The project's defaults hold where company.yml is wrong: the run itself
    says how.
    """
    try:
        return company_settings(environ, root)
    except SettingsError:
        return _of_company(CompanyFile(), environ, root)


def company_settings(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Settings:
    """What the company sets that a run would refresh, without preparing its raw folder or reading what a run asks for.

    Raises:
        SettingsError: its folder is not there, or its company.yml is wrong.
    """
    folder = company_folder(environ, root)
    if not _is_folder(folder):
        raise SettingsError(f"The folder {folder} does not exist.")
    company = read_company_file(folder / COMPANY_FILE, read_company_settings(root))
    return _of_company(company, environ, root)


def _of_company(company: CompanyFile, environ: Mapping[str, str], root: Path) -> Settings:
    return Settings(
        root=root,
        raw_dir=company_folder(environ, root),
        warehouse=warehouse_folder(environ, root),
        target=build_target(environ),
        variables=company.variables,
        defaults=defaults_of(read_company_settings(root)),
        dialects=company.dialects,
        sources=(*company.sources, *read_readers(root)),
        follow_links=_parse_switch(environ.get(FOLLOW_LINKS, ""), FOLLOW_LINKS),
    )


def company_folder(environ: Mapping[str, str], root: Path) -> Path:
    """The raw folder that the environment names, whether it is there or not."""
    text = environ.get(RAW_DIR, "")
    return _absolute(text, environ) if text else root / "companies" / (environ.get(COMPANY) or DEFAULT_COMPANY)


def is_automatic(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether Dagster starts runs by itself: at night, each month, and for new files."""
    return _parse_switch(environ.get(AUTOMATIC, ""), AUTOMATIC)


def _raw_folder(environ: Mapping[str, str], root: Path) -> Path:
    text = environ.get(RAW_DIR, "")
    if not text:
        return company_raw_folder(root / "companies", environ.get(COMPANY) or DEFAULT_COMPANY)
    raw_dir = _absolute(text, environ)
    if not _is_folder(raw_dir):
        found = "is a file, not a folder" if raw_dir.exists() else "does not exist"
        raise SettingsError(
            f"The raw folder {raw_dir} {found}. Set {RAW_DIR} (make run RAW=<folder>) to the folder that holds the "
            f"company's files."
        )
    return raw_dir


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise SettingsError(
            f"The raw folder {path} cannot be looked at ({error.strerror}). Give the user that runs the refresh "
            f"the right to enter the folders above it, or mount it again."
        ) from error


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


def _refuse_link_outside(path: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise SettingsError(
            f"{path} is a link that leads out of the raw folder. Put the file itself there, or set {FOLLOW_LINKS}=1 to "
            f"follow links out of it."
        )


def _read_yaml(path: Path) -> Any:
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
