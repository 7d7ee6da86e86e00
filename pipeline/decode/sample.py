"""A seeded sample of a catalog, decoded here: to see before a job what a catalog is like."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.audio.causes import TrackRejected, reject_message
from pipeline.audio.engines import Decoder
from pipeline.audio.fetch import local_audio
from pipeline.audio.isolation import DecodingProcess
from schemas.features import LogMelSpec
from schemas.storage.files import join


@dataclasses.dataclass(frozen=True)
class SampledTrack:
    """How a track of a sample ended.

    Attributes:
        track_id: the catalog's id.
        cause: why it would be rejected; None if it would be stored.
        message: the decoder's words where it would be rejected, with the whole path of a file that cannot be had.
    """

    track_id: str
    cause: str | None
    message: str


def sample_catalog(table: pa.Table, count: int, seed: int) -> pa.Table:
    """A sample of a catalog's rows, the same whatever their order.

    Args:
        table: a column track_id.
        count: how many rows; all where there are fewer.
        seed: another seed, other rows.
    """
    keys = [hashlib.sha256(f"{seed}:{track}".encode()).digest() for track in table["track_id"].to_pylist()]
    return table.take(np.argsort(np.array(keys, dtype="S32"), kind="stable")[:count])


def decode_sample(
    table: pa.Table, audio_root: str, spec: LogMelSpec, decoder: Decoder, *, strict: bool, max_seconds: float
) -> Iterator[SampledTrack]:
    """Decode the rows of a table one after the other, and keep nothing of it.

    Args:
        table: columns track_id and uri.
        audio_root: the folder that relative uris start from.
        spec: the features to make.
        decoder: the decoder engine.
        strict: reject tracks that are truncated or corrupt.
        max_seconds: reject tracks that are longer.
    """
    with DecodingProcess(spec, decoder, strict=strict, max_seconds=max_seconds) as decoding:
        for row in table.select(["track_id", "uri"]).to_pylist():
            cause, message = None, ""
            path = join(audio_root, row["uri"])
            try:
                with local_audio(path, spec.waveform.excerpt) as audio:
                    decoding.features(audio.path, audio.pieces)
            except TrackRejected as rejected:
                cause, message = str(rejected.cause), reject_message(rejected, path)
            yield SampledTrack(row["track_id"], cause, message)
