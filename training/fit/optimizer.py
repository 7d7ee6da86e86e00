"""Adam with a configuration's additions, and the learning rate of each step."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from training.config import TrainConfig


def make_optimizer(config: TrainConfig, model: keras.Model) -> Any:
    """Build Adam for a model's trainable weights; under a strategy, call this in its scope."""
    averaging = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    adam = keras.optimizers.Adam(
        learning_rate=config.learning_rate, weight_decay=config.weight_decay or None, **averaging
    )
    if config.weight_decay:
        adam.exclude_from_weight_decay(
            var_list=[weight for weight in model.trainable_variables if weight.name != "kernel"]
        )
    optimizer = keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam
    optimizer.build(model.trainable_variables)
    return optimizer


@contextlib.contextmanager
def averaged_weights(config: TrainConfig, model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Replace the weights by their moving average during the body, if the configuration keeps one."""
    if not config.ema:
        yield
        return
    weights = model.trainable_variables
    own = [tf.identity(weight) for weight in weights]
    optimizer.finalize_variable_values(weights)
    try:
        yield
    finally:
        for weight, value in zip(weights, own, strict=True):
            weight.assign(value)


def learning_rate(config: TrainConfig, step: int, total_steps: int, rate_factor: float) -> float:
    """The learning rate of a step.

    Args:
        config: configuration with the schedule.
        step: number of steps taken before it, in all.
        total_steps: number of steps in the whole run.
        rate_factor: factor that plateaus have reduced the rate by.
    """
    rate = config.learning_rate * rate_factor
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        done = (step - config.warmup_steps) / max(1, total_steps - config.warmup_steps)
        return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return rate
