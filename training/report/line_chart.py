"""A line chart as SVG in the page: its colours are the page's own, light or dark."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from schemas.console.page import text

POINTS = 600  # drawn of a line at most, evenly chosen: more than there are pixels
_DOTS = 60  # up to so many points each is a dot with its value
_WIDTH, _HEIGHT = 460, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 26  # margins of the plot
_TICKS = 4  # about so many on each axis

Line = tuple[str, Sequence[tuple[float, float]]]  # name; x and y of its points, x ascending


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    marked: float | None = None,
    logarithmic: bool = False,
    from_zero: bool = False,
) -> str:
    """Draw lines over a common axis of whole numbers.

    Args:
        title: plain text.
        lines: those without a point are left out.
        marked: an x that gets a vertical line.
        logarithmic: a logarithmic y axis; values must be positive.
        from_zero: a y axis that begins at 0.

    Returns:
        A figure; empty where no line has a point.
    """
    lines = [(name, _thinned(points)) for name, points in lines if len(points)]
    if not lines:
        return ""
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    x_low, x_high = (min(xs), max(xs)) if min(xs) < max(xs) else (min(xs) - 1, max(xs) + 1)
    y_ticks = _log_ticks(min(ys), max(ys)) if logarithmic else _ticks(0 if from_zero else min(ys), max(ys))
    low, high = min(*y_ticks, *ys), max(*y_ticks, *ys)

    def across(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        share = math.log(y / low) / math.log(high / low) if logarithmic else (y - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_y_tick(up(tick), tick) for tick in y_ticks]
    x_ticks = [tick for tick in _ticks(x_low, x_high) if tick == round(tick) and min(xs) <= tick <= max(xs)]
    parts += [
        f'<text class="tick" x="{across(tick):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{tick:g}</text>'
        for tick in x_ticks
    ]
    if marked is not None and min(xs) <= marked <= max(xs):
        place = f"{across(marked):.1f}"
        parts.append(f'<line class="mark" x1="{place}" x2="{place}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
    for number, (name, points) in enumerate(lines):
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="line line{number}" points="{path}"/>')
        if len(points) <= _DOTS:
            parts += [
                f'<circle class="dot{number}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5">'
                f"<title>{text(name)}, {x:g}: {y:.4g}</title></circle>"
                for x, y in points
            ]
    drawn = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(title)}">{"".join(parts)}</svg>'
    names = "".join(f'<span class="key key{number}">{text(name)}</span>' for number, (name, _) in enumerate(lines))
    return f"<figure><figcaption><b>{text(title)}</b>{names if len(lines) > 1 else ''}</figcaption>{drawn}</figure>"


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= POINTS:
        return points
    return [points[int(number)] for number in np.linspace(0, len(points) - 1, POINTS).round()]


def _y_tick(place: float, tick: float) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{place + 4:.1f}" text-anchor="end">{_figure(tick)}</text>'
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`."""
    if high == low:  # a flat line is drawn half-way up
        low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
    rough = (high - low) / _TICKS
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * factor for factor in (1, 2, 2.5, 5, 10) if scale * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around the values."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]
