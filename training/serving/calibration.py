"""Platt scaling: fit, on the validation split, what makes the probability of a tag out of the mean of its scores over patches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from schemas.model_calibration import Calibration, calibrated_scores
from training.evaluation.stored_scores import StoredScores
from training.metrics.reliability import Reliability, reliability

FOLDS = 5  # of whole groups; each is calibrated by the others to see what calibration does to tracks that are new to it


@dataclasses.dataclass(frozen=True)
class CalibrationFit:
    """A calibration and what it does.

    Attributes:
        calibration: of every tag.
        tracks: number of validation tracks that it was fitted on.
        left: tag -> why it is left as it is, in the order of the vocabulary.
        before: reliability of the validation scores as they were.
        after: their reliability when the tracks of each fold are calibrated by a fit on the other folds.
    """

    calibration: Calibration
    tracks: int
    left: Mapping[str, str]
    before: Reliability
    after: Reliability


def fit_calibration(stored: StoredScores, groups: npt.NDArray[np.int64]) -> CalibrationFit:
    """Fit each tag by itself, by Platt's method with his targets, which are not quite 0 and 1.

    Args:
        stored: scores and targets of the validation split. Of graded labels, a tag's probability is that of a target of at
            least `positive_at`; unknown targets are left out.
        groups: the number of each track's group, int64 [tracks], which no fold splits.
    """
    calibration, left = _fit(stored, np.ones(len(groups), bool))
    crossed = np.empty(stored.scores.shape)
    for fold in range(FOLDS):
        inside = groups % FOLDS == fold
        crossed[inside] = calibrated_scores(stored.scores[inside], _fit(stored, ~inside)[0])
    positive_at = stored.of.positive_at
    return CalibrationFit(
        calibration,
        len(stored.track_ids),
        left,
        before=reliability(stored.targets, stored.scores, positive_at=positive_at),
        after=reliability(stored.targets, crossed, positive_at=positive_at),
    )


def _fit(stored: StoredScores, rows: npt.NDArray[np.bool_]) -> tuple[Calibration, dict[str, str]]:
    from threadpoolctl import threadpool_limits

    from training.serving.platt import platt

    slopes, intercepts, left = [], [], {}
    with threadpool_limits(1):  # the last bits of a sum depend on how many threads share it
        for number, tag in enumerate(stored.of.tags):
            positive, negative = stored.positive(number) & rows, stored.negative(number) & rows
            fitted = platt(stored.scores[positive, number], stored.scores[negative, number])
            if isinstance(fitted, str):
                left[tag] = fitted
            slope, intercept = (1.0, 0.0) if isinstance(fitted, str) else fitted
            slopes.append(slope)
            intercepts.append(intercept)
    return Calibration(tuple(slopes), tuple(intercepts)), left
