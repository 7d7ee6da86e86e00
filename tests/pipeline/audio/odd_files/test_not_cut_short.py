"""A file whose claimed length is another stream's or a guess has nothing missing, and no flag claims that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.odd_files.conftest import Decode, Outcome, WriteSound
from tests.pipeline.audio.odd_files.tags import apev2, id3v2
from tests.pipeline.audio.signals import bursts
from tests.pipeline.audio.stored_reference import stored

SECONDS = 3.0
CONTAINERS = {
    "webm": ("-c:v libvpx -b:v 100k -c:a libopus", 48_000),
    "mkv": ("-c:v mpeg4 -c:a libmp3lame", 44_100),
    "flv": ("-c:v flv1 -c:a libmp3lame", 44_100),
    "mp4": ("-c:v mpeg4 -c:a aac", 44_100),
    "avi": ("-c:v mpeg4 -c:a libmp3lame", 44_100),
    "ts": ("-c:v mpeg2video -c:a mp2", 48_000),
}


def video(ffmpeg: str, folder: Path, ending: str, seconds: float, *audio_options: str) -> Path:
    """A small moving picture with the seeded sound."""
    options, rate = CONTAINERS[ending]
    soundfile.write(folder / "sound.wav", bursts(SECONDS, rate, 2), rate)
    picture = ("-f", "lavfi", "-i", f"testsrc=s=64x64:r=10:d={seconds:g}")
    streams = ("-map", "0:v", "-map", "1:a", *options.split())
    ffmpeg_program.run(ffmpeg, *picture, *audio_options, "-i", folder / "sound.wav", *streams, folder / f"a.{ending}")
    return folder / f"a.{ending}"


def check_whole(found: Outcome, expected: npt.NDArray[np.float64]) -> None:
    assert (found.flags, found.message) == ((), None)
    assert 0 <= len(found.waveform) - len(expected) <= 1024  # FFmpeg 9 cuts the padding of the last frame
    until = len(expected) - 400
    np.testing.assert_allclose(found.waveform[:until], expected[:until], rtol=0, atol=1)


@pytest.mark.parametrize("ending", CONTAINERS)
def test_sound_that_ends_before_its_picture_is_whole(ending: str, tmp_path: Path, decode: Decode, ffmpeg: str) -> None:
    path = video(ffmpeg, tmp_path, ending, SECONDS + 3)
    check_whole(decode(path), stored(ffmpeg_program.decode(ffmpeg, path, 2), CONTAINERS[ending][1]))


@pytest.mark.parametrize("ending", CONTAINERS)
def test_sound_that_begins_after_its_picture_is_whole(ending: str, tmp_path: Path, decode: Decode, ffmpeg: str) -> None:
    path = video(ffmpeg, tmp_path, ending, SECONDS, "-itsoffset", "1.5")
    check_whole(decode(path), stored(ffmpeg_program.decode(ffmpeg, path, 2), CONTAINERS[ending][1]))


@pytest.mark.parametrize("ending", ["aac", "loas", "amr", "ac3", "mp2", "mp3"])
def test_a_length_guessed_from_a_bit_rate_claims_nothing(
    ending: str, write_sound: WriteSound, decode: Decode, ffmpeg: str
) -> None:
    """Silence takes few bits, so a guess of the length from the first frames is too long."""
    sound = np.concatenate([np.zeros((6 * 44_100, 2)), bursts(2.0, 44_100, 2, noise=0.12)]).astype(np.float32)
    options = {"loas": "-c:a aac -f latm", "amr": "-c:a libopencore_amrnb -ar 8000 -ac 1"}
    options |= {"mp3": "-c:a libmp3lame -q:a 0 -write_xing 0", "aac": "-c:a aac -q:a 2"}
    path = write_sound(f"a.{ending}", options.get(ending, ""), sound=sound)
    channels, rate = (1, 8_000) if ending == "amr" else (2, 44_100)
    expected = stored(ffmpeg_program.decode(ffmpeg, path, channels), rate)
    found = decode(path)
    assert (found.flags, found.message) == ((), None)
    assert len(found.waveform) == pytest.approx(len(expected), abs=1)
    np.testing.assert_allclose(found.waveform, expected[: len(found.waveform)], rtol=0, atol=2)


@pytest.mark.parametrize("where", ["front", "end"])
@pytest.mark.parametrize("size", [300_000, 2_000_000])
def test_a_picture_in_a_tag_is_no_missing_sound(where: str, size: int, write_sound: WriteSound, decode: Decode) -> None:
    path = write_sound("a.mp3", "-c:a libmp3lame -b:a 128k -id3v2_version 0", seconds=SECONDS)
    data = path.read_bytes()
    path.write_bytes(id3v2(size) + data if where == "front" else data + apev2(size))
    found = decode(path)
    assert (found.flags, found.message) == ((), None)
    assert found.seconds == pytest.approx(SECONDS, abs=0.05)
