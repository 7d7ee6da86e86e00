"""Erase the features of tracks: their records are overwritten by blank ones of the same size.

Every other record keeps its place, so plans, tracks tables and label versions stay as they are. A payload's name
carries its hash: the new one is written, the done mark turned to it, and the old one removed, in this order. The same
call again goes on wherever one was cut short.

What is written beside a purge is erased where it ends: a build erases what was purged meanwhile when it closes its
generation, and decodes nothing that was taken out before it came to it.
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
    """Erase every record of some tracks, in all generations and families, and in what is done of the one under way.

    A build erases from the generation under way too when it closes it: whoever has that one in the dataset holds the
    dataset's small files meanwhile.

    Args:
        dataset: the dataset, with or without the generation under way.
        ids: of the tracks.
        on_progress: called with payloads looked at and payloads in all.
        first: number of the first generation to look through.

    Returns:
        How many payloads were rewritten.

    Raises:
        DatasetError: a payload is damaged, or a record is not where the tracks table has it; nothing of that payload was
            changed.
    """
    work = list(_payloads_with(dataset, ids, first))
    rewritten = 0
    for number, (spec, generation, shard, rows) in enumerate(work):
        rewritten += _purge_payload(dataset, spec, generation, shard, rows)
        on_progress(number + 1, len(work))
    return rewritten


def purge_again(dataset: Dataset, generation: int) -> None:
    """Erase from a generation that was just closed what was purged from the others while it was built.

    Args:
        dataset: as it is with that generation.
        generation: its number.
    """
    removed = dataset.removed()
    ids = removed["track_id"].filter(removed["purged"]).combine_chunks()
    if len(ids):
        for spec, shard, rows in _payloads_of(dataset, generation, dataset.tracks_of(generation), ids):
            _purge_payload(dataset, spec, generation, shard, rows)


def _payloads_with(dataset: Dataset, ids: pa.Array, first: int) -> Iterator[tuple[FeatureSpec, int, int, pa.Table]]:
    """Spec, generation and shard of each payload that holds some of the tracks, with their rows and places."""
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
            # The shards that are done hold these tracks too where a generation or a derivation is not finished.
            if generation < generations or exists(dataset.layout.done_mark(spec, generation, shard)):
                yield spec, shard, rows.filter(pc.equal(rows["shard"], shard))


def _tracks_under_way(dataset: Dataset) -> pa.Table:
    """The rows of the shards of the generation under way that some done mark speaks of; TRACKS, in the order of the shards.

    A tracks part that the mark does not name is of a later attempt, which a build is about to mark or to give up.
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
    if (
        hashlib.sha256(data).hexdigest() != mark.sha256
    ):  # the mark that is written below would make damage pass for whole
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
    # Also what a call that was cut short, or a late twin of a decoding task, left behind of this shard.
    folder = parent(uri)
    for name in list_names(folder):
        if name.startswith(f"{shard_name(shard)}-") and name != mark.payload:
            remove(join(folder, name))
    return uri.rsplit("/", 1)[-1] != mark.payload
