"""Batch norm yields the same numbers as Keras's, and the same bits in every run."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.warm_commands import run_warm
from training.models import normalization
from training.models.normalization import BatchNorm


@pytest.fixture(params=["cpu", "gpu"])
def _as_on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a GPU, sums per channel and pooling are written differently; a CPU can compute that form too."""
    monkeypatch.setattr(normalization, "_on_cpu", lambda: request.param == "cpu")


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


@pytest.mark.usefixtures("_as_on")
def test_outputs_gradients_and_statistics_are_those_of_keras() -> None:
    inputs, upstream = _tensors(5, 11, 8)
    ours, theirs = _step(BatchNorm(), inputs, upstream), _step(keras.layers.BatchNormalization(), inputs, upstream)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("_as_on")
def test_the_scalar_kind_is_keras_over_an_axis_of_one() -> None:
    inputs, upstream = _tensors(5, 11, 8)
    ours = _step(BatchNorm(scalar=True), inputs, upstream)
    theirs = _step(keras.layers.BatchNormalization(), inputs[..., None], upstream[..., None])
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, np.reshape(other, mine.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("_as_on")
@pytest.mark.parametrize(("shape", "pool"), [((5, 11, 8), 3), ((3, 4, 6, 8), 6)])
def test_pooling_within_is_pooling_of_what_keras_yields(shape: tuple[int, ...], pool: int) -> None:
    inputs, _ = _tensors(*shape)
    window = (*(1 for _ in shape[1:-2]), pool)
    upstream = _tensors(*shape[:-2], shape[-2] // pool, 8)[1]
    pooling = {3: keras.layers.MaxPooling1D, 4: keras.layers.MaxPooling2D}[len(shape)](window)
    plain = keras.layers.BatchNormalization()
    plain.build(shape)
    plain.gamma.assign(tf.linspace(-1.0, 2.0, 8))  # some channels get a negative scale

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        expected = pooling(plain(inputs, training=True))
    gradients = tape.gradient(expected, [inputs, *plain.trainable_variables], output_gradients=upstream)
    theirs = [expected, *gradients, *plain.non_trainable_variables, pooling(plain(inputs))]
    layer = BatchNorm(pool=pool)
    ours = _step(layer, inputs, upstream)
    assert layer.compute_output_shape(shape) == tuple(expected.shape)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_on_a_cpu_pooling_and_its_gradient_stand_in_no_branch_of_a_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only outside such branches is oneDNN's gradient of pooling used, which takes a quarter of the time.
    monkeypatch.setattr(normalization, "_on_cpu", lambda: True)
    layer = BatchNorm(pool=3)
    inputs, _ = _tensors(2, 9, 4)
    layer.build(inputs.shape)

    @tf.function
    def gradient(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return tape.gradient(outputs, inputs)

    operations = [operation.type for operation in gradient.get_concrete_function(inputs).graph.get_operations()]
    assert operations.count("MaxPool") == operations.count("MaxPoolGrad") == 1


def test_statistics_of_many_numbers_are_exact_to_float32() -> None:
    inputs = np.random.default_rng(0).uniform(size=(2, 200_000, 3)).astype("float32") + np.float32(20)
    layer = BatchNorm(momentum=1e-9)  # keeps nothing of earlier statistics
    layer(inputs, training=True)
    np.testing.assert_allclose(layer.moving_mean, inputs.mean(axis=(0, 1), dtype="float64"), rtol=2e-6)
    np.testing.assert_allclose(layer.moving_variance, inputs.var(axis=(0, 1), dtype="float64"), rtol=1e-5)


def test_the_scalar_kind_evens_out_no_differences_between_channels() -> None:
    inputs = np.random.default_rng(0).normal(size=(64, 20, 2)).astype("float32") + np.float32([0, 10])
    assert np.abs(np.mean(BatchNorm()(inputs, training=True), axis=(0, 1))).max() < 1e-3
    means = np.mean(BatchNorm(scalar=True)(inputs, training=True), axis=(0, 1))
    assert means[1] - means[0] > 1.5
    assert abs(means.mean()) < 1e-3


def test_the_gradient_is_the_same_bits_every_time() -> None:
    inputs, upstream = _tensors(8, 6000, 64)  # large enough for operations to overlap
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
    with pytest.raises(ValueError, match=r"Expected pool .*Received: 0"):
        BatchNorm(pool=0)


SYNCHRONIZED = """
import numpy as np, tensorflow as tf, keras
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training.models.normalization import BatchNorm
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
generator = np.random.default_rng(0)
inputs, upstream = (generator.normal(2, 1, size=(7, 50, 4)).astype("float32") for _ in range(2))

def step(layer, inputs, upstream):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    return outputs, tape.gradient(outputs, [inputs, *layer.trainable_variables], output_gradients=upstream)

for scalar in (False, True):
    with strategy.scope():
        layer = BatchNorm(scalar=scalar, synchronized=True)
        layer.build((None, 50, 4))
    def part(values):  # of other sizes
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(values, [3])[context.replica_id_in_sync_group]))
    shared = tf.function(lambda a, b: strategy.run(step, args=(layer, a, b)))(part(inputs), part(upstream))
    local = tf.nest.map_structure(strategy.experimental_local_results, shared)
    alone = BatchNorm(scalar=scalar)
    alone.build((None, 50, 4))
    outputs, (of_inputs, *of_weights) = step(alone, tf.constant(inputs), tf.constant(upstream))
    np.testing.assert_allclose(np.concatenate(local[0]), outputs, atol=2e-5)
    np.testing.assert_allclose(np.concatenate(local[1][0]), of_inputs, rtol=1e-4, atol=1e-4)
    for mine, one in zip(local[1][1:], of_weights):
        np.testing.assert_allclose(sum(mine), one, rtol=1e-4, atol=1e-2)
    for mine, one in zip(layer.non_trainable_variables, alone.non_trainable_variables):
        np.testing.assert_allclose(mine.numpy(), one.numpy(), rtol=1e-5)
"""


@pytest.mark.slow
def test_synchronised_replicas_of_unlike_size_are_one_batch() -> None:
    run_warm(["-c", SYNCHRONIZED], check=True)
