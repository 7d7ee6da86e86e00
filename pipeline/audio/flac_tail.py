"""Whether a FLAC file goes on behind the samples that its STREAMINFO counts; the layout is that of RFC 9639."""

from __future__ import annotations

import re
from typing import BinaryIO

from pipeline.audio.joined_files import FLAC_START

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_VARIABLE_BLOCKS = 0x01  # flag of the second byte of a frame: its number counts samples
_READ_AHEAD_BYTES = 64 << 10  # that libFLAC may have read past what it decoded (64 KiB)
_SEARCHED_BYTES = 1 << 20  # behind that (1 MiB)
_STREAMINFO_OFFSET = 8
_CRC8_POLYNOMIAL = 0x107


def goes_on_behind(raw: BinaryIO, size: int, place: int, samples: int) -> bool:
    """True if frames of later samples, or another FLAC file, come behind `samples` samples.

    Args:
        raw: the file.
        size: of the file, bytes.
        place: to which a decoder has read it.
        samples: that STREAMINFO counts.
    """
    raw.seek(_STREAMINFO_OFFSET)
    block_samples = int.from_bytes(raw.read(2))
    first = max(place - _READ_AHEAD_BYTES, _STREAMINFO_OFFSET)
    raw.seek(first)
    data = raw.read(min(size, place + _SEARCHED_BYTES) - first)
    if FLAC_START.search(data):
        return True
    return any(_first_sample(data, sync.start(), block_samples) >= samples for sync in _SYNC.finditer(data))


def _first_sample(data: bytes, offset: int, block_samples: int) -> int:
    """Number of the first sample of the frame whose header stands at an offset; -1 where none does."""
    header = data[offset : offset + 16]
    if len(header) < 16:
        return -1
    number_bytes = _coded_length(header[4])
    if number_bytes == 0:
        return -1
    number = header[4] & (0x7F if number_bytes == 1 else 0x7F >> number_bytes)
    for byte in header[5 : 4 + number_bytes]:
        if byte & 0xC0 != 0x80:
            return -1
        number = number << 6 | byte & 0x3F
    end = 4 + number_bytes
    end += {6: 1, 7: 2}.get(header[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if _crc8(header[:end]) != header[end]:
        return -1
    return number if header[1] & _VARIABLE_BLOCKS else number * block_samples


def _coded_length(byte: int) -> int:
    """Bytes of a number that is coded as UTF-8 codes letters, by its first; 0 where no number begins so."""
    if byte < 0x80:
        return 1
    ones = 8 - (byte ^ 0xFF).bit_length()
    return ones if 2 <= ones <= 7 else 0


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value << 1 ^ (_CRC8_POLYNOMIAL if value & 0x80 else 0)
    return value
