"""Draw the shards of a large catalog: how many tracks each has, and what they cost, from measured tracks.

Tracks are assigned to shards as `pipeline.jobs.plan` does it: whole artists, and a shard of more than twice the average is
split. The cost of a shard is a sum over its tracks. It is drawn from a gamma distribution with the mean and the variance
of that sum, so that 100 million tracks take no longer than their shards.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from benchmarks.capacity_model import Floats, Shards
from pipeline.jobs.plan import LARGEST_SHARD, WAVEFORM_BYTES_PER_SECOND

STORED_SECONDS = 30.0  # the default excerpt
TRACKS_PER_ARTIST = 7.5  # on average, as in benchmarks/planning.py; geometric

# Requests of a build in a bucket, as tests/buckets/test_capacity.py counts them.
READS_PER_TRACK = 4  # it is looked up, which takes two requests or three, and downloaded
READS_PER_SHARD = 22  # by the worker: the removed tracks, the plan, whether the shard is done, what was uploaded
WRITES_PER_SHARD = 5  # two payloads, two done marks, one part of the tracks table
READS_TO_CLOSE = 21  # of a shard, by the driver: seven files, each looked up and downloaded


@dataclasses.dataclass(frozen=True)
class Measured:
    """Costs that were measured, in CPU seconds.

    Attributes:
        tracks: Cost of each sampled track; every one stands for as many tracks of a catalog.
        sizes: Bytes of the file of each.
        shard: Cost of a shard without its tracks.
        worker: Cost of starting a worker process.
        plan_per_track, plan_per_shard: Time of the driver for planning, per track and per shard.
        driver_memory_per_track: Bytes that the driver needs for planning, per track.
        open_per_shard, plan_memory_per_shard: Time and bytes of each worker for opening a plan, per shard in it.
        close_per_shard: Time of the driver for closing a generation, per shard.
    """

    tracks: Floats
    sizes: Floats
    shard: float
    worker: float
    plan_per_track: float
    plan_per_shard: float
    driver_memory_per_track: float
    open_per_shard: float
    plan_memory_per_shard: float
    close_per_shard: float


@dataclasses.dataclass(frozen=True)
class Access:
    """How long a worker waits for a store; it does one thing after the other.

    Attributes:
        round_trip: Seconds from a request to the first byte of the answer.
        bytes_per_second: Rate of one transfer in either direction.
        readers: Requests that the driver has under way at a time when it closes a generation.
    """

    round_trip: float = 0.0
    bytes_per_second: float = math.inf
    readers: int = 16


def shard_count(tracks: int, shard_bytes: int) -> int:
    """Number of shards that a build plans for tracks of which it stores 30 s."""
    return max(1, math.ceil(tracks * STORED_SECONDS * WAVEFORM_BYTES_PER_SECOND / shard_bytes))


def tracks_per_shard(tracks: int, shards: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the number of tracks in each shard, in descending order: the order in which shards are handed out.

    There may be somewhat more shards than asked for, since large ones are split, or fewer, since empty ones are left out.
    """
    artists = rng.multinomial(round(tracks / TRACKS_PER_ARTIST), np.full(shards, 1 / shards))
    artists = artists[artists > 0]
    # A sum of geometric numbers, each at least 1.
    counts = artists + rng.negative_binomial(artists, 1 / TRACKS_PER_ARTIST)
    pieces = -(-counts // (LARGEST_SHARD * -(-tracks // shards)))
    shard, piece = np.repeat(np.arange(len(counts)), pieces), np.arange(pieces.sum())
    piece -= np.repeat(np.cumsum(pieces) - pieces, pieces)
    split = (piece + 1) * counts[shard] // pieces[shard] - piece * counts[shard] // pieces[shard]
    return np.asarray(np.sort(split)[::-1], np.int64)


def summed_costs(costs: Floats, counts: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Draw for each shard the sum over so many tracks, each of which costs one of `costs` with the same probability."""
    mean, variance = float(costs.mean()), float(costs.var())
    if variance == 0:
        return mean * counts.astype(np.float64)
    return np.asarray(rng.gamma(counts * (mean**2 / variance), variance / mean), np.float64)


def draw_shards(tracks: int, shard_bytes: int, measured: Measured, access: Access, seed: int = 0) -> Shards:
    """Draw the shards of a catalog in a bucket, each with the seconds that a worker alone would take.

    Args:
        tracks: Number of tracks.
        shard_bytes: Size of a shard for which a build plans, in bytes of waveform.
        measured: Measured costs.
        access: How fast the store answers.
        seed: Seed of what is drawn.
    """
    rng = np.random.default_rng([seed, tracks, shard_bytes])
    counts = tracks_per_shard(tracks, shard_count(tracks, shard_bytes), rng)
    read = counts.astype(np.float64) * float(measured.sizes.mean())
    # A lookup and a download for each track; for a shard the lookups one after the other, and five uploads.
    round_trips = 2 * counts + READS_PER_SHARD / 2 + WRITES_PER_SHARD
    stored = counts * STORED_SECONDS * (WAVEFORM_BYTES_PER_SECOND + 12_000)  # both families
    seconds = summed_costs(measured.tracks, counts, rng) + measured.shard
    seconds += round_trips * access.round_trip + (read + stored) / access.bytes_per_second
    return Shards(
        seconds=seconds,
        reads=(READS_PER_TRACK * counts + READS_PER_SHARD).astype(np.float64),
        writes=np.full(len(counts), float(WRITES_PER_SHARD)),
        bytes=read,
    )


def driver_seconds(tracks: int, shards: int, measured: Measured, access: Access) -> tuple[float, float]:
    """Time of the driver before and after the shards: planning, and closing the generation."""
    waiting = READS_TO_CLOSE * 2 / 3 * access.round_trip / access.readers  # the two lookups go out together
    return tracks * measured.plan_per_track + shards * measured.plan_per_shard, shards * (
        measured.close_per_shard + waiting
    )
