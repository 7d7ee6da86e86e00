"""Score the validation split in a process of its own, so that every export of a run finds the same TensorFlow.

TensorFlow numbers the functions that it traces over the whole process, and a SavedModel has these numbers in its names: an
export that scores tracks first would write other bytes than one that finds the scores in the run.
"""

from __future__ import annotations

from schemas.console.errors import TagscaleError
from training.devices.own_process import in_own_process
from training.devices.tensorflow_import import import_tensorflow


def score_validation_first(root: str) -> None:
    """Leave the scores of the validation split in a run that lacks them, if the run can be written.

    Args:
        root: the run's folder.

    Raises:
        TagscaleError: the tracks cannot be scored, or the process was killed.
        Stopped: this process or the new one was asked to stop.
    """
    if not _has_scores(root):
        in_own_process(_score, root, name=f"{root}: scoring its validation split")


def _has_scores(root: str) -> bool:
    """Whether a run has the scores that its export needs; true as well if it cannot be exported, which `export` explains."""
    from schemas.dataset import Dataset
    from schemas.label_version import open_labels
    from training.data.labels import labelled_tracks
    from training.evaluation.stored_scores import read_stored_scores
    from training.runs.build_model import features_of
    from training.runs.run_folder import RunFolder

    folder = RunFolder(root)
    try:
        config = folder.read_config()
        checkpoint = folder.checkpoints().best_sha256()
        dataset = Dataset.open(config.dataset)
        labels = open_labels(dataset, config.label_set)
        tracks = labelled_tracks(dataset, labels, features_of(dataset, config), "validation")
    except (TagscaleError, OSError):
        return True
    try:
        stored = read_stored_scores(folder.evaluation("validation_scores.parquet"))
    except (TagscaleError, OSError):
        return False
    return stored.of.checkpoint == checkpoint and stored.track_ids == tracks.track_ids


def _score(root: str) -> None:
    import_tensorflow()
    from training.runs.trained import open_run
    from training.serving.thresholds import validation_scores

    validation_scores(open_run(root))
