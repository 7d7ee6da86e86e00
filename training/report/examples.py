"""Tracks that show how a model hears a tag: most confident hits, worst misses, most confident false alarms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.stored_scores import StoredScores
from training.report.run_facts import TagResult

EXAMPLES = 5  # tracks of each kind
WORST, BEST = 9, 6  # tags that are shown with examples


@dataclasses.dataclass(frozen=True)
class Example:
    """A track.

    Attributes:
        track_id: id of the track.
        score: score from the model.
        target: target from its label.
    """

    track_id: str
    score: float
    target: float


@dataclasses.dataclass(frozen=True)
class TagExamples:
    """Tracks of one tag, the most telling first.

    Attributes:
        result: the tag and its metrics.
        false_alarms: tracks without the tag, with the highest scores.
        misses: tracks with the tag and the lowest scores.
        hits: tracks with the tag and the highest scores.
    """

    result: TagResult
    false_alarms: tuple[Example, ...]
    misses: tuple[Example, ...]
    hits: tuple[Example, ...]


def worst_and_best(tags: Sequence[TagResult]) -> tuple[list[TagResult], list[TagResult]]:
    """The tags with the lowest ROC-AUC, worst first, and those with the highest, best first; no tag is in both."""
    ranked = sorted(
        (tag for tag in tags if not math.isnan(tag.number("roc_auc"))),
        key=lambda tag: (tag.number("roc_auc"), tag.number("pr_auc")),
    )
    worst = ranked[: min(WORST, -(-len(ranked) // 2))]
    return worst, ranked[len(worst) :][::-1][:BEST]


def examples_of(tags: Sequence[TagResult], tracks: StoredScores) -> list[TagExamples]:
    """Examples of some tags; a tag that was not scored is left out."""
    place = {tag: number for number, tag in enumerate(tracks.of.tags)}
    return [_examples(tag, place[tag.tag], tracks) for tag in tags if tag.tag in place]


def _examples(result: TagResult, tag: int, tracks: StoredScores) -> TagExamples:
    positive, negative = np.flatnonzero(tracks.positive(tag)), np.flatnonzero(tracks.negative(tag))
    return TagExamples(
        result,
        false_alarms=_first(tracks, tag, negative, -tracks.scores[negative, tag]),
        misses=_first(tracks, tag, positive, tracks.scores[positive, tag]),
        hits=_first(tracks, tag, positive, -tracks.scores[positive, tag]),
    )


def _first(
    tracks: StoredScores, tag: int, numbers: npt.NDArray[np.int64], key: npt.NDArray[Any]
) -> tuple[Example, ...]:
    return tuple(
        Example(tracks.track_ids[number], float(tracks.scores[number, tag]), float(tracks.targets[number, tag]))
        for number in numbers[np.argsort(key, kind="stable")[:EXAMPLES]].tolist()
    )
