"""The two baselines, one model per tag: logistic regression and gradient-boosted trees."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from training.baselines.kinds import BaselineKind

MOST_TRACKS = 100_000  # to fit a baseline on: more cost time and memory and hardly improve a simple model
MAX_ITERATIONS = 1000  # in the logistic regression
TREES = 100
LEAVES = 15  # in a tree


def baseline_scores(
    kind: BaselineKind,
    train_statistics: npt.NDArray[np.float32],
    train_targets: npt.NDArray[np.float32],
    statistics: npt.NDArray[np.float32],
    positive_at: float,
) -> npt.NDArray[np.float32]:
    """Scores of one model per tag, fitted on the training tracks; the same for any number of cores.

    Args:
        kind: `logistic` standardises the statistics (L2, C = 1); `trees` boosts histogram trees with a fixed seed.
        train_statistics: float32 [training tracks, features], see `fitted_tracks`.
        train_targets: float32 [training tracks, tags]; NaN is unknown and left out.
        statistics: float32 [tracks, features].
        positive_at: lowest target that counts as positive.

    Returns:
        float32 [tracks, tags]; a tag that is all positive or all negative in training gets that as its score.
    """
    score = functools.partial(_scores_of_tag, kind, train_statistics, statistics)
    # Models are fitted side by side, with one thread each: the last bits of a sum depend on how many threads share it.
    limit = functools.partial(threadpool_limits, 1)
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count(), initializer=limit) as pool:
        known = (~np.isnan(target) for target in train_targets.T)
        positive = (target >= positive_at for target in train_targets.T)
        columns = list(pool.map(score, known, positive))
    return np.stack(columns, axis=1)


def fitted_tracks(tracks: int) -> npt.NDArray[np.bool_]:
    """Mask of the training tracks that a baseline is fitted on: all, or `MOST_TRACKS` evenly spaced ones, [tracks]."""
    fitted = min(tracks, MOST_TRACKS)
    kept = np.zeros(tracks, bool)
    kept[np.arange(fitted, dtype=np.int64) * tracks // max(1, fitted)] = True
    return kept


def _scores_of_tag(
    kind: BaselineKind,
    train_statistics: npt.NDArray[np.float32],
    statistics: npt.NDArray[np.float32],
    known: npt.NDArray[np.bool_],
    positive: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    positive = positive[known]
    if positive.all() or not positive.any():
        return np.full(len(statistics), float(positive.any()), np.float32)
    model = _model(kind)
    model.fit(train_statistics if known.all() else train_statistics[known], positive)
    scores: npt.NDArray[np.float32] = model.predict_proba(statistics)[:, 1].astype(np.float32)
    return scores


def _model(kind: BaselineKind) -> Any:
    if kind == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS))
    return HistGradientBoostingClassifier(max_iter=TREES, max_leaf_nodes=LEAVES, early_stopping=False, random_state=0)
