"""Read one track's record by its place in the payload, checked: size, checksum, id and shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.dataset import Dataset
from schemas.errors import DatasetError
from schemas.examples import decode_example
from schemas.features import INT16_SCALE, Family, LogMelSpec
from schemas.storage import read_range
from schemas.tfrecord import unframe
from training.labels import LabelledTracks


class TrackRecords:
    """The records of some labelled tracks; safe to use from several threads.

    Every payload that is needed is looked up in its done mark when the reader is made, so that a missing or cut file
    is an error before the first step and never a short read.

    Args:
        dataset: the dataset.
        tracks: which tracks.
        family: the feature to read.

    Raises:
        UserError: the dataset does not hold the family.
        DatasetError: a payload is missing or has another size than its done mark says.
    """

    def __init__(self, dataset: Dataset, tracks: LabelledTracks, family: Family) -> None:
        spec = dataset.spec(family)
        self.family = family
        self.tracks = tracks
        self.width = spec.mels if isinstance(spec, LogMelSpec) else None
        self._payloads: dict[tuple[int, int], str] = {}
        for generation, shard in sorted(set(zip(tracks.generation.tolist(), tracks.shard.tolist(), strict=True))):
            uri, mark = dataset.payload(family, generation, shard)
            ours = (tracks.generation == generation) & (tracks.shard == shard)
            end = int((tracks.offset[ours] + tracks.length[ours]).max())
            if end > mark.bytes:
                raise DatasetError(f"{uri}: a record is said to end at byte {end}, the payload has {mark.bytes}")
            self._payloads[generation, shard] = uri

    def read(self, number: int) -> npt.NDArray[Any]:
        """The feature of track `number`: logmel float16 [frames, mels] or waveform int16 [samples].

        Raises:
            DatasetError: the bytes there are not this track's whole record.
        """
        tracks = self.tracks
        uri = self._payloads[int(tracks.generation[number]), int(tracks.shard[number])]
        offset, length = int(tracks.offset[number]), int(tracks.length[number])
        where = f"{uri} at byte {offset}"
        payload = unframe(read_range(uri, offset, length), where=where)
        track_id, values = decode_example(self.family, payload, where=where)
        if track_id != tracks.track_ids[number]:
            raise DatasetError(f"{where}: expected track {tracks.track_ids[number]!r}, found {track_id!r}")
        if self.width is not None and values.shape[1] != self.width:
            raise DatasetError(f"{where}: expected {self.width} mel bands, found {values.shape[1]}")
        return values


def as_float(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A stored feature as float32: log-mel as it is, a waveform with full scale at 1."""
    floats = values.astype(np.float32)
    return floats / np.float32(INT16_SCALE) if values.dtype == np.int16 else floats
