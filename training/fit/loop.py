"""The training loop, the same for every strategy.

Its position is (epoch, step). Every random draw is a function of the seed and the position, so a run that resumes from
a checkpoint, even in the middle of an epoch, continues as if it had never stopped.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf

from schemas.console.progress import Progress
from schemas.console.stopping import Stopped
from training.config import TrainConfig
from training.data.input import TrainingInput
from training.devices.strategies import worker_count, worker_replicas
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
    """Trains the remaining epochs of a run.

    Args:
        config: the run's configuration.
        strategy: how devices share the work.
        step: takes one step with the model and its optimizer.
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
        data: TrainingInput,
        validation: Validation,
        recorder: Recorder,
        state: LoopState,
        throughput: Throughput,
        stop_requested: Callable[[], bool],
    ) -> None:
        self._config, self._strategy, self._step = config, strategy, step
        self._input, self._validation, self._recorder = data, validation, recorder
        self._stop_requested = stop_requested
        self._rate: float | None = None
        self.state = state
        self._throughput, self._epoch_began = throughput, Throughput()

    def train(self) -> None:
        """Train until the run is over.

        Raises:
            Stopped: a worker was asked to stop; the position is saved.
            TagscaleError: a step failed, a loss is not a number, or the last checkpoint cannot be written.
        """
        self._recorder.begin(self.state)
        with Progress("train", self._total_steps, "steps") as progress:
            progress.start_at(self.state.epoch * self._input.steps + self.state.epoch_step)
            try:
                if self.is_over and self.state.best is None:
                    self._choose_newest()
                while not self.is_over:
                    self._epoch_began = dataclasses.replace(self._throughput)
                    self._train_epoch(progress)
                    self._end_epoch()
            except _StopInValidationError:
                self._stop()
            except tf.errors.OpError as error:
                # tf.data wraps the error that a reading thread raised; the reader kept the original.
                replicas, workers = self._strategy.num_replicas_in_sync, worker_count(self._strategy)
                raise self._input.failure or explained(error, self._config.batch_size, replicas, workers) from error
        self._recorder.end(self.state)

    def _choose_newest(self) -> None:
        """Make the newest weights the best: once a run is over, there is nothing else to choose from."""
        self.state, _ = self._validate(self.state)
        self._recorder.save(self.state)

    @property
    def is_over(self) -> bool:
        """True if no epoch is left, or the last ones brought no improvement."""
        return self.state.epoch >= self._config.epochs or self._stalled()

    @property
    def _total_steps(self) -> int:
        return self._config.epochs * self._input.steps

    def _stalled(self) -> bool:
        patience = self._config.stop_epochs
        return 0 < patience <= self.state.epoch - self.state.best_epoch and self.state.best is not None

    def _train_epoch(self, progress: Progress) -> None:
        strategy, epoch, first_step = self._strategy, self.state.epoch, self.state.epoch_step
        replicas, mine = strategy.num_replicas_in_sync, worker_replicas(strategy)
        data = strategy.distribute_datasets_from_function(
            lambda _context: self._input.dataset(epoch, first_step=first_step, replicas=replicas, mine=mine)
        )
        self._step.compile(data.element_spec)
        batches = iter(data)
        # The loss of a step is read when the next step is under way, so that a device never waits.
        under_way: tuple[Any, Any] | None = None
        for number in range(first_step, self._input.steps):
            with self._throughput.timing():
                with self._throughput.waiting_for_data():
                    element = next(batches)
                position = self.state.step + (under_way is not None)
                self._set_rate(position)
                launched = self._step(element, position, self._stop_requested())
                stopping = under_way is not None and self._finish(under_way, progress)
                under_way = launched
                if stopping or self._recorder.checkpoint_is_due or number == self._input.steps - 1:
                    stopping = self._finish(under_way, progress) or stopping
                    under_way = None
            if stopping:
                self._stop()
            if self._recorder.checkpoint_is_due and under_way is None:
                self._recorder.save(self.state)

    def _set_rate(self, step: int) -> None:
        rate = learning_rate(self._config, step, self._total_steps, self.state.rate_factor)
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
            state.epoch * self._input.steps + state.epoch_step + 1,
            f"epoch {state.epoch + 1}, loss {loss:.4f}, {throughput.examples_per_second:.1f} examples/s, "
            f"input wait {throughput.input_wait:.1%}",
        )
        return stopping > 0

    def _stop(self) -> NoReturn:
        self._recorder.save(self.state, required=True)
        raise Stopped

    def _end_epoch(self) -> None:
        state = self.state
        epoch = self._throughput.since(self._epoch_began)
        fields: dict[str, Any] = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "loss": state.epoch_loss / state.epoch_step,
            "learning_rate": learning_rate(self._config, state.step - 1, self._total_steps, state.rate_factor),
            "examples_per_second": round(epoch.examples_per_second, 3),
            "input_wait": round(epoch.input_wait, 5),
        }
        ended = dataclasses.replace(state, epoch=state.epoch + 1, epoch_step=0, epoch_loss=0.0)
        validated_now = ended.epoch % self._config.validate_every == 0 or ended.epoch == self._config.epochs
        if validated_now:
            if worker_count(self._strategy) > 1:
                self._recorder.save(state)  # while several workers validate, none of them can stop without the others
            began = time.monotonic()
            ended, validated = self._validate(ended)
            fields.update(validated, validation_seconds=round(time.monotonic() - began, 3))
        fields["seconds"] = round(epoch.seconds, 3)
        self.state = ended
        self._recorder.add_epoch(fields)
        if validated_now or self._recorder.checkpoint_is_due:
            self._recorder.save(ended)

    def _validate(self, state: LoopState) -> tuple[LoopState, dict[str, float]]:
        """Compute exact metrics of the validation split, keep the best checkpoint, and halve the rate on a plateau."""
        config = self._config
        with averaged_weights(config, self._step.model, self._step.optimizer):
            loss, metrics, scores = self._validation.run(self._stop_in_validation)
            targets, positive_at = self._validation.records.tracks.targets, self._validation.positive_at
            self._recorder.add_validation(state.epoch, targets, scores, positive_at)
            value = {"roc_auc": metrics.roc_auc_macro, "pr_auc": metrics.pr_auc_macro, "loss": -loss}[config.select_by]
            if math.isfinite(value) and (state.best is None or value > state.best):
                better = dataclasses.replace(state, best=value, best_epoch=state.epoch)
                # Other workers, if any, assume that the best epoch was written.
                several = worker_count(self._strategy) > 1
                state = better if self._recorder.keep_best(better, required=several) else state
        return after_validation(config, state, loss), {
            "validation_loss": loss,
            "validation_roc_auc": metrics.roc_auc_macro,
            "validation_pr_auc": metrics.pr_auc_macro,
        }

    def _stop_in_validation(self, _done: int) -> None:
        """Validation counts as not begun: a resumed run validates from the start."""
        if self._stop_requested():
            raise _StopInValidationError
