"""The pages of an Ogg file (RFC 3533): the position of each, whether it is intact, and which are damaged or missing."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_CAPTURE = b"OggS"
_HEADER_BYTES = 27
_FIRST_PAGE = 2  # flag of the page with which a logical stream begins
_CHECKSUM = slice(22, 26)
_SEARCHED_BYTES = 1 << 20  # searched for the next page at a time (1 MiB)
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclasses.dataclass(frozen=True)
class OggPage:
    """A page whose checksum is correct.

    Attributes:
        offset: Offset in the file.
        begins: True if it is the first page of its stream.
        stream: Number of the logical stream.
        number: Number of the page in its stream.
    """

    offset: int
    begins: bool
    stream: int
    number: int


@dataclasses.dataclass(frozen=True)
class OggDamage:
    """Damage to the pages of a file.

    Attributes:
        words: Message about a damaged or missing page; None if there is none.
        is_cut: True if the file ends within a page.
    """

    words: str | None
    is_cut: bool


def ogg_checksum(page: bytes) -> int:
    """The checksum of a page whose checksum field is zero.

    Ogg uses zlib's polynomial with the bits in reverse order.
    """
    value = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def pages(raw: BinaryIO) -> Iterator[OggPage | int]:
    """The intact pages of a file in order, and between them the offset of each page that is damaged or truncated."""
    offset = 0
    while True:
        raw.seek(offset)
        header = raw.read(_HEADER_BYTES)
        if header[:4] == _CAPTURE:
            table = raw.read(header[26]) if len(header) == _HEADER_BYTES else b""
            body = raw.read(sum(table))
            length = _HEADER_BYTES + len(table) + len(body)
            if _is_whole(header, table, body):
                serial, number = (int.from_bytes(header[at : at + 4], "little") for at in (14, 18))
                yield OggPage(offset, bool(header[5] & _FIRST_PAGE), serial, number)
                offset += length
                continue
            yield offset
        found = _next_capture(raw, offset + 1)
        if found is None:
            return
        offset = found


def damage_of(raw: BinaryIO) -> OggDamage:
    """Damage that the pages of a file reveal; decoders skip it silently."""
    words: str | None = None
    next_number: dict[int, int] = {}
    damaged_at: int | None = None
    for page in pages(raw):
        if isinstance(page, int):
            damaged_at = page
            continue
        if damaged_at is not None:
            words = words or "a page of the Ogg file is damaged"
            damaged_at = None
        expected = next_number.get(page.stream)
        if expected is not None and page.number > expected and not page.begins:
            words = words or f"pages {expected} to {page.number - 1} of the Ogg file are missing"
        next_number[page.stream] = page.number + 1
    return OggDamage(words, damaged_at is not None)


def _is_whole(header: bytes, table: bytes, body: bytes) -> bool:
    if len(header) < _HEADER_BYTES or len(table) < header[26] or len(body) < sum(table):
        return False
    page = bytearray(header + table + body)
    page[_CHECKSUM] = bytes(4)
    return ogg_checksum(bytes(page)) == int.from_bytes(header[_CHECKSUM], "little")


def _next_capture(raw: BinaryIO, offset: int) -> int | None:
    overlap = len(_CAPTURE) - 1
    raw.seek(offset)
    data = raw.read(_SEARCHED_BYTES)
    while (found := data.find(_CAPTURE)) < 0:
        more = raw.read(_SEARCHED_BYTES)
        if not more:
            return None
        offset += len(data) - min(overlap, len(data))
        data = data[-overlap:] + more
    return offset + found
