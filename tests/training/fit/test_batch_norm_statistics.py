from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from schemas.dataset import Dataset
from schemas.label_version import open_labels
from tests.training.conftest import SmallDataset
from training.config import TrainConfig
from training.data.input import TrainingInput
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords
from training.evaluation.evaluate import evaluate
from training.fit.batch_norm_statistics import BatchNormStatistics
from training.fit.train import train
from training.models.dropout import StepDropout

PATCH, BATCH_SIZE, SEED = 20, 12, 3


@pytest.fixture(scope="module")
def records(small_dataset: SmallDataset) -> TrackRecords:
    dataset = Dataset.open(small_dataset.root)
    return TrackRecords(
        dataset, labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), "train")
    )


def _model(mels: int) -> keras.Model:
    inputs = keras.Input((PATCH, mels))
    steps = keras.layers.BatchNormalization(name="first")(inputs)
    steps = StepDropout(0.5, key=1)(steps)
    steps = keras.layers.Dense(4, activation="relu", name="dense")(steps)
    return keras.Model(inputs, keras.layers.BatchNormalization(name="second")(steps))


def _moments(batches: list[np.ndarray]) -> np.ndarray:
    """Mean over the batches of each one's mean and variance per channel."""
    return np.mean([(batch.mean(axis=(0, 1)), batch.var(axis=(0, 1))) for batch in batches], axis=0)


def _moving(model: keras.Model, name: str) -> np.ndarray:
    norm = model.get_layer(name)
    return np.stack([norm.moving_mean.numpy(), norm.moving_variance.numpy()])


def test_statistics_are_those_of_training_patches_without_dropout_and_only_meanwhile(records: TrackRecords) -> None:
    model = _model(records.spec.mels)  # type: ignore[union-attr]
    statistics = BatchNormStatistics(model, records, PATCH, BATCH_SIZE, SEED, tf.distribute.get_strategy())
    before = {name: _moving(model, name) for name in ("first", "second")}
    measured: list[int] = []
    with statistics.in_place(measured.append):
        during = {name: _moving(model, name) for name in ("first", "second")}
    assert all(np.array_equal(_moving(model, name), values) for name, values in before.items())
    assert (model.get_layer("first").momentum, model.layers[2].rate) == (0.99, 0.5)

    elements = TrainingInput(records, PATCH, BATCH_SIZE, SEED).dataset(0)
    batches = [patches.numpy().astype(np.float64) for patches, *_ in elements]
    assert measured == list(range(1, len(batches) + 1)) == [1, 2]
    np.testing.assert_allclose(during["first"], _moments(batches), rtol=1e-4, atol=1e-5)
    normalized = [
        (batch - batch.mean(axis=(0, 1))) / np.sqrt(batch.var(axis=(0, 1)) + model.get_layer("first").epsilon)
        for batch in batches
    ]
    kernel, bias = model.get_layer("dense").get_weights()
    hidden = [np.maximum(batch @ kernel + bias, 0) for batch in normalized]
    np.testing.assert_allclose(during["second"], _moments(hidden), rtol=1e-3, atol=1e-5)


def _arrays(run: str, name: str) -> dict[str, Any]:
    (file,) = Path(run, "checkpoints", name).glob("*.npz")
    with np.load(file) as arrays:
        return dict(arrays)


def test_a_run_takes_the_same_steps_and_its_best_weights_hold_the_statistics_that_were_validated(
    small_config: TrainConfig, small_run: str, tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    train(dataclasses.replace(small_config, recalibrate_batch_norm=True, select_by="roc_auc"), run)
    newest, plain = _arrays(run, "step-000000004"), _arrays(small_run, "step-000000004")
    assert all(np.array_equal(newest[name], plain[name]) for name in plain)
    lines = [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]
    best = max(line["validation_roc_auc"] for line in lines)
    assert evaluate(run, "validation").metrics.roc_auc_macro == pytest.approx(best, abs=1e-9)
    kept = _arrays(run, "best")
    moved = [name for name in kept if "moving_" in name and not np.allclose(kept[name], newest[name], rtol=0.01)]
    assert len(moved) == sum("moving_" in name for name in kept) > 0
