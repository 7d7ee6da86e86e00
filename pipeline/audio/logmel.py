"""The log-mel spectrogram of `schemas/features.py` in numpy; `training/serving/logmel.py` computes the same in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.fft

from schemas.features import INT16_SCALE, LogMelSpec
from schemas.filterbank import hann_window, mel_filterbank_parts

BLOCK_FRAMES = 256  # frames transformed at a time: the block stays in the cache
STORED_DTYPE = np.dtype("<f2")
# Multiply-adds of one product. OpenBLAS spreads larger ones over threads: from 125,000 on some CPUs, 262,144 on others.
_PRODUCT_SIZE = 120_000
# A product is split at multiples of this many rows, which OpenBLAS's AVX2 kernel takes at a time, so that each row takes
# the same path through the kernel as in a product of all rows.
_KERNEL_ROWS = 12


ReadSamples = Callable[[int, int], npt.NDArray[np.int16]]


def logmel_blocks(read: ReadSamples, samples: int, spec: LogMelSpec) -> Iterator[npt.NDArray[np.float32]]:
    """The log-mel spectrogram before rounding to float16, block by block, so that a long track takes no more memory.

    The bits do not depend on the number of BLAS threads.

    Args:
        read: Returns the stored waveform from one sample up to another, int16.
        samples: Length of the waveform in samples.
        spec: Window, hop length, bands.

    Yields:
        float32 [up to BLOCK_FRAMES, mels], log10(1 + gain * power).
    """
    # The window includes the division by the int16 full scale of 2**15, which is exact and saves a pass.
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
            block[:, bands] += _product(power[:number, bins], bank)
        block *= np.float32(spec.gain)
        block += np.float32(1)
        yield np.log10(block, out=block)


def _product(rows: npt.NDArray[np.float32], bank: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute rows @ bank in pieces too small for threads, whose number would affect how a product is split and rounded.

    A thread limit for BLAS would apply to the whole process, where other threads may set it too.
    """
    step = (_PRODUCT_SIZE // bank.size - 1) // _KERNEL_ROWS * _KERNEL_ROWS
    # No single row remains, because BLAS computes a one-row product differently.
    stacked = max(0, len(rows) - 2) // step * step
    product = np.empty((len(rows), bank.shape[1]), np.float32)
    np.matmul(
        rows[:stacked].reshape(-1, step, bank.shape[0]), bank, out=product[:stacked].reshape(-1, step, bank.shape[1])
    )
    np.matmul(rows[stacked:], bank, out=product[stacked:])
    return product


def logmel_of(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float32]:
    """All of `logmel_blocks` for a waveform in memory: float32 [frames, mels]."""
    return np.concatenate(list(logmel_blocks(lambda first, end: samples[first:end], len(samples), spec)))


def stored_logmel(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float16]:
    """The log-mel spectrogram as it is stored: float16 little-endian [frames, mels]."""
    return logmel_of(samples, spec).astype(STORED_DTYPE)
