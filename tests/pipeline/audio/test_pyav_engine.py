"""FFmpeg as an engine: formats that libsndfile does not read, and damage in the middle of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.pyav_engine import PyavSource
from pipeline.audio.recognition import recognize

WriteAudio = Callable[[Path, np.ndarray, int], Path]
NOISE = np.random.default_rng(0).normal(scale=0.1, size=(3 * 44_100, 2))


def decoded(path: Path) -> tuple[PyavSource, np.ndarray]:
    source = PyavSource(recognize(AudioFile(str(path))))
    samples = np.concatenate([block.copy() for block in source.blocks()])
    source.close()
    return source, samples


@pytest.mark.parametrize("ending", ["m4a", "aac"])
def test_a_file_decodes_with_its_facts(ending: str, tmp_path: Path, write_audio: WriteAudio) -> None:
    source, samples = decoded(write_audio(tmp_path / f"a.{ending}", NOISE, 44_100))
    assert samples.shape == (pytest.approx(len(NOISE), abs=4096), 2)
    assert samples.std() == pytest.approx(0.1, rel=0.2)
    assert (source.sample_rate, source.channels, source.codec, source.corrupt) == (44_100, 2, "aac", None)


def test_lossless_files_decode_to_the_sample(tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio(tmp_path / "a.flac", np.rint(NOISE * 32768) / 32768, 44_100)
    np.testing.assert_allclose(decoded(path)[1], np.rint(NOISE * 32768) / 32768, atol=1e-7)


def test_damage_in_the_middle_keeps_the_rest_and_is_marked(tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio(tmp_path / "a.m4a", NOISE, 44_100)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    source, samples = decoded(path)
    assert source.corrupt
    assert len(samples) > len(NOISE) // 2


def test_an_index_that_was_cut_off_is_rejected_in_ffmpegs_words(tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio(tmp_path / "a.m4a", NOISE, 44_100)
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(TrackRejected) as rejected:
        PyavSource(recognize(AudioFile(str(path))))
    assert rejected.value.cause is Cause.UNSUPPORTED_FORMAT
    assert rejected.value.message
    assert str(tmp_path) not in rejected.value.message
