"""The course of a run: curves over its epochs or steps, and its cost."""

from __future__ import annotations

import dataclasses
import math
from statistics import median
from typing import Any

from training.report.line_chart import Chart, Line, line_chart
from training.report.run_facts import RunFacts, is_number


@dataclasses.dataclass(frozen=True)
class Curves:
    """Charts over epochs or steps.

    Attributes:
        charts: charts of loss, validation metrics and learning rate, as far as there are values.
        unit: epoch or step.
        best: the epoch or step that is marked in them; None before the first validation.
    """

    charts: list[Chart]
    unit: str
    best: float | None


@dataclasses.dataclass(frozen=True)
class Throughput:
    """The cost of a run.

    Attributes:
        total: time of all epochs, or of all stretches between validations, in words.
        parts: number of these.
        part: median time of one, in words.
        unit: epoch or stretch.
        examples_per_second: median number of examples per second; None if it was not measured.
        input_wait: median share of the time spent waiting for input; None if it was not measured.
        charts: charts of examples per second and of the waiting share, as far as there are values.
    """

    total: str
    parts: int
    part: str
    unit: str
    examples_per_second: float | None
    input_wait: float | None
    charts: list[Chart]


def curves(facts: RunFacts) -> Curves:
    """Draw loss, validation metrics and learning rate, with the best epoch marked."""
    best = facts.best_epoch
    marked = None if best is None else best[facts.unit]
    losses = [_line(facts, "training", "loss"), _line(facts, "validation", "validation_loss")]
    charts = [
        line_chart("Loss", losses, marked=marked),
        line_chart("Validation ROC-AUC, macro", [_line(facts, "ROC-AUC", "validation_roc_auc")], marked=marked),
        line_chart("Validation PR-AUC, macro", [_line(facts, "PR-AUC", "validation_pr_auc")], marked=marked),
        _learning_rate(facts, marked),
    ]
    return Curves([chart for chart in charts if chart is not None], facts.unit, marked)


def throughput(facts: RunFacts) -> Throughput | None:
    """Gather the cost of a run; None before its first epoch."""
    seconds = _values(facts, "seconds")
    if not seconds:
        return None
    rates, waits = _values(facts, "examples_per_second"), _values(facts, "input_wait")
    waiting = "Share of time waiting for input"
    charts = [
        line_chart("Examples a second", [_line(facts, "examples a second", "examples_per_second")], from_zero=True),
        line_chart(waiting, [_line(facts, "share", "input_wait")], from_zero=True),
    ]
    return Throughput(
        total=_duration(sum(seconds)),
        parts=len(seconds),
        part=_duration(median(seconds)),
        unit="stretch" if facts.config.counts_steps else "epoch",
        examples_per_second=median(rates) if rates else None,
        input_wait=median(waits) if waits else None,
        charts=[chart for chart in charts if chart is not None],
    )


def _learning_rate(facts: RunFacts, marked: float | None) -> Chart | None:
    name, points = _line(facts, "learning rate", "learning_rate")
    rates = [rate for _, rate in points]
    # A rate that was halved many times, or that falls along a cosine, spans powers of ten; warm-up may start at 0.
    logarithmic = bool(rates) and min(rates) > 0 and max(rates) >= 10 * min(rates)
    return line_chart("Learning rate", [(name, points)], marked=marked, logarithmic=logarithmic)


def _line(facts: RunFacts, name: str, field: str) -> Line:
    return name, [(line[facts.unit], line[field]) for line in facts.epochs if is_number(line.get(field))]


def _values(facts: RunFacts, field: str) -> list[Any]:
    return [line[field] for line in facts.epochs if is_number(line.get(field))]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = math.floor(seconds / 60 + 0.5)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
