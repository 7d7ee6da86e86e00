"""The closing words of a study."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from schemas.console.report import Column, Line, Report, Table, heading, widest
from training.baselines.kinds import BASELINES, NAMES
from training.study.results import MEASURE_NAMES, MEASURES, Gap, Measure, StudyResults

UNDEFINED = "-"  # not trained, or no tag has both a positive and a negative


def study_report(results: StudyResults, out: str) -> Report:
    """A table per measure, a row per size: means over seeds ± deviation, baselines, and the gap with its interval.

    Args:
        results: of the study.
        out: folder that they were written to.
    """
    return Report.of(_parts(results, out))


def _parts(results: StudyResults, out: str) -> Iterator[Line | Table]:
    for measure in MEASURES:
        yield heading(f"{MEASURE_NAMES[measure]}, macro, {results.test_tracks:,} test tracks of {results.label_set}:")
        yield _table(results, measure)
    yield Line("  ±: deviation over seeds; […]: 95 % interval of the mean gap over seeds, paired by seed")
    yield Line(f"  written to {out}/study.json, study.csv, study.png and study.svg")


def _table(results: StudyResults, measure: Measure) -> Table:
    titles = ("tracks", *results.frontends, *(NAMES[kind] for kind in BASELINES), "spectrogram - waveform")
    rows = []
    for share, tracks in results.sizes.items():
        cells = [_seeds(results.values(frontend, share, measure)) for frontend in results.frontends]
        cells += [_baseline(results, kind, share, measure) for kind in BASELINES]
        rows.append((f"{tracks:,}", *cells, _gap(results.gap(share, measure))))
    widths = [widest(column) for column in zip(titles, *rows, strict=True)]
    columns = (Column(title, width, right=True) for title, width in zip(titles, widths, strict=True))
    return Table(tuple(columns), tuple(rows))


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
