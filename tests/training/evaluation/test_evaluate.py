from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from schemas.storage.checksums import with_checksum
from tests.training.conftest import TAGS, SmallDataset
from training.baselines.kinds import BASELINES
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.evaluation.evaluate import evaluate
from training.evaluation.files import evaluation_csv
from training.evaluation.scoring import TrackScorer
from training.evaluation.stored_scores import read_stored_scores
from training.evaluation.summary import evaluation_report
from training.metrics.intervals import LEAST_GROUPS
from training.metrics.tagging import tagging_metrics
from training.metrics.thresholds import best_thresholds
from training.report.run_facts import read_facts
from training.runs.trained import TrainedRun, open_run


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
    assert written["groups"] == len({number // 2 for number in (int(one[-2:]) for one in records.tracks.track_ids)})


def test_an_interval_is_over_whole_groups_and_a_few_have_none(run_copy: str) -> None:
    train, test = evaluate(run_copy, "train"), evaluate(run_copy, "test")
    stored = read_stored_scores(str(Path(run_copy, "evaluation", "train_scores.parquet")))
    groups = np.array([int(track[-2:]) // 2 for track in stored.track_ids])
    groups = np.unique(groups, return_inverse=True)[1]
    assert train.metrics == tagging_metrics(stored.targets, stored.scores, groups=groups)
    assert train.metrics.groups == groups.max() + 1 >= LEAST_GROUPS > test.metrics.groups
    low, high = train.metrics.roc_auc_interval
    assert low < train.metrics.roc_auc_macro < high
    written = json.loads(Path(run_copy, "evaluation", "test.json").read_text())
    assert written["roc_auc_macro_interval"] == [None, None]
    assert f"{test.metrics.groups} groups (artists) are not enough for an interval" in str(evaluation_report(test))
    assert "not enough for an interval" not in str(evaluation_report(train))
    perfect = dataclasses.replace(test.metrics, roc_auc_macro=1.0)
    assert "not enough for an interval" in str(evaluation_report(dataclasses.replace(test, metrics=perfect)))
    assert f"over {train.metrics.groups} whole groups" in str(evaluation_report(train))


def test_the_table_per_tag_has_a_row_for_every_tag_in_order(run_copy: str) -> None:
    evaluate(run_copy, "test", baselines=BASELINES)
    with open(Path(run_copy, "evaluation", "test_per_tag.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["tag"] for row in rows] == list(TAGS)
    figures = ["positives", "tracks", "roc_auc", "pr_auc", "threshold", "precision", "recall", "f1"]
    assert list(rows[0]) == ["tag", *figures, "baseline_roc_auc", "baseline_pr_auc", "trees_roc_auc", "trees_pr_auc"]


def test_a_tag_that_is_a_formula_is_text_in_the_table_and_a_tag_again_in_the_report(run_copy: str) -> None:
    tags = ("=1+1", "'=1+1", "-noise")
    result = evaluate(run_copy, "test")
    named = dataclasses.replace(result, mapping=dataclasses.replace(result.mapping, tags=tags))
    table = Path(run_copy, "evaluation", "test_per_tag.csv")
    table.write_bytes(evaluation_csv(named))
    said = Path(run_copy, "evaluation", "test.json")
    changed = {**json.loads(said.read_text()), "per_tag_sha256": hashlib.sha256(table.read_bytes()).hexdigest()}
    said.write_text(json.dumps(with_checksum(changed)))
    assert [line.split(",")[0] for line in table.read_text().splitlines()[1:]] == ["'=1+1", "''=1+1", "'-noise"]
    assert [row.tag for row in read_facts(run_copy, "test").tags] == list(tags)


def test_thresholds_come_from_validation_whatever_split_is_evaluated(run_copy: str) -> None:
    result = evaluate(run_copy, "test")
    chosen, asked = (
        read_stored_scores(str(Path(run_copy, "evaluation", f"{split}_scores.parquet")))
        for split in ("validation", "test")
    )
    thresholds = best_thresholds(chosen.targets, chosen.scores)
    decided = [tag.threshold for tag in result.decisions.per_tag]
    assert decided == pytest.approx(thresholds.tolist(), abs=0, nan_ok=True)
    written = json.loads(Path(run_copy, "evaluation", "test.json").read_text())
    assert written["thresholds_from"] == {
        "split": "validation",
        "tracks": len(chosen.track_ids),
        "tags": np.count_nonzero(~np.isnan(thresholds)),
    }
    with open(Path(run_copy, "evaluation", "test_per_tag.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    for tag, row in enumerate(rows):
        # The table's own threshold decides the same tracks, those at the threshold included.
        given = asked.scores[:, tag] >= np.float32(row["threshold"])
        assert float(row["f1"]) == pytest.approx(f1_score(asked.targets[:, tag], given), abs=1e-6)
    assert written["f1_macro"] == pytest.approx(np.mean([float(row["f1"]) for row in rows]), abs=1e-6)


def test_the_same_evaluation_gives_the_same_bytes_pictures_included(
    run_copy: str, contents: Callable[..., dict[str, str]]
) -> None:
    evaluate(run_copy, "validation")
    once = contents(Path(run_copy, "evaluation"))
    assert sorted(once) == [
        "validation.json",
        "validation_curves.png",
        "validation_per_tag.csv",
        "validation_per_tag.png",
        "validation_scores.parquet",
    ]
    evaluate(run_copy, "validation")
    assert contents(Path(run_copy, "evaluation")) == once


def test_graded_labels_have_an_error_and_others_have_none(own_copy: tuple[SmallDataset, str]) -> None:
    dataset, run = own_copy
    reference = _lay(dataset, f"name: graded\ntags: [{', '.join(TAGS)}]\nvalues: graded\n")
    evaluate(run, "test", label_set="graded")
    written = json.loads(Path(run, "evaluation", f"test-{reference}.json").read_text())
    stored = read_stored_scores(str(Path(run, "evaluation", f"test-{reference}_scores.parquet")))
    assert written["sqrt_mse"] == pytest.approx(np.sqrt(np.mean((stored.targets - stored.scores) ** 2)), abs=1e-6)
    evaluate(run, "test")
    assert "sqrt_mse" not in json.loads(Path(run, "evaluation", "test.json").read_text())


@pytest.mark.parametrize(
    ("tags", "everywhere", "unlabelled", "undefined"),
    [
        (("bass",), "", "keep", []),
        (("bass", "noise"), "noise", "keep", ["noise"]),
        (("bass", "noise"), "bass", "drop", ["bass", "noise"]),
    ],
    ids=["a vocabulary of one tag", "a tag on every track", "a split of one track"],
)
def test_what_is_not_defined_is_null_and_fails_at_nothing(
    own_copy: tuple[SmallDataset, str], tags: tuple[str, ...], everywhere: str, unlabelled: str, undefined: list[str]
) -> None:
    dataset, run = own_copy
    rows = open_labels(Dataset.open(dataset.root), "small").table.to_pylist()
    tests = [row["track_id"] for row in rows if row["split"] == "test"]
    tracks = tests if unlabelled == "keep" else tests[:1]
    lines = [f"{track},{tag}" for tag in tags for track in tracks if tag == everywhere or track != tests[1]]
    (dataset.folder / "annotations.csv").write_text("\n".join(["track_id,tag", *lines, ""]))
    reference = _lay(dataset, f"name: odd\ntags: [{', '.join(tags)}]\nunlabelled: {unlabelled}\n")
    result = evaluate(run, "test", label_set=reference)
    text = Path(run, "evaluation", f"test-{reference}.json").read_text()
    written = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert written["tracks"] == len(tracks)
    assert written["tags_undefined"] == undefined
    assert (written["roc_auc_macro"] is None) == (len(tracks) == 1)
    assert written["pr_auc_macro_interval"] == [None, None]
    assert written["f1_macro"] is None  # no validation track has any of these labels
    assert ("no thresholds: odd@" in str(evaluation_report(result))) == (unlabelled == "drop")


def test_the_closing_words_name_the_figures_and_every_file(run_copy: str) -> None:
    words = str(evaluation_report(evaluate(run_copy, "test")))
    assert "micro " in words
    assert "F1 by thresholds" in words
    names = {path.name for path in Path(run_copy, "evaluation").glob("test*")}
    assert len(names) == 5
    assert all(name in words for name in names)


def test_scores_of_a_track_are_the_average_over_its_patches(small_run: str) -> None:
    import keras

    from schemas.patches import cut, patch_starts

    run = open_run(small_run)
    records = _records(run, "validation")
    scores = TrackScorer(run.model, run.config.patch, batch_size=5).scores(records)
    for number in range(len(records.tracks)):
        logmel = as_float(records.read(number))
        patches = np.stack([cut(logmel, int(s), run.config.patch) for s in patch_starts(len(logmel), run.config.patch)])
        logits = run.model(patches, training=False)["logits"]
        expected = keras.ops.convert_to_numpy(keras.ops.sigmoid(logits)).mean(axis=0)
        assert np.abs(scores[number] - expected).max() <= 1e-5


def test_a_batch_has_no_more_rows_than_there_are_patches(small_run: str) -> None:
    run = open_run(small_run)
    records = _records(run, "validation")
    few = TrackScorer(run.model, run.config.patch, batch_size=5).scores(records)
    endless = TrackScorer(run.model, run.config.patch, batch_size=10**20).scores(records)
    assert np.abs(few - endless).max() <= 1e-5


def test_what_is_no_run_and_what_is_no_split_are_refused(small_run: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a run, found no config\.json"):
        evaluate(str(tmp_path))
    with pytest.raises(UserError, match="--split: expected train, validation, test, received 'all'"):
        evaluate(small_run, "all")


@pytest.fixture
def own_copy(small_dataset: SmallDataset, small_run: str, tmp_path: Path) -> tuple[SmallDataset, str]:
    """A copy of the dataset, and a copy of the run that was trained on it, for tests that lay their own labels."""
    dataset = small_dataset.copy(tmp_path / "small")
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(with_checksum({**config, "dataset": dataset.root})))
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
