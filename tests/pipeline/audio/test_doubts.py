"""Files that break the rules of their format are recognized by their first header, and valid files never are."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.doubts import doubt_of

NOISE = np.random.default_rng(0).normal(scale=0.1, size=20_000)


def encoded(tmp_path: Path, kind: str, subtype: str) -> bytes:
    soundfile.write(tmp_path / "a", NOISE, 44_100, format=kind, subtype=subtype)
    return (tmp_path / "a").read_bytes()


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8"), ("MP3", "MPEG_LAYER_III"), ("WAV", "PCM_16")],
)
def test_sound_files_break_no_rule(kind: str, subtype: str, tmp_path: Path) -> None:
    assert doubt_of(io.BytesIO(encoded(tmp_path, kind, subtype))) is None


@pytest.mark.parametrize("content", [b"", b"fLaC", b"ID3", b"\xff\xfb", b"<html>", b"fLaC\x00\x00\x00\x22" + bytes(10)])
def test_what_is_cut_off_or_no_audio_is_left_to_the_decoders(content: bytes) -> None:
    assert doubt_of(io.BytesIO(content)) is None


def test_broken_flac_headers_are_named(tmp_path: Path) -> None:
    def rule_of(change: dict[int, int]) -> str:
        data = bytearray(encoded(tmp_path, "FLAC", "PCM_16"))
        for place, value in change.items():
            data[place] = value
        return str(doubt_of(io.BytesIO(bytes(data))))

    assert "is not STREAMINFO" in rule_of({4: 4})
    assert "blocks of 1 samples" in rule_of({10: 0, 11: 1})
    assert rule_of({20: 0x01, 21: 0x70}).endswith("STREAMINFO says 24 bits a sample, its first frame 16")


def test_a_free_bit_rate_is_named() -> None:
    assert doubt_of(io.BytesIO(b"\xff\xfb\x00\x00" + bytes(100))) == "MPEG audio of a free bit rate"
