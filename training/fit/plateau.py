"""Halve the learning rate on a plateau of the validation loss, by the usual rule or by that of the authors' code."""

from __future__ import annotations

import dataclasses
import math

from training.config import TrainConfig
from training.fit.budget import Patience
from training.runs.checkpoints import LoopState

PLATEAU_FACTOR = 0.5


def after_validation(config: TrainConfig, state: LoopState, loss: float, patience: Patience) -> LoopState:
    """Count the epochs or steps without a better validation loss, and halve the rate when there are too many.

    Args:
        config: `plateau_rule` says how they are counted. A schedule other than plateau changes nothing.
        state: state before this validation.
        loss: loss of this validation; a loss that is not a number is no better.
        patience: how many of them to wait, and how many this validation counts for.
    """
    if config.schedule != "plateau":
        return state
    is_better = math.isfinite(loss) and (state.plateau_best is None or loss < state.plateau_best)
    after = {"since-best": _since_best, "published": _published}[config.plateau_rule]
    state = after(state, is_better, patience)
    return dataclasses.replace(state, plateau_best=loss) if is_better else state


def _since_best(state: LoopState, is_better: bool, patience: Patience) -> LoopState:
    """Wait for a better loss, from the best one or from the last halving on."""
    if is_better:
        return dataclasses.replace(state, plateau_wait=0)
    wait = state.plateau_wait + patience.counted
    return _halved(state) if wait >= patience.plateau else dataclasses.replace(state, plateau_wait=wait)


def _published(state: LoopState, is_better: bool, patience: Patience) -> LoopState:
    """Count every validation that is no better since the last halving, in a row or not.

    A full count halves the rate at the next validation, whose own result counts for the next halving.
    """
    if state.plateau_wait >= patience.plateau:
        state = _halved(state)
    return state if is_better else dataclasses.replace(state, plateau_wait=state.plateau_wait + patience.counted)


def _halved(state: LoopState) -> LoopState:
    return dataclasses.replace(state, plateau_wait=0, rate_factor=state.rate_factor * PLATEAU_FACTOR)
