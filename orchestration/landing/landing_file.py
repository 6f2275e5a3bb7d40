"""The form of a landing Parquet file: what a reader of any engine finds in it."""

import re

from orchestration.contract import RawTable

# as DuckDB writes them
VALUE_TYPES = {
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "boolean": "BOOLEAN",
    "number": "DECIMAL(18,4)",
    "integer": "BIGINT",
}
# what stands in every landing file behind the columns of the contract
LANDED_COLUMNS = {
    "_row_key": "VARCHAR",
    "_masked_key": "VARCHAR",
    "_failure": "VARCHAR",
    "_reason": "VARCHAR",
    "_raw_row": "VARCHAR",
    "_masked_row": "VARCHAR",
    "_file_name": "VARCHAR",
    "_file_order": "VARCHAR",
    "_row_number": "BIGINT",
    "_first_seen_at": "TIMESTAMP",
}

_DIGITS = re.compile(r"[0-9]+")


def landing_columns(table: RawTable) -> dict[str, str]:
    """The columns of a landing file of the table that a warehouse reads, in their order, with their types."""
    return {column.name: VALUE_TYPES[column.data_type] for column in table.columns} | LANDED_COLUMNS


def file_order(file_name: str) -> str:
    """A text by which file names stand in their order: by the path, runs of digits by the number that they are.

    `batch-9.csv` comes before `batch-10.csv`: each run gets in front of it how many digits it has.
    """
    return _DIGITS.sub(lambda run: _counted(run.group().lstrip("0")), file_name)


def _counted(digits: str) -> str:
    return f"{len(digits):03d}{digits}"
