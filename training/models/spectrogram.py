"""The spectrogram front-end: timbral and temporal convolutions over log-mel frames, after arXiv:1711.02520.

Written from the paper and from a description of the authors' models.py (3-clause BSD, Pandora Media); no code
of theirs is in it.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from training.models.blocks import Blocks

# Heights of the timbral filters, in percent of the mel bands: 86 and 38 of 96.
TIMBRAL_HEIGHTS = (90, 40)
# (frames, multiple of num_filt)
TIMBRAL_WIDTHS = ((7, 1), (3, 2), (1, 4))
TEMPORAL_WIDTHS = ((165, 1), (128, 2), (64, 4), (32, 8))


@keras.saving.register_keras_serializable(package="tagscale")
class FrequencyWindows(keras.layers.Layer):
    """Cuts [batch, frames, mels] into all windows of neighbouring mels, [batch, frames, windows, height].

    A timbral filter of `height` mels, slid over frequency, is then a convolution over time only with
    `height` input channels: it has the same sums and weights as a two-dimensional filter on one channel.
    CPUs compute the gradient of one-channel convolutions slowly, and the three widths of one height share
    the windows.

    Args:
        height: Mels per window, at least 1.
    """

    def __init__(self, height: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if height < 1:
            raise ValueError(f"Expected height to be at least 1 mel. Received: {height!r}")
        self.height = height

    def call(self, inputs: Any) -> Any:
        """Maps [batch, frames, mels] to [batch, frames, mels - height + 1, height]."""
        windows = inputs.shape[2] - self.height + 1
        return ops.stack([inputs[:, :, low : low + self.height] for low in range(windows)], axis=2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, frames, mels = input_shape
        return (batch, frames, None if mels is None else mels - self.height + 1, self.height)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height}


def spectrogram_frontend(logmel: Any, blocks: Blocks, *, num_filt: int) -> Any:
    """Adds the front-end to a functional model.

    Six timbral convolutions detect a spectral shape of 1 to 7 frames anywhere in frequency; four temporal
    ones follow the mean over mels, which represents the energy, over 32 to 165 frames (0.5 to 2.6 s).

    Args:
        logmel: [batch, frames, mels].
        blocks: Makes the layers.
        num_filt: Filters of the narrowest branch.

    Returns:
        [batch, frames, 29 * num_filt]: timbral channels (14 * num_filt), then temporal ones (15 * num_filt).
    """
    mels = logmel.shape[2]
    branches = []
    for percent in TIMBRAL_HEIGHTS:
        height = mels * percent // 100
        windows = FrequencyWindows(height, name=f"windows_{height}", dtype=blocks.dtype_policy)(logmel)
        for width, multiple in TIMBRAL_WIDTHS:
            branches.append(_timbral(windows, blocks, width, multiple * num_filt, name=f"timbral_{width}x{height}"))
    energy = ops.mean(logmel, axis=2, keepdims=True)
    for width, multiple in TEMPORAL_WIDTHS:
        name = f"temporal_{width}"
        channels = blocks.conv1d(energy, multiple * num_filt, width, padding="same", name=f"{name}_conv")
        branches.append(blocks.batch_norm(channels, name=f"{name}_norm"))
    return keras.layers.Concatenate(name="frontend", dtype=blocks.dtype_policy)(branches)


def _timbral(windows: Any, blocks: Blocks, width: int, filters: int, *, name: str) -> Any:
    """Maps [batch, frames, windows, height] to the maximum over all windows, [batch, frames, filters]."""
    channels = blocks.conv2d(windows, filters, (width, 1), padding="same", name=f"{name}_conv")
    frames, positions = channels.shape[1:3]
    channels = blocks.batch_norm(channels, name=f"{name}_norm", pool=positions)
    return keras.layers.Reshape((frames or -1, filters), name=name, dtype=blocks.dtype_policy)(channels)
