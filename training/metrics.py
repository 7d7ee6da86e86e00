"""Exact ROC-AUC and PR-AUC per tag and in the mean, with bootstrap intervals over tracks.

One row per track; nothing is bucketed. PR-AUC is average precision. A tag without a positive or without a negative
has no ROC-AUC: it is left out of the means and listed. Tests hold the numbers to scikit-learn.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

BOOTSTRAP_SAMPLES = 1000
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class TagMetrics:
    """Metrics of one tag.

    Attributes:
        positives: tracks that have the tag.
        tracks: tracks of which it is known.
        roc_auc: NaN where it is not defined.
        pr_auc: NaN where it is not defined.
    """

    positives: int
    tracks: int
    roc_auc: float
    pr_auc: float


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Metrics of a set of tracks.

    Attributes:
        roc_auc_macro: mean over the defined tags.
        pr_auc_macro: mean over the defined tags.
        roc_auc_interval: lower and upper end of the bootstrap interval over tracks.
        pr_auc_interval: likewise.
        per_tag: in the order of the vocabulary.
    """

    roc_auc_macro: float
    pr_auc_macro: float
    roc_auc_interval: tuple[float, float]
    pr_auc_interval: tuple[float, float]
    per_tag: tuple[TagMetrics, ...]

    @property
    def tags_defined(self) -> int:
        return sum(not np.isnan(tag.roc_auc) for tag in self.per_tag)


def tagging_metrics(
    targets: npt.NDArray[np.float32],
    scores: npt.NDArray[np.floating[Any]],
    *,
    positive_at: float = 0.5,
    bootstrap: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> Metrics:
    """Exact metrics of scores against targets.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        positive_at: least target that counts as positive.
        bootstrap: how often tracks are drawn again for the intervals; 0 for none (both ends are then NaN).
        seed: of the draws.
    """
    if targets.shape != scores.shape:
        raise ValueError(f"Expected scores of shape {targets.shape}. Received: {scores.shape}")
    once = np.ones((1, len(targets)))
    draws = _draws(len(targets), bootstrap, seed)
    weights = np.concatenate([once, draws])
    per_tag, rocs, precisions = [], [], []
    for target, score in zip(targets.T, scores.T, strict=True):
        known = ~np.isnan(target)
        positive = target[known] >= positive_at
        roc, precision = weighted_areas(positive, score[known], weights[:, known])
        per_tag.append(TagMetrics(int(positive.sum()), int(known.sum()), float(roc[0]), float(precision[0])))
        rocs.append(roc)
        precisions.append(precision)
    defined = [number for number, tag in enumerate(per_tag) if not np.isnan(tag.roc_auc)]
    roc_macro, pr_macro = (_mean_of_defined(np.array(values)[defined]) for values in (rocs, precisions))
    return Metrics(
        roc_auc_macro=float(roc_macro[0]),
        pr_auc_macro=float(pr_macro[0]),
        roc_auc_interval=_interval(roc_macro[1:]),
        pr_auc_interval=_interval(pr_macro[1:]),
        per_tag=tuple(per_tag),
    )


def weighted_areas(
    positive: npt.NDArray[np.bool_], score: npt.NDArray[np.floating[Any]], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """ROC-AUC and average precision of one ranking under many weightings of its tracks, ties taken together.

    Args:
        positive: bool [tracks].
        score: [tracks].
        weights: [weightings, tracks], such as how often a bootstrap sample drew each track.

    Returns:
        Two arrays [weightings]; NaN where a weighting leaves no positive or no negative.
    """
    undefined = np.full(len(weights), np.nan)
    if len(score) == 0:
        return undefined, undefined.copy()
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(weights[:, order] * positive[order], axis=1)[:, last_of_tie]
    misses = np.cumsum(weights[:, order] * ~positive[order], axis=1)[:, last_of_tie]
    new_hits = np.diff(hits, axis=1, prepend=0.0)
    new_misses = np.diff(misses, axis=1, prepend=0.0)
    total_hits, total_misses = hits[:, -1], misses[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Trapezoids under the ROC curve: a tie counts half.
        roc = ((hits - new_hits / 2) * new_misses).sum(axis=1) / (total_hits * total_misses)
        precision = np.where(hits + misses > 0, hits / (hits + misses), 0.0)
        average = (precision * new_hits).sum(axis=1) / total_hits
    defined = (total_hits > 0) & (total_misses > 0)
    return np.where(defined, roc, np.nan), np.where(defined, average, np.nan)


def _draws(tracks: int, samples: int, seed: int) -> npt.NDArray[np.float64]:
    """How often each track is drawn in each bootstrap sample, [samples, tracks]."""
    if samples == 0:
        return np.empty((0, tracks))
    rng = np.random.default_rng(seed)
    return rng.multinomial(tracks, np.full(tracks, 1 / tracks), size=samples).astype(np.float64)


def _mean_of_defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over tags per weighting; a tag that a bootstrap sample leaves undefined is left out of that sample."""
    if len(values) == 0:
        return np.full(values.shape[1] if values.ndim == 2 else 1, np.nan)
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        means: npt.NDArray[np.float64] = np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0)
    return means


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
