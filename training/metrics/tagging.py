"""Exact ROC-AUC and PR-AUC per tag, in the mean over tags and for all tags in one ranking, with intervals over groups.

One row per track; nothing is bucketed. PR-AUC is average precision. A tag without a positive or without a negative
has no ROC-AUC: it is left out of the means and listed. Tests compare the numbers with scikit-learn's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from training.metrics.intervals import NO_INTERVAL, Support, area_interval, root_interval
from training.metrics.jackknife import left_out_metrics, mean_of_defined, parts_of, squared_errors
from training.metrics.ranking import Scores, ranking_areas

_NAN = float("nan")


@dataclasses.dataclass(frozen=True)
class TagMetrics:
    """Metrics of one tag.

    Attributes:
        positives: tracks that have the tag.
        tracks: tracks for which the tag is known.
        roc_auc: ROC-AUC; NaN if it is not defined.
        pr_auc: PR-AUC; NaN if it is not defined.
    """

    positives: int
    tracks: int
    roc_auc: float
    pr_auc: float


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Metrics of a set of tracks; intervals are a lower and an upper end, over whole groups, NaN if there is none.

    Attributes:
        roc_auc_macro: mean over the defined tags.
        pr_auc_macro: mean over the defined tags.
        per_tag: metrics of each tag, in the order of the vocabulary.
        roc_auc_interval: interval of roc_auc_macro.
        pr_auc_interval: interval of pr_auc_macro.
        roc_auc_micro: ROC-AUC of all known pairs of track and tag as one ranking; NaN if it was not requested.
        pr_auc_micro: PR-AUC of the same ranking; NaN if it was not requested.
        roc_auc_micro_interval: interval of roc_auc_micro.
        pr_auc_micro_interval: interval of pr_auc_micro.
        sqrt_mse: root of the mean squared error over known targets.
        sqrt_mse_interval: interval of sqrt_mse.
        groups: number of groups of tracks; 0 if no interval was requested.
    """

    roc_auc_macro: float
    pr_auc_macro: float
    per_tag: tuple[TagMetrics, ...]
    roc_auc_interval: tuple[float, float] = NO_INTERVAL
    pr_auc_interval: tuple[float, float] = NO_INTERVAL
    roc_auc_micro: float = _NAN
    pr_auc_micro: float = _NAN
    roc_auc_micro_interval: tuple[float, float] = NO_INTERVAL
    pr_auc_micro_interval: tuple[float, float] = NO_INTERVAL
    sqrt_mse: float = _NAN
    sqrt_mse_interval: tuple[float, float] = NO_INTERVAL
    groups: int = 0

    @property
    def tags_defined(self) -> int:
        return sum(not np.isnan(tag.roc_auc) for tag in self.per_tag)


def tagging_metrics(
    targets: npt.NDArray[np.float32],
    scores: Scores,
    *,
    positive_at: float = 0.5,
    groups: npt.NDArray[np.int64] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Metrics:
    """Exact metrics of scores against targets.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        positive_at: lowest target that counts as positive.
        groups: the number of each track's group, from 0 without gaps, int64 [tracks], for the intervals and the figures
            over all pairs; None for the macro figures only, which training computes after every epoch.
        on_progress: called with the number of replicates done; see `parts_of`.
    """
    if targets.shape != scores.shape:
        raise ValueError(f"Expected scores of shape {targets.shape}. Received: {scores.shape}")
    hits, misses = targets >= positive_at, targets < positive_at  # an unknown target is neither
    per_tag = []
    for hit, miss, score in zip(hits.T, misses.T, scores.T, strict=True):
        positives = int(np.count_nonzero(hit))
        areas = ranking_areas(score[hit], score[miss])
        per_tag.append(TagMetrics(positives, positives + int(np.count_nonzero(miss)), *areas))
    defined = np.array([not np.isnan(tag.roc_auc) for tag in per_tag], bool)
    macro = Metrics(
        roc_auc_macro=_mean([tag.roc_auc for tag in per_tag]),
        pr_auc_macro=_mean([tag.pr_auc for tag in per_tag]),
        per_tag=tuple(per_tag),
    )
    if groups is None:
        return macro
    roc_micro, pr_micro = ranking_areas(scores[hits], scores[misses])
    errors, known = squared_errors(targets, scores)
    without = left_out_metrics(targets, scores, parts_of(groups), positive_at=positive_at, on_progress=on_progress)
    support = without.support
    sqrt_mse = float(np.sqrt(errors.sum() / known.sum())) if known.any() else _NAN
    return dataclasses.replace(
        macro,
        roc_auc_interval=area_interval(macro.roc_auc_macro, mean_of_defined(without.roc_auc[defined]), support),
        pr_auc_interval=area_interval(macro.pr_auc_macro, mean_of_defined(without.pr_auc[defined]), support),
        roc_auc_micro=roc_micro,
        pr_auc_micro=pr_micro,
        roc_auc_micro_interval=area_interval(roc_micro, without.roc_auc_micro, support),
        pr_auc_micro_interval=area_interval(pr_micro, without.pr_auc_micro, support),
        sqrt_mse=sqrt_mse,
        sqrt_mse_interval=root_interval(sqrt_mse, without.sqrt_mse, Support(support.groups, support.groups)),
        groups=int(groups.max(initial=-1)) + 1,
    )


def _mean(values: list[float]) -> float:
    """Mean of the values that are defined."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else _NAN
