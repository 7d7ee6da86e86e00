"""Which tracks a generation gets, and what closes it."""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decode.jobs import FeatureJob
from pipeline.decode.shards import ShardJob
from schemas.dataset import Dataset
from schemas.errors import DatasetError
from schemas.features import Family, FeatureSpec
from schemas.manifests import DatasetManifest, GenerationEntry, ShardManifest, read_json
from schemas.storage import parent, read_bytes, remove_temporaries, write_atomic
from schemas.tables import TRACKS

Retry = Literal["none", "transient", "all"]
RETRIES: tuple[Retry, ...] = get_args(Retry)
_READERS = 16  # small files read side by side: in a bucket each one costs a round trip


def wanted_tracks(catalog: pa.Table, dataset: Dataset | None, retry: Retry, changed: pa.Array | None) -> pa.Table:
    """The rows of a catalog that the next generation should hold.

    Args:
        catalog: columns of `schemas.tables.CATALOG`.
        dataset: what is there already; None if nothing is.
        retry: which rejects are tried again.
        changed: ids of tracks whose source changed since it was decoded; None for none.

    Returns:
        New tracks, changed ones, and rejects that are tried again; none that was removed.
    """
    if dataset is None or not dataset.manifest.generations:
        return catalog
    catalog = not_removed(catalog, dataset)
    newest = dataset.newest_tracks(["transient"])
    known = newest["track_id"]
    if retry != "none":
        again = pc.is_null(newest["record"])
        if retry == "transient":
            again = pc.and_(again, newest["transient"])
        known = known.filter(pc.invert(again))
    if changed is not None:
        known = known.filter(pc.invert(pc.is_in(known, value_set=changed)))
    return catalog.filter(pc.invert(pc.is_in(catalog["track_id"], value_set=known.combine_chunks())))


def not_removed(catalog: pa.Table, dataset: Dataset) -> pa.Table:
    """The rows of a catalog whose tracks were not taken out of the dataset."""
    return catalog.filter(
        pc.invert(pc.is_in(catalog["track_id"], value_set=dataset.removed()["track_id"].combine_chunks()))
    )


def close_generation(job: ShardJob, manifest: DatasetManifest) -> tuple[GenerationEntry, pa.Table]:
    """Put the tracks parts of a generation together and count them.

    Writes tracks/gen-NNN.parquet and returns the completed entry with the table; the caller decides whether the
    manifest takes it. Removes what killed workers left behind.

    Raises:
        DatasetError: a tracks part is missing or is not the one that the done marks name.
    """
    planned = manifest.generations[job.generation]
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        table = pa.concat_tables(readers.map(lambda shard: _tracks_part(job, shard), range(planned.shards)))
    if table.num_rows != planned.tracks:
        raise DatasetError(
            f"{job.layout.plan(job.generation)}: {planned.tracks} tracks were planned, {table.num_rows} have a row"
        )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data = bytes(sink.getvalue())
    write_atomic(job.layout.tracks(job.generation), data)
    layout = job.layout
    for spec in job.families.values():
        remove_temporaries(layout.features(spec, job.generation))
    for file in (layout.tracks_part(job.generation, 0), layout.tracks(job.generation), layout.plan(0), layout.manifest):
        remove_temporaries(parent(file))
    rejects = collections.Counter(cause for cause in table["cause"].to_pylist() if cause is not None)
    entry = GenerationEntry(
        generation=job.generation,
        shards=planned.shards,
        tracks=planned.tracks,
        records=table.num_rows - rejects.total(),
        rejects=dict(sorted(rejects.items())),
        tracks_sha256=hashlib.sha256(data).hexdigest(),
    )
    return entry, table


def payload_bytes(job: FeatureJob, shards: int) -> dict[Family, int]:
    """Bytes of a generation's payloads per family, by the done marks."""
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        return {
            family: sum(mark.bytes for mark in readers.map(lambda shard: _done_mark(job, spec, shard), range(shards)))  # noqa: B023
            for family, spec in job.families.items()
        }


def _tracks_part(job: ShardJob, shard: int) -> pa.Table:
    uri = job.layout.tracks_part(job.generation, shard)
    try:
        data = read_bytes(uri)
    except FileNotFoundError as error:
        raise DatasetError(f"{uri}: the tracks part is missing though the shard is done") from error
    digest = hashlib.sha256(data).hexdigest()
    for family, spec in job.families.items():
        mark = _done_mark(job, spec, shard)
        if mark.tracks_sha256 != digest:
            raise DatasetError(f"{uri}: not the tracks part that the done mark of {family} names")
    return pq.read_table(pa.BufferReader(data), schema=TRACKS)


def _done_mark(job: FeatureJob, spec: FeatureSpec, shard: int) -> ShardManifest:
    uri = job.layout.done_mark(spec, job.generation, shard)
    return ShardManifest.from_dict(read_json(uri, "a shard's done mark"), where=uri)
