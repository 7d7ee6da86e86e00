"""Batch norm whose gradient is the same bits in every run, with a mean per channel or one for all."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tagscale")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras's batch norm over [batch, …, channels], computed from centred values.

    Keras uses its input in three places, so that the gradient is a sum of three terms. TensorFlow adds three
    or more tensors in the order in which their memory comes free, which differs between runs where
    operations run side by side, whatever `enable_op_determinism` says. Here no tensor is used more than
    twice, and a + b is b + a. The numbers and the cost are the same. Synchronised statistics go Keras's way,
    without that promise.

    Args:
        scalar: Average over the channels too, so that gamma, beta, mean and variance have one entry each. The
            authors of arXiv:1711.02520 keep the channels of their back-end on an axis other than the last and
            normalise over the last, which is 1 wide. The published parameter counts include that.
        **kwargs: Those of `keras.layers.BatchNormalization`, except for what asks for another formula:
            `axis`, `renorm`, and masks.
    """

    def __init__(self, *, scalar: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.axis != -1 or self.renorm or not (self.center and self.scale):
            raise ValueError(
                "Expected axis=-1, center=True, scale=True and no renorm. "
                f"Received: axis={self.axis}, center={self.center}, scale={self.scale}, renorm={self.renorm}"
            )
        self.scalar = scalar

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build((*input_shape, 1) if self.scalar else input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Maps [batch, …, channels] to the same shape; moves the moving statistics if `training`."""
        if self.scalar:
            inputs = ops.expand_dims(inputs, -1)
        if training and self.trainable and not self.synchronized:
            outputs = self._normalise(inputs)
        else:
            outputs = super().call(inputs, training=training)
        return ops.squeeze(outputs, -1) if self.scalar else outputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scalar": self.scalar}

    def _normalise(self, inputs: Any) -> Any:
        inputs = ops.cast(inputs, "float32")  # half precision overflows in the squares
        axes = tuple(range(len(inputs.shape) - 1))
        mean = ops.mean(inputs, axis=axes)
        centred = inputs - mean
        variance = ops.mean(ops.square(centred), axis=axes)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        outputs = centred * (self.gamma * ops.rsqrt(variance + self.epsilon)) + self.beta
        return ops.cast(outputs, self.compute_dtype)
