"""The thresholds at which an exported model assigns its tags, chosen on the validation split."""

from __future__ import annotations

import dataclasses

import numpy as np

from schemas.model_thresholds import Thresholds
from training.data.label_mapping import map_labels
from training.evaluation.split_scores import score_split
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
    """The thresholds with the best F1 on validation, as `evaluate` reports them.

    The scores of the split are read from the run if an evaluation left them there; otherwise they are computed and kept.

    Raises:
        UserError: all validation tracks were removed from the dataset.
        DatasetError: the features on disk do not fit.
    """
    stored = score_split(run, map_labels(run.labels, run.labels), "validation", reuse=True).stored
    found = best_thresholds(stored.targets, stored.scores, positive_at=stored.of.positive_at)
    return Chosen(len(stored.track_ids), tuple(None if np.isnan(value) else float(value) for value in found))
