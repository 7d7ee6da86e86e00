"""Open several runs as one: a tagger whose logits are the means of theirs."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from schemas.console.errors import UserError
from schemas.features import features_name
from training.config import Precision
from training.runs.build_model import build_model
from training.runs.trained import TrainedRun, open_run


def open_runs(roots: Sequence[str], dataset: str | None = None) -> TrainedRun:
    """Open a run, or several as an ensemble.

    The logits of an ensemble are the means of its runs' logits, patch by patch. Its embedding is theirs side by side, so
    that it has a head over an embedding like every other tagger. Its files go into the first run's folder.

    Args:
        roots: folders of the runs, which read the same patches and were trained on the same label version.
        dataset: another dataset to evaluate them on; None for their own.

    Raises:
        UserError: there is no such run, a run is named twice, or the runs differ in what they read or score.
        DatasetError: a checkpoint is torn.
    """
    again = [root for number, root in enumerate(roots) if root in roots[:number]]
    if again:
        raise UserError(f"{again[0]}: expected each run of an ensemble once, received it twice")
    runs = [open_run(root, dataset) for root in roots]
    if len(runs) == 1:
        return runs[0]
    for run in runs[1:]:
        _require_alike(runs[0], run)
    return dataclasses.replace(
        runs[0],
        model=_mean_of([run.model for run in runs]),
        checkpoint=joined_checkpoint([run.checkpoint for run in runs]),
        members=tuple(runs),
    )


def joined_checkpoint(checkpoints: Sequence[str]) -> str:
    """SHA-256 of the checkpoints of an ensemble's runs, hex; of a single run its own checkpoint."""
    return checkpoints[0] if len(checkpoints) == 1 else hashlib.sha256(" ".join(checkpoints).encode()).hexdigest()


def computing_in(precision: Precision, run: TrainedRun) -> keras.Model:
    """The tagger of a run or an ensemble, with the same float32 weights, computing in a precision."""
    members = run.members or (run,)
    if all(member.config.precision == precision for member in members):
        return run.model
    models = [_rebuilt(precision, member) for member in members]
    return _mean_of(models) if run.members else models[0]


def _rebuilt(precision: Precision, run: TrainedRun) -> keras.Model:
    model = build_model(dataclasses.replace(run.config, precision=precision), len(run.labels.vocabulary), run.spec)
    model.set_weights(run.model.get_weights())
    return model


def _require_alike(first: TrainedRun, other: TrainedRun) -> None:
    units = {"waveform": "samples", "logmel": "frames"}
    read = [
        f"patches of {run.config.patch:,} {units[run.config.family]} of {features_name(run.spec)}"
        for run in (first, other)
    ]
    trained = [f"labels {run.labels.reference}" for run in (first, other)]
    for wanted, found in (read, trained):
        if wanted != found:
            raise UserError(
                f"{other.folder.root}: expected {wanted}, as {first.folder.root} has, found {found}; "
                "the runs of an ensemble are trained on the same features, patches and labels"
            )


def _mean_of(models: Sequence[keras.Model]) -> keras.Model:
    """One tagger, flat as each of the models is; it takes their layers, under names that are unique in it."""
    heads = [model.get_layer("logits") for model in models]
    inputs = keras.Input(models[0].inputs[0].shape[1:], dtype="float32", name=models[0].inputs[0].name)
    embeddings = [_embedding_of(model, inputs, f"run{number}") for number, model in enumerate(models, 1)]
    embedding = keras.layers.Concatenate(name="embedding", dtype="float32")(embeddings)
    head = keras.layers.Dense(heads[0].units, name="logits", dtype="float32")
    outputs = {"logits": head(embedding), "embedding": embedding}
    kernel = np.concatenate([one.kernel.numpy() for one in heads]) / len(heads)
    head.set_weights([kernel, np.mean([one.bias.numpy() for one in heads], axis=0)])
    return keras.Model(inputs, outputs, name="ensemble")


def _embedding_of(model: keras.Model, inputs: Any, prefix: str) -> Any:
    """What a model makes of other inputs before its last layer; its layers are renamed."""
    for layer in model.layers:
        layer.name = f"{prefix}_{layer.name}"
    return keras.models.clone_model(model, input_tensors=inputs, clone_function=lambda layer: layer).output["embedding"]
