"""Sums of gradients over the parts of a batch, which stay on the devices between the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class GradientSums:
    """The sum of gradients for each weight; every replica has its own. Call the methods in a replica's context.

    Args:
        weights: trainable weights of a model.
        strategy: strategy that the model was made under.
    """

    def __init__(self, weights: Sequence[Any], strategy: Any) -> None:
        with strategy.scope():
            self._sums = [
                tf.Variable(
                    tf.zeros(weight.shape, weight.dtype),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.SUM,
                )
                for weight in weights
            ]

    def add(self, gradients: Sequence[Any]) -> None:
        """Add the gradients of a part."""
        for total, gradient in zip(self._sums, gradients, strict=True):
            total.assign_add(gradient)

    def taken(self) -> list[Any]:
        """The sums, which start again at 0."""
        sums = [tf.identity(total) for total in self._sums]
        for total in self._sums:
            total.assign(tf.zeros_like(total))
        return sums
