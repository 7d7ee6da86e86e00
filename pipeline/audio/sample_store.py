"""Stores for samples while a track is decoded: in memory, or in a file so that a long track takes little memory."""

from __future__ import annotations

import os
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

SAMPLE_BYTES = 2  # int16


class SampleStore(Protocol):
    """Samples in the order in which they were decoded.

    Attributes:
        length: Number of samples stored so far.
    """

    length: int

    def append(self, block: npt.NDArray[np.int16]) -> None: ...

    def read(self, first: int, end: int) -> npt.NDArray[np.int16]:
        """Samples from `first` up to `end`."""
        ...


class MemoryStore:
    """Samples in memory; see `SampleStore`."""

    def __init__(self) -> None:
        self.length = 0
        self._blocks: list[npt.NDArray[np.int16]] = []

    def append(self, block: npt.NDArray[np.int16]) -> None:
        self._blocks.append(block)
        self.length += len(block)

    def read(self, first: int, end: int) -> npt.NDArray[np.int16]:
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate(self._blocks) if self._blocks else np.empty(0, np.int16)]
        return self._blocks[0][first:end]


class FileStore:
    """Samples in a file from its start, little-endian; see `SampleStore`.

    Args:
        descriptor: Descriptor of an open file.
    """

    def __init__(self, descriptor: int) -> None:
        self.length = 0
        self._descriptor = descriptor

    def append(self, block: npt.NDArray[np.int16]) -> None:
        write_at(self._descriptor, block.astype("<i2", copy=False), self.length * SAMPLE_BYTES)
        self.length += len(block)

    def read(self, first: int, end: int) -> npt.NDArray[np.int16]:
        data = os.pread(self._descriptor, (end - first) * SAMPLE_BYTES, first * SAMPLE_BYTES)
        return np.frombuffer(data, "<i2")


def write_at(descriptor: int, array: npt.NDArray[Any], offset: int) -> int:
    """Write an array's bytes at an offset; returns their number."""
    view = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], offset + done)
    return done
