"""Metrics with one group of tracks left out at a time, in blocks of replicates that fit into a fixed amount of memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from training.metrics.intervals import Support
from training.metrics.ranking import Scores, Steps, ranking_areas, summed_rows

MOST_PARTS = (
    200  # replicates at most: the spread is then known to 5 %, and t is within 1 % of the normal distribution's
)
MEMORY = 128 << 20  # bytes of a block's weights; its sums and scratch take at most as much again
MICRO_STEPS = 4096  # steps of the joint ranking of all tags, while parts are left out


@dataclasses.dataclass(frozen=True)
class Replicates:
    """Metrics without one part of the tracks, for every part; NaN where that leaves no positive or no negative.

    Attributes:
        roc_auc: float64 [tags, parts].
        pr_auc: float64 [tags, parts].
        roc_auc_micro: float64 [parts], over all known pairs of track and tag as one ranking.
        pr_auc_micro: float64 [parts], over the same ranking.
        sqrt_mse: float64 [parts], over known pairs.
        tag_support: how many parts contribute to each tag.
        support: how many parts contribute to the tags together.
    """

    roc_auc: npt.NDArray[np.float64]
    pr_auc: npt.NDArray[np.float64]
    roc_auc_micro: npt.NDArray[np.float64]
    pr_auc_micro: npt.NDArray[np.float64]
    sqrt_mse: npt.NDArray[np.float64]
    tag_support: tuple[Support, ...]
    support: Support


def parts_of(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The part that each track is left out with: its group's own, or one of `MOST_PARTS` if there are more groups.

    Args:
        groups: the number of each track's group, from 0 without gaps, int64 [tracks].

    Returns:
        int64 [tracks]; whole groups are dealt evenly to the parts, the same way every time.
    """
    count = int(groups.max(initial=-1)) + 1
    if count <= MOST_PARTS:
        return groups
    dealt: npt.NDArray[np.int64] = (np.random.default_rng(0).permutation(count) % MOST_PARTS)[groups]
    return dealt


def left_out_metrics(
    targets: npt.NDArray[np.float32],
    scores: Scores,
    parts: npt.NDArray[np.int64],
    *,
    positive_at: float = 0.5,
    memory: int = MEMORY,
    on_progress: Callable[[int], None] | None = None,
) -> Replicates:
    """Compute the metrics of all tracks except those of one part, for every part.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        parts: the number of each track's part, from 0 without gaps, int64 [tracks].
        positive_at: lowest target that counts as positive.
        memory: bytes that a block of replicates may take.
        on_progress: called with the number of replicates done.
    """
    tracks, tags = targets.shape
    hits = targets >= positive_at  # an unknown target is neither hit nor miss
    misses = targets < positive_at
    micro = Steps.of(scores[hits], MICRO_STEPS)
    shift = _merging_shift(micro, hits, misses, scores)
    errors, counts = squared_errors(targets, scores)
    count = int(parts.max(initial=-1)) + 1
    blocks: list[tuple[npt.NDArray[np.float64], ...]] = []
    done = 0
    for weights in _weights(parts, count, max(1, memory // (4 * max(1, tracks)))):
        every = np.zeros((micro.rows, weights.shape[1]))
        areas = []
        for tag in range(tags):
            of_tag, of_micro = _tag_areas(hits[:, tag], misses[:, tag], scores[:, tag], micro, weights)
            areas.append(of_tag)
            every += of_micro
            if on_progress is not None:
                on_progress(done + weights.shape[1] * (tag + 1) // tags)
        done += weights.shape[1]
        roc, average = (np.array(values).reshape(tags, -1) for values in zip(*areas, strict=True))
        roc_micro, average_micro = micro.areas(every)
        root = np.array([_root(errors, counts, weights[:, part]) for part in range(weights.shape[1])])
        blocks.append((roc, average, roc_micro - shift[0], average_micro - shift[1], root))
    positive = np.array([_parts_with(hits[:, tag], parts, count) for tag in range(tags)], bool).reshape(tags, count)
    negative = np.array([_parts_with(misses[:, tag], parts, count) for tag in range(tags)], bool).reshape(tags, count)
    roc, average, roc_micro, average_micro, root = (
        np.concatenate(values, axis=-1) for values in zip(*blocks, strict=True)
    )
    return Replicates(
        roc,
        average,
        roc_micro,
        average_micro,
        root,
        tag_support=tuple(Support.of(positive[tag], negative[tag]) for tag in range(tags)),
        support=Support.of(np.any(positive, axis=0), np.any(negative, axis=0)),
    )


def squared_errors(
    targets: npt.NDArray[np.float32], scores: Scores
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum of squared errors over the known tags of each track, and the number of these tags, both float64 [tracks]."""
    errors, counts = np.zeros(len(targets)), np.zeros(len(targets))
    for target, score in zip(
        targets.T, scores.T, strict=True
    ):  # not all at once: a matrix of float64 takes as much again
        known = ~np.isnan(target)
        counts += known
        errors[known] += np.square(score[known].astype(np.float64) - target[known])
    return errors, counts


def mean_of_defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over tags, [tags, parts] -> [parts]; a tag that a replicate leaves undefined is left out of that replicate."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        means: npt.NDArray[np.float64] = np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0)
    return means


def _tag_areas(
    hits: npt.NDArray[np.bool_],
    misses: npt.NDArray[np.bool_],
    scores: Scores,
    micro: Steps,
    weights: npt.NDArray[np.float32],
) -> tuple[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.float32]]:
    """Both areas of one tag under each weighting, and the tag's contribution to the ranking of all tags."""
    known = hits | misses
    negated, positive = -scores[known], hits[known]
    order = np.argsort(negated)
    steps = Steps.of(scores[hits])
    own, others = steps.rows_of(positive, negated, order), micro.rows_of(positive, negated, order)
    sums = summed_rows([own, others + np.int32(steps.rows)], steps.rows + micro.rows, known, weights)
    return steps.areas(sums[: steps.rows]), sums[steps.rows :]


def _merging_shift(
    micro: Steps, hits: npt.NDArray[np.bool_], misses: npt.NDArray[np.bool_], scores: Scores
) -> tuple[float, float]:
    """The error that merged steps cause in both areas, subtracted from every replicate; 0 if none are merged."""
    if not micro.merged:
        return 0.0, 0.0
    once = np.zeros((micro.rows, 1))
    for tag in range(scores.shape[1]):
        known = hits[:, tag] | misses[:, tag]
        negated = -scores[known, tag]
        rows = micro.rows_of(hits[known, tag], negated, np.argsort(negated))
        once[:, 0] += np.bincount(rows, minlength=micro.rows)
    merged, exact = micro.areas(once), ranking_areas(scores[hits], scores[misses])
    return float(merged[0][0]) - exact[0], float(merged[1][0]) - exact[1]


def _weights(parts: npt.NDArray[np.int64], count: int, block: int) -> Iterator[npt.NDArray[np.float32]]:
    """1 for each track that a replicate includes, 0 for the others, float32 [tracks, replicates], `block` at a time."""
    for first in range(0, count, block):
        yield (parts[:, None] != np.arange(first, min(count, first + block))).astype(np.float32)


def _parts_with(tracks: npt.NDArray[np.bool_], parts: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.bool_]:
    """Which parts contain any of the given tracks, bool [parts]."""
    held: npt.NDArray[np.bool_] = np.bincount(parts[tracks], minlength=count) > 0
    return held


def _root(errors: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], weights: npt.NDArray[np.float32]) -> float:
    known = float((counts * weights).sum())
    return float(np.sqrt((errors * weights).sum() / known)) if known else float("nan")
