"""The filterbank and the window, compared with librosa's and scipy's."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.signal

from schemas.filterbank import PART_SIZE, hann_window, hz_to_mel, mel_filterbank, mel_filterbank_parts, mel_to_hz


@pytest.mark.parametrize(
    ("rate", "n_fft", "mels"), [(16_000, 512, 96), (16_000, 1024, 128), (22_050, 2048, 64), (44_100, 512, 40)]
)
def test_the_filterbank_is_librosas(rate: int, n_fft: int, mels: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=mels)
    ours = mel_filterbank(rate, n_fft, mels)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected.T, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("n_fft", "mels"), [(512, 96), (1024, 128), (4096, 256), (64, 200), (2, 1), (512, 1)])
def test_the_parts_of_a_filterbank_add_up_to_it(n_fft: int, mels: int) -> None:
    whole = mel_filterbank(16_000, n_fft, mels)
    added = np.zeros_like(whole)
    for bins, bands, part in mel_filterbank_parts(16_000, n_fft, mels):
        added[bins, bands] += part
        assert part.size <= PART_SIZE
    np.testing.assert_array_equal(added, whole)


def test_the_mel_scale_is_librosas_and_its_own_inverse() -> None:
    hz = np.linspace(0, 8000, 501)
    np.testing.assert_allclose(hz_to_mel(hz), librosa.hz_to_mel(hz), rtol=1e-12)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("length", [512, 400, 2048])
def test_the_window_is_scipys_periodic_hann(length: int) -> None:
    np.testing.assert_allclose(hann_window(length), scipy.signal.get_window("hann", length), atol=1e-7)


def test_the_shared_arrays_cannot_be_changed() -> None:
    for array in (mel_filterbank(16_000, 512, 96), hann_window(512)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
