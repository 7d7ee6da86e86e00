"""Simulate builds of 1.5 and 100 million tracks on Google's cloud with 10 to 10,000 workers, and say what bounds them.

What is not measured is assumed here, with its source where there is one:

- Cloud Storage takes 5,000 reads and 1,000 writes a second in a bucket at first, and rates that double every 20 minutes
  (https://cloud.google.com/storage/docs/request-rate); Google's services read at most 200 Gbit/s from all buckets of a
  project in a region (https://cloud.google.com/storage/quotas#bandwidth; more on request).
- Dataflow runs at most 2,000 to 4,000 machines for a job (https://cloud.google.com/dataflow/quotas), so 10,000 workers are
  vCPUs of fewer machines.
- Starting machines, their differences, stragglers, lost workers, and the answers of the store are plain assumptions.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benchmarks.capacity_model import Bucket, Fleet, Shards, simulate
from benchmarks.capacity_work import Access, Measured, draw_shards, driver_seconds
from pipeline.estimate.options import MEMORY_GB, Prices
from pipeline.jobs.plan import SHARD_BYTES

TRACKS = (1_500_000, 100_000_000)
WORKERS = (10, 100, 1_000, 10_000)
SHARD_MIB = {1_500_000: (12, 25, 50, 100, 200, 400, 800, 1_600), 100_000_000: (100, 200, 400, 800, 1_600, 3_200)}
DEFAULT_MIB = SHARD_BYTES >> 20
WORKER_MEMORY = 2e9  # bytes, what pipeline.jobs.shard_job asks an engine for

BUCKET = Bucket(reads_per_second=5_000, writes_per_second=1_000, doubling_seconds=1_200, bytes_per_second=200e9 / 8)
ACCESS = Access(round_trip=0.05, bytes_per_second=50e6)
FLEET = Fleet(
    workers=0,
    start_seconds=180,
    start_spread=0.25,
    speed_spread=0.1,
    straggler_share=0.01,
    straggler_factor=2.0,
    preemptions_per_hour=0.01,
)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Everything that a build depends on, except its size.

    Attributes:
        measured: Measured costs.
        fleet: The workers; their number and the opening of the plan are added for each build.
        bucket: Limits of the store.
        access: How fast the store answers.
    """

    measured: Measured
    fleet: Fleet = FLEET
    bucket: Bucket = BUCKET
    access: Access = ACCESS


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A simulated build.

    Attributes:
        tracks, workers, shard_mib, shards: Its size.
        seconds: Wall time with planning and closing.
        shard_seconds: Time that a worker takes for a shard in the mean.
        dollars: Price of the workers that have a shard at all, from their start to the last shard.
        efficiency: Share of the time in which as many workers would do all work if nothing else took time.
        bounds: Seconds that the build would take if nothing but this bounded it.
        binds: The longest of those.
        lost: Number of shards lost with their workers.
        plan_gb: Memory that each worker needs for opening the plan, in 10^9 bytes.
    """

    tracks: int
    workers: int
    shard_mib: int
    shards: int
    seconds: float
    shard_seconds: float
    dollars: float
    efficiency: float
    bounds: dict[str, float]
    binds: str
    lost: int
    plan_gb: float


def build_of(tracks: int, workers: int, shard_mib: int, setting: Setting, shards: Shards | None = None) -> Simulated:
    """Simulate one build.

    Args:
        tracks: Number of tracks.
        workers: Number of workers.
        shard_mib: Size of a shard in MiB of waveform.
        setting: Everything else.
        shards: The shards, if they were drawn before.
    """
    measured = setting.measured
    shards = shards or draw_shards(tracks, shard_mib << 20, measured, setting.access)
    count = len(shards.seconds)
    starting = setting.fleet.start_seconds + measured.worker + count * measured.open_per_shard
    fleet = dataclasses.replace(setting.fleet, workers=workers, start_seconds=starting)
    course = simulate(shards, fleet, setting.bucket)
    before, after = driver_seconds(tracks, count, measured, setting.access)
    reads, writes, read_bytes = setting.bucket.meters()
    work = float(shards.seconds.sum())
    bounds = {
        "workers": work / fleet.speed,
        "one shard": float(shards.seconds.max()),
        "starting": starting,
        "driver": before + after,
        "read requests": reads.time_of(float(shards.reads.sum())),
        "write requests": writes.time_of(float(shards.writes.sum())),
        "read bandwidth": read_bytes.time_of(float(shards.bytes.sum())),
    }
    prices, seconds = Prices(), before + course.seconds + after
    hours = min(workers, count) * course.seconds / 3600
    return Simulated(
        tracks=tracks,
        workers=workers,
        shard_mib=shard_mib,
        shards=count,
        seconds=seconds,
        shard_seconds=work / count,
        dollars=hours * (prices.vcpu_hour + MEMORY_GB * prices.memory_gb_hour),
        efficiency=work / workers / seconds,
        bounds=bounds,
        binds=max(bounds, key=lambda name: bounds[name]),
        lost=course.lost,
        plan_gb=count * measured.plan_memory_per_shard / 1e9,
    )


def all_builds(setting: Setting) -> list[Simulated]:
    """Builds of both catalogs with every number of workers and shard size."""
    built = []
    for tracks in TRACKS:
        for shard_mib in SHARD_MIB[tracks]:
            shards = draw_shards(tracks, shard_mib << 20, setting.measured, setting.access)
            built += [build_of(tracks, workers, shard_mib, setting, shards) for workers in WORKERS]
    return built


def variations(setting: Setting, tracks: int, workers: int) -> dict[str, Simulated]:
    """The same build with one assumption changed at a time."""
    changed = {
        "as assumed": setting,
        "no stragglers, machines alike": _with_fleet(setting, speed_spread=0.0, straggler_share=0.0),
        "no lost workers": _with_fleet(setting, preemptions_per_hour=0.0),
        "ten times as many lost workers": _with_fleet(setting, preemptions_per_hour=0.1),
        "shards dealt in turn (Flink)": _with_fleet(setting, assignment="turns"),
        "shards dealt by hash": _with_fleet(setting, assignment="hashed"),
        "workers start at once": _with_fleet(setting, start_seconds=0.0),
        "no waiting for the store": dataclasses.replace(setting, access=Access()),
        "128 requests at a time to close": dataclasses.replace(
            setting, access=dataclasses.replace(setting.access, readers=128)
        ),
        "no limits of the store": dataclasses.replace(setting, bucket=Bucket()),
        "every core half as fast": dataclasses.replace(setting, measured=_slower(setting.measured, 2.0)),
    }
    return {name: build_of(tracks, workers, DEFAULT_MIB, one) for name, one in changed.items()}


def best_sizes(built: list[Simulated]) -> dict[tuple[int, int], tuple[Simulated, Simulated]]:
    """(tracks, workers) -> the build with the fastest shard size, and the one with the default size."""
    found = {}
    for tracks in TRACKS:
        for workers in WORKERS:
            rows = [row for row in built if (row.tracks, row.workers) == (tracks, workers)]
            (default,) = (row for row in rows if row.shard_mib == DEFAULT_MIB)
            found[tracks, workers] = (min(rows, key=lambda row: row.seconds), default)
    return found


def regret(built: list[Simulated], tracks: int, shard_mib: int) -> float:
    """The most by which a shard size is slower than the fastest one, over all numbers of workers, as a share."""
    rows = [row for row in built if (row.tracks, row.shard_mib) == (tracks, shard_mib)]
    best = best_sizes(built)
    return float(np.max([row.seconds / best[tracks, row.workers][0].seconds - 1 for row in rows]))


def _with_fleet(setting: Setting, **changes: object) -> Setting:
    return dataclasses.replace(setting, fleet=dataclasses.replace(setting.fleet, **changes))  # type: ignore[arg-type]


def _slower(measured: Measured, factor: float) -> Measured:
    return dataclasses.replace(
        measured, tracks=measured.tracks * factor, shard=measured.shard * factor, worker=measured.worker * factor
    )
