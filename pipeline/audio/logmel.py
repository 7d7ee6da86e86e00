"""The log-mel spectrogram of a stored waveform, in numpy; `training/logmel.py` is the same in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.fft

from schemas.features import INT16_SCALE, LogMelSpec
from schemas.filterbank import hann_window, mel_filterbank_parts

BLOCK_FRAMES = 256  # frames transformed at a time: the block stays in the cache
STORED_DTYPE = np.dtype("<f2")


ReadSamples = Callable[[int, int], npt.NDArray[np.int16]]


def logmel_blocks(read: ReadSamples, samples: int, spec: LogMelSpec) -> Iterator[npt.NDArray[np.float32]]:
    """The log-mel spectrogram before it is rounded to float16, block by block, so that a long track takes no more memory.

    Args:
        read: gives the stored waveform from one sample up to another, int16.
        samples: its length.
        spec: window, hop length, bands.

    Yields:
        float32 [up to BLOCK_FRAMES, mels], log10(1 + gain * power).
    """
    # An int16 full scale of 2**15 goes into the window: exact, and one pass less.
    window = hann_window(spec.n_fft) / np.float32(INT16_SCALE)
    parts = mel_filterbank_parts(spec.sample_rate, spec.n_fft, spec.mels)
    count = spec.frames(samples)
    rows = min(BLOCK_FRAMES, count)
    windowed = np.empty((rows, spec.n_fft), np.float32)
    power, squared = np.empty((2, rows, spec.n_fft // 2 + 1), np.float32)
    for start in range(0, count, BLOCK_FRAMES):
        number = min(BLOCK_FRAMES, count - start)
        first = start * spec.hop_length - spec.n_fft // 2  # centred frames: the first begins before the signal
        end = first + (number - 1) * spec.hop_length + spec.n_fft
        padded = np.zeros(end - first, np.float32)
        inside = max(first, 0), min(end, samples)
        padded[inside[0] - first : inside[1] - first] = read(*inside)
        frames = np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop_length]
        spectrum = scipy.fft.rfft(np.multiply(frames, window, out=windowed[:number]), axis=1)
        np.square(spectrum.real, out=power[:number])
        power[:number] += np.square(spectrum.imag, out=squared[:number])
        block = np.zeros((number, spec.mels), np.float32)
        for bins, bands, bank in parts:
            block[:, bands] += power[:number, bins] @ bank
        block *= np.float32(spec.gain)
        block += np.float32(1)
        yield np.log10(block, out=block)


def logmel_of(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float32]:
    """The whole of `logmel_blocks` of a waveform in memory: float32 [frames, mels]."""
    return np.concatenate(list(logmel_blocks(lambda first, end: samples[first:end], len(samples), spec)))


def stored_logmel(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float16]:
    """The log-mel spectrogram as it is stored: float16 little-endian [frames, mels]."""
    return logmel_of(samples, spec).astype(STORED_DTYPE)
