"""Give several layers the same numbers, with a gradient that is summed in a fixed order."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tagscale")
class Fork(keras.layers.Layer):
    """Returns its input several times.

    TensorFlow adds the gradients of three or more readers in an order that differs between runs: see `BatchNorm`. Here they
    are summed over an axis of one tensor, so that each copy may be read once, or twice.

    Args:
        copies: How many to return.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, copies: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.copies = copies

    def call(self, inputs: Any) -> Any:
        """Maps any tensor to a tuple of `copies` of it."""

        @ops.custom_gradient  # type: ignore[misc]
        def forked(inputs: Any) -> Any:
            return (inputs,) * self.copies, lambda *upstream: ops.sum(ops.stack(upstream), axis=0)

        return forked(inputs)

    def compute_output_spec(self, inputs: Any) -> Any:
        return tuple(keras.KerasTensor(inputs.shape, inputs.dtype) for _ in range(self.copies))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "copies": self.copies}
