"""A convolution that folds the batch norm before it into its weights yields the same as the two layers in turn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.models.folded_convolution import FoldedConv1D
from training.models.normalization import BatchNorm

SHAPE, FILTERS, WIDTH = (4, 30, 6), 5, 3


def _apart(dtype: str = "float32") -> tuple[BatchNorm, keras.layers.Conv1D]:
    """A batch norm and a convolution whose weights differ from their initial ones."""
    generator = np.random.default_rng(0)
    norm, convolution = BatchNorm(dtype=dtype), keras.layers.Conv1D(FILTERS, WIDTH, activation="relu", dtype=dtype)
    norm.build(SHAPE)
    convolution.build(SHAPE)
    for weight in (*norm.trainable_variables, *convolution.trainable_variables):
        weight.assign(generator.normal(size=weight.shape))
    return norm, convolution


def _together(norm: BatchNorm, convolution: keras.layers.Conv1D, pool: int = 1) -> tuple[BatchNorm, FoldedConv1D]:
    """The layers that share the work, with the same weights."""
    dtype = norm.dtype_policy
    deferred = BatchNorm(deferred=True, pool=pool, dtype=dtype)
    folded = FoldedConv1D(FILTERS, WIDTH, kernel_initializer="he_normal", dtype=dtype)
    deferred.build(SHAPE)
    folded.build((SHAPE, SHAPE[-1:], SHAPE[-1:]))
    deferred.set_weights(norm.get_weights())
    folded.set_weights(convolution.get_weights())
    return deferred, folded


def _step(norm: Any, convolution: Any, inputs: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = convolution(norm(inputs, training=True))
        loss = tf.reduce_sum(outputs * tf.cast(tf.reshape(tf.range(tf.size(outputs)), outputs.shape), outputs.dtype))
    gradients = tape.gradient(loss, [inputs, *norm.trainable_variables, *convolution.trainable_variables])
    return [outputs, *gradients, convolution(norm(inputs))]


def _inputs(dtype: str = "float32") -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(1, 2, size=SHAPE), dtype)


def test_outputs_and_gradients_are_those_of_the_two_layers_in_turn() -> None:
    norm, convolution = _apart()
    deferred, folded = _together(norm, convolution)  # before a step moves the statistics
    for ours, theirs in zip(_step(deferred, folded, _inputs()), _step(norm, convolution, _inputs()), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_pooling_comes_before_the_convolution() -> None:
    norm, convolution = _apart()
    deferred, folded = _together(norm, convolution, pool=3)
    pooled = BatchNorm(pool=3)
    pooled.build(SHAPE)
    pooled.set_weights(norm.get_weights())
    np.testing.assert_allclose(folded(deferred(_inputs())), convolution(pooled(_inputs())), rtol=1e-4, atol=1e-4)


def test_half_precision_reaches_the_convolution_alone() -> None:
    norm, convolution = _apart("mixed_bfloat16")
    deferred, folded = _together(norm, convolution)
    numbers, scale, shift = deferred(_inputs("bfloat16"))
    assert (numbers.dtype, scale.dtype, shift.dtype) == (tf.bfloat16, tf.float32, tf.float32)
    assert folded.kernel.dtype == "float32"
    outputs = folded((numbers, scale, shift))
    assert outputs.dtype == tf.bfloat16
    exact, exact_convolution = _apart()
    expected = exact_convolution(exact(tf.cast(_inputs("bfloat16"), tf.float32)))
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.02 * float(tf.reduce_max(expected)))


def test_its_first_weights_are_those_of_a_convolution() -> None:
    initializer = keras.initializers.HeNormal(seed=3)
    folded = FoldedConv1D(FILTERS, WIDTH, kernel_initializer=initializer)
    folded.build((SHAPE, SHAPE[-1:], SHAPE[-1:]))
    convolution = keras.layers.Conv1D(FILTERS, WIDTH, kernel_initializer=keras.initializers.HeNormal(seed=3))
    convolution.build(SHAPE)
    for ours, theirs in zip(folded.get_weights(), convolution.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_weight_decay_is_that_of_the_kernel_without_the_scale() -> None:
    folded = FoldedConv1D(FILTERS, WIDTH, kernel_initializer="he_normal", kernel_regularizer=keras.regularizers.L2(0.5))
    inputs = (_inputs(), tf.fill((6,), 100.0), tf.zeros(6))
    folded(inputs)
    assert float(folded.losses[0]) == pytest.approx(0.5 * float(tf.reduce_sum(tf.square(folded.kernel))), rel=1e-6)


def test_a_model_of_both_survives_its_configuration() -> None:
    inputs = keras.Input(SHAPE[1:])
    deferred = BatchNorm(deferred=True, pool=2)(inputs)
    model = keras.Model(inputs, FoldedConv1D(FILTERS, WIDTH, kernel_initializer="he_normal")(deferred))
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert model.output.shape == (None, 13, FILTERS)
    np.testing.assert_array_equal(model(_inputs()), again(_inputs()))
