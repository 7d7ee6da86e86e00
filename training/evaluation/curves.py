"""ROC and PR curves on a fixed grid: for each tag, in the mean over tags, and for all tags in one ranking."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from training.evaluation.stored_scores import StoredScores
from training.metrics.ranking import RankingCounts, ranking_counts

GRID = np.linspace(0.0, 1.0, 501)  # false positive rates of a ROC curve, recalls of a PR curve


@dataclasses.dataclass(frozen=True)
class Curves:
    """Curves over GRID.

    Attributes:
        roc_macro: mean true positive rate of the defined tags at each false positive rate.
        pr_macro: their mean precision at each recall.
        roc_micro: true positive rate of all known pairs of track and tag as one ranking.
        pr_micro: precision of the same ranking.
        positive_share: share of positives among all known pairs.
        positive_share_macro: mean of the defined tags' shares.
    """

    roc_macro: npt.NDArray[np.float64]
    pr_macro: npt.NDArray[np.float64]
    roc_micro: npt.NDArray[np.float64]
    pr_micro: npt.NDArray[np.float64]
    positive_share: float
    positive_share_macro: float


def curves_of(stored: StoredScores) -> Curves | None:
    """The curves of stored scores; None if no tag has both a positive and a negative."""
    hits, misses = stored.targets >= stored.of.positive_at, stored.targets < stored.of.positive_at
    rocs, precisions, shares = [], [], []
    for hit, miss, score in zip(hits.T, misses.T, stored.scores.T, strict=True):
        positives, negatives = int(np.count_nonzero(hit)), int(np.count_nonzero(miss))
        if positives and negatives:
            roc, precision = _curves(ranking_counts(score[hit], score[miss]), negatives)
            rocs.append(roc)
            precisions.append(precision)
            shares.append(positives / (positives + negatives))
    if not shares:
        return None
    positives, negatives = int(np.count_nonzero(hits)), int(np.count_nonzero(misses))
    roc_micro, pr_micro = _curves(ranking_counts(stored.scores[hits], stored.scores[misses]), negatives)
    return Curves(
        roc_macro=np.mean(rocs, axis=0),
        pr_macro=np.mean(precisions, axis=0),
        roc_micro=roc_micro,
        pr_micro=pr_micro,
        positive_share=positives / (positives + negatives),
        positive_share_macro=float(np.mean(shares)),
    )


def _curves(counts: RankingCounts, misses: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    hits = np.cumsum(counts.new_hits)
    recall = hits / hits[-1]
    # Each step rises from its start to its end: vertically if no negative ties with it, at a slant otherwise.
    rates = np.stack([counts.before, counts.upto], axis=1).ravel() / misses
    reached = np.stack([recall - counts.new_hits / hits[-1], recall], axis=1).ravel()
    roc = np.interp(GRID, np.append(rates, 1.0), np.append(reached, 1.0), left=0.0)
    # The precision at the first step that reaches a recall, as average precision defines it.
    first = np.searchsorted(recall, GRID - 1e-12, "left")
    precision = (hits / (hits + counts.upto))[np.minimum(first, len(hits) - 1)]
    return roc, precision
