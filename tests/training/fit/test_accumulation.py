"""A step in parts takes the step of the whole batch, and a batch norm and a dropout of each part."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from schemas.console.errors import TagscaleError
from tests.warm_commands import run_warm
from training.config import TrainConfig
from training.fit.losses import LossKind, TrainingLoss
from training.fit.step import TrainingStep
from training.fit.train import train
from training.models.dropout import StepDropout

ROWS, WIDTH, TAGS = 7, 5, 3


def _network(dropout: float = 0.0, momentum: float | None = None) -> keras.Model:
    """A small network in float64, with weight decay, and with batch norm if it has a momentum."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((WIDTH,), dtype="float64")
    hidden = keras.layers.Dense(
        8, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01), dtype="float64", name="hidden"
    )(inputs)
    if momentum is not None:
        hidden = keras.layers.BatchNormalization(momentum=momentum, dtype="float64", name="norm")(hidden)
    hidden = StepDropout(dropout, key=3, dtype="float64")(hidden)
    return keras.Model(inputs, {"logits": keras.layers.Dense(TAGS, dtype="float64", name="logits")(hidden)})


def _element(seed: int = 0) -> tuple[Any, ...]:
    """Patches, targets, weights of which the first rows have most of the unknown ones, and the number of known targets."""
    rng = np.random.default_rng(seed)
    weights = np.ones((ROWS, TAGS))
    weights[0], weights[1, :2], weights[5, 1] = 0, 0, 0
    targets = rng.integers(0, 2, (ROWS, TAGS)) * weights
    return tuple(tf.constant(part) for part in (rng.normal(size=(ROWS, WIDTH)), targets, weights, weights.sum()))


def _step(model: keras.Model, loss: TrainingLoss, element: tuple[Any, ...], **options: Any) -> tuple[float, list[Any]]:
    """The loss of a step of plain gradient descent with rate 1, and the decrease of each weight, which is its gradient."""
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(model.trainable_variables)
    step = TrainingStep(model, optimizer, loss, tf.distribute.get_strategy(), **options)
    step.compile(
        tuple(tf.TensorSpec((None, *part.shape[1:]) if part.shape.rank else (), part.dtype) for part in element)
    )
    before = [weight.numpy() for weight in model.trainable_variables]
    value, _ = step(element, 4, False)
    return float(value), [old - new.numpy() for old, new in zip(before, model.trainable_variables, strict=True)]


@pytest.mark.parametrize("kind", ["cross-entropy", "mse"])
@pytest.mark.parametrize("clip_norm", [0.0, 0.05])
def test_gradients_of_the_parts_add_up_to_those_of_the_batch(kind: LossKind, clip_norm: float, graphs: None) -> None:
    positive, negative = np.array([3.0, 0.5, 1.0]), np.array([0.2, 2.0, 1.0])
    loss = TrainingLoss(kind, 0.1, positive, negative)
    value, whole = _step(_network(), loss, _element(), clip_norm=clip_norm)
    for parts in (2, 3, 7):
        in_parts, gradients = _step(_network(), loss, _element(), clip_norm=clip_norm, accumulate=parts)
        assert in_parts == pytest.approx(value, rel=1e-12)
        for gradient, expected in zip(gradients, whole, strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-14)


def test_each_part_has_the_batch_norm_of_its_own_rows(graphs: None) -> None:
    model = _network(momentum=0.9)
    element, expected = _element(), _network(momentum=0.9)
    rows = element[0].numpy()
    for part in (rows[:3], rows[3:]):
        expected(part, training=True)
    _step(model, TrainingLoss("mse"), element, accumulate=2)
    for name in ("moving_mean", "moving_variance"):
        moved = getattr(model.get_layer("norm"), name).numpy()
        np.testing.assert_allclose(moved, getattr(expected.get_layer("norm"), name).numpy(), rtol=1e-12)


def test_each_part_drops_other_units() -> None:
    """Equal rows have equal gradients, unless other units are dropped."""
    element = (tf.ones((2, WIDTH), tf.float64), tf.ones((2, TAGS), tf.float64), tf.ones((2, TAGS), tf.float64))
    masks = []
    for row in ((1.0, 0.0), (0.0, 1.0)):
        weights = tf.constant(row, tf.float64)[:, tf.newaxis] * element[2]
        _, gradients = _step(
            _network(0.5), TrainingLoss("mse"), (*element[:2], weights, tf.constant(3.0, tf.float64)), accumulate=2
        )
        masks.append(np.any(gradients[2] != 0, axis=1))
    assert not np.array_equal(*masks)


def test_the_option_reaches_the_step(
    small_config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    summed = TrainingLoss.summed

    def counted(self: TrainingLoss, targets: Any, weights: Any, logits: Any) -> Any:
        if len(rows) == 3:
            raise TagscaleError("the first batch is through")
        rows.append(int(logits.shape[0]))
        return summed(self, targets, weights, logits)

    monkeypatch.setattr(TrainingLoss, "summed", counted)
    config = dataclasses.replace(small_config, patch_seconds=0.25, accumulate=3)
    with pytest.raises(TagscaleError, match="the first batch is through"):
        train(config, str(tmp_path / "run"))
    assert rows == [3, 4, 4]  # of a batch of 11 tracks


@pytest.mark.slow
def test_replicas_accumulate_as_one_device_does_that_gets_the_same_parts() -> None:
    """The parts of two replicas lie between each other in the batch."""
    code = """
import numpy as np, tensorflow as tf, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
from training.fit.losses import TrainingLoss
from training.fit.step import TrainingStep
from training.models.dropout import StepDropout
from training.models.normalization import BatchNorm
rng = np.random.default_rng(0)
parts = [rng.normal(size=(8, 5)).astype("float32"), rng.integers(0, 2, (8, 3)).astype("float32"), np.ones((8, 3), "float32")]
weights = []
for devices, order in ((["CPU:0"], [0, 1, 4, 5, 2, 3, 6, 7]), (["CPU:0", "CPU:1"], range(8))):
    strategy = tf.distribute.MirroredStrategy(devices)
    keras.utils.set_random_seed(1)
    with strategy.scope():
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(8, kernel_regularizer="l2")(inputs)
        hidden = StepDropout(0.0, key=1)(BatchNorm(synchronized=True)(hidden))
        model = keras.Model(inputs, {"logits": keras.layers.Dense(3)(hidden)})
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build(model.trainable_variables)
    step = TrainingStep(model, optimizer, TrainingLoss("cross-entropy"), strategy, 0.05, accumulate=2)
    count = 8 // len(devices)
    elements = tf.data.Dataset.from_tensor_slices([np.float32(24)] * len(devices)).enumerate().map(
        lambda i, known: (*[tf.constant(p[list(order)])[i * count : (i + 1) * count] for p in parts], known))
    data = strategy.distribute_datasets_from_function(lambda _: elements)
    step.compile(data.element_spec)
    step(next(iter(data)), 0, False)
    weights.append([np.asarray(w) for w in model.weights])
assert len(weights[0]) == 8
for one, two in zip(*weights):
    np.testing.assert_allclose(one, two, atol=1e-6)
"""
    run_warm(["-c", code], check=True)
