"""What Dagster's pages say of assets and checks, from the YAML of dbt and the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestration.settings import Settings

NONE = "none"
DATA_OWNER = "data_owner"
# as Dagster knows an address
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def asset_description(node: Mapping[str, Any]) -> str:
    """What a model or seed is, below its labels in both languages where it has them; its SQL is not part of it."""
    meta = node["config"]["meta"]
    text = " ".join((node.get("description") or "").split())
    if "label_en" not in meta:
        return text
    return f"**{meta['label_en']} · {meta['label_zh']}**\n\n{text}"


def check_description(node: Mapping[str, Any]) -> str | None:
    """What a test means and what to do where it fails; None where the YAML does not say."""
    return " ".join((node.get("description") or "").split()) or None


def owners_by_group(manifest: Mapping[str, Any], settings: Settings) -> dict[str, list[str]]:
    """The owner of each group of dbt, as the setting that its YAML names has it; no owner where that is `none`."""
    groups = manifest["groups"].values()
    return {group["name"]: owners_of(settings, group["owner"].get("setting")) for group in groups}


def owners_of(settings: Settings, name: str | None) -> list[str]:
    """The owner that a setting names, as Dagster writes it; nobody where there is no such setting, or it is none."""
    owner = str(settings.variable(name)).strip() if name in settings.defaults else NONE
    if owner == NONE:
        return []
    return [owner if _ADDRESS.fullmatch(owner) else f"team:{owner}"]
