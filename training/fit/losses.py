"""The two losses, per track and tag, without unknown targets: for a training step, and for whole tracks."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.config import Loss

LossKind = Literal["cross-entropy", "mse"]


def resolve_loss(asked: Loss, values: str) -> LossKind:
    """Resolve `auto` as the paper does: cross-entropy for binary labels, mean squared error for graded ones."""
    if asked == "auto":
        return "mse" if values == "graded" else "cross-entropy"
    return asked


@dataclasses.dataclass(frozen=True)
class TrainingLoss:
    """The loss of a step, and of a validation.

    Attributes:
        kind: kind of loss.
        label_smoothing: share by which each target is moved towards one half.
        positive_weights: float32 [tags], weight of a target of 1; None for 1.
        negative_weights: float32 [tags], weight of a target of 0; targets between 0 and 1 have weights in between.
    """

    kind: LossKind
    label_smoothing: float = 0.0
    positive_weights: npt.NDArray[np.float32] | None = None
    negative_weights: npt.NDArray[np.float32] | None = None

    def summed(self, targets: Any, weights: Any, logits: Any) -> Any:
        """Sum of the weighted loss over tracks and tags.

        Args:
            targets: float32 [batch, tags] in [0, 1].
            weights: float32 [batch, tags]; 0 is unknown.
            logits: float32 [batch, tags].

        Returns:
            A scalar; the caller divides it by the number of known targets of the global batch.
        """
        if self.positive_weights is not None and self.negative_weights is not None:
            weights = weights * (targets * self.positive_weights + (1.0 - targets) * self.negative_weights)
        if self.label_smoothing:
            targets = targets * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.kind == "mse":
            each = tf.square(tf.sigmoid(logits) - targets)
        else:
            # The sigmoid cross-entropy. TensorFlow's own operation is the same sum, but its gradient adds three
            # tensors in the order in which they become ready, so that two runs with one seed would differ in their
            # last bits.
            each = tf.math.softplus(logits) - targets * logits
        return tf.reduce_sum(weights * each)

    def mean(self, targets: npt.NDArray[np.float32], scores: npt.NDArray[np.floating[Any]]) -> float:
        """The same loss for scores averaged per track, with the same weights and smoothing, as the mean over known targets.

        Args:
            targets: float32 [tracks, tags] in [0, 1]; NaN is unknown.
            scores: [tracks, tags] in [0, 1].
        """
        known = np.isfinite(targets)
        target, score = targets[known].astype(np.float64), np.clip(scores[known].astype(np.float64), 1e-7, 1 - 1e-7)
        weight: Any = 1.0
        if self.positive_weights is not None and self.negative_weights is not None:
            tags = np.nonzero(known)[1]
            weight = target * self.positive_weights[tags] + (1 - target) * self.negative_weights[tags]
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.kind == "mse":
            return float(np.mean(weight * np.square(score - target)))
        return float(-np.mean(weight * (target * np.log(score) + (1 - target) * np.log(1 - score))))


def balanced_weights(targets: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights under which the positives of a tag weigh as much as its negatives, and both as much as before.

    Args:
        targets: float32 [tracks, tags] in [0, 1] of the training split; NaN is unknown.

    Returns:
        The weights of a positive and of a negative, float32 [tags] each. One track is added on either side, so that a
        tag without a positive or without a negative has finite weights.
    """
    known = np.count_nonzero(~np.isnan(targets), axis=0)
    share = (np.nansum(targets, axis=0, dtype=np.float64) + 1) / (known + 2)
    return (0.5 / share).astype(np.float32), (0.5 / (1 - share)).astype(np.float32)
