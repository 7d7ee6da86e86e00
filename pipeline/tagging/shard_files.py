"""The files of a shard of tags: its scores, its part of the tracks table, and last the done mark."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.jobs.shard_job import FeatureJob
from schemas.console.errors import DatasetError
from schemas.features import FeatureSpec
from schemas.manifests import ShardManifest
from schemas.storage.files import write_atomic, write_if_absent
from schemas.storage.stored_tables import table_bytes


def finish_shard(job: FeatureJob, spec: FeatureSpec, shard: int, table: pa.Table, part: bytes, tracks: int) -> None:
    """Write the files of a shard. It appears whole: a late twin of the same task harms nothing.

    Args:
        job: The job.
        spec: Features that the model read.
        shard: Number of the shard.
        table: Its scores, of the schema `scores_schema`.
        part: Its part of the tracks table.
        tracks: Number of rows in that.

    Raises:
        DatasetError: Another process has finished it with other bytes.
    """
    data = table_bytes(table)
    digest = hashlib.sha256(data).hexdigest()
    payload = job.layout.payload(spec, job.generation, shard, digest)
    write_atomic(payload, data)
    write_atomic(job.layout.tracks_part(job.generation, shard), part)
    mark = ShardManifest(
        payload=payload.rsplit("/", 1)[-1],
        records=table.num_rows,
        bytes=len(data),
        sha256=digest,
        tracks=tracks,
        tracks_sha256=hashlib.sha256(part).hexdigest(),
    )
    uri = job.layout.done_mark(spec, job.generation, shard)
    if not write_if_absent(uri, mark.to_bytes()):
        raise DatasetError(
            f"{uri}: another process finished this shard with other bytes; did the audio change meanwhile? "
            "Remove this file to tag the shard again"
        )


def fixed_lists(values: npt.NDArray[np.floating], kind: pa.DataType) -> pa.Array:
    """Rows of a matrix as lists of a fixed length, in float16."""
    flat = pa.array(values.astype(np.float16).ravel(), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)
