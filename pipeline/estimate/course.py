"""Model the course of a build: some tracks are tried, workers start, and each takes a shard as soon as it is free."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decode.reject_rate import preflight_size
from pipeline.estimate.cost_sample import CostSample, Spent
from pipeline.estimate.extrapolate import Extrapolation, Interval
from pipeline.jobs.plan import plan_tracks, shard_count
from schemas.features import Excerpt


class Course:
    """The expected course of a build.

    Args:
        catalog: Columns of `schemas.tables.CATALOG`.
        excerpt: Part of each track that is stored.
        shards: Requested number of shards; None to choose by size.
        strict: True for a strict build, which fully decodes the tracks that it tries first; otherwise that costs next to
            nothing.
        measured: Costs of the sample.
        startup: Cost of a job, and of starting a worker process, both without a decoding process.
        extrapolation: Extrapolation from the sample to the catalog.

    Attributes:
        cpu_seconds: CPU time of everything except starting workers.
        shards: Expected wall time of each shard in seconds, [shards].
        job: Cost of the job except for its tracks, shards and workers.
        worker: Cost of starting a worker.
    """

    def __init__(
        self,
        catalog: pa.Table,
        excerpt: Excerpt,
        shards: int | None,
        strict: bool,
        measured: CostSample,
        startup: tuple[Spent, Spent],
        extrapolation: Extrapolation,
    ) -> None:
        cpu, wall = (np.array([getattr(cost, kind) for cost in measured.costs]) for kind in ("cpu", "wall"))
        tried = preflight_size(catalog.num_rows)
        twice = tried / catalog.num_rows if strict else 0.0  # share of tracks that are decoded twice
        self.job = startup[0].plus(measured.decoding) if tried else startup[0]
        self.worker = startup[1].plus(measured.decoding)
        self._decoding = measured.decoding
        self._wall = extrapolation.total(wall)
        self._tried_seconds = twice * self._wall.value
        numbers, places = _planned(catalog, shards or shard_count(catalog["duration"].to_pylist(), excerpt))
        each = extrapolation.each(wall)
        each *= self._wall.value / (each.sum() or 1)
        self.shards = (np.bincount(numbers, weights=each[places]) + measured.shard.wall).astype(np.float64)
        self.cpu_seconds = (
            extrapolation.total(cpu).times(1 + twice).plus(len(self.shards) * measured.shard.cpu + self.job.cpu)
        )

    def starting(self, workers: int) -> Spent:
        """The cost of starting this many workers; a single one runs inside the job except for its decoding process."""
        return self._decoding if workers == 1 else Spent(workers * self.worker.cpu, self.worker.wall)

    def wall_seconds(self, workers: int) -> Interval:
        """Wall time of the command in seconds."""
        free = [0.0] * workers  # time at which each worker finishes its shards
        for seconds in np.sort(self.shards)[::-1]:  # the order in which they are assigned
            heapq.heapreplace(free, free[0] + float(seconds))
        decoding = self._wall.times((max(free) + self._tried_seconds) / (self._wall.value or 1))
        return decoding.plus(self.job.wall + self.starting(workers).wall)


def _planned(catalog: pa.Table, shards: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Shard and position in the catalog of each row of the plan that a build would write."""
    plan = plan_tracks(catalog, shards)
    places = pc.index_in(plan["track_id"], value_set=catalog["track_id"].combine_chunks())
    return plan["shard"].to_numpy(), places.to_numpy()
