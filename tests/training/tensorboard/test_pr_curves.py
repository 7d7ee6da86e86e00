from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from training.tensorboard import pr_curves
from training.tensorboard.pr_curves import curve_counts, curve_tags, curves


def test_counts_at_every_threshold_are_those_of_a_count_by_hand() -> None:
    rng = np.random.default_rng(0)
    positive, scores = rng.random(200) < 0.3, rng.random(200).round(2).astype(np.float32)
    counts = curve_counts(positive, scores, thresholds=11)
    assert counts.shape == (6, 11)
    for number, threshold in enumerate(np.linspace(0, 1, 11)):
        taken = scores.astype(np.float64) >= threshold
        expected = [taken & positive, taken & ~positive, ~taken & ~positive, ~taken & positive]
        assert counts[:4, number].tolist() == [each.sum() for each in expected]
        assert counts[4, number] == pytest.approx(precision_score(positive, taken, zero_division=1.0))
        assert counts[5, number] == pytest.approx(recall_score(positive, taken))


def test_unknown_targets_are_left_out_and_graded_ones_count_from_their_threshold() -> None:
    targets = np.array([[0.9], [0.3], [np.nan], [0.2]], np.float32)
    scores = np.array([[0.8], [0.6], [0.9], [0.1]], np.float32)
    ((tag, counts, words),) = curves(("loud",), targets, scores, 0.3)
    assert tag == "loud"
    assert counts[:4, 50].tolist() == [2, 0, 1, 0]
    assert words == "2 of 3 validation tracks are positive."


def test_with_many_tags_the_most_frequent_get_a_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pr_curves, "CURVES", 2)
    targets = np.array([[1, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 1], [np.nan, 0, 1, np.nan]], np.float32)
    assert curve_tags(targets, 0.5) == [0, 3]
    assert curve_tags(targets[:, 1:2], 0.5) == []
