"""Time of a search by embedding: exact ones against reading the matrix once and against scikit-learn's brute force, and
approximate ones against exact ones.

    python -m benchmarks.search [TRACKS …]

Query times are medians over several queries, of the clock and of the CPU, with the files in the page cache: of `similar` as a
whole, which opens the index, and of the search alone. The floor is the time in which this machine copies as many bytes as the
matrix has, with one `numpy.copyto`. A catalog of more tracks than `similar` compares one by one is searched through its graphs,
which need the extra `search`, and minutes to be made.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.approximate_search import lines, measure_approximate, time_line
from benchmarks.clustered_tracks import WIDTH, clustered, shards_of
from benchmarks.results import medians, seconds, write_results
from benchmarks.synthetic_tags import write_generation
from pipeline.search.index import open_index
from pipeline.search.nearest import nearest
from pipeline.search.similar import EXACT_UP_TO, SimilarOptions, similar
from schemas.tags import Tags

TRACKS = (100_000, 1_000_000, 1_500_000)
REPEATS = 7
COUNT = 10
_COPIED = 1 << 28  # bytes with which the bandwidth is measured, far more than a cache


def measure(folder: Path, tracks: int) -> dict[str, Any]:
    """Measures one catalog; times in seconds."""
    root, made = folder / f"tags-{tracks}", clustered(tracks)
    write_generation(root, made, shards=shards_of(tracks))
    asked = np.random.default_rng(1).integers(tracks, size=REPEATS).tolist()
    measured: dict[str, Any] = {"index": seconds(lambda: similar(str(root), track=made.ids[0]))}
    measured["similar"] = medians(partial(similar, str(root), track=made.ids[row]) for row in asked)
    filtered = SimilarOptions(conditions=["tag 0>0.5"], not_same_group=True)
    measured["similar, filtered"] = medians(
        partial(similar, str(root), track=made.ids[row], options=filtered) for row in asked
    )
    with open_index(Tags.open(str(root))) as index:
        everything, ids = np.ones(tracks, bool), index.rows["track_id"]
        found = {}

        def search(row: int) -> None:
            found[row], _ = nearest(index.vectors, index.norms, made.embeddings[row], everything, ids, COUNT)

        measured["search"] = medians(partial(search, row) for row in asked)
        measured["floor"] = index.vectors.values.nbytes / bandwidth()
    values = made.embeddings.astype(np.float32)
    brute = NearestNeighbors(n_neighbors=COUNT, algorithm="brute", metric="cosine").fit(values)
    answers = {}

    def search_brute(row: int) -> None:
        answers[row] = brute.kneighbors(values[row : row + 1], return_distance=False)[0]

    measured["scikit-learn"] = medians(partial(search_brute, row) for row in asked)
    same = [len(set(found[row].tolist()) & set(answers[row].tolist())) for row in asked]
    measured["share also found by scikit-learn"] = sum(same) / COUNT / len(asked)
    return measured


def bandwidth() -> float:
    """Bytes per second that one copy of a large array reads."""
    source, target = np.ones(_COPIED, np.uint8), np.empty(_COPIED, np.uint8)
    return _COPIED / min(seconds(lambda: np.copyto(target, source)) for _ in range(5))


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or TRACKS
    results = {}
    for tracks in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measured = (measure if tracks <= EXACT_UP_TO else measure_approximate)(Path(folder), tracks)
        results[str(tracks)] = measured
        if tracks > EXACT_UP_TO:
            print(*lines(tracks, measured), sep="\n")
            continue
        print(f"{tracks:,} tracks, embeddings of {WIDTH}: index made, and first search, in {measured['index']:.1f} s")
        for name in ("similar", "similar, filtered", "search", "scikit-learn"):
            times = measured[name]["wall"] / measured["floor"]
            print(f"{time_line(name, measured[name])} {times:>6.1f} times the floor")
        print(f"  floor              {measured['floor'] * 1e3:>8.1f} ms")
        print(f"  scikit-learn finds {measured['share also found by scikit-learn']:.1%} of the same tracks")
    write_results("search", results)


if __name__ == "__main__":
    main()
