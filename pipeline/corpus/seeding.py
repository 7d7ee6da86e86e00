"""Random streams: one for each purpose and number, so that no choice moves another."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str, number: int) -> np.random.Generator:
    """An independent generator for one purpose.

    Args:
        seed: seed of the corpus, 0 or more.
        purpose: what is drawn from it.
        number: which track, artist or round it is for, 0 or more.

    Returns:
        A PCG64 generator, a function of the arguments alone on every platform.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), number])))
