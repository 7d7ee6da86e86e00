"""The section of all tags: how good each is compared with chance and the baseline, and how often it occurs."""

from __future__ import annotations

import dataclasses
import math

from schemas.tables import SPLITS
from training.report.label_counts import LabelCounts
from training.report.run_facts import RunFacts, TagResult

_ROWS = 2000  # tags in the table: a browser's own limit is not far above
_FURTHER = (("F1", "f1"), ("precision", "precision"), ("recall", "recall"), ("threshold", "threshold"))


@dataclasses.dataclass(frozen=True)
class TagRow:
    """A row of the table.

    Attributes:
        tag: name of the tag.
        counts: number of positives in each of the table's splits; None if the label version lacks the tag.
        result: metrics of the tag; None if the run has not been evaluated.
        chance: the share of positives, which is the PR-AUC by chance; NaN if no track is known.
    """

    tag: str
    counts: list[int | None]
    result: TagResult | None = None
    chance: float = math.nan


@dataclasses.dataclass(frozen=True)
class TagTable:
    """The table of all tags, the highest PR-AUC first and those without one last.

    Attributes:
        splits: splits whose positives are counted, in the order of the columns.
        further: title and name of each metric, besides the two areas, that some tag has.
        has_baseline: whether some tag has the metrics of a logistic regression.
        rows: the tags that are shown.
        hidden: number of tags that are not shown.
    """

    splits: list[str]
    further: list[tuple[str, str]]
    has_baseline: bool
    rows: list[TagRow]
    hidden: int


def tag_table(facts: RunFacts, labels: LabelCounts | str) -> TagTable | None:
    """Gather the table of tags; None if there is neither an evaluation nor a label version."""
    if facts.tags:
        return _results(facts, labels)
    if isinstance(labels, str):
        return None
    rows = [
        TagRow(tag, [int(labels.positives[split][number]) for split in SPLITS])
        for number, tag in enumerate(labels.vocabulary[:_ROWS])
    ]
    return TagTable(list(SPLITS), [], False, rows, max(0, len(labels.vocabulary) - _ROWS))


def _results(facts: RunFacts, labels: LabelCounts | str) -> TagTable:
    place = {} if isinstance(labels, str) else {tag: number for number, tag in enumerate(labels.vocabulary)}
    others = [split for split in SPLITS if place and split != facts.split]
    ordered = sorted(facts.tags, key=lambda tag: (-_or(tag.number("pr_auc"), -1.0), -_or(tag.number("roc_auc"), -1.0)))
    rows = []
    for tag in ordered[:_ROWS]:
        counts = [
            # Labels are matched by name: a tag that this version lacks has no count.
            int(labels.positives[split][place[tag.tag]]) if not isinstance(labels, str) and tag.tag in place else None
            for split in others
        ]
        chance = tag.positives / tag.tracks if tag.tracks else math.nan
        rows.append(TagRow(tag.tag, [*counts, tag.positives], tag, chance))
    return TagTable(
        splits=[*others, facts.split],
        further=[one for one in _FURTHER if any(not math.isnan(tag.number(one[1])) for tag in facts.tags)],
        has_baseline=any(not math.isnan(tag.number("baseline_pr_auc")) for tag in facts.tags),
        rows=rows,
        hidden=max(0, len(ordered) - _ROWS),
    )


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value
