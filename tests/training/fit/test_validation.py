from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss

from training.fit.losses import TrainingLoss, balanced_weights
from training.fit.validation import Validation


def test_a_validation_reports_the_loss_that_is_trained_with_the_weights_of_the_training_split() -> None:
    targets = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    scores = np.array([[0.7, 0.2], [0.4, 0.9], [0.1, 0.3]], np.float32)
    positive, negative = balanced_weights(np.array([[1, 0], [0, 0], [0, 0], [1, 1]], np.float32))
    scorer = SimpleNamespace(scores=lambda _records, on_progress: scores)
    records = SimpleNamespace(tracks=SimpleNamespace(targets=targets))
    loss = TrainingLoss("cross-entropy", 0.0, positive, negative)
    value, *_ = Validation(records, scorer, tf.distribute.get_strategy(), loss, 0.5).run()  # type: ignore[arg-type]
    weights = np.where(targets == 1, positive, negative).ravel()
    expected = log_loss(targets.ravel(), scores.ravel(), sample_weight=weights, normalize=False) / targets.size
    assert value == pytest.approx(expected, rel=1e-6)
