from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.training.metrics.random_scores import random_scores
from training.metrics import jackknife
from training.metrics.intervals import Support
from training.metrics.jackknife import MOST_PARTS, Replicates, left_out_metrics, parts_of

RNG = np.random.default_rng(2)


def _case(tracks: int = 150, tags: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return random_scores(RNG, tracks, tags, decimals=2)


def _same(one: Replicates, other: Replicates) -> bool:
    names = [field.name for field in dataclasses.fields(Replicates)]
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names[:5])


def test_each_replicate_is_scikit_learns_on_the_tracks_of_all_other_groups() -> None:
    targets, scores = _case()
    groups = RNG.permutation(np.arange(len(targets)) % 12)
    without = left_out_metrics(targets, scores, parts_of(groups))
    assert without.roc_auc.shape == (targets.shape[1], 12)
    for group in range(12):
        target, score = targets[groups != group], scores[groups != group]
        for tag in range(targets.shape[1]):
            known = ~np.isnan(target[:, tag])
            pair = target[known, tag], score[known, tag]
            assert without.roc_auc[tag, group] == pytest.approx(roc_auc_score(*pair), abs=1e-9)
            assert without.pr_auc[tag, group] == pytest.approx(average_precision_score(*pair), abs=1e-9)
        known = ~np.isnan(target)
        assert without.roc_auc_micro[group] == pytest.approx(roc_auc_score(target[known], score[known]), abs=1e-9)
        average = average_precision_score(target[known], score[known])
        assert without.pr_auc_micro[group] == pytest.approx(average, abs=1e-9)
        root = np.sqrt(np.mean(np.square(target[known].astype(float) - score[known])))
        assert without.sqrt_mse[group] == pytest.approx(root, abs=1e-9)


def test_the_memory_that_a_block_may_take_changes_no_bit() -> None:
    targets, scores = _case()
    parts = np.arange(len(targets)) % 40
    whole = left_out_metrics(targets, scores, parts)
    for at_once in (1, 7, 39):
        assert _same(whole, left_out_metrics(targets, scores, parts, memory=4 * len(targets) * at_once))


def test_many_groups_are_dealt_whole_to_parts_of_equally_many_tracks_on_their_own_too() -> None:
    groups = np.repeat(np.arange(7 * MOST_PARTS), 3)
    parts = parts_of(groups)
    assert np.array_equal(parts, parts_of(groups))
    assert all(len(set(parts[groups == group])) == 1 for group in range(0, 7 * MOST_PARTS, 50))
    assert set(np.bincount(parts)) == {21}
    few = np.array([0, 1, 1, 2])
    assert parts_of(few) is few


def test_what_groups_say_of_a_tag_is_counted_by_positives_and_by_negatives() -> None:
    groups = np.repeat(np.arange(6), 2)
    targets = np.zeros((12, 3), np.float32)
    targets[:4, 0] = 1  # two artists always have it, and no other artist ever does
    targets[::2, 1] = 1  # every artist has it once
    targets[:, 2] = np.nan
    targets[:6, 2] = 1
    without = left_out_metrics(targets, targets + RNG.normal(size=targets.shape), groups)
    assert without.tag_support == (Support(6, 2), Support(6, 6), Support(3, 0))
    assert without.support == Support(6, 6)


def test_a_long_micro_ranking_is_taken_in_merged_steps_without_shifting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = (RNG.random((3000, 4)) < 0.3).astype(np.float32)
    scores = (RNG.normal(size=targets.shape) + targets).astype(np.float32)
    parts = np.arange(3000) % 30
    exact = left_out_metrics(targets, scores, parts)
    monkeypatch.setattr(jackknife, "MICRO_STEPS", 200)
    merged = left_out_metrics(targets, scores, parts)
    for of_exact, of_merged in (
        (exact.roc_auc_micro, merged.roc_auc_micro),
        (exact.pr_auc_micro, merged.pr_auc_micro),
    ):
        assert of_merged.std() == pytest.approx(of_exact.std(), rel=0.05)
        assert abs(np.mean(of_exact - of_merged)) < of_exact.std() / 50
    assert np.array_equal(exact.roc_auc, merged.roc_auc)
    assert not np.array_equal(exact.pr_auc_micro, merged.pr_auc_micro)


def test_progress_reaches_the_number_of_replicates() -> None:
    targets, scores = _case(tracks=30)
    seen: list[int] = []
    left_out_metrics(targets, scores, np.arange(30) % 10, memory=4 * 30 * 4, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 10
