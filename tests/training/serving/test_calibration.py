"""Calibrated scores are probabilities as scikit-learn makes them, and the same wherever a model gives them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import sklearn.base
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from pipeline.audio.tracks import read_waveform
from pipeline.tagging.model_files import read_model
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from schemas.console.errors import UserError
from schemas.features import LogMelSpec, WaveformSpec
from schemas.model_calibration import Calibration, calibrated_scores, calibration_json, parse_calibration
from schemas.model_forms import Form
from tests.pipeline.tagging.conftest import TAGS, write_model
from tests.training.conftest import Served, SmallDataset, compiled_graphs
from tests.training.serving.test_forms import KNOWN_TO_ESSENTIA
from training.data.records import as_float
from training.evaluation.stored_scores import ScoresOf, StoredScores
from training.metrics.reliability import reliability
from training.metrics.thresholds import best_thresholds
from training.runs.trained import open_run
from training.serving.calibration import fit_calibration
from training.serving.export import export
from training.serving.platt import platt
from training.serving.tag import tag_files
from training.serving.thresholds import Chosen, calibrated_thresholds, validation_scores

# Of TAGS in their order: the last one stays as it is.
CALIBRATION = Calibration((3.0, 0.5, 1.5, 1.0), (0.7, -1.0, 1.0, 0.0))
FLOAT32 = 1e-5
LITERT = 1e-4
STORED = 5e-3  # log-mel and scores in float16


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def _expected(scores: np.ndarray) -> np.ndarray:
    """Calibrated by another formula than the package's: the odds to the power of the slope."""
    slope, intercept = np.array(CALIBRATION.slope), np.array(CALIBRATION.intercept)
    return 1 / (1 + (1 / scores.astype(np.float64) - 1) ** slope * np.exp(-intercept))


def _scored(tracks: int, seed: int = 0) -> StoredScores:
    """Two tags whose scores are too sure of themselves, and a third one in which half of the targets are unknown."""
    rng = np.random.default_rng(seed)
    logits = rng.normal([-2, 0, -1], 1.5, (tracks, 3))
    targets = (rng.random((tracks, 3)) < _sigmoid(logits)).astype(np.float32)
    targets[::2, 2] = np.nan
    scores = _sigmoid(logits * [2.5, 3.0, 0.4] + [1.0, -1.0, 2.0]).astype(np.float32)
    of = ScoresOf(("a", "b", "c"), "mine@0", "validation", 0.5, "0" * 64)
    return StoredScores(of, tuple(map(str, range(tracks))), targets, scores)


class _Logits(sklearn.base.ClassifierMixin, sklearn.base.BaseEstimator):
    """A classifier whose decision is what it is given."""

    def fit(self, inputs: np.ndarray, classes: np.ndarray) -> _Logits:
        self.classes_ = np.unique(classes)
        return self

    def decision_function(self, inputs: np.ndarray) -> np.ndarray:
        return inputs[:, 0]

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self.classes_[(inputs[:, 0] > 0).astype(int)]


@pytest.mark.parametrize("tag", range(3))
def test_a_tag_is_calibrated_as_scikit_learn_does_it(tag: int) -> None:
    stored = _scored(400)
    known = ~np.isnan(stored.targets[:, tag])
    target, score = stored.targets[known, tag] > 0.5, stored.scores[known, tag].astype(np.float64)
    logits = np.log(score / (1 - score))[:, np.newaxis]
    theirs = CalibratedClassifierCV(FrozenEstimator(_Logits().fit(logits, target)), method="sigmoid")
    expected = theirs.fit(logits, target).predict_proba(logits)[:, 1]
    slope, intercept = platt(score[target], score[~target])
    np.testing.assert_allclose(_sigmoid(slope * logits[:, 0] + intercept), expected, atol=2e-4)
    (fitted,) = theirs.calibrated_classifiers_[0].calibrators
    np.testing.assert_allclose((slope, intercept), (-fitted.a_, -fitted.b_), rtol=2e-3, atol=2e-3)


def test_calibration_brings_tracks_that_it_has_not_seen_closer_to_probabilities() -> None:
    fit, held_out = fit_calibration(_scored(1000), np.arange(1000)), _scored(1000, seed=1)
    found = calibrated_scores(held_out.scores, fit.calibration)
    known = ~np.isnan(held_out.targets)
    errors, losses = [], []
    for scores in (held_out.scores.astype(np.float64), found):
        target, score = held_out.targets[known] > 0.5, scores[known]
        ours = reliability(held_out.targets, scores)
        shares, means = calibration_curve(target, score, n_bins=10)
        filled = ours.counts[ours.counts > 0] / ours.counts.sum()
        errors.append(float((filled * np.abs(shares - means)).sum()))
        losses.append(log_loss(target, score))
        assert (ours.error, ours.log_loss) == (pytest.approx(errors[-1]), pytest.approx(losses[-1]))
    assert errors[1] < 0.03 < 0.1 < errors[0]
    assert losses[1] < losses[0] - 0.1
    # What the card says of the tracks of other folds is what new tracks see.
    assert fit.before.error == pytest.approx(errors[0], abs=0.02)
    assert fit.after.error == pytest.approx(errors[1], abs=0.02)
    assert fit.after.log_loss == pytest.approx(losses[1], abs=0.02)


def test_no_fold_is_calibrated_by_its_own_tracks() -> None:
    """Groups whose targets are at odds with all others: a fit that saw them would do better on them."""
    stored = _scored(400)
    groups = np.arange(400) // 4
    folds = groups % 5
    calibrated = np.empty(stored.scores.shape)
    for fold in range(5):
        for column in range(3):
            rest = stored.scores[folds != fold, column], stored.targets[folds != fold, column]
            slope, intercept = platt(rest[0][rest[1] == 1], rest[0][rest[1] == 0])
            score = stored.scores[folds == fold, column].astype(np.float64)
            calibrated[folds == fold, column] = _sigmoid(slope * np.log(score / (1 - score)) + intercept)
    expected = reliability(stored.targets, calibrated)
    found = fit_calibration(stored, groups).after
    assert (found.error, found.log_loss) == (pytest.approx(expected.error), pytest.approx(expected.log_loss))


def test_a_tag_that_cannot_be_calibrated_is_left_as_it_is_and_named() -> None:
    score = np.linspace(0.1, 0.9, 40, dtype=np.float32)
    rising = (np.arange(40) % 3 + np.arange(40) / 20 > 1.5).astype(np.float32)
    columns = {
        "sound": (score, rising),
        "never": (score, np.zeros(40)),
        "always": (score, np.ones(40)),
        "unknown": (score, np.full(40, np.nan)),
        "level": (np.full(40, 0.3), rising),
        "falling": (score[::-1], rising),
        "told apart": (score, score > 0.5),
    }
    scores, targets = (np.stack([column[side] for column in columns.values()], axis=1) for side in (0, 1))
    of = ScoresOf(tuple(columns), "mine@0", "validation", 0.5, "0" * 64)
    stored = StoredScores(of, tuple(map(str, range(40))), targets.astype(np.float32), scores.astype(np.float32))
    fit = fit_calibration(stored, np.arange(40))
    assert dict(fit.left) == {
        "never": "no validation track has it",
        "always": "every validation track has it",
        "unknown": "no validation track has it",
        "level": "all validation tracks have the same score",
        "falling": "validation tracks that have it do not score higher",
    }
    changed = [pair != (1.0, 0.0) for pair in zip(fit.calibration.slope, fit.calibration.intercept, strict=True)]
    assert changed == [tag not in fit.left for tag in columns]
    assert max(fit.calibration.slope) < 100, "a tag that is told apart has a finite slope"


def test_no_track_changes_sides_of_its_threshold() -> None:
    stored = _scored(500)
    stored.scores[:3] = [[0, 1, 0.5], [1, 0, 1], [0, 0, 0]]
    calibration = fit_calibration(stored, np.arange(500)).calibration
    thresholds = best_thresholds(stored.targets, stored.scores)
    thresholds[2] = np.nan
    moved = calibrated_thresholds(Chosen(500, tuple(None if np.isnan(one) else one for one in thresholds)), calibration)
    assert moved.values[2] is None
    found = calibrated_scores(stored.scores, calibration)
    for column in range(2):
        before, after = thresholds[column], moved.values[column]
        np.testing.assert_array_equal(found[:, column] >= after, stored.scores[:, column] >= before)
        assert abs(after - before) > 0.01
    assert 0 < found[0, 0] < found[3:, 0].min() < found[3:, 1].max() < found[0, 1] < 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "it is list"),
        ('{"method": "isotonic"}', "expected the method platt, received 'isotonic'"),
        ('{"method": "platt", "slope": [1], "intercept": [0, 0]}', "slope: expected a list of 2 numbers"),
        (
            '{"method": "platt", "slope": [1, true], "intercept": [0, 0]}',
            "slope: expected finite numbers, received True",
        ),
        (
            '{"method": "platt", "slope": [1, 1], "intercept": [0, NaN]}',
            "intercept: expected finite numbers, received nan",
        ),
        ('{"method": "platt", "slope": [1, -1.5], "intercept": [0, 0]}', "expected numbers more than 0, received -1.5"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_calibration(text.encode(), 2)
    assert parse_calibration(calibration_json(CALIBRATION), 4) == CALIBRATION


def _write(out: Path, form: Form = "savedmodel") -> Path:
    """The model of `small_model`, calibrated."""
    return write_model(out, LogMelSpec(WaveformSpec("center:30")), form=form, calibration=CALIBRATION)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with compiled_graphs():
        return _write(tmp_path_factory.mktemp("calibrated") / "model")


@pytest.mark.slow
def test_every_form_calibrates_the_mean_over_patches(small_model: Path, calibrated: Path, tmp_path: Path) -> None:
    signal = np.random.default_rng(0).normal(scale=0.1, size=(2, 60_000)).astype(np.float32)
    signal[1] = np.sin(np.arange(60_000) / 30) * np.linspace(0, 1, 60_000)
    as_it_was, served = (tf.saved_model.load(str(one)).signatures for one in (small_model, calibrated))
    waveform = tf.constant(signal)
    plain = as_it_was["serving_default"](waveform=waveform)["scores"].numpy()
    expected = _expected(plain)
    assert np.abs(expected - plain).max(axis=0)[:3].min() > 50 * LITERT
    found = {"serving_default": served["serving_default"](waveform=waveform)["scores"].numpy()}
    padded = {"waveform": tf.pad(waveform, [[0, 0], [0, 9_000]]), "samples": tf.constant([60_000] * 2)}
    found["padded"] = served["padded"](**padded)["scores"].numpy()
    onnx = _write(tmp_path / "onnx", "onnx")
    run_onnx = onnxruntime.InferenceSession(onnx / "model.onnx").run
    found["onnx"] = run_onnx(["scores"], {"waveform": signal})[0]
    graph = tf.compat.v1.GraphDef.FromString((_write(tmp_path / "essentia", "essentia") / "model.pb").read_bytes())
    assert {node.op for node in graph.node} <= KNOWN_TO_ESSENTIA
    with tf.Graph().as_default() as loaded, tf.compat.v1.Session(graph=loaded) as session:
        tf.import_graph_def(graph, name="")
        found["essentia"] = session.run("scores:0", {"waveform:0": signal})
    for form, scores in found.items():
        np.testing.assert_allclose(scores, expected, atol=FLOAT32, err_msg=form)
    run_lite = Interpreter(str(_write(tmp_path / "tflite", "tflite") / "model.tflite")).get_signature_runner()
    np.testing.assert_allclose(run_lite(waveform=signal)["scores"], expected, atol=LITERT)
    signal[0, 7] = np.nan
    spoilt = (run_onnx(["scores"], {"waveform": signal})[0], run_lite(waveform=signal)["scores"])
    for scores in (*spoilt, served["serving_default"](waveform=tf.constant(signal))["scores"].numpy()):
        assert np.isnan(scores).tolist() == [[True] * len(TAGS), [False] * len(TAGS)]
    # Single patches are not calibrated: their mean is.
    patches = np.random.default_rng(0).uniform(0, 4, size=(3, 63, 96)).astype(np.float32)
    plain = as_it_was["patches"](patches=tf.constant(patches))["scores"].numpy()
    found = {"savedmodel": served["patches"](patches=tf.constant(patches))["scores"].numpy()}
    found["onnx"] = onnxruntime.InferenceSession(onnx / "patches.onnx").run(["scores"], {"patches": patches})[0]
    for form, scores in found.items():
        np.testing.assert_allclose(scores, plain, atol=FLOAT32, err_msg=form)


@pytest.mark.slow
def test_a_beam_job_a_signature_and_the_command_agree(
    small_model: Path, calibrated: Path, small_dataset: SmallDataset, tmp_path: Path
) -> None:
    dataset = small_dataset.copy(tmp_path / "dataset")
    tag(str(calibrated), str(tmp_path / "tags"), dataset=dataset.root, options=TagOptions(workers=1))
    files = sorted((tmp_path / "tags").glob("scores/gen-*/*.parquet"))
    stored = {row["track_id"]: row["scores"] for file in files for row in pq.read_table(file).to_pylist()}
    as_it_was, served = (
        tf.saved_model.load(str(one)).signatures["serving_default"] for one in (small_model, calibrated)
    )
    sounds = [str(dataset.folder / f"{number:02d}.wav") for number in (0, 7, 20)]
    for one in tag_files(str(calibrated), sounds):
        assert one.problem is None
        samples = read_waveform(one.file, WaveformSpec("full")).samples
        waveform = tf.constant(as_float(samples)[np.newaxis])
        plain = as_it_was(waveform=waveform)["scores"].numpy()[0]
        expected = _expected(plain)
        assert np.abs(expected - plain).max() > 10 * STORED, "an uncalibrated score would pass"
        np.testing.assert_allclose(served(waveform=waveform)["scores"].numpy()[0], expected, atol=FLOAT32)
        np.testing.assert_allclose([one.scores[tag] for tag in TAGS], expected, atol=FLOAT32)
        found = np.array(stored[f"track-{Path(one.file).stem}"], np.float64)
        np.testing.assert_allclose(found, expected, atol=STORED)
    assert read_model(str(calibrated)).entry.sha256 != read_model(str(small_model)).entry.sha256


def test_an_export_fits_what_it_calibrates_by(small_run: str, spectrogram: Served, tmp_path: Path) -> None:
    fit = export(small_run, str(tmp_path), "essentia", calibrate="platt").calibration
    assert fit is not None
    fields = json.loads((tmp_path / "assets" / "calibration.json").read_text())
    assert (fields["format"], fields["method"]) == (1, "platt")
    assert (tuple(fields["slope"]), tuple(fields["intercept"])) == (fit.calibration.slope, fit.calibration.intercept)
    before = json.loads((spectrogram.model / "assets" / "thresholds.json").read_text())["thresholds"]
    after = json.loads((tmp_path / "assets" / "thresholds.json").read_text())["thresholds"]
    expected = calibrated_scores(np.array([list(before.values())]), fit.calibration)[0]
    assert [after[tag] for tag in before] == pytest.approx(expected.tolist())
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "![Reliability before and after calibration](reliability.png)" in card
    assert all(f"- {tag}: {reason}\n" in card for tag, reason in fit.left.items())
    assert "Calibration" not in (spectrogram.model / "MODEL_CARD.md").read_text()
    assert (tmp_path / "reliability.png").read_bytes().startswith(b"\x89PNG")


def test_a_form_that_averages_nothing_cannot_be_calibrated(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--calibrate platt: expected another --format than keras, since a Keras file"):
        export(str(tmp_path / "none"), str(tmp_path / "model"), "keras", calibrate="platt")
    with pytest.raises(UserError, match="--calibrate: expected platt, received 'isotonic'"):
        export(str(tmp_path / "none"), str(tmp_path / "model"), calibrate="isotonic")  # type: ignore[arg-type]


def test_scores_of_a_run_that_cannot_be_written_are_computed_and_not_kept(
    small_run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation")))
    (run / "evaluation").write_text("a file in the place of the folder, into which nobody can write")
    stored = validation_scores(open_run(str(run)))
    assert f"{run}: cannot be written, so the scores of validation are not kept" in capsys.readouterr().err
    np.testing.assert_array_equal(stored.scores, validation_scores(open_run(small_run)).scores)
