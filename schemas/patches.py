"""Where the patches of a track lie: at a fixed hop of one patch, with a last one that ends with the track.

Evaluation, the SavedModel's graph and the tagging of catalogs follow this rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def patch_starts(length: int, patch: int) -> npt.NDArray[np.int64]:
    """Start positions of patches at a hop of one patch; a remaining tail gets a patch that ends with the track.

    Args:
        length: length of the track, in frames or samples.
        patch: length of a patch, in the same unit. A shorter track is one patch, padded with zeros.
    """
    starts = np.arange(0, max(length - patch, 0) + 1, patch, dtype=np.int64)
    if length > patch and starts[-1] + patch < length:
        starts = np.append(starts, length - patch)
    return starts


def cut(values: npt.NDArray[Any], start: int, patch: int) -> npt.NDArray[Any]:
    """The patch from `start`, along the first axis, padded with zeros if the track ends sooner."""
    part = values[start : start + patch]
    if len(part) == patch:
        return part
    padded = np.zeros((patch, *values.shape[1:]), values.dtype)
    padded[: len(part)] = part
    return padded
