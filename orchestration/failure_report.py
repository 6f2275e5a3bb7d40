"""What went wrong in a dbt build, for the person who has to put it right: what failed, what that means, and which rows.

Personal data is masked: neither rows nor messages of the database show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orchestration.contract import Contract
from orchestration.engines.engine import Answer
from orchestration.engines.registry import ADAPTERS
from orchestration.errors import Fact, StickinessError
from orchestration.masking import MASK, masked

ROWS_SHOWN = 5
_VALUE_WIDTH = 60
FAILED_STATUSES = ("error", "fail", "runtime error")

# columns that hold whole raw rows, whatever the table
_RAW_TEXT = ("raw_row", "_raw_row")
_PLACE_OF_CODE = re.compile(r"\n?\s*compiled code at .*$", re.DOTALL)


@dataclass(frozen=True)
class Outcome:
    """What a dbt build came to."""

    succeeded: frozenset[str]
    """unique ids of models and seeds that were built"""
    failed: tuple[Mapping[str, Any], ...]
    """results of what failed"""
    skipped: int
    tests_passed: int
    warnings: tuple[str, ...]
    """names of the tests that warned"""


@dataclass(frozen=True)
class FailedNode:
    """One thing that failed, with up to five of the rows that show it."""

    title: str
    meaning: str
    message: str
    file: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()


def personal_columns(contract: Contract) -> frozenset[str]:
    """Names of the columns that hold personal data in some raw table."""
    return frozenset(column.name for table in contract.tables.values() for column in table.columns if column.personal)


def outcome(manifest: Mapping[str, Any], run_results: Mapping[str, Any]) -> Outcome:
    """Sort the results of a build by what became of them."""
    results = run_results["results"]
    return Outcome(
        succeeded=frozenset(result["unique_id"] for result in results if result["status"] == "success"),
        failed=tuple(result for result in results if result["status"] in FAILED_STATUSES),
        skipped=sum(result["status"] == "skipped" for result in results),
        tests_passed=sum(result["status"] == "pass" for result in results),
        warnings=tuple(
            sorted(_name(manifest, result["unique_id"]) for result in results if result["status"] == "warn")
        ),
    )


def describe_failures(
    manifest: Mapping[str, Any],
    run_results: Mapping[str, Any],
    read_build: Callable[[str], Answer],
    personal: Collection[str],
) -> str:
    """The report of a failed build. dbt must have ended, so that the build can be read.

    Args:
        manifest: dbt's manifest.json.
        run_results: dbt's run_results.json of the build.
        read_build: asks the build for the offending rows.
        personal: names of the columns that hold personal data.
    """
    result = outcome(manifest, run_results)
    nodes = [_failed_node(manifest, failed, read_build, personal) for failed in result.failed]
    return render(nodes, result.skipped)


def failure_facts(manifest: Mapping[str, Any], run_results: Mapping[str, Any]) -> list[Fact]:
    """What failed in a build, without rows and without what the database said."""
    return [_fact(manifest, failed) for failed in outcome(manifest, run_results).failed]


def _fact(manifest: Mapping[str, Any], result: Mapping[str, Any]) -> Fact:
    node = manifest["nodes"][result["unique_id"]]
    if node["resource_type"] != "test":
        return Fact("not_built", {"table": node["name"]})
    tested = {"test": node["name"], "table": ", ".join(_tested(manifest, node)) or "-"}
    if result["status"] != "fail":
        return Fact("test_not_run", tested)
    return Fact("test_failed", {**tested, "rows": int(result.get("failures") or 0)})


def render(nodes: Sequence[FailedNode], skipped: int = 0) -> str:
    """The failures as text, one paragraph for each."""
    paragraphs = ["\n".join(_lines(node)) for node in nodes]
    if skipped:
        paragraphs.append(f"{skipped} more did not run because of {'this' if len(nodes) == 1 else 'these'}.")
    return "\n\n".join(paragraphs)


def _lines(node: FailedNode) -> list[str]:
    lines = [node.title]
    if node.meaning:
        lines.append(f"  meaning: {node.meaning}")
    lines.append(f"  found:   {node.message}")
    if node.rows:
        lines.append(f"  up to {ROWS_SHOWN} of the rows:")
        lines += [f"    {_row_text(node.columns, row)}" for row in node.rows]
    lines.append(f"  see:     {node.file}")
    return lines


def _failed_node(
    manifest: Mapping[str, Any],
    result: Mapping[str, Any],
    read_build: Callable[[str], Answer],
    personal: Collection[str],
) -> FailedNode:
    node = manifest["nodes"][result["unique_id"]]
    if node["resource_type"] == "test":
        return _failed_test(manifest, node, result, read_build, personal)
    return FailedNode(
        title=f"The {node['resource_type']} {node['name']} could not be built.",
        meaning="",
        message=_database_message(result.get("message")),
        file=node["original_file_path"],
    )


def _failed_test(
    manifest: Mapping[str, Any],
    test: Mapping[str, Any],
    result: Mapping[str, Any],
    read_build: Callable[[str], Answer],
    personal: Collection[str],
) -> FailedNode:
    tested = " and ".join(_tested(manifest, test)) or "the project"
    title = f"The test {test['name']} of {tested} failed."
    meaning = " ".join((test.get("description") or "").split())
    if result["status"] != "fail":
        title = f"The test {test['name']} of {tested} could not be run."
        return FailedNode(title, meaning, _database_message(result.get("message")), test["original_file_path"])
    columns, rows = _offending_rows(read_build, result.get("compiled_code") or test.get("compiled_code"))
    hidden = _hidden_columns(test, columns, personal)
    count = result.get("failures") or 0
    return FailedNode(
        title=title,
        meaning=meaning,
        message=f"{count} row{'' if count == 1 else 's'}",
        file=test["original_file_path"],
        columns=columns,
        rows=tuple(_masked(columns, row, hidden) for row in rows),
    )


def _tested(manifest: Mapping[str, Any], test: Mapping[str, Any]) -> list[str]:
    attached = test.get("attached_node")
    return [_name(manifest, unique_id) for unique_id in ([attached] if attached else test["depends_on"]["nodes"])]


def _name(manifest: Mapping[str, Any], unique_id: str) -> str:
    node = manifest["nodes"].get(unique_id) or manifest["sources"].get(unique_id)
    return node["name"] if node else unique_id.split(".")[-1]


def _offending_rows(read_build: Callable[[str], Answer], query: str | None) -> Answer:
    """Up to five rows that the test finds now; none where it cannot be asked again."""
    if not query:
        return (), []
    try:
        # on a line of its own: the query may end in a comment
        return read_build(f"SELECT * FROM (\n{query.rstrip().rstrip(';')}\n) AS found LIMIT {ROWS_SHOWN}")
    except StickinessError:
        return (), []


def _hidden_columns(test: Mapping[str, Any], columns: Iterable[str], personal: Collection[str]) -> frozenset[str]:
    tested = ((test.get("test_metadata") or {}).get("kwargs") or {}).get("column_name") or ""
    if is_personal(tested, personal):
        # tests rename the column that they look at
        return frozenset(columns)
    return frozenset(column for column in columns if is_personal(column, personal))


def is_personal(column: str, personal: Collection[str]) -> bool:
    """Whether a column holds personal data: one of that name, or one named after it (`email_text`, `contact_email`)."""
    name = column.lower()
    return name in _RAW_TEXT or any(f"_{word}_" in f"_{name}_" for word in personal)


def _masked(columns: Sequence[str], row: Sequence[Any], hidden: Collection[str]) -> tuple[Any, ...]:
    return tuple(
        MASK if column in hidden and _could_be_personal(value) else value
        for column, value in zip(columns, row, strict=True)
    )


def _could_be_personal(value: Any) -> bool:
    """Whether there is something to mask: nothing is shown as nothing, and a count of rows is nobody's."""
    return value is not None and not isinstance(value, bool | int | float | Decimal)


def _row_text(columns: Sequence[str], row: Sequence[Any]) -> str:
    shown = [f"{column}={_value_text(value)}" for column, value in zip(columns, row, strict=True)]
    return ", ".join(shown)


def _value_text(value: Any) -> str:
    if value is None:
        return "null"
    # a number is an amount or a count, and a day is a day
    text = (masked(value, MASK) if isinstance(value, str) else str(value)).replace("\n", " ")
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 1] + "…"


def _database_message(message: str | None) -> str:
    """What the database or dbt said, without generated files, stacks and queries, and without values that rows hold."""
    text = _PLACE_OF_CODE.sub("", message or "no message was given")
    for adapter in ADAPTERS.values():
        text = adapter.clean_message(text)
    text = text.strip()
    heading, _, rest = text.partition("\n")
    if rest.strip() and re.match(r"\w+ Error in ", heading):
        text = rest
    text = masked(text, MASK)
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    return "\n           ".join(line.strip() for line in lines)
