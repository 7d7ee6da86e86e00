"""Read the records of a shard's payload in blocks, so that a track of hours takes little memory."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.examples import EXAMPLE_DTYPES, around_values
from schemas.features import FeatureSpec, LogMelSpec
from schemas.storage.files import TEMPORARY_PREFIX, download, is_remote, local_path, sha256_of
from schemas.tfrecord import HEADER_BYTES

_BLOCK_BYTES = 1 << 20  # read at a time


class StoredFeatures:
    """An open payload whose bytes match its done mark.

    Args:
        dataset: The dataset.
        spec: Spec of the features.
        generation: Number of the generation.
        shard: Number of the shard.

    Attributes:
        mark: Done mark of the payload.

    Raises:
        DatasetError: the payload is missing, or its bytes have changed.
    """

    def __init__(self, dataset: Dataset, spec: FeatureSpec, generation: int, shard: int) -> None:
        self._spec = spec
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

    def track(self, track_id: str, offset: int, samples: int) -> StoredFeature:
        """The record of a track.

        Args:
            track_id: Id of the track.
            offset: Offset of the record in the payload in bytes.
            samples: Number of samples of its stored waveform.

        Raises:
            DatasetError: there is another record.
        """
        family = self._spec.family
        shape = (self._spec.frames(samples), self._spec.mels) if isinstance(self._spec, LogMelSpec) else (samples,)
        size = math.prod(shape) * EXAMPLE_DTYPES[family].itemsize
        blank = "\0" * len(track_id.encode())
        for found in (track_id, blank):
            before, _ = around_values(family, found, shape[0], size)
            place = offset + HEADER_BYTES
            if os.pread(self._file.fileno(), len(before), place) == before:
                return StoredFeature(found, shape, EXAMPLE_DTYPES[family], place + len(before), self._file.fileno())
        raise DatasetError(f"{self._uri} at byte {offset}: expected the record of {track_id!r} with {samples} samples")


class StoredFeature:
    """A feature in an open payload.

    Attributes:
        track_id: Id in the record; zeros if the track was erased.
        shape: [samples] or [frames, mels].
        nbytes: Size of the values in bytes.
    """

    def __init__(
        self, track_id: str, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int, descriptor: int
    ) -> None:
        self.track_id, self.shape = track_id, shape
        self.nbytes = math.prod(shape) * dtype.itemsize
        self._dtype, self._offset, self._descriptor = dtype, offset, descriptor

    @property
    def is_blank(self) -> bool:
        return not self.track_id.strip("\0")

    def read(self, first: int, end: int) -> npt.NDArray[Any]:
        """Values from `first` up to `end`, flat."""
        size = self._dtype.itemsize
        data = os.pread(self._descriptor, (end - first) * size, self._offset + first * size)
        return np.frombuffer(data, self._dtype)

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the values in blocks."""
        for start in range(0, self.nbytes, _BLOCK_BYTES):
            yield os.pread(self._descriptor, min(_BLOCK_BYTES, self.nbytes - start), self._offset + start)
