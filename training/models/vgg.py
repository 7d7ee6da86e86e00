"""The VGG of musicnn's authors: five blocks of small square convolutions, their baseline without musical knowledge.

After Choi et al., arXiv:1606.00298, as Pons and Serra published it with musicnn, and a description of the graph in
github.com/jordipons/musicnn (ISC); no code of theirs is in it.
"""

from __future__ import annotations

from typing import Any

import keras

from training.models.blocks import Blocks
from training.models.config import VGG_FILTERS, VGG_POOLS, scaled_filters

KERNEL = (3, 3)  # frames and mels


def vgg_blocks(logmel: Any, blocks: Blocks, *, num_filt: int, dropout: float) -> Any:
    """Adds the five blocks to a functional model: a convolution, batch norm, a maximum over neighbours, dropout.

    Args:
        logmel: [batch, frames, mels], at least 66 and 63.
        blocks: Makes the layers.
        num_filt: 16 as published; all filters grow and shrink with it.
        dropout: Share of units dropped after each block but the last.

    Returns:
        [batch, features]: what the last pool leaves, as published 256 for 3 s. Unlike musicnn, it grows with the patch.
    """
    dtype = blocks.dtype_policy
    filters = scaled_filters(VGG_FILTERS, num_filt)
    image = blocks.image_conv(
        blocks.deferred_batch_norm(logmel, name="input_norm", scalar=True),
        filters,
        KERNEL,
        pad_mels=True,
        name="vgg1_conv",
    )
    for number, (size, strides) in enumerate(VGG_POOLS, start=1):
        if number > 1:
            image = blocks.dropout(image, dropout, name=f"vgg{number - 1}_dropout")
            image = blocks.conv2d(image, filters, KERNEL, padding="same", name=f"vgg{number}_conv")
        image = blocks.batch_norm(image, name=f"vgg{number}_norm")
        image = keras.layers.MaxPooling2D(size, strides=strides, name=f"vgg{number}", dtype=dtype)(image)
    return keras.layers.Flatten(name="flat", dtype=dtype)(image)


def vgg_head(flat: Any, blocks: Blocks, *, tags: int, dropout: float) -> tuple[Any, Any]:
    """Adds the only dense layer.

    Args:
        flat: [batch, features].
        blocks: Makes the layers. It should use float32, as that of `pooled_head`.
        tags: Width of the output.
        dropout: Share of units dropped before the dense layer.

    Returns:
        Logits [batch, tags] and the embedding [batch, features], which is what the dense layer reads.
    """
    embedding = keras.layers.Identity(name="embedding", dtype=blocks.dtype_policy)(flat)
    return blocks.dense(blocks.dropout(embedding, dropout, name="embedding_dropout"), tags, name="logits"), embedding
