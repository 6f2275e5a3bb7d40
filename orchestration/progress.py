"""How far the build is, by layer: one line for each layer, not one for each model."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from orchestration.masking import printable

_LAYER_ORDER = ("seeds", "snapshots", "staging", "intermediate", "marts", "quality", "custom", "other")
_NAME_WIDTH = 22

_output: ContextVar[TextIO | None] = ContextVar("progress_output", default=None)


@dataclass(frozen=True)
class Node:
    """Something that dbt runs: the layer it belongs to, and whether it is a `model`, `seed`, `snapshot` or `test`."""

    layer: str
    kind: str


@dataclass(frozen=True)
class LayerTime:
    """What ran in a layer, and for how many seconds at least one of its nodes was running."""

    layer: str
    kinds: Mapping[str, int]
    seconds: float

    def __str__(self) -> str:
        return layer_line(self.layer, _counts(self.kinds), self.seconds)


@contextlib.contextmanager
def show_progress(output: TextIO) -> Iterator[None]:
    """While this lasts, builds in this process tell `output` how far they are; otherwise they tell nobody."""
    token = _output.set(output)
    try:
        yield
    finally:
        _output.reset(token)


def layer_line(name: str, what: str, seconds: float) -> str:
    """The line of one layer or stage."""
    return f"{name:<{_NAME_WIDTH}}{what:<26}{seconds:>7.1f} s"


def announce(name: str, what: str, seconds: float) -> None:
    """Show the line of a stage that has ended, where progress is shown."""
    output = _output.get()
    if output is not None:
        print(layer_line(name, what, seconds), file=output, flush=True)


def remark(text: str) -> None:
    """Show a line that says more of the stage above it, where progress is shown."""
    output = _output.get()
    if output is not None:
        print(f"  {printable(text)}", file=output, flush=True)


def nodes_by_id(manifest: Mapping[str, Any]) -> dict[str, Node]:
    """What dbt runs in a whole build of the project, unit tests aside."""
    layers = {
        unique_id: _layer_of_path(node["original_file_path"])
        for unique_id, node in {**manifest["sources"], **manifest["nodes"]}.items()
    }
    return {
        unique_id: Node(_layer_of_test(node, layers) if node["resource_type"] == "test" else layers[unique_id], kind)
        for unique_id, node in manifest["nodes"].items()
        if (kind := node["resource_type"]) in ("model", "seed", "snapshot", "test")
        and node.get("config", {}).get("materialized") != "ephemeral"
        # a test of a model that is off stands in the manifest too
        and node.get("config", {}).get("enabled", True)
    }


def _layer_of_path(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    if parts[0] != "models":
        return parts[0] if parts[0] in _LAYER_ORDER else "other"
    if len(parts) < 3:
        return "other"
    return f"marts {parts[2]}" if parts[1] == "marts" and len(parts) > 3 else parts[1]


def _layer_of_test(test: Mapping[str, Any], layers: Mapping[str, str]) -> str:
    """The layer of the model that a test is attached to; of a test over several, the last layer among theirs."""
    attached = test.get("attached_node")
    if attached in layers:
        return layers[attached]
    tested = [layers[unique_id] for unique_id in test["depends_on"]["nodes"] if unique_id in layers]
    return max(tested, key=_rank, default="other")


def _rank(layer: str) -> tuple[int, str]:
    first = layer.split(" ")[0]
    return (_LAYER_ORDER.index(first) if first in _LAYER_ORDER else len(_LAYER_ORDER), layer)


class Progress:
    """Follows one dbt build and shows a line for each layer when its last node has ended.

    On a terminal the line of what is running is updated in place.
    """

    def __init__(self, nodes: Mapping[str, Node], clock: Callable[[], float] = time.monotonic) -> None:
        self._nodes = nodes
        self._clock = clock
        self._output = _output.get()
        self._waiting = {layer: {i for i, node in nodes.items() if node.layer == layer} for layer in _layers(nodes)}
        self._done: dict[str, list[tuple[str, float, float]]] = {layer: [] for layer in self._waiting}
        self._failed: Counter[str] = Counter()

    def finished(self, unique_id: str, seconds: float, failed: bool = False) -> None:
        """Note that a node has ended after so many seconds."""
        node = self._nodes.get(unique_id)
        if node is None or unique_id not in self._waiting[node.layer]:
            return
        now = self._clock()
        self._waiting[node.layer].discard(unique_id)
        self._done[node.layer].append((node.kind, now - seconds, now))
        self._failed[node.layer] += failed
        if self._waiting[node.layer]:
            self._show_running(node.layer)
        else:
            self._show(self._line(node.layer))

    def close(self) -> None:
        """Show the layers that were begun and have not come to their end."""
        for layer, waiting in self._waiting.items():
            if waiting and self._done[layer]:
                self._show(self._line(layer))

    def _line(self, layer: str) -> str:
        done = self._done[layer]
        kinds = Counter(kind for kind, _, _ in done)
        line = str(LayerTime(layer, kinds, _covered((begin, end) for _, begin, end in done)))
        remarks = {"failed": self._failed[layer], "did not run": len(self._waiting[layer])}
        return "  ".join([line, *(f"{count} {remark}" for remark, count in remarks.items() if count)])

    def _show_running(self, layer: str) -> None:
        if self._output is not None and self._output.isatty():
            done = len(self._done[layer])
            self._output.write(f"\r\x1b[K{layer:<{_NAME_WIDTH}}{done} of {done + len(self._waiting[layer])}")
            self._output.flush()

    def _show(self, line: str) -> None:
        if self._output is None:
            return
        clear = "\r\x1b[K" if self._output.isatty() else ""
        self._output.write(f"{clear}{line}\n")
        self._output.flush()


def layer_times(nodes: Mapping[str, Node], run_results: Mapping[str, Any]) -> list[LayerTime]:
    """What each layer of a build took, from the run_results.json of dbt."""
    intervals: dict[str, list[tuple[float, float]]] = {}
    kinds: dict[str, Counter[str]] = {}
    for result in run_results["results"]:
        node = nodes.get(result["unique_id"])
        times = _interval(result)
        if node is not None and times is not None:
            intervals.setdefault(node.layer, []).append(times)
            kinds.setdefault(node.layer, Counter())[node.kind] += 1
    return [LayerTime(layer, kinds[layer], _covered(intervals[layer])) for layer in sorted(intervals, key=_rank)]


def build_seconds(run_results: Mapping[str, Any]) -> float:
    """For how many seconds at least one node of a build was running."""
    return _covered(times for result in run_results["results"] if (times := _interval(result)))


def _interval(result: Mapping[str, Any]) -> tuple[float, float] | None:
    moments = [
        datetime.fromisoformat(step[edge]).timestamp()
        for step in result.get("timing", ())
        for edge in ("started_at", "completed_at")
        if step.get(edge)
    ]
    return (min(moments), max(moments)) if moments else None


def _layers(nodes: Mapping[str, Node]) -> list[str]:
    return sorted({node.layer for node in nodes.values()}, key=_rank)


def _counts(kinds: Mapping[str, int]) -> str:
    built = [(kind, count) for kind, count in sorted(kinds.items()) if kind != "test"]
    parts = [f"{count:>3} {kind}{'s' if count != 1 else ' '}" for kind, count in built]
    tests = kinds.get("test", 0)
    return "  ".join([*parts, f"{tests:>4} test{'s' if tests != 1 else ''}"] if tests else parts)


def _covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Seconds that at least one of the intervals covers."""
    covered = 0.0
    reached = float("-inf")
    for begin, end in sorted(intervals):
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return covered
