"""Batch norm with bit-for-bit repeatable gradients, with one mean per channel or one for all, and built-in pooling."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tagscale")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras's batch norm over [batch, …, channels], with the gradient of its statistics written out.

    Keras uses its input in three places, so that the gradient is a sum of three terms. TensorFlow adds three
    or more tensors in the order in which their memory becomes free, which differs between runs if operations
    run side by side, even with `enable_op_determinism`. Here no tensor is used more than twice, and a + b is
    b + a. The numbers are the same; the gradient takes fewer passes over memory.

    Synchronised statistics come from the same two passes, the second over centred values: replicas exchange
    sums per channel, weighted by how much each has seen. Keras reduces over replicas only with TensorFlow.

    Args:
        scalar: Average over the channels too, so that gamma, beta, mean and variance have one entry each. The
            authors of arXiv:1711.02520 keep the channels of their back-end on an axis other than the last and
            normalise over the last, which is 1 wide. The published parameter counts include that.
        pool: Return the maximum of this many neighbours on the last axis but one, without overlap; a remainder
            is dropped. Per channel, batch norm keeps or reverses the order of numbers, so the maximum of its
            outputs is its output for the largest or the smallest number, and fewer numbers are normalised.
        deferred: Return a tuple of the pooled numbers and the scale and the shift, float32 [channels], by which
            a `FoldedConv1D` should multiply and move them.
        **kwargs: Arguments of `keras.layers.BatchNormalization`, except those that need a different formula:
            `axis`, `renorm`, and masks.
    """

    def __init__(self, *, scalar: bool = False, pool: int = 1, deferred: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.axis != -1 or self.renorm or not (self.center and self.scale):
            raise ValueError(
                "Expected axis=-1, center=True, scale=True and no renorm. "
                f"Received: axis={self.axis}, center={self.center}, scale={self.scale}, renorm={self.renorm}"
            )
        if pool < 1:
            raise ValueError(f"Expected pool to be at least 1. Received: {pool!r}")
        self.scalar = scalar
        self.pool = pool
        self.deferred = deferred

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build((*input_shape, 1) if self.scalar else input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Maps [batch, …, channels] to the same shape, or fewer neighbours; updates the moving statistics if `training`."""
        if training and self.trainable:
            mean, variance = ops.unstack(self._statistics(inputs))
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        else:
            mean, variance = ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(self.moving_variance)
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        shift = self.beta - mean * scale
        numbers = inputs if self.pool == 1 else self._extreme(inputs)
        return (numbers, scale, shift) if self.deferred else _scaled(numbers, scale, shift)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        *outer, neighbours, channels = input_shape
        return (*outer, neighbours // self.pool if neighbours else neighbours, channels)

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        numbers = keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
        if not self.deferred:
            return numbers
        return (numbers, *(keras.KerasTensor(self.gamma.shape, self.variable_dtype) for _ in range(2)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scalar": self.scalar, "pool": self.pool, "deferred": self.deferred}

    def _extreme(self, inputs: Any) -> Any:
        """The largest of neighbours in channels with a positive gamma, the smallest in the others.

        Gamma starts at 1 and seldom falls below 0, so two passes over memory are nearly always saved.
        """
        window = (*(1 for _ in inputs.shape[1:-2]), self.pool)
        turning = ops.any(self.gamma < 0)
        signs = ops.cast(ops.where(self.gamma < 0, -1.0, 1.0), inputs.dtype)

        def pooled(numbers: Any) -> Any:
            # Strides are given because Keras's own default fails on JAX for a single dimension.
            return ops.max_pool(numbers, window, strides=window)

        def turned(numbers: Any) -> Any:
            return ops.cond(turning, lambda: numbers * signs, lambda: numbers)

        if _on_cpu():
            # On a CPU TensorFlow has a gradient of pooling that takes a quarter of the time, but not inside a condition.
            return turned(pooled(turned(inputs)))
        return ops.cond(turning, lambda: pooled(inputs * signs) * signs, lambda: pooled(inputs))

    def _statistics(self, inputs: Any) -> Any:
        """Mean and variance of the batch, float32 [2, channels], or [2, 1] for the scalar kind."""
        entries = self.gamma.shape[0]

        @ops.custom_gradient  # type: ignore[misc]
        def statistics(inputs: Any) -> Any:
            values = ops.cast(inputs, "float32")  # half precision overflows in the squares
            count = ops.cast(ops.size(values) // entries, "float32")
            sums = self._over_replicas(ops.append(_sums(values, entries), count))
            mean, count = sums[:-1] / sums[-1], sums[-1]
            variance = self._over_replicas(_sums(ops.square(values - mean), entries)) / count

            def gradient(upstream: Any) -> Any:
                of_mean, of_variance = ops.unstack(self._over_replicas(upstream) / count)
                slope = 2 * of_variance
                offset = of_mean - slope * mean
                return inputs * ops.cast(slope, inputs.dtype) + ops.cast(offset, inputs.dtype)

            return ops.stack([mean, variance]), gradient

        return statistics(inputs)

    def _over_replicas(self, values: Any) -> Any:
        """The mean over all replicas if statistics are synchronised, otherwise the values themselves."""
        if not self.synchronized:
            return values
        mean, _ = ops.moments(values[None], axes=(0,), synchronized=True)
        return mean


@ops.custom_gradient  # type: ignore[misc]
def _scaled(inputs: Any, scale: Any, shift: Any) -> Any:
    """Maps [batch, …, channels] to inputs * scale + shift, computed in float32."""
    outputs = ops.cast(ops.cast(inputs, "float32") * scale + shift, inputs.dtype)

    def gradient(upstream: Any) -> Any:
        entries = scale.shape[0]
        exact = ops.cast(upstream, "float32")
        of_scale = _sums(exact * ops.cast(inputs, "float32"), entries)
        return upstream * ops.cast(scale, inputs.dtype), of_scale, _sums(exact, entries)

    return outputs, gradient


def _sums(values: Any, entries: int) -> Any:
    """Sums a float32 [batch, …, channels] over all but the channels, or over those too if there is only one entry.

    On a CPU a product with ones takes a third of the time of a sum over an axis that is not the last, and since it
    works example by example its rounding error is a tenth. A GPU would round the factors to TF32, and take longer.
    """
    if _on_cpu():
        rows = ops.reshape(values, (ops.shape(values)[0], -1, values.shape[-1]))
        sums = ops.sum(ops.matmul(ops.ones((1, ops.shape(rows)[1])), rows), axis=(0, 1))
    else:
        sums = ops.sum(values, axis=tuple(range(len(values.shape) - 1)))
    return ops.sum(sums, keepdims=True) if entries == 1 else sums


@functools.cache
def _on_cpu() -> bool:
    """Whether there is no GPU or TPU. Keras lists the devices it would compute on: these if any, otherwise the CPU."""
    first: str = keras.distribution.list_devices()[0]
    return first.startswith("cpu")
