"""Which engine decodes which file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.engines import open_source
from pipeline.audio.pyav_engine import PyavSource
from pipeline.audio.soundfile_engine import SoundfileSource

WriteAudio = Callable[[Path, np.ndarray, int], Path]


@pytest.mark.parametrize(
    ("ending", "engine"),
    [
        *((ending, SoundfileSource) for ending in ("wav", "flac", "ogg", "opus", "mp3")),
        *((ending, PyavSource) for ending in ("m4a", "aac")),
    ],
)
def test_ffmpeg_is_asked_only_for_what_libsndfile_does_not_read(
    ending: str, engine: type, tmp_path: Path, write_audio: WriteAudio
) -> None:
    source = open_source(str(write_audio(tmp_path / f"a.{ending}", np.zeros(48_000), 48_000)), "auto")
    assert type(source) is engine
    source.close()


def test_tfio_without_its_environment_is_one_clear_line(tmp_path: Path) -> None:
    from pipeline.audio.tfio_engine import check_tfio
    from schemas.errors import UserError

    try:
        check_tfio()
    except UserError as error:
        assert "\n" not in str(error)
        assert "pip install 'tagscale[tfio]'" in str(error)
    else:
        pytest.skip("tensorflow-io works in this environment")
