"""Memory of a build, which must not grow with the catalog: a thousand and thirty thousand tiny tracks.

python -m benchmarks.flat_memory
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.build_cost import build_command
from benchmarks.material import write_catalog
from benchmarks.results import write_results
from benchmarks.tree_cost import Cost, cost_of

TRACKS = (1_000, 30_000)
SECONDS = 0.5  # length of a track
FILES = 100


def main() -> None:
    found: dict[int, Cost] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for tracks in TRACKS:
            catalog = write_catalog(folder, tracks, SECONDS, ending="wav", files=FILES)
            found[tracks] = cost_of(build_command(folder / "data", "--workers", "2", "--shards", "64")(catalog))
    for tracks, cost in found.items():
        print(
            f"{tracks:>6,} tracks of {SECONDS} s: largest process {cost.peak / 1e6:.0f} MB, {cost.wall:.0f} s, "
            f"{cost.cpu:.0f} CPU s"
        )
    few, many = (found[tracks] for tracks in TRACKS)
    print(
        f"{many.peak / few.peak:.2f} times the memory; "
        f"{(many.cpu - few.cpu) / (TRACKS[1] - TRACKS[0]) * 1e3:.2f} CPU ms per track"
    )
    peaks = {str(tracks): cost.peak for tracks, cost in found.items()}
    write_results("flat_memory", {"peak": peaks, "ratio": many.peak / few.peak})


if __name__ == "__main__":
    main()
