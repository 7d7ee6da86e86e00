"""Adam with what a configuration adds to it, and the learning rate of a step."""

from __future__ import annotations

import math
from typing import Any

import keras

from training.config import TrainConfig


def make_optimizer(config: TrainConfig, model: keras.Model) -> Any:
    """Adam for a model's trainable weights, built; under a strategy, call it in its scope."""
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


def learning_rate(config: TrainConfig, step: int, total_steps: int, rate_factor: float) -> float:
    """The rate of a step.

    Args:
        config: its schedule.
        step: steps taken before, in all.
        total_steps: of the whole run.
        rate_factor: what plateaus have left of the rate.
    """
    rate = config.learning_rate * rate_factor
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        done = (step - config.warmup_steps) / max(1, total_steps - config.warmup_steps)
        return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return rate
