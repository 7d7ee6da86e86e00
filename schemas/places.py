"""Compute where the records of a derived log-mel family lie, which depends only on ids and lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.examples import EXAMPLE_DTYPES, around_values
from schemas.features import LogMelSpec
from schemas.tfrecord import OVERHEAD_BYTES


def record_length(spec: LogMelSpec, id_bytes: int, samples: int) -> int:
    """Size in bytes of a whole TFRecord record of a log-mel family.

    Args:
        spec: Spec of the family.
        id_bytes: Length of the track's id in UTF-8.
        samples: Number of samples of the stored waveform.
    """
    frames = spec.frames(samples)
    values = frames * spec.mels * EXAMPLE_DTYPES[spec.family].itemsize
    return sum(map(len, around_values(spec.family, "\0" * id_bytes, frames, values))) + values + OVERHEAD_BYTES


def computed_places(spec: LogMelSpec, tracks: pa.Table) -> pa.Table:
    """Offset and length of each row's record in the shard's payload.

    Args:
        spec: Spec of the family.
        tracks: Tracks table, schema TRACKS: whole shards in a row, each in the order of its records.

    Returns:
        Columns `offset` and `length`, int64, null for rejected tracks.
    """
    kept = tracks["record"].is_valid().to_numpy()
    id_bytes = pc.binary_length(tracks["track_id"].cast(pa.binary())).to_numpy()
    samples = np.rint(pc.fill_null(tracks["seconds"], 0.0).to_numpy() * spec.sample_rate).astype(np.int64)
    # There are few distinct pairs, however many tracks there are, since most excerpts are equally long.
    pairs, which = np.unique(np.stack([id_bytes, samples], axis=1)[kept], axis=0, return_inverse=True)
    lengths: npt.NDArray[np.int64] = np.zeros(tracks.num_rows, np.int64)
    known = np.array([record_length(spec, int(size), int(count)) for size, count in pairs], np.int64)
    lengths[kept] = known[which.reshape(-1)] if len(pairs) else 0
    ends = np.cumsum(lengths)
    shards = tracks["shard"].to_numpy()
    first = np.searchsorted(shards, shards)  # row of the first track of each row's shard
    offsets = ends - lengths - (ends - lengths)[first] if len(shards) else ends
    return pa.table(
        {"offset": pa.array(offsets, pa.int64(), mask=~kept), "length": pa.array(lengths, pa.int64(), mask=~kept)}
    )
