"""Tell a file that breaks its format's own rules, on which decoders disagree, by its first header."""

from __future__ import annotations

from typing import BinaryIO

_ID3_HEADER_BYTES = 10
_LEAST_FLAC_BLOCK = 16  # samples; RFC 9639, section 8.2
_FLAC_FRAME_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}  # sample size codes; RFC 9639, section 9.1.4
_LAST_BLOCK = 0x80


def broken_rule(file: BinaryIO) -> str | None:
    """What a FLAC or MPEG audio file does against its format's rules; None if nothing, or for any other format.

    libsndfile decodes such files to something, at a wrong level or not as far as they go, and says nothing; FFmpeg
    refuses most of them. A track is not worth that doubt, so FFmpeg alone decides.

    Args:
        file: an open file; read from its start.
    """
    file.seek(0)
    head = file.read(_ID3_HEADER_BYTES)
    if head[:3] == b"ID3" and len(head) == _ID3_HEADER_BYTES:
        size = 0
        for byte in head[6:10]:  # seven bits of each
            size = size << 7 | byte & 0x7F
        file.seek(_ID3_HEADER_BYTES + size)
        head = file.read(4)
    if head[:4] == b"fLaC":
        file.seek(-len(head) + 4, 1)
        return _broken_flac_rule(file)
    if len(head) >= 3 and head[0] == 0xFF and head[1] >= 0xE0 and head[2] >> 4 == 0:
        return "MPEG audio of a free bit rate"
    return None


def _broken_flac_rule(file: BinaryIO) -> str | None:
    header = file.read(4)
    stream = file.read(34)
    if len(header) < 4 or len(stream) < 34:
        return None  # cut off: any decoder says so
    if header[0] & ~_LAST_BLOCK:
        return "the first metadata block of the FLAC file is not STREAMINFO"
    largest = int.from_bytes(stream[2:4])
    if largest < _LEAST_FLAC_BLOCK:
        return f"the FLAC file names blocks of {largest} samples, where at least {_LEAST_FLAC_BLOCK} are allowed"
    bits = ((stream[12] & 1) << 4 | stream[13] >> 4) + 1
    while not header[0] & _LAST_BLOCK:
        header = file.read(4)
        if len(header) < 4:
            return None
        file.seek(int.from_bytes(header[1:]), 1)
    frame = file.read(4)
    if len(frame) == 4 and frame[0] == 0xFF and frame[1] & 0xFC == 0xF8:
        frame_bits = _FLAC_FRAME_BITS.get(frame[3] >> 1 & 7, bits)
        if frame_bits != bits:
            return f"the FLAC file's STREAMINFO says {bits} bits a sample, its first frame {frame_bits}"
    return None
