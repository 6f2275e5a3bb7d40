"""Writes what follows from raw.yml alone, after a table or a column was added there: `python -m tools.staging_models`.

These are the two staging models of every raw table, the list of the tables for models that read all of them, and the
table in docs/raw-contract.md. The unit tests of a base model, below its description, stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from orchestration.contract import Contract, RawColumn, RawTable, load_contract
from orchestration.settings import ROOT
from tools.settings_table import between_marks

STAGING = Path("models/staging/raw")
TABLE_NAMES = Path("macros/raw_table_names.sql")
DOCUMENT = Path("docs/raw-contract.md")
BEGIN, END = "<!-- from raw.yml: python -m tools.staging_models -->\n", "<!-- end of tables -->\n"
UNIT_TESTS = "\nunit_tests:\n"
SUMMARY = "Each row is "


def generated_files(root: Path) -> dict[Path, str]:
    """Every file that follows from the contract of a project, with its text; paths count from the project's folder."""
    contract = load_contract(root)
    files = {TABLE_NAMES: _table_names(contract), DOCUMENT: _with_tables(_text(root / DOCUMENT), contract)}
    for table in contract.tables.values():
        base = STAGING / "base" / f"base_{table.name}"
        accepted = STAGING / f"stg_{table.name}"
        _, mark, unit_tests = _text(root / base.with_suffix(".yml")).partition(UNIT_TESTS)
        files[base.with_suffix(".sql")] = _base_sql(table)
        files[base.with_suffix(".yml")] = _base_yml(table) + mark + unit_tests
        files[accepted.with_suffix(".sql")] = _accepted_sql(table)
        files[accepted.with_suffix(".yml")] = _accepted_yml(table)
    return files


def write(root: Path = ROOT) -> list[Path]:
    """Write the files that are not yet as the contract says; which they were."""
    changed = {path: text for path, text in generated_files(root).items() if _text(root / path) != text}
    for path, text in changed.items():
        (root / path).write_text(text, encoding="utf-8")
    return list(changed)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _base_sql(table: RawTable) -> str:
    references = [f"'{column}': ref('stg_{target.table}')" for column, target in table.references.items()]
    seeds = [f"'{column.name}': ref('{column.seed}')" for column in table.columns if column.seed]
    arguments = [f"'{table.name}'", f"source('raw', '{table.name}')"]
    arguments += [f"references={{{', '.join(references)}}}"] if references else []
    arguments += [f"seeds={{{', '.join(seeds)}}}"] if seeds else []
    return f"{{{{ checked_rows({', '.join(arguments)}) }}}}\n"


def _base_yml(table: RawTable) -> str:
    return f"""\
version: 2

models:
  - name: base_{table.name}
    description: >
      Every row that was landed for `{table.name}`, typed by the raw contract, with what became of it: accepted, \
rejected (and why) or
      superseded by a newer version of the same key. One row per landed row; the macro `checked_rows` \
describes the columns that
      are added.
"""


def _accepted_sql(table: RawTable) -> str:
    columns = ",\n        ".join(table.column_names)
    return f"""\
with

checked_rows as (
    select * from {{{{ ref('base_{table.name}') }}}}
),

final as (
    select
        {columns}
    from checked_rows
    where row_status = 'accepted'
)

select * from final
"""


def _accepted_yml(table: RawTable) -> str:
    # where the time of a version is part of the key, every version is a row
    newest = "" if "updated_at" in table.key else "; the newest accepted version"
    tags = "    config: { tags: [pii] }\n" if any(column.personal for column in table.columns) else ""
    columns = "".join(
        f"      - name: {column.name}\n        description: {_scalar(column.description)}\n" for column in table.columns
    )
    return f"""\
version: 2

models:
  - name: stg_{table.name}
    description: {_scalar(f"{table.description.rstrip('.')}{newest}.")}
{tags}    data_tests:
      - primary_key:
          arguments: {{ columns: [{", ".join(table.key)}] }}
          description: Each key has one accepted row. Where it fails, `checked_rows` ranks versions wrongly.
    columns:
{columns}"""


def _scalar(text: str) -> str:
    """A text on one line of YAML, in quotes where YAML would take it for something else."""
    try:
        is_plain = yaml.safe_load(f"text: {text}") == {"text": text}
    except yaml.YAMLError:
        is_plain = False
    return text if is_plain and "`" not in text else json.dumps(text, ensure_ascii=False)


def _table_names(contract: Contract) -> str:
    names = ",\n        ".join(f"'{name}'" for name in contract.tables)
    return f"""\
{{#-
    The tables of the raw contract. A model that reads all of them needs their names before dbt has parsed the contract.
    From models/staging/raw/raw.yml: python -m tools.staging_models
-#}}
{{% macro raw_table_names() %}}
    {{{{ return([
        {names},
    ]) }}}}
{{% endmacro %}}
"""


def _with_tables(document: str, contract: Contract) -> str:
    """The document with the tables of the contract between its two marks; ValueError if it has not both."""
    lines = ["| table | one row is | key | columns |", "| --- | --- | --- | --- |"]
    for table in contract.tables.values():
        row_is = table.description.removeprefix(SUMMARY).rstrip(".")
        columns = ", ".join(_column(table, column) for column in table.columns)
        lines.append(f"| {table.name} | {row_is} | {', '.join(table.key)} | {columns} |")
    table_text = "".join(f"{line}\n" for line in lines)
    return between_marks(document, BEGIN, END, table_text)


def _column(table: RawTable, column: RawColumn) -> str:
    notes = "; ".join(_notes(table, column))
    return f"{column.name}{'*' if column.required else ''}{f' ({notes})' if notes else ''}"


def _notes(table: RawTable, column: RawColumn) -> Iterator[str]:
    if column.values:
        yield ", ".join(f"`{value}`" for value in column.values)
    if column.seed:
        yield f"one of the seed `{column.seed}`"
    if column.scale:
        yield ", ".join(f"`{kind}` {low}–{high}" for kind, (low, high) in column.scale.ranges.items())
    if column.sign:
        yield ", ".join(f"`{kind}` {'>' if sign == 'positive' else '<'} 0" for kind, sign in column.sign.signs.items())
    if column.maximum is not None:
        yield f"at most {column.maximum:,}"
    if column.name in table.references:
        yield f"known in {table.references[column.name].table}"


if __name__ == "__main__":
    for written in write():
        print(f"wrote {written}")
