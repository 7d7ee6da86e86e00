"""Several runs as one model: its scores are the sigmoid of the means of their logits, wherever it is used."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from schemas.console.errors import UserError
from schemas.model_head import HEAD_NAME, parse_head
from tests.training.conftest import Served, compiled_graphs
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.evaluation.evaluate import evaluate
from training.fit.train import train
from training.models.patches import patches_of
from training.runs.ensemble import computing_in, open_runs
from training.runs.trained import open_run
from training.serving.export import export


@pytest.fixture(scope="module")
def runs(small_run: str, small_config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A copy of `small_run`, and a run with other weights and another number of filters."""
    folder = tmp_path_factory.mktemp("runs")
    copy = str(shutil.copytree(small_run, folder / "first"))
    train(dataclasses.replace(small_config, seed=1, epochs=1, num_filt=2), str(folder / "second"))
    return [copy, str(folder / "second")]


@pytest.fixture(scope="module")
def patches(runs: list[str]) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.normal(1.0, 0.7, (4, open_run(runs[0]).config.patch, 96)).astype(np.float32)


@pytest.fixture(scope="module")
def models(runs: list[str]) -> list[keras.Model]:
    return [open_run(run).model for run in runs]


def _expected(models: list[keras.Model], patches: np.ndarray) -> np.ndarray:
    """Scores of patches, by the runs' own networks and numpy."""
    logits = [model(patches, training=False)["logits"].numpy() for model in models]
    assert np.abs(logits[0] - logits[1]).max() > 0.01
    return 1 / (1 + np.exp(-np.mean(logits, axis=0)))


@pytest.fixture(scope="module")
def exported(runs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("ensemble") / "model"
    with compiled_graphs():
        export(runs, str(folder))
    return Served(open_run(runs[0]), folder, tf.saved_model.load(str(folder)).signatures)


def test_the_savedmodel_scores_by_the_mean_of_the_logits(
    models: list[keras.Model], patches: np.ndarray, exported: Served
) -> None:
    outputs = exported.signatures["patches"](patches=tf.constant(patches))
    np.testing.assert_allclose(outputs["scores"].numpy(), _expected(models, patches), atol=2e-6)
    embeddings = [model(patches, training=False)["embedding"].numpy() for model in models]
    np.testing.assert_allclose(outputs["embedding"].numpy(), np.concatenate(embeddings, axis=1), atol=1e-5)
    # The head by which `pipeline.run tag` gets scores from embeddings alone.
    data = (exported.model / "assets" / HEAD_NAME).read_bytes()
    again = parse_head(data, embedding=32, tags=3).scores(outputs["embedding"].numpy())
    np.testing.assert_allclose(again, outputs["scores"].numpy(), atol=1e-6)
    assert len(json.loads((exported.model / "assets" / "config.json").read_text())["runs"]) == 2
    assert "2 runs as one model" in (exported.model / "MODEL_CARD.md").read_text()


def test_a_keras_file_holds_it_too(
    runs: list[str], models: list[keras.Model], patches: np.ndarray, tmp_path: Path
) -> None:
    export(runs, str(tmp_path / "keras"), "keras")
    (file,) = (tmp_path / "keras").glob("*.keras")
    scores = keras.models.load_model(file)(patches)["scores"].numpy()
    np.testing.assert_allclose(scores, _expected(models, patches), atol=1e-5)


def test_another_precision_is_that_of_every_run(
    runs: list[str], models: list[keras.Model], patches: np.ndarray
) -> None:
    model = computing_in("mixed_bfloat16", open_runs(runs))
    policies = {layer.dtype_policy.name for layer in model.layers if layer.name.endswith("_conv")}
    assert policies == {"mixed_bfloat16"}
    scores = 1 / (1 + np.exp(-model(patches, training=False)["logits"].numpy()))
    np.testing.assert_allclose(scores, _expected(models, patches), atol=0.03)


def test_an_evaluation_is_of_all_runs_and_leaves_those_of_each_alone(
    runs: list[str], models: list[keras.Model]
) -> None:
    evaluate(runs[0], "test")
    own = {path.name: path.read_bytes() for path in Path(runs[0], "evaluation").iterdir()}
    result = evaluate(runs, "test")
    run = open_run(runs[0])
    records = TrackRecords(run.dataset, labelled_tracks(run.dataset, run.labels, run.spec, "test"))
    scores = [
        _expected(models, np.stack(list(patches_of([as_float(records.read(number))], run.config.patch)))).mean(axis=0)
        for number in range(len(records.tracks))
    ]
    targets = records.tracks.targets
    defined = [tag for tag in range(targets.shape[1]) if 0 < targets[:, tag].sum() < len(targets)]
    areas = [roc_auc_score(targets[:, tag], np.array(scores)[:, tag]) for tag in defined]
    assert result.metrics.roc_auc_macro == pytest.approx(np.mean(areas), abs=1e-9)
    after = {path.name: path.read_bytes() for path in Path(runs[0], "evaluation").iterdir()}
    assert {name: data for name, data in after.items() if name in own} == own
    assert {name.split("-")[0] for name in after.keys() - own.keys()} == {"ensemble"}
    fields = json.loads(after[f"{result.name}.json"])
    assert fields["runs"] == runs
    assert not {path.name for path in Path(runs[1], "evaluation").glob("*test*")}


def test_runs_that_cannot_be_averaged_are_named(runs: list[str], waveform_run: str) -> None:
    with pytest.raises(UserError, match="expected each run of an ensemble once, received it twice"):
        open_runs([runs[0], runs[0]])
    words = rf"{waveform_run}: expected patches of 63 frames of logmel-\w+, as {runs[0]} has, found patches of 24,000 samples"
    with pytest.raises(UserError, match=words):
        open_runs([runs[0], waveform_run])
