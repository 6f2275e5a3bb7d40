"""dbt's own documentation of a build, as one page that asks no other machine for anything: `make docs`."""

from __future__ import annotations

import json
from pathlib import Path

from orchestration.dbt_project import read_json, run_dbt, share_parse, target_folder
from orchestration.errors import BuildError
from orchestration.masking import masked
from orchestration.modes import make_private
from orchestration.settings import WAREHOUSE_DIR

_MANIFEST, _PAGE = "manifest.json", "static_index.html"
# the SQL of the build is in its manifest, so nothing is compiled again
_GENERATE = ("docs", "generate", "--no-compile", "--static")


def docs_folder(warehouse: Path) -> Path:
    """Where dbt writes about a warehouse's build for people; the files of the build itself stay as they are."""
    return warehouse / "build" / "docs"


def write_dbt_docs(root: Path, warehouse: Path, target: str) -> Path:
    """Have dbt document the last build of a warehouse; return the page.

    Raises:
        BuildError: nothing has been built, or dbt could not document it.
    """
    built, folder = target_folder(warehouse) / _MANIFEST, docs_folder(warehouse)
    if not built.exists():
        raise BuildError(f"Nothing has been built in {warehouse}; expected {built}. Run make run first.")
    make_private(folder)
    share_parse(root, target, folder)
    manifest = read_json(built)
    # by this the page decides whether it loads a tracker
    manifest["metadata"]["send_anonymous_usage_stats"] = False
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    done = run_dbt(root, folder, [*_GENERATE, "--target", target], {WAREHOUSE_DIR: str(warehouse)})
    if done.returncode != 0:
        raise BuildError(f"dbt could not document the build:\n{masked((done.stdout + done.stderr).strip())}")
    return folder / _PAGE
