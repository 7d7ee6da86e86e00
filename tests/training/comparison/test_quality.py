"""The quality benchmark measures everyone alike, and its figures are scikit-learn's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from benchmarks import quality_contestants, quality_figures, quality_shallow
from benchmarks.quality_contestants import Contestant, Outcome, Rules, compete, parse_contestants
from benchmarks.quality_corpora import Corpus, transferred
from benchmarks.quality_figures import Figures, accuracy, figures_of_scores
from benchmarks.quality_keras import random_patches
from benchmarks.quality_table import Row, line, mean_lines
from schemas.console.errors import UserError
from tests.training.conftest import SmallDataset
from training.data.input import epoch_steps
from training.data.records import open_records
from training.evaluation.stored_scores import read_stored_scores
from training.models.config import ModelConfig
from training.study.training_process import _trained_row

SMALL = ModelConfig("spectrogram", num_filt=1, backend_filters=32, dense_units=16)
RULES = Rules(steps=3, batch_size=6, patch_seconds=1.0, validate_every=2)
FIGURES = Figures(0.8, (0.7, 0.9), 0.6, (0.5, 0.7), math.nan, 10, 3)


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in this process, which has TensorFlow already, and with a small network in place of the published one."""

    def call(function: Callable[..., Any], *arguments: object, name: str, advice: str = "") -> Any:
        return function(*arguments)

    monkeypatch.setattr(quality_contestants, "in_own_process", call)
    monkeypatch.setattr(quality_contestants, "train_apart", _trained_row)
    monkeypatch.setattr(
        quality_contestants, "ModelConfig", lambda frontend: dataclasses.replace(SMALL, frontend=frontend)
    )


@pytest.fixture
def corpora(small_dataset: SmallDataset, tmp_path: Path) -> tuple[Corpus, Corpus]:
    """The same dataset under two names: what is tested on the second must come out as on the first."""
    root = small_dataset.copy(tmp_path / "own").root
    return Corpus("own", root, "small"), Corpus("again", root, "small")


def _compete(contestant: str, corpora: tuple[Corpus, Corpus], folder: Path) -> Outcome:
    (parsed,) = parse_contestants(contestant)
    return compete(parsed, corpora[0], corpora[1:], 0, RULES, folder / "run")


@pytest.mark.slow
def test_plain_keras_is_scored_as_scikit_learn_scores_it(
    corpora: tuple[Corpus, Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []

    def spy(targets: np.ndarray, scores: np.ndarray, *rest: Any) -> Figures:
        scored.append((targets, scores))
        return figures_of_scores(targets, scores, *rest)

    monkeypatch.setattr(quality_figures, "figures_of_scores", spy)
    outcome = _compete("plain", corpora, tmp_path)
    targets, scores = scored[0]
    figures = outcome.figures["own"]
    assert figures.roc_auc == pytest.approx(roc_auc_score(targets, scores), abs=1e-9)
    assert figures.pr_auc == pytest.approx(average_precision_score(targets, scores), abs=1e-9)
    assert (figures.tracks, figures.tags) == scores.shape
    assert outcome.figures["again"] == figures
    assert [seen for seen, _ in outcome.validation] == [12, 18]  # after steps 2 and 3
    assert all(0 < value <= 1 for _, value in outcome.validation)
    assert outcome.examples_to(0.0) == 12
    assert outcome.examples_to(1.1) is None


def test_random_patches_follow_from_the_seed_and_visit_every_track_in_an_epoch(small_dataset: SmallDataset) -> None:
    records = open_records(small_dataset.root, "small", "train")
    tracks = len(records.tracks)
    first, again, other = (
        [batch.numpy() for batch in next(iter(random_patches(records, 63, tracks, seed)))] for seed in (0, 0, 1)
    )
    assert first[0].shape == (tracks, 63, 96)
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(first[0], other[0])
    assert sorted(map(tuple, first[1])) == sorted(map(tuple, records.tracks.targets))


@pytest.mark.slow
def test_ours_is_reported_as_scikit_learn_scores_its_evaluation(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text("num_filt: 1\nbackend_filters: 32\ndense_units: 16\nstop_epochs: 1\n")
    outcome = _compete(f"{recipe}/spectrogram", corpora, tmp_path)
    stored = read_stored_scores(str(tmp_path / "run" / "evaluation" / "test_scores.parquet"))
    figures = outcome.figures["own"]
    assert figures.roc_auc == pytest.approx(roc_auc_score(stored.targets, stored.scores), abs=1e-9)
    assert figures.pr_auc == pytest.approx(average_precision_score(stored.targets, stored.scores), abs=1e-9)
    assert math.isnan(figures.accuracy)  # the tracks have several tags
    assert outcome.figures["again"].pr_auc == figures.pr_auc
    tracks = len(open_records(corpora[0].dataset, "small", "train").tracks)
    per_step = tracks / epoch_steps(tracks, RULES.batch_size)
    assert [seen for seen, _ in outcome.validation] == [round(2 * per_step), round(3 * per_step)]


@pytest.mark.parametrize("kind", ["logistic", "trees"])
def test_simple_models_are_tested_on_other_corpora_alike(
    kind: str, corpora: tuple[Corpus, Corpus], tmp_path: Path
) -> None:
    outcome = _compete(kind, corpora, tmp_path)
    assert outcome.figures["own"] == outcome.figures["again"]
    assert 0 <= outcome.figures["own"].roc_auc <= 1
    assert outcome.validation == ()


@pytest.mark.slow
def test_the_probe_reads_embeddings_of_the_published_network(
    corpora: tuple[Corpus, Corpus], musicnn_wheel: Path
) -> None:
    result = quality_shallow.fit_shallow("probe", corpora[0], (), str(musicnn_wheel))
    assert 0 <= result.figures["own"].roc_auc <= 1


def test_accuracy_is_that_of_the_highest_score_and_needs_one_tag_per_track() -> None:
    rng = np.random.default_rng(0)
    tag = rng.integers(4, size=50)
    targets, scores = np.eye(4, dtype=np.float32)[tag], rng.random((50, 4), np.float32)
    assert accuracy(targets, scores, 0.5) == pytest.approx(accuracy_score(tag, scores.argmax(axis=1)))
    for value in (1.0, math.nan):
        changed = targets.copy()
        changed[0, (tag[0] + 1) % 4] = value
        assert math.isnan(accuracy(changed, scores, 0.5))


def test_folds_of_one_corpus_are_no_transfer(small_dataset: SmallDataset) -> None:
    folds = [Corpus("esc10", small_dataset.root, "small", fold=fold) for fold in (1, 2)]
    other = Corpus("own", small_dataset.root, "small")
    assert transferred(folds[0], [*folds, other]) == [other]


def test_the_table_has_means_over_seeds_with_an_interval_and_over_folds_without() -> None:
    rendered = Corpus("rendered", "", "")
    rows = [Row(rendered, rendered, "plain", seed, FIGURES, 10.0, 320) for seed in (0, 1)]
    (mean,) = mean_lines(rows)
    assert "x2" in mean
    assert "0.5000-0.7000" in mean
    assert "0.5000-0.7000" in line(rows[0])
    folds = [Corpus("esc10", "", "", fold=fold) for fold in (1, 2)]
    (mean,) = mean_lines([Row(fold, fold, "plain", 0, FIGURES, 10.0, None) for fold in folds])
    assert "0.5000-0.7000" not in mean
    assert mean_lines(rows[:1]) == []


def test_a_wrong_contestant_is_named() -> None:
    assert parse_contestants("plain, paper/musicnn")[1] == Contestant("ours", "musicnn", "paper")
    assert parse_contestants("my/own.yaml/vgg") == [Contestant("ours", "vgg", "my/own.yaml")]
    with pytest.raises(UserError, match="received 'musicnn'"):
        parse_contestants("plain,musicnn")
