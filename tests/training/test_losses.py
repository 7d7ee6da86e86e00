from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from training.losses import mean_loss, resolve_loss, summed_loss

TARGETS = np.array([[1.0, 0.0], [0.3, np.nan]], np.float32)
LOGITS = np.array([[2.0, -1.0], [0.5, 9.0]], np.float32)
KNOWN = 3


@pytest.mark.parametrize("kind", ["cross-entropy", "mse"])
def test_the_summed_loss_is_the_mean_loss_times_the_known_targets(kind: str) -> None:
    scores = 1 / (1 + np.exp(-LOGITS))
    assert float(summed_loss(kind, TARGETS, LOGITS)) == pytest.approx(
        KNOWN * mean_loss(kind, TARGETS, scores), rel=1e-5
    )


@pytest.mark.parametrize("kind", ["cross-entropy", "mse"])
def test_an_unknown_target_pulls_at_nothing(kind: str) -> None:
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = summed_loss(kind, TARGETS, logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert gradient[1, 1] == 0
    assert (gradient.ravel()[:3] != 0).all()


def test_the_loss_follows_the_labels_unless_it_is_named() -> None:
    assert resolve_loss("auto", "binary") == "cross-entropy"
    assert resolve_loss("auto", "graded") == "mse"
    assert resolve_loss("mse", "binary") == "mse"
