"""Cut tracks into patches: one random patch for training, all of them at a fixed hop for evaluation.

The SavedModel's graph implements the same rule (`training/serving/served_tagger.py`); a test checks that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.console.errors import UserError
from schemas.features import HOP_LENGTH, SAMPLE_RATE


def patch_length(seconds: float, frontend: str, hop_length: int = HOP_LENGTH) -> int:
    """Length of a patch in frames, or in samples (waveform): 15 s are 938 frames or 240,000 samples."""
    samples = round(seconds * SAMPLE_RATE)
    if samples < 1:
        raise UserError(f"--patch-seconds: expected more than 0, received {seconds:g}")
    return samples if frontend == "waveform" else 1 + samples // hop_length


def patches_of(blocks: Iterable[npt.NDArray[Any]], patch: int) -> Iterator[npt.NDArray[Any]]:
    """All patches of a signal that arrives block by block, holding at most two patches at a time.

    Args:
        blocks: the signal in order, each [any number of frames or samples(, mels)].
        patch: length of a patch, in the same unit.

    Yields:
        [patch(, mels)], one from each of `schemas.patches.patch_starts`.
    """
    last: npt.NDArray[Any] | None = None
    filling: npt.NDArray[Any] | None = None
    filled = 0
    for block in blocks:
        done = 0
        while done < len(block):
            if filling is None:
                filling, filled = np.zeros((patch, *block.shape[1:]), block.dtype), 0
            part = block[done : done + patch - filled]
            filling[filled : filled + len(part)] = part
            filled += len(part)
            done += len(part)
            if filled == patch:
                yield filling
                last, filling = filling, None
    if filling is not None:
        yield filling if last is None else np.concatenate([last[filled:], filling[:filled]])


def start_at(length: int, patch: int, crop: float) -> int:
    """Start of a patch for a `crop` in [0, 1): 0 is the track's beginning, towards 1 the last start that fits."""
    return int(crop * (max(length - patch, 0) + 1))
