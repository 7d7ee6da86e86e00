"""Choose the tracks of a generation, and close it."""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.jobs.shard_job import FeatureJob, mark_name
from schemas.console.errors import DatasetError
from schemas.features import Family, FeatureSpec
from schemas.generations import Generations
from schemas.layout import Layout
from schemas.manifests import GenerationEntry, ShardManifest, read_json
from schemas.plan_file import PlanReader
from schemas.storage.files import join, list_names, parent, read_bytes, remove, remove_temporaries, write_atomic
from schemas.tables import TRACKS

Retry = Literal["none", "transient", "all"]
RETRIES: tuple[Retry, ...] = get_args(Retry)
_READERS = 16  # small files read in parallel: in a bucket each one costs a round trip


def wanted_tracks(catalog: pa.Table, dataset: Generations, retry: Retry, changed: pa.Array | None) -> pa.Table:
    """The rows of a catalog that the next generation should hold.

    Args:
        catalog: Columns of `schemas.tables.CATALOG`.
        dataset: The dataset so far.
        retry: Which rejects to retry.
        changed: Ids of tracks whose source changed since it was decoded; None for none.

    Returns:
        New tracks, changed ones, rejects to retry, and rejects for which the catalog has a new uri, without removed tracks.
    """
    catalog = not_removed(catalog, dataset)
    if not dataset.manifest.generations:
        return catalog
    newest = dataset.newest_tracks(["transient"])
    known = newest["track_id"].filter(pc.invert(_again(catalog, dataset, newest, retry)))
    if changed is not None:
        known = known.filter(pc.invert(pc.is_in(known, value_set=changed)))
    return catalog.filter(pc.invert(pc.is_in(catalog["track_id"], value_set=known.combine_chunks())))


def tried_again(catalog: pa.Table, dataset: Generations, retry: Retry) -> bool:
    """True if the next generation retries some of a dataset's rejects."""
    newest = dataset.newest_tracks(["transient"])
    again = newest["track_id"].filter(_again(catalog, dataset, newest, retry))
    return bool(pc.any(pc.is_in(again, value_set=catalog["track_id"].combine_chunks())).as_py())


def lists_some_of(catalog: pa.Table, layout: Layout, generation: int) -> bool:
    """True if a catalog lists some of a generation's planned tracks."""
    planned = PlanReader(layout.plan(generation)).columns(["track_id"])["track_id"]
    return bool(pc.any(pc.is_in(catalog["track_id"], value_set=planned.combine_chunks())).as_py())


def _again(catalog: pa.Table, dataset: Generations, newest: pa.Table, retry: Retry) -> pa.Array:
    """Mask of the rows of `newest` that are rejects to retry: on request, or because their uri was corrected."""
    rejected = pc.is_null(newest["record"])
    asked = pa.scalar(retry == "all") if retry != "transient" else newest["transient"]
    mended = pc.is_in(newest["track_id"], value_set=_mended(catalog, dataset, newest.filter(rejected)))
    return pc.and_(rejected, pc.or_(mended, asked))


def _mended(catalog: pa.Table, dataset: Generations, rejects: pa.Table) -> pa.Array:
    """Ids of the rejects for which a catalog has another uri than the one last tried."""
    place = pc.index_in(rejects["track_id"], value_set=catalog["track_id"].combine_chunks())
    listed = rejects.filter(pc.is_valid(place))
    mended = []
    for generation in sorted(listed["generation"].unique().to_pylist()):
        ours = listed.filter(pc.equal(listed["generation"], generation))["track_id"]
        plan = PlanReader(dataset.layout.plan(generation)).columns(["track_id", "uri"])
        tried = plan["uri"].take(pc.index_in(ours, value_set=plan["track_id"].combine_chunks()))
        now = catalog["uri"].take(pc.index_in(ours, value_set=catalog["track_id"].combine_chunks()))
        mended += ours.filter(pc.not_equal(tried, now)).to_pylist()
    return pa.array(mended, pa.string())


def not_removed(catalog: pa.Table, dataset: Generations) -> pa.Table:
    """The rows of a catalog whose tracks were not removed from the dataset."""
    return catalog.filter(
        pc.invert(pc.is_in(catalog["track_id"], value_set=dataset.removed()["track_id"].combine_chunks()))
    )


def close_generation(job: FeatureJob, planned: GenerationEntry) -> tuple[GenerationEntry, pa.Table]:
    """Concatenate the tracks parts of a generation and count their rows.

    Writes tracks/gen-NNN.parquet and returns the completed entry with the table; the caller decides whether to put it into
    the manifest. Removes the files that killed workers left behind.

    Args:
        job: Job of the generation.
        planned: Its entry from the time of planning.

    Raises:
        DatasetError: a tracks part is missing, is not the one that the done marks name, or differs from the plan.
    """
    _keep_named_payloads(job, planned.shards)
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        table = pa.concat_tables(readers.map(lambda shard: _tracks_part(job, shard), range(planned.shards)))
    plan = PlanReader(job.plan).columns(["track_id"])
    if table["track_id"] != plan["track_id"] or table.num_rows != planned.tracks:
        raise DatasetError(
            f"{job.plan}: the {planned.tracks} tracks that were planned are not the {table.num_rows} that have a row"
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


def _keep_named_payloads(job: FeatureJob, shards: int) -> None:
    """Check that the payload of every done mark exists, and remove payloads without a mark, left by killed workers."""
    for spec in job.families.values():
        folder = job.layout.features(spec, job.generation)
        marks = _done_marks(job, spec, shards)
        require_payloads(folder, marks)
        named = {mark.payload for mark in marks}
        for name in list_names(folder):
            if not name.endswith(".json") and name not in named:
                remove(join(folder, name))


def require_payloads(folder: str, marks: Sequence[ShardManifest]) -> None:
    """Raise DatasetError if the payload of a done mark is missing.

    Args:
        folder: Folder of features of a generation.
        marks: Done marks of its shards, from the first on.
    """
    there = set(list_names(folder))
    for shard, mark in enumerate(marks):
        if mark.payload not in there:
            raise DatasetError(
                f"{join(folder, mark.payload)}: the payload is missing though its done mark is there; remove "
                f"{join(folder, mark_name(shard))}, and the same command writes both again"
            )


def payload_bytes(job: FeatureJob, shards: int) -> dict[Family, int]:
    """Bytes of a generation's payloads per family, from the done marks; raises DatasetError if one is missing."""
    sizes: dict[Family, int] = {}
    for family, spec in job.families.items():
        marks = _done_marks(job, spec, shards)
        require_payloads(job.layout.features(spec, job.generation), marks)
        sizes[family] = sum(mark.bytes for mark in marks)
    return sizes


def _tracks_part(job: FeatureJob, shard: int) -> pa.Table:
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


def _done_marks(job: FeatureJob, spec: FeatureSpec, shards: int) -> list[ShardManifest]:
    """The done marks of all shards in order."""
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(lambda shard: _done_mark(job, spec, shard), range(shards)))


def _done_mark(job: FeatureJob, spec: FeatureSpec, shard: int) -> ShardManifest:
    uri = job.layout.done_mark(spec, job.generation, shard)
    return ShardManifest.from_dict(read_json(uri, "a shard's done mark"), where=uri)
