"""Targets and scores of tracks, drawn at random."""

from __future__ import annotations

import numpy as np


def random_scores(rng: np.random.Generator, tracks: int, tags: int, *, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets, a tenth of them unknown, and scores that favour the positives; few decimals give many ties."""
    targets = (rng.random((tracks, tags)) < 0.3).astype(np.float32)
    scores = np.round(targets * 0.3 + rng.random((tracks, tags)), decimals).astype(np.float32)
    targets[rng.random(targets.shape) < 0.1] = np.nan
    return targets, scores
