"""Random streams: one for each purpose and number, so that no choice affects another."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str, number: int) -> np.random.Generator:
    """An independent generator for one purpose.

    Args:
        seed: Seed of the corpus, 0 or more.
        purpose: What is drawn from it.
        number: Number of the track, artist or round, 0 or more.

    Returns:
        A PCG64 generator that depends only on the arguments, on every platform.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), number])))
