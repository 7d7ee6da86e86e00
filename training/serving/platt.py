"""Platt scaling of one tag, fitted by scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from schemas.model_calibration import logits


def platt(positives: npt.NDArray[np.floating], negatives: npt.NDArray[np.floating]) -> tuple[float, float] | str:
    """Slope and intercept of one tag, or why there are none.

    Platt (1999), "Probabilistic outputs for support vector machines": the targets are (P + 1) / (P + 2) and 1 / (N + 2) for
    P positives and N negatives, so that the fit is finite even where a score tells all of them apart.

    Args:
        positives: scores of tracks that have the tag, from 0 to 1.
        negatives: scores of tracks that are known not to have it.
    """
    if not len(positives) or not len(negatives):
        return f"{'no' if not len(positives) else 'every'} validation track has it"
    scores = np.concatenate([positives, negatives]).astype(np.float64)
    if np.ptp(scores) == 0:
        return "all validation tracks have the same score"
    column = logits(scores)[:, np.newaxis]
    high, low = (len(positives) + 1) / (len(positives) + 2), 1 / (len(negatives) + 2)
    target = np.repeat([high, low], [len(positives), len(negatives)])
    # Each track stands for a positive and a negative one, which weigh as much as its target says.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-9, max_iter=1000)
    model.fit(
        np.concatenate([column, column]),
        np.repeat([1, 0], len(target)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        return "validation tracks that have it do not score higher"
    return slope, intercept
