"""Record a run while it trains: its checkpoints, its best epoch, metrics.jsonl and TensorBoard's files.

In every worker the loop calls its recorder in the same way. The chief's recorder writes to the run's folder; the
recorders of the other workers do nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.console.errors import TagscaleError
from schemas.console.terminal import say
from training.config import TrainConfig
from training.runs.checkpoints import BEST_NAME, LoopState
from training.runs.run_folder import RunFolder
from training.tensorboard.board import TensorBoardFolder


class Recorder:
    """The interface that the loop calls. This recorder does nothing: it belongs to a worker that is not the chief."""

    @property
    def checkpoint_is_due(self) -> bool:
        """True if the last checkpoint was written `checkpoint_minutes` ago or earlier."""
        return False

    def begin(self, state: LoopState) -> None:
        """Remove what was recorded after a position.

        Args:
            state: where the run begins or resumes; its checkpoint is on disk, or no step has been taken yet.

        Raises:
            DatasetError: a line of metrics.jsonl is damaged.
        """

    def add_loss(self, step: int, loss: float) -> None:
        """Record the loss of a step.

        Args:
            step: steps taken, this one included.
            loss: loss of the step's global batch.
        """

    def add_validation(
        self, place: int, targets: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], positive_at: float
    ) -> None:
        """Record the scores of the validation split.

        Args:
            place: number of the epoch or the step after which the split was scored.
            targets: float32 [tracks, tags]; NaN is unknown.
            scores: float32 [tracks, tags] in [0, 1].
            positive_at: lowest target that counts as positive.
        """

    def add_line(self, fields: dict[str, Any]) -> None:
        """Record the numbers of an epoch, or of the steps since the last validation.

        Args:
            fields: fields of their line in metrics.jsonl; NaN becomes null.
        """

    def save(self, state: LoopState, *, required: bool = False) -> None:
        """Write a checkpoint of a position. If it cannot be written, earlier checkpoints stay.

        Args:
            state: the position; it is saved with the variables as they are now.
            required: whether failing to write the checkpoint is an error; otherwise it is a warning.

        Raises:
            TagscaleError: a required checkpoint cannot be written.
        """

    def keep_best(self, state: LoopState, *, required: bool = False) -> bool:
        """Write the variables as they are now as the best ones.

        Args:
            state: the position, with this epoch as the best one.
            required: whether failing to write them is an error; otherwise it is a warning.

        Returns:
            False if they could not be written, so that the previous best epoch is still the best one.

        Raises:
            TagscaleError: they are required and cannot be written.
        """
        return True

    def end(self, state: LoopState) -> None:
        """Save the last position unless its checkpoint is on disk; raise TagscaleError if it cannot be written."""


class RunRecorder(Recorder):
    """The chief's recorder, which writes to the run's folder.

    Args:
        run: the run's folder, which this process holds.
        config: decides how many checkpoints to keep and how often to write one.
        variables: the contents of a checkpoint, by name.
        vocabulary: the tags, in output order.
    """

    def __init__(
        self, run: RunFolder, config: TrainConfig, variables: dict[str, Any], vocabulary: Sequence[str]
    ) -> None:
        self._run, self._variables, self._vocabulary = run, variables, vocabulary
        self._checkpoints = run.checkpoints(config.keep_checkpoints)
        self._board = TensorBoardFolder(run.tensorboard)
        self._seconds, self._by_step = 60 * config.checkpoint_minutes, config.counts_steps
        self._saved_step, self._saved_at = 0, time.monotonic()

    @property
    def checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= self._seconds

    def begin(self, state: LoopState) -> None:
        self._saved_step, self._saved_at = state.step, time.monotonic()
        self._run.keep_metrics(state.epoch, state.recorded_step)
        self._board.begin(state.step)

    def add_loss(self, step: int, loss: float) -> None:
        self._board.add_loss(step, loss)

    def add_validation(
        self, place: int, targets: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], positive_at: float
    ) -> None:
        self._board.add_curves(place, self._vocabulary, targets, scores, positive_at)

    def add_line(self, fields: dict[str, Any]) -> None:
        self._run.add_metrics(fields)
        self._board.add_line(fields, by_step=self._by_step)

    def save(self, state: LoopState, *, required: bool = False) -> None:
        try:
            self._board.flush(state.step)
            self._checkpoints.save_step(self._variables, state)
        except OSError as error:
            words = (
                f"{self._run.root}: the checkpoint of step {state.step} cannot be written: {error.strerror or error}"
            )
            if required:
                raise TagscaleError(f"{words}; the one of step {self._saved_step} stays") from error
            say(f"warning: {words}; training continues, and the one of step {self._saved_step} stays", file=sys.stderr)
        else:
            self._saved_step = state.step
        self._saved_at = time.monotonic()

    def keep_best(self, state: LoopState, *, required: bool = False) -> bool:
        try:
            self._checkpoints.save(BEST_NAME, self._variables, state)
        except OSError as error:
            words = f"{self._run.root}: the best checkpoint cannot be written: {error.strerror or error}"
            if required:
                raise TagscaleError(words) from error
            say(f"warning: {words}", file=sys.stderr)
            return False
        return True

    def end(self, state: LoopState) -> None:
        if self._saved_step != state.step:
            self.save(state, required=True)
