"""Approximate search by cosine: graphs of usearch (HNSW) name the rows that are likely to be nearest, and float64 orders these.

Each graph is of one part of the rows, and one thread makes it in their order, so that the same rows give the same graphs
however many cores make them.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.search.block_matrix import BlockMatrix
from pipeline.search.nearest import ranked

_LINKS = 16  # of a row to others, and twice as many in the lowest layer of a graph
_COMPARED_WHEN_MADE, _COMPARED_WHEN_SEARCHED = 128, 256  # candidates that are followed at a time
_SPARE = 2  # rows named per row wanted: usearch orders them by float32
_MOST_NAMED = 4_096  # rows that a search names at most: from there on an exact one is about as fast


@dataclasses.dataclass(frozen=True, eq=False)
class Graphs:
    """Open graphs, one for each part of the rows.

    Attributes:
        parts: Indexes of usearch.
        mapped: The files that they are views of, which stay mapped for as long.
    """

    parts: tuple[Any, ...]
    mapped: tuple[npt.NDArray[np.uint8], ...]

    def named(self, query: npt.NDArray[np.float16], count: int) -> npt.NDArray[np.int64]:
        """Numbers of the `count` rows that the graphs name as the nearest to a vector; fewer if they reach no more."""
        found = [part.search(query, count, threads=1) for part in self.parts]
        rows = np.concatenate([one.keys for one in found]).astype(np.int64)
        distances = np.concatenate([one.distances for one in found])
        return rows[np.lexsort((rows, distances))[:count]]


def empty_graph(width: int) -> Any:
    """A graph over float16 vectors of a width, without any."""
    from usearch.index import Index

    return Index(
        ndim=width,
        metric="cos",
        dtype="f16",
        connectivity=_LINKS,
        expansion_add=_COMPARED_WHEN_MADE,
        expansion_search=_COMPARED_WHEN_SEARCHED,
        enable_key_lookups=False,  # a table in memory by which rows could be removed; a view cannot do that anyway
    )


def make_graph(
    vectors: BlockMatrix, rows: range, path: str, *, is_done: Callable[[int], None], stop: threading.Event
) -> None:
    """Write the graph of some rows. Deterministic for one release of usearch and one kind of processor.

    Args:
        vectors: Embeddings; the graph refers to them while it is made, so that memory holds only its links.
        rows: Numbers of the rows, one after the other.
        path: Where to write.
        is_done: Called with the number of rows just added.
        stop: Set to end the work early.

    Raises:
        DamagedIndexError: The vectors are not those written.
        OSError: Memory or the disk is full.
    """
    graph = empty_graph(vectors.values.shape[1])
    wanted = np.zeros(len(vectors.values), bool)
    wanted[rows.start : rows.stop] = True
    try:
        for place, _ in vectors.blocks(wanted):
            if stop.is_set():
                return
            numbers = np.arange(max(place.start, rows.start), min(place.stop, rows.stop))
            graph.add(numbers, vectors.values[numbers[0] : numbers[-1] + 1], copy=False, threads=1)
            is_done(len(numbers))
        graph.save(path)
    except RuntimeError as error:  # what usearch raises for want of memory or of space on the disk
        raise OSError(str(error)) from error
    if os.path.getsize(path) != graph.serialized_length:
        raise OSError(f"{graph.serialized_length:,} bytes of a graph were not written whole")


def can_name(allowed: npt.NDArray[np.bool_], count: int) -> bool:
    """Whether a search for so many of the allowed rows would ask for few enough rows to be worth it."""
    return bool(allowed.any()) and _asked(allowed, count) <= _MOST_NAMED


def _asked(allowed: npt.NDArray[np.bool_], count: int) -> int:
    possible = int(allowed.sum())
    return _SPARE * min(count, possible) + len(allowed) - possible


def nearest_by_graphs(
    graphs: Graphs,
    vectors: BlockMatrix,
    norms: npt.NDArray[np.float64],
    query: npt.NDArray[np.float16],
    allowed: npt.NDArray[np.bool_],
    ids: pa.ChunkedArray,
    count: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] | None:
    """The rows that are likely to be nearest, as `nearest` gives those that are; None if only that can give enough.

    The graphs know all rows. They are asked for as many more as there are rows that are not allowed, so whichever of these they
    name, enough others are left.

    Args:
        graphs: The graphs of all rows.
        vectors: float16 [rows, width].
        norms: Norm of each row.
        query: float16 [width], not all zeros.
        allowed: Rows that may be among the results: all but a few, see `can_name`.
        ids: Id of each row.
        count: Number of rows wanted.

    Raises:
        DamagedIndexError: The vectors are not those written.
    """
    named = graphs.named(query, _asked(allowed, count))
    candidates = named[allowed[named]][: _SPARE * count]
    if len(candidates) < min(count, int(allowed.sum())):
        return None
    return ranked(vectors, norms, query, candidates, ids, count)
