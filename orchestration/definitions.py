"""The code location that Dagster loads: `dagster dev --module-name orchestration.definitions`."""

from orchestration.code_location import build_definitions
from orchestration.settings import ROOT

defs = build_definitions(ROOT)
