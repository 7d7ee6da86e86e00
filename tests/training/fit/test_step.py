"""The effect of one step on the weights, on one device and on two."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.warm_commands import run_warm
from training.fit.losses import TrainingLoss
from training.fit.step import TrainingStep
from training.models.tagger import ModelConfig, build_tagger

ROOT = Path(__file__).parents[3]
CONFIG = ModelConfig("spectrogram", num_filt=1, backend_filters=32, dense_units=8, dropout=0.0, l2=0.0)


class KeptGradients(keras.optimizers.SGD):
    """Plain gradient descent with rate 1: the decrease of a weight is its gradient."""


def _moved(clip_norm: float) -> float:
    """The norm of the decrease of all weights in one step."""
    model = build_tagger(CONFIG, tags=3, patch=20, seed=1)
    optimizer = KeptGradients(learning_rate=1.0)
    optimizer.build(model.trainable_variables)
    step = TrainingStep(model, optimizer, TrainingLoss("cross-entropy"), tf.distribute.get_strategy(), clip_norm)
    rng = np.random.default_rng(0)
    element = (
        tf.constant(rng.normal(size=(4, 20, 96)).astype(np.float32)),
        tf.constant(rng.integers(0, 2, (4, 3)).astype(np.float32)),
        tf.ones((4, 3)),
        tf.constant(12.0),
    )
    step.compile(
        tuple(tf.TensorSpec((None, *part.shape[1:]) if part.shape.rank else (), tf.float32) for part in element)
    )
    before = [weight.numpy() for weight in model.trainable_variables]
    loss, stopping = step(element, 0, True)
    assert np.isfinite(float(loss))
    assert float(stopping) == 1.0
    after = [weight.numpy() for weight in model.trainable_variables]
    return float(np.sqrt(sum(np.sum(np.square(a - b)) for a, b in zip(before, after, strict=True))))


def test_gradients_are_cut_to_a_norm_only_where_theirs_is_larger() -> None:
    free = _moved(0.0)
    assert free > 0.1
    assert _moved(0.05) == pytest.approx(0.05, rel=1e-4)
    assert _moved(2 * free) == pytest.approx(free, rel=1e-5)


@pytest.mark.slow
def test_two_replicas_cut_the_norm_of_the_whole_batch_as_one_device_does() -> None:
    code = """
import numpy as np, tensorflow as tf, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
from training.fit.losses import TrainingLoss
from training.models.tagger import ModelConfig, build_tagger
from training.fit.step import TrainingStep
config = ModelConfig("spectrogram", num_filt=1, backend_filters=32, dense_units=8, dropout=0.0, synchronized_batch_norm=True)
rng = np.random.default_rng(0)
parts = [rng.normal(size=(4, 20, 96)).astype("float32"), rng.integers(0, 2, (4, 3)).astype("float32"), np.ones((4, 3), "float32")]
kernels = []
for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
    strategy = tf.distribute.MirroredStrategy(devices)
    with strategy.scope():
        model = build_tagger(config, tags=3, patch=20, seed=1)
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build(model.trainable_variables)
    step = TrainingStep(model, optimizer, TrainingLoss("cross-entropy"), strategy, 0.05)
    count = 4 // len(devices)
    elements = tf.data.Dataset.from_tensor_slices([np.float32(12)] * len(devices)).enumerate().map(
        lambda i, known: (*[tf.constant(p)[i * count : (i + 1) * count] for p in parts], known))
    data = strategy.distribute_datasets_from_function(lambda _: elements)
    step.compile(data.element_spec)
    step(next(iter(data)), 0, False)
    kernels.append([np.asarray(w) for w in model.trainable_variables])
for one, two in zip(*kernels):
    np.testing.assert_allclose(one, two, atol=1e-6)
"""
    run_warm(["-c", code], check=True)
