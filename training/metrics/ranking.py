"""Exact ROC-AUC and average precision of a ranking, once or under many weightings of its tracks.

Both areas change only where a positive is passed. So a ranking is reduced to its steps, the distinct scores of its
positives, and to the counts at each of them: hits, misses of the same score, and misses since the previous step.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

_NUMBERS_AT_ONCE = 1 << 18  # 2 MiB of float64: the intermediate results of a weighting stay in the cache

Scores = npt.NDArray[np.floating[Any]]
Areas = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclasses.dataclass(frozen=True)
class RankingCounts:
    """Counts at a ranking's steps, from the highest score down, each int64 [steps].

    Attributes:
        new_hits: positives at each step.
        before: negatives above each step.
        upto: negatives above each step or of the same score.
    """

    new_hits: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    upto: npt.NDArray[np.int64]


def ranking_counts(hits: Scores, misses: Scores) -> RankingCounts:
    """The steps of a ranking.

    Args:
        hits: scores of the positives.
        misses: scores of the negatives; sorted in place.
    """
    steps, new_hits = np.unique(hits, return_counts=True)
    misses.sort()
    before, upto = (len(misses) - np.searchsorted(misses, steps, side)[::-1] for side in ("right", "left"))
    return RankingCounts(new_hits[::-1], before, upto)


def ranking_areas(hits: Scores, misses: Scores) -> tuple[float, float]:
    """ROC-AUC and average precision, ties taken together.

    Args:
        hits: scores of the positives.
        misses: scores of the negatives; sorted in place.

    Returns:
        Both areas; NaN if there is no positive or no negative.
    """
    if len(hits) == 0 or len(misses) == 0:
        return float("nan"), float("nan")
    counts = ranking_counts(hits, misses)
    roc, average = _areas(counts.new_hits[None], counts.before[None], counts.upto[None], np.array([len(misses)]))
    return float(roc[0]), float(average[0])


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps of a ranking, and which row of a table of sums each track adds to.

    Rows 0 to K hold the misses above step 0, between steps 0 and 1, …, below the last one; the next K rows hold the
    misses that tie with a step, and the last K the hits.

    Attributes:
        negated: the K distinct scores of positives, negated, so that they ascend.
        merged: whether neighbours were merged; a miss between two steps then ties with the lower one.
    """

    negated: Scores
    merged: bool = False

    @classmethod
    def of(cls, hits: Scores, most: int | None = None) -> Steps:
        """The steps of the positives' scores, of which at most `most` are kept, evenly spaced over the ranking."""
        steps = np.unique(-hits)
        if most is None or len(steps) <= most:
            return cls(steps)
        kept = np.linspace(0, len(steps) - 1, most).round().astype(np.int64)
        return cls(steps[kept], merged=True)

    @property
    def rows(self) -> int:
        return 3 * len(self.negated) + 1

    def rows_of(
        self, positive: npt.NDArray[np.bool_], negated: Scores, order: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """The row of each track.

        Args:
            positive: bool [tracks].
            negated: their scores, negated, [tracks].
            order: indices that sort the negated scores in ascending order, int64 [tracks].
        """
        count, ranked = len(self.negated), negated[order]
        ends = np.searchsorted(ranked, self.negated, "right")
        passed = np.repeat(
            np.arange(count + 1, dtype=np.int32), np.diff(ends, prepend=0, append=len(ranked)).astype(np.int64)
        )
        if self.merged:
            ties = passed < count
        else:
            begins = np.searchsorted(ranked, self.negated, "left")
            edges = np.bincount(begins, minlength=len(ranked) + 1) - np.bincount(ends, minlength=len(ranked) + 1)
            ties = np.cumsum(edges[:-1]) > 0
        ranked_rows = passed + np.where(positive[order], 2 * count + 1, np.where(ties, count + 1, 0)).astype(np.int32)
        rows = np.empty_like(ranked_rows)
        rows[order] = ranked_rows
        return rows

    def areas(self, sums: npt.NDArray[np.floating[Any]]) -> Areas:
        """ROC-AUC and average precision of each weighting.

        Args:
            sums: [rows, weightings]: the weights of each row's tracks.

        Returns:
            Two arrays [weightings]; NaN if a weighting leaves no positive or no negative.
        """
        count = len(self.negated)
        if count == 0:
            return np.full(sums.shape[1], np.nan), np.full(sums.shape[1], np.nan)
        has_ties = bool(sums[count + 1 : 2 * count + 1].any())
        parts = []
        width = max(1, _NUMBERS_AT_ONCE // self.rows)
        for first in range(0, sums.shape[1], width):
            part = np.ascontiguousarray(sums[:, first : first + width].T, dtype=np.float64)
            new_hits = part[:, 2 * count + 1 :]
            upto = before = np.cumsum(part[:, :count], axis=1)
            if has_ties:
                upto = before + np.cumsum(part[:, count + 1 : 2 * count + 1], axis=1)
                before = upto - part[:, count + 1 : 2 * count + 1]
            parts.append(_areas(new_hits, before, upto, upto[:, -1] + part[:, count]))
        roc, average = (np.concatenate(values) for values in zip(*parts, strict=True))
        return roc, average


def summed_rows(
    rows: list[npt.NDArray[np.int32]], count: int, known: npt.NDArray[np.bool_], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Sum the weights of tracks by rows.

    Args:
        rows: one or more rows that each known track adds to, each [known tracks].
        count: total number of rows.
        known: bool [tracks]; the other tracks add to none.
        weights: [tracks, weightings], whole numbers; their sums are exact up to 16 million.

    Returns:
        float32 [count, weightings].
    """
    starts = np.zeros(len(known) + 1, np.int32)
    np.cumsum(known * np.int32(len(rows)), out=starts[1:])
    places = np.stack(rows, axis=1).ravel()
    table = scipy.sparse.csc_array((np.ones(len(places), np.float32), places, starts), shape=(count, len(known)))
    sums: npt.NDArray[np.float32] = table @ weights
    return sums


def _areas(new_hits: npt.NDArray[Any], before: npt.NDArray[Any], upto: npt.NDArray[Any], misses: Any) -> Areas:
    """Areas from the counts at each step, [weightings, steps], and all misses, [weightings]."""
    hits = np.cumsum(new_hits, axis=1, dtype=np.float64)
    everything = hits[:, -1].copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        # A miss counts against the hits below it, and half against those that it ties with.
        roc = 1 - (new_hits * (before + upto)).sum(axis=1) / (2 * everything * misses)
        hits *= new_hits / np.maximum(hits + upto, 1)  # steps without weight before the first hit or miss
        average = hits.sum(axis=1) / everything
    defined = (everything > 0) & (misses > 0)
    return np.where(defined, roc, np.nan), np.where(defined, average, np.nan)
