from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.baselines import models
from training.baselines.kinds import BASELINES, BaselineKind
from training.baselines.models import baseline_scores, fitted_tracks

TRACKS, FEATURES = 300, 12


def _tracks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Statistics, and targets of four tags: one linear in them, one that no linear model finds, one always, one never."""
    rng = np.random.default_rng(seed)
    statistics = rng.normal(size=(TRACKS, FEATURES)).astype(np.float32)
    columns = [statistics[:, 0] > 0.5, np.abs(statistics[:, 1]) > 1, np.ones(TRACKS), np.zeros(TRACKS)]
    return statistics, np.stack(columns, axis=1).astype(np.float32)


@pytest.mark.parametrize("kind", BASELINES)
def test_each_baseline_learns_a_tag_that_its_statistics_show(kind: BaselineKind) -> None:
    (known, targets), (asked, truth) = _tracks(0), _tracks(1)
    scores = baseline_scores(kind, known, targets, asked, 0.5)
    assert scores.dtype == np.float32
    assert scores.shape == truth.shape
    assert roc_auc_score(truth[:, 0], scores[:, 0]) > 0.95
    # The tag has both tails at once: trees find it, a linear model does not.
    assert (roc_auc_score(truth[:, 1], scores[:, 1]) > 0.9) == (kind == "trees")
    assert scores[:, 2:].tolist() == [[1, 0]] * TRACKS


@pytest.mark.parametrize("kind", BASELINES)
def test_unknown_targets_are_left_out_and_graded_ones_count_from_the_threshold_on(kind: BaselineKind) -> None:
    (known, targets), (asked, _) = _tracks(0), _tracks(1)
    graded = np.where(targets[:, :1] == 1, 0.7, 0.3).astype(np.float32)
    expected = baseline_scores(kind, known, targets[:, :1], asked, 0.5)
    assert np.array_equal(baseline_scores(kind, known, graded, asked, 0.5), expected)
    half = targets[:, :1].copy()
    half[TRACKS // 2 :] = np.nan
    of_half = baseline_scores(kind, known[: TRACKS // 2], targets[: TRACKS // 2, :1], asked, 0.5)
    assert np.array_equal(baseline_scores(kind, known, half, asked, 0.5), of_half)


@pytest.mark.parametrize("kind", BASELINES)
def test_scores_are_the_same_for_any_number_of_cores(kind: BaselineKind, monkeypatch: pytest.MonkeyPatch) -> None:
    (known, targets), (asked, _) = _tracks(0), _tracks(1)
    expected = baseline_scores(kind, known, targets, asked, 0.5)
    for cores in (1, 5):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert np.array_equal(baseline_scores(kind, known, targets, asked, 0.5), expected)


def test_fitting_leaves_the_threads_of_the_process_as_they_were() -> None:
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info()]

    (known, targets), (asked, _) = _tracks(0), _tracks(1)
    before = threads()
    baseline_scores("trees", known, targets, asked, 0.5)
    assert threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(threads).result() == before


def test_many_tracks_are_thinned_evenly_and_few_are_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fitted_tracks(7).tolist() == [True] * 7
    monkeypatch.setattr(models, "MOST_TRACKS", 10)
    kept = np.flatnonzero(fitted_tracks(95))
    assert len(kept) == 10
    assert set(np.diff(kept)) <= {9, 10}
