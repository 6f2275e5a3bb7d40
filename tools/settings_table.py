"""Writes the settings of dbt_project.yml into docs/raw-contract.md, for people: `python -m tools.settings_table`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestration.company_settings import CompanySetting
from orchestration.settings import read_company_settings
from tools.bootstrap import ROOT

DOCUMENT = ROOT / "docs" / "raw-contract.md"
BEGIN, END = "<!-- from dbt_project.yml: python -m tools.settings_table -->\n", "<!-- end of settings -->\n"


def with_table(document: str, known: Mapping[str, CompanySetting]) -> str:
    """The document with the settings between its two marks; ValueError if it has not both."""
    return between_marks(document, BEGIN, END, settings_table(known))


def between_marks(document: str, begin: str, end: str, table: str) -> str:
    """The document with a table between two marks; ValueError if it has not both."""
    before, after = document.index(begin) + len(begin), document.index(end)
    return f"{document[:before]}\n{table}\n{document[after:]}"


def settings_table(known: Mapping[str, CompanySetting]) -> str:
    """A Markdown table with a row for each setting."""
    lines = ["| setting | default | may be | what it says | 含义 |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{name}` | {_default(setting, known)} | {setting.expected} | {setting.text_en} | {setting.text_zh} |"
        for name, setting in known.items()
    ]
    return "".join(f"{line}\n" for line in lines)


def _default(setting: CompanySetting, known: Mapping[str, CompanySetting]) -> str:
    if isinstance(setting.default, bool):
        return str(setting.default).lower()
    return f"as `{setting.default}`" if setting.default in known else str(setting.default)


def main(document: Path = DOCUMENT) -> None:
    """Write the table into the document."""
    text = with_table(document.read_text(encoding="utf-8"), read_company_settings(ROOT))
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
