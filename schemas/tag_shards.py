"""Read what tags hold of some tracks, shard by shard, from files that are checked against their done marks."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import DatasetError
from schemas.console.progress import Progress
from schemas.console.shown_commands import pipeline_command
from schemas.storage.files import is_remote
from schemas.stored_scores import read_scores
from schemas.tags import Tags

PLACE = ("generation", "shard", "record")  # columns of a tracks table that say where a track's scores lie
_READERS = {False: 2, True: 8}  # shards read in parallel from a disk and from a store, where a reader mostly waits
_AHEAD = 64  # shards in memory at a time: some 15 MB


def by_place(tracks: pa.Table) -> pa.Table:
    """The scored rows of a tracks table with the column `generation`, in the order in which their scores lie on disk."""
    kept = tracks.filter(pc.is_valid(tracks["record"]))
    return kept.sort_by([(name, "ascending") for name in PLACE]).combine_chunks()


def read_shards(
    tags: Tags, tracks: pa.Table, columns: Sequence[str], *, what: str
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of tracks, shard by shard in their order, each with what its file holds of them.

    Args:
        tags: The tags.
        tracks: Tracks with scores, as `by_place` orders them.
        columns: Columns to read of the files of scores.
        what: Name of the work, for the progress.

    Yields:
        Rows of `tracks` in one shard, and a table of the columns with a row for each.

    Raises:
        DatasetError: A file is missing, is not the one that was written, or lacks a track.
    """
    generations, shards = tracks["generation"].to_numpy(), tracks["shard"].to_numpy()
    starts = np.flatnonzero(np.diff(generations, prepend=-1) | np.diff(shards, prepend=-1)).tolist()
    parts = [tracks.slice(first, end - first) for first, end in itertools.pairwise([*starts, tracks.num_rows])]

    def read(part: pa.Table) -> tuple[pa.Table, pa.Table]:
        return part, _read(tags, part, columns)

    with contextlib.ExitStack() as stack:
        readers = stack.enter_context(concurrent.futures.ThreadPoolExecutor(_READERS[is_remote(tags.layout.root)]))
        progress = stack.enter_context(Progress(what, len(parts), "shards"))
        for first in range(0, len(parts), _AHEAD):
            yield from readers.map(read, parts[first : first + _AHEAD])
            progress.update(min(first + _AHEAD, len(parts)))


def _read(tags: Tags, wanted: pa.Table, columns: Sequence[str]) -> pa.Table:
    """What the file of one shard holds of some of its tracks, in their order."""
    generation, shard = wanted["generation"][0].as_py(), wanted["shard"][0].as_py()
    table = read_scores(tags, generation, shard, ["track_id", *columns])
    if table["track_id"] != wanted["track_id"]:  # else every row is wanted, as it nearly always is
        rows = pc.index_in(wanted["track_id"], value_set=table["track_id"].combine_chunks())
        if rows.null_count:
            uri, _ = tags.scores(generation, shard)
            check = pipeline_command("verify", "--tags", tags.layout.root)
            raise DatasetError(f"{uri}: its tracks are not those of the tracks table, see `{check}`")
        table = table.take(rows)
    return table.select(list(columns))


def matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float16]:
    """Scores or embeddings as an array, float16 [rows, width]."""
    array = column.combine_chunks()
    values = array.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float16).reshape(len(array), array.type.list_size)
