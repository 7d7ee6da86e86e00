"""Exact search by cosine: a pass over all rows in float32 finds those that may be nearest, and float64 decides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.search.block_matrix import BlockMatrix

_DIGITS = 12  # of a similarity: float64 rounds in a later place, and mathematically equal ones must tie
_RESCORED = 4_096  # rows that are widened to float64 at a time


def norms_of(rows: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Euclidean norm of each row."""
    wide = rows.astype(np.float64)
    norms: npt.NDArray[np.float64] = np.sqrt((wide * wide).sum(axis=1))
    return norms


def nearest(
    vectors: BlockMatrix,
    norms: npt.NDArray[np.float64],
    query: npt.NDArray[np.float16],
    allowed: npt.NDArray[np.bool_],
    ids: pa.ChunkedArray,
    count: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The rows nearest to a vector by cosine, the nearest first; equal ones in the order of their ids.

    The result is that of float64 arithmetic over all allowed rows. The rounding error of a product in float32 has a bound, so
    every row whose float32 similarity lies within two bounds of the last one wanted is computed again.

    Args:
        vectors: float16 [rows, width].
        norms: Norm of each row; a row of zeros has the similarity 0 to everything.
        query: float16 [width], not all zeros.
        allowed: Rows among which to search.
        ids: Id of each row.
        count: Number of rows wanted.

    Returns:
        Numbers of at most `count` rows, and their similarities.

    Raises:
        DamagedIndexError: The vectors are not those written.
    """
    numbers = np.flatnonzero(allowed)
    count = min(count, len(numbers))
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    divisors = np.where(norms[numbers] > 0, norms[numbers], 1)
    rough = vectors.products(_unit(query).astype(np.float32), allowed)[numbers] / divisors
    bound = (vectors.values.shape[1] + 16) * float(np.finfo(np.float32).eps)
    last = np.partition(rough, len(rough) - count)[len(rough) - count]
    return ranked(vectors, norms, query, numbers[rough >= last - 2 * bound], ids, count)


def ranked(
    vectors: BlockMatrix,
    norms: npt.NDArray[np.float64],
    query: npt.NDArray[np.float16],
    candidates: npt.NDArray[np.int64],
    ids: pa.ChunkedArray,
    count: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The nearest of some rows, by float64 arithmetic, as `nearest` orders and returns them.

    Args:
        vectors: float16 [rows, width].
        norms: Norm of each row.
        query: float16 [width], not all zeros.
        candidates: Numbers of the rows among which to search.
        ids: Id of each row.
        count: Number of rows wanted.

    Raises:
        DamagedIndexError: The vectors are not those written.
    """
    unit = _unit(query)
    similarities = np.concatenate(
        [
            _similarities(vectors.rows(part), norms[part], unit)
            for part in np.split(candidates, range(_RESCORED, len(candidates), _RESCORED))
        ]
    )
    names = ids.take(pa.array(candidates)).to_pylist()
    order = sorted(range(len(candidates)), key=lambda place: (-similarities[place], names[place]))[:count]
    return candidates[order], similarities[order]


def _unit(query: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    unit: npt.NDArray[np.float64] = query.astype(np.float64) / norms_of(query[np.newaxis])[0]
    return unit


def _similarities(
    rows: npt.NDArray[np.float16], norms: npt.NDArray[np.float64], unit: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    # A sum over each row has the same order of additions wherever the row lies; a matrix product has not.
    products = (rows.astype(np.float64) * unit).sum(axis=1)
    found: npt.NDArray[np.float64] = np.round(products / np.where(norms > 0, norms, 1), _DIGITS) + 0.0
    return found
