"""Line charts, drawn by matplotlib as SVG that is part of the page."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from training.report.inline_svg import COLOURS, inline_svg

POINTS = 600  # at most, evenly chosen from a line: more than there are pixels
_DOTS = 60  # a line with at most this many points has a dot with its value for each
_WIDTH, _HEIGHT = 460, 200  # units of the drawing: matplotlib's points, pixels on a page that is wide enough
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 26  # margins of the plot
_INTERVALS = 5  # between ticks of an axis, at most
_POINTS_PER_INCH = 72
_SETTINGS = {
    "axes.autolimit_mode": "round_numbers",  # an axis ends at ticks
    "axes.ymargin": 0,
    "font.family": "DejaVu Sans",  # ships with matplotlib; the page sets its own
    "font.size": 11,
    "path.simplify": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tagscale",
}
# Keep the time and the machine out of the page.
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))

Line = tuple[str, Sequence[tuple[float, float]]]  # name; x and y of its points, x ascending


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart for a page.

    Attributes:
        title: plain text.
        names: names of the lines, in the order of their colours; plain text.
        svg: an element `svg`. Lines are groups of class line0, line1, …, the vertical mark is one of class mark; a dot
            is a circle whose title gives its value.
    """

    title: str
    names: list[str]
    svg: str


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    marked: float | None = None,
    logarithmic: bool = False,
    from_zero: bool = False,
) -> Chart | None:
    """Draw lines over a common axis of whole numbers.

    Args:
        title: plain text.
        lines: lines to draw; those without a point are left out.
        marked: an x that gets a vertical line.
        logarithmic: use a logarithmic y axis; values must be positive.
        from_zero: start the y axis at 0.

    Returns:
        The chart; None if no line has a point.
    """
    import matplotlib

    lines = [(name, _thinned(points)) for name, points in lines if len(points)]
    if not lines:
        return None
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS, "backend": "agg"}):
        figure, axes = _empty_chart()
        for number, (_, points) in enumerate(lines):
            _draw_line(axes, number, points)
        _set_axes(axes, logarithmic=logarithmic, from_zero=from_zero)
        first, last = axes.dataLim.intervalx
        if marked is not None and first <= marked <= last:
            dashes = {"color": COLOURS["quiet"], "linewidth": 1, "linestyle": (0, (3, 3))}
            axes.axvline(marked, clip_on=False, gid="mark", **dashes)
        sink = io.BytesIO()
        figure.savefig(sink, format="svg", metadata=_METADATA)
    titles = {
        f"line{number}": [f"{name}, {x:g}: {y:.4g}" for x, y in points] for number, (name, points) in enumerate(lines)
    }
    return Chart(title, [name for name, _ in lines], inline_svg(sink.getvalue(), title, titles))


def _empty_chart() -> tuple[Any, Any]:
    # Not pyplot: a standalone figure needs no display and is not kept in memory.
    from matplotlib.figure import Figure

    figure = Figure((_WIDTH / _POINTS_PER_INCH, _HEIGHT / _POINTS_PER_INCH), facecolor="none")
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, width / _WIDTH, height / _HEIGHT), frameon=False)
    return figure, axes


def _draw_line(axes: Any, number: int, points: Sequence[tuple[float, float]]) -> None:
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        color=COLOURS[("bar", "second")[number]],
        linewidth=1.8,
        solid_joinstyle="round",
        marker="o" if len(points) <= _DOTS else None,
        markersize=5,
        markeredgewidth=0,
        clip_on=False,  # a clipped element would refer to another one by url(#…)
        gid=f"line{number}",
    )


def _set_axes(axes: Any, *, logarithmic: bool, from_zero: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    first, last = axes.dataLim.intervalx
    axes.set_xlim(*((first, last) if first < last else (first - 1, last + 1)))
    whole = MaxNLocator(_INTERVALS, integer=True, steps=[1, 2, 5, 10])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xticks([x for x in whole.tick_values(first, last) if first <= x <= last] if first < last else [first])
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    if from_zero:
        axes.update_datalim([(first, 0)])
    low, high = axes.dataLim.intervaly
    if low == high:  # a flat line is drawn half-way up, between short labels
        axes.update_datalim([(first, low - (abs(low) / 2 or 0.5)), (first, high + (abs(high) / 2 or 0.5))])
    axes.yaxis.set_major_locator(LogLocator() if logarithmic else MaxNLocator(_INTERVALS, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _figure(y)))
    axes.autoscale_view(scalex=False)
    axes.grid(axis="y", color=COLOURS["line"], linewidth=1, clip_on=False)
    axes.tick_params(length=0, pad=8, labelcolor=COLOURS["quiet"])
    axes.set_axisbelow(True)


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= POINTS:
        return points
    return [points[int(number)] for number in np.linspace(0, len(points) - 1, POINTS).round()]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
