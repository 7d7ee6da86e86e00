"""The training loop, the same for every strategy.

Its position is (epoch, step). Every random draw is a function of the seed and the position, so a run that resumes from
a checkpoint, even in the middle of an epoch, continues as if it had never stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import tensorflow as tf

from schemas.console.progress import Progress
from schemas.console.stopping import Stopped
from training.config import TrainConfig
from training.data.input import TrainingInput
from training.devices.strategies import worker_count, worker_replicas
from training.fit.batch_norm_statistics import BatchNormStatistics
from training.fit.budget import Budget, Patience
from training.fit.failures import explained, not_finite
from training.fit.optimizer import averaged_weights, learning_rate
from training.fit.plateau import after_validation
from training.fit.recorder import Recorder
from training.fit.step import TrainingStep
from training.fit.throughput import Throughput
from training.fit.validation import Validation
from training.runs.checkpoints import LoopState


class _StopInValidationError(Exception):
    pass


class TrainingLoop:
    """Trains what remains of a run.

    Args:
        config: the run's configuration.
        strategy: how devices share the work.
        step: takes one step with the model and its optimizer.
        statistics: measures the statistics of batch norm before each validation; None to keep the moving ones.
        data: the training split.
        validation: the validation split.
        recorder: records progress; the chief's recorder writes it to the run's folder.
        state: the run's position.
        throughput: counts the steps and their time.
        stop_requested: returns whether this process was asked to stop.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: Any,
        *,
        step: TrainingStep,
        statistics: BatchNormStatistics | None,
        data: TrainingInput,
        validation: Validation,
        recorder: Recorder,
        state: LoopState,
        throughput: Throughput,
        stop_requested: Callable[[], bool],
    ) -> None:
        self._config, self._strategy, self._step = config, strategy, step
        self._input, self._validation, self._recorder = data, validation, recorder
        self._statistics, self._stop_requested = statistics, stop_requested
        self._budget = Budget(config, data.steps)
        self._rate: float | None = None
        self.state = state
        self._throughput, self._line_began = throughput, Throughput()

    def train(self) -> None:
        """Train until the run is over.

        Raises:
            Stopped: a worker was asked to stop; the position is saved.
            TagscaleError: a step failed, a loss is not a number, or the last checkpoint cannot be written.
        """
        self._recorder.begin(self.state)
        self._line_began = dataclasses.replace(self._throughput)
        with Progress("train", self._budget.total_steps, "steps") as progress:
            progress.start_at(self._budget.steps_taken(self.state))
            try:
                if self.is_over and self.state.best is None:
                    self._choose_newest()
                while not self.is_over:
                    self._train_stretch(progress)
                    self._end_stretch()
            except _StopInValidationError:
                self._stop()
            except tf.errors.OpError as error:
                # tf.data wraps the error that a reading thread raised; the reader kept the original.
                replicas, workers = self._strategy.num_replicas_in_sync, worker_count(self._strategy)
                raise self._input.failure or explained(error, self._config, replicas, workers) from error
        self._recorder.end(self.state)

    def _choose_newest(self) -> None:
        """Make the newest weights the best: once a run is over, there is nothing else to choose from."""
        self.state, _ = self._validate(self.state, self._budget.patience(self.state))
        self._recorder.save(self.state)

    @property
    def is_over(self) -> bool:
        """True if no step is left, or the last ones brought no improvement."""
        return self._budget.is_spent(self.state) or self._budget.has_stalled(self.state)

    @property
    def epochs(self) -> int | float:
        """Number of epochs taken; a fraction in the middle of one."""
        return self._budget.epochs_taken(self.state)

    def _train_stretch(self, progress: Progress) -> None:
        strategy, epoch, first_step = self._strategy, self.state.epoch, self.state.epoch_step
        last_step = self._budget.stretch_end(self.state)
        if last_step == first_step:
            return
        replicas, mine = strategy.num_replicas_in_sync, worker_replicas(strategy)
        data = strategy.distribute_datasets_from_function(
            lambda _context: self._input.dataset(
                epoch, first_step=first_step, last_step=last_step, replicas=replicas, mine=mine
            )
        )
        self._step.compile(data.element_spec)
        batches = iter(data)
        # The loss of a step is read when the next step is under way, so that a device never waits.
        under_way: tuple[Any, Any] | None = None
        for number in range(first_step, last_step):
            with self._throughput.timing():
                with self._throughput.waiting_for_data():
                    element = next(batches)
                position = self.state.step + (under_way is not None)
                self._set_rate(position)
                launched = self._step(element, position, self._stop_requested())
                stopping = under_way is not None and self._finish(under_way, progress)
                under_way = launched
                if stopping or self._recorder.checkpoint_is_due or number == last_step - 1:
                    stopping = self._finish(under_way, progress) or stopping
                    under_way = None
            if stopping:
                self._stop()
            if self._recorder.checkpoint_is_due and under_way is None:
                self._recorder.save(self.state)

    def _set_rate(self, step: int) -> None:
        rate = learning_rate(self._config, step, self._budget.total_steps, self.state.rate_factor)
        if rate != self._rate:
            self._step.optimizer.learning_rate.assign(rate)
            self._rate = rate

    def _finish(self, launched: tuple[Any, Any], progress: Progress) -> bool:
        """Wait for a step and count it; returns whether a worker was asked to stop."""
        state, throughput = self.state, self._throughput
        loss, stopping = (float(value) for value in launched)
        if not math.isfinite(loss):
            raise not_finite(loss, state.epoch, state.epoch_step, self._input.track_ids(state.epoch, state.epoch_step))
        self.state = dataclasses.replace(
            state, step=state.step + 1, epoch_step=state.epoch_step + 1, epoch_loss=state.epoch_loss + loss
        )
        self._recorder.add_loss(self.state.step, loss)
        throughput.steps += 1
        throughput.examples += self._input.batch_length(state.epoch_step)
        progress.update(
            self._budget.steps_taken(self.state),
            f"epoch {state.epoch + 1}, loss {loss:.4f}, {throughput.examples_per_second:.1f} examples/s, "
            f"input wait {throughput.input_wait:.1%}",
        )
        return stopping > 0

    def _stop(self) -> NoReturn:
        self._recorder.save(self.state, required=True)
        raise Stopped

    def _end_stretch(self) -> None:
        state = self.state
        ended = state
        if state.epoch_step == self._input.steps:
            ended = dataclasses.replace(state, epoch=state.epoch + 1, epoch_step=0)
        validates = self._budget.validation_is_due(state)
        if validates or not self._config.counts_steps:
            if validates and worker_count(self._strategy) > 1:
                self._recorder.save(state)  # while several workers validate, none of them can stop without the others
            ended = self._add_line(state, ended, validates)
        self.state = ended
        if validates or self._recorder.checkpoint_is_due:
            self._recorder.save(ended)

    def _add_line(self, state: LoopState, ended: LoopState, validates: bool) -> LoopState:
        """Record the epoch, or the steps since the last validation, and validate the last step if that is due.

        Args:
            state: the position.
            ended: the position with the epoch ended, if its last step is taken.
            validates: whether a validation is due.

        Returns:
            The position after it.
        """
        counts_steps = self._config.counts_steps
        steps = state.step - (state.recorded_step or 0) if counts_steps else state.epoch_step
        taken = self._throughput.since(self._line_began)
        fields: dict[str, Any] = {
            "epoch": self._budget.epochs_taken(ended),
            "step": state.step,
            "loss": state.epoch_loss / steps if steps else math.nan,
            "learning_rate": learning_rate(self._config, state.step - 1, self._budget.total_steps, state.rate_factor),
            "examples_per_second": round(taken.examples_per_second, 3),
            "input_wait": round(taken.input_wait, 5),
        }
        loss = 0.0 if counts_steps or not ended.epoch_step else state.epoch_loss
        ended = dataclasses.replace(ended, epoch_loss=loss, recorded_step=state.step)
        if validates:
            began = time.monotonic()
            ended, validated = self._validate(ended, self._budget.patience(state))
            fields.update(validated, validation_seconds=round(time.monotonic() - began, 3))
        fields["seconds"] = round(taken.seconds, 3)
        self._recorder.add_line(fields)
        self._line_began = dataclasses.replace(self._throughput)
        return ended

    def _validate(self, state: LoopState, patience: Patience) -> tuple[LoopState, dict[str, float]]:
        """Compute exact metrics of the validation split, keep the best checkpoint, and halve the rate on a plateau."""
        config, epochs = self._config, self._budget.epochs_taken(state)
        place = state.step if config.counts_steps else math.ceil(epochs)
        with self._validated_weights():
            loss, metrics, scores = self._validation.run(self._stop_in_validation)
            targets, positive_at = self._validation.records.tracks.targets, self._validation.positive_at
            self._recorder.add_validation(place, targets, scores, positive_at)
            value = {
                **{"roc_auc": metrics.roc_auc_macro, "pr_auc": metrics.pr_auc_macro, "loss": -loss},
                "last": float(state.step),
            }[config.select_by]
            if math.isfinite(value) and (state.best is None or value > state.best):
                better = dataclasses.replace(state, best=value, best_epoch=epochs, best_step=state.step)
                # Other workers, if any, assume that the best weights were written.
                several = worker_count(self._strategy) > 1
                state = better if self._recorder.keep_best(better, required=several) else state
        return after_validation(config, state, loss, patience), {
            "validation_loss": loss,
            "validation_roc_auc": metrics.roc_auc_macro,
            "validation_pr_auc": metrics.pr_auc_macro,
        }

    @contextlib.contextmanager
    def _validated_weights(self) -> Iterator[None]:
        """Put the weights and statistics in place that are validated and kept; training goes on with its own."""
        alone = worker_count(self._strategy) == 1
        with contextlib.ExitStack() as held:
            held.enter_context(averaged_weights(self._config, self._step.model, self._step.optimizer))
            if self._statistics is not None:
                held.enter_context(self._statistics.in_place(self._stop_in_validation if alone else lambda _done: None))
            yield

    def _stop_in_validation(self, _done: int) -> None:
        """Validation counts as not begun: a resumed run validates from the start."""
        if self._stop_requested():
            raise _StopInValidationError
