"""The log-mel spectrogram of a stored waveform, in numpy; `training/logmel.py` is the same in a graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from schemas.features import INT16_SCALE, LogMelSpec
from schemas.filterbank import hann_window, mel_filterbank

BLOCK_FRAMES = 512  # frames transformed at a time: the block stays in the cache


def logmel_of(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float32]:
    """The log-mel spectrogram before it is rounded to float16.

    Args:
        samples: int16 [samples], the stored waveform.
        spec: window, hop length, bands.

    Returns:
        float32 [frames, mels], log10(1 + gain * power).
    """
    window = hann_window(spec.n_fft)
    bank = mel_filterbank(spec.sample_rate, spec.n_fft, spec.mels)
    half = spec.n_fft // 2
    padded = np.zeros(len(samples) + spec.n_fft, np.float32)
    padded[half : half + len(samples)] = samples
    padded /= np.float32(INT16_SCALE)
    frames = np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop_length][
        : spec.frames(len(samples))
    ]
    result = np.empty((len(frames), spec.mels), np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):
        spectrum = scipy.fft.rfft(frames[start : start + BLOCK_FRAMES] * window, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        result[start : start + BLOCK_FRAMES] = power @ bank
    result *= np.float32(spec.gain)
    result += np.float32(1)
    return np.log10(result, out=result)


def stored_logmel(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float16]:
    """The log-mel spectrogram as it is stored: float16 little-endian [frames, mels]."""
    return logmel_of(samples, spec).astype("<f2")
