"""Cost of a 30 s excerpt from tracks of five minutes, compared with the whole track, and the savings from seeking.

    python -m benchmarks.excerpt_cost

Only the excerpt of a wav or flac file is read. For a centred excerpt, an mp3 is decoded to its end, but only the excerpt
is resampled.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.build_cost import build_command
from benchmarks.marginal import Sizes, marginal
from benchmarks.material import described, write_catalog
from benchmarks.results import write_results

SECONDS = 300  # length of a track
FEW, MANY = 4, 52  # tracks
FILES = 4
REPEATS = 2
EXCERPTS = ("full", "center:30", "start:30")


def main() -> None:
    costs: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ending in ("mp3", "flac", "wav"):
            few, many = (write_catalog(folder / ending, tracks, SECONDS, ending, FILES) for tracks in (FEW, MANY))
            sizes = Sizes(few, many, FEW * SECONDS / 3600, MANY * SECONDS / 3600)
            costs[ending] = {
                excerpt: marginal(
                    build_command(folder / "data", "--workers", "1", "--shards", "4", "--excerpt", excerpt),
                    sizes,
                    REPEATS,
                ).per_hour
                for excerpt in EXCERPTS
            }
    print(f"tracks of {SECONDS} s, {described()}: CPU seconds of a whole build per hour of source audio")
    print(f"{'':<6}" + "".join(f"{excerpt:>12}" for excerpt in EXCERPTS) + f"{'center/full':>14}")
    for ending, row in costs.items():
        cells = "".join(f"{cost:>12.2f}" for cost in row.values())
        print(f"{ending:<6}{cells}{row['center:30'] / row['full']:>14.3f}")
    print(
        "an mp3 is decoded to its end for center:30 and to the end of the excerpt for start:30; flac and wav are sought in"
    )
    write_results("excerpt_cost", costs)


if __name__ == "__main__":
    main()
