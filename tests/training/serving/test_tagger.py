"""A tagger in a program scores a waveform as `tag` scores the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio import load_waveform
from schemas.console.errors import UserError
from tests.training.conftest import TAGS, Served, sound_of
from training import load_tagger

RATE = 22_050


@pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])
def test_scores_of_a_waveform_are_those_of_its_file(
    frontend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    served: Served = request.getfixturevalue(frontend)
    tagger = load_tagger(str(served.model))
    assert sorted(tagger.tags) == sorted(TAGS)
    file = str(tmp_path / "song.wav")
    soundfile.write(file, sound_of(5)[0], RATE)
    (tagged,) = tagger.tag(file)
    waveform = load_waveform(file, "full")
    scores = tagger.scores(waveform)
    assert dict(zip(tagger.tags, scores.tolist(), strict=True)) == tagged.scores
    np.testing.assert_array_equal(tagger.scores((waveform / 32_768).astype(np.float32)), scores)
    with pytest.raises(UserError, match="expected one row of samples, mono at 16 kHz"):
        tagger.scores(waveform.reshape(1, -1))
