"""Metrics under bootstrap samples of tracks or of whole groups, in blocks of draws that fit into a fixed memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from training.ranking import Scores, Steps, ranking_areas, summed_rows

BOOTSTRAP_SAMPLES = 1000
CONFIDENCE = 0.95
MEMORY = 128 << 20  # bytes of a block's weights; its sums and scratch take as much again at the most
MICRO_STEPS = 4096  # of the ranking of all tags in one, while it is drawn


@dataclasses.dataclass(frozen=True)
class Draws:
    """Metrics of bootstrap samples; NaN where a sample leaves no positive or no negative.

    Attributes:
        roc_auc: float64 [tags, samples].
        pr_auc: float64 [tags, samples].
        roc_auc_micro: float64 [samples], of all known pairs of track and tag as one ranking.
        pr_auc_micro: float64 [samples].
        sqrt_mse: float64 [samples], over known pairs.
    """

    roc_auc: npt.NDArray[np.float64]
    pr_auc: npt.NDArray[np.float64]
    roc_auc_micro: npt.NDArray[np.float64]
    pr_auc_micro: npt.NDArray[np.float64]
    sqrt_mse: npt.NDArray[np.float64]


def draw_metrics(
    targets: npt.NDArray[np.float32],
    scores: Scores,
    *,
    positive_at: float = 0.5,
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
    groups: npt.NDArray[np.int64] | None = None,
    memory: int = MEMORY,
    on_progress: Callable[[int], None] | None = None,
) -> Draws:
    """Draw tracks again, with replacement, and take the metrics of each sample.

    The same targets, seed and groups give the same samples, whatever the scores and the memory.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        positive_at: least target that counts as positive.
        samples: how many.
        seed: of the draws.
        groups: the number of each track's group, from 0 without gaps, int64 [tracks]: whole groups are drawn. None
            to draw tracks.
        memory: bytes that a block of draws may take.
        on_progress: called with the number of samples done.
    """
    tracks, tags = targets.shape
    hits = targets >= positive_at  # an unknown target is neither hit nor miss
    misses = targets < positive_at
    micro = Steps.of(scores[hits], MICRO_STEPS)
    shift = _merging_shift(micro, hits, misses, scores)
    errors, counts = squared_errors(targets, scores)
    parts: list[Draws] = []
    for weights in _weights(tracks, samples, seed, groups, max(1, memory // (4 * max(1, tracks)))):
        done = sum(part.sqrt_mse.size for part in parts)
        every = np.zeros((micro.rows, weights.shape[1]))
        areas = []
        for tag in range(tags):
            of_tag, of_micro = _tag_areas(hits[:, tag], misses[:, tag], scores[:, tag], micro, weights)
            areas.append(of_tag)
            every += of_micro
            if on_progress is not None:
                on_progress(done + weights.shape[1] * (tag + 1) // tags)
        roc, average = (np.array(values).reshape(tags, -1) for values in zip(*areas, strict=True))
        roc_micro, average_micro = micro.areas(every)
        root = np.array([_root(errors, counts, weights[:, draw]) for draw in range(weights.shape[1])])
        parts.append(Draws(roc, average, roc_micro - shift[0], average_micro - shift[1], root))
    if not parts:
        none = np.empty(0)
        return Draws(np.empty((tags, 0)), np.empty((tags, 0)), none, none, none)
    fields = [field.name for field in dataclasses.fields(Draws)]
    return Draws(**{name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in fields})


def squared_errors(
    targets: npt.NDArray[np.float32], scores: Scores
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum of squared errors over the known tags of each track, and their number, both float64 [tracks]."""
    errors, counts = np.zeros(len(targets)), np.zeros(len(targets))
    for target, score in zip(
        targets.T, scores.T, strict=True
    ):  # not all at once: a matrix of float64 takes as much again
        known = ~np.isnan(target)
        counts += known
        errors[known] += np.square(score[known].astype(np.float64) - target[known])
    return errors, counts


def interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Lower and upper end of the bootstrap interval; NaN where no sample is defined."""
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def mean_of_defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over tags, [tags, samples] -> [samples]; a tag that a sample leaves undefined is left out of that sample."""
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
    """Both areas of one tag under each weighting, and what the tag adds to the ranking of all tags."""
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
    """How far the merged steps put both areas off, taken off from every sample; 0 where none are merged."""
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


def _weights(
    tracks: int, samples: int, seed: int, groups: npt.NDArray[np.int64] | None, block: int
) -> Iterator[npt.NDArray[np.float32]]:
    """How often each sample drew each track, float32 [tracks, draws], `block` draws at a time."""
    rng = np.random.default_rng(seed)
    count = tracks if groups is None else int(groups.max()) + 1
    for first in range(0, samples, block):
        weights = np.empty((tracks, min(block, samples - first)), np.float32)
        for draw in range(weights.shape[1]):
            drawn = np.bincount(rng.integers(count, size=count), minlength=count)
            weights[:, draw] = drawn if groups is None else drawn[groups]
        yield weights


def _root(errors: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], weights: npt.NDArray[np.float32]) -> float:
    known = float((counts * weights).sum())
    return float(np.sqrt((errors * weights).sum() / known)) if known else float("nan")
