"""The short-chunk CNN with residuals: seven blocks of small square convolutions, each of which halves frames and mels.

After Won, Ferraro, Bogdanov and Serra, arXiv:2006.00751, "Evaluation of CNN-based automatic music tagging models", and a
description of ShortChunkCNN_Res in github.com/minzwon/sota-music-tagging-models (MIT); no code of theirs is in it.
Convolutions have no bias, since the batch norm after each would take it away again.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from training.models.blocks import Blocks
from training.models.config import SHORT_CHUNK_FILTERS, scaled_filters

KERNEL = 3  # frames and mels
STRIDE = 2


@keras.saving.register_keras_serializable(package="tagscale")
class ImageWindows(keras.layers.Layer):
    """The windows of 3 x 3 at a stride of 2 over an image of one channel that is padded with a zero on each side.

    A convolution of the image is a product with its windows. CPUs compute the gradient of the product quickly, that of a
    one-channel convolution slowly.
    """

    def call(self, image: Any) -> Any:
        """Maps [batch, frames, mels] to [batch, frames / 2, mels / 2, 9], both rounded up."""
        frames, mels = (halved(size) for size in image.shape[1:])
        padded = ops.pad(image, [[0, 0], [1, 1], [1, 1]])
        ends = STRIDE * frames - 1, STRIDE * mels - 1
        windows = [
            padded[:, row : row + ends[0] : STRIDE, column : column + ends[1] : STRIDE]
            for row in range(KERNEL)
            for column in range(KERNEL)
        ]
        return ops.stack(windows, axis=-1)

    def compute_output_spec(self, image: Any) -> Any:
        sizes = (halved(size) for size in image.shape[1:])
        return keras.KerasTensor((image.shape[0], *sizes, KERNEL * KERNEL), image.dtype)


def halved(size: int) -> int:
    """Frames or mels that a block leaves of `size`."""
    return -(-size // STRIDE)


def short_chunk_blocks(logmel: Any, blocks: Blocks, *, num_filt: int) -> Any:
    """Adds the seven blocks to a functional model, and the maximum over what is left of time and frequency.

    Args:
        logmel: [batch, frames, mels]; as published 128 mels, and 231 frames of 256 samples.
        blocks: Makes the layers.
        num_filt: 16 as published; all filters grow and shrink with it.

    Returns:
        [batch, channels], as published 512.
    """
    dtype = blocks.dtype_policy
    image = blocks.scalar_batch_norm(logmel, name="input_norm")
    for number, published in enumerate(SHORT_CHUNK_FILTERS, start=1):
        filters, name = scaled_filters(published, num_filt), f"chunk{number}"
        if number == 1:
            image = ImageWindows(name="windows", dtype=dtype)(image)
            halving: dict[str, Any] = {"size": 1}
        else:
            image = keras.layers.ZeroPadding2D(1, name=f"{name}_padding", dtype=dtype)(image)
            halving = {"size": KERNEL, "strides": STRIDE}
        branch = blocks.linear_conv2d(image, filters, **halving, name=f"{name}_first_conv")
        branch = keras.layers.ReLU(name=f"{name}_first", dtype=dtype)(
            blocks.batch_norm(branch, name=f"{name}_first_norm")
        )
        branch = blocks.linear_conv2d(branch, filters, KERNEL, padding="same", name=f"{name}_second_conv")
        branch = blocks.batch_norm(branch, name=f"{name}_second_norm")
        straight = blocks.linear_conv2d(image, filters, **halving, name=f"{name}_shortcut_conv")
        straight = blocks.batch_norm(straight, name=f"{name}_shortcut_norm")
        image = keras.layers.Add(name=f"{name}_add", dtype=dtype)([straight, branch])
        image = keras.layers.ReLU(name=name, dtype=dtype)(image)
    return keras.layers.GlobalMaxPooling2D(name="max_over_time", dtype=dtype)(image)


def short_chunk_head(pooled: Any, blocks: Blocks, *, dense_units: int, tags: int, dropout: float) -> tuple[Any, Any]:
    """Adds the two dense layers.

    Args:
        pooled: [batch, channels].
        blocks: Makes the layers. It should use float32, as that of `pooled_head`.
        dense_units: Width of the embedding.
        tags: Width of the output.
        dropout: Share of units dropped before the last layer.

    Returns:
        Logits [batch, tags] and the embedding [batch, dense_units].
    """
    hidden = blocks.batch_norm(blocks.dense(pooled, dense_units, name="dense"), name="dense_norm")
    embedding = keras.layers.ReLU(name="embedding", dtype=blocks.dtype_policy)(hidden)
    return blocks.dense(blocks.dropout(embedding, dropout, name="embedding_dropout"), tags, name="logits"), embedding
