"""The back-end of the spectrogram and waveform front-ends: three wide convolutions, two of them residual, and pooling over time.

After arXiv:1711.02520. Written from the paper and from a description of the authors' models.py (3-clause BSD,
Pandora Media); no code of theirs is in it.
"""

from __future__ import annotations

from typing import Any

import keras

from training.models.blocks import Blocks
from training.models.config import BACKEND_KERNEL, BACKEND_POOL, ResidualBatchNorm


def convolutional_backend(
    channels: Any, blocks: Blocks, *, filters: int, residual_batch_norm: ResidualBatchNorm
) -> Any:
    """Adds the three back-end convolutions to a functional model.

    They span all channels, so they are convolutions over time only. In two dimensions over one channel, as the
    paper draws them, the sums are the same, but their gradient took a CPU a hundred times as long.

    Args:
        channels: Output of a front-end, [batch, frames, channels], with at least 8 frames.
        blocks: Makes the layers.
        filters: Filters of each convolution.
        residual_batch_norm: See `ModelConfig`.

    Returns:
        [batch, (frames - 6) // 2, filters].
    """
    norm = {"scalar": blocks.scalar_batch_norm, "per_channel": blocks.batch_norm}[residual_batch_norm]
    steps = blocks.conv1d(channels, filters, BACKEND_KERNEL, name="backend1_conv")
    steps = blocks.batch_norm(steps, name="backend1_norm")

    branch = blocks.conv1d(steps, filters, BACKEND_KERNEL, padding="same", name="backend2_conv")
    branch = norm(branch, name="backend2_norm")
    steps = keras.layers.Add(name="backend2", dtype=blocks.dtype_policy)([steps, branch])

    steps = keras.layers.MaxPooling1D(BACKEND_POOL, name="backend_pool", dtype=blocks.dtype_policy)(steps)
    branch = blocks.conv1d(steps, filters, BACKEND_KERNEL, padding="same", name="backend3_conv")
    branch = norm(branch, name="backend3_norm")
    return keras.layers.Add(name="backend3", dtype=blocks.dtype_policy)([steps, branch])


def pooled_head(
    steps: Any, blocks: Blocks, *, dense_units: int, tags: int, dropout: float, normalize_pooled: bool = False
) -> tuple[Any, Any]:
    """Adds pooling over time and the two dense layers.

    Args:
        steps: [batch, steps, channels].
        blocks: Makes the layers. It should use float32: the head is a hundredth of the work, sums over all
            time steps, and ends in logits that must not be rounded.
        dense_units: Width of the embedding.
        tags: Width of the output.
        dropout: Share of units dropped before each dense layer.
        normalize_pooled: Batch norm of the pooled numbers too, as musicnn has it.

    Returns:
        Logits [batch, tags] and the embedding [batch, dense_units], which is taken before the last dropout.
    """
    dtype = blocks.dtype_policy
    largest = keras.layers.GlobalMaxPooling1D(name="max_over_time", dtype=dtype)(steps)
    mean = keras.layers.GlobalAveragePooling1D(name="mean_over_time", dtype=dtype)(steps)
    pooled = keras.layers.Concatenate(name="pooled", dtype=dtype)([largest, mean])
    if normalize_pooled:
        pooled = blocks.batch_norm(pooled, name="pooled_norm")
    hidden = blocks.dropout(pooled, dropout, name="pooled_dropout")
    hidden = blocks.dense(hidden, dense_units, activation="relu", name="dense")
    embedding = blocks.batch_norm(hidden, name="embedding")
    logits = blocks.dense(blocks.dropout(embedding, dropout, name="embedding_dropout"), tags, name="logits")
    return logits, embedding
