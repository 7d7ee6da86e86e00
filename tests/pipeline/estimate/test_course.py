"""In the course of a build, shards are handed out one at a time, and workers take time to start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.estimate.cost_sample import CostSample, Spent
from pipeline.estimate.course import Course
from pipeline.estimate.extrapolate import Extrapolation
from pipeline.jobs.plan import plan_tracks
from schemas.features import Excerpt
from schemas.tables import CATALOG

TRACKS = 400
SHARDS = 20
JOB, WORKER = Spent(2.0, 3.0), Spent(1.5, 2.5)


def course(*, strict: bool = False) -> Course:
    """The course of a build whose tracks take 2 s of CPU time and 4 s of wall time each."""
    names = [f"track {number}" for number in range(TRACKS)]
    nothing = [None] * TRACKS
    catalog = pa.table([names, names, nothing, nothing, nothing], schema=CATALOG)
    measured = CostSample(pa.table({}), (Spent(2.0, 4.0),) * 10, shard=Spent(0.1, 1.0), decoding=Spent(0.3, 0.5))
    extrapolation = Extrapolation(np.ones((TRACKS, 1)), np.arange(10))
    return Course(catalog, Excerpt.parse("full"), SHARDS, strict, measured, (JOB, WORKER), extrapolation)


def test_shards_are_those_of_the_plan_and_their_time_is_that_of_their_tracks() -> None:
    plan: dict[str, Any] = {"track_id": [f"track {number}" for number in range(TRACKS)]}
    nothing = pa.nulls(TRACKS, pa.string())
    table = pa.table({**plan, "uri": plan["track_id"], "group": nothing, "split": nothing})
    counts = np.bincount(plan_tracks(table, SHARDS)["shard"].to_numpy())
    np.testing.assert_allclose(course().shards, counts * 4.0 + 1.0)


def test_cpu_time_is_that_of_tracks_shards_and_job() -> None:
    found = course()
    assert found.cpu_seconds.value == pytest.approx(TRACKS * 2 + SHARDS * 0.1 + 2.0 + 0.3)
    assert found.starting(1) == Spent(0.3, 0.5)
    assert found.starting(4) == Spent(pytest.approx(4 * 1.8), pytest.approx(3.0))


def test_a_strict_build_decodes_the_tracks_that_it_tries_first_twice() -> None:
    assert course(strict=True).cpu_seconds.value == pytest.approx(course().cpu_seconds.value + 36 * 2)
    assert course(strict=True).wall_seconds(1).value == pytest.approx(course().wall_seconds(1).value + 36 * 4)


def test_wall_time_falls_with_workers_until_each_has_one_shard() -> None:
    found = course()
    walls = [found.wall_seconds(workers).value for workers in (1, 2, 8, SHARDS)]
    assert walls[0] == pytest.approx(TRACKS * 4 + SHARDS + 3.0 + 0.5 + 0.5)
    assert walls == sorted(walls, reverse=True)
    assert walls[-1] == pytest.approx(found.shards.max() + 3.0 + 0.5 + 3.0)
    assert found.wall_seconds(SHARDS * 10).value == pytest.approx(walls[-1])
