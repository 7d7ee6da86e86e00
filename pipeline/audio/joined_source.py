"""Decode a file that is several files one behind the other, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.audio.causes import TrackRejected
from pipeline.audio.joined_files import joined_parts
from pipeline.audio.recognition import Recognized, recognize
from pipeline.audio.sources import AudioSource


class JoinedSource:
    """The parts of a file in order, brought to the rate and channels of the first; see `AudioSource`.

    A part that cannot be decoded is left out and marks the source as corrupt.

    Args:
        found: the file.
        open_part: opens one part of it.

    Raises:
        TrackRejected: the first part cannot be decoded.
    """

    length: int | None = None
    claimed_seconds: float | None = None
    choice: str | None = None

    def __init__(self, found: Recognized, open_part: Callable[[Recognized], AudioSource]) -> None:
        self._open_part = open_part
        first, *self._others = joined_parts(found.file, found.kind)
        self._source = open_part(recognize(first))
        self.sample_rate = self._source.sample_rate
        self.channels = self._source.channels
        self.codec = self._source.codec
        self.corrupt: str | None = None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        yield from self._source.blocks()
        # Some formats show their shape only with the first decoded frame.
        self.sample_rate, self.channels = self._source.sample_rate, self._source.channels
        self.corrupt = self._source.corrupt
        for number, part in enumerate(self._others, 2):
            self._source.close()
            try:
                found = recognize(part)
                self._source = self._open_part(found)
                yield from self._in_shape(self._source)
                words = self._source.corrupt
                if words is None and found.missing_seconds > 0:
                    words = "it is shorter than its header claims"
            except TrackRejected as rejected:
                words = rejected.message
            if words is not None:
                self.corrupt = self.corrupt or f"part {number} of {1 + len(self._others)}: {words}"

    def _in_shape(self, source: AudioSource) -> Iterator[npt.NDArray[np.float32]]:
        stream: Any = None
        for block in source.blocks():
            if source.channels != self.channels:
                block = np.repeat(block.mean(axis=1, keepdims=True), self.channels, axis=1)
            if source.sample_rate == self.sample_rate:
                yield block
                continue
            if stream is None:
                stream = soxr.ResampleStream(
                    source.sample_rate, self.sample_rate, self.channels, dtype="float32", quality="HQ"
                )
            yield stream.resample_chunk(np.ascontiguousarray(block), last=False).reshape(-1, self.channels)
        if stream is not None:
            rest = stream.resample_chunk(np.empty((0, self.channels), np.float32), last=True)
            yield rest.reshape(-1, self.channels)

    def seek_exactly(self, frame: int) -> bool:
        return False

    def has_unread_data(self) -> bool:
        return False

    def close(self) -> None:
        self._source.close()
