"""Precision-recall curves for TensorBoard, from exact counts at evenly spaced thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLDS = 101  # 0.00, 0.01, …, 1.00: TensorBoard assumes even spacing over [0, 1]
CURVES = 100  # tags that get a curve: 2.5 kB each per validated epoch, so 25 MB in 100 epochs


def curve_tags(targets: npt.NDArray[np.float32], positive_at: float) -> list[int]:
    """Indices of the tags that get a curve: the tags with the most positives, in the order of the vocabulary.

    Args:
        targets: float32 [tracks, tags]; NaN is unknown.
        positive_at: lowest target that counts as positive.
    """
    positives = np.count_nonzero(targets >= positive_at, axis=0)  # NaN compares false
    most = np.argsort(-positives, kind="stable")[:CURVES]
    return sorted(int(tag) for tag in most if positives[tag])


def curve_counts(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]], thresholds: int = THRESHOLDS
) -> npt.NDArray[np.float32]:
    """Counts of one tag at evenly spaced thresholds; a track is predicted positive if its score reaches the threshold.

    Args:
        positive: bool [tracks], known tracks only.
        scores: [tracks] in [0, 1].
        thresholds: number of thresholds over [0, 1].

    Returns:
        float32 [6, thresholds]: true positives, false positives, true negatives, false negatives, precision (1 where
        no track is predicted positive), recall.
    """
    at = np.linspace(0, 1, thresholds)
    hits, misses = (
        len(part) - np.searchsorted(np.sort(part), at, side="left") for part in (scores[positive], scores[~positive])
    )
    total, others = int(positive.sum()), int((~positive).sum())
    taken = hits + misses
    precision = np.where(taken > 0, hits / np.maximum(taken, 1), 1.0)
    recall = hits / max(total, 1)
    return np.stack([hits, misses, others - misses, total - hits, precision, recall]).astype(np.float32)


def curves(
    vocabulary: Sequence[str],
    targets: npt.NDArray[np.float32],
    scores: npt.NDArray[np.floating[Any]],
    positive_at: float,
) -> Iterator[tuple[str, npt.NDArray[np.float32], str]]:
    """The curves of a split.

    Args:
        vocabulary: the tags.
        targets: float32 [tracks, tags]; NaN is unknown and left out.
        scores: [tracks, tags] in [0, 1].
        positive_at: lowest target that counts as positive.

    Yields:
        Tag, counts as `curve_counts` returns them, and a description of how many tracks they are based on.
    """
    for tag in curve_tags(targets, positive_at):
        known = ~np.isnan(targets[:, tag])
        positive = targets[known, tag] >= positive_at
        words = f"{int(positive.sum()):,} of {len(positive):,} validation tracks are positive."
        yield vocabulary[tag], curve_counts(positive, scores[known, tag]), words
