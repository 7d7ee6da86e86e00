from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from training.config import TrainConfig
from training.fit.optimizer import learning_rate, make_optimizer


def _config(**fields: Any) -> TrainConfig:
    return TrainConfig(dataset="data", label_set="mine", frontend="spectrogram", **fields)


def test_the_rate_warms_up_and_falls_along_a_cosine_to_nothing() -> None:
    config = _config(schedule="cosine", warmup_steps=4, learning_rate=0.8)
    rates = [learning_rate(config, step, 24, 1.0) for step in range(25)]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates[4] == pytest.approx(0.8)
    assert rates[14] == pytest.approx(0.4)
    assert rates[24] == pytest.approx(0.0)
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[4:]))


def test_the_rate_stays_unless_a_plateau_halves_it() -> None:
    assert learning_rate(_config(learning_rate=0.3), 1000, 10, 1.0) == 0.3
    assert learning_rate(_config(learning_rate=0.3), 1000, 10, 0.25) == pytest.approx(0.075)


def _model() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs)))


def _after_a_step_without_gradient(**fields: Any) -> dict[str, float]:
    model = _model()
    for weight in model.trainable_variables:
        weight.assign(np.ones(weight.shape))
    optimizer = make_optimizer(_config(learning_rate=0.1, **fields), model)
    optimizer.apply([np.zeros(weight.shape, np.float32) for weight in model.trainable_variables])
    return {weight.name: float(weight.numpy().ravel()[0]) for weight in model.trainable_variables}


def test_weight_decay_is_of_kernels_alone() -> None:
    assert _after_a_step_without_gradient() == {"kernel": 1.0, "bias": 1.0, "gamma": 1.0, "beta": 1.0}
    decayed = _after_a_step_without_gradient(weight_decay=0.5)
    assert decayed["kernel"] == pytest.approx(1 - 0.1 * 0.5)
    assert (decayed["bias"], decayed["gamma"], decayed["beta"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_the_moving_average_of_the_weights_is_kept_and_put_in_their_place(precision: str) -> None:
    model = _model()
    optimizer = make_optimizer(_config(learning_rate=0.5, ema=0.75, precision=precision), model)
    kernel = model.trainable_variables[0]
    seen = []
    for _ in range(3):
        optimizer.apply([np.ones(weight.shape, np.float32) for weight in model.trainable_variables])
        seen.append(kernel.numpy().copy())
    average = seen[0]
    for values in seen[1:]:
        average = 0.75 * average + 0.25 * values
    optimizer.finalize_variable_values(model.trainable_variables)
    assert kernel.numpy() == pytest.approx(average, abs=1e-6)
