"""Erase the features of tracks by overwriting their records with blank ones of the same size.

Every other record keeps its place, so plans, tracks tables and label versions stay unchanged. A payload's name carries its
hash: the new payload is written, the done mark is pointed at it, and the old one is removed, in this order. The same call
again resumes an interrupted one.

A build that runs during a purge erases the purged tracks when it closes its generation, and does not decode tracks that were
removed before it reached them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.examples import blank_example, decode_example
from schemas.features import FeatureSpec
from schemas.layout import shard_name
from schemas.storage.files import exists, join, list_names, parent, read_bytes, remove, write_atomic
from schemas.tables import TRACKS
from schemas.tfrecord import frame, unframe


def purge_tracks(dataset: Dataset, ids: pa.Array, on_progress: Callable[[int, int], None], *, first: int = 0) -> int:
    """Erase every record of these tracks, in all generations and families, and in the finished shards of the one under way.

    A build also erases from the generation under way when it closes it, so a caller that includes that generation must hold
    the lock on the dataset's small files.

    Args:
        dataset: The dataset, with or without the generation under way.
        ids: Ids of the tracks.
        on_progress: Called with the number of payloads processed and the total.
        first: Number of the first generation to search.

    Returns:
        Number of rewritten payloads.

    Raises:
        DatasetError: a payload is damaged, or a record is not where the tracks table says; that payload was not changed.
    """
    work = list(_payloads_with(dataset, ids, first))
    rewritten = 0
    for number, (spec, generation, shard, rows) in enumerate(work):
        rewritten += _purge_payload(dataset, spec, generation, shard, rows)
        on_progress(number + 1, len(work))
    return rewritten


def purge_again(dataset: Dataset, generation: int) -> None:
    """Erase from a newly closed generation the tracks that were purged from the others while it was built.

    Args:
        dataset: The dataset with that generation.
        generation: Number of the generation.
    """
    removed = dataset.removed()
    ids = removed["track_id"].filter(removed["purged"]).combine_chunks()
    if len(ids):
        for spec, shard, rows in _payloads_of(dataset, generation, dataset.tracks_of(generation), ids):
            _purge_payload(dataset, spec, generation, shard, rows)


def _payloads_with(dataset: Dataset, ids: pa.Array, first: int) -> Iterator[tuple[FeatureSpec, int, int, pa.Table]]:
    """Spec, generation and shard of each payload that holds some of the tracks, with the tracks' rows and places."""
    finished = dataset.manifest.generations[first:]
    tables = [(entry.generation, dataset.tracks_of(entry.generation)) for entry in finished]
    if dataset.under_way is not None:
        tables.append((dataset.under_way.generation, _tracks_under_way(dataset)))
    for generation, tracks in tables:
        for spec, shard, rows in _payloads_of(dataset, generation, tracks, ids):
            yield spec, generation, shard, rows


def _payloads_of(
    dataset: Dataset, generation: int, tracks: pa.Table, ids: pa.Array
) -> Iterator[tuple[FeatureSpec, int, pa.Table]]:
    held = pc.and_(pc.is_valid(tracks["record"]), pc.is_in(tracks["track_id"], value_set=ids))
    for spec, generations in dataset.whole_features():
        places = dataset.places(spec, tracks)
        rows = tracks.select(["track_id", "shard"]).append_column("offset", places["offset"])
        rows = rows.append_column("length", places["length"]).filter(held)
        for shard in sorted(rows["shard"].unique().to_pylist()):
            # In an unfinished generation or derivation the finished shards hold these tracks too.
            if generation < generations or exists(dataset.layout.done_mark(spec, generation, shard)):
                yield spec, shard, rows.filter(pc.equal(rows["shard"], shard))


def _tracks_under_way(dataset: Dataset) -> pa.Table:
    """Rows of the shards of the generation under way that have a done mark; schema TRACKS, in the order of the shards.

    A tracks part that the mark does not name belongs to a later attempt, which a build is about to mark or to give up.
    """
    tables, generation = [TRACKS.empty_table()], len(dataset.manifest.generations)
    for shard in range(dataset.under_way.shards if dataset.under_way is not None else 0):
        marks = [
            dataset.shard_manifest(spec, generation, shard)
            for spec in dataset.manifest.families.values()
            if exists(dataset.layout.done_mark(spec, generation, shard))
        ]
        if marks:
            data = read_bytes(dataset.layout.tracks_part(generation, shard))
            if marks[0].tracks_sha256 == hashlib.sha256(data).hexdigest():
                tables.append(pq.read_table(pa.BufferReader(data), schema=TRACKS))
    return pa.concat_tables(tables)


def _purge_payload(dataset: Dataset, spec: FeatureSpec, generation: int, shard: int, rows: pa.Table) -> bool:
    uri, mark = dataset.payload(spec, generation, shard)
    data = bytearray(read_bytes(uri))
    # The mark written below would make a damaged payload pass as intact.
    if hashlib.sha256(data).hexdigest() != mark.sha256:
        raise DatasetError(
            f"{uri}: its bytes are not those of the done mark (the SHA-256 differs), and nothing of it was erased; restore it "
            "from a copy and run the same command again"
        )
    columns = rows.select(["track_id", "offset", "length"]).to_pydict()
    for track_id, offset, length in zip(*columns.values(), strict=True):
        where = f"{uri} at byte {offset}"
        payload = unframe(bytes(data[offset : offset + length]), where=where)
        found, values = decode_example(spec.family, payload, where=where)
        if found.strip("\0") and found != track_id:
            raise DatasetError(f"{where}: expected track {track_id!r}, found {found!r}")
        blank = frame(blank_example(spec.family, track_id, len(values), values.nbytes))
        if len(blank) != length:
            raise DatasetError(f"{where}: expected a record of {len(blank)} bytes, found one of {length}")
        data[offset : offset + length] = blank
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != mark.sha256:
        new = dataset.layout.payload(spec, generation, shard, sha256)
        write_atomic(new, bytes(data))
        turned = dataclasses.replace(mark, payload=new.rsplit("/", 1)[-1], sha256=sha256)
        write_atomic(dataset.layout.done_mark(spec, generation, shard), turned.to_bytes())
        mark = turned
    # This also removes what an interrupted call or a late twin of a decoding task left behind for this shard.
    folder = parent(uri)
    for name in list_names(folder):
        if name.startswith(f"{shard_name(shard)}-") and name != mark.payload:
            remove(join(folder, name))
    return uri.rsplit("/", 1)[-1] != mark.payload
