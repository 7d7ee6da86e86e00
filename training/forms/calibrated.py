"""The calibration of `schemas/model_calibration.py` in a TensorFlow graph, in operations that every form knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from schemas.model_calibration import SMALLEST, SMALLEST_REST, Calibration


def calibrated(scores: Any, calibration: Calibration | None) -> Any:
    """Calibrated scores of tracks.

    Args:
        scores: float32 [batch, tags], averaged over patches.
        calibration: None leaves them as they are.

    Returns:
        float32 [batch, tags].
    """
    if calibration is None:
        return scores
    slope, intercept = (tf.constant(values, tf.float32) for values in (calibration.slope, calibration.intercept))
    logits = tf.math.log(tf.maximum(scores, SMALLEST)) - tf.math.log(tf.maximum(1.0 - scores, SMALLEST_REST))
    # A runtime's maximum may drop NaN.
    return tf.where(tf.less(-1.0, scores), tf.sigmoid(slope * logits + intercept), np.float32(np.nan))
