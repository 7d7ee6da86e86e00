"""Convolutions of a log-mel image with one channel, with the batch norm of the image folded into their weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

BLOCK = 16  # frames that one product convolves over time; a longer block wastes more of the product on zeros


@keras.saving.register_keras_serializable(package="tagscale")
class ImageConv(keras.layers.Layer):
    """Convolves numbers * scale + shift, an image [batch, frames, mels] padded with zeros in time, then applies ReLU.

    The image is the model's input, of which no gradient is wanted. Computing numbers * scale + shift first would ask for
    one, the costliest third of a step. A convolution is linear: with scale multiplied into the kernel, only the shift is
    left, and it adds the same to every example, less at the edges, where the kernel reaches into the padding.

    A kernel that spans mels is convolved over time only, over windows of `height` mels as channels; one that spans none is a
    product with the kernel at each place of a block of frames. CPUs compute the gradient of one-channel convolutions slowly.

    Args:
        filters: Channels of the output.
        size: Frames and mels that the kernel spans.
        pad_mels: Pad with zeros in frequency too, so that there are as many positions as mels.
        kernel_initializer: Initializer of the kernel [frames, mels, filters].
        kernel_regularizer: Regularizer of the kernel as it is trained, without the scale.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        filters: int,
        size: tuple[int, int],
        *,
        pad_mels: bool = False,
        kernel_initializer: Any,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        # Scale and shift arrive in float32 and stay so until they are folded into the kernel.
        super().__init__(autocast=False, **kwargs)
        self.filters = filters
        self.width, self.height = size
        self.pad_mels = pad_mels
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[tuple[int | None, ...], ...]) -> None:
        del input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.width, self.height, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            autocast=False,
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", autocast=False)

    def call(self, inputs: tuple[Any, Any, Any]) -> Any:
        """Maps numbers [batch, frames, mels], scale and shift [1] to [batch, frames, positions, filters]."""
        numbers, scale, shift = inputs
        taps = ops.reshape(self.kernel, (-1, self.filters))
        scaled, shifted = _folded(taps, scale, shift)
        kernel = ops.reshape(ops.cast(scaled, numbers.dtype), self.kernel.shape)
        offset = ops.cast(self._summed_over_image(shifted, *numbers.shape[1:]) + self.bias, numbers.dtype)
        convolve = self._over_time if self.height == 1 else self._over_windows
        return ops.relu(ops.add(convolve(numbers, kernel), offset))

    def compute_output_shape(self, input_shape: tuple[tuple[int | None, ...], ...]) -> tuple[int | None, ...]:
        batch, frames, mels = input_shape[0]
        return (batch, frames, None if mels is None else self._positions(mels), self.filters)

    def compute_output_spec(self, inputs: tuple[Any, Any, Any]) -> Any:
        return keras.KerasTensor(self.compute_output_shape(tuple(each.shape for each in inputs)), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": (self.width, self.height),
            "pad_mels": self.pad_mels,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    def _positions(self, mels: int) -> int:
        return mels if self.pad_mels else mels - self.height + 1

    def _over_windows(self, numbers: Any, kernel: Any) -> Any:
        if self.pad_mels:
            numbers = ops.pad(numbers, [[0, 0], [0, 0], list(_padding(self.height))])
        positions = numbers.shape[2] - self.height + 1
        windows = ops.stack([numbers[:, :, low : low + self.height] for low in range(positions)], axis=2)
        return ops.conv(windows, kernel[:, None], padding="same", data_format="channels_last")

    def _over_time(self, numbers: Any, kernel: Any) -> Any:
        frames, mels = numbers.shape[1:]
        blocks, seen = -(-frames // BLOCK), BLOCK + self.width - 1
        before, after = _padding(self.width)
        padded = ops.pad(numbers, [[0, 0], [before, after + blocks * BLOCK - frames], [0, 0]])
        pieces = ops.stack([padded[:, first * BLOCK : first * BLOCK + seen] for first in range(blocks)], axis=1)
        # The kernel at each place of a block: cutting repeats of it one row short moves each one row further.
        rows = ops.pad(kernel[:, 0], [[0, BLOCK], [0, 0]])
        places = ops.reshape(ops.tile(rows, (BLOCK, 1))[: BLOCK * seen], (BLOCK, seen, self.filters))
        product = ops.reshape(ops.transpose(places, (1, 0, 2)), (seen, BLOCK * self.filters))
        outputs = ops.matmul(ops.transpose(pieces, (0, 1, 3, 2)), product)
        outputs = ops.transpose(ops.reshape(outputs, (-1, blocks, mels, BLOCK, self.filters)), (0, 1, 3, 2, 4))
        return ops.reshape(outputs, (-1, blocks * BLOCK, mels, self.filters))[:, :frames]

    def _summed_over_image(self, taps: Any, frames: int, mels: int) -> Any:
        """What a kernel [frames * mels, filters] gives for an image of ones: [frames, positions or 1, filters]."""
        rows = ops.convert_to_tensor(_inside(frames, self.width))
        columns = ops.convert_to_tensor(
            _inside(mels, self.height) if self.pad_mels else np.ones((1, self.height), np.float32)
        )
        over_time = ops.matmul(rows, ops.reshape(taps, (self.width, -1)))
        return ops.matmul(columns, ops.reshape(over_time, (frames, self.height, self.filters)))


def _padding(size: int) -> tuple[int, int]:
    """Zeros before and after an axis such that a kernel of `size` leaves its length."""
    return (size - 1) // 2, size - 1 - (size - 1) // 2


def _inside(length: int, size: int) -> Any:
    """1 where a kernel at a position lies on the axis, 0 where it reaches into the padding: float32 [length, size]."""
    places = np.arange(length)[:, None] + np.arange(size) - _padding(size)[0]
    return ((places >= 0) & (places < length)).astype(np.float32)


@ops.custom_gradient  # type: ignore[misc]
def _folded(taps: Any, scale: Any, shift: Any) -> Any:
    """A kernel [frames * mels, filters] times the scale, and times the shift.

    The gradient is written out so that no tensor is used more than twice: see `BatchNorm`.
    """

    def gradient(of_scaled: Any, of_shifted: Any) -> Any:
        of_taps = of_scaled * scale + of_shifted * shift
        of_scale, of_shift = (ops.reshape(ops.sum(each * taps), (1,)) for each in (of_scaled, of_shifted))
        return of_taps, of_scale, of_shift

    return (taps * scale, taps * shift), gradient
