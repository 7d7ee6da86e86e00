"""Open a finished run: its best model, its dataset and its label version."""

from __future__ import annotations

import dataclasses

import keras

from schemas.console.errors import UserError
from schemas.console.shown_commands import training_command
from schemas.dataset import Dataset
from schemas.features import FeatureSpec
from schemas.label_version import LabelVersion, open_labels
from training.config import TrainConfig
from training.runs.build_model import build_model, features_of
from training.runs.checkpoints import BEST_NAME, LoopState, TornCheckpoint, model_variables
from training.runs.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run with the weights of its best epoch.

    Attributes:
        folder: the run's files.
        config: the run's configuration.
        dataset: the dataset that it was trained on.
        labels: the label version that it was trained on.
        spec: the features that it was trained on.
        model: the tagger.
        state: the loop's state at the best epoch.
        checkpoint: SHA-256 of that epoch's variables, hex.
        members: the runs of an ensemble, which otherwise has what its first run has; none for a single run.
    """

    folder: RunFolder
    config: TrainConfig
    dataset: Dataset
    labels: LabelVersion
    spec: FeatureSpec
    model: keras.Model
    state: LoopState
    checkpoint: str
    members: tuple[TrainedRun, ...] = ()


def open_run(root: str) -> TrainedRun:
    """Open a run.

    Raises:
        UserError: there is no run, or none of its epochs has been validated yet.
        DatasetError: the best checkpoint is torn or belongs to another model.
    """
    folder = RunFolder(root)
    config = folder.read_config()
    checkpoints = folder.checkpoints()
    if not checkpoints.has_best():
        raise UserError(f"{root}: has no validated epoch yet; run the same `{training_command('train')}` command again")
    dataset = Dataset.open(config.dataset)
    labels = open_labels(dataset, config.label_set)
    spec = features_of(dataset, config)
    model = build_model(config, len(labels.vocabulary), spec)
    # Read before the variables: while the run is still training, these may be newer, and are then scored once more.
    checkpoint = checkpoints.best_sha256()
    try:
        state = checkpoints.load(BEST_NAME, model_variables(model))
    except TornCheckpoint as error:
        raise TornCheckpoint(
            f"{error}; run the same `{training_command('train')}` command again, which makes another from the remaining "
            "weights"
        ) from error
    return TrainedRun(folder, config, dataset, labels, spec, model, state, checkpoint)
