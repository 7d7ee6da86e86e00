"""Time, size, memory and recall of an approximate search, for `benchmarks.search`."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.clustered_tracks import clustered, shards_of
from benchmarks.results import medians, seconds
from benchmarks.synthetic_tags import write_generation
from pipeline.search.graph_files import open_graphs
from pipeline.search.graphs import nearest_by_graphs
from pipeline.search.index import Index, open_index
from pipeline.search.nearest import nearest
from pipeline.search.similar import SimilarOptions, similar
from schemas.tags import Tags

QUERIES = 200  # tracks of the catalog, and as many that are not in it
COUNT = 10
REPEATS = 7
_GENERATION = 250_000  # tracks made and written at a time
_BLOCK = 10_000  # rows compared at a time


def measure_approximate(folder: Path, tracks: int) -> dict[str, Any]:
    """Measures one catalog; times in seconds, sizes in bytes."""
    root = folder / f"tags-{tracks}"
    for seed, first in enumerate(range(0, tracks, _GENERATION)):
        count = min(_GENERATION, tracks - first)
        write_generation(root, clustered(count, seed=seed, first=first), shards=shards_of(count))
    tags, rng = Tags.open(str(root)), np.random.default_rng(1)
    asked = rng.integers(tracks, size=QUERIES)
    exactly = SimilarOptions(exact=True)
    measured: dict[str, Any] = {"index": seconds(partial(similar, str(root), track=f"{0:010d}", options=exactly))}
    with open_index(tags) as index:
        measured["graphs made"] = medians([lambda: open_graphs(tags, index)])
        measured["graphs opened"] = medians([lambda: open_graphs(tags, index)] * REPEATS)
        measured["graphs, bytes"] = sum(path.stat().st_size for path in (root / "index").glob("*.usearch"))
        graphs = open_graphs(tags, index)
        if graphs is None:
            sys.exit("expected graphs, see the line above")
        stored = index.vectors.rows(asked)
        noise = rng.standard_normal(stored.shape, np.float32) * np.float32(0.3)
        queries = {"stored": (stored, asked), "new": (np.maximum(stored + noise, 0).astype(np.float16), None)}

        def wanted(vector: npt.NDArray[np.float16], row: int | None) -> tuple[Any, ...]:
            allowed = np.ones(tracks, bool)
            if row is not None:
                allowed[row] = False
            return index.vectors, index.norms, vector, allowed, index.rows["track_id"], COUNT

        for name, (vectors, rows) in queries.items():
            truth = brute_force(index, vectors, rows)
            own = [None] * QUERIES if rows is None else rows.tolist()
            found = []
            measured[f"search, {name}"] = medians(
                lambda given=given, found=found: found.append(nearest_by_graphs(graphs, *wanted(*given)))
                for given in zip(vectors, own, strict=True)
            )
            hits = sum(len(set(one[0].tolist()) & set(best.tolist())) for one, best in zip(found, truth, strict=True))
            measured[f"recall, {name}"] = hits / COUNT / QUERIES
        measured["search, exact"] = medians(partial(nearest, *wanted(vector, None)) for vector in stored[:REPEATS])
    for name, options in (("similar", SimilarOptions(exact_up_to=0)), ("similar, exact", exactly)):
        measured[name] = medians(
            partial(similar, str(root), track=f"{row:010d}", options=options) for row in asked[:REPEATS]
        )
    words = (sys.executable, "-m", "benchmarks.idle_search", str(root))
    said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**measured, **{f"memory, {name}": size for name, size in json.loads(said).items()}}


def brute_force(
    index: Index, queries: npt.NDArray[np.float16], rows: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.int64]:
    """The nearest rows to each query, [queries, COUNT], by matrix products in float32.

    Args:
        index: An index.
        queries: float16 [queries, width].
        rows: The row of each query, which is not among its results; None if they are not in the index.
    """
    wide = queries.astype(np.float32)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    found, best = np.empty((len(wide), 0), np.int64), np.empty((len(wide), 0), np.float32)
    for first in range(0, len(index.norms), _BLOCK):
        values = index.vectors.values[first : first + _BLOCK].astype(np.float32)
        cosines = wide @ values.T / index.norms[first : first + _BLOCK].astype(np.float32)
        if rows is not None:
            own = np.flatnonzero((rows >= first) & (rows < first + _BLOCK))
            cosines[own, rows[own] - first] = -np.inf
        numbers = np.broadcast_to(np.arange(first, first + len(values)), cosines.shape)
        best, found = np.concatenate([best, cosines], axis=1), np.concatenate([found, numbers], axis=1)
        kept = np.argpartition(-best, COUNT, axis=1)[:, :COUNT]
        best, found = np.take_along_axis(best, kept, axis=1), np.take_along_axis(found, kept, axis=1)
    return found


def time_line(name: str, times: dict[str, float]) -> str:
    """The words for a time."""
    return f"  {name:<18} {times['wall'] * 1e3:>8.1f} ms, {times['cpu'] * 1e3:>8.1f} ms CPU"


def lines(tracks: int, measured: dict[str, Any]) -> list[str]:
    """The words for a catalog's figures."""
    made, names = measured["graphs made"], ("graphs opened", "search, stored", "search, new", "search, exact")
    return [
        f"{tracks:,} tracks, approximate: graphs of {measured['graphs, bytes'] / 1e9:.2f} GB made in {made['wall']:.0f} s, "
        f"{made['cpu']:.0f} s CPU",
        *(time_line(name, measured[name]) for name in (*names, "similar", "similar, exact")),
        f"  recall at {COUNT}: {measured['recall, stored']:.4f} of {QUERIES} tracks, {measured['recall, new']:.4f} of as "
        "many that are not in it",
        f"  memory after opening {measured['memory, idle'] / 1e6:.0f} MB, at most {measured['memory, peak'] / 1e6:.0f} MB "
        "until then",
    ]
