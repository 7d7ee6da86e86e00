"""Bring the input to mean 0 and deviation 1 with statistics that are set once and neither learned nor updated."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

LEAST_DEVIATION = 1e-3  # for a band that is always silent


@keras.saving.register_keras_serializable(package="tagscale")
class InputNormalization(keras.layers.Layer):
    """Subtracts a mean and divides by a deviation, per mel band or for a whole waveform.

    Both are weights that no step changes, so that they are saved with the model in checkpoints and SavedModels.
    Before `set_statistics` they are 0 and 1, which changes nothing.

    Args:
        bands: Mel bands, the last axis of the input; 1 for a waveform, whose samples are all treated alike.
    """

    def __init__(self, *, bands: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **{name: value for name, value in kwargs.items() if name != "dtype"})
        self.bands = bands

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        del input_shape
        self.mean = self.add_weight(shape=(self.bands,), initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=(self.bands,), initializer="ones", trainable=False, name="deviation")

    def set_statistics(self, mean: Any, deviation: Any) -> None:
        """Takes the mean and the deviation of each band, float32 [bands]."""
        self.mean.assign(mean)
        self.deviation.assign(ops.maximum(ops.convert_to_tensor(deviation, "float32"), LEAST_DEVIATION))

    def call(self, inputs: Any) -> Any:
        """Maps [batch, frames, mels] or [batch, samples] to the same shape."""
        return (inputs - self.mean) / self.deviation

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bands": self.bands}
