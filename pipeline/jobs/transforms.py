"""The Beam side of a build: shard numbers go in, files come out.

Only shard numbers and small counts flow between the steps; each work item reads its own rows of the plan and writes one
whole shard.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipeline.jobs.shard_job import Job, ShardCounts, is_done
from schemas.plan_file import PlanReader

# Set in the environment of worker processes on this machine: Beam prints each error there with its traceback, and also
# passes it to the process that started them, which reports it in one line.
LOCAL_WORKER = "TAGSCALE_LOCAL_WORKER"
METRICS = "tagscale"  # namespace of the counters, as an engine shows them
_WORKER_ID = "WORKER_ID"  # Beam sets it in a worker process that it starts


class WriteShards(beam.PTransform):  # type: ignore[misc]
    """Write the named shards of a job, one work item each.

    Args:
        job: Job that the shards belong to.
        shards: Numbers of the shards to write.

    Returns:
        A collection with the counts of each shard.
    """

    def __init__(self, job: Job, shards: Sequence[int]) -> None:
        super().__init__()
        self._job = job
        self._shards = list(shards)

    def expand(self, pipeline: Any) -> Any:
        return (
            pipeline
            | "ShardNumbers" >> beam.Create(self._shards, reshuffle=False)
            # A runner distributes what is reshuffled, evenly where it knows how: Flink deals it in turn, and would send the
            # groups of a GroupByKey where the hashes of their keys fall.
            | "Spread" >> beam.Reshuffle()
            | "WriteShard" >> beam.ParDo(WriteShard(self._job))
        )


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Writes the shard of each number that it receives."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._shard_seconds = Metrics.distribution(METRICS, "shard_seconds")

    def setup(self) -> None:
        if os.environ.get(LOCAL_WORKER):
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (until the process ends)
        self._writer = self._job.open_writer()

    def process(self, shard: int) -> Iterator[ShardCounts]:
        if is_done(self._job, shard):  # a retried bundle: its finished shards are kept
            return
        started = time.monotonic()
        counts = self._writer.write(shard)
        self._shard_seconds.update(round(time.monotonic() - started))
        for name, count in (
            ("shards", 1),
            ("records", counts.records),
            ("audio_seconds", round(counts.seconds)),
            ("rejects", sum(counts.rejects.values())),
            ("bytes", counts.bytes),
            *((f"rejects_{cause}", rejects) for cause, rejects in counts.rejects.items()),
            *((f"{part}_milliseconds", round(1000 * seconds)) for part, seconds in counts.spent.items()),
        ):
            Metrics.counter(METRICS, name).inc(count)
        yield counts

    def teardown(self) -> None:
        self._writer.close()
        if os.environ.get(LOCAL_WORKER) and _WORKER_ID in os.environ:
            # gRPC's threads sometimes abort a process during the interpreter's normal exit, with two stray lines of output.
            atexit.register(os._exit, 0)


def handing_out(job: Job, shards: Sequence[int], workers: int = 1) -> list[int]:
    """Shards in the best order of assignment to workers.

    The largest come first, since a large shard at the end would keep one worker busy alone. A local runner assigns all shards
    in turn before it starts, so each round runs in the opposite direction, and no worker gets the larger shard every time.

    Args:
        job: Job that the shards belong to.
        shards: Numbers of the shards.
        workers: Number of workers that get shards in turn; 1 if a worker takes the next shard as soon as it is free.
    """
    sizes = PlanReader(job.plan).sizes
    ordered = sorted(shards, key=lambda shard: (-sizes[shard], shard))
    rounds = [ordered[start : start + workers] for start in range(0, len(ordered), workers)]
    return [shard for number, turn in enumerate(rounds) for shard in (turn[::-1] if number % 2 else turn)]
