"""Find the audio of a file between the tags before and after it."""

from __future__ import annotations

from typing import BinaryIO

_ID3_HEADER_BYTES = 10
_APE_HEADER_BYTES = 32
_ID3V1_BYTES = 128
_LYRICS_END = b"LYRICS200"
_LYRICS_DIGITS = 6  # digits of the size before its end mark
_LEAST_PADDING = 8
_MOST_PADDING = 64 << 10  # zeros skipped after a leading tag, whose size may exclude its padding (64 KiB)


def audio_bounds(raw: BinaryIO, size: int) -> tuple[int, int]:
    """First byte of the audio, and one past its last, in a file of `size` bytes.

    ID3v2 and APE tags before the audio are skipped, and APE, ID3v1, Lyrics3 and ID3v2 tags after it. A leading tag hides the
    file's format from decoders; some decoders take a trailing one for damaged audio, and others for a longer file.

    Returns:
        Equal numbers if the file holds only tags.
    """
    first = 0
    while first < size and (length := _leading_tag(raw, first)):
        first = _past_padding(raw, first + length)
    end = size
    while end > first and (length := _trailing_tag(raw, first, end)):
        end -= length
    return min(first, end), end


def _read(raw: BinaryIO, offset: int, length: int) -> bytes:
    raw.seek(offset)
    return raw.read(length)


def id3_length(header: bytes) -> int:
    """Length in bytes of the ID3v2 tag that begins with these ten bytes; 0 if they do not begin one."""
    sizes = header[6:_ID3_HEADER_BYTES]
    if header[:3] != b"ID3" or len(sizes) < 4 or 0xFF in header[3:5] or max(sizes) > 0x7F:
        return 0
    length = 0
    for byte in sizes:  # seven bits of each
        length = length << 7 | byte
    has_footer = header[5] & 0x10
    return length + _ID3_HEADER_BYTES * (2 if has_footer else 1)


def _leading_tag(raw: BinaryIO, offset: int) -> int:
    header = _read(raw, offset, _APE_HEADER_BYTES)
    if header[:8] == b"APETAGEX" and len(header) == _APE_HEADER_BYTES:
        return _APE_HEADER_BYTES + int.from_bytes(header[12:16], "little")
    return id3_length(header)


def _past_padding(raw: BinaryIO, offset: int) -> int:
    data = _read(raw, offset, _MOST_PADDING)
    zeros = len(data) - len(data.lstrip(b"\0"))
    if zeros < _LEAST_PADDING or zeros == len(data):
        return offset  # an MP4 file begins with zeros of its own
    return offset + zeros - (3 if data[zeros + 1 : zeros + 5] == b"ftyp" else 0)


def _trailing_tag(raw: BinaryIO, first: int, end: int) -> int:
    """Length in bytes of the tag that ends at `end`; 0 if there is none."""
    tail = _read(raw, max(end - _ID3V1_BYTES, first), min(_ID3V1_BYTES, end - first))
    length = 0
    footer = tail[-_APE_HEADER_BYTES:]
    if footer[:8] == b"APETAGEX" and len(footer) == _APE_HEADER_BYTES:
        has_header = int.from_bytes(footer[20:24], "little") & 1 << 31
        length = int.from_bytes(footer[12:16], "little") + (_APE_HEADER_BYTES if has_header else 0)
    elif len(tail) == _ID3V1_BYTES and tail[:3] == b"TAG":
        length = _ID3V1_BYTES
    elif tail.endswith(_LYRICS_END):
        digits = tail[-len(_LYRICS_END) - _LYRICS_DIGITS : -len(_LYRICS_END)]
        length = int(digits) + _LYRICS_DIGITS + len(_LYRICS_END) if digits.isdigit() else 0
    elif tail[-_ID3_HEADER_BYTES:-7] == b"3DI":  # an ID3v2.4 tag at the end has a footer with the header's size
        length = id3_length(b"ID3" + tail[-7:])
    return length if length <= end - first else 0
