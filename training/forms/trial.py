"""Try a converted model on a short signal before it is handed out: a converter may be wrong without an error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.console.errors import TagscaleError
from schemas.features import LogMelSpec

FARTHEST = 1e-3  # between a converted model and its original, relative to the largest value; rounding is 1e-5 and less

Outputs = dict[str, npt.NDArray[np.float32]]


def trial_waveform(patch_shape: tuple[int, ...], spec: LogMelSpec | None) -> npt.NDArray[np.float32]:
    """Noise of one and a half patches, float32 [1, samples], always the same."""
    samples = patch_shape[0] * (spec.hop_length if spec else 1) * 3 // 2
    return np.random.default_rng(0).normal(scale=0.1, size=(1, samples)).astype(np.float32)


def trial_patches(patch_shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Noise, float32 [2, *patch_shape], always the same."""
    return np.random.default_rng(0).uniform(size=(2, *patch_shape)).astype(np.float32)


def require_alike(
    path: str, outputs: Mapping[str, Any], expected: Mapping[str, Any], farthest: float = FARTHEST
) -> None:
    """Raise TagscaleError unless the outputs of a converted model are those of its original, except for rounding.

    Args:
        path: the converted model, for the error.
        outputs: name -> what it gave.
        expected: name -> what the original gave.
        farthest: how far they may lie apart, relative to the largest value.
    """
    for name, values in expected.items():
        wanted = np.asarray(values)
        off = float(np.abs(np.asarray(outputs[name]) - wanted).max())
        largest = float(np.abs(wanted).max())
        if not off <= farthest * max(largest, 1.0):
            raise TagscaleError(
                f"{os.path.basename(path)}: gives other {name} than the model that it was converted from (off by {off:.2g} "
                f"of {largest:.2g}); nothing was written: use another format, and report this"
            )
