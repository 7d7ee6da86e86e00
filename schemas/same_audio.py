"""Tracks that share their stored audio under several ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def same_audio(tracks: pa.Table) -> list[list[str]]:
    """Ids of tracks that share their stored audio, by its checksum; silent tracks do not count.

    Args:
        tracks: Tracks table, schema TRACKS, one row per track.

    Returns:
        Sorted lists of two or more ids, in the order of their first id.
    """
    sounding = tracks.filter(pc.and_(pc.is_valid(tracks["record"]), pc.invert(_flagged(tracks, "silent"))))
    counts = pc.value_counts(sounding["pcm_sha256"])
    shared = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    rows = sounding.filter(pc.is_in(sounding["pcm_sha256"], value_set=shared)).select(["track_id", "pcm_sha256"])
    groups: dict[str, list[str]] = {}
    for row in rows.sort_by("track_id").to_pylist():
        groups.setdefault(row["pcm_sha256"], []).append(row["track_id"])
    return list(groups.values())


def _flagged(tracks: pa.Table, flag: str) -> pa.Array:
    """Mask of the rows that have a flag."""
    flags = tracks["flags"].combine_chunks()
    has = pc.equal(flags.flatten(), flag)
    marked = np.zeros(tracks.num_rows, bool)
    marked[flags.value_parent_indices().filter(has).to_numpy()] = True
    return pa.array(marked)
