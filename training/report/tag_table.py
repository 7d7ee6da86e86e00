"""The section of all tags: how good each is, beside chance and the baseline, and how often it was there to learn."""

from __future__ import annotations

import math
from collections.abc import Iterator

from schemas.console.page import Cell, table
from schemas.tables import SPLITS
from training.report.cells import figure, meter, quiet, shown
from training.report.label_counts import LabelCounts
from training.report.run_facts import RunFacts, TagResult

_ROWS = 2000  # tags in the table: a browser's own limit is not far above
_FURTHER = (("F1", "f1"), ("precision", "precision"), ("recall", "recall"), ("threshold", "threshold"))


def tag_table(facts: RunFacts, labels: LabelCounts | str) -> Iterator[str]:
    """Every tag, the highest PR-AUC first; those without one last."""
    yield '<h2 id="tags">Tags</h2>'
    if facts.tags:
        yield _results(facts, labels)
    elif not isinstance(labels, str):
        yield _counts(labels)
    if isinstance(labels, str):
        yield quiet(f"How often each tag was there to learn from cannot be said: {labels}")
    else:
        sizes = ", ".join(f"{labels.tracks[split]:,} {split}" for split in SPLITS)
        yield quiet(
            f"Tracks: {sizes}. Labels are {labels.values}, what is missing is {labels.missing}. "
            "The positives are counted over all tracks of a split."
        )


def _results(facts: RunFacts, labels: LabelCounts | str) -> str:
    has_baseline = any(not math.isnan(tag.number("baseline_pr_auc")) for tag in facts.tags)
    further = [(title, name) for title, name in _FURTHER if any(not math.isnan(tag.number(name)) for tag in facts.tags)]
    place = {} if isinstance(labels, str) else {tag: number for number, tag in enumerate(labels.vocabulary)}
    sides = [split for split in SPLITS if place and split != facts.split]
    ordered = sorted(facts.tags, key=lambda tag: (-_or(tag.number("pr_auc"), -1.0), -_or(tag.number("roc_auc"), -1.0)))
    rows: list[list[Cell]] = []
    for tag in ordered[:_ROWS]:
        chance = tag.positives / tag.tracks if tag.tracks else math.nan
        counts: list[Cell] = [
            # Label sets are kept by name: a tag that this one lacks has no count.
            int(labels.positives[split][place[tag.tag]]) if not isinstance(labels, str) and tag.tag in place else "–"
            for split in sides
        ]
        rows.append(
            [
                shown(tag.tag),
                *counts,
                tag.positives,
                meter(tag.number("pr_auc"), chance=chance, baseline=tag.number("baseline_pr_auc"))
                + _metric(tag, "pr_auc"),
                meter(tag.number("roc_auc"), chance=0.5, baseline=tag.number("baseline_roc_auc"))
                + _metric(tag, "roc_auc"),
                *(figure(tag.number(name), 3) for _, name in further),
            ]
        )
    head = ["tag", *(f"#{split}" for split in sides), f"#{facts.split}", "PR-AUC", "ROC-AUC"]
    legend = '<span class="key chance">chance: the share of positives for PR-AUC, a half for ROC-AUC</span>'
    legend += '<span class="key key1">logistic regression</span>' if has_baseline else ""
    hidden = len(ordered) - _ROWS
    rest = quiet(f"… and {hidden:,} more in {facts.split}_per_tag.csv") if hidden > 0 else ""
    return (
        f'<p class="quiet">Positives per split, then the metrics.{legend}</p>'
        + table([*head, *(f"#{title}" for title, _ in further)], rows)
        + rest
    )


def _counts(labels: LabelCounts) -> str:
    rows: list[list[Cell]] = [
        [shown(tag), *(int(labels.positives[split][number]) for split in SPLITS)]
        for number, tag in enumerate(labels.vocabulary[:_ROWS])
    ]
    hidden = len(labels.vocabulary) - _ROWS
    return table(["tag", *(f"#{split}" for split in SPLITS)], rows) + (
        quiet(f"… and {hidden:,} more") if hidden > 0 else ""
    )


def _metric(tag: TagResult, name: str) -> str:
    return figure(tag.number(name), 3)


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value
