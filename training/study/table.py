"""A study as a table for the terminal."""

from __future__ import annotations

import math

import numpy as np

from training.baselines.kinds import BASELINES, NAMES
from training.study.results import MEASURE_NAMES, MEASURES, Gap, Measure, StudyResults

UNDEFINED = "-"  # not trained, or no tag has both a positive and a negative


def table_lines(results: StudyResults) -> list[str]:
    """A block per measure, a line per size: means over seeds ± deviation, baselines, and the gap with its interval."""
    lines = []
    for measure in MEASURES:
        names = [*results.frontends, *(NAMES[kind] for kind in BASELINES), "spectrogram - waveform"]
        rows = [["tracks", *names]]
        for share, tracks in results.sizes.items():
            cells = [_seeds(results.values(frontend, share, measure)) for frontend in results.frontends]
            cells += [_baseline(results, kind, share, measure) for kind in BASELINES]
            rows.append([f"{tracks:,}", *cells, _gap(results.gap(share, measure))])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines.append(f"{MEASURE_NAMES[measure]}, macro, {results.test_tracks:,} test tracks of {results.label_set}:")
        lines += [
            "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
    lines.append("  ±: deviation over seeds; […]: 95 % interval of the mean gap over seeds, paired by seed")
    return lines


def _seeds(values: dict[int, float]) -> str:
    numbers = list(values.values())
    if not numbers or np.isnan(numbers).any():
        return UNDEFINED
    spread = f" ± {np.std(numbers, ddof=1):.4f}" if len(numbers) > 1 else ""
    return f"{np.mean(numbers):.4f}{spread}"


def _baseline(results: StudyResults, kind: str, share: float, measure: Measure) -> str:
    found = [getattr(row, measure) for row in results.baselines if (row.baseline, row.share) == (kind, share)]
    return f"{found[0]:.4f}" if found and not math.isnan(found[0]) else UNDEFINED


def _gap(gap: Gap | None) -> str:
    if gap is None or math.isnan(gap.mean):
        return UNDEFINED
    interval = "" if gap.interval is None else f" [{gap.interval[0]:+.4f}, {gap.interval[1]:+.4f}]"
    return f"{gap.mean:+.4f}{interval}"
