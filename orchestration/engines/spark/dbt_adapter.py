"""How dbt reaches Spark, and what Spark's error messages carry beside the point."""

from __future__ import annotations

import re

from orchestration.engines.dbt_adapter import Adapter
from orchestration.engines.spark.connection import SCHEMA

# Java's stack, the whole query
_BESIDE_THE_POINT = re.compile(r"\n\s*(at [\w$.]+\(|== SQL|Driver stacktrace).*$", re.DOTALL)


def clean_message(message: str) -> str:
    """The message without stack and query."""
    return _BESIDE_THE_POINT.sub("", message)


ADAPTER = Adapter(
    package="dbt-spark",
    clean_message=clean_message,
    naming_variables=(SCHEMA,),
    trial_program=("java", "openjdk-17-jre-headless"),
)
