from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from training.fit.losses import LossKind, TrainingLoss, balanced_weights, mean_loss, resolve_loss

TARGETS = np.array([[1.0, 0.0], [0.3, np.nan]], np.float32)
LOGITS = np.array([[2.0, -1.0], [0.5, 9.0]], np.float32)
KNOWN = 3


SAFE, WEIGHTS = np.nan_to_num(TARGETS), np.isfinite(TARGETS).astype(np.float32)
KINDS = pytest.mark.parametrize("kind", ["cross-entropy", "mse"])


@KINDS
def test_the_summed_loss_is_the_mean_loss_times_the_known_targets(kind: LossKind) -> None:
    scores = 1 / (1 + np.exp(-LOGITS))
    expected = KNOWN * mean_loss(kind, TARGETS, scores)
    assert float(TrainingLoss(kind).summed(SAFE, WEIGHTS, LOGITS)) == pytest.approx(expected, rel=1e-5)


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
