"""Lists what Dagster loads, for a test that tells what a change adds or removes: `python -m tools.definitions_list`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dagster import AssetKey, Definitions
from dagster_dbt.asset_utils import default_asset_key_fn

from orchestration.dbt_project import is_custom, load_manifest
from orchestration.definitions import build_definitions
from orchestration.settings import build_target
from tools.bootstrap import ROOT

LIST = ROOT / "tests" / "python" / "dagster_definitions.txt"
_HEADING = "# What Dagster loads. Written by: .venv/bin/python -m tools.definitions_list\n"


def definitions_list(definitions: Definitions, manifest: Mapping[str, Any]) -> str:
    """A line for each asset, check, job, schedule and sensor, without what a company has added in custom/."""
    own = [node for node in manifest["nodes"].values() if is_custom(node["original_file_path"])]
    own_assets = {default_asset_key_fn(node) for node in own if node["resource_type"] in ("model", "seed")}
    own_checks = {node["name"] for node in own if node["resource_type"] == "test"}
    lines = [
        *_assets(definitions, own_assets),
        *_checks(definitions, own_assets, own_checks),
        *_automation(definitions),
    ]
    return _HEADING + "".join(f"{line}\n" for line in lines)


def _assets(definitions: Definitions, left_out: set[AssetKey]) -> Iterator[str]:
    keys = definitions.resolve_asset_graph().get_all_asset_keys() - left_out
    yield from sorted(f"asset {key.to_user_string()}" for key in keys)


def _checks(definitions: Definitions, left_out: set[AssetKey], names: set[str]) -> Iterator[str]:
    graph = definitions.resolve_asset_graph()
    yield from sorted(
        f"check {key.asset_key.to_user_string()} {key.name}{' (blocking)' * graph.get_check_spec(key).blocking}"
        for key in graph.asset_check_keys
        if key.asset_key not in left_out and key.name not in names
    )


def _automation(definitions: Definitions) -> Iterator[str]:
    yield from sorted(f"job {job.name}" for job in definitions.jobs or ())
    yield from sorted(f"schedule {of.name}: {of.job_name} at {of.cron_schedule}" for of in definitions.schedules or ())
    yield from sorted(f"sensor {of.name}: {of.job_name}" for of in definitions.sensors or ())


def main(path: Path = LIST) -> None:
    """Write the list."""
    manifest = load_manifest(ROOT, build_target())
    path.write_text(definitions_list(build_definitions(ROOT), manifest), encoding="utf-8")


if __name__ == "__main__":
    main()
