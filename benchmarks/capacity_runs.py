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
from schemas.dataset_manifest import DatasetManifest
from schemas.layout import Layout
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
        start: CPU seconds for starting a worker process.
        close_per_shard: CPU seconds of the driver for closing a generation, per shard.
    """

    held: tuple[Held, ...]
    start: float
    close_per_shard: float


def hold(sample: Path, catalog: Path) -> Runs:
    """Build a catalog with each number of workers, and predict each build from tracks that are measured just before it.

    Args:
        sample: Path of a catalog with the same files, of which each is measured as often as it is listed.
        catalog: Path of the catalog that is built.
    """
    with tempfile.TemporaryDirectory() as folder:
        startup = measure_startup(folder)
    held, measured = [], []
    with tempfile.TemporaryDirectory() as folder:
        for workers in WORKERS:
            files = measured_apart("tracks", str(sample), EXCERPT, together=min(workers, 2))[0]
            measured.append(files)
            options = ("--workers", str(workers), "--excerpt", EXCERPT, "--shards", str(SHARDS))
            command = build_command(Path(folder) / "data", *options)(catalog)
            before, started = _busy_seconds(), time.monotonic()
            cost = cost_of(command)
            others = (_busy_seconds() - before - cost.cpu) / (time.monotonic() - started)
            predicted = predict(_layout(folder), workers, files, startup, os.cpu_count() or 1)
            held.append(Held(workers, predicted.wall, cost.wall, predicted.cpu, cost.cpu, max(0.0, others)))
        close = _close_seconds(_layout(folder), catalog) / SHARDS
    return Runs(tuple(held), startup[1].cpu + measured[0]["decoding"]["cpu"], close)


def predict(layout: Layout, workers: int, files: dict[str, Any], startup: tuple[Spent, Spent], cores: int) -> Spent:
    """Predict wall and CPU time of a build from its plan.

    Args:
        layout: Layout of the dataset, of which only the plan is read.
        workers: Number of worker processes.
        files: Costs of the catalog's files, measured alone for one worker, and beside another process for more.
        startup: Cost of the job and of starting a worker, both without a decoding process.
        cores: Number of cores, which all processes share.
    """
    wall, cpu = (_shard_seconds(layout, files, kind) for kind in ("wall", "cpu"))
    order = handing_out(SimpleNamespace(plan=layout.plan(0)), range(len(wall)), workers)  # type: ignore[arg-type]
    job, worker = startup
    decoding = Spent(**files["decoding"])
    starting = decoding if workers == 1 else worker.plus(decoding)
    work = np.array([wall[order[first::workers]].sum() + starting.wall for first in range(workers)])
    stage = on_shared_cores(work, cores, use=float(cpu.sum() / wall.sum()))
    return Spent(job.cpu + workers * starting.cpu + float(cpu.sum()), job.wall + stage)


def _shard_seconds(layout: Layout, files: dict[str, Any], kind: str) -> Floats:
    plan = PlanReader(layout.plan(0))
    return np.array(
        [
            sum(files["files"][uri][kind] for uri in plan.shard(shard)["uri"].to_pylist()) + files["shard"][kind]
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


def _busy_seconds() -> float:
    """CPU time that all processes of this machine have used, so far, without that spent idle or waiting for a disk."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
