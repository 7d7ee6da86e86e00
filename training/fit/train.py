"""Train a tagger. `train` reads from top to bottom: dataset and labels, input, model, step, validation, loop."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time

import keras
import tensorflow as tf

from schemas.console.progress import Progress
from schemas.console.stopping import deferred_stop
from schemas.console.terminal import say
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, LogMelSpec, features_name
from schemas.label_version import LabelVersion, open_labels
from schemas.storage.files import absolute, exists, read_bytes
from training.config import TrainConfig
from training.data.augmentation import Augmentation
from training.data.input import TrainingInput, epoch_order
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords
from training.data.sampling import balanced_rates
from training.data.staging import open_stage
from training.devices.environment import differences, environment
from training.devices.forgotten_gradients import forgotten_gradients
from training.devices.strategies import is_chief, make_strategy, require_agreement, worker_count
from training.evaluation.scoring import TrackScorer
from training.fit.advice import advice
from training.fit.batch_norm_statistics import BatchNormStatistics
from training.fit.budget import Budget
from training.fit.failures import require_defined, require_divisible, require_fitting_patch
from training.fit.init_from import InitSummary, resolve_init_from
from training.fit.loop import TrainingLoop
from training.fit.losses import TrainingLoss, balanced_weights, resolve_loss
from training.fit.optimizer import make_optimizer
from training.fit.recorder import Recorder, RunRecorder
from training.fit.resume import resume_or_begin
from training.fit.step import TrainingStep
from training.fit.throughput import Throughput
from training.fit.validation import Validation
from training.report.page import write_report
from training.runs.build_model import build_model, features_of
from training.runs.checkpoints import BEST_NAME, LoopState, model_variables, optimizer_variables
from training.runs.run_folder import RunFolder, register_run
from training.tensorboard.projector import chosen_tracks, embed_tracks, write_embedding


@dataclasses.dataclass(frozen=True)
class TrainSummary:
    """The outcome of a training.

    Attributes:
        out: the run's folder.
        state: position at which the run ended.
        epochs: number of epochs taken by then; a fraction in the middle of one.
        tracks: number of tracks in the training split.
        removed: number of labelled tracks left out because they were removed from the dataset.
        trained_steps: number of steps that this call took.
        examples_per_second: speed of these steps.
        input_wait: share of their time spent waiting for data, 0 to 1.
        seconds: wall time of this call.
        started_from: weights that the run began with, if this call began it from another run.
        judged_by: split to evaluate: test, or validation if the labels have no test track.
    """

    out: str
    state: LoopState
    epochs: int | float
    tracks: int
    removed: int
    trained_steps: int
    examples_per_second: float
    input_wait: float
    seconds: float
    started_from: InitSummary | None
    judged_by: str


@forgotten_gradients()
def train(config: TrainConfig, out: str, *, stage: str | None = None) -> TrainSummary:
    """Train a tagger, or resume a run that was stopped.

    >>> from training import TrainConfig, train
    >>> small = {"patch_seconds": 1, "epochs": 1, "num_filt": 1, "backend_filters": 32}
    >>> summary = train(TrainConfig("data", "mine", "spectrogram", **small), "runs/a")
    >>> summary.state.epoch, summary.judged_by
    (1, 'test')

    Args:
        config: the configuration; its label set is resolved to a version first.
        out: folder of the run.
        stage: folder on a local disk that payloads are copied to before they are read; None to read them in place.

    Raises:
        UserError: dataset, label set, split, strategy, batch size or folder do not fit.
        DatasetError: the features or labels on disk contradict each other.
        TagscaleError: a step failed, or a loss is not a number.
        Stopped: the command was asked to stop, and the position is saved.
    """
    started = time.monotonic()
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()

    # The dataset, features and label version that the configuration names.
    dataset = Dataset.open(config.dataset)
    labels = open_labels(dataset, config.label_set)
    spec = features_of(dataset, config)
    config = resolve_init_from(_resolved(config, labels, spec), out, spec, labels)

    with open_stage(stage) as copies, contextlib.ExitStack() as held:
        train_tracks = labelled_tracks(dataset, labels, spec, "train", share=config.train_share)
        train_records = TrackRecords(dataset, train_tracks, copies)
        validation_tracks = labelled_tracks(dataset, labels, spec, "validation")
        validation_records = TrackRecords(dataset, validation_tracks, copies)
        require_fitting_patch(config.patch_seconds, config.patch, train_records.longest)
        require_defined(config.select_by, validation_tracks.targets, labels.positive_at)

        # The devices, and the run's folder, to which only the chief writes.
        strategy = make_strategy(config.strategy)
        replicas, chief, several = strategy.num_replicas_in_sync, is_chief(strategy), worker_count(strategy) > 1
        run = RunFolder(out)
        if chief:
            held.enter_context(run.held())
            run.begin(config)
            register_run(dataset, out, config)
            _note_environment(run)
        require_agreement(
            strategy,
            json.dumps({name: value for name, value in config.to_dict().items() if name != "dataset"}),
            "the workers' configurations differ; start the same command on every worker",
        )

        throughput = Throughput()
        # If one of several workers leaves on its own, the others end with an error.
        with deferred_stop(lambda: several or throughput.steps > 0) as stop_requested:
            # Input.
            rates = None
            if config.sampling == "balanced":
                rates = balanced_rates(train_tracks.targets, labels.positive_at)
            data = TrainingInput(
                train_records,
                config.patch,
                config.batch_size,
                config.seed,
                Augmentation.of(config),
                config.patches_per_track,
                rates,
            )
            require_divisible(config, replicas, len(train_tracks), data.steps)

            # Model.
            with strategy.scope():
                model = build_model(config, len(labels.vocabulary), spec, replicas=replicas)
                optimizer = make_optimizer(config, model)
                variables = {**model_variables(model), **optimizer_variables(optimizer)}
                state, started_from = resume_or_begin(run, config, model, variables, train_records, labels.vocabulary)
            require_agreement(
                strategy,
                f"{state.epoch} {state.epoch_step} {state.tracks} {state.best}",
                f"the workers found different checkpoints in {run.root}: --out has to be a folder that all of them share",
            )

            if chief and state.step == 0:
                for words in advice(config, len(train_tracks), Budget(config, data.steps).total_steps):
                    say(f"note: {words}", file=sys.stderr)

            # Step.
            kind = resolve_loss(config.loss, labels.manifest.label_set["values"])
            weights = balanced_weights(train_tracks.targets) if config.class_weights == "balanced" else (None, None)
            loss = TrainingLoss(kind, config.label_smoothing, *weights)
            step = TrainingStep(model, optimizer, loss, strategy, config.clip_norm, config.accumulate)

            statistics = None
            if config.recalibrate_batch_norm:
                statistics = BatchNormStatistics(
                    model, train_records, config.patch, config.part_size, config.seed, strategy
                )

            # Validation. A device gets no larger part of a batch than while it trains.
            scorer = TrackScorer(model, config.patch, config.part_size // replicas, strategy=strategy)
            validation = Validation(validation_records, scorer, strategy, loss, labels.positive_at)

            # Loop.
            recorder = RunRecorder(run, config, variables, labels.vocabulary) if chief else Recorder()
            loop = TrainingLoop(
                config,
                strategy,
                step=step,
                statistics=statistics,
                data=data,
                validation=validation,
                recorder=recorder,
                state=state,
                throughput=throughput,
                stop_requested=stop_requested,
            )
            if copies is not None and not loop.is_over:
                order = epoch_order(train_tracks, config.seed, state.epoch)
                copies.begin(
                    [*train_records.payloads(order), *validation_records.payloads(range(len(validation_tracks)))]
                )
            loop.train()

        if chief and (throughput.steps or not exists(run.report)):
            _show(config, run, model, validation_records, labels)
    return TrainSummary(
        out=out,
        state=loop.state,
        epochs=loop.epochs,
        tracks=len(train_tracks),
        removed=train_tracks.removed + validation_tracks.removed,
        trained_steps=throughput.steps,
        examples_per_second=throughput.examples_per_second,
        input_wait=throughput.input_wait,
        seconds=time.monotonic() - started,
        started_from=started_from,
        judged_by="test" if labels.manifest.counts["test"] else "validation",
    )


def _resolved(config: TrainConfig, labels: LabelVersion, spec: FeatureSpec) -> TrainConfig:
    """The configuration with the version of its labels, the name of its features, and absolute paths."""
    return dataclasses.replace(
        config,
        dataset=absolute(config.dataset),  # so that the run can be opened from another folder
        init_from=absolute(config.init_from) if config.init_from else "",
        label_set=f"{labels.manifest.name}@{labels.manifest.version}",
        features=features_name(spec),
        hop_length=spec.hop_length if isinstance(spec, LogMelSpec) else config.hop_length,
    )


def _note_environment(run: RunFolder) -> None:
    now = environment()
    if exists(run.environment):
        changed = differences(read_bytes(run.environment), now)
        if changed:
            say(
                f"warning: {run.root}: resumes in another environment ({'; '.join(changed)}), so its last bits may differ",
                file=sys.stderr,
            )
    run.write_json(run.environment, now)


def _show(
    config: TrainConfig, run: RunFolder, model: keras.Model, validation: TrackRecords, labels: LabelVersion
) -> None:
    """Write the embedding of validation tracks at the best epoch, and the report."""
    checkpoints = run.checkpoints()
    if checkpoints.has_best():
        best = checkpoints.load(BEST_NAME, model_variables(model))
        with Progress("embed", len(chosen_tracks(len(validation.tracks))), "tracks") as progress:
            embedding = embed_tracks(
                model,
                validation,
                labels.vocabulary,
                patch=config.patch,
                batch_size=config.part_size,
                positive_at=labels.positive_at,
                epoch=best.best_epoch,
                on_progress=progress.update,
            )
        write_embedding(run.tensorboard, embedding)
    write_report(run.root)
