from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training import bootstrap
from training.bootstrap import Draws, draw_metrics

RNG = np.random.default_rng(2)


def _case(tracks: int = 150, tags: int = 4) -> tuple[np.ndarray, np.ndarray]:
    targets = (RNG.random((tracks, tags)) < 0.3).astype(np.float32)
    scores = np.round(targets * 0.3 + RNG.random((tracks, tags)), 2).astype(np.float32)
    targets[RNG.random(targets.shape) < 0.1] = np.nan
    return targets, scores


def _same(one: Draws, other: Draws) -> bool:
    names = [field.name for field in dataclasses.fields(Draws)]
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names)


def test_each_sample_is_scikit_learns_on_the_tracks_that_were_drawn() -> None:
    targets, scores = _case()
    draws = draw_metrics(targets, scores, samples=5, seed=7)
    rng = np.random.default_rng(7)
    for sample in range(5):
        rows = rng.integers(len(targets), size=len(targets))
        target, score = targets[rows], scores[rows]
        for tag in range(targets.shape[1]):
            known = ~np.isnan(target[:, tag])
            pair = target[known, tag], score[known, tag]
            assert draws.roc_auc[tag, sample] == pytest.approx(roc_auc_score(*pair), abs=1e-9)
            assert draws.pr_auc[tag, sample] == pytest.approx(average_precision_score(*pair), abs=1e-9)
        known = ~np.isnan(target)
        assert draws.roc_auc_micro[sample] == pytest.approx(roc_auc_score(target[known], score[known]), abs=1e-9)
        average = average_precision_score(target[known], score[known])
        assert draws.pr_auc_micro[sample] == pytest.approx(average, abs=1e-9)
        root = np.sqrt(np.mean(np.square(target[known].astype(float) - score[known])))
        assert draws.sqrt_mse[sample] == pytest.approx(root, abs=1e-9)


def test_the_memory_that_a_block_may_take_changes_no_bit() -> None:
    targets, scores = _case()
    whole = draw_metrics(targets, scores, samples=40)
    for draws_at_once in (1, 7, 39):
        assert _same(whole, draw_metrics(targets, scores, samples=40, memory=4 * len(targets) * draws_at_once))


def test_groups_are_drawn_as_a_whole_and_alike_for_any_scores() -> None:
    targets, scores = _case(tracks=60)
    groups = np.arange(60) // 6
    draws = draw_metrics(targets, scores, samples=3, seed=1, groups=groups)
    rng = np.random.default_rng(1)
    for sample in range(3):
        rows = np.concatenate([np.flatnonzero(groups == group) for group in rng.integers(10, size=10)])
        known = ~np.isnan(targets[rows, 0])
        expected = roc_auc_score(targets[rows[known], 0], scores[rows[known], 0])
        assert draws.roc_auc[0, sample] == pytest.approx(expected, abs=1e-9)
    alone = draw_metrics(targets, scores, samples=3, seed=1, groups=np.arange(60))
    assert _same(alone, draw_metrics(targets, scores, samples=3, seed=1))
    assert not _same(alone, draws)


def test_a_long_micro_ranking_is_drawn_in_merged_steps_without_shifting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = (RNG.random((3000, 4)) < 0.3).astype(np.float32)
    scores = (RNG.normal(size=targets.shape) + targets).astype(np.float32)
    exact = draw_metrics(targets, scores, samples=30)
    monkeypatch.setattr(bootstrap, "MICRO_STEPS", 200)
    merged = draw_metrics(targets, scores, samples=30)
    for of_exact, of_merged in (
        (exact.roc_auc_micro, merged.roc_auc_micro),
        (exact.pr_auc_micro, merged.pr_auc_micro),
    ):
        assert np.abs(of_exact - of_merged).max() < of_exact.std() / 20
        assert abs(np.mean(of_exact - of_merged)) < of_exact.std() / 50
    assert np.array_equal(exact.roc_auc, merged.roc_auc)
    assert not np.array_equal(exact.pr_auc_micro, merged.pr_auc_micro)


def test_progress_reaches_the_number_of_samples() -> None:
    targets, scores = _case(tracks=30)
    seen: list[int] = []
    draw_metrics(targets, scores, samples=10, memory=4 * 30 * 4, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 10
