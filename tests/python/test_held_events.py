"""Events of marts wait until dbt has ended, and with them those of everything that is built from marts."""

from __future__ import annotations

from collections.abc import Iterable

from dagster import AssetCheckResult, AssetKey, Output

from orchestration.assets.dbt_models import Held


def model(name: str, schema: str, *reads: str) -> dict[str, object]:
    return {
        "unique_id": f"model.shop.{name}",
        "name": name,
        "alias": name,
        "resource_type": "model",
        "config": {"schema": schema, "materialized": "table", "meta": {}},
        "depends_on": {"nodes": [f"model.shop.{read}" for read in reads]},
        "version": None,
    }


MANIFEST = {
    "nodes": {
        f"model.shop.{node['name']}": node
        for node in (
            model("stg_orders", "staging"),
            model("orders", "marts", "stg_orders"),
            # a company's own step may read a mart, and a staging model may read that
            model("my_step", "intermediate", "orders"),
            model("my_other_step", "intermediate", "my_step"),
            model("my_mart", "marts", "my_other_step"),
        )
    }
}


def built(name: str) -> Output:
    return Output(None, output_name=name, metadata={"unique_id": f"model.shop.{name}"})


def names(events: Iterable[Output | AssetCheckResult]) -> list[str | None]:
    return [event.output_name if isinstance(event, Output) else event.check_name for event in events]


def test_an_event_comes_after_those_of_what_its_model_reads() -> None:
    held = Held(MANIFEST)
    check = AssetCheckResult(asset_key=AssetKey(["marts", "orders"]), check_name="a", passed=True)
    events = [built("stg_orders"), built("orders"), check, built("my_step"), built("my_other_step"), built("my_mart")]
    first = list(held.hold_back(iter(events)))
    assert names(first) == ["stg_orders"]
    # figures are asked of what is published
    assert held.built == ["model.shop.orders", "model.shop.my_mart"]
    rest = list(held.release({"model.shop.orders": {"dagster/row_count": 3}}))
    assert names(rest) == ["orders", "a", "my_step", "my_other_step", "my_mart"]
    assert rest[0].metadata["dagster/row_count"].value == 3
