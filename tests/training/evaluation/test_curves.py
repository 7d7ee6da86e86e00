from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from training.evaluation.curves import GRID, curves_of
from training.evaluation.stored_scores import ScoresOf, StoredScores

RNG = np.random.default_rng(5)


def _scores(tags: int, tracks: int) -> StoredScores:
    targets = (RNG.random((tracks, tags)) < 0.2).astype(np.float32)
    scores = (RNG.random((tracks, tags)) + 0.4 * targets).astype(np.float32) / 2
    names = tuple(f"tag {number}" for number in range(tags))
    return StoredScores(ScoresOf(names, "x@y", "test", 0.5, ""), tuple(map(str, range(tracks))), targets, scores)


def test_the_curves_hold_the_areas_of_scikit_learn() -> None:
    stored = _scores(tags=6, tracks=2000)
    curves = curves_of(stored)
    assert curves is not None
    for averaged, roc, precision in (
        ("macro", curves.roc_macro, curves.pr_macro),
        ("micro", curves.roc_micro, curves.pr_micro),
    ):
        assert auc(GRID, roc) == pytest.approx(roc_auc_score(stored.targets, stored.scores, average=averaged), abs=2e-3)
        expected = average_precision_score(stored.targets, stored.scores, average=averaged)
        assert auc(GRID, precision) == pytest.approx(expected, abs=5e-3)
    assert curves.positive_share == pytest.approx(stored.targets.mean())


def test_scores_without_a_defined_tag_have_no_curve() -> None:
    stored = _scores(tags=2, tracks=300)
    assert curves_of(dataclasses.replace(stored, targets=np.zeros_like(stored.targets))) is None
