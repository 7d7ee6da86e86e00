from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.labels.overlay import lay_labels
from pipeline.labels.splits import SplitMethod, make_split
from schemas.dataset import Dataset
from schemas.errors import UserError
from schemas.label_version import open_labels
from tests.training.conftest import TAGS, SmallDataset
from training.baseline import band_statistics, baseline_scores
from training.evaluate import evaluate
from training.labels import labelled_tracks
from training.records import TrackRecords, as_float
from training.scoring import TrackScorer
from training.trained import TrainedRun, open_run


@pytest.fixture
def run_copy(small_run: str, tmp_path: Path) -> str:
    return str(shutil.copytree(small_run, tmp_path / "run"))


def _records(run: TrainedRun, split: str) -> TrackRecords:
    return TrackRecords(run.dataset, labelled_tracks(run.dataset, run.labels, run.dataset.spec("logmel"), split))


def test_the_evaluation_is_scikit_learns_on_one_row_per_track_of_the_split(run_copy: str) -> None:
    result = evaluate(run_copy, "test")
    run = open_run(run_copy)
    records = _records(run, "test")
    targets = records.tracks.targets
    scores = TrackScorer(run.model, run.config.patch).scores(records)
    defined = [tag for tag in range(len(TAGS)) if 0 < targets[:, tag].sum() < len(targets)]
    written = json.loads(Path(run_copy, "evaluation", "test.json").read_text())
    assert result.tracks == written["tracks"] == run.labels.manifest.counts["test"] == len(targets)
    assert written["tags_defined"] == len(defined)
    assert written["tags_undefined"] == [TAGS[tag] for tag in range(len(TAGS)) if tag not in defined]
    roc = np.mean([roc_auc_score(targets[:, tag], scores[:, tag]) for tag in defined])
    precision = np.mean([average_precision_score(targets[:, tag], scores[:, tag]) for tag in defined])
    assert written["roc_auc_macro"] == pytest.approx(roc, abs=1e-9)
    assert written["pr_auc_macro"] == pytest.approx(precision, abs=1e-9)
    assert written["roc_auc_macro_interval"][0] <= written["roc_auc_macro"] <= written["roc_auc_macro_interval"][1]


def test_the_table_per_tag_has_a_row_for_every_tag_in_order(run_copy: str) -> None:
    evaluate(run_copy, "test", baseline=True)
    with open(Path(run_copy, "evaluation", "test_per_tag.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["tag"] for row in rows] == list(TAGS)
    assert list(rows[0]) == ["tag", "positives", "tracks", "roc_auc", "pr_auc", "baseline_roc_auc", "baseline_pr_auc"]


def test_scores_of_a_track_are_the_average_over_its_patches(small_run: str) -> None:
    import keras

    from training.patches import cut, patch_starts

    run = open_run(small_run)
    records = _records(run, "validation")
    scores = TrackScorer(run.model, run.config.patch, batch_size=5).scores(records)
    for number in range(len(records.tracks)):
        logmel = as_float(records.read(number))
        patches = np.stack([cut(logmel, int(s), run.config.patch) for s in patch_starts(len(logmel), run.config.patch)])
        logits = run.model(patches, training=False)["logits"]
        expected = keras.ops.convert_to_numpy(keras.ops.sigmoid(logits)).mean(axis=0)
        assert np.abs(scores[number] - expected).max() <= 1e-5


def test_the_baseline_learns_from_training_tracks_alone(small_run: str) -> None:
    run = open_run(small_run)
    train, test = _records(run, "train"), _records(run, "test")
    known, asked = band_statistics(train), band_statistics(test)
    assert known.shape == (len(train.tracks), 192)
    logmel = as_float(train.read(0))
    assert known[0, :96] == pytest.approx(logmel.mean(axis=0), abs=1e-4)
    assert known[0, 96:] == pytest.approx(logmel.std(axis=0), abs=1e-4)
    scores = baseline_scores(known, train.tracks.targets, asked, 0.5)
    noise = TAGS.index("noise")
    assert roc_auc_score(test.tracks.targets[:, noise], scores[:, noise]) > 0.9
    constant = train.tracks.targets.copy()
    constant[:, 0], constant[:, 1] = 0, 1
    assert baseline_scores(known, constant, asked, 0.5)[:, :2].tolist() == [[0, 1]] * len(asked)


def test_a_run_that_is_none_and_a_split_that_is_none_are_refused(small_run: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a run, found no config\.json"):
        evaluate(str(tmp_path))
    with pytest.raises(UserError, match="--split: expected train, validation, test, received 'all'"):
        evaluate(small_run, "all")


@pytest.fixture
def own_copy(small_dataset: SmallDataset, small_run: str, tmp_path: Path) -> tuple[SmallDataset, str]:
    """A copy of the dataset, and one of the run that was trained on it, for tests that lay labels of their own."""
    dataset = small_dataset.copy(tmp_path / "small")
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "dataset": dataset.root}))
    return dataset, str(run)


def _lay(dataset: SmallDataset, label_set: str, split: str | None = None) -> str:
    (dataset.folder / "other.yaml").write_text(label_set)
    laid = lay_labels(
        dataset.root, [str(dataset.folder / "annotations.csv")], str(dataset.folder / "other.yaml"), split
    )
    return f"{laid.name}@{laid.version}"


def test_other_labels_are_matched_by_name_and_what_has_no_match_is_named(own_copy: tuple[SmallDataset, str]) -> None:
    dataset, run = own_copy
    reference = _lay(dataset, "name: other\ntags: [hiss, tremolo, bass]\nmerge: {hiss: [noise]}\n")
    own, other = evaluate(run, "test"), evaluate(run, "test", label_set="other")
    assert other.vocabulary == ("tremolo", "bass")
    assert (other.mapping.unknown, other.mapping.unused, other.seen) == (("hiss",), ("noise",), 0)
    of_own = dict(zip(own.vocabulary, own.metrics.per_tag, strict=True))
    assert list(other.metrics.per_tag) == [of_own["tremolo"], of_own["bass"]]
    written = json.loads(Path(run, "evaluation", f"test-{reference}.json").read_text())
    assert (written["label_set"], written["trained_on"]) == (reference, own.mapping.labels.reference)
    assert (written["tags_unknown_to_the_model"], written["tags_unused"]) == (["hiss"], ["noise"])
    assert json.loads(Path(run, "evaluation", "test.json").read_text())["tags"] == len(TAGS)


def test_tracks_that_the_model_was_trained_or_chosen_by_are_left_out(own_copy: tuple[SmallDataset, str]) -> None:
    dataset, run = own_copy
    make_split(Dataset.open(dataset.root), "other", SplitMethod((20, 20, 60), salt="s"))
    reference = _lay(dataset, f"name: other\ntags: [{', '.join(TAGS)}]\n", "other")
    opened = Dataset.open(dataset.root)
    trained, asked = (open_labels(opened, name).table.to_pylist() for name in ("small", "other"))
    known = {row["track_id"] for row in trained if row["split"] != "test"}
    expected = {row["track_id"] for row in asked if row["split"] == "test"}
    result = evaluate(run, "test", label_set=reference)
    assert 0 < result.tracks == len(expected - known) < len(expected)
    assert result.seen == len(expected & known)


def test_labels_that_share_no_tag_or_no_unseen_track_are_refused(own_copy: tuple[SmallDataset, str]) -> None:
    dataset, run = own_copy
    _lay(dataset, "name: foreign\ntags: [hiss]\nmerge: {hiss: [noise]}\n")
    with pytest.raises(UserError, match="foreign@.* has none of the tags that the model was trained on"):
        evaluate(run, "test", label_set="foreign")
    with pytest.raises(UserError, match="'foreing'.*did you mean 'foreign'"):
        evaluate(run, "test", label_set="foreing")
    sides = {
        row["track_id"]: row["split"] for row in open_labels(Dataset.open(dataset.root), "small").table.to_pylist()
    }
    seen = [track for track, side in sides.items() if side == "train"]
    (dataset.folder / "annotations.csv").write_text("track_id,tag\n" + "".join(f"{track},bass\n" for track in seen))
    make_split(Dataset.open(dataset.root), "swapped", SplitMethod((0, 0, 100)))
    reference = _lay(dataset, "name: swapped\ntags: [bass]\nunlabelled: drop\n", "swapped")
    with pytest.raises(UserError, match=f"{reference}: the model has seen all of its {len(seen)} test tracks"):
        evaluate(run, "test", label_set="swapped")
