"""Dropout as a function of (seed, layer, step, replica): a resumed run drops the same units as an uninterrupted one."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Distance between the keys of a layer's replicas. With keys below 2**30, up to 1,000 replicas fit 31 bits.
_REPLICA_STRIDE = 1_000_003


class StepSeed(keras.random.SeedGenerator):
    """A seed that follows from (key, step, replica) and never advances by itself.

    Keras's own generator counts its calls. A `tf.train` checkpoint does not hold the count, so a resumed run
    would silently draw other numbers. Here the training loop sets the step; nothing needs to be saved.

    The position is a variable, as in the parent, so that a compiled step reads it each time. Keras counts
    such variables neither as weights nor as parameters. Under a TensorFlow strategy each replica has its own
    copy.

    Args:
        key: Number in [0, 2**30), different for every layer.
    """

    def __init__(self, key: int, **kwargs: Any) -> None:
        if not 0 <= key < 2**30:
            raise ValueError(f"Expected key to be in [0, 2**30). Received: {key!r}")
        super().__init__(seed=0, **kwargs)  # the state starts as [0, 0]: replica 0, step 0
        self.key = key

    def set(self, step: Any, replica: Any) -> None:
        """Moves to a step and a replica: integers, or scalar integer tensors."""
        position = [ops.cast(value, self.state.dtype) for value in (replica, step)]
        self.state.assign(ops.stack(position))

    def next(self, ordered: bool = True) -> Any:
        """Returns the seed of the position, integer [2]. Keras chose the name; nothing advances."""
        del ordered
        position = ops.convert_to_tensor(self.state)
        stride = ops.cast(_REPLICA_STRIDE, self.state.dtype)
        return ops.stack([position[0] * stride + ops.cast(self.key, self.state.dtype), position[1]])

    def get_config(self) -> dict[str, Any]:
        return {"key": self.key, "name": self.name}


@keras.saving.register_keras_serializable(package="tagscale")
class StepDropout(keras.layers.Layer):
    """Dropout whose mask depends only on (key, step, replica, shape); the identity in inference.

    The same step gives the same mask however often the layer was called before, in any precision. The
    training loop must call `set_dropout_step` before each step; otherwise every step drops the same units.

    Args:
        rate: Share of the units dropped, in [0, 1). The others are scaled by ``1 / (1 - rate)``.
        key: Seed of this layer, in [0, 2**30), different for every layer of a model.

    Example:
        >>> layer = StepDropout(0.5, key=7)
        >>> layer.set_step(step=12, replica=0)
        >>> dropped = layer(features, training=True)
    """

    def __init__(self, rate: float, *, key: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"Expected rate to be in [0, 1). Received: {rate!r}")
        self.rate = rate
        self.key = key
        self.seed_generator = StepSeed(key)

    def set_step(self, step: Any, replica: Any = 0) -> None:
        """Sets the mask that the next calls draw, by integers or scalar integer tensors."""
        self.seed_generator.set(step, replica)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Maps [batch, …] to the same shape."""
        if not training or self.rate == 0:
            return inputs
        # The mask is drawn in float32 for any inputs: bfloat16 is coarse in [0, 1) and would give another mask.
        draws = keras.random.uniform(ops.shape(inputs), dtype="float32", seed=self.seed_generator)
        return ops.where(draws >= self.rate, inputs / (1 - self.rate), ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "key": self.key}


def set_dropout_step(model: keras.Model, step: Any, replica: Any = 0) -> None:
    """Sets the step that a model is about to take, which determines its dropout.

    Call it before each training step. It can be used in a `tf.function`, also in one that `strategy.run` calls:

        >>> replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        >>> set_dropout_step(model, step, replica)

    It assigns variables, so keep it out of code that XLA compiles. XLA may compile the model, but draws different
    masks from TensorFlow's for the same step: a run is resumed exactly only if it is compiled as before.

    Args:
        model: A model with `StepDropout` layers.
        step: The training step, counted over the whole run: an integer or a scalar integer tensor.
        replica: Number of the replica among those of all workers. Without it, all replicas drop the same units.

    Raises:
        ValueError: The model has no `StepDropout` layer, so the step would have no effect.
    """
    layers = [layer for layer in model.layers if isinstance(layer, StepDropout)]
    if not layers:
        raise ValueError(f"Expected a model with StepDropout layers. Received: {model.name} with none.")
    for layer in layers:
        layer.set_step(step, replica)
