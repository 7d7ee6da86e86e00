"""The waveform that the product should store for a decode that another program made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from schemas.features import INT16_SCALE

STORED_RATE = 16_000


def stored(reference: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float64]:
    """The waveform to be stored, before it is rounded: resampled in one call, in int16 steps."""
    mono = reference.mean(axis=1, dtype=np.float64).astype(np.float32)
    resampled = mono if rate == STORED_RATE else soxr.resample(mono, rate, STORED_RATE, quality="HQ")
    return np.clip(resampled.astype(np.float64) * INT16_SCALE, -INT16_SCALE, INT16_SCALE - 1)
