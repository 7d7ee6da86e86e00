"""Train a tagger: open what a configuration names, go on where the run is, and let the loop do the rest."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sys
import time
from typing import Any

import tensorflow as tf

from schemas.console.progress import Progress
from schemas.console.stopping import deferred_stop
from schemas.console.terminal import say
from schemas.dataset import Dataset
from schemas.features import LogMelSpec, features_name
from schemas.label_version import LabelVersion, open_labels
from schemas.storage.files import absolute, exists, read_bytes
from training.config import TrainConfig
from training.data.augmentation import Augmentation
from training.data.input import TrainingInput, epoch_order
from training.data.input_statistics import input_statistics
from training.data.labels import LabelledTracks, labelled_tracks
from training.data.records import TrackRecords
from training.data.staging import open_stage
from training.devices.environment import differences, environment
from training.devices.strategies import is_chief, make_strategy, require_agreement, worker_count
from training.evaluation.scoring import TrackScorer
from training.fit.failures import require_defined, require_divisible, require_fitting_patch
from training.fit.init_from import InitSummary, resolve_init_from, start_from
from training.fit.loop import TrainingLoop
from training.fit.losses import TrainingLoss, balanced_weights, resolve_loss
from training.fit.optimizer import make_optimizer
from training.fit.step import TrainingStep
from training.fit.validation import Validation
from training.report.page import write_report
from training.runs.build_model import build_model, features_of
from training.runs.checkpoints import BEST_NAME, LoopState, TornCheckpoint, model_variables, optimizer_variables
from training.runs.run_folder import RunFolder, register_run
from training.tensorboard.board import TensorBoardFolder
from training.tensorboard.projector import chosen_tracks, embed_tracks, write_embedding


@dataclasses.dataclass(frozen=True)
class TrainSummary:
    """What a training did.

    Attributes:
        out: the run's folder.
        state: where the run ended.
        tracks: in the training split.
        removed: labelled tracks that were left out, since they were taken out of the dataset.
        trained_steps: steps that this call took.
        examples_per_second: of them.
        input_wait: share of their time spent waiting for data, 0 to 1.
        seconds: wall time of this call.
        started_from: what the run began with, where this call began it from another run.
        judged_by: the split to evaluate: test, or validation where the labels have no test track.
    """

    out: str
    state: LoopState
    tracks: int
    removed: int
    trained_steps: int
    examples_per_second: float
    input_wait: float
    seconds: float
    started_from: InitSummary | None
    judged_by: str


def train(config: TrainConfig, out: str, *, stage: str | None = None) -> TrainSummary:
    """Train a tagger, or go on with a run that was stopped.

    >>> from training import TrainConfig, train
    >>> small = {"patch_seconds": 1, "epochs": 1, "num_filt": 1, "dense_units": 16}
    >>> summary = train(TrainConfig("data", "mine", "spectrogram", **small), "runs/a")
    >>> summary.state.epoch, summary.judged_by
    (1, 'test')

    Args:
        config: the configuration; its label set is resolved to a version first.
        out: folder of the run.
        stage: folder on a local disk that payloads are copied to ahead of use; None to read them where they lie.

    Raises:
        UserError: dataset, label set, split, strategy, batch size or folder do not fit.
        DatasetError: the features or labels on disk contradict each other.
        TagscaleError: a step failed, or a loss is not a number.
        Stopped: the command was told to stop, and the position is saved.
    """
    started = time.monotonic()
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    dataset = Dataset.open(config.dataset)
    labels = open_labels(dataset, config.label_set)
    spec = features_of(dataset, config)
    config = dataclasses.replace(
        config,
        dataset=absolute(config.dataset),  # for whoever opens the run from another folder
        init_from=absolute(config.init_from) if config.init_from else "",
        label_set=f"{labels.manifest.name}@{labels.manifest.version}",
        features=features_name(spec),
        hop_length=spec.hop_length if isinstance(spec, LogMelSpec) else config.hop_length,
    )
    config = resolve_init_from(config, out, spec, labels)
    with open_stage(stage) as copies, contextlib.ExitStack() as held:
        training = TrackRecords(
            dataset, labelled_tracks(dataset, labels, spec, "train", share=config.train_share), copies
        )
        validation = TrackRecords(dataset, labelled_tracks(dataset, labels, spec, "validation"), copies)
        require_fitting_patch(config.patch_seconds, config.patch, training.longest)
        require_defined(config.select_by, validation.tracks.targets, labels.positive_at)
        strategy = make_strategy(config.strategy)
        run = RunFolder(out)
        if is_chief(strategy):
            held.enter_context(run.held())
            run.begin(config)
            register_run(dataset, out, config)
            _note_environment(run)
        require_agreement(
            strategy,
            json.dumps({name: value for name, value in config.to_dict().items() if name != "dataset"}),
            "the workers' configurations differ; start the same command on every worker",
        )
        several = worker_count(strategy) > 1  # one that leaves alone ends the others with an error
        under_way: TrainingLoop | None = None
        with deferred_stop(lambda: several or (under_way is not None and under_way.has_trained)) as stop_requested:
            loop, started_from = _make_loop(config, run, strategy, training, validation, labels, stop_requested)
            under_way = loop
            first = loop.state
            if copies is not None and not loop.is_over:
                order = epoch_order(training.tracks, config.seed, first.epoch)
                copies.begin([*training.payloads(order), *validation.payloads(range(len(validation.tracks)))])
            loop.train()
        if is_chief(strategy) and (loop.throughput.steps or not exists(run.report)):
            _show(config, run, loop, validation, labels)
    return TrainSummary(
        out=out,
        state=loop.state,
        tracks=len(training.tracks),
        removed=training.tracks.removed + validation.tracks.removed,
        trained_steps=loop.throughput.steps,
        examples_per_second=loop.throughput.examples_per_second,
        input_wait=loop.throughput.input_wait,
        seconds=time.monotonic() - started,
        started_from=started_from,
        judged_by="test" if labels.manifest.counts["test"] else "validation",
    )


def _make_loop(
    config: TrainConfig,
    run: RunFolder,
    strategy: Any,
    training: TrackRecords,
    validation: TrackRecords,
    labels: LabelVersion,
    stop_requested: Any,
) -> tuple[TrainingLoop, InitSummary | None]:
    targets, label_set = training.tracks.targets, labels.manifest.label_set
    data = TrainingInput(training, config.patch, config.batch_size, config.seed, Augmentation.of(config))
    require_divisible(config.batch_size, strategy.num_replicas_in_sync, len(training.tracks), data.steps)
    kind = resolve_loss(config.loss, label_set["values"])
    weights = balanced_weights(targets) if config.class_weights == "balanced" else (None, None)
    with strategy.scope():
        model = build_model(config, targets.shape[1], training.spec, replicas=strategy.num_replicas_in_sync)
        optimizer = make_optimizer(config, model)
        variables = {**model_variables(model), **optimizer_variables(optimizer)}
        state = run.checkpoints().newest(variables)
        started_from = None
        if state is None and config.init_from:
            started_from = start_from(model, config, training.spec, labels.vocabulary)
        elif state is None and config.normalize_input:
            model.get_layer("normalized").set_statistics(*input_statistics(training))
        if state is None:
            state = LoopState(label_version=config.label_set, tracks=_hash_of(training.tracks))
    state = _with_whole_best(run, _same_tracks(run, state, training.tracks))
    require_agreement(
        strategy,
        f"{state.epoch} {state.epoch_step} {state.tracks} {state.best}",
        f"the workers found different checkpoints in {run.root}: --out has to be a folder that all of them share",
    )
    # While it validates, a device holds no more of a batch than its share while it is trained on.
    scorer = TrackScorer(model, config.patch, config.batch_size // strategy.num_replicas_in_sync, strategy=strategy)
    loop = TrainingLoop(
        config,
        run,
        strategy,
        variables=variables,
        model=model,
        optimizer=optimizer,
        step=TrainingStep(
            model, optimizer, TrainingLoss(kind, config.label_smoothing, *weights), strategy, config.clip_norm
        ),
        vocabulary=labels.vocabulary,
        data=data,
        validation=Validation(validation, scorer, strategy, kind, labels.positive_at),
        state=state,
        board=TensorBoardFolder(run.tensorboard) if is_chief(strategy) else None,
        stop_requested=stop_requested,
    )
    return loop, started_from


def _show(
    config: TrainConfig, run: RunFolder, loop: TrainingLoop, validation: TrackRecords, labels: LabelVersion
) -> None:
    """The embedding of validation tracks at the best epoch, and the report."""
    checkpoints = run.checkpoints()
    if checkpoints.has_best():
        best = checkpoints.load(BEST_NAME, model_variables(loop.model))
        with Progress("embed", len(chosen_tracks(len(validation.tracks))), "tracks") as progress:
            embedding = embed_tracks(
                loop.model,
                validation,
                labels.vocabulary,
                patch=config.patch,
                batch_size=config.batch_size,
                positive_at=labels.positive_at,
                epoch=best.best_epoch,
                on_progress=progress.update,
            )
        write_embedding(run.tensorboard, embedding)
    write_report(run.root)


def _hash_of(tracks: LabelledTracks) -> str:
    return hashlib.sha256("\n".join(tracks.track_ids).encode()).hexdigest()


def _same_tracks(run: RunFolder, state: LoopState, tracks: LabelledTracks) -> LoopState:
    """The position among the tracks as they are now; where some were removed, the epoch under way begins again."""
    now = _hash_of(tracks)
    if state.tracks == now:
        return state
    say(
        f"warning: {run.root}: training tracks were removed from the dataset since; the run goes on with the others, from the "
        f"beginning of epoch {state.epoch + 1}",
        file=sys.stderr,
    )
    return dataclasses.replace(state, tracks=now, epoch_step=0, epoch_loss=0.0)


def _with_whole_best(run: RunFolder, state: LoopState) -> LoopState:
    """The position, without a best epoch if that epoch's checkpoint is torn or gone."""
    if state.best is None:
        return state
    try:
        run.checkpoints().load(BEST_NAME)
    except TornCheckpoint as error:
        say(
            f"warning: {error}; the weights of epoch {state.best_epoch}, the best one, are lost: the best epoch is chosen among "
            "what is left of the run, the newest weights at least",
            file=sys.stderr,
        )
        return dataclasses.replace(state, best=None, best_epoch=0)
    return state


def _note_environment(run: RunFolder) -> None:
    now = environment()
    if exists(run.environment):
        changed = differences(read_bytes(run.environment), now)
        if changed:
            say(
                f"warning: {run.root}: goes on elsewhere ({'; '.join(changed)}), so its last bits may differ",
                file=sys.stderr,
            )
    run.write_json(run.environment, now)
