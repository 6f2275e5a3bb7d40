"""The dbt project as Dagster sees it: its manifest, parsed only when the project has changed, and its version."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from orchestration.cells import check_cells
from orchestration.engines.registry import ADAPTERS
from orchestration.errors import ProjectError
from orchestration.lifeline import PARENT
from orchestration.publishing import BUILT_SCHEMAS, LABELS, Table
from orchestration.settings import ROOT, default_target

# a folder of its own: what somebody's own dbt commands leave in target/ may be of other files than there are now
_PARSED = Path("target") / "refresh"
_MANIFEST_FILE = "manifest.json"
_STAMP_FILE = "manifest.stamp"
_PARTIAL_PARSE_FILE = "partial_parse.msgpack"
_PATH_SETTINGS = ("model-paths", "seed-paths", "macro-paths", "test-paths", "snapshot-paths", "analysis-paths")
_PROJECT_FILES = ("dbt_project.yml", "profiles.yml", "packages.yml", "dependencies.yml", "selectors.yml")
_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}
# arguments of Python: dbt in a process that ends with the one that started it, which says its number in PARENT
DBT_OF_THIS_PROCESS = ("-P", str(ROOT / "orchestration" / "dbt_process.py"))
# a company's own models, seeds, tests and macros; git ignores them
CUSTOM_FOLDER = "custom"


def dbt_executable() -> str:
    """The dbt that is installed beside this Python, whether or not its environment is activated."""
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else "dbt"


def dbt_environment() -> dict[str, str]:
    """What every dbt process of the project runs with, beside the environment of this one."""
    return {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}


def load_manifest(root: Path, target: str) -> dict[str, Any]:
    """The manifest of the project as its files are now; dbt parses them only if they have changed.

    Raises:
        ProjectError: dbt cannot parse the project, a model's YAML says what cannot be, or what the target needs is not
            installed.
    """
    parsed = root / _PARSED / target
    parsed.mkdir(parents=True, exist_ok=True)
    with (parsed / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        manifest, wanted = parsed / _MANIFEST_FILE, content_hash(root, target)
        if not manifest.exists() or _stamp(parsed) != wanted:
            (parsed / _STAMP_FILE).unlink(missing_ok=True)
            _parse(root, target, parsed)
            (parsed / _STAMP_FILE).write_text(wanted, encoding="utf-8")
        found = read_json(manifest)
    check_cells(found)
    return found


def _stamp(folder: Path) -> str | None:
    path = folder / _STAMP_FILE
    return path.read_text(encoding="utf-8") if path.exists() else None


def share_parse(root: Path, target: str, folder: Path) -> None:
    """Have the next dbt command on the target that writes to `folder` start from what `load_manifest` has parsed."""
    parsed, stamp = root / _PARSED / target, _stamp(folder)
    if stamp is None or stamp != _stamp(parsed):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (_PARTIAL_PARSE_FILE, _STAMP_FILE):
            if (parsed / name).exists():
                shutil.copyfile(parsed / name, folder / name)


def _parse(root: Path, target: str, folder: Path) -> None:
    # from nothing: a partial parse forgets the description and the settings of a singular test whose SQL has changed
    done = run_dbt(root, folder, ["--no-partial-parse", "parse", "--target", target])
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip() or f"dbt ended with status {done.returncode} and said nothing"
        raise ProjectError(f"The dbt project in {root} cannot be parsed, so nothing was built:\n{said}{_hint(said)}")


def run_dbt(
    root: Path, folder: Path, arguments: Sequence[str], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run dbt on the project, quietly, in a process of its own; `folder` is where it writes about it.

    `environ` is added to the environment that there is. What it said, and its status, are for the caller to judge.
    """
    paths = {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder), "DBT_PROFILES_DIR": str(root)}
    return subprocess.run(
        [sys.executable, *DBT_OF_THIS_PROCESS, "--quiet", "--no-use-colors", *arguments],
        cwd=root,
        env={**os.environ, **dbt_environment(), **paths, PARENT: str(os.getpid()), **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def _hint(said: str) -> str:
    """What to do about a name that a company's own file and the project both have."""
    if not (said and "dbt found" in said and f"{CUSTOM_FOLDER}/" in said):
        return ""
    return (
        f"\n\nThe names of the project are taken. Rename the file in {CUSTOM_FOLDER}/, for example by putting the "
        f"company's name before it: acme_nps."
    )


def target_folder(warehouse: Path) -> Path:
    """Where dbt writes about the builds of a warehouse.

    Not the project's own target folder: two warehouses may be refreshed at the same time, and dbt parses everything
    anew when the path of the database is not the one it parsed with.
    """
    return warehouse / "build" / "target"


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def content_hash(root: Path, target: str | None = None) -> str:
    """A hash of every file that dbt parses, of the versions that parse them, and of the names that a target gives.

    The target is that of profiles.yml where none is named.
    """
    digest, adapter = _digest(root, _project_files(root)), ADAPTERS[target or default_target()]
    for package in ("dbt-core", adapter.package):
        digest.update(f"{package}=={_version(package)}\n".encode())
    for variable in adapter.naming_variables:
        digest.update(os.environ.get(variable, "").encode())
    return digest.hexdigest()


def _digest(root: Path, files: Iterable[Path]) -> Any:
    digest = hashlib.sha256()
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise ProjectError(
            f"The package {package} is not installed. `make run TARGET=<name>` installs what its target needs."
        ) from error


def _project_files(root: Path) -> Iterator[Path]:
    for name in _PROJECT_FILES:
        if (root / name).is_file():
            yield root / name
    project = yaml.safe_load((root / "dbt_project.yml").read_text(encoding="utf-8"))
    for setting in _PATH_SETTINGS:
        for folder in project.get(setting, ()):
            # dbt follows links too: a company may keep its models elsewhere
            for parent, _, names in os.walk(root / folder, followlinks=True):
                yield from (Path(parent, name) for name in names if Path(name).suffix in _SUFFIXES)


def code_version(root: Path) -> str:
    """The commit that the project stands at, with what git does not know of; without git, a hash of its content.

    `+changes`: files differ from the commit. `+custom-<hash>`: there are models of the company's own, in this state.
    """
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return f"content-{content_hash(root)[:12]}"
    changes = "+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    own = _custom_files(root)
    return f"{commit}{changes}" + (f"+custom-{_digest(root, own).hexdigest()[:8]}" if own else "")


def _custom_files(root: Path) -> list[Path]:
    """The files of a company's own, which the project's git does not hold."""
    held = set((_git(root, "ls-files", "-z", CUSTOM_FOLDER) or "").split("\0"))
    return [
        path
        for path in _project_files(root)
        if path.relative_to(root).parts[0] == CUSTOM_FOLDER and path.relative_to(root).as_posix() not in held
    ]


def _git(root: Path, *arguments: str) -> str | None:
    # a project that was unpacked inside somebody else's repository is not at that repository's commit
    if shutil.which("git") is None or not (root / ".git").exists():
        return None
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def is_custom(original_file_path: str) -> bool:
    """Whether a node of the manifest, by the path of its file, is a company's own."""
    return Path(original_file_path).parts[0] == CUSTOM_FOLDER


def published_models(manifest: Mapping[str, Any]) -> dict[str, Table]:
    """The models that BI reads, by unique id: the schema that they are published in, and the table."""
    return {
        unique_id: (node["config"]["schema"], node["alias"])
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
        and node["config"].get("schema") in BUILT_SCHEMAS
        and node["config"]["materialized"] != "ephemeral"
    }


def label_seeds(manifest: Mapping[str, Any]) -> dict[str, Table]:
    """The seeds that say what codes are called, by unique id, and the tables that they are published as."""
    return {
        unique_id: (LABELS, node["alias"])
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "seed"
        and {"label_en", "label_zh"} <= node["columns"].keys()
        and not is_custom(node["original_file_path"])
    }


def published_nodes(manifest: Mapping[str, Any]) -> dict[str, Table]:
    """Everything that is published: `published_models` and `label_seeds`."""
    return published_models(manifest) | label_seeds(manifest)


def primary_keys(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """By unique id, the key of each model that names one: its `meta.primary_key`, or the columns of its test."""
    keys = {
        node["attached_node"]: tuple(node["test_metadata"]["kwargs"]["columns"])
        for node in manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "primary_key"
        and node["test_metadata"]["kwargs"].get("columns")
    }
    declared = {
        unique_id: tuple(node["config"]["meta"]["primary_key"])
        for unique_id, node in manifest["nodes"].items()
        if node.get("config", {}).get("meta", {}).get("primary_key")
    }
    return keys | declared


def relation(manifest: Mapping[str, Any], model: str) -> Table:
    """Schema and name of the table of a model; KeyError if the project has no such model."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["name"] == model:
            return node["schema"], node["alias"]
    raise KeyError(f"the project has no model {model}")


def source_relation(manifest: Mapping[str, Any], source: str, table: str) -> Table:
    """Schema and name of a table of a source; KeyError if the project has no such source."""
    for node in manifest["sources"].values():
        if node["source_name"] == source and node["name"] == table:
            return node["schema"], node["identifier"]
    raise KeyError(f"the project has no source {source}.{table}")
