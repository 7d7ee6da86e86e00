"""Batch norm: the same numbers as Keras's, and the same bits in every run."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.models.normalization import BatchNorm


def _step(layer: keras.layers.Layer, inputs: tf.Tensor, upstream: tf.Tensor) -> list[tf.Tensor]:
    layer.build(inputs.shape)
    layer.gamma.assign(tf.linspace(-1.0, 2.0, layer.gamma.shape[0]))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    gradients = tape.gradient(outputs, [inputs, *layer.trainable_variables], output_gradients=upstream)
    return [outputs, *gradients, *layer.non_trainable_variables, layer(inputs)]


def _tensors(*shape: int) -> tuple[tf.Tensor, tf.Tensor]:
    generator = np.random.default_rng(0)
    return (
        tf.constant(generator.normal(3, 2, size=shape), tf.float32),
        tf.constant(generator.normal(size=shape), tf.float32),
    )


def test_outputs_gradients_and_statistics_are_those_of_keras() -> None:
    inputs, upstream = _tensors(5, 11, 8)
    ours, theirs = _step(BatchNorm(), inputs, upstream), _step(keras.layers.BatchNormalization(), inputs, upstream)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_the_scalar_kind_is_keras_over_an_axis_of_one() -> None:
    inputs, upstream = _tensors(5, 11, 8)
    ours = _step(BatchNorm(scalar=True), inputs, upstream)
    theirs = _step(keras.layers.BatchNormalization(), inputs[..., None], upstream[..., None])
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, np.reshape(other, mine.shape), rtol=1e-4, atol=1e-4)


def test_the_scalar_kind_evens_out_no_differences_between_channels() -> None:
    inputs = np.random.default_rng(0).normal(size=(64, 20, 2)).astype("float32") + np.float32([0, 10])
    assert np.abs(np.mean(BatchNorm()(inputs, training=True), axis=(0, 1))).max() < 1e-3
    means = np.mean(BatchNorm(scalar=True)(inputs, training=True), axis=(0, 1))
    assert means[1] - means[0] > 1.5
    assert abs(means.mean()) < 1e-3


def test_the_gradient_is_the_same_bits_every_time() -> None:
    inputs, upstream = _tensors(8, 6000, 64)  # large enough that operations overlap
    layer = BatchNorm()
    layer.build(inputs.shape)

    @tf.function
    def gradient() -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return tape.gradient(outputs, inputs, output_gradients=upstream)

    first = gradient().numpy()
    assert all(np.array_equal(first, gradient().numpy()) for _ in range(8))


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics() -> None:
    layer = BatchNorm()
    inputs, _ = _tensors(5, 11, 8)
    layer.build(inputs.shape)
    layer.trainable = False
    assert np.array_equal(layer(inputs, training=True), layer(inputs, training=False))
    assert not np.any(layer.moving_mean)


def test_half_precision_squares_do_not_overflow() -> None:
    layer = BatchNorm(dtype="mixed_float16")
    outputs = layer(tf.constant([[-1000.0], [1000.0]], tf.float16), training=True)
    assert outputs.dtype == tf.float16
    np.testing.assert_allclose(outputs, [[-1], [1]], rtol=1e-3)


def test_another_formula_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected axis=-1.*Received: axis=1"):
        BatchNorm(axis=1)
