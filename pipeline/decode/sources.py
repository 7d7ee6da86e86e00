"""Find tracks whose audio changed since they were decoded, by the checksums of their sources.

A store gives each file's checksum in its listing. On a local disk a checksum requires reading the file, so each file's
size and change time are recorded in runs/, and a file for which both are unchanged is not read again.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audio.fetch import source_checksum, store_checksums
from schemas.console.errors import DatasetError, UserError
from schemas.console.terminal import say
from schemas.generations import Generations
from schemas.storage.files import exists, is_remote, join, local_path, parent, write_atomic
from schemas.storage.stored_tables import read_stored_table, table_bytes

_READERS = 8  # files examined in parallel
_HANDED_OUT = 4096  # numbers given to the readers at a time
_SETTLED_NS = 2_000_000_000  # a file that changed this recently may change again without a new time stamp (2 s)

# Errors from reading a local source, also if its uri is not a valid path (contains NUL) or names another machine.
_UNREADABLE = (OSError, ValueError, UserError)

_Found = TypeVar("_Found")

# runs/sources.parquet: size and change time of each local file when it had that checksum.
SEEN = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("checksum", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("changed_ns", pa.int64(), nullable=False),
    ]
)


def changed_tracks(
    dataset: Generations, catalog: pa.Table, audio_root: str, on_progress: Callable[[int, int], None]
) -> pa.Array:
    """Ids of the catalog's stored tracks whose source has another checksum than when it was last decoded.

    A source that is missing or cannot be read does not count as changed: its record stays.

    Args:
        dataset: A dataset whose generations are all complete.
        catalog: Columns track_id and uri.
        audio_root: Folder to which relative uris refer.
        on_progress: Called with the number of sources examined and the total.
    """
    rows = _sources(dataset, catalog, audio_root)
    seen = _read_seen(dataset, rows)
    paths = map(rows.path, range(len(rows)))
    remote = store_checksums(sorted({parent(path) for path in paths if is_remote(path)}))

    def look(number: int) -> tuple[str | None, tuple[int, int]]:
        path = rows.path(number)
        if is_remote(path):
            return remote.get(path), (0, 0)
        try:
            before = _status(path)
            if seen is not None and before == (seen["size"][number], seen["changed_ns"][number]):
                return seen["checksum"][number], before
            found = source_checksum(local_path(path))
            return found, before if before == _status(path) else (0, 0)
        except _UNREADABLE:
            return None, (0, 0)

    checksums: list[str | None] = []
    status = np.zeros((len(rows), 2), np.int64)
    for number, (checksum, looked_like) in enumerate(_side_by_side(look, len(rows))):
        checksums.append(checksum)
        status[number] = looked_like
        on_progress(number + 1, len(rows))
    found = pa.array(checksums, pa.string())
    _write_seen(dataset, rows.ids, found, status, settled_before=time.time_ns() - _SETTLED_NS)
    return rows.ids.filter(pc.fill_null(pc.not_equal(found, rows.decoded), False))


def remember_sources(dataset: Generations, catalog: pa.Table, audio_root: str, began_ns: int) -> None:
    """Record size and change time of local sources that have not changed since before they were decoded.

    Args:
        dataset: A dataset whose generations are all complete.
        catalog: Columns track_id and uri.
        audio_root: Folder to which relative uris refer.
        began_ns: Start of decoding in nanoseconds since 1970.
    """
    local = pa.array((not is_remote(join(audio_root, uri.as_py())) for uri in catalog["uri"]), pa.bool_())
    if not local.true_count:
        return
    rows = _sources(dataset, catalog.filter(local), audio_root)

    def look(number: int) -> tuple[int, int]:
        try:
            return _status(rows.path(number))
        except _UNREADABLE:
            return 0, 0

    status = np.fromiter(_side_by_side(look, len(rows)), np.dtype((np.int64, 2)), len(rows))
    _write_seen(dataset, rows.ids, rows.decoded, status, settled_before=began_ns - _SETTLED_NS)


def _side_by_side(look: Callable[[int], _Found], count: int) -> Iterator[_Found]:
    """Results of `look` for each number in order; only a limited batch is given to the readers at a time."""
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, count, _HANDED_OUT):
            yield from readers.map(look, range(first, min(first + _HANDED_OUT, count)))


class _Sources:
    """The stored tracks of a catalog, ordered by id: ids, uris and decoded checksums (Arrow arrays)."""

    def __init__(self, ids: pa.Array, uris: pa.Array, root: str, decoded: pa.Array) -> None:
        self.ids, self.decoded = ids, decoded
        self._uris, self._root = uris, root

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, number: int) -> str:
        return join(self._root, self._uris[number].as_py())


def _sources(dataset: Generations, catalog: pa.Table, audio_root: str) -> _Sources:
    newest = dataset.newest_tracks([])
    kept = newest["track_id"].filter(pc.is_valid(newest["record"])).combine_chunks()
    # The newest source that was read counts, even if it became a reject, so that it is not retried over and over.
    attempts = pa.concat_tables(
        dataset.tracks_of(entry.generation, ["track_id", "source_checksum"])
        for entry in reversed(dataset.manifest.generations)
    )
    read = pc.and_(pc.is_valid(attempts["source_checksum"]), pc.is_in(attempts["track_id"], value_set=kept))
    attempts = attempts.filter(read).combine_chunks()
    first = pc.index_in(attempts["track_id"], value_set=attempts["track_id"].combine_chunks())
    stored = attempts.filter(pc.equal(first, pa.array(np.arange(attempts.num_rows), pa.int32()))).sort_by("track_id")
    place = pc.index_in(stored["track_id"], value_set=catalog["track_id"].combine_chunks())
    listed = stored.filter(pc.is_valid(place)).combine_chunks()
    uris = catalog["uri"].take(pc.drop_null(place)).combine_chunks()
    return _Sources(listed["track_id"].combine_chunks(), uris, audio_root, listed["source_checksum"].combine_chunks())


def _status(path: str) -> tuple[int, int]:
    """Size and change time, which, unlike the modification time, no program can set back."""
    status = os.stat(local_path(path))
    return status.st_size, status.st_ctime_ns


def _read_seen(dataset: Generations, rows: _Sources) -> dict[str, Any] | None:
    """Columns of SEEN in the order of `rows`, with -1 for missing tracks; None if the file is missing or unreadable."""
    uri = dataset.layout.sources_seen
    if not exists(uri):
        return None
    try:
        table = read_stored_table(uri, SEEN, what="what the sources looked like", advice="every source is read again")
    except DatasetError as error:
        say(f"warning: {error}", file=sys.stderr)
        return None
    place = pc.index_in(rows.ids, value_set=table["track_id"].combine_chunks())
    found = table.take(place)
    return {
        "checksum": found["checksum"].to_pylist(),
        **{name: pc.fill_null(found[name], -1).to_numpy() for name in ("size", "changed_ns")},
    }


def _write_seen(
    dataset: Generations, ids: pa.Array, checksums: pa.Array, status: np.ndarray[Any, Any], settled_before: int
) -> None:
    table = pa.table([ids, checksums, pa.array(status[:, 0]), pa.array(status[:, 1])], names=SEEN.names)
    settled = pa.array((status[:, 1] > 0) & (status[:, 1] < settled_before))
    table = table.filter(pc.and_(settled, pc.is_valid(checksums))).cast(SEEN)
    if table.num_rows:
        write_atomic(dataset.layout.sources_seen, table_bytes(table))
