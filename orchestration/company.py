"""The companies under companies/: folders of raw tables, or a prepare.py that makes one."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

from orchestration.errors import SettingsError

PREPARE_FILE = "prepare.py"
COMPANY_FILE = "company.yml"
RAW_FOLDER = "raw"
# what a simulated company writes beside it, for tests to compare with
TRUTH_FOLDER = "truth"
# begins with a dot, so landing does not take it for a table
STAMP_FILE = ".prepared"


def company_names(companies: Path) -> list[str]:
    """The companies that there are, sorted."""
    if not companies.is_dir():
        return []
    return sorted(
        entry.name for entry in companies.iterdir() if entry.is_dir() and not entry.name.startswith((".", "_"))
    )


def company_raw_folder(companies: Path, name: str) -> Path:
    """The raw folder of a company, made by its prepare.py where it is absent or older than what it is made from.

    Raises:
        SettingsError: there is no such company, or its prepare.py fails.
    """
    names = company_names(companies)
    if name not in names:
        listed = f"There are: {', '.join(names)}." if names else f"There are none in {companies}."
        raise SettingsError(f'There is no company "{name}". {listed} For your own data use make run RAW=<folder>.')
    folder = companies / name
    raw = folder / RAW_FOLDER
    if not (folder / PREPARE_FILE).is_file():
        return raw if raw.is_dir() else folder
    stamp = _stamp(folder)
    if _read_stamp(raw) != stamp:
        _prepare(folder, raw, stamp)
    return raw


def _read_stamp(raw: Path) -> str | None:
    try:
        return (raw / STAMP_FILE).read_text(encoding="utf-8")
    except OSError:
        return None


def _stamp(folder: Path) -> str:
    """A hash of what the raw folder is made from: the company's files, and the packages that its prepare.py imports."""
    digest = hashlib.sha256()
    for path in _source_files(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    for distribution in sorted(_imported_distributions(folder / PREPARE_FILE)):
        digest.update(f"{distribution}=={version(distribution)}\n".encode())
    return digest.hexdigest()


def _source_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        made = parts[0] in (RAW_FOLDER, TRUTH_FOLDER) or parts[0].startswith(RAW_FOLDER + ".") or "__pycache__" in parts
        if path.is_file() and not made:
            yield path


def _imported_distributions(script: Path) -> set[str]:
    """The installed distributions that a script imports from directly."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.split(".")[0])
    outside = modules - set(sys.stdlib_module_names)
    providers = packages_distributions() if outside else {}
    return {distribution for module in outside for distribution in providers.get(module, ())}


def _prepare(folder: Path, raw: Path, stamp: str) -> None:
    """Make the raw folder aside, then put it in place whole; a failure leaves the old one."""
    made = Path(tempfile.mkdtemp(prefix=f"{RAW_FOLDER}.", dir=folder))
    try:
        _fill(folder, made)
        (made / STAMP_FILE).write_text(stamp, encoding="utf-8")
        # mkdtemp lets nobody else in
        made.chmod(0o755)
        shutil.rmtree(raw, ignore_errors=True)
        made.rename(raw)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _fill(folder: Path, made: Path) -> None:
    try:
        _load_prepare(folder)(made)
    except SettingsError:
        raise
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"The data of the company {folder.name} needs the package {error.name}, which is not installed. "
            f"Run make run COMPANY={folder.name}, which installs it."
        ) from error
    except Exception as error:
        raise SettingsError(
            f"{folder / PREPARE_FILE} could not make the raw folder of {folder.name}: {type(error).__name__}: {error}"
        ) from error
    if (folder / COMPANY_FILE).is_file():
        shutil.copyfile(folder / COMPANY_FILE, made / COMPANY_FILE)


def _load_prepare(folder: Path) -> Callable[[Path], None]:
    script = folder / PREPARE_FILE
    spec = importlib.util.spec_from_file_location(f"companies_{folder.name}_prepare", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prepare = getattr(module, "prepare", None)
    if prepare is None:
        raise SettingsError(f"{script} has no function prepare(raw_dir), which makes the raw folder.")
    return prepare
