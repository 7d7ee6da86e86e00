"""How a run went: curves over its epochs, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median
from typing import Any

from schemas.console.page import tiles
from training.report.cells import quiet
from training.report.line_chart import Line, line_chart
from training.report.run_facts import RunFacts, is_number


def curves(facts: RunFacts) -> Iterator[str]:
    """Loss, validation metrics and learning rate, the best epoch marked."""
    best = facts.best_epoch
    marked = None if best is None else best["epoch"]
    losses = [_line(facts, "training", "loss"), _line(facts, "validation", "validation_loss")]
    charts = [
        line_chart("Loss", losses, marked=marked),
        line_chart("Validation ROC-AUC, macro", [_line(facts, "ROC-AUC", "validation_roc_auc")], marked=marked),
        line_chart("Validation PR-AUC, macro", [_line(facts, "PR-AUC", "validation_pr_auc")], marked=marked),
        _learning_rate(facts, marked),
    ]
    if any(charts):
        yield '<h2 id="curves">Curves</h2>'
        yield quiet(
            "Over epochs. The training loss is the mean over an epoch's steps, with dropout and weight decay"
            + (f"; the dashed line is the best epoch, {marked}." if marked is not None else ".")
        )
        yield f'<div class="charts">{"".join(charts)}</div>'


def throughput(facts: RunFacts) -> Iterator[str]:
    """Examples per second, the share of time spent waiting for input, and the time in all."""
    seconds = _values(facts, "seconds")
    if not seconds:
        return
    boxes = [
        (_duration(sum(seconds)), f"for {len(seconds):,} epochs"),
        (_duration(median(seconds)), "an epoch, median"),
    ]
    rates, waits = _values(facts, "examples_per_second"), _values(facts, "input_wait")
    if rates:
        boxes.append((f"{median(rates):,.1f}", "examples a second, median"))
    if waits:
        boxes.append((f"{median(waits):.1%}", "of the time waiting for input, median"))
    yield '<h2 id="throughput">Throughput</h2>'
    yield tiles(boxes)
    waiting = "Share of time waiting for input"
    charts = [
        line_chart("Examples a second", [_line(facts, "examples a second", "examples_per_second")], from_zero=True),
        line_chart(waiting, [_line(facts, "share", "input_wait")], from_zero=True),
    ]
    if any(charts):
        yield f'<div class="charts">{"".join(charts)}</div>'


def _learning_rate(facts: RunFacts, marked: int | None) -> str:
    name, points = _line(facts, "learning rate", "learning_rate")
    rates = [rate for _, rate in points]
    # A rate that was halved many times, or that falls along a cosine, spans powers of ten; warm-up may begin at 0.
    logarithmic = bool(rates) and min(rates) > 0 and max(rates) >= 10 * min(rates)
    return line_chart("Learning rate", [(name, points)], marked=marked, logarithmic=logarithmic)


def _line(facts: RunFacts, name: str, field: str) -> Line:
    return name, [(line["epoch"], line[field]) for line in facts.epochs if is_number(line.get(field))]


def _values(facts: RunFacts, field: str) -> list[Any]:
    return [line[field] for line in facts.epochs if is_number(line.get(field))]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = math.floor(seconds / 60 + 0.5)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
