"""Decision thresholds: per tag, the threshold with the best F1 on validation, and how well it does elsewhere."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from training.metrics.ranking import Scores


@dataclasses.dataclass(frozen=True)
class TagDecisions:
    """The decisions of a tag's threshold on a set of tracks for which the tag is known.

    Attributes:
        threshold: lowest score at which the tag is assigned; NaN if validation had no positive to choose it by.
        hits: number of tracks that have the tag and are assigned it.
        given: number of tracks that are assigned the tag.
        positives: number of tracks that have the tag.
    """

    threshold: float
    hits: int
    given: int
    positives: int

    @property
    def precision(self) -> float:
        """Precision; NaN if no track is assigned the tag."""
        return self.hits / self.given if self.given else float("nan")

    @property
    def recall(self) -> float:
        """Recall; NaN if no track has the tag, or there is no threshold."""
        return self.hits / self.positives if self.positives and not np.isnan(self.threshold) else float("nan")

    @property
    def f1(self) -> float:
        """F1; NaN if no track has the tag, or there is no threshold."""
        if np.isnan(self.recall):
            return float("nan")
        return 2 * self.hits / (self.given + self.positives)


@dataclasses.dataclass(frozen=True)
class Decisions:
    """Decisions for all tags.

    Attributes:
        per_tag: decisions for each tag, in the order of the vocabulary.
        f1_macro: mean F1 of the tags where it is defined.
        f1_micro: F1 of all decisions for tags that have a threshold; NaN if they have no positive.
    """

    per_tag: tuple[TagDecisions, ...]
    f1_macro: float
    f1_micro: float


def best_thresholds(
    targets: npt.NDArray[np.float32], scores: Scores, *, positive_at: float = 0.5
) -> npt.NDArray[np.float64]:
    """The threshold with the highest F1 for each tag, among all observed scores.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        positive_at: lowest target that counts as positive.

    Returns:
        float64 [tags]: an observed score, the highest if several are equally good; NaN for a tag without a positive.
    """
    thresholds = np.full(targets.shape[1], np.nan)
    for tag, (target, score) in enumerate(zip(targets.T, scores.T, strict=True)):
        known = ~np.isnan(target)
        positive, negated = target[known] >= positive_at, -score[known]
        if not positive.any():
            continue
        order = np.argsort(negated, kind="stable")
        last_of_tie = np.append(np.diff(negated[order]) != 0, True)
        hits, given = np.cumsum(positive[order])[last_of_tie], np.flatnonzero(last_of_tie) + 1
        best = np.argmax(2 * hits / (given + hits[-1]))  # the first if several are equal
        thresholds[tag] = -negated[order][last_of_tie][best]
    return thresholds


def decide(
    targets: npt.NDArray[np.float32], scores: Scores, thresholds: npt.NDArray[np.float64], *, positive_at: float = 0.5
) -> Decisions:
    """Assign tags by their thresholds, and count the outcomes.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        thresholds: float64 [tags]; NaN for a tag that is assigned to no track.
        positive_at: lowest target that counts as positive.
    """
    per_tag = []
    for target, score, threshold in zip(targets.T, scores.T, thresholds, strict=True):
        positive, given = target >= positive_at, (score >= threshold) & ~np.isnan(target)
        counts = (int(np.count_nonzero(marked)) for marked in (positive & given, given, positive))
        per_tag.append(TagDecisions(float(threshold), *counts))
    f1 = [tag.f1 for tag in per_tag if not np.isnan(tag.f1)]
    ruled = [tag for tag in per_tag if not np.isnan(tag.threshold)]
    hits, positives = sum(tag.hits for tag in ruled), sum(tag.positives for tag in ruled)
    micro = 2 * hits / (sum(tag.given for tag in ruled) + positives) if positives else float("nan")
    return Decisions(tuple(per_tag), float(np.mean(f1)) if f1 else float("nan"), micro)
