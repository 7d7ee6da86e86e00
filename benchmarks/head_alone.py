"""Time of `tag --embeddings` over a whole catalog, against reading the same files once.

    python -m benchmarks.head_alone [--tracks 1500000] [--workers 2] [--folder DIR]

The tags are synthetic, of 50 tags and embeddings of 500 values in shards of 200 tracks, as a catalog of 30 s excerpts has them.
The head is random; the model has no graph, since nothing runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.results import write_results
from benchmarks.synthetic_tags import TaggedTracks, write_generation
from benchmarks.tree_cost import cost_of
from pipeline.tagging.model_files import read_model
from schemas.features import LogMelSpec, WaveformSpec
from schemas.model_forms import ASSETS, MARKERS
from schemas.model_head import HEAD_NAME, Head

TRACKS, TAGS, WIDTH, TRACKS_PER_SHARD, TRACKS_PER_ARTIST = 1_500_000, 50, 500, 200, 10
_PART = 50_000  # tracks made at a time


def write_model(out: Path) -> None:
    """Write the assets of a model with a random head of full size; the graph is empty, since nothing runs it."""
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(scale=0.1, size=(WIDTH, TAGS)), rng.normal(size=TAGS)
    assets = {
        "vocabulary.txt": "".join(f"tag {number}\n" for number in range(TAGS)).encode(),
        "feature_spec.json": json.dumps(LogMelSpec(WaveformSpec("center:30")).to_dict()).encode(),
        "labels.json": b'{"name": "random", "version": "0"}',
        "model.json": json.dumps({"patch": 938, "embedding": WIDTH, "trunk_sha256": "1" * 64}).encode(),
        HEAD_NAME: Head(kernel.astype(np.float32), bias.astype(np.float32)).to_bytes(),
    }
    (out / ASSETS).mkdir(parents=True)
    (out / MARKERS["savedmodel"]).write_bytes(b"")
    for name, data in assets.items():
        (out / ASSETS / name).write_bytes(data)


def write_tags(root: Path, model: Path, tracks: int) -> None:
    """Write tags with random embeddings, none of them negative, as those of a tagger are."""
    rng = np.random.default_rng(0)
    embeddings = np.empty((tracks, WIDTH), np.float16)
    for first in range(0, tracks, _PART):
        part = embeddings[first : first + _PART]
        part[:] = np.maximum(rng.standard_normal(part.shape, np.float32), 0)
    made = TaggedTracks(
        ids=[f"{track:010d}" for track in range(tracks)],
        groups=[f"artist-{track // TRACKS_PER_ARTIST:06d}" for track in range(tracks)],
        embeddings=embeddings,
        scores=rng.random((tracks, TAGS), np.float32).astype(np.float16),
        pcm=[f"{track:064x}" for track in range(tracks)],
    )
    write_generation(root, made, shards=max(1, tracks // TRACKS_PER_SHARD), entry=read_model(str(model)).entry)


def seconds_to_read(root: Path) -> tuple[float, int]:
    """Seconds in which the files of scores are read once, and their bytes."""
    began, size = time.perf_counter(), 0
    for path in sorted(root.glob("scores/*/*.parquet")):
        size += len(path.read_bytes())
    return time.perf_counter() - began, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tracks", type=int, default=TRACKS)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="Where to keep the tags, for another run [default: nowhere].")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        old, model = folder / "old", folder / "model"
        if not (old / "tags.json").exists():
            write_model(model)
            with ProcessPoolExecutor(1) as apart:  # its memory shall not count
                apart.submit(write_tags, old, model, chosen.tracks).result()
        with tempfile.TemporaryDirectory(dir=folder) as out:
            words = (
                "tag",
                "--model",
                model,
                "--embeddings",
                old,
                "--out",
                Path(out, "new"),
                "--workers",
                chosen.workers,
            )
            read, size = seconds_to_read(old)
            cost = cost_of((sys.executable, "-m", "pipeline.run", *map(str, words), "--quiet"))
            read_again, _ = seconds_to_read(old)
    read = min(read, read_again)
    print(
        f"{chosen.tracks:,} tracks, {TAGS} tags, embeddings of {WIDTH}, {size / 1e9:.2f} GB, {chosen.workers} workers"
    )
    print(
        f"  {'tag --embeddings':<20} {cost.wall:>7.1f} s {cost.cpu:>7.1f} s of CPU {size / cost.wall / 1e6:>8,.0f} MB/s"
    )
    print(f"  {'reading the files':<20} {read:>7.1f} s {'':>16} {size / read / 1e6:>8,.0f} MB/s")
    print(f"  largest process {cost.peak / 1e6:,.0f} MB")
    figures = {
        "seconds": cost.wall,
        "cpu_seconds": cost.cpu,
        "peak_bytes": cost.peak,
        "read_seconds": read,
        "bytes": size,
    }
    write_results("head_alone", {"tracks": chosen.tracks, "workers": chosen.workers, **figures})


if __name__ == "__main__":
    main()
