from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from training.config import TrainConfig
from training.fit.budget import Budget, Patience
from training.runs.checkpoints import LoopState

EPOCH_STEPS = 5


def _budget(**fields: Any) -> Budget:
    return Budget(TrainConfig("data", "mine", "spectrogram", **fields), EPOCH_STEPS)


def _course(budget: Budget, state: LoopState | None = None) -> tuple[LoopState, list[int]]:
    """The state at the end of a run that trains nothing, and the steps after which it validates."""
    state, validated = state or LoopState(), []
    while not budget.is_spent(state):
        taken = budget.stretch_end(state) - state.epoch_step
        state = dataclasses.replace(state, step=state.step + taken, epoch_step=state.epoch_step + taken)
        validates = budget.validation_is_due(state)
        assert taken or validates, "nothing is done"
        if validates or (state.epoch_step == EPOCH_STEPS and not budget.config.counts_steps):
            state = dataclasses.replace(state, recorded_step=state.step)
        if state.epoch_step == EPOCH_STEPS:
            state = dataclasses.replace(state, epoch=state.epoch + 1, epoch_step=0)
        validated += [state.step] if validates else []
    return state, validated


@pytest.mark.parametrize(
    ("fields", "validated", "epochs"),
    [
        ({"epochs": 3}, [5, 10, 15], 3),
        ({"epochs": 3, "validate_every": 2}, [10, 15], 3),
        ({"max_steps": 12}, [5, 10, 12], 2.4),
        ({"max_steps": 10, "validate_every": 2}, [10], 2),
        ({"max_steps": 3}, [3], 0.6),
        ({"max_steps": 12, "validate_every_steps": 4}, [4, 8, 12], 2.4),
        ({"max_steps": 11, "validate_every_steps": 7}, [7, 11], 2.2),
        ({"epochs": 3, "validate_every_steps": 7}, [7, 14, 15], 3),
        ({"epochs": 2, "validate_every_steps": 5}, [5, 10], 2),
        ({"max_steps": 2, "validate_every_steps": 100}, [2], 0.4),
    ],
)
def test_validations_are_where_they_were_asked_for_and_at_the_end(
    fields: dict[str, Any], validated: list[int], epochs: float
) -> None:
    budget = _budget(**fields)
    state, steps = _course(budget)
    assert steps == validated
    assert budget.total_steps == budget.steps_taken(state) == state.step == validated[-1]
    assert budget.epochs_taken(state) == epochs


@pytest.mark.parametrize("fields", [{}, {"validate_every": 2}, {"validate_every_steps": 4}])
def test_a_run_whose_steps_are_raised_goes_on_in_the_middle_of_an_epoch(fields: dict[str, Any]) -> None:
    state, _ = _course(_budget(max_steps=13, **fields))
    assert (state.epoch, state.epoch_step, state.step) == (2, 3, 13)
    assert _course(_budget(max_steps=13, **fields), state) == (state, [])
    ended, after = _course(_budget(max_steps=25, **fields), state)
    undisturbed, all_steps = _course(_budget(max_steps=25, **fields))
    assert ended == undisturbed
    assert after == [step for step in all_steps if step > 13]


def test_fewer_steps_than_are_taken_end_the_run_with_a_validation() -> None:
    state = LoopState(epoch=1, epoch_step=3, step=8, recorded_step=5)
    assert _course(_budget(max_steps=6), state)[1] == [8]
    at_an_end = LoopState(epoch=2, step=10, recorded_step=8)
    assert _course(_budget(max_steps=6, validate_every_steps=4), at_an_end)[1] == [10]


def test_a_checkpoint_of_an_earlier_version_counts_its_epochs_as_recorded() -> None:
    assert _budget(max_steps=10).is_spent(LoopState(epoch=2, step=10))
    assert not _budget(max_steps=10).is_spent(LoopState(epoch=1, epoch_step=5, step=10))


def test_patience_is_counted_as_validations_are() -> None:
    state = LoopState(epoch=2, epoch_step=2, step=12, recorded_step=8)
    assert _budget(validate_every=3, plateau_epochs=6).patience(state) == Patience(3, 6)
    assert _budget(validate_every_steps=4, plateau_epochs=6).patience(state) == Patience(4, 6 * EPOCH_STEPS)
    assert _budget(validate_every_steps=4, plateau_steps=9).patience(state) == Patience(4, 9)


def test_a_run_stops_early_by_steps_or_by_epochs() -> None:
    state = LoopState(epoch=4, epoch_step=2, step=22, best=0.5, best_epoch=2, best_step=10)
    for fields, stalled in (
        ({"stop_epochs": 2}, True),
        ({"stop_epochs": 3}, False),
        ({"stop_steps": 12, "validate_every_steps": 2}, True),
        ({"stop_steps": 13, "validate_every_steps": 2}, False),
        ({"stop_epochs": 2, "validate_every_steps": 2}, True),
        ({"stop_epochs": 3, "validate_every_steps": 2}, False),
        ({"validate_every_steps": 2}, False),
    ):
        assert _budget(**fields).has_stalled(state) is stalled, fields
    assert not _budget(stop_epochs=1).has_stalled(dataclasses.replace(state, best=None))
