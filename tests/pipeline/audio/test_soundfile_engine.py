"""libsndfile as an engine: streamed blocks, the source's facts, and damage in the middle of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.recognition import recognize
from pipeline.audio.soundfile_engine import SoundfileSource
from pipeline.audio.sources import BLOCK_FRAMES


def test_blocks_put_together_are_the_file(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, (2 * BLOCK_FRAMES + 77, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 44_100, subtype="FLOAT")
    source = SoundfileSource(recognize(AudioFile(str(tmp_path / "a.wav"))))
    blocks = [block.copy() for block in source.blocks()]
    source.close()
    assert [len(block) for block in blocks] == [BLOCK_FRAMES, BLOCK_FRAMES, 77]
    np.testing.assert_array_equal(np.concatenate(blocks), sound)
    assert (source.sample_rate, source.channels, source.codec) == (44_100, 2, "wav/float")
    assert source.length == len(sound)
    assert source.corrupt is None


def test_what_libsndfile_does_not_read_is_rejected_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_text("no music")
    with pytest.raises(TrackRejected) as rejected:
        SoundfileSource(recognize(AudioFile(str(tmp_path / "a.mp3"))))
    assert rejected.value.cause is Cause.UNSUPPORTED_FORMAT
    assert rejected.value.message.startswith("Error opening the file: ")
