"""The waveform front-end: a stack of short convolutions over samples, after arXiv:1711.02520.

Written from the paper and from a description of the authors' models.py (3-clause BSD, Pandora Media); no code
of theirs is in it.
"""

from __future__ import annotations

from typing import Any

import keras

from training.models.blocks import Blocks
from training.models.config import WAVEFORM_FILTERS, WAVEFORM_KERNEL


def waveform_frontend(waveform: Any, blocks: Blocks, *, layers: int) -> Any:
    """Adds the front-end to a functional model.

    The first layer is a convolution of 3 samples with stride 3. Each further layer is a convolution of 3 steps
    without padding, then a maximum over 3 steps. In each, batch norm follows the ReLU and precedes the maximum.

    Args:
        waveform: [batch, samples].
        blocks: Makes the layers.
        layers: 7 or 9.

    Returns:
        [batch, frames, 256]: 240,000 samples give 108 frames with 7 layers.
    """
    first, *rest = WAVEFORM_FILTERS[layers]
    samples = keras.layers.Reshape((waveform.shape[1] or -1, 1), name="samples", dtype=blocks.dtype_policy)(waveform)
    steps = blocks.conv1d(samples, first, WAVEFORM_KERNEL, strides=WAVEFORM_KERNEL, name="wave1_conv")
    pool = 1
    for number, filters in enumerate(rest, start=2):
        # Normalising 80,000 steps of 64 channels would cost more than folding it into the next convolution's weights.
        deferred = blocks.deferred_batch_norm(steps, name=f"wave{number - 1}_norm", pool=pool)
        steps = blocks.conv1d_after_norm(deferred, filters, WAVEFORM_KERNEL, name=f"wave{number}_conv")
        pool = WAVEFORM_KERNEL
    return blocks.batch_norm(steps, name=f"wave{layers}_norm", pool=pool)
