"""The vocabulary of charts: for each kind a function that gives a Vega-Lite specification of a tile.

A specification names its rows `rows`, and its titles `label:<column>`; the page fills in both, since rows depend on the
filters and titles on the language. Each row has a `_state`: ok, immature or small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

from orchestration.boards.grammar import Tile

ROWS = "rows"
# the first colour of static/boards.js
FIRST = "#3b78c2"
_PALE, _BAND = 0.35, 0.18
D3_FORMATS = {
    "percent": ".1%",
    "integer": ",.0f",
    "number": ",.2f",
    "decimal": ",.3f",
    "score": ".1f",
    "money": ",.0f",
    "date": "%Y-%m-%d",
    "month": "%Y-%m",
}
_AXIS_FORMATS = {**D3_FORMATS, "percent": ".0%", "number": ",.4~g", "score": ",.4~g", "decimal": ",.4~g"}
_WHOLE_LABEL = "datum.value % 1 ? '' : datum.label"
_IS_OK = "datum._state === 'ok'"


@dataclass(frozen=True)
class Shown:
    """How the columns of a tile are shown: their kinds (queries.Column) and formats, by name."""

    kinds: Mapping[str, str]
    formats: Mapping[str, str]


def specification(tile: Tile, shown: Shown, *, validate: bool = False) -> dict[str, Any] | None:
    """The chart of a tile as a JSON object; None for the kinds that the page writes as HTML.

    Validation takes longer than all the rest of a board, so that only tests ask for it.
    """
    draw = _CHARTS.get(tile.kind)
    if draw is None:
        return None
    with debug_mode(validate):
        chart = draw(tile, shown).properties(width="container", background="transparent")
        spec = chart.to_dict(validate=validate)
    return {key: value for key, value in spec.items() if key != "config"}


def _base() -> alt.Chart:
    return alt.Chart(alt.NamedData(ROWS))


def _role(tile: Tile, role: str) -> str | None:
    column = tile.roles.get(role)
    return column if isinstance(column, str) else None


def _type(shown: Shown, column: str) -> str:
    return {"date": "temporal", "whole": "quantitative", "number": "quantitative"}.get(shown.kinds[column], "nominal")


def _x(tile: Tile, shown: Shown, role: str = "x") -> alt.X:
    column = tile.roles[role]
    kind = _type(shown, column)
    axis = alt.Axis(format=_axis_format(shown, column), labelOverlap=True, grid=kind != "temporal")
    if kind == "temporal":
        # days without a zone: the same wherever the page is read
        return alt.X(column, type=kind, title=None, axis=axis, scale=alt.Scale(type="utc"))
    return alt.X(column, type=kind, title=f"label:{column}", axis=axis, scale=alt.Scale(nice=False))


def _y(shown: Shown, column: str, *, zero: bool = False) -> alt.Y:
    axis = alt.Axis(format=_axis_format(shown, column), tickCount=5, **_whole_ticks(shown, column))
    return alt.Y(column, type="quantitative", title=f"label:{column}", axis=axis, scale=alt.Scale(zero=zero))


def _axis_format(shown: Shown, column: str) -> str | alt.UndefinedType:
    return _AXIS_FORMATS.get(shown.formats[column], alt.Undefined)


def _whole_ticks(shown: Shown, column: str) -> dict[str, Any]:
    # there is no half customer; a fixed number of ticks may put some between two whole ones all the same
    return {"tickMinStep": 1, "labelExpr": _WHOLE_LABEL} if shown.kinds[column] == "whole" else {}


def _color(tile: Tile, legend: bool = True) -> dict[str, Any]:
    series = _role(tile, "series")
    if series is None:
        return {}
    place = (
        alt.Legend(orient="bottom", title=None, columns=3, symbolType="square", symbolOpacity=1, labelLimit=140)
        if legend
        else None
    )
    return {"color": alt.Color(series, type="nominal", sort=None, title=f"label:{series}", legend=place)}


def _tooltip(tile: Tile, shown: Shown) -> list[alt.Tooltip]:
    columns = dict.fromkeys(column for column in tile.roles.values() if isinstance(column, str))
    return [_tip(shown, column) for column in columns if shown.kinds[column] != "truth"]


def _tip(shown: Shown, column: str) -> alt.Tooltip:
    kind = _type(shown, column)
    if kind == "nominal":
        return alt.Tooltip(column, type=kind, title=f"label:{column}")
    how = D3_FORMATS.get(shown.formats[column], ",.2f")
    # a day of UTC would be shown as the day before west of it
    return alt.Tooltip(
        column,
        type=kind,
        title=f"label:{column}",
        format=how,
        **({"timeUnit": "utcyearmonthdate"} if kind == "temporal" else {}),
    )


def _target(tile: Tile, shown: Shown) -> list[alt.Chart]:
    target = tile.roles.get("target")
    if target is None:
        return []
    value = alt.YDatum(target) if isinstance(target, float) else alt.Y(target, type="quantitative")
    across = {} if isinstance(target, float) else {"x": _x(tile, shown)}
    mark = _base().mark_rule if isinstance(target, float) else _base().mark_line
    return [mark(strokeDash=[6, 4], color="#888888", strokeWidth=1.5).encode(y=value, **across)]


def _line(tile: Tile, shown: Shown) -> alt.LayerChart:
    y = tile.roles["y"]
    x, color = _x(tile, shown), _color(tile)
    layers = _band(tile, x, color, "linear")
    layers.append(_base().mark_line(strokeWidth=2).encode(x=x, y=_y(shown, y), **color))
    hollow = alt.condition(_IS_OK, alt.value(1), alt.value(0))
    points = _base().mark_point(filled=False, size=34, strokeWidth=1.5)
    layers.append(
        points.encode(x=x, y=_y(shown, y), **color, fillOpacity=hollow, **_fill(tile), tooltip=_tooltip(tile, shown))
    )
    return alt.layer(*layers, *_target(tile, shown)).properties(height=240)


def _fill(tile: Tile) -> dict[str, Any]:
    series = _role(tile, "series")
    if series is None:
        return {"fill": alt.value(FIRST)}
    return {"fill": alt.Fill(series, type="nominal", sort=None, legend=None)}


def _band(tile: Tile, x: alt.X, color: Mapping[str, Any], interpolate: str) -> list[alt.Chart]:
    low, high = _role(tile, "low"), _role(tile, "high")
    if low is None or high is None:
        return []
    band = _base().mark_area(interpolate=interpolate, opacity=_BAND).transform_filter("datum._bands")
    return [band.encode(x=x, y=alt.Y(low, type="quantitative"), y2=high, **color)]


def _survival(tile: Tile, shown: Shown) -> alt.LayerChart:
    x, y, color = _x(tile, shown), tile.roles["y"], _color(tile)
    layers = _band(tile, x, color, "step-after")
    layers.append(
        _base().mark_line(interpolate="step-after", strokeWidth=2).encode(x=x, y=_y(shown, y, zero=True), **color)
    )
    dots = _base().mark_point(size=60, opacity=0).encode(x=x, y=_y(shown, y, zero=True), tooltip=_tooltip(tile, shown))
    return alt.layer(*layers, dots).properties(height=240)


def _area(tile: Tile, shown: Shown) -> alt.Chart:
    y = tile.roles["y"]
    stacked = _y(shown, y, zero=True)
    stacked.stack = "zero"
    area = _base().mark_area(opacity=0.85)
    # from below in the order of the rows
    order = alt.Order("_order", type="quantitative")
    area = area.encode(x=_x(tile, shown), y=stacked, order=order, **_color(tile), tooltip=_tooltip(tile, shown))
    return area.properties(height=260)


def _categories(shown: Shown, column: str) -> alt.Y:
    # names speak for themselves, numbers do not
    title = None if shown.kinds[column] == "text" else f"label:{column}"
    return alt.Y(column, type="nominal", sort=None, title=title, axis=alt.Axis(ticks=False, domain=False))


def _bars(tile: Tile, shown: Shown) -> alt.LayerChart:
    category, value = tile.roles["category"], tile.roles["y"]
    y = _categories(shown, category)
    pale = alt.condition(_IS_OK, alt.value(0.9), alt.value(_PALE))
    x = alt.X(
        value,
        type="quantitative",
        title=f"label:{value}",
        axis=alt.Axis(format=_axis_format(shown, value), tickCount=5, **_whole_ticks(shown, value)),
    )
    layers = [_base().mark_bar(height={"band": 0.65}).encode(x=x, y=y, opacity=pale, tooltip=_tooltip(tile, shown))]
    layers += _whiskers(tile, y)
    target = tile.roles.get("target")
    if isinstance(target, float):
        layers.append(
            _base().mark_rule(strokeDash=[6, 4], strokeWidth=1.5, color="#888888").encode(x=alt.XDatum(target))
        )
    elif isinstance(target, str):
        tick = _base().mark_tick(thickness=2.5, size=22, color="#888888")
        layers.append(tick.encode(x=alt.X(target, type="quantitative"), y=y))
    return alt.layer(*layers).properties(height=alt.Step(28))


def _whiskers(tile: Tile, y: alt.Y) -> list[alt.Chart]:
    low, high = _role(tile, "low"), _role(tile, "high")
    if low is None or high is None:
        return []
    rule = _base().mark_rule(strokeWidth=2).transform_filter(_closed(high))
    return [rule.encode(x=alt.X(low, type="quantitative"), x2=high, y=y)]


def _closed(high: str) -> str:
    """The rows whose interval has an upper bound; Vega would draw one that is open upwards down to 0."""
    return f"isValid(datum['{high}'])"


def _forest(tile: Tile, shown: Shown) -> alt.LayerChart:
    category, effect = tile.roles["category"], tile.roles["effect"]
    y = _categories(shown, category)
    x = alt.X(
        effect,
        type="quantitative",
        title=f"label:{effect}",
        axis=alt.Axis(format=_axis_format(shown, effect), tickCount=5, **_whole_ticks(shown, effect)),
    )
    hollow = alt.condition(_IS_OK, alt.value(1), alt.value(_PALE))
    zero = _base().mark_rule(color="#888888").encode(x=alt.XDatum(0))
    point = _base().mark_point(filled=True, size=80).encode(x=x, y=y, opacity=hollow, tooltip=_tooltip(tile, shown))
    return alt.layer(zero, *_whiskers(tile, y), point).properties(height=alt.Step(34))


def _heat(tile: Tile, shown: Shown) -> alt.LayerChart:
    # the page writes both axes and the figures, which Vega would take for moments or for numbers of another language
    x, y, value = tile.roles["x"], tile.roles["y"], tile.roles["value"]
    across = alt.Axis(orient="top", labelAngle=-35 if _type(shown, x) == "nominal" else 0, ticks=False, domain=False)
    at_x = alt.X("_x", type="ordinal", sort=None, title=f"label:{x}", axis=across)
    down = alt.Axis(ticks=False, domain=False, labelLimit=150)
    at_y = alt.Y("_y", type="ordinal", sort=None, title=f"label:{y}", axis=down)
    color = alt.Color(value, type="quantitative", legend=None, scale=alt.Scale(scheme="blues", zero=True))
    pale = alt.condition(_IS_OK, alt.value(1), alt.value(_PALE))
    cells = _base().mark_rect().encode(x=at_x, y=at_y, color=color, opacity=pale, tooltip=_tooltip(tile, shown))
    figures = _base().mark_text(fontSize=11).encode(x=at_x, y=at_y, text=alt.Text("_text", type="nominal"))
    strong = figures.transform_filter("datum._strong").encode(color=alt.value("#ffffff"))
    weak = figures.transform_filter("!datum._strong").encode(color=alt.value("#1b1f24"))
    return alt.layer(cells, weak, strong).properties(height=alt.Step(24))


def _funnel(tile: Tile, shown: Shown) -> alt.LayerChart:
    stage, value = tile.roles["stage"], tile.roles["y"]
    base = (
        _base()
        .transform_window(first=f"first_value({value})")
        .transform_calculate(
            told=f"format(datum.{value}, ',.0f') + ' (' + format(datum.{value} / datum.first, '.1%') + ')'",
            # room for the text beside the longest bar
            reach="datum.first * (1 + 120 / max(width - 120, 60))",
        )
    )
    y = _categories(shown, stage)
    x = alt.X(value, type="quantitative", title=None, axis=None)
    bars = base.mark_bar(height={"band": 0.7}).encode(x=x, y=y, tooltip=_tooltip(tile, shown))
    figures = base.mark_text(align="left", dx=6).encode(x=x, y=y, text=alt.Text("told", type="nominal"))
    room = base.mark_point(opacity=0).encode(x=alt.X("reach", type="quantitative"), y=y)
    return alt.layer(bars, figures, room).properties(height=alt.Step(36))


def _distribution(tile: Tile, shown: Shown) -> alt.Chart:
    x, y = tile.roles["x"], tile.roles["y"]
    axis = alt.Axis(
        labelAngle=0,
        labelOverlap=True,
        format=_axis_format(shown, x) if _type(shown, x) == "quantitative" else alt.Undefined,
    )
    at_x = alt.X(x, type="ordinal", sort=None, title=f"label:{x}", axis=axis)
    bars = (
        _base()
        .mark_bar(opacity=0.9)
        .encode(x=at_x, y=_y(shown, y, zero=True), **_color(tile), tooltip=_tooltip(tile, shown))
    )
    return bars.properties(height=240)


def _calibration(tile: Tile, shown: Shown) -> alt.LayerChart:
    predicted, observed = tile.roles["predicted"], tile.roles["observed"]
    x = alt.X(
        predicted,
        type="quantitative",
        title=f"label:{predicted}",
        scale=alt.Scale(zero=False),
        axis=alt.Axis(format=_axis_format(shown, predicted), tickCount=5, **_whole_ticks(shown, predicted)),
    )
    # the diagonal: what was predicted happened
    line = _base().mark_line(strokeDash=[6, 4], color="#888888").encode(x=x, y=alt.Y(predicted, type="quantitative"))
    low, high = _role(tile, "low"), _role(tile, "high")
    spans = []
    if low is not None and high is not None:
        rule = _base().mark_rule(strokeWidth=1.5).transform_filter(_closed(high))
        spans = [rule.encode(x=x, y=alt.Y(low, type="quantitative"), y2=high)]
    hollow = alt.condition(_IS_OK, alt.value(0.9), alt.value(_PALE))
    points = (
        _base()
        .mark_point(filled=True, size=70)
        .encode(x=x, y=_y(shown, observed), opacity=hollow, **_color(tile), tooltip=_tooltip(tile, shown))
    )
    return alt.layer(line, *spans, points).properties(height=280)


_CHARTS: dict[str, Callable[[Tile, Shown], alt.Chart | alt.LayerChart]] = {
    "line": _line,
    "bars": _bars,
    "area": _area,
    "heat": _heat,
    "survival": _survival,
    "funnel": _funnel,
    "distribution": _distribution,
    "calibration": _calibration,
    "forest": _forest,
}
