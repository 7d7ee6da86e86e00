"""How long a run trains, when it validates, and how long it bears no improvement: counted in epochs or in steps."""

from __future__ import annotations

import dataclasses

from training.config import TrainConfig
from training.runs.checkpoints import LoopState


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a plateau of the validation loss is borne.

    Attributes:
        counted: number of epochs, or of steps, that a validation counts for.
        plateau: number of them after which the learning rate is halved.
    """

    counted: int
    plateau: int


@dataclasses.dataclass(frozen=True)
class Budget:
    """The numbers of a configuration, for epochs of a given length.

    A run is trained in stretches: each ends with the epoch, with a validation that is due, or with the run.

    Attributes:
        config: configuration of the run.
        epoch_steps: number of steps in an epoch.
    """

    config: TrainConfig
    epoch_steps: int

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run, unless it stops early."""
        return self.config.max_steps or self.config.epochs * self.epoch_steps

    def steps_taken(self, state: LoopState) -> int:
        """How many of `total_steps` are taken. Epochs that were begun again, with fewer tracks, took more in all."""
        return state.step if self.config.max_steps else state.epoch * self.epoch_steps + state.epoch_step

    def epochs_taken(self, state: LoopState) -> int | float:
        """Number of epochs taken; a fraction in the middle of one."""
        return round(state.epoch + state.epoch_step / self.epoch_steps, 4) if state.epoch_step else state.epoch

    def is_spent(self, state: LoopState) -> bool:
        """True if no step is left, and the last one is validated."""
        if not self.config.max_steps:
            return state.epoch >= self.config.epochs
        return state.step >= self.config.max_steps and _is_recorded(state)

    def has_stalled(self, state: LoopState) -> bool:
        """True if the last epochs or steps brought no improvement."""
        config = self.config
        patience, waited = config.stop_epochs, state.epoch - state.best_epoch
        if config.counts_steps:
            patience, waited = config.stop_steps or config.stop_epochs * self.epoch_steps, state.step - state.best_step
        return state.best is not None and 0 < patience <= waited

    def stretch_end(self, state: LoopState) -> int:
        """The step of the epoch under way at which the stretch ends; the present one if a validation is due."""
        every, most = self.config.validate_every_steps, self.config.max_steps
        left = self.epoch_steps - state.epoch_step
        if most:
            left = min(left, max(0, most - state.step))
        if every:
            left = 0 if self.validation_is_due(state) else min(left, every - state.step % every)
        return state.epoch_step + left

    def validation_is_due(self, state: LoopState) -> bool:
        """Whether the present step, with which a stretch ends, is to be validated before the next one is taken."""
        config = self.config
        ended = state.epoch + 1 if state.epoch_step == self.epoch_steps else None
        if (ended is not None and ended == config.epochs) or 0 < config.max_steps <= state.step:
            return True
        if config.counts_steps:
            return state.step % config.validate_every_steps == 0 and state.recorded_step != state.step > 0
        return ended is not None and ended % config.validate_every == 0

    def patience(self, state: LoopState) -> Patience:
        """The patience with the plateau, and how much of it a validation of the present step takes."""
        config = self.config
        if not config.counts_steps:
            return Patience(config.validate_every, config.plateau_epochs)
        steps = config.plateau_steps or config.plateau_epochs * self.epoch_steps
        return Patience(state.step - (state.recorded_step or 0), steps)


def _is_recorded(state: LoopState) -> bool:
    """Whether the results of the last step are recorded. Earlier versions recorded whole epochs, and did not note it."""
    return state.recorded_step == state.step or (state.recorded_step is None and not state.epoch_step)
