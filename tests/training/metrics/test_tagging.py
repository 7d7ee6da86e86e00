from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, mean_squared_error, roc_auc_score

from training.metrics.tagging import tagging_metrics

RNG = np.random.default_rng(0)


def _case(tracks: int = 80, tags: int = 6, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    targets = (RNG.random((tracks, tags)) < RNG.uniform(0.05, 0.6, tags)).astype(np.float32)
    targets[0], targets[1] = 1, 0
    scores = np.round(targets * 0.3 + RNG.random((tracks, tags)), decimals)  # rounding makes many ties
    return targets, scores


def test_metrics_are_scikit_learns_exactly_ties_included() -> None:
    targets, scores = _case()
    metrics = tagging_metrics(targets, scores)
    for number, tag in enumerate(metrics.per_tag):
        assert tag.roc_auc == pytest.approx(roc_auc_score(targets[:, number], scores[:, number]), abs=1e-12)
        assert tag.pr_auc == pytest.approx(average_precision_score(targets[:, number], scores[:, number]), abs=1e-12)
    assert metrics.roc_auc_macro == pytest.approx(roc_auc_score(targets, scores, average="macro"), abs=1e-12)
    assert metrics.pr_auc_macro == pytest.approx(average_precision_score(targets, scores, average="macro"), abs=1e-12)


def test_a_ranking_squeezed_towards_zero_keeps_its_value() -> None:
    targets, scores = _case(decimals=6)
    squeezed = scores * 1e-6
    plain, small = (tagging_metrics(targets, values) for values in (scores, squeezed))
    assert plain.roc_auc_macro == small.roc_auc_macro


def test_a_tag_without_positives_is_left_out_of_the_means_and_counted() -> None:
    targets, scores = _case(tags=3)
    targets[:, 1] = 0
    metrics = tagging_metrics(targets, scores)
    assert metrics.tags_defined == 2
    assert np.isnan(metrics.per_tag[1].roc_auc)
    assert metrics.roc_auc_macro == pytest.approx(np.mean([metrics.per_tag[0].roc_auc, metrics.per_tag[2].roc_auc]))


def test_unknown_targets_are_left_out_of_their_tag_alone() -> None:
    targets, scores = _case(tags=2)
    holes = targets.copy()
    holes[10:30, 0] = np.nan
    metrics = tagging_metrics(holes, scores)
    kept = ~np.isnan(holes[:, 0])
    assert metrics.per_tag[0].tracks == kept.sum()
    assert metrics.per_tag[0].roc_auc == pytest.approx(roc_auc_score(targets[kept, 0], scores[kept, 0]))
    assert metrics.per_tag[1].roc_auc == pytest.approx(roc_auc_score(targets[:, 1], scores[:, 1]))


def test_the_micro_figures_are_scikit_learns_over_all_known_pairs() -> None:
    targets, scores = _case(tracks=70, tags=5)
    metrics = tagging_metrics(targets, scores, groups=np.arange(70))
    assert metrics.roc_auc_micro == pytest.approx(roc_auc_score(targets, scores, average="micro"), abs=1e-12)
    assert metrics.pr_auc_micro == pytest.approx(average_precision_score(targets, scores, average="micro"), abs=1e-12)
    targets[RNG.random(targets.shape) < 0.3] = np.nan
    targets[:, 2] = np.nan  # nothing is known about this tag
    known = ~np.isnan(targets)
    metrics = tagging_metrics(targets, scores, groups=np.arange(70))
    assert metrics.roc_auc_micro == pytest.approx(roc_auc_score(targets[known], scores[known]), abs=1e-12)
    assert metrics.pr_auc_micro == pytest.approx(average_precision_score(targets[known], scores[known]), abs=1e-12)


def test_the_error_of_graded_labels_is_the_root_of_scikit_learns_over_known_targets() -> None:
    targets = RNG.random((60, 4)).astype(np.float32)
    scores = RNG.random((60, 4)).astype(np.float32)
    targets[RNG.random(targets.shape) < 0.2] = np.nan
    known = ~np.isnan(targets)
    metrics = tagging_metrics(targets, scores, groups=np.arange(60))
    expected = np.sqrt(mean_squared_error(targets[known].astype(float), scores[known].astype(float)))
    assert metrics.sqrt_mse == pytest.approx(expected, abs=1e-9)
    assert metrics.sqrt_mse_interval[0] < metrics.sqrt_mse < metrics.sqrt_mse_interval[1]


def test_intervals_hold_the_value_narrow_with_groups_and_not_with_copies_of_their_tracks() -> None:
    targets, scores = _case(tracks=60)
    few = tagging_metrics(targets, scores, groups=np.arange(60))
    assert few.groups == 60
    assert few.roc_auc_interval[0] < few.roc_auc_macro < few.roc_auc_interval[1]
    assert few.pr_auc_interval[0] < few.pr_auc_macro < few.pr_auc_interval[1]
    assert few.roc_auc_micro_interval[0] < few.roc_auc_micro < few.roc_auc_micro_interval[1]
    assert few.pr_auc_micro_interval[0] < few.pr_auc_micro < few.pr_auc_micro_interval[1]
    assert few == tagging_metrics(targets, scores, groups=np.arange(60))
    copies = np.tile(targets, (9, 1)), np.tile(scores, (9, 1))
    many = tagging_metrics(*copies, groups=np.arange(540))
    width = [high - low for low, high in (few.roc_auc_interval, many.roc_auc_interval)]
    assert width[1] < width[0] / 2
    alike = tagging_metrics(*copies, groups=np.tile(np.arange(60), 9))
    assert alike.roc_auc_interval == pytest.approx(few.roc_auc_interval)


def test_graded_targets_count_as_positive_from_the_label_sets_value() -> None:
    targets, scores = _case(tags=1)
    graded = np.where(targets > 0, 0.7, 0.2).astype(np.float32)
    assert tagging_metrics(graded, scores, positive_at=0.5).per_tag[0].positives == targets.sum()
    assert np.isnan(tagging_metrics(graded, scores, positive_at=0.8).roc_auc_macro)


def test_one_track_or_no_known_target_leaves_every_figure_undefined_and_fails_at_nothing() -> None:
    for targets in (np.array([[1, 0]], np.float32), np.full((3, 2), np.nan, np.float32)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            metrics = tagging_metrics(targets, np.full(targets.shape, 0.5, np.float32), groups=np.arange(len(targets)))
        assert metrics.tags_defined == 0
        figures = (metrics.roc_auc_macro, metrics.pr_auc_macro, *metrics.roc_auc_interval, *metrics.pr_auc_interval)
        assert np.isnan(figures).all()
