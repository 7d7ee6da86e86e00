"""What jobs that write tags share: their parameters, and a shard's files, the last of which is the done mark."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.jobs.shard_job import GenerationJob
from pipeline.tagging.model_files import ServedModel
from schemas.console.errors import DatasetError
from schemas.features import Family, FeatureSpec
from schemas.layout import Layout
from schemas.manifests import ShardManifest
from schemas.storage.files import write_atomic, write_if_absent
from schemas.storage.stored_tables import table_bytes
from schemas.tags import TagsLayout


@dataclasses.dataclass(frozen=True)
class TagsJob(GenerationJob):
    """The base of jobs that write a generation of tags.

    Attributes:
        model: The model.
        spec: Features that it reads, with the excerpt of each track.
        embeddings: Whether embeddings are stored too.
    """

    model: ServedModel
    spec: FeatureSpec
    embeddings: bool

    @property
    def layout(self) -> Layout:
        return TagsLayout(self.dataset)

    @property
    def families(self) -> dict[Family, FeatureSpec]:
        """The one kind of payload, under the name of what was read for it."""
        return {self.spec.family: self.spec}


def finish_shard(job: TagsJob, shard: int, table: pa.Table, part: bytes, tracks: int) -> None:
    """Write the files of a shard. It appears whole: a late twin of the same task harms nothing.

    Args:
        job: The job.
        shard: Number of the shard.
        table: Its scores, of the schema `scores_schema`.
        part: Its part of the tracks table.
        tracks: Number of rows in that.

    Raises:
        DatasetError: Another process has finished it with other bytes.
    """
    data = table_bytes(table)
    digest = hashlib.sha256(data).hexdigest()
    payload = job.layout.payload(job.spec, job.generation, shard, digest)
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
    uri = job.layout.done_mark(job.spec, job.generation, shard)
    if not write_if_absent(uri, mark.to_bytes()):
        raise DatasetError(
            f"{uri}: another process finished this shard with other bytes; did the audio change meanwhile? "
            "Remove this file to tag the shard again"
        )


def fixed_lists(values: npt.NDArray[np.floating], kind: pa.DataType) -> pa.Array:
    """Rows of a matrix as lists of a fixed length, in float16."""
    flat = pa.array(values.astype(np.float16).ravel(), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)
