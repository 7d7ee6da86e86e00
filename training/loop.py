"""The training loop, one for every strategy.

Keras's own `fit` fails under several workers, so the step is written out: `strategy.run`, the loss divided by the
global batch's known targets, `optimizer.apply`, `strategy.reduce`. Every random draw is a function of (seed, step) or
(seed, epoch), so a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.dataset import Dataset
from schemas.errors import TagscaleError
from schemas.features import FeatureSpec, LogMelSpec, features_name
from schemas.label_version import open_labels
from schemas.progress import Progress
from training.checkpoints import BEST_NAME, LoopState, model_variables, optimizer_variables
from training.config import TrainConfig
from training.input import TrainingInput, epoch_order
from training.labels import labelled_tracks
from training.losses import mean_loss, resolve_loss, summed_loss
from training.metrics import tagging_metrics
from training.models.tagger import build_tagger, set_dropout_step
from training.records import TrackRecords
from training.run_folder import RunFolder, register_run
from training.scoring import TrackScorer
from training.staging import open_stage
from training.strategies import is_chief, make_strategy, worker_index, worker_replicas

PLATEAU_FACTOR = 0.5  # of the learning rate, once the validation loss has stalled


@dataclasses.dataclass(frozen=True)
class TrainSummary:
    """What a training did.

    Attributes:
        out: the run's folder.
        state: where the run ended.
        tracks: in the training split.
        removed: labelled tracks that were left out, since they were taken out of the dataset.
        trained_epochs: epochs that this call took.
        seconds: wall time of this call.
    """

    out: str
    state: LoopState
    tracks: int
    removed: int
    trained_epochs: int
    seconds: float


def train(config: TrainConfig, out: str, *, stage: str | None = None) -> TrainSummary:
    """Train a tagger, or go on with a run that was stopped.

    Args:
        config: the configuration; its label set is resolved to a version first.
        out: folder of the run.
        stage: folder on a local disk that payloads are copied to ahead of use; None to read them where they lie.

    Raises:
        UserError: dataset, label set, split, strategy or folder do not fit.
        DatasetError: the features or labels on disk contradict each other.
    """
    started = time.monotonic()
    dataset = Dataset.open(config.dataset)
    labels = open_labels(dataset, config.label_set)
    spec = features_of(dataset, config)
    config = dataclasses.replace(
        config,
        label_set=f"{labels.manifest.name}@{labels.manifest.version}",
        features=features_name(spec),
        hop_length=spec.hop_length if isinstance(spec, LogMelSpec) else config.hop_length,
    )
    with open_stage(stage) as copies:
        training = TrackRecords(dataset, labelled_tracks(dataset, labels, spec, "train"), copies)
        validation = TrackRecords(dataset, labelled_tracks(dataset, labels, spec, "validation"), copies)
        strategy = make_strategy(config.strategy)
        run = RunFolder(out)
        if is_chief(strategy):
            run.begin(config)
            register_run(dataset, out, config)
        loop = _Loop(config, run, strategy, training, validation, labels.manifest.label_set)
        if copies is not None and not loop.is_over:
            order = epoch_order(training.tracks, config.seed, loop.state.epoch)
            copies.begin([*training.payloads(order), *validation.payloads(range(len(validation.tracks)))])
        trained = loop.train()
    removed = training.tracks.removed + validation.tracks.removed
    return TrainSummary(out, loop.state, len(training.tracks), removed, trained, time.monotonic() - started)


def features_of(dataset: Dataset, config: TrainConfig) -> FeatureSpec:
    """The features that a configuration names; raises UserError where the dataset does not hold them."""
    return dataset.features(config.features) if config.features else dataset.spec(config.family)


class _Loop:
    """Model, optimizer and position of a run."""

    def __init__(
        self,
        config: TrainConfig,
        run: RunFolder,
        strategy: Any,
        training: TrackRecords,
        validation: TrackRecords,
        label_set: dict[str, Any],
    ) -> None:
        self._config, self._run, self._strategy = config, run, strategy
        self._validation = validation
        self._positive_at = float(label_set["positive_at"])
        self._loss_kind = resolve_loss(config.loss, label_set["values"])
        self._input = TrainingInput(training, config.patch, config.batch_size, config.seed)
        tags = training.tracks.targets.shape[1]
        with strategy.scope():
            self._model = build_model(config, tags, training.spec)
            self._optimizer = _make_optimizer(config)
            self._optimizer.build(self._model.trainable_variables)
        self._variables = {**model_variables(self._model), **optimizer_variables(self._optimizer)}
        self._scorer = TrackScorer(self._model, config.patch, config.batch_size)
        self._step_function = self._make_step()
        with strategy.scope():
            self.state = run.checkpoints.newest(self._variables) or LoopState(label_version=config.label_set)

    def train(self) -> int:
        """Train the epochs that are left; returns how many."""
        chief = is_chief(self._strategy)
        if chief:
            self._run.keep_metrics(self.state.epoch)
        first = self.state.epoch
        steps = self._input.steps(self._strategy.num_replicas_in_sync)
        with Progress("train", self._config.epochs * steps, "steps") as progress:
            progress.start_at(first * steps)
            while not self.is_over:
                began = time.monotonic()
                loss = self._train_epoch(progress)
                fields: dict[str, Any] = {"epoch": self.state.epoch + 1, "loss": loss}
                self.state = dataclasses.replace(self.state, epoch=self.state.epoch + 1)
                due = self.state.epoch % self._config.validate_every == 0 or self.state.epoch == self._config.epochs
                if due:
                    fields.update(self._validate())
                fields.update(learning_rate=float(self._learning_rate), seconds=round(time.monotonic() - began, 3))
                if chief:
                    self._run.add_metrics(fields)
                    self._run.checkpoints.save_epoch(self._variables, self.state)
        return self.state.epoch - first

    @property
    def is_over(self) -> bool:
        """True if no epoch is left, or the last ones were in vain."""
        return self.state.epoch >= self._config.epochs or self._stalled()

    def _stalled(self) -> bool:
        patience = self._config.stop_epochs
        return 0 < patience <= self.state.epoch - self.state.best_epoch and self.state.best is not None

    @property
    def _learning_rate(self) -> Any:
        return keras.ops.convert_to_numpy(self._optimizer.learning_rate)

    def _make_step(self) -> Any:
        model, optimizer, strategy = self._model, self._optimizer, self._strategy
        replicas = strategy.num_replicas_in_sync
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

        def replica_step(patches: Any, targets: Any, known: Any, step: Any) -> Any:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            set_dropout_step(model, step, replica)
            with tf.GradientTape() as tape:
                logits = model(patches, training=True)["logits"]
                # Gradients are summed over replicas: the weight decay counts once in all.
                loss = summed_loss(self._loss_kind, targets, logits) / known + tf.add_n(model.losses) / replicas
                objective = optimizer.scale_loss(loss) if scaled else loss
            gradients = tape.gradient(objective, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return loss

        @tf.function(reduce_retracing=True)  # type: ignore[misc]
        def step_function(element: Any, step: Any) -> Any:
            losses = strategy.run(replica_step, args=(*element, step))
            return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

        return step_function

    def _train_epoch(self, progress: Progress) -> float:
        strategy, epoch = self._strategy, self.state.epoch
        replicas, mine = strategy.num_replicas_in_sync, worker_replicas(strategy)
        batches = strategy.distribute_datasets_from_function(
            lambda _context: self._input.dataset(epoch, replicas=replicas, mine=mine)
        )
        losses = []
        try:
            for element in batches:
                losses.append(self._step_function(element, tf.constant(self.state.step, tf.int64)))
                self.state = dataclasses.replace(self.state, step=self.state.step + 1)
                progress.update(self.state.step, f"epoch {epoch + 1}, loss {float(losses[-1]):.4f}")
        except tf.errors.OpError as error:
            # tf.data wraps what a reading thread raised; the reader kept the original.
            raise self._input.failure or TagscaleError(f"training step failed: {error.message}") from error
        mean = float(np.mean([float(loss) for loss in losses]))
        if not np.isfinite(mean):
            raise TagscaleError(
                f"epoch {epoch + 1}: the loss is not finite; lower --learning-rate, or use --precision float32"
            )
        return mean

    def _validate(self) -> dict[str, float]:
        """Exact metrics of the validation split; keeps the best checkpoint and halves the rate on a plateau."""
        scores = self._validation_scores()
        targets = self._validation.tracks.targets
        metrics = tagging_metrics(targets, scores, positive_at=self._positive_at, bootstrap=0)
        loss = mean_loss(self._loss_kind, targets, scores)
        value = {"roc_auc": metrics.roc_auc_macro, "pr_auc": metrics.pr_auc_macro, "loss": -loss}[
            self._config.select_by
        ]
        state = self.state
        if state.best is None or value > state.best:
            state = dataclasses.replace(state, best=value, best_epoch=state.epoch)
            if is_chief(self._strategy):
                self._run.checkpoints.save(BEST_NAME, self._variables, state)
        self.state, stalled = after_plateau(state, loss, self._config.plateau_epochs, self._config.validate_every)
        if stalled:
            self._optimizer.learning_rate.assign(self._optimizer.learning_rate * PLATEAU_FACTOR)
        return {
            "validation_loss": loss,
            "validation_roc_auc": metrics.roc_auc_macro,
            "validation_pr_auc": metrics.pr_auc_macro,
        }

    def _validation_scores(self) -> npt.NDArray[np.float32]:
        """Scores of every validation track once; several workers score a share each."""
        workers = self._strategy.num_replicas_in_sync // len(worker_replicas(self._strategy))
        tracks = len(self._validation.tracks)
        if workers == 1:
            return self._scorer.scores(self._validation)
        mine = np.arange(worker_index(self._strategy), tracks, workers)
        scores = np.zeros_like(self._validation.tracks.targets)
        scores[mine] = self._scorer.scores(self._validation, mine.tolist())
        share = tf.constant(scores / len(worker_replicas(self._strategy)))
        summed = self._strategy.run(
            lambda value: tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value),
            args=(share,),
        )
        result: npt.NDArray[np.float32] = self._strategy.experimental_local_results(summed)[0].numpy()
        return result


def after_plateau(state: LoopState, loss: float, patience: int, epochs: int) -> tuple[LoopState, bool]:
    """Count the epochs without a better validation loss.

    Args:
        state: before this validation.
        loss: of this validation.
        patience: epochs without a better one after which the learning rate is to be reduced.
        epochs: since the validation before.

    Returns:
        The new state, and True if the patience is over; counting starts again then.
    """
    if state.plateau_best is None or loss < state.plateau_best:
        return dataclasses.replace(state, plateau_best=loss, plateau_wait=0), False
    wait = state.plateau_wait + epochs
    if wait < patience:
        return dataclasses.replace(state, plateau_wait=wait), False
    return dataclasses.replace(state, plateau_wait=0), True


def build_model(config: TrainConfig, tags: int, spec: FeatureSpec) -> keras.Model:
    """The tagger that a configuration describes, over some features, with its initial weights."""
    sizes = {"mels": spec.mels} if isinstance(spec, LogMelSpec) else {}
    return build_tagger(
        config.model, tags=tags, patch=config.patch, seed=config.seed, dtype_policy=config.precision, **sizes
    )


def _make_optimizer(config: TrainConfig) -> Any:
    adam = keras.optimizers.Adam(learning_rate=config.learning_rate)
    return keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam
