"""The printed table of the quality benchmark: a line for each result, and one for the mean of several."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from benchmarks.quality_corpora import Corpus
from benchmarks.quality_figures import Figures, Interval

HEADING = (
    f"{'trained on':<18} {'tested on':<18} {'contestant':<22} {'seed':>4} {'ROC-AUC':>7} {'95 %':>13} {'PR-AUC':>7} "
    f"{'95 %':>13} {'accuracy':>8} {'CPU s':>7} {'examples':>9}"
)
NOTHING = "-"


@dataclasses.dataclass(frozen=True)
class Row:
    """A result.

    Attributes:
        trained_on: the corpus it was trained on.
        tested_on: the corpus it was tested on, mostly the same.
        contestant: name of the contestant.
        seed: seed; None if no seed changes the result.
        figures: figures on the test split.
        cpu_seconds: of training it and testing it on its own corpus.
        examples: training examples until the validation PR-AUC reached the target; None if it never did.
    """

    trained_on: Corpus
    tested_on: Corpus
    contestant: str
    seed: int | None
    figures: Figures
    cpu_seconds: float
    examples: int | None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them; a corpus is its title."""
        titles = {"trained_on": self.trained_on.title, "tested_on": self.tested_on.title}
        return {**dataclasses.asdict(self), **titles, "figures": self.figures.to_dict()}


def line(row: Row) -> str:
    """The line of one result."""
    figures, seed = row.figures, NOTHING if row.seed is None else str(row.seed)
    return (
        f"{row.trained_on.title:<18} {row.tested_on.title:<18} {row.contestant:<22} {seed:>4} "
        f"{_number(figures.roc_auc)} {_interval(figures.roc_auc_interval)} "
        f"{_number(figures.pr_auc)} {_interval(figures.pr_auc_interval)} "
        f"{_share(figures.accuracy)} {row.cpu_seconds:>7.0f} {NOTHING if row.examples is None else f'{row.examples:,}':>9}"
    )


def mean_lines(rows: Sequence[Row]) -> list[str]:
    """A line for each contestant that has several results on a corpus: means over its seeds and folds, and deviations.

    The interval of a mean over seeds has the means of the seeds' ends: it is a little too wide, for the tracks are the same.
    A mean over folds has none, since each fold has an interval over other tracks.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.trained_on.name, row.tested_on.name, row.contestant), []).append(row)
    return [_mean_line(*names, of) for names, of in groups.items() if len(of) > 1]


def _mean_line(trained_on: str, tested_on: str, contestant: str, rows: list[Row]) -> str:
    tested = {row.tested_on.title for row in rows}
    runs = len(rows)
    roc, pr = [row.figures.roc_auc for row in rows], [row.figures.pr_auc for row in rows]
    ends = [
        _mean_interval([getattr(row.figures, name) for row in rows]) for name in ("roc_auc_interval", "pr_auc_interval")
    ]
    if len(tested) > 1:
        ends = [(math.nan, math.nan)] * 2
    reached = [row.examples for row in rows if row.examples is not None]
    examples = f"{fmean(reached):,.0f}" if len(reached) == runs else NOTHING
    return (
        f"{trained_on:<18} {tested_on:<18} {contestant:<22} {f'x{runs}':>4} "
        f"{_number(fmean(roc))} {_interval(ends[0])} {_number(fmean(pr))} {_interval(ends[1])} "
        f"{_share(fmean(row.figures.accuracy for row in rows))} {fmean(row.cpu_seconds for row in rows):>7.0f} {examples:>9}"
        f"  deviation {stdev(roc):.4f} {stdev(pr):.4f}"
    )


def _mean_interval(intervals: list[Interval]) -> Interval:
    return fmean(low for low, _ in intervals), fmean(high for _, high in intervals)


def _number(value: float) -> str:
    return f"{NOTHING if math.isnan(value) else f'{value:.4f}':>7}"


def _interval(ends: Interval) -> str:
    return f"{NOTHING if any(map(math.isnan, ends)) else f'{ends[0]:.4f}-{ends[1]:.4f}':>13}"


def _share(value: float) -> str:
    return f"{NOTHING if math.isnan(value) else f'{value:.1%}':>8}"
