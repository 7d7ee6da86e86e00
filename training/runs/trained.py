"""Open a finished run: its best model, its dataset and its label version."""

from __future__ import annotations

import dataclasses

import keras

from schemas.console.errors import UserError
from schemas.console.shown_commands import training_command
from schemas.dataset import Dataset
from schemas.features import FeatureSpec
from schemas.label_version import LabelVersion
from training.config import TrainConfig
from training.runs.build_model import build_model
from training.runs.checkpoints import BEST_NAME, LoopState, TornCheckpoint, model_variables
from training.runs.imported import Imported
from training.runs.run_folder import RunFolder
from training.runs.sources import open_sources


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run with the weights of its best epoch.

    Attributes:
        folder: the run's files.
        config: the run's configuration.
        dataset: the dataset that it was trained on, or is evaluated on; see `RunSources`.
        labels: the label version that it was trained on.
        spec: the features that it reads.
        model: the tagger.
        state: the loop's state at the best epoch.
        checkpoint: SHA-256 of that epoch's variables, hex.
        imported: where its weights come from, if it was not trained here.
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
    imported: Imported | None = None
    members: tuple[TrainedRun, ...] = ()


def open_run(root: str, dataset: str | None = None) -> TrainedRun:
    """Open a run.

    Args:
        root: the run's folder.
        dataset: another dataset to evaluate it on; None for its own.

    Raises:
        UserError: there is no run, none of its epochs has been validated yet, or the other dataset lacks its features.
        DatasetError: the best checkpoint is torn or belongs to another model.
    """
    folder = RunFolder(root)
    config = folder.read_config()
    checkpoints = folder.checkpoints()
    if not checkpoints.has_best():
        raise UserError(f"{root}: has no validated epoch yet; run the same `{training_command('train')}` command again")
    sources = open_sources(folder, config, dataset)
    model = build_model(config, len(sources.labels.vocabulary), sources.spec)
    # Read before the variables: while the run is still training, these may be newer, and are then scored once more.
    checkpoint = checkpoints.best_sha256()
    try:
        state = checkpoints.load(BEST_NAME, model_variables(model))
    except TornCheckpoint as error:
        raise TornCheckpoint(
            f"{error}; run the same `{training_command('train')}` command again, which makes another from the remaining "
            "weights"
        ) from error
    return TrainedRun(
        folder,
        config,
        sources.dataset,
        sources.labels,
        sources.spec,
        model,
        state,
        checkpoint,
        imported=sources.imported,
    )
