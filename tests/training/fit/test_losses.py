from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss, mean_squared_error

from training.fit.losses import LossKind, TrainingLoss, balanced_weights, resolve_loss

TARGETS = np.array([[1.0, 0.0], [0.3, np.nan]], np.float32)
LOGITS = np.array([[2.0, -1.0], [0.5, 9.0]], np.float32)
KNOWN = np.isfinite(TARGETS)


SAFE, WEIGHTS = np.nan_to_num(TARGETS), KNOWN.astype(np.float32)
KINDS = pytest.mark.parametrize("kind", ["cross-entropy", "mse"])


WEIGHTS_PER_TAG = (np.array([3.0, 0.5], np.float32), np.array([0.25, 2.0], np.float32))


def _mean_by_sklearn(kind: LossKind, scores: np.ndarray, smoothing: float, tag_weights: tuple[Any, Any]) -> float:
    """The weighted loss of each known target; a target between 0 and 1 is in part a positive and in part a negative."""
    positive, negative = (np.broadcast_to(weights, TARGETS.shape)[KNOWN] for weights in tag_weights)
    target, score = TARGETS[KNOWN].astype(np.float64), scores[KNOWN].astype(np.float64)
    weights = target * positive + (1 - target) * negative
    target = target + smoothing * (0.5 - target)
    if kind == "mse":
        return mean_squared_error(target, score, sample_weight=weights) * weights.mean()
    sides = np.concatenate([weights * target, weights * (1 - target)])
    labels = np.repeat([1, 0], len(target))
    return log_loss(labels, np.tile(score, 2), sample_weight=sides, normalize=False) / len(target)


@KINDS
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("tag_weights", [(None, None), WEIGHTS_PER_TAG], ids=["plain", "weighted"])
def test_validation_has_the_loss_that_is_trained(
    kind: LossKind, smoothing: float, tag_weights: tuple[Any, Any]
) -> None:
    scores = 1 / (1 + np.exp(-LOGITS))
    weights = tag_weights if tag_weights[0] is not None else (1.0, 1.0)
    expected = _mean_by_sklearn(kind, scores, smoothing, weights)
    loss = TrainingLoss(kind, smoothing, *tag_weights)
    assert loss.mean(TARGETS, scores) == pytest.approx(expected, rel=1e-5)
    assert float(loss.summed(SAFE, WEIGHTS, LOGITS)) == pytest.approx(KNOWN.sum() * expected, rel=1e-5)


@KINDS
def test_an_unknown_target_pulls_at_nothing(kind: LossKind) -> None:
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = TrainingLoss(kind).summed(SAFE, WEIGHTS, logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert gradient[1, 1] == 0
    assert (gradient.ravel()[:3] != 0).all()


def test_smoothed_labels_are_drawn_to_one_half() -> None:
    smooth = TrainingLoss("mse", label_smoothing=0.2).summed(SAFE, WEIGHTS, LOGITS)
    moved = TrainingLoss("mse").summed(0.8 * SAFE + 0.1, WEIGHTS, LOGITS)
    assert float(smooth) == pytest.approx(float(moved), rel=1e-6)


def test_balanced_classes_let_both_sides_of_a_tag_weigh_the_same() -> None:
    targets = np.zeros((1000, 3), np.float32)
    targets[:9, 0] = 1
    targets[:500, 1], targets[500:, 1] = 1, np.nan
    positive, negative = balanced_weights(targets)
    assert positive[0] * 10 == pytest.approx(negative[0] * 992, rel=1e-5)  # each side counts one extra track
    assert positive[0] * 10 + negative[0] * 992 == pytest.approx(1002, rel=1e-5)
    assert np.isfinite([positive, negative]).all()
    weighted = TrainingLoss("mse", 0.0, positive, negative).summed(targets[:1], np.eye(1, 3), np.zeros((1, 3)))
    assert float(weighted) == pytest.approx(0.25 * positive[0], rel=1e-5)


def test_the_loss_follows_the_labels_unless_it_is_named() -> None:
    assert resolve_loss("auto", "binary") == "cross-entropy"
    assert resolve_loss("auto", "graded") == "mse"
    assert resolve_loss("mse", "binary") == "mse"
