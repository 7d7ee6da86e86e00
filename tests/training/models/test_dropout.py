"""Dropout depends on (seed, layer, step, replica) and on nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.warm_commands import run_warm
from training.models.dropout import StepDropout, StepSeed, set_dropout_step

ONES = np.ones((8, 100), "float32")

TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training.models.tagger import ModelConfig, build_tagger, set_dropout_step
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = build_tagger(ModelConfig("spectrogram", num_filt=1, dense_units=100), tags=5, patch=8)
head = model.get_layer("embedding_dropout")

@tf.function
def masks(step):
    def replica_step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        set_dropout_step(model, step, replica)
        return head(tf.ones((4, 100)), training=True)
    return strategy.experimental_local_results(strategy.run(replica_step))

first, again, other = (np.stack(masks(tf.constant(step))) for step in (5, 5, 6))
assert first.shape == (2, 4, 100)
assert np.array_equal(first, again)
assert not np.array_equal(first[0], first[1]) and not np.array_equal(first, other)
# A single process that plays either replica draws the same.
alone = build_tagger(ModelConfig("spectrogram", num_filt=1, dense_units=100), tags=5, patch=8)
for replica in range(2):
    set_dropout_step(alone, 5, replica)
    mask = alone.get_layer("embedding_dropout")(tf.ones((4, 100)), training=True)
    assert np.array_equal(mask, first[replica])
"""


def _mask(layer: StepDropout, step: int, replica: int = 0) -> np.ndarray:
    layer.set_step(step, replica)
    return np.asarray(layer(ONES, training=True))


def test_the_same_step_gives_the_same_mask_however_often_it_was_called() -> None:
    layer = StepDropout(0.5, key=7)
    first = _mask(layer, 12)
    assert np.array_equal(first, layer(ONES, training=True))
    assert not np.array_equal(first, _mask(layer, 13))
    assert np.array_equal(first, _mask(layer, 12))
    assert np.array_equal(first, _mask(StepDropout(0.5, key=7), 12))


def test_layers_and_replicas_draw_other_masks() -> None:
    masks = [_mask(StepDropout(0.5, key=key), 3, replica) for key in (7, 8) for replica in (0, 1)]
    agreement = [np.mean(a == b) for i, a in enumerate(masks) for b in masks[:i]]
    assert max(agreement) < 0.6


def test_the_rate_is_kept_and_the_mean_stays() -> None:
    layer = StepDropout(0.3, key=1)
    masks = np.stack([_mask(layer, step) for step in range(50)])
    assert abs(np.mean(masks == 0) - 0.3) < 0.01
    np.testing.assert_allclose(masks[masks != 0], 1 / 0.7, rtol=1e-6)


def test_inference_and_a_rate_of_zero_change_nothing() -> None:
    assert np.array_equal(StepDropout(0.5, key=7)(ONES), ONES)
    assert np.array_equal(StepDropout(0.5, key=7)(ONES, training=False), ONES)
    assert np.array_equal(StepDropout(0.0, key=7)(ONES, training=True), ONES)


def test_the_mask_is_the_same_in_half_precision() -> None:
    layer, half = StepDropout(0.3, key=7), StepDropout(0.3, key=7, dtype="bfloat16")
    assert np.array_equal(_mask(layer, 5) == 0, _mask(half, 5) == 0)


def test_a_mask_compiled_by_xla_follows_the_step_too() -> None:
    layer = StepDropout(0.5, key=7)
    compiled = tf.function(lambda inputs: layer(inputs, training=True), jit_compile=True)
    masks = []
    for step in (5, 6, 5):
        layer.set_step(step)
        masks.append(compiled(tf.constant(ONES)).numpy())
    assert np.array_equal(masks[0], masks[2])
    assert not np.array_equal(masks[0], masks[1])


def test_the_largest_keys_steps_and_replicas_still_differ() -> None:
    layer = StepDropout(0.5, key=2**30 - 1)
    assert not np.array_equal(_mask(layer, 10**9, replica=999), _mask(layer, 10**9 + 1, replica=999))


def test_a_compiled_step_follows_a_tensor() -> None:
    layer = StepDropout(0.5, key=7)
    model = keras.Sequential([keras.Input((100,)), layer])

    @tf.function
    def mask(step: tf.Tensor) -> tf.Tensor:
        set_dropout_step(model, step)
        return model(ONES, training=True)

    masks = [mask(tf.constant(step, tf.int64)).numpy() for step in (1, 2)]
    assert [np.array_equal(mask, _mask(layer, step)) for mask, step in zip(masks, (1, 2), strict=True)] == [True, True]


def test_the_position_is_no_weight() -> None:
    layer = StepDropout(0.5, key=7)
    layer(ONES)
    assert layer.weights == []
    assert layer.count_params() == 0


@pytest.mark.slow
def test_two_replicas_draw_masks_of_their_own() -> None:
    run_warm(["-c", TWO_REPLICAS], check=True)


def test_a_model_that_could_not_follow_the_step_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected a model with StepDropout.*Received: plain"):
        set_dropout_step(keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5)], name="plain"), 1)


def test_impossible_rates_and_keys_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected rate .*Received: 1"):
        StepDropout(1.0, key=7)
    with pytest.raises(ValueError, match=r"Expected key .*Received: -1"):
        StepSeed(-1)
