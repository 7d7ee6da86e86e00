"""The log-mel spectrogram of the Beam job, compared with librosa's of the same int16 waveform."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.audio.logmel import BLOCK_FRAMES, logmel_of, stored_logmel
from schemas.features import INT16_SCALE, LogMelSpec
from tests.conftest import ROOT

SPEC = LogMelSpec()
# These include specs large enough that BLAS would use several threads if it got a whole block in one call.
SPECS = (SPEC, LogMelSpec(mels=128, n_fft=1024), LogMelSpec(mels=256, n_fft=4096))
TOLERANCE = 1e-4  # before the rounding to float16


def librosas(samples: np.ndarray, spec: LogMelSpec = SPEC) -> np.ndarray:
    """librosa's mel spectrogram as log10(1 + 10000 * power), [frames, mels]."""
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float32) / INT16_SCALE,
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop_length,
        n_mels=spec.mels,
        power=2,
        center=True,
        pad_mode="constant",
    )
    return np.log10(1 + spec.gain * power.T)


def noise(samples: int, level: float) -> np.ndarray:
    values = np.random.default_rng(samples).normal(scale=level * INT16_SCALE, size=samples)
    return np.clip(np.rint(values), -INT16_SCALE, INT16_SCALE - 1).astype("<i2")


def music(samples: int) -> np.ndarray:
    """Chords with decaying partials and a beat: tonal, transient and quiet parts."""
    time = np.arange(samples) / SPEC.sample_rate
    sound = np.zeros(samples)
    for note in (110.0, 138.6, 164.8, 440.0, 1318.5):
        for partial in range(1, 6):
            sound += 0.08 / partial * np.sin(2 * np.pi * note * partial * time) * np.exp(-2 * (time % 0.5))
    sound += np.random.default_rng(0).normal(scale=0.2, size=samples) * (time % 0.25 < 0.02)
    return np.rint(np.clip(sound, -1, 1) * (INT16_SCALE - 1)).astype("<i2")


SIGNALS = {
    "loud noise": noise(48_000, 0.3),
    "clipped noise": noise(48_000, 3.0),
    "faint noise": noise(48_000, 1e-4),
    "music": music(160_000),
    "silence": np.zeros(16_000, "<i2"),
    "full scale square": np.tile(np.repeat(np.array([-32768, 32767], "<i2"), 40), 300),
    "constant": np.full(10_000, 12_345, "<i2"),
    "no multiple of the hop": noise(12_345, 0.2),
    "one block and a frame": noise((BLOCK_FRAMES + 1) * SPEC.hop_length, 0.2),
    "shorter than the window": noise(300, 0.2),
    "two samples": noise(2, 0.2),
    "one sample": np.array([-20_000], "<i2"),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_log_mel_is_librosas(name: str) -> None:
    samples = SIGNALS[name]
    ours, theirs = logmel_of(samples, SPEC), librosas(samples)
    assert ours.shape == theirs.shape == (1 + len(samples) // SPEC.hop_length, SPEC.mels)
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= TOLERANCE


def test_another_spec_is_librosas_too() -> None:
    spec = LogMelSpec(n_fft=1024, hop_length=400, mels=64, gain=1.0)
    assert np.abs(logmel_of(SIGNALS["music"], spec) - librosas(SIGNALS["music"], spec)).max() <= TOLERANCE


@pytest.mark.parametrize("name", ["music", "loud noise", "full scale square"])
def test_stored_values_are_the_same_rounded_to_float16(name: str) -> None:
    stored = stored_logmel(SIGNALS[name], SPEC)
    assert stored.dtype == np.dtype("<f2")
    assert np.isfinite(stored).all()
    assert np.abs(stored.astype(np.float32) - logmel_of(SIGNALS[name], SPEC)).max() <= 2e-3


def test_silence_is_exactly_zero() -> None:
    assert not stored_logmel(SIGNALS["silence"], SPEC).any()


def test_the_same_waveform_gives_the_same_bytes() -> None:
    first = stored_logmel(SIGNALS["music"], SPEC).tobytes()
    assert stored_logmel(SIGNALS["music"].copy(), SPEC).tobytes() == first


def digests() -> list[str]:
    """Hash the log-mel spectrograms of every spec for lengths whose last block has one frame, a few, some or all."""
    found = []
    for spec in SPECS:
        digest = hashlib.sha256()
        for frames in (1, 2, 13, 25, 26, 100, 173, BLOCK_FRAMES, BLOCK_FRAMES + 1):
            samples = SIGNALS["music"][: (frames - 1) * spec.hop_length + 1]
            assert spec.frames(len(samples)) == frames
            digest.update(logmel_of(samples, spec).tobytes())
        found.append(digest.hexdigest())
    return found


def in_a_process_of(threads: dict[str, str]) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    script = "from tests.pipeline.audio.test_logmel import digests; print(*digests())"
    command = [sys.executable, "-c", script]
    return subprocess.check_output(command, cwd=ROOT, env={**environment, **threads}, text=True).split()


def test_the_bytes_do_not_depend_on_the_number_of_threads() -> None:
    with threadpool_limits(1):
        expected = digests()
    for threads in (2, 3, 16):  # may be more than the number of cores
        with threadpool_limits(threads):
            assert digests() == expected, threads
    for environment in ({}, {"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}):
        assert in_a_process_of(environment) == expected, environment
