"""The front-end and the middle of musicnn, the successor of the spectrogram model by the same authors.

After Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging" (LBD, ISMIR 2019,
arXiv:1909.06654), and a description of the graph in github.com/jordipons/musicnn (ISC); no code of theirs is in it.
"""

from __future__ import annotations

from typing import Any

import keras

from training.models.blocks import Blocks
from training.models.config import MUSICNN_FILTERS, scaled_filters

TIMBRAL_WIDTH = 7  # frames
# Heights of the timbral filters, in percent of the mel bands: 38 and 67 of 96.
TIMBRAL_HEIGHTS = (40, 70)
TEMPORAL_WIDTHS = (128, 64, 32)  # frames: 2 s, 1 s and half a second
MIDDLE_WIDTH = 7  # frames
MIDDLE_LAYERS = 3


def musicnn_frontend(logmel: Any, blocks: Blocks, *, num_filt: int) -> Any:
    """Adds the front-end to a functional model.

    Two timbral convolutions detect a spectral shape of 7 frames anywhere in frequency; three temporal ones follow the energy
    of each mel band over half a second to 2 s. Each keeps its largest value over frequency.

    Args:
        logmel: [batch, frames, mels].
        blocks: Makes the layers.
        num_filt: 16 as published; all filters grow and shrink with it.

    Returns:
        [batch, frames, channels], as published 561 of them: timbral ones (2 * 204), then temporal ones (3 * 51).
    """
    mels = logmel.shape[2]
    timbral, temporal = (scaled_filters(MUSICNN_FILTERS[name], num_filt) for name in ("timbral", "temporal"))
    convolutions = [
        *(
            (f"timbral_{height}", timbral, (TIMBRAL_WIDTH, height))
            for height in (mels * p // 100 for p in TIMBRAL_HEIGHTS)
        ),
        *((f"temporal_{width}", temporal, (width, 1)) for width in TEMPORAL_WIDTHS),
    ]
    numbers, scale, shift = blocks.deferred_batch_norm(logmel, name="input_norm", scalar=True)
    scales = blocks.fork(scale, len(convolutions), name="input_scale")
    shifts = blocks.fork(shift, len(convolutions), name="input_shift")
    branches = []
    for (name, filters, size), *of_norm in zip(convolutions, scales, shifts, strict=True):
        channels = blocks.image_conv((numbers, *of_norm), filters, size, name=f"{name}_conv")
        frames, positions = channels.shape[1:3]
        channels = blocks.batch_norm(channels, name=f"{name}_norm", pool=positions)
        branches.append(keras.layers.Reshape((frames, filters), name=name, dtype=blocks.dtype_policy)(channels))
    return keras.layers.Concatenate(name="frontend", dtype=blocks.dtype_policy)(branches)


def musicnn_middle(channels: Any, blocks: Blocks, *, num_filt: int) -> Any:
    """Adds the densely connected middle: three convolutions over time, two of them residual, whose outputs are all kept.

    Args:
        channels: Output of the front-end, [batch, frames, channels].
        blocks: Makes the layers.
        num_filt: 16 as published.

    Returns:
        [batch, frames, channels], as published 753 of them: those of the front-end, then 64 of each convolution.
    """
    filters = scaled_filters(MUSICNN_FILTERS["middle"], num_filt)
    kept = [channels]
    steps, beside = channels, None  # what the next convolution reads, and what its output is added to
    for number in range(1, MIDDLE_LAYERS + 1):
        branch = blocks.conv1d(steps, filters, MIDDLE_WIDTH, padding="same", name=f"middle{number}_conv")
        branch = blocks.batch_norm(branch, name=f"middle{number}_norm")
        if beside is not None:
            branch = keras.layers.Add(name=f"middle{number}", dtype=blocks.dtype_policy)([beside, branch])
        if number < MIDDLE_LAYERS:
            branch, steps, beside = blocks.fork(branch, 3, name=f"middle{number}_fork")
        kept.append(branch)
    return keras.layers.Concatenate(name="middle", dtype=blocks.dtype_policy)(kept)
