"""Tags before and after the audio are distinguished from it, whatever they contain."""

from __future__ import annotations

import io

import pytest

from pipeline.audio.tags import audio_bounds

AUDIO = bytes(range(1, 256)) * 20


def id3v2(size: int, *, footer: bool = False) -> bytes:
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    body = b"ID3\x04\x00" + bytes((0x10 if footer else 0,)) + digits + b"x" * size
    return body + (b"3DI\x04\x00\x10" + digits if footer else b"")


def apev2(size: int) -> bytes:
    fields = (2000).to_bytes(4, "little") + (size + 32).to_bytes(4, "little") + (1).to_bytes(4, "little")
    header, footer = (b"APETAGEX" + fields + flags.to_bytes(4, "little") + bytes(8) for flags in (5 << 29, 1 << 31))
    return header + b"y" * size + footer


ID3V1 = b"TAG" + b"z" * 125
LYRICS = b"LYRICSBEGIN" + b"words" + b"000016" + b"LYRICS200"


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (b"", b""),
        (id3v2(300), b""),
        (id3v2(200_000), ID3V1),
        (id3v2(10, footer=True), b""),
        (id3v2(20) + id3v2(30), LYRICS + ID3V1),
        (apev2(50), apev2(300_000)),
        (id3v2(40) + bytes(1000), apev2(10) + ID3V1),
        (b"", id3v2(500, footer=True)),
    ],
)
def test_what_is_left_between_tags_is_the_audio(before: bytes, behind: bytes) -> None:
    data = before + AUDIO + behind
    assert audio_bounds(io.BytesIO(data), len(data)) == (len(before), len(before) + len(AUDIO))


def test_an_mp4_file_behind_a_tag_keeps_the_zeros_that_it_begins_with() -> None:
    mp4 = (32).to_bytes(4) + b"ftypM4A " + bytes(20)
    for padding in (0, 100):
        data = id3v2(300) + bytes(padding) + mp4
        assert audio_bounds(io.BytesIO(data), len(data)) == (310 + padding, len(data))


@pytest.mark.parametrize("data", [id3v2(300), id3v2(300) + ID3V1, id3v2(1000)[:500], ID3V1])
def test_a_file_of_tags_alone_leaves_nothing(data: bytes) -> None:
    first, end = audio_bounds(io.BytesIO(data), len(data))
    assert first == end


@pytest.mark.parametrize(
    "data",
    [b"", b"ID3", b"ID3\x04\x00\x00\xff\xff\xff\xff" + AUDIO, AUDIO + b"TAG" + b"z" * 100, b"TAG", b"xxLYRICS200"],
)
def test_what_only_looks_like_a_tag_is_left(data: bytes) -> None:
    assert audio_bounds(io.BytesIO(data), len(data)) == (0, len(data))
