from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.image import imread

from training.data.label_mapping import map_labels
from training.evaluation import plots
from training.evaluation.files import Evaluation
from training.evaluation.plots import SHOWN_TAGS, draw_curves, draw_per_tag
from training.evaluation.stored_scores import ScoresOf, StoredScores
from training.metrics.tagging import tagging_metrics
from training.metrics.thresholds import best_thresholds, decide
from training.runs.trained import open_run

RNG = np.random.default_rng(4)


def _scores(tags: int, tracks: int = 300) -> StoredScores:
    targets = (RNG.random((tracks, tags)) < 0.2).astype(np.float32)
    scores = (RNG.random((tracks, tags)) + 0.4 * targets).astype(np.float32) / 2
    names = tuple(f"$täg {number}" for number in range(tags))
    return StoredScores(ScoresOf(names, "x@y", "test", 0.5, ""), tuple(map(str, range(tracks))), targets, scores)


def _evaluation(run_folder: str, stored: StoredScores) -> Evaluation:
    labels = open_run(run_folder).labels
    mapping = dataclasses.replace(map_labels(labels, labels), tags=stored.of.tags)
    metrics = tagging_metrics(stored.targets, stored.scores)
    decisions = decide(stored.targets, stored.scores, best_thresholds(stored.targets, stored.scores))
    count = len(stored.track_ids)
    return Evaluation("run", "test", count, 0, 0, mapping, metrics, decisions, count, "", None, "test")


@pytest.mark.parametrize("tags", [1, 5, 3 * SHOWN_TAGS])
def test_pictures_fit_any_number_of_tags_and_are_the_same_bytes_whatever_the_users_settings(
    small_run: str, tmp_path: Path, tags: int
) -> None:
    stored = _scores(tags)
    result = _evaluation(small_run, stored)
    per_tag, curves = draw_per_tag(result), draw_curves(result, stored)
    with rc_context({"figure.dpi": 30, "font.size": 30, "axes.facecolor": "red"}):
        assert (draw_per_tag(result), draw_curves(result, stored)) == (per_tag, curves)
    (tmp_path / "per_tag.png").write_bytes(per_tag)
    height, width = imread(tmp_path / "per_tag.png").shape[:2]
    assert width == 880
    assert height < 110 * (2 * SHOWN_TAGS + 10) * 0.3


def test_the_best_and_the_worst_of_many_tags_are_drawn_and_the_rest_counted(small_run: str) -> None:
    result = _evaluation(small_run, _scores(tags=2 * SHOWN_TAGS + 7))
    figure = plots._per_tag_figure(result)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["7 tags between them are not shown"]
    ranked = sorted(result.metrics.per_tag, key=lambda one: -one.pr_auc)
    shown = [*ranked[:SHOWN_TAGS], *ranked[-SHOWN_TAGS:]]
    bars = [bar.get_width() for bar in axes.containers[1]]
    assert bars == pytest.approx([one.pr_auc for one in shown])


def test_an_evaluation_without_a_defined_tag_is_drawn_all_the_same(small_run: str) -> None:
    stored = _scores(tags=2, tracks=1)
    result = _evaluation(small_run, stored)
    assert result.metrics.tags_defined == 0
    assert draw_per_tag(result)[1:4] == draw_curves(result, stored)[1:4] == b"PNG"
