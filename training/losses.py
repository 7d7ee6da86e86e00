"""The two losses, per track and tag, with unknown targets left out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.config import Loss

LossKind = Literal["cross-entropy", "mse"]


def resolve_loss(asked: Loss, values: str) -> LossKind:
    """`auto` as the paper has it: cross-entropy on binary labels, mean squared error on graded ones."""
    if asked == "auto":
        return "mse" if values == "graded" else "cross-entropy"
    return asked


def summed_loss(kind: LossKind, targets: Any, logits: Any) -> Any:
    """Sum of the loss over tracks and tags whose target is known.

    Args:
        kind: which loss.
        targets: float32 [batch, tags] in [0, 1]; NaN is unknown.
        logits: float32 [batch, tags].

    Returns:
        A scalar; the caller divides it by the number of known targets of the global batch.
    """
    known = tf.math.is_finite(targets)
    # Replaced before the loss, not after: the gradient of a NaN times zero is a NaN.
    safe = tf.where(known, targets, 0.0)
    if kind == "mse":
        each = tf.square(tf.sigmoid(logits) - safe)
    else:
        # The sigmoid cross-entropy. TensorFlow's own operation is the same sum, but its gradient adds three tensors in
        # the order in which they come ready, so that two runs of one seed would differ in their last bits.
        each = tf.math.softplus(logits) - safe * logits
    return tf.reduce_sum(tf.where(known, each, 0.0))


def mean_loss(kind: LossKind, targets: npt.NDArray[np.float32], scores: npt.NDArray[np.floating[Any]]) -> float:
    """The same loss of scores averaged per track, in the mean over known targets."""
    known = np.isfinite(targets)
    target, score = targets[known].astype(np.float64), np.clip(scores[known].astype(np.float64), 1e-7, 1 - 1e-7)
    if kind == "mse":
        return float(np.mean(np.square(score - target)))
    return float(-np.mean(target * np.log(score) + (1 - target) * np.log(1 - score)))
