"""The frames of a FLAC file: whether more follow the decoded ones, and whether their format changes.

RFC 9639 defines their layout.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.audio.joined_files import FLAC_START, matches

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_HEADER_BYTES = 16  # longest header
_VARIABLE_BLOCKS = 0x01  # flag of the second byte of a frame: its number counts samples
_READ_AHEAD_BYTES = 64 << 10  # libFLAC may have read this far beyond what it decoded (64 KiB)
_SEARCHED_BYTES = 1 << 20  # searched after that (1 MiB)
_STREAMINFO_OFFSET = 8
_CRC8_POLYNOMIAL = 0x107


@dataclasses.dataclass(frozen=True)
class _Frame:
    """A frame as its header describes it.

    Attributes:
        first: Number of its first sample.
        shape: Codes of its sample rate and its number of channels.
    """

    first: int
    shape: tuple[int, int]


def goes_on_behind(raw: BinaryIO, size: int, place: int, samples: int) -> bool:
    """True if frames of later samples, or another FLAC file, follow the first `samples` samples.

    Args:
        raw: The file.
        size: Size of the file in bytes.
        place: Position up to which a decoder has read it.
        samples: Number of samples decoded.
    """
    block_samples = _block_samples(raw)
    first = max(place - _READ_AHEAD_BYTES, _STREAMINFO_OFFSET)
    raw.seek(first)
    data = raw.read(min(size, place + _SEARCHED_BYTES) - first)
    if FLAC_START.search(data):
        return True
    frames = (_frame(data[at.start() :][:_HEADER_BYTES], block_samples) for at in _SYNC.finditer(data))
    return any(frame.first >= samples for frame in frames if frame is not None)


def changes_shape(raw: BinaryIO) -> bool:
    """True if the frames of a file differ in sample rate or number of channels; reads up to the first that differs."""
    block_samples = _block_samples(raw)
    shapes = set()
    for frame in _frames(raw, block_samples):
        shapes.add(frame.shape)
        if len(shapes) > 1:
            return True
    return False


def _frames(raw: BinaryIO, block_samples: int) -> Iterator[_Frame]:
    for place, _ in matches(raw, _SYNC):
        raw.seek(place)
        if frame := _frame(raw.read(_HEADER_BYTES), block_samples):
            yield frame


def _block_samples(raw: BinaryIO) -> int:
    raw.seek(_STREAMINFO_OFFSET)
    return int.from_bytes(raw.read(2))


def _frame(header: bytes, block_samples: int) -> _Frame | None:
    """The frame with this header; None if the bytes are not a frame's header."""
    if len(header) < _HEADER_BYTES:
        return None
    number_bytes = _coded_length(header[4])
    if number_bytes == 0:
        return None
    number = header[4] & (0x7F if number_bytes == 1 else 0x7F >> number_bytes)
    for byte in header[5 : 4 + number_bytes]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    end = 4 + number_bytes
    end += {6: 1, 7: 2}.get(header[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if _crc8(header[:end]) != header[end]:
        return None
    assignment = header[3] >> 4
    channels = 2 if assignment in (8, 9, 10) else 1 + assignment  # left and side, side and right, mid and side
    return _Frame(number if header[1] & _VARIABLE_BLOCKS else number * block_samples, (header[2] & 15, channels))


def _coded_length(byte: int) -> int:
    """Length of a number coded as in UTF-8, from its first byte; 0 if no number begins with that byte."""
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
