"""Measure the cost of a build per track by building sampled tracks one by one with the shard writer of a build."""

from __future__ import annotations

import dataclasses
import os
import resource
import statistics
import time
import wave
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decode.shards import ShardJob, ShardWriter
from schemas.plan_file import plan_bytes
from schemas.storage.files import remove_tree, write_atomic
from schemas.tables import PLAN

_TONE_SECONDS = 1
_TONE_RATE = 44_100  # Hz; it differs from the stored rate, so that the resampler is loaded too
_EMPTY_SHARDS = 4  # number measured before the sample and again after it


@dataclasses.dataclass(frozen=True)
class Spent:
    """A measured cost.

    Attributes:
        cpu: CPU time in seconds, user and system, of all processes.
        wall: Wall time in seconds.
    """

    cpu: float
    wall: float

    def plus(self, other: Spent) -> Spent:
        return Spent(self.cpu + other.cpu, self.wall + other.wall)

    def minus(self, other: Spent) -> Spent:
        return Spent(max(0.0, self.cpu - other.cpu), max(0.0, self.wall - other.wall))


@dataclasses.dataclass(frozen=True)
class CostSample:
    """Costs of building a sample.

    Attributes:
        tracks: One row per sampled track, in their order, with schema `schemas.tables.TRACKS`, as a build writes them.
        costs: Cost of each track without that of its shard.
        shard: Fixed cost of a shard, regardless of its tracks.
        decoding: Cost of starting a decoding process.
    """

    tracks: pa.Table
    costs: tuple[Spent, ...]
    shard: Spent
    decoding: Spent


def measure_sample(sample: pa.Table, job: ShardJob, on_progress: Callable[[int], None]) -> CostSample:
    """Build the rows of a table, each as a separate shard that is removed again.

    Args:
        sample: Columns track_id and uri.
        job: Job of the build; its dataset is an empty temporary folder.
        on_progress: Called with the number of finished tracks.
    """
    absent = os.path.join(job.dataset, "absent.wav")
    # The first builds of a process load libraries (FFmpeg for files that libsndfile cannot read) and open connections.
    warming = [write_tone(job.dataset), _write_no_audio(job.dataset), sample["uri"][0].as_py()]
    uris = [*warming, *[absent] * _EMPTY_SHARDS, *sample["uri"].to_pylist(), *[absent] * _EMPTY_SHARDS]
    first = len(warming) + _EMPTY_SHARDS
    end = first + sample.num_rows
    names = [f"{number}" for number in range(len(uris))]
    names[first:end] = sample["track_id"].to_pylist()
    plan = {"shard": range(len(uris)), "track_id": names, "uri": uris, "group": names, "split": [None] * len(uris)}
    write_atomic(job.layout.plan(job.generation), plan_bytes(pa.table(plan, schema=PLAN), {}))
    spent: list[Spent] = []
    rows: list[pa.Table] = []
    with ShardWriter(job) as writer:
        for shard in range(len(uris)):
            began = _now(writer)
            writer.write(shard)
            spent.append(_now(writer).minus(began))
            rows.append(pq.read_table(job.layout.tracks_part(job.generation, shard)))
            for spec in job.families.values():
                remove_tree(job.layout.features(spec, job.generation))
            on_progress(min(max(0, shard + 1 - first), sample.num_rows))
    empty = [*spent[len(warming) : first], *spent[end:]]
    shard_cost = Spent(statistics.median(one.cpu for one in empty), statistics.median(one.wall for one in empty))
    return CostSample(
        tracks=pa.concat_tables(rows[first:end]),
        costs=tuple(one.minus(shard_cost) for one in spent[first:end]),
        shard=shard_cost,
        decoding=spent[0].minus(shard_cost),
    )


def write_tone(folder: str) -> str:
    """Write a short, silent audio file that any decoder can read; returns its path."""
    path = os.path.join(folder, "tone.wav")
    with wave.open(path, "wb") as file:
        file.setparams((2, 2, _TONE_RATE, 0, "NONE", ""))
        file.writeframes(bytes(4 * _TONE_RATE * _TONE_SECONDS))
    return path


def _write_no_audio(folder: str) -> str:
    path = os.path.join(folder, "no_audio.wav")
    with open(path, "wb") as file:
        file.write(b"no audio")
    return path


def _now(writer: ShardWriter) -> Spent:
    """Current clocks, for computing differences: of this process, its decoding process, and ended children."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() + ended.ru_utime + ended.ru_stime + writer.decoding_cpu_seconds
    return Spent(cpu, time.monotonic())
