"""Convert float samples to the int16 samples that are stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.console.errors import UserError
from schemas.features import INT16_SCALE


def to_int16(block: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Round to int16 with full scale at 32768; samples beyond full scale are clipped."""
    scaled = block * np.float32(INT16_SCALE)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -INT16_SCALE, INT16_SCALE - 1, out=scaled)
    rounded: npt.NDArray[np.int16] = scaled.astype(np.int16)
    return rounded


def stored_samples(waveform: npt.NDArray[np.int16] | npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    """A waveform in memory as a build would have stored it.

    Args:
        waveform: [samples], mono at 16 kHz: int16, or floats with full scale at 1, which are rounded to int16.

    Raises:
        UserError: it has another type or shape, no samples, or samples that are not finite.
    """
    samples = np.asarray(waveform)
    received = f"received {samples.dtype} {list(samples.shape)}"
    if samples.ndim != 1 or not len(samples):
        raise UserError(f"waveform: expected one row of samples, mono at 16 kHz, {received}")
    if samples.dtype == np.int16:
        return samples
    if not np.issubdtype(samples.dtype, np.floating):
        raise UserError(f"waveform: expected int16, or floats with full scale at 1, {received}")
    if not np.isfinite(samples).all():
        raise UserError("waveform: expected finite samples, received NaN or infinity")
    return to_int16(samples.astype(np.float32))
