from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from tests.training.metrics.random_scores import random_scores
from training.metrics.thresholds import best_thresholds, decide

RNG = np.random.default_rng(3)


def _case(tracks: int = 90, tags: int = 5) -> tuple[np.ndarray, np.ndarray]:
    return random_scores(RNG, tracks, tags, decimals=1)


def test_no_observed_score_is_a_better_threshold_and_no_higher_one_as_good() -> None:
    targets, scores = _case()
    for tag, threshold in enumerate(best_thresholds(targets, scores)):
        known = ~np.isnan(targets[:, tag])
        target, score = targets[known, tag], scores[known, tag]
        f1 = {float(value): f1_score(target, score >= value) for value in np.unique(score)}
        assert f1[float(threshold)] == max(f1.values())
        assert all(value < f1[float(threshold)] for other, value in f1.items() if other > threshold)


def test_the_highest_of_equally_good_thresholds_is_taken() -> None:
    # A threshold may keep one hit, or both hits and the two misses between them: F1 is 2/3 in both cases.
    targets = np.array([[1], [0], [0], [1]], np.float32)
    scores = np.array([[0.9], [0.8], [0.7], [0.6]], np.float32)
    assert best_thresholds(targets, scores).tolist() == [np.float32(0.9)]


def test_a_tag_without_a_positive_has_no_threshold_and_is_given_to_no_track() -> None:
    targets, scores = np.array([[0, 1], [0, 0], [np.nan, 1]], np.float32), np.full((3, 2), 0.5, np.float32)
    thresholds = best_thresholds(targets, scores)
    assert np.isnan(thresholds).tolist() == [True, False]
    decisions = decide(targets, scores, thresholds)
    assert (decisions.per_tag[0].given, decisions.per_tag[1].given) == (0, 3)
    assert np.isnan([decisions.per_tag[0].f1, decisions.per_tag[0].precision, decisions.per_tag[0].recall]).all()
    assert decisions.f1_macro == decisions.f1_micro == pytest.approx(0.8)


def test_decisions_are_scikit_learns_by_thresholds_of_other_tracks() -> None:
    thresholds = best_thresholds(*_case())
    targets, scores = _case()
    decisions = decide(targets, scores, thresholds)
    for tag, one in enumerate(decisions.per_tag):
        known = ~np.isnan(targets[:, tag])
        pair = targets[known, tag], scores[known, tag] >= thresholds[tag]
        assert one.precision == pytest.approx(precision_score(*pair))
        assert one.recall == pytest.approx(recall_score(*pair))
        assert one.f1 == pytest.approx(f1_score(*pair))
    assert decisions.f1_macro == pytest.approx(np.mean([one.f1 for one in decisions.per_tag]))
    known = ~np.isnan(targets)
    assert decisions.f1_micro == pytest.approx(f1_score(targets[known], (scores >= thresholds)[known]))


def test_graded_targets_are_positive_from_the_label_sets_value() -> None:
    targets, scores = np.array([[0.7], [0.2]], np.float32), np.array([[0.9], [0.1]], np.float32)
    assert best_thresholds(targets, scores, positive_at=0.5).tolist() == [np.float32(0.9)]
    assert best_thresholds(targets, scores, positive_at=0.1).tolist() == [np.float32(0.1)]
    assert np.isnan(best_thresholds(targets, scores, positive_at=0.8)).all()
