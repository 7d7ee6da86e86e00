"""A sample is built one track at a time by the code that builds shards, and none of it is kept."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from pipeline.decode.catalog import read_catalog
from pipeline.decode.shards import ShardJob
from pipeline.estimate.cost_sample import CostSample, measure_sample
from schemas.features import FAMILIES, specs_for
from tests.conftest import small_catalog

SECONDS = 3.0


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[CostSample, Path, list[int]]:
    catalog = read_catalog(small_catalog(tmp_path_factory.mktemp("audio"), 8, missing=1, broken=1, seconds=SECONDS))
    folder = tmp_path_factory.mktemp("sample")
    job = ShardJob(str(folder), 0, specs_for(FAMILIES, "center:2"), catalog.root)
    done: list[int] = []
    return measure_sample(catalog.table, job, done.append), folder, done


def test_rows_are_those_of_a_build_in_the_order_of_the_sample(measured: tuple[CostSample, Path, list[int]]) -> None:
    tracks = measured[0].tracks
    assert tracks["track_id"].to_pylist() == [f"{number:02d}" for number in range(8)]
    assert tracks["cause"].to_pylist() == [None] * 6 + ["unsupported_format", "not_found"]
    assert set(tracks["seconds"].to_pylist()[:6]) == {2.0}
    assert set(tracks["source_seconds"].to_pylist()[:6]) == {SECONDS}


def test_each_track_has_a_cost_of_its_own_and_an_absent_one_nearly_none(
    measured: tuple[CostSample, Path, list[int]],
) -> None:
    sample = measured[0]
    assert len(sample.costs) == 8
    # The tracks are short and the machine is busy, so the cost of a single one may vanish in that of an empty shard.
    assert statistics.median(cost.wall for cost in sample.costs[:6]) > 0
    assert statistics.median(cost.cpu for cost in sample.costs[:6]) > sample.costs[7].cpu
    assert sample.shard.cpu > 0
    # The decoding process imports numpy, scipy and soundfile: this CPU time is counted, but not for any track.
    assert sample.decoding.cpu > max(cost.cpu for cost in sample.costs)


def test_progress_ends_at_the_number_of_tracks_and_no_payload_is_left(
    measured: tuple[CostSample, Path, list[int]],
) -> None:
    _, folder, done = measured
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 8)
    assert list(folder.rglob("*.tfrecord")) == []
