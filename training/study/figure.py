"""Draw a study: both measures against the size of the training set."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from schemas.storage.files import join, write_atomic
from training.baselines.kinds import BASELINES, NAMES
from training.study.results import MEASURE_NAMES, MEASURES, Measure, StudyResults

COLOURS = {
    "spectrogram": "#1f6fb4",
    "waveform": "#d1495b",
    "musicnn": "#2a9d5c",
    "vgg": "#8a5fbf",
    "short-chunk": "#c77f1b",
    "logistic": "#7a7a7a",
    "trees": "#3b3b3b",
}
LINES = {"logistic": (0, (2, 2)), "trees": (0, (6, 2))}
MARKERS = {"spectrogram": "o", "waveform": "s", "musicnn": "^", "vgg": "D", "short-chunk": "v"}
INCHES = (9.0, 4.2)
DOTS_PER_INCH = 150

# Keep the time, the machine and randomness out of the files.
_SETTINGS = {"svg.hashsalt": "tagscale", "font.family": "DejaVu Sans", "font.size": 9}
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def write_figures(results: StudyResults, out: str) -> None:
    """Write OUT/study.png and OUT/study.svg."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS, "backend": "agg"}):
        figure = draw(results)
        for kind, metadata in _METADATA.items():
            sink = io.BytesIO()
            figure.savefig(sink, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
            write_atomic(join(out, f"study.{kind}"), sink.getvalue())


def draw(results: StudyResults) -> Figure:
    """Draw two panels: the mean over seeds with its spread, a point per seed, and the baselines as lines."""
    figure = Figure(figsize=INCHES, layout="constrained")
    panels = figure.subplots(1, len(MEASURES))
    for panel, measure in zip(panels, MEASURES, strict=True):
        for frontend in results.frontends:
            _draw_frontend(panel, results, frontend, measure)
        _draw_baselines(panel, results, measure)
        _draw_axes(panel, results, measure)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    return figure


def _draw_frontend(panel: Any, results: StudyResults, frontend: str, measure: Measure) -> None:
    sizes, means, lows, highs = [], [], [], []
    for share, tracks in results.sizes.items():
        values = np.array(list(results.values(frontend, share, measure).values()))
        if len(values) == 0:
            continue
        sizes.append(tracks)
        means.append(values.mean())
        lows.append(values.min())
        highs.append(values.max())
        panel.plot(
            [tracks] * len(values),
            values,
            linestyle="none",
            marker=MARKERS[frontend],
            markersize=4,
            markerfacecolor="none",
            markeredgecolor=COLOURS[frontend],
            alpha=0.8,
        )
    panel.fill_between(sizes, lows, highs, color=COLOURS[frontend], alpha=0.15, linewidth=0)
    panel.plot(sizes, means, color=COLOURS[frontend], marker=MARKERS[frontend], markersize=5, label=frontend)


def _draw_baselines(panel: Any, results: StudyResults, measure: Measure) -> None:
    for kind in BASELINES:
        rows = [row for row in results.baselines if row.baseline == kind]
        panel.plot(
            [row.tracks for row in rows],
            [getattr(row, measure) for row in rows],
            color=COLOURS[kind],
            linestyle=LINES[kind],
            linewidth=1.2,
            marker="x",
            markersize=4,
            label=NAMES[kind],
        )


def _draw_axes(panel: Any, results: StudyResults, measure: Measure) -> None:
    sizes = list(results.sizes.values())
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(sizes))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xticklabels([f"{size:,}" for size in sizes])
    panel.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    panel.set_xlabel("training tracks")
    panel.set_ylabel(f"{MEASURE_NAMES[measure]}, macro, {results.test_tracks:,} test tracks")
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
