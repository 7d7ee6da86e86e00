"""Time, size, memory and recall of an approximate search, for `benchmarks.search`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.clustered_tracks import clustered, shards_of
from benchmarks.results import seconds
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


def measure_approximate(folder: Path, tracks: int) -> dict[str, float]:
    """Measures one catalog; times in seconds, sizes in bytes."""
    root = folder / f"tags-{tracks}"
    for seed, first in enumerate(range(0, tracks, _GENERATION)):
        count = min(_GENERATION, tracks - first)
        write_generation(root, clustered(count, seed=seed, first=first), shards=shards_of(count))
    tags, rng = Tags.open(str(root)), np.random.default_rng(1)
    asked = rng.integers(tracks, size=QUERIES)
    measured = {"index": seconds(lambda: similar(str(root), track=f"{0:010d}", options=SimilarOptions(exact=True)))}
    with open_index(tags) as index:
        measured["graphs made"] = seconds(lambda: open_graphs(tags, index))
        measured["graphs opened"] = seconds(lambda: open_graphs(tags, index))
        measured["graphs, bytes"] = sum(path.stat().st_size for path in (root / "index").glob("*.usearch"))
        graphs = open_graphs(tags, index)
        if graphs is None:
            sys.exit("expected graphs, see the line above")
        stored = index.vectors.rows(asked)
        noise = rng.standard_normal(stored.shape, np.float32) * np.float32(0.3)
        queries = {"stored": (stored, asked), "new": (np.maximum(stored + noise, 0).astype(np.float16), None)}
        took = []
        for name, (vectors, rows) in queries.items():
            truth, hits = brute_force(index, vectors, rows), 0
            for number, vector in enumerate(vectors):
                allowed = np.ones(tracks, bool)
                if rows is not None:
                    allowed[rows[number]] = False
                wanted = (index.vectors, index.norms, vector, allowed, index.rows["track_id"], COUNT)
                found = []
                took.append(
                    seconds(lambda wanted=wanted, found=found: found.append(nearest_by_graphs(graphs, *wanted)))
                )
                hits += len(set(found[0][0].tolist()) & set(truth[number].tolist()))
            measured[f"recall, {name}"] = hits / COUNT / QUERIES
        measured["search"] = statistics.median(took)
        everything = np.ones(tracks, bool)
        measured["exact search"] = statistics.median(
            seconds(lambda v=v: nearest(index.vectors, index.norms, v, everything, index.rows["track_id"], COUNT))
            for v in stored[:REPEATS]
        )
    for name, options in (("similar", SimilarOptions(exact_up_to=0)), ("similar, exact", SimilarOptions(exact=True))):
        measured[name] = statistics.median(
            seconds(lambda row=row, options=options: similar(str(root), track=f"{row:010d}", options=options))
            for row in asked[:REPEATS]
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


def lines(tracks: int, measured: dict[str, float]) -> list[str]:
    """The words for a catalog's figures."""
    return [
        f"{tracks:,} tracks, approximate: graphs made in {measured['graphs made']:.0f} s, "
        f"{measured['graphs, bytes'] / 1e9:.2f} GB, checked and opened in {measured['graphs opened'] * 1e3:.0f} ms",
        *(
            f"  {name:<18} {measured[name] * 1e3:>8.1f} ms"
            for name in ("search", "exact search", "similar", "similar, exact")
        ),
        f"  recall at {COUNT}: {measured['recall, stored']:.4f} of {QUERIES} tracks, {measured['recall, new']:.4f} of as "
        "many that are not in it",
        f"  memory after opening {measured['memory, idle'] / 1e6:.0f} MB, at most {measured['memory, peak'] / 1e6:.0f} MB "
        "until then",
    ]
