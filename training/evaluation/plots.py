"""Draw an evaluation: the tags side by side, and ROC and PR curves over all tags. Equal evaluations give equal bytes."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from training.evaluation.curves import GRID, curves_of
from training.evaluation.files import Evaluation
from training.evaluation.stored_scores import StoredScores
from training.metrics.reliability import BINS, Reliability

SHOWN_TAGS = 30  # drawn from each end of the ranking of tags
_ROC, _PR, _CHANCE, _MICRO = "#9ab4cf", "#1f4e79", "#c0392b", "#d08a2e"
_INCHES_PER_TAG = 0.24


def draw_per_tag(result: Evaluation) -> bytes:
    """Draw PR-AUC and ROC-AUC of the defined tags as a PNG, the best PR-AUC on top, with the share of positives.

    If there are many tags, only the best and the worst are drawn, and a line shows how many lie between them.
    """
    with _own_settings():
        return _png(_per_tag_figure(result))


def draw_curves(result: Evaluation, stored: StoredScores) -> bytes:
    """Draw ROC and PR curves as a PNG: the mean over tags, and all tags in one ranking."""
    with _own_settings():
        return _png(_curves_figure(result, stored))


def draw_reliability(before: Reliability, after: Reliability, title: str) -> bytes:
    """Draw, as a PNG, how often pairs of track and tag are positive at each score, before and after a calibration.

    Args:
        before: reliability of the scores as they were.
        after: reliability of the calibrated scores.
        title: the line above the picture.
    """
    with _own_settings():
        figure, (axes, counts_axes) = _figure(9.6, 4.9, columns=2)
        edges = np.linspace(0, 1, BINS + 1)
        for name, one, colour in (("before", before, _MICRO), ("after", after, _PR)):
            label = f"{name} (expected calibration error {one.error:.3f})"
            filled = one.counts > 0
            axes.plot(
                one.means[filled],
                one.shares[filled],
                color=colour,
                marker="o",
                markersize=4,
                linewidth=1.8,
                label=label,
            )
            counts_axes.stairs(one.counts, edges, color=colour, linewidth=1.8, label=name)
        axes.plot([0, 1], [0, 1], color="0.5", linestyle=":", linewidth=1.2, label="a score is a probability")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean score in a bin", ylabel="share of positives", aspect="equal")
        counts_axes.set(xlim=(0, 1), xlabel="score", ylabel="pairs of track and tag", yscale="symlog")
        for one_axes in (axes, counts_axes):
            one_axes.grid(color="0.9", linewidth=0.6)
            one_axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=8, frameon=False)
        figure.suptitle(title.replace("$", r"\$"), fontsize=9)
        return _png(figure)


def _per_tag_figure(result: Evaluation) -> Any:
    named = zip(result.vocabulary, result.metrics.per_tag, strict=True)
    ranked = sorted(
        ((tag, one) for tag, one in named if not math.isnan(one.roc_auc)), key=lambda pair: (-pair[1].pr_auc, pair[0])
    )
    left_out = max(0, len(ranked) - 2 * SHOWN_TAGS)
    best, worst = (ranked[:SHOWN_TAGS], ranked[-SHOWN_TAGS:]) if left_out else (ranked, [])
    shown = [*best, *worst]
    places = np.arange(len(shown), dtype=float)
    places[len(best) :] += 1.6 if left_out else 0  # room for the text between
    rows = max(4.0, places[-1] + 1 if shown else 0.0)
    figure, axes = _figure(8.0, rows * _INCHES_PER_TAG + 1.5)
    if shown:
        one = [metrics for _, metrics in shown]
        axes.barh(places - 0.2, [tag.roc_auc for tag in one], 0.36, color=_ROC, label="ROC-AUC")
        axes.barh(places + 0.2, [tag.pr_auc for tag in one], 0.36, color=_PR, label="PR-AUC")
        shares = [tag.positives / tag.tracks for tag in one]
        axes.vlines(
            shares, places, places + 0.4, color=_CHANCE, linewidth=1.6, label="PR-AUC by chance (share of positives)"
        )
        axes.axvline(0.5, color=_ROC, linewidth=0.8, linestyle=":", label="ROC-AUC by chance", zorder=0)
        axes.set_yticks(places, [f"{_shortened(tag)} ({metrics.positives:,})" for tag, metrics in shown], fontsize=8)
        axes.set_ylim(places[-1] + 0.8, -0.8)
        if left_out:
            axes.text(
                0.5, places[len(best)] - 1.3, f"{left_out:,} tags between them are not shown", fontsize=8, ha="center",
                va="center", style="italic", color="0.35",
            )  # fmt: skip
        figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    else:
        axes.text(0.5, 0.5, "no tag has both a positive and a negative", ha="center", va="center")
        axes.set_yticks([])
    axes.set_xlim(0, 1)
    axes.tick_params(axis="x", labeltop=True, top=True, labelsize=8)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    undefined = f", {len(result.undefined)} not defined" if result.undefined else ""
    figure.suptitle(
        f"{result.mapping.labels.reference}, {result.tracks:,} {result.split} tracks: "
        f"{result.metrics.tags_defined} tags{undefined}; positives in brackets",
        fontsize=9,
    )
    return figure


def _curves_figure(result: Evaluation, stored: StoredScores) -> Any:
    figure, (roc_axes, pr_axes) = _figure(9.6, 4.9, columns=2)
    curves, metrics = curves_of(stored), result.metrics
    for axes, x, y in ((roc_axes, "false positive rate", "true positive rate"), (pr_axes, "recall", "precision")):
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=x, ylabel=y, aspect="equal")
        axes.grid(color="0.9", linewidth=0.6)
        if curves is None:
            axes.text(0.5, 0.5, "no tag has both a positive and a negative", ha="center", va="center", fontsize=8)
    if curves is not None:
        chance: dict[str, Any] = {"linestyle": ":", "linewidth": 1.2}
        macro: dict[str, Any] = {"color": _PR, "linewidth": 1.8}
        micro: dict[str, Any] = {"color": _MICRO, "linewidth": 1.8}
        roc_axes.plot(GRID, curves.roc_macro, label=f"mean over tags (area {metrics.roc_auc_macro:.3f})", **macro)
        roc_axes.plot(GRID, curves.roc_micro, label=f"all pairs (area {metrics.roc_auc_micro:.3f})", **micro)
        roc_axes.plot([0, 1], [0, 1], color="0.5", label="chance", **chance)
        pr_axes.plot(GRID, curves.pr_macro, label=f"mean over tags (area {metrics.pr_auc_macro:.3f})", **macro)
        pr_axes.plot(GRID, curves.pr_micro, label=f"all pairs (area {metrics.pr_auc_micro:.3f})", **micro)
        pr_axes.axhline(curves.positive_share_macro, color=_PR, label="chance, mean over tags", **chance)
        pr_axes.axhline(curves.positive_share, color=_MICRO, label="chance, all pairs", **chance)
        for axes in (roc_axes, pr_axes):
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=8, frameon=False)
    figure.suptitle(
        f"{result.mapping.labels.reference}, {result.tracks:,} {result.split} tracks, {metrics.tags_defined} tags",
        fontsize=9,
    )
    return figure


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """Use Matplotlib's defaults, regardless of the user's settings."""
    import matplotlib

    with matplotlib.rc_context(dict(matplotlib.rcParamsDefault)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # boxes replace those letters
        yield


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    # Not pyplot: a standalone figure needs no display and is not kept in memory.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _png(figure: Any) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()


def _shortened(tag: str, most: int = 40) -> str:
    # A dollar sign would start a formula.
    return (tag if len(tag) <= most else f"{tag[: most - 1]}…").replace("$", r"\$")
