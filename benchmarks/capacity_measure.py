"""Measure what the simulation of large catalogs starts from, each in a process of its own.

    python -m benchmarks.capacity_measure tracks CATALOG EXCERPT
    python -m benchmarks.capacity_measure plan
    python -m benchmarks.capacity_measure opened PLAN

The first builds sampled tracks one by one, with the code of `pipeline.run estimate`; the second writes plans, and lets the
third open one. All print JSON.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.material import write_catalog, write_rows
from benchmarks.planning import write_numbered
from benchmarks.tree_cost import ROOT, cost_of

# Lengths of tracks: assumed to be log-normal. One file from the middle of each of these equal parts of the distribution
# is encoded, so that every file stands for as many tracks.
MEDIAN_SECONDS, SPREAD, PARTS = 220.0, 0.35, 6
SAMPLE_REPEATS = 3
PLANNED_TRACKS, FEW_SHARDS, MANY_SHARDS = 40_000, 200, 5_000
FEW_TRACKS, MANY_TRACKS = 50_000, 250_000  # of the catalogs for which the driver's memory is measured


def track_lengths() -> list[int]:
    """Length of each file in seconds."""
    normal = statistics.NormalDist()
    return [round(MEDIAN_SECONDS * math.exp(SPREAD * normal.inv_cdf((part + 0.5) / PARTS))) for part in range(PARTS)]


def mixed_catalog(folder: Path, times: int) -> Path:
    """A catalog of all files, each under so many ids; files that exist in the folder are not encoded again."""
    rows = []
    for seconds in track_lengths():
        write_catalog(folder / f"{seconds}", 1, seconds)
        rows += [(f"{seconds}-{number}", f"{seconds}/00000.mp3", seconds) for number in range(times)]
    return write_rows(folder / f"catalog-x{times}.csv", rows)


def measured_apart(*arguments: str, together: int = 1) -> list[dict[str, Any]]:
    """Run this module in as many simultaneous processes; returns what each of them prints."""
    command = (sys.executable, "-m", "benchmarks.capacity_measure", *arguments)
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(together)]
    printed = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"{' '.join(command)} failed")
    return [json.loads(words) for words in printed]


def tracks(catalog: str, excerpt: str) -> dict[str, Any]:
    """CPU and wall seconds of each file, the median of its repeats, and of a shard and a decoding process."""
    from pipeline.decode.catalog import read_catalog
    from pipeline.decode.shards import ShardJob
    from pipeline.estimate.cost_sample import measure_sample
    from schemas.features import FAMILIES, specs_for

    read = read_catalog(catalog)
    uris = read.table["uri"].to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        job = ShardJob(folder, 0, specs_for(FAMILIES, excerpt), read.root)
        measured = measure_sample(read.table, job, lambda _: None)
    if any(measured.tracks["cause"].to_pylist()):
        raise RuntimeError("a track of the sample was rejected")
    found: dict[str, Any] = {"shard": vars(measured.shard), "decoding": vars(measured.decoding), "files": {}}
    for uri in dict.fromkeys(uris):
        costs = [cost for cost, other in zip(measured.costs, uris, strict=True) if other == uri]
        usual = {kind: statistics.median(getattr(cost, kind) for cost in costs) for kind in ("cpu", "wall")}
        found["files"][uri] = {**usual, "bytes": os.path.getsize(os.path.join(read.root, uri))}
    return found


def plan() -> dict[str, float]:
    """CPU seconds and bytes of memory, per track and per shard, of planning and of opening a plan."""
    import pyarrow as pa

    from pipeline.jobs.plan import plan_tracks
    from schemas.plan_file import plan_bytes

    numbers = np.arange(PLANNED_TRACKS)
    table = pa.table(
        {
            "track_id": [f"{number:010d}" for number in numbers],
            "uri": [f"gs://bucket/audio/{number:010d}.mp3" for number in numbers],
            "group": [f"artist-{number:06d}" for number in numbers * 7919 % (PLANNED_TRACKS // 8)],
            "split": pa.nulls(PLANNED_TRACKS, pa.string()),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        few, many = (os.path.join(folder, name) for name in ("few", "many"))
        spent = [
            _cpu(lambda path=path, shards=shards: Path(path).write_bytes(plan_bytes(plan_tracks(table, shards), {})))  # type: ignore[misc]
            for path, shards in ((few, FEW_SHARDS), (many, MANY_SHARDS))
        ]
        footer = int.from_bytes(Path(many).read_bytes()[-8:-4], "little")
        (reading,) = measured_apart("opened", many)
    per_shard = max(0.0, spent[1] - spent[0]) / (MANY_SHARDS - FEW_SHARDS)
    return {
        "per_track": max(0.0, spent[0] - per_shard * FEW_SHARDS) / PLANNED_TRACKS,
        "per_shard": per_shard,
        "memory_per_track": _driver_memory(),
        "footer_per_shard": footer / reading["shards"],
        **{f"open_{name}_per_shard": reading[name] / reading["shards"] for name in ("seconds", "memory")},
    }


def opened(path: str) -> dict[str, float]:
    """CPU seconds and bytes of memory for opening a plan, and the number of its shards."""
    from schemas.plan_file import PlanReader

    before, started = _memory(), time.process_time()
    reader = PlanReader(path)
    return {"seconds": time.process_time() - started, "memory": _memory() - before, "shards": reader.shards}


def _driver_memory() -> float:
    """Bytes of the driver's peak memory for each further track of a catalog that it reads and plans."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (FEW_TRACKS, MANY_TRACKS):
            catalog = os.path.join(folder, "catalog.csv")
            write_numbered(Path(catalog), count)
            peaks.append(cost_of((sys.executable, "-m", "benchmarks.workloads", "plan", catalog)).peak)
    return (peaks[1] - peaks[0]) / (MANY_TRACKS - FEW_TRACKS)


def _cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _memory() -> int:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    print(json.dumps({"tracks": tracks, "plan": plan, "opened": opened}[name](*rest)))  # type: ignore[operator]
