"""A file in a store, opened for reading in pieces."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from typing import Any

from schemas.storage.store_client import StoreError

LEAST_READ, MOST_READ = 256 << 10, 8 << 20  # bytes requested at a time, more for sequential reads


class StoredFile(io.RawIOBase):
    """Reads a file by ranges, which grow for sequential reads and start small for random access.

    Args:
        uri: URI of the file.
        size: Size of the file in bytes.
        read_range: Returns bytes of the file, given its URI, an offset and a length.
    """

    def __init__(self, uri: str, size: int, read_range: Callable[[str, int, int], bytes]) -> None:
        self._uri, self._size, self._read_range = uri, size, read_range
        self._position = 0
        self._block, self._start, self._ahead = b"", 0, LEAST_READ

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._position >= self._size:
            return 0
        end = self._start + len(self._block)
        if not self._start <= self._position < end:
            self._ahead = min(2 * self._ahead, MOST_READ) if self._position == end else LEAST_READ
            length = min(max(self._ahead, len(buffer)), self._size - self._position)
            self._block, self._start = self._read_range(self._uri, self._position, length), self._position
            if len(self._block) != length:
                raise StoreError(errno.EIO, "the file was replaced by a shorter one while it was read", self._uri)
        part = memoryview(self._block)[self._position - self._start :][: len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position
