"""Seeded sounds that reveal a decoder's faults: noise bursts over tones, a chirp, silence, channels that differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BURST_PERIOD = 0.125  # seconds between bursts of noise
BURST = 0.02  # seconds


def bursts(
    seconds: float, rate: int, channels: int, *, tone: float = 0.15, noise: float = 0.15
) -> npt.NDArray[np.float32]:
    """Bursts of noise over tones as [samples, channels], within ±0.95, with silence from 40 to 45 % of the length.

    Args:
        seconds: length in seconds.
        rate: sample rate in Hz.
        channels: number of channels; each has a different tone and bursts at different times.
        tone: level of the tones.
        noise: standard deviation of the bursts.
    """
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * rate)) / rate
    highest = 0.4 * min(rate, 40_000)  # highest frequency of the chirp, Hz
    chirp = np.sin(2 * np.pi * (100 * time + (highest - 100) / (2 * seconds) * time**2))
    sound = np.empty((len(time), channels))
    for channel in range(channels):
        is_burst = (time + 0.03 * channel) % BURST_PERIOD < BURST
        sound[:, channel] = tone * np.sin(2 * np.pi * 220 * (channel + 1) * time + channel)
        sound[:, channel] += tone * chirp * (channel % 2 == 0)
        sound[:, channel] += np.where(is_burst, rng.normal(scale=noise, size=len(time)), 0)
    sound[(time > 0.4 * seconds) & (time < 0.45 * seconds)] = 0
    return np.clip(sound, -0.95, 0.95).astype(np.float32)
