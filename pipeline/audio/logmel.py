"""The log-mel spectrogram that `schemas/features.py` defines, in numpy; `training/serving/logmel.py` is the same in a graph."""

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
# Rows that a product is cut at are a multiple of this: OpenBLAS's AVX2 kernel takes so many at a time, so that no row
# goes another way through it than in a product of all rows.
_KERNEL_ROWS = 12


ReadSamples = Callable[[int, int], npt.NDArray[np.int16]]


def logmel_blocks(read: ReadSamples, samples: int, spec: LogMelSpec) -> Iterator[npt.NDArray[np.float32]]:
    """The log-mel spectrogram before it is rounded to float16, block by block, so that a long track takes no more memory.

    The bits do not depend on how many threads BLAS may use.

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
            block[:, bands] += _product(power[:number, bins], bank)
        block *= np.float32(spec.gain)
        block += np.float32(1)
        yield np.log10(block, out=block)


def _product(rows: npt.NDArray[np.float32], bank: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """rows @ bank in pieces too small for threads, whose number would decide where a product is cut and how it is rounded.

    A limit set on BLAS would be one of the whole process, which other threads may set too.
    """
    step = (_PRODUCT_SIZE // bank.size - 1) // _KERNEL_ROWS * _KERNEL_ROWS
    # No row is left alone: of one row, BLAS makes a product of another kind.
    stacked = max(0, len(rows) - 2) // step * step
    product = np.empty((len(rows), bank.shape[1]), np.float32)
    np.matmul(
        rows[:stacked].reshape(-1, step, bank.shape[0]), bank, out=product[:stacked].reshape(-1, step, bank.shape[1])
    )
    np.matmul(rows[stacked:], bank, out=product[stacked:])
    return product


def logmel_of(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float32]:
    """The whole of `logmel_blocks` of a waveform in memory: float32 [frames, mels]."""
    return np.concatenate(list(logmel_blocks(lambda first, end: samples[first:end], len(samples), spec)))


def stored_logmel(samples: npt.NDArray[np.int16], spec: LogMelSpec) -> npt.NDArray[np.float16]:
    """The log-mel spectrogram as it is stored: float16 little-endian [frames, mels]."""
    return logmel_of(samples, spec).astype(STORED_DTYPE)
