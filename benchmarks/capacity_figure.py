"""Draw the simulated builds: time against workers, and time against shard size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.capacity_grid import DEFAULT_MIB, TRACKS, WORKERS, Simulated, best_sizes

COLOURS = ("#1f6fb4", "#d1495b", "#3b8f5a", "#7a7a7a")
MARKERS = ("o", "s", "^", "D")
INCHES = (9.0, 4.2)
DOTS_PER_INCH = 150
_SETTINGS = {"font.family": "DejaVu Sans", "font.size": 9, "backend": "agg"}


def write_figure(built: list[Simulated], path: Path) -> None:
    """Write the figure as PNG, without the time or the machine in it."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}):
        figure = Figure(figsize=INCHES, layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_workers(left, built)
        _draw_sizes(right, built)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    path.write_bytes(sink.getvalue())


def _draw_workers(panel: Any, built: list[Simulated]) -> None:
    for tracks, colour, marker in zip(TRACKS, COLOURS, MARKERS, strict=False):
        rows = [row for row in built if (row.tracks, row.shard_mib) == (tracks, DEFAULT_MIB)]
        panel.plot(
            [row.workers for row in rows],
            [row.seconds / 3600 for row in rows],
            color=colour,
            marker=marker,
            label=f"{tracks / 1e6:g} million tracks",
        )
        ideal = [row.seconds * row.efficiency / 3600 for row in rows]
        panel.plot([row.workers for row in rows], ideal, color=colour, linewidth=1, linestyle=(0, (2, 2)))
        for row in rows:
            place = (row.workers, row.seconds / 3600)
            panel.annotate(row.binds, place, xytext=(0, 8), textcoords="offset points", fontsize=7, ha="center")
    panel.plot([], [], color="#3b3b3b", linewidth=1, linestyle=(0, (2, 2)), label="work / workers")
    _log_axes(panel, WORKERS, "workers", f"hours, shards of {DEFAULT_MIB} MiB")
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.margins(x=0.15, y=0.1)
    panel.legend(frameon=False)


def _draw_sizes(panel: Any, built: list[Simulated]) -> None:
    tracks = TRACKS[0]
    best = best_sizes(built)
    for workers, colour, marker in zip(WORKERS, COLOURS, MARKERS, strict=True):
        rows = [row for row in built if (row.tracks, row.workers) == (tracks, workers)]
        panel.plot(
            [row.shard_mib for row in rows],
            [row.seconds / best[tracks, workers][0].seconds for row in rows],
            color=colour,
            marker=marker,
            markersize=4,
            label=f"{workers:,} workers",
        )
    panel.axvline(DEFAULT_MIB, color="#bbbbbb", linewidth=1)
    sizes = [row.shard_mib for row in built if (row.tracks, row.workers) == (tracks, WORKERS[0])]
    _log_axes(panel, sizes, "MiB in a shard (grey: the default)", "time / time with the best size")
    panel.set_title(f"{tracks / 1e6:g} million tracks", fontsize=9)
    panel.set_ylim(0.95, 3.0)
    panel.legend(frameon=False)


def _log_axes(panel: Any, places: Any, across: str, up: str) -> None:
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(list(places)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.set_xlabel(across)
    panel.set_ylabel(up)
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
