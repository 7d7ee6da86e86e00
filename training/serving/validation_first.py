"""Score the validation split in a process of its own, so that every export of a run finds the same TensorFlow.

TensorFlow numbers the functions that it traces over the whole process, and a SavedModel has these numbers in its names: an
export that scores tracks first would write other bytes than one that finds the scores in the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.console.errors import TagscaleError
from training.devices.own_process import in_own_process
from training.devices.tensorflow_import import import_tensorflow


def score_validation_first(roots: Sequence[str]) -> None:
    """Leave the scores of the validation split in a run that lacks them, if the run can be written.

    Args:
        roots: the run's folder, or those of an ensemble, whose scores go into the first.

    Raises:
        TagscaleError: the tracks cannot be scored, or the process was killed.
        Stopped: this process or the new one was asked to stop.
    """
    if not _has_scores(roots):
        in_own_process(_score, tuple(roots), name=f"{roots[0]}: scoring its validation split")


def _has_scores(roots: Sequence[str]) -> bool:
    """Whether a run has the scores that its export needs; true as well if it cannot be exported, which `export` explains."""
    from training.data.label_mapping import map_labels
    from training.data.labels import labelled_tracks
    from training.evaluation.split_scores import kept_scores, own_evaluation
    from training.evaluation.stored_scores import ScoresOf
    from training.runs.ensemble import joined_checkpoint
    from training.runs.run_folder import RunFolder
    from training.runs.sources import open_sources

    folder = RunFolder(roots[0])
    try:
        config = folder.read_config()
        checkpoint = joined_checkpoint([RunFolder(root).checkpoints().best_sha256() for root in roots])
        sources = open_sources(folder, config)
        if sources.imported is not None:  # it has no validation split
            return True
        labels = sources.labels
        own = map_labels(labels, labels)
        tracks = own.targets_of(labelled_tracks(sources.dataset, labels, sources.spec, "validation"))
        of = ScoresOf(own.tags, labels.reference, "validation", labels.positive_at, checkpoint)
        name = own_evaluation(checkpoint, "validation", is_ensemble=len(roots) > 1)
        return kept_scores(folder.evaluation(f"{name}_scores.parquet"), of, tracks) is not None
    except (TagscaleError, OSError):
        return True


def _score(roots: tuple[str, ...]) -> None:
    import_tensorflow()
    from training.runs.ensemble import open_runs
    from training.serving.thresholds import validation_scores

    validation_scores(open_runs(roots))
