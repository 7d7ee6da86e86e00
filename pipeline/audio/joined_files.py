"""Files that consist of several files in a row: chained Ogg, and files concatenated with `cat`.

A decoder stops after the first of them, or decodes the next ones with the first one's parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.chunked_audio import sample_data
from pipeline.audio.mpeg_audio import frame_at, has_length_header
from pipeline.audio.ogg_pages import OggPage, pages
from pipeline.audio.tags import id3_length

FLAC_START = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # its mark and the header of STREAMINFO
_MPEG_START = re.compile(rb"ID3[\x02-\x04]|Xing|Info|VBRI")
_MARK_OFFSETS = (13, 21, 36)  # offsets of Xing, Info and VBRI headers from the start of their frame
_READ_BYTES = 1 << 20  # searched at a time (1 MiB)
_OVERLAP_BYTES = 64  # room for a mark and the bytes that confirm it


def is_chained(raw: BinaryIO) -> bool:
    """True if another Ogg link begins after the first."""
    links = _ogg_links(raw)
    return next(links, None) is not None and next(links, None) is not None


def joined_parts(file: AudioFile, kind: str) -> list[AudioFile]:
    """The files that make up a joined file; the file itself if it is a single one.

    Args:
        file: An audio file.
        kind: `ogg`, `flac`, `mpeg` or `chunks`; any other kind has one part.
    """
    with file.open() as raw:
        if kind == "ogg":
            starts = list(_ogg_links(raw))
        elif kind == "flac":
            starts = [place for place, _ in matches(raw, FLAC_START)]
        elif kind == "mpeg":
            starts = list(_mpeg_starts(raw))
        elif kind == "chunks":
            starts = list(_chunked_starts(file))
        else:
            starts = []
    starts = [0, *(start for start in starts if start > 0)]
    return [file.part(start, end) for start, end in zip(starts, [*starts[1:], file.size], strict=True)]


def _ogg_links(raw: BinaryIO) -> Iterator[int]:
    """Offsets of the links of a chained file: each is a stream's first page that follows a page that is not a first page."""
    among_first = False
    for page in pages(raw):
        begins = isinstance(page, OggPage) and page.begins
        if isinstance(page, OggPage) and begins and not among_first:
            yield page.offset
        among_first = begins


def _mpeg_starts(raw: BinaryIO) -> Iterator[int]:
    """Offsets at which a file begins after another one's frames: a tag before a frame, or a header that gives a length."""
    behind_tag = 0
    for place, mark in matches(raw, _MPEG_START):
        if mark.startswith(b"ID3"):
            raw.seek(place)
            length = id3_length(raw.read(10))
            raw.seek(place + length)
            if length and frame_at(raw.read(4)) is not None:
                behind_tag = place + length
                yield place
            continue
        for offset in _MARK_OFFSETS:
            raw.seek(max(place - offset, 0))
            if place >= offset and has_length_header(raw.read(_OVERLAP_BYTES), 0):
                if place - offset != behind_tag:
                    yield place - offset
                break


def _chunked_starts(file: AudioFile) -> Iterator[int]:
    start: int | None = 0
    while start is not None:
        part = file.part(start)
        with part.open() as raw:
            data = sample_data(raw, part.size)
        behind = None if data is None else data.joined_at
        start = None if behind is None else start + behind
        if start is not None:
            yield start


def matches(raw: BinaryIO, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, bytes]]:
    """Offsets of a pattern's matches, with their bytes."""
    offset = 0
    while True:
        raw.seek(offset)
        data = raw.read(_READ_BYTES + _OVERLAP_BYTES)
        for match in pattern.finditer(data):
            if match.start() < _READ_BYTES:
                yield offset + match.start(), match.group()
        if len(data) <= _READ_BYTES:
            return
        offset += _READ_BYTES
