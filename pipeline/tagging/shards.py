"""Write one shard of tags: the scores of its tracks, the tracks part, and last the done mark."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.audio.causes import Cause, TrackRejected, reject_message
from pipeline.audio.engines import Decoder
from pipeline.audio.isolation import DecodingProcess
from pipeline.audio.limits import MAX_SECONDS
from pipeline.decode.shards import tracks_part
from pipeline.jobs.shard_job import ShardCounts, is_done
from pipeline.tagging.inference import Inference
from pipeline.tagging.shard_files import TagsJob, finish_shard, fixed_lists
from pipeline.tagging.track_scores import TrackScores
from pipeline.tagging.track_sources import DecodedTracks, Read, StoredTracks, TrackSource
from schemas.dataset import Dataset
from schemas.features import INT16_SCALE, LogMelSpec, logmel_over
from schemas.generations import read_tombstones
from schemas.layout import Layout
from schemas.model_calibration import calibrated_scores
from schemas.patches import patch_starts
from schemas.plan_file import PlanReader
from schemas.tables import TRACKS
from schemas.tags import scores_schema

BATCH_SECONDS = 240.0  # of audio whose patches go through the model together: 16 patches of 15 s
MOST_PATCHES = 64


@dataclasses.dataclass(frozen=True)
class TagShardJob(TagsJob):
    """Parameters of a generation of tags for the workers; small, since it travels in the job graph.

    Attributes:
        audio_root: Folder to which relative uris refer; None if the features come from a dataset.
        source: The dataset that holds the features; None if audio is decoded.
        decoder: Decoder engine.
        max_seconds: Reject longer tracks.
        memory: Memory that a worker needs: its own, that of the decoding process, and that of the model (docs/tagging.md).
    """

    memory: ClassVar[str] = "3GB"
    embeddings: bool = True
    audio_root: str | None = None
    source: str | None = None
    decoder: Decoder = "auto"
    max_seconds: float = MAX_SECONDS

    @property
    def logmel_spec(self) -> LogMelSpec:
        """What the decoding process computes."""
        return logmel_over(self.spec)

    @property
    def batch(self) -> int:
        """Number of patches that go through the model together; a function of the model alone."""
        patch = self.model.entry.patch
        samples = patch * self.spec.hop_length if isinstance(self.spec, LogMelSpec) else patch
        return max(1, min(MOST_PATCHES, round(BATCH_SECONDS * self.logmel_spec.sample_rate / samples)))

    def open_writer(self) -> TagShardWriter:
        """A writer of its shards."""
        return TagShardWriter(self)


class TagShardWriter:
    """Writes shards of tags, with one decoding process and one model process for all of them.

    A shard appears whole: its payload carries its hash in its name, and the done mark that names it is created last and only
    if absent, so a late twin of the same task harms nothing.
    """

    def __init__(self, job: TagShardJob) -> None:
        self._job = job
        self._plan = PlanReader(job.plan)
        with contextlib.ExitStack() as stack:
            self._inference = stack.enter_context(Inference(job.model, job.batch))
            self._tracks: TrackSource
            if job.source is None:
                decoding = DecodingProcess(job.logmel_spec, job.decoder, max_seconds=job.max_seconds)
                self._tracks = DecodedTracks(stack.enter_context(decoding), job.spec, job.audio_root or "")
            else:
                self._tracks = StoredTracks(Dataset.open(job.source), job.spec, job.generation)
            self._open = stack.pop_all()

    def close(self) -> None:
        self._open.close()

    def write(self, shard: int) -> ShardCounts:
        """Write one shard from its planned rows."""
        job = self._job
        planned = self._plan.shard(shard).to_pylist()
        while True:
            removed = self._removed()
            rows, table = self._scored(shard, planned, removed)
            if not (self._removed() - removed) & {row["track_id"] for row in rows}:
                break  # otherwise one of them was removed meanwhile, so nothing of it may be stored
        if not is_done(job, shard):
            finish_shard(job, shard, table, tracks_part(rows), len(rows))
        return ShardCounts.of_rows(shard, rows)

    def _removed(self) -> frozenset[str]:
        layouts = [self._job.layout, *([] if self._job.source is None else [Layout(self._job.source)])]
        return frozenset(track for layout in layouts for track in read_tombstones(layout)["track_id"].to_pylist())

    def _scored(
        self, shard: int, planned: list[dict[str, Any]], removed: frozenset[str]
    ) -> tuple[list[dict[str, Any]], pa.Table]:
        """Rows of the tracks table and the scores of the tracks that have some."""
        rows = [_blank_row(track, shard) for track in planned]
        scores = TrackScores(self._inference)
        rejected: dict[int, TrackRejected] = {}
        with self._tracks.shard(shard) as open_track:
            for number, (track, row) in enumerate(zip(planned, rows, strict=True)):
                try:
                    if track["track_id"] in removed:
                        raise TrackRejected(Cause.REMOVED, "it was taken out before it was tagged")
                    add_patches(scores, number, *open_track(track, row), self._job.model.entry.patch)
                except TrackRejected as error:
                    rejected[number] = error
            scores.finish()
        stored: list[tuple[str, npt.NDArray[np.float64], float]] = []
        for number, (track, row) in enumerate(zip(planned, rows, strict=True)):
            try:
                if number in rejected:
                    raise rejected[number]
                outputs = scores.of(number)
            except TrackRejected as error:
                row.update(dict.fromkeys(("seconds", "pcm_sha256")))
                row.update(cause=str(error.cause), transient=error.cause.transient)
                row["message"] = reject_message(error, track["uri"])
                continue
            row["record"] = len(stored)
            stored.append((track["track_id"], outputs, row["seconds"]))
        return rows, self._table(stored)

    def _table(self, stored: list[tuple[str, npt.NDArray[np.float64], float]]) -> pa.Table:
        tags, width = len(self._job.model.entry.tags), self._job.model.entry.embedding
        schema = scores_schema(tags, width if self._job.embeddings else 0)
        outputs = np.array([outputs for _, outputs, _ in stored], np.float64).reshape(len(stored), tags + width)
        scores = calibrated_scores(outputs[:, :tags], self._job.model.calibration)
        values = {
            "track_id": pa.array([track for track, _, _ in stored], pa.string()),
            "scores": fixed_lists(scores, schema.field("scores").type),
            "seconds": pa.array([seconds for _, _, seconds in stored], pa.float64()),
        }
        if self._job.embeddings:
            values["embedding"] = fixed_lists(outputs[:, tags:], schema.field("embedding").type)
        return pa.table([values[name] for name in schema.names], schema=schema)


def add_patches(scores: TrackScores, number: int, read: Read, length: int, patch: int) -> None:
    """Add the patches of a track, until it is rejected.

    Args:
        scores: What scores them.
        number: Number of the track.
        read: Reads its features.
        length: Their length in frames or samples.
        patch: Length of a patch, in the same unit.
    """
    for start in patch_starts(length, patch).tolist():
        values = read(start, min(start + patch, length))
        scale = INT16_SCALE if values.dtype == np.int16 else 1.0
        if not scores.add(number, np.asarray(values, np.float32) / np.float32(scale)):
            return


def _blank_row(planned: dict[str, Any], shard: int) -> dict[str, Any]:
    row = dict.fromkeys(TRACKS.names)
    row.update({name: planned[name] for name in ("track_id", "group", "split")})
    row.update(shard=shard, transient=False, flags=[])
    return row
