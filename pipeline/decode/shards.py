"""Write one shard: decode its tracks, write a payload per feature family, the tracks part, and last the done marks."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Iterator
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.audio.causes import Cause, TrackRejected, reject_message
from pipeline.audio.engines import Decoder
from pipeline.audio.fetch import local_audio
from pipeline.audio.isolation import DecodingProcess
from pipeline.audio.limits import MAX_SECONDS
from pipeline.jobs.payload_file import FeatureBytes, HashedFeature, PayloadFile
from pipeline.jobs.shard_job import GenerationJob, ShardCounts, is_done
from schemas.examples import most_samples
from schemas.features import Family, FeatureSpec, LogMelSpec, logmel_spec_of
from schemas.generations import read_tombstones
from schemas.plan_file import PlanReader
from schemas.storage.files import join, write_atomic
from schemas.tables import TRACKS


@dataclasses.dataclass(frozen=True)
class ShardJob(GenerationJob):
    """Parameters of a generation for the workers that build it; small, since it travels in the job graph.

    Attributes:
        families: Features to write.
        audio_root: Folder to which relative uris refer.
        decoder: Decoder engine.
        strict: Reject truncated and corrupt tracks.
        max_seconds: Reject longer tracks.
    """

    families: dict[Family, FeatureSpec]
    audio_root: str
    decoder: Decoder = "auto"
    strict: bool = False
    max_seconds: float = MAX_SECONDS

    @property
    def logmel_spec(self) -> LogMelSpec:
        return logmel_spec_of(self.families)

    def open_writer(self) -> ShardWriter:
        """A writer of its shards."""
        return ShardWriter(self)


class ShardWriter:
    """Writes shards of one generation, with one decoding process for all of them.

    A shard appears whole: its payloads carry their own hash in their names, and the done marks that name them are
    created last and only if absent, so a late twin of the same task harms nothing.
    """

    def __init__(self, job: ShardJob) -> None:
        self._job = job
        self._plan = PlanReader(job.layout.plan(job.generation))
        self._removed: frozenset[str] = frozenset()
        self._spent = collections.defaultdict[str, float](float)  # seconds, by part of the work
        self._decoding = DecodingProcess(
            job.logmel_spec,
            job.decoder,
            strict=job.strict,
            max_seconds=job.max_seconds,
            max_samples=min(map(most_samples, job.families.values())),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._decoding.close()

    @property
    def decoding_cpu_seconds(self) -> float:
        """CPU time of the running decoding process; earlier ones count among the children that were waited for."""
        return self._decoding.cpu_seconds

    def write(self, shard: int) -> ShardCounts:
        """Write one shard from its planned rows."""
        job = self._job
        self._spent.clear()
        while True:
            self._removed = self._tombstones()
            with contextlib.ExitStack() as stack:
                payloads = {
                    family: stack.enter_context(PayloadFile(job.layout, spec, job.generation, shard))
                    for family, spec in job.families.items()
                }
                rows = [self._track(row, shard, payloads) for row in self._plan.shard(shard).to_pylist()]
                if (self._tombstones() - self._removed) & {row["track_id"] for row in rows}:
                    continue  # one of them was removed meanwhile, so nothing of it may be stored
                with self._timed("write"):
                    for payload in payloads.values():
                        payload.publish()
            break
        if is_done(job, shard):  # a twin finished it, perhaps before a track was removed: the twin's result counts
            return ShardCounts.of_rows(shard, rows)
        with self._timed("write"):
            self._finish(shard, rows, payloads)
        return ShardCounts.of_rows(shard, rows, sum(payload.bytes for payload in payloads.values()), self._spent)

    def _finish(self, shard: int, rows: list[dict[str, Any]], payloads: dict[Family, PayloadFile]) -> None:
        job, tracks = self._job, tracks_part(rows)
        write_atomic(job.layout.tracks_part(job.generation, shard), tracks)
        for payload in payloads.values():
            payload.mark_done(len(rows), hashlib.sha256(tracks).hexdigest())

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._spent[part] += time.monotonic() - started

    def _tombstones(self) -> frozenset[str]:
        return frozenset(read_tombstones(self._job.layout)["track_id"].to_pylist())

    def _track(self, planned: dict[str, Any], shard: int, payloads: dict[Family, PayloadFile]) -> dict[str, Any]:
        """Decode one planned track, append its records, and return its row of the tracks table."""
        row = dict.fromkeys(TRACKS.names)
        row.update({name: planned[name] for name in ("track_id", "group", "split")})
        row.update(shard=shard, transient=False, flags=[])
        try:
            spec = self._job.logmel_spec
            if planned["track_id"] in self._removed:
                raise TrackRejected(Cause.REMOVED, "it was taken out of the dataset before it was decoded")
            started = time.monotonic()
            with local_audio(join(self._job.audio_root, planned["uri"]), spec.waveform.excerpt) as audio:
                self._spent["fetch"] += time.monotonic() - started
                row["source_checksum"] = audio.checksum
                features = self._decoding.features(audio.path, audio.pieces)
                for part, seconds in features.seconds.items():
                    self._spent[part] += seconds
        except TrackRejected as rejected:
            row.update(
                cause=str(rejected.cause),
                transient=rejected.cause.transient,
                message=reject_message(rejected, planned["uri"]),
            )
            return row
        waveform = HashedFeature(features.waveform)
        arrays: dict[Family, FeatureBytes] = {"logmel": features.logmel, "waveform": waveform}
        with self._timed("write"):
            for family, payload in payloads.items():
                row["record"] = payload.records
                row[f"{family}_offset"], row[f"{family}_length"] = payload.append(planned["track_id"], arrays[family])
        row.update(
            features.facts,
            seconds=features.waveform.shape[0] / spec.sample_rate,
            pcm_sha256=waveform.sha256(),
        )
        return row


def tracks_part(rows: list[dict[str, Any]]) -> bytes:
    """Rows of a shard as its part of the tracks table."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=TRACKS), sink, compression="zstd")
    return bytes(sink.getvalue())
