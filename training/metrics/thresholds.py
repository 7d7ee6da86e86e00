"""From which score on a tag is given: the threshold per tag with the best F1 on validation, and how it does elsewhere."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from training.metrics.ranking import Scores


@dataclasses.dataclass(frozen=True)
class TagDecisions:
    """What a tag's threshold decides on a set of tracks of which the tag is known.

    Attributes:
        threshold: the tag is given from this score on; NaN where validation had no positive to choose one by.
        hits: tracks that have the tag and are given it.
        given: tracks that are given it.
        positives: tracks that have it.
    """

    threshold: float
    hits: int
    given: int
    positives: int

    @property
    def precision(self) -> float:
        """NaN where no track is given the tag."""
        return self.hits / self.given if self.given else float("nan")

    @property
    def recall(self) -> float:
        """NaN where no track has the tag, or there is no threshold."""
        return self.hits / self.positives if self.positives and not np.isnan(self.threshold) else float("nan")

    @property
    def f1(self) -> float:
        """NaN where no track has the tag, or there is no threshold."""
        if np.isnan(self.recall):
            return float("nan")
        return 2 * self.hits / (self.given + self.positives)


@dataclasses.dataclass(frozen=True)
class Decisions:
    """Decisions on all tags.

    Attributes:
        per_tag: in the order of the vocabulary.
        f1_macro: mean of the defined ones.
        f1_micro: of all decisions on tags that have a threshold; NaN where they have no positive.
    """

    per_tag: tuple[TagDecisions, ...]
    f1_macro: float
    f1_micro: float


def best_thresholds(
    targets: npt.NDArray[np.float32], scores: Scores, *, positive_at: float = 0.5
) -> npt.NDArray[np.float64]:
    """The threshold of each tag whose F1 is the highest, over all observed scores.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        positive_at: least target that counts as positive.

    Returns:
        float64 [tags]: an observed score, of several that are equally good the highest; NaN for a tag without a
        positive.
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
        best = np.argmax(2 * hits / (given + hits[-1]))  # the first of equals
        thresholds[tag] = -negated[order][last_of_tie][best]
    return thresholds


def decide(
    targets: npt.NDArray[np.float32], scores: Scores, thresholds: npt.NDArray[np.float64], *, positive_at: float = 0.5
) -> Decisions:
    """Give tags by their thresholds, and count.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: float [tracks, tags].
        thresholds: float64 [tags]; NaN for a tag that is given to no track.
        positive_at: least target that counts as positive.
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
