"""Decode a file that consists of several files in a row, each separately."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.audio.causes import TrackRejected
from pipeline.audio.joined_files import joined_parts
from pipeline.audio.recognition import Recognized, recognize
from pipeline.audio.sources import TRUNCATED_SECONDS, AudioSource


class JoinedSource:
    """The parts of a file in order, converted to the rate and channels of the first; see `AudioSource`.

    A part that cannot be decoded is skipped and marks the source as corrupt.

    Args:
        found: The file.
        open_part: Opens one part of it.

    Raises:
        TrackRejected: the first part cannot be decoded.
    """

    length: int | None = None
    claimed_seconds: float | None = None
    choice: str | None = None

    def __init__(self, found: Recognized, open_part: Callable[[Recognized], AudioSource]) -> None:
        self._open_part = open_part
        first, *self._others = joined_parts(found.file, found.kind)
        self._found = recognize(first)
        self._source = open_part(self._found)
        self.sample_rate = self._source.sample_rate
        self.channels = self._source.channels
        self.codec = self._source.codec
        self.corrupt: str | None = None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        given = 0
        for block in self._source.blocks():
            given += len(block)
            yield block
        # Some formats reveal rate and channels only with the first decoded frame.
        self.sample_rate, self.channels = self._source.sample_rate, self._source.channels
        self._note(1, self._found, given)
        for number, part in enumerate(self._others, 2):
            self._source.close()
            try:
                found = recognize(part)
                self._source = self._open_part(found)
                given = yield from self._in_shape(self._source)
                self._note(number, found, given)
            except TrackRejected as rejected:
                self._say(number, rejected.message)

    def _note(self, number: int, found: Recognized, frames: int) -> None:
        """Record what is wrong with a part that yielded some frames."""
        claimed = found.claimed_seconds or 0.0
        missing = max(found.missing_seconds, claimed - frames / self._source.sample_rate)
        words = self._source.corrupt
        if words is None and missing > TRUNCATED_SECONDS:
            words = "it is shorter than its header claims"
        if words is not None:
            self._say(number, words)

    def _say(self, number: int, words: str) -> None:
        self.corrupt = self.corrupt or f"part {number} of {1 + len(self._others)}: {words}"

    def _in_shape(self, source: AudioSource) -> Generator[npt.NDArray[np.float32], None, int]:
        """A part's blocks converted to the first part's rate and channels; returns its number of frames before conversion."""
        stream: Any = None
        given = 0
        for block in source.blocks():
            given += len(block)
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
        return given

    def seek_exactly(self, frame: int) -> bool:
        return False

    def has_unread_data(self) -> bool:
        return False

    def close(self) -> None:
        self._source.close()
