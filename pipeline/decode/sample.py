"""Decode a seeded sample of a catalog in this process, to check a catalog before a job."""

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
    """Outcome of decoding a sampled track.

    Attributes:
        track_id: Id in the catalog.
        cause: Cause of its reject; None if it would be stored.
        message: The decoder's message for a reject, with the full path of a file that cannot be read.
    """

    track_id: str
    cause: str | None
    message: str


def sample_catalog(table: pa.Table, count: int, seed: int) -> pa.Table:
    """A sample of a catalog's rows, independent of their order.

    Args:
        table: A table with a column track_id.
        count: Number of rows; all rows if there are fewer.
        seed: Seed of the choice.
    """
    keys = [hashlib.sha256(f"{seed}:{track}".encode()).digest() for track in table["track_id"].to_pylist()]
    return table.take(np.argsort(np.array(keys, dtype="S32"), kind="stable")[:count])


def decode_sample(
    table: pa.Table, audio_root: str, spec: LogMelSpec, decoder: Decoder, *, strict: bool, max_seconds: float
) -> Iterator[SampledTrack]:
    """Decode the rows of a table one after the other without keeping the features.

    Args:
        table: Columns track_id and uri.
        audio_root: Folder to which relative uris refer.
        spec: Features to compute.
        decoder: Decoder engine.
        strict: Reject truncated and corrupt tracks.
        max_seconds: Reject longer tracks.
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
