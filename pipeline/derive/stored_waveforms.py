"""Read the records of a shard's waveform payload bit by bit, so that a track of hours takes little memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Self

import numpy as np
import numpy.typing as npt

from schemas.dataset import Dataset
from schemas.errors import DatasetError
from schemas.examples import EXAMPLE_DTYPES, around_values
from schemas.features import WaveformSpec
from schemas.storage import TEMPORARY_PREFIX, download, is_remote, local_path, sha256_of
from schemas.tfrecord import HEADER_BYTES

_SAMPLE_BYTES = EXAMPLE_DTYPES["waveform"].itemsize


class StoredWaveforms:
    """An open waveform payload whose bytes are those of its done mark.

    Args:
        dataset: the dataset.
        spec: of its waveforms.
        generation: number of the generation.
        shard: number of the shard.

    Attributes:
        mark: the payload's done mark.

    Raises:
        DatasetError: the payload is missing, or its bytes have changed.
    """

    def __init__(self, dataset: Dataset, spec: WaveformSpec, generation: int, shard: int) -> None:
        self._uri, self.mark = dataset.payload(spec, generation, shard)
        with contextlib.ExitStack() as stack:
            path = local_path(self._uri)
            if is_remote(self._uri):
                path = stack.enter_context(tempfile.NamedTemporaryFile(prefix=TEMPORARY_PREFIX)).name
                download(self._uri, path)
            if sha256_of(path) != self.mark.sha256:
                raise DatasetError(f"{self._uri}: its bytes are not those of the done mark (the SHA-256 differs)")
            self._file = stack.enter_context(open(path, "rb", buffering=0))
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def track(self, track_id: str, offset: int, samples: int) -> StoredTrack:
        """The record of a track.

        Args:
            track_id: the track's.
            offset: of the record in the payload, bytes.
            samples: of its waveform.

        Raises:
            DatasetError: there is another record.
        """
        blank = "\0" * len(track_id.encode())
        for found in (track_id, blank):
            before, _ = around_values("waveform", found, samples, samples * _SAMPLE_BYTES)
            place = offset + HEADER_BYTES
            if os.pread(self._file.fileno(), len(before), place) == before:
                return StoredTrack(found, samples, place + len(before), self._file.fileno())
        raise DatasetError(f"{self._uri} at byte {offset}: expected the record of {track_id!r} with {samples} samples")


class StoredTrack:
    """A waveform where it lies.

    Attributes:
        track_id: as the record has it: zeros where the track was erased.
        samples: of it.
    """

    def __init__(self, track_id: str, samples: int, offset: int, descriptor: int) -> None:
        self.track_id, self.samples = track_id, samples
        self._offset, self._descriptor = offset, descriptor

    @property
    def is_blank(self) -> bool:
        return not self.track_id.strip("\0")

    def read(self, first: int, end: int) -> npt.NDArray[np.int16]:
        """Samples from `first` up to `end`, int16."""
        length = (end - first) * _SAMPLE_BYTES
        data = os.pread(self._descriptor, length, self._offset + first * _SAMPLE_BYTES)
        return np.frombuffer(data, EXAMPLE_DTYPES["waveform"])
