"""A file of TFRecords that is written next to its final location, and hashed and counted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, BinaryIO, Self

from schemas.console.errors import DatasetError
from schemas.examples import MOST_EXAMPLE_BYTES
from schemas.storage.files import publish, spool
from schemas.tfrecord import framed


class RecordFile:
    """A file that appears whole or not at all.

    Args:
        uri: Any path in its future folder.

    Attributes:
        records: Number of records written so far.
        bytes: Number of bytes written so far.
    """

    def __init__(self, uri: str) -> None:
        self._spool = spool(uri)
        self._digest = hashlib.sha256()
        self.records = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        self._path = self._spool.__enter__()
        self._file: BinaryIO = open(self._path, "wb")
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file.close()
        self._spool.__exit__(*exception)

    def append_parts(self, track_id: str, length: int, parts: Iterable[bytes]) -> None:
        """Append a track's record of `length` bytes that arrives in pieces.

        Raises:
            DatasetError: it would be longer than a protobuf message can be.
        """
        if length > MOST_EXAMPLE_BYTES:
            raise DatasetError(
                f"track {track_id!r}: expected a record of at most {MOST_EXAMPLE_BYTES:,} bytes, received {length:,}; "
                "remove the track, or store an excerpt or a coarser spectrogram"
            )
        for part in framed(length, parts):
            self._digest.update(part)
            self._file.write(part)
            self.bytes += len(part)
        self.records += 1

    def sha256(self) -> str:
        """SHA-256 of the bytes written so far, hex."""
        return self._digest.hexdigest()

    def publish_as(self, uri: str) -> None:
        """Move the finished file to its final name."""
        self._file.close()
        publish(self._path, uri)
