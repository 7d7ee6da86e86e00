"""MPEG frames are read as the encoders write them, with the lengths that a file's first frame claims."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.mpeg_audio import claimed_seconds, frame_at, has_length_header, holds_audio, is_run

NOISE = np.random.default_rng(0).normal(scale=0.1, size=(6 * 44_100, 2))


def mp3(folder: Path, rate: int, channels: int, mode: str = "VARIABLE") -> bytes:
    sound = NOISE[: 6 * rate, :channels]
    path = folder / f"{rate}-{channels}-{mode}.mp3"
    soundfile.write(path, sound, rate, bitrate_mode=mode, compression_level=0.5)
    return path.read_bytes()


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_frames_of_every_rate_follow_each_other_to_the_end_of_the_file(
    rate: int, channels: int, tmp_path: Path
) -> None:
    data = mp3(tmp_path, rate, channels)
    place = samples = 0
    while (frame := frame_at(data, place)) is not None:
        assert (frame.layer, frame.sample_rate) == (3, rate)
        place, samples = place + frame.length, samples + frame.samples
    assert place == len(data)
    length = 6 * rate
    assert has_length_header(data, 0)
    claimed = claimed_seconds(data[:4096])
    assert claimed is not None
    assert length / rate <= claimed <= (length + 3 * 1152) / rate
    assert samples / rate == pytest.approx(claimed, abs=1152 / rate + 1e-9)  # includes the frame that holds the header


def test_a_vbri_header_claims_a_length_too(tmp_path: Path) -> None:
    data = mp3(tmp_path, 44_100, 2, "CONSTANT")
    frame = frame_at(data)
    assert frame is not None
    count = (230).to_bytes(4)
    vbri = data[:4] + bytes(32) + b"VBRI" + bytes(10) + count + bytes(frame.length - 54)
    assert claimed_seconds(vbri) == pytest.approx(230 * 1152 / 44_100)


def test_a_file_that_tells_nothing_claims_nothing(tmp_path: Path) -> None:
    data = mp3(tmp_path, 44_100, 2)
    first = frame_at(data)
    assert first is not None
    bare = data[first.length :]
    assert not has_length_header(bare, 0)
    assert claimed_seconds(bare) is None
    assert claimed_seconds(b"\xff\xfb") is None


def test_audio_is_found_behind_other_data_and_nothing_else_is_taken_for_it(tmp_path: Path) -> None:
    data = mp3(tmp_path, 44_100, 2)
    junk = np.random.default_rng(1).bytes(200_000)
    assert holds_audio(io.BytesIO(junk + data), 0)
    assert not holds_audio(io.BytesIO(data + junk), len(data))
    assert not holds_audio(io.BytesIO(data + b"\xff" * 50_000), len(data))
    assert is_run(data, 0)
    assert not is_run(data, 1)
