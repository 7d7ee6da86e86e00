"""Count how often two tags are on the same track, for the relevant pairs of a vocabulary of any size."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy import sparse

_BLOCK = 256  # tags counted against all others at a time, which bounds the memory for 100,000 tags


@dataclasses.dataclass(frozen=True)
class PairCounts:
    """Pairs of tags, ordered.

    Attributes:
        first: Position in the vocabulary, int64 [pairs].
        second: A later position in the vocabulary, int64 [pairs].
        both: Number of tracks that are positive for both, int64 [pairs].
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    both: npt.NDArray[np.int64]


def count_pairs(
    track: npt.NDArray[np.int32],
    tag: npt.NDArray[np.int32],
    shape: tuple[int, int],
    wanted: npt.NDArray[np.int64],
    *,
    jaccard: float,
    support: int,
) -> PairCounts:
    """Count tracks with both tags, for the wanted pairs and for pairs of tags on nearly the same tracks.

    Args:
        track: Track of each positive label, [positives], with each pair of track and tag once.
        tag: Tag of each positive label, [positives].
        shape: Number of tracks and of tags.
        wanted: Positions of two tags, the lower one first, int64 [wanted, 2].
        jaccard: Smallest share of the tracks with either tag that have both, for a pair that is not wanted.
        support: Smallest number of tracks of each tag in such a pair.
    """
    tags = shape[1]
    incidence = sparse.csr_matrix((np.ones(len(track), np.int32), (track, tag)), shape=shape)
    by_tag = incidence.T.tocsr()
    totals = np.bincount(tag, minlength=tags)
    wanted_keys = np.unique(wanted[:, 0] * tags + wanted[:, 1])
    keys, counts = [wanted_keys], [np.zeros(len(wanted_keys), np.int64)]
    for start in range(0, tags, _BLOCK):
        block = (by_tag[start : start + _BLOCK] @ incidence).tocoo()
        first, second, both = block.row.astype(np.int64) + start, block.col.astype(np.int64), block.data
        either = totals[first] + totals[second] - both
        alike = (both >= jaccard * either) & (np.minimum(totals[first], totals[second]) >= support)
        key = first * tags + second
        kept = (first < second) & (alike | np.isin(key, wanted_keys))
        keys.append(key[kept])
        counts.append(both[kept].astype(np.int64))
    every, which = np.unique(np.concatenate(keys), return_inverse=True)
    both = np.bincount(which.reshape(-1), weights=np.concatenate(counts), minlength=len(every)).astype(np.int64)
    return PairCounts(every // tags, every % tags, both)
