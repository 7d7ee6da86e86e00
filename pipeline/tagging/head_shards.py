"""Write one shard of tags from other tags: their embeddings are kept, and the model's head alone scores them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.audio.causes import Cause
from pipeline.jobs.shard_job import ShardCounts, is_done
from pipeline.tagging.model_files import read_head
from pipeline.tagging.shard_files import TagsJob, finish_shard, fixed_lists
from schemas.console.errors import DatasetError
from schemas.generations import read_tombstones
from schemas.model_calibration import calibrated_scores
from schemas.stored_scores import read_scores
from schemas.tables import TRACKS
from schemas.tag_shards import matrix
from schemas.tags import Tags, scores_schema

Rejects = Mapping[int, tuple[Cause, str]]  # row -> why it has no scores


@dataclasses.dataclass(frozen=True)
class HeadShardJob(TagsJob):
    """Parameters of a generation of tags that keeps the embeddings of others; small, since it travels in the job graph.

    Attributes:
        head_sha256: SHA-256 of the file of the model's head.
        source: Folder of the tags whose embeddings are kept.
    """

    head_sha256: str
    source: str

    def open_writer(self) -> HeadShardWriter:
        """A writer of its shards."""
        return HeadShardWriter(self)


class HeadShardWriter:
    """Writes shards of tags, each from the shard of the source with the same number."""

    def __init__(self, job: HeadShardJob) -> None:
        self._job = job
        self._source = Tags.open(job.source)
        self._head = read_head(job.model, job.head_sha256)
        self._tracks = self._source.tracks_of(job.generation)
        self._shards = self._tracks["shard"].to_numpy()

    def close(self) -> None:
        """Nothing is open."""

    def write(self, shard: int) -> ShardCounts:
        """Write one shard from the embeddings and the tracks of the source's."""
        first, end = np.searchsorted(self._shards, (shard, shard + 1)).tolist()
        tracks = self._tracks.slice(first, end - first)
        while True:
            removed = self._removed()
            rows, table = self._scored(shard, tracks, removed)
            if not (self._removed() - removed) & set(tracks["track_id"].to_pylist()):
                break  # otherwise one of them was removed meanwhile, so nothing of it may be stored
        if not is_done(self._job, shard):
            finish_shard(self._job, shard, table, _tracks_part(rows), rows.num_rows)
        causes = {str(one["values"]): one["counts"] for one in rows["cause"].drop_null().value_counts().to_pylist()}
        return ShardCounts(shard, table.num_rows, dict(sorted(causes.items())), pc.sum(rows["seconds"]).as_py() or 0.0)

    def _removed(self) -> frozenset[str]:
        here = read_tombstones(self._job.layout)["track_id"].to_pylist()
        return self._source.removed_anywhere()[0].union(here)

    def _scored(self, shard: int, tracks: pa.Table, removed: frozenset[str]) -> tuple[pa.Table, pa.Table]:
        """Rows of the tracks table, and scores and embeddings of the tracks that have some."""
        stored = read_scores(self._source, self._job.generation, shard)
        ids = tracks["track_id"].to_pylist()
        rejects = dict.fromkeys(_rows_of(ids, removed), (Cause.REMOVED, "it was taken out before it was tagged"))
        held = np.flatnonzero(tracks["record"].is_valid().to_numpy())
        held = held[~np.isin(held, list(rejects))]
        wanted = tracks["track_id"].take(pa.array(held))
        if stored["track_id"] != wanted:  # else every row is wanted, as it nearly always is
            place = pc.index_in(wanted, value_set=stored["track_id"].combine_chunks())
            if place.null_count:
                uri, _ = self._source.scores(self._job.generation, shard)
                raise DatasetError(f"{uri}: its tracks are not those of the tracks table; restore it from a copy")
            stored = stored.take(place)
        scores = calibrated_scores(self._head.scores(matrix(stored["embedding"])), self._job.model.calibration)
        is_finite = np.isfinite(scores).all(axis=1)
        if not is_finite.all():
            words = "its embedding is too large for float16"
            rejects |= dict.fromkeys(held[~is_finite].tolist(), (Cause.NOT_FINITE, words))
            stored, scores = stored.filter(pa.array(is_finite)), scores[is_finite]
        return _with_rejects(tracks, rejects), self._table(stored, scores)

    def _table(self, stored: pa.Table, scores: np.ndarray[Any, np.dtype[np.float64]]) -> pa.Table:
        entry = self._job.model.entry
        schema = scores_schema(len(entry.tags), entry.embedding if self._job.embeddings else 0)
        values = {name: stored[name] for name in stored.column_names}
        values["scores"] = fixed_lists(scores, schema.field("scores").type)
        return pa.table([values[name] for name in schema.names], schema=schema).combine_chunks()


def _rows_of(ids: list[str], removed: frozenset[str]) -> list[int]:
    return [row for row, track in enumerate(ids) if track in removed] if removed else []


def _with_rejects(tracks: pa.Table, rejects: Rejects) -> pa.Table:
    """Rows of a shard in the tracks table, some of which are now rejected; the records of the others follow each other."""
    if not rejects:
        return tracks.combine_chunks()
    rows = tracks.to_pylist()
    for number, (cause, message) in rejects.items():
        rows[number].update(dict.fromkeys(("record", "seconds", "pcm_sha256")))
        rows[number].update(cause=str(cause), message=message, transient=cause.transient)
    for record, row in enumerate(row for row in rows if row["cause"] is None):
        row["record"] = record
    return pa.Table.from_pylist(rows, schema=TRACKS)


def _tracks_part(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    return bytes(sink.getvalue())
