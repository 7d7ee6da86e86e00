"""A file with more channels than a speaker layout names is mixed to the mean of all of them, by any engine."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.odd_files.conftest import Decode, WriteSound
from tests.pipeline.audio.signals import bursts
from tests.pipeline.audio.stored_reference import STORED_RATE, stored


@pytest.mark.parametrize(
    ("name", "options", "channels"),
    [
        *(("a.wav", "-c:a pcm_s16le", channels) for channels in (3, 8, 12, 16, 32, 64)),
        *(("a.mka", "-c:a pcm_s16le", channels) for channels in (3, 8, 12, 16, 24, 64)),
        *(("a.flac", "-c:a flac", channels) for channels in (3, 5, 7, 8)),
        ("a.mov", "-c:a pcm_s16le", 8),
        *((f"a.{ending}", options, 8) for ending, options in (("tta", "-c:a tta"), ("wv", "-c:a wavpack"))),
    ],
)
def test_the_mean_of_many_channels_is_exact(
    name: str, options: str, channels: int, write_sound: WriteSound, decode: Decode
) -> None:
    sound = np.round(bursts(1.0, STORED_RATE, channels) * 32_000).astype(np.int16)
    found = decode(write_sound(name, options, rate=STORED_RATE, sound=sound))
    assert (found.channels, found.flags, found.message) == (channels, (), None)
    assert len(found.waveform) == len(sound)
    assert np.abs(found.waveform - sound.mean(axis=1)).max() <= 0.51


@pytest.mark.parametrize(
    ("name", "options", "decoder"),
    [
        ("a.m4a", "-c:a aac", ()),
        ("a.ogg", "-c:a libvorbis", ()),
        ("a.opus", "-c:a libopus -mapping_family 255", ("-c:a", "libopus")),
    ],
)
def test_eight_channels_of_a_lossy_coder_are_what_ffmpeg_gives(
    name: str, options: str, decoder: tuple[str, ...], write_sound: WriteSound, decode: Decode, ffmpeg: str
) -> None:
    path = write_sound(name, options, rate=48_000, channels=8, seconds=1.0)
    found = decode(path)
    expected = stored(ffmpeg_program.decode(ffmpeg, path, 8, *decoder), 48_000)
    assert (found.channels, found.flags, found.message) == (8, (), None)
    assert 0 <= len(found.waveform) - len(expected) <= 1024 / 3  # FFmpeg 9 cuts the padding of the last frame
    until = len(expected) - 400
    np.testing.assert_allclose(found.waveform[:until], expected[:until], rtol=0, atol=2)
