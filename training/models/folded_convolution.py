"""A convolution that folds the preceding batch norm into its weights, and so reads each number one time fewer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tagscale")
class FoldedConv1D(keras.layers.Layer):
    """Convolves numbers * scale + shift over time without computing them, then applies ReLU.

    A convolution is linear and, without padding, sees `shift` at every tap: multiplying its kernel by the scale of
    each channel, and adding the sum of the shifts to its bias, gives the same function. The passes over [batch, steps,
    channels] that normalising needs, forward and backward, become passes over the kernel. Weights, their names and
    their initial values are those of `keras.layers.Conv1D` on the normalised numbers.

    Args:
        filters: Channels of the output.
        width: Taps of the kernel.
        kernel_initializer: Initializer of the kernel [width, channels, filters].
        kernel_regularizer: Regularizer of the kernel as it is trained, without the scale.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self, filters: int, width: int, *, kernel_initializer: Any, kernel_regularizer: Any = None, **kwargs: Any
    ) -> None:
        # Scale and shift arrive in float32 and stay so until they are folded into the kernel.
        super().__init__(autocast=False, **kwargs)
        self.filters = filters
        self.width = width
        self.activation = keras.activations.relu
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[tuple[int | None, ...], ...]) -> None:
        channels = input_shape[0][-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.width, channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            autocast=False,
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", autocast=False)

    def call(self, inputs: tuple[Any, Any, Any]) -> Any:
        """Maps numbers [batch, steps, channels], scale and shift [channels] to [batch, steps - width + 1, filters]."""
        numbers, scale, shift = inputs
        rows = ops.concatenate([ops.reshape(self.kernel, (-1, self.filters)), self.bias[None]])
        rows = ops.cast(_folded(rows, scale, shift), numbers.dtype)
        kernel = ops.reshape(rows[:-1], self.kernel.shape)
        outputs = ops.conv(numbers, kernel, padding="valid", data_format="channels_last")
        return self.activation(ops.add(outputs, rows[-1]))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "width": self.width,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@ops.custom_gradient  # type: ignore[misc]
def _folded(rows: Any, scale: Any, shift: Any) -> Any:
    """Maps a kernel's rows [width * channels, filters], with the bias as a last row, to those of the folded convolution.

    The gradient is written out so that no tensor is used more than twice: see `BatchNorm`.
    """
    width = rows.shape[0] // scale.shape[0]
    scales, shifts = ops.tile(scale, width)[:, None], ops.tile(shift, width)[:, None]
    kernel, bias = rows[:-1], rows[-1]
    folded = ops.concatenate([kernel * scales, (bias + ops.sum(kernel * shifts, axis=0))[None]])

    def gradient(upstream: Any) -> Any:
        of_kernel, of_bias = upstream[:-1], upstream[-1]
        of_rows = ops.concatenate([of_kernel * scales + shifts * of_bias, of_bias[None]])
        return of_rows, _per_channel(kernel * of_kernel, width), _per_channel(kernel * of_bias, width)

    return folded, gradient


def _per_channel(values: Any, width: int) -> Any:
    """Sums [width * channels, filters] to [channels]."""
    return ops.sum(ops.reshape(ops.sum(values, axis=1), (width, -1)), axis=0)
