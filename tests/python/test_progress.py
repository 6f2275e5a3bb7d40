"""Progress: one line for each layer, whatever order dbt runs the nodes in."""

import io
from datetime import datetime, timedelta

import pytest

from orchestration.progress import (
    LayerTime,
    Node,
    Progress,
    announce,
    build_seconds,
    layer_times,
    nodes_by_id,
    show_progress,
)


def node(path: str, kind: str = "model", **values: object) -> dict:
    return {"original_file_path": path, "resource_type": kind, "config": {"materialized": "table"}, **values}


def manifest_of(**nodes: dict) -> dict:
    return {"nodes": nodes, "sources": {"source.raw": {"original_file_path": "models/staging/raw/raw.yml"}}}


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("models/staging/raw/base/base_orders.sql", "staging"),
        ("models/intermediate/orders/int_orders.sql", "intermediate"),
        ("models/marts/repurchase/nps.sql", "marts repurchase"),
        ("models/marts/nps.sql", "marts"),
        ("models/quality/rejected_rows.sql", "quality"),
        ("models/run_context.sql", "other"),
        ("seeds/loyalty_tiers.csv", "seeds"),
        ("snapshots/tiers.sql", "snapshots"),
        ("custom/models/sales/stores.sql", "custom"),
        ("custom/seeds/stores.csv", "custom"),
    ],
)
def test_the_layer_of_a_model_is_the_folder_it_is_in(path: str, layer: str) -> None:
    assert nodes_by_id(manifest_of(a=node(path)))["a"] == Node(layer, "model")


def test_a_test_counts_for_the_layer_of_what_it_tests() -> None:
    nodes = manifest_of(
        stg=node("models/staging/stg_orders.sql"),
        mart=node("models/marts/value/clv.sql"),
        on_stg=node("models/x.yml", "test", attached_node="stg", depends_on={"nodes": ["stg", "mart"]}),
        on_source=node("models/x.yml", "test", attached_node=None, depends_on={"nodes": ["source.raw"]}),
        over_both=node("tests/singular/x.sql", "test", depends_on={"nodes": ["mart", "stg"]}),
        over_none=node("tests/singular/y.sql", "test", depends_on={"nodes": []}),
    )
    found = nodes_by_id(nodes)
    assert {name: found[name].layer for name in ("on_stg", "on_source", "over_both", "over_none")} == {
        "on_stg": "staging",
        "on_source": "staging",
        "over_both": "marts value",
        "over_none": "other",
    }


def test_what_dbt_does_not_run_is_not_waited_for() -> None:
    nodes = manifest_of(
        inline=node("models/staging/a.sql", config={"materialized": "ephemeral"}),
        analysis=node("analyses/a.sql", "analysis"),
        of_a_model_that_is_off=node("custom/models/a.yml", "test", config={"enabled": False}, attached_node="off"),
    )
    assert nodes_by_id(nodes) == {}


NODES = {
    "stg_a": Node("staging", "model"),
    "stg_b": Node("staging", "model"),
    "test_a": Node("staging", "test"),
    "mart": Node("marts value", "model"),
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(output: io.StringIO, *ended: tuple[float, str, float], failed: str = "") -> None:
    clock = Clock()
    with show_progress(output):
        progress = Progress(NODES, clock)
        for now, unique_id, seconds in ended:
            clock.now = now
            progress.finished(unique_id, seconds, failed=unique_id == failed)
        progress.close()


def test_a_layer_has_its_line_when_its_last_node_has_ended() -> None:
    output = io.StringIO()
    # a runs 0 to 2, b 1 to 3 beside it, the test 4 to 4.5: 3.5 seconds in all
    run(output, (2, "stg_a", 2), (3, "stg_b", 2), (4.2, "mart", 0.2), (4.5, "test_a", 0.5))
    assert output.getvalue().splitlines() == [
        "marts value             1 model                     0.2 s",
        "staging                 2 models     1 test         3.5 s",
    ]


def test_on_a_terminal_the_line_of_the_running_layer_is_updated_in_place() -> None:
    output = Terminal()
    run(output, (1, "stg_a", 1), (2, "stg_b", 1), (3, "test_a", 1))
    clear = "\r\x1b[K"
    assert output.getvalue() == (
        f"{clear}{'staging':<22}1 of 3{clear}{'staging':<22}2 of 3"
        f"{clear}staging                 2 models     1 test         3.0 s\n"
    )


def test_layers_that_did_not_come_to_their_end_say_so() -> None:
    output = io.StringIO()
    run(output, (1, "stg_a", 1))
    line = "staging                 1 model                     1.0 s  2 did not run"
    assert output.getvalue() == f"{line}\n"


def test_a_layer_with_failures_says_how_many() -> None:
    output = io.StringIO()
    run(output, (1, "stg_a", 1), (2, "stg_b", 1), (3, "test_a", 1), failed="test_a")
    assert output.getvalue() == "staging                 2 models     1 test         3.0 s  1 failed\n"


def test_a_node_that_is_unknown_or_ends_twice_is_passed_over() -> None:
    output = io.StringIO()
    run(output, (1, "mart", 1), (1, "mart", 1), (1, "elsewhere", 1))
    assert output.getvalue().count("\n") == 1


def test_nobody_is_told_unless_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(NODES)
    progress.finished("mart", 1)
    progress.close()
    announce("raw tables", "2 files", 1)
    assert capsys.readouterr().out == ""


def test_a_stage_is_announced_where_progress_is_shown() -> None:
    output = io.StringIO()
    with show_progress(output):
        announce("raw tables", "  2 files", 1.25)
    assert output.getvalue() == "raw tables              2 files                     1.2 s\n"


def timed(unique_id: str, begin: float, end: float) -> dict:
    start = datetime(2026, 11, 22, 10)
    moments = {
        "started_at": (start + timedelta(seconds=begin)).isoformat() + "Z",
        "completed_at": (start + timedelta(seconds=end)).isoformat() + "Z",
    }
    return {"unique_id": unique_id, "timing": [{"name": "execute", **moments}]}


def test_the_time_of_a_layer_counts_what_ran_at_once_only_once() -> None:
    results = {"results": [timed("mart", 5, 6), timed("stg_a", 0, 2), timed("stg_b", 1, 3), timed("test_a", 4, 4.5)]}
    assert layer_times(NODES, results) == [
        LayerTime("staging", {"model": 2, "test": 1}, 3.5),
        LayerTime("marts value", {"model": 1}, 1.0),
    ]
    assert build_seconds(results) == 4.5


def test_a_skipped_node_took_no_time() -> None:
    assert layer_times(NODES, {"results": [{"unique_id": "mart", "timing": []}]}) == []
