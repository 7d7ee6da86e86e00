"""Write one shard: decode its tracks, write a payload per feature family, the tracks part, and last the done marks."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import itertools
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.audio.causes import TrackRejected
from pipeline.audio.engines import Decoder
from pipeline.audio.fetch import local_audio
from pipeline.audio.isolation import DecodedArray, DecodingProcess
from pipeline.plan import PlanReader
from schemas.errors import DatasetError
from schemas.examples import around_values
from schemas.features import Family, FeatureSpec, LogMelSpec, logmel_spec_of
from schemas.layout import Layout
from schemas.manifests import ShardManifest
from schemas.storage import exists, join, publish, read_bytes, spool, write_atomic, write_if_absent
from schemas.tables import TRACKS
from schemas.tfrecord import framed


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """What a worker needs to know about the generation it builds; small, since it travels in the job graph.

    Attributes:
        dataset: the dataset's folder.
        generation: which one.
        families: the features to write.
        audio_root: the folder that relative uris start from.
        decoder: the decoder engine.
        strict: reject tracks that are truncated or corrupt.
    """

    dataset: str
    generation: int
    families: dict[Family, FeatureSpec]
    audio_root: str
    decoder: Decoder = "auto"
    strict: bool = False

    @property
    def layout(self) -> Layout:
        return Layout(self.dataset)

    @property
    def logmel_spec(self) -> LogMelSpec:
        return logmel_spec_of(self.families)

    def is_done(self, shard: int) -> bool:
        """True if every family's done mark of a shard is there."""
        return all(
            exists(self.layout.done_mark(family, spec.fingerprint, self.generation, shard))
            for family, spec in self.families.items()
        )


@dataclasses.dataclass(frozen=True)
class ShardCounts:
    """How the tracks of a shard ended.

    Attributes:
        shard: its number.
        records: stored tracks.
        rejects: number of rejects by cause.
        seconds: stored audio.
    """

    shard: int
    records: int
    rejects: dict[str, int]
    seconds: float


class ShardWriter:
    """Writes shards of one generation, with one decoding process for all of them.

    A shard appears whole: its payloads carry their own hash in their names, and the done marks that name them are
    created last and only if absent, so a late twin of the same task harms nothing.
    """

    def __init__(self, job: ShardJob) -> None:
        self._job = job
        self._plan = PlanReader(job.layout.plan(job.generation))
        self._decoding = DecodingProcess(job.logmel_spec, job.decoder, strict=job.strict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._decoding.close()

    def write(self, shard: int) -> ShardCounts:
        """Write one shard from its planned rows."""
        job = self._job
        folders = {
            family: job.layout.features(family, spec.fingerprint, job.generation)
            for family, spec in job.families.items()
        }
        with contextlib.ExitStack() as stack:
            payloads = {
                family: stack.enter_context(_PayloadFile(family, join(folder, "payload")))
                for family, folder in folders.items()
            }
            rows = [self._track(row, shard, payloads) for row in self._plan.shard(shard).to_pylist()]
            for family, payload in payloads.items():
                spec = job.families[family]
                payload.publish(job.layout.payload(family, spec.fingerprint, job.generation, shard, payload.sha256))
        tracks = _tracks_part(rows)
        write_atomic(job.layout.tracks_part(job.generation, shard), tracks)
        self._write_done_marks(shard, payloads, len(rows), tracks)
        rejects = collections.Counter(row["cause"] for row in rows if row["cause"] is not None)
        return ShardCounts(
            shard=shard,
            records=len(rows) - rejects.total(),
            rejects=dict(sorted(rejects.items())),
            seconds=sum(row["seconds"] or 0.0 for row in rows),
        )

    def _track(self, planned: dict[str, Any], shard: int, payloads: dict[Family, _PayloadFile]) -> dict[str, Any]:
        """Decode one planned track, append its records, and return its row of the tracks table."""
        row = dict.fromkeys(TRACKS.names)
        row.update({name: planned[name] for name in ("track_id", "group", "split")})
        row.update(shard=shard, transient=False, flags=[])
        try:
            spec = self._job.logmel_spec
            with local_audio(join(self._job.audio_root, planned["uri"]), spec.waveform.excerpt) as audio:
                row["source_checksum"] = audio.checksum
                features = self._decoding.features(audio.path, audio.pieces)
        except TrackRejected as rejected:
            row.update(cause=str(rejected.cause), transient=rejected.cause.transient, message=rejected.message)
            return row
        row.update(
            features.facts,
            seconds=features.waveform.shape[0] / spec.sample_rate,
            pcm_sha256=_sha256(features.waveform),
        )
        arrays: dict[Family, DecodedArray] = {"logmel": features.logmel, "waveform": features.waveform}
        for family, payload in payloads.items():
            row["record"] = payload.records
            row[f"{family}_offset"], row[f"{family}_length"] = payload.append(planned["track_id"], arrays[family])
        return row

    def _write_done_marks(
        self, shard: int, payloads: dict[Family, _PayloadFile], tracks: int, tracks_part: bytes
    ) -> None:
        job = self._job
        for family, payload in payloads.items():
            mark = ShardManifest(
                payload=payload.name,
                records=payload.records,
                bytes=payload.bytes,
                sha256=payload.sha256,
                tracks=tracks,
                tracks_sha256=hashlib.sha256(tracks_part).hexdigest(),
            ).to_bytes()
            uri = job.layout.done_mark(family, job.families[family].fingerprint, job.generation, shard)
            if not write_if_absent(uri, mark) and read_bytes(uri) != mark:
                raise DatasetError(
                    f"{uri}: another process finished this shard with other bytes; did the audio change meanwhile? "
                    "Remove this file to build the shard again"
                )


class _PayloadFile:
    """A payload that is being written beside its final place."""

    def __init__(self, family: Family, beside: str) -> None:
        self._family = family
        self._spool = spool(beside)
        self._digest = hashlib.sha256()
        self.records = 0
        self.bytes = 0
        self.name = ""

    def __enter__(self) -> Self:
        self._path = self._spool.__enter__()
        self._file: BinaryIO = open(self._path, "wb")
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file.close()
        self._spool.__exit__(*exception)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def append(self, track_id: str, values: DecodedArray) -> tuple[int, int]:
        """Append a record; returns its offset and its length in bytes."""
        before, after = around_values(self._family, track_id, values.shape[0], values.nbytes)
        offset = self.bytes
        for part in framed(
            len(before) + values.nbytes + len(after), itertools.chain((before,), values.blocks(), (after,))
        ):
            self._digest.update(part)
            self._file.write(part)
            self.bytes += len(part)
        self.records += 1
        return offset, self.bytes - offset

    def publish(self, uri: str) -> None:
        """Move the finished file to its name."""
        self._file.close()
        self.name = uri.rsplit("/", 1)[-1]
        publish(self._path, uri)


def _sha256(values: DecodedArray) -> str:
    digest = hashlib.sha256()
    for block in values.blocks():
        digest.update(block)
    return digest.hexdigest()


def _tracks_part(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=TRACKS), sink, compression="zstd")
    return bytes(sink.getvalue())
