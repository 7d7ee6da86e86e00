"""The floor that a network should beat: logistic regression on the mean and deviation of each log-mel band."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.records import TrackRecords, as_float

MAX_ITERATIONS = 1000


def band_statistics(records: TrackRecords, on_progress: Callable[[int], None] | None = None) -> npt.NDArray[np.float32]:
    """Mean and standard deviation over time of each band, float32 [tracks, 2 * mels]."""
    rows = []
    for number in range(len(records.tracks)):
        logmel = as_float(records.read(number))
        rows.append(np.concatenate([logmel.mean(axis=0), logmel.std(axis=0)]))
        if on_progress is not None:
            on_progress(number + 1)
    return np.stack(rows)


def baseline_scores(
    train_statistics: npt.NDArray[np.float32],
    train_targets: npt.NDArray[np.float32],
    statistics: npt.NDArray[np.float32],
    positive_at: float,
) -> npt.NDArray[np.float32]:
    """Scores of one logistic regression per tag, fitted on standardised statistics (L2, C = 1).

    Args:
        train_statistics: float32 [training tracks, features].
        train_targets: float32 [training tracks, tags]; NaN is unknown and left out.
        statistics: float32 [tracks, features].
        positive_at: least target that counts as positive.

    Returns:
        float32 [tracks, tags]; a tag that is all positive or all negative in training gets that as its score.
    """
    scores = np.empty((len(statistics), train_targets.shape[1]), np.float32)
    for tag, target in enumerate(train_targets.T):
        known = ~np.isnan(target)
        positive = target[known] >= positive_at
        if positive.all() or not positive.any():
            scores[:, tag] = float(positive.any())
            continue
        model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS))
        model.fit(train_statistics[known], positive)
        scores[:, tag] = model.predict_proba(statistics)[:, 1]
    return scores
