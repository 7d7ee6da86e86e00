"""The file that a decoder reads: whole on the local disk, or fetched in pieces as the decoder requests them."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
from collections.abc import Callable
from typing import Any

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.regular_file import NotAFileError, open_regular_file

_PIECE_BYTES = 256 << 10  # smallest request (256 KiB)
_MOST_PIECES = 32  # largest request, for a decoder that reads sequentially (8 MiB)
_BUFFER_BYTES = 64 << 10  # read at a time for a decoder that requests a few bytes (64 KiB)


class Pieces:
    """Tracks which pieces of a sparse local copy are present, and fetches the others.

    Args:
        size: Size of the file in bytes.
        fetch: Called with offset and length; returns once these bytes are in the copy.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], None]) -> None:
        self.size = size
        self._fetch = fetch
        self._present: set[int] = set()
        self._next, self._ahead = -1, 1  # the first piece is fetched alone, since nothing else may be read

    def require(self, offset: int, length: int) -> None:
        """Ensure that these bytes are in the copy."""
        end = min(offset + length, self.size)
        for piece in range(offset // _PIECE_BYTES, -(-end // _PIECE_BYTES)):
            if piece in self._present:
                continue
            # Sequential reads fetch more at a time; random access fetches little that is not used.
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
    """An audio file to decode, or a part of one that decoders see as a whole file.

    Attributes:
        path: Path on the local disk.
        pieces: Pieces of a sparse copy; None if the whole file is present.
        first: Byte of the file at which the part begins.
        end: One past its last byte; None for the end of the file.
    """

    path: str
    pieces: Pieces | None = None
    first: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """Size of the part in bytes."""
        end = self.end
        if end is None:
            end = os.path.getsize(self.path) if self.pieces is None else self.pieces.size
        return max(end - self.first, 0)

    def part(self, first: int, end: int | None = None) -> AudioFile:
        """The bytes from `first` up to `end`, counted from the start of this part."""
        return dataclasses.replace(self, first=self.first + first, end=self.end if end is None else self.first + end)

    def open(self, reader: type[PartReader] | None = None) -> io.BufferedReader:
        """A binary file at its start; raises TrackRejected if it cannot be opened.

        Args:
            reader: Class of the reader behind its buffer; None for `PartReader`.
        """
        try:
            file = open_regular_file(self.path)
        except FileNotFoundError as error:
            raise TrackRejected(Cause.NOT_FOUND, "no such file") from error
        except NotAFileError as error:
            raise TrackRejected(Cause.NOT_A_FILE, str(error)) from error
        except OSError as error:
            raise TrackRejected(Cause.IO_ERROR, error.strerror or str(error)) from error
        raw = (reader or PartReader)(file, self.path, self.first, self.first + self.size, self.pieces)
        return io.BufferedReader(raw, _BUFFER_BYTES)


class PartReader(io.RawIOBase):
    """Reads a part of a file as if it were a whole file, fetching pieces of a sparse copy on demand.

    Args:
        file: File on the local disk; closed with the reader.
        path: Path of the file.
        first, end: Bounds of the part in bytes.
        pieces: Pieces of a sparse copy; None if the whole file is present.
    """

    def __init__(self, file: io.FileIO, path: str, first: int, end: int, pieces: Pieces | None) -> None:
        self.path = path
        self._file = file
        self._first = first
        self._pieces = pieces
        self._position = 0
        self.size = end - first

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(self.size - self._position, 0)]
        start = self._first + self._position
        if self._pieces is not None and view:
            self._pieces.require(start, len(view))
        count = os.preadv(self._file.fileno(), [view], start) if view else 0
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if begin + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = begin + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()
