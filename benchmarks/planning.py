"""Time and memory for planning a catalog of 1.5 million tracks in the driver.

python -m benchmarks.planning
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.results import write_results
from benchmarks.tree_cost import cost_of

TRACKS = 1_500_000
ARTISTS = 200_000


def write_numbered(path: Path, tracks: int) -> None:
    """Write a catalog of numbered tracks in a bucket, by 200,000 artists if there are as many tracks."""
    with open(path, "w") as file:
        file.write("track_id,uri,group,duration\n")
        for number in range(tracks):
            artist = number * 7919 % ARTISTS
            file.write(
                f"{number:010d},gs://bucket/audio/{artist:06d}/{number:010d}.mp3,artist-{artist:06d},{120 + number % 240}\n"
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder) / "catalog.csv"
        write_numbered(catalog, TRACKS)
        cost = cost_of((sys.executable, "-m", "benchmarks.workloads", "plan", str(catalog)))
    print(f"planning {TRACKS:,} tracks: {cost.wall:.1f} s, {cost.cpu:.1f} CPU s, {cost.peak / 1e9:.2f} GB at most")
    write_results("planning", {"tracks": TRACKS, "wall": cost.wall, "cpu": cost.cpu, "peak": cost.peak})


if __name__ == "__main__":
    main()
