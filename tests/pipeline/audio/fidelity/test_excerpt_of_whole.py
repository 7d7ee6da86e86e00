"""An excerpt equals that part of the whole, whatever the engine decodes and resamples to get it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.tracks import read_waveform
from schemas.features import WaveformSpec
from tests.pipeline.audio.fidelity.conftest import EncodedSounds
from tests.pipeline.audio.fidelity.encodings import ENCODINGS, Encoding
from tests.pipeline.audio.fidelity.engine_reading import FULL
from tests.pipeline.audio.signals import bursts

STORED_RATE = 16_000
# This share of samples may differ by one step, since a resampler's last bit depends on where it began. Usually it is one
# sample in a thousand, but more if a coder leaves silence half-way between two steps.
DIFFERING_SHARE = 5e-3


def check_excerpts(path: Path, source_rate: int, *excerpts: tuple[str, float]) -> None:
    whole = read_waveform(str(path), FULL)
    for where, seconds in excerpts:
        found = read_waveform(str(path), WaveformSpec(f"{where}:{seconds:g}"))
        wanted = round(seconds * STORED_RATE)
        first = (len(whole.samples) - wanted) // 2 if where == "center" else 0
        expected = whole.samples[first : first + wanted]
        assert len(found.samples) == wanted, where
        differences = np.abs(found.samples.astype(int) - expected)
        if source_rate == STORED_RATE:
            assert differences.max() == 0, where
        assert differences.max() <= 1, where
        assert np.count_nonzero(differences) <= DIFFERING_SHARE * wanted, where
        assert (found.track.flags, found.track.message) == (whole.track.flags, whole.track.message)
        if where == "center":  # for "start", the rest is not decoded, and the length comes from the header
            assert found.track.source_seconds == whole.track.source_seconds


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_an_excerpt_is_that_part_of_the_whole(encoding: Encoding, encoded: EncodedSounds) -> None:
    check_excerpts(encoded.path(encoding), encoding.rate, ("start", 1.1), ("center", 1.3))


def test_an_excerpt_of_a_long_vbr_mp3_is_that_part_of_the_whole(quiet_vbr: Path) -> None:
    check_excerpts(quiet_vbr, 44_100, ("start", 5), ("center", 7))


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("wav", {}),
        ("flac", {}),
        ("ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
        ("mp3", {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.9}),
    ],
)
def test_an_excerpt_of_a_file_at_the_stored_rate_is_exact(
    ending: str, options: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, bursts(20.0, STORED_RATE, 2, tone=0.02, noise=0.2), STORED_RATE, **options)
    check_excerpts(path, STORED_RATE, ("start", 5), ("center", 7))
