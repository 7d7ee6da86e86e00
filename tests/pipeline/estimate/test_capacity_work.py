"""The shards that `benchmarks.capacity` draws against those that a build plans, and sums against sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.capacity_model import Fleet, simulate
from benchmarks.capacity_runs import predict
from benchmarks.capacity_work import (
    TRACKS_PER_ARTIST,
    Access,
    Measured,
    draw_shards,
    shard_count,
    summed_costs,
    tracks_per_shard,
)
from pipeline.estimate.cost_sample import Spent
from pipeline.jobs import plan
from schemas.features import Excerpt
from schemas.layout import Layout
from schemas.plan_file import plan_bytes

MEASURED = Measured(np.array([0.1, 0.2, 0.4]), np.array([1e6, 2e6, 3e6]), 0.01, 3.0, 1e-5, 1e-4, 1e3, 1e-5, 5e3, 1e-3)


def test_a_large_catalog_gets_as_many_shards_as_a_build_plans() -> None:
    for tracks in (20_000, 33_333):
        built = plan.shard_count([200.0] * tracks, Excerpt.parse("center:30"))
        assert shard_count(tracks, plan.SHARD_BYTES) == built


def test_shards_have_the_sizes_that_a_plan_gives_them() -> None:
    tracks, shards = 40_000, 400
    rng = np.random.default_rng(3)
    artists = np.repeat(np.arange(tracks), rng.geometric(1 / TRACKS_PER_ARTIST, tracks))[:tracks]
    table = pa.table(
        {
            "track_id": [str(number) for number in range(tracks)],
            "uri": [""] * tracks,
            "group": [f"artist {artist}" for artist in artists.tolist()],
            "split": pa.nulls(tracks, pa.string()),
        }
    )
    planned = np.bincount(plan.plan_tracks(table, shards)["shard"].to_numpy())
    drawn = tracks_per_shard(tracks, shards, rng)
    assert drawn.sum() == pytest.approx(tracks, rel=0.03)
    assert len(drawn) == pytest.approx(len(planned), rel=0.02)
    assert drawn.std() == pytest.approx(planned.std(), rel=0.2)
    for share in (0.25, 0.5, 0.75, 0.95):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(planned, share), rel=0.1)
    assert drawn[0] <= plan.LARGEST_SHARD * tracks / shards
    assert (np.diff(drawn) <= 0).all()


def test_sums_of_drawn_costs_are_distributed_like_sums_over_tracks() -> None:
    costs = np.array([0.07, 0.08, 0.1, 0.12, 0.2, 0.9])
    rng = np.random.default_rng(0)
    for count in (20, 200):
        exact = rng.choice(costs, size=(20_000, count)).sum(axis=1)
        drawn = summed_costs(costs, np.full(20_000, count), rng)
        assert drawn.mean() == pytest.approx(exact.mean(), rel=0.01)
        assert drawn.std() == pytest.approx(exact.std(), rel=0.03)
        for share in (0.01, 0.5, 0.99):
            assert np.quantile(drawn, share) == pytest.approx(
                np.quantile(exact, share), rel=0.05 if count == 20 else 0.01
            )


def test_the_same_builds_take_as_long_track_by_track() -> None:
    """A whole simulation of sums against one of exact sums over the same number of tracks in each shard."""
    tracks = 100_000
    shards = draw_shards(tracks, plan.SHARD_BYTES, MEASURED, Access())
    rng = np.random.default_rng(1)
    counts = np.round(shards.bytes / MEASURED.sizes.mean()).astype(np.int64)
    exact = np.array([rng.choice(MEASURED.tracks, count).sum() for count in counts]) + MEASURED.shard
    assert shards.seconds.sum() == pytest.approx(exact.sum(), rel=0.005)
    by_track = simulate(shards.__class__(exact, shards.reads, shards.writes, shards.bytes), Fleet(50)).seconds
    assert simulate(shards, Fleet(50)).seconds == pytest.approx(by_track, rel=0.01)


def test_a_store_that_answers_late_costs_each_track_two_round_trips_and_its_transfer() -> None:
    near = draw_shards(50_000, plan.SHARD_BYTES, MEASURED, Access())
    far = draw_shards(50_000, plan.SHARD_BYTES, MEASURED, Access(round_trip=0.1, bytes_per_second=1e7))
    waited = (far.seconds - near.seconds).sum() / (near.bytes.sum() / MEASURED.sizes.mean())
    stored = 30 * 44_000
    assert waited == pytest.approx(2 * 0.1 + (2e6 + stored) / 1e7, rel=0.05)


def test_a_prediction_of_a_build_adds_up_its_plan(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    uris = [f"{number}.mp3" for number in range(24)]
    table = pa.table({"track_id": uris, "uri": uris, "group": uris, "split": pa.nulls(24, pa.string())})
    planned = plan.plan_tracks(table, 4)
    Path(layout.plan(0)).parent.mkdir(parents=True)
    Path(layout.plan(0)).write_bytes(plan_bytes(planned, {}))
    files = {
        "files": {uri: {"wall": 1.0, "cpu": 1.0} for uri in uris},
        "shard": {"wall": 0.5, "cpu": 0.5},
        "decoding": {"wall": 2.0, "cpu": 1.0},
    }
    startup = Spent(4.0, 5.0), Spent(3.0, 3.0)
    alone = predict(layout, workers=1, files=files, startup=startup, cores=2)
    total = 24 + 0.5 * (planned["shard"][-1].as_py() + 1)
    assert (alone.wall, alone.cpu) == pytest.approx((5 + 2 + total, 4 + 1 + total))
    both = predict(layout, workers=2, files=files, startup=startup, cores=1)
    assert both.wall == pytest.approx(5 + 2 * 5 + total)  # one core does everything, whoever gets which shard
    assert both.cpu == pytest.approx(4 + 2 * 4 + total)
    apart = predict(layout, workers=2, files=files, startup=startup, cores=2)
    sizes = np.bincount(planned["shard"].to_numpy())
    longest = max(sizes[list(own)].sum() + 0.5 * len(own) for own in _dealt(sizes))
    assert apart.wall == pytest.approx(5 + 5 + longest)


def _dealt(sizes: np.ndarray) -> tuple[list[int], list[int]]:
    """The largest and the fourth for one worker, the second and the third for the other."""
    order = np.argsort(-sizes, kind="stable").tolist()
    return [order[0], *order[3:4]], order[1:3]
