"""From a file with several audio streams, the default stream is decoded, as players do, and the row says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.odd_files.conftest import Decode

TONES = (300, 1_000, 2_500)  # Hz, one tone for each stream


def tone_of(samples: np.ndarray) -> int:
    middle = samples[8_000:24_000].astype(float)
    return int(np.abs(np.fft.rfft(middle)).argmax())


def muxed(ffmpeg: str, path: Path, codec: str, default: int | None) -> Path:
    inputs = [word for tone in TONES for word in ("-f", "lavfi", "-i", f"sine={tone}:d=3")]
    maps = [word for number in range(len(TONES)) for word in ("-map", str(number))]
    marks = [
        word
        for number in range(len(TONES))
        for word in (f"-disposition:a:{number}", "default" if number == default else "0")
    ]
    ffmpeg_program.run(ffmpeg, *inputs, *maps, "-c:a", codec, *marks, path)
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mka", "libvorbis"), ("a.mkv", "libmp3lame")])
@pytest.mark.parametrize("default", [0, 1, 2])
def test_the_default_stream_is_taken(
    name: str, codec: str, default: int, ffmpeg: str, decode: Decode, tmp_path: Path
) -> None:
    path = muxed(ffmpeg, tmp_path / name, codec, default)
    found = decode(path)
    assert tone_of(found.waveform) == TONES[default]
    assert found.flags == ("several_streams",)
    assert found.message == f"audio stream {default + 1} of 3 was decoded, the default one"
    # The program makes this choice by its own rule.
    ffmpeg_program.run(ffmpeg, "-i", path, "-ac", "1", "-ar", "16000", "-f", "s16le", tmp_path / "raw")
    assert tone_of(np.fromfile(tmp_path / "raw", "<i2")) == TONES[default]


def test_without_a_default_the_first_is_taken(ffmpeg: str, decode: Decode, tmp_path: Path) -> None:
    found = decode(muxed(ffmpeg, tmp_path / "a.mka", "flac", None))
    assert tone_of(found.waveform) == TONES[0]
    assert found.message == "audio stream 1 of 3 was decoded, the first that can be decoded"
