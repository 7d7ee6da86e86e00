"""The file that a decoder reads: whole on the local disk, or brought there piece by piece as the decoder asks."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Callable
from typing import Any

from pipeline.audio.regular_file import open_regular_file

_PIECE_BYTES = 256 << 10  # least that is asked for at a time (256 KiB)
_MOST_PIECES = 32  # asked for at a time by a decoder that reads straight on (8 MiB)


class Pieces:
    """Which pieces of a sparse local copy are there; asks for the others.

    Args:
        size: of the file, bytes.
        fetch: called with offset and length; returns once these bytes are in the copy.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], None]) -> None:
        self.size = size
        self._fetch = fetch
        self._present: set[int] = set()
        self._next, self._ahead = -1, 1  # the first piece comes alone: it may be all that is read

    def require(self, offset: int, length: int) -> None:
        """Have these bytes in the copy."""
        end = min(offset + length, self.size)
        for piece in range(offset // _PIECE_BYTES, -(-end // _PIECE_BYTES)):
            if piece in self._present:
                continue
            # One that reads straight on gets more at a time; one that jumps about pays for little that it skips.
            self._ahead = min(2 * self._ahead, _MOST_PIECES) if piece == self._next else 1
            last = piece + 1
            while last < piece + self._ahead and last * _PIECE_BYTES < self.size and last not in self._present:
                last += 1
            start = piece * _PIECE_BYTES
            self._fetch(start, min(last * _PIECE_BYTES, self.size) - start)
            self._present.update(range(piece, last))
            self._next = last


@dataclasses.dataclass(frozen=True)
class AudioFile:
    """An audio file to decode.

    Attributes:
        path: on the local disk.
        pieces: None where the whole file is there.
    """

    path: str
    pieces: Pieces | None = None

    @property
    def is_local(self) -> bool:
        return self.pieces is None

    @property
    def size(self) -> int:
        """Bytes."""
        return os.path.getsize(self.path) if self.pieces is None else self.pieces.size

    def open(self) -> Any:
        """An unbuffered binary file at its start, which the engine closes; raises OSError."""
        file = open_regular_file(self.path)
        return file if self.pieces is None else _FetchingFile(file, self.pieces)


class _FetchingFile(io.RawIOBase):
    """Reads a sparse copy, whose pieces come as they are asked for."""

    def __init__(self, file: io.FileIO, pieces: Pieces) -> None:
        self._file = file
        self._pieces = pieces

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._pieces.require(self._file.tell(), len(buffer))
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()
