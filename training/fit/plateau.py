"""When the learning rate is halved: after so many epochs without a better validation loss."""

from __future__ import annotations

import dataclasses
import math

from training.runs.checkpoints import LoopState

PLATEAU_FACTOR = 0.5


def after_plateau(state: LoopState, loss: float, patience: int, epochs: int) -> LoopState:
    """Count the epochs without a better validation loss, and halve the rate when there are too many.

    Args:
        state: before this validation.
        loss: of this validation; one that is not a number is no better.
        patience: epochs without a better one after which the learning rate is halved; counting then starts again.
        epochs: since the validation before.
    """
    if math.isfinite(loss) and (state.plateau_best is None or loss < state.plateau_best):
        return dataclasses.replace(state, plateau_best=loss, plateau_wait=0)
    wait = state.plateau_wait + epochs
    if wait < patience:
        return dataclasses.replace(state, plateau_wait=wait)
    return dataclasses.replace(state, plateau_wait=0, rate_factor=state.rate_factor * PLATEAU_FACTOR)
