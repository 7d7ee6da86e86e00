"""Adam with a configuration's additions, the learning rate of each step, and the halving of that rate on a plateau."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from training.config import TrainConfig
from training.runs.checkpoints import LoopState

PLATEAU_FACTOR = 0.5


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


def after_validation(config: TrainConfig, state: LoopState, loss: float) -> LoopState:
    """Count the epochs without a better validation loss, and halve the rate when there are too many.

    Args:
        config: `plateau_epochs` without a better loss halve the rate, and counting then starts again; a validation
            counts for `validate_every` epochs. A schedule other than plateau changes nothing.
        state: state before this validation.
        loss: loss of this validation; a loss that is not a number is no better.
    """
    if config.schedule != "plateau":
        return state
    if math.isfinite(loss) and (state.plateau_best is None or loss < state.plateau_best):
        return dataclasses.replace(state, plateau_best=loss, plateau_wait=0)
    wait = state.plateau_wait + config.validate_every
    if wait < config.plateau_epochs:
        return dataclasses.replace(state, plateau_wait=wait)
    return dataclasses.replace(state, plateau_wait=0, rate_factor=state.rate_factor * PLATEAU_FACTOR)
