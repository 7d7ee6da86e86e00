from __future__ import annotations

from pipeline.info.feature_words import spec_in_words
from schemas.features import LogMelSpec, WaveformSpec


def test_specs_are_described_in_words() -> None:
    assert spec_in_words(WaveformSpec("full")) == "16,000 Hz mono, whole tracks"
    assert spec_in_words(WaveformSpec("start:12.5")) == "16,000 Hz mono, the first 12.5 s"
    assert spec_in_words(LogMelSpec(n_fft=1024, mels=64)) == (
        "64 mel bands, window of 1,024 samples (64 ms), hop of 256 (16 ms), of 16,000 Hz mono, the middle 30 s"
    )
