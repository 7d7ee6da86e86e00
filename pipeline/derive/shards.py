"""Write one shard of a derived log-mel family from the shard's waveform payload."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audio.logmel import STORED_DTYPE, logmel_blocks
from pipeline.jobs.payload_file import PayloadFile
from pipeline.jobs.shard_job import GenerationJob, ShardCounts
from pipeline.jobs.stored_features import StoredFeature, StoredFeatures
from schemas.dataset import Dataset
from schemas.features import Family, FeatureSpec, LogMelSpec

_BLANK_BLOCK = 1 << 20  # bytes written at a time for an erased track


@dataclasses.dataclass(frozen=True)
class DerivedShardJob(GenerationJob):
    """Parameters of a generation for the workers that derive it; small, since it travels in the job graph.

    Attributes:
        spec: Spec of the log-mel family to write.
    """

    spec: LogMelSpec

    @property
    def families(self) -> dict[Family, FeatureSpec]:
        return {"logmel": self.spec}

    def open_writer(self) -> DerivedShardWriter:
        """A writer of its shards."""
        return DerivedShardWriter(self)


class DerivedShardWriter:
    """Writes shards of one derived family in one generation.

    A shard appears whole: its done mark is created last and only if absent. Its records are in the order of the waveform
    payload; a track that was erased there is blank here too.
    """

    def __init__(self, job: DerivedShardJob) -> None:
        self._job = job
        self._dataset = Dataset.open(job.dataset)
        columns = ["track_id", "shard", "record", "seconds", "waveform_offset"]
        self._tracks = self._dataset.tracks_of(job.generation, columns)
        self._shards = self._tracks["shard"].to_numpy()

    def close(self) -> None:
        """Do nothing: the writer holds no resources."""

    def write(self, shard: int) -> ShardCounts:
        """Write one shard; raises DatasetError if its waveforms are damaged."""
        job = self._job
        with contextlib.ExitStack() as stack:
            stored = stack.enter_context(StoredFeatures(self._dataset, job.spec.waveform, job.generation, shard))
            payload = stack.enter_context(PayloadFile(job.layout, job.spec, job.generation, shard))
            for row in self._rows(shard).to_pylist():
                samples = round(row["seconds"] * job.spec.sample_rate)
                track = stored.track(row["track_id"], row["waveform_offset"], samples)
                payload.append(track.track_id, _DerivedLogMel(track, job.spec))
            payload.publish()
            payload.mark_done(stored.mark.tracks, stored.mark.tracks_sha256)
        return ShardCounts(shard, payload.records)

    def _rows(self, shard: int) -> pa.Table:
        first, end = np.searchsorted(self._shards, (shard, shard + 1))
        rows = self._tracks.slice(first, end - first)
        return rows.filter(pc.is_valid(rows["record"]))


class _DerivedLogMel:
    """The log-mel spectrogram of a stored waveform, computed as it is written."""

    def __init__(self, track: StoredFeature, spec: LogMelSpec) -> None:
        self._track, self._spec = track, spec
        self.shape = (spec.frames(track.shape[0]), spec.mels)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * STORED_DTYPE.itemsize

    def blocks(self) -> Iterator[bytes]:
        if self._track.is_blank:
            for start in range(0, self.nbytes, _BLANK_BLOCK):
                yield bytes(min(_BLANK_BLOCK, self.nbytes - start))
        else:
            for block in logmel_blocks(self._track.read, self._track.shape[0], self._spec):
                yield block.astype(STORED_DTYPE).tobytes()
