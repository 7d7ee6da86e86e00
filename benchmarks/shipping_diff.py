"""Time and memory of `compare --tags`, against reading both folders with DuckDB and against what a user would write in pandas.

    python -m benchmarks.shipping_diff [--tracks 1500000] [--folder DIR] [--without-pandas]

Two synthetic folders of 50 tags are compared by group, in shards of 200 tracks as a catalog of 30 s excerpts has them, with the
files in the page cache. Each way runs in a process of its own, so that its peak memory is its own. The floor is a query of
DuckDB for each folder that reads its ids and scores and adds the scores up. The script in pandas joins the scores and takes the
flips and the means of each tag, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.results import write_results
from benchmarks.synthetic_tags import TaggedTracks, write_generation

TRACKS, TAGS, TRACKS_PER_SHARD, TRACKS_PER_ARTIST = 1_500_000, 50, 200, 10
_PART = 50_000  # tracks made at a time

OURS = """
from training.shipping_diff.compare_tags import DiffOptions, compare_tags
found = compare_tags(old, new, DiffOptions(by="group"))
flips = found.flips
"""
FLOOR = """
import duckdb
flips = 0
for root in (old, new):
    query = f"SELECT count(track_id), sum(list_sum(scores)) FROM read_parquet('{root}/scores/*/*.parquet')"
    duckdb.execute(query).fetchall()
"""
PANDAS = """
import glob
import numpy as np
import pandas as pd
sides = []
for name, root in (("old", old), ("new", new)):
    table = pd.read_parquet(sorted(glob.glob(f"{root}/scores/*/*.parquet")), columns=["track_id", "scores"])
    scores = np.stack(table["scores"].to_numpy())
    names = [f"{tag}_{name}" for tag in range(scores.shape[1])]
    sides.append(pd.DataFrame(scores, columns=names, index=table["track_id"]))
    del table
both = sides[0].join(sides[1], how="inner")
del sides
flips = 0
for tag in range(both.shape[1] // 2):
    a, b = both[f"{tag}_old"], both[f"{tag}_new"]
    flips += int(((a >= 0.5) != (b >= 0.5)).sum())
    shift = b.astype("float32").mean() - a.astype("float32").mean()
"""
WAYS = {"compare --tags": OURS, "floor: DuckDB reads both": FLOOR, "pandas": PANDAS}


def write_folders(folder: Path, tracks: int) -> None:
    """Write two folders of tags, whose scores differ a little."""
    rng = np.random.default_rng(0)
    scores = np.empty((2, tracks, TAGS), np.float16)
    for first in range(0, tracks, _PART):
        old = rng.random((min(_PART, tracks - first), TAGS), np.float32) ** 4
        new = old + np.float32(0.03) * rng.standard_normal(old.shape, np.float32)
        scores[:, first : first + len(old)] = old, np.clip(new, 0, 1)
    for number, name in enumerate(("old", "new")):
        made = TaggedTracks(
            ids=[f"{track:010d}" for track in range(tracks)],
            groups=[f"artist-{track // TRACKS_PER_ARTIST:06d}" for track in range(tracks)],
            embeddings=np.empty((tracks, 0), np.float16),
            scores=scores[number],
            pcm=[""] * tracks,
        )
        shards = max(1, tracks // TRACKS_PER_SHARD)
        write_generation(folder / name, made, shards=shards, model=str(number) * 64, with_embeddings=False)


def measure(folder: Path, program: str) -> dict[str, float]:
    """Wall and CPU seconds, peak memory in GiB and flips of one way, in a process of its own."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    roots = f"old, new = {str(folder / 'old')!r}, {str(folder / 'new')!r}\n"
    tell = "\nimport json, resource\nprint(json.dumps([flips, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    words = [sys.executable, "-c", roots + program + tell]
    ended = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    flips, peak = json.loads(ended.stdout.splitlines()[-1])
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return {"seconds": wall, "cpu_seconds": cpu, "peak_gib": peak / (1 << 20), "flips": flips}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tracks", type=int, default=TRACKS)
    parser.add_argument("--folder", type=Path, help="Where to keep the folders, for another run [default: nowhere].")
    parser.add_argument("--without-pandas", action="store_true")
    chosen = parser.parse_args()
    ways = {name: program for name, program in WAYS.items() if not (chosen.without_pandas and name == "pandas")}
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        if not (folder / "new" / "tags.json").exists():
            write_folders(folder, chosen.tracks)
        measured = {name: measure(folder, program) for name, program in ways.items()}
    print(f"{chosen.tracks:,} tracks, {TAGS} tags, on {os.cpu_count()} cores")
    for name, one in measured.items():
        print(
            f"  {name:<26} {one['seconds']:>7.1f} s {one['cpu_seconds']:>7.1f} s of CPU {one['peak_gib']:>6.2f} GiB "
            f"{one['flips']:>10,} flips"
        )
    write_results("shipping_diff", {"tracks": chosen.tracks, "tags": TAGS, "ways": measured})


if __name__ == "__main__":
    main()
