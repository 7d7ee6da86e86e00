"""Sounds that a tagger can tell apart, made from a number."""

from __future__ import annotations

import numpy as np


def tone_of(number: int, seconds: float, rate: int, *, noise: float) -> np.ndarray:
    """A mono tone in float64; the number's lowest bits say whether it is low, whether it is noisy and whether it trembles.

    Args:
        number: also the seed of the noise.
        seconds: length.
        rate: sample rate in Hz.
        noise: standard deviation of the noise, where there is any.
    """
    is_low, is_noisy, trembles = (number >> bit & 1 for bit in range(3))
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.2 * np.sin(2 * np.pi * (110.0 if is_low else 1760.0) * time)
    if is_noisy:
        sound += np.random.default_rng(number).normal(scale=noise, size=len(time))
    if trembles:
        sound *= 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 6 * time))
    return sound


def tags_of(number: int, tags: tuple[str, ...]) -> list[str]:
    """Those of the tags whose bits are set in a number."""
    return [tag for bit, tag in enumerate(tags) if number >> bit & 1]
