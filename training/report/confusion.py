"""Tags that a model mistakes for each other: they are ranked alike, or one is scored high where only the other is labelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from training.evaluation.stored_scores import StoredScores

PAIRS = 15  # shown of each kind
SAME_RANKING = 0.8  # least rank correlation at which two tags count as ranked alike
LEAST_TRACKS = 5  # with one tag and not the other, for a share of them to be meaningful
_Z = 1.96  # standard errors in half a 95 % interval
_ROWS = 1 << 14  # tracks multiplied at a time

_Matrix = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class OneWay:
    """One tag scored where only the other is labelled.

    Attributes:
        tracks: number of tracks that have the other tag and are known not to have this one.
        high: number of these whose score reaches this tag's threshold; None if it has no threshold.
        elsewhere: the share that reaches it among all tracks with neither tag; NaN if there are none.
    """

    tracks: int
    high: int | None
    elsewhere: float


@dataclasses.dataclass(frozen=True)
class TagPair:
    """Two tags.

    Attributes:
        tags: the two tags, in the order of the vocabulary.
        rank_correlation: Spearman's correlation of their scores over all tracks; 0 if a tag scores all tracks alike.
        both: number of tracks that are labelled with both.
        second: the second tag where only the first is labelled.
        first: the first tag where only the second is labelled.
    """

    tags: tuple[str, str]
    rank_correlation: float
    both: int
    second: OneWay
    first: OneWay


def confused_pairs(tracks: StoredScores, thresholds: Mapping[str, float]) -> list[TagPair]:
    """The pairs that are mistaken for each other most, the most certain first.

    Args:
        tracks: scores and targets of a split.
        thresholds: tag -> lowest score at which it counts as found; a tag without one never counts as found.

    Returns:
        At most PAIRS pairs with one scored high where only the other is labelled, and as many that are ranked alike.
    """
    tags = len(tracks.of.tags)
    at = np.array([thresholds.get(tag, np.nan) for tag in tracks.of.tags])
    counts, correlation = _counts(tracks, at), _rank_correlation(tracks.scores)
    first, second = np.triu_indices(tags, 1)
    ranked_alike = correlation[first, second]
    excess = np.maximum(counts.excess[first, second], counts.excess[second, first])
    confused = np.argsort(-excess, kind="stable")[:PAIRS]
    alike = np.argsort(-ranked_alike, kind="stable")[:PAIRS]
    chosen = np.concatenate([confused[excess[confused] > 0], alike[ranked_alike[alike] >= SAME_RANKING]])
    places = dict.fromkeys(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))
    return [
        TagPair(
            tags=(tracks.of.tags[one], tracks.of.tags[other]),
            rank_correlation=float(correlation[one, other]),
            both=int(counts.both[one, other]),
            second=counts.one_way(one, other),
            first=counts.one_way(other, one),
        )
        for one, other in places
    ]


@dataclasses.dataclass(frozen=True)
class _Counts:
    """Counts of pairs, each [tags, tags]: rows are the labelled tag, columns the scored one."""

    both: _Matrix
    only: _Matrix
    high: _Matrix
    elsewhere: _Matrix
    has_threshold: npt.NDArray[np.bool_]

    @property
    def excess(self) -> _Matrix:
        """How far a share certainly lies above that elsewhere: the lower end of its interval minus `elsewhere`."""
        low = _wilson_low(self.high, np.maximum(self.only, 1))
        meaningful = (self.only >= LEAST_TRACKS) & self.has_threshold
        return np.where(meaningful, low - np.nan_to_num(self.elsewhere), 0.0)

    def one_way(self, labelled: int, scored: int) -> OneWay:
        high = int(self.high[labelled, scored]) if self.has_threshold[scored] else None
        return OneWay(int(self.only[labelled, scored]), high, float(self.elsewhere[labelled, scored]))


def _counts(tracks: StoredScores, thresholds: _Matrix) -> _Counts:
    tags = len(tracks.of.tags)
    both, only, high = (np.zeros((tags, tags)) for _ in range(3))
    without, without_high = np.zeros(tags), np.zeros(tags)
    positive_at = np.float32(tracks.of.positive_at)
    for start in range(0, len(tracks.track_ids), _ROWS):
        targets, scores = tracks.targets[start : start + _ROWS], tracks.scores[start : start + _ROWS]
        # Products of zeros and ones in float32 are exact: a block has fewer rows than 2 ** 24.
        positive, negative = (targets >= positive_at).astype(np.float32), targets < positive_at
        found = (negative & (scores >= thresholds)).astype(np.float32)
        both += positive.T @ positive
        only += positive.T @ negative.astype(np.float32)
        high += positive.T @ found
        without += negative.sum(axis=0)
        without_high += found.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        elsewhere = (without_high - high) / (without - only)
    return _Counts(both, only, high, elsewhere, ~np.isnan(thresholds))


def _rank_correlation(scores: npt.NDArray[np.float32]) -> _Matrix:
    """Spearman's correlation of columns, [tags, tags]."""
    from scipy.stats import rankdata  # scipy.stats takes most of a second, and every training imports this module

    ranks = np.empty(scores.shape, np.float32)
    for tag in range(scores.shape[1]):
        column = rankdata(scores[:, tag])  # ties share their mean rank
        spread = column.std()
        ranks[:, tag] = (column - column.mean()) / spread if spread else 0.0
    total = np.zeros((scores.shape[1], scores.shape[1]))
    for start in range(0, len(ranks), _ROWS):
        block = ranks[start : start + _ROWS]
        total += block.T @ block
    return total / len(ranks)


def _wilson_low(high: _Matrix, tracks: _Matrix) -> _Matrix:
    """Lower end of Wilson's interval for shares."""
    share = high / tracks
    centre: _Matrix = share + _Z**2 / (2 * tracks)
    spread: _Matrix = _Z * (share * (1 - share) / tracks + _Z**2 / (4 * tracks**2)) ** 0.5
    low: _Matrix = (centre - spread) / (1 + _Z**2 / tracks)
    return low
