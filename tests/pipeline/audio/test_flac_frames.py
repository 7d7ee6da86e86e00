"""The frames of a FLAC file show whether it goes on, and whether its rate or channels change."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.flac_frames import changes_shape, goes_on_behind

NOISE = np.random.default_rng(0).normal(scale=0.1, size=(100_000, 2))


def flac(folder: Path, samples: int, rate: int = 44_100, channels: int = 2) -> bytes:
    soundfile.write(folder / "a.flac", NOISE[:samples, :channels], rate)
    return (folder / "a.flac").read_bytes()


@pytest.mark.parametrize("samples", [100, 4096, 50_000, 100_000])
def test_a_whole_file_does_not_go_on(samples: int, tmp_path: Path) -> None:
    data = flac(tmp_path, samples)
    assert not goes_on_behind(io.BytesIO(data), len(data), len(data), samples)


def test_frames_of_later_samples_are_found(tmp_path: Path) -> None:
    data = flac(tmp_path, 100_000)
    assert goes_on_behind(io.BytesIO(data), len(data), len(data) // 2, 49_152)
    assert goes_on_behind(io.BytesIO(data), len(data), len(data), 95_000)


def test_another_file_behind_is_found(tmp_path: Path) -> None:
    data = flac(tmp_path, 20_000)
    joined = data + flac(tmp_path, 300)
    assert goes_on_behind(io.BytesIO(joined), len(joined), len(data), 20_000)


def test_a_change_of_rate_or_channels_is_found(tmp_path: Path) -> None:
    data = flac(tmp_path, 20_000)
    assert not changes_shape(io.BytesIO(data))
    for other in (flac(tmp_path, 20_000, 48_000), flac(tmp_path, 20_000, channels=1)):
        assert changes_shape(io.BytesIO(data + other))
