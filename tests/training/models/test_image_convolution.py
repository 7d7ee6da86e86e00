"""A convolution that folds the batch norm of the image into its weights yields the same as the two layers in turn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.models.fork import Fork
from training.models.image_convolution import BLOCK, ImageConv
from training.models.normalization import BatchNorm

FRAMES, MELS, FILTERS = 2 * BLOCK + 5, 9, 4
# Frames and mels of a kernel, and whether mels are padded: over windows, over time alone, and in a square.
KINDS = [((7, 4), False), ((6, 1), False), ((3, 3), True)]


def _numbers() -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(1, 2, size=(3, FRAMES, MELS)), tf.float32)


def _layers(size: tuple[int, int], pad_mels: bool) -> tuple[BatchNorm, ImageConv]:
    norm = BatchNorm(scalar=True, deferred=True)
    convolution = ImageConv(FILTERS, size, pad_mels=pad_mels, kernel_initializer="he_normal")
    convolution(norm(_numbers()))
    generator = np.random.default_rng(0)
    for weight in (*norm.trainable_variables, *convolution.trainable_variables):
        weight.assign(generator.normal(size=weight.shape))
    return norm, convolution


def _plain(norm: BatchNorm, convolution: ImageConv, numbers: tf.Tensor) -> tf.Tensor:
    """Normalise, pad with zeros, and slide the kernel over the image, as the published graphs do."""
    image = numbers[..., tf.newaxis]
    mean, variance = tf.nn.moments(image, [0, 1, 2])
    image = tf.nn.batch_normalization(image, mean, variance, norm.beta.value, norm.gamma.value, norm.epsilon)
    width, height = convolution.width, convolution.height
    before = ((width - 1) // 2, (height - 1) // 2 if convolution.pad_mels else 0)
    after = (width - 1 - before[0], height - 1 - before[1] if convolution.pad_mels else 0)
    image = tf.pad(image, [[0, 0], *zip(before, after, strict=True), [0, 0]])
    outputs = tf.nn.conv2d(image, convolution.kernel.value[:, :, tf.newaxis], 1, "VALID")
    return tf.nn.relu(outputs + convolution.bias.value)


@pytest.mark.parametrize(("size", "pad_mels"), KINDS, ids=str)
def test_outputs_and_gradients_are_those_of_the_two_layers_in_turn(size: tuple[int, int], pad_mels: bool) -> None:
    norm, convolution = _layers(size, pad_mels)
    weights = [*norm.trainable_variables, *convolution.trainable_variables]
    found: list[list[Any]] = []
    for outputs_of in (
        lambda: convolution(norm(_numbers(), training=True)),
        lambda: _plain(norm, convolution, _numbers()),
    ):
        with tf.GradientTape() as tape:
            outputs = outputs_of()
            slopes = tf.reshape(tf.cast(tf.range(tf.size(outputs)) % 7, tf.float32) - 2, outputs.shape)
            loss = tf.reduce_sum(outputs * slopes)
        found.append([outputs, *tape.gradient(loss, [weight.value for weight in weights])])
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-3, atol=1e-4 * np.abs(plain).max())


def test_half_precision_reaches_the_convolution_alone() -> None:
    exact_norm, exact = _layers((7, 4), False)
    half = ImageConv(FILTERS, (7, 4), kernel_initializer="he_normal", dtype="mixed_bfloat16")
    numbers, scale, shift = exact_norm(_numbers())
    half((tf.cast(numbers, tf.bfloat16), scale, shift))
    half.set_weights(exact.get_weights())
    outputs = half((tf.cast(numbers, tf.bfloat16), scale, shift))
    assert (outputs.dtype, half.kernel.dtype) == (tf.bfloat16, "float32")
    expected = exact((numbers, scale, shift))
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.02 * float(tf.reduce_max(expected)))


def test_a_model_with_forks_survives_its_configuration() -> None:
    inputs = keras.Input((FRAMES, MELS))
    numbers, scale, shift = BatchNorm(scalar=True, deferred=True)(inputs)
    scales, shifts = Fork(3)(scale), Fork(3)(shift)
    outputs = [
        ImageConv(FILTERS, size, pad_mels=pad_mels, kernel_initializer="he_normal")((numbers, *each))
        for (size, pad_mels), *each in zip(KINDS, scales, shifts, strict=True)
    ]
    model = keras.Model(inputs, outputs)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert [output.shape[1:] for output in model.outputs] == [(FRAMES, 6, 4), (FRAMES, 9, 4), (FRAMES, 9, 4)]
    for first, second in zip(model(_numbers()), again(_numbers()), strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_gradients_of_a_forks_copies_are_summed() -> None:
    value = tf.Variable([1.0, -2.0])
    with tf.GradientTape() as tape:
        first, second, third = Fork(3)(tf.identity(value))
        loss = tf.reduce_sum(first * 2 + second * second + third)
    np.testing.assert_allclose(tape.gradient(loss, value), [2 + 2 * 1 + 1, 2 + 2 * -2 + 1])
