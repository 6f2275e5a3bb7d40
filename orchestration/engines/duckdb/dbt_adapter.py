"""How dbt reaches DuckDB, and what DuckDB's error messages quote."""

from __future__ import annotations

import re

from orchestration.engines.dbt_adapter import Adapter
from orchestration.masking import MASK

# a text that could not be converted, a key that occurs twice
_QUOTED_VALUES = (
    re.compile(r"((?:string|value) )'[^']*'", re.IGNORECASE),
    re.compile(r'((?:Duplicate key|key) )"[^"]*"', re.IGNORECASE),
)


def clean_message(message: str) -> str:
    """The message without the values that it quotes."""
    for pattern in _QUOTED_VALUES:
        message = pattern.sub(rf"\1'{MASK}'", message)
    return message


ADAPTER = Adapter(package="dbt-duckdb", clean_message=clean_message)
