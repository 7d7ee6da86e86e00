"""The plan of a generation assigns tracks to shards and is written once before anything is decoded (`schemas/plan_file.py`).

The plan depends only on the catalog's rows: not on their order, the number of workers or the location of the audio.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.features import Excerpt
from schemas.tables import PLAN

SHARD_BYTES = 200 << 20  # target size of a shard in waveform bytes (200 MiB, about 200 tracks of 30 s)
WAVEFORM_BYTES_PER_SECOND = 32_000  # int16 at 16 kHz
ASSUMED_SECONDS = 240.0  # assumed for a track without a duration in the catalog
LEAST_SHARDS = 16  # enough that a small dataset keeps every core busy
LEAST_TRACKS_PER_SHARD = 8  # a smaller shard is not worth its files
LARGEST_SHARD = 2  # times the average; a larger one (a huge group) is split


def shard_count(durations: Sequence[float | None], excerpt: Excerpt) -> int:
    """Number of shards for tracks of these durations in seconds: by size, but enough for a small machine."""
    seconds = np.array([ASSUMED_SECONDS if value is None else value for value in durations])
    if excerpt.where != "full":
        seconds = np.minimum(seconds, excerpt.seconds)
    by_size = int(np.ceil(seconds.sum() * WAVEFORM_BYTES_PER_SECOND / SHARD_BYTES))
    for_cores = min(LEAST_SHARDS, -(-len(seconds) // LEAST_TRACKS_PER_SHARD))
    return max(1, by_size, for_cores)


def hash_position(text: str) -> float:
    """A text's position in [0, 1) by SHA-256: shards and hash splits both divide this interval, so that they agree."""
    return float(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11) / (1 << 53)


def plan_tracks(tracks: pa.Table, shards: int) -> pa.Table:
    """Assign tracks to shards by the hash of their group, and order them in the shard by the hash of their id.

    Args:
        tracks: Columns track_id, uri, group (null: the track is its own group), split.
        shards: Desired number of shards. There are fewer if there are fewer groups; one with more than twice the average
            (a huge group) is split, so the shards of the result are renumbered from 0.

    Returns:
        A table of schema PLAN, sorted by shard and by position in it.
    """
    ids = tracks["track_id"].to_pylist()
    groups = [group or track for group, track in zip(tracks["group"].to_pylist(), ids, strict=True)]
    dealt = _dealt(groups, shards)
    order_keys = np.array([hashlib.sha256(track.encode()).digest() for track in ids], dtype="S32")
    order = np.lexsort((order_keys, dealt))
    numbers = _renumbered(dealt[order], most=LARGEST_SHARD * -(-len(ids) // shards))
    return pa.table(
        {
            "shard": pa.array(numbers, pa.int32()),
            "track_id": tracks["track_id"].take(order),
            "uri": tracks["uri"].take(order),
            "group": pa.array(groups, pa.string()).take(order),
            "split": tracks["split"].take(order),
        },
        schema=PLAN,
    )


def _dealt(groups: Sequence[str], shards: int) -> npt.NDArray[np.int64]:
    """The shard of each track, int64 [tracks]: equal intervals of the groups' positions.

    Where there are so few groups that some intervals would have none, the groups are cut in the order of their positions
    into shards of equal numbers of tracks, so that no worker goes without.
    """
    position = {group: hash_position(group) for group in set(groups)}
    by_interval = np.array([int(position[group] * shards) for group in groups], np.int64)
    if len(np.unique(by_interval)) == min(shards, len(position)):
        return by_interval
    sizes, before, dealt = collections.Counter(groups), 0, dict[str, int]()
    for group in sorted(position, key=lambda group: (position[group], group)):
        dealt[group] = before * shards // len(groups)
        before += sizes[group]
    return np.array([dealt[group] for group in groups], np.int64)


def _renumbered(dealt: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Numbers 0, 1, 2, … for a sorted array of shards, with runs longer than `most` split into pieces of at most that."""
    numbers = np.empty_like(dealt)
    next_number = 0
    for start, count in zip(*np.unique(dealt, return_index=True, return_counts=True)[1:], strict=True):
        pieces = -(-count // most)
        numbers[start : start + count] = next_number + np.arange(count) * pieces // count
        next_number += pieces
    return numbers
