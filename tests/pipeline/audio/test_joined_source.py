"""The parts of a joined file are read one after the other, in the rate and channels of the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.engines import open_joined
from pipeline.audio.ogg_pages import ogg_checksum
from pipeline.audio.recognition import recognize
from pipeline.audio.tracks import read_waveform
from schemas.features import WaveformSpec


def noise(seconds: float, rate: int, channels: int) -> np.ndarray:
    return np.random.default_rng(rate + channels).normal(scale=0.1, size=(round(seconds * rate), channels))


def encoded(folder: Path, seconds: float, rate: int, channels: int) -> bytes:
    path = folder / "part.ogg"
    soundfile.write(path, noise(seconds, rate, channels), rate, format="OGG", subtype="VORBIS")
    return path.read_bytes()


def decoded(folder: Path, content: bytes) -> np.ndarray:
    (folder / "alone.ogg").write_bytes(content)
    return soundfile.read(folder / "alone.ogg", dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (44_100, 1), (22_050, 2), (48_000, 1)])
def test_parts_of_another_shape_are_brought_to_that_of_the_first(rate: int, channels: int, tmp_path: Path) -> None:
    first, second = encoded(tmp_path, 2.0, 44_100, 2), encoded(tmp_path, 1.5, rate, channels)
    (tmp_path / "a.ogg").write_bytes(first + second)
    source = open_joined(recognize(AudioFile(str(tmp_path / "a.ogg"))))
    samples = np.concatenate([block.copy() for block in source.blocks()])
    source.close()
    assert (source.sample_rate, source.channels, source.corrupt) == (44_100, 2, None)
    expected = decoded(tmp_path, second)
    if rate != 44_100:
        expected = soxr.resample(expected, rate, 44_100, quality="HQ")
    np.testing.assert_array_equal(samples[:88_200], decoded(tmp_path, first))
    assert len(samples) == 88_200 + len(expected)
    np.testing.assert_allclose(samples[88_200:].mean(axis=1), expected.mean(axis=1), atol=1e-6)
    assert read_waveform(str(tmp_path / "a.ogg"), WaveformSpec("full")).track.source_seconds == pytest.approx(
        3.5, abs=1e-3
    )


def test_a_part_that_cannot_be_decoded_is_left_out_and_reported(tmp_path: Path) -> None:
    whole, broken = encoded(tmp_path, 1.0, 44_100, 1), bytearray(encoded(tmp_path, 1.0, 44_100, 1))
    broken[28:35] = b"\x01nobody"  # not a first packet of any codec, in a page whose checksum will be right
    broken[22:26] = bytes(4)
    broken[22:26] = ogg_checksum(bytes(broken[: 28 + broken[27]])).to_bytes(4, "little")
    (tmp_path / "a.ogg").write_bytes(whole + broken + whole)
    found = read_waveform(str(tmp_path / "a.ogg"), WaveformSpec("full"))
    assert found.track.source_seconds == pytest.approx(2.0)
    assert found.track.flags == ("corrupt",)
    assert str(found.track.message).startswith("part 2 of 3: ")


def test_a_last_part_that_is_cut_is_reported(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", noise(2.0, 16_000, 1), 16_000)
    whole = (tmp_path / "one.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole + whole[:-20_000])
    found = read_waveform(str(tmp_path / "a.wav"), WaveformSpec("full"))
    assert len(found.samples) == 4 * 16_000 - 10_000
    assert found.track.flags == ("corrupt",)
    assert found.track.message == "part 2 of 2: it is shorter than its header claims"
