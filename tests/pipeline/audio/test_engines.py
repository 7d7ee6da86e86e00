"""The choice of the engine that decodes a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
WriteAudio = Callable[[Path, np.ndarray, int], Path]


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("wav", "wav/pcm_16"),
        ("flac", "flac/pcm_16"),
        ("ogg", "ogg/vorbis"),
        ("opus", "ogg/opus"),
        ("mp3", "mp3/mpeg_layer_iii"),
        ("m4a", "aac"),
        ("aac", "aac"),
    ],
)
def test_ffmpeg_is_loaded_only_for_what_libsndfile_does_not_read(
    ending: str, codec: str, tmp_path: Path, write_audio: WriteAudio
) -> None:
    path = write_audio(tmp_path / f"a.{ending}", np.sin(np.arange(48_000) / 50) / 2, 48_000)
    script = (
        "import sys; from pipeline.audio.tracks import read_waveform; from schemas.features import WaveformSpec;"
        f"print(read_waveform({str(path)!r}, WaveformSpec()).track.codec, 'av' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == [codec, str(codec == "aac")]


def test_tfio_without_its_environment_is_one_clear_line(tmp_path: Path) -> None:
    from pipeline.audio.tfio_engine import check_tfio
    from schemas.console.errors import UserError

    try:
        check_tfio()
    except UserError as error:
        assert "\n" not in str(error)
        assert "pip install '.[tfio]' in an environment of its own" in str(error)
    else:
        pytest.skip("tensorflow-io works in this environment")
