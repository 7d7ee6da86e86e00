"""The newest scores of all tracks, read shard by shard."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import DatasetError
from schemas.console.progress import Progress
from schemas.console.shown_commands import pipeline_command
from schemas.stored_scores import read_scores
from schemas.tags import Tags

_READERS = 8  # shards read in parallel
_AHEAD = 64  # shards in memory at a time: some 15 MB


def scored_tracks(tags: Tags, columns: Sequence[str] = ()) -> pa.Table:
    """The tracks that have scores and were not removed, in the order of their shards.

    Args:
        tags: The tags.
        columns: Columns of schema TRACKS besides `generation`, `track_id`, `shard` and `record`.
    """
    tracks = tags.newest_tracks(["shard", *columns])
    tracks = tracks.filter(pc.is_valid(tracks["record"]))
    return tracks.sort_by([(name, "ascending") for name in ("generation", "shard", "record")]).combine_chunks()


def newest_scores(tags: Tags, tracks: pa.Table, doing: str) -> Iterator[pa.Table]:
    """Read the scores of tracks, a table for each shard, together in the order of `tracks`.

    Args:
        tags: The tags.
        tracks: Rows of `scored_tracks`.
        doing: The work in a word, for the progress bar.

    Raises:
        DatasetError: A file is damaged, or its tracks are not those of the tracks table.
    """
    generations, shards = tracks["generation"].to_numpy(), tracks["shard"].to_numpy()
    starts = np.flatnonzero(np.diff(generations, prepend=-1) | np.diff(shards, prepend=-1)).tolist()
    parts = [tracks.slice(first, end - first) for first, end in itertools.pairwise([*starts, tracks.num_rows])]

    def read(part: pa.Table) -> pa.Table:
        return _read(tags, part)

    with contextlib.ExitStack() as stack:
        readers = stack.enter_context(concurrent.futures.ThreadPoolExecutor(_READERS))
        progress = stack.enter_context(Progress(doing, len(parts), "shards"))
        for first in range(0, len(parts), _AHEAD):
            yield from readers.map(read, parts[first : first + _AHEAD])
            progress.update(min(first + _AHEAD, len(parts)))


def _read(tags: Tags, wanted: pa.Table) -> pa.Table:
    generation, shard = wanted["generation"][0].as_py(), wanted["shard"][0].as_py()
    table = read_scores(tags, generation, shard)
    rows = pc.index_in(wanted["track_id"], value_set=table["track_id"].combine_chunks())
    if rows.null_count:
        uri, _ = tags.scores(generation, shard)
        check = pipeline_command("verify", "--tags", tags.layout.root)
        raise DatasetError(f"{uri}: its tracks are not those of the tracks table, see `{check}`")
    return table.take(rows)
