"""The plan is a function of the catalog's rows and of nothing else."""

from __future__ import annotations

import collections
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.jobs.plan import LARGEST_SHARD, hash_position, plan_tracks, shard_count
from schemas.console.errors import DatasetError
from schemas.features import Excerpt
from schemas.plan_file import PlanReader, plan_bytes
from schemas.tables import PLAN


def tracks(count: int, groups: int = 0) -> pa.Table:
    """`count` tracks, in `groups` groups or each without a group."""
    return pa.table(
        {
            "track_id": [f"track {number}" for number in range(count)],
            "uri": [f"audio/{number}.mp3" for number in range(count)],
            "group": pa.array(
                [f"artist {number % groups}" if groups else None for number in range(count)], pa.string()
            ),
            "split": pa.nulls(count, pa.string()),
        }
    )


def test_a_plan_does_not_depend_on_the_order_of_the_rows() -> None:
    table = tracks(500, groups=60)
    shuffled = table.take(np.random.default_rng(0).permutation(500))
    assert plan_bytes(plan_tracks(table, 12), {}) == plan_bytes(plan_tracks(shuffled, 12), {})


def test_every_track_is_planned_once_and_shards_are_numbered_from_zero() -> None:
    plan = plan_tracks(tracks(500, groups=60), 12)
    assert plan.schema == PLAN
    assert sorted(plan["track_id"].to_pylist()) == sorted(tracks(500)["track_id"].to_pylist())
    numbers = plan["shard"].to_pylist()
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))


def test_groups_stay_together_in_one_shard() -> None:
    plan = plan_tracks(tracks(2000, groups=300), 10)
    shards_of = collections.defaultdict(set)
    for row in plan.to_pylist():
        shards_of[row["group"]].add(row["shard"])
    assert {len(shards) for shards in shards_of.values()} == {1}


def test_a_track_without_a_group_is_its_own() -> None:
    plan = plan_tracks(tracks(10), 2)
    assert plan["group"].to_pylist() == plan["track_id"].to_pylist()


def test_a_huge_group_is_cut_into_shards_of_usual_size() -> None:
    table = pa.concat_tables([tracks(100), tracks(900, groups=1).slice(100)])
    plan = plan_tracks(table, 10)
    counts = collections.Counter(plan["shard"].to_pylist())
    assert max(counts.values()) <= LARGEST_SHARD * 90
    assert len({row["shard"] for row in plan.to_pylist() if row["group"] == "artist 0"}) > 1


def test_tracks_spread_evenly() -> None:
    counts = collections.Counter(plan_tracks(tracks(10_000), 10)["shard"].to_pylist())
    assert len(counts) == 10
    assert min(counts.values()) > 800
    assert max(counts.values()) < 1200


def test_more_shards_than_tracks_leave_no_empty_shard() -> None:
    assert plan_tracks(tracks(3), 100)["shard"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize(("count", "shards"), [(40, 40), (41, 40), (100, 40), (400, 200), (7, 12)])
def test_as_many_shards_as_are_asked_for_are_planned_if_there_are_tracks_for_them(count: int, shards: int) -> None:
    planned = plan_tracks(tracks(count), shards)["shard"].to_pylist()
    sizes = collections.Counter(planned)
    assert sorted(sizes) == list(range(min(count, shards)))
    assert max(sizes.values()) <= max(1, 2 * -(-count // shards))


def test_a_new_track_moves_no_other_to_another_shard() -> None:
    before = {row["track_id"]: row["shard"] for row in plan_tracks(tracks(999), 5).to_pylist()}
    after = {row["track_id"]: row["shard"] for row in plan_tracks(tracks(1000), 5).to_pylist()}
    assert {track: after[track] for track in before} == before


def test_a_plan_is_read_one_shard_at_a_time(tmp_path: Path) -> None:
    plan = plan_tracks(tracks(100, groups=20), 6)
    path = tmp_path / "gen-000.parquet"
    path.write_bytes(plan_bytes(plan, {"generation": 0, "versions": {"numpy": "2"}}))
    assert pq.ParquetFile(path).num_row_groups == plan["shard"][-1].as_py() + 1
    reader = PlanReader(str(path))
    assert (reader.tracks, reader.metadata["versions"]) == (100, {"numpy": "2"})
    for shard in range(reader.shards):
        assert reader.shard(shard).to_pylist() == plan.filter(pc.equal(plan["shard"], shard)).to_pylist()


def test_the_place_of_a_group_is_pinned() -> None:
    # Shards on disk and splits made by hash depend on these values, which must never change.
    assert hash_position("artist") == 0.4402146861898678
    assert hash_position("音楽") == 0.08085822157882827
    assert 0 <= hash_position("") < 1


def test_shards_aim_at_their_size_but_keep_a_small_machine_busy() -> None:
    center, full = Excerpt.parse("center:30"), Excerpt.parse("full")
    assert shard_count([30.0] * 1_500_000, center) == pytest.approx(7_000, rel=0.1)
    assert shard_count([None] * 1_500_000, center) == shard_count([30.0] * 1_500_000, center)
    assert shard_count([3600.0] * 100, full) > shard_count([3600.0] * 100, center)
    assert (shard_count([30.0], center), shard_count([30.0] * 24, center), shard_count([30.0] * 300, center)) == (
        1,
        3,
        16,
    )


def test_what_is_no_plan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gen-000.parquet"
    with pytest.raises(DatasetError, match="the plan is missing"):
        PlanReader(str(path))
    path.write_text("something else")
    with pytest.raises(DatasetError, match="expected a plan"):
        PlanReader(str(path))
    pq.write_table(tracks(3), path)
    with pytest.raises(DatasetError, match="expected a plan"):
        PlanReader(str(path))


def test_a_damaged_or_shuffled_plan_is_named(tmp_path: Path) -> None:
    plan = plan_tracks(tracks(400), 4)
    data = bytearray(plan_bytes(plan, {}))
    first = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(1)
    start = first.dictionary_page_offset or first.data_page_offset
    data[start + 40 : start + 80] = b"\xff" * 40
    (tmp_path / "damaged.parquet").write_bytes(data)
    with pytest.raises(DatasetError, match=r"damaged\.parquet: row group 0 cannot be read"):
        PlanReader(str(tmp_path / "damaged.parquet")).shard(0)
    shifted = plan.filter(pc.greater(plan["shard"], 0))
    (tmp_path / "shifted.parquet").write_bytes(plan_bytes(shifted, {}))
    with pytest.raises(DatasetError, match="expected shard 0 in row group 0"):
        PlanReader(str(tmp_path / "shifted.parquet")).shard(0)
