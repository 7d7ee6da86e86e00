from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.metrics.ranking import Steps, ranking_areas, summed_rows

RNG = np.random.default_rng(1)


def _drawn(positive: np.ndarray, score: np.ndarray, weights: np.ndarray, most: int | None = None) -> np.ndarray:
    """Both areas for each weighting, [2, weightings]."""
    steps = Steps.of(score[positive], most)
    rows = steps.rows_of(positive, -score, np.argsort(-score))
    return np.array(steps.areas(summed_rows([rows], steps.rows, np.ones(len(score), bool), weights)))


@pytest.mark.parametrize("decimals", [1, 2, 7])
def test_weights_are_the_same_as_drawing_tracks_again_ties_included(decimals: int) -> None:
    positive = RNG.random(200) < 0.2
    score = np.round(RNG.random(200) + 0.3 * positive, decimals).astype(np.float32)
    drawn = RNG.integers(0, 200, (30, 200))
    weights = np.stack([np.bincount(one, minlength=200) for one in drawn], axis=1).astype(np.float32)
    roc, average = _drawn(positive, score, weights)
    for number, one in enumerate(drawn):
        assert roc[number] == pytest.approx(roc_auc_score(positive[one], score[one]), abs=1e-12)
        assert average[number] == pytest.approx(average_precision_score(positive[one], score[one]), abs=1e-12)


def test_a_weighting_without_a_positive_or_a_negative_has_no_area() -> None:
    positive, score = np.array([True, False, True]), np.array([0.9, 0.5, 0.1], np.float32)
    weights = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]], np.float32).T
    roc, average = _drawn(positive, score, weights)
    assert np.isnan(roc).tolist() == np.isnan(average).tolist() == [True, True, False]
    assert (roc[2], average[2]) == (1.0, 1.0)
    assert np.isnan(ranking_areas(score, score[:0])).all()
    assert np.isnan(ranking_areas(score[:0], score)).all()


def test_unknown_tracks_add_to_no_row() -> None:
    known = np.array([True, False, True, False])
    weights = np.array([[2], [50], [3], [70]], np.float32)
    sums = summed_rows([np.array([0, 1], np.int32), np.array([2, 2], np.int32)], 3, known, weights)
    assert sums.tolist() == [[2], [3], [5]]


def test_merged_steps_are_close_and_as_many_as_are_asked_for() -> None:
    positive = RNG.random(20_000) < 0.3
    score = (RNG.normal(size=20_000) + positive).astype(np.float32)
    steps = Steps.of(score[positive], 500)
    assert (steps.merged, len(steps.negated)) == (True, 500)
    once = np.ones((len(score), 1), np.float32)
    exact, merged = _drawn(positive, score, once), _drawn(positive, score, once, 500)
    assert np.abs(exact - merged).max() < 1 / 500
    assert not np.array_equal(exact, merged)
