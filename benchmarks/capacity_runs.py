"""Hold the model of a build to real builds on this machine, with one, two and four worker processes.

The model knows what single tracks cost, alone and while another process does the same, what starting costs, how the plan
divides the tracks, and how many cores there are; it has not seen a build.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.build_cost import build_command
from benchmarks.capacity_measure import measured_apart
from benchmarks.capacity_model import Floats, on_shared_cores
from benchmarks.tree_cost import cost_of
from pipeline.decode.catalog import read_catalog
from pipeline.decode.generations import close_generation, payload_bytes
from pipeline.decode.shards import ShardJob
from pipeline.estimate.cost_sample import Spent
from pipeline.estimate.startup import measure_startup
from pipeline.jobs.transforms import handing_out
from schemas.layout import Layout
from schemas.manifests import DatasetManifest
from schemas.plan_file import PlanReader

WORKERS = (1, 2, 4)
SHARDS = 24
EXCERPT = "full"  # so that a short run has work for its workers


@dataclasses.dataclass(frozen=True)
class Held:
    """A real build beside its prediction.

    Attributes:
        workers: Number of worker processes.
        wall, wall_measured: Wall time of the command in seconds.
        cpu, cpu_measured: CPU time of all its processes in seconds.
        others: Cores that other work on this machine used meanwhile.
    """

    workers: int
    wall: float
    wall_measured: float
    cpu: float
    cpu_measured: float
    others: float


@dataclasses.dataclass(frozen=True)
class Runs:
    """The builds, and what was learned beside them.

    Attributes:
        held: Each build beside its prediction.
        contention: CPU time of tracks while another process builds too, over that without.
        start: CPU seconds for starting a worker process.
        close_per_shard: CPU seconds of the driver for closing a generation, per shard.
    """

    held: tuple[Held, ...]
    contention: float
    start: float
    close_per_shard: float


def hold(catalog: Path, alone: dict[str, Any], paired: dict[str, Any]) -> Runs:
    """Build a catalog with each number of workers, and predict each build.

    Args:
        catalog: Path of the catalog.
        alone: Costs of its files, from `capacity_measure tracks`.
        paired: The same while another process did the same.
    """
    contention = _total(paired, "cpu") / _total(alone, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        startup = measure_startup(folder)
    held = []
    with tempfile.TemporaryDirectory() as folder:
        for workers in WORKERS:
            options = ("--workers", str(workers), "--excerpt", EXCERPT, "--shards", str(SHARDS))
            command = build_command(Path(folder) / "data", *options)(catalog)
            before, started = _busy_seconds(), time.monotonic()
            cost = cost_of(command)
            others = (_busy_seconds() - before - cost.cpu) / (time.monotonic() - started)
            slower = contention if workers > 1 else 1.0
            predicted = predict(_layout(folder), workers, alone, slower, startup, os.cpu_count() or 1)
            held.append(Held(workers, predicted.wall, cost.wall, predicted.cpu, cost.cpu, max(0.0, others)))
        close = _close_seconds(_layout(folder), catalog) / SHARDS
    return Runs(tuple(held), contention, startup[1].cpu + alone["decoding"]["cpu"], close)


def predict(
    layout: Layout, workers: int, files: dict[str, Any], slower: float, startup: tuple[Spent, Spent], cores: int
) -> Spent:
    """Predict wall and CPU time of a build from its plan.

    Args:
        layout: Layout of the dataset, of which only the plan is read.
        workers: Number of worker processes.
        files: Costs of the catalog's files, measured alone.
        slower: Factor of those costs when more than one worker is at work.
        startup: Cost of the job and of starting a worker, both without a decoding process.
        cores: Number of cores, which all processes share.
    """
    wall, cpu = (_shard_seconds(layout, files, kind, slower) for kind in ("wall", "cpu"))
    order = handing_out(SimpleNamespace(plan=layout.plan(0)), range(len(wall)), workers)  # type: ignore[arg-type]
    job, worker = startup
    decoding = Spent(**files["decoding"])
    starting = decoding if workers == 1 else worker.plus(decoding)
    work = np.array([wall[order[first::workers]].sum() + starting.wall for first in range(workers)])
    stage = on_shared_cores(work, cores, use=float(cpu.sum() / wall.sum()))
    return Spent(job.cpu + workers * starting.cpu + float(cpu.sum()), job.wall + stage)


def _shard_seconds(layout: Layout, files: dict[str, Any], kind: str, slower: float) -> Floats:
    plan = PlanReader(layout.plan(0))
    return np.array(
        [
            slower * sum(files["files"][uri][kind] for uri in plan.shard(shard)["uri"].to_pylist())
            + files["shard"][kind]
            for shard in range(plan.shards)
        ]
    )


def _close_seconds(layout: Layout, catalog: Path) -> float:
    """CPU time of closing the built generation once more."""
    manifest = DatasetManifest.read(layout.manifest)
    job = ShardJob(layout.root, 0, manifest.families, read_catalog(str(catalog)).root)
    before = time.process_time()
    close_generation(job, manifest.generations[0])
    payload_bytes(job, manifest.generations[0].shards)
    return time.process_time() - before


def _layout(folder: str) -> Layout:
    return Layout(os.path.join(folder, "data"))


def _total(measured: dict[str, Any], kind: str) -> float:
    return float(sum(file[kind] for file in measured["files"].values()))


def _busy_seconds() -> float:
    """CPU time that all processes of this machine have used, so far, without that spent idle or waiting for a disk."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def measure_pair(catalog: Path, excerpt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Costs of the catalog's files alone, and in one of two simultaneous processes."""
    (alone,) = measured_apart("tracks", str(catalog), excerpt)
    both = measured_apart("tracks", str(catalog), excerpt, together=2)
    return alone, both[0]
