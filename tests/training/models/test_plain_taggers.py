"""The models are compared with the same architecture written layer by layer, with the same weights."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.plain_taggers import load_weights_of, plain_tagger
from training.fit.losses import TrainingLoss
from training.models.config import Frontend
from training.models.tagger import ModelConfig, build_tagger

STEPS = 3


def _batch(frontend: Frontend) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (6, 20_000) if frontend == "waveform" else (6, 70 if frontend == "vgg" else 40, 96)
    return rng.normal(size=shape).astype(np.float32), rng.integers(0, 2, (6, 5)).astype(np.float32)


def _train(model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> tuple[list[float], dict[str, np.ndarray]]:
    """The losses of some steps, and the first step's gradient of each weight."""
    optimizer = keras.optimizers.SGD(0.001)
    losses, first = [], {}
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            logits = outputs["logits"] if isinstance(outputs, dict) else outputs
            known = tf.ones_like(logits)
            loss = TrainingLoss("cross-entropy").summed(tf.cast(targets, logits.dtype), known, logits) / targets.size
            loss += tf.add_n(model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        names = ["/".join(weight.path.split("/")[-2:]) for weight in model.trainable_variables]
        first = first or {name: np.ravel(gradient) for name, gradient in zip(names, gradients, strict=True)}
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
    return losses, first


@pytest.fixture
def in_float64() -> Iterator[None]:
    """Makes models compute in float64: the float32 sums of Keras's own batch norm would be the larger error."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.slow
@pytest.mark.parametrize("frontend", ["spectrogram", "waveform", "musicnn", "vgg", "short-chunk"])
def test_a_model_learns_as_the_plain_one_with_its_weights_does(frontend: Frontend, in_float64: None) -> None:
    config = ModelConfig(frontend, num_filt=2, dense_units=20, dropout=0.0, batch_norm_momentum=0.5)
    inputs, targets = _batch(frontend)
    model = build_tagger(config, tags=5, patch=inputs.shape[1])
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(rng.choice([-1, 1], layer.gamma.shape) * rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(size=layer.beta.shape))
    plain = plain_tagger(config, tags=5, patch=inputs.shape[1])
    load_weights_of(plain, model)
    losses, gradients = _train(model, inputs, targets)
    expected_losses, expected = _train(plain, inputs, targets)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        # In a few places, rounding moves a maximum to another position.
        # The batch norm of musicnn's pooled numbers leaves some gradients of 0.
        assert np.linalg.norm(gradient - expected[name]) < 3e-3 * np.linalg.norm(expected[name]) + 1e-6, name
