"""A plain tagger as a function with its weights as constants, which converters keep where they are used."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


class FrozenTagger:
    """What `PortableTagger` needs of a tagger, with constants in place of variables.

    In the body of a loop, variables become inputs of the loop; onnxruntime then brings them into the order that it
    computes with again for each patch, which took eight times as long as the patch itself.

    Args:
        plain: a tagger from `training.models.plain_layers.in_plain_layers`.

    Attributes:
        tags: number of scores.
        embedding: number of values of the embedding.
    """

    def __init__(self, plain: keras.Model) -> None:
        patches = tf.TensorSpec([None, *plain.inputs[0].shape[1:]], tf.float32)
        concrete = tf.function(lambda patches: plain(patches, training=False)).get_concrete_function(patches)
        self._names = sorted(concrete.structured_outputs)
        self._frozen = convert_variables_to_constants_v2(concrete)
        self.patch_shape: tuple[int, ...] = tuple(plain.inputs[0].shape[1:])
        self.tags, self.embedding = (int(plain.output[name].shape[-1]) for name in ("scores", "embedding"))

    def __call__(self, patches: Any) -> dict[str, Any]:
        """`scores` and `embedding` of patches, float32 [batch, patch(, mels)]."""
        return dict(zip(self._names, self._frozen(patches), strict=True))
