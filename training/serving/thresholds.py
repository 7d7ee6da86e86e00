"""The thresholds at which an exported model assigns its tags, chosen on the validation split."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from schemas.model_calibration import Calibration, calibrated_scores
from schemas.model_thresholds import Thresholds
from training.data.label_mapping import map_labels
from training.evaluation.split_scores import score_split
from training.evaluation.stored_scores import StoredScores
from training.metrics.thresholds import best_thresholds
from training.runs.trained import TrainedRun


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Thresholds and their origin.

    Attributes:
        tracks: number of validation tracks that they come from.
        values: lowest score at which a tag is assigned, in the order of the vocabulary; None for a tag that no validation
            track has.
    """

    tracks: int
    values: Thresholds


def validation_thresholds(run: TrainedRun) -> Chosen:
    """The thresholds with the best F1 on validation, as `evaluate` reports them; raises what `validation_scores` raises."""
    return thresholds_of(validation_scores(run))


def validation_scores(run: TrainedRun) -> StoredScores:
    """The scores of the validation split.

    They are read from the run if an evaluation left them there; otherwise they are computed, and kept if the run can be
    written.

    Raises:
        UserError: all validation tracks were removed from the dataset.
        DatasetError: the features on disk do not fit.
    """
    own = map_labels(run.labels, run.labels)
    return score_split(run, own, "validation", reuse=True, must_keep=False).stored


def thresholds_of(stored: StoredScores) -> Chosen:
    """The thresholds with the best F1 on stored scores."""
    found = best_thresholds(stored.targets, stored.scores, positive_at=stored.of.positive_at)
    return Chosen(len(stored.track_ids), _thresholds(found))


def calibrated_thresholds(chosen: Chosen, calibration: Calibration) -> Chosen:
    """Thresholds that assign the same tags to the same tracks when their scores are calibrated."""
    values = np.array([np.nan if value is None else value for value in chosen.values])
    return Chosen(chosen.tracks, _thresholds(calibrated_scores(values, calibration)))


def _thresholds(values: npt.NDArray[np.float64]) -> Thresholds:
    return tuple(None if np.isnan(value) else float(value) for value in values)
