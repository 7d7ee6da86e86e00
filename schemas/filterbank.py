"""The mel filterbank and the window of the log-mel definition, with only numpy.

librosa has the same filterbank, but importing it costs a decoding process 1.3 CPU seconds and 168 MB (numba). A test
compares these functions with librosa.filters.mel and scipy's window.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import numpy.typing as npt

# Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
_LINEAR_HZ_PER_MEL = 200.0 / 3
_LOG_START_HZ = 1000.0
_LOG_START_MEL = _LOG_START_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0  # natural logarithm of the ratio between two mels above 1 kHz
_FILTERBANK_PARTS = 4  # more parts mean less arithmetic and more calls
PART_SIZE = 9_216  # most entries of a part: a product of 13 rows and a part is too small for BLAS to use threads


def hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Frequencies in Hz as Slaney mels; any shape."""
    log_part = _LOG_START_MEL + np.log(np.maximum(hz, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP
    return np.where(hz < _LOG_START_HZ, hz / _LINEAR_HZ_PER_MEL, log_part)


def mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney mels as frequencies in Hz; any shape."""
    log_part = _LOG_START_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _LOG_START_MEL) - _LOG_START_MEL))
    return np.where(mel < _LOG_START_MEL, mel * _LINEAR_HZ_PER_MEL, log_part)


@functools.cache
def mel_filterbank(sample_rate: int, n_fft: int, mels: int) -> npt.NDArray[np.float32]:
    """Triangular mel filters from 0 Hz to the Nyquist frequency, each of unit area.

    Returns:
        float32 [n_fft // 2 + 1, mels]; a power spectrum times this matrix is a mel spectrum. The array is
        shared and read-only.
    """
    nyquist = sample_rate / 2
    bins = np.linspace(0.0, nyquist, n_fft // 2 + 1)
    low_mel, high_mel = hz_to_mel(np.array([0.0, nyquist]))
    edges = mel_to_hz(np.linspace(low_mel, high_mel, mels + 2))  # each filter spans three successive edges
    width = np.diff(edges)
    rising = (bins[:, None] - edges[None, :-2]) / width[:-1]
    falling = (edges[None, 2:] - bins[:, None]) / width[1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    bank: npt.NDArray[np.float32] = (np.maximum(0.0, np.minimum(rising, falling)) * area).astype(np.float32)
    bank.setflags(write=False)
    return bank


@functools.cache
def mel_filterbank_parts(
    sample_rate: int, n_fft: int, mels: int
) -> tuple[tuple[slice, slice, npt.NDArray[np.float32]], ...]:
    """The filterbank split by frequency, each part with the bands that it reaches, since most of the matrix is zeros.

    Returns:
        Bins, bands, and the part of the matrix for them, float32 [bins, bands]; the sum of the products of all parts is the
        product of the whole.
    """
    bank = mel_filterbank(sample_rate, n_fft, mels)
    count = _FILTERBANK_PARTS
    parts = _cut(bank, count)
    while any(part.size > PART_SIZE for _, _, part in parts):
        count *= 2
        parts = _cut(bank, count)
    return parts


def _cut(bank: npt.NDArray[np.float32], count: int) -> tuple[tuple[slice, slice, npt.NDArray[np.float32]], ...]:
    edges = np.linspace(0, len(bank), count + 1).astype(int)
    parts = []
    for low, high in itertools.pairwise(edges):
        (reached,) = np.nonzero(bank[low:high].any(axis=0))
        if len(reached):
            bands = slice(int(reached[0]), int(reached[-1]) + 1)
            parts.append((slice(int(low), int(high)), bands, np.ascontiguousarray(bank[low:high, bands])))
    return tuple(parts)


@functools.cache
def hann_window(length: int) -> npt.NDArray[np.float32]:
    """The periodic Hann window, float32 [length]; shared and read-only."""
    window: npt.NDArray[np.float32] = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.setflags(write=False)
    return window
