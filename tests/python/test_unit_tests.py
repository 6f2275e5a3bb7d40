"""dbt's unit tests: worked examples of single models, run against the columns of an empty warehouse."""

from __future__ import annotations

import pytest
from conftest import Dbt, World


@pytest.mark.worlds
@pytest.mark.xdist_group("empty")
def test_every_worked_example_of_a_model_comes_out(empty_world: World, dbt: Dbt) -> None:
    statuses = dbt.invoke(empty_world.settings.warehouse, "test", "--select", "test_type:unit")
    assert len(statuses) == len(dbt.manifest.unit_tests)
    assert set(statuses.values()) == {"pass"}
