"""How far scores are probabilities, over all pairs of track and tag: reliability, expected calibration error and log loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from training.metrics.ranking import Scores

BINS = 10  # of equal width from 0 to 1


@dataclasses.dataclass(frozen=True)
class Reliability:
    """The scores of known pairs of track and tag, in bins.

    Attributes:
        counts: int64 [bins], pairs in each bin.
        means: float64 [bins], their mean score; NaN in an empty bin.
        shares: float64 [bins], the share of them that are positive; NaN in an empty bin.
        error: expected calibration error: the mean over pairs of how far a bin's mean score lies from its share; NaN
            without pairs.
        log_loss: mean negative log-likelihood of the pairs, in nats; NaN without pairs.
    """

    counts: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    error: float
    log_loss: float


def reliability(targets: npt.NDArray[np.float32], scores: Scores, *, positive_at: float = 0.5) -> Reliability:
    """The reliability of scores.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags] from 0 to 1.
        positive_at: lowest target that counts as positive.
    """
    known = ~np.isnan(targets)
    positive, score = targets[known] >= np.float32(positive_at), scores[known].astype(np.float64)
    bins = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = np.bincount(bins, score, BINS) / counts
        shares = np.bincount(bins, positive, BINS) / counts
    if not len(score):
        return Reliability(counts, means, shares, float("nan"), float("nan"))
    # A pair that is certain and wrong would cost infinitely much; it costs as if the score were the nearest float32.
    given = np.clip(np.where(positive, score, 1 - score), np.finfo(np.float32).tiny, 1.0)
    error = float(np.nansum(counts * np.abs(means - shares)) / counts.sum())
    return Reliability(counts, means, shares, error, float(-np.log(given).mean()))
