"""TFRecord framing: length, masked CRC32C of the length, payload, masked CRC32C of the payload.

Records are written without TensorFlow, so that decoding workers need not import it; a test reads the files with tf.data.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import google_crc32c

from schemas.console.errors import DatasetError

HEADER_BYTES = 12  # uint64 length and its CRC
FOOTER_BYTES = 4  # CRC of the payload
OVERHEAD_BYTES = HEADER_BYTES + FOOTER_BYTES
_MASK_DELTA = 0xA282EAD8


def masked_crc(data: bytes) -> int:
    """CRC32C of `data`, rotated and offset as TFRecord requires."""
    return _masked(int(google_crc32c.value(data)))


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """One whole TFRecord record around `payload`."""
    return b"".join(framed(len(payload), [payload]))


def framed(length: int, parts: Iterable[bytes]) -> Iterator[bytes]:
    """A TFRecord record in pieces.

    Args:
        length: Total size of the parts in bytes.
        parts: Parts of the payload in order.
    """
    yield record_header(length)
    crc = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
        yield part
    yield struct.pack("<I", _masked(crc))


@functools.lru_cache(maxsize=4096)
def record_header(length: int) -> bytes:
    """The first bytes of a record whose payload has `length` bytes."""
    header = struct.pack("<Q", length)
    return header + struct.pack("<I", masked_crc(header))


def record_footer(payload: bytes) -> bytes:
    """The last bytes of a record with this payload."""
    return struct.pack("<I", masked_crc(payload))


def unframe(record: bytes, *, where: str) -> bytes:
    """The payload of one whole record.

    Args:
        record: Exactly the bytes given by the record's offset and length in the tracks table.
        where: File and position, for the error.

    Raises:
        DatasetError: the bytes are not one whole, undamaged record.
    """
    if len(record) < OVERHEAD_BYTES:
        raise DatasetError(f"{where}: expected a TFRecord record, received {len(record)} bytes; the file is cut short")
    length, length_crc = struct.unpack_from("<QI", record)
    if masked_crc(record[:8]) != length_crc:
        raise DatasetError(f"{where}: no TFRecord record starts here (the checksum of its length does not match)")
    if length + OVERHEAD_BYTES != len(record):
        raise DatasetError(
            f"{where}: expected a record of {len(record)} bytes, found one of {length + OVERHEAD_BYTES} bytes"
        )
    payload = record[HEADER_BYTES:-FOOTER_BYTES]
    if masked_crc(payload) != struct.unpack_from("<I", record, HEADER_BYTES + length)[0]:
        raise DatasetError(f"{where}: the record's bytes have changed (its checksum does not match)")
    return payload


def read_records(file: BinaryIO, *, where: str) -> Iterator[tuple[int, bytes]]:
    """Offset and payload of every record of an open file, each checked; raises DatasetError as `unframe` does."""
    offset = 0
    while header := file.read(HEADER_BYTES):
        position = f"{where} at byte {offset}"
        if len(header) < HEADER_BYTES:
            raise DatasetError(f"{position}: the file ends inside a record")
        length = struct.unpack_from("<Q", header)[0]
        if masked_crc(header[:8]) != struct.unpack_from("<I", header, 8)[0]:
            raise DatasetError(f"{position}: no TFRecord record starts here")
        yield offset, unframe(header + file.read(length + FOOTER_BYTES), where=position)
        offset += length + OVERHEAD_BYTES
