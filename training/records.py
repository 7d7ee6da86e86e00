"""Read one track's record by its place in the payload, checked: size, checksum, id and shape."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.dataset import Dataset
from schemas.errors import DatasetError
from schemas.examples import decode_example
from schemas.features import INT16_SCALE, LogMelSpec
from schemas.storage import read_range
from schemas.tfrecord import unframe
from training.labels import LabelledTracks
from training.staging import Payload, Stage

_READERS = 16  # done marks that are read side by side: in a bucket each one costs a round trip


class TrackRecords:
    """The records of some labelled tracks; safe to use from several threads.

    Every payload that is needed is looked up in its done mark when the reader is made, so that a missing or cut file
    is an error before the first step and never a short read.

    Args:
        dataset: the dataset.
        tracks: which tracks, and the features to read.
        stage: copies that are read in place of the payloads, as far as they are there.

    Raises:
        DatasetError: a payload is missing or has another size than its done mark says.
    """

    def __init__(self, dataset: Dataset, tracks: LabelledTracks, stage: Stage | None = None) -> None:
        self.spec = tracks.spec
        self.tracks = tracks
        needed = sorted(set(zip(tracks.generation.tolist(), tracks.shard.tolist(), strict=True)))
        with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
            payloads = dict(
                zip(needed, readers.map(lambda place: dataset.payload(self.spec, *place), needed), strict=True)
            )
        ends: dict[tuple[int, int], int] = {}
        for place, end in zip(
            zip(tracks.generation.tolist(), tracks.shard.tolist(), strict=True),
            (tracks.offset + tracks.length).tolist(),
            strict=True,
        ):
            ends[place] = max(end, ends.get(place, 0))
        for place, (uri, mark) in payloads.items():
            if ends[place] > mark.bytes:
                raise DatasetError(
                    f"{uri}: a record is said to end at byte {ends[place]}, the payload has {mark.bytes}"
                )
        self._payloads, self._stage = payloads, stage

    def payloads(self, order: Iterable[int]) -> list[Payload]:
        """The payloads that hold some tracks, in the order in which these need them."""
        tracks = self.tracks
        places = dict.fromkeys((int(tracks.generation[number]), int(tracks.shard[number])) for number in order)
        return [self._payloads[place] for place in places]

    def read(self, number: int) -> npt.NDArray[Any]:
        """The feature of track `number`: logmel float16 [frames, mels] or waveform int16 [samples].

        Raises:
            DatasetError: the bytes there are not this track's whole record.
        """
        tracks = self.tracks
        uri, _ = self._payloads[int(tracks.generation[number]), int(tracks.shard[number])]
        if self._stage is not None:
            uri = self._stage.place_of(uri)
        offset, length = int(tracks.offset[number]), int(tracks.length[number])
        where = f"{uri} at byte {offset}"
        payload = unframe(read_range(uri, offset, length), where=where)
        track_id, values = decode_example(self.spec.family, payload, where=where)
        if track_id != tracks.track_ids[number]:
            raise DatasetError(f"{where}: expected track {tracks.track_ids[number]!r}, found {track_id!r}")
        if isinstance(self.spec, LogMelSpec) and values.shape[1] != self.spec.mels:
            raise DatasetError(f"{where}: expected {self.spec.mels} mel bands, found {values.shape[1]}")
        return values


def as_float(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A stored feature as float32: log-mel as it is, a waveform with full scale at 1."""
    floats = values.astype(np.float32)
    return floats / np.float32(INT16_SCALE) if values.dtype == np.int16 else floats
